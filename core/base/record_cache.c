#include "base/record_cache.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"

#define LENGTH 4
#define CHUNK_HEAD (LENGTH + RB_SHA256_SIZE)

struct rb_record_cache {
    char *path;
    char *header;
    rb_buf file;  /* the header and the whole chunks of the file */
    rb_buf added; /* records that were put */
    bool whole;   /* the file holds nothing else, so that a chunk can be appended */
    /* Open addressing; the size is a power of two. A slot is 0 or a record's offset in file, or
     * behind it in added. */
    uint32_t *slots;
    size_t slot_count;
    size_t n;
};

static size_t read_length(const char *p)
{
    const unsigned char *bytes = (const unsigned char *)p;
    return bytes[0] | (size_t)bytes[1] << 8 | (size_t)bytes[2] << 16 | (size_t)bytes[3] << 24;
}

static void put_length(rb_buf *out, size_t len)
{
    for (int shift = 0; shift < 32; shift += 8)
        rb_buf_addc(out, (char)(len >> shift & 0xff));
}

static const char *record_at(const rb_record_cache *cache, size_t offset)
{
    return offset < cache->file.len ? cache->file.data + offset
                                    : cache->added.data + (offset - cache->file.len);
}

/* Keys are hashes, so their first bytes serve as the slot's hash. */
static uint32_t *slot_of(const rb_record_cache *cache, const void *key)
{
    size_t i;
    memcpy(&i, key, sizeof i);
    for (i &= cache->slot_count - 1;; i = (i + 1) & (cache->slot_count - 1)) {
        uint32_t *slot = &cache->slots[i];
        if (*slot == 0 || memcmp(record_at(cache, *slot) + LENGTH, key, RB_RECORD_KEY) == 0)
            return slot;
    }
}

static void reserve(rb_record_cache *cache, size_t n)
{
    if (n * 2 <= cache->slot_count)
        return;
    uint32_t *old = cache->slots;
    size_t old_count = cache->slot_count;
    cache->slot_count = old_count ? old_count : 1024;
    while (n * 2 > cache->slot_count)
        cache->slot_count *= 2;
    cache->slots = rb_calloc(cache->slot_count, sizeof *cache->slots);
    for (size_t i = 0; i < old_count; i++)
        if (old[i] != 0)
            *slot_of(cache, record_at(cache, old[i]) + LENGTH) = old[i];
    free(old);
}

static void index_record(rb_record_cache *cache, size_t offset)
{
    uint32_t *slot = slot_of(cache, record_at(cache, offset) + LENGTH);
    cache->n += *slot == 0;
    *slot = (uint32_t)offset;
}

/* Counts the records in a chunk; SIZE_MAX if one is malformed. */
static size_t count_records(const char *p, const char *end)
{
    size_t n = 0;
    for (; p < end; n++) {
        if ((size_t)(end - p) < LENGTH)
            return SIZE_MAX;
        size_t len = read_length(p);
        if (len < RB_RECORD_KEY || len > (size_t)(end - p) - LENGTH)
            return SIZE_MAX;
        p += LENGTH + len;
    }
    return n;
}

/* Indexes the records of the chunk at `at`. Returns where the chunk ends, or 0 if it is damaged. */
static size_t take_chunk(rb_record_cache *cache, size_t at)
{
    const char *head = cache->file.data + at;
    size_t left = cache->file.len - at;
    if (left < CHUNK_HEAD || read_length(head) > left - CHUNK_HEAD)
        return 0;
    size_t end = at + CHUNK_HEAD + read_length(head);
    const char *body = head + CHUNK_HEAD;
    unsigned char sum[RB_SHA256_SIZE];
    rb_sha256_of(body, read_length(head), sum);
    size_t n = count_records(body, cache->file.data + end);
    if (memcmp(sum, head + LENGTH, sizeof sum) != 0 || n == SIZE_MAX)
        return 0;
    reserve(cache, cache->n + n);
    for (at += CHUNK_HEAD; at < end; at += LENGTH + read_length(cache->file.data + at))
        index_record(cache, at);
    return end;
}

static bool has_header(const rb_record_cache *cache, const void *data, size_t len)
{
    size_t header = strlen(cache->header);
    return len >= header && memcmp(data, cache->header, header) == 0;
}

/* Indexes cache->file, which is as it was read. */
static void index_file(rb_record_cache *cache)
{
    cache->whole = has_header(cache, rb_buf_str(&cache->file), cache->file.len);
    rb_buf_clear(&cache->added);
    free(cache->slots);
    cache->slots = NULL;
    cache->slot_count = cache->n = 0;
    reserve(cache, 1);
    if (!cache->whole) {
        rb_buf_clear(&cache->file);
        rb_buf_puts(&cache->file, cache->header);
    }
    for (size_t at = strlen(cache->header); at < cache->file.len;) {
        size_t end = take_chunk(cache, at);
        cache->whole = end != 0;
        if (end == 0)
            rb_buf_truncate(&cache->file, end = at);
        at = end;
    }
}

