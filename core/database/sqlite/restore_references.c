/* Restored rows whose parents are gone, or are other rows by now, are removed again. */
#include <stdlib.h>

#include "database/sqlite/restore.h"

static const char looking[] = "looking for the rows that restored ones refer to";

static bool is_wanted(const rb_backup_reference *reference, const rb_strs *only)
{
    for (size_t i = 0; i < reference->columns.n; i++)
        if (!only || rb_strs_has_name(only, reference->columns.items[i]))
            return true;
    return false;
}

static enum rb_code add_parent(rb_parents *p, const rb_backup_reference *reference, rb_err *err)
{
    const rb_backup_table *parent = &p->r->file.tables[reference->parent];
    RB_AUTO(rb_table_shape_clear) rb_table_shape shape = {0};
    RB_TRY(rb_table_shape_read(&shape, p->r->db, parent->name, err));
    p->list = rb_realloc(p->list, p->n + 1, sizeof *p->list);
    struct rb_parent *one = &p->list[p->n++];
    *one = (struct rb_parent){.reference = reference};
    for (size_t i = 0; i < reference->parent_columns.n; i++)
        if (!rb_strs_has_name(&shape.columns, reference->parent_columns.items[i]))
            return RB_OK; /* no row can be found there */
    RB_AUTO(rb_free_str) char *name = rb_sqlite_name(parent->name);
    RB_AUTO(rb_free_str) char *data = rb_sqlite_name(parent->data);
    RB_AUTO(rb_free_str) char *columns = rb_sqlite_spread(&reference->parent_columns, "@", ", ");
    RB_AUTO(rb_free_str) char *where = rb_table_where(&shape, &reference->parent_columns);
    RB_AUTO(rb_free_str)
    char *same = rb_sqlite_spread(&reference->parent_columns, "@ = ?", " AND ");
    RB_TRY(rb_repeated_prepare(&one->live, p->r->db,
                               rb_format("SELECT %s FROM main.%s WHERE %s", columns, name, where),
                               looking, err));
    return rb_repeated_prepare(&one->kept, p->r->file.db,
                               rb_format("SELECT rowid FROM main.%s WHERE %s", data, same), looking,
                               err);
}

enum rb_code rb_parents_open(rb_parents *out, rb_sqlite_restore *r, size_t index,
                             const rb_strs *only, rb_err *err)
{
    *out = (rb_parents){.r = r};
    for (size_t i = 0; i < r->file.reference_count; i++)
        if (r->file.references[i].child == index && is_wanted(&r->file.references[i], only))
            RB_TRY(add_parent(out, &r->file.references[i], err));
    return RB_OK;
}

void rb_parents_clear(rb_parents *p)
{
    for (size_t i = 0; i < p->n; i++) {
        rb_repeated_clear(&p->list[i].live);
        rb_repeated_clear(&p->list[i].kept);
    }
    free(p->list);
    *p = (rb_parents){0};
}

static enum rb_code parent_exists(bool *out, rb_sqlite_restore *r, struct rb_parent *parent,
                                  rb_stmt *row, rb_err *err)
{
    const rb_backup_reference *reference = parent->reference;
    const rb_backup_table *child = &r->file.tables[reference->child];
    const rb_backup_table *table = &r->file.tables[reference->parent];
    rb_cell cell;
    bool found;
    *out = true;
    for (size_t i = 0; i < reference->columns.n; i++) {
        rb_stmt_cell(&cell, row, rb_restore_column(child, reference->columns.items[i]));
        if (cell.kind == RB_CELL_NULL)
            return RB_OK; /* refers to nothing */
    }
    *out = false;
    if (!parent->kept.stmt)
        return RB_OK;
    for (size_t i = 0; i < reference->columns.n; i++)
        RB_TRY(rb_repeated_bind(&parent->live, i + 1, row,
                                rb_restore_column(child, reference->columns.items[i]), 1, err));
    RB_TRY(rb_repeated_step(&found, &parent->live, err));
    if (!found)
        return RB_OK;
    RB_TRY(rb_repeated_bind(&parent->kept, 1, parent->live.stmt, 0, reference->columns.n, err));
    RB_TRY(rb_repeated_step(&found, &parent->kept, err));
    if (!found)
        return RB_OK;
    rb_stmt_cell(&cell, parent->kept.stmt, 0);
    unsigned char state = cell.integer > 0 && cell.integer <= table->rows
                              ? r->tables[reference->parent].states[cell.integer]
                              : RB_ROW_UNKNOWN;
    *out = state == RB_ROW_SAME || state == RB_ROW_RESTORED;
    return RB_OK;
}

