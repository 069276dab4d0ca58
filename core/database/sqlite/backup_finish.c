/* Completes a backup: what became of each row, as it will be committed. */
#include <stdlib.h>
#include <string.h>

#include "database/backup.h"
#include "database/sqlite/backup_file.h"

static const char looking[] = "looking up the rows of a backup";
static const char noting[] = "writing into the backup what became of its rows";

typedef struct finishing {
    rb_sqlite *db;
    const rb_backup_spec *spec;
    rb_backup_file file;
    rb_row_digest digest;
    rb_repeated note; /* INSERT INTO rbtool_after */
} finishing;

static bool same_key(const rb_strs *a, const rb_strs *b)
{
    for (size_t i = 0; i < a->n; i++)
        if (!rb_strs_has_name(b, a->items[i]))
            return false;
    return a->n == b->n && a->n > 0;
}

/* Whether scripts may have written a column of the key. */
static bool writes_key(const finishing *f, const rb_backup_table *t)
{
    size_t i;
    json_t *item;
    json_array_foreach ((json_t *)f->spec->items, i, item) {
        const char *table = rb_json_str(item, "table");
        const char *column = rb_json_str(item, "column");
        if (table && column && strcasecmp(table, t->name) == 0 && rb_strs_has_name(&t->key, column))
            return true;
    }
    return false;
}

static enum rb_code note(finishing *f, const rb_backup_table *t, int64_t row, bool recognised,
                         rb_err *err)
{
    const rb_cell none = {.kind = RB_CELL_NULL};
    const rb_cell sha256 = {
        .kind = RB_CELL_BLOB, .data = f->digest.sha256, .len = sizeof f->digest.sha256};
    const rb_cell columns = {
        .kind = RB_CELL_BLOB, .data = rb_buf_str(&f->digest.columns), .len = f->digest.columns.len};
    bool ignored;
    RB_TRY(rb_repeated_bind_int(&f->note, 1, t->id, err));
    RB_TRY(rb_repeated_bind_int(&f->note, 2, row, err));
    if (!rb_stmt_bind_cell(f->note.stmt, 3, recognised ? &sha256 : &none) ||
        !rb_stmt_bind_cell(f->note.stmt, 4, recognised ? &columns : &none))
        return rb_sqlite_fail(f->file.db, noting, err);
    return rb_repeated_step(&ignored, &f->note, err);
}

static bool has_null(rb_stmt *stmt, size_t first, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        rb_cell cell;
        rb_stmt_cell(&cell, stmt, first + i);
        if (cell.kind == RB_CELL_NULL)
            return true;
    }
    return false;
}

static char *select_rows(const rb_backup_table *t, const char *more)
{
    RB_AUTO(rb_free_str) char *data = rb_sqlite_name(t->data);
    RB_AUTO(rb_free_str) char *key = rb_sqlite_spread(&t->key, ", @", "");
    return rb_format("SELECT rowid%s%s FROM main.%s d", key, more, data);
}

/* The rows that are there by their key. */
static enum rb_code note_rows(int64_t *found, int64_t *missing, finishing *f,
                              const rb_backup_table *t, const rb_table_shape *shape, rb_err *err)
{
    RB_AUTO(rb_repeated_clear) rb_repeated rows = {0};
    RB_AUTO(rb_repeated_clear) rb_repeated lookup = {0};
    RB_AUTO(rb_free_str) char *name = rb_sqlite_name(t->name);
    RB_AUTO(rb_free_str) char *columns = rb_sqlite_spread(&shape->columns, "@", ", ");
    RB_AUTO(rb_free_str) char *where = rb_table_where(shape, &t->key);
    bool row;
    bool there;
    RB_TRY(rb_repeated_prepare(&rows, f->file.db, select_rows(t, ""), looking, err));
    RB_TRY(rb_repeated_prepare(&lookup, f->db,
                               rb_format("SELECT %s FROM main.%s WHERE %s", columns, name, where),
                               looking, err));
    RB_TRY(rb_repeated_step(&row, &rows, err));
    for (; row;) {
        rb_cell id;
        rb_stmt_cell(&id, rows.stmt, 0);
        bool null = has_null(rows.stmt, 1, t->key.n);
        RB_TRY(rb_repeated_bind(&lookup, 1, rows.stmt, 1, t->key.n, err));
        RB_TRY(rb_repeated_step(&there, &lookup, err));
        if (there)
            rb_row_digest_take(&f->digest, lookup.stmt, 0, shape->columns.n);
        if (there || null)
            RB_TRY(note(f, t, id.integer, there, err));
        *found += there;
        *missing += !there && !null;
        RB_TRY(rb_repeated_step(&row, &rows, err));
    }
    return RB_OK;
}

