/* Maintains rbtool_applied while run.c runs scripts. Order: rb_applied_prepare() before the first
 * step, rb_applied_note() after each step, rb_applied_flush() after the last one. All calls are
 * inside the transaction of the scripts. */
#ifndef RB_DATABASE_APPLIED_H
#define RB_DATABASE_APPLIED_H

#include "database/database.h"

/* Creates rbtool_applied if it is missing, and corrects it if the tool's own tracking table
 * differs. *now: the ids of the applied migrations, in order. */
enum rb_code rb_applied_prepare(rb_strs *now, rb_db *db, const rb_db_work *work, rb_err *err);

/* Records that a step was done. `now` is updated at once. Rows of migrations that were undone are
 * deleted together: their ids wait in `undone` until the next migration is applied, or
 * rb_applied_flush() is called. */
enum rb_code rb_applied_note(rb_db *db, const rb_db_step *step, rb_strs *now, rb_strs *undone,
                             rb_err *err);
enum rb_code rb_applied_flush(rb_db *db, rb_strs *undone, rb_err *err);

#endif
