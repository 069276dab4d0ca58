/* Data put back from a copy that was made before it was destroyed. */
#include "database/sqlite_copy.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "database/keyset.h"

#define SHOWN_KEYS 20

typedef struct restoring {
    rb_twin twin;
    json_t *report;
} restoring;

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
    int64_t before = rb_json_int(entry, "missingCount", 0);
    RB_AUTO(rb_free_str) char *key = rb_twin_spread(&r->twin.key, "t.@", ", ");
    RB_AUTO(rb_free_str) char *same = rb_twin_spread(&r->twin.key, "h.@ = t.@", " AND ");
    RB_TRY(rb_sqlite_run(r->twin.db,
                         rb_format("SELECT %s FROM %s t WHERE %s AND NOT EXISTS (SELECT 1 FROM %s h"
                                   " WHERE %s) ORDER BY %s",
                                   key, r->twin.there, condition, r->twin.here, same, key),
                         add_missing, entry, err));
    if (rb_json_int(entry, "missingCount", 0) > before)
        rb_json_set_str(entry, "reason", reason);
    return RB_OK;
}

/* Items */

static enum rb_code restore_rows(restoring *r, json_t *entry, rb_err *err)
{
    RB_AUTO(rb_free_str) char *columns = rb_twin_spread(&r->twin.columns, "@", ", ");
    RB_AUTO(rb_free_str) char *same = rb_twin_spread(&r->twin.key, "h.@ = t.@", " AND ");
    RB_AUTO(rb_free_str) char *values = rb_twin_spread(&r->twin.columns, "t.@", ", ");
    RB_TRY(
        rb_sqlite_run(r->twin.db,
                      rb_format("INSERT OR IGNORE INTO %s (%s) SELECT %s FROM %s t WHERE NOT"
                                " EXISTS (SELECT 1 FROM %s h WHERE %s)",
                                r->twin.here, columns, values, r->twin.there, r->twin.here, same),
                      NULL, NULL, err));
    add_count(entry, "restored", rb_sqlite_changes(r->twin.db));
    return name_missing(r, entry, "1", "a constraint of the table as it is now refuses them", err);
}

