#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/shape.h"
#include "base/text.h"
#include "database/database.h"
#include "git/tag.h"
#include "git/tree.h"
#include "init.h"
#include "migration/unread.h"
#include "release/flags.h"

#define FILE_LIMIT (4u << 20) /* bytes of a file whose content is searched */
#define FOLDERS_LIMIT 500     /* folders tried for migrations */
#define UNREAD_SHOWN 5        /* files of a folder that a line lists as not read */

struct look {
    rb_found *found;
    rb_repo *repo;
    rb_oid tree;
    rb_tree_entries entries;
};

static void look_clear(struct look *look)
{
    rb_tree_entries_clear(&look->entries);
}

void rb_found_clear(rb_found *found)
{
    rb_json_free(found->config);
    rb_strs_clear(&found->said);
    rb_strs_clear(&found->broken);
}

/* Adds a line about what was found. */
#define say(look, ...) rb_strs_take(&(look)->found->said, rb_format(__VA_ARGS__))

static bool has_file(const struct look *look, const char *path)
{
    for (size_t i = 0; i < look->entries.n; i++)
        if (strcmp(look->entries.items[i].path, path) == 0)
            return look->entries.items[i].mode != RB_MODE_GITLINK;
    return false;
}

/* Reads a file. False if it is absent, too large or cannot be read: detection then ignores it. */
static bool read_file(rb_buf *out, const struct look *look, const char *path)
{
    return has_file(look, path) &&
           rb_tree_read(out, look->repo, &look->tree, path, FILE_LIMIT, RB_IGNORED) == RB_OK;
}

/* Returns the last part of a path or url, without the characters that a name may not have. */
static char *name_from(const char *text)
{
    size_t len = strlen(text);
    while (len > 0 && text[len - 1] == '/')
        len--;
    if (len > 4 && strncmp(text + len - 4, ".git", 4) == 0)
        len -= 4;
    size_t start = len;
    while (start > 0 && !strchr("/:", text[start - 1]))
        start--;
    rb_buf out = {0};
    for (size_t i = start; i < len && out.len < 100; i++) {
        bool plain = isalnum((unsigned char)text[i]) || (out.len > 0 && strchr("._-", text[i]));
        if (plain)
            rb_buf_addc(&out, text[i]);
        else if (out.len > 0)
            rb_buf_addc(&out, '-');
    }
    if (out.len == 0)
        rb_buf_puts(&out, "app");
    return rb_buf_detach(&out);
}

/* Returns the value of `key` from a line like `key = "value"` or `key value`. section: searches
 * below a heading such as "[package]"; NULL: above the first heading. Returns NULL if the key is
 * missing. */
static char *line_value(const char *text, const char *section, const char *key)
{
    bool inside = !section;
    for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        line += strspn(line, " \t");
        if (*line == '[')
            inside = section && strncmp(line, section, strlen(section)) == 0;
        if (!inside || strncmp(line, key, strlen(key)) != 0)
            continue;
        const char *value = line + strlen(key);
        size_t gap = strspn(value, " \t=\"'");
        size_t len = strcspn(value + gap, " \t\r\n\"'");
        if (gap > 0 && len > 0)
            return rb_strndup(value + gap, len);
    }
    return NULL;
}

/* Returns the project's name from its package file, and that file's name in *file. */
static char *project_name(const char **file, const struct look *look)
{
    static const struct {
        const char *file;
        const char *section; /* NULL: the file has no sections */
        const char *key;
    } sources[] = {{"package.json", NULL, "name"},
                   {"composer.json", NULL, "name"},
                   {"Cargo.toml", "[package]", "name"},
                   {"pyproject.toml", "[project]", "name"},
                   {"go.mod", NULL, "module"}};
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        RB_AUTO(rb_buf_clear) rb_buf text = {0};
        RB_AUTO(rb_json_freep) json_t *read = NULL;
        *file = sources[i].file;
        if (!read_file(&text, look, *file))
            continue;
        bool is_json = rb_text_ends(*file, ".json") &&
                       rb_json_read(&read, rb_buf_str(&text), text.len, *file, RB_IGNORED) == RB_OK;
        char *name = is_json ? rb_strdup(rb_json_str(read, sources[i].key))
                             : line_value(rb_buf_str(&text), sources[i].section, sources[i].key);
        char *slash = name ? strrchr(name, '/') : NULL;
        if (slash && slash[1] == 'v' && slash[2] && !slash[2 + strspn(slash + 2, "0123456789")])
            *slash = '\0'; /* cut off the version of a Go module path, such as /v2 */
        if (name && *name)
            return name;
        free(name);
    }
    return NULL;
}

