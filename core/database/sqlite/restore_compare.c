/* Compares the rows of a backup with those of the database: which ones are as they were committed.
 */
#include <stdlib.h>
#include <string.h>

#include "database/sqlite/restore.h"

char *rb_restore_select(const rb_backup_table *t, const char *more)
{
    RB_AUTO(rb_free_str) char *data = rb_sqlite_name(t->data);
    RB_AUTO(rb_free_str) char *key = rb_sqlite_spread(&t->key, ", d.@", "");
    RB_AUTO(rb_free_str) char *columns = rb_sqlite_spread(&t->columns, ", d.@", "");
    return rb_format("SELECT d.rowid%s%s%s FROM main.%s d LEFT JOIN main.rbtool_after a ON"
                     " a.\"table\" = %lld AND a.\"row\" = d.rowid ORDER BY d.rowid",
                     t->key.n ? key : ", d." RB_BACKUP_ROWID, columns, more, data,
                     (long long)t->id);
}

size_t rb_restore_column(const rb_backup_table *t, const char *name)
{
    size_t keys = t->key.n ? t->key.n : 1;
    for (size_t i = 0; i < t->key.n; i++)
        if (strcasecmp(t->key.items[i], name) == 0)
            return 1 + i;
    for (size_t i = 0; i < t->columns.n; i++)
        if (strcasecmp(t->columns.items[i], name) == 0)
            return 1 + keys + i;
    return 1 + keys + t->columns.n;
}

bool rb_restore_same_key(const rb_backup_table *t, const rb_table_shape *shape)
{
    const rb_strs *key = t->kind == RB_BACKUP_REFERENCED ? &shape->columns : &shape->key;
    for (size_t i = 0; i < t->key.n; i++)
        if (!rb_strs_has_name(key, t->key.items[i]))
            return false;
    return t->key.n > 0 && (t->kind == RB_BACKUP_REFERENCED || t->key.n == shape->key.n);
}

/* The digest of column at of the compared ones, of those in cell. NULL: there is none. */
static const char *digest_of(const rb_cell *cell, size_t at)
{
    return cell->kind == RB_CELL_BLOB && cell->len >= 4 * (at + 1)
               ? (const char *)cell->data + 4 * at
               : NULL;
}

bool rb_restore_touched(rb_sqlite_restore *r, size_t index, rb_stmt *row, const rb_cell *digests)
{
    const rb_backup_table *t = r->tables[index].table;
    size_t width = 1 + (t->key.n ? t->key.n : 1) + t->columns.n;
    for (size_t i = 0; i < t->automatic.n; i++)
        if (!rb_strs_has_name(&t->compared, t->automatic.items[i]) &&
            !rb_strs_has_name(&t->key, t->automatic.items[i]))
            return true; /* they dropped the column */
    for (size_t i = 0; i < t->compared.n; i++) {
        size_t at = rb_restore_column(t, t->compared.items[i]);
        const char *then = digest_of(digests, i);
        if (at == width || !then)
            continue;
        rb_row_digest_take(&r->digest, row, at, 1);
        if (memcmp(rb_buf_str(&r->digest.columns), then, 4) != 0)
            return true;
    }
    return false;
}

/* Whether the row that was looked up equals the one of the commit. */
static bool is_same(rb_sqlite_restore *r, const rb_backup_table *t, rb_stmt *live,
                    const rb_cell *sha256, const rb_cell *digests)
{
    const rb_strs *ignore = r->options->ignore;
    rb_row_digest_take(&r->digest, live, 0, t->compared.n);
    if (sha256->len == sizeof r->digest.sha256 &&
        memcmp(sha256->data, r->digest.sha256, sha256->len) == 0)
        return true;
    for (size_t i = 0; i < t->compared.n; i++) {
        const char *then = digest_of(digests, i);
        bool ignored = ignore && rb_strs_has_name(ignore, t->compared.items[i]);
        if (!ignored && (!then || memcmp(rb_buf_str(&r->digest.columns) + 4 * i, then, 4) != 0))
            return false;
    }
    return ignore && ignore->n > 0;
}

