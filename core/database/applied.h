/* rbtool_applied, as run.c keeps it. */
#ifndef RB_DATABASE_APPLIED_H
#define RB_DATABASE_APPLIED_H

#include "database/database.h"

/* Makes rbtool_applied where it is missing, and true where the tool's own table says otherwise.
 * *now: what is applied, in order. */
enum rb_code rb_applied_prepare(rb_strs *now, rb_db *db, const rb_db_work *work,
                                rb_err *err) RB_MUST_USE;

/* The step was made: in the table and in now. */
enum rb_code rb_applied_note(rb_db *db, const rb_db_step *step, rb_strs *now,
                             rb_err *err) RB_MUST_USE;

#endif
