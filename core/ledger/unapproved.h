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
    const char *tag;       /* TO, or the release whose scripts it took, which lacked them; borrowed
                              from the entry */
    const char *object;
    const char *kind; /* "deploy" or "revert": which number counts */
    int needed;
    int given;
    bool scripts;           /* it is not TO */
    bool met;               /* it had them, or is excused */
    const rb_entry *excuse; /* the override that does; NULL */
} rb_unapproved;

/* Finds them, oldest first; the caller frees *items. If a release's signature can no longer be
 * checked, its signer counts as unknown: then every approver counts. */
void rb_unapproved_find(rb_unapproved **items, size_t *n, const rb_policy *policy);
/* The same with every transition that needed approvals, also those that had them. */
void rb_approvals_judge(rb_unapproved **items, size_t *n, const rb_policy *policy);

#endif
