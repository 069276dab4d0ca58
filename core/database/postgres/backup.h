/* The driver's functions for backups. See driver.h. */
#ifndef RB_DATABASE_POSTGRES_BACKUP_H
#define RB_DATABASE_POSTGRES_BACKUP_H

#include "database/postgres/postgres.h"

/* Functions of backup_table.c: */
enum rb_code rb_pg_table(json_t **out, rb_db *db, const char *name, rb_err *err);
enum rb_code rb_pg_foreign_keys(json_t **out, rb_db *db, const char *name, rb_err *err);
void rb_pg_triggers(rb_db *db, bool on);
enum rb_code rb_pg_attempt(bool *refused, rb_db *db, const char *sql, const json_t *params,
                           rb_err *err);
void rb_pg_same_sql(rb_buf *out, const char *a, const char *b);
void rb_pg_hash_sql(rb_buf *out, const char *row, const json_t *columns);
void rb_pg_matches_sql(rb_buf *out, const json_t *columns, const json_t *ignored);
char *rb_pg_default_value(const char *text);

/* Functions of sequences.c: */
enum rb_code rb_pg_counter(json_t **out, rb_db *db, const char *name, rb_err *err);
enum rb_code rb_pg_set_counter(rb_db *db, const char *name, const json_t *counter, rb_err *err);
/* Returns the statement that moves a column's sequence on to `last`; with the column "", the
 * sequence that `table` names. A new string. */
char *rb_pg_counter_sql(const char *table, const char *column, int64_t last);

/* Functions of backup_psql.c: */
/* Returns the quoted name, with schema, of table n of a backup whose table name is `data`. A new
 * string. */
char *rb_pg_backup_name(const char *data, size_t n);
/* Appends the SQL that restores the tables of a backup's document. */
void rb_pg_restore_sql(rb_buf *out, const json_t *tables);

/* Functions of backup_file.c: */
enum rb_code rb_pg_backup_open(rb_backup_file **out, rb_db *db, const char *path,
                               enum rb_backup_use use, rb_err *err);
enum rb_code rb_pg_backup_attach(rb_backup_file *file, rb_err *err);
enum rb_code rb_pg_backup_copy(rb_backup_file *file, const json_t *table, const char *select,
                               rb_err *err);
enum rb_code rb_pg_backup_note(rb_backup_file *file, const json_t *table, const char *select,
                               rb_err *err);
enum rb_code rb_pg_backup_close(rb_backup_file *file, const json_t *about, rb_err *err);

#endif
