/*
 * Removes old releases from ROOT/releases. Releases that are live in any part or that a revert
 * would go to stay, and the newest others up to the environment's "keep".
 */
#ifndef RB_TRANSITION_PRUNE_RELEASES_H
#define RB_TRANSITION_PRUNE_RELEASES_H

#include "config/environment.h"
#include "environment/state.h"

/* Removes release folders that are not needed. Ignores failures: a folder that remains only takes
 * space. */
void rb_prune(const rb_env *env, rb_state *state);

#endif
