/* One migration's script, as rb_db_run() and the proof run it. */
#ifndef RB_DATABASE_RUN_H
#define RB_DATABASE_RUN_H

#include "database/database.h"

enum rb_code rb_run_script(rb_db *db, const rb_db_step *step, rb_err *err) RB_MUST_USE;

#endif
