#include "migration/engine_suffix.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Names of engines in file names, and rbtool's names for them. Engines after "postgresql" are not
 * supported: their scripts are ignored. */
static const char *const words[][2] = {
    {"sqlite", "sqlite"},           {"sqlite3", "sqlite"},        {"postgresql", "postgresql"},
    {"postgres", "postgresql"},     {"pg", "postgresql"},         {"pgsql", "postgresql"},
    {"psql", "postgresql"},         {"pgx", "postgresql"},        {"cockroach", "cockroachdb"},
    {"cockroachdb", "cockroachdb"}, {"crdb", "cockroachdb"},      {"mysql", "mysql"},
    {"mariadb", "mariadb"},         {"mssql", "mssql"},           {"sqlserver", "mssql"},
    {"oracle", "oracle"},           {"clickhouse", "clickhouse"}, {"spanner", "spanner"},
    {"all", RB_DIALECT_ALL},        {"generic", RB_DIALECT_ALL},  {"common", RB_DIALECT_ALL},
};

static const char *engine_of(const char *word, size_t len)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strlen(words[i][0]) == len && strncasecmp(words[i][0], word, len) == 0)
            return words[i][1];
    return NULL;
}

/* Returns the engine after the last separator in the name; *rest is the length of the name before
 * the separator. */
static const char *find(size_t *rest, const rb_golang_name *name, char separator)
{
    size_t at = name->name_len;
    while (at > 0 && name->name[at - 1] != separator)
        at--;
    /* A name that consists of the engine follows the separator after the version. */
    *rest = at > 0 ? at - 1 : 0;
    if (at == 0 && name->name[-1] != separator)
        return NULL;
    return engine_of(name->name + at, name->name_len - at);
}

void rb_dialect_take(rb_golang_name *name)
{
    if (name->name_len == 0)
        return;
    size_t rest;
    name->engine = find(&rest, name, '.');
    if (name->engine)
        name->name_len = rest;
}

static bool is_other(const char *found, const char *engine)
{
    return found && strcmp(found, RB_DIALECT_ALL) != 0 && strcmp(found, engine) != 0;
}

/* Finds an engine after "_". rb_dialect_select() only accepts it if one version has scripts of the
 * same name for two engines, because "move_to_sqlite" is an ordinary name. */
static const char *find_plain(size_t *rest, const rb_golang_name *name)
{
    if (name->engine || name->name_len == 0)
        return NULL;
    const char *engine = find(rest, name, '_');
    return engine && strcmp(engine, RB_DIALECT_ALL) != 0 ? engine : NULL;
}

bool rb_dialect_is_other(const rb_golang_name *name, const char *engine)
{
    size_t rest;
    return is_other(name->engine ? name->engine : find_plain(&rest, name), engine);
}

static bool same_version(const rb_golang_name *a, const rb_golang_name *b)
{
    return rb_golang_compare(a->version, a->version_len, b->version, b->version_len) == 0;
}

static bool are_variants(const rb_golang_name *a, const rb_golang_name *b)
{
    size_t a_rest, b_rest;
    const char *x = find_plain(&a_rest, a), *y = find_plain(&b_rest, b);
    return x && y && strcmp(x, y) != 0 && a->up == b->up && a_rest == b_rest &&
           memcmp(a->name, b->name, a_rest) == 0;
}

static bool has_variants(const rb_dialect_file *files, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = i + 1; k < n && same_version(&files[i].name, &files[k].name); k++)
            if (are_variants(&files[i].name, &files[k].name))
                return true;
    return false;
}

static void take_plain(rb_dialect_file *files, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t rest;
        const char *engine = find_plain(&rest, &files[i].name);
        if (!engine)
            continue;
        files[i].name.engine = engine;
        files[i].name.name_len = rest;
    }
}

static bool is_own(const rb_golang_name *name, const char *engine)
{
    return name->engine && strcmp(name->engine, engine) == 0;
}

/* True if file i is for all engines, and the given engine has its own script of that version and
 * name. */
static bool gives_way(const rb_dialect_file *files, size_t n, size_t i, const char *engine)
{
    const rb_golang_name *name = &files[i].name;
    if (is_own(name, engine))
        return false;
    size_t first = i, last = i + 1;
    while (first > 0 && same_version(&files[first - 1].name, name))
        first--;
    while (last < n && same_version(&files[last].name, name))
        last++;
    for (size_t k = first; k < last; k++) {
        const rb_golang_name *other = &files[k].name;
        if (is_own(other, engine) && other->up == name->up && other->name_len == name->name_len &&
            memcmp(other->name, name->name, name->name_len) == 0)
            return true;
    }
    return false;
}

static void note_engine(rb_strs *engines, const char *engine)
{
    if (!rb_strs_has(engines, engine))
        rb_strs_add(engines, engine);
}

size_t rb_dialect_select(rb_strs *engines, rb_dialect_file *files, size_t n, const char *engine)
{
    if (has_variants(files, n))
        take_plain(files, n);
    for (size_t i = 0; i < n; i++)
        if (files[i].name.engine && strcmp(files[i].name.engine, RB_DIALECT_ALL) != 0)
            note_engine(engines, files[i].name.engine);
    rb_strs_sort(engines);
    if (!engine || engines->n == 0)
        return n;
    bool *out = rb_calloc(n + 1, sizeof *out);
    for (size_t i = 0; i < n; i++)
        out[i] = is_other(files[i].name.engine, engine) || gives_way(files, n, i, engine);
    size_t left = 0;
    for (size_t i = 0; i < n; i++)
        if (!out[i])
            files[left++] = files[i];
    free(out);
    return left;
}
