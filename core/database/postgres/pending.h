/* Functions of the driver that are not written yet: each fails, or does nothing. */
#ifndef RB_DATABASE_POSTGRES_PENDING_H
#define RB_DATABASE_POSTGRES_PENDING_H

#include "database/driver.h"

enum rb_code rb_pg_backup_write(json_t **left_out, rb_db *db, const struct rb_backup_spec *spec,
                                rb_err *err) RB_MUST_USE;
enum rb_code rb_pg_backup_finish(rb_db *db, const struct rb_backup_spec *spec,
                                 rb_err *err) RB_MUST_USE;
enum rb_code rb_pg_backup_size(int64_t *bytes, json_t **left_out, rb_db *db,
                               const struct rb_backup_spec *spec, rb_err *err) RB_MUST_USE;
enum rb_code rb_pg_restore_compare(void **part, json_t *applied, rb_db *db, const char *path,
                                   const struct rb_restore_options *options,
                                   rb_err *err) RB_MUST_USE;
enum rb_code rb_pg_restore_rows(json_t **report, void *part, bool undone,
                                enum rb_scripts_known known, rb_err *err) RB_MUST_USE;
void rb_pg_restore_free(void *part);

#endif
