/*
 * Determines whether a release is known to be good. The newest valid verdict wins (design section
 * 11). A verdict is valid if somebody in role mark signed it, or if this host's own transition
 * wrote it. Ancestry in the ledger orders verdicts; concurrent ones that disagree mean bad. A
 * verdict is about one tag object: a tag that was moved has none.
 */
#ifndef RB_LEDGER_VERDICT_H
#define RB_LEDGER_VERDICT_H

#include "ledger/policy.h"

enum rb_verdict { RB_VERDICT_NONE, RB_VERDICT_GOOD, RB_VERDICT_BAD };
const char *rb_verdict_name(enum rb_verdict verdict); /* returns NULL, "good" or "bad" */

typedef struct rb_verdict_decision {
    enum rb_verdict verdict;
    const rb_entry *entry; /* the entry that decides, or NULL if there is none */
    bool disputed;         /* concurrent verdicts disagree */
    size_t ignored;        /* number of verdicts and signed transitions that do not count */
} rb_verdict_decision;

/*
 * Determines the verdict on a release. own: ids of entries that this host wrote itself
 * (hexadecimal, sorted, from its journals), which count even if they are unsigned; NULL: none.
 *
 * These entries count if they are in `own` or by a signer in role mark: verdicts; transitions that
 * deployed the release completely and ended "done" (good); reverts with "marksBad" that reached
 * their target (bad).
 *
 * Commands call this for every release, so it must be cheap.
 */
void rb_verdict_of(rb_verdict_decision *out, const rb_ledger *ledger, const rb_policy *policy,
                   const rb_strs *own, const char *tag, const char *object);

#endif
