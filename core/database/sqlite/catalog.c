/* Reads SQLite's catalog from the SQL texts in its schema table, since PRAGMAs do not show CHECK,
 * generated expressions and DEFERRABLE. */
#include "catalog/catalog.h"
#include "catalog/name.h"
#include "database/sqlite/create_index.h"
#include "database/sqlite/create_parser.h"
#include "database/sqlite/sqlite.h"
#include "database/tracking.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MEMO_LIMIT 20000 /* schema rows whose entries are cached */
#define RECENT 4         /* catalogs that are cached */
#define ROWS                                                                                       \
    "SELECT type, name, tbl_name, sql FROM main.sqlite_schema WHERE type IN"                       \
    " ('table','index','trigger','view') ORDER BY type='table' DESC"

typedef struct reading {
    json_t *out;
    rb_strs shadows; /* tables in which a virtual table stores its data */
    char *refused;   /* why the schema is refused, or NULL */
    rb_sqlite *db;
    rb_strs
        names; /* all names that a view or trigger can use; read when the first one needs them */
} reading;

/* True if the schema object contains only functions that scripts may call. SQLite runs this code
 * when rows are read or written. */
static bool may_run(reading *r, const char *type, const char *name, const char *sql)
{
    size_t offset;
    RB_AUTO(rb_free_str) char *called = rb_sqlite_unusable_call(&offset, sql, strlen(sql));
    if (called)
        r->refused = rb_format("the definition of %s %s calls %s(), which only programs may call; "
                               "remove it with the program that created it",
                               type, name, called);
    return !called;
}

static bool left_out(const reading *r, const char *name, const char *table)
{
    return strncasecmp(table, "sqlite_", 7) == 0 || rb_tracking_owns(table) ||
           rb_tracking_owns(name) || rb_strs_has(&r->shadows, table);
}

/* Lists the columns of a table that was read already: tables come first. */
static void columns_of(rb_strs *out, const json_t *catalog, const char *table)
{
    RB_AUTO(rb_free_str) char *key = rb_catalog_key("order", NULL, table);
    rb_json_each (name, json_object_get(catalog, key))
        rb_strs_add(out, json_string_value(name));
}

static void add_line(rb_buf *out, const char *text)
{
    rb_buf_puts(out, text);
    rb_buf_addc(out, '\n');
}

/*
 * Lists the names in the schema. SQLite takes a double-quoted text that is not a name for a string,
 * and rewrites it as one when ALTER TABLE changes the view or trigger. The columns of a broken view
 * are unknown, so names in its own text count.
 */
static const rb_strs *names_of(reading *r)
{
    static const char *const queries[] = {
        "SELECT name FROM main.sqlite_schema",
        "SELECT DISTINCT c.name FROM main.sqlite_schema s, pragma_table_xinfo(s.name, 'main') c"
        " WHERE s.type = 'table'",
        "SELECT DISTINCT c.name FROM main.sqlite_schema s, pragma_table_xinfo(s.name, 'main') c"
        " WHERE s.type = 'view'",
    };
    bool known = r->names.n > 0;
    for (size_t i = 0; !known && i < sizeof queries / sizeof *queries; i++)
        (void)!rb_sqlite_each(r->db, queries[i], NULL, rb_sqlite_add_text, &r->names, RB_IGNORED);
    return &r->names;
}

/* Returns the entries of a schema row. They depend only on the text (for an index, also on its
 * table's columns). So they are cached for all connections of the process: a transition reads
 * nearly the same schema five times. */
static const json_t *entries_of(reading *r, const char *type, const char *name, const char *table,
                                const char *sql)
{
    static json_t *memo;
    RB_AUTO(rb_strs_clear) rb_strs columns = {0};
    RB_AUTO(rb_buf_clear) rb_buf raw = {0};
    bool is_index = strcmp(type, "index") == 0;
    bool quotes = !is_index && strcmp(type, "table") != 0 && strchr(sql, '"');
    const rb_strs *scope = is_index ? &columns : quotes ? names_of(r) : NULL;
    add_line(&raw, type);
    add_line(&raw, name);
    add_line(&raw, table);
    add_line(&raw, sql);
    if (is_index)
        columns_of(&columns, r->out, table);
    for (size_t i = 0; scope && i < scope->n; i++)
        add_line(&raw, scope->items[i]);
    if (!memo)
        memo = json_object();
    json_t *known = json_object_get(memo, rb_buf_str(&raw));
    if (!known && !may_run(r, type, name, sql))
        return NULL;
    if (!known) {
        known = rb_sqlentries(type, name, table, sql, scope);
        if (json_object_size(memo) >= MEMO_LIMIT)
            json_object_clear(memo);
        json_object_set_new_nocheck(memo, rb_buf_str(&raw), known);
    }
    return known;
}