/* The columns that are compared, in their order; NULL for an ignored one that does not exist. */
static char *compared_columns(const rb_sqlite_restore *r, const rb_backup_table *t,
                              const rb_table_shape *shape)
{
    rb_buf out = {0};
    for (size_t i = 0; i < t->compared.n; i++) {
        const char *name = t->compared.items[i];
        RB_AUTO(rb_free_str) char *quoted = rb_sqlite_name(name);
        bool exists = rb_strs_has_name(&shape->columns, name);
        bool ignored = r->options->ignore && rb_strs_has_name(r->options->ignore, name);
        if (!exists && !ignored) {
            rb_buf_clear(&out);
            return NULL;
        }
        rb_buf_printf(&out, "%s%s", i ? ", " : "", exists ? quoted : "NULL");
    }
    return out.len ? rb_buf_detach(&out) : NULL;
}

static enum rb_row_state state_of(rb_sqlite_restore *r, const rb_backup_table *t, rb_stmt *live,
                                  bool there, const rb_cell *sha256, const rb_cell *digests)
{
    if (!there)
        return RB_ROW_DELETED;
    return is_same(r, t, live, sha256, digests) ? RB_ROW_SAME : RB_ROW_CHANGED;
}

enum rb_code rb_restore_compare_table(rb_sqlite_restore *r, size_t index, rb_err *err)
{
    rb_restored_table *restored = &r->tables[index];
    const rb_backup_table *t = restored->table;
    RB_AUTO(rb_table_shape_clear) rb_table_shape shape = {0};
    RB_AUTO(rb_table_shape_clear) rb_table_shape own = {0};
    RB_TRY(rb_table_shape_read(&own, r->db, t->name, err));
    const char *table = t->moved && !own.exists ? t->moved : t->name;
    RB_TRY(rb_table_shape_read(&shape, r->db, table, err));
    RB_AUTO(rb_repeated_clear) rb_repeated rows = {0};
    RB_AUTO(rb_repeated_clear) rb_repeated lookup = {0};
    RB_AUTO(rb_free_str) char *name = rb_sqlite_name(table);
    RB_AUTO(rb_free_str) char *where = rb_table_where(&shape, &t->key);
    RB_AUTO(rb_free_str)
    char *columns = rb_restore_same_key(t, &shape) ? compared_columns(r, t, &shape) : NULL;
    static const char doing[] = "comparing the rows of a backup";
    size_t width = 1 + (t->key.n ? t->key.n : 1) + t->columns.n;
    bool row;
    bool there = false;
    restored->compared = columns != NULL || t->compared.n == 0;
    RB_TRY(rb_repeated_prepare(
        &rows, r->file.db, rb_restore_select(t, ", a.\"row\", a.sha256, a.columns"), doing, err));
    if (columns)
        RB_TRY(rb_repeated_prepare(
            &lookup, r->db, rb_format("SELECT %s FROM main.%s WHERE %s", columns, name, where),
            doing, err));
    RB_TRY(rb_repeated_step(&row, &rows, err));
    while (row) {
        rb_cell cells[4]; /* rowid; of rbtool_after: row, sha256, columns */
        rb_stmt_cell(&cells[0], rows.stmt, 0);
        for (size_t i = 0; i < 3; i++)
            rb_stmt_cell(&cells[1 + i], rows.stmt, width + i);
        enum rb_row_state state = RB_ROW_UNKNOWN;
        if (columns) {
            RB_TRY(rb_repeated_bind(&lookup, 1, rows.stmt, 1, t->key.n, err));
            RB_TRY(rb_repeated_step(&there, &lookup, err));
        }
        if (cells[1].kind == RB_CELL_NULL) /* nothing says that a keyless row was deleted */
            state = t->gone || t->compared.n > 0 ? RB_ROW_GONE : RB_ROW_UNKNOWN;
        else if (cells[2].kind == RB_CELL_NULL)
            state = RB_ROW_MOVED;
        else if (columns)
            state = state_of(r, t, lookup.stmt, there, &cells[2], &cells[3]);
        if (cells[0].integer > 0 && cells[0].integer <= t->rows)
            restored->states[cells[0].integer] = (unsigned char)state;
        RB_TRY(rb_repeated_step(&row, &rows, err));
    }
    if (restored->looked)
        return RB_OK;
    restored->looked = true;
    restored->before = own;
    own = (rb_table_shape){0};
    return RB_OK;
}
