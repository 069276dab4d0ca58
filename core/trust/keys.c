#include "trust/keys.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#define CERTIFICATE_USER 1
#define CERTIFICATE_HOST 2
#define RSA_BITS_PARSED 1024 /* minimum size that OpenSSH parses; rb_key_verify() requires more */

static void certificate_free(rb_certificate *cert)
{
    if (!cert)
        return;
    rb_buf_clear(&cert->blob);
    rb_strs_clear(&cert->principals);
    rb_key_free(cert->authority);
    free(cert);
}

void rb_key_free(rb_key *key)
{
    if (!key)
        return;
    rb_buf_clear(&key->blob);
    EVP_PKEY_free(key->evp);
    free(key->application);
    certificate_free(key->certificate);
    free(key);
}

bool rb_key_equal(const rb_key *a, const rb_key *b)
{
    return a->blob.len == b->blob.len && memcmp(a->blob.data, b->blob.data, a->blob.len) == 0;
}

const rb_buf *rb_key_public(const rb_key *key)
{
    return key->certificate ? &key->certificate->blob : &key->blob;
}

void rb_key_fingerprint(const rb_key *key, char out[RB_FINGERPRINT_SIZE])
{
    unsigned char digest[RB_SHA256_SIZE];
    rb_sha256_of(key->blob.data, key->blob.len, digest);
    rb_buf text = {0};
    rb_base64_encode(&text, digest, sizeof digest);
    memcpy(out, "SHA256:", 7);
    memcpy(out + 7, text.data, 43);
    out[50] = '\0';
    rb_buf_clear(&text);
}

bool rb_key_base64(rb_buf *out, const char *text, size_t len)
{
    rb_buf squeezed = {0};
    rb_buf_reserve(&squeezed, len + 1);
    for (size_t i = 0; i < len; i++)
        if (!strchr(" \t\n\v\f\r", text[i]) || text[i] == '\0')
            squeezed.data[squeezed.len++] = text[i];
    bool ok = rb_base64_decode(out, squeezed.data, squeezed.len);
    rb_buf_clear(&squeezed);
    return ok;
}

/* Builds a key from the parameters in bld; NULL if OpenSSL rejects them. */
static EVP_PKEY *from_parameters(const char *algorithm, OSSL_PARAM_BLD *bld)
{
    EVP_PKEY *evp = NULL;
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, algorithm, NULL);
    if (!params || !ctx || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &evp, EVP_PKEY_PUBLIC_KEY, params) != 1)
        evp = NULL;
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    return evp;
}

enum rb_code rb_key_set_rsa(rb_key *key, const rb_wire *n, const rb_wire *e, rb_err *err)
{
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    BIGNUM *modulus = BN_bin2bn(n->p, (int)n->left, NULL);
    BIGNUM *exponent = BN_bin2bn(e->p, (int)e->left, NULL);
    int bits = BN_num_bits(modulus);
    if (bits >= RSA_BITS_PARSED && OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, modulus) &&
        OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, exponent))
        key->evp = from_parameters("RSA", bld);
    BN_free(modulus);
    BN_free(exponent);
    OSSL_PARAM_BLD_free(bld);
    if (!key->evp)
        return rb_fail(err, RB_FOUND, "an RSA key of %d bits is not a key that can be used", bits);
    rb_wire_put_text(&key->blob, "ssh-rsa");
    rb_wire_put_mpint(&key->blob, e->p, e->left);
    rb_wire_put_mpint(&key->blob, n->p, n->left);
    return RB_OK;
}

enum rb_code rb_key_set_ed25519(rb_key *key, const rb_wire *point, rb_err *err)
{
    if (point->left == 32)
        key->evp = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, point->p, 32);
    if (!key->evp)
        return rb_fail(err, RB_FOUND, "an Ed25519 key has 32 bytes, found %zu", point->left);
    rb_wire_put_text(&key->blob, rb_key_name(key));
    rb_wire_put_string(&key->blob, point->p, point->left);
    return RB_OK;
}

static bool on_curve(EVP_PKEY *evp)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, evp, NULL);
    bool ok = ctx && EVP_PKEY_public_check(ctx) == 1;
    EVP_PKEY_CTX_free(ctx);
    return ok;
}

