/*
 * Releases: opening, verifying and making them, and their contents. A release describes itself:
 * manifest and git objects are all that is needed; rbtool.json is not read again.
 */
#ifndef RB_RELEASE_RELEASE_H
#define RB_RELEASE_RELEASE_H

#include "config/config.h"
#include "migration/migration.h"
#include "release/manifest.h"

typedef struct rb_release {
    rb_verified *verified;
    rb_manifest *manifest;
    char *tag;
    char object[RB_OID_HEX]; /* of the tag object */
    rb_oid commit;
    rb_oid tree;
    size_t held; /* rb_release_hold() */
} rb_release;

/*
 * Signature, name, manifest, and that the manifest speaks of this tag's commit, of the version in
 * the tag's name, and of the app pinned for this repository (git config rbtool.app; where it is
 * not set, rb_chain_load() compares with the first release). RB_FOUND with problems when anything
 * is wrong; when err is what you print, it names the first problem.
 */
enum rb_code rb_release_open(rb_release **out, rb_repo *repo, const rb_signers *signers,
                             const char *tag, rb_problems *problems, rb_err *err);
/* The same of a tag that was read already. */
enum rb_code rb_release_open_tag(rb_release **out, rb_repo *repo, const rb_signers *signers,
                                 const rb_tag *tag, rb_problems *problems, rb_err *err);
void rb_release_free(rb_release *release);
/* Another owner: one more rb_release_free() is needed. Returns release. */
rb_release *rb_release_hold(rb_release *release);
RB_DEFINE_AUTO(rb_release, rb_release_free)

enum {                        /* how verify looks */
       RB_VERIFY_DEEP = 1,    /* rebuilds archives too and compares their digests */
       RB_VERIFY_NO_CACHE = 2 /* trusts nothing computed before */
};

/* Artifacts' tree ids, migrations, flags, config and checks against the repository. RB_FOUND with
 * problems when something differs. */
enum rb_code rb_release_verify(rb_problems *problems, const rb_release *release, rb_repo *repo,
                               unsigned how, rb_err *err);

/* For many releases: what one hashed is not read again for the next. */
typedef struct rb_verifier rb_verifier;
rb_verifier *rb_verifier_new(rb_repo *repo, unsigned how);
enum rb_code rb_verifier_check(rb_problems *problems, rb_verifier *verifier,
                               const rb_release *release, rb_err *err);
void rb_verifier_free(rb_verifier *verifier);
RB_DEFINE_AUTO(rb_verifier, rb_verifier_free)

/* The release's migrations, read from its tree and checked against the manifest's hashes. */
enum rb_code rb_release_migrations(rb_migrations **out, const rb_release *release, rb_repo *repo,
                                   const rb_manifest_database *database, rb_err *err);
/* A flags, config or check file of the release, checked against sha256. */
enum rb_code rb_release_file(rb_buf *out, const rb_release *release, rb_repo *repo,
                             const char *path, const char *sha256, rb_err *err);

#endif
