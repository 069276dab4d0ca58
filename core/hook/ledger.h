/*
 * What git's hooks refuse about the ledger, beside what rb_guard_*() say of releases: it grows,
 * and nothing of it is rewritten. And what a server's ledger says of a push.
 */
#ifndef RB_HOOK_LEDGER_H
#define RB_HOOK_LEDGER_H

#include "hook/check.h"
#include "ledger/ledger.h"
#include "ledger/policy.h"

/* An rb_guard_loader: the chain as the ledger and its policy see it, so that a release whose signer
 * may not release is refused, and predecessors that are known to be lost are not asked for. */
enum rb_code rb_ledger_chain(rb_chain **out, rb_repo *repo, const rb_signers *signers,
                             const rb_pushes *pushed, const char *version, rb_err *err) RB_MUST_USE;

/* An rb_guard_given_up: a release may be deleted where a gap entry that counts is about it, and
 * nothing used it (rb_history_in_use()). */
enum rb_code rb_ledger_gave_up(bool *out, char **next, rb_repo *repo, const rb_signers *signers,
                               const char *tag, const char *object, rb_err *err) RB_MUST_USE;

/* reference-transaction in state "prepared": deleting or rewinding the ledger here. What
 * `git pack-refs` does passes. */
enum rb_code rb_ledger_guard_transaction(rb_refusals *out, rb_repo *repo, const char *lines,
                                         size_t len, rb_err *err) RB_MUST_USE;

/* pre-push: deleting the remote's ledger, and pushing one that does not descend from it. */
enum rb_code rb_ledger_guard_push(rb_refusals *out, rb_repo *repo, const char *remote,
                                  const rb_pushes *pushes, rb_err *err) RB_MUST_USE;

/* pre-receive: the same on the other side, and new entries that are none, or are broken. */
enum rb_code rb_ledger_guard_receive(rb_refusals *out, rb_repo *repo, const rb_pushes *pushes,
                                     rb_err *err) RB_MUST_USE;

/*
 * post-receive: writes an entry of kind release, as witness, about every release that the push
 * created, signed with this repository's own key where it has one. What does not verify is left
 * out, with a warning in out. It never begins a ledger: until one is pushed here, the records wait
 * in COMMON_DIR/rbtool/receipts, and then the entries have the times of the pushes.
 */
enum rb_code rb_ledger_receipt(rb_refusals *out, rb_repo *repo, const rb_pushes *pushes,
                               rb_err *err) RB_MUST_USE;

#endif
