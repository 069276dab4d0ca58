#include <signal.h>

#include "trust_lab.h"

static const struct {
    const char *name;
    const char *kind;
    int bits;
    bool deterministic; /* the same bytes as ssh-keygen's */
} kinds[] = {
    {"ed", "ed25519", 0, true},    {"p256", "ecdsa", 256, false}, {"p384", "ecdsa", 384, false},
    {"p521", "ecdsa", 521, false}, {"rsa2", "rsa", 2048, true},   {"rsa4", "rsa", 4096, true},
};

#define KINDS (sizeof kinds / sizeof *kinds)

static rb_repo *repo;
static pid_t agent;

static void allow_all(void)
{
    put_text("signers", "");
    for (size_t i = 0; i < KINDS; i++)
        allow("alice@example.com", "", kinds[i].name);
}

static int setup(void **state)
{
    if (lab_open(state) != 0)
        return -1;
    for (size_t i = 0; i < KINDS; i++)
        make_key(kinds[i].name, kinds[i].kind, kinds[i].bits);
    allow_all();
    put_text("data", "what is signed\n");
    repo = open_repo();
    return 0;
}

static int teardown(void **state)
{
    rb_repo_close(repo);
    return lab_close(state);
}

/* "" when it worked; ours is left in ours.sig. */
static char *sign(const char *key, const char *namespace_)
{
    rb_err err;
    RB_AUTO(rb_buf_clear) rb_buf data = get("data");
    RB_AUTO(rb_buf_clear) rb_buf sig = {0};
    if (rb_trust_sign(&sig, repo, key, namespace_, data.data, data.len, &err) != RB_OK) {
        assert_int_equal(err.code, RB_ERROR);
        assert_int_equal(sig.len, 0);
        return rb_strdup(rb_err_line(&err));
    }
    put("ours.sig", sig.data, sig.len);
    return rb_strdup("");
}

static void expect_signed(const char *key, const char *namespace_)
{
    RB_AUTO(rb_free_str) char *message = sign(key, namespace_);
    if (*message)
        fail_msg("key %s: %s", key, message);
    sh_ok("ssh-keygen -Y verify -n %s -f signers -I alice@example.com -s ours.sig <data",
          namespace_);
}

static void expect_refused(const char *key, const char *reason)
{
    RB_AUTO(rb_free_str) char *message = sign(key, "git");
    if (!strstr(message, reason))
        fail_msg("key %s: expected \"%s\", found \"%s\"", key ? key : "of git", reason, message);
}

static void openssh_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        expect_signed(kinds[i].name, "git");
        expect_signed(kinds[i].name, "rbtool-ledger");
        sh_ok("ssh-keygen -Y sign -n rbtool-ledger -f %s <data >theirs.sig", kinds[i].name);
        assert_int_equal(sh("cmp ours.sig theirs.sig") == 0, kinds[i].deterministic);
        RB_AUTO(rb_free_str) char *public = rb_format("%s.pub", kinds[i].name);
        expect_signed(public, "git");
    }
}

static void other_files(void **state)
{
    (void)state;
    for (size_t i = 1; i < KINDS; i++) {
        static const char *const formats[] = {"PKCS8", "PEM"};
        for (size_t j = 0; j < 2; j++) {
            sh_ok("cp %s other && ssh-keygen -q -p -N '' -m %s -f other", kinds[i].name,
                  formats[j]);
            assert_int_not_equal(sh("grep -q OPENSSH other"), 0);
            expect_signed("other", "git");
        }
    }
    sh_ok("openssl genpkey -algorithm ed25519 -out pkcs8 && chmod 600 pkcs8");
    RB_AUTO(rb_free_str) char *message = sign("pkcs8", "git");
    assert_string_equal(message, "");
    sh_ok("ssh-keygen -Y check-novalidate -n git -s ours.sig <data");
    sh_ok("openssl genpkey -algorithm x25519 -out x && chmod 600 x");
    expect_refused("x", "no key that SSH signs with");
    sh_ok("openssl ecparam -name secp256k1 -genkey -noout -out k1 && chmod 600 k1");
    expect_refused("k1", "no key that SSH signs with");
}

