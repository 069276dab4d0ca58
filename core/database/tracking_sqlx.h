/* The rows of _sqlx_migrations, which have a checksum that sqlx can be set to compute in another
 * way. See tracking.h. */
#ifndef RB_DATABASE_TRACKING_SQLX_H
#define RB_DATABASE_TRACKING_SQLX_H

#include "database/database.h"

/* Keeps the checksum of a row that is about to be deleted, if it is not the script's SHA-384. */
enum rb_code rb_tracking_keep_checksum(rb_db *db, const rb_migration *m, rb_err *err);

/* Inserts the row of a migration, with the checksum that was kept if there is one. */
enum rb_code rb_tracking_insert_checked(rb_db *db, const rb_migration *m, int64_t nanoseconds,
                                        rb_err *err);

#endif