/* Finds the application's name. In this order: git config rbtool.app, the project's package file
 * (package.json, composer.json, Cargo.toml, pyproject.toml, go.mod), the folder. A remote's name
 * can be anything, such as ../remote.git, and counts only in a bare repository. */
static enum rb_code find_name(char **out, struct look *look, rb_err *err)
{
    const char *pinned;
    const char *remote;
    const char *file = NULL;
    RB_TRY(rb_repo_setting(&pinned, look->repo, "rbtool.app", err));
    RB_TRY(rb_repo_setting(&remote, look->repo, "remote.origin.url", err));
    const char *folder = rb_repo_workdir(look->repo);
    RB_AUTO(rb_free_str) char *own = pinned ? NULL : project_name(&file, look);
    const char *from = pinned ? pinned : own ? own : folder ? folder : remote ? remote : "app";
    *out = name_from(from);
    say(look, "app.name: %s (from %s)", *out,
        pinned   ? "git config rbtool.app"
        : own    ? file
        : folder ? "the folder's name"
                 : "the remote origin");
    return RB_OK;
}

/* Finds the file with the version: a plain text, or the member "version" of a JSON file. */
static json_t *find_version(struct look *look)
{
    static const char *const files[] = {"VERSION",      "version.txt",   "VERSION.txt",
                                        "package.json", "composer.json", "manifest.json"};
    static const char *const other[] = {"Cargo.toml", "pyproject.toml", "setup.cfg", "pom.xml"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        RB_AUTO(rb_buf_clear) rb_buf text = {0};
        RB_AUTO(rb_json_freep) json_t *read = NULL;
        if (!read_file(&text, look, files[i]))
            continue;
        if (!rb_text_ends(files[i], ".json")) {
            if (!isdigit((unsigned char)*rb_buf_str(&text)) ||
                strcspn(text.data, "\n") + 1 < text.len)
                continue;
            say(look, "app.version: from %s", files[i]);
            return rb_json_make("file:s", files[i]);
        }
        if (rb_json_read(&read, rb_buf_str(&text), text.len, files[i], RB_IGNORED) != RB_OK ||
            !rb_json_str(read, "version"))
            continue;
        say(look, "app.version: \"version\" of %s", files[i]);
        return rb_json_make("json:s key:s", files[i], "version");
    }
    for (size_t i = 0; i < sizeof other / sizeof *other; i++)
        if (has_file(look, other[i]))
            say(look, "app.version: the tag gives it (%s is not read)", other[i]);
    return NULL;
}

static enum rb_code find_tags(struct look *look, rb_err *err)
{
    RB_AUTO(rb_strs_clear) rb_strs all = {0};
    size_t digits = 0;
    RB_TRY(rb_tag_names(&all, look->repo, "*", err));
    for (size_t i = 0; i < all.n; i++)
        digits += isdigit((unsigned char)all.items[i][0]) != 0;
    if (digits * 2 > all.n) {
        rb_json_set_str(look->found->config, "tags", "[0-9]*");
        say(look, "tags: [0-9]* (as most of the %zu tags here)", all.n);
    }
    return RB_OK;
}

/* True for folder names where frameworks keep migrations that are code. */
static bool is_migrations_name(const char *folder)
{
    const char *slash = strrchr(folder, '/');
    const char *last = slash ? slash + 1 : folder;
    return strcmp(last, "migrations") == 0 || strcmp(last, "migrate") == 0 ||
           strcmp(last, "versions") == 0;
}

/* Reports why a folder is not read, if it looks like one of migrations. */
static void say_why(struct look *look, const char *folder)
{
    const char *tool;
    RB_AUTO(rb_free_str) char *failed = NULL;
    rb_migrations_why(&tool, &failed, look->repo, &look->tree, folder, "auto", NULL);
    if (failed)
        say(look, "%s", failed);
    if (tool)
        say(look, "%s: looks like migrations of %s, which rbtool does not read", folder, tool);
}

/* Reports files that look like migrations and that no release would include. */
static void say_unread(struct look *look, const rb_migrations *set)
{
    for (size_t i = 0; i < set->unread_count; i++) {
        if (i == UNREAD_SHOWN) {
            say(look, "... and %zu more; `rbtool lint` names them all", set->unread_count - i);
            break;
        }
        say(look, "not read: %s: %s", set->unread[i].path, set->unread[i].why);
    }
}

