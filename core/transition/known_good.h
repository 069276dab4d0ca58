/*
 * Where a revert goes: the previous known-good release (design section 11). Looked for first
 * among what was live in this environment, newest first: this host's own deploys that ended done
 * with every check passed. Then along the chain, when the settings say "knownGood": "verified".
 * A release that was reverted in this environment is bad until it is marked otherwise. Only a
 * release that verifies counts.
 */
#ifndef RB_TRANSITION_KNOWN_GOOD_H
#define RB_TRANSITION_KNOWN_GOOD_H

#include "environment/state.h"
#include "release/chain.h"

typedef struct rb_known_good {
    rb_release *release; /* NULL when a person must decide */
    char *rule;          /* one line: why this one */
    rb_strs candidates;  /* releases that verify and are not bad, nearest first */
} rb_known_good;

/* RB_DECIDE when there is none; candidates are filled all the same. parts: those that will move;
 * a release counts as having been live when all of them were at it together. */
enum rb_code rb_known_good_find(rb_known_good *out, rb_state *state, rb_repo *repo,
                                const rb_signers *signers, const rb_release *from,
                                const bool parts[RB_PARTS], const char *setting,
                                rb_err *err) RB_MUST_USE;
void rb_known_good_clear(rb_known_good *good);

/* What the history alone says: whether row ended with its TO live; and the release to go to from
 * tag, unverified and borrowed, or NULL. rows: newest first. */
bool rb_known_reached(const rb_transition_row *row);
const char *rb_known_good_recorded(rb_transition_row *const *rows, size_t count, const char *from);

/* Whether tag was reverted here, and no deploy of it was accepted after. */
enum rb_code rb_known_bad(bool *out, rb_state *state, const char *tag, rb_err *err) RB_MUST_USE;

#endif
