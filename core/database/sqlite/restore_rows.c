/* Restoring whole rows: of tables that scripts dropped, and that they deleted or replaced. */
#include <stdlib.h>
#include <string.h>

#include "database/sqlite/restore.h"

static const char no_column[] = "the table does not have that column now";

static bool null_in_key(const rb_backup_table *t, rb_stmt *row)
{
    for (size_t i = 0; i < t->key.n; i++) {
        rb_cell cell;
        rb_stmt_cell(&cell, row, 1 + i);
        if (cell.kind == RB_CELL_NULL)
            return true;
    }
    return false;
}

/* A row that is not there by rights: the scripts deleted it, or others did. */
static enum rb_code bring_back(unsigned char *state, rb_restored_rows *of, rb_stmt *row,
                               rb_err *err)
{
    rb_row_access *a = &of->access;
    const rb_backup_table *t = a->table;
    bool exists = false;
    bool done = false;
    if (!of->fits || ((!of->keyed || null_in_key(t, row)) && !of->was_empty)) {
        *state = of->fits ? RB_ROW_KEYLESS : RB_ROW_NOT_COMPARED;
        return RB_OK;
    }
    if (of->keyed)
        RB_TRY(rb_row_find(&exists, a, row, err));
    if (exists && !rb_row_any_differs(a, row))
        return RB_OK; /* the scripts made it again */
    if (exists && !of->r->options->overwrite) {
        *state = RB_ROW_TAKEN;
        return RB_OK;
    }
    if (exists)
        RB_TRY(rb_row_set(&done, a, row, err));
    else
        RB_TRY(rb_row_insert(&done, a, row, of->r->tables[of->index].now.has_rowid_name, err));
    *state = done ? RB_ROW_RESTORED : RB_ROW_REFUSED;
    return RB_OK;
}

/* A row that is there, or was. */
static enum rb_code set_back(unsigned char *state, rb_restored_rows *of, rb_stmt *row,
                             const rb_cell *digests, rb_err *err)
{
    rb_row_access *a = &of->access;
    bool exists;
    bool done = false;
    RB_TRY(rb_row_find(&exists, a, row, err));
    if (*state == RB_ROW_MOVED) {
        *state = exists ? RB_ROW_MOVED : RB_ROW_WAS_MOVED;
        return RB_OK;
    }
    bool same = *state == RB_ROW_SAME || *state == RB_ROW_SAME_ORPHAN;
    if (!exists && same) /* the way back deleted what the scripts had put in its place */
        return bring_back(state, of, row, err);
    if (exists && !rb_row_any_differs(a, row))
        return RB_OK;
    rb_stmt_reset(a->find.stmt);
    if (!same && *state == RB_ROW_CHANGED && !rb_restore_touched(of->r, of->index, row, digests) &&
        !of->r->options->overwrite)
        return RB_OK; /* what others changed, and not the scripts */
    if (!same && !of->r->options->overwrite) {
        if (exists || *state == RB_ROW_CHANGED)
            *state = *state == RB_ROW_CHANGED ? RB_ROW_WAS_CHANGED : RB_ROW_NOT_COMPARED;
        return RB_OK;
    }
    if (!exists)
        return bring_back(state, of, row, err);
    if (of->r->known != RB_SCRIPTS_ALL) { /* what new scripts made of the row stays */
        *state = RB_ROW_WRITTEN;
        return RB_OK;
    }
    RB_TRY(rb_row_set(&done, a, row, err));
    if (done)
        rb_restore_count(of->entry, "restored", 1);
    else
        *state = RB_ROW_REFUSED;
    return RB_OK;
}

