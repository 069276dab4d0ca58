/* Restoring one row, and the report of what became of it. */
#include <stdlib.h>
#include <string.h>

#include "database/sqlite/restore.h"

#define SHOWN_KEYS 20

const char *const rb_restore_reasons[RB_ROW_STATES] = {
    [RB_ROW_TAKEN] = "their keys are taken by other rows",
    [RB_ROW_REFUSED] = "a constraint of the table refuses them",
    [RB_ROW_ORPHAN] = "the rows that they refer to are gone or were changed",
    [RB_ROW_KEYLESS] = "the table has no key and is not empty",
    [RB_ROW_WAS_CHANGED] = "the rows were changed since",
    [RB_ROW_WAS_MOVED] = "the scripts changed their keys, or they have none",
    [RB_ROW_WRITTEN] = "scripts that are new or edited wrote another value",
    [RB_ROW_NOT_COMPARED] = "the table has other columns now, so that its rows cannot be compared",
};

/* The report */

json_t *rb_restore_entry(rb_sqlite_restore *r, const char *table, const char *column)
{
    json_t *entry = json_object();
    rb_json_set_str(entry, "table", table);
    rb_json_set_str(entry, "column", column);
    json_object_set_new(entry, "restored", json_integer(0));
    json_object_set_new(entry, "missing", json_array());
    json_object_set_new(entry, "missingCount", json_integer(0));
    rb_json_set_str(entry, "reason", NULL);
    json_array_append_new(r->report, entry);
    return entry;
}

void rb_restore_count(json_t *entry, const char *key, int64_t more)
{
    json_object_set_new(entry, key, json_integer(rb_json_int(entry, key, 0) + more));
}

void rb_restore_reason(json_t *entry, const char *reason)
{
    const char *known = rb_json_str(entry, "reason");
    if (known && strstr(known, reason))
        return;
    RB_AUTO(rb_free_str) char *both = known ? rb_format("%s; %s", known, reason) : NULL;
    rb_json_set_str(entry, "reason", both ? both : reason);
}

/* One conflict: of the current row of rb_restore_select(). */
void rb_restore_missing(json_t *entry, const rb_backup_table *t, rb_stmt *row, const char *reason)
{
    json_t *list = json_object_get(entry, "missing");
    rb_restore_count(entry, "missingCount", 1);
    rb_restore_reason(entry, reason);
    if (json_array_size(list) >= SHOWN_KEYS || t->key.n == 0)
        return;
    json_t *key = json_array();
    for (size_t i = 0; i < t->key.n; i++) {
        rb_cell cell;
        rb_stmt_cell(&cell, row, 1 + i);
        json_array_append_new(key, rb_sqlite_json(&cell));
    }
    json_array_append(list, t->key.n == 1 ? json_array_get(key, 0) : key);
    json_decref(key);
}

/* Cells */

