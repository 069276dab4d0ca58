/* rbtool_applied, as run.c keeps it. */
#ifndef RB_DATABASE_APPLIED_H
#define RB_DATABASE_APPLIED_H

#include "database/database.h"

/* Makes rbtool_applied where it is missing, and true where the tool's own table says otherwise.
 * *now: what is applied, in order. */
enum rb_code rb_applied_prepare(rb_strs *now, rb_db *db, const rb_db_work *work, rb_err *err);

/* The step was made: in now at once; in the table those that were undone wait in undone until the
 * next that is applied, or rb_applied_flush(). */
enum rb_code rb_applied_note(rb_db *db, const rb_db_step *step, rb_strs *now, rb_strs *undone,
                             rb_err *err);
enum rb_code rb_applied_flush(rb_db *db, rb_strs *undone, rb_err *err);

#endif
