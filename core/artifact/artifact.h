/*
 * Artifacts: named sets of paths of a release's tree, rebuilt from git objects in one pass. Every
 * blob is read once and feeds tree id, archive digest and, where asked, files on disk.
 *
 * The canonical tar is defined to the byte: ustar, bytewise path order, no folder entries, mtime,
 * uid and gid 0, modes 644 and 755, no names, two zero blocks at the end, pax records ("path",
 * "linkpath", "size") only where ustar cannot say it. The digest is over the uncompressed tar.
 * Attributes change nothing. LFS pointers stay pointers in the tree id; their content, checked,
 * goes into archive and folder.
 *
 * What was read is checked by its SHA-1 object ids, or where the tree id is known by that: where it
 * comes out as another, the objects are read once more to name one that is corrupt. Without one
 * the result is returned as it is, and the caller compares it with the manifest.
 */
#ifndef RB_ARTIFACT_ARTIFACT_H
#define RB_ARTIFACT_ARTIFACT_H

#include <stdint.h>

#include "base/hash.h"
#include "git/repository.h"

typedef struct rb_artifact_spec {
    const char *name;
    const rb_strs *paths; /* none: the whole tree */
    const char *format;   /* dir, tar, tar.gz, tar.zst, zip */
    const char *expected; /* tree id that a signed manifest names; NULL: not known */
} rb_artifact_spec;

typedef struct rb_artifact {
    uint64_t files; /* blobs, symlinks included */
    uint64_t bytes; /* of their content */
    char tree[RB_SHA256_HEX];
    char digest[RB_SHA256_HEX]; /* of the canonical tar */
    rb_strs submodules;
} rb_artifact;

void rb_artifact_clear(rb_artifact *artifact);

bool rb_artifact_format_known(const char *format);

/* Computes tree id and digest and writes nothing. threads: at least 1. */
enum rb_code rb_artifact_hash(rb_artifact *out, rb_repo *repo, const rb_oid *tree,
                              const rb_artifact_spec *spec, int threads, rb_err *err);

/*
 * Same as rb_artifact_hash(), and writes the artifact: for format dir into dir/NAME/..., else to
 * dir/NAME.FORMAT. `dir` must exist and the target must not. Everything is synced when it
 * returns; what was written is removed on failure. The caller writes beside the final path and
 * renames.
 */
enum rb_code rb_artifact_write(rb_artifact *out, rb_repo *repo, const rb_oid *tree,
                               const rb_artifact_spec *spec, const char *dir, int threads,
                               rb_err *err);

#endif
