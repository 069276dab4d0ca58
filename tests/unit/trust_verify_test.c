#include "base/hash.h"
#include "trust_lab.h"

static const struct {
    const char *name;
    const char *kind;
    int bits;
} kinds[] = {
    {"ed", "ed25519", 0},   {"p256", "ecdsa", 256}, {"p384", "ecdsa", 384},
    {"p521", "ecdsa", 521}, {"rsa2", "rsa", 2048},  {"rsa3", "rsa", 3072},
};

#define KINDS (sizeof kinds / sizeof *kinds)

static int setup(void **state)
{
    if (lab_open(state) != 0)
        return -1;
    for (size_t i = 0; i < KINDS; i++)
        make_key(kinds[i].name, kinds[i].kind, kinds[i].bits);
    return 0;
}

static void reset(void)
{
    put_text("signers", "");
    sh("git config --global --unset-all gpg.ssh.revocationFile");
}

static void tag_with(const char *name, const char *key)
{
    sh_ok("git -C repo -c user.signingKey=../%s tag -f -s -m 'message of %s' %s", key, name, name);
}

static void every_kind(void **state)
{
    (void)state;
    reset();
    for (size_t i = 0; i < KINDS; i++) {
        tag_with(kinds[i].name, kinds[i].name);
        expect(kinds[i].name, "signer");
        allow("alice@example.com", "", kinds[i].name);
        expect(kinds[i].name, "");
        RB_AUTO(lab_verdict_clear) lab_verdict v = judge(kinds[i].name);
        assert_string_equal(v.principal, "alice@example.com");
        sh_ok("ssh-keygen -lf %s.pub | grep -qF '%s '", kinds[i].name, v.fingerprint);
    }
}

/* Puts the tag under a new name with what stands at (the first) old replaced. */
static void put_edited(const char *from, const char *to, const char *old, const char *new)
{
    RB_AUTO(rb_buf_clear) rb_buf raw = get_tag(from);
    RB_AUTO(rb_buf_clear) rb_buf edited = {0};
    char *at = memmem(raw.data, raw.len, old, strlen(old));
    assert_non_null(at);
    rb_buf_add(&edited, raw.data, (size_t)(at - raw.data));
    rb_buf_puts(&edited, new);
    at += strlen(old);
    rb_buf_add(&edited, at, (size_t)(raw.data + raw.len - at));
    put_tag(to, &edited);
}

/* Renames inside are refused by name, so edits keep the inner name and their own ref. */
static void signed_bytes_changed(void **state)
{
    (void)state;
    reset();
    allow("alice@example.com", "", "ed");
    tag_with("v1", "ed");
    put_edited("v1", "v1", "message of", "massage of");
    expect("v1", "signature");
    tag_with("v1", "ed");
    put_edited("v1", "v1", "Alice <", "Alicf <");
    expect("v1", "signature");
    tag_with("v1", "ed");
    put_edited("v1", "v1", "+0000", "+0100");
    expect("v1", "signature");
}

static void name_is_bound(void **state)
{
    (void)state;
    reset();
    allow("alice@example.com", "", "ed");
    tag_with("v1", "ed");
    sh_ok("git -C repo update-ref refs/tags/v9 refs/tags/v1");
    expect_stricter("v9", "name");
    expect("v1", "");
}

/* Signs raw's bytes as they are and stores them as a tag. */
static void put_signed(const char *name, const char *key, const char *namespace_, const char *text)
{
    put_text("payload", text);
    sh_ok("ssh-keygen -q -Y sign -n %s -f %s <payload >payload.sig", namespace_, key);
    RB_AUTO(rb_buf_clear) rb_buf sig = get("payload.sig");
    RB_AUTO(rb_buf_clear) rb_buf raw = {0};
    rb_buf_puts(&raw, text);
    rb_buf_add(&raw, sig.data, sig.len);
    put_tag(name, &raw);
}

