#include "database/tracking.h"

#include "base/hash.h"
#include "base/text.h"
#include "database/driver.h"
#include "database/tracking_sqlx.h"
#include "database/tracking_statement.h"
#include "database/tracking_tools.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Tables and indexes that are left out of catalogs and that the table of tools does not have: an
 * index of golang-migrate, and rbtool's own tables. */
static const char *const owned[] = {"version_unique", "rbtool_applied", "rbtool_journal",
                                    "rbtool_checksums"};

/* True if the entry is for this engine, or for any. */
static bool is_for(const rb_tracking_tool *tool, const char *engine)
{
    return !engine || !tool->engine || strcmp(tool->engine, engine) == 0;
}

/* engine: NULL finds the tool's first entry. */
static const rb_tracking_tool *find_tool(const char *name, const char *engine)
{
    for (size_t i = 0; i < rb_tracking_tool_count; i++)
        if (strcmp(rb_tracking_tools[i].name, name) == 0 && is_for(&rb_tracking_tools[i], engine))
            return &rb_tracking_tools[i];
    return NULL;
}

const char *rb_tracking_settle_sql(const char *name)
{
    const rb_tracking_tool *tool = find_tool(name, NULL);
    return tool ? tool->settle : NULL;
}

bool rb_tracking_known(const char *name)
{
    return strcmp(name, "auto") == 0 || find_tool(name, NULL);
}

bool rb_tracking_is_elsewhere(const char *layout, const char *engine)
{
    return find_tool(layout, NULL) && !find_tool(layout, engine);
}

bool rb_tracking_reads_records(const char *layout)
{
    const rb_tracking_tool *tool = find_tool(layout, NULL);
    return tool && tool->read && strchr(tool->read, '{');
}

bool rb_tracking_owns(const char *table)
{
    static const char made[] = "sqlite_autoindex_";
    bool automatic = strncmp(table, made, sizeof made - 1) == 0;
    const char *name = automatic ? table + sizeof made - 1 : table;
    const size_t own = sizeof owned / sizeof *owned;
    for (size_t i = 0; i < own + rb_tracking_tool_count; i++) {
        const char *known = i < own ? owned[i] : rb_tracking_tools[i - own].table;
        size_t len = strlen(known);
        if (strncmp(name, known, len) == 0 && (automatic ? name[len] == '_' : !name[len]))
            return true;
    }
    return false;
}

/* Reads a table's columns, sorted and joined by ","; "" if it does not exist. */
static enum rb_code read_columns(char **out, rb_db *db, const char *table, rb_err *err)
{
    RB_AUTO(rb_strs_clear) rb_strs names = {0};
    RB_TRY(rb_db_columns(&names, db, table, err));
    rb_buf columns = {0};
    for (size_t i = 0; i < names.n; i++)
        rb_buf_printf(&columns, "%s%s", i ? "," : "", names.items[i]);
    *out = rb_buf_detach(&columns);
    return RB_OK;
}

static enum rb_code is_there(bool *out, const rb_tracking_tool *tool, rb_db *db, rb_err *err)
{
    RB_AUTO(rb_free_str) char *columns = NULL;
    *out = false;
    if (!is_for(tool, rb_db_engine(db)))
        return RB_OK;
    RB_TRY(read_columns(&columns, db, tool->table, err));
    *out = strcmp(columns, tool->columns) == 0;
    return RB_OK;
}

/* Lists the user's objects in this database; tables_only: only tables. */
static enum rb_code read_objects(rb_strs *names, rb_db *db, bool tables_only, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    RB_TRY(rb_db_query(&rows, db, db->driver->objects_sql, NULL, err));
    rb_json_each (row, rows) {
        const char *name = json_string_value(json_array_get(row, 0));
        bool own =
            name && strncmp(name, "rbtool_", strlen("rbtool_")) == 0 && rb_tracking_owns(name);
        if (name && !own && (!tables_only || json_integer_value(json_array_get(row, 1))))
            rb_strs_add(names, name);
    }
    return RB_OK;
}

