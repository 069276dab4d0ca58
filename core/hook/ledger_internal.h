/*
 * Functions that the ledger's hook checks share.
 */
#ifndef RB_HOOK_LEDGER_INTERNAL_H
#define RB_HOOK_LEDGER_INTERNAL_H

#include "hook/ledger.h"

/*
 * Checks that the commits pushed on top of the known ledger are within the limits of a push (git
 * config rbtool.ledgerPushEntries, 5,000, and rbtool.ledgerPushBytes, 64 MiB) and of an entry.
 * Sizes are looked up before anything is read. A commit that is not an entry is refused at once,
 * and its ancestors are not read. *why (owned) and *next are the refusal; *why is NULL if the
 * push is accepted.
 */
enum rb_code rb_ledger_guard_size(char **why, const char **next, rb_repo *repo, const rb_oid *tip,
                                  const rb_ledger *known, rb_err *err);

/*
 * Same check for the number of entries that no allowed signer signed: in this push (git config
 * rbtool.ledgerPushUnsigned, 1,000) and in the whole ledger (rbtool.ledgerUnsigned, 20,000). Each
 * of them permanently costs every reader a little, and needs only the right to push. A push
 * without such an entry is accepted.
 */
enum rb_code rb_ledger_guard_unsigned(char **why, const char **next, rb_repo *repo,
                                      const rb_ledger *then, const rb_ledger *known, rb_err *err);

#define RB_NEXT_UNFIT                                                                              \
    "entries are written by rbtool and pushed by `rbtool sync`; `rbtool log --verify` names "      \
    "those "                                                                                       \
    "that are not good"

#endif
