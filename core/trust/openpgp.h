/*
 * Verifies OpenPGP and X.509 tags with `git verify-tag --raw` on the object's id, with replace
 * refs off, so that git verifies the same bytes that are read here.
 */
#ifndef RB_TRUST_OPENPGP_H
#define RB_TRUST_OPENPGP_H

#include "base/problem.h"
#include "git/repository.h"

/*
 * Verifies a tag. *principal is the email of the key's user id if the keyring trusts it fully,
 * otherwise "openpgp:FINGERPRINT", because anybody can write any name into a key. RB_FOUND with
 * one problem if the signature is not valid, or git config rbtool.openpgpSigners (several values:
 * full fingerprints) does not name its key: being in a keyring is not enough. RB_ERROR if one of
 * its values is not a full fingerprint.
 */
enum rb_code rb_openpgp_verify(char **principal, char **fingerprint, rb_repo *repo,
                               const rb_oid *object, rb_problems *problems, rb_err *err);

/* Same as rb_openpgp_verify(), from git's output; ok: git exited with status 0. */
enum rb_code rb_openpgp_result(char **principal, char **fingerprint, const char *status, bool ok,
                               rb_problems *problems);

#endif
