/* Data put back from a copy that was made before it was destroyed. */
#include "database/sqlite.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "database/keyset.h"

#define SHOWN_KEYS 20

typedef struct restoring {
    rb_sqlite *db;
    const char *copy;  /* name of the attached copy */
    const char *table; /* of the item in hand */
    char *here;        /* main."table" */
    char *there;       /* copy."table" */
    rb_strs columns;   /* that both have and that hold data, quoted */
    rb_strs key;       /* quoted; empty when there is none */
    bool is_virtual;
    json_t *report;
} restoring;

static void clear_item(restoring *r)
{
    free(r->here);
    free(r->there);
    r->here = r->there = NULL;
    rb_strs_clear(&r->columns);
    rb_strs_clear(&r->key);
}

static bool add_quoted(void *context, const rb_cell *cells, size_t n)
{
    (void)n;
    rb_strs_take(context, rb_sqlite_name(cells[0].data));
    return true;
}

static bool add_text(void *context, const rb_cell *cells, size_t n)
{
    (void)n;
    rb_strs_add(context, cells[0].data);
    return true;
}

/* "a, b" or "m.a = b.a AND ..." and the like: each name in place of the '@'s of a pattern. */
static char *spread(const rb_strs *names, const char *pattern, const char *between)
{
    rb_buf out = {0};
    for (size_t i = 0; i < names->n; i++) {
        if (i)
            rb_buf_puts(&out, between);
        for (const char *p = pattern; *p; p++) {
            if (*p == '@')
                rb_buf_puts(&out, names->items[i]);
            else
                rb_buf_addc(&out, *p);
        }
    }
    return rb_buf_detach(&out);
}

/* What there is */

static enum rb_code find_columns(restoring *r, rb_err *err)
{
    RB_AUTO(rb_free_str) char *table = rb_sqlite_text(r->table);
    int64_t is_virtual;
    RB_TRY(rb_sqlite_run(
        r->db,
        rb_format("SELECT h.name FROM pragma_table_xinfo(%s, 'main') h JOIN pragma_table_xinfo(%s,"
                  " '%s') t ON t.name = h.name COLLATE NOCASE WHERE h.hidden = 0 ORDER BY h.cid",
                  table, table, r->copy),
        add_quoted, &r->columns, err));
    RB_TRY(
        rb_sqlite_int(&is_virtual, r->db,
                      rb_format("SELECT sql LIKE 'create virtual%%' FROM main.sqlite_schema WHERE"
                                " type = 'table' AND name = %s COLLATE NOCASE",
                                table),
                      err));
    r->is_virtual = is_virtual != 0;
    return RB_OK;
}

/* A key counts when both sides have its columns. */
static bool usable(const restoring *r, const rb_strs *key)
{
    for (size_t i = 0; i < key->n; i++)
        if (!rb_strs_has(&r->columns, key->items[i]))
            return false;
    return key->n > 0;
}

static enum rb_code find_key(restoring *r, rb_err *err)
{
    RB_AUTO(rb_free_str) char *table = rb_sqlite_text(r->table);
    RB_TRY(rb_sqlite_run(r->db,
                         rb_format("SELECT name FROM pragma_table_xinfo(%s, 'main') WHERE pk > 0"
                                   " ORDER BY pk",
                                   table),
                         add_quoted, &r->key, err));
    if (usable(r, &r->key))
        return RB_OK;
    RB_AUTO(rb_strs_clear) rb_strs indexes = {0};
    RB_TRY(rb_sqlite_run(
        r->db,
        rb_format(
            "SELECT name FROM pragma_index_list(%s, 'main') l WHERE \"unique\" AND NOT partial"
            " AND NOT EXISTS (SELECT 1 FROM pragma_index_info(l.name, 'main') i LEFT JOIN"
            " pragma_table_xinfo(%s, 'main') x ON x.name = i.name WHERE x.\"notnull\" IS NOT"
            " 1) ORDER BY seq",
            table, table),
        add_text, &indexes, err));
    for (size_t i = 0; i < indexes.n; i++) {
        RB_AUTO(rb_free_str) char *index = rb_sqlite_text(indexes.items[i]);
        rb_strs_clear(&r->key);
        RB_TRY(rb_sqlite_run(r->db,
                             rb_format("SELECT name FROM pragma_index_info(%s, 'main')", index),
                             add_quoted, &r->key, err));
        if (usable(r, &r->key))
            return RB_OK;
    }
    rb_strs_clear(&r->key);
    return RB_OK;
}

