/*
 * Security keys (sk-), without one: their signatures are made here, by PROTOCOL.u2f, and ssh-keygen
 * says whether they were made right.
 */
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>

#include "base/hash.h"
#include "trust/sshsig.h"
#include "trust_lab.h"

#define APPLICATION "ssh:"
#define USER_PRESENT 1

typedef struct device {
    bool ecdsa;
    EVP_PKEY *evp;
    rb_buf blob;
} device;

static void put_public(device *d)
{
    unsigned char point[65];
    size_t len = sizeof point;
    if (d->ecdsa) {
        rb_wire_put_text(&d->blob, "sk-ecdsa-sha2-nistp256@openssh.com");
        rb_wire_put_text(&d->blob, "nistp256");
        assert_int_equal(EVP_PKEY_get_octet_string_param(d->evp, "pub", point, sizeof point, &len),
                         1);
    } else {
        rb_wire_put_text(&d->blob, "sk-ssh-ed25519@openssh.com");
        assert_int_equal(EVP_PKEY_get_raw_public_key(d->evp, point, &len), 1);
    }
    rb_wire_put_string(&d->blob, point, len);
    rb_wire_put_text(&d->blob, APPLICATION);
}

static device make_device(bool ecdsa, const char *file)
{
    device d = {.ecdsa = ecdsa};
    d.evp = ecdsa ? EVP_EC_gen("P-256") : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    assert_non_null(d.evp);
    put_public(&d);
    RB_AUTO(rb_buf_clear) rb_buf line = {0};
    rb_buf_printf(&line, "%s ",
                  ecdsa ? "sk-ecdsa-sha2-nistp256@openssh.com" : "sk-ssh-ed25519@openssh.com");
    rb_base64_encode(&line, d.blob.data, d.blob.len);
    rb_buf_puts(&line, " device\n");
    put(file, line.data, line.len);
    return d;
}

static void device_clear(device *d)
{
    EVP_PKEY_free(d->evp);
    rb_buf_clear(&d->blob);
}

static void put_raw_signature(rb_buf *out, const device *d, const rb_buf *message)
{
    unsigned char sig[128];
    size_t len = sizeof sig;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(ctx, NULL, d->ecdsa ? EVP_sha256() : NULL, NULL, d->evp),
                     1);
    assert_int_equal(
        EVP_DigestSign(ctx, sig, &len, (const unsigned char *)message->data, message->len), 1);
    EVP_MD_CTX_free(ctx);
    if (!d->ecdsa) {
        rb_wire_put_string(out, sig, len);
        return;
    }
    const unsigned char *p = sig;
    ECDSA_SIG *numbers = d2i_ECDSA_SIG(NULL, &p, (long)len);
    RB_AUTO(rb_buf_clear) rb_buf pair = {0};
    unsigned char n[32];
    BN_bn2binpad(ECDSA_SIG_get0_r(numbers), n, sizeof n);
    rb_wire_put_mpint(&pair, n, sizeof n);
    BN_bn2binpad(ECDSA_SIG_get0_s(numbers), n, sizeof n);
    rb_wire_put_mpint(&pair, n, sizeof n);
    ECDSA_SIG_free(numbers);
    rb_wire_put_string(out, pair.data, pair.len);
}

/* What the device signs; claimed is what the signature then says. */
static void device_sign(rb_buf *out, const device *d, const rb_buf *data, unsigned char flags,
                        unsigned char claimed, const char *application)
{
    unsigned char digest[RB_SHA256_SIZE];
    RB_AUTO(rb_buf_clear) rb_buf message = {0};
    rb_sha256_of(application, strlen(application), digest);
    rb_buf_add(&message, digest, sizeof digest);
    rb_buf_addc(&message, (char)flags);
    rb_wire_put_u32(&message, 41);
    rb_sha256_of(data->data, data->len, digest);
    rb_buf_add(&message, digest, sizeof digest);
    rb_wire_put_text(out, d->ecdsa ? "sk-ecdsa-sha2-nistp256@openssh.com"
                                   : "sk-ssh-ed25519@openssh.com");
    put_raw_signature(out, d, &message);
    rb_buf_addc(out, (char)claimed);
    rb_wire_put_u32(out, 41);
}

