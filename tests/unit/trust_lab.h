/*
 * A folder with keys of every kind, a repository and git's settings, for the tests of module trust.
 * Everything is made by the real programs.
 */
#ifndef TRUST_LAB_H
#define TRUST_LAB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "trust/trust.h"

#define LAB_TIME 1700000000

static char *lab; /* the folder; also the working directory */

/* Runs a shell command with its output put away; the status. */
static int sh(const char *fmt, ...) RB_PRINTF(1, 2);
static int sh(const char *fmt, ...)
{
    rb_buf text = {0};
    va_list args;
    va_start(args, fmt);
    rb_buf_vprintf(&text, fmt, args);
    va_end(args);
    RB_AUTO(rb_free_str) char *line = rb_format("( %s ) >>sh.log 2>&1 </dev/null", text.data);
    int status = system(line);
    rb_buf_clear(&text);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

#define sh_ok(...)                                                                                 \
    do {                                                                                           \
        if (sh(__VA_ARGS__) != 0) {                                                                \
            int shown = system("tail -n 20 sh.log >&2");                                           \
            (void)shown;                                                                           \
            fail_msg("a command failed");                                                          \
        }                                                                                          \
    } while (0)

/* Not synced, as rb_file_write() is: there are thousands. */
static void put(const char *path, const void *data, size_t len)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

__attribute__((unused)) static void put_text(const char *path, const char *text)
{
    put(path, text, strlen(text));
}

__attribute__((unused)) static rb_buf get(const char *path)
{
    rb_err err;
    rb_buf out = {0};
    if (rb_file_read(&out, path, 64u << 20, &err) != RB_OK)
        fail_msg("%s", rb_err_line(&err));
    return out;
}

static int lab_open(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    lab = rb_format("%s/trust.XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(lab) || chdir(lab) != 0)
        return -1;
    RB_AUTO(rb_free_str) char *config = rb_path_join(lab, "gitconfig");
    setenv("GIT_CONFIG_GLOBAL", config, 1);
    setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
    setenv("HOME", lab, 1);
    setenv("GNUPGHOME", lab, 1);
    setenv("TZ", "Asia/Kolkata", 1);
    unsetenv("SSH_AUTH_SOCK");
    unsetenv("SSH_ASKPASS");
    unsetenv("DISPLAY");
    RB_AUTO(rb_free_str) char *date = rb_format("%d +0000", LAB_TIME);
    setenv("GIT_COMMITTER_DATE", date, 1);
    setenv("GIT_AUTHOR_DATE", date, 1);
    put_text("sh.log", "");
    sh_ok("git config --global user.name Alice");
    sh_ok("git config --global user.email alice@example.com");
    sh_ok("git config --global gpg.format ssh");
    sh_ok("git config --global gpg.ssh.allowedSignersFile '%s/signers'", lab);
    sh_ok("git init -q repo && git -C repo commit -q --allow-empty -m one");
    put_text("signers", "");
    return 0;
}

static int lab_close(void **state)
{
    (void)state;
    rb_err err;
    int gone = chdir("/");
    if (rb_dir_remove(lab, &err) != RB_OK)
        gone = -1;
    free(lab);
    return gone;
}

/* KIND as ssh-keygen's -t, with -b where bits are not 0; the private key is in NAME. */
__attribute__((unused)) static void make_key(const char *name, const char *kind, int bits)
{
    RB_AUTO(rb_free_str) char *size = bits ? rb_format("-b %d", bits) : rb_strdup("");
    sh_ok("ssh-keygen -q -t %s %s -N '' -C '%s comment' -f %s", kind, size, name, name);
}

/* Writes a line of the signers file; options may be "". */
__attribute__((unused)) static void allow(const char *principals, const char *options,
                                          const char *key)
{
    sh_ok("printf '%%s %%s ' '%s' '%s' >>signers; cat %s.pub >>signers", principals, options, key);
}

static rb_repo *open_repo(void)
{
    rb_err err;
    rb_repo *repo = NULL;
    if (rb_repo_open(&repo, "repo", &err) != RB_OK)
        fail_msg("%s", rb_err_line(&err));
    return repo;
}

/* Our judgement of a tag: NULL, or the code of the first problem ("error" for no judgement). */
typedef struct lab_verdict {
    char *code;
    char *principal;
    char *fingerprint;
    char *message;
} lab_verdict;

static void lab_verdict_clear(lab_verdict *v)
{
    free(v->code);
    free(v->principal);
    free(v->fingerprint);
    free(v->message);
    *v = (lab_verdict){0};
}

static lab_verdict judge(const char *name)
{
    rb_err err;
    lab_verdict out = {0};
    RB_AUTO(rb_problems_clear) rb_problems problems = {0};
    RB_AUTO(rb_repo_closep) rb_repo *repo = open_repo();
    RB_AUTO(rb_signers_freep) rb_signers *signers = NULL;
    RB_AUTO(rb_tag_freep) rb_tag *tag = NULL;
    RB_AUTO(rb_verified_freep) rb_verified *verified = NULL;
    enum rb_code code = rb_signers_load(&signers, repo, &err);
    if (code == RB_OK)
        code = rb_tag_read(&tag, repo, name, &err);
    if (code == RB_OK)
        code = rb_trust_verify(&verified, signers, repo, tag, &problems, &err);
    if (code == RB_OK) {
        assert_int_equal(problems.n, 0);
        out.principal = rb_strdup(rb_verified_principal(verified));
        out.fingerprint = rb_strdup(rb_verified_fingerprint(verified));
        return out;
    }
    assert_null(verified);
    out.message = rb_strdup(rb_err_line(&err));
    assert_null(strchr(rb_err_line(&err), '\n'));
    if (code == RB_FOUND) {
        assert_true(problems.n > 0);
        out.code = rb_strdup(problems.items[0].code);
    } else {
        out.code = rb_strdup("error");
    }
    return out;
}

static bool git_accepts(const char *name)
{
    return sh("git -C repo verify-tag refs/tags/%s", name) == 0;
}

/* Both judge alike; with expected "" that is acceptance, else our problem's code. */
__attribute__((unused)) static void expect(const char *name, const char *expected)
{
    RB_AUTO(lab_verdict_clear) lab_verdict v = judge(name);
    const char *found = v.code ? v.code : "";
    if (strcmp(found, expected) != 0)
        fail_msg("tag %s: expected \"%s\", found \"%s\": %s", name, expected, found,
                 v.message ? v.message : "");
    bool accepted = git_accepts(name);
    if (accepted != (*expected == '\0'))
        fail_msg("tag %s: git %s it, we say \"%s\"", name, accepted ? "accepts" : "refuses", found);
}

/* The same where we are stricter than git on purpose. */
__attribute__((unused)) static void expect_stricter(const char *name, const char *expected)
{
    RB_AUTO(lab_verdict_clear) lab_verdict v = judge(name);
    assert_non_null(v.code);
    if (strcmp(v.code, expected) != 0)
        fail_msg("tag %s: expected \"%s\", found \"%s\": %s", name, expected, v.code, v.message);
    assert_true(git_accepts(name));
}

/* Stores raw bytes as a tag object under that name; not even git's parser is asked. */
__attribute__((unused)) static void put_tag(const char *name, const rb_buf *raw)
{
    put("raw", raw->data ? raw->data : "", raw->len);
    sh_ok("git -C repo hash-object -t tag -w --literally ../raw >repo/.git/refs/tags/%s", name);
}

/* Leaves the tag's bytes in the file raw. */
__attribute__((unused)) static void get_tag_file(const char *name)
{
    sh_ok("git -C repo cat-file tag refs/tags/%s >raw", name);
}

__attribute__((unused)) static rb_buf get_tag(const char *name)
{
    get_tag_file(name);
    return get("raw");
}

#endif
