#include "database/tracking.h"

#include <stdlib.h>
#include <string.h>

/* A tool's table: what tells it apart, and the statements its tool runs for SQLite. */
struct tool {
    const char *name;
    const char *table;
    const char *columns; /* sorted, joined by "," */
    const char *create[2];
    const char *insert;
    const char *remove;
    bool last_only; /* one row with the last version and whether it stopped half-way */
};

/*
 * golang-migrate database/sqlite3 ensureVersionTable and SetVersion; dbmate pkg/driver/sqlite
 * CreateMigrationsTable; diesel_migrations' CREATE_MIGRATIONS_TABLE.
 */
static const struct tool tools[] = {
    {.name = "golang-migrate",
     .table = "schema_migrations",
     .columns = "dirty,version",
     .create = {"CREATE TABLE IF NOT EXISTS schema_migrations (version uint64,dirty bool)",
                "CREATE UNIQUE INDEX IF NOT EXISTS version_unique ON schema_migrations (version)"},
     .insert = "INSERT INTO schema_migrations (version, dirty) VALUES (?1, 0)",
     .remove = "DELETE FROM schema_migrations",
     .last_only = true},
    {.name = "dbmate",
     .table = "schema_migrations",
     .columns = "version",
     .create = {"CREATE TABLE IF NOT EXISTS \"schema_migrations\" (version varchar(128) primary "
                "key)"},
     .insert = "INSERT INTO schema_migrations (version) VALUES (?1)",
     .remove = "DELETE FROM schema_migrations WHERE version = ?1"},
    {.name = "diesel",
     .table = "__diesel_schema_migrations",
     .columns = "run_on,version",
     .create = {"CREATE TABLE IF NOT EXISTS __diesel_schema_migrations (\n"
                "       version VARCHAR(50) PRIMARY KEY NOT NULL,\n"
                "       run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP\n)"},
     .insert = "INSERT INTO __diesel_schema_migrations (version) VALUES (?1)",
     .remove = "DELETE FROM __diesel_schema_migrations WHERE version = ?1"},
};

#define TOOLS (sizeof tools / sizeof *tools)

static const char *const owned[] = {"schema_migrations", "__diesel_schema_migrations",
                                    "version_unique", "rbtool_applied", "rbtool_journal"};

static const struct tool *find_tool(const char *name)
{
    for (size_t i = 0; i < TOOLS; i++)
        if (strcmp(tools[i].name, name) == 0)
            return &tools[i];
    return NULL;
}

bool rb_tracking_known(const char *name)
{
    return strcmp(name, "auto") == 0 || find_tool(name);
}

bool rb_tracking_owns(const char *table)
{
    static const char made[] = "sqlite_autoindex_";
    bool automatic = strncmp(table, made, sizeof made - 1) == 0;
    const char *name = automatic ? table + sizeof made - 1 : table;
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) {
        size_t len = strlen(owned[i]);
        if (strncmp(name, owned[i], len) == 0 && (automatic ? name[len] == '_' : !name[len]))
            return true;
    }
    return false;
}

/* The table's columns, sorted and joined by ","; "" when there is no such table. */
static enum rb_code read_columns(char **out, rb_db *db, const char *table, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *params = json_pack("[s]", table);
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    RB_TRY(rb_db_query(&rows, db, "SELECT lower(name) FROM pragma_table_info(?1) ORDER BY 1",
                       params, err));
    rb_buf columns = {0};
    size_t i;
    json_t *row;
    json_array_foreach (rows, i, row)
        rb_buf_printf(&columns, "%s%s", i ? "," : "", json_string_value(json_array_get(row, 0)));
    *out = rb_buf_detach(&columns);
    return RB_OK;
}

static enum rb_code is_there(bool *out, const struct tool *tool, rb_db *db, rb_err *err)
{
    RB_AUTO(rb_free_str) char *columns = NULL;
    RB_TRY(read_columns(&columns, db, tool->table, err));
    *out = strcmp(columns, tool->columns) == 0;
    return RB_OK;
}

