/*
 * Old releases go from ROOT/releases. What is live in any part, what a revert would go to, and the
 * newest others up to the environment's "keep" stay.
 */
#ifndef RB_TRANSITION_PRUNE_RELEASES_H
#define RB_TRANSITION_PRUNE_RELEASES_H

#include "config/environment.h"
#include "environment/state.h"

/* Removes release folders that are not needed. Ignores failures: a folder that stays costs only
 * space.
 */
void rb_prune(const rb_env *env, rb_state *state);

#endif
