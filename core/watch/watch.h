/*
 * Decides about a release that is watched after its deploy: whether its checks have failed often
 * enough, and whether it may be reverted without a person. Runs no checks or transitions
 * (cmd/deploy_watch.c does).
 */
#ifndef RB_WATCH_WATCH_H
#define RB_WATCH_WATCH_H

#include "environment/state_watch.h"
#include "transition/transition.h"

/* Results of the last rounds, the newest in the lowest bit. Starts with zeros. */
typedef struct rb_watch_window {
    unsigned char rounds[125]; /* 1,000 bits in a ring, which is the limit of the setting */
    size_t n;
} rb_watch_window;

/* Adds a round. Returns true if `failures` of the last `of` rounds have failed. */
bool rb_watch_add(rb_watch_window *window, const rb_env_watch *settings, bool failed);

/* Adds the values that checks printed in a round, {CHECK: number}, to "values" of a watch
 * (environment/state_watch.h). at: milliseconds since the watch began. */
void rb_watch_add_values(json_t *values, const json_t *round, int64_t at);

/*
 * Checks whether this plan of a revert may be carried out without a person: RB_OK, or RB_DECIDE
 * with the reason. Nothing may be at risk; without a rehearsal, scripts may not remove anything at
 * all. Every script must have a proof, every down must have been tried and leave no residual, and
 * nothing may have drifted.
 */
enum rb_code rb_watch_may_revert(const rb_transition *transition, rb_err *err);

#endif