/* Reporting */

static json_t *add_report(restoring *r, const json_t *item)
{
    json_t *entry = json_object();
    json_object_set(entry, "table", json_object_get(item, "table"));
    json_object_set(entry, "column", json_object_get(item, "column"));
    json_object_set_new(entry, "restored", json_integer(0));
    json_object_set_new(entry, "missing", json_array());
    json_object_set_new(entry, "missingCount", json_integer(0));
    rb_json_set_str(entry, "reason", NULL);
    json_array_append_new(r->report, entry);
    return entry;
}

static void add_count(json_t *entry, const char *key, int64_t more)
{
    json_object_set_new(entry, key, json_integer(rb_json_int(entry, key, 0) + more));
}

static bool add_missing(void *context, const rb_cell *cells, size_t n)
{
    json_t *entry = context;
    json_t *list = json_object_get(entry, "missing");
    add_count(entry, "missingCount", 1);
    if (json_array_size(list) >= SHOWN_KEYS)
        return true;
    json_t *key = n == 1 ? rb_sqlite_json(&cells[0]) : json_array();
    for (size_t i = 0; n > 1 && i < n; i++)
        json_array_append_new(key, rb_sqlite_json(&cells[i]));
    json_array_append_new(list, key);
    return true;
}

/* Rows of the copy, those of the condition, that are not here. */
static enum rb_code name_missing(restoring *r, json_t *entry, const char *condition,
                                 const char *reason, rb_err *err)
{
    RB_AUTO(rb_free_str) char *key = spread(&r->key, "t.@", ", ");
    RB_AUTO(rb_free_str) char *same = spread(&r->key, "h.@ = t.@", " AND ");
    RB_TRY(rb_sqlite_run(r->db,
                         rb_format("SELECT %s FROM %s t WHERE %s AND NOT EXISTS (SELECT 1 FROM %s h"
                                   " WHERE %s) ORDER BY %s",
                                   key, r->there, condition, r->here, same, key),
                         add_missing, entry, err));
    if (rb_json_int(entry, "missingCount", 0) > 0)
        rb_json_set_str(entry, "reason", reason);
    return RB_OK;
}

/* Items */

static enum rb_code restore_rows(restoring *r, json_t *entry, rb_err *err)
{
    RB_AUTO(rb_free_str) char *columns = spread(&r->columns, "@", ", ");
    RB_AUTO(rb_free_str) char *same = spread(&r->key, "h.@ = t.@", " AND ");
    RB_AUTO(rb_free_str) char *values = spread(&r->columns, "t.@", ", ");
    RB_TRY(rb_sqlite_run(r->db,
                         rb_format("INSERT OR IGNORE INTO %s (%s) SELECT %s FROM %s t WHERE NOT"
                                   " EXISTS (SELECT 1 FROM %s h WHERE %s)",
                                   r->here, columns, values, r->there, r->here, same),
                         NULL, NULL, err));
    add_count(entry, "restored", rb_sqlite_changes(r->db));
    return name_missing(r, entry, "1", "a constraint of the table as it is now refuses them", err);
}