static enum rb_code find_any(const char **name, rb_db *db, const char *layout, rb_err *err)
{
    const rb_tracking_tool *found = NULL;
    for (size_t i = 0; i < rb_tracking_tool_count; i++) {
        bool there;
        RB_TRY(is_there(&there, &rb_tracking_tools[i], db, err));
        if (!there)
            continue;
        /* If tables of two tools exist, the layout's tool is in use. */
        if (found && strcmp(found->name, layout) != 0 &&
            strcmp(rb_tracking_tools[i].name, layout) != 0)
            return rb_fail(err, RB_ERROR,
                           "looking for a migration tool's table: found those of %s and of "
                           "%s\nchoose one with \"tracking\" in rbtool.json",
                           found->name, rb_tracking_tools[i].name);
        if (!found || strcmp(rb_tracking_tools[i].name, layout) == 0)
            found = &rb_tracking_tools[i];
    }
    *name = "";
    if (found) {
        *name = found->name;
        return RB_OK;
    }
    RB_AUTO(rb_strs_clear) rb_strs objects = {0};
    RB_TRY(read_objects(&objects, db, false, err));
    const rb_tracking_tool *own = find_tool(layout, rb_db_engine(db));
    if (objects.n == 0 && own)
        *name = own->name;
    return RB_OK;
}

enum rb_code rb_tracking_find(const char **name, rb_db *db, const char *wanted, const char *layout,
                              rb_err *err)
{
    if (strcmp(wanted, "auto") == 0)
        return find_any(name, db, layout, err);
    const rb_tracking_tool *tool = find_tool(wanted, rb_db_engine(db));
    if (!tool) {
        RB_AUTO(rb_buf_clear) rb_buf known = {0};
        for (size_t i = 0; i < rb_tracking_tool_count; i++)
            if (is_for(&rb_tracking_tools[i], rb_db_engine(db)))
                rb_buf_printf(&known, ", %s", rb_tracking_tools[i].name);
        return rb_fail(err, RB_ERROR, "unknown tracking '%s'\nknown are auto%s", wanted,
                       rb_buf_str(&known));
    }
    RB_AUTO(rb_free_str) char *columns = NULL;
    RB_TRY(read_columns(&columns, db, tool->table, err));
    if (*columns && strcmp(columns, tool->columns) != 0)
        return rb_fail(err, RB_ERROR,
                       "the table %s should be %s's with the columns %s, but it has %s\ncorrect "
                       "\"tracking\" in rbtool.json",
                       tool->table, tool->name, tool->columns, columns);
    *name = tool->name;
    return RB_OK;
}

enum rb_code rb_tracking_foreign(char **table, const char **tool, rb_db *db, rb_err *err)
{
    *table = NULL;
    for (size_t i = 0; i < rb_tracking_tool_count; i++) {
        bool known;
        RB_TRY(is_there(&known, &rb_tracking_tools[i], db, err));
        if (known)
            return RB_OK;
    }
    bool own;
    RB_AUTO(rb_strs_clear) rb_strs tables = {0};
    RB_TRY(rb_db_has_table(&own, db, "rbtool_applied", err));
    if (own)
        return RB_OK;
    RB_TRY(read_objects(&tables, db, true, err));
    for (size_t i = 0; i < rb_tracking_foreign_count; i++)
        for (size_t j = 0; j < tables.n; j++)
            if (strcasecmp(tables.items[j], rb_tracking_foreign_tables[i].table) == 0) {
                *table = rb_strdup(tables.items[j]);
                *tool = rb_tracking_foreign_tables[i].tool;
                return RB_OK;
            }
    return RB_OK;
}

static const char *create_sql(const rb_tracking_tool *tool, const char *engine, size_t at)
{
    for (size_t i = 0; i < sizeof tool->create / sizeof *tool->create; i++)
        if (at < RB_TRACKING_CREATE && strcmp(tool->create[i].engine, engine) == 0)
            return tool->create[i].sql[at];
    return NULL;
}

