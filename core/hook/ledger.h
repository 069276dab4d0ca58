/*
 * Decides what git's hooks refuse about the ledger, in addition to the checks of releases
 * (rb_guard_*()): a ledger may only grow. Also records pushed releases in a server's ledger.
 */
#ifndef RB_HOOK_LEDGER_H
#define RB_HOOK_LEDGER_H

#include "hook/check.h"
#include "ledger/ledger.h"
#include "ledger/policy.h"

/* An rb_guard_loader that uses the ledger and its policy: a release whose signer may not release is
 * refused, and a predecessor that is known to be lost is not required. */
enum rb_code rb_ledger_chain(rb_chain **out, rb_repo *repo, const rb_signers *signers,
                             const rb_pushes *pushed, rb_err *err);

/* An rb_guard_given_up: a release may be deleted if a valid gap entry is about it and nothing used
 * it (rb_history_in_use()). */
enum rb_code rb_ledger_gave_up(bool *out, char **next, rb_repo *repo, const rb_signers *signers,
                               const char *tag, const char *object, rb_err *err);

/* reference-transaction in state "prepared": refuses to delete or rewind the ledger. Allows what
 * `git pack-refs` does. */
enum rb_code rb_ledger_guard_transaction(rb_refusals *out, rb_repo *repo, const char *lines,
                                         size_t len, rb_err *err);

/* pre-push: refuses to delete the remote's ledger, and to push one that does not descend from
 * it. */
enum rb_code rb_ledger_guard_push(rb_refusals *out, rb_repo *repo, const char *remote,
                                  const rb_pushes *pushes, rb_err *err);

/* pre-receive: applies the same rules on a server; also refuses new commits that are not entries,
 * and broken entries. */
enum rb_code rb_ledger_guard_receive(rb_refusals *out, rb_repo *repo, const rb_pushes *pushes,
                                     rb_err *err);

/*
 * post-receive: writes an entry of kind release, as witness, about every release that the push
 * created, signed with this repository's own key if it has one. Releases that do not verify are
 * skipped, with a warning in out.
 *
 * Does not begin a ledger: until one is pushed, the records wait in COMMON_DIR/rbtool/receipts.
 * Their entries will have the times of the pushes.
 */
enum rb_code rb_ledger_receipt(rb_refusals *out, rb_repo *repo, const rb_pushes *pushes,
                               rb_err *err);

#endif
