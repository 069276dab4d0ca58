#include "trust/revoked.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#define SHA1_SIZE 20

void rb_blobs_add(rb_blobs *blobs, const void *data, size_t len)
{
    if (blobs->n == blobs->cap) {
        blobs->cap = blobs->cap ? blobs->cap * 2 : 16;
        blobs->items = rb_realloc(blobs->items, blobs->cap, sizeof *blobs->items);
    }
    rb_buf *item = &blobs->items[blobs->n++];
    *item = (rb_buf){0};
    rb_buf_add(item, len ? data : "", len);
}

static void blobs_clear(rb_blobs *blobs)
{
    for (size_t i = 0; i < blobs->n; i++)
        rb_buf_clear(&blobs->items[i]);
    free(blobs->items);
}

static int compare(const void *a, const void *b)
{
    const rb_buf *x = a;
    const rb_buf *y = b;
    if (x->len != y->len)
        return x->len < y->len ? -1 : 1;
    return x->len ? memcmp(x->data, y->data, x->len) : 0;
}

static void blobs_sort(rb_blobs *blobs)
{
    if (blobs->n > 1)
        qsort(blobs->items, blobs->n, sizeof *blobs->items, compare);
}

static bool blobs_have(const rb_blobs *blobs, const void *data, size_t len)
{
    rb_buf wanted = {.data = (char *)data, .len = len};
    return blobs->n > 0 &&
           bsearch(&wanted, blobs->items, blobs->n, sizeof *blobs->items, compare) != NULL;
}

/* Ranges before bitmaps. */
static int compare_serials(const void *a, const void *b)
{
    const rb_serials *x = a;
    const rb_serials *y = b;
    bool x_map = x->bitmap.len > 0;
    bool y_map = y->bitmap.len > 0;
    if (x_map != y_map)
        return x_map ? 1 : -1;
    return x->low < y->low ? -1 : x->low > y->low;
}

static void sort_serials(rb_revoked_certificates *certs)
{
    size_t kept = 0;
    size_t i = 0;
    if (certs->n > 1)
        qsort(certs->serials, certs->n, sizeof *certs->serials, compare_serials);
    for (; i < certs->n && certs->serials[i].bitmap.len == 0; i++) {
        rb_serials *last = kept > 0 ? &certs->serials[kept - 1] : NULL;
        const rb_serials *next = &certs->serials[i];
        if (!last || next->low > last->high)
            certs->serials[kept++] = *next;
        else if (next->high > last->high)
            last->high = next->high;
    }
    certs->ranges = kept;
    while (i < certs->n)
        certs->serials[kept++] = certs->serials[i++];
    certs->n = kept;
}

void rb_revoked_free(rb_revoked *revoked)
{
    if (!revoked)
        return;
    blobs_clear(&revoked->keys);
    blobs_clear(&revoked->sha1);
    blobs_clear(&revoked->sha256);
    for (size_t i = 0; i < revoked->n; i++) {
        rb_revoked_certificates *certs = &revoked->certificates[i];
        rb_key_free(certs->authority);
        for (size_t j = 0; j < certs->n; j++)
            rb_buf_clear(&certs->serials[j].bitmap);
        free(certs->serials);
        blobs_clear(&certs->ids);
    }
    free(revoked->certificates);
    free(revoked);
}

/* DSA keys cannot sign here: reading past them is not to make the whole list unreadable. */
static bool is_foreign(const char *line)
{
    return strncmp(line, "ssh-dss ", 8) == 0 ||
           strncmp(line, "ssh-dss-cert-v01@openssh.com ", 29) == 0;
}