enum rb_code rb_parents_exist(bool *out, rb_parents *p, rb_stmt *row, rb_err *err)
{
    *out = true;
    for (size_t i = 0; i < p->n && *out; i++)
        RB_TRY(parent_exists(out, p->r, &p->list[i], row, err));
    return RB_OK;
}

static enum rb_code prepare_remove(rb_repeated *out, rb_sqlite_restore *r, size_t index,
                                   rb_err *err)
{
    const rb_backup_table *t = r->tables[index].table;
    const rb_table_shape *shape = &r->tables[index].now;
    RB_AUTO(rb_free_str) char *name = rb_sqlite_name(t->name);
    RB_AUTO(rb_free_str) char *where = rb_table_where(shape, &t->key);
    if (!shape->exists || (!t->key.n && !shape->has_rowid_name))
        return RB_OK;
    return rb_repeated_prepare(
        out, r->db,
        rb_format("DELETE FROM main.%s WHERE %s", name, t->key.n ? where : "rowid = ?1"),
        "removing a row that was restored without its parent", err);
}

/* One look at each row of a table that is there, or was restored. */
static enum rb_code remove_from(bool *more, rb_sqlite_restore *r, size_t index, rb_err *err)
{
    const rb_backup_table *t = r->tables[index].table;
    unsigned char *states = r->tables[index].states;
    RB_AUTO(rb_parents_clear) rb_parents parents = {0};
    RB_AUTO(rb_repeated_clear) rb_repeated rows = {0};
    RB_AUTO(rb_repeated_clear) rb_repeated remove = {0};
    bool row;
    bool exist;
    RB_TRY(rb_parents_open(&parents, r, index, NULL, err));
    if (parents.n == 0)
        return RB_OK;
    RB_TRY(rb_repeated_prepare(&rows, r->file.db, rb_restore_select(t, ""), looking, err));
    RB_TRY(prepare_remove(&remove, r, index, err));
    RB_TRY(rb_repeated_step(&row, &rows, err));
    for (; row;) {
        rb_cell id;
        rb_stmt_cell(&id, rows.stmt, 0);
        unsigned char *state = &states[id.integer];
        exist = true;
        if (*state == RB_ROW_SAME || *state == RB_ROW_RESTORED)
            RB_TRY(rb_parents_exist(&exist, &parents, rows.stmt, err));
        if (!exist && *state == RB_ROW_RESTORED && remove.stmt) {
            bool ignored;
            RB_TRY(rb_repeated_bind(&remove, 1, rows.stmt, 1, t->key.n ? t->key.n : 1, err));
            RB_TRY(rb_repeated_step(&ignored, &remove, err));
        }
        if (!exist)
            *state = *state == RB_ROW_SAME ? RB_ROW_SAME_ORPHAN : RB_ROW_ORPHAN;
        *more |= !exist;
        RB_TRY(rb_repeated_step(&row, &rows, err));
    }
    return RB_OK;
}

enum rb_code rb_restore_remove_orphans(rb_sqlite_restore *r, rb_err *err)
{
    bool more = true;
    while (more) { /* a row that goes may be another's parent */
        more = false;
        for (size_t i = 0; i < r->file.n; i++)
            if (r->file.tables[i].kind != RB_BACKUP_VALUES)
                RB_TRY(remove_from(&more, r, i, err));
    }
    return RB_OK;
}
