#include "base/hash.h"
#include "trust/pattern.h"
#include "trust/signers.h"
#include "trust_lab.h"

static int setup(void **state)
{
    if (lab_open(state) != 0)
        return -1;
    make_key("ed", "ed25519", 0);
    make_key("bob", "ed25519", 0);
    make_key("p256", "ecdsa", 256);
    make_key("ca", "ecdsa", 384);
    make_key("rsa", "rsa", 2048);
    make_key("weak", "rsa", 1024);
    sh_ok("git -C repo -c user.signingKey=../ed tag -s -m m t");
    return 0;
}

/* In a line, KEY, BOB and CA stand for the public keys. */
static void set_signers(const char *text)
{
    put_text("signers.in", text);
    sh_ok("awk -v k=\"$(cut -d' ' -f1,2 ed.pub)\" -v b=\"$(cut -d' ' -f1,2 bob.pub)\" "
          "-v c=\"$(cut -d' ' -f1,2 ca.pub)\" "
          "'{gsub(/KEY/,k); gsub(/BOB/,b); gsub(/ CA$/,\" \" c); print}' signers.in >signers");
}

struct line {
    const char *text;
    const char *code;      /* "" for good */
    const char *principal; /* when it is good */
    bool stricter;         /* git accepts it all the same */
};

static void check_lines(const struct line *lines, size_t n, const char *tag)
{
    for (size_t i = 0; i < n; i++) {
        set_signers(lines[i].text);
        RB_AUTO(lab_verdict_clear) lab_verdict v = judge(tag);
        const char *found = v.code ? v.code : "";
        if (strcmp(found, lines[i].code) != 0)
            fail_msg("\"%s\": expected \"%s\", found \"%s\": %s", lines[i].text, lines[i].code,
                     found, v.message ? v.message : "");
        bool accepted = git_accepts(tag);
        if (accepted != (!v.code || lines[i].stricter))
            fail_msg("\"%s\": git %s", lines[i].text, accepted ? "accepts" : "refuses");
        if (lines[i].principal)
            assert_string_equal(v.principal, lines[i].principal);
    }
}

#define CHECK_LINES(lines, tag) check_lines(lines, sizeof(lines) / sizeof *(lines), tag)

static void principals(void **state)
{
    (void)state;
    static const struct line lines[] = {
        {"alice@example.com KEY", "", "alice@example.com", false},
        {"alice@example.com KEY a comment", "", "alice@example.com", false},
        {"  \t alice@example.com \t KEY", "", "alice@example.com", false},
        {"alice@example.com BOB", "signer", NULL, false},
        {"# alice@example.com KEY", "signer", NULL, false},
        {"alice,bob KEY", "", "alice,bob", false},
        {"bob KEY", "", "bob", false},
        {"*@example.com KEY", "", "alice@example.com", false},
        {"*@example.org KEY", "signer", NULL, true},
        {"a?ice@example.com KEY", "", "alice@example.com", false},
        {"* KEY", "", "alice@example.com", false},
        {"!alice@example.com,*@example.com KEY", "signer", NULL, true},
        {"*@example.com,!bob@example.com KEY", "", "alice@example.com", false},
        {"ops,*@example.org KEY", "", "ops", false},
        {"alice@example.com,!alice@example.com KEY", "signer", NULL, false},
        {",alice@example.com KEY", "signer", NULL, false},
        {"alice@example.com,,bob KEY", "", "alice@example.com", false},
        {"\"alice smith\" KEY", "", "alice smith", false},
        {"\"alice smith KEY", "signer", NULL, false},
        {"al\"ice smith\" KEY", "", "alice smith", false},
        {"alice@example.com BOB\nbob@example.com KEY", "", "bob@example.com", false},
        {"alice@example.com KEY\nbob@example.com KEY", "", "alice@example.com,bob@example.com",
         false},
        {"*@example.org KEY\nbob@example.com KEY", "", "bob@example.com", false},
        {"nonsense\nalice@example.com ssh-ed25519 AAAA\nalice@example.com KEY", "",
         "alice@example.com", false},
        {"alice@example.com", "signer", NULL, false},
        {"alice@example.com ", "signer", NULL, false},
        {"KEY", "signer", NULL, false},
        {"ALICE@EXAMPLE.COM KEY", "", "ALICE@EXAMPLE.COM", false},
    };
    CHECK_LINES(lines, "t");
}