static void broken_files(void **state)
{
    (void)state;
    expect_refused("absent", "absent");
    sh_ok("head -c 200 ed >cut; chmod 600 cut");
    expect_refused("cut", "cut off or malformed");
    sh_ok("sed 's/^b3BlbnNz/AAAAAAAA/' ed >wrong; chmod 600 wrong");
    expect_refused("wrong", "cut off or malformed");
    put_text("text", "hello\n");
    expect_refused("text", "not an SSH key file");
    put_text("empty", "");
    expect_refused("empty", "not an SSH key file");
    sh_ok("cp ed mixed; cp p256.pub mixed.pub");
    expect_refused("mixed.pub", "does not belong to");
    make_key("rsa1", "rsa", 1024);
    expect_refused("rsa1", "1024 bits");
    expect_refused("key::ssh-ed25519 AAAA", "the signing key");
}

static void start_agent(void)
{
    RB_AUTO(rb_free_str) char *socket = rb_path_join(lab, "agent");
    sh_ok("ssh-agent -a '%s' | sed -n 's/.*SSH_AGENT_PID=\\([0-9]*\\);.*/\\1/p' >agent.pid",
          socket);
    RB_AUTO(rb_buf_clear) rb_buf pid = get("agent.pid");
    agent = (pid_t)atoi(rb_buf_str(&pid));
    assert_true(agent > 1);
    setenv("SSH_AUTH_SOCK", socket, 1);
}

static int stop_agent(void **state)
{
    (void)state;
    if (agent > 1)
        kill(agent, SIGTERM);
    agent = 0;
    unsetenv("SSH_AUTH_SOCK");
    return 0;
}

static void agent_keys(void **state)
{
    (void)state;
    start_agent();
    sh_ok("mkdir -p public && cp *.pub public/");
    for (size_t i = 0; i < KINDS; i++) {
        RB_AUTO(rb_free_str) char *public = rb_format("public/%s.pub", kinds[i].name);
        RB_AUTO(rb_buf_clear) rb_buf line = get(public);
        RB_AUTO(rb_free_str)
        char *literal = rb_format("key::%.*s", (int)strcspn(line.data, "\n"), line.data);
        expect_refused(literal, "no ssh-agent holds it");
        expect_refused(public, "ended with status");
        sh_ok("ssh-add -q %s", kinds[i].name);
        expect_signed(literal, "git");
        expect_signed(public, "git");
        if (strncmp(line.data, "ssh-", 4) == 0)
            expect_signed(literal + 5, "git");
        sh_ok("ssh-keygen -Y sign -n git -f %s <data >theirs.sig", kinds[i].name);
        assert_int_equal(sh("cmp ours.sig theirs.sig") == 0, kinds[i].deterministic);
    }
    sh_ok("printf '#!/bin/sh\\necho pw\\n' >askpass; chmod 700 askpass");
    sh_ok("SSH_ASKPASS=./askpass SSH_ASKPASS_REQUIRE=force ssh-add -x");
    expect_refused("public/ed.pub", "ended with status");
    stop_agent(state);
}

static void encrypted_files(void **state)
{
    (void)state;
    sh_ok("cp ed locked && cp ed.pub locked.pub && ssh-keygen -q -p -N secret -f locked");
    sh_ok("cp p256 locked8 && ssh-keygen -q -p -N secret -m PKCS8 -f locked8");
    expect_refused("locked", "ssh-add");
    expect_refused("locked8", "ssh-add");
    sh_ok("printf '#!/bin/sh\\necho secret\\n' >askpass; chmod 700 askpass");
    setenv("SSH_ASKPASS", "./askpass", 1);
    setenv("SSH_ASKPASS_REQUIRE", "force", 1);
    expect_signed("locked", "git");
    expect_signed("locked.pub", "git");
    expect_refused("locked8", "locked8"); /* ssh-keygen wants its public key beside it */
    sh_ok("cp p256.pub locked8.pub");
    expect_signed("locked8", "git");
    start_agent();
    sh_ok("ssh-add -q locked && ssh-add -q locked8");
    unsetenv("SSH_ASKPASS");
    unsetenv("SSH_ASKPASS_REQUIRE");
    expect_signed("locked", "git");
    expect_signed("locked8", "git");
    stop_agent(state);
}

static void certificates(void **state)
{
    (void)state;
    make_key("ca", "ed25519", 0);
    sh_ok("ssh-keygen -q -s ca -I alice -n alice@example.com ed.pub p256.pub rsa2.pub");
    allow("alice@example.com", "cert-authority", "ca");
    expect_signed("ed-cert.pub", "git");
    sh_ok("ssh-keygen -Y sign -n git -f ed-cert.pub <data >theirs.sig && cmp ours.sig theirs.sig");
    expect_signed("p256-cert.pub", "git");
    expect_signed("rsa2-cert.pub", "git");
    start_agent();
    sh_ok("mkdir -p apart && cp ed-cert.pub apart/ && ssh-add -q ed");
    expect_signed("apart/ed-cert.pub", "git");
    sh_ok("cmp ours.sig theirs.sig");
    stop_agent(state);
    allow_all();
}

