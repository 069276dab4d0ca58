/*
 * Reads one committed file in the form that a checkout has, for files that are delivered one by
 * one: config, flags, SQL checks, seeds. A Git LFS pointer is replaced by its content, which is
 * checked.
 *
 * When a release is made, the tree's own .gitattributes decide (git/attributes.h). RB_FOUND, with
 * path and attribute, if git would change the file in a way that rbtool does not support: any other
 * filter, `ident` if the file has an $Id$, `working-tree-encoding`, and `eol=crlf` if the file has
 * line ends. From then on the SHA-256 in the manifest decides: it is the pointer's, or the file's.
 */
#ifndef RB_ARTIFACT_CHECKOUT_H
#define RB_ARTIFACT_CHECKOUT_H

#include "artifact/lfs.h"
#include "git/tree.h"

/* Reads the file. lfs: of its tree. RB_ERROR if it has more than `limit` bytes, or its LFS content
 * is missing or damaged. */
enum rb_code rb_checkout_read(rb_buf *out, rb_repo *repo, rb_lfs *lfs, const rb_tree_entry *entry,
                              size_t limit, rb_err *err);
/* Same as rb_checkout_read(), by path; RB_FOUND if it does not exist. */
enum rb_code rb_checkout_file(rb_buf *out, rb_repo *repo, const rb_oid *tree, const char *path,
                              size_t limit, rb_err *err);
/* Reads a file of a release, whose SHA-256 is known. If the result has another one, the commit does
 * not have the file: the caller compares. */
enum rb_code rb_checkout_known(rb_buf *out, rb_repo *repo, const rb_oid *tree, const char *path,
                               const char *sha256, size_t limit, rb_err *err);

#endif
