/*
 * Describes a transition of the ledger as an in-toto link (in-toto.io/attestation/link/v0.3), the
 * vetted predicate for a step that was carried out. The step's name is the transition's kind. The
 * release's artifacts are its products (the subject). The tags of both releases and the ledger
 * entry are its materials.
 */
#ifndef RB_ATTEST_DEPLOYMENT_H
#define RB_ATTEST_DEPLOYMENT_H

#include "ledger/ledger.h"
#include "release/release.h"

#define RB_DEPLOYMENT_TYPE "https://in-toto.io/attestation/link/v0.3"

/* Returns the newest transition by an allowed signer that reached this tag object, or NULL.
 * Borrowed. environment: only in this one; NULL: in any. */
const rb_entry *rb_deployment_find(const rb_ledger *ledger, const char *object,
                                   const char *environment);
json_t *rb_deployment_statement(const rb_release *release, const rb_entry *entry); /* new */

#endif
