/*
 * Shared by the commands by which people write to the ledger: mark, approve, note, policy. Order:
 * rb_ledger_write_caller() or _signer(), then rb_ledger_write_entry(), then _hint().
 */
#ifndef RB_CMD_LEDGER_WRITE_H
#define RB_CMD_LEDGER_WRITE_H

#include "release_status.h"

/* Finds the caller and checks that the policy allows the entry. what: for messages, "a verdict".
 * RB_ERROR if the caller has no key of an allowed signer, RB_FOUND without the role. */
enum rb_code rb_ledger_write_caller(rb_caller *out, rb_cli *cli, enum rb_role role, const char *key,
                                    const char *what, rb_err *err);

/* Finds the caller of an entry that any allowed signer may write. RB_ERROR if the caller has no key
 * of an allowed signer. */
enum rb_code rb_ledger_write_signer(rb_caller *out, rb_cli *cli, const char *key, const char *what,
                                    rb_err *err);

/* Finds the application's name for the first entry of a ledger. *out: from rbtool.json, if git
 * config rbtool.app is not set; otherwise NULL, since rb_ledger_append() then finds the name. */
enum rb_code rb_ledger_write_app(const char **out, rb_cli *cli, rb_err *err);

/* Appends the entry for the application of this repository. *out: the entry's id. */
enum rb_code rb_ledger_write_entry(rb_oid *out, rb_cli *cli, const rb_draft *draft, rb_err *err);

/* Fetches the ledger, with a note, if this clone has none and its remote has one. Call it before
 * the ledger is read to write an entry; the two functions above do it. begins: the entry may be the
 * first of a new ledger. */
enum rb_code rb_ledger_write_ready(rb_cli *cli, bool begins, rb_err *err);
/* Prints a note that other clones do not have the entry yet. */
void rb_ledger_write_hint(const rb_cli *cli);

typedef struct rb_ledger_write_hex {
    char hex[RB_OID_HEX];
} rb_ledger_write_hex;
rb_ledger_write_hex rb_ledger_write_id(const rb_oid *id);

/* Returns the document of an entry that was written; id NULL: of one that would change nothing. */
json_t *rb_ledger_write_document(const rb_draft *draft, const rb_caller *caller, const rb_oid *id);

#endif
