/*
 * Turns a request of the user into a plan that may be carried out: finds the target and the
 * releases that parts come from, checks the policy, and makes the plan (drift, data at risk,
 * rehearsal). Every command that changes an environment uses it.
 *
 * Order of calls: rb_transition_plan(); to carry it out, rb_transition_agree() with what the user
 * agrees to, rb_transition_override() for what --break-glass overrides, and rb_execute(). A
 * half-way transition is loaded by rb_transition_load() (recover.h).
 */
#ifndef RB_TRANSITION_TRANSITION_H
#define RB_TRANSITION_TRANSITION_H

#include "transition/known_good.h"
#include "transition/recover.h"

typedef struct rb_environment { /* all members are borrowed */
    const rb_env *env;
    rb_state *state; /* NULL if the environment has none yet and is only read */
    const rb_live *live;
    const rb_journals *journals;
    const json_t *pins; /* of its databases (rb_binding), or NULL */
} rb_environment;

typedef struct rb_intent {
    const char *kind; /* deploy, revert, abort */
    const char
        *tag; /* for a deploy the target, for a revert the release to undo, for an abort NULL */
    const char *to;           /* for a revert the target; NULL: the previous known-good */
    const char *scripts_from; /* --scripts-from, or NULL */
    bool parts[RB_PARTS];     /* those of --only, or all */
    bool only;
    bool marks_bad;       /* for a revert: marks FROM bad even if only some parts move */
    bool accept_reverted; /* for a deploy: also a release that a revert marked bad */
    bool break_glass;     /* --break-glass: continue without approvals */
    bool no_backup;       /* make no backup of what scripts can destroy */
    bool rehearse;        /* rehearse large databases and artifacts, too */
    bool partial;        /* the plan is only shown: a part that cannot be read becomes a decision */
    const char *command; /* see rb_plan_request.command */
    /* Offset in `command` where a revert's target is inserted, so that the command stays right if
     * another release is known-good later; 0: not inserted. */
    size_t target_at;
} rb_intent;

/*
 * Makes the plan. RB_DECIDE if the target is bad or no release is known to be good; RB_FOUND if a
 * release does not verify or its signer may not release; RB_ERROR if this clone's ledger or policy
 * is not the one that the environment is bound to. What the plan itself refuses is in the plan.
 */
enum rb_code rb_transition_plan(rb_transition *out, rb_session *session,
                                const rb_environment *environment, const rb_intent *intent,
                                rb_err *err);

/* Finds the target of reverting `from`. Without an environment, environment->env and state are
 * NULL. */
enum rb_code rb_transition_target(rb_known_good *out, rb_session *session,
                                  const rb_environment *environment, const rb_release *from,
                                  const bool parts[RB_PARTS], const char *to, rb_err *err);

/* Opens the release that is live in a part of the environment under that tag. RB_FOUND if the tag
 * no longer points to the object that went live. */
enum rb_code rb_live_release(rb_release **out, rb_session *session, const char *environment,
                             const rb_live *live, const char *tag, rb_err *err);

/* Checks that the user may carry out the plan and agreed to all that it needs. loss: the digest
 * that was given, or NULL. *loss_passed: the user does not have the role accept-loss, and
 * --break-glass overrides that. */
enum rb_code rb_transition_agree(bool *loss_passed, const rb_transition *transition, bool drift,
                                 const char *loss, bool break_glass, rb_err *err);
/* Records what --break-glass overrides, before the transition begins. */
enum rb_code rb_transition_override(const rb_transition *transition, bool loss, const char *why,
                                    rb_err *err);

#endif
