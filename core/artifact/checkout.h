/*
 * One committed file as a checkout has it, for files that are delivered one by one: config, flags,
 * SQL checks, seeds.
 *
 * Only the tree's own .gitattributes count (git/attributes.h). Git LFS content, checked by its
 * SHA-256, stands in place of its pointer. What rbtool does not do as git would is RB_FOUND, with
 * the path and the attribute: any other filter, `ident` where the file has an $Id$,
 * `working-tree-encoding`, and `eol=crlf` where the file has line ends.
 */
#ifndef RB_ARTIFACT_CHECKOUT_H
#define RB_ARTIFACT_CHECKOUT_H

#include "base/hash.h"
#include "git/tree.h"

/* RB_ERROR above limit bytes, and where LFS content is absent or damaged. */
enum rb_code rb_checkout_read(rb_buf *out, rb_repo *repo, const rb_oid *tree,
                              const rb_tree_entry *entry, size_t limit, rb_err *err) RB_MUST_USE;
/* The same by path; RB_FOUND when it is absent. */
enum rb_code rb_checkout_file(rb_buf *out, rb_repo *repo, const rb_oid *tree, const char *path,
                              size_t limit, rb_err *err) RB_MUST_USE;
/* The SHA-256 of what rb_checkout_read() would give. Of LFS content the pointer knows it, so that
 * the content need not be here. */
enum rb_code rb_checkout_sha256(char out[RB_SHA256_HEX], rb_repo *repo, const rb_oid *tree,
                                const rb_tree_entry *entry, size_t limit, rb_err *err) RB_MUST_USE;

#endif
