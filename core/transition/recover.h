/*
 * Loads a transition that was interrupted, to continue or undo it. The environment's journal has
 * the transition and its progress; the databases' own journal rows show whether it was committed.
 */
#ifndef RB_TRANSITION_RECOVER_H
#define RB_TRANSITION_RECOVER_H

#include "transition/execute.h"
#include "transition/policy_check.h"

typedef struct rb_transition {
    rb_plan *plan;           /* NULL: nothing is to be done */
    char *nothing;           /* why nothing is to be done */
    rb_policy_needs needs;   /* missing approvals */
    bool reverted;           /* a revert had marked TO bad, and the user accepted that */
    rb_plan_request request; /* the request of the plan; borrows from the members below */
    rb_transition_row *row;  /* of a half-way transition */
    rb_release *from;        /* NULL: nothing was live */
    rb_release *to;
    rb_release *overrides;
    rb_release *part_from[RB_PARTS];
    rb_live live; /* live releases, for a half-way transition */
    char *rule;
    char *command;
} rb_transition;

/* Loads the pending transition. *out->row is NULL if none is pending. with_releases: also opens its
 * releases (or takes them from the ledger if their tags are missing) and checks that they are the
 * same objects; RB_FOUND names a tag that was moved. */
enum rb_code rb_transition_load(rb_transition *out, rb_session *session, const rb_env *env,
                                rb_state *state, bool with_releases, rb_err *err);
void rb_transition_clear(rb_transition *transition);

/* Reads the plan that the transition began with. RB_HALFWAY if a database cannot be reached. */
enum rb_code rb_transition_read(rb_transition *transition, rb_err *err);

/* Sets *out if a database of the transition is committed; without databases, if ROOT/current was
 * switched. Needs no release. RB_HALFWAY if a database cannot be reached. */
enum rb_code rb_transition_committed(bool *out, const rb_transition *transition, const rb_env *env,
                                     rb_state *state, rb_err *err);

/* Removes from `drift` what the transition itself has changed so far. */
void rb_transition_forget_own(json_t *drift, const rb_transition_row *row, rb_state *state);

/* Undoes a transition that is not committed: runs the inverses and ends it as aborted. One with
 * segments (segments.h) must be loaded with its releases. */
enum rb_code rb_transition_undo(json_t **document, rb_transition *transition, const rb_env *env,
                                rb_state *state, rb_err *err);

#endif
