/* What rb_db_run() and the proof do alike. */
#ifndef RB_DATABASE_RUN_H
#define RB_DATABASE_RUN_H

#include "database/database.h"

/* One migration's script; effects: as rb_db_driver.script, or NULL. */
enum rb_code rb_run_script(json_t *effects, rb_db *db, const rb_db_step *step, rb_err *err);

/* The driver's violations and mismatches; empty where the engine enforces references itself. */
enum rb_code rb_run_violations(json_t **out, rb_db *db, const json_t *effects, rb_err *err);
json_t *rb_run_mismatches(const rb_db *db);

/* Of one "TABLE -> PARENT" of a driver's violations, how many are not those of before (or NULL): as
 * many as had the same values are known, and a row that was broken by the same constraint.
 * *example: its rowid, or null. */
int64_t rb_run_new_references(const json_t **example, const json_t *before, const json_t *after);

/* Broken references (a driver's violations) that were not there before: RB_FOUND with the first. */
enum rb_code rb_run_compare_references(const json_t *before, const json_t *after, rb_err *err);

#endif
