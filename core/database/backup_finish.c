/* Completes a backup: records what the scripts did to each row, as it will be committed. */
#include <stdlib.h>
#include <string.h>

#include "database/backup.h"
#include "database/backup_sql.h"
#include "database/loss.h"

#define RENAMES 10 /* renames of one table that are followed; more are a circle */

typedef struct finishing {
    rb_db *db;
    const rb_backup_spec *spec;
    rb_backup_file *file;
    const json_t *before;
} finishing;

/* True if scripts may have written a column of the table's key. */
static bool writes_key(const finishing *f, const json_t *t)
{
    rb_json_each (item, f->spec->items) {
        const char *table = rb_json_str(item, "table");
        const char *column = rb_json_str(item, "column");
        if (table && column && strcmp(table, rb_json_str(t, "name")) == 0 &&
            rb_names_have(json_object_get(t, "key"), column))
            return true;
    }
    return false;
}

/* True if the rows are as they were copied, apart from dropped columns. The hashes are then valid.
 */
static bool is_untouched(const finishing *f, const json_t *t, const json_t *now)
{
    const json_t *compared = json_object_get(t, "compared");
    if (json_array_size(compared) == 0 || !f->spec->outcome ||
        !rb_names_have_all(json_object_get(now, "columns"), compared))
        return false;
    rb_json_each (place, f->spec->outcome->bound) {
        const char *column = rb_json_str(place, "column");
        if (strcmp(rb_json_str(place, "table"), rb_json_str(t, "name")) == 0 &&
            (!column || rb_names_have(json_object_get(now, "columns"), column)))
            return false;
    }
    return true;
}

static enum rb_code note(const finishing *f, const json_t *t, const json_t *parts,
                         const char *select, rb_err *err)
{
    RB_AUTO(rb_free_str) char *sql = rb_sql_fill(parts, select);
    return f->db->driver->backup_note(f->file, t, sql, err);
}

/* Marks rows as moved if the database has the same content under another key, in a row that is not
 * in the backup. */
static enum rb_code note_moved(const finishing *f, const json_t *t, json_t *parts,
                               const json_t *shared, rb_err *err)
{
    int64_t others;
    rb_sql_put(parts, "here", rb_sql_hash(f->db, "n", shared));
    rb_sql_put(parts, "there", rb_sql_hash(f->db, "d", shared));
    RB_TRY(rb_sql_number(&others, f->db, parts,
                         "SELECT (SELECT count(*) FROM {live}) - (SELECT count(*) FROM {data} AS d"
                         " JOIN {live} AS n ON {on})",
                         err));
    if (others <= 0)
        return RB_OK;
    return note(f, t, parts,
                "WITH there AS (SELECT hash, sum(times) AS times FROM (SELECT {here} AS hash, 1 AS"
                " times FROM {live} AS n UNION ALL SELECT {here}, -1 FROM {data} AS d JOIN {live}"
                " AS n ON {on}) AS rows_ GROUP BY hash), missing AS (SELECT d.rbtool_row AS"
                " rbtool_row, {there} AS hash, row_number() OVER (PARTITION BY {there} ORDER BY"
                " d.rbtool_row) AS place FROM {data} AS d LEFT JOIN {live} AS n ON {on} WHERE NOT"
                " {exists} AND NOT {null}) SELECT rbtool_row, 'moved', NULL FROM missing JOIN there"
                " ON there.hash = missing.hash WHERE place <= times",
                err);
}

static enum rb_code finish_rows(const finishing *f, json_t *t, const json_t *now, rb_err *err)
{
    const json_t *columns = json_object_get(now, "columns");
    bool writes = writes_key(f, t);
    RB_AUTO(rb_json_freep) json_t *parts = json_object();
    RB_AUTO(rb_json_freep)
    json_t *shared = rb_names_of(json_object_get(t, "columns"), columns, true);
    rb_sql_set_table(parts, f->file, t, now);
    /* A row whose column was dropped counts as changed: that column's values must be restored. */
    bool dropped = !rb_names_have_all(columns, json_object_get(t, "automatic"));
    rb_sql_put(parts, "same", dropped ? rb_strdup("1 = 0") : rb_sql_same(f->db, shared));
    rb_sql_put(parts, "hash", rb_sql_hash(f->db, "n", columns));
    rb_sql_set(parts, "moved", writes ? "1 = 1" : "{null}");
    json_object_set(t, "compared", (json_t *)columns);
    RB_TRY(note(f, t, parts,
                "SELECT d.rbtool_row, CASE WHEN {exists} THEN CASE WHEN {same} THEN 'kept' ELSE"
                " 'changed' END WHEN {moved} THEN 'moved' END, CASE WHEN {exists} THEN {hash} END"
                " FROM {data} AS d LEFT JOIN {live} AS n ON {on}",
                err));
    if (writes || !rb_backup_is(t, "rows") || json_array_size(shared) == 0)
        return RB_OK;
    return note_moved(f, t, parts, shared, err);
}

/* Looks for the backup's rows in a table that scripts created: the same key with equal values. Rows
 * can be recognised later only in the first such table. known: a condition that excludes the rows
 * found so far. */
