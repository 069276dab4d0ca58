#include "release/listcache.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/text.h"
#include "base/version.h"
#include "trust/signers.h"
#include "trust/wire.h"

#define HEADS_LIMIT 4096

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
    rb_strs_clear(&summary->folders);
    free(summary);
}

rb_record_cache *rb_listcache_open(const char *path, const rb_signers *signers, const char *pinned)
{
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    char digest[RB_SHA256_HEX];
    rb_wire_put_text(&text, RB_VERSION);
    rb_wire_put_text(&text, rb_signers_digest(signers));
    rb_wire_put_text(&text, pinned ? pinned : "");
    for (size_t i = 0; i < signers->n; i++)
        rb_buf_printf(&text, "%llu %llu\n", (unsigned long long)signers->items[i].after,
                      (unsigned long long)signers->items[i].before);
    rb_sha256_hex_of(text.data, text.len, digest);
    RB_AUTO(rb_free_str) char *header = rb_format("rbtool releases 5 %s\n", digest);
    return rb_record_cache_open(path, header);
}

/* The tag object's id, with a hash of the name in it (FNV-1a): many names may lead to one object.
 * The record has the name, so that no other one is taken for it. */
static void make_key(unsigned char key[RB_RECORD_KEY], const rb_tag_ref *ref)
{
    uint64_t hash = 14695981039346656037u;
    for (const char *p = ref->name; *p; p++)
        hash = (hash ^ (unsigned char)*p) * 1099511628211u;
    memcpy(key, ref->object.id, RB_RECORD_KEY);
    for (size_t i = 0; i < sizeof hash; i++)
        key[i] ^= (unsigned char)(hash >> (8 * i));
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
    unsigned char bytes[RB_SHA256_SIZE];
    if (!rb_wire_bytes(w, bytes, len))
        return false;
    rb_hex_encode(bytes, len, out);
    return true;
}

static bool take_link(rb_wire *w, rb_link *out)
{
    return take_text(w, &out->tag) && take_hex(w, out->object, RB_OID_SIZE) &&
           take_hex(w, out->sha256, RB_SHA256_SIZE);
}

static bool take_folders(rb_wire *w, rb_strs *out)
{
    uint32_t n;
    if (!rb_wire_u32(w, &n) || n > w->left)
        return false;
    for (char *folder = NULL; n > 0; n--) {
        if (!take_text(w, &folder))
            return false;
        rb_strs_take(out, folder);
    }
    return true;
}

static bool take_summary(rb_wire w, rb_listed_release *out)
{
    uint64_t time;
    uint32_t heads;
    unsigned char first;
    if (!take_text(&w, &out->app) || !take_text(&w, &out->version) ||
        !take_text(&w, &out->class_) || !take_text(&w, &out->signer) ||
        !take_text(&w, &out->fingerprint) || !rb_wire_u64(&w, &time) || time > INT64_MAX ||
        !take_hex(&w, out->sha256, RB_SHA256_SIZE) ||
        !rb_wire_bytes(&w, out->commit.id, RB_OID_SIZE) || !rb_wire_u8(&w, &first))
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
    return take_folders(&w, &out->folders) && w.left == 0;
}

/* What follows the name in the record of ref; nothing: it is not a release. */
static bool find(rb_wire *body, const rb_record_cache *cache, const rb_tag_ref *ref)
{
    unsigned char key[RB_RECORD_KEY];
    const void *data;
    size_t len;
    rb_wire name;
    if (!ref->resolved)
        return false;
    make_key(key, ref);
    if (!rb_record_cache_get(&data, &len, cache, key))
        return false;
    *body = rb_wire_of(data, len);
    return rb_wire_string(body, &name) && rb_wire_is(&name, ref->name);
}

enum rb_listed_kind rb_listcache_get(rb_listed_release **out, const rb_record_cache *cache,
                                     const rb_tag_ref *ref)
{
    rb_wire body;
    if (!find(&body, cache, ref))
        return RB_LISTED_UNKNOWN;
    if (body.left == 0)
        return RB_LISTED_OTHER;
    RB_AUTO(rb_listed_release_freep) rb_listed_release *summary = rb_calloc(1, sizeof *summary);
    if (!take_summary(body, summary))
        return RB_LISTED_UNKNOWN;
    *out = summary;
    summary = NULL;
    return RB_LISTED_RELEASE;
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

void rb_listcache_put(rb_record_cache *cache, const rb_tag_ref *ref,
                      const rb_listed_release *summary)
{
    unsigned char key[RB_RECORD_KEY];
    rb_wire known;
    if (!ref->resolved || (summary && (!summary->lasts || summary->head_count > HEADS_LIMIT)) ||
        find(&known, cache, ref))
        return;
    RB_AUTO(rb_buf_clear) rb_buf record = {0};
    rb_wire_put_text(&record, ref->name);
    if (summary) {
        rb_wire_put_text(&record, summary->app);
        rb_wire_put_text(&record, summary->version);
        rb_wire_put_text(&record, summary->class_);
        rb_wire_put_text(&record, summary->signer);
        rb_wire_put_text(&record, summary->fingerprint);
        rb_wire_put_u64(&record, (uint64_t)summary->time);
        put_hex(&record, summary->sha256, RB_SHA256_SIZE);
        rb_buf_add(&record, summary->commit.id, RB_OID_SIZE);
        rb_buf_addc(&record, summary->previous ? 0 : 1);
        if (summary->previous)
            put_link(&record, summary->previous);
        rb_wire_put_u32(&record, (uint32_t)summary->head_count);
        for (size_t i = 0; i < summary->head_count; i++)
            put_link(&record, &summary->heads[i]);
        rb_wire_put_u32(&record, (uint32_t)summary->folders.n);
        for (size_t i = 0; i < summary->folders.n; i++)
            rb_wire_put_text(&record, summary->folders.items[i]);
    }
    make_key(key, ref);
    rb_record_cache_put(cache, key, record.data, record.len);
}
