/* Parts of rb_db_run() that proofs use, too. */
#ifndef RB_DATABASE_RUN_H
#define RB_DATABASE_RUN_H

#include "database/database.h"

/* Runs one migration's script. effects: as for rb_db_driver.script, or NULL. */
enum rb_code rb_run_script(json_t *effects, rb_db *db, const rb_db_step *step, rb_err *err);

/* Calls the driver's violations and mismatches. *out is empty if the engine enforces references
 * itself. */
enum rb_code rb_run_violations(json_t **out, rb_db *db, const json_t *effects, rb_err *err);
json_t *rb_run_mismatches(const rb_db *db);

/* Counts the new violations of one "TABLE -> PARENT". before may be NULL. A violation is not new if
 * one with the same values, or one of the same row and constraint, existed before. *example: rowid
 * of a new one, or null. */
int64_t rb_run_new_references(const json_t **example, const json_t *before, const json_t *after);

/* RB_FOUND if `after` has broken references that `before` lacks; the error names the first one. */
enum rb_code rb_run_compare_references(const json_t *before, const json_t *after, rb_err *err);

#endif