static enum rb_code parse_list(rb_revoked *revoked, const char *path, const char *text, size_t len,
                               rb_err *err)
{
    const char *end = text + len;
    size_t number = 0;
    while (text < end) {
        const char *eol = memchr(text, '\n', (size_t)(end - text));
        size_t n = (size_t)((eol ? eol : end) - text);
        RB_AUTO(rb_free_str) char *line = rb_strndup(text, n);
        const char *p = line + strspn(line, " \t");
        text = eol ? eol + 1 : end;
        number++;
        if (*p == '\0' || *p == '#' || is_foreign(p))
            continue;
        RB_AUTO(rb_key_freep) rb_key *key = NULL;
        if (rb_key_parse_line(&key, &p, err) != RB_OK) {
            rb_err_prefix(err, "cannot read the revoked keys in %s, line %zu", path, number);
            return err->code = RB_ERROR;
        }
        rb_blobs_add(&revoked->keys, key->blob.data, key->blob.len);
    }
    return RB_OK;
}

enum rb_code rb_revoked_parse(rb_revoked **out, const char *path, const void *data, size_t len,
                              rb_err *err)
{
    RB_AUTO(rb_revoked_freep) rb_revoked *revoked = rb_calloc(1, sizeof *revoked);
    if (rb_krl_is(data, len)) {
        if (rb_krl_parse(revoked, data, len, err) != RB_OK) {
            rb_err_prefix(err, "cannot read the key revocation list %s", path);
            return err->code = RB_ERROR;
        }
    } else {
        RB_TRY(parse_list(revoked, path, data, len, err));
    }
    blobs_sort(&revoked->keys);
    blobs_sort(&revoked->sha1);
    blobs_sort(&revoked->sha256);
    for (size_t i = 0; i < revoked->n; i++)
        blobs_sort(&revoked->certificates[i].ids);
    for (size_t i = 0; i < revoked->n; i++)
        sort_serials(&revoked->certificates[i]);
    *out = revoked;
    revoked = NULL;
    return RB_OK;
}

static bool has_plain(const rb_revoked *revoked, const rb_key *key)
{
    unsigned char sha1[SHA1_SIZE];
    unsigned char sha256[RB_SHA256_SIZE];
    if (revoked->sha1.n > 0) {
        if (EVP_Digest(key->blob.data, key->blob.len, sha1, NULL, EVP_sha1(), NULL) != 1)
            return true;
        if (blobs_have(&revoked->sha1, sha1, sizeof sha1))
            return true;
    }
    rb_sha256_of(key->blob.data, key->blob.len, sha256);
    return blobs_have(&revoked->sha256, sha256, sizeof sha256) ||
           blobs_have(&revoked->keys, key->blob.data, key->blob.len);
}

static int compare_range(const void *serial, const void *range)
{
    uint64_t wanted = *(const uint64_t *)serial;
    const rb_serials *serials = range;
    return wanted < serials->low ? -1 : wanted > serials->high;
}

static bool is_in_bitmap(const rb_serials *serials, uint64_t serial)
{
    if (serial < serials->low || serial > serials->high)
        return false;
    uint64_t bit = serial - serials->low;
    size_t byte = serials->bitmap.len - 1 - (size_t)(bit / 8);
    return (unsigned char)serials->bitmap.data[byte] >> (bit % 8) & 1;
}

static bool has_certificate(const rb_revoked_certificates *revoked, const rb_certificate *cert)
{
    if (revoked->authority && !rb_key_equal(revoked->authority, cert->authority))
        return false;
    if (blobs_have(&revoked->ids, cert->id, strlen(cert->id)))
        return true;
    /* Zero is what authorities write that do not number: it names no certificate. */
    if (cert->serial == 0)
        return false;
    for (size_t i = revoked->ranges; i < revoked->n; i++)
        if (is_in_bitmap(&revoked->serials[i], cert->serial))
            return true;
    return revoked->ranges > 0 && bsearch(&cert->serial, revoked->serials, revoked->ranges,
                                          sizeof *revoked->serials, compare_range) != NULL;
}

bool rb_revoked_has(const rb_revoked *revoked, const rb_key *key)
{
    if (has_plain(revoked, key))
        return true;
    if (!key->certificate)
        return false;
    for (size_t i = 0; i < revoked->n; i++)
        if (has_certificate(&revoked->certificates[i], key->certificate))
            return true;
    return has_plain(revoked, key->certificate->authority);
}
