#include "release/listcache.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"
#include "trust/signers.h"
#include "trust/wire.h"

#define HEAD "rbtool releases 2\n"
#define HEAD_LEN (sizeof HEAD - 1)
#define FILE_LIMIT ((size_t)256 << 20)
#define HEADS_LIMIT 4096

struct record {
    const unsigned char *oid;
    rb_wire name;
    rb_wire body; /* nothing left: no release */
};

struct rb_listcache {
    char *path;
    unsigned char key[RB_SHA256_SIZE];
    rb_buf file; /* records point into it */
    struct record *records;
    size_t n;
    size_t cap;
    uint32_t *slots; /* open addressing, a power of two: index of a record + 1, or 0 */
    size_t slot_count;
    rb_buf put;
};

static void links_free(rb_link *links, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(links[i].tag);
    free(links);
}

void rb_listed_release_free(rb_listed_release *summary)
{
    if (!summary)
        return;
    free(summary->app);
    free(summary->version);
    free(summary->class_);
    free(summary->signer);
    free(summary->fingerprint);
    links_free(summary->previous, summary->previous ? 1 : 0);
    links_free(summary->heads, summary->head_count);
    free(summary);
}

void rb_listcache_free(rb_listcache *cache)
{
    if (!cache)
        return;
    free(cache->path);
    rb_buf_clear(&cache->file);
    free(cache->records);
    free(cache->slots);
    rb_buf_clear(&cache->put);
    free(cache);
}

void rb_listcache_key(unsigned char out[RB_SHA256_SIZE], const rb_signers *signers,
                      const char *pinned, const char *version)
{
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    rb_wire_put_text(&text, version);
    rb_wire_put_text(&text, rb_signers_digest(signers));
    rb_wire_put_text(&text, pinned ? pinned : "");
    for (size_t i = 0; i < signers->n; i++)
        rb_buf_printf(&text, "%llu %llu\n", (unsigned long long)signers->items[i].after,
                      (unsigned long long)signers->items[i].before);
    rb_sha256_of(text.data, text.len, out);
}

/* Object ids are hashes already: their first bytes are as good as any. */
static size_t slot_of(const rb_listcache *cache, const unsigned char *oid)
{
    size_t i;
    memcpy(&i, oid, sizeof i);
    return i & (cache->slot_count - 1);
}

static void build_slots(rb_listcache *cache)
{
    cache->slot_count = 1024;
    while (cache->n * 2 > cache->slot_count)
        cache->slot_count *= 2;
    free(cache->slots);
    cache->slots = rb_calloc(cache->slot_count, sizeof *cache->slots);
    for (size_t i = 0; i < cache->n; i++) {
        size_t slot = slot_of(cache, cache->records[i].oid);
        while (cache->slots[slot] != 0)
            slot = (slot + 1) & (cache->slot_count - 1);
        cache->slots[slot] = (uint32_t)(i + 1);
    }
}

static bool take_bytes(rb_wire *w, const unsigned char **out, size_t len)
{
    if (w->left < len)
        return false;
    *out = w->p;
    w->p += len;
    w->left -= len;
    return true;
}

/* The records up to the first that is cut. */
static void read_records(rb_listcache *cache, rb_wire w)
{
    struct record record;
    while (w.left > 0 && take_bytes(&w, &record.oid, RB_OID_SIZE) &&
           rb_wire_string(&w, &record.name) && rb_wire_string(&w, &record.body)) {
        if (cache->n == cache->cap) {
            cache->cap = cache->cap ? cache->cap * 2 : 256;
            cache->records = rb_realloc(cache->records, cache->cap, sizeof *cache->records);
        }
        cache->records[cache->n++] = record;
    }
}

/* len is at least that of a header, a key and a sum. */
static bool is_sound(const rb_listcache *cache, const unsigned char *data, size_t len)
{
    unsigned char sum[RB_SHA256_SIZE];
    if (memcmp(data, HEAD, HEAD_LEN) != 0 ||
        memcmp(data + HEAD_LEN, cache->key, sizeof cache->key) != 0)
        return false;
    rb_sha256_of(data, len - sizeof sum, sum);
    return memcmp(data + len - sizeof sum, sum, sizeof sum) == 0;
}

size_t rb_listcache_read(rb_listcache *cache, const void *data, size_t len)
{
    const size_t frame = HEAD_LEN + sizeof cache->key + RB_SHA256_SIZE;
    rb_buf_clear(&cache->file);
    cache->n = 0;
    if (len >= frame && is_sound(cache, data, len)) {
        rb_buf_add(&cache->file, data, len);
        read_records(cache,
                     rb_wire_of(cache->file.data + HEAD_LEN + sizeof cache->key, len - frame));
    }
    build_slots(cache);
    return cache->n;
}

rb_listcache *rb_listcache_open(const char *path, const unsigned char key[RB_SHA256_SIZE])
{
    rb_listcache *cache = rb_calloc(1, sizeof *cache);
    cache->path = rb_strdup(path);
    memcpy(cache->key, key, sizeof cache->key);
    RB_AUTO(rb_buf_clear) rb_buf file = {0};
    rb_err ignored;
    bool read = rb_file_read(&file, path, FILE_LIMIT, &ignored) == RB_OK;
    rb_listcache_read(cache, rb_buf_str(&file), read ? file.len : 0);
    rb_buf_puts(&cache->put, HEAD);
    rb_buf_add(&cache->put, key, sizeof cache->key);
    return cache;
}

