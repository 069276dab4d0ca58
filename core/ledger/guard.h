/*
 * What git's hooks refuse about the ledger, beside what rb_guard_*() say of releases: it grows,
 * and nothing of it is rewritten. And what a server's ledger says of a push.
 */
#ifndef RB_LEDGER_GUARD_H
#define RB_LEDGER_GUARD_H

#include "ledger/ledger.h"
#include "ledger/policy.h"
#include "release/guard.h"

/* reference-transaction in state "prepared": deleting or rewinding the ledger here. What
 * `git pack-refs` does passes. */
enum rb_code rb_ledger_guard_transaction(rb_refusals *out, rb_repo *repo, const char *lines,
                                         size_t len, rb_err *err) RB_MUST_USE;

/* pre-push: deleting the remote's ledger, pushing one that does not descend from it, and releases
 * that the ledger's policy does not let their signers make. */
enum rb_code rb_ledger_guard_push(rb_refusals *out, rb_repo *repo, const char *remote,
                                  const rb_pushes *pushes, rb_err *err) RB_MUST_USE;

/* pre-receive: the same on the other side, judged by the ledger and the policy from before the
 * push; and new entries that are none, or are broken. */
enum rb_code rb_ledger_guard_receive(rb_refusals *out, rb_repo *repo, const rb_pushes *pushes,
                                     rb_err *err) RB_MUST_USE;

/*
 * post-receive: writes an entry of kind release, as witness, about every release that the push
 * created, signed with this repository's own key where it has one. What does not verify is left
 * out, with a warning in out.
 */
enum rb_code rb_ledger_witness(rb_refusals *out, rb_repo *repo, const rb_pushes *pushes,
                               rb_err *err) RB_MUST_USE;

#endif
