/*
 * Shared by the commands with which people write to the ledger: mark, approve, note, policy.
 */
#ifndef RB_CMD_LEDGER_WRITE_H
#define RB_CMD_LEDGER_WRITE_H

#include "release_status.h"

/* Finds the caller and checks that the policy allows the entry; what: "a verdict". RB_ERROR without
 * a key of an allowed signer, RB_FOUND if it is not in the role. */
enum rb_code rb_ledger_write_caller(rb_caller *out, rb_cli *cli, enum rb_role role, const char *key,
                                    const char *what, rb_err *err);

/* The same for an entry that any allowed signer may write. */
enum rb_code rb_ledger_write_signer(rb_caller *out, rb_cli *cli, const char *key, const char *what,
                                    rb_err *err);

/* For a ledger that is empty in a repository without rbtool.app: the name in rbtool.json. NULL
 * where rb_ledger_append() knows better. */
enum rb_code rb_ledger_write_app(const char **out, rb_cli *cli, rb_err *err);

/* Appends the entry, about the application of this repository. */
enum rb_code rb_ledger_write_entry(rb_oid *out, rb_cli *cli, const rb_draft *draft, rb_err *err);

/* Notes that other clones do not have the entry yet. */
/* Before an entry is written and the ledger is read (rb_ledger_write_caller() does it, too):
 * fetches the ledger where this clone has none and its remote does, and says so. begins: the entry
 * may be the first of a new ledger. */
enum rb_code rb_ledger_write_ready(rb_cli *cli, bool begins, rb_err *err);
void rb_ledger_write_hint(const rb_cli *cli);

typedef struct rb_ledger_write_hex {
    char hex[RB_OID_HEX];
} rb_ledger_write_hex;
rb_ledger_write_hex rb_ledger_write_id(const rb_oid *id);

/* The document of an entry that was written; id NULL: of one that would change nothing. */
json_t *rb_ledger_write_document(const rb_draft *draft, const rb_caller *caller, const rb_oid *id);

#endif
