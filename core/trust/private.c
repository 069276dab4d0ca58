#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

#include "trust/keys.h"

#define OPENSSH_BEGIN "-----BEGIN OPENSSH PRIVATE KEY-----"
#define OPENSSH_END "-----END OPENSSH PRIVATE KEY-----"
#define OPENSSH_MAGIC "openssh-key-v1" /* including the '\0' */

static void secret_clear(rb_buf *buf)
{
    if (buf->data)
        OPENSSL_cleanse(buf->data, buf->cap);
    rb_buf_clear(buf);
}

static enum rb_code broken(rb_err *err, const char *what)
{
    return rb_fail(err, RB_ERROR, "the private key file %s is cut off or malformed", what);
}

/* Adds the secret numbers to key->evp, which has the public ones. */
static bool make_private(rb_key *key, const char *algorithm, OSSL_PARAM_BLD *bld)
{
    EVP_PKEY *evp = NULL;
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, algorithm, NULL);
    bool ok = params && ctx && EVP_PKEY_fromdata_init(ctx) == 1 &&
              EVP_PKEY_fromdata(ctx, &evp, EVP_PKEY_KEYPAIR, params) == 1 &&
              EVP_PKEY_eq(evp, key->evp) == 1;
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    if (ok) {
        EVP_PKEY_free(key->evp);
        key->evp = evp;
    } else {
        EVP_PKEY_free(evp);
    }
    return ok;
}

static BIGNUM *secret_number(const rb_wire *w)
{
    BIGNUM *n = BN_secure_new();
    return BN_bin2bn(w->p, (int)w->left, n);
}

/* Fields in the file: n, e, d, iqmp, p, q. */
static bool read_rsa(rb_key *key, rb_wire *w, rb_err *err)
{
    rb_wire f[6];
    for (size_t i = 0; i < 6; i++)
        if (!rb_wire_mpint(w, &f[i]) || f[i].left == 0)
            return false;
    if (rb_key_set_rsa(key, &f[0], &f[1], err) != RB_OK)
        return false;
    static const char *const names[] = {
        OSSL_PKEY_PARAM_RSA_N,         OSSL_PKEY_PARAM_RSA_E,
        OSSL_PKEY_PARAM_RSA_D,         OSSL_PKEY_PARAM_RSA_COEFFICIENT1,
        OSSL_PKEY_PARAM_RSA_FACTOR1,   OSSL_PKEY_PARAM_RSA_FACTOR2,
        OSSL_PKEY_PARAM_RSA_EXPONENT1, OSSL_PKEY_PARAM_RSA_EXPONENT2};
    BIGNUM *n[8];
    for (size_t i = 0; i < 8; i++)
        n[i] = i < 6 ? secret_number(&f[i]) : BN_secure_new();
    BN_CTX *ctx = BN_CTX_secure_new();
    bool ok = !BN_is_one(n[4]) && !BN_is_one(n[5]);
    for (size_t i = 0; i < 2 && ok; i++) {
        BIGNUM *less = BN_dup(n[4 + i]);
        ok = less && BN_sub_word(less, 1) && BN_mod(n[6 + i], n[2], less, ctx);
        BN_clear_free(less);
    }
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    for (size_t i = 0; i < 8 && ok; i++)
        ok = OSSL_PARAM_BLD_push_BN(bld, names[i], n[i]);
    ok = ok && make_private(key, "RSA", bld);
    OSSL_PARAM_BLD_free(bld);
    BN_CTX_free(ctx);
    for (size_t i = 0; i < 8; i++)
        BN_clear_free(n[i]);
    return ok;
}

static bool read_ed25519(rb_key *key, rb_wire *w, rb_err *err)
{
    rb_wire point;
    rb_wire secret; /* the seed and the public point */
    if (!rb_wire_string(w, &point) || !rb_wire_string(w, &secret) || secret.left != 64 ||
        rb_key_set_ed25519(key, &point, err) != RB_OK)
        return false;
    EVP_PKEY *evp = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret.p, 32);
    if (!evp || EVP_PKEY_eq(evp, key->evp) != 1) {
        EVP_PKEY_free(evp);
        return false;
    }
    EVP_PKEY_free(key->evp);
    key->evp = evp;
    return true;
}

