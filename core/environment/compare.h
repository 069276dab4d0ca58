/*
 * Checks that compare what two databases answer, such as totals that two services keep. Both
 * queries only read. The first difference is named; it shows numbers only, so that a query should
 * return counts and sums.
 */
#ifndef RB_ENVIRONMENT_COMPARE_H
#define RB_ENVIRONMENT_COMPARE_H

#include <stdatomic.h>

#include "config/environment.h"

#define RB_COMPARE_ROWS 1000

/* RB_FOUND where the results differ; else what kept a query from running. active: the database that
 * is asked, for a signal handler; or NULL. seconds: the time limit of each query. */
enum rb_code rb_compare_run(const rb_env *env, _Atomic(rb_db *) *active, const rb_env_check *check,
                            int seconds, rb_err *err) RB_MUST_USE;

/* Of two results, as rb_db_check() returns rows. */
enum rb_code rb_compare_rows(const json_t *a, const json_t *b, const rb_env_check *check,
                             rb_err *err) RB_MUST_USE;

#endif
