/*
 * Computes the git SHA-256 object id of a tree: what `git write-tree` prints for the same files in
 * a repository made with --object-format=sha256 (gitformat-hash-function-transition). Gitlinks, and
 * folders that contain nothing else, are omitted; the gitlinks' paths are listed.
 *
 * COMMON_DIR/rbtool/treeids caches the SHA-256 ids of trees and blobs by their SHA-1 id. The result
 * does not depend on it: a damaged cache is ignored and rewritten, and without it all blobs are
 * read.
 */
#ifndef RB_GIT_TREEID_H
#define RB_GIT_TREEID_H

#include "base/hash.h"
#include "git/tree.h"

typedef struct rb_treeid {
    char hex[RB_SHA256_HEX];
    rb_strs submodules; /* paths of the gitlinks that were omitted */
} rb_treeid;

void rb_treeid_clear(rb_treeid *id);

/* Computes the id of the part of a tree that `paths` name (as for rb_tree_list()). Files keep their
 * whole paths. */
enum rb_code rb_treeid_of(rb_treeid *out, rb_repo *repo, const rb_oid *tree, const rb_strs *paths,
                          bool use_cache, rb_err *err);

/*
 * Same as rb_treeid_of(), from blobs that the caller hashed. entries: from rb_tree_list();
 * blobs[i]: binary SHA-256 id of entries[i] (ignored for gitlinks).
 */
void rb_treeid_from_blobs(rb_treeid *out, const rb_tree_entries *entries,
                          const unsigned char (*blobs)[RB_SHA256_SIZE]);

#endif
