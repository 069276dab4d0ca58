/* Restores rows and values where that is safe, and reports the others with a reason. */
#include "database/restore_rows.h"

#include <stdlib.h>
#include <string.h>

#define SHOWN_KEYS "20"
#define OVERWRITE "--overwrite"
#define DELETED "--deleted"

/* Why rows are missing, and the option of `rbtool restore` that may restore them; NULL: none. */
static const struct {
    const char *act;
    const char *text;
    const char *option;
} reasons[] = {
    {"taken", "their keys are taken by other rows", OVERWRITE},
    {"refused", "a constraint of the table refuses them", NULL},
    {"orphan", "the rows that they refer to are gone or were changed", DELETED},
    {"keyless", "the table has no key and is not empty", NULL},
    {"changed", "the rows were changed since", OVERWRITE},
    {"moved", "the scripts changed their keys, or they have none", OVERWRITE},
    {"written", "scripts that are new or edited wrote another value", OVERWRITE},
    {"unknown", "the table has other columns now, so that its rows cannot be compared", OVERWRITE},
    {"deleted", "the rows were deleted since", NULL},
    {"key only", "the table has no other column to recognise its rows by", OVERWRITE},
    {"no key", "the table has no key to find its rows by", NULL},
    {"no table", "the database does not have that table now", NULL},
    {"no column", "the table does not have that column now", NULL},
    {"unrelated", "another migration than the one that was undone made it", NULL},
};

/* The report: */

json_t *rb_restore_entry(rb_restore *r, const rb_restored *one, const char *column)
{
    json_t *entry =
        rb_json_make("table:J column:s restored:d missing:j missingCount:d reason:0 options:j",
                     json_object_get(one->t, "name"), column, 0, json_array(), 0, json_array());
    json_array_append_new(r->report, entry);
    return entry;
}

static void add_count(json_t *entry, const char *key, int64_t more)
{
    json_object_set_new(entry, key, json_integer(rb_json_int(entry, key, 0) + more));
}

static void add_reason(json_t *entry, const char *act)
{
    const char *known = rb_json_str(entry, "reason");
    size_t i = 0;
    while (i + 1 < sizeof reasons / sizeof *reasons && strcmp(reasons[i].act, act) != 0)
        i++;
    if (known && strstr(known, reasons[i].text))
        return;
    RB_AUTO(rb_free_str) char *both = known ? rb_format("%s; %s", known, reasons[i].text) : NULL;
    rb_json_set_str(entry, "reason", both ? both : reasons[i].text);
    json_t *options = json_object_get(entry, "options");
    if (reasons[i].option && !rb_names_have(options, reasons[i].option))
        json_array_append_new(options, json_string(reasons[i].option));
}

enum rb_code rb_restore_missing(json_t *entry, rb_restore *r, rb_restored *one, const char *from,
                                const char *condition, const char *reason, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *counts = NULL;
    RB_AUTO(rb_json_freep) json_t *keys = NULL;
    const size_t key = json_array_size(json_object_get(one->t, "key"));
    rb_sql_set(one->parts, "from", from);
    rb_sql_set(one->parts, "condition", condition);
    rb_json_set_str(one->parts, "reason", reason);
    RB_TRY(rb_sql_rows(&counts, r->db, one->parts,
                       "SELECT {reason}, count(*) FROM {from} WHERE {condition} GROUP BY 1 ORDER BY"
                       " min(d.rbtool_row)",
                       err));
    rb_json_each (row, counts) {
        add_count(entry, "missingCount", json_integer_value(json_array_get(row, 1)));
        add_reason(entry, json_string_value(json_array_get(row, 0)));
    }
    if (json_array_size(counts) == 0 || key == 0)
        return RB_OK;
    RB_TRY(rb_sql_rows(&keys, r->db, one->parts,
                       "SELECT {keys} FROM {from} WHERE {condition} ORDER BY d.rbtool_row"
                       " LIMIT " SHOWN_KEYS,
                       err));
    rb_json_each (row, keys)
        json_array_append(json_object_get(entry, "missing"),
                          key == 1 ? json_array_get(row, 0) : row);
    return RB_OK;
}

/* Statements: */

/* Runs sql for the rows from $1 to $2 that have this act. If a constraint refuses some, runs it for
 * halves, until the refused rows are found: their act becomes "refused". */