/* Rows that scripts gave another key */

static const char unnoted[] = " WHERE NOT EXISTS (SELECT 1 FROM main.rbtool_after a WHERE"
                              " a.\"table\" = %lld AND a.\"row\" = d.rowid)";

/* A missing row whose content is in a row that is not of the backup: there under another key. */
static enum rb_code note_moved_by_content(finishing *f, const rb_backup_table *t,
                                          const rb_table_shape *shape, const rb_strs *shared,
                                          rb_err *err)
{
    RB_AUTO(rb_row_contents_close) rb_row_contents contents = {0};
    RB_AUTO(rb_repeated_clear) rb_repeated all = {0};
    RB_AUTO(rb_repeated_clear) rb_repeated rows = {0};
    RB_AUTO(rb_repeated_clear) rb_repeated lookup = {0};
    RB_AUTO(rb_repeated_clear) rb_repeated missing = {0};
    RB_AUTO(rb_free_str) char *name = rb_sqlite_name(t->name);
    RB_AUTO(rb_free_str) char *columns = rb_sqlite_spread(shared, "@", ", ");
    RB_AUTO(rb_free_str) char *more = rb_sqlite_spread(shared, ", @", "");
    RB_AUTO(rb_free_str) char *where = rb_table_where(shape, &t->key);
    RB_AUTO(rb_free_str) char *condition = rb_format(unnoted, (long long)t->id);
    RB_AUTO(rb_free_str) char *found = select_rows(t, more);
    bool row;
    bool yes;
    RB_TRY(rb_row_contents_open(&contents, f->file.db, err));
    RB_TRY(rb_repeated_prepare(&all, f->db, rb_format("SELECT %s FROM main.%s", columns, name),
                               looking, err));
    RB_TRY(rb_repeated_step(&row, &all, err));
    while (row) {
        RB_TRY(rb_row_contents_add(&contents, all.stmt, 0, shared->n, 1, err));
        RB_TRY(rb_repeated_step(&row, &all, err));
    }
    RB_TRY(rb_repeated_prepare(&rows, f->file.db, select_rows(t, ""), looking, err));
    RB_TRY(rb_repeated_prepare(&lookup, f->db,
                               rb_format("SELECT %s FROM main.%s WHERE %s", columns, name, where),
                               looking, err));
    RB_TRY(rb_repeated_step(&row, &rows, err));
    while (row) {
        RB_TRY(rb_repeated_bind(&lookup, 1, rows.stmt, 1, t->key.n, err));
        RB_TRY(rb_repeated_step(&yes, &lookup, err));
        if (yes)
            RB_TRY(rb_row_contents_add(&contents, lookup.stmt, 0, shared->n, -1, err));
        RB_TRY(rb_repeated_step(&row, &rows, err));
    }
    RB_TRY(rb_repeated_prepare(&missing, f->file.db, rb_format("%s%s", found, condition), looking,
                               err));
    RB_TRY(rb_repeated_step(&row, &missing, err));
    while (row) {
        rb_cell id;
        rb_stmt_cell(&id, missing.stmt, 0);
        RB_TRY(rb_row_contents_take(&yes, &contents, missing.stmt, 1 + t->key.n, shared->n, err));
        if (yes)
            RB_TRY(note(f, t, id.integer, false, err));
        RB_TRY(rb_repeated_step(&row, &missing, err));
    }
    return RB_OK;
}

