/*
 * Reads Git LFS content (git-lfs docs/spec.md): git has pointers, COMMON_DIR/lfs/objects the
 * content. A file counts as a pointer only if the tree's attributes say filter=lfs.
 */
#ifndef RB_ARTIFACT_LFS_H
#define RB_ARTIFACT_LFS_H

#include "base/hash.h"
#include "git/attributes.h"

#define RB_LFS_POINTER_LIMIT 1024 /* bytes; the limit of the specification */

typedef struct rb_lfs_pointer {
    char oid[RB_SHA256_HEX];
    uint64_t size;
} rb_lfs_pointer;

/* Parses a pointer of version 1 with oid sha256 and size; false for everything else. */
bool rb_lfs_parse(rb_lfs_pointer *out, const void *data, size_t len);

typedef struct rb_lfs rb_lfs; /* may be used from several threads */

rb_lfs *rb_lfs_new(rb_repo *repo, const rb_oid *tree);
void rb_lfs_free(rb_lfs *lfs);
rb_attributes *rb_lfs_attributes(rb_lfs *lfs); /* those of the tree */
RB_DEFINE_AUTO(rb_lfs, rb_lfs_free)

/* Sets *out if the blob at path is an LFS pointer. */
enum rb_code rb_lfs_is(bool *out, rb_lfs_pointer *pointer, rb_lfs *lfs, const char *path,
                       const void *data, size_t len, rb_err *err);

/* Passes the content to sink in pieces, and checks size and SHA-256. The content is only valid once
 * this has returned RB_OK. */
typedef enum rb_code rb_lfs_sink(void *context, const void *data, size_t len, rb_err *err);
enum rb_code rb_lfs_content(rb_lfs *lfs, const rb_lfs_pointer *pointer, const char *path,
                            rb_lfs_sink *sink, void *context, rb_err *err);

#endif