static enum rb_code restore_keyless(restoring *r, json_t *entry, rb_err *err)
{
    int64_t has_rows;
    int64_t wanted;
    RB_TRY(rb_sqlite_int(&has_rows, r->twin.db,
                         rb_format("SELECT EXISTS (SELECT 1 FROM %s)", r->twin.here), err));
    RB_TRY(rb_sqlite_int(&wanted, r->twin.db, rb_format("SELECT count(*) FROM %s", r->twin.there),
                         err));
    if (has_rows) {
        add_count(entry, "missingCount", wanted);
        rb_json_set_str(entry, "reason", "the table has no key and is not empty");
        return RB_OK;
    }
    RB_AUTO(rb_free_str) char *columns = rb_twin_spread(&r->twin.columns, "@", ", ");
    const char *rowid = r->twin.is_virtual ? "rowid, " : "";
    RB_TRY(rb_sqlite_run(r->twin.db,
                         rb_format("INSERT OR IGNORE INTO %s (%s%s) SELECT %s%s FROM %s ORDER BY"
                                   " rowid",
                                   r->twin.here, rowid, columns, rowid, columns, r->twin.there),
                         NULL, NULL, err));
    int64_t restored = rb_sqlite_changes(r->twin.db);
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
    RB_AUTO(rb_free_str) char *table = rb_sqlite_text(r->twin.table);
    RB_AUTO(rb_free_str) char *name = rb_sqlite_text(column);
    char *found = NULL;
    RB_TRY(rb_sqlite_run(r->twin.db,
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
    if (r->twin.key.n == 0) {
        rb_json_set_str(entry, "reason", "the table has no key to find its rows by");
        return RB_OK;
    }
    RB_TRY(default_of(&now, r, "main", column, err));
    RB_TRY(default_of(&then, r, r->twin.copy, column, err));
    RB_AUTO(rb_free_str) char *same = rb_twin_spread(&r->twin.key, "h.@ = t.@", " AND ");
    RB_AUTO(rb_free_str) char *condition = rb_format("t.%s IS NOT (%s)", name, then);
    RB_TRY(rb_sqlite_run(r->twin.db,
                         rb_format("UPDATE OR IGNORE %s AS h SET %s = t.%s FROM %s t WHERE %s AND"
                                   " h.%s IS (%s) AND %s",
                                   r->twin.here, name, name, r->twin.there, same, name, now,
                                   condition),
                         NULL, NULL, err));
    add_count(entry, "restored", rb_sqlite_changes(r->twin.db));
    return name_missing(r, entry, condition, "the rows are gone", err);
}

static bool has_column(const restoring *r, const char *column)
{
    RB_AUTO(rb_free_str) char *quoted = rb_sqlite_name(column);
    for (size_t i = 0; i < r->twin.columns.n; i++)
        if (strcasecmp(r->twin.columns.items[i], quoted) == 0)
            return true;
    return false;
}

static bool add_quoted(void *context, const rb_cell *cells, size_t n)
{
    (void)n;
    rb_strs_take(context, rb_sqlite_name(cells[0].data));
    return true;
}

/* Rows whose values scripts changed are left as they are; those that the way back did not make what
 * they were are counted. */
static enum rb_code count_changed(restoring *r, json_t *entry, const json_t *item, rb_err *err)
{
    int64_t changed = rb_json_int(item, "changed", 0);
    int64_t differ = changed;
    if (changed > 0 && r->twin.key.n > 0) {
        RB_AUTO(rb_free_str) char *same = rb_twin_spread(&r->twin.key, "t.@ IS h.@", " AND ");
        RB_AUTO(rb_free_str)
        char *other = rb_twin_spread(&r->twin.columns, "t.@ IS NOT h.@ COLLATE BINARY", " OR ");
        RB_TRY(rb_sqlite_int(&differ, r->twin.db,
                             rb_format("SELECT count(*) FROM %s t JOIN %s h ON %s WHERE %s",
                                       r->twin.there, r->twin.here, same, other),
                             err));
    }
    if (differ == 0)
        return RB_OK;
    add_count(entry, "missingCount", differ < changed ? differ : changed);
    rb_json_set_str(entry, "reason", "scripts changed their values, which are not put back");
    return RB_OK;
}

/* Of a table that stayed, those rows only that scripts deleted. */
static enum rb_code restore_gone(restoring *r, json_t *entry, const json_t *item, rb_err *err)
{
    RB_AUTO(rb_strs_clear) rb_strs key = {0};
    RB_AUTO(rb_free_str) char *list = rb_gone_table(r->twin.table);
    RB_AUTO(rb_free_str) char *text = rb_sqlite_text(list);
    RB_AUTO(rb_free_str) char *name = rb_sqlite_name(list);
    RB_TRY(rb_sqlite_run(
        r->twin.db, rb_format("SELECT name FROM pragma_table_xinfo(%s, '%s')", text, r->twin.copy),
        add_quoted, &key, err));
    RB_TRY(count_changed(r, entry, item, err));
    int64_t gone = rb_json_int(item, "rows", 0) - rb_json_int(item, "changed", 0);
    if (key.n == 0 && gone > 0) {
        add_count(entry, "missingCount", gone);
        rb_json_set_str(entry, "reason", "the rows that were deleted cannot be told from others");
    }
    if (key.n == 0)
        return RB_OK;
    RB_AUTO(rb_free_str) char *same = rb_twin_spread(&key, "t.@ IS g.@", " AND ");
    char *rows = rb_format("(SELECT t.* FROM %s.%s g JOIN %s t ON %s)", r->twin.copy, name,
                           r->twin.there, same);
    free(r->twin.there);
    r->twin.there = rows;
    return r->twin.key.n ? restore_rows(r, entry, err) : restore_keyless(r, entry, err);
}

static enum rb_code restore_item(restoring *r, json_t *entry, const json_t *item, rb_err *err)
{
    const char *table = rb_json_str(item, "table");
    const char *column = rb_json_str(item, "column");
    RB_TRY(rb_twin_find(&r->twin, table, table, err));
    if (column ? !has_column(r, column) : r->twin.columns.n == 0) {
        rb_json_set_str(entry, "reason", "it is not there again");
        return RB_OK;
    }
    if (column)
        return restore_column(r, entry, column, err);
    if (json_is_true(json_object_get(item, "stays")))
        return restore_gone(r, entry, item, err);
    return r->twin.key.n ? restore_rows(r, entry, err) : restore_keyless(r, entry, err);
}

/* One item's failure is told, and the others go on, as long as the transaction lives. */
static enum rb_code try_item(restoring *r, const json_t *item, rb_err *err)
{
    json_t *entry = add_report(r, item);
    if (!rb_json_str(item, "table"))
        return rb_fail(err, RB_ERROR, "an item to put back names no table");
    RB_TRY(rb_sqlite_each(r->twin.db, "SAVEPOINT rbtool_item", NULL, NULL, NULL, err));
    rb_err why;
    enum rb_code code = restore_item(r, entry, item, &why);
    rb_twin_clear(&r->twin);
    if (code != RB_OK) {
        if (!rb_sqlite_active(r->twin.db)) {
            *err = why;
            return code;
        }
        RB_TRY(rb_sqlite_each(r->twin.db, "ROLLBACK TO rbtool_item", NULL, NULL, NULL, err));
        json_object_set_new(entry, "restored", json_integer(0));
        rb_json_set_str(entry, "reason", why.message);
    }
    return rb_sqlite_each(r->twin.db, "RELEASE rbtool_item", NULL, NULL, NULL, err);
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
    r->twin.table = table;
    if (column)
        RB_TRY(default_of(&fallback, r, "main", column, err));
    char *sql = column ? rb_format("UPDATE main.%s SET %s = (%s) WHERE rowid = %s", quoted, name,
                                   fallback, rowid)
                       : rb_format("DELETE FROM main.%s WHERE rowid = %s", quoted, rowid);
    RB_TRY(rb_sqlite_run(r->twin.db, sql, NULL, NULL, err));
    int64_t changed = rb_sqlite_changes(r->twin.db);
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
        RB_TRY(find_orphans(o, r->twin.db, rb_json_str(entry, "table"), false, err));
        for (size_t k = 0; k < o->rowids.n; k++)
            RB_TRY(drop_orphan(r, entry, o->rowids.items[k], err));
    }
    return RB_OK;
}

/* All of it */

static enum rb_code restore_all(restoring *r, const json_t *lost, orphans *before, rb_err *err)
{
    size_t i;
    json_t *item;
    json_array_foreach (lost, i, item) {
        const char *table = rb_json_str(item, "table");
        if (table)
            RB_TRY(find_orphans(&before[i], r->twin.db, table, true, err));
    }
    json_array_foreach (lost, i, item)
        RB_TRY(try_item(r, item, err));
    return drop_orphans(r, before, err);
}

/* SQLite attaches ten files to a transaction. */
static json_t *all_missing(const json_t *lost, const char *copy)
{
    restoring r = {.report = json_array()};
    RB_AUTO(rb_free_str)
    char *reason =
        rb_format("too many copies are in use at once; put them back by hand from %s", copy);
    size_t i;
    json_t *item;
    json_array_foreach ((json_t *)lost, i, item) {
        json_t *entry = add_report(&r, item);
        const char *count = rb_json_str(item, "column") ? "values" : "rows";
        add_count(entry, "missingCount", rb_json_int(item, count, 0));
        rb_json_set_str(entry, "reason", reason);
    }
    return r.report;
}

enum rb_code rb_sqlite_put_back(json_t **report, rb_db *base, const char *copy, const json_t *lost,
                                rb_err *err)
{
    rb_sqlite *db = (rb_sqlite *)base;
    RB_AUTO(rb_free_str) char *name = NULL;
    bool room;
    RB_TRY(rb_sqlite_attachable(&room, db, err));
    if (!room) {
        *report = all_missing(lost, copy);
        return RB_OK;
    }
    RB_TRY(rb_sqlite_attach(&name, db, copy, err));
    restoring r = {.twin = {.db = db, .copy = name}, .report = json_array()};
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
