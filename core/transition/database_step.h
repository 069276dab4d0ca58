/*
 * The database part of a transition: one open transaction a database, verified before any is
 * committed.
 */
#ifndef RB_TRANSITION_DATABASE_STEP_H
#define RB_TRANSITION_DATABASE_STEP_H

#include "transition/execute.h"

/* Runs backup, scripts, restore and verification of each database, and leaves the transactions
 * open. Skips a database whose own journal records that this transition was committed. */
enum rb_code rb_databases_run(rb_run *run, rb_err *err);

/* Commits them in order. Sets run->past with the first. */
enum rb_code rb_databases_commit(rb_run *run, rb_err *err);

#endif