enum rb_code rb_key_set_ecdsa(rb_key *key, const rb_wire *point, rb_err *err)
{
    const rb_key_type *type = &rb_key_types[key->kind];
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    if (point->left == 1 + 2 * type->field && point->p[0] == 4 &&
        OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, type->group, 0) &&
        OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point->p, point->left))
        key->evp = from_parameters("EC", bld);
    OSSL_PARAM_BLD_free(bld);
    if (!key->evp || !on_curve(key->evp))
        return rb_fail(err, RB_FOUND, "the point of the %s key is not on its curve", type->curve);
    rb_wire_put_text(&key->blob, type->name);
    rb_wire_put_text(&key->blob, type->curve);
    rb_wire_put_string(&key->blob, point->p, point->left);
    return RB_OK;
}

/* Parses the numbers of a public key, which have the same form in a plain blob and in a
 * certificate. */
static enum rb_code parse_numbers(rb_key *key, rb_wire *w, rb_err *err)
{
    const rb_key_type *type = &rb_key_types[key->kind];
    rb_wire a;
    rb_wire b;
    if (key->kind == RB_KEY_RSA) {
        if (!rb_wire_mpint(w, &a) || !rb_wire_mpint(w, &b))
            return rb_fail(err, RB_FOUND, "the RSA key is cut off or has a negative number");
        return rb_key_set_rsa(key, &b, &a, err);
    }
    if (type->curve) {
        if (!rb_wire_text(w, &a) || !rb_wire_is(&a, type->curve) || !rb_wire_string(w, &b))
            return rb_fail(err, RB_FOUND, "the %s key is cut off or of another curve", type->name);
        RB_TRY(rb_key_set_ecdsa(key, &b, err));
    } else {
        if (!rb_wire_string(w, &b))
            return rb_fail(err, RB_FOUND, "the %s key is cut off", type->name);
        RB_TRY(rb_key_set_ed25519(key, &b, err));
    }
    if (!type->security_key)
        return RB_OK;
    if (!rb_wire_text(w, &a))
        return rb_fail(err, RB_FOUND, "the %s key is cut off", type->name);
    key->application = rb_wire_dup(&a);
    rb_wire_put_string(&key->blob, a.p, a.left);
    return RB_OK;
}

static bool parse_principals(rb_certificate *cert, rb_wire list)
{
    while (list.left > 0) {
        rb_wire name;
        if (cert->principals.n >= RB_CERTIFICATE_PRINCIPALS || !rb_wire_text(&list, &name))
            return false;
        rb_strs_take(&cert->principals, rb_wire_dup(&name));
    }
    return true;
}

static bool is_option_list(rb_wire list)
{
    rb_wire name;
    while (list.left > 0)
        if (!rb_wire_string(&list, &name) || !rb_wire_string(&list, &name))
            return false;
    return true;
}

static bool parse_certificate_fields(rb_certificate *cert, rb_wire *w, rb_wire *authority)
{
    uint64_t serial;
    uint32_t type;
    rb_wire id;
    rb_wire principals;
    rb_wire critical;
    rb_wire extensions;
    rb_wire reserved;
    if (!rb_wire_u64(w, &serial) || !rb_wire_u32(w, &type) || !rb_wire_text(w, &id) ||
        !rb_wire_string(w, &principals) || !rb_wire_u64(w, &cert->after) ||
        !rb_wire_u64(w, &cert->before) || !rb_wire_string(w, &critical) ||
        !rb_wire_string(w, &extensions) || !rb_wire_string(w, &reserved) ||
        !rb_wire_string(w, authority))
        return false;
    if (type != CERTIFICATE_USER && type != CERTIFICATE_HOST)
        return false;
    cert->host = type == CERTIFICATE_HOST;
    return parse_principals(cert, principals) && is_option_list(critical) &&
           is_option_list(extensions);
}

static enum rb_code parse_blob(rb_key **out, const void *blob, size_t len, bool certificates,
                               rb_err *err);

