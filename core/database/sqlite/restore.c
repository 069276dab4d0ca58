/* Data put back from a copy that was made before it was destroyed. */
#include "database/sqlite/restore.h"
#include "database/sqlite/watch.h"

#include <stdlib.h>
#include <string.h>

/* Reporting */

static const char refused[] = "a constraint of the table as it is now refuses them";
static const char other_value[] = "the scripts put another value there";

json_t *rb_putback_entry(json_t *report, const char *table, const char *column)
{
    json_t *entry = json_object();
    json_object_set_new(entry, "table", table ? json_string(table) : json_null());
    json_object_set_new(entry, "column", column ? json_string(column) : json_null());
    json_object_set_new(entry, "restored", json_integer(0));
    json_object_set_new(entry, "missing", json_array());
    json_object_set_new(entry, "missingCount", json_integer(0));
    rb_json_set_str(entry, "reason", NULL);
    json_array_append_new(report, entry);
    return entry;
}

void rb_putback_count(json_t *entry, const char *key, int64_t more)
{
    json_object_set_new(entry, key, json_integer(rb_json_int(entry, key, 0) + more));
}

void rb_putback_reason(json_t *entry, const char *reason)
{
    const char *known = rb_json_str(entry, "reason");
    if (known && strstr(known, reason))
        return;
    RB_AUTO(rb_free_str) char *both = known ? rb_format("%s; %s", known, reason) : NULL;
    rb_json_set_str(entry, "reason", both ? both : reason);
}

/* Nothing of the item comes back. */
static void none_back(json_t *entry, const json_t *item, const char *reason)
{
    const char *count = rb_json_str(item, "column") ? "values" : "rows";
    json_object_set_new(entry, "restored", json_integer(0));
    json_object_set_new(entry, "missing", json_array());
    json_object_set_new(entry, "missingCount", json_integer(rb_json_int(item, count, 0)));
    rb_json_set_str(entry, "reason", reason);
}

static bool add_missing(void *context, const rb_cell *cells, size_t n)
{
    json_t *entry = context;
    json_t *list = json_object_get(entry, "missing");
    rb_putback_count(entry, "missingCount", 1);
    if (json_array_size(list) >= RB_SHOWN_KEYS)
        return true;
    json_t *key = n == 1 ? rb_sqlite_json(&cells[0]) : json_array();
    for (size_t i = 0; n > 1 && i < n; i++)
        json_array_append_new(key, rb_sqlite_json(&cells[i]));
    json_array_append_new(list, key);
    return true;
}

enum rb_code rb_putback_missing(rb_putback *p, json_t *entry, char *sql, const char *reason,
                                rb_err *err)
{
    int64_t before = rb_json_int(entry, "missingCount", 0);
    RB_TRY(rb_sqlite_run(p->twin.db, sql, add_missing, entry, err));
    if (rb_json_int(entry, "missingCount", 0) > before)
        rb_putback_reason(entry, reason);
    return RB_OK;
}

/* Rows of the copy, those of the condition, that are not here. */
static enum rb_code name_gone(rb_putback *p, json_t *entry, const char *condition,
                              const char *equal, const char *reason, rb_err *err)
{
    RB_AUTO(rb_free_str) char *key = rb_twin_spread(&p->twin.key, "t.@", ", ");
    RB_AUTO(rb_free_str) char *same = rb_twin_spread(&p->twin.key, equal, " AND ");
    return rb_putback_missing(p, entry,
                              rb_format("SELECT %s FROM %s t WHERE %s AND NOT EXISTS (SELECT 1 FROM"
                                        " %s h WHERE %s) ORDER BY %s",
                                        key, p->twin.there, condition, p->twin.here, same, key),
                              reason, err);
}

/* Rows that both have and of which the condition holds: what is here is not what the copy has. */
static enum rb_code name_other(rb_putback *p, json_t *entry, const char *condition,
                               const char *reason, rb_err *err)
{
    RB_AUTO(rb_free_str) char *key = rb_twin_spread(&p->twin.key, "t.@", ", ");
    RB_AUTO(rb_free_str) char *same = rb_twin_spread(&p->twin.key, "h.@ = t.@", " AND ");
    return rb_putback_missing(p, entry,
                              rb_format("SELECT %s FROM %s t JOIN %s h ON %s WHERE %s ORDER BY %s",
                                        key, p->twin.there, p->twin.here, same, condition, key),
                              reason, err);
}