size_t rb_record_cache_read(rb_record_cache *cache, const void *data, size_t len)
{
    rb_buf_clear(&cache->file);
    rb_buf_add(&cache->file, data, len);
    index_file(cache);
    return cache->n;
}

rb_record_cache *rb_record_cache_open(const char *path, const char *header)
{
    rb_record_cache *cache = rb_calloc(1, sizeof *cache);
    cache->path = rb_strdup(path);
    cache->header = rb_strdup(header);
    rb_err ignored;
    if (rb_file_read(&cache->file, path, RB_RECORD_CACHE_LIMIT, &ignored) != RB_OK)
        rb_buf_clear(&cache->file);
    index_file(cache);
    return cache;
}

void rb_record_cache_free(rb_record_cache *cache)
{
    if (!cache)
        return;
    free(cache->path);
    free(cache->header);
    rb_buf_clear(&cache->file);
    rb_buf_clear(&cache->added);
    free(cache->slots);
    free(cache);
}

bool rb_record_cache_get(const void **data, size_t *len, const rb_record_cache *cache,
                         const unsigned char key[RB_RECORD_KEY])
{
    uint32_t slot = *slot_of(cache, key);
    if (slot == 0)
        return false;
    const char *record = record_at(cache, slot);
    *len = read_length(record) - RB_RECORD_KEY;
    *data = record + LENGTH + RB_RECORD_KEY;
    return true;
}

void rb_record_cache_put(rb_record_cache *cache, const unsigned char key[RB_RECORD_KEY],
                         const void *data, size_t len)
{
    size_t offset = cache->file.len + cache->added.len;
    if (len > RB_RECORD_CACHE_LIMIT || offset > RB_RECORD_CACHE_LIMIT)
        return;
    put_length(&cache->added, RB_RECORD_KEY + len);
    rb_buf_add(&cache->added, key, RB_RECORD_KEY);
    rb_buf_add(&cache->added, data, len);
    reserve(cache, cache->n + 1);
    index_record(cache, offset);
}

/* Appends a chunk. A write that a full disk cut short is truncated again; after a kill, the chunk's
 * hash exposes it. */
static void append(const rb_record_cache *cache, const rb_buf *chunk)
{
    int fd = open(cache->path, O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return;
    struct stat st;
    size_t len = strlen(cache->header);
    RB_AUTO(rb_free_str) char *header = rb_calloc(1, len + 1);
    /* Another process may have recreated the file with another header. */
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &st) == 0 &&
        pread(fd, header, len, 0) == (ssize_t)len && has_header(cache, header, len) &&
        (size_t)st.st_size + chunk->len <= RB_RECORD_CACHE_LIMIT &&
        write(fd, chunk->data, chunk->len) != (ssize_t)chunk->len && ftruncate(fd, st.st_size) != 0)
        unlink(cache->path);
    close(fd);
}

void rb_record_cache_save(rb_record_cache *cache)
{
    bool damaged = !cache->whole && cache->file.len > strlen(cache->header);
    if (cache->added.len == 0 && !damaged)
        return;
    RB_AUTO(rb_buf_clear) rb_buf chunk = {0};
    unsigned char sum[RB_SHA256_SIZE];
    rb_sha256_of(rb_buf_str(&cache->added), cache->added.len, sum);
    put_length(&chunk, cache->added.len);
    rb_buf_add(&chunk, sum, sizeof sum);
    rb_buf_add(&chunk, rb_buf_str(&cache->added), cache->added.len);
    if (cache->added.len == 0)
        rb_buf_clear(&chunk);
    bool fits = cache->file.len + chunk.len <= RB_RECORD_CACHE_LIMIT;
    if (cache->whole && fits) {
        append(cache, &chunk);
        return;
    }
    RB_AUTO(rb_buf_clear) rb_buf out = {0};
    rb_buf_add(&out, cache->file.data, fits ? cache->file.len : strlen(cache->header));
    rb_buf_add(&out, rb_buf_str(&chunk), chunk.len);
    rb_err ignored;
    RB_AUTO(rb_free_str) char *dir = rb_path_dir(cache->path);
    if (rb_dir_make(dir, &ignored) != RB_OK ||
        rb_file_write(cache->path, out.data, out.len, 0644, &ignored) != RB_OK)
        return;
}