/* Whether n columns of two rows are equal. */
static bool same_content(finishing *f, rb_stmt *a, size_t a_first, rb_stmt *b, size_t b_first,
                         size_t n)
{
    unsigned char sha256[RB_SHA256_SIZE];
    rb_row_digest_take(&f->digest, a, a_first, n);
    memcpy(sha256, f->digest.sha256, sizeof sha256);
    rb_row_digest_take(&f->digest, b, b_first, n);
    return memcmp(sha256, f->digest.sha256, sizeof sha256) == 0;
}

static void find_shared(rb_strs *out, const rb_backup_table *t, const rb_table_shape *shape)
{
    for (size_t i = 0; i < t->columns.n; i++)
        if (rb_strs_has_name(&shape->columns, t->columns.items[i]))
            rb_strs_add(out, t->columns.items[i]);
}

/* Rows that are in another table, which the scripts made, under the same key and with equal values.
 * Those in the first such table can be recognised there. */
static enum rb_code note_moved_to(finishing *f, rb_backup_table *t, const char *table, rb_err *err)
{
    RB_AUTO(rb_table_shape_clear) rb_table_shape shape = {0};
    RB_AUTO(rb_strs_clear) rb_strs shared = {0};
    RB_TRY(rb_table_shape_read(&shape, f->db, table, err));
    find_shared(&shared, t, &shape);
    if (!same_key(&t->key, &shape.key) || (shared.n == 0 && t->columns.n > 0))
        return RB_OK;
    RB_AUTO(rb_repeated_clear) rb_repeated missing = {0};
    RB_AUTO(rb_repeated_clear) rb_repeated lookup = {0};
    RB_AUTO(rb_free_str) char *name = rb_sqlite_name(table);
    RB_AUTO(rb_free_str) char *more = rb_sqlite_spread(&shared, ", @", "");
    RB_AUTO(rb_free_str) char *columns = rb_sqlite_spread(&shared, ", @", "");
    RB_AUTO(rb_free_str) char *where = rb_table_where(&shape, &t->key);
    RB_AUTO(rb_free_str) char *condition = rb_format(unnoted, (long long)t->id);
    RB_AUTO(rb_free_str) char *all = select_rows(t, more);
    bool row;
    bool there;
    RB_TRY(
        rb_repeated_prepare(&missing, f->file.db, rb_format("%s%s", all, condition), looking, err));
    RB_TRY(rb_repeated_prepare(&lookup, f->db,
                               rb_format("SELECT 1%s FROM main.%s WHERE %s", columns, name, where),
                               looking, err));
    RB_TRY(rb_repeated_step(&row, &missing, err));
    while (row) {
        rb_cell id;
        rb_stmt_cell(&id, missing.stmt, 0);
        RB_TRY(rb_repeated_bind(&lookup, 1, missing.stmt, 1, t->key.n, err));
        RB_TRY(rb_repeated_step(&there, &lookup, err));
        if (there && same_content(f, missing.stmt, 1 + t->key.n, lookup.stmt, 1, shared.n)) {
            bool first = !t->moved || strcmp(t->moved, table) == 0;
            if (!t->moved)
                t->moved = rb_strdup(table);
            RB_TRY(note(f, t, id.integer, first && shared.n > 0, err));
        }
        RB_TRY(rb_repeated_step(&row, &missing, err));
    }
    for (size_t i = 0; i < shared.n && t->moved && strcmp(t->moved, table) == 0; i++)
        rb_strs_add(&t->compared, shared.items[i]);
    return RB_OK;
}

static bool add_new(void *context, const rb_cell *cells, size_t n)
{
    (void)n;
    rb_strs_add(context, cells[0].data);
    return true;
}

/* Its table is gone: perhaps it was renamed, or copied into another one. */
static enum rb_code note_moved_away(finishing *f, rb_backup_table *t, rb_err *err)
{
    RB_AUTO(rb_strs_clear) rb_strs tables = {0};
    RB_AUTO(rb_free_str) char *before = NULL;
    RB_TRY(rb_sqlite_string(&before, f->file.db,
                            rb_strdup("SELECT value FROM rbtool_backup WHERE name = 'tables'"),
                            err));
    RB_AUTO(rb_json_freep) json_t *params = json_pack("[s]", before ? before : "[]");
    RB_TRY(rb_sqlite_each(f->db,
                          "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name NOT"
                          " IN (SELECT value FROM json_each(?1)) AND name NOT GLOB 'rbtool_*'",
                          params, add_new, &tables, err));
    for (size_t i = 0; i < tables.n; i++)
        RB_TRY(note_moved_to(f, t, tables.items[i], err));
    return RB_OK;
}

