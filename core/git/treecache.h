/*
 * The cache behind treeid: SHA-1 ids of trees and blobs to their SHA-256 ids, for this room.
 *
 * The file is a header line and chunks, each a count, records, and a SHA-256 over both; a chunk is
 * appended by one write under a lock. What follows the first damaged chunk is not used, and the
 * next save writes the file anew. Nothing here fails: without a cache there is only more to do.
 */
#ifndef RB_GIT_TREECACHE_H
#define RB_GIT_TREECACHE_H

#include "base/hash.h"
#include "git/repository.h"

typedef struct rb_treecache rb_treecache;

enum rb_treecache_kind { RB_TREECACHE_BLOB = 1, RB_TREECACHE_TREE = 2 };

rb_treecache *rb_treecache_open(const char *path);
void rb_treecache_free(rb_treecache *cache);
RB_DEFINE_AUTO(rb_treecache, rb_treecache_free)

bool rb_treecache_get(const rb_treecache *cache, const rb_oid *oid, enum rb_treecache_kind kind,
                      unsigned char out[RB_SHA256_SIZE]);
void rb_treecache_put(rb_treecache *cache, const rb_oid *oid, enum rb_treecache_kind kind,
                      const unsigned char id[RB_SHA256_SIZE]);

/* Writes what was put since the file was read; skipped when another process is writing. */
void rb_treecache_save(rb_treecache *cache);

/* For the fuzzer: reads a file's bytes; the number of records that were taken. */
size_t rb_treecache_read(rb_treecache *cache, const void *data, size_t len);

#endif
