/*
 * Checks the policy's rules for a transition (design section 7), for every command that changes an
 * environment.
 *
 * The rules depend on what happens, not on the command: a release that was not live in this
 * environment before needs a deploy's approvals, and one that was needs a revert's. Scripts of a
 * third release (--scripts-from) need that release's approvals.
 *
 * Order of calls: rb_policy_check_releases(), rb_plan_make(), rb_policy_check_approvals(),
 * rb_policy_needs_decide(), rb_policy_check_key(); rb_policy_check_loss() if a loss is agreed to;
 * and rb_policy_override() for what --break-glass overrides: approvals and the role accept-loss. It
 * cannot override a release's signature, its signer's role or revocation, or required signatures of
 * entries.
 */
#ifndef RB_TRANSITION_POLICY_CHECK_H
#define RB_TRANSITION_POLICY_CHECK_H

#include "ledger/policy.h"
#include "transition/plan.h"

#define RB_POLICY_NEEDS 2 /* TO, and the release of --scripts-from */

typedef struct rb_policy_need {
    const rb_release *release; /* borrowed from the request */
    const char *kind;          /* "deploy" or "revert": which number of approvals applies */
    rb_approvals approvals;
    rb_strs able; /* principals who can still approve */
    int missing;
} rb_policy_need;

typedef struct rb_policy_needs {
    rb_policy_need items[RB_POLICY_NEEDS]; /* releases that lack approvals */
    size_t n;
    rb_strs
        rules; /* other rules that --break-glass overrides: drill, backup, review, maxRowsAtRisk */
} rb_policy_needs;

/* RB_FOUND if the signer of TO, or of the scripts, does not have the role to release. */
enum rb_code rb_policy_check_releases(const rb_policy *policy, const rb_plan_request *request,
                                      rb_err *err);

/* Records in the plan the policies that it was checked under. A transition that stops half-way is
 * resumed under the same ones, even if the policy changes. */
void rb_policy_name(rb_plan *plan, const rb_policy *policy);
/* Finds the releases that lack approvals. */
enum rb_code rb_policy_check_approvals(rb_policy_needs *out, const rb_policy *policy,
                                       const rb_plan_request *request, rb_err *err);
void rb_policy_needs_clear(rb_policy_needs *needs);
/* Adds a decision to the plan for each missing approval. passed: --break-glass is given. */
void rb_policy_needs_decide(rb_plan *plan, const rb_policy_needs *needs,
                            const rb_plan_request *request, bool passed);

/* Adds a decision to the plan for each rule that is not met. For a deploy: the age in days of the
 * last drill, of the last look at a backup and of the last review; for all: how much data may be at
 * risk. passed: --break-glass is given; the rule's name is added to needs->rules. In
 * policy_evidence.c. */
void rb_policy_check_evidence(rb_policy_needs *needs, rb_plan *plan, const rb_policy *policy,
                              const rb_plan_request *request, bool passed);
/* Returns the newest drill of an environment, {"at","ok","mode","milliseconds","entry"}; NULL if
 * the ledger has none. */
json_t *rb_drill_last(const rb_ledger *ledger, const char *environment);

/* RB_ERROR if entries must be signed and this host has no key. */
enum rb_code rb_policy_check_key(const rb_policy *policy, const rb_plan_request *request,
                                 rb_err *err);
/* RB_DECIDE if the plan loses data and the caller does not have the role accept-loss. Call it if
 * the user agrees to a loss. */
enum rb_code rb_policy_check_loss(const rb_policy *policy, const rb_plan *plan,
                                  const rb_plan_request *request, rb_err *err);

/* Writes an override entry about a release, before the transition begins. rule: "approvals",
 * "accept-loss", or a name of needs->rules. */
enum rb_code rb_policy_override(const rb_plan *plan, const rb_plan_request *request,
                                const rb_release *release, const char *rule, const char *why,
                                rb_err *err);

#endif
