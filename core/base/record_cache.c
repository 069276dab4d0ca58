#include "base/record_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"

#define LENGTH 4
#define CHUNK_HEAD (LENGTH + RB_SHA256_SIZE)

struct rb_record_cache {
    char *path;
    char *header;
    char *file;    /* content of the file when it was opened */
    size_t mapped; /* length of the mapping; 0: file is allocated, not mapped */
    size_t len;    /* length of the header and the valid chunks in file */
    rb_buf added;  /* records to be written by save */
    bool whole;    /* the file contains nothing after len, so that a chunk can be appended */
    rb_keys keys;  /* records by their offset: below len in file, above it in added */
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
    return offset < cache->len ? cache->file + offset : cache->added.data + (offset - cache->len);
}

static const void *key_at(const void *cache, size_t offset)
{
    return record_at(cache, offset) + LENGTH;
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

/* Indexes the records of the chunk that starts at `at` in a file of len bytes. Returns where the
 * chunk ends, or 0 if it is damaged. */
static size_t take_chunk(rb_record_cache *cache, size_t at, size_t len)
{
    const char *head = cache->file + at;
    size_t left = len - at;
    if (left < CHUNK_HEAD || read_length(head) > left - CHUNK_HEAD)
        return 0;
    size_t end = at + CHUNK_HEAD + read_length(head);
    const char *body = head + CHUNK_HEAD;
    unsigned char sum[RB_SHA256_SIZE];
    rb_sha256_of(body, read_length(head), sum);
    size_t n = count_records(body, cache->file + end);
    if (memcmp(sum, head + LENGTH, sizeof sum) != 0 || n == SIZE_MAX)
        return 0;
    cache->len = end;
    rb_keys_reserve(&cache->keys, n);
    for (at += CHUNK_HEAD; at < end; at += LENGTH + read_length(cache->file + at))
        rb_keys_add(&cache->keys, at);
    return end;
}

static bool has_header(const rb_record_cache *cache, const void *data, size_t len)
{
    size_t header = strlen(cache->header);
    return len >= header && memcmp(data, cache->header, header) == 0;
}

/* Indexes cache->file, whose length is len. */
static void index_file(rb_record_cache *cache, size_t len)
{
    cache->keys.list = cache;
    cache->keys.key = key_at;
    cache->whole = cache->file && has_header(cache, cache->file, len);
    cache->len = cache->whole ? strlen(cache->header) : 0;
    while (cache->whole && cache->len < len)
        cache->whole = take_chunk(cache, cache->len, len) != 0;
}

static void drop_file(rb_record_cache *cache)
{
    if (cache->mapped > 0)
        munmap(cache->file, cache->mapped);
    else
        free(cache->file);
    rb_buf_clear(&cache->added);
    rb_keys_clear(&cache->keys);
    cache->file = NULL;
    cache->mapped = 0;
}

size_t rb_record_cache_read(rb_record_cache *cache, const void *data, size_t len)
{
    drop_file(cache);
    cache->file = rb_malloc(len + 1);
    memcpy(cache->file, data, len);
    index_file(cache, len);
    return cache->keys.n;
}

/* Maps the file: pages that are not looked up use no memory. */
static void map_file(rb_record_cache *cache)
{
    struct stat st;
    int fd = open(cache->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 &&
        (size_t)st.st_size <= RB_RECORD_CACHE_LIMIT) {
        void *at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (at != MAP_FAILED) {
            cache->file = at;
            cache->mapped = (size_t)st.st_size;
        }
    }
    close(fd);
}

rb_record_cache *rb_record_cache_open(const char *path, const char *header)
{
    rb_record_cache *cache = rb_calloc(1, sizeof *cache);
    cache->path = rb_strdup(path);
    cache->header = rb_strdup(header);
    map_file(cache);
    index_file(cache, cache->mapped);
    return cache;
}

void rb_record_cache_free(rb_record_cache *cache)
{
    if (!cache)
        return;
    free(cache->path);
    free(cache->header);
    drop_file(cache);
    free(cache);
}

bool rb_record_cache_get(const void **data, size_t *len, const rb_record_cache *cache,
                         const unsigned char key[RB_RECORD_KEY])
{
    size_t offset;
    if (!rb_keys_find(&offset, &cache->keys, key))
        return false;
    const char *record = record_at(cache, offset);
    *len = read_length(record) - RB_RECORD_KEY;
    *data = record + LENGTH + RB_RECORD_KEY;
    return true;
}

void rb_record_cache_put(rb_record_cache *cache, const unsigned char key[RB_RECORD_KEY],
                         const void *data, size_t len)
{
    size_t offset = cache->len + cache->added.len;
    if (len > RB_RECORD_CACHE_LIMIT || offset > RB_RECORD_CACHE_LIMIT)
        return;
    put_length(&cache->added, RB_RECORD_KEY + len);
    rb_buf_add(&cache->added, key, RB_RECORD_KEY);
    rb_buf_add(&cache->added, data, len);
    rb_keys_add(&cache->keys, offset);
}

/* Appends a chunk. If it is cut short by a kill or a full disk, its hash does not match. The file
 * is never truncated, because other processes have mapped it. */
static void append(const rb_record_cache *cache, const rb_buf *chunk)
{
    int fd = open(cache->path, O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return;
    struct stat st;
    size_t len = strlen(cache->header);
    RB_AUTO(rb_free_str) char *header = rb_calloc(1, len + 1);
    /* Check the header under the lock: another process may have recreated the file. */
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &st) == 0 &&
        pread(fd, header, len, 0) == (ssize_t)len && has_header(cache, header, len) &&
        (size_t)st.st_size + chunk->len <= RB_RECORD_CACHE_LIMIT &&
        write(fd, chunk->data, chunk->len) != (ssize_t)chunk->len)
        errno = 0; /* the next command finds a damaged chunk and rewrites the file */
    close(fd);
}

void rb_record_cache_save(rb_record_cache *cache)
{
    bool damaged = !cache->whole && cache->len > 0;
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
    bool fits = cache->len + chunk.len <= RB_RECORD_CACHE_LIMIT;
    if (cache->whole && fits) {
        append(cache, &chunk);
        return;
    }
    RB_AUTO(rb_buf_clear) rb_buf out = {0};
    rb_buf_puts(&out, cache->header);
    if (fits && cache->len > 0)
        rb_buf_add(&out, cache->file + out.len, cache->len - out.len);
    rb_buf_add(&out, rb_buf_str(&chunk), chunk.len);
    RB_AUTO(rb_free_str) char *dir = rb_path_dir(cache->path);
    if (rb_dir_make(dir, RB_IGNORED) != RB_OK ||
        rb_file_write(cache->path, out.data, out.len, 0644, RB_IGNORED) != RB_OK)
        return;
}