static enum rb_code is_empty(bool *out, rb_db *db, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    RB_TRY(rb_db_query(&rows, db,
                       "SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
                       " AND name NOT IN ('rbtool_applied', 'rbtool_journal') LIMIT 1",
                       NULL, err));
    *out = json_array_size(rows) == 0;
    return RB_OK;
}

static enum rb_code find_any(const char **name, rb_db *db, const char *layout, rb_err *err)
{
    const struct tool *found = NULL;
    for (size_t i = 0; i < TOOLS; i++) {
        bool there;
        RB_TRY(is_there(&there, &tools[i], db, err));
        if (!there)
            continue;
        /* The tool of the layout is the one in use where another left its table behind. */
        if (found && strcmp(found->name, layout) != 0 && strcmp(tools[i].name, layout) != 0)
            return rb_fail(err, RB_ERROR,
                           "looking for a migration tool's table: found those of %s and of %s; say "
                           "which counts with \"tracking\" in rbtool.json",
                           found->name, tools[i].name);
        if (!found || strcmp(tools[i].name, layout) == 0)
            found = &tools[i];
    }
    *name = "";
    if (found) {
        *name = found->name;
        return RB_OK;
    }
    bool empty;
    RB_TRY(is_empty(&empty, db, err));
    const struct tool *own = find_tool(layout);
    if (empty && own)
        *name = own->name;
    return RB_OK;
}

enum rb_code rb_tracking_find(const char **name, rb_db *db, const char *wanted, const char *layout,
                              rb_err *err)
{
    if (strcmp(wanted, "auto") == 0)
        return find_any(name, db, layout, err);
    const struct tool *tool = find_tool(wanted);
    if (!tool)
        return rb_fail(err, RB_ERROR,
                       "unknown tracking '%s'; known are auto, golang-migrate, dbmate, diesel",
                       wanted);
    RB_AUTO(rb_free_str) char *columns = NULL;
    RB_TRY(read_columns(&columns, db, tool->table, err));
    if (*columns && strcmp(columns, tool->columns) != 0)
        return rb_fail(err, RB_ERROR,
                       "the table %s should be %s's with the columns %s, but it has %s; correct "
                       "\"tracking\" in rbtool.json",
                       tool->table, tool->name, tool->columns, columns);
    *name = tool->name;
    return RB_OK;
}

/* Versions as text, whatever type the column took them in. */
static char *version_text(const json_t *value)
{
    if (json_is_integer(value))
        return rb_format("%lld", (long long)json_integer_value(value));
    return json_is_string(value) ? rb_strdup(json_string_value(value)) : NULL;
}

/* Order of golang-migrate's numbers; its ids have no leading zeros. */
static int compare_numbers(const char *a, const char *b)
{
    size_t a_len = strlen(a), b_len = strlen(b);
    if (a_len != b_len)
        return a_len < b_len ? -1 : 1;
    return strcmp(a, b);
}

/* A last version stands for all that come before it. */
static enum rb_code read_last(rb_strs *ids, bool *dirty, rb_db *db, const rb_migrations *set,
                              rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    RB_TRY(
        rb_db_query(&rows, db, "SELECT version, dirty FROM schema_migrations LIMIT 1", NULL, err));
    const json_t *row = json_array_get(rows, 0);
    if (!row)
        return RB_OK;
    RB_AUTO(rb_free_str) char *dirty_text = version_text(json_array_get(row, 1));
    *dirty = dirty_text && strcmp(dirty_text, "0") != 0 && strcmp(dirty_text, "false") != 0;
    RB_AUTO(rb_free_str) char *last = version_text(json_array_get(row, 0));
    if (!last || *last == '-')
        return RB_OK;
    for (size_t i = 0; i < set->n; i++)
        if (compare_numbers(set->items[i].id, last) <= 0)
            rb_strs_add(ids, set->items[i].id);
    if (!rb_migrations_find(set, last))
        rb_strs_add(ids, last);
    return RB_OK;
}

