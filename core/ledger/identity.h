/*
 * Determines which ledger an entry belongs to (design section 7). Every entry names the ledger's
 * first entry by its id; a clone is pinned to that id by git config rbtool.ledger in the
 * repository itself, which no commit can change. An entry that names another ledger is foreign:
 * it is ignored, wherever a merge brings it in. A clone that is not pinned yet takes the ledger
 * that its tip names.
 *
 * Two ledgers that began separately become one with a merge entry that names both ("joins"). It
 * is valid if an allowed signer signed it and every policy of either ledger lets that signer set
 * policies: every one before it, whether in force or not, and every one in force that does not
 * follow it.
 */
#ifndef RB_LEDGER_IDENTITY_H
#define RB_LEDGER_IDENTITY_H

#include "ledger/ledger.h"

#define RB_LEDGER_KEY "rbtool.ledger"

/* Returns the id that the clone is pinned to, borrowed; NULL if it is not pinned. RB_ERROR if the
 * setting is not an id. */
enum rb_code rb_ledger_pinned(const char **out, rb_repo *repo, rb_err *err);
/* Pins a clone that is not pinned. If the setting cannot be written, the next command tries
 * again. */
void rb_ledger_pin(rb_repo *repo, const char *first);

/* Returns the ledger that an entry names: 40 hex digits in hex. False if it names none. */
bool rb_ledger_of(char hex[RB_OID_HEX], const rb_entry *entry);
/* Fills ledger->ids and marks entries of another ledger as foreign. */
enum rb_code rb_ledger_identify(rb_ledger *ledger, const char *pinned, rb_err *err);

/* Fails with RB_ERROR: the ref is another ledger than the clone is pinned to. */
enum rb_code rb_ledger_fail_missing(const char *pinned, rb_err *err);
enum rb_code rb_ledger_fail_other(const char *pinned, const char *found, rb_err *err);

#endif
