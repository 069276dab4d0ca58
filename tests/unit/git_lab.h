/*
 * A folder with repositories made by the real git, for the tests of modules git and artifact. It is
 * the working directory; git's settings are its own.
 */
#ifndef GIT_LAB_H
#define GIT_LAB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "git/tree.h"

/* libgit2 1.5 leaks what it matches extensions.* with, at opening. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libpcre2-8.so";
}

static char *lab;

/* Runs a shell script; its status, and what it printed without the last newline in *out. */
static int sh_into(char **out, const char *script)
{
    RB_AUTO(rb_free_str) char *line = rb_format("( %s\n) 2>>%s/sh.log </dev/null", script, lab);
    rb_buf text = {0};
    char chunk[4096];
    size_t n;
    FILE *pipe = popen(line, "r");
    assert_non_null(pipe);
    while ((n = fread(chunk, 1, sizeof chunk, pipe)) > 0)
        rb_buf_add(&text, chunk, n);
    int status = pclose(pipe);
    if (text.len > 0 && text.data[text.len - 1] == '\n')
        rb_buf_truncate(&text, text.len - 1);
    if (out)
        *out = rb_buf_detach(&text);
    rb_buf_clear(&text);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

/* What a script prints; the test fails when the script does. Freed by the caller. */
static char *sh(const char *fmt, ...) RB_PRINTF(1, 2);
static char *sh(const char *fmt, ...)
{
    rb_buf script = {0};
    char *out = NULL;
    va_list args;
    va_start(args, fmt);
    rb_buf_puts(&script, "set -e; ");
    rb_buf_vprintf(&script, fmt, args);
    va_end(args);
    if (sh_into(&out, script.data) != 0) {
        int shown = system("tail -n 20 sh.log >&2");
        (void)shown;
        fail_msg("fails: %s", script.data);
    }
    rb_buf_clear(&script);
    return out;
}

#define sh_do(...) free(sh(__VA_ARGS__))

static int lab_open(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    lab = rb_format("%s/rbtool-git.XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(lab) || chdir(lab) != 0)
        return -1;
    static const char *const unset[] = {
        "GIT_DIR",        "GIT_WORK_TREE",        "GIT_INDEX_FILE",
        "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES"};
    for (size_t i = 0; i < sizeof unset / sizeof *unset; i++)
        unsetenv(unset[i]);
    RB_AUTO(rb_free_str) char *config = rb_path_join(lab, "gitconfig");
    setenv("GIT_CONFIG_GLOBAL", config, 1);
    setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
    setenv("HOME", lab, 1);
    setenv("LC_ALL", "C.UTF-8", 1);
    setenv("GIT_COMMITTER_DATE", "1700000000 +0000", 1);
    setenv("GIT_AUTHOR_DATE", "1700000000 +0000", 1);
    sh_do("git config --global user.name Tester; git config --global user.email t@example.com;"
          "git config --global init.defaultBranch main; git config --global gc.auto 0;"
          "git config --global protocol.file.allow always;"
          "git config --global advice.detachedHead false");
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

#define assert_ok(call)                                                                            \
    do {                                                                                           \
        enum rb_code code_ = (call);                                                               \
        if (code_ != RB_OK)                                                                        \
            fail_msg("%s: %d %s", #call, code_, rb_err_line(&err));                                \
    } while (0)

/* The call gives code, and its message holds text. */
#define assert_fails(call, expected, text)                                                         \
    do {                                                                                           \
        err.message[0] = '\0';                                                                     \
        enum rb_code code_ = (call);                                                               \
        if (code_ != (expected) || !strstr(rb_err_line(&err), text) ||                             \
            strchr(rb_err_line(&err), '\n'))                                                       \
            fail_msg("%s: expected %d \"%s\", got %d \"%s\"", #call, expected, text, code_,        \
                     rb_err_line(&err));                                                           \
    } while (0)

static inline rb_repo *open_repo(const char *dir)
{
    rb_err err = {0};
    rb_repo *repo = NULL;
    assert_ok(rb_repo_open(&repo, dir, &err));
    return repo;
}

static inline rb_oid tree_of(rb_repo *repo, const char *spec)
{
    rb_err err = {0};
    rb_oid commit;
    rb_oid tree;
    assert_ok(rb_repo_commit(&commit, repo, spec, &err));
    assert_ok(rb_commit_tree(&tree, repo, &commit, &err));
    return tree;
}

static inline rb_oid oid_of(const char *hex)
{
    rb_oid oid;
    assert_true(rb_oid_parse(&oid, hex));
    return oid;
}

/* A tree object with any content, past all of git's checks. Lines: "MODE NAME OID". */
static inline char *raw_tree(const char *dir, const char *lines)
{
    rb_err err = {0};
    rb_buf body = {0};
    while (*lines) {
        const char *name = strchr(lines, ' ') + 1;
        const char *end = strchr(lines, '\n');
        const char *hex = end - (RB_OID_HEX - 1);
        RB_AUTO(rb_free_str) char *id = rb_strndup(hex, RB_OID_HEX - 1);
        rb_oid oid = oid_of(id);
        rb_buf_add(&body, lines, (size_t)(hex - 1 - lines));
        assert_true(name < hex);
        rb_buf_addc(&body, '\0');
        rb_buf_add(&body, oid.id, RB_OID_SIZE);
        lines = end + 1;
    }
    assert_ok(rb_file_write("raw-tree", rb_buf_str(&body), body.len, 0644, &err));
    rb_buf_clear(&body);
    return sh("git -C %s hash-object -t tree --literally -w --stdin <raw-tree", dir);
}

#endif
