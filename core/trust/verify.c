#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <string.h>

#include "base/hash.h"
#include "trust/keys.h"

#define ED25519_SIGNATURE 64
#define SIGNATURE_LIMIT 4096 /* bytes; more than any supported algorithm needs */

static enum rb_code bad(rb_err *err, const rb_key *key)
{
    return rb_fail(err, RB_FOUND, "the %s signature does not match what was signed",
                   rb_key_name(key));
}

static enum rb_code malformed(rb_err *err, const rb_key *key)
{
    return rb_fail(err, RB_FOUND, "the %s signature is cut off or malformed", rb_key_name(key));
}

static bool digest_verify(EVP_PKEY *evp, const char *digest, const void *sig, size_t sig_len,
                          const void *data, size_t len)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx && EVP_DigestVerifyInit_ex(ctx, NULL, digest, NULL, NULL, evp, NULL) == 1 &&
              EVP_DigestVerify(ctx, sig, sig_len, data, len) == 1;
    EVP_MD_CTX_free(ctx);
    return ok;
}

/* Returns the digest of an RSA signature algorithm; NULL if it is not accepted. */
static const char *rsa_digest(const rb_wire *algorithm)
{
    if (rb_wire_is(algorithm, "rsa-sha2-512"))
        return "SHA512";
    return rb_wire_is(algorithm, "rsa-sha2-256") ? "SHA256" : NULL;
}

static enum rb_code verify_rsa(const rb_key *key, const rb_wire *algorithm, rb_wire w,
                               const void *data, size_t len, rb_err *err)
{
    const char *digest = rsa_digest(algorithm);
    if (!digest) {
        RB_AUTO(rb_free_str) char *shown = rb_wire_safe(algorithm);
        return rb_fail(err, RB_FOUND,
                       "the RSA signature is of type \"%s\"; only rsa-sha2-256 and rsa-sha2-512 "
                       "are accepted",
                       shown);
    }
    if (EVP_PKEY_get_bits(key->evp) < RB_RSA_BITS)
        return rb_fail(err, RB_FOUND, "the RSA key has %d bits, at least %d are needed",
                       EVP_PKEY_get_bits(key->evp), RB_RSA_BITS);
    rb_wire s;
    size_t size = (size_t)EVP_PKEY_get_size(key->evp);
    unsigned char padded[RB_WIRE_MPINT_LIMIT] = {0};
    if (!rb_wire_string(&w, &s) || w.left != 0 || s.left == 0 || s.left > size ||
        size > sizeof padded)
        return malformed(err, key);
    /* Pad the number to the size of the modulus for OpenSSL: some signers drop leading zero
     * bytes. */
    memcpy(padded + size - s.left, s.p, s.left);
    return digest_verify(key->evp, digest, padded, size, data, len) ? RB_OK : bad(err, key);
}

static enum rb_code ecdsa_check(const rb_key *key, rb_wire w, const void *data, size_t len,
                                rb_err *err)
{
    rb_wire r;
    rb_wire s;
    if (!rb_wire_mpint(&w, &r) || !rb_wire_mpint(&w, &s) || w.left != 0)
        return malformed(err, key);
    ECDSA_SIG *sig = ECDSA_SIG_new();
    ECDSA_SIG_set0(sig, BN_bin2bn(r.p, (int)r.left, NULL), BN_bin2bn(s.p, (int)s.left, NULL));
    unsigned char *der = NULL;
    int der_len = i2d_ECDSA_SIG(sig, &der);
    bool ok = der_len > 0 && digest_verify(key->evp, rb_key_types[key->kind].digest, der,
                                           (size_t)der_len, data, len);
    OPENSSL_free(der);
    ECDSA_SIG_free(sig);
    return ok ? RB_OK : bad(err, key);
}

/* Builds the signed message of PROTOCOL.u2f: SHA-256 of the application, flags, counter, SHA-256 of
 * the data. */
static void security_key_message(rb_buf *out, const rb_key *key, unsigned char flags,
                                 uint32_t counter, const void *data, size_t len)
{
    unsigned char digest[RB_SHA256_SIZE];
    rb_sha256_of(key->application, strlen(key->application), digest);
    rb_buf_add(out, digest, sizeof digest);
    rb_buf_addc(out, (char)flags);
    rb_wire_put_u32(out, counter);
    rb_sha256_of(data, len, digest);
    rb_buf_add(out, digest, sizeof digest);
}

static enum rb_code verify_security_key(const rb_key *key, rb_wire w, const void *data, size_t len,
                                        rb_err *err)
{
    rb_wire sig;
    unsigned char flags;
    uint32_t counter;
    if (!rb_wire_string(&w, &sig) || !rb_wire_u8(&w, &flags) || !rb_wire_u32(&w, &counter) ||
        w.left != 0)
        return malformed(err, key);
    RB_AUTO(rb_buf_clear) rb_buf message = {0};
    security_key_message(&message, key, flags, counter, data, len);
    if (key->kind == RB_KEY_SK_ECDSA)
        return ecdsa_check(key, sig, message.data, message.len, err);
    if (sig.left != ED25519_SIGNATURE)
        return malformed(err, key);
    return digest_verify(key->evp, NULL, sig.p, sig.left, message.data, message.len)
               ? RB_OK
               : bad(err, key);
}

