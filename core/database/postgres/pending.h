/* Functions of the driver that are not written yet: each fails, or does nothing. */
#ifndef RB_DATABASE_POSTGRES_PENDING_H
#define RB_DATABASE_POSTGRES_PENDING_H

#include "database/driver.h"

enum rb_code rb_pg_table(json_t **out, rb_db *db, const char *name, rb_err *err) RB_MUST_USE;
enum rb_code rb_pg_backup_open(rb_backup_file **out, rb_db *db, const char *path,
                               enum rb_backup_use use, rb_err *err) RB_MUST_USE;
char *rb_pg_default_value(const char *text);

#endif