/* The tag was made on 2023-11-14 at 22:13:20 UTC, 03:43:20 of the 15th in Kolkata. */
static void options(void **state)
{
    (void)state;
    static const struct line lines[] = {
        {"a namespaces=\"git\" KEY", "", "a", false},
        {"a namespaces=\"file,git\" KEY", "", "a", false},
        {"a namespaces=\"g*\" KEY", "", "a", false},
        {"a namespaces=\"*,!git\" KEY", "namespace", NULL, false},
        {"a namespaces=\"file\" KEY", "namespace", NULL, false},
        {"a NameSpaces=\"git\" KEY", "", "a", false},
        {"a namespaces=git KEY", "signer", NULL, false},
        {"a namespaces=\"git\",namespaces=\"git\" KEY", "signer", NULL, false},
        {"a namespaces=\"git KEY", "signer", NULL, false},
        {"a namespaces=\"file\" KEY\na namespaces=\"git\" KEY", "", "a", false},
        {"a namespaces=\"file\" KEY\nb namespaces=\"git\" KEY", "namespace", NULL, false},
        {"a unknown=\"x\" KEY", "signer", NULL, false},
        {"a unknown KEY", "signer", NULL, false},
        {"a cert-authority KEY", "signer", NULL, false},
        {"a namespaces=\"git\", KEY", "signer", NULL, false},
        {"a ,namespaces=\"git\" KEY", "", "a", false},
        {"a valid-after=\"20231114221320Z\" KEY", "", "a", false},
        {"a valid-after=\"20231114221321Z\" KEY", "expired", NULL, false},
        {"a valid-after=\"20231115034320\" KEY", "", "a", false},
        {"a valid-after=\"20231115034321\" KEY", "expired", NULL, false},
        {"a valid-after=\"202311142213UTC\" KEY", "", "a", false},
        {"a valid-after=\"20231115\" KEY", "", "a", false},
        {"a valid-after=\"20231115z\" KEY", "expired", NULL, false},
        {"a valid-before=\"20231114221320Z\" KEY", "", "a", false},
        {"a valid-before=\"20231114221319Z\" KEY", "expired", NULL, false},
        {"a valid-before=\"20231115Z\" KEY", "", "a", false},
        {"a valid-before=\"20231115\" KEY", "expired", NULL, false},
        {"a valid-after=\"20200101\",valid-before=\"20300101\" KEY", "", "a", false},
        {"a valid-after=\"20300101\",valid-before=\"20200101\" KEY", "signer", NULL, false},
        {"a valid-before=\"20200101\" KEY\nb valid-before=\"20300101\" KEY", "", "b", false},
        {"a valid-before=\"tomorrow\" KEY", "signer", NULL, false},
        {"a valid-before=\"20231399\" KEY", "signer", NULL, false},
        {"a valid-before=\"2023111\" KEY", "signer", NULL, false},
        {"a valid-before=\"19700101Z\" KEY", "signer", NULL, false},
        {"a valid-before=\"99991231Z\" KEY", "", "a", false},
    };
    CHECK_LINES(lines, "t");
}

