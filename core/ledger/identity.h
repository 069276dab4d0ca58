/*
 * Whose ledger it is (design section 7). Every entry names the ledger's first entry by its id; a
 * clone is pinned to that id by git config rbtool.ledger in the repository itself, which no commit
 * can change. What names another ledger is foreign: it counts for nothing, wherever a merge brings
 * it in. A clone that is not pinned yet takes the ledger that its tip names.
 *
 * Two ledgers that began apart are one once a merge entry names both ("joins"): it counts when an
 * allowed signer signed it and every policy that either of them has lets that signer set policies.
 */
#ifndef RB_LEDGER_IDENTITY_H
#define RB_LEDGER_IDENTITY_H

#include "ledger/ledger.h"

#define RB_LEDGER_KEY "rbtool.ledger"

/* The id that the clone is pinned to, borrowed; NULL: to none yet. RB_ERROR when it is not an id.
 */
enum rb_code rb_ledger_pinned(const char **out, rb_repo *repo, rb_err *err) RB_MUST_USE;
/* Pins a clone that is not pinned. Where that cannot be written, the next command tries again. */
void rb_ledger_pin(rb_repo *repo, const char *first);

/* The ledger that an entry names: 40 hex digits in hex. False if it names none. */
bool rb_ledger_of(char hex[RB_OID_HEX], const rb_entry *entry);
/* Fills ledger->ids and marks what is of another ledger as foreign. */
void rb_ledger_identify(rb_ledger *ledger, const char *pinned);

/* RB_ERROR: the ledger that the clone is pinned to is gone from it; it is another one. */
enum rb_code rb_ledger_fail_gone(const char *pinned, rb_err *err) RB_MUST_USE;
enum rb_code rb_ledger_fail_other(const char *pinned, const char *found, rb_err *err) RB_MUST_USE;

#endif
