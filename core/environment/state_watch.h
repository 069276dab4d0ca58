/*
 * Stores the watches of an environment. A watch belongs to a deploy that is done, and whose checks
 * are repeated until a deadline. It is an object:
 *
 *   {"transition","release","object" of its tag,"from","only": parts, or [] for all of them,
 *    "began","deadline": milliseconds since 1970, as the other times,
 *    "rounds","failed": how often all checks ran, and how often one of them failed,
 *    "firstFailed","detected": time of the round that began the failure, and of the one after which
 *     rbtool acted; or null,
 *    "restored": time when an automatic revert ended; or null,
 *    "blocked": why it cannot be reverted automatically, or null,
 *    "message": what failed last, or null,
 *    "held": why a person has to decide, or null,
 *    "valuesBefore": {CHECK: number} before the transition,
 *    "values": {CHECK: {"first","last","min","max","count","step",
 *     "points": [[milliseconds since began, number]]}}: one point for every "step" rounds, at most
 *     RB_WATCH_POINTS,
 *    "outcome": null while it is open; passed; reverted (automatically); held (a person has to
 *     decide); failing (at the deadline, with fewer failures than rbtool acts on); superseded
 *     (another transition began before a check failed); unobserved (no process watched at the
 *     deadline)}
 */
#ifndef RB_ENVIRONMENT_STATE_WATCH_H
#define RB_ENVIRONMENT_STATE_WATCH_H

#include "environment/state.h"

#define RB_WATCH_POINTS 40

int64_t rb_watch_now(void); /* milliseconds since the epoch */

/* Writes a watch; durable with the next end of a transition or rb_state_flush(). */
enum rb_code rb_state_watch_set(rb_state *state, const json_t *watch, rb_err *err);

/* Reads the newest watch, or NULL. *over: another transition began after the watched one, other
 * than the watch's own automatic revert. */
enum rb_code rb_state_watch(json_t **out, bool *over, rb_state *state, rb_err *err);
/* Reads the newest watch if it has not ended and no transition began since, or NULL. */
enum rb_code rb_state_watch_open(json_t **out, rb_state *state, rb_err *err);
/* True if rb_state_watch_open() reads one. state: may be NULL. */
bool rb_state_watch_is_open(rb_state *state);

/* Ends the newest watch if it is open, no process watches, and it is over or its deadline has
 * passed. Needs the environment's lock. */
enum rb_code rb_state_watch_settle(rb_state *state, const char *root, rb_err *err);

/* Returns the watches that ended and have no ledger entry, oldest first, as a new array. */
enum rb_code rb_state_watches(json_t **out, rb_state *state, rb_err *err);

/* Marks an automatic revert so that it gives no bad verdict: its target is unhealthy, too. */
enum rb_code rb_state_unmark(rb_state *state, const char *transition, rb_err *err);

#endif
