/*
 * Reads many blobs, each once, in several threads.
 *
 * Computes the git SHA-256 id of each blob and, unless `unchecked` is set, checks its SHA-1 id, so
 * that a corrupt object is named.
 *
 * Memory: blobs that wait for next() take at most 1 MiB, in addition to those that the threads are
 * reading, and only one thread at a time reads a blob of 1 MiB or more.
 */
#ifndef RB_GIT_BLOBS_H
#define RB_GIT_BLOBS_H

#include "base/hash.h"
#include "git/tree.h"

typedef struct rb_blob {
    size_t index; /* index in entries */
    const rb_tree_entry *entry;
    const void *data; /* valid until the function returns */
    size_t len;
} rb_blob;

typedef enum rb_code rb_blob_visit(void *context, const rb_blob *blob, rb_err *err);

typedef struct rb_blobs {
    rb_repo *repo;
    const rb_tree_entries *entries; /* blobs to read; gitlinks and trees are skipped */
    int threads;                    /* number of threads, at least 1; at most 8 are used */
    /* Do not check SHA-1 ids: the caller knows the SHA-256 of the result, and reads again with
     * checks if it differs. */
    bool unchecked;
    bool sparing;        /* use less memory, because each() or next() uses much */
    rb_blob_visit *each; /* called in any order, from several threads at once; may be NULL */
    /* called in the order of entries, one call at a time, after each(); may be NULL */
    rb_blob_visit *next;
    void *context;
} rb_blobs;

/* Reads the blobs. ids has room for entries->n ids. If several entries fail, the error of the first
 * one is reported. */
enum rb_code rb_blobs_read(unsigned char (*ids)[RB_SHA256_SIZE], const rb_blobs *job, rb_err *err);

#endif