static enum rb_code restore_keyless(restoring *r, json_t *entry, rb_err *err)
{
    int64_t has_rows;
    int64_t wanted;
    RB_TRY(rb_sqlite_int(&has_rows, r->db, rb_format("SELECT EXISTS (SELECT 1 FROM %s)", r->here),
                         err));
    RB_TRY(rb_sqlite_int(&wanted, r->db, rb_format("SELECT count(*) FROM %s", r->there), err));
    if (has_rows) {
        add_count(entry, "missingCount", wanted);
        rb_json_set_str(entry, "reason", "the table has no key and is not empty");
        return RB_OK;
    }
    RB_AUTO(rb_free_str) char *columns = spread(&r->columns, "@", ", ");
    const char *rowid = r->is_virtual ? "rowid, " : "";
    RB_TRY(rb_sqlite_run(r->db,
                         rb_format("INSERT OR IGNORE INTO %s (%s%s) SELECT %s%s FROM %s ORDER BY"
                                   " rowid",
                                   r->here, rowid, columns, rowid, columns, r->there),
                         NULL, NULL, err));
    int64_t restored = rb_sqlite_changes(r->db);
    add_count(entry, "restored", restored);
    add_count(entry, "missingCount", wanted - restored);
    if (wanted > restored)
        rb_json_set_str(entry, "reason", "a constraint of the table as it is now refuses them");
    return RB_OK;
}

static bool copy_text(void *context, const rb_cell *cells, size_t n)
{
    char **out = context;
    (void)n;
    if (cells[0].kind == RB_CELL_TEXT)
        *out = rb_strdup(cells[0].data);
    return false;
}

/* "NULL" where the column has no default. */
static enum rb_code default_of(char **out, restoring *r, const char *schema, const char *column,
                               rb_err *err)
{
    RB_AUTO(rb_free_str) char *table = rb_sqlite_text(r->table);
    RB_AUTO(rb_free_str) char *name = rb_sqlite_text(column);
    char *found = NULL;
    RB_TRY(rb_sqlite_run(r->db,
                         rb_format("SELECT CASE WHEN dflt_value LIKE '\"%%\"' THEN quote(trim("
                                   "dflt_value, '\"')) ELSE dflt_value END FROM"
                                   " pragma_table_xinfo(%s, '%s') WHERE name = %s COLLATE NOCASE",
                                   table, schema, name),
                         copy_text, &found, err));
    *out = found ? found : rb_strdup("NULL");
    return RB_OK;
}

static enum rb_code restore_column(restoring *r, json_t *entry, const char *column, rb_err *err)
{
    RB_AUTO(rb_free_str) char *name = rb_sqlite_name(column);
    RB_AUTO(rb_free_str) char *now = NULL;
    RB_AUTO(rb_free_str) char *then = NULL;
    if (r->key.n == 0) {
        rb_json_set_str(entry, "reason", "the table has no key to find its rows by");
        return RB_OK;
    }
    RB_TRY(default_of(&now, r, "main", column, err));
    RB_TRY(default_of(&then, r, r->copy, column, err));
    RB_AUTO(rb_free_str) char *same = spread(&r->key, "h.@ = t.@", " AND ");
    RB_AUTO(rb_free_str) char *condition = rb_format("t.%s IS NOT (%s)", name, then);
    RB_TRY(rb_sqlite_run(r->db,
                         rb_format("UPDATE OR IGNORE %s AS h SET %s = t.%s FROM %s t WHERE %s AND"
                                   " h.%s IS (%s) AND %s",
                                   r->here, name, name, r->there, same, name, now, condition),
                         NULL, NULL, err));
    add_count(entry, "restored", rb_sqlite_changes(r->db));
    return name_missing(r, entry, condition, "the rows are gone", err);
}

static enum rb_code restore_item(restoring *r, json_t *entry, const char *column, rb_err *err)
{
    RB_AUTO(rb_free_str) char *name = rb_sqlite_name(r->table);
    r->here = rb_format("main.%s", name);
    r->there = rb_format("%s.%s", r->copy, name);
    RB_TRY(find_columns(r, err));
    RB_TRY(find_key(r, err));
    RB_AUTO(rb_free_str) char *quoted = column ? rb_sqlite_name(column) : NULL;
    bool is_there = r->columns.n > 0;
    for (size_t i = 0; quoted && is_there; i++) {
        if (i == r->columns.n)
            is_there = false;
        else if (strcasecmp(r->columns.items[i], quoted) == 0)
            break;
    }
    if (!is_there) {
        rb_json_set_str(entry, "reason", "it is not there again");
        return RB_OK;
    }
    if (column)
        return restore_column(r, entry, column, err);
    return r->key.n ? restore_rows(r, entry, err) : restore_keyless(r, entry, err);
}