/* Items */

/* Of rows that the scripts made again, those that the copy has otherwise. */
static enum rb_code overwrite_rows(rb_putback *p, json_t *entry, const char *newer,
                                   const char *differ, rb_err *err)
{
    RB_AUTO(rb_free_str) char *set = rb_twin_spread(&p->twin.columns, "@ = t.@", ", ");
    RB_AUTO(rb_free_str) char *same = rb_twin_spread(&p->twin.key, "h.@ = t.@", " AND ");
    RB_AUTO(rb_free_str) char *condition = rb_format("(%s) AND (%s)", newer, differ);
    RB_TRY(rb_orphans_keep(p, &p->twin.columns, condition, err));
    RB_TRY(rb_sqlite_run(p->twin.db,
                         rb_format("UPDATE OR IGNORE %s AS h SET %s FROM %s t WHERE %s AND %s",
                                   p->twin.here, set, p->twin.there, same, condition),
                         NULL, NULL, err));
    rb_putback_count(entry, "restored", rb_sqlite_changes(p->twin.db));
    return RB_OK;
}

/* Overwriting comes first: it may free what a constraint wants once only. A key may be NULL. */
static enum rb_code restore_rows(rb_putback *p, json_t *entry, const char *newer, rb_err *err)
{
    static const char equal[] = "h.@ IS t.@";
    RB_AUTO(rb_free_str) char *columns = rb_twin_spread(&p->twin.columns, "@", ", ");
    RB_AUTO(rb_free_str) char *same = rb_twin_spread(&p->twin.key, equal, " AND ");
    RB_AUTO(rb_free_str) char *values = rb_twin_spread(&p->twin.columns, "t.@", ", ");
    RB_AUTO(rb_free_str)
    char *differ = rb_twin_spread(&p->twin.columns, "h.@ IS NOT t.@ COLLATE BINARY", " OR ");
    if (newer && !p->twin.is_virtual)
        RB_TRY(overwrite_rows(p, entry, newer, differ, err));
    RB_TRY(
        rb_sqlite_run(p->twin.db,
                      rb_format("INSERT OR IGNORE INTO %s (%s) SELECT %s FROM %s t WHERE NOT"
                                " EXISTS (SELECT 1 FROM %s h WHERE %s)",
                                p->twin.here, columns, values, p->twin.there, p->twin.here, same),
                      NULL, NULL, err));
    rb_putback_count(entry, "restored", rb_sqlite_changes(p->twin.db));
    RB_TRY(name_gone(p, entry, "1", equal, refused, err));
    return newer ? name_other(p, entry, differ, other_value, err) : RB_OK;
}

/* Rows of the copy beyond those that are here too: of equal ones each counts once. */
static char *beyond(const rb_putback *p)
{
    RB_AUTO(rb_free_str)
    char *exact = rb_twin_spread(&p->twin.columns, "@ COLLATE BINARY AS @", ", ");
    RB_AUTO(rb_free_str) char *columns = rb_twin_spread(&p->twin.columns, "@", ", ");
    RB_AUTO(rb_free_str)
    char *parts = rb_twin_spread(&p->twin.columns, "@ COLLATE BINARY", ", ");
    return rb_format("SELECT %s FROM (SELECT %s, row_number() OVER (PARTITION BY %s) FROM %s EXCEPT"
                     " SELECT %s, row_number() OVER (PARTITION BY %s) FROM %s)",
                     columns, exact, parts, p->twin.there, exact, parts, p->twin.here);
}