/* Lists candidates for migration folders: those with SQL files, those that have up.sql files in
 * folders below, and those with a sqitch.plan. */
static void list_folders(rb_strs *out, const struct look *look)
{
    for (size_t i = 0; i < look->entries.n && out->n < FOLDERS_LIMIT; i++) {
        const char *path = look->entries.items[i].path;
        RB_AUTO(rb_free_str) char *folder = rb_path_dir(path);
        const bool plan = strcmp(path, "sqitch.plan") == 0 || rb_text_ends(path, "/sqitch.plan");
        if (!plan &&
            (!strchr(path, '/') || (!rb_text_ends(path, ".sql") && !is_migrations_name(folder))))
            continue;
        RB_AUTO(rb_free_str) char *above = rb_path_dir(folder);
        const char *candidate = rb_text_ends(path, "/up.sql") ? above : folder;
        if ((plan ? rb_shape_is_folder(candidate)
                  : strcmp(candidate, ".") != 0 && rb_shape_is_path(candidate)) &&
            rb_text_is_utf8(candidate, strlen(candidate)) && !rb_strs_has(out, candidate))
            rb_strs_add(out, candidate);
    }
    rb_strs_sort(out);
}

static const char *find_seed(const struct look *look)
{
    static const char *const seeds[] = {"tests/seed.sql", "test/seed.sql", "db/seed.sql",
                                        "db/seeds.sql", "seed.sql"};
    for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++)
        if (has_file(look, seeds[i]))
            return seeds[i];
    return NULL;
}

/* Names the databases, which were found by folder. The name is "main" if there is only one. */
static void name_databases(struct look *look, json_t *by_folder)
{
    if (json_object_size(by_folder) == 0)
        return;
    json_t *databases = json_object();
    rb_json_each_member (folder, database, by_folder) {
        RB_AUTO(rb_free_str) char *last = name_from(folder);
        RB_AUTO(rb_free_str) char *whole = rb_strdup(folder);
        for (char *p = whole; *p; p++)
            *p = isalnum((unsigned char)*p) ? *p : '-';
        const char *name = json_object_size(by_folder) == 1   ? "main"
                           : json_object_get(databases, last) ? whole
                                                              : last;
        const char *seed = json_object_size(by_folder) == 1 ? find_seed(look) : NULL;
        if (seed)
            rb_json_set_str(database, "seed", seed);
        if (rb_shape_is_name(name))
            json_object_set_new(databases, name, json_incref(database));
    }
    json_object_set_new(look->found->config, "databases", databases);
}

static void find_databases(struct look *look)
{
    RB_AUTO(rb_strs_clear) rb_strs folders = {0};
    RB_AUTO(rb_json_freep) json_t *found = json_object();
    list_folders(&folders, look);
    const char *accepted = NULL;
    for (size_t i = 0; i < folders.n; i++) {
        const char *folder = folders.items[i];
        if (accepted && (strcmp(accepted, ".") == 0 || rb_text_below(folder, accepted)))
            continue;
        RB_AUTO(rb_migrations_freep) rb_migrations *read = NULL;
        if (rb_migrations_read(&read, look->repo, &look->tree, folder, "auto", NULL, RB_IGNORED) !=
                RB_OK ||
            read->n == 0) {
            say_why(look, folder);
            continue;
        }
        accepted = folder;
        RB_AUTO(rb_free_str) char *why = NULL;
        const char *engine = rb_init_engine(&why, folder, read);
        if (!engine || !rb_engine_known(engine)) {
            say(look, "%s: %zu migration%s left out: %s", folder, read->n, rb_text_s(read->n), why);
            if (!engine)
                rb_strs_add(&look->found->broken, look->found->said.items[look->found->said.n - 1]);
            continue;
        }
        say(look, "databases: %zu migration%s in %s (%s, %s)", read->n, rb_text_s(read->n), folder,
            read->layout, engine);
        say_unread(look, read);
        json_object_set_new(found, folder, rb_json_make("engine:s migrations:s", engine, folder));
    }
    name_databases(look, found);
}

