/*
 * After an interruption. The journal says which transition and how far; the databases' own
 * journal rows say whether it was committed.
 */
#ifndef RB_TRANSITION_RECOVER_H
#define RB_TRANSITION_RECOVER_H

#include "transition/execute.h"

typedef struct rb_recovery {
    rb_transition_row *row;
    rb_release *from; /* NULL: nothing was live */
    rb_release *to;
    rb_release *overrides;
    rb_release *part_from[RB_PARTS]; /* as in the request, which borrows them and live */
    rb_live live;
    rb_plan_request request;
} rb_recovery;

/* The pending transition's releases, opened (or taken from the ledger, where their tags are lost)
 * and checked to be the same objects; RB_FOUND with a line that says which tag moved. *out->row is
 * NULL when nothing is pending. row only is filled when with_releases is false. */
enum rb_code rb_recovery_load(rb_recovery *out, const rb_env *env, rb_state *state,
                              rb_session *session, bool with_releases, rb_err *err) RB_MUST_USE;
void rb_recovery_clear(rb_recovery *recovery);

/* The plan to continue with: the stored one, its databases looked at again. */
enum rb_code rb_recovery_plan(rb_plan **out, const rb_recovery *recovery, rb_err *err) RB_MUST_USE;

/* Whether any of the transition's databases has committed (or, without one, current was
 * switched). Needs no release. */
enum rb_code rb_recovery_committed(bool *out, const rb_recovery *recovery, const rb_env *env,
                                   rb_state *state, rb_err *err) RB_MUST_USE;

/* Before the commit: runs the inverses and ends the transition as aborted. */
enum rb_code rb_recovery_abort(json_t **document, const rb_recovery *recovery, const rb_env *env,
                               rb_state *state, rb_err *err) RB_MUST_USE;

#endif
