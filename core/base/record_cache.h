/*
 * A cache file: results of earlier commands, by a key of 20 bytes, such as an object id.
 *
 * Order of calls: open; get and put; save once, at the end; free.
 *
 * Format: a header line, then chunks. A chunk is a length, a SHA-256, and that many bytes of
 * records; a record is a length, its key and its data. Lengths are 32-bit little-endian. A chunk is
 * appended by one write under a lock. The header names the kind of records, their version and what
 * they depend on: a file with another header counts as empty.
 *
 * Nothing here fails: without a cache the results are computed again. Everything from the first
 * damaged chunk on is ignored, and the next save rewrites the file. A file that would grow beyond
 * RB_RECORD_CACHE_LIMIT starts again, empty.
 */
#ifndef RB_BASE_RECORD_CACHE_H
#define RB_BASE_RECORD_CACHE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/keys.h"

#define RB_RECORD_KEY RB_KEY_SIZE
#define RB_RECORD_CACHE_LIMIT ((size_t)512 << 20)

typedef struct rb_record_cache rb_record_cache;

rb_record_cache *rb_record_cache_open(const char *path, const char *header);
void rb_record_cache_free(rb_record_cache *cache);
RB_DEFINE_AUTO(rb_record_cache, rb_record_cache_free)

/* Looks up a record. *data is valid until the next put, or until free if the record was read from
 * the file. Several threads may call this while none calls put. */
bool rb_record_cache_get(const void **data, size_t *len, const rb_record_cache *cache,
                         const unsigned char key[RB_RECORD_KEY]);
/* Adds or replaces the record of that key. */
void rb_record_cache_put(rb_record_cache *cache, const unsigned char key[RB_RECORD_KEY],
                         const void *data, size_t len);

/* Writes the new records to the file. Does nothing if another process is writing it. */
void rb_record_cache_save(rb_record_cache *cache);

/* Uses `data` as the content of the file; returns the number of records. Only for tests. */
size_t rb_record_cache_read(rb_record_cache *cache, const void *data, size_t len);

#endif