static void find_flags(struct look *look)
{
    for (size_t i = 0; i < look->entries.n; i++) {
        const char *path = look->entries.items[i].path;
        const char *slash = strrchr(path, '/');
        if (!strcasestr(slash ? slash : path, "flag") || !rb_text_ends(path, ".json") ||
            !rb_shape_is_path(path) || !rb_text_is_utf8(path, strlen(path)))
            continue;
        RB_AUTO(rb_buf_clear) rb_buf text = {0};
        rb_manifest_flag *flags = NULL;
        size_t n = 0;
        if (!read_file(&text, look, path) ||
            rb_flags_parse(&flags, &n, rb_buf_str(&text), text.len, path, RB_IGNORED) != RB_OK)
            continue;
        rb_flags_free(flags, n);
        say(look, "flags: %s (flagd, %zu flag%s)", path, n, n == 1 ? "" : "s");
        json_object_set_new(look->found->config, "flags",
                            rb_json_make("file:s format:s", path, "flagd"));
        return;
    }
}

/* Files that applications usually read their settings from. */
static const char *const config_globs[] = {
    "config/*.toml",   "config/*.yaml",       "config/*.yml",    "config/*.ini", "config/*.conf",
    "config/*.json",   "config/*.properties", "config/*.env",    "conf/*.toml",  "conf/*.yaml",
    "conf/*.yml",      "conf/*.ini",          "conf/*.conf",     "conf/*.json",  "settings/*.toml",
    "settings/*.yaml", "settings/*.yml",      "settings/*.json", ".env",         ".env.production",
    "config.toml",     "config.yaml",         "config.yml",      "config.ini"};

static bool any_matches(const struct look *look, const char *glob)
{
    for (size_t i = 0; i < look->entries.n; i++)
        if (rb_path_match(glob, look->entries.items[i].path))
            return true;
    return false;
}

static void find_globs(struct look *look)
{
    json_t *config = json_array();
    for (size_t i = 0; i < sizeof config_globs / sizeof *config_globs; i++) {
        if (!any_matches(look, config_globs[i]))
            continue;
        json_array_append_new(config, json_string(config_globs[i]));
        say(look, "config: %s%s", config_globs[i],
            strstr(config_globs[i], ".env") ? " (secrets do not belong in a release)" : "");
    }
    if (json_array_size(config) > 0)
        json_object_set_new(look->found->config, "config", json_incref(config));
    json_decref(config);
    if (any_matches(look, "checks/*.sql")) {
        say(look, "checks.sql: checks/*.sql");
        json_object_set_new(look->found->config, "checks",
                            json_pack("{s:[s]}", "sql", "checks/*.sql"));
    }
}

/* Lists the files of HEAD, since only committed files count. */
static enum rb_code list_head(struct look *look, rb_err *err)
{
    static const rb_strs everything = {0};
    rb_oid head;
    if (rb_repo_commit(&head, look->repo, "HEAD", RB_IGNORED) != RB_OK)
        return rb_fail(err, RB_ERROR,
                       "nothing is committed here yet, so that there is nothing to find\ncommit "
                       "the project, then run `rbtool init` again");
    RB_TRY(rb_commit_tree(&look->tree, look->repo, &head, err));
    return rb_tree_list(&look->entries, look->repo, &look->tree, &everything, err);
}

enum rb_code rb_init_databases(rb_found *out, rb_repo *repo, rb_err *err)
{
    RB_AUTO(rb_found_clear)
    rb_found found = {.config = json_pack("{s:{s:s}}", "app", "name", "app")};
    RB_AUTO(look_clear) struct look look = {.found = &found, .repo = repo};
    RB_TRY(list_head(&look, err));
    find_databases(&look);
    *out = found;
    found = (rb_found){0};
    return RB_OK;
}

enum rb_code rb_init_detect(rb_found *out, rb_repo *repo, rb_err *err)
{
    RB_AUTO(rb_found_clear) rb_found found = {.config = json_object()};
    RB_AUTO(look_clear) struct look look = {.found = &found, .repo = repo};
    RB_TRY(list_head(&look, err));
    RB_AUTO(rb_free_str) char *name = NULL;
    RB_TRY(find_name(&name, &look, err));
    json_t *app = rb_json_make("name:s", name);
    json_object_set_new(found.config, "app", app);
    json_t *version = find_version(&look);
    if (version)
        json_object_set_new(app, "version", version);
    RB_TRY(find_tags(&look, err));
    find_databases(&look);
    find_flags(&look);
    find_globs(&look);
    RB_AUTO(rb_strs_clear) rb_strs paths = {0};
    for (size_t i = 0; i < look.entries.n; i++)
        if (look.entries.items[i].mode != RB_MODE_GITLINK) /* no artifact holds its files */
            rb_strs_add(&paths, look.entries.items[i].path);
    rb_init_suggest(&found, &paths);
    *out = found;
    found = (rb_found){0};
    return RB_OK;
}
