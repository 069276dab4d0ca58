#include "trust/sshsig.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#define MAGIC "SSHSIG"
#define MAGIC_LEN 6
#define VERSION 1
#define COLUMNS 70 /* characters of base64 in a line, as ssh-keygen writes them */

void rb_sshsig_clear(rb_sshsig *sig)
{
    rb_buf_clear(&sig->blob);
    *sig = (rb_sshsig){0};
}

static enum rb_code dearmour(rb_buf *out, const char *text, size_t len, rb_err *err)
{
    static const char begin[] = RB_SSHSIG_BEGIN "\n";
    static const char end[] = "\n" RB_SSHSIG_END;
    size_t begin_len = sizeof begin - 1;
    if (len > RB_SSHSIG_LIMIT)
        return rb_fail(err, RB_FOUND, "the signature has %zu bytes, more than the limit of %u", len,
                       RB_SSHSIG_LIMIT);
    if (len < begin_len || memcmp(text, begin, begin_len) != 0)
        return rb_fail(err, RB_FOUND, "the signature does not begin with %s", RB_SSHSIG_BEGIN);
    const char *body = text + begin_len;
    const char *footer = memmem(body, len - begin_len, end, sizeof end - 1);
    if (!footer)
        return rb_fail(err, RB_FOUND, "the signature has no line %s", RB_SSHSIG_END);
    if (!rb_key_base64(out, body, (size_t)(footer - body)))
        return rb_fail(err, RB_FOUND, "the signature is not valid base64");
    return RB_OK;
}

static enum rb_code parse_envelope(rb_sshsig *sig, rb_err *err)
{
    rb_wire w = rb_wire_of(sig->blob.data, sig->blob.len);
    if (w.left < MAGIC_LEN || memcmp(w.p, MAGIC, MAGIC_LEN) != 0)
        return rb_fail(err, RB_FOUND, "the signature's content does not begin with %s", MAGIC);
    w.p += MAGIC_LEN;
    w.left -= MAGIC_LEN;
    uint32_t version;
    rb_wire reserved;
    if (!rb_wire_u32(&w, &version))
        return rb_fail(err, RB_FOUND, "the signature is cut off");
    if (version > VERSION)
        return rb_fail(err, RB_FOUND, "the signature has version %u, expected %d", version,
                       VERSION);
    if (!rb_wire_string(&w, &sig->key) || !rb_wire_text(&w, &sig->namespace_) ||
        !rb_wire_string(&w, &reserved) || !rb_wire_text(&w, &sig->hash) ||
        !rb_wire_string(&w, &sig->signature))
        return rb_fail(err, RB_FOUND, "the signature is cut off");
    if (w.left != 0)
        return rb_fail(err, RB_FOUND, "%zu bytes follow the signature inside its envelope", w.left);
    if (!rb_wire_is(&sig->hash, "sha512") && !rb_wire_is(&sig->hash, "sha256")) {
        RB_AUTO(rb_free_str) char *shown = rb_wire_safe(&sig->hash);
        return rb_fail(err, RB_FOUND, "the signature's hash is \"%s\", expected sha256 or sha512",
                       shown);
    }
    return RB_OK;
}

enum rb_code rb_sshsig_parse(rb_sshsig *out, const char *text, size_t len, rb_err *err)
{
    RB_AUTO(rb_sshsig_clear) rb_sshsig sig = {0};
    RB_TRY(dearmour(&sig.blob, text, len, err));
    RB_TRY(parse_envelope(&sig, err));
    *out = sig;
    sig = (rb_sshsig){0};
    return RB_OK;
}

void rb_sshsig_message(rb_buf *out, const rb_wire *namespace_, const char *hash, const void *data,
                       size_t len)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned digest_len = 0;
    const EVP_MD *md = strcmp(hash, "sha256") == 0 ? EVP_sha256() : EVP_sha512();
    if (EVP_Digest(data, len, digest, &digest_len, md, NULL) != 1)
        abort();
    rb_buf_add(out, MAGIC, MAGIC_LEN);
    rb_wire_put_string(out, namespace_->p, namespace_->left);
    rb_wire_put_string(out, "", 0); /* the reserved field */
    rb_wire_put_text(out, hash);
    rb_wire_put_string(out, digest, digest_len);
}

enum rb_code rb_sshsig_verify(const rb_sshsig *sig, const rb_key *key, const void *data, size_t len,
                              rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf message = {0};
    rb_sshsig_message(&message, &sig->namespace_,
                      rb_wire_is(&sig->hash, "sha256") ? "sha256" : "sha512", data, len);
    return rb_key_verify(key, sig->signature.p, sig->signature.left, message.data, message.len,
                         err);
}

void rb_sshsig_armour(rb_buf *out, const rb_key *key, const char *namespace_,
                      const rb_buf *signature)
{
    RB_AUTO(rb_buf_clear) rb_buf blob = {0};
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    const rb_buf *public = rb_key_public(key);
    rb_buf_add(&blob, MAGIC, MAGIC_LEN);
    rb_wire_put_u32(&blob, VERSION);
    rb_wire_put_string(&blob, public->data, public->len);
    rb_wire_put_text(&blob, namespace_);
    rb_wire_put_string(&blob, "", 0);
    rb_wire_put_text(&blob, "sha512");
    rb_wire_put_string(&blob, signature->data, signature->len);
    rb_base64_encode(&text, blob.data, blob.len);
    rb_buf_puts(out, RB_SSHSIG_BEGIN "\n");
    for (size_t at = 0; at < text.len; at += COLUMNS) {
        rb_buf_add(out, text.data + at, text.len - at < COLUMNS ? text.len - at : COLUMNS);
        rb_buf_addc(out, '\n');
    }
    rb_buf_puts(out, RB_SSHSIG_END "\n");
}
