/*
 * Reads one committed file as a checkout has it, for files that are delivered one by one: config,
 * flags, SQL checks, seeds.
 *
 * Only the tree's own .gitattributes count (git/attributes.h). Git LFS content, checked by its
 * SHA-256, replaces its pointer. RB_FOUND, with the path and the attribute, if git would change
 * the file in a way that rbtool does not support: any other filter, `ident` if the file has an
 * $Id$, `working-tree-encoding`, and `eol=crlf` if the file has line ends.
 */
#ifndef RB_ARTIFACT_CHECKOUT_H
#define RB_ARTIFACT_CHECKOUT_H

#include "base/hash.h"
#include "git/tree.h"

/* Reads the entry. RB_ERROR above `limit` bytes, and if LFS content is absent or damaged. */
enum rb_code rb_checkout_read(rb_buf *out, rb_repo *repo, const rb_oid *tree,
                              const rb_tree_entry *entry, size_t limit, rb_err *err);
/* Same as rb_checkout_read(), by path; RB_FOUND if it does not exist. */
enum rb_code rb_checkout_file(rb_buf *out, rb_repo *repo, const rb_oid *tree, const char *path,
                              size_t limit, rb_err *err);
/* Computes the SHA-256 of what rb_checkout_read() returns. For LFS content it is in the pointer, so
 * the content need not be in this clone. */
enum rb_code rb_checkout_sha256(char out[RB_SHA256_HEX], rb_repo *repo, const rb_oid *tree,
                                const rb_tree_entry *entry, size_t limit, rb_err *err);

#endif
