/*
 * OpenPGP and X.509 tags: judged by `git verify-tag --raw` on the object's id, with replace refs
 * off, so that the bytes judged are the bytes read here.
 */
#ifndef RB_TRUST_OPENPGP_H
#define RB_TRUST_OPENPGP_H

#include "base/problem.h"
#include "git/repository.h"

/*
 * *principal is the email of the key's user id when the keyring trusts it fully, otherwise
 * "openpgp:FINGERPRINT": anyone may write any name into a key. RB_FOUND with one problem when the
 * signature is not good, and when git config rbtool.openpgpSigners (several values: full
 * fingerprints) does not name its key: a key is in a keyring for many reasons. RB_ERROR when one of
 * its values is not a full fingerprint.
 */
enum rb_code rb_openpgp_verify(char **principal, char **fingerprint, rb_repo *repo,
                               const rb_oid *object, rb_problems *problems,
                               rb_err *err) RB_MUST_USE;

/* The same from what git printed; ok: it ended with status 0. */
enum rb_code rb_openpgp_judge(char **principal, char **fingerprint, const char *status, bool ok,
                              rb_problems *problems) RB_MUST_USE;

#endif
