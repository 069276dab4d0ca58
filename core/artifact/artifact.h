/*
 * Artifacts: named sets of paths of a release's tree, rebuilt from git objects. Each blob is read
 * once, for the tree id, the archive's digest and, if asked, files on disk.
 *
 * The digest is that of the canonical, uncompressed tar, which is defined to the byte (tar.h).
 * Attributes have no effect. In the tree id, LFS pointers stay pointers; in the archive and folder
 * they are replaced by their content, which is checked.
 *
 * Objects are checked by their SHA-1 ids. If the expected tree id is given, that check is skipped,
 * and the tree id is compared instead; if it differs, the objects are read again to find a corrupt
 * one. If none is corrupt, the result is returned, and the caller compares it with the manifest.
 */
#ifndef RB_ARTIFACT_ARTIFACT_H
#define RB_ARTIFACT_ARTIFACT_H

#include <stdint.h>

#include "base/hash.h"
#include "git/repository.h"

typedef struct rb_artifact_spec {
    const char *name;
    const rb_strs *paths; /* empty: the whole tree */
    const char *format;   /* format: dir, tar, tar.gz, tar.zst or zip */
    const char *expected; /* tree id from a signed manifest; NULL: unknown */
} rb_artifact_spec;

typedef struct rb_artifact {
    uint64_t files; /* number of blobs, including symlinks */
    uint64_t bytes; /* bytes of their content */
    char tree[RB_SHA256_HEX];
    char digest[RB_SHA256_HEX]; /* SHA-256 of the canonical tar */
    rb_strs submodules;
} rb_artifact;

void rb_artifact_clear(rb_artifact *artifact);

bool rb_artifact_format_known(const char *format);

/* Computes tree id and digest, without writing anything. threads: at least 1. */
enum rb_code rb_artifact_hash(rb_artifact *out, rb_repo *repo, const rb_oid *tree,
                              const rb_artifact_spec *spec, int threads, rb_err *err);

/*
 * Same as rb_artifact_hash(), and writes the artifact: format dir to dir/NAME/..., others to
 * dir/NAME.FORMAT. `dir` must exist and the target must not. Everything is synced on return; on
 * failure, what was written is removed. The caller writes to a temporary folder and renames.
 */
enum rb_code rb_artifact_write(rb_artifact *out, rb_repo *repo, const rb_oid *tree,
                               const rb_artifact_spec *spec, const char *dir, int threads,
                               rb_err *err);

#endif
