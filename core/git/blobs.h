/*
 * Reading many blobs, each once, with several threads.
 *
 * Every blob's bytes are hashed to its git SHA-256 id and, unless that is left to the caller,
 * checked against its SHA-1 id, so that a corrupt object is named. What waits to be passed on is at
 * most one MiB and what the threads were at. Of what libgit2 takes for an object (its bytes, and a
 * delta and its base), blocks of RB_GIT_MUCH and more are taken by one thread at a time.
 */
#ifndef RB_GIT_BLOBS_H
#define RB_GIT_BLOBS_H

#include "base/hash.h"
#include "git/tree.h"

typedef struct rb_blob {
    size_t index; /* in entries */
    const rb_tree_entry *entry;
    const void *data; /* borrowed, until the function returns */
    size_t len;
} rb_blob;

typedef enum rb_code rb_blob_visit(void *context, const rb_blob *blob, rb_err *err);

typedef struct rb_blobs {
    rb_repo *repo;
    const rb_tree_entries *entries; /* gitlinks and trees are passed over */
    int threads;                    /* at least 1; more than 8 are 8 */
    bool unchecked; /* the caller knows the SHA-256 of these very bytes, and asks again where it
                       differs */
    bool sparing;   /* what is done with the blobs takes much memory itself */
    rb_blob_visit *each; /* in any order, from several threads at once; NULL: none */
    rb_blob_visit *next; /* in the order of entries, one at a time, after each; NULL: none */
    void *context;
} rb_blobs;

/* ids: room for entries->n. Of several failures the one of the first entry is reported. */
enum rb_code rb_blobs_read(unsigned char (*ids)[RB_SHA256_SIZE], const rb_blobs *job, rb_err *err);

#endif
