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
const char *rb_verdict_name(enum rb_verdict verdict); /* NULL, good, bad */

typedef struct rb_verdict_decision {
    enum rb_verdict verdict;
    const rb_entry *entry; /* the entry that decides, or NULL */
    bool disputed;         /* concurrent verdicts disagree */
    size_t ignored;        /* verdicts, and signed transitions, that do not count */
} rb_verdict_decision;

/*
 * Finds the verdict. own: entries that this host wrote itself (hexadecimal ids, sorted, as its
 * journals record them), which count even if they are unsigned; NULL: none. Entries that count:
 * kind verdict; kind transition (a deploy that ended done, with the whole environment at its TO,
 * is good) if own, or signed by somebody in role mark. A revert that reached its TO and
 * "marksBad" counts too, although its verdict may be unsigned. Called for one release after
 * another, so a call must be cheap.
 */
void rb_verdict_of(rb_verdict_decision *out, const rb_ledger *ledger, const rb_policy *policy,
                   const rb_strs *own, const char *tag, const char *object);

#endif
