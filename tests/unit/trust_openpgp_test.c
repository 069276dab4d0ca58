#include <sys/stat.h>

#include "trust/openpgp.h"
#include "trust_lab.h"

static bool have_gpg;

static int setup(void **state)
{
    if (lab_open(state) != 0)
        return -1;
    /* gpg-agent's sockets need a short path, and it ends when its folder goes. */
    have_gpg = sh("command -v gpg") == 0 && chmod(lab, 0700) == 0 &&
               sh("gpg --batch --pinentry-mode loopback --passphrase '' "
                  "--quick-gen-key 'Alice <alice@example.com>' ed25519 sign never") == 0;
    if (have_gpg) /* git's settings for all of the lab */
        sh_ok(
            "git config --global rbtool.openpgpSigners $(gpg --with-colons -k alice@example.com | "
            "sed -n 's/^fpr:*\\([0-9A-F]*\\):/\\1/p' | head -1)");
    return 0;
}

static int teardown(void **state)
{
    if (have_gpg)
        sh("gpgconf --kill all");
    return lab_close(state);
}

static void real_keys(void **state)
{
    (void)state;
    if (!have_gpg)
        skip();
    sh_ok("git -C repo -c gpg.format=openpgp tag -f -s -u alice@example.com -m m p");
    expect("p", "");
    RB_AUTO(lab_verdict_clear) lab_verdict v = judge("p");
    assert_string_equal(v.principal, "alice@example.com");
    sh_ok("gpg --with-colons -K alice@example.com | grep -q '^fpr:*%s:'", v.fingerprint);
    RB_AUTO(rb_buf_clear) rb_buf raw = get_tag("p");
    char *at = strstr(raw.data, "\n\nm\n");
    at[2] = 'M';
    put_tag("p", &raw);
    expect("p", "signature");
    at[2] = 'm';
    rb_buf_puts(&raw, "more\n");
    put_tag("p", &raw);
    RB_AUTO(lab_verdict_clear) lab_verdict more = judge("p");
    assert_string_equal(more.code, "trailing");
}

/* Whoever is not trusted by the keyring is no one but a key. */
static void untrusted_names(void **state)
{
    (void)state;
    if (!have_gpg)
        skip();
    sh_ok("git -C repo -c gpg.format=openpgp tag -f -s -u alice@example.com -m m p");
    sh_ok("gpg --export-ownertrust >trust; "
          "sed 's/:6:/:2:/' trust | gpg --import-ownertrust");
    expect("p", "");
    RB_AUTO(lab_verdict_clear) lab_verdict v = judge("p");
    RB_AUTO(rb_free_str) char *expected = rb_format("openpgp:%s", v.fingerprint);
    assert_string_equal(v.principal, expected);
    sh_ok("gpg --import-ownertrust <trust");
    sh_ok("mkdir -m 700 empty");
    setenv("GNUPGHOME", "empty", 1);
    RB_AUTO(rb_free_str) char *empty = rb_path_join(lab, "empty");
    setenv("GNUPGHOME", empty, 1);
    expect("p", "signer");
    setenv("GNUPGHOME", lab, 1);
}

static void replaced_objects(void **state)
{
    (void)state;
    if (!have_gpg)
        skip();
    sh_ok("git -C repo -c gpg.format=openpgp tag -f -s -u alice@example.com -m m p");
    RB_AUTO(rb_buf_clear) rb_buf raw = get_tag("p");
    strstr(raw.data, "\n\nm\n")[2] = 'M';
    put_tag("evil", &raw);
    sh_ok("git -C repo replace -f $(git -C repo rev-parse evil) $(git -C repo rev-parse p)");
    RB_AUTO(lab_verdict_clear) lab_verdict v = judge("evil");
    assert_non_null(v.code);
    sh_ok("git -C repo verify-tag evil"); /* which is why replace refs are off */
    sh_ok("git -C repo replace -d $(git -C repo rev-parse evil)");
}

#define GOOD "[GNUPG:] GOODSIG 1234 Alice <alice@example.com>\n"
#define VALID "[GNUPG:] VALIDSIG AAAA 2023-11-14 1 0 4 0 22 10 00 BBBB\n"

static void status_lines(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
        const char *code;
        const char *principal;
    } cases[] = {
        {GOOD VALID "[GNUPG:] TRUST_FULLY 0 pgp\n", true, "", "alice@example.com"},
        {GOOD VALID "[GNUPG:] TRUST_UNDEFINED 0 pgp\n", true, "", "openpgp:BBBB"},
        {GOOD VALID, true, "", "openpgp:BBBB"},
        {GOOD VALID, false, "signature", NULL},
        {GOOD, true, "signature", NULL},
        {VALID, true, "signature", NULL},
        {"", true, "signature", NULL},
        {GOOD GOOD VALID, true, "signature", NULL},
        {GOOD VALID VALID, true, "signature", NULL},
        {GOOD VALID "[GNUPG:] BADSIG 1 x\n", true, "signature", NULL},
        {"[GNUPG:] EXPKEYSIG 1 x\n" VALID, true, "expired", NULL},
        {"[GNUPG:] REVKEYSIG 1 x\n" VALID, true, "revoked", NULL},
        {"[GNUPG:] ERRSIG 1\n[GNUPG:] NO_PUBKEY 1\n", false, "signer", NULL},
        {"x " GOOD VALID, true, "signature", NULL},
        {"[GNUPG:] GOODSIGX 1 y\n" VALID, true, "signature", NULL},
        {"[GNUPG:] GOODSIG\n[GNUPG:] VALIDSIG\n", true, "signature", NULL},
        {GOOD "[GNUPG:] VALIDSIG AABB 2023-11-14 1 0 0 0 1 8 00\n", true, "", "openpgp:AABB"},
        {"[GNUPG:] GOODSIG 1 M <*@x>\n" VALID "[GNUPG:] TRUST_ULTIMATE\n", true, "",
         "openpgp:BBBB"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        RB_AUTO(rb_problems_clear) rb_problems problems = {0};
        RB_AUTO(rb_free_str) char *principal = NULL;
        RB_AUTO(rb_free_str) char *fingerprint = NULL;
        enum rb_code code =
            rb_openpgp_result(&principal, &fingerprint, cases[i].text, cases[i].ok, &problems);
        assert_int_equal(code, *cases[i].code ? RB_FOUND : RB_OK);
        assert_string_equal(problems.n ? problems.items[0].code : "", cases[i].code);
        if (cases[i].principal)
            assert_string_equal(principal, cases[i].principal);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_keys),
        cmocka_unit_test(untrusted_names),
        cmocka_unit_test(replaced_objects),
        cmocka_unit_test(status_lines),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