static enum rb_code restore_keyless(rb_putback *p, json_t *entry, const char *newer, rb_err *err)
{
    int64_t has_rows;
    int64_t wanted;
    RB_TRY(rb_sqlite_int(&has_rows, p->twin.db,
                         rb_format("SELECT EXISTS (SELECT 1 FROM %s)", p->twin.here), err));
    bool all_made = has_rows && newer && strcmp(newer, "1") == 0 && !p->twin.is_virtual;
    RB_AUTO(rb_free_str) char *rest = beyond(p);
    RB_TRY(rb_sqlite_int(&wanted, p->twin.db,
                         all_made ? rb_format("SELECT count(*) FROM (%s)", rest)
                                  : rb_format("SELECT count(*) FROM %s", p->twin.there),
                         err));
    if (has_rows && !all_made) {
        rb_putback_count(entry, "missingCount", wanted);
        rb_putback_reason(entry, "the table has no key and is not empty");
        return RB_OK;
    }
    RB_AUTO(rb_free_str) char *columns = rb_twin_spread(&p->twin.columns, "@", ", ");
    const char *rowid = p->twin.is_virtual ? "rowid, " : "";
    char *sql = all_made
                    ? rb_format("INSERT OR IGNORE INTO %s (%s) %s", p->twin.here, columns, rest)
                    : rb_format("INSERT OR IGNORE INTO %s (%s%s) SELECT %s%s FROM %s ORDER BY"
                                " rowid",
                                p->twin.here, rowid, columns, rowid, columns, p->twin.there);
    RB_TRY(rb_sqlite_run(p->twin.db, sql, NULL, NULL, err));
    int64_t restored = rb_sqlite_changes(p->twin.db);
    rb_putback_count(entry, "restored", restored);
    rb_putback_count(entry, "missingCount", wanted - restored);
    if (wanted > restored)
        rb_putback_reason(entry, refused);
    return RB_OK;
}

enum rb_code rb_putback_default(char **out, const rb_putback *p, const char *schema,
                                const char *column, rb_err *err)
{
    RB_AUTO(rb_free_str) char *table = rb_sqlite_text(p->twin.table);
    RB_AUTO(rb_free_str) char *name = rb_sqlite_text(column);
    RB_AUTO(rb_free_str) char *found = NULL;
    RB_TRY(rb_sqlite_string(
        &found, p->twin.db,
        rb_format(
            "SELECT dflt_value FROM pragma_table_xinfo(%s, '%s') WHERE name = %s COLLATE NOCASE",
            table, schema, name),
        err));
    *out = rb_watch_fallback(found ? found : "NULL");
    return RB_OK;
}

/* What is the column's default here is nobody's value. */
static enum rb_code fill_column(rb_putback *p, json_t *entry, const char *name, const char *wanted,
                                const char *newer, const char *now, rb_err *err)
{
    static const char equal[] = "h.@ = t.@";
    RB_AUTO(rb_free_str) char *same = rb_twin_spread(&p->twin.key, equal, " AND ");
    RB_AUTO(rb_free_str)
    char *other = rb_format("%s AND h.%s IS NOT t.%s COLLATE BINARY", wanted, name, name);
    RB_AUTO(rb_free_str)
    char *scripts = rb_format("%s AND h.%s IS NOT (%s)", other, name, now);
    RB_AUTO(rb_free_str) char *kept = rb_format("%s AND h.%s IS (%s)", other, name, now);
    RB_AUTO(rb_free_str)
    char *overwrite =
        rb_format("(%s) AND h.%s IS NOT t.%s COLLATE BINARY", newer ? newer : "0", name, name);
    RB_AUTO(rb_strs_clear) rb_strs column = {0};
    rb_strs_add(&column, name);
    if (newer)
        RB_TRY(rb_orphans_keep(p, &column, overwrite, err));
    RB_TRY(rb_sqlite_run(
        p->twin.db,
        rb_format("UPDATE OR IGNORE %s AS h SET %s = t.%s FROM %s t WHERE %s AND ((%s AND h.%s IS"
                  " (%s)) OR (%s))",
                  p->twin.here, name, name, p->twin.there, same, wanted, name, now, overwrite),
        NULL, NULL, err));
    rb_putback_count(entry, "restored", rb_sqlite_changes(p->twin.db));
    RB_TRY(name_gone(p, entry, wanted, equal, "the rows are gone", err));
    RB_TRY(name_other(p, entry, kept, refused, err));
    return newer ? name_other(p, entry, scripts, other_value, err) : RB_OK;
}

static enum rb_code restore_column(rb_putback *p, json_t *entry, const json_t *item, rb_err *err)
{
    const char *column = rb_json_str(item, "column");
    RB_AUTO(rb_free_str) char *name = rb_sqlite_name(column);
    RB_AUTO(rb_free_str) char *now = NULL;
    RB_AUTO(rb_free_str) char *then = NULL;
    if (p->twin.key.n == 0) {
        none_back(entry, item, "the table has no key to find its rows by");
        return RB_OK;
    }
    RB_TRY(rb_putback_default(&now, p, "main", column, err));
    RB_TRY(rb_putback_default(&then, p, p->twin.copy, column, err));
    RB_AUTO(rb_free_str) char *wanted = rb_format("t.%s IS NOT (%s)", name, then);
    RB_AUTO(rb_free_str) char *newer = rb_putback_newer(p, item);
    return fill_column(p, entry, name, wanted, newer, now, err);
}

