#include "migration/unread.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "migration/engine_suffix.h"

#define LOOKED_AT 200             /* number of files read to detect their tool */
#define MARKER_LIMIT (256u << 10) /* bytes of such a file */

/* Tools, and how to detect their files: the end of the name, and a text in the content (NULL: any
 * content). */
static const struct marker {
    const char *tool;
    const char *ending;
    const char *text;
} markers[] = {
    {"Liquibase", ".sql", "liquibase formatted sql"},
    {"tern", ".sql", "---- create above / drop below ----"},
    {"MyBatis Migrations", ".sql", "//@UNDO"},
    {"Play evolutions", ".sql", "--- !Ups"},
    {"Atlas", "atlas.sum", NULL},
    {"Prisma", "/migration.sql", NULL},
    {"Drizzle", "_journal.json", NULL},
    {"Alembic", ".py", "down_revision"},
    {"Django", ".py", "migrations.Migration"},
    {"yoyo", ".py", "yoyo"},
    {"Rails", ".rb", "ActiveRecord::Migration"},
    {"Sequel", ".rb", "Sequel.migration"},
    {"node-pg-migrate", ".js", "pgm"},
    {"node-pg-migrate", ".ts", "node-pg-migrate"},
    {"Sequelize", ".js", "queryInterface"},
    {"TypeORM", ".ts", "MigrationInterface"},
    {"Knex", ".js", "knex"},
    {"Knex", ".ts", "knex"},
    {"db-migrate", ".js", "exports._meta"},
    {"Ecto", ".exs", "Ecto.Migration"},
    {"Laravel", ".php", "Illuminate\\Database\\Migrations"},
    {"Doctrine", ".php", "AbstractMigration"},
    {"Entity Framework", ".cs", "Migration"},
    {"goose", ".go", "goose.AddMigration"},
    {"SeaORM", ".rs", "MigrationTrait"},
    {"Liquibase", ".xml", "databaseChangeLog"},
    {"Liquibase", ".yaml", "databaseChangeLog"},
};

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcasecmp(text + n - m, end) == 0;
}

static const char *base_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool has_text(const rb_layout_source *source, size_t i, const char *text)
{
    const rb_tree_entry *entry = &source->entries->items[i];
    RB_AUTO(rb_buf_clear) rb_buf read = {0};
    return rb_blob_read(&read, source->repo, &entry->oid, entry->path, MARKER_LIMIT, RB_IGNORED) ==
               RB_OK &&
           read.len > 0 && memmem(read.data, read.len, text, strlen(text)) != NULL;
}

const char *rb_layout_looks_like(const rb_layout_source *source)
{
    for (size_t i = 0; i < source->entries->n && i < LOOKED_AT; i++) {
        const char *path = source->entries->items[i].path;
        if (!rb_layout_is_regular(source, i))
            continue;
        for (size_t j = 0; j < sizeof markers / sizeof *markers; j++)
            if (ends_with(path, markers[j].ending) &&
                (!markers[j].text || has_text(source, i, markers[j].text)))
                return markers[j].tool;
    }
    return NULL;
}

static bool is_code(const char *name)
{
    static const char *const endings[] = {".js",  ".cjs", ".mjs", ".ts",   ".py", ".rb", ".go",
                                          ".php", ".exs", ".cs",  ".java", ".kt", ".rs", ".sh"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (ends_with(name, endings[i]))
            return isdigit((unsigned char)*name) || *name == 'V';
    return false;
}

static bool is_template(const char *name)
{
    static const char *const endings[] = {".sql.erb",      ".sql.j2",    ".sql.tmpl",  ".sql.in",
                                          ".sql.mustache", ".sql.jinja", ".sql.gotmpl"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (ends_with(name, endings[i]))
            return true;
    return false;
}

/* Returns why a file with a name in golang-migrate's form is not read; NULL if it is for another
 * engine. */
static const char *why_golang(const rb_layout_source *source, const rb_migrations *set,
                              const rb_golang_name *name, bool below)
{
    if (set->engines.n > 0 && source->engine && rb_dialect_is_other(name, source->engine))
        return NULL;
    if (below)
        return "it is in a folder below, where migrations are not read";
    return name->up ? "it is not read by this layout"
                    : "it is a down without an up of its version and name; is a name mistyped?";
}

/* Returns why a file is not read; NULL if it does not look like a migration. */
static const char *why_not(const rb_layout_source *source, const rb_migrations *set, size_t i)
{
    const char *rest = rb_layout_rest(source, i), *name = base_of(rest);
    bool below = strchr(rest, '/') != NULL;
    RB_AUTO(rb_free_str) char *lower = rb_strdup(name);
    rb_golang_name parsed;
    for (char *p = lower; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    if (is_code(name))
        return "it is program code, which rbtool cannot run";
    if (is_template(name))
        return "it is a template, which rbtool does not expand";
    if (!ends_with(name, ".sql"))
        return NULL;
    if (rb_golang_parse(&parsed, name))
        return why_golang(source, set, &parsed, below);
    if (!ends_with(lower, ".sql") || strcmp(name + strlen(name) - 4, ".sql") != 0 ||
        rb_golang_parse(&parsed, lower))
        return "its name is not in lower case as the layout's tool reads it";
    if (strspn(name, "0123456789") > 18)
        return "its version does not fit 64 bits";
    if (below)
        return isdigit((unsigned char)*name)
                   ? "it is in a folder below, where migrations are not read"
                   : NULL;
    if (ends_with(name, ".up.sql") || ends_with(name, ".down.sql"))
        return "its name has no version at its start";
    return isdigit((unsigned char)*name) ? "its name is not one of this layout" : NULL;
}

void rb_layout_unread(rb_migrations *set, const rb_layout_source *source, const rb_layout *layout)
{
    static const char *const doubts[] = {
        [RB_LAYOUT_BRACES] =
            "it is read as SQL, and has {{ as templates do, which rbtool does not expand",
        [RB_LAYOUT_TAGS] =
            "it is read as SQL, and has <%= as templates do, which rbtool does not expand",
    };
    set->unread = rb_calloc(source->entries->n + 1, sizeof *set->unread);
    for (size_t i = 0; i < source->entries->n; i++) {
        const char *why = source->used[i] ? doubts[source->used[i]]
                          : layout && layout->why_unread
                              ? layout->why_unread(rb_layout_rest(source, i))
                              : NULL;
        if (!why && !source->used[i])
            why = why_not(source, set, i);
        if (why)
            set->unread[set->unread_count++] =
                (rb_unread_file){rb_strdup(source->entries->items[i].path), why};
    }
}
