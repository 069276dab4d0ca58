#include "release/listcache.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/text.h"
#include "base/version.h"
#include "trust/signers.h"
#include "trust/wire.h"

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
    RB_AUTO(rb_free_str) char *header = rb_format("rbtool releases 7 %s\n", digest);
    return rb_record_cache_open(path, header);
}

/* Makes the key: the tag object's id, XORed with a hash of the name (FNV-1a), because several names
 * can lead to one object. The record contains the name, so that a collision is noticed. */
static void make_key(unsigned char key[RB_RECORD_KEY], const rb_tag_ref *ref)
{
    uint64_t hash = 14695981039346656037u;
    for (const char *p = ref->name; *p; p++)
        hash = (hash ^ (unsigned char)*p) * 1099511628211u;
    memcpy(key, ref->object.id, RB_RECORD_KEY);
    for (size_t i = 0; i < sizeof hash; i++)
        key[i] ^= (unsigned char)(hash >> (8 * i));
}

static void put_text(rb_buf *out, const char *text)
{
    rb_wire_put_string(out, text, strlen(text) + 1);
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
    put_text(out, link->tag);
    put_hex(out, link->object, RB_OID_SIZE);
    put_hex(out, link->sha256, RB_SHA256_SIZE);
}

/* Reads a text with its NUL; *out points into the record. */
static bool take_text(rb_wire *w, const char **out)
{
    rb_wire text;
    if (!rb_wire_string(w, &text) || text.left == 0 || text.p[text.left - 1] != '\0')
        return false;
    *out = (const char *)text.p;
    return strlen(*out) == text.left - 1;
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
    const char *tag;
    if (!take_text(w, &tag))
        return false;
    out->tag = (char *)tag;
    return take_hex(w, out->object, RB_OID_SIZE) && take_hex(w, out->sha256, RB_SHA256_SIZE);
}

static bool take_all(rb_listed_release *out, rb_wire w, bool first)
{
    uint64_t time;
    const char **const texts[] = {&out->app,    &out->version,     &out->class_,
                                  &out->signer, &out->fingerprint, &out->folders};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (!take_text(&w, texts[i]))
            return false;
    if (!rb_wire_u64(&w, &time) || time > INT64_MAX || !take_hex(&w, out->sha256, RB_SHA256_SIZE) ||
        !rb_wire_bytes(&w, out->commit.id, RB_OID_SIZE))
        return false;
    out->time = (int64_t)time;
    out->previous = first ? NULL : out->links;
    for (size_t i = 0; i < out->link_count; i++)
        if (!take_link(&w, &out->links[i]))
            return false;
    return w.left == 0;
}

/* Parses a record; NULL if it is malformed. */
static rb_listed_release *read_record(rb_wire record)
{
    unsigned char first;
    uint32_t links;
    rb_wire w = record;
    if (!rb_wire_u8(&w, &first) || !rb_wire_u32(&w, &links) || links > w.left / RB_SHA256_SIZE ||
        (!first && links == 0))
        return NULL;
    rb_listed_release *listed =
        rb_calloc(1, sizeof *listed + links * sizeof(rb_link) + record.left);
    listed->link_count = links;
    listed->len = record.left;
    listed->record = memcpy(&listed->links[links], record.p, record.left);
    w = rb_wire_of(listed->record + (record.left - w.left), w.left);
    if (take_all(listed, w, first != 0))
        return listed;
    free(listed);
    return NULL;
}

/* True if texts that will be printed contain no control characters; the file may have been
 * modified. `folders` is never printed. */
static bool is_plain(const rb_listed_release *listed)
{
    const char *const texts[] = {listed->app, listed->version, listed->class_, listed->signer,
                                 listed->fingerprint};
    bool plain = true;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        plain = plain && rb_text_is_plain(texts[i], strlen(texts[i]));
    for (size_t i = 0; i < listed->link_count; i++)
        plain = plain && rb_text_is_plain(listed->links[i].tag, strlen(listed->links[i].tag));
    return plain;
}

rb_listed_release *rb_listed_release_new(const rb_release *release)
{
    const rb_manifest *manifest = release->manifest;
    const char *const texts[] = {manifest->app_name, manifest->app_version, manifest->class_,
                                 rb_verified_principal(release->verified),
                                 rb_verified_fingerprint(release->verified)};
    RB_AUTO(rb_buf_clear) rb_buf record = {0};
    RB_AUTO(rb_buf_clear) rb_buf folders = {0};
    char sha256[RB_SHA256_HEX];
    size_t len;
    const char *bytes = rb_verified_signed(release->verified, &len);
    rb_buf_addc(&record, manifest->previous ? 0 : 1);
    rb_wire_put_u32(&record, (uint32_t)(manifest->head_count + (manifest->previous ? 1 : 0)));
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        put_text(&record, texts[i]);
    for (size_t i = 0; i < manifest->database_count; i++)
        rb_buf_printf(&folders, "%s %s %s\n", manifest->databases[i].layout,
                      manifest->databases[i].engine, manifest->databases[i].directory);
    put_text(&record, rb_buf_str(&folders));
    rb_wire_put_u64(&record, (uint64_t)rb_verified_time(release->verified));
    rb_sha256_hex_of(bytes, len, sha256);
    put_hex(&record, sha256, RB_SHA256_SIZE);
    rb_buf_add(&record, release->commit.id, RB_OID_SIZE);
    if (manifest->previous)
        put_link(&record, manifest->previous);
    for (size_t i = 0; i < manifest->head_count; i++)
        put_link(&record, &manifest->heads[i]);
    rb_listed_release *listed = read_record(rb_wire_of(record.data, record.len));
    listed->lasts = rb_verified_lasts(release->verified);
    return listed;
}

void rb_listed_release_free(rb_listed_release *listed)
{
    free(listed);
}

/* Finds the record of a tag. *body is what follows the name in it; empty if the tag is not a
 * release. */
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
    RB_AUTO(rb_listed_release_freep) rb_listed_release *listed = read_record(body);
    if (!listed || !is_plain(listed))
        return RB_LISTED_UNKNOWN;
    listed->lasts = true;
    *out = RB_TAKE(listed);
    return RB_LISTED_RELEASE;
}

void rb_listcache_put(rb_record_cache *cache, const rb_tag_ref *ref,
                      const rb_listed_release *listed)
{
    unsigned char key[RB_RECORD_KEY];
    rb_wire known;
    if (!ref->resolved || (listed && !listed->lasts) || find(&known, cache, ref))
        return;
    RB_AUTO(rb_buf_clear) rb_buf record = {0};
    rb_wire_put_text(&record, ref->name);
    if (listed)
        rb_buf_add(&record, listed->record, listed->len);
    make_key(key, ref);
    rb_record_cache_put(cache, key, record.data, record.len);
}