static enum rb_code apply(rb_restore *r, rb_restored *one, const char *sql, int64_t first,
                          int64_t last, rb_err *err)
{
    bool refused;
    RB_AUTO(rb_json_freep)
    json_t *params = json_pack("[I,I]", (json_int_t)first, (json_int_t)last);
    RB_TRY(r->db->driver->attempt(&refused, r->db, sql, params, err));
    if (!refused)
        return RB_OK;
    if (first == last) {
        rb_sql_put(one->parts, "row", rb_format("%lld", (long long)first));
        return rb_sql_run(r->db, one->parts,
                          "UPDATE {rows} SET act = 'refused' WHERE rbtool_row = {row}", err);
    }
    int64_t middle = first + (last - first) / 2;
    RB_TRY(apply(r, one, sql, first, middle, err));
    return apply(r, one, sql, middle + 1, last, err);
}

static enum rb_code apply_all(rb_restore *r, rb_restored *one, const char *act, const char *text,
                              rb_err *err)
{
    int64_t first;
    int64_t last;
    rb_json_set_str(one->parts, "do", act);
    rb_sql_set(one->parts, "chosen",
               "{data} AS d JOIN {rows} AS s ON s.rbtool_row = d.rbtool_row WHERE s.act = '{do}'"
               " AND d.rbtool_row >= $1 AND d.rbtool_row <= $2");
    RB_AUTO(rb_free_str) char *sql = rb_sql_fill(one->parts, text);
    RB_TRY(rb_sql_number(&first, r->db, one->parts,
                         "SELECT min(rbtool_row) FROM {rows} WHERE act = '{do}'", err));
    RB_TRY(rb_sql_number(&last, r->db, one->parts,
                         "SELECT max(rbtool_row) FROM {rows} WHERE act = '{do}'", err));
    return last > 0 ? apply(r, one, sql, first, last, err) : RB_OK;
}

/* Returns the columns in which rows with one key may differ: B and b may be one key. */
static json_t *differing(const rb_restored *one)
{
    json_t *columns = json_copy(one->columns);
    rb_json_each (name, json_object_get(one->t, "key"))
        if (json_object_get(json_object_get(one->now, "collations"), json_string_value(name)))
            json_array_append(columns, name);
    return columns;
}

static enum rb_code update_rows(rb_restore *r, rb_restored *one, const json_t *columns, rb_err *err)
{
    if (json_array_size(columns) == 0 || !one->keyed)
        return RB_OK;
    rb_json_set_str(one->parts, "verb", r->db->driver->update);
    rb_sql_put(one->parts, "set", rb_sql_values(one->now, columns, true));
    return apply_all(r, one, "update",
                     "{verb} {live} AS n SET {set} FROM (SELECT d.* FROM {chosen}) AS d WHERE {on}",
                     err);
}

static enum rb_code insert_rows(rb_restore *r, rb_restored *one, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *columns = json_copy(json_object_get(one->t, "key"));
    const char *rowid = json_array_size(columns) == 0 ? rb_json_str(one->now, "rowid") : NULL;
    json_array_extend(columns, one->columns);
    if (!rowid && json_array_size(columns) == 0)
        return RB_OK;
    const char *comma = rowid && json_array_size(columns) > 0 ? ", " : "";
    RB_AUTO(rb_free_str) char *into = rb_sql_list(columns, "@", ", ");
    RB_AUTO(rb_free_str) char *values = rb_sql_values(one->now, columns, false);
    const char *overriding = r->db->driver->overriding;
    rb_json_set_str(one->parts, "verb", r->db->driver->insert);
    rb_json_set_str(one->parts, "overriding", overriding ? overriding : "");
    rb_sql_put(one->parts, "into", rb_format("%s%s%s", rowid ? rowid : "", comma, into));
    rb_sql_put(one->parts, "values",
               rb_format("%s%s%s", rowid ? "d.rbtool_rowid" : "", comma, values));
    return apply_all(r, one, "insert",
                     "{verb} INTO {live}({into}) {overriding} SELECT {values} FROM {chosen} ORDER "
                     "BY d.rbtool_row",
                     err);
}

/* Sets "act" of each row of the backup to the SQL expression {act}. The expression may use d, the
 * row in the backup; s, its row in {rows}; and n, the database's row with the same key. */