static void put_device_tag(const char *name, const device *d, unsigned char flags,
                           unsigned char claimed, const char *application, const char *extra)
{
    rb_err err;
    RB_AUTO(rb_key_freep) rb_key *key = NULL;
    assert_int_equal(rb_key_parse(&key, d->blob.data, d->blob.len, &err), RB_OK);
    sh_ok("git -C repo rev-parse HEAD >head");
    RB_AUTO(rb_buf_clear) rb_buf head = get("head");
    RB_AUTO(rb_buf_clear) rb_buf raw = {0};
    RB_AUTO(rb_buf_clear) rb_buf message = {0};
    RB_AUTO(rb_buf_clear) rb_buf signature = {0};
    rb_buf_printf(&raw,
                  "object %.40s\ntype commit\ntag %s\n"
                  "tagger Alice <alice@example.com> %d +0000\n\nm\n",
                  head.data, name, LAB_TIME);
    rb_wire ns = rb_wire_of("git", 3);
    rb_sshsig_message(&message, &ns, "sha512", raw.data, raw.len);
    device_sign(&signature, d, &message, flags, claimed, application);
    rb_buf_puts(&signature, extra);
    rb_sshsig_armour(&raw, key, "git", &signature);
    put_tag(name, &raw);
}

static void check_device(bool ecdsa)
{
    RB_AUTO(device_clear) device d = make_device(ecdsa, "sk.pub");
    put_text("signers", "");
    allow("alice@example.com", "", "sk");
    put_device_tag("t", &d, USER_PRESENT, USER_PRESENT, APPLICATION, "");
    expect("t", "");
    RB_AUTO(lab_verdict_clear) lab_verdict v = judge("t");
    sh_ok("ssh-keygen -lf sk.pub | grep -qF '%s '", v.fingerprint);
    put_device_tag("t", &d, 0, 0, APPLICATION, "");
    expect("t", "");
    put_device_tag("t", &d, 0, USER_PRESENT, APPLICATION, "");
    expect("t", "signature");
    put_device_tag("t", &d, USER_PRESENT, USER_PRESENT, "ssh:other", "");
    expect("t", "signature");
    put_device_tag("t", &d, USER_PRESENT, USER_PRESENT, APPLICATION, "x");
    expect("t", "signature");
}

static void ed25519(void **state)
{
    (void)state;
    check_device(false);
}

static void ecdsa(void **state)
{
    (void)state;
    check_device(true);
}

/* The application is part of the key: another one is another key. */
static void application_counts(void **state)
{
    (void)state;
    RB_AUTO(device_clear) device d = make_device(false, "sk.pub");
    put_text("signers", "");
    allow("alice@example.com", "", "sk");
    rb_buf_clear(&d.blob);
    unsigned char point[32];
    size_t len = sizeof point;
    EVP_PKEY_get_raw_public_key(d.evp, point, &len);
    rb_wire_put_text(&d.blob, "sk-ssh-ed25519@openssh.com");
    rb_wire_put_string(&d.blob, point, len);
    rb_wire_put_text(&d.blob, "ssh:mine");
    put_device_tag("t", &d, USER_PRESENT, USER_PRESENT, "ssh:mine", "");
    expect("t", "signer");
}

static void under_a_certificate(void **state)
{
    (void)state;
    RB_AUTO(device_clear) device d = make_device(true, "sk.pub");
    make_key("ca", "ed25519", 0);
    sh_ok("ssh-keygen -q -s ca -I id -n alice sk.pub");
    put_text("signers", "");
    allow("alice", "cert-authority", "ca");
    sh_ok("cut -d' ' -f2 sk-cert.pub | base64 -d >blob");
    rb_buf_clear(&d.blob);
    d.blob = get("blob");
    put_device_tag("t", &d, USER_PRESENT, USER_PRESENT, APPLICATION, "");
    expect("t", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ed25519),
        cmocka_unit_test(ecdsa),
        cmocka_unit_test(application_counts),
        cmocka_unit_test(under_a_certificate),
    };
    return cmocka_run_group_tests(tests, lab_open, lab_close);
}