static bool add_entries(void *context, const rb_cell *cells, size_t n)
{
    reading *r = context;
    const char *type = cells[0].data;
    const char *name = cells[1].data;
    const char *table = cells[2].data;
    (void)n;
    if (cells[3].kind != RB_CELL_TEXT)
        return true;
    if (left_out(r, name, table))
        return may_run(r, type, name, cells[3].data);
    const json_t *entries = entries_of(r, type, name, table, cells[3].data);
    if (entries)
        json_object_update(r->out, (json_t *)entries);
    return entries != NULL;
}

/* Writes REFERENCES p as REFERENCES p (id), with the columns of the primary key, since both mean
 * the same. */
static void name_implied(json_t *catalog)
{
    RB_AUTO(rb_strs_clear) rb_strs keys = {0};
    rb_json_each_member (key, entry, catalog) {
        if (rb_catalog_is(key, "constraint") && json_object_get(entry, "implied"))
            rb_strs_add(&keys, key);
    }
    for (size_t i = 0; i < keys.n; i++) {
        RB_AUTO(rb_json_freep) json_t *named = json_copy(json_object_get(catalog, keys.items[i]));
        RB_AUTO(rb_free_str)
        char *table = rb_catalog_key("table", NULL, rb_json_str(named, "implied"));
        const json_t *columns = json_object_get(json_object_get(catalog, table), "primaryKey");
        RB_AUTO(rb_free_str) char *list = rb_reader_joined(columns);
        RB_AUTO(rb_free_str) char *full = rb_format("%s (%s)", keys.items[i], list);
        json_object_del(named, "implied");
        json_object_del(catalog, keys.items[i]);
        json_object_set(catalog, json_array_size(columns) ? full : keys.items[i], named);
    }
}

/* The catalogs that were read last, by the rows of the schema table: a proof returns to the same
 * schema again and again. */
static struct {
    rb_buf rows;
    json_t *catalog;
} recent[RECENT];

static bool add_row(void *context, const rb_cell *cells, size_t n)
{
    rb_buf *rows = context;
    for (size_t i = 0; i < n; i++) {
        if (cells[i].kind == RB_CELL_TEXT)
            rb_buf_add(rows, cells[i].data, cells[i].len);
        rb_buf_addc(rows, '\0');
    }
    return true;
}

static json_t *find_recent(const rb_buf *rows)
{
    for (size_t i = 0; i < RECENT; i++)
        if (recent[i].catalog && recent[i].rows.len == rows->len &&
            memcmp(rb_buf_str(rows), rb_buf_str(&recent[i].rows), rows->len) == 0)
            return json_incref(recent[i].catalog);
    return NULL;
}

static void add_recent(rb_buf *rows, json_t *catalog)
{
    static size_t next;
    rb_buf_clear(&recent[next].rows);
    json_decref(recent[next].catalog);
    recent[next].rows = *rows;
    recent[next].catalog = json_incref(catalog);
    *rows = (rb_buf){0};
    next = (next + 1) % RECENT;
}

enum rb_code rb_sqlite_catalog(json_t **out, rb_db *base, rb_err *err)
{
    rb_sqlite *db = rb_sqlite_of(base);
    RB_AUTO(rb_buf_clear) rb_buf rows = {0};
    RB_TRY(rb_sqlite_each(db, ROWS, NULL, add_row, &rows, err));
    *out = find_recent(&rows);
    if (*out)
        return RB_OK;
    RB_AUTO(rb_json_freep) json_t *catalog = json_object();
    reading r = {.out = catalog, .db = db};
    enum rb_code code = rb_sqlite_shadows(&r.shadows, db, err);
    if (code == RB_OK)
        code = rb_sqlite_each(db, ROWS, NULL, add_entries, &r, err);
    rb_strs_clear(&r.shadows);
    rb_strs_clear(&r.names);
    if (r.refused)
        code = rb_fail(err, RB_FOUND, "database sqlite:%s: %s", db->path, r.refused);
    free(r.refused);
    RB_TRY(code);
    name_implied(catalog);
    add_recent(&rows, catalog);
    *out = RB_TAKE(catalog);
    return RB_OK;
}
