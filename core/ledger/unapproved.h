/*
 * Transitions in the ledger that lacked the approvals in force when they were written (design
 * section 7), and that no signed override excuses: run by another program, or by a host that
 * skipped the policy. A release that was not live in that environment before, as a whole and by the
 * ledger's own entries, takes a deploy's approvals, whichever command brought it; one that was
 * takes a revert's. Scripts of a third release (--scripts-from) take that release's approvals.
 *
 * A transition names the policies that its plan was judged under. They count where they come before
 * it, so that one that stopped half-way and was resumed under a newer policy is not reported;
 * a policy that was set before the transition began counts whether it is named or not.
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
    bool scripts; /* it is not TO */
} rb_unapproved;

/* Oldest first; *items is the caller's. A release whose signature cannot be checked any more is
 * judged as if its signer were unknown: then every approver counts. */
void rb_unapproved_find(rb_unapproved **items, size_t *n, const rb_policy *policy);

#endif
