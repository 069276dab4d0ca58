#include <openssl/bio.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "trust/signers.h"
#include "trust/trust.h"

/* namespace of the signer's line: a key that may sign tags may sign statements about releases */
#define NAMESPACE "git"

static const char *digest_of(const rb_key *key)
{
    return key->kind == RB_KEY_RSA ? "SHA256" : rb_key_types[key->kind].digest;
}

enum rb_code rb_key_sign_raw(rb_buf *out, const rb_key *key, const void *data, size_t len,
                             rb_err *err)
{
    RB_TRY(rb_key_can_sign(key, err));
    if (!rb_key_digest_sign(out, key, digest_of(key), data, len))
        return rb_fail(err, RB_ERROR, "cannot sign with the %s key: OpenSSL refused it",
                       rb_key_name(key));
    return RB_OK;
}

enum rb_code rb_key_verify_raw(const rb_key *key, const void *sig, size_t sig_len, const void *data,
                               size_t len, rb_err *err)
{
    if (rb_key_types[key->kind].security_key)
        return rb_fail(err, RB_FOUND, "keys of type %s cannot make plain signatures",
                       rb_key_name(key));
    if (!rb_key_digest_verify(key, digest_of(key), sig, sig_len, data, len))
        return rb_fail(err, RB_FOUND, "the %s signature does not match what was signed",
                       rb_key_name(key));
    return RB_OK;
}

static bool put_der(rb_buf *out, rb_wire numbers)
{
    rb_wire r;
    rb_wire s;
    if (!rb_wire_mpint(&numbers, &r) || !rb_wire_mpint(&numbers, &s) || numbers.left != 0)
        return false;
    ECDSA_SIG *sig = ECDSA_SIG_new();
    if (!sig)
        abort();
    ECDSA_SIG_set0(sig, BN_bin2bn(r.p, (int)r.left, NULL), BN_bin2bn(s.p, (int)s.left, NULL));
    unsigned char *der = NULL;
    int len = i2d_ECDSA_SIG(sig, &der);
    if (len > 0)
        rb_buf_add(out, der, (size_t)len);
    OPENSSL_free(der);
    ECDSA_SIG_free(sig);
    return len > 0;
}

enum rb_code rb_key_raw_of(rb_buf *out, const rb_key *key, const rb_buf *blob, rb_err *err)
{
    rb_wire w = rb_wire_of(rb_buf_str(blob), blob->len);
    rb_wire algorithm;
    rb_wire sig;
    const char *expected = key->kind == RB_KEY_RSA ? "rsa-sha2-256" : rb_key_name(key);
    bool ok = rb_wire_text(&w, &algorithm) && rb_wire_string(&w, &sig) && w.left == 0;
    if (ok && !rb_wire_is(&algorithm, expected)) {
        RB_AUTO(rb_free_str) char *found = rb_wire_safe(&algorithm);
        return rb_fail(err, RB_ERROR, "ssh-agent made a signature of type \"%s\", not of type %s",
                       found, expected);
    }
    size_t size = ok && key->kind == RB_KEY_RSA ? (size_t)EVP_PKEY_get_size(key->evp) : 0;
    if (ok && rb_key_types[key->kind].curve) {
        ok = put_der(out, sig);
    } else if (ok) {
        for (size_t i = sig.left; i < size;
             i++) /* pad the number: the signer may have dropped leading zero bytes */
            rb_buf_addc(out, '\0');
        rb_buf_add(out, sig.p, sig.left);
    }
    return ok ? RB_OK
              : rb_fail(err, RB_ERROR, "ssh-agent's %s signature is cut off or malformed",
                        rb_key_name(key));
}

void rb_key_pem(rb_buf *out, const rb_key *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    if (!bio || PEM_write_bio_PUBKEY(bio, key->evp) != 1)
        abort();
    long len = BIO_get_mem_data(bio, &text);
    rb_buf_add(out, text, (size_t)len);
    BIO_free(bio);
}

static const rb_key *find_key(const rb_signers *signers, const char *fingerprint)
{
    for (size_t i = 0; i < signers->n; i++) {
        char print[RB_FINGERPRINT_SIZE];
        rb_key_fingerprint(signers->items[i].key, print);
        if (!signers->items[i].authority && strcmp(print, fingerprint) == 0)
            return signers->items[i].key;
    }
    return NULL;
}

enum rb_code rb_trust_check_raw(char **principal, const rb_signers *signers,
                                const char *fingerprint, const void *signature,
                                size_t signature_len, const void *data, size_t len, rb_err *err)
{
    *principal = NULL;
    const rb_key *key = find_key(signers, fingerprint);
    if (!key)
        return RB_OK;
    RB_TRY(rb_key_verify_raw(key, signature, signature_len, data, len, err));
    RB_AUTO(rb_problems_clear) rb_problems problems = {0};
    enum rb_code code =
        rb_signers_check(principal, signers, key, NAMESPACE, (uint64_t)time(NULL), NULL, &problems);
    if (code != RB_OK)
        return rb_fail(err, code, "%s", problems.items[0].message);
    return RB_OK;
}
