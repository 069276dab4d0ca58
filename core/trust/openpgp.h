/*
 * Verifies tags with OpenPGP and X.509 signatures by `git verify-tag --raw`. Passes the object's id
 * and disables replace refs, so that git verifies the bytes that were read here.
 */
#ifndef RB_TRUST_OPENPGP_H
#define RB_TRUST_OPENPGP_H

#include "base/problem.h"
#include "git/repository.h"

/*
 * Verifies a tag. *principal is the email of the key's user id if the keyring trusts it fully,
 * otherwise "openpgp:FINGERPRINT", because a key may contain any name.
 *
 * RB_FOUND with one problem if the signature is not valid, or if git config rbtool.openpgpSigners
 * (several values: full fingerprints) does not contain its key: being in a keyring is not enough.
 * RB_ERROR if a value of that setting is not a full fingerprint.
 */
enum rb_code rb_openpgp_verify(char **principal, char **fingerprint, rb_repo *repo,
                               const rb_oid *object, rb_problems *problems, rb_err *err);

/* Interprets git's output, as in rb_openpgp_verify(). ok: git exited with status 0. */
enum rb_code rb_openpgp_result(char **principal, char **fingerprint, const char *status, bool ok,
                               rb_problems *problems);

#endif
