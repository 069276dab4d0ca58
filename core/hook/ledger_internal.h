/*
 * What the parts of the ledger's hook checks share.
 */
#ifndef RB_HOOK_LEDGER_INTERNAL_H
#define RB_HOOK_LEDGER_INTERNAL_H

#include "hook/ledger.h"

/*
 * Whether what is pushed beyond the known ledger is within the limits of a push (git config
 * rbtool.ledgerPushEntries, 5,000, and rbtool.ledgerPushBytes, 64 MiB) and of an entry. Sizes are
 * looked up before anything is read. What is not an entry is refused at once: what is behind it is
 * not read. *why (owned) and *next are the refusal; *why is NULL when it is fine.
 */
enum rb_code rb_ledger_guard_size(char **why, const char **next, rb_repo *repo, const rb_oid *tip,
                                  const rb_ledger *known, rb_err *err) RB_MUST_USE;

/*
 * The same for how many entries no allowed signer signed: with this push (git config
 * rbtool.ledgerPushUnsigned, 1,000) and in the whole ledger (rbtool.ledgerUnsigned, 20,000), since
 * each of them costs every reader a little for good, and needs nothing but the right to push. A
 * push without such an entry passes.
 */
enum rb_code rb_ledger_guard_unsigned(char **why, const char **next, rb_repo *repo,
                                      const rb_ledger *then, const rb_ledger *known,
                                      rb_err *err) RB_MUST_USE;

#define RB_NEXT_UNFIT                                                                              \
    "entries are written by rbtool and pushed by `rbtool sync`; `rbtool log --verify` names "      \
    "those "                                                                                       \
    "that are not good"

#endif
