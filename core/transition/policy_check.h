/*
 * The policy's rules for a transition (design section 7), for every command that moves an
 * environment. They judge what happens, not the verb: a release that was not live in this
 * environment before takes a deploy's approvals, whichever command brings it; one that was takes a
 * revert's. Scripts of a third release (--scripts-from) take that release's approvals.
 *
 * Order of calls: rb_policy_check_releases(), rb_plan_make(), rb_policy_check_approvals() and
 * rb_policy_needs_decide(), rb_policy_check_key(), rb_policy_check_loss() where a loss is agreed
 * to, and rb_policy_override() for what --break-glass passes: approvals and role accept-loss. It
 * does not pass a release's signature, its signer's role or revocation, or entries that must be
 * signed.
 */
#ifndef RB_TRANSITION_POLICY_CHECK_H
#define RB_TRANSITION_POLICY_CHECK_H

#include "ledger/policy.h"
#include "transition/plan.h"

#define RB_POLICY_NEEDS 2 /* TO, and the release whose scripts are taken */

typedef struct rb_policy_need {
    const rb_release *release; /* borrowed from the request */
    const char *kind;          /* "deploy" or "revert": which number counts */
    rb_approvals approvals;
    rb_strs able; /* who can give one: principals */
    int missing;
} rb_policy_need;

typedef struct rb_policy_needs {
    rb_policy_need items[RB_POLICY_NEEDS]; /* those that lack approvals */
    size_t n;
    rb_strs rules; /* others that --break-glass passes: drill, backup, review, maxRowsAtRisk */
} rb_policy_needs;

/* RB_FOUND when the signer of TO, or of the scripts, may not release. */
enum rb_code rb_policy_check_releases(const rb_policy *policy, const rb_plan_request *request,
                                      rb_err *err);

/* Names in the plan the policies that it is judged under: a transition that stops half-way is
 * resumed by them, whatever is set meanwhile. */
void rb_policy_name(rb_plan *plan, const rb_policy *policy);
/* What lacks approvals here. */
enum rb_code rb_policy_check_approvals(rb_policy_needs *out, const rb_policy *policy,
                                       const rb_plan_request *request, rb_err *err);
void rb_policy_needs_clear(rb_policy_needs *needs);
/* Adds a decision for each to the plan. passed: --break-glass is given. */
void rb_policy_needs_decide(rb_plan *plan, const rb_policy_needs *needs,
                            const rb_plan_request *request, bool passed);

/* policy_evidence.c: adds a decision to the plan for each rule that is not met: the age in days of
 * the last drill, of the last look at a backup and of the last review, for a deploy; and how much
 * may be at risk. passed: as above, and the rule's name is added to needs->rules. */
void rb_policy_check_evidence(rb_policy_needs *needs, rb_plan *plan, const rb_policy *policy,
                              const rb_plan_request *request, bool passed);
/* The newest drill of an environment, {"at","ok","mode","milliseconds","entry"}; NULL if the ledger
 * has none. */
json_t *rb_drill_last(const rb_ledger *ledger, const char *environment);

/* RB_ERROR where entries must be signed and this host cannot sign. */
enum rb_code rb_policy_check_key(const rb_policy *policy, const rb_plan_request *request,
                                 rb_err *err);
/* A loss is agreed to: RB_DECIDE when the plan has one and the caller is not in role accept-loss.
 */
enum rb_code rb_policy_check_loss(const rb_policy *policy, const rb_plan *plan,
                                  const rb_plan_request *request, rb_err *err);

/* Writes an override entry about that release, before the transition begins. rule: "approvals" or
 * "accept-loss". */
enum rb_code rb_policy_override(const rb_plan *plan, const rb_plan_request *request,
                                const rb_release *release, const char *rule, const char *why,
                                rb_err *err);

#endif