static bool has_column(const rb_putback *p, const char *column)
{
    RB_AUTO(rb_free_str) char *quoted = rb_sqlite_name(column);
    return rb_strs_has_name(&p->twin.columns, quoted);
}

/* Rows whose values scripts changed are left as they are; those that the way back did not make what
 * they were are counted. */
static enum rb_code count_changed(rb_putback *p, json_t *entry, const json_t *item, rb_err *err)
{
    int64_t changed = rb_json_int(item, "changed", 0);
    int64_t differ = changed;
    if (changed > 0 && p->twin.key.n > 0) {
        RB_AUTO(rb_free_str) char *same = rb_twin_spread(&p->twin.key, "t.@ IS h.@", " AND ");
        RB_AUTO(rb_free_str)
        char *other = rb_twin_spread(&p->twin.columns, "t.@ IS NOT h.@ COLLATE BINARY", " OR ");
        RB_TRY(rb_sqlite_int(&differ, p->twin.db,
                             rb_format("SELECT count(*) FROM %s t JOIN %s h ON %s WHERE %s",
                                       p->twin.there, p->twin.here, same, other),
                             err));
    }
    if (differ == 0)
        return RB_OK;
    rb_putback_count(entry, "missingCount", differ < changed ? differ : changed);
    rb_putback_reason(entry, "scripts changed their values, which are not restored");
    return RB_OK;
}

/* The rows there become those only that scripts deleted; false when they cannot be told. */
static enum rb_code narrow(bool *out, rb_putback *p, rb_err *err)
{
    RB_AUTO(rb_strs_clear) rb_strs key = {0};
    RB_AUTO(rb_free_str) char *list = rb_gone_table(p->twin.table);
    RB_AUTO(rb_free_str) char *text = rb_sqlite_text(list);
    RB_AUTO(rb_free_str) char *name = rb_sqlite_name(list);
    RB_TRY(rb_sqlite_run(
        p->twin.db, rb_format("SELECT name FROM pragma_table_xinfo(%s, '%s')", text, p->twin.copy),
        rb_sqlite_add_quoted, &key, err));
    *out = key.n > 0;
    if (key.n == 0)
        return RB_OK;
    RB_AUTO(rb_free_str) char *same = rb_twin_spread(&key, "t.@ IS g.@", " AND ");
    char *rows = rb_format("(SELECT t.* FROM %s.%s g JOIN %s t ON %s)", p->twin.copy, name,
                           p->twin.there, same);
    free(p->twin.there);
    p->twin.there = rows;
    return RB_OK;
}

/* Of a table that stayed, those rows only that scripts deleted. */
static enum rb_code restore_gone(rb_putback *p, json_t *entry, const json_t *item, rb_err *err)
{
    bool told;
    RB_TRY(count_changed(p, entry, item, err));
    RB_TRY(narrow(&told, p, err));
    int64_t gone = rb_json_int(item, "rows", 0) - rb_json_int(item, "changed", 0);
    if (!told && gone > 0) {
        rb_putback_count(entry, "missingCount", gone);
        rb_putback_reason(entry, "the rows that were deleted cannot be told from others");
    }
    if (!told)
        return RB_OK;
    RB_TRY(p->twin.key.n ? restore_rows(p, entry, NULL, err)
                         : restore_keyless(p, entry, NULL, err));
    return rb_putback_leave(p, item, err);
}

static enum rb_code restore_table(rb_putback *p, json_t *entry, const json_t *item, rb_err *err)
{
    RB_AUTO(rb_free_str) char *newer = rb_putback_newer(p, item);
    RB_TRY(p->twin.key.n ? restore_rows(p, entry, newer, err)
                         : restore_keyless(p, entry, newer, err));
    return rb_putback_leave(p, item, err);
}

static enum rb_code restore_item(rb_putback *p, json_t *entry, const json_t *item, rb_err *err)
{
    const char *table = rb_json_str(item, "table");
    const char *column = rb_json_str(item, "column");
    bool stays = json_is_true(json_object_get(item, "stays"));
    bool told = true;
    RB_TRY(rb_twin_find(&p->twin, table, table, err));
    if (column ? !has_column(p, column) : p->twin.columns.n == 0) {
        none_back(entry, item, "it is not there again");
        return RB_OK;
    }
    if (!column)
        return stays ? restore_gone(p, entry, item, err) : restore_table(p, entry, item, err);
    if (stays)
        RB_TRY(narrow(&told, p, err));
    return restore_column(p, entry, item, err);
}

