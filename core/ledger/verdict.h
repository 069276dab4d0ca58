/*
 * Verdicts: is this release known to be good? The latest verdict that counts (design section 11):
 * by someone in role mark, signed; or by this host's own transitions. Ancestry in the ledger
 * orders verdicts; concurrent ones that disagree mean bad. A verdict is about one tag object: a
 * tag that was moved has none.
 */
#ifndef RB_LEDGER_VERDICT_H
#define RB_LEDGER_VERDICT_H

#include "ledger/policy.h"

enum rb_verdict { RB_VERDICT_NONE, RB_VERDICT_GOOD, RB_VERDICT_BAD };
const char *rb_verdict_name(enum rb_verdict verdict); /* NULL, good, bad */

typedef struct rb_verdict_decision {
    enum rb_verdict verdict;
    const rb_entry *entry; /* the one that decides, or NULL */
    bool disputed;         /* concurrent verdicts disagree */
    size_t ignored;        /* verdicts, and signed transitions, that do not count */
} rb_verdict_decision;

/*
 * own: entries that this host wrote itself (hexadecimal ids, sorted, as its journals keep
 * them), which count though they may be unsigned; NULL: none. Entries that count: kind verdict;
 * kind transition (a deploy that ended done, the whole environment at its TO, is good) when own, or
 * signed by someone in role mark; so does a revert that reached its TO and "marksBad", though its
 * verdict may be unsigned. Asked for one release after another: keep what a lookup needs from call
 * to call cheap.
 */
void rb_verdict_of(rb_verdict_decision *out, const rb_ledger *ledger, const rb_policy *policy,
                   const rb_strs *own, const char *tag, const char *object);

#endif