char *rb_tracking_record_sql(const char *engine, const char *layout, const char *id)
{
    const rb_tracking_tool *tool = find_tool(layout, engine);
    RB_AUTO(rb_json_freep) json_t *record = rb_json_make("id:s", id);
    RB_AUTO(rb_free_str) char *row = tool ? rb_tracking_literals(tool->insert, record) : NULL;
    if (!row)
        return NULL;
    rb_buf sql = {0};
    for (size_t i = 0; create_sql(tool, engine, i); i++)
        rb_buf_printf(&sql, "%s; ", create_sql(tool, engine, i));
    for (char *p = sql.data; p && *p; p++)
        if (*p == '\n')
            *p = ' ';
    rb_buf_puts(&sql, row);
    return rb_buf_detach(&sql);
}

char *rb_tracking_step_sql(const char **table, const char *engine, const char *layout,
                           const rb_migration *m, bool up, const char *last)
{
    const rb_tracking_tool *tool = find_tool(layout, engine);
    RB_AUTO(rb_json_freep) json_t *record = rb_tracking_values(m, -1);
    *table = tool ? tool->table : NULL;
    if (tool && tool->last_only)
        rb_json_set(record, "id:s", last ? last : "");
    RB_AUTO(rb_free_str)
    char *sql =
        tool ? rb_tracking_literals(up && !tool->last_only ? tool->insert : tool->remove, record)
             : NULL;
    if (!sql || !tool->last_only)
        return sql ? rb_format("%s;", sql) : NULL;
    RB_AUTO(rb_free_str)
    char *row = last ? rb_tracking_literals(tool->insert, record) : rb_strdup("");
    return rb_format("%s; %s%s", sql, row, *row ? ";" : "");
}

/* Returns a version as text, whatever the type of its column. */
static char *version_text(const json_t *value)
{
    if (json_is_integer(value))
        return rb_format("%lld", (long long)json_integer_value(value));
    return json_is_string(value) ? rb_strdup(json_string_value(value)) : NULL;
}

/* Orders golang-migrate's ids, which are numbers without leading zeros. */
static int compare_numbers(const char *a, const char *b)
{
    size_t a_len = strlen(a), b_len = strlen(b);
    if (a_len != b_len)
        return a_len < b_len ? -1 : 1;
    return strcmp(a, b);
}

/* Reads a table that has only the last version: all migrations up to it are applied. */
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

/* Adds all versions of the set that are not after `version`, for a database whose migrations begin
 * there. */
static void add_before(rb_strs *versions, const rb_tracking_tool *tool, const rb_migrations *set,
                       const char *version)
{
    for (size_t i = 0; i < set->n; i++)
        if (tool->compare(set->items[i].id, version) <= 0)
            rb_strs_add(versions, set->items[i].id);
}

/* Reads a table with a row for each version. A row that sqlx has not marked as successful means a
 * script that stopped half-way. */
