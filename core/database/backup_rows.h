/* Copies the rows of a backup, and the rows that they refer to. Order: rb_backup_describe() and
 * rb_backup_copy_rows() for each table, then rb_backup_add_references(). */
#ifndef RB_DATABASE_BACKUP_ROWS_H
#define RB_DATABASE_BACKUP_ROWS_H

#include "database/backup_sql.h"

typedef struct rb_backup_rows {
    rb_db *db;
    rb_backup_file *file;
    json_t *tables; /* "tables" of the document (backup.h) */
    json_t *references;
} rb_backup_rows;

/* Returns a new entry for "tables" of the document. columns: without those of the key. */
json_t *rb_backup_describe(const char *name, const char *kind, const json_t *key,
                           const json_t *columns, const json_t *shape);
/* Copies the rows n that `from` selects, with their hash if they can be recognised by it later. t:
 * the last entry of w->tables. */
enum rb_code rb_backup_copy_rows(rb_backup_rows *w, json_t *t, const json_t *shape,
                                 const char *from, rb_err *err);
/* Adds the rows that the copied rows refer to, and the rows that those refer to in turn. */
enum rb_code rb_backup_add_references(rb_backup_rows *w, rb_err *err);

#endif
