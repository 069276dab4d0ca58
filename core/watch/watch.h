/*
 * Deciding about a release that is watched after its deploy: when its checks have failed often
 * enough, and whether it may go back without a person. Nothing here runs a check or a transition
 * (cmd/deploy_watch.c does).
 */
#ifndef RB_WATCH_WATCH_H
#define RB_WATCH_WATCH_H

#include "environment/state_watch.h"
#include "transition/transition.h"

/* The last rounds, the newest in the lowest bit. Zero at first. */
typedef struct rb_watch_window {
    unsigned char rounds[125]; /* a ring of 1,000 bits: the setting's limit */
    size_t n;
} rb_watch_window;

/* Adds a round. Returns true if `failures` of the last `of` rounds have failed. */
bool rb_watch_add(rb_watch_window *window, const rb_env_watch *settings, bool failed);

/* Adds what the checks of a round printed, {CHECK: number}, to the "values" of a watch
 * (environment/state_watch.h). at: milliseconds since it began. */
void rb_watch_add_values(json_t *values, const json_t *round, int64_t at);

/*
 * Whether this plan of a revert may be carried out without a person: RB_OK, or RB_DECIDE with the
 * reason. Nothing may be at risk (where no rehearsal was made, nothing may leave the database at
 * all), and the way back must be proven: the proof of every script is known, every down was tried
 * and leaves no residual, and nothing has drifted.
 */
enum rb_code rb_watch_may_revert(const rb_transition *transition, rb_err *err);

#endif
