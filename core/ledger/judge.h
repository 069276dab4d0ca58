/*
 * Judges transitions by the policy's rules (design section 7): those of the ledger by the rules in
 * force when they ran, and a deploy that starts now. Plans, `log --verify`, reports and
 * attestations share this judgement.
 *
 * A release that was not live completely in that environment before, by the ledger's own entries,
 * needs the approvals of a deploy, whichever command brought it; any other needs those of a revert.
 * Scripts of a third release (--scripts-from) need the approvals of that release. A deploy over
 * another release needs a backup that was looked at and a review, and a drill if one was possible:
 * a drill practises the revert of the live release, which needs a release that this one was
 * deployed over. A revert never waits for them.
 *
 * A transition names the policies that its plan was checked against. They count if they precede
 * it, so that a transition that stopped half-way and was resumed under a newer policy is not
 * reported. A policy that was set before the transition began counts whether it is named or not.
 */
#ifndef RB_LEDGER_JUDGE_H
#define RB_LEDGER_JUDGE_H

#include "ledger/history.h"

typedef struct rb_judged { /* all pointers are borrowed from the ledger */
    const char *rule; /* "approvals", "drill", "backup", "review", "maxRowsAtRisk" or "signed" */
    const rb_entry *entry;   /* the transition; NULL: a deploy that starts now */
    const char *environment; /* where it ran */
    /* the target release, or the release whose scripts were used (scripts) */
    const char *tag;
    const char *object;
    bool scripts;
    const char *kind;   /* of approvals: "deploy" or "revert", whose number applies */
    int64_t needed;     /* approvals, days, values and rows, or 1 for a signature */
    int64_t found;      /* -1: none */
    bool met;           /* the rule is met, or an override excuses the transition */
    const rb_entry *by; /* evidence that meets the rule, or the override; NULL: none */
} rb_judged;

typedef struct rb_judgement {
    rb_judged *items; /* oldest transition first */
    size_t n;
} rb_judgement;
void rb_judgement_clear(rb_judgement *judgement);

/* Judges all transitions of the ledger. broken: keeps only rules that were not met. If a release's
 * signature can no longer be checked, its signer is unknown, and every approver counts. */
void rb_judge_transitions(rb_judgement *out, const rb_policy *policy, bool broken);
/* Judges a deploy that starts at the time `now`, except its approvals (rb_approvals_count()) and
 * what it puts at risk. from: object id of the live release; NULL: nothing is live. */
void rb_judge_deploy(rb_judgement *out, const rb_policy *policy, const char *environment,
                     const char *from, int64_t now);
/* Returns the object id of the release that is live by the ledger's entries, or NULL. */
const char *rb_judge_live(const rb_policy *policy, const char *environment);

/* Adds problems to entries that are otherwise good: "revoked" if the policy had revoked their key,
 * and, with `transitions`, "approvals" and "rule" for each rule that a transition broke. Adds the
 * warnings "dated" to entries that are dated before the entry that they follow, and "policy" to
 * transitions that follow a policy and are judged without it. */
void rb_judge_mark(rb_ledger *ledger, const rb_policy *policy, bool transitions);

/* Return new texts: "a drill at most 30 days old" and "one 45 days old" or "none that counts". */
char *rb_judged_needed(const rb_judged *judged);
char *rb_judged_found(const rb_judged *judged);
/* Returns {"rule","environment","transition","needed","found","met","by"}; `by` and `transition`
 * are entries, `needed` and `found` the texts above. */
json_t *rb_judged_json(const rb_judged *judged);

/* Returns the number of values, and rows of whole tables, that people accepted to lose in a
 * transition. detail: of its entry. */
int64_t rb_judge_lost(const json_t *detail);

#endif
