/*
 * After an interruption. The journal says which transition and how far; the databases' own
 * journal rows say whether it was committed.
 */
#ifndef RB_TRANSITION_RECOVER_H
#define RB_TRANSITION_RECOVER_H

#include "transition/execute.h"
#include "transition/policy_check.h"

typedef struct rb_transition {
    rb_plan *plan;           /* NULL: there is nothing to do */
    char *nothing;           /* why */
    rb_policy_needs needs;   /* approvals that are missing */
    bool reverted;           /* a revert had marked the target bad, and accept_reverted counted */
    rb_plan_request request; /* what the plan was made of; borrows from the members below */
    rb_transition_row *row;  /* of one that is half-way */
    rb_release *from;        /* NULL: nothing is live */
    rb_release *to;
    rb_release *overrides;
    rb_release *part_from[RB_PARTS];
    rb_live live; /* of one that is half-way */
    char *rule;
    char *command;
} rb_transition;

/* Waits, in one of the databases of a transition that is half-way, until the sessions of the run
 * that was killed have ended, or ends them where a person has agreed to that. RB_BUSY with the
 * command that does. */
enum rb_code rb_transition_await(rb_db *db, const char *transition, const rb_env *env,
                                 const char *command, rb_err *err);

/* The pending transition's releases, opened (or taken from the ledger, where their tags are lost)
 * and checked to be the same objects; RB_FOUND with a line that says which tag moved. *out->row is
 * NULL when nothing is pending. row only is filled when with_releases is false. */
enum rb_code rb_transition_load(rb_transition *out, rb_session *session, const rb_env *env,
                                rb_state *state, bool with_releases, rb_err *err);
void rb_transition_clear(rb_transition *transition);

/* Its plan, as it was begun. RB_HALFWAY where a database cannot be reached. */
enum rb_code rb_transition_read(rb_transition *transition, rb_err *err);

/* Whether any of the transition's databases has committed (or, without one, current was
 * switched). Needs no release. RB_HALFWAY where a database cannot be reached. */
enum rb_code rb_transition_committed(bool *out, const rb_transition *transition, const rb_env *env,
                                     rb_state *state, rb_err *err);

/* Removes from drift what the transition itself has changed so far. */
void rb_transition_forget_own(json_t *drift, const rb_transition_row *row, rb_state *state);

/* Before the commit: runs the inverses and ends the transition as aborted. One with segments
 * (segments.h) has to be loaded with its releases. */
enum rb_code rb_transition_undo(json_t **document, rb_transition *transition, const rb_env *env,
                                rb_state *state, rb_err *err);

#endif
