/* The driver's functions for backups (driver.h): of backup_file.c and backup_table.c. */
#ifndef RB_DATABASE_SQLITE_BACKUP_FILE_H
#define RB_DATABASE_SQLITE_BACKUP_FILE_H

#include "database/sqlite/sqlite.h"

enum rb_code rb_sqlite_backup_open(rb_backup_file **out, rb_db *db, const char *path,
                                   enum rb_backup_use use, rb_err *err);
enum rb_code rb_sqlite_backup_attach(rb_backup_file *file, rb_err *err);
enum rb_code rb_sqlite_backup_copy(rb_backup_file *file, const json_t *table, const char *select,
                                   rb_err *err);
enum rb_code rb_sqlite_backup_note(rb_backup_file *file, const json_t *table, const char *select,
                                   rb_err *err);
enum rb_code rb_sqlite_backup_close(rb_backup_file *file, const json_t *about, rb_err *err);
void rb_sqlite_same_sql(rb_buf *out, const char *a, const char *b);
void rb_sqlite_hash_sql(rb_buf *out, const char *row, const json_t *columns);
void rb_sqlite_matches_sql(rb_buf *out, const json_t *columns, const json_t *ignored);

enum rb_code rb_sqlite_table(json_t **out, rb_db *db, const char *name, rb_err *err);
enum rb_code rb_sqlite_foreign_keys(json_t **out, rb_db *db, const char *name, rb_err *err);
enum rb_code rb_sqlite_counter(json_t **out, rb_db *db, const char *name, rb_err *err);
enum rb_code rb_sqlite_set_counter(rb_db *db, const char *name, const json_t *counter, rb_err *err);
enum rb_code rb_sqlite_attempt(bool *refused, rb_db *db, const char *sql, const json_t *params,
                               rb_err *err);
enum rb_code rb_sqlite_rebuilds(json_t **out, rb_db *db, const char *name, rb_err *err);
void rb_sqlite_user_triggers(rb_db *db, bool on);

#endif