/* One item's failure is told, and the others go on, as long as the transaction lives. */
static enum rb_code try_item(restoring *r, const json_t *item, rb_err *err)
{
    json_t *entry = add_report(r, item);
    r->table = rb_json_str(item, "table");
    if (!r->table)
        return rb_fail(err, RB_ERROR, "an item to put back names no table");
    RB_TRY(rb_sqlite_each(r->db, "SAVEPOINT rbtool_item", NULL, NULL, NULL, err));
    rb_err why;
    enum rb_code code = restore_item(r, entry, rb_json_str(item, "column"), &why);
    clear_item(r);
    if (code != RB_OK) {
        if (!rb_sqlite_active(r->db)) {
            *err = why;
            return code;
        }
        RB_TRY(rb_sqlite_each(r->db, "ROLLBACK TO rbtool_item", NULL, NULL, NULL, err));
        json_object_set_new(entry, "restored", json_integer(0));
        rb_json_set_str(entry, "reason", why.message);
    }
    return rb_sqlite_each(r->db, "RELEASE rbtool_item", NULL, NULL, NULL, err);
}

/* References: what was put back without its parent goes again. */

typedef struct orphans {
    rb_keyset known;
    bool collecting; /* those that were there before */
    rb_strs rowids;
} orphans;

static bool add_orphan(void *context, const rb_cell *cells, size_t n)
{
    orphans *o = context;
    (void)n;
    if (cells[0].kind != RB_CELL_INTEGER)
        return true;
    if (o->collecting)
        (void)rb_keyset_add(&o->known, (uint64_t)cells[0].integer);
    else if (!rb_keyset_has(&o->known, (uint64_t)cells[0].integer))
        rb_strs_take(&o->rowids, rb_format("%lld", (long long)cells[0].integer));
    return true;
}

static enum rb_code find_orphans(orphans *o, rb_sqlite *db, const char *table, bool collecting,
                                 rb_err *err)
{
    RB_AUTO(rb_free_str) char *name = rb_sqlite_text(table);
    int64_t is_there;
    o->collecting = collecting;
    RB_TRY(rb_sqlite_int(&is_there, db,
                         rb_format("SELECT EXISTS (SELECT 1 FROM main.sqlite_schema WHERE type ="
                                   " 'table' AND name = %s COLLATE NOCASE)",
                                   name),
                         err));
    if (!is_there)
        return RB_OK;
    return rb_sqlite_run(db, rb_format("SELECT rowid FROM pragma_foreign_key_check(%s)", name),
                         add_orphan, o, err);
}

static enum rb_code drop_orphan(restoring *r, json_t *entry, const char *rowid, rb_err *err)
{
    const char *table = rb_json_str(entry, "table");
    const char *column = rb_json_str(entry, "column");
    RB_AUTO(rb_free_str) char *quoted = rb_sqlite_name(table);
    RB_AUTO(rb_free_str) char *name = column ? rb_sqlite_name(column) : NULL;
    RB_AUTO(rb_free_str) char *fallback = NULL;
    r->table = table;
    if (column)
        RB_TRY(default_of(&fallback, r, "main", column, err));
    char *sql = column ? rb_format("UPDATE main.%s SET %s = (%s) WHERE rowid = %s", quoted, name,
                                   fallback, rowid)
                       : rb_format("DELETE FROM main.%s WHERE rowid = %s", quoted, rowid);
    RB_TRY(rb_sqlite_run(r->db, sql, NULL, NULL, err));
    int64_t changed = rb_sqlite_changes(r->db);
    add_count(entry, "restored", -changed);
    add_count(entry, "missingCount", changed);
    json_t *list = json_object_get(entry, "missing");
    if (changed && json_array_size(list) < SHOWN_KEYS)
        json_array_append_new(list, json_integer(strtoll(rowid, NULL, 10)));
    rb_json_set_str(entry, "reason", "the rows that they refer to are gone");
    return RB_OK;
}