static enum rb_code decide(const rb_restore *r, rb_restored *one, rb_err *err)
{
    rb_sql_set(one->parts, "join", one->keyed ? " LEFT JOIN {live} AS n ON {on}" : "");
    return rb_sql_run(r->db, one->parts,
                      "UPDATE {rows} AS o SET act = c.act FROM (SELECT d.rbtool_row AS rbtool_row,"
                      " {act} AS act FROM {data} AS d JOIN {rows} AS s ON s.rbtool_row ="
                      " d.rbtool_row{join}) AS c WHERE c.rbtool_row = o.rbtool_row AND c.act IS NOT"
                      " NULL",
                      err);
}

/* References: */

#define GOOD "s.state <> 'orphan' AND (s.state = 'same' OR s.act IN ('insert', 'update'))"

/* Sets {orphans}, a query for rows of the backup whose parent does not exist unchanged. only: just
 * the references that have one of these columns; or NULL for all. */
static enum rb_code set_orphans(bool *any, const rb_restore *r, rb_restored *one,
                                const json_t *only, rb_err *err)
{
    *any = false;
    rb_json_each (reference, r->references) {
        const json_t *columns = json_object_get(reference, "columns");
        const json_t *to = json_object_get(reference, "parentColumns");
        const rb_restored *parent = &r->list[rb_json_int(reference, "parent", 0)];
        RB_AUTO(rb_json_freep) json_t *shared = only ? rb_names_of(only, columns, true) : NULL;
        RB_AUTO(rb_json_freep) json_t *table = NULL;
        RB_AUTO(rb_json_freep) json_t *parts = json_object();
        if (&r->list[rb_json_int(reference, "child", 0)] != one ||
            (only && json_array_size(shared) == 0))
            continue;
        RB_TRY(r->db->driver->table(&table, r->db, rb_json_str(parent->t, "name"), err));
        rb_json_set_str(parts, "others", *any ? rb_json_str(one->parts, "orphans") : "");
        rb_json_set_str(parts, "union", *any ? " UNION " : "");
        rb_json_set_str(parts, "data", rb_json_str(one->parts, "data"));
        rb_json_set_str(parts, "parents", rb_json_str(parent->parts, "data"));
        rb_json_set_str(parts, "states", rb_json_str(parent->parts, "rows"));
        rb_json_set_str(parts, "live", rb_json_str(table, "sql"));
        rb_sql_put(parts, "refers", rb_sql_list(columns, "d.@ IS NOT NULL", " AND "));
        rb_sql_put(parts, "on", rb_sql_refers(table, to, "d", columns));
        rb_sql_put(parts, "stored", rb_sql_refers(table, to, "p", to));
        rb_sql_put(parts, "name", rb_format("orphans%zu", reference_at));
        rb_sql_set(parts, "but", "");
        if (table && rb_names_have_all(json_object_get(table, "columns"), to))
            rb_sql_set(parts, "but",
                       " EXCEPT SELECT d.rbtool_row FROM {data} AS d JOIN {live} AS n ON {on} JOIN"
                       " {parents} AS p ON {stored} JOIN {states} AS s ON s.rbtool_row ="
                       " p.rbtool_row WHERE " GOOD);
        rb_sql_put(one->parts, "orphans",
                   rb_sql_fill(parts, "{others}{union}SELECT rbtool_row FROM (SELECT d.rbtool_row"
                                      " FROM {data} AS d WHERE {refers}{but}) AS {name}"));
        *any = true;
    }
    return RB_OK;
}

/* Deletes restored rows of one table whose parents do not exist or were changed. *more: some were
 * deleted. */
static enum rb_code remove_orphans(bool *more, const rb_restore *r, rb_restored *one, rb_err *err)
{
    int64_t found;
    bool any;
    const json_t *key = json_object_get(one->t, "key");
    RB_TRY(set_orphans(&any, r, one, NULL, err));
    if (!any)
        return RB_OK;
    RB_TRY(rb_sql_run(r->db, one->parts,
                      "UPDATE {rows} AS s SET state = 'found', act = CASE act WHEN 'insert' THEN"
                      " 'orphan' ELSE act END WHERE " GOOD " AND rbtool_row IN ({orphans})",
                      err));
    RB_TRY(rb_sql_number(&found, r->db, one->parts,
                         "SELECT count(*) FROM {rows} WHERE state = 'found'", err));
    *more |= found > 0;
    if (found > 0 && one->entry) {
        const char *rowid = json_array_size(key) == 0 ? rb_json_str(one->now, "rowid") : NULL;
        rb_sql_set(one->parts, "theirs", rowid ? "d.rbtool_rowid" : "{keys}");
        rb_sql_put(one->parts, "own", rowid ? rb_strdup(rowid) : rb_sql_list(key, "@", ", "));
        RB_TRY(rb_sql_run(r->db, one->parts,
                          "DELETE FROM {live} WHERE ({own}) IN (SELECT {theirs} FROM {data} AS d"
                          " JOIN {rows} AS s ON s.rbtool_row = d.rbtool_row WHERE s.state ="
                          " 'found' AND s.act = 'orphan')",
                          err));
    }
    return rb_sql_run(r->db, one->parts, "UPDATE {rows} SET state = 'orphan' WHERE state = 'found'",
                      err);
}

