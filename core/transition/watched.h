/*
 * Begins and ends watches (core/watch) with transitions. A watch begins in the transaction that
 * records the end of its deploy, so that a kill cannot leave the deploy unwatched. In the same way,
 * it ends with its automatic revert.
 */
#ifndef RB_TRANSITION_WATCHED_H
#define RB_TRANSITION_WATCHED_H

#include "transition/execute.h"

/* Call it when a transition ends. unhealthy: the reason for an unhealthy outcome, or NULL. */
enum rb_code rb_watched_end(const rb_run *run, const rb_err *unhealthy, rb_err *err);

#endif