static bool read_ecdsa(rb_key *key, rb_wire *w, rb_err *err)
{
    const rb_key_type *type = &rb_key_types[key->kind];
    rb_wire curve;
    rb_wire point;
    rb_wire secret;
    if (!rb_wire_text(w, &curve) || !rb_wire_is(&curve, type->curve) ||
        !rb_wire_string(w, &point) || !rb_wire_mpint(w, &secret) ||
        rb_key_set_ecdsa(key, &point, err) != RB_OK)
        return false;
    BIGNUM *scalar = secret_number(&secret);
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    bool ok = OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, type->group, 0) &&
              OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point.p, point.left) &&
              OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_PRIV_KEY, scalar) &&
              make_private(key, "EC", bld);
    OSSL_PARAM_BLD_free(bld);
    BN_clear_free(scalar);
    return ok;
}

static bool is_padding(const rb_wire *w)
{
    for (size_t i = 0; i < w->left; i++)
        if (w->p[i] != (i + 1) % 256)
            return false;
    return true;
}

/* Reads the section that a passphrase would encrypt: check numbers, key, comment, padding. */
static enum rb_code read_secret(rb_key **out, enum rb_key_kind kind, rb_wire w, const char *what,
                                rb_err *err)
{
    RB_AUTO(rb_key_freep) rb_key *key = rb_calloc(1, sizeof *key);
    key->kind = kind;
    uint32_t check[2];
    rb_wire name;
    rb_wire comment;
    if (!rb_wire_u32(&w, &check[0]) || !rb_wire_u32(&w, &check[1]) || check[0] != check[1] ||
        !rb_wire_text(&w, &name) || !rb_wire_is(&name, rb_key_name(key)))
        return broken(err, what);
    bool ok = kind == RB_KEY_RSA       ? read_rsa(key, &w, err)
              : kind == RB_KEY_ED25519 ? read_ed25519(key, &w, err)
                                       : read_ecdsa(key, &w, err);
    if (!ok || !rb_wire_string(&w, &comment) || !is_padding(&w))
        return broken(err, what);
    *out = RB_TAKE(key);
    return RB_OK;
}

static enum rb_code read_openssh(rb_key **out, enum rb_private_state *state, const char *text,
                                 size_t len, const char *what, rb_err *err)
{
    const char *body = text + strlen(OPENSSH_BEGIN);
    const char *end = memmem(body, len - strlen(OPENSSH_BEGIN), OPENSSH_END, strlen(OPENSSH_END));
    RB_AUTO(secret_clear) rb_buf blob = {0};
    if (!end || !rb_key_base64(&blob, body, (size_t)(end - body)))
        return broken(err, what);
    rb_wire w = rb_wire_of(blob.data, blob.len);
    if (w.left < sizeof OPENSSH_MAGIC || memcmp(w.p, OPENSSH_MAGIC, sizeof OPENSSH_MAGIC) != 0)
        return broken(err, what);
    w.p += sizeof OPENSSH_MAGIC;
    w.left -= sizeof OPENSSH_MAGIC;
    rb_wire cipher;
    rb_wire skipped;
    rb_wire public;
    rb_wire secret;
    uint32_t keys;
    if (!rb_wire_text(&w, &cipher) || !rb_wire_string(&w, &skipped) ||
        !rb_wire_string(&w, &skipped) || !rb_wire_u32(&w, &keys) || keys != 1 ||
        !rb_wire_string(&w, &public) || !rb_wire_string(&w, &secret))
        return broken(err, what);
    RB_AUTO(rb_key_freep) rb_key *key = NULL;
    if (rb_key_parse(&key, public.p, public.left, err) != RB_OK) {
        (void)rb_err_prefix(err, "the private key file %s", what);
        return err->code = RB_ERROR;
    }
    bool encrypted = !rb_wire_is(&cipher, "none");
    *state = encrypted ? RB_PRIVATE_ENCRYPTED : RB_PRIVATE_HARDWARE;
    if (!encrypted && !rb_key_types[key->kind].security_key) {
        RB_AUTO(rb_key_freep) rb_key *full = NULL;
        RB_TRY(read_secret(&full, key->kind, secret, what, err));
        if (!rb_key_equal(full, key))
            return broken(err, what);
        rb_key_free(key);
        key = RB_TAKE(full);
        *state = RB_PRIVATE_PLAIN;
    }
    *out = RB_TAKE(key);
    return RB_OK;
}