static char *head(void)
{
    sh_ok("git -C repo rev-parse HEAD >head");
    RB_AUTO(rb_buf_clear) rb_buf text = get("head");
    return rb_strndup(text.data, 40);
}

#define TAGGER "tagger Alice <alice@example.com> 1700000000 +0000\n"

static void headers_are_exact(void **state)
{
    (void)state;
    reset();
    allow("alice@example.com", "", "ed");
    RB_AUTO(rb_free_str) char *commit = head();
    static const struct {
        const char *rest;
        const char *code; /* NULL: good */
    } cases[] = {
        {"type commit\ntag h\n" TAGGER "\nm\n", NULL},
        {"type commit\ntag h\n" TAGGER "extra 1\n\nm\n", "header"},
        {"type commit\ntag h\n" TAGGER "gpgsig x\n\nm\n", "header"},
        {"type commit\ntype commit\ntag h\n" TAGGER "\nm\n", "header"},
        {"tag h\ntype commit\n" TAGGER "\nm\n", "header"},
        {"type commit\ntag h\n\nm\n", "header"},
        {"type commit\ntag h\n" TAGGER, "header"},
        {"type commit\ntag h\ntagger Alice <alice@example.com>\n\nm\n", "header"},
        {"type commit\ntag h\ntagger Alice alice@example.com 1 +0000\n\nm\n", "header"},
        {"type commit\ntag h\ntagger Alice <a@b> 999999999999999999 +0000\n\nm\n", "header"},
        {"type commit\ntag h\ntagger Alice <a@b> 01 +0000\n\nm\n", "header"},
        {"type commit\ntag h\ntagger Alice <a@b> 1 0000\n\nm\n", "header"},
        {"type commit\ntag h\ntagger <a@b> 1 +0000\n\nm\n", "header"},
        {"type tree\ntag h\n" TAGGER "\nm\n", "object"},
        {"type commit\ntag other\n" TAGGER "\nm\n", "name"},
        {"type commit\ntag h\n" TAGGER "\n", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        RB_AUTO(rb_free_str) char *text = rb_format("object %s\n%s", commit, cases[i].rest);
        put_signed("h", "ed", "git", text);
        RB_AUTO(lab_verdict_clear) lab_verdict v = judge("h");
        const char *found = v.code ? v.code : "";
        if (strcmp(found, cases[i].code ? cases[i].code : "") != 0)
            fail_msg("case %zu: found \"%s\": %s", i, found, v.message ? v.message : "");
        if (!cases[i].code)
            expect("h", "");
    }
}

static void object_must_be_a_commit(void **state)
{
    (void)state;
    reset();
    allow("alice@example.com", "", "ed");
    sh_ok("git -C repo -c user.signingKey=../ed tag -f -s -m m tree HEAD^{tree}");
    expect_stricter("tree", "object");
    sh_ok("git -C repo rev-parse HEAD^{tree} >head");
    RB_AUTO(rb_buf_clear) rb_buf tree = get("head");
    RB_AUTO(rb_free_str)
    char *liar = rb_format("object %.40s\ntype commit\ntag liar\n" TAGGER "\nm\n", tree.data);
    put_signed("liar", "ed", "git", liar);
    RB_AUTO(lab_verdict_clear) lab_verdict v = judge("liar");
    assert_string_equal(v.code, "object");
}

static void unsigned_tags(void **state)
{
    (void)state;
    reset();
    allow("alice@example.com", "", "ed");
    sh_ok("git -C repo tag -f light");
    expect("light", "unsigned");
    sh_ok("git -C repo tag -f -a --no-sign -m m plain");
    expect("plain", "unsigned");
}

static void nothing_follows(void **state)
{
    (void)state;
    reset();
    allow("alice@example.com", "", "ed");
    tag_with("t", "ed");
    RB_AUTO(rb_buf_clear) rb_buf raw = get_tag("t");
    rb_buf_puts(&raw, "and more\n");
    put_tag("t", &raw);
    expect_stricter("t", "trailing");
    tag_with("t", "ed");
    RB_AUTO(rb_buf_clear) rb_buf cut = get_tag("t");
    cut.len--;
    put_tag("t", &cut);
    expect("t", "");
    cut.len -= 5;
    put_tag("t", &cut);
    expect("t", "signature");
    RB_AUTO(rb_free_str) char *commit = head();
    RB_AUTO(rb_free_str)
    char *between =
        rb_format("object %s\ntype commit\ntag t\n" TAGGER "\nshop\n\n"
                  "-----BEGIN RELEASE MANIFEST-----\n{}\n-----END RELEASE MANIFEST-----\nmore\n",
                  commit);
    put_signed("t", "ed", "git", between);
    expect_stricter("t", "trailing");
}

static void one_signature(void **state)
{
    (void)state;
    reset();
    allow("alice@example.com", "", "ed");
    tag_with("inner", "ed");
    RB_AUTO(rb_buf_clear) rb_buf inner = get_tag("inner");
    put_signed("inner", "ed", "git", inner.data);
    expect_stricter("inner", "signature");
}

static void namespaces(void **state)
{
    (void)state;
    reset();
    allow("alice@example.com", "", "ed");
    RB_AUTO(rb_free_str) char *commit = head();
    RB_AUTO(rb_free_str)
    char *text = rb_format("object %s\ntype commit\ntag n\n" TAGGER "\nm\n", commit);
    put_signed("n", "ed", "file", text);
    expect("n", "namespace");
}

/* Armour: what ssh-keygen reads, white space anywhere, other line widths. */
static void armour(void **state)
{
    (void)state;
    reset();
    allow("alice@example.com", "", "ed");
    static const struct {
        const char *edit; /* of the base64 lines: a sed script */
        const char *code;
    } cases[] = {
        {"s/\\(.\\{20\\}\\)/\\1\\n/g", ""},
        {"s/\\(.\\{10\\}\\)/\\1 \\t/g", ""},
        {"s/$/\\r/", ""},
        {"1s/^/\\n\\n/", ""},
        {"$s/$/=/", "signature"},
        {"1s/^./*/", "signature"},
        {"1s/^/AAAA/", "signature"},
        {"1s/^U1NIU0lHAAAAAQ/U1NIU0lHAAAAAg/", "signature"},
        {"1s/^U1NIU0lHAAAAAQ/U1NIU0lHAAAAAA/", ""},
        {"$s/^.*$//", "signature"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tag_with("w", "ed");
        get_tag_file("w");
        sh_ok("sed -n '1,/BEGIN SSH/p' raw >edited; "
              "sed '1,/BEGIN SSH/d;/END SSH/,$d' raw | sed '%s' >>edited; "
              "echo '-----END SSH SIGNATURE-----' >>edited",
              cases[i].edit);
        RB_AUTO(rb_buf_clear) rb_buf edited = get("edited");
        put_tag("w", &edited);
        expect("w", cases[i].code);
    }
    tag_with("w", "ed");
    put_edited("w", "w", "-----BEGIN SSH SIGNATURE-----\n", "-----BEGIN SSH SIGNATURE----- \n");
    expect("w", "signature");
    tag_with("w", "ed");
    put_edited("w", "w", "-----BEGIN SSH SIGNATURE-----\n", "-----BEGIN SSH SIGNATURE-----\r\n");
    expect("w", "signature");
}

/* Every byte of the envelope changed, one at a time: git and we agree about each. */
static void envelope_bytes(void **state)
{
    (void)state;
    reset();
    for (size_t k = 0; k < KINDS; k++)
        allow("alice@example.com", "", kinds[k].name);
    static const char *const keys[] = {"ed", "p256"};
    for (size_t k = 0; k < 2; k++) {
        tag_with("e", keys[k]);
        get_tag_file("e");
        sh_ok("sed '1,/BEGIN SSH/d;/END SSH/,$d' raw | base64 -d >blob; sed '/BEGIN SSH/,$d' raw "
              ">head");
        RB_AUTO(rb_buf_clear) rb_buf blob = get("blob");
        RB_AUTO(rb_buf_clear) rb_buf payload = get("head");
        for (size_t i = 0; i < blob.len; i += 7) {
            rb_buf copy = {0};
            rb_buf tag = {0};
            rb_buf_add(&copy, blob.data, blob.len);
            copy.data[i] = (char)(copy.data[i] ^ 1);
            rb_buf_add(&tag, payload.data, payload.len);
            rb_buf_puts(&tag, "-----BEGIN SSH SIGNATURE-----\n");
            rb_base64_encode(&tag, copy.data, copy.len);
            rb_buf_puts(&tag, "\n-----END SSH SIGNATURE-----\n");
            put_tag("e", &tag);
            rb_buf_clear(&copy);
            rb_buf_clear(&tag);
            RB_AUTO(lab_verdict_clear) lab_verdict v = judge("e");
            if ((v.code == NULL) != git_accepts("e"))
                fail_msg("key %s, byte %zu: we say \"%s\"", keys[k], i, v.code ? v.code : "");
        }
    }
}

static void weak_rsa(void **state)
{
    (void)state;
    reset();
    make_key("rsa1", "rsa", 1024);
    allow("alice@example.com", "", "rsa1");
    tag_with("weak", "rsa1");
    expect_stricter("weak", "signature");
}

static void files_in_the_work_tree(void **state)
{
    (void)state;
    reset();
    allow("alice@example.com", "", "ed");
    tag_with("f", "ed");
    expect("f", "");
    sh_ok("cp signers repo/signers; git -C repo config gpg.ssh.allowedSignersFile signers");
    expect_stricter("f", "error");
    sh_ok("ln -sf repo/signers link; git -C repo config gpg.ssh.allowedSignersFile '%s/link'", lab);
    expect_stricter("f", "error");
    sh_ok("ln -sf ../signers repo/out; git -C repo config gpg.ssh.allowedSignersFile out");
    expect_stricter("f", "error");
    sh_ok("cp signers repo/.git/signers; "
          "git -C repo config gpg.ssh.allowedSignersFile .git/signers");
    expect("f", "");
    sh_ok("git -C repo config gpg.ssh.allowedSignersFile '%s/absent'", lab);
    expect("f", "error");
    sh_ok("git -C repo config --unset gpg.ssh.allowedSignersFile");
    sh_ok("git config --global --unset gpg.ssh.allowedSignersFile");
    RB_AUTO(lab_verdict_clear) lab_verdict v = judge("f");
    assert_string_equal(v.code, "error");
    assert_non_null(strstr(v.message, "`rbtool init` prints the commands"));
    sh_ok("git config --global gpg.ssh.allowedSignersFile '%s/signers'", lab);
    expect("f", "");
}

static void replaced_objects(void **state)
{
    (void)state;
    reset();
    allow("alice@example.com", "", "ed");
    tag_with("good", "ed");
    sh_ok("git -C repo tag -f -a --no-sign -m evil evil");
    sh_ok("git -C repo replace -f $(git -C repo rev-parse evil) $(git -C repo rev-parse good)");
    RB_AUTO(lab_verdict_clear) lab_verdict v = judge("evil");
    assert_string_equal(v.code, "unsigned");
    sh_ok("git -C repo replace -d $(git -C repo rev-parse evil)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind),
        cmocka_unit_test(signed_bytes_changed),
        cmocka_unit_test(name_is_bound),
        cmocka_unit_test(headers_are_exact),
        cmocka_unit_test(object_must_be_a_commit),
        cmocka_unit_test(unsigned_tags),
        cmocka_unit_test(nothing_follows),
        cmocka_unit_test(one_signature),
        cmocka_unit_test(namespaces),
        cmocka_unit_test(armour),
        cmocka_unit_test(envelope_bytes),
        cmocka_unit_test(weak_rsa),
        cmocka_unit_test(files_in_the_work_tree),
        cmocka_unit_test(replaced_objects),
    };
    return cmocka_run_group_tests(tests, setup, lab_close);
}
