/*
 * Reads and writes git objects as raw bytes. Objects that are read are checked against their id.
 * Objects that are written are synced when the call returns.
 */
#ifndef RB_GIT_OBJECT_H
#define RB_GIT_OBJECT_H

#include "git/repository.h"

enum rb_object_kind {
    RB_OBJECT_COMMIT = 1, /* as numbered in git's pack format */
    RB_OBJECT_TREE = 2,
    RB_OBJECT_BLOB = 3,
    RB_OBJECT_TAG = 4,
};

/*
 * Reads an object. RB_FOUND if it is of another kind or larger than `limit`; RB_ERROR if it is
 * missing or corrupt, with `what` ("entry of the ledger") and what to fetch in the message.
 */
enum rb_code rb_object_read(rb_buf *out, rb_repo *repo, const rb_oid *object,
                            enum rb_object_kind kind, const char *what, size_t limit, rb_err *err);

/* Returns an object's size, whatever its kind, without reading it. RB_ERROR if it is missing. */
enum rb_code rb_object_size(size_t *out, rb_repo *repo, const rb_oid *object, const char *what,
                            rb_err *err);

enum rb_code rb_object_write(rb_oid *out, rb_repo *repo, enum rb_object_kind kind, const void *data,
                             size_t len, rb_err *err);

/* A file in a flat tree: a tree that contains only plain files, in bytewise order of their
 * names. */
typedef struct rb_flat_file {
    const char *name;
    rb_oid blob;
} rb_flat_file;

enum rb_code rb_flat_write(rb_oid *out, rb_repo *repo, const rb_flat_file *files, size_t n,
                           rb_err *err);

/* Reads a flat tree of at most `limit` files, whose names point into `raw`. RB_FOUND if the tree
 * contains anything else, or more files. */
enum rb_code rb_flat_read(rb_flat_file *files, size_t *n, size_t limit, rb_buf *raw, rb_repo *repo,
                          const rb_oid *tree, const char *what, rb_err *err);

#endif
