#include "git/treecache.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

#define HEAD "rbtool treeids 1\n"
#define HEAD_LEN (sizeof HEAD - 1)
#define FILE_LIMIT ((size_t)256 << 20) /* a larger one is begun anew */
#define COUNT_LEN 4
#define RECORD_LEN (1 + RB_OID_SIZE + RB_SHA256_SIZE)

struct record {
    unsigned char kind;
    unsigned char oid[RB_OID_SIZE];
    unsigned char id[RB_SHA256_SIZE];
};

_Static_assert(sizeof(struct record) == RECORD_LEN, "records are written as they are");

struct rb_treecache {
    char *path;
    struct record *records; /* those before `written` are in the file */
    size_t n;
    size_t cap;
    size_t written;
    uint32_t *slots; /* open addressing, a power of two: index of a record + 1, or 0 */
    size_t slot_count;
    bool damaged; /* the file must be written anew */
};

/* The ids are hashes already: their first bytes are as good as any. */
static uint32_t *slot_of(const rb_treecache *cache, const unsigned char *oid)
{
    size_t i;
    memcpy(&i, oid, sizeof i);
    for (i &= cache->slot_count - 1;; i = (i + 1) & (cache->slot_count - 1)) {
        uint32_t *slot = &cache->slots[i];
        if (*slot == 0 || memcmp(cache->records[*slot - 1].oid, oid, RB_OID_SIZE) == 0)
            return slot;
    }
}

static void grow(rb_treecache *cache, size_t more)
{
    if (cache->n + more > cache->cap) {
        size_t cap = cache->cap + cache->cap / 2;
        cache->cap = cap > cache->n + more ? cap : cache->n + more;
        cache->records = rb_realloc(cache->records, cache->cap, sizeof *cache->records);
    }
    if ((cache->n + more) * 2 <= cache->slot_count)
        return;
    size_t count = cache->slot_count ? cache->slot_count : 1024;
    while ((cache->n + more) * 2 > count)
        count *= 2;
    free(cache->slots);
    cache->slots = rb_calloc(count, sizeof *cache->slots);
    cache->slot_count = count;
    for (size_t i = 0; i < cache->n; i++)
        *slot_of(cache, cache->records[i].oid) = (uint32_t)(i + 1);
}

/* The first record of an id stays. */
static void insert(rb_treecache *cache, const struct record *record)
{
    grow(cache, 1);
    uint32_t *slot = slot_of(cache, record->oid);
    if (*slot != 0)
        return;
    cache->records[cache->n++] = *record;
    *slot = (uint32_t)cache->n;
}

/* Takes the chunk at data; 0 when it is damaged, else its length. */
static size_t read_chunk(rb_treecache *cache, const unsigned char *data, size_t len)
{
    if (len < COUNT_LEN + RB_SHA256_SIZE)
        return 0;
    size_t count =
        (size_t)data[0] | (size_t)data[1] << 8 | (size_t)data[2] << 16 | (size_t)data[3] << 24;
    if (count > (len - COUNT_LEN - RB_SHA256_SIZE) / RECORD_LEN)
        return 0;
    size_t body = COUNT_LEN + count * RECORD_LEN;
    unsigned char sum[RB_SHA256_SIZE];
    rb_sha256_of(data, body, sum);
    if (memcmp(sum, data + body, sizeof sum) != 0)
        return 0;
    grow(cache, count);
    for (size_t i = 0; i < count; i++) {
        struct record record;
        memcpy(&record, data + COUNT_LEN + i * RECORD_LEN, sizeof record);
        if (record.kind == RB_TREECACHE_BLOB || record.kind == RB_TREECACHE_TREE)
            insert(cache, &record);
    }
    return body + RB_SHA256_SIZE;
}

