/*
 * Runs checks that compare query results of two databases, such as totals that two services keep.
 * Both queries only read. The error names the first difference. It shows numbers only, so that a
 * query should return counts and sums.
 */
#ifndef RB_ENVIRONMENT_COMPARE_H
#define RB_ENVIRONMENT_COMPARE_H

#include <stdatomic.h>

#include "config/environment.h"

#define RB_COMPARE_ROWS 1000

/* RB_FOUND if the results differ; another error if a query cannot be run. active: the database that
 * is being queried, for a signal handler; or NULL. seconds: the time limit of each query. */
enum rb_code rb_compare_run(const rb_env *env, _Atomic(rb_db *) *active, const rb_env_check *check,
                            int seconds, rb_err *err) RB_MUST_USE;

/* Compares two results as rb_db_check() returns them. */
enum rb_code rb_compare_rows(const json_t *a, const json_t *b, const rb_env_check *check,
                             rb_err *err) RB_MUST_USE;

#endif
