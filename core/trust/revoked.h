/*
 * Revoked keys: a list of public keys, one a line, or a binary KRL (PROTOCOL.krl). What ssh-keygen
 * would refuse to read is refused here.
 */
#ifndef RB_TRUST_REVOKED_H
#define RB_TRUST_REVOKED_H

#include "trust/keys.h"

#define RB_REVOKED_LIMIT (32u << 20) /* bytes of the file */

typedef struct rb_revoked rb_revoked;

enum rb_code rb_revoked_parse(rb_revoked **out, const char *path, const void *data, size_t len,
                              rb_err *err) RB_MUST_USE;
void rb_revoked_free(rb_revoked *revoked);
RB_DEFINE_AUTO(rb_revoked, rb_revoked_free)

/* The key, and of a certificate its key, serial number, key id and authority. */
bool rb_revoked_has(const rb_revoked *revoked, const rb_key *key);

/* For revoked.c and krl.c: what the file says; ordered for look-up when all is read. */
typedef struct rb_blobs {
    rb_buf *items;
    size_t n;
    size_t cap;
} rb_blobs;

typedef struct rb_serials { /* low <= serial <= high, or a bitmap from low on */
    uint64_t low;
    uint64_t high;
    rb_buf bitmap; /* big-endian: the last byte holds the first bits; empty for a range */
} rb_serials;

typedef struct rb_revoked_certificates {
    rb_key *authority; /* NULL: any */
    rb_serials *serials;
    size_t n;
    size_t cap;
    size_t ranges; /* of them, once sorted: the first ones, apart and in order; bitmaps behind */
    rb_blobs ids;
} rb_revoked_certificates;

struct rb_revoked {
    rb_blobs keys;
    rb_blobs sha1;
    rb_blobs sha256;
    rb_revoked_certificates *certificates;
    size_t n;
    size_t cap;
};

void rb_blobs_add(rb_blobs *blobs, const void *data, size_t len);

bool rb_krl_is(const void *data, size_t len);
enum rb_code rb_krl_parse(rb_revoked *out, const void *data, size_t len, rb_err *err) RB_MUST_USE;

#endif