/* Whole rows: */

/* In a table without a key, marks rows of the backup that exist unchanged as not missing. */
static enum rb_code take_existing(const rb_restore *r, rb_restored *one, rb_err *err)
{
    const json_t *columns = json_object_get(one->t, "columns");
    if (json_array_size(one->columns) < json_array_size(columns) ||
        json_array_size(json_object_get(one->t, "key")) > 0)
        return RB_OK;
    rb_sql_put(one->parts, "here", rb_sql_hash(r->db, "n", columns));
    rb_sql_put(one->parts, "there", rb_sql_hash(r->db, "d", columns));
    return rb_sql_run(r->db, one->parts,
                      "UPDATE {rows} SET state = 'same' WHERE rbtool_row IN (SELECT b.rbtool_row"
                      " FROM (SELECT d.rbtool_row AS rbtool_row, {there} AS hash, row_number() OVER"
                      " (PARTITION BY {there} ORDER BY d.rbtool_row) AS place FROM {data} AS d) AS"
                      " b JOIN (SELECT {here} AS hash, count(*) AS times FROM {live} AS n GROUP BY"
                      " 1) AS t ON t.hash = b.hash WHERE b.place <= t.times)",
                      err);
}

/* Sets {back}, the act for a row that was deleted by scripts or by others. */
static void set_back(const rb_restore *r, const rb_restored *one, bool was_empty)
{
    bool fits =
        rb_names_have_all(json_object_get(one->now, "columns"), json_object_get(one->t, "key"));
    rb_json_set_str(one->parts, "taken", r->options->overwrite ? "update" : "taken");
    rb_sql_set(one->parts, "back",
               !fits        ? "'unknown'"
               : was_empty  ? one->keyed ? "CASE WHEN NOT {exists} THEN 'insert' WHEN NOT {same}"
                                           " THEN '{taken}' END"
                                         : "'insert'"
               : one->keyed ? "CASE WHEN {null} THEN 'keyless' WHEN NOT {exists} THEN 'insert' WHEN"
                              " NOT {same} THEN '{taken}' END"
                            : "'keyless'");
}

static enum rb_code restore_rows(rb_restore *r, rb_restored *one, rb_err *err)
{
    int64_t has_rows;
    json_t *parts = one->parts;
    if (json_is_true(json_object_get(one->now, "sequence"))) /* its position is its counter */
        return rb_sql_run(r->db, parts, "UPDATE {rows} SET act = 'insert'", err);
    RB_TRY(rb_sql_number(&has_rows, r->db, parts,
                         "SELECT count(*) FROM (SELECT 1 FROM {live} LIMIT 1) AS one", err));
    /* Without a key, rows are restored only into a table that the scripts recreated, and only
     * together. */
    bool was_empty =
        !has_rows && (json_is_true(json_object_get(one->t, "gone")) || r->options->manual);
    if (!one->keyed && !was_empty)
        RB_TRY(take_existing(r, one, err));
    RB_AUTO(rb_json_freep) json_t *columns = differing(one);
    rb_sql_put(parts, "same", rb_sql_same(r->db, columns));
    set_back(r, one, was_empty);
    rb_json_set_str(parts, "deleted", r->options->deleted ? ", 'deleted'" : "");
    /* Values that new scripts wrote are not overwritten. */
    rb_json_set_str(parts, "else", r->known == RB_SCRIPTS_ALL ? "update" : "written");
    rb_sql_set(parts,
               "others", /* rows that were changed by others than the scripts stay as they are */
               r->options->overwrite
                   ? "WHEN NOT {exists} THEN {back}"
                   : "WHEN s.state = 'changed' THEN CASE WHEN d.rbtool_state = 'changed' THEN"
                     " 'changed' END WHEN s.state <> 'same' THEN CASE WHEN {exists} THEN 'unknown'"
                     " END");
    rb_sql_set(parts, "act",
               one->keyed
                   ? "CASE WHEN s.state IN ('gone'{deleted}) THEN {back} WHEN s.state = 'deleted'"
                     " THEN NULL WHEN s.state = 'moved' THEN CASE WHEN NOT {exists} THEN 'moved'"
                     " END WHEN NOT {exists} AND s.state = 'same' THEN {back} WHEN {exists} AND"
                     " {same} THEN NULL {others} ELSE '{else}' END"
                   : "CASE WHEN s.state IN ('gone', 'unknown'{deleted}) THEN {back} END");
    RB_TRY(decide(r, one, err));
    RB_TRY(insert_rows(r, one, err));
    return update_rows(r, one, columns, err);
}

