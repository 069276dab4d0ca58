/*
 * Describes a commit as if it were a release, for comparisons with a release.
 */
#ifndef RB_RELEASE_UNRELEASED_H
#define RB_RELEASE_UNRELEASED_H

#include "release/chain.h"

/*
 * Makes what `rbtool release` would put into the manifest of this commit after the release `base`:
 * flags, config, checks, and databases with proofs of migrations that base does not have. It is not
 * signed, artifacts are not hashed, and no rule refuses it. `name` is used as its tag and, if no
 * file contains the version, as its version. RB_FOUND as for rb_prove_database().
 */
enum rb_code rb_unreleased(rb_release **out, rb_repo *repo, const rb_oid *commit, const char *name,
                           const rb_release *base, rb_err *err);

#endif
