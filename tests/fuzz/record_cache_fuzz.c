/*
 * Cached records: the input is a file, and then the records of a chunk whose hash is right. Whole
 * records are found again, and what a listing and the ledger read from the first one is valid.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/text.h"
#include "ledger/verify_cache.h"
#include "release/listcache.h"

#define HEADER "rbtool test 1\n"
#define RECORD (4 + RB_RECORD_KEY) /* bytes of the smallest */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A file with the input as the one chunk. */
static rb_record_cache *framed(const uint8_t *data, size_t size)
{
    RB_AUTO(rb_buf_clear) rb_buf file = {0};
    unsigned char sum[RB_SHA256_SIZE];
    rb_record_cache *cache = rb_record_cache_open("/nonexistent/cache", HEADER);
    rb_buf_puts(&file, HEADER);
    for (int shift = 0; shift < 32; shift += 8)
        rb_buf_addc(&file, (char)(size >> shift & 0xff));
    rb_sha256_of(data, size, sum);
    rb_buf_add(&file, sum, sizeof sum);
    rb_buf_add(&file, data, size);
    if (rb_record_cache_read(cache, file.data, file.len) > size / RECORD)
        abort();
    return cache;
}

static void must_be_plain(const char *text)
{
    if (!rb_text_is_plain(text, strlen(text)))
        abort();
}

static void read_listed(const rb_record_cache *cache, const unsigned char *key,
                        const unsigned char *record, size_t len)
{
    rb_tag_ref ref = {.resolved = true};
    size_t name = len > 4 ? record[3] : 0;
    if (len < 4 + name)
        return;
    RB_AUTO(rb_free_str) char *text = rb_strndup((const char *)record + 4, name);
    uint64_t hash = 14695981039346656037u;
    for (const char *p = text; *p; p++)
        hash = (hash ^ (unsigned char)*p) * 1099511628211u;
    memcpy(ref.object.id, key, RB_RECORD_KEY);
    for (size_t i = 0; i < sizeof hash; i++)
        ref.object.id[i] ^= (unsigned char)(hash >> (8 * i));
    ref.name = text;
    RB_AUTO(rb_listed_release_freep) rb_listed_release *found = NULL;
    if (rb_listcache_get(&found, cache, &ref) != RB_LISTED_RELEASE)
        return;
    must_be_plain(found->app);
    must_be_plain(found->version);
    must_be_plain(found->class_);
    must_be_plain(found->signer);
    must_be_plain(found->fingerprint);
    if (found->time < 0 || strlen(found->sha256) != RB_SHA256_HEX - 1)
        abort();
}

static void read_judged(rb_record_cache *cache, const unsigned char *key)
{
    rb_oid id;
    rb_checked_entry judged;
    rb_ledger_store *store = rb_ledger_store_new();
    store->cache = cache;
    memcpy(id.id, key, RB_OID_SIZE);
    if (rb_ledger_store_get(&judged, store, &id)) {
        const rb_entry *entry = &judged.entry;
        if (!rb_oid_equal(&entry->id, &id) || !judged.kept || !entry->title || !entry->committer ||
            entry->kind > RB_ENTRY_KINDS || entry->trust > RB_ENTRY_FOREIGN ||
            entry->parent_count > RB_ENTRY_PARENTS ||
            (entry->text && strlen(entry->text) != entry->text_len))
            abort();
        rb_json_free((json_t *)rb_entry_json(entry));
        rb_problems_clear(&judged.entry.problems);
    }
    rb_ledger_store_free(store);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const void *record;
    size_t len;
    if (size < RECORD)
        return 0;
    rb_record_cache *cache = framed(data, size);
    if (rb_record_cache_get(&record, &len, cache, data + 4))
        read_listed(cache, data + 4, record, len);
    /* A record that is put in is found again, and so are those that the file has. */
    static const unsigned char zero[RB_RECORD_KEY] = {0};
    rb_record_cache_put(cache, zero, data, size);
    if (!rb_record_cache_get(&record, &len, cache, zero) || len != size ||
        memcmp(record, data, size) != 0)
        abort();
    read_judged(cache, data + 4); /* frees the cache */
    cache = rb_record_cache_open("/nonexistent/cache", HEADER);
    if (rb_record_cache_read(cache, data, size) > size / RECORD)
        abort();
    rb_record_cache_free(cache);
    return 0;
}
