/* What rb_db_run() and the proof do alike. */
#ifndef RB_DATABASE_RUN_H
#define RB_DATABASE_RUN_H

#include "database/database.h"

/* One migration's script. */
enum rb_code rb_run_script(rb_db *db, const rb_db_step *step, rb_err *err) RB_MUST_USE;

/* Broken references (a driver's violations) that were not there before: RB_FOUND with the first. */
enum rb_code rb_run_compare_references(const json_t *before, const json_t *after,
                                       rb_err *err) RB_MUST_USE;

#endif
