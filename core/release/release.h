/*
 * Opens and verifies releases. A release describes itself by its manifest and git objects;
 * rbtool.json is not read again.
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
    char object[RB_OID_HEX]; /* id of the tag object */
    rb_oid commit;
    rb_oid tree;
    size_t held; /* number of further owners, see rb_release_hold() */
} rb_release;

/*
 * Opens a release: checks the tag's signature and name, the manifest's form, and that the manifest
 * is about the tag's commit, the version in its name and the app that is pinned in this repository
 * (git config rbtool.app; if it is not set, rb_chain_load() compares with the first release).
 * RB_FOUND with problems if a check fails; err then has the first problem.
 */
enum rb_code rb_release_open(rb_release **out, rb_repo *repo, const rb_signers *signers,
                             const char *tag, rb_problems *problems, rb_err *err);
/* Same as rb_release_open(), for a tag object that the caller has read. */
enum rb_code rb_release_open_tag(rb_release **out, rb_repo *repo, const rb_signers *signers,
                                 const rb_tag *tag, rb_problems *problems, rb_err *err);
void rb_release_free(rb_release *release);
/* Adds an owner: rb_release_free() has to be called once more. Returns release. */
rb_release *rb_release_hold(rb_release *release);
RB_DEFINE_AUTO(rb_release, rb_release_free)

enum {                        /* ways to verify */
       RB_VERIFY_DEEP = 1,    /* also rebuild archives and compare their digests */
       RB_VERIFY_NO_CACHE = 2 /* ignore cached results */
};

/* Compares the artifacts' tree ids, migrations, flags, config and checks with the repository.
 * RB_FOUND with problems if something differs. */
enum rb_code rb_release_verify(rb_problems *problems, const rb_release *release, rb_repo *repo,
                               unsigned how, rb_err *err);

/* Verifies many releases: content that was hashed for one is not read again for another. */
typedef struct rb_verifier rb_verifier;
rb_verifier *rb_verifier_new(rb_repo *repo, unsigned how);
enum rb_code rb_verifier_check(rb_problems *problems, rb_verifier *verifier,
                               const rb_release *release, rb_err *err);
void rb_verifier_free(rb_verifier *verifier);
RB_DEFINE_AUTO(rb_verifier, rb_verifier_free)

/* Reads the migrations of a release from its tree, and checks them against the manifest's
 * hashes. */
enum rb_code rb_release_migrations(rb_migrations **out, const rb_release *release, rb_repo *repo,
                                   const rb_manifest_database *database, rb_err *err);
/* Reads a flags, config or check file of the release, and checks its SHA-256. */
enum rb_code rb_release_file(rb_buf *out, const rb_release *release, rb_repo *repo,
                             const char *path, const char *sha256, rb_err *err);

#endif