static enum rb_code finish_rows(finishing *f, rb_backup_table *t, const rb_table_shape *shape,
                                rb_err *err)
{
    int64_t found = 0;
    int64_t missing = 0;
    int64_t now;
    RB_AUTO(rb_strs_clear) rb_strs shared = {0};
    RB_AUTO(rb_free_str) char *name = rb_sqlite_name(t->name);
    for (size_t i = 0; i < shape->columns.n; i++)
        rb_strs_add(&t->compared, shape->columns.items[i]);
    RB_TRY(note_rows(&found, &missing, f, t, shape, err));
    if (missing == 0)
        return RB_OK;
    if (writes_key(f, t)) {
        RB_AUTO(rb_free_str) char *data = rb_sqlite_name(t->data);
        RB_AUTO(rb_free_str) char *condition = rb_format(unnoted, (long long)t->id);
        return rb_sqlite_run(f->file.db,
                             rb_format("INSERT INTO rbtool_after SELECT %lld, rowid, NULL, NULL"
                                       " FROM main.%s d%s",
                                       (long long)t->id, data, condition),
                             NULL, NULL, err);
    }
    find_shared(&shared, t, shape);
    if (t->kind != RB_BACKUP_ROWS || shared.n == 0)
        return RB_OK;
    RB_TRY(rb_sqlite_int(&now, f->db, rb_format("SELECT count(*) FROM main.%s", name), err));
    return now > found ? note_moved_by_content(f, t, shape, &shared, err) : RB_OK;
}

static enum rb_code finish_table(finishing *f, rb_backup_table *t, rb_err *err)
{
    RB_AUTO(rb_table_shape_clear) rb_table_shape shape = {0};
    RB_TRY(rb_table_shape_read(&shape, f->db, t->name, err));
    t->gone = !shape.exists;
    bool key = t->kind == RB_BACKUP_REFERENCED || same_key(&t->key, &shape.key);
    for (size_t i = 0; i < t->key.n; i++)
        key = key && rb_strs_has_name(&shape.columns, t->key.items[i]);
    if (key)
        RB_TRY(finish_rows(f, t, &shape, err));
    else if (t->gone && t->key.n > 0)
        RB_TRY(note_moved_away(f, t, err));
    RB_AUTO(rb_json_freep) json_t *names = rb_json_strs(&t->compared);
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    rb_json_canonical(&text, names);
    RB_AUTO(rb_json_freep)
    json_t *params = json_pack("[s,i,o,I]", rb_buf_str(&text), (int)t->gone,
                               t->moved ? rb_json_text(t->moved) : json_null(), (json_int_t)t->id);
    return rb_sqlite_each(
        f->file.db, "UPDATE rbtool_table SET compared = ?1, gone = ?2, moved = ?3 WHERE id = ?4",
        params, NULL, NULL, err);
}

static enum rb_code finish(finishing *f, rb_err *err)
{
    RB_TRY(rb_backup_open(&f->file, f->spec->path, true, err));
    RB_TRY(rb_repeated_prepare(
        &f->note, f->file.db,
        rb_strdup("INSERT OR IGNORE INTO main.rbtool_after VALUES(?, ?, ?, ?)"), noting, err));
    for (size_t i = 0; i < f->file.n; i++)
        RB_TRY(finish_table(f, &f->file.tables[i], err));
    rb_repeated_clear(&f->note);
    return rb_backup_complete(&f->file, err);
}

enum rb_code rb_sqlite_backup_finish(rb_db *db, const rb_backup_spec *spec, rb_err *err)
{
    finishing f = {.db = rb_sqlite_of(db), .spec = spec};
    rb_sqlite_clock_stop(f.db);
    enum rb_code code = finish(&f, err);
    rb_repeated_clear(&f.note);
    rb_row_digest_clear(&f.digest);
    rb_backup_clear(&f.file);
    return code;
}