static enum rb_code note_copied_to(rb_buf *known, const finishing *f, json_t *t, const char *name,
                                   rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *now = NULL;
    RB_AUTO(rb_json_freep) json_t *parts = json_object();
    const json_t *columns = json_object_get(t, "columns");
    int64_t rows;
    RB_TRY(f->db->driver->table(&now, f->db, name, err));
    RB_AUTO(rb_json_freep)
    json_t *shared = rb_names_of(columns, json_object_get(now, "columns"), true);
    if (!now || !rb_backup_same_key(t, now) ||
        (json_array_size(shared) == 0 && json_array_size(columns) > 0))
        return RB_OK;
    rb_sql_set_table(parts, f->file, t, now);
    rb_sql_put(parts, "same", rb_sql_same(f->db, shared));
    rb_json_set_str(parts, "known", rb_buf_str(known));
    rb_sql_set(parts, "found", "{data} AS d JOIN {live} AS n ON {on} WHERE {same}{known}");
    RB_TRY(rb_sql_number(&rows, f->db, parts, "SELECT count(*) FROM {found}", err));
    if (rows == 0)
        return RB_OK;
    bool recognised = !rb_json_str(t, "moved") && json_array_size(shared) > 0;
    bool dropped = !rb_names_have_all(shared, json_object_get(t, "automatic"));
    if (recognised)
        json_object_set(t, "compared", shared);
    if (!rb_json_str(t, "moved"))
        rb_json_set_str(t, "moved", name);
    rb_sql_put(parts, "hash", recognised ? rb_sql_hash(f->db, "n", shared) : rb_strdup("NULL"));
    rb_sql_set(parts, "state", !recognised ? "moved" : dropped ? "changed" : "kept");
    RB_AUTO(rb_free_str)
    char *more = rb_sql_fill(parts, " AND d.rbtool_row NOT IN (SELECT d.rbtool_row FROM {found})");
    rb_buf_puts(known, more);
    return note(f, t, parts, "SELECT d.rbtool_row, '{state}', {hash} FROM {found}", err);
}

/* Handles a table that was dropped: scripts may have copied its rows into new tables. */
static enum rb_code note_copied(const finishing *f, json_t *t, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *tables = NULL;
    RB_AUTO(rb_json_freep) json_t *parts = json_object();
    RB_AUTO(rb_buf_clear) rb_buf known = {0};
    RB_TRY(rb_backup_tables(&tables, f->db, err));
    json_object_set_new(t, "compared", json_array());
    rb_sql_set_table(parts, f->file, t, NULL);
    RB_TRY(note(f, t, parts, "SELECT rbtool_row, NULL, NULL FROM {data}", err));
    rb_json_each (name, tables)
        if (!rb_names_have(f->before, json_string_value(name)))
            RB_TRY(note_copied_to(&known, f, t, json_string_value(name), err));
    return RB_OK;
}

/* Finds the table under the name that scripts gave it. Leaves *now as it is if none exists. */
static enum rb_code find_renamed(json_t **now, json_t *t, const finishing *f, rb_err *err)
{
    const json_t *effects = f->spec->outcome ? f->spec->outcome->effects : NULL;
    const char *name = NULL;
    const char *next = rb_json_str(t, "name");
    for (int i = 0; next && i < RENAMES; i++) {
        RB_AUTO(rb_free_str) char *key = rb_loss_key(next);
        next = rb_json_str(json_object_get(effects, key), "renamed");
        name = next ? next : name;
    }
    if (!name)
        return RB_OK;
    RB_AUTO(rb_json_freep) json_t *renamed = NULL;
    RB_TRY(f->db->driver->table(&renamed, f->db, name, err));
    if (!renamed)
        return RB_OK;
    json_decref(*now);
    *now = json_incref(renamed);
    rb_json_set_str(t, "moved", name);
    return RB_OK;
}

static enum rb_code finish_table(const finishing *f, json_t *t, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *now = NULL;
    RB_TRY(f->db->driver->table(&now, f->db, rb_json_str(t, "name"), err));
    json_object_set_new(t, "gone", json_boolean(!now));
    RB_TRY(find_renamed(&now, t, f, err));
    if (now && rb_backup_same_key(t, now))
        return is_untouched(f, t, now) ? RB_OK : finish_rows(f, t, now, err);
    if (!now && json_array_size(json_object_get(t, "key")) > 0)
        return note_copied(f, t, err);
    json_object_set_new(t, "compared", json_array());
    return RB_OK;
}

enum rb_code rb_db_backup_finish(rb_db *db, const rb_backup_spec *spec, rb_err *err)
{
    finishing f = {.db = db, .spec = spec};
    RB_TRY(db->driver->backup_open(&f.file, db, spec->path, RB_BACKUP_FINISH, err));
    f.before = json_object_get(f.file->about, "before");
    RB_AUTO(rb_json_freep) json_t *about = json_incref(f.file->about);
    enum rb_code code = db->driver->backup_attach(f.file, err);
    rb_json_each (t, json_object_get(about, "tables"))
        if (code == RB_OK)
            code = finish_table(&f, t, err);
    if (code == RB_OK)
        return db->driver->backup_close(f.file, about, err);
    (void)!db->driver->backup_close(f.file, NULL, RB_IGNORED);
    return code;
}