/* Of a table without a key: rows of the backup that are there as they were are not missing. */
static enum rb_code take_live(rb_restored_rows *of, rb_err *err)
{
    rb_sqlite_restore *r = of->r;
    const rb_backup_table *t = of->access.table;
    unsigned char *states = r->tables[of->index].states;
    RB_AUTO(rb_row_contents_close) rb_row_contents contents = {0};
    RB_AUTO(rb_repeated_clear) rb_repeated live = {0};
    RB_AUTO(rb_repeated_clear) rb_repeated rows = {0};
    RB_AUTO(rb_free_str) char *name = rb_sqlite_name(t->name);
    RB_AUTO(rb_free_str) char *columns = rb_sqlite_spread(&t->columns, ", @", "");
    bool row;
    bool found;
    if (of->access.columns.n < t->columns.n || t->key.n > 0)
        return RB_OK;
    RB_TRY(rb_row_contents_open(&contents, r->db, err));
    RB_TRY(rb_repeated_prepare(&live, r->db, rb_format("SELECT 1%s FROM main.%s", columns, name),
                               "reading a table without a key", err));
    RB_TRY(rb_repeated_step(&row, &live, err));
    while (row) {
        RB_TRY(rb_row_contents_add(&contents, live.stmt, 1, t->columns.n, 1, err));
        RB_TRY(rb_repeated_step(&row, &live, err));
    }
    RB_TRY(
        rb_repeated_prepare(&rows, r->file.db, rb_restore_select(t, ""), "reading a backup", err));
    RB_TRY(rb_repeated_step(&row, &rows, err));
    while (row) {
        rb_cell id;
        rb_stmt_cell(&id, rows.stmt, 0);
        RB_TRY(rb_row_contents_take(&found, &contents, rows.stmt, 2, t->columns.n, err));
        if (found)
            states[id.integer] = RB_ROW_SAME;
        RB_TRY(rb_repeated_step(&row, &rows, err));
    }
    return RB_OK;
}

enum rb_code rb_restored_rows_restore(rb_restored_rows *of, rb_err *err)
{
    rb_sqlite_restore *r = of->r;
    const rb_backup_table *t = of->access.table;
    unsigned char *states = r->tables[of->index].states;
    size_t width = 1 + (t->key.n ? t->key.n : 1) + t->columns.n;
    RB_AUTO(rb_repeated_clear) rb_repeated rows = {0};
    bool row;
    RB_TRY(rb_repeated_prepare(&rows, r->file.db, rb_restore_select(t, ", a.columns"),
                               "reading a backup", err));
    RB_TRY(rb_repeated_step(&row, &rows, err));
    while (row) {
        rb_cell id;
        rb_cell digests;
        rb_stmt_cell(&id, rows.stmt, 0);
        rb_stmt_cell(&digests, rows.stmt, width);
        unsigned char *state = &states[id.integer];
        bool wanted = *state == RB_ROW_GONE || (!of->keyed && *state == RB_ROW_UNKNOWN) ||
                      (*state == RB_ROW_DELETED && r->options->deleted);
        if (wanted)
            RB_TRY(bring_back(state, of, rows.stmt, err));
        else if (*state != RB_ROW_DELETED && of->keyed)
            RB_TRY(set_back(state, of, rows.stmt, &digests, err));
        RB_TRY(rb_repeated_step(&row, &rows, err));
    }
    return RB_OK;
}

static enum rb_code restore_counter(const rb_sqlite_restore *r, const rb_backup_table *t,
                                    rb_err *err)
{
    int64_t exists;
    RB_AUTO(rb_free_str) char *name = rb_sqlite_text(t->name);
    if (t->counter < 0 || !t->gone)
        return RB_OK;
    RB_TRY(rb_sqlite_int(&exists, r->db,
                         rb_format("SELECT count(*) FROM main.sqlite_schema WHERE name = %s COLLATE"
                                   " NOCASE AND sql LIKE '%%autoincrement%%'",
                                   name),
                         err));
    if (!exists)
        return RB_OK;
    return rb_sqlite_run(
        r->db,
        rb_format("UPDATE main.sqlite_sequence SET seq = max(seq, %lld) WHERE name = %s COLLATE"
                  " NOCASE; INSERT INTO main.sqlite_sequence(name, seq) SELECT name, %lld FROM"
                  " main.sqlite_schema s WHERE name = %s COLLATE NOCASE AND type = 'table' AND NOT"
                  " EXISTS (SELECT 1 FROM main.sqlite_sequence q WHERE q.name = s.name)",
                  (long long)t->counter, name, (long long)t->counter, name),
        NULL, NULL, err);
}

