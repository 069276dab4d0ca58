/*
 * A deploy that is watched (core/watch), where it ends: within the transaction that records the end
 * of the deploy its watch begins, so that a kill between the two leaves no deploy unwatched. In the
 * same way the watch ends with its automatic revert.
 */
#ifndef RB_TRANSITION_WATCHED_H
#define RB_TRANSITION_WATCHED_H

#include "transition/execute.h"

/* unhealthy: why it ended so, or NULL. */
enum rb_code rb_watched_end(const rb_run *run, const rb_err *unhealthy, rb_err *err);

#endif