size_t rb_treecache_read(rb_treecache *cache, const void *data, size_t len)
{
    const unsigned char *bytes = data;
    if (len < HEAD_LEN || memcmp(bytes, HEAD, HEAD_LEN) != 0) {
        cache->damaged = true;
        return 0;
    }
    size_t at = HEAD_LEN;
    while (at < len) {
        size_t used = read_chunk(cache, bytes + at, len - at);
        if (used == 0) {
            cache->damaged = true;
            break;
        }
        at += used;
    }
    return cache->n;
}

rb_treecache *rb_treecache_open(const char *path)
{
    rb_treecache *cache = rb_calloc(1, sizeof *cache);
    cache->path = rb_strdup(path);
    grow(cache, 1);
    RB_AUTO(rb_buf_clear) rb_buf file = {0};
    rb_err ignored;
    if (rb_file_read(&file, path, FILE_LIMIT, &ignored) == RB_OK)
        rb_treecache_read(cache, rb_buf_str(&file), file.len);
    else
        cache->damaged = true;
    cache->written = cache->n;
    return cache;
}

void rb_treecache_free(rb_treecache *cache)
{
    if (!cache)
        return;
    free(cache->path);
    free(cache->records);
    free(cache->slots);
    free(cache);
}

bool rb_treecache_get(const rb_treecache *cache, const rb_oid *oid, enum rb_treecache_kind kind,
                      unsigned char out[RB_SHA256_SIZE])
{
    uint32_t slot = *slot_of(cache, oid->id);
    if (slot == 0 || cache->records[slot - 1].kind != (unsigned char)kind)
        return false;
    memcpy(out, cache->records[slot - 1].id, RB_SHA256_SIZE);
    return true;
}

void rb_treecache_put(rb_treecache *cache, const rb_oid *oid, enum rb_treecache_kind kind,
                      const unsigned char id[RB_SHA256_SIZE])
{
    struct record record = {.kind = (unsigned char)kind};
    memcpy(record.oid, oid->id, RB_OID_SIZE);
    memcpy(record.id, id, RB_SHA256_SIZE);
    insert(cache, &record);
}

static void add_chunk(rb_buf *out, const struct record *records, size_t count)
{
    size_t start = out->len;
    rb_buf_reserve(out, COUNT_LEN + count * RECORD_LEN + RB_SHA256_SIZE);
    for (int shift = 0; shift < 32; shift += 8)
        rb_buf_addc(out, (char)(count >> shift & 0xff));
    rb_buf_add(out, records, count * RECORD_LEN);
    unsigned char sum[RB_SHA256_SIZE];
    rb_sha256_of(out->data + start, out->len - start, sum);
    rb_buf_add(out, sum, sizeof sum);
}

static void write_anew(const rb_treecache *cache)
{
    RB_AUTO(rb_buf_clear) rb_buf out = {0};
    rb_buf_puts(&out, HEAD);
    add_chunk(&out, cache->records, cache->n);
    rb_err ignored;
    RB_AUTO(rb_free_str) char *dir = rb_path_dir(cache->path);
    if (rb_dir_make(dir, &ignored) != RB_OK ||
        rb_file_write(cache->path, out.data, out.len, 0644, &ignored) != RB_OK)
        return;
}

/* A write cut short by a full disk is taken back; by a kill, the chunk's hash shows it. */
static void append(const rb_treecache *cache)
{
    RB_AUTO(rb_buf_clear) rb_buf out = {0};
    add_chunk(&out, cache->records + cache->written, cache->n - cache->written);
    int fd = open(cache->path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return;
    struct stat st;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &st) == 0 &&
        (size_t)st.st_size + out.len <= FILE_LIMIT &&
        write(fd, out.data, out.len) != (ssize_t)out.len && ftruncate(fd, st.st_size) != 0)
        unlink(cache->path);
    close(fd);
}

void rb_treecache_save(rb_treecache *cache)
{
    if (cache->n == cache->written)
        return;
    if (cache->damaged)
        write_anew(cache);
    else
        append(cache);
    cache->damaged = false;
    cache->written = cache->n;
}