static void certificate_lines(void **state)
{
    (void)state;
    static const struct {
        const char *how; /* ssh-keygen's options for the certificate */
        struct line line;
    } cases[] = {
        {"-n alice,bob", {"* cert-authority CA", "", "alice,bob", false}},
        {"-n alice,bob", {"b* cert-authority CA", "", "bob", false}},
        {"-n alice,bob", {"alice cert-authority CA", "", "alice", false}},
        {"-n alice,bob", {"*,!bob cert-authority CA", "", "alice", false}},
        {"-n alice", {"carol cert-authority CA", "signer", NULL, false}},
        {"-n alice", {"* cert-authority BOB", "signer", NULL, false}},
        {"-n alice", {"* CA", "signer", NULL, false}},
        {"-n alice", {"* KEY", "signer", NULL, false}},
        {"-n alice", {"* cert-authority,namespaces=\"git\" CA", "", "alice", false}},
        {"-n alice", {"* cert-authority,namespaces=\"file\" CA", "namespace", NULL, false}},
        {"-n alice", {"* CERT-AUTHORITY CA", "", "alice", false}},
        {"", {"* cert-authority CA", "signer", NULL, false}},
        {"-h -n alice", {"* cert-authority CA", "signer", NULL, false}},
        {"-n alice -V 20231101:20231201", {"* cert-authority CA", "", "alice", false}},
        {"-n alice -V 20231201:20241201", {"* cert-authority CA", "expired", NULL, false}},
        {"-n alice -V 20231001:20231101", {"* cert-authority CA", "expired", NULL, false}},
        {"-n alice -V 20231001:20231115034320", {"* cert-authority CA", "expired", NULL, false}},
        {"-n alice -V 20231001:20231115034321", {"* cert-authority CA", "", "alice", false}},
        {"-n '*'", {"* cert-authority CA", "signer", NULL, true}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sh_ok("rm -f ed-cert.pub; ssh-keygen -q -s ca -I id -z 7 %s ed.pub", cases[i].how);
        sh_ok("git -C repo -c user.signingKey=../ed-cert.pub tag -f -s -m m c");
        check_lines(&cases[i].line, 1, "c");
    }
    sh_ok("printf 'a ' >signers; cat ed-cert.pub >>signers");
    expect("c", "");
}

static void certificates_changed(void **state)
{
    (void)state;
    sh_ok("rm -f ed-cert.pub; ssh-keygen -q -s ca -I id -n alice ed.pub");
    set_signers("* cert-authority CA");
    sh_ok("git -C repo -c user.signingKey=../ed-cert.pub tag -f -s -m m c");
    RB_AUTO(rb_buf_clear) rb_buf raw = get_tag("c");
    sh_ok("sed '1,/BEGIN SSH/d;/END SSH/,$d' raw | base64 -d >blob");
    RB_AUTO(rb_buf_clear) rb_buf blob = get("blob");
    char *begin = strstr(raw.data, "-----BEGIN SSH");
    size_t head = (size_t)(begin - raw.data);
    for (size_t i = 60; i < blob.len; i += 11) {
        RB_AUTO(rb_buf_clear) rb_buf tag = {0};
        blob.data[i] = (char)(blob.data[i] ^ 4);
        rb_buf_add(&tag, raw.data, head);
        rb_buf_puts(&tag, "-----BEGIN SSH SIGNATURE-----\n");
        rb_base64_encode(&tag, blob.data, blob.len);
        rb_buf_puts(&tag, "\n-----END SSH SIGNATURE-----\n");
        blob.data[i] = (char)(blob.data[i] ^ 4);
        put_tag("c", &tag);
        RB_AUTO(lab_verdict_clear) lab_verdict v = judge("c");
        if ((v.code == NULL) != git_accepts("c"))
            fail_msg("byte %zu: we say \"%s\"", i, v.code ? v.code : "");
    }
}

static void set_revoked(const char *file)
{
    sh_ok("git config --global gpg.ssh.revocationFile '%s/%s'", lab, file);
}

static void revoked_lists(void **state)
{
    (void)state;
    set_signers("a KEY");
    expect("t", "");
    put_text("revoked", "");
    set_revoked("revoked");
    expect("t", "");
    sh_ok("(echo '# gone'; echo; cat bob.pub p256.pub weak.pub) >revoked");
    expect("t", "");
    sh_ok("cat ed.pub >>revoked");
    expect("t", "revoked");
    sh_ok("(cat bob.pub; echo nonsense) >revoked");
    expect("t", "error");
    put_text("revoked", "ssh-ed25519 AAAA\n");
    expect("t", "error");
    sh_ok("(cat bob.pub; echo 'x-y ssh-ed25519 AAAA') >revoked");
    expect("t", "error");
    sh_ok("rm revoked");
    expect_stricter("t", "error"); /* git only warns */
    sh_ok("cp bob.pub repo/revoked");
    set_revoked("repo/revoked");
    expect_stricter("t", "error");
    set_revoked("revoked");
    sh_ok("cat ca.pub >revoked");
    sh_ok("rm -f ed-cert.pub; ssh-keygen -q -s ca -I id -n alice ed.pub");
    set_signers("* cert-authority CA");
    sh_ok("git -C repo -c user.signingKey=../ed-cert.pub tag -f -s -m m c");
    expect("c", "revoked");
    sh_ok("cat ed.pub >revoked");
    expect("c", "revoked");
    sh_ok("cat bob.pub >revoked");
    expect("c", "");
    sh_ok("git config --global --unset gpg.ssh.revocationFile");
}

/* spec as for ssh-keygen -k: "serial: 7". */
static void expect_krl(const char *tag, const char *options_, const char *spec, const char *code)
{
    put_text("spec", spec);
    sh_ok("rm -f krl; ssh-keygen -q -k -f krl %s spec", options_);
    expect(tag, code);
}

static void revoked_krls(void **state)
{
    (void)state;
    RB_AUTO(rb_buf_clear) rb_buf ed = get("ed.pub");
    RB_AUTO(rb_buf_clear) rb_buf bob = get("bob.pub");
    RB_AUTO(rb_free_str) char *key = rb_format("key: %s", ed.data);
    RB_AUTO(rb_free_str) char *other = rb_format("key: %s", bob.data);
    RB_AUTO(rb_free_str) char *sha1 = rb_format("sha1: %s", ed.data);
    RB_AUTO(rb_free_str) char *sha256 = rb_format("sha256: %s", ed.data);
    put_text("krl", "");
    set_revoked("krl");
    set_signers("a KEY\n* cert-authority CA");
    expect_krl("t", "", other, "");
    expect_krl("t", "", key, "revoked");
    expect_krl("t", "", sha1, "revoked");
    expect_krl("t", "", sha256, "revoked");
    sh_ok("rm -f ed-cert.pub; ssh-keygen -q -s ca -I the-id -z 70 -n alice ed.pub");
    sh_ok("git -C repo -c user.signingKey=../ed-cert.pub tag -f -s -m m c");
    expect_krl("c", "-s ca.pub", "serial: 7\n", "");
    expect_krl("c", "-s ca.pub", "serial: 70\n", "revoked");
    expect_krl("c", "-s bob.pub", "serial: 70\n", "");
    expect_krl("c", "-s ca.pub", "serial: 60-69\n", "");
    expect_krl("c", "-s ca.pub", "serial: 60-80\n", "revoked");
    expect_krl("c", "-s ca.pub", "serial: 61\nserial: 63\nserial: 66\nserial: 70\nserial: 75\n",
               "revoked");
    expect_krl("c", "-s ca.pub", "serial: 61\nserial: 63\nserial: 66\nserial: 71\nserial: 75\n",
               "");
    expect_krl("c", "-s ca.pub", "serial: 60-90\nserial: 1000-900000\nserial: 18446744073709551615",
               "revoked");
    expect_krl("c", "-s ca.pub", "id: the-id\n", "revoked");
    expect_krl("c", "-s ca.pub", "id: the-i\n", "");
    expect_krl("c", "-s none", "id: the-id\n", "revoked");
    expect_krl("c", "-s none", "id: other\n", "");
    expect_krl("c", "", key, "revoked");
    expect_krl("t", "-s ca.pub", "serial: 70\n", "");
}

/* Every prefix of a KRL, and every seventh byte of it changed. */
static void broken_krls(void **state)
{
    (void)state;
    RB_AUTO(rb_buf_clear) rb_buf bob = get("bob.pub");
    RB_AUTO(rb_free_str)
    char *spec =
        rb_format("serial: 61\nserial: 63\nserial: 66\nserial: 80-90\nid: x\nsha1: %ssha256: %s",
                  bob.data, bob.data);
    set_revoked("krl");
    set_signers("a KEY\n* cert-authority CA");
    expect_krl("c", "-s ca.pub", spec, "");
    RB_AUTO(rb_buf_clear) rb_buf krl = get("krl");
    for (size_t len = 0; len < krl.len; len += 13) {
        put("krl", krl.data, len);
        RB_AUTO(lab_verdict_clear) lab_verdict v = judge("c");
        if ((v.code == NULL) != git_accepts("c"))
            fail_msg("cut at %zu: we say \"%s\"", len, v.code ? v.message : "");
    }
    for (size_t i = 0; i < krl.len; i += 7) {
        krl.data[i] = (char)(krl.data[i] ^ 1);
        put("krl", krl.data, krl.len);
        krl.data[i] = (char)(krl.data[i] ^ 1);
        RB_AUTO(lab_verdict_clear) lab_verdict v = judge("c");
        if ((v.code == NULL) != git_accepts("c"))
            fail_msg("byte %zu changed: we say \"%s\"", i, v.code ? v.message : "");
    }
    sh_ok("git config --global --unset gpg.ssh.revocationFile");
}

static void patterns(void **state)
{
    (void)state;
    assert_true(rb_pattern_matches("abc", "a*c", 3));
    assert_true(rb_pattern_matches("abc", "***", 3));
    assert_true(rb_pattern_matches("", "*", 1));
    assert_false(rb_pattern_matches("", "?", 1));
    assert_true(rb_pattern_matches("aXbXc", "*X?", 3));
    assert_false(rb_pattern_matches("aXbXcd", "*X?", 3));
    assert_true(rb_pattern_list_matches("a", "b,a"));
    assert_false(rb_pattern_list_matches("a", "!a,*"));
    assert_false(rb_pattern_list_matches("a", "*,!a"));
    assert_false(rb_pattern_list_matches("a", "!b"));
    RB_AUTO(rb_buf_clear) rb_buf stars = {0};
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    for (int i = 0; i < 500; i++) {
        rb_buf_puts(&stars, "*a");
        rb_buf_puts(&text, "aa");
    }
    rb_buf_puts(&stars, "b");
    assert_false(rb_pattern_matches(text.data, stars.data, stars.len));
    RB_AUTO(rb_buf_clear) rb_buf longer = {0};
    for (int i = 0; i < 1100; i++)
        rb_buf_addc(&longer, '*');
    assert_false(rb_pattern_list_matches("a", longer.data));
}

static void times(void **state)
{
    (void)state;
    uint64_t t = 0;
    assert_true(rb_signers_time(&t, "20231114221320Z"));
    assert_true(t == LAB_TIME);
    assert_true(rb_signers_time(&t, "20231115034320"));
    assert_true(t == LAB_TIME);
    assert_true(rb_signers_time(&t, "197001010001Z"));
    assert_true(t == 60);
    static const char *const bad[] = {"",
                                      "Z",
                                      "2023",
                                      "20230230x",
                                      "20231314",
                                      "202311142",
                                      "20231114221360Zx",
                                      "19690101Z",
                                      "2023-11-14",
                                      "abcdefgh"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(rb_signers_time(&t, bad[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(principals),
        cmocka_unit_test(options),
        cmocka_unit_test(certificate_lines),
        cmocka_unit_test(certificates_changed),
        cmocka_unit_test(revoked_lists),
        cmocka_unit_test(revoked_krls),
        cmocka_unit_test(broken_krls),
        cmocka_unit_test(patterns),
        cmocka_unit_test(times),
    };
    return cmocka_run_group_tests(tests, setup, lab_close);
}