static enum rb_code parse_certificate(rb_key *key, const void *blob, size_t len, rb_wire *w,
                                      rb_err *err)
{
    rb_wire authority;
    rb_wire signature;
    rb_certificate *cert = rb_calloc(1, sizeof *cert);
    key->certificate = cert;
    rb_buf_add(&cert->blob, blob, len);
    if (!parse_certificate_fields(cert, w, &authority))
        return rb_fail(err, RB_FOUND, "the certificate is cut off or malformed");
    size_t covered = len - w->left;
    if (!rb_wire_string(w, &signature))
        return rb_fail(err, RB_FOUND, "the certificate is cut off before its signature");
    if (parse_blob(&cert->authority, authority.p, authority.left, false, err) != RB_OK)
        return rb_err_prefix(err, "the certificate's authority");
    if (rb_key_verify(cert->authority, signature.p, signature.left, blob, covered, err) != RB_OK)
        return rb_err_prefix(err, "the certificate's signature");
    return RB_OK;
}

static bool find_type(const rb_wire *name, enum rb_key_kind *kind, bool *certificate)
{
    for (size_t i = 0; i < RB_KEY_TYPES; i++) {
        *certificate = rb_wire_is(name, rb_key_types[i].certificate);
        *kind = (enum rb_key_kind)i;
        if (*certificate || rb_wire_is(name, rb_key_types[i].name))
            return true;
    }
    return false;
}

static enum rb_code parse_blob(rb_key **out, const void *blob, size_t len, bool certificates,
                               rb_err *err)
{
    RB_AUTO(rb_key_freep) rb_key *key = rb_calloc(1, sizeof *key);
    rb_wire w = rb_wire_of(blob, len);
    rb_wire name;
    bool certificate;
    if (!rb_wire_text(&w, &name))
        return rb_fail(err, RB_FOUND, "the public key is cut off");
    if (!find_type(&name, &key->kind, &certificate) || (certificate && !certificates)) {
        RB_AUTO(rb_free_str) char *shown = rb_wire_safe(&name);
        return rb_fail(err, RB_FOUND, "keys of type \"%s\" are not accepted here", shown);
    }
    rb_wire nonce;
    if (certificate && !rb_wire_string(&w, &nonce))
        return rb_fail(err, RB_FOUND, "the certificate is cut off");
    RB_TRY(parse_numbers(key, &w, err));
    if (certificate)
        RB_TRY(parse_certificate(key, blob, len, &w, err));
    if (w.left != 0)
        return rb_fail(err, RB_FOUND, "%zu bytes follow the public key", w.left);
    *out = RB_TAKE(key);
    return RB_OK;
}

enum rb_code rb_key_parse(rb_key **out, const void *blob, size_t len, rb_err *err)
{
    return parse_blob(out, blob, len, true, err);
}

/* True if `name` names the key's type. In text, RSA keys may also be named after their signature
 * algorithms. */
static bool names_type(const rb_wire *name, const rb_key *key)
{
    const rb_key_type *type = &rb_key_types[key->kind];
    if (rb_wire_is(name, key->certificate ? type->certificate : type->name))
        return true;
    if (key->kind != RB_KEY_RSA)
        return false;
    return key->certificate ? rb_wire_is(name, "rsa-sha2-256-cert-v01@openssh.com") ||
                                  rb_wire_is(name, "rsa-sha2-512-cert-v01@openssh.com")
                            : rb_wire_is(name, "rsa-sha2-256") || rb_wire_is(name, "rsa-sha2-512");
}

enum rb_code rb_key_parse_line(rb_key **out, const char **line, rb_err *err)
{
    const char *p = *line;
    rb_wire name = rb_wire_of(p, strcspn(p, " \t"));
    p += name.left;
    p += strspn(p, " \t");
    size_t len = strcspn(p, " \t");
    if (len == 0)
        return rb_fail(err, RB_FOUND, "no public key is there (\"ssh-... AAAA...\")");
    RB_AUTO(rb_buf_clear) rb_buf blob = {0};
    if (!rb_key_base64(&blob, p, len))
        return rb_fail(err, RB_FOUND, "the public key is not valid base64");
    RB_AUTO(rb_key_freep) rb_key *key = NULL;
    RB_TRY(rb_key_parse(&key, blob.data, blob.len, err));
    if (!names_type(&name, key)) {
        RB_AUTO(rb_free_str) char *shown = rb_wire_safe(&name);
        return rb_fail(err, RB_FOUND, "the text says \"%s\" and the key says \"%s\"", shown,
                       rb_key_name(key));
    }
    p += len;
    *line = p + strspn(p, " \t");
    *out = RB_TAKE(key);
    return RB_OK;
}
