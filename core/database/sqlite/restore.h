/* Restoring from a backup: shared by restore.c, restore_compare.c and restore_references.c. */
#ifndef RB_DATABASE_SQLITE_RESTORE_H
#define RB_DATABASE_SQLITE_RESTORE_H

#include "database/backup.h"
#include "database/sqlite/backup_file.h"

enum rb_row_state {                 /* of a row of the backup */
                    RB_ROW_UNKNOWN, /* its columns are others now, so that it cannot be compared */
                    RB_ROW_SAME,    /* it exists as it was at the commit */
                    RB_ROW_SAME_ORPHAN, /* the same, but a row that it refers to is another one */
                    RB_ROW_CHANGED,     /* it exists, with other values */
                    RB_ROW_DELETED,     /* it existed at the commit, and does not any more */
                    RB_ROW_GONE,        /* the scripts deleted it, or its table */
                    RB_ROW_MOVED,       /* the scripts gave it another key, or it has none */
                    RB_ROW_RESTORED,    /* from here on: results of restoring whole rows */
                    RB_ROW_TAKEN,
                    RB_ROW_REFUSED,
                    RB_ROW_ORPHAN,
                    RB_ROW_KEYLESS,
                    RB_ROW_WAS_CHANGED,
                    RB_ROW_WAS_MOVED,
                    RB_ROW_WRITTEN,
                    RB_ROW_NOT_COMPARED,
                    RB_ROW_STATES
};

typedef struct rb_restored_table {
    const rb_backup_table *table;
    bool looked;
    rb_table_shape before; /* when that was done for the first time */
    rb_table_shape now;
    bool compared;         /* as far as they ever can be */
    unsigned char *states; /* of row n: states[n] */
} rb_restored_table;

typedef struct rb_sqlite_restore {
    rb_sqlite *db;
    const rb_restore_options *options;
    rb_backup_file file;
    rb_restored_table *tables; /* as those of the file */
    rb_row_digest digest;
    bool undone;
    enum rb_scripts_known known;
    json_t *report;
} rb_sqlite_restore;

/* "SELECT d.rowid, key or rowid, columns MORE FROM main.data d". A new string. */
char *rb_restore_select(const rb_backup_table *table, const char *more);
/* Where a column is in that: the first one has the number 0. table->key.n + table->columns.n + 1
 * (the key's place without one) where there is none such. */
size_t rb_restore_column(const rb_backup_table *table, const char *name);
bool rb_restore_same_key(const rb_backup_table *table, const rb_table_shape *shape);

/* restore_compare.c: sets the states of a table's rows, as far as that can be done now. */
enum rb_code rb_restore_compare_table(rb_sqlite_restore *r, size_t index, rb_err *err) RB_MUST_USE;
/* Whether the scripts had changed the row: the current one of rb_restore_select(table, ", columns
 * of rbtool_after"), whose digests are in cell. */
bool rb_restore_touched(rb_sqlite_restore *r, size_t index, rb_stmt *row, const rb_cell *digests);

/* restore_references.c */
typedef struct rb_parents { /* the references of one table */
    rb_sqlite_restore *r;
    size_t n;
    struct rb_parent {
        const rb_backup_reference *reference;
        rb_repeated live; /* the parent's key as it is stored */
        rb_repeated kept; /* its row in the backup */
    } * list;
} rb_parents;
/* only: those references that have one of these columns; NULL: all. */
enum rb_code rb_parents_open(rb_parents *out, rb_sqlite_restore *r, size_t index,
                             const rb_strs *only, rb_err *err) RB_MUST_USE;
/* Whether each row that the current one of row refers to exists unchanged, or was restored. */
enum rb_code rb_parents_exist(bool *out, rb_parents *p, rb_stmt *row, rb_err *err) RB_MUST_USE;
void rb_parents_clear(rb_parents *p);
/* Removes the restored rows whose parents are gone or others, and those that refer to them. */
enum rb_code rb_restore_remove_orphans(rb_sqlite_restore *r, rb_err *err) RB_MUST_USE;

/* restore_row.c: the report, ... */
extern const char *const rb_restore_reasons[RB_ROW_STATES]; /* of conflicts; else NULL */
json_t *rb_restore_entry(rb_sqlite_restore *r, const char *table, const char *column);
void rb_restore_count(json_t *entry, const char *key, int64_t more);
void rb_restore_reason(json_t *entry, const char *reason);
/* One conflict: of the current row of rb_restore_select(). */
void rb_restore_missing(json_t *entry, const rb_backup_table *table, rb_stmt *row,
                        const char *reason);

/* ... and the row of one key: some columns of it are read, set and inserted. */
typedef struct rb_row_access {
    const rb_backup_table *table;
    rb_strs columns; /* those of the backup that exist, and that are restored */
    rb_repeated find;
    rb_repeated set;
    rb_repeated insert;
} rb_row_access;
enum rb_code rb_row_access_keyed(rb_row_access *a, rb_sqlite_restore *r, size_t index,
                                 rb_err *err) RB_MUST_USE;
enum rb_code rb_row_access_insert(rb_row_access *a, rb_sqlite_restore *r, size_t index,
                                  rb_err *err) RB_MUST_USE;
void rb_row_access_clear(rb_row_access *a);
/* row: the current one of rb_restore_select(). */
enum rb_code rb_row_find(bool *exists, rb_row_access *a, rb_stmt *row, rb_err *err) RB_MUST_USE;
/* Of the row that was found: whether column i has another value than in the backup; whether any
 * has; whether it has its default, or no value. */
bool rb_row_differs(const rb_row_access *a, size_t i, rb_stmt *row);
bool rb_row_any_differs(const rb_row_access *a, rb_stmt *row);
bool rb_row_is_default(const rb_row_access *a, size_t i);
/* *done: false where a constraint refuses it. */
enum rb_code rb_row_set(bool *done, rb_row_access *a, rb_stmt *row, rb_err *err) RB_MUST_USE;
enum rb_code rb_row_insert(bool *done, rb_row_access *a, rb_stmt *row, bool rowid,
                           rb_err *err) RB_MUST_USE;

/* restore_rows.c: whole rows of one table. */
typedef struct rb_restored_rows {
    rb_sqlite_restore *r;
    size_t index;
    rb_row_access access;
    bool keyed;     /* a key identifies its rows */
    bool fits;      /* it has the key's columns */
    bool was_empty; /* before the first row was restored, and empty is all it can be */
    json_t *entry;  /* of the report */
} rb_restored_rows;
enum rb_code rb_restored_rows_open(rb_restored_rows *of, rb_err *err) RB_MUST_USE;
enum rb_code rb_restored_rows_restore(rb_restored_rows *of, rb_err *err) RB_MUST_USE;
/* After rb_restore_remove_orphans(): reports what became of each row; AUTOINCREMENT goes on where
 * it was. */
enum rb_code rb_restored_rows_report(rb_restored_rows *of, rb_err *err) RB_MUST_USE;

/* restore_values.c */
enum rb_code rb_restore_values(rb_sqlite_restore *r, size_t index, rb_err *err) RB_MUST_USE;

/* restore.c: whether the table was asked for; whether an earlier transition restored this; reports
 * that nothing of it is restored, since other scripts made what has its name. */
bool rb_restore_is_named(const rb_sqlite_restore *r, const rb_backup_table *table);
bool rb_restore_was_done(const rb_sqlite_restore *r, const char *table, const char *column);
enum rb_code rb_restore_refuse(rb_sqlite_restore *r, const rb_backup_table *table,
                               const char *column, rb_err *err) RB_MUST_USE;

#endif