/* True if the tables that this one refers to come first: an engine may refuse rows without a
 * parent. */
static bool has_parents_first(const rb_restore *r, const rb_restored *one)
{
    rb_json_each (reference, r->references) {
        const rb_restored *parent = &r->list[rb_json_int(reference, "parent", 0)];
        if (&r->list[rb_json_int(reference, "child", 0)] == one && parent != one && parent->entry &&
            !parent->done)
            return false;
    }
    return true;
}

/* The numbers that its rows have are not given again. */
static enum rb_code set_counter(rb_restore *r, const rb_restored *one, rb_err *err)
{
    const json_t *counter = json_object_get(one->t, "counter");
    if (json_is_null(counter))
        return RB_OK;
    return r->db->driver->set_counter(r->db, rb_json_str(one->t, "name"), counter, err);
}

static enum rb_code report_rows(rb_restore *r, rb_restored *one, rb_err *err)
{
    static const char done[] = "s.act IN ('insert', 'update')";
    static const char from[] = "{data} AS d JOIN {rows} AS s ON s.rbtool_row = d.rbtool_row";
    int64_t count;
    rb_json_set_str(one->parts, "done", done);
    RB_TRY(rb_sql_number(&count, r->db, one->parts, "SELECT count(*) FROM {rows} AS s WHERE {done}",
                         err));
    add_count(one->entry, "restored", count);
    RB_TRY(rb_restore_missing(one->entry, r, one, from, "NOT {done}", "s.act", err));
    RB_AUTO(rb_json_freep)
    json_t *lacking = rb_names_of(json_object_get(one->t, "columns"),
                                  json_object_get(one->now, "columns"), false);
    rb_json_each (column, lacking) {
        rb_sql_put(one->parts, "column", rb_sql_name(json_string_value(column)));
        json_t *entry = rb_restore_entry(r, one, json_string_value(column));
        RB_TRY(rb_restore_missing(entry, r, one, from, "{done} AND d.{column} IS NOT NULL",
                                  "'no column'", err));
        if (rb_json_int(entry, "missingCount", 0) == 0)
            json_array_remove(r->report, json_array_size(r->report) - 1);
    }
    return set_counter(r, one, err);
}

enum rb_code rb_restore_all_rows(rb_restore *r, rb_err *err)
{
    size_t i;
    for (rb_restored *next = r->list; next;) {
        next = NULL;
        for (i = 0; i < r->n; i++)
            if (r->list[i].entry && !r->list[i].done && (!next || !has_parents_first(r, next)))
                next = &r->list[i];
        if (next)
            RB_TRY(restore_rows(r, next, err));
        if (next)
            next->done = true;
    }
    for (bool more = true; more;) { /* a deleted row may be the parent of another one */
        more = false;
        for (i = 0; i < r->n; i++)
            if (!rb_backup_is(r->list[i].t, "values"))
                RB_TRY(remove_orphans(&more, r, &r->list[i], err));
    }
    for (i = 0; i < r->n; i++)
        if (r->list[i].entry)
            RB_TRY(report_rows(r, &r->list[i], err));
    return RB_OK;
}

/* Values: */

