/*
 * What was asked of an environment, and what becomes of it: from an intent to a plan that may be
 * carried out. The way is the same for every command that moves an environment: the target, the
 * releases that its parts come from, the policy, and the plan (drift, data at risk, a rehearsal).
 *
 * Order of calls: rb_transition_plan(), then, to carry it out, rb_transition_agree() with what a
 * person agrees to, rb_transition_override() for what --break-glass passes, rb_execute(). One that
 * is half-way is loaded by rb_transition_load() (recover.h).
 */
#ifndef RB_TRANSITION_TRANSITION_H
#define RB_TRANSITION_TRANSITION_H

#include "transition/known_good.h"
#include "transition/recover.h"

typedef struct rb_environment { /* all borrowed */
    const rb_env *env;
    rb_state *state; /* NULL: it has none yet, and is only looked at */
    const rb_live *live;
    const rb_journals *journals;
} rb_environment;

typedef struct rb_intent {
    const char *kind;         /* deploy, revert, abort */
    const char *tag;          /* deploy: the target; revert: what is undone; abort: NULL */
    const char *to;           /* revert: the target, or NULL: the previous known-good */
    const char *scripts_from; /* or NULL */
    bool parts[RB_PARTS];     /* all, or those that --only names */
    bool only;
    bool marks_bad;       /* revert: also where only some parts move */
    bool accept_reverted; /* deploy: also what a revert has marked bad */
    bool break_glass;     /* go on without approvals */
    bool no_backup;       /* of what the scripts can destroy */
    bool rehearse;        /* large databases and artifacts too */
    bool partial;         /* for showing: a part that cannot be read is a decision of the plan */
    const char *command;  /* as rb_plan_request.command */
    /* Where in command a revert's target is named, should another one be good when it is run; 0: it
     * is not. */
    size_t target_at;
} rb_intent;

/*
 * RB_DECIDE where a person must say first: the target is bad, or none is known to be good. RB_FOUND
 * where a release does not verify or its signer may not release, RB_ERROR where the ledger or the
 * policy here is not what the environment is bound to. What the plan itself refuses is in the plan.
 */
enum rb_code rb_transition_plan(rb_transition *out, rb_session *session,
                                const rb_environment *environment, const rb_intent *intent,
                                rb_err *err);

/* The target of reverting `from`. environment->env and state NULL: there is no environment. */
enum rb_code rb_transition_target(rb_known_good *out, rb_session *session,
                                  const rb_environment *environment, const rb_release *from,
                                  const bool parts[RB_PARTS], const char *to, rb_err *err);

/* Opens the release that is live in a part of the environment under that tag; RB_FOUND where the
 * tag is not the object any more that went live. */
enum rb_code rb_live_release(rb_release **out, rb_session *session, const char *environment,
                             const rb_live *live, const char *tag, rb_err *err);

/* Whether a person may carry the plan out and has agreed to all that it takes; loss: the digest
 * that was given, or NULL. *loss_passed: the person may not agree to a loss, and --break-glass
 * passes that. */
enum rb_code rb_transition_agree(bool *loss_passed, const rb_transition *transition, bool drift,
                                 const char *loss, bool break_glass, rb_err *err);
/* Records what --break-glass passes, before the transition begins. */
enum rb_code rb_transition_override(const rb_transition *transition, bool loss, const char *why,
                                    rb_err *err);

#endif
