/*
 * Runs the scripts of a transition: one transaction for each database, all verified before any is
 * committed.
 */
#ifndef RB_TRANSITION_DATABASE_STEP_H
#define RB_TRANSITION_DATABASE_STEP_H

#include "transition/execute.h"

/* Backs up, runs the scripts, restores and verifies each database, and leaves the transactions
 * open. Skips a database whose journal records that this transition is committed. */
enum rb_code rb_databases_run(rb_run *run, rb_err *err) RB_MUST_USE;

/* Commits the databases in order. Sets run->past with the first commit. */
enum rb_code rb_databases_commit(rb_run *run, rb_err *err) RB_MUST_USE;

/* Waits until the sessions of a killed run have ended in a database of a half-way transition, or
 * ends them if the user agreed to that. RB_BUSY with the command to retry. */
enum rb_code rb_databases_await(rb_db *db, const char *transition, const rb_env *env,
                                const char *command, rb_err *err) RB_MUST_USE;

#endif
