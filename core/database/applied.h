/* rbtool_applied, as run.c keeps it. */
#ifndef RB_DATABASE_APPLIED_H
#define RB_DATABASE_APPLIED_H

#include "database/database.h"

/* What rbtool_applied says, in order; *there: does it exist. */
enum rb_code rb_applied_own(rb_strs *out, bool *there, rb_db *db, rb_err *err) RB_MUST_USE;

/* Makes the table where it is missing, and makes it say applied (NULL: as it is). *now: what it
 * says then. */
enum rb_code rb_applied_prepare(rb_strs *now, rb_db *db, const rb_strs *applied,
                                const rb_migrations *order, rb_err *err) RB_MUST_USE;

/* The step was made: in the table and in now. */
enum rb_code rb_applied_note(rb_db *db, const rb_db_step *step, rb_strs *now,
                             rb_err *err) RB_MUST_USE;

#endif
