/*
 * The watches of an environment: a deploy that was done and whose checks go on running until a
 * deadline. One is an object:
 *
 *   {"transition","release","object" of its tag,"from","only": parts, or [] for all of them,
 *    "began","deadline": milliseconds since the epoch, as the other times,
 *    "rounds","failed": how often all checks ran, and how often one of them failed,
 *    "firstFailed","detected": when the round failed that began the failure, and the one that made
 *     rbtool act; null,
 *    "restored": when an automatic revert had ended; null,
 *    "blocked": why it cannot go back by itself, or null; "message": what failed last, or null,
 *    "held": why it holds, or null,
 *    "valuesBefore": {CHECK: number} before the transition, "values": {CHECK:
 * {"first","last","min", "max","count","step","points": [[milliseconds since began, number]]}}: of
 * every "step" rounds one, at most RB_WATCH_POINTS, "outcome": null while it is open; passed,
 * reverted (automatically), held (a person has to decide), failing (at the deadline, with fewer
 * failures than it acts on), superseded (another transition began before anything failed),
 * unobserved (nothing was watching at the deadline)}
 */
#ifndef RB_ENVIRONMENT_STATE_WATCH_H
#define RB_ENVIRONMENT_STATE_WATCH_H

#include "environment/state.h"

#define RB_WATCH_POINTS 40

int64_t rb_watch_now(void); /* milliseconds since the epoch */

/* Writes a watch; durable with the next end of a transition or rb_state_flush(). */
enum rb_code rb_state_watch_set(rb_state *state, const json_t *watch, rb_err *err);

/* The newest watch, or NULL. *over: another transition began after the one that it watches; its
 * own automatic revert does not count. */
enum rb_code rb_state_watch(json_t **out, bool *over, rb_state *state, rb_err *err);

/* Ends the newest watch if it is open, nothing watches, and it is over or its deadline has passed.
 * Needs the environment's lock. */
enum rb_code rb_state_watch_settle(rb_state *state, const char *root, rb_err *err);

/* Watches that have ended and whose entry is not in the ledger, oldest first: a new array. */
enum rb_code rb_state_watches(json_t **out, rb_state *state, rb_err *err);

/* The automatic revert did not make its release well: nothing is marked bad by it. */
enum rb_code rb_state_unmark(rb_state *state, const char *transition, rb_err *err);

#endif