static enum rb_code read_rows(rb_strs *ids, bool *dirty, rb_db *db, const rb_tracking_tool *tool,
                              const rb_migrations *set, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    RB_AUTO(rb_json_freep) json_t *params = NULL;
    RB_AUTO(rb_free_str)
    char *sql = rb_tracking_fill(&params, tool->read, set->n ? set->items[0].record : NULL);
    RB_TRY(rb_db_query(&rows, db, sql, params, err));
    RB_AUTO(rb_strs_clear) rb_strs versions = {0}, known = {0};
    size_t i;
    rb_json_each (row, rows) {
        RB_AUTO(rb_free_str) char *version = version_text(json_array_get(row, 0));
        if (version && json_integer_value(json_array_get(row, 2)) != 0)
            add_before(&versions, tool, set, version);
        else if (version)
            rb_strs_take(&versions, RB_TAKE(version));
        *dirty = *dirty || json_integer_value(json_array_get(row, 1)) != 0;
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
    const rb_tracking_tool *tool = find_tool(name, rb_db_engine(db));
    if (!tool)
        return RB_OK;
    bool there;
    RB_TRY(is_there(&there, tool, db, err));
    if (!there)
        return RB_OK;
    return tool->last_only ? read_last(ids, dirty, db, set, err)
                           : read_rows(ids, dirty, db, tool, set, err);
}

/* Returns the last applied id, or NULL. */
static const char *last_of(const rb_strs *applied)
{
    const char *last = NULL;
    for (size_t i = 0; i < applied->n; i++)
        if (!last || compare_numbers(applied->items[i], last) > 0)
            last = applied->items[i];
    return last;
}

static enum rb_code write_last(rb_db *db, const rb_tracking_tool *tool, const rb_strs *applied,
                               rb_err *err)
{
    RB_TRY(rb_tracking_run(db, tool->remove, NULL, err));
    const char *last = last_of(applied);
    if (!last)
        return RB_OK;
    if (strspn(last, "0123456789") != strlen(last))
        return rb_fail(
            err, RB_ERROR,
            "%s records versions as numbers, and '%s' is not a number\ncorrect \"tracking\" in "
            "rbtool.json",
            tool->name, last);
    RB_AUTO(rb_json_freep) json_t *record = rb_json_make("id:i", (int64_t)strtoll(last, NULL, 10));
    return rb_tracking_run(db, tool->insert, record, err);
}

bool rb_tracking_last_only(const char *name)
{
    const rb_tracking_tool *tool = find_tool(name, NULL);
    return tool && tool->last_only;
}

enum rb_code rb_tracking_note(rb_db *db, const char *name, const rb_migration *migration, bool up,
                              const rb_strs *applied, int64_t nanoseconds, rb_err *err)
{
    const rb_tracking_tool *tool = find_tool(name, rb_db_engine(db));
    if (!tool)
        return RB_OK;
    bool exists;
    RB_TRY(rb_db_has_table(&exists, db, tool->table, err));
    for (size_t i = 0; !exists && create_sql(tool, rb_db_engine(db), i); i++)
        RB_TRY(rb_db_exec(db, create_sql(tool, rb_db_engine(db), i), NULL, err));
    if (tool->last_only)
        return write_last(db, tool, applied, err);
    if (up && !tool->insert[0])
        return rb_tracking_insert_checked(db, migration, nanoseconds, err);
    if (!tool->insert[0])
        RB_TRY(rb_tracking_keep_checksum(db, migration, err));
    if (!rb_text_is_utf8(migration->id, strlen(migration->id)))
        return rb_fail(err, RB_ERROR, "recording migration %s for %s: its id is not UTF-8",
                       migration->id, tool->name);
    RB_AUTO(rb_json_freep) json_t *record = rb_tracking_values(migration, nanoseconds);
    return rb_tracking_run(db, up ? tool->insert : tool->remove, record, err);
}

/* Returns the hash that Java's strings have. */
static int32_t java_hash(const char *text)
{
    uint32_t hash = 0;
    for (; *text; text++)
        hash = hash * 31 + (unsigned char)*text;
    return (int32_t)hash;
}

/* Returns the key of the tool's advisory lock for this schema of this database. */
static int64_t lock_key(const rb_tracking_tool *tool, const char *database, const char *schema)
{
    RB_AUTO(rb_buf_clear) rb_buf names = {0};
    switch (tool->lock) {
    case RB_TRACKING_GOLANG_MIGRATE:
        rb_buf_add(&names, schema, strlen(schema) + 1);
        rb_buf_add(&names, tool->table, strlen(tool->table) + 1);
        rb_buf_puts(&names, database);
        return (uint32_t)(rb_crc32(0, names.data, names.len) * 1486364155u);
    case RB_TRACKING_SQLX:
        return 0x3d32ad9e * (int64_t)rb_crc32(0, database, strlen(database));
    case RB_TRACKING_FLYWAY:
        rb_buf_printf(&names, "\"%s\".\"%s\"", schema, tool->table);
        return tool->lock_key + java_hash(names.data);
    case RB_TRACKING_FIXED:
    case RB_TRACKING_UNLOCKED:
        break;
    }
    return tool->lock_key;
}

enum rb_code rb_tracking_lock(rb_db *db, const char *name, rb_err *err)
{
    const rb_tracking_tool *tool = find_tool(name, rb_db_engine(db));
    if (!tool || tool->lock == RB_TRACKING_UNLOCKED || !db->driver->lock)
        return RB_OK;
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    RB_TRY(rb_db_query(&rows, db, "SELECT current_database(), current_schema()", NULL, err));
    const char *database = json_string_value(json_array_get(json_array_get(rows, 0), 0));
    const char *schema = json_string_value(json_array_get(json_array_get(rows, 0), 1));
    return db->driver->lock(db, lock_key(tool, database, schema), tool->name, err);
}
