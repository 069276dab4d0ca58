/*
 * A commit that is not a release yet, described as one: for comparisons with a release.
 */
#ifndef RB_RELEASE_UNRELEASED_H
#define RB_RELEASE_UNRELEASED_H

#include "release/chain.h"

/*
 * Gives what `rbtool release` would put into a manifest of this commit after the release `base`:
 * flags, config, checks, and databases with the proofs of the migrations that base has not. It is
 * not signed, artifacts are not hashed, and no rule refuses it. `name` is its tag and, where no
 * file says the version, that too. RB_FOUND as for rb_prove_database().
 */
enum rb_code rb_unreleased(rb_release **out, rb_repo *repo, const rb_oid *commit, const char *name,
                           const rb_release *base, rb_err *err);

#endif
