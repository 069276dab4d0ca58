/*
 * Reads one committed file in the form that a checkout has, for files that are delivered one by
 * one: config, flags, SQL checks, seeds.
 *
 * Only the tree's own .gitattributes count (git/attributes.h). A Git LFS pointer is replaced by its
 * content, which is checked. RB_FOUND, with path and attribute, if git would change the file in a
 * way that rbtool does not support: any other filter, `ident` if the file has an $Id$,
 * `working-tree-encoding`, and `eol=crlf` if the file has line ends.
 */
#ifndef RB_ARTIFACT_CHECKOUT_H
#define RB_ARTIFACT_CHECKOUT_H

#include "base/hash.h"
#include "git/tree.h"

/* Reads the file. RB_ERROR if it has more than `limit` bytes, or its LFS content is missing or
 * damaged. */
enum rb_code rb_checkout_read(rb_buf *out, rb_repo *repo, const rb_oid *tree,
                              const rb_tree_entry *entry, size_t limit, rb_err *err);
/* Same as rb_checkout_read(), by path; RB_FOUND if it does not exist. */
enum rb_code rb_checkout_file(rb_buf *out, rb_repo *repo, const rb_oid *tree, const char *path,
                              size_t limit, rb_err *err);
/* Computes the SHA-256 of what rb_checkout_read() returns. An LFS pointer contains it, so the
 * content may be missing in this clone. */
enum rb_code rb_checkout_sha256(char out[RB_SHA256_HEX], rb_repo *repo, const rb_oid *tree,
                                const rb_tree_entry *entry, size_t limit, rb_err *err);

#endif
