/* Restoring values: of columns that scripts dropped or wrote. */
#include <stdlib.h>
#include <string.h>

#include "database/sqlite/restore.h"

static const char deleted[] = "the rows were deleted since";
static const char only_key[] = "the table has no other column to recognise its rows by";
static const char keyless[] = "the table has no key to find its rows by";

typedef struct values_of {
    rb_sqlite_restore *r;
    size_t index;
    rb_row_access access;
    rb_parents parents;
    json_t **entries; /* of access.columns */
} values_of;

/* The reason why the values of this row stay as they are; NULL: none. */
static enum rb_code obstacle(const char **out, values_of *of, rb_stmt *row, unsigned char state,
                             bool recognisable, rb_err *err)
{
    bool exist = true;
    bool same = state == RB_ROW_SAME || state == RB_ROW_SAME_ORPHAN;
    *out = NULL;
    if (!of->r->options->overwrite) {
        *out = state == RB_ROW_MOVED     ? rb_restore_reasons[RB_ROW_WAS_MOVED]
               : !recognisable           ? only_key
               : state == RB_ROW_CHANGED ? rb_restore_reasons[RB_ROW_WAS_CHANGED]
               : !same                   ? rb_restore_reasons[RB_ROW_NOT_COMPARED]
                                         : NULL;
    }
    if (!*out)
        RB_TRY(rb_parents_exist(&exist, &of->parents, row, err));
    if (!exist)
        *out = rb_restore_reasons[RB_ROW_ORPHAN];
    return RB_OK;
}

static enum rb_code restore_values(values_of *of, rb_stmt *row, unsigned char state,
                                   bool recognisable, rb_err *err)
{
    rb_row_access *a = &of->access;
    bool exists;
    bool done = false;
    bool differ[RB_SQLITE_COLUMNS] = {false};
    const char *reason = state == RB_ROW_MOVED ? rb_restore_reasons[RB_ROW_WAS_MOVED] : deleted;
    RB_TRY(rb_row_find(&exists, a, row, err));
    bool untouched = exists;
    for (size_t i = 0; i < a->columns.n; i++) {
        differ[i] = !exists || rb_row_differs(a, i, row);
        untouched = untouched && (!differ[i] || rb_row_is_default(a, i));
    }
    if (exists && !rb_row_any_differs(a, row))
        return RB_OK;
    rb_stmt_reset(a->find.stmt);
    if (exists) {
        RB_TRY(obstacle(&reason, of, row, state, recognisable, err));
        if (!reason && !of->r->options->manual && of->r->known != RB_SCRIPTS_ALL && !untouched)
            reason = rb_restore_reasons[RB_ROW_WRITTEN];
        if (!reason)
            RB_TRY(rb_row_set(&done, a, row, err));
        if (!reason && !done)
            reason = rb_restore_reasons[RB_ROW_REFUSED];
    }
    for (size_t i = 0; i < a->columns.n; i++) {
        if (differ[i] && done)
            rb_restore_count(of->entries[i], "restored", 1);
        else if (differ[i])
            rb_restore_missing(of->entries[i], a->table, row, reason);
    }
    return RB_OK;
}

static bool can_recognise(const rb_backup_table *t)
{
    for (size_t i = 0; i < t->compared.n; i++)
        if (!rb_strs_has_name(&t->key, t->compared.items[i]))
            return true;
    return false;
}

static enum rb_code each_value(values_of *of, rb_err *err)
{
    rb_sqlite_restore *r = of->r;
    const rb_backup_table *t = of->access.table;
    bool keyed = rb_restore_same_key(t, &r->tables[of->index].now);
    bool recognisable = can_recognise(t);
    RB_AUTO(rb_repeated_clear) rb_repeated rows = {0};
    bool row;
    RB_TRY(
        rb_repeated_prepare(&rows, r->file.db, rb_restore_select(t, ""), "reading a backup", err));
    if (keyed)
        RB_TRY(rb_row_access_keyed(&of->access, r, of->index, err));
    RB_TRY(rb_parents_open(&of->parents, r, of->index, &of->access.columns, err));
    RB_TRY(rb_repeated_step(&row, &rows, err));
    while (row) {
        rb_cell id;
        rb_stmt_cell(&id, rows.stmt, 0);
        if (keyed)
            RB_TRY(restore_values(of, rows.stmt, r->tables[of->index].states[id.integer],
                                  recognisable, err));
        for (size_t i = 0; !keyed && i < of->access.columns.n; i++) {
            rb_cell value;
            rb_stmt_cell(&value, rows.stmt, rb_restore_column(t, of->access.columns.items[i]));
            if (value.kind != RB_CELL_NULL)
                rb_restore_missing(of->entries[i], t, rows.stmt, keyless);
        }
        RB_TRY(rb_repeated_step(&row, &rows, err));
    }
    return RB_OK;
}

static enum rb_code comes_back(bool *out, rb_sqlite_restore *r, size_t index, const char *column,
                               rb_err *err)
{
    const rb_restored_table *restored = &r->tables[index];
    const rb_backup_table *t = restored->table;
    bool dropped = !rb_strs_has_name(&t->compared, column);
    *out = rb_strs_has_name(&restored->now.columns, column);
    if (!*out || r->options->manual)
        return RB_OK;
    *out = !rb_restore_was_done(r, t->name, column) && rb_strs_has_name(&t->automatic, column) &&
           (dropped ? !rb_strs_has_name(&restored->before.columns, column) : r->undone);
    if (!*out || !dropped || r->known != RB_SCRIPTS_OTHER)
        return RB_OK;
    *out = false;
    return rb_restore_refuse(r, t, column, err);
}

enum rb_code rb_restore_values(rb_sqlite_restore *r, size_t index, rb_err *err)
{
    const rb_backup_table *t = r->tables[index].table;
    values_of of = {.r = r, .index = index, .access = {.table = t}};
    if (t->kind != RB_BACKUP_VALUES || !r->tables[index].now.exists || !rb_restore_is_named(r, t))
        return RB_OK;
    enum rb_code code = RB_OK;
    for (size_t i = 0; i < t->columns.n && code == RB_OK; i++) {
        bool wanted = false;
        code = comes_back(&wanted, r, index, t->columns.items[i], err);
        if (wanted)
            rb_strs_add(&of.access.columns, t->columns.items[i]);
    }
    of.entries = rb_calloc(of.access.columns.n + 1, sizeof *of.entries);
    for (size_t i = 0; i < of.access.columns.n; i++)
        of.entries[i] = rb_restore_entry(r, t->name, of.access.columns.items[i]);
    if (code == RB_OK && of.access.columns.n > 0)
        code = each_value(&of, err);
    rb_row_access_clear(&of.access);
    rb_parents_clear(&of.parents);
    free(of.entries);
    return code;
}
