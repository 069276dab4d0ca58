/*
 * Finds transitions in the ledger that lacked the approvals in force when they were written
 * (design section 7) and that no signed override excuses: run by another program, or by a host
 * that skipped the policy. A release that was not live completely in that environment before, by
 * the ledger's own entries, needs the approvals of a deploy, whichever command brought it; any
 * other needs those of a revert. Scripts of a third release (--scripts-from) need the approvals
 * of that release.
 *
 * A transition names the policies that its plan was checked against. They count if they precede
 * it, so that a transition that stopped half-way and was resumed under a newer policy is not
 * reported. A policy that was set before the transition began counts whether it is named or not.
 */
#ifndef RB_LEDGER_UNAPPROVED_H
#define RB_LEDGER_UNAPPROVED_H

#include "ledger/history.h"

typedef struct rb_unapproved {
    const rb_entry *entry; /* the transition; borrowed from the ledger */
    /* target release, or the release whose scripts were used, that lacked approvals; borrowed */
    const char *tag;
    const char *object;
    const char *kind; /* "deploy" or "revert": the number of approvals that applies */
    int needed;
    int given;
    bool scripts;           /* tag is the release whose scripts were used, not the target */
    bool met;               /* it had the approvals, or is excused */
    const rb_entry *excuse; /* the override that excuses it; NULL: none */
} rb_unapproved;

/* Finds the transitions without approvals, oldest first; the caller frees *items. If a release's
 * signature can no longer be checked, its signer is unknown, and every approver counts. */
void rb_unapproved_find(rb_unapproved **items, size_t *n, const rb_policy *policy);
/* Same as rb_unapproved_find(), with all transitions that needed approvals. */
void rb_approvals_judge(rb_unapproved **items, size_t *n, const rb_policy *policy);

#endif