/* A repository is opened again: settings are read once. */
static void use_settings(const char *commands)
{
    put_text("repo/.git/config", "[core]\nrepositoryformatversion = 0\n");
    sh_ok("git config --global --unset-all gpg.format; %s", commands);
    rb_repo_close(repo);
    repo = open_repo();
}

static void settings(void **state)
{
    (void)state;
    use_settings("git config --global gpg.format ssh");
    expect_refused(NULL, "user.signingKey");
    use_settings("git config --global gpg.format ssh; "
                 "git -C repo config user.signingKey '~/ed'");
    expect_signed(NULL, "git");
    use_settings("git -C repo config user.signingKey ../p256.pub");
    expect_signed(NULL, "git");
    use_settings("git -C repo config user.signingKey ABCDEF0123456789");
    expect_refused(NULL, "gpg.format ssh");
    use_settings("git -C repo config gpg.format openpgp; "
                 "git -C repo config user.signingKey ../ed");
    expect_refused(NULL, "gpg.format is \"openpgp\"");
    expect_signed("~/ed", "git");
    expect_signed("ed", "git");
    RB_AUTO(rb_free_str)
    char *program = rb_format(
        "printf '#!/bin/sh\\necho \"$@\" >%s/called\\nexec ssh-keygen \"$@\"\\n' >program; "
        "chmod 700 program; git -C repo config gpg.ssh.program %s/program; "
        "mkdir -p apart; cp ed.pub apart/; cp ed apart/ed; "
        "ssh-keygen -q -p -N secret -f apart/ed",
        lab, lab);
    use_settings(program);
    setenv("SSH_ASKPASS", "./askpass", 1);
    setenv("SSH_ASKPASS_REQUIRE", "force", 1);
    expect_signed("apart/ed.pub", "git");
    sh_ok("grep -q -- '-Y sign -n git -f apart/ed.pub' called");
    unsetenv("SSH_ASKPASS");
    unsetenv("SSH_ASKPASS_REQUIRE");
    use_settings("printf '#!/bin/sh\\n' >program; git -C repo config gpg.ssh.program $PWD/program");
    expect_refused("apart/ed.pub", "payload.sig");
    use_settings("printf '#!/bin/sh\\nfor f; do :; done; cp ours.sig $f.sig\\n' >program; "
                 "git -C repo config gpg.ssh.program $PWD/program; echo other >data");
    expect_refused("apart/ed.pub", "is not valid");
    put_text("data", "what is signed\n");
    use_settings("git config --global gpg.format ssh; git -C repo config "
                 "gpg.ssh.defaultKeyCommand 'cat ed.pub'");
    start_agent();
    sh_ok("ssh-add -q ed");
    expect_signed(NULL, "git");
    stop_agent(state);
    use_settings("git config --global gpg.format ssh");
}

/* Tags that rbtool's bytes make are tags that git takes. */
static void git_takes_ours(void **state)
{
    (void)state;
    RB_AUTO(rb_free_str) char *commit = NULL;
    sh_ok("git -C repo rev-parse HEAD >head");
    RB_AUTO(rb_buf_clear) rb_buf text = get("head");
    commit = rb_strndup(text.data, 40);
    for (size_t i = 0; i < KINDS; i++) {
        rb_err err;
        RB_AUTO(rb_buf_clear) rb_buf raw = {0};
        rb_buf_printf(&raw,
                      "object %s\ntype commit\ntag %s\n"
                      "tagger Alice <alice@example.com> %d +0000\n\nmessage\n",
                      commit, kinds[i].name, LAB_TIME);
        size_t len = raw.len;
        assert_int_equal(rb_trust_sign(&raw, repo, kinds[i].name, "git", raw.data, len, &err),
                         RB_OK);
        put_tag(kinds[i].name, &raw);
        sh_ok("git -C repo verify-tag %s", kinds[i].name);
        expect(kinds[i].name, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(openssh_files),
        cmocka_unit_test(other_files),
        cmocka_unit_test(broken_files),
        cmocka_unit_test_teardown(agent_keys, stop_agent),
        cmocka_unit_test_teardown(encrypted_files, stop_agent),
        cmocka_unit_test_teardown(certificates, stop_agent),
        cmocka_unit_test_teardown(settings, stop_agent),
        cmocka_unit_test(git_takes_ours),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
