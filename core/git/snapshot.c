#include "git/snapshot.h"

#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/process.h"

/* Runs git in the work tree with the temporary index; *id receives the object id that git
 * prints. */
static enum rb_code run(rb_oid *id, const rb_repo *repo, const char *index, const char *const *args,
                        rb_err *err)
{
    RB_AUTO(rb_free_str) char *variable = rb_format("GIT_INDEX_FILE=%s", index);
    const char *const env[] = {variable, NULL};
    const char *argv[12] = {"git", "-C", rb_repo_workdir(repo)};
    rb_process_result result = {0};
    for (size_t i = 0; i < 8 && args[i]; i++)
        argv[3 + i] = args[i];
    RB_TRY(rb_process_run(&result, &(rb_process){.argv = argv, .env = env}, err));
    const char *printed = rb_buf_str(&result.out);
    RB_AUTO(rb_free_str) char *hex = rb_strndup(printed, strnlen(printed, RB_OID_HEX - 1));
    RB_AUTO(rb_free_str) char *words = rb_safe(rb_buf_str(&result.err));
    const bool done = result.status == 0 && (!id || rb_oid_parse(id, hex));
    rb_process_result_clear(&result);
    return done ? RB_OK
                : rb_fail(err, RB_ERROR, "git %s of the work tree failed: %s", args[0], words);
}

static enum rb_code make(rb_oid *commit, const rb_repo *repo, const char *index, rb_err *err)
{
    static const char *const read[] = {"read-tree", "HEAD", NULL};
    static const char *const add[] = {"add", "--all", ".", NULL};
    static const char *const write[] = {"write-tree", NULL};
    char hex[RB_OID_HEX];
    rb_oid tree;
    RB_TRY(run(NULL, repo, index, read, err));
    RB_TRY(run(NULL, repo, index, add, err));
    RB_TRY(run(&tree, repo, index, write, err));
    rb_oid_hex(&tree, hex);
    const char *const save[] = {"commit-tree", "--no-gpg-sign", "-p", "HEAD",
                                "-m",          "work tree",     hex,  NULL};
    return run(commit, repo, index, save, err);
}

enum rb_code rb_repo_snapshot(rb_oid *commit, rb_repo *repo, rb_err *err)
{
    if (!rb_repo_workdir(repo))
        return rb_fail(err, RB_ERROR,
                       "a bare repository has no work tree\nname a commit, as in "
                       "`rbtool diff v1.0.0 main`");
    RB_AUTO(rb_free_str) char *index = NULL;
    int fd = rb_file_temporary(&index, rb_repo_common_dir(repo));
    if (fd < 0)
        return rb_fail_errno(err, RB_ERROR, "a temporary file cannot be created in %s",
                             rb_repo_common_dir(repo));
    unlink(index); /* remove the empty file: git does not accept it as an index */
    enum rb_code code = make(commit, repo, index, err);
    unlink(index);
    close(fd);
    return code;
}