/* Columns that the backup has and the table does not have now: of the rows that were restored. */
static enum rb_code name_columns(rb_restored_rows *of, rb_err *err)
{
    rb_sqlite_restore *r = of->r;
    const rb_backup_table *t = of->access.table;
    RB_AUTO(rb_free_str) char *raw = rb_restore_select(t, "");
    for (size_t i = 0; i < t->columns.n; i++) {
        const char *column = t->columns.items[i];
        json_t *entry = NULL;
        bool row;
        if (rb_strs_has_name(&r->tables[of->index].now.columns, column))
            continue;
        RB_AUTO(rb_repeated_clear) rb_repeated rows = {0};
        RB_TRY(rb_repeated_prepare(&rows, r->file.db, rb_strdup(raw), "reading a backup", err));
        RB_TRY(rb_repeated_step(&row, &rows, err));
        while (row) {
            rb_cell id;
            rb_cell value;
            rb_stmt_cell(&id, rows.stmt, 0);
            rb_stmt_cell(&value, rows.stmt, rb_restore_column(t, column));
            if (r->tables[of->index].states[id.integer] == RB_ROW_RESTORED &&
                value.kind != RB_CELL_NULL) {
                entry = entry ? entry : rb_restore_entry(r, t->name, column);
                rb_restore_missing(entry, t, rows.stmt, no_column);
            }
            RB_TRY(rb_repeated_step(&row, &rows, err));
        }
    }
    return RB_OK;
}

/* After the orphans are gone again: what became of each row. */
enum rb_code rb_restored_rows_report(rb_restored_rows *of, rb_err *err)
{
    rb_sqlite_restore *r = of->r;
    const rb_backup_table *t = of->access.table;
    RB_AUTO(rb_repeated_clear) rb_repeated rows = {0};
    bool row;
    RB_TRY(
        rb_repeated_prepare(&rows, r->file.db, rb_restore_select(t, ""), "reading a backup", err));
    RB_TRY(rb_repeated_step(&row, &rows, err));
    while (row) {
        rb_cell id;
        rb_stmt_cell(&id, rows.stmt, 0);
        unsigned char state = r->tables[of->index].states[id.integer];
        if (state == RB_ROW_RESTORED)
            rb_restore_count(of->entry, "restored", 1);
        if (rb_restore_reasons[state])
            rb_restore_missing(of->entry, t, rows.stmt, rb_restore_reasons[state]);
        RB_TRY(rb_repeated_step(&row, &rows, err));
    }
    RB_TRY(name_columns(of, err));
    return restore_counter(r, t, err);
}

enum rb_code rb_restored_rows_open(rb_restored_rows *of, rb_err *err)
{
    rb_sqlite_restore *r = of->r;
    const rb_backup_table *t = r->tables[of->index].table;
    const rb_table_shape *now = &r->tables[of->index].now;
    RB_AUTO(rb_free_str) char *name = rb_sqlite_name(t->name);
    int64_t has_rows;
    of->access.table = t;
    of->entry = rb_restore_entry(r, t->name, NULL);
    for (size_t i = 0; i < t->columns.n; i++)
        if (rb_strs_has_name(&now->columns, t->columns.items[i]))
            rb_strs_add(&of->access.columns, t->columns.items[i]);
    RB_TRY(rb_sqlite_int(&has_rows, r->db, rb_format("SELECT EXISTS (SELECT 1 FROM main.%s)", name),
                         err));
    /* Without a key, only all rows of a table that the scripts recreated. */
    of->was_empty = !has_rows && (t->gone || r->options->manual);
    of->keyed = rb_restore_same_key(t, now);
    of->fits = true;
    for (size_t i = 0; i < t->key.n; i++)
        of->fits = of->fits && rb_strs_has_name(&now->columns, t->key.items[i]);
    if (of->keyed)
        RB_TRY(rb_row_access_keyed(&of->access, r, of->index, err));
    if (!of->keyed && !of->was_empty)
        RB_TRY(take_live(of, err));
    return of->fits ? rb_row_access_insert(&of->access, r, of->index, err) : RB_OK;
}