static bool take_text(rb_wire *w, char **out)
{
    rb_wire text;
    if (!rb_wire_string(w, &text) || !rb_text_is_plain((const char *)text.p, text.left))
        return false;
    *out = rb_wire_dup(&text);
    return true;
}

static bool take_hex(rb_wire *w, char *out, size_t len)
{
    const unsigned char *bytes;
    if (!take_bytes(w, &bytes, len))
        return false;
    rb_hex_encode(bytes, len, out);
    return true;
}

static bool take_link(rb_wire *w, rb_link *out)
{
    return take_text(w, &out->tag) && take_hex(w, out->object, RB_OID_SIZE) &&
           take_hex(w, out->sha256, RB_SHA256_SIZE);
}

static bool take_summary(rb_wire w, rb_listed_release *out)
{
    uint64_t time;
    uint32_t heads;
    unsigned char first;
    if (!take_text(&w, &out->app) || !take_text(&w, &out->version) ||
        !take_text(&w, &out->class_) || !take_text(&w, &out->signer) ||
        !take_text(&w, &out->fingerprint) || !rb_wire_u64(&w, &time) || time > INT64_MAX ||
        !take_hex(&w, out->sha256, RB_SHA256_SIZE) || !rb_wire_u8(&w, &first))
        return false;
    out->time = (int64_t)time;
    out->lasts = true;
    if (!first) {
        out->previous = rb_calloc(1, sizeof *out->previous);
        if (!take_link(&w, out->previous))
            return false;
    }
    if (!rb_wire_u32(&w, &heads) || heads > HEADS_LIMIT)
        return false;
    out->heads = rb_calloc(heads, sizeof *out->heads);
    for (out->head_count = 0; out->head_count < heads; out->head_count++)
        if (!take_link(&w, &out->heads[out->head_count])) {
            free(out->heads[out->head_count].tag);
            return false;
        }
    return w.left == 0;
}

enum rb_listed_kind rb_listcache_get(rb_listed_release **out, const rb_listcache *cache,
                                     const rb_tag_ref *ref)
{
    if (!ref->resolved)
        return RB_LISTED_UNKNOWN;
    for (size_t slot = slot_of(cache, ref->object.id); cache->slots[slot] != 0;
         slot = (slot + 1) & (cache->slot_count - 1)) {
        const struct record *record = &cache->records[cache->slots[slot] - 1];
        if (memcmp(record->oid, ref->object.id, RB_OID_SIZE) != 0 ||
            !rb_wire_is(&record->name, ref->name))
            continue;
        if (record->body.left == 0)
            return RB_LISTED_OTHER;
        RB_AUTO(rb_listed_release_freep) rb_listed_release *summary = rb_calloc(1, sizeof *summary);
        if (!take_summary(record->body, summary))
            return RB_LISTED_UNKNOWN;
        *out = summary;
        summary = NULL;
        return RB_LISTED_RELEASE;
    }
    return RB_LISTED_UNKNOWN;
}

static void put_hex(rb_buf *out, const char *hex, size_t len)
{
    unsigned char bytes[RB_SHA256_SIZE] = {0};
    if (!rb_hex_decode(hex, bytes, len))
        abort();
    rb_buf_add(out, bytes, len);
}

static void put_link(rb_buf *out, const rb_link *link)
{
    rb_wire_put_text(out, link->tag);
    put_hex(out, link->object, RB_OID_SIZE);
    put_hex(out, link->sha256, RB_SHA256_SIZE);
}

void rb_listcache_put(rb_listcache *cache, const rb_tag_ref *ref, const rb_listed_release *summary)
{
    if (!ref->resolved || (summary && (!summary->lasts || summary->head_count > HEADS_LIMIT)))
        return;
    RB_AUTO(rb_buf_clear) rb_buf body = {0};
    if (summary) {
        rb_wire_put_text(&body, summary->app);
        rb_wire_put_text(&body, summary->version);
        rb_wire_put_text(&body, summary->class_);
        rb_wire_put_text(&body, summary->signer);
        rb_wire_put_text(&body, summary->fingerprint);
        for (int shift = 56; shift >= 0; shift -= 8)
            rb_buf_addc(&body, (char)((uint64_t)summary->time >> shift & 0xff));
        put_hex(&body, summary->sha256, RB_SHA256_SIZE);
        rb_buf_addc(&body, summary->previous ? 0 : 1);
        if (summary->previous)
            put_link(&body, summary->previous);
        rb_wire_put_u32(&body, (uint32_t)summary->head_count);
        for (size_t i = 0; i < summary->head_count; i++)
            put_link(&body, &summary->heads[i]);
    }
    rb_buf_add(&cache->put, ref->object.id, RB_OID_SIZE);
    rb_wire_put_text(&cache->put, ref->name);
    rb_wire_put_string(&cache->put, rb_buf_str(&body), body.len);
}

void rb_listcache_save(rb_listcache *cache)
{
    size_t len = cache->put.len;
    if (cache->file.len == len + RB_SHA256_SIZE &&
        memcmp(cache->file.data, cache->put.data, len) == 0)
        return;
    unsigned char sum[RB_SHA256_SIZE];
    rb_sha256_of(cache->put.data, len, sum);
    rb_buf_add(&cache->put, sum, sizeof sum);
    rb_err ignored;
    RB_AUTO(rb_free_str) char *dir = rb_path_dir(cache->path);
    if (rb_dir_make(dir, &ignored) != RB_OK ||
        rb_file_write(cache->path, cache->put.data, cache->put.len, 0644, &ignored) != RB_OK)
        return;
}