static enum rb_code drop_orphans(restoring *r, orphans *before, rb_err *err)
{
    size_t i;
    json_t *entry;
    json_array_foreach (r->report, i, entry) {
        if (rb_json_int(entry, "restored", 0) == 0)
            continue;
        orphans *o = &before[i];
        RB_TRY(find_orphans(o, r->db, rb_json_str(entry, "table"), false, err));
        for (size_t k = 0; k < o->rowids.n; k++)
            RB_TRY(drop_orphan(r, entry, o->rowids.items[k], err));
    }
    return RB_OK;
}

/* The copy */

static char *uri_of(const char *path)
{
    rb_buf out = {0};
    rb_buf_puts(&out, "file:");
    for (const char *p = path; *p; p++) {
        bool plain = isalnum((unsigned char)*p) || strchr("/._-", *p);
        rb_buf_printf(&out, plain ? "%c" : "%%%02X", (unsigned char)*p);
    }
    rb_buf_puts(&out, "?mode=ro&immutable=1");
    return rb_buf_detach(&out);
}

/* A copy stays attached until the connection is closed: SQLite detaches nothing in a transaction.
 */
static enum rb_code attach(char **name, rb_sqlite *db, const char *copy, rb_err *err)
{
    int64_t attached;
    if (!rb_file_exists(copy))
        return rb_fail(err, RB_ERROR, "the copy to put data back from, %s, is gone", copy);
    RB_TRY(
        rb_sqlite_int(&attached, db, rb_strdup("SELECT count(*) FROM pragma_database_list"), err));
    RB_AUTO(rb_free_str) char *alias = rb_format("rbtool_copy_%lld", (long long)attached);
    RB_AUTO(rb_free_str) char *uri = uri_of(copy);
    RB_AUTO(rb_free_str) char *literal = rb_sqlite_text(uri);
    RB_TRY(rb_sqlite_run(db, rb_format("ATTACH %s AS %s", literal, alias), NULL, NULL, err));
    *name = alias;
    alias = NULL;
    return RB_OK;
}

static enum rb_code restore_all(restoring *r, const json_t *lost, orphans *before, rb_err *err)
{
    size_t i;
    json_t *item;
    json_array_foreach (lost, i, item) {
        const char *table = rb_json_str(item, "table");
        if (table)
            RB_TRY(find_orphans(&before[i], r->db, table, true, err));
    }
    json_array_foreach (lost, i, item)
        RB_TRY(try_item(r, item, err));
    return drop_orphans(r, before, err);
}

enum rb_code rb_sqlite_put_back(json_t **report, rb_db *base, const char *copy, const json_t *lost,
                                rb_err *err)
{
    rb_sqlite *db = (rb_sqlite *)base;
    RB_AUTO(rb_free_str) char *name = NULL;
    RB_TRY(attach(&name, db, copy, err));
    restoring r = {.db = db, .copy = name, .report = json_array()};
    size_t n = json_array_size(lost);
    orphans *before = rb_calloc(n + 1, sizeof *before);
    rb_sqlite_triggers(db, false);
    enum rb_code code = restore_all(&r, lost, before, err);
    rb_sqlite_triggers(db, true);
    for (size_t i = 0; i < n; i++) {
        rb_keyset_clear(&before[i].known);
        rb_strs_clear(&before[i].rowids);
    }
    free(before);
    if (code != RB_OK) {
        json_decref(r.report);
        return code;
    }
    *report = r.report;
    return RB_OK;
}