enum rb_code rb_key_verify(const rb_key *key, const void *sig, size_t sig_len, const void *data,
                           size_t len, rb_err *err)
{
    rb_wire w = rb_wire_of(sig, sig_len);
    rb_wire algorithm;
    rb_wire s;
    if (!rb_wire_text(&w, &algorithm))
        return malformed(err, key);
    if (key->kind == RB_KEY_RSA)
        return verify_rsa(key, &algorithm, w, data, len, err);
    if (!rb_wire_is(&algorithm, rb_key_name(key))) {
        RB_AUTO(rb_free_str) char *shown = rb_wire_safe(&algorithm);
        return rb_fail(err, RB_FOUND, "the signature is of type \"%s\", its key of type \"%s\"",
                       shown, rb_key_name(key));
    }
    if (rb_key_types[key->kind].security_key)
        return verify_security_key(key, w, data, len, err);
    if (!rb_wire_string(&w, &s) || w.left != 0)
        return malformed(err, key);
    if (rb_key_types[key->kind].curve)
        return ecdsa_check(key, s, data, len, err);
    if (s.left != ED25519_SIGNATURE)
        return malformed(err, key);
    return digest_verify(key->evp, NULL, s.p, s.left, data, len) ? RB_OK : bad(err, key);
}

/* Converts a DER signature to the two numbers of SSH's format. */
static bool put_ecdsa(rb_buf *out, const unsigned char *der, size_t len)
{
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)len);
    if (!sig)
        return false;
    RB_AUTO(rb_buf_clear) rb_buf numbers = {0};
    const BIGNUM *parts[] = {ECDSA_SIG_get0_r(sig), ECDSA_SIG_get0_s(sig)};
    for (size_t i = 0; i < 2; i++) {
        unsigned char bytes[66];
        int n = BN_bn2binpad(parts[i], bytes, sizeof bytes);
        rb_wire_put_mpint(&numbers, bytes, n < 0 ? 0 : (size_t)n);
    }
    ECDSA_SIG_free(sig);
    rb_wire_put_string(out, numbers.data, numbers.len);
    return true;
}

bool rb_key_digest_sign(rb_buf *out, const rb_key *key, const char *digest, const void *data,
                        size_t len)
{
    unsigned char sig[SIGNATURE_LIMIT];
    size_t sig_len = sizeof sig;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx && EVP_DigestSignInit_ex(ctx, NULL, digest, NULL, NULL, key->evp, NULL) == 1 &&
              EVP_DigestSign(ctx, sig, &sig_len, data, len) == 1;
    EVP_MD_CTX_free(ctx);
    if (ok)
        rb_buf_add(out, sig, sig_len);
    return ok;
}

bool rb_key_digest_verify(const rb_key *key, const char *digest, const void *sig, size_t sig_len,
                          const void *data, size_t len)
{
    return digest_verify(key->evp, digest, sig, sig_len, data, len);
}

enum rb_code rb_key_can_sign(const rb_key *key, rb_err *err)
{
    if (rb_key_types[key->kind].security_key)
        return rb_fail(err, RB_ERROR, "%s keys sign through ssh-keygen only", rb_key_name(key));
    if (key->kind == RB_KEY_RSA && EVP_PKEY_get_bits(key->evp) < RB_RSA_BITS)
        return rb_fail(err, RB_ERROR,
                       "cannot sign with an RSA key of %d bits: at least %d are needed\n"
                       "ssh-keygen -t ed25519 makes a better key",
                       EVP_PKEY_get_bits(key->evp), RB_RSA_BITS);
    return RB_OK;
}

enum rb_code rb_key_sign(rb_buf *out, const rb_key *key, const void *data, size_t len, rb_err *err)
{
    const rb_key_type *type = &rb_key_types[key->kind];
    RB_TRY(rb_key_can_sign(key, err));
    RB_AUTO(rb_buf_clear) rb_buf sig = {0};
    const char *digest = key->kind == RB_KEY_RSA ? "SHA512" : type->digest;
    bool ok = rb_key_digest_sign(&sig, key, digest, data, len);
    RB_AUTO(rb_buf_clear) rb_buf made = {0};
    rb_wire_put_text(&made, key->kind == RB_KEY_RSA ? "rsa-sha2-512" : type->name);
    if (ok && type->curve)
        ok = put_ecdsa(&made, (const unsigned char *)sig.data, sig.len);
    else if (ok)
        rb_wire_put_string(&made, sig.data, sig.len);
    if (!ok)
        return rb_fail(err, RB_ERROR, "cannot sign with the %s key: OpenSSL refused it",
                       type->name);
    rb_buf_add(out, made.data, made.len);
    return RB_OK;
}