static bool public_of_rsa(rb_key *key, EVP_PKEY *evp, rb_err *err)
{
    BIGNUM *n = NULL;
    BIGNUM *e = NULL;
    unsigned char bytes[2][RB_WIRE_MPINT_LIMIT];
    bool ok = EVP_PKEY_get_bits(evp) <= RB_WIRE_MPINT_LIMIT * 8 &&
              EVP_PKEY_get_bn_param(evp, OSSL_PKEY_PARAM_RSA_N, &n) &&
              EVP_PKEY_get_bn_param(evp, OSSL_PKEY_PARAM_RSA_E, &e) &&
              BN_num_bytes(e) <= RB_WIRE_MPINT_LIMIT;
    if (ok) {
        rb_wire modulus = rb_wire_of(bytes[0], (size_t)BN_bn2bin(n, bytes[0]));
        rb_wire exponent = rb_wire_of(bytes[1], (size_t)BN_bn2bin(e, bytes[1]));
        ok = rb_key_set_rsa(key, &modulus, &exponent, err) == RB_OK;
    }
    BN_free(n);
    BN_free(e);
    return ok;
}

static bool public_of_ecdsa(rb_key *key, EVP_PKEY *evp, rb_err *err)
{
    unsigned char point[1 + 2 * 66];
    size_t len = 0;
    EVP_PKEY_set_utf8_string_param(evp, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
                                   OSSL_PKEY_EC_POINT_CONVERSION_FORMAT_UNCOMPRESSED);
    if (!EVP_PKEY_get_octet_string_param(evp, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point, &len))
        return false;
    int bits = EVP_PKEY_get_bits(evp);
    key->kind = bits == 256 ? RB_KEY_ECDSA_256 : bits == 384 ? RB_KEY_ECDSA_384 : RB_KEY_ECDSA_521;
    rb_wire w = rb_wire_of(point, len);
    return rb_key_set_ecdsa(key, &w, err) == RB_OK;
}

static bool public_of(rb_key *key, EVP_PKEY *evp, rb_err *err)
{
    if (EVP_PKEY_is_a(evp, "RSA")) {
        key->kind = RB_KEY_RSA;
        return public_of_rsa(key, evp, err);
    }
    if (EVP_PKEY_is_a(evp, "EC"))
        return public_of_ecdsa(key, evp, err);
    unsigned char point[32];
    size_t len = sizeof point;
    if (!EVP_PKEY_is_a(evp, "ED25519") || EVP_PKEY_get_raw_public_key(evp, point, &len) != 1)
        return false;
    key->kind = RB_KEY_ED25519;
    rb_wire w = rb_wire_of(point, len);
    return rb_key_set_ed25519(key, &w, err) == RB_OK;
}

/* Called by OpenSSL if it needs a passphrase. Records that, and provides none. */
static int note_passphrase(char *buf, int size, int writing, void *asked)
{
    (void)buf;
    (void)size;
    (void)writing;
    *(bool *)asked = true;
    return -1;
}

static enum rb_code read_pem(rb_key **out, enum rb_private_state *state, const char *text,
                             size_t len, const char *what, rb_err *err)
{
    bool asked = false;
    BIO *bio = BIO_new_mem_buf(text, (int)len);
    EVP_PKEY *evp = PEM_read_bio_PrivateKey(bio, NULL, note_passphrase, &asked);
    BIO_free(bio);
    ERR_clear_error();
    if (asked && !evp) {
        *state = RB_PRIVATE_ENCRYPTED;
        *out = NULL;
        return RB_OK;
    }
    if (!evp)
        return broken(err, what);
    RB_AUTO(rb_key_freep) rb_key *key = rb_calloc(1, sizeof *key);
    if (!public_of(key, evp, err)) {
        EVP_PKEY_free(evp);
        return rb_fail(err, RB_ERROR,
                       "the private key file %s holds no key that SSH signs with: Ed25519, ECDSA "
                       "P-256/384/521 or RSA is needed",
                       what);
    }
    EVP_PKEY_free(key->evp);
    key->evp = evp;
    *state = RB_PRIVATE_PLAIN;
    *out = RB_TAKE(key);
    return RB_OK;
}

enum rb_code rb_key_private(rb_key **out, enum rb_private_state *state, const char *text,
                            size_t len, const char *what, rb_err *err)
{
    static const char openssh[] = OPENSSH_BEGIN;
    static const char pem[] = "PRIVATE KEY-----";
    if (len > RB_KEY_FILE_LIMIT)
        return rb_fail(err, RB_ERROR, "the key file %s has %zu bytes, more than the limit of %u",
                       what, len, RB_KEY_FILE_LIMIT);
    if (len >= sizeof openssh - 1 && memcmp(text, openssh, sizeof openssh - 1) == 0)
        return read_openssh(out, state, text, len, what, err);
    if (len > 0 && memmem(text, len, "-----BEGIN ", 11) && memmem(text, len, pem, sizeof pem - 1))
        return read_pem(out, state, text, len, what, err);
    *state = RB_PRIVATE_NONE;
    *out = NULL;
    return RB_OK;
}
