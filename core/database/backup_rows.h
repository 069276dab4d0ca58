/* The rows of a backup, and those that they refer to. */
#ifndef RB_DATABASE_BACKUP_ROWS_H
#define RB_DATABASE_BACKUP_ROWS_H

#include "database/backup_sql.h"

typedef struct rb_backup_rows {
    rb_db *db;
    rb_backup_file *file;
    json_t *tables; /* of the document: backup.h */
    json_t *references;
} rb_backup_rows;

/* An entry of the document. columns: without the key's. */
json_t *rb_backup_describe(const char *name, const char *kind, const json_t *key,
                           const json_t *columns, const json_t *shape);
/* Writes the rows n of `from`, with their hash if they can be recognised by it later. t: the last
 * entry of the document. */
enum rb_code rb_backup_copy_rows(rb_backup_rows *w, json_t *t, const json_t *shape,
                                 const char *from, rb_err *err);
/* Adds the rows that those of the tables refer to, and those that these refer to. */
enum rb_code rb_backup_add_references(rb_backup_rows *w, rb_err *err);

#endif
