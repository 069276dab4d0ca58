/*
 * The git SHA-256 object id of a tree: what `git write-tree` prints for the same files in a
 * repository made with --object-format=sha256 (gitformat-hash-function-transition). Gitlinks, and
 * folders left empty by that, are left out; their paths are listed.
 *
 * Computed subtree by subtree. The cache maps SHA-1 tree (and blob) ids to SHA-256 ids and lives
 * in COMMON_DIR/rbtool/treeids; it is only ever a shortcut: a damaged one is ignored and
 * rewritten, and without a cache every blob's bytes are hashed.
 */
#ifndef RB_GIT_TREEID_H
#define RB_GIT_TREEID_H

#include "base/hash.h"
#include "git/tree.h"

typedef struct rb_treeid {
    char hex[RB_SHA256_HEX];
    rb_strs submodules; /* paths of the gitlinks left out */
} rb_treeid;

void rb_treeid_clear(rb_treeid *id);

/* Computes the id; `paths` as for rb_tree_list(), and the files retain their whole paths. */
enum rb_code rb_treeid_of(rb_treeid *out, rb_repo *repo, const rb_oid *tree, const rb_strs *paths,
                          bool use_cache, rb_err *err);

/*
 * Same as rb_treeid_of(), from blobs hashed by the caller: entries as rb_tree_list() gives them,
 * blobs[i] the binary SHA-256 blob id of entries[i] (ignored for gitlinks).
 */
void rb_treeid_from_blobs(rb_treeid *out, const rb_tree_entries *entries,
                          const unsigned char (*blobs)[RB_SHA256_SIZE]);

#endif
