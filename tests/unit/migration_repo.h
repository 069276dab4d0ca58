/* A throw-away git repository for tests: write files, commit, get the tree. */
#ifndef RB_TEST_MIGRATION_REPO_H
#define RB_TEST_MIGRATION_REPO_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/process.h"
#include "git/repository.h"

typedef struct test_repo {
    char *dir;
    rb_repo *repo;
} test_repo;

static inline void test_git(const char *dir, const char *const *args)
{
    const char *argv[24] = {"git", "-C", dir};
    size_t n = 3;
    while (*args)
        argv[n++] = *args++;
    static const char *const env[] = {"GIT_CONFIG_GLOBAL=/dev/null",
                                      "GIT_CONFIG_NOSYSTEM=1",
                                      "GIT_AUTHOR_NAME=t",
                                      "GIT_AUTHOR_EMAIL=t@example.com",
                                      "GIT_COMMITTER_NAME=t",
                                      "GIT_COMMITTER_EMAIL=t@example.com",
                                      NULL};
    rb_process process = {.argv = argv, .env = env, .timeout = 60};
    rb_process_result result = {0};
    rb_err err = {0};
    if (rb_process_run(&result, &process, &err) != RB_OK || result.status != 0)
        fail_msg("git %s: %s%s", argv[3], rb_err_line(&err), rb_buf_str(&result.err));
    rb_process_result_clear(&result);
}

static inline test_repo test_repo_new(void)
{
    const char *tmp = getenv("TMPDIR");
    test_repo r = {.dir = rb_format("%s/rbtool-migration.XXXXXX", tmp ? tmp : "/tmp")};
    assert_non_null(mkdtemp(r.dir));
    test_git(r.dir, (const char *const[]){"init", "-q", "-b", "main", NULL});
    rb_err err = {0};
    if (rb_repo_open(&r.repo, r.dir, &err) != RB_OK)
        fail_msg("%s", rb_err_line(&err));
    return r;
}

static inline void test_repo_free(test_repo *r)
{
    rb_err err = {0};
    rb_repo_close(r->repo);
    if (rb_dir_remove(r->dir, &err) != RB_OK)
        fail_msg("%s", rb_err_line(&err));
    free(r->dir);
}

static inline void test_put_bytes(const test_repo *r, const char *path, const void *text,
                                  size_t len)
{
    rb_err err = {0};
    char *full = rb_path_join(r->dir, path);
    char *dir = rb_path_dir(full);
    if (rb_dir_make(dir, &err) != RB_OK || rb_file_write(full, text, len, 0644, &err) != RB_OK)
        fail_msg("%s", rb_err_line(&err));
    free(dir);
    free(full);
}

static inline void test_put(const test_repo *r, const char *path, const char *text)
{
    test_put_bytes(r, path, text, strlen(text));
}

/* Commits the work tree and gives the commit's tree. */
static inline rb_oid test_commit(const test_repo *r)
{
    test_git(r->dir, (const char *const[]){"add", "-A", NULL});
    test_git(r->dir, (const char *const[]){"commit", "-q", "--allow-empty", "-m", "x", NULL});
    rb_oid commit, tree = {0};
    rb_err err = {0};
    if (rb_repo_commit(&commit, r->repo, "HEAD", &err) != RB_OK ||
        rb_commit_tree(&tree, r->repo, &commit, &err) != RB_OK)
        fail_msg("%s", rb_err_line(&err));
    return tree;
}

#endif