static bool equal_cells(const rb_cell *a, const rb_cell *b)
{
    if (a->kind != b->kind)
        return false;
    if (a->kind == RB_CELL_INTEGER)
        return a->integer == b->integer;
    if (a->kind == RB_CELL_REAL)
        return a->real == b->real;
    return a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

void rb_row_access_clear(rb_row_access *a)
{
    rb_strs_clear(&a->columns);
    rb_repeated_clear(&a->find);
    rb_repeated_clear(&a->set);
    rb_repeated_clear(&a->insert);
}

/* ", default" of each column; NULL if it has none, or one that is not a literal. */
static enum rb_code add_defaults(rb_buf *out, const rb_sqlite_restore *r, const rb_row_access *a,
                                 rb_err *err)
{
    RB_AUTO(rb_free_str) char *table = rb_sqlite_text(a->table->name);
    for (size_t i = 0; i < a->columns.n; i++) {
        RB_AUTO(rb_free_str) char *column = rb_sqlite_text(a->columns.items[i]);
        RB_AUTO(rb_free_str) char *value = NULL;
        RB_TRY(rb_sqlite_string(&value, r->db,
                                rb_format("SELECT dflt_value FROM pragma_table_xinfo(%s, 'main')"
                                          " WHERE name = %s COLLATE NOCASE AND dflt_value GLOB"
                                          " '[-+0-9'']*'",
                                          table, column),
                                err));
        rb_buf_printf(out, ", %s", value ? value : "NULL");
    }
    return RB_OK;
}

enum rb_code rb_row_access_keyed(rb_row_access *a, rb_sqlite_restore *r, size_t index, rb_err *err)
{
    const rb_table_shape *shape = &r->tables[index].now;
    RB_AUTO(rb_free_str) char *name = rb_sqlite_name(a->table->name);
    RB_AUTO(rb_free_str) char *where = rb_table_where(shape, &a->table->key);
    RB_AUTO(rb_free_str) char *columns = rb_sqlite_spread(&a->columns, ", @", "");
    RB_AUTO(rb_buf_clear) rb_buf defaults = {0};
    rb_buf set = {0};
    RB_TRY(add_defaults(&defaults, r, a, err));
    RB_TRY(rb_repeated_prepare(&a->find, r->db,
                               rb_format("SELECT 1%s%s FROM main.%s WHERE %s", columns,
                                         rb_buf_str(&defaults), name, where),
                               "looking up rows to restore", err));
    if (a->columns.n == 0)
        return RB_OK;
    rb_buf_printf(&set, "UPDATE OR IGNORE main.%s SET ", name);
    for (size_t i = 0; i < a->columns.n; i++) {
        RB_AUTO(rb_free_str) char *column = rb_sqlite_name(a->columns.items[i]);
        rb_buf_printf(&set, "%s%s = ?%zu", i ? ", " : "", column, a->table->key.n + i + 1);
    }
    rb_buf_printf(&set, " WHERE %s", where);
    return rb_repeated_prepare(&a->set, r->db, rb_buf_detach(&set), "restoring values", err);
}

enum rb_code rb_row_access_insert(rb_row_access *a, rb_sqlite_restore *r, size_t index, rb_err *err)
{
    const rb_backup_table *t = a->table;
    RB_AUTO(rb_free_str) char *name = rb_sqlite_name(t->name);
    RB_AUTO(rb_free_str) char *key = rb_sqlite_spread(&t->key, "@, ", "");
    RB_AUTO(rb_free_str) char *columns = rb_sqlite_spread(&a->columns, "@, ", "");
    bool rowid = !t->key.n && r->tables[index].now.has_rowid_name;
    rb_buf sql = {0};
    rb_buf_printf(&sql, "INSERT OR IGNORE INTO main.%s(%s%s%s", name, rowid ? "rowid, " : "", key,
                  columns);
    if (sql.data[sql.len - 1] == ' ')
        rb_buf_truncate(&sql, sql.len - 2);
    rb_buf_puts(&sql, ") VALUES(");
    size_t n = (t->key.n ? t->key.n : rowid) + a->columns.n;
    for (size_t i = 0; i < n; i++)
        rb_buf_puts(&sql, i ? ", ?" : "?");
    rb_buf_puts(&sql, ")");
    return rb_repeated_prepare(&a->insert, r->db, rb_buf_detach(&sql), "restoring rows", err);
}

/* The columns of the backup to the parameters from at on. */
static enum rb_code bind_columns(rb_repeated *to, size_t at, const rb_row_access *a, rb_stmt *row,
                                 rb_err *err)
{
    for (size_t i = 0; i < a->columns.n; i++)
        RB_TRY(rb_repeated_bind(to, at + i, row, rb_restore_column(a->table, a->columns.items[i]),
                                1, err));
    return RB_OK;
}

enum rb_code rb_row_find(bool *exists, rb_row_access *a, rb_stmt *row, rb_err *err)
{
    RB_TRY(rb_repeated_bind(&a->find, 1, row, 1, a->table->key.n, err));
    return rb_repeated_step(exists, &a->find, err);
}

/* Of the row that rb_row_find() found: whether column i has another value than in the backup. */
bool rb_row_differs(const rb_row_access *a, size_t i, rb_stmt *row)
{
    rb_cell live;
    rb_cell kept;
    rb_stmt_cell(&live, a->find.stmt, 1 + i);
    rb_stmt_cell(&kept, row, rb_restore_column(a->table, a->columns.items[i]));
    return !equal_cells(&live, &kept);
}

/* Of the row that rb_row_find() found: whether column i has its default, or no value. */
bool rb_row_is_default(const rb_row_access *a, size_t i)
{
    rb_cell live;
    rb_cell value;
    rb_stmt_cell(&live, a->find.stmt, 1 + i);
    rb_stmt_cell(&value, a->find.stmt, 1 + a->columns.n + i);
    return live.kind == RB_CELL_NULL || equal_cells(&live, &value);
}

bool rb_row_any_differs(const rb_row_access *a, rb_stmt *row)
{
    for (size_t i = 0; i < a->columns.n; i++)
        if (rb_row_differs(a, i, row))
            return true;
    return false;
}

enum rb_code rb_row_set(bool *done, rb_row_access *a, rb_stmt *row, rb_err *err)
{
    bool ignored;
    rb_stmt_reset(a->find.stmt);
    RB_TRY(rb_repeated_bind(&a->set, 1, row, 1, a->table->key.n, err));
    RB_TRY(bind_columns(&a->set, 1 + a->table->key.n, a, row, err));
    RB_TRY(rb_repeated_step(&ignored, &a->set, err));
    *done = rb_sqlite_changes(a->set.db) > 0;
    return RB_OK;
}

enum rb_code rb_row_insert(bool *done, rb_row_access *a, rb_stmt *row, bool rowid, rb_err *err)
{
    const rb_backup_table *t = a->table;
    size_t first = t->key.n ? t->key.n : rowid;
    bool ignored;
    RB_TRY(rb_repeated_bind(&a->insert, 1, row, 1, first, err));
    RB_TRY(bind_columns(&a->insert, 1 + first, a, row, err));
    RB_TRY(rb_repeated_step(&ignored, &a->insert, err));
    *done = rb_sqlite_changes(a->insert.db) > 0;
    return RB_OK;
}
