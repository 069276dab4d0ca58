/* Fills the placeholders of a tracking tool's statements (tracking_tools.h) with the values of a
 * migration. */
#ifndef RB_DATABASE_TRACKING_STATEMENT_H
#define RB_DATABASE_TRACKING_STATEMENT_H

#include "database/database.h"

/* Returns what the statements may use of a migration, as a new object. nanoseconds: duration of its
 * script; -1 if unknown. */
json_t *rb_tracking_values(const rb_migration *m, int64_t nanoseconds);

/* Makes a statement's placeholders parameters $1, $2, ... *params: their values, as a new array. A
 * new string. */
char *rb_tracking_fill(json_t **params, const char *sql, const json_t *values);

/* Returns the statements in one line, with literals in place of the placeholders. A new string;
 * NULL if there are none, or if a value is missing. */
char *rb_tracking_literals(const char *const *statements, const json_t *values);

/* Runs the statements, at most RB_TRACKING_STATEMENTS. */
enum rb_code rb_tracking_run(rb_db *db, const char *const *statements, const json_t *values,
                             rb_err *err);

#endif