static int compare_strs(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool sorted_has(const rb_strs *sorted, const char *s)
{
    return sorted->n > 0 &&
           bsearch(&s, sorted->items, sorted->n, sizeof *sorted->items, compare_strs);
}

static enum rb_code read_rows(rb_strs *ids, rb_db *db, const struct tool *tool,
                              const rb_migrations *set, rb_err *err)
{
    RB_AUTO(rb_free_str) char *sql = rb_format("SELECT version FROM %s", tool->table);
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    RB_TRY(rb_db_query(&rows, db, sql, NULL, err));
    RB_AUTO(rb_strs_clear) rb_strs versions = {0}, known = {0};
    size_t i;
    json_t *row;
    json_array_foreach (rows, i, row) {
        char *version = version_text(json_array_get(row, 0));
        if (version)
            rb_strs_take(&versions, version);
    }
    rb_strs_sort(&versions);
    for (i = 0; i < set->n; i++) {
        rb_strs_add(&known, set->items[i].id);
        if (sorted_has(&versions, set->items[i].id))
            rb_strs_add(ids, set->items[i].id);
    }
    rb_strs_sort(&known);
    for (i = 0; i < versions.n; i++)
        if (!sorted_has(&known, versions.items[i]))
            rb_strs_add(ids, versions.items[i]);
    return RB_OK;
}

enum rb_code rb_tracking_read(rb_strs *ids, bool *dirty, rb_db *db, const char *name,
                              const rb_migrations *set, rb_err *err)
{
    *dirty = false;
    const struct tool *tool = find_tool(name);
    if (!tool)
        return RB_OK;
    bool there;
    RB_TRY(is_there(&there, tool, db, err));
    if (!there)
        return RB_OK;
    return tool->last_only ? read_last(ids, dirty, db, set, err)
                           : read_rows(ids, db, tool, set, err);
}

/* NULL when nothing is applied. */
static const char *last_of(const rb_strs *applied)
{
    const char *last = NULL;
    for (size_t i = 0; i < applied->n; i++)
        if (!last || compare_numbers(applied->items[i], last) > 0)
            last = applied->items[i];
    return last;
}

static enum rb_code write_last(rb_db *db, const struct tool *tool, const rb_strs *applied,
                               rb_err *err)
{
    RB_TRY(rb_db_exec(db, tool->remove, NULL, err));
    const char *last = last_of(applied);
    if (!last)
        return RB_OK;
    if (strspn(last, "0123456789") != strlen(last))
        return rb_fail(err, RB_ERROR,
                       "%s keeps versions as numbers, and '%s' is none; correct \"tracking\" in "
                       "rbtool.json",
                       tool->name, last);
    RB_AUTO(rb_json_freep) json_t *params = json_pack("[I]", (json_int_t)strtoll(last, NULL, 10));
    return rb_db_exec(db, tool->insert, params, err);
}

bool rb_tracking_last_only(const char *name)
{
    const struct tool *tool = find_tool(name);
    return tool && tool->last_only;
}

enum rb_code rb_tracking_note(rb_db *db, const char *name, const rb_migration *migration, bool up,
                              const rb_strs *applied, const rb_migrations *order, rb_err *err)
{
    (void)order; /* golang-migrate's order is the numbers' own */
    const struct tool *tool = find_tool(name);
    if (!tool)
        return RB_OK;
    for (size_t i = 0; i < 2 && tool->create[i]; i++)
        RB_TRY(rb_db_exec(db, tool->create[i], NULL, err));
    if (tool->last_only)
        return write_last(db, tool, applied, err);
    RB_AUTO(rb_json_freep) json_t *params = json_pack("[s]", migration->id);
    if (!params)
        return rb_fail(err, RB_ERROR, "noting migration %s for %s: its id is no UTF-8",
                       migration->id, tool->name);
    return rb_db_exec(db, up ? tool->insert : tool->remove, params, err);
}
