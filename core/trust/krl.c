#include <stdlib.h>
#include <string.h>

#include "trust/revoked.h"

#define MAGIC "SSHKRL\n" /* with its '\0' */
#define VERSION 1

enum section {
    SECTION_CERTIFICATES = 1,
    SECTION_KEY = 2,
    SECTION_SHA1 = 3,
    SECTION_SIGNATURE = 4,
    SECTION_SHA256 = 5,
};

enum certificate_section {
    SERIAL_LIST = 0x20,
    SERIAL_RANGE = 0x21,
    SERIAL_BITMAP = 0x22,
    KEY_ID = 0x23,
};

bool rb_krl_is(const void *data, size_t len)
{
    return len >= sizeof MAGIC && memcmp(data, MAGIC, sizeof MAGIC) == 0;
}

static enum rb_code cut(rb_err *err)
{
    return rb_fail(err, RB_FOUND, "it is cut off or malformed");
}

static bool add_serials(rb_revoked_certificates *certs, uint64_t low, uint64_t high,
                        const rb_wire *bitmap)
{
    if (low > high || (low == 0 && !bitmap))
        return false;
    if (certs->n == certs->cap) {
        certs->cap = certs->cap ? certs->cap * 2 : 8;
        certs->serials = rb_realloc(certs->serials, certs->cap, sizeof *certs->serials);
    }
    rb_serials *serials = &certs->serials[certs->n++];
    *serials = (rb_serials){.low = low, .high = high};
    if (bitmap)
        rb_buf_add(&serials->bitmap, bitmap->p, bitmap->left);
    return true;
}

static bool read_bitmap(rb_revoked_certificates *certs, rb_wire *w)
{
    uint64_t low;
    rb_wire bitmap;
    if (!rb_wire_u64(w, &low) || !rb_wire_mpint(w, &bitmap))
        return false;
    if (bitmap.left == 0)
        return true;
    /* mpints carry no leading zero byte, so the top bit is at most seven below the top. */
    uint64_t top = (uint64_t)bitmap.left * 8 - 1;
    for (unsigned char first = bitmap.p[0]; !(first & 0x80); first = (unsigned char)(first << 1))
        top--;
    bool names_zero = low == 0 && (bitmap.p[bitmap.left - 1] & 1);
    return !names_zero && low <= UINT64_MAX - top && add_serials(certs, low, low + top, &bitmap);
}

static bool read_certificate_section(rb_revoked_certificates *certs, unsigned char type, rb_wire w)
{
    uint64_t low;
    uint64_t high;
    rb_wire id;
    switch (type) {
    case SERIAL_LIST:
        while (w.left > 0)
            if (!rb_wire_u64(&w, &low) || !add_serials(certs, low, low, NULL))
                return false;
        return true;
    case SERIAL_RANGE:
        return rb_wire_u64(&w, &low) && rb_wire_u64(&w, &high) &&
               add_serials(certs, low, high, NULL) && w.left == 0;
    case SERIAL_BITMAP:
        return read_bitmap(certs, &w) && w.left == 0;
    case KEY_ID:
        while (w.left > 0) {
            if (!rb_wire_text(&w, &id))
                return false;
            rb_blobs_add(&certs->ids, id.p, id.left);
        }
        return true;
    default:
        return false;
    }
}

static enum rb_code read_certificates(rb_revoked *out, rb_wire w, rb_err *err)
{
    if (out->n == out->cap) {
        out->cap = out->cap ? out->cap * 2 : 4;
        out->certificates = rb_realloc(out->certificates, out->cap, sizeof *out->certificates);
    }
    rb_revoked_certificates *certs = &out->certificates[out->n++];
    *certs = (rb_revoked_certificates){0};
    rb_wire authority;
    rb_wire reserved;
    if (!rb_wire_string(&w, &authority) || !rb_wire_string(&w, &reserved))
        return cut(err);
    if (authority.left > 0)
        RB_TRY(rb_key_parse(&certs->authority, authority.p, authority.left, err));
    while (w.left > 0) {
        unsigned char type;
        rb_wire section;
        if (!rb_wire_u8(&w, &type) || !rb_wire_string(&w, &section) ||
            !read_certificate_section(certs, type, section))
            return cut(err);
    }
    return RB_OK;
}