/* Sets {untouched}, a condition: the column has only its default, so that no script wrote it. */
static void set_untouched(const rb_restore *r, const rb_restored *one)
{
    rb_buf out = {0};
    rb_buf_puts(&out, "1 = 1");
    rb_json_each (name, one->columns) {
        RB_AUTO(rb_json_freep) json_t *alone = json_pack("[O]", name);
        RB_AUTO(rb_free_str) char *same = rb_sql_same(r->db, alone);
        RB_AUTO(rb_free_str) char *column = rb_sql_list(alone, "n.@", "");
        const char *fresh =
            rb_json_str(json_object_get(one->now, "defaults"), json_string_value(name));
        rb_buf_printf(&out, " AND (%s OR %s IS NULL OR ", same, column);
        r->db->driver->same(&out, column, fresh ? fresh : "NULL");
        rb_buf_puts(&out, ")");
    }
    rb_sql_put(one->parts, "untouched", rb_buf_detach(&out));
}

static enum rb_code decide_values(const rb_restore *r, rb_restored *one, rb_err *err)
{
    bool any;
    RB_AUTO(rb_json_freep)
    json_t *others =
        rb_names_of(json_object_get(one->t, "compared"), json_object_get(one->t, "key"), false);
    RB_TRY(set_orphans(&any, r, one, one->columns, err));
    set_untouched(r, one);
    rb_sql_put(one->parts, "same", rb_sql_same(r->db, one->columns));
    rb_sql_set(one->parts, "recognised",
               r->options->overwrite ? ""
               : json_array_size(others) > 0
                   ? "WHEN s.state = 'moved' THEN 'moved' WHEN s.state = 'changed' THEN 'changed'"
                     " WHEN s.state <> 'same' THEN 'unknown'"
                   : "WHEN s.state = 'moved' THEN 'moved' WHEN 1 = 1 THEN 'key only'");
    rb_sql_set(one->parts, "referring",
               any ? "WHEN d.rbtool_row IN ({orphans}) THEN 'orphan'" : "");
    rb_sql_set(one->parts, "scripts",
               r->options->manual || r->known == RB_SCRIPTS_ALL
                   ? ""
                   : "WHEN NOT ({untouched}) THEN 'written'");
    rb_sql_set(one->parts, "act",
               "CASE WHEN NOT {exists} THEN CASE s.state WHEN 'moved' THEN 'moved' ELSE 'deleted'"
               " END WHEN {same} THEN NULL {recognised} {referring} {scripts} ELSE 'update' END");
    return decide(r, one, err);
}

/* Sets {differs}, a condition: a value of the row differs from the backup's and may be restored. */
static void set_differs(const rb_restore *r, const rb_restored *one, json_t *name)
{
    RB_AUTO(rb_json_freep) json_t *alone = json_pack("[O]", name);
    rb_sql_put(one->parts, "column", rb_sql_list(alone, "d.@", ""));
    rb_sql_put(one->parts, "same", rb_sql_same(r->db, alone));
    rb_sql_set(one->parts, "differs",
               json_array_size(one->columns) == 1 ? "1 = 1" : "NOT ({exists} AND {same})");
}

enum rb_code rb_restore_values(rb_restore *r, rb_restored *one, rb_err *err)
{
    static const char from[] = "{data} AS d JOIN {rows} AS s ON s.rbtool_row = d.rbtool_row LEFT"
                               " JOIN {live} AS n ON {on}";
    static const char *const counts[] = {
        "SELECT count(*) FROM {from} WHERE s.act = 'update' AND {differs}",
        "SELECT -count(*) FROM {from} WHERE s.act = 'refused' AND {differs}"};
    RB_AUTO(rb_json_freep) json_t *entries = json_array();
    rb_json_each (name, one->columns)
        json_array_append(entries, rb_restore_entry(r, one, json_string_value(name)));
    if (one->keyed)
        RB_TRY(decide_values(r, one, err));
    rb_sql_set(one->parts, "from", from);
    /* A value that differs and is not refused is restored. */
    for (int after = 0; one->keyed && after < 2; after++) {
        rb_json_each (name, one->columns) {
            int64_t n;
            set_differs(r, one, name);
            RB_TRY(rb_sql_number(&n, r->db, one->parts, counts[after], err));
            add_count(json_array_get(entries, name_at), "restored", n);
        }
        if (!after)
            RB_TRY(update_rows(r, one, one->columns, err));
    }
    rb_json_each (name, one->columns) {
        set_differs(r, one, name);
        RB_TRY(rb_restore_missing(
            json_array_get(entries, name_at), r, one, one->keyed ? from : "{data} AS d",
            one->keyed ? "s.act <> 'update' AND {differs}" : "{column} IS NOT NULL",
            one->keyed ? "s.act" : "'no key'", err));
    }
    return set_counter(r, one, err);
}