/* One item's failure is told, and the others go on, as long as the transaction lives. */
static enum rb_code try_item(rb_putback *p, const json_t *item, rb_err *err)
{
    const char *table = rb_json_str(item, "table");
    json_t *entry = rb_putback_entry(p->report, table, rb_json_str(item, "column"));
    if (!table)
        return rb_fail(err, RB_ERROR, "an item to restore names no table");
    RB_TRY(rb_sqlite_each(p->twin.db, "SAVEPOINT rbtool_item", NULL, NULL, NULL, err));
    rb_err why;
    enum rb_code code = restore_item(p, entry, item, &why);
    rb_twin_clear(&p->twin);
    if (code != RB_OK) {
        if (!rb_sqlite_active(p->twin.db)) {
            *err = why;
            return code;
        }
        RB_TRY(rb_sqlite_each(p->twin.db, "ROLLBACK TO rbtool_item", NULL, NULL, NULL, err));
        none_back(entry, item, rb_err_line(&why));
    }
    return rb_sqlite_each(p->twin.db, "RELEASE rbtool_item", NULL, NULL, NULL, err);
}

/* All of it */

static enum rb_code restore_all(rb_putback *p, const json_t *lost, rb_err *err)
{
    size_t i;
    json_t *item;
    json_array_foreach (lost, i, item) {
        const char *table = rb_json_str(item, "table");
        if (table)
            RB_TRY(rb_orphans_find(&p->orphans[i], p->twin.db, table, true, err));
    }
    json_array_foreach (lost, i, item)
        RB_TRY(try_item(p, item, err));
    RB_TRY(rb_orphans_drop(p, err));
    json_array_extend(p->report, p->waiting);
    return RB_OK;
}

/* SQLite attaches ten files to a transaction. */
static json_t *all_missing(const json_t *lost, const char *copy)
{
    json_t *report = json_array();
    RB_AUTO(rb_free_str)
    char *reason =
        rb_format("too many copies are in use at once; put them back by hand from %s", copy);
    size_t i;
    json_t *item;
    json_array_foreach ((json_t *)lost, i, item)
        none_back(rb_putback_entry(report, rb_json_str(item, "table"), rb_json_str(item, "column")),
                  item, reason);
    return report;
}

static enum rb_code restore_from(bool *foreign, rb_putback *p, const json_t *lost,
                                 const rb_db_work *work, rb_err *err)
{
    size_t n = json_array_size(lost);
    bool some;
    RB_TRY(rb_putback_same_scripts(&p->same_scripts, &some, p, work, err));
    *foreign = !some;
    if (!some)
        return RB_OK;
    p->orphans = rb_calloc(n + 1, sizeof *p->orphans);
    rb_sqlite_triggers(p->twin.db, false);
    enum rb_code code = restore_all(p, lost, err);
    rb_sqlite_triggers(p->twin.db, true);
    for (size_t i = 0; i < n; i++) {
        rb_keyset_clear(&p->orphans[i].known);
        rb_strs_clear(&p->orphans[i].rowids);
        rb_strs_clear(&p->orphans[i].kept);
    }
    free(p->orphans);
    return code;
}

enum rb_code rb_sqlite_put_back(json_t **report, json_t *left, rb_db *base, const char *copy,
                                const json_t *lost, const rb_db_work *work, rb_err *err)
{
    rb_sqlite *db = rb_sqlite_of(base);
    RB_AUTO(rb_free_str) char *name = NULL;
    bool room;
    RB_TRY(rb_sqlite_attachable(&room, db, err));
    if (!room) {
        *report = all_missing(lost, copy);
        return RB_OK;
    }
    RB_TRY(rb_sqlite_attach(&name, db, copy, err));
    RB_AUTO(rb_json_freep) json_t *all = json_array();
    RB_AUTO(rb_json_freep) json_t *waiting = json_array();
    rb_putback p = {
        .twin = {.db = db, .copy = name}, .report = all, .waiting = waiting, .left = left};
    bool foreign;
    RB_TRY(restore_from(&foreign, &p, lost, work, err));
    *report = foreign ? NULL : json_incref(all);
    return RB_OK;
}