static enum rb_code read_blobs(rb_blobs *out, rb_wire w, size_t expected, rb_err *err)
{
    while (w.left > 0) {
        rb_wire blob;
        if (!rb_wire_string(&w, &blob) || (expected && blob.left != expected))
            return cut(err);
        rb_blobs_add(out, blob.p, blob.left);
    }
    return RB_OK;
}

typedef struct signer_keys {
    rb_key **items;
    size_t n;
} signer_keys;

static void signer_keys_clear(signer_keys *keys)
{
    for (size_t i = 0; i < keys->n; i++)
        rb_key_free(keys->items[i]);
    free(keys->items);
}

/* w stands behind the section's first string, which holds the key. */
static enum rb_code read_signature(signer_keys *keys, const void *data, const rb_wire *key_blob,
                                   rb_wire *w, rb_err *err)
{
    RB_AUTO(rb_key_freep) rb_key *key = NULL;
    RB_TRY(rb_key_parse(&key, key_blob->p, key_blob->left, err));
    size_t covered = (size_t)(w->p - (const unsigned char *)data);
    rb_wire signature;
    if (!rb_wire_string(w, &signature))
        return cut(err);
    if (rb_key_verify(key, signature.p, signature.left, data, covered, err) != RB_OK)
        return rb_err_prefix(err, "its own signature");
    for (size_t i = 0; i < keys->n; i++)
        if (rb_key_equal(keys->items[i], key))
            return rb_fail(err, RB_FOUND, "one key signed it twice");
    keys->items = rb_realloc(keys->items, keys->n + 1, sizeof *keys->items);
    keys->items[keys->n++] = key;
    key = NULL;
    return RB_OK;
}

static enum rb_code read_sections(rb_revoked *out, signer_keys *keys, const void *data, rb_wire w,
                                  rb_err *err)
{
    while (w.left > 0) {
        unsigned char type;
        rb_wire section;
        if (!rb_wire_u8(&w, &type) || !rb_wire_string(&w, &section))
            return cut(err);
        if (keys->n > 0 && type != SECTION_SIGNATURE)
            return rb_fail(err, RB_FOUND, "more follows its signature");
        switch (type) {
        case SECTION_CERTIFICATES:
            RB_TRY(read_certificates(out, section, err));
            break;
        case SECTION_KEY:
            RB_TRY(read_blobs(&out->keys, section, 0, err));
            break;
        case SECTION_SHA1:
            RB_TRY(read_blobs(&out->sha1, section, 20, err));
            break;
        case SECTION_SHA256:
            RB_TRY(read_blobs(&out->sha256, section, 32, err));
            break;
        case SECTION_SIGNATURE:
            RB_TRY(read_signature(keys, data, &section, &w, err));
            break;
        default:
            return rb_fail(err, RB_FOUND, "it has a section of the unknown type %u", type);
        }
    }
    return RB_OK;
}

/* Lists are not ordered yet when this is asked. */
static bool lists(const rb_blobs *blobs, const rb_key *key)
{
    for (size_t i = 0; i < blobs->n; i++)
        if (blobs->items[i].len == key->blob.len &&
            memcmp(blobs->items[i].data, key->blob.data, key->blob.len) == 0)
            return true;
    return false;
}

enum rb_code rb_krl_parse(rb_revoked *out, const void *data, size_t len, rb_err *err)
{
    rb_wire w = rb_wire_of(data, len);
    w.p += sizeof MAGIC;
    w.left -= sizeof MAGIC;
    uint32_t version;
    uint64_t skipped;
    rb_wire reserved;
    rb_wire comment;
    if (!rb_wire_u32(&w, &version))
        return cut(err);
    if (version != VERSION)
        return rb_fail(err, RB_FOUND, "it has format version %u, expected %d", version, VERSION);
    if (!rb_wire_u64(&w, &skipped) || !rb_wire_u64(&w, &skipped) || !rb_wire_u64(&w, &skipped) ||
        !rb_wire_string(&w, &reserved) || !rb_wire_text(&w, &comment))
        return cut(err);
    RB_AUTO(signer_keys_clear) signer_keys keys = {0};
    RB_TRY(read_sections(out, &keys, data, w, err));
    size_t revoked = 0;
    for (size_t i = 0; i < keys.n; i++)
        revoked += lists(&out->keys, keys.items[i]);
    if (keys.n > 0 && revoked == keys.n)
        return rb_fail(err, RB_FOUND, "all keys that signed it are revoked by it");
    return RB_OK;
}
