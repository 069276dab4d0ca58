#include "git/repository.h"

#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/process.h"
#include "git/internal.h"

#include <git2/sys/odb_backend.h>
#include <git2/sys/repository.h>

static pthread_once_t started = PTHREAD_ONCE_INIT;
static pthread_mutex_t owner_lock = PTHREAD_MUTEX_INITIALIZER;

/*
 * libgit2 reads and parses all certificates of the system at its start, for connections that rbtool
 * never makes: the git program does all network access. That takes three quarters of a short
 * command's time, and libgit2 1.5 has no setting for it. So this file defines mbed TLS's public
 * function for it, and the loader resolves libgit2's call to this definition.
 */
struct mbedtls_x509_crt;

int mbedtls_x509_crt_parse_file(struct mbedtls_x509_crt *chain, const char *path);

int mbedtls_x509_crt_parse_file(struct mbedtls_x509_crt *chain, const char *path)
{
    (void)chain;
    (void)path;
    return 0; /* success without certificates: a connection would trust no server */
}

void rb_git_memory(bool sparing)
{
    /* With two arenas, malloc() retains up to 8 MB more freed memory; with one, threads wait for
     * each other. */
    mallopt(M_ARENA_MAX, sparing ? 1 : 2);
    git_libgit2_opts(GIT_OPT_SET_MWINDOW_MAPPED_LIMIT, (size_t)(sparing ? 4 : 16) << 20);
}

/* Starts libgit2 once, with the repository extensions that do not change how objects and refs are
 * read. */
static void start(void)
{
    static const char *extensions[] = {"partialclone", "worktreeconfig", "preciousobjects",
                                       "relativeworktrees"};
    git_libgit2_init();
    /* Most blobs are short-lived: retain memory up to this size instead of returning it to the
     * system, which would zero it again. */
    mallopt(M_MMAP_THRESHOLD, 1 << 20);
    mallopt(M_TRIM_THRESHOLD, 4 << 20);
    rb_git_memory(false);
    /* Reduce the window size: the default, 1 GiB, maps whole packs. */
    git_libgit2_opts(GIT_OPT_SET_MWINDOW_SIZE, (size_t)1 << 20);
    git_libgit2_opts(GIT_OPT_SET_CACHE_MAX_SIZE, (ssize_t)512 << 10);
    /* Sync written objects, because refs will name them. */
    git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, 1);
    git_libgit2_opts(GIT_OPT_SET_EXTENSIONS, extensions, sizeof extensions / sizeof *extensions);
}

static char *without_slash(const char *path)
{
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/')
        len--;
    return rb_strndup(path, len);
}

/* Finds the repository as git does: GIT_DIR first (relative to `dir`, because git -C changes there
 * first), else upwards from `dir`. libgit2's own handling of the environment fails with
 * GIT_WORK_TREE or GIT_COMMON_DIR. */
static int open_as_git(git_repository **out, const char *dir)
{
    const char *named = rb_git_env("GIT_DIR");
    if (named) {
        RB_AUTO(rb_free_str) char *path = rb_path_join(dir, named);
        return git_repository_open_ext(
            out, path, GIT_REPOSITORY_OPEN_NO_SEARCH | GIT_REPOSITORY_OPEN_NO_DOTGIT, NULL);
    }
    unsigned flags =
        rb_git_env("GIT_DISCOVERY_ACROSS_FILESYSTEM") ? (unsigned)GIT_REPOSITORY_OPEN_CROSS_FS : 0;
    return git_repository_open_ext(out, dir, flags, rb_git_env("GIT_CEILING_DIRECTORIES"));
}

/* Ignores all other errors: opening the repository will report them. */
static enum rb_code check_files(const char *dir, rb_err *err)
{
    const char *named = rb_git_env("GIT_DIR");
    RB_AUTO(rb_free_str) char *path = named ? rb_path_join(dir, named) : NULL;
    git_buf found = {0};
    enum rb_code code = RB_OK;
    if (path)
        code = rb_git_check_files(path, err);
    else if (git_repository_discover(&found, dir, 1, rb_git_env("GIT_CEILING_DIRECTORIES")) == 0)
        code = rb_git_check_files(found.ptr, err);
    git_buf_dispose(&found);
    return code;
}

/* True if libgit2 refused the owner. If safe.directory is not set at all, libgit2 1.5.1 reports
 * "not found" instead. */
static bool is_owner_refusal(int status)
{
    const git_error *error = git_error_last();
    return status == GIT_EOWNER || (status == GIT_ENOTFOUND && error && error->message &&
                                    strstr(error->message, "safe.directory"));
}

/* Opens the repository if git accepts its owner. libgit2 ignores safe.directory in GIT_CONFIG_* and
 * -c, so if it refuses, git decides. */
static int open_if_git_trusts(git_repository **out, const char *dir)
{
    const char *const argv[] = {"git", "-C", dir, "rev-parse", "--git-dir", NULL};
    rb_process_result result = {0};
    bool trusted =
        rb_process_run(&result, &(rb_process){.argv = argv}, RB_IGNORED) == RB_OK && !result.status;
    rb_process_result_clear(&result);
    if (!trusted)
        return GIT_EOWNER;
    pthread_mutex_lock(&owner_lock);
    git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
    int status = open_as_git(out, dir);
    git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 1);
    pthread_mutex_unlock(&owner_lock);
    return status;
}

static enum rb_code explain_open(int status, const char *dir, rb_err *err)
{
    RB_AUTO(rb_free_str) char *where = rb_safe(dir);
    RB_AUTO(rb_free_str) char *why = rb_git_message();
    if (is_owner_refusal(status))
        return rb_fail(err, RB_ERROR,
                       "cannot open the repository at %s: it belongs to another user\nif you trust "
                       "it, run git config --global --add safe.directory with its full path",
                       where);
    if (strstr(why, "extensions.objectformat"))
        return rb_fail(err, RB_ERROR,
                       "cannot open the repository at %s: its object format is SHA-256, only SHA-1 "
                       "repositories can be read",
                       where);
    if (strstr(why, "extensions.refstorage"))
        return rb_fail(err, RB_ERROR,
                       "cannot open the repository at %s: its refs are in the reftable format\n"
                       "convert them with git refs migrate --ref-format=files",
                       where);
    if (status == GIT_ENOTFOUND)
        return rb_git_explain_absence(dir, rb_git_env("GIT_DIR"), err);
    return rb_fail(err, RB_ERROR, "cannot open the repository at %s: %s", where, why);
}

/* libgit2 only checks that HEAD exists; git refuses a repository whose HEAD it cannot read. */
static enum rb_code check_head(const rb_repo *repo, const char *dir, rb_err *err)
{
    git_reference *head = NULL;
    int status = git_reference_lookup(&head, repo->repo, "HEAD");
    git_reference_free(head);
    if (status == 0)
        return RB_OK;
    RB_AUTO(rb_free_str) char *where = rb_safe(dir);
    RB_AUTO(rb_free_str) char *why = rb_git_message();
    return rb_fail(err, RB_ERROR,
                   "cannot open the repository at %s: its HEAD is broken (%s)\nit should name a "
                   "branch: ref: refs/heads/main",
                   where, why);
}

/* True for a git folder without core.bare. git treats it as bare if it is entered directly; libgit2
 * would take the folder above it for the work tree. */
static bool looks_bare(git_repository *repo)
{
    RB_AUTO(rb_free_str) char *dir = without_slash(git_repository_path(repo));
    RB_AUTO(rb_free_str) char *common = without_slash(git_repository_commondir(repo));
    RB_AUTO(rb_free_str) char *worktree = without_slash(git_repository_workdir(repo));
    RB_AUTO(rb_free_str) char *above = rb_path_dir(dir);
    const char *name = strrchr(dir, '/');
    git_config *config = NULL;
    git_config_entry *entry = NULL;
    bool said = git_repository_config_snapshot(&config, repo) == 0 &&
                (git_config_get_entry(&entry, config, "core.bare") == 0 ||
                 git_config_get_entry(&entry, config, "core.worktree") == 0);
    git_config_entry_free(entry);
    git_config_free(config);
    return !said && strcmp(dir, common) == 0 && strcmp(above, worktree) == 0 &&
           (!name || strcmp(name, "/.git") != 0);
}

static enum rb_code find_dirs(rb_repo *repo, rb_err *err)
{
    repo->common = without_slash(git_repository_commondir(repo->repo));
    const char *common = rb_git_env("GIT_COMMON_DIR");
    if (common) {
        RB_AUTO(rb_free_str) char *joined = rb_path_join(repo->dir, common);
        char *a = realpath(joined, NULL);
        char *b = realpath(repo->common, NULL);
        bool same = a && b && strcmp(a, b) == 0;
        free(a);
        free(b);
        if (!same)
            return rb_fail(err, RB_ERROR,
                           "GIT_COMMON_DIR is %s, but the repository's common folder is %s\nunset "
                           "it",
                           common, repo->common);
    }
    const char *worktree = rb_git_env("GIT_WORK_TREE");
    const char *found = git_repository_workdir(repo->repo);
    if (worktree) {
        RB_AUTO(rb_free_str) char *joined = rb_path_join(repo->dir, worktree);
        char *full = realpath(joined, NULL);
        if (!full)
            return rb_fail_errno(err, RB_ERROR, "cannot find GIT_WORK_TREE %s", worktree);
        repo->workdir = rb_strdup(full);
        free(full);
    } else if (found && !looks_bare(repo->repo)) {
        repo->workdir = without_slash(found);
    }
    return RB_OK;
}

enum rb_code rb_repo_open(rb_repo **out, const char *dir, rb_err *err)
{
    pthread_once(&started, start);
    RB_AUTO(rb_repo_closep) rb_repo *repo = rb_calloc(1, sizeof *repo);
    repo->dir = rb_strdup(dir);
    RB_TRY(check_files(dir, err));
    int status = open_as_git(&repo->repo, dir);
    if (is_owner_refusal(status))
        status = open_if_git_trusts(&repo->repo, dir);
    if (status != 0)
        return explain_open(status, dir, err);
    RB_TRY(rb_git_check_refs(git_repository_path(repo->repo), git_repository_commondir(repo->repo),
                             err));
    RB_TRY(check_head(repo, dir, err));
    RB_TRY(find_dirs(repo, err));
    RB_TRY(rb_git_odb_open(repo, err));
    *out = RB_TAKE(repo);
    return RB_OK;
}

void rb_repo_close(rb_repo *repo)
{
    if (!repo)
        return;
    for (size_t i = 0; i < repo->setting_count; i++) {
        free(repo->settings[i].key);
        free(repo->settings[i].value);
    }
    free(repo->settings);
    rb_git_odb_close(repo);
    git_repository_free(repo->repo);
    free(repo->dir);
    free(repo->common);
    free(repo->workdir);
    free(repo);
}

const char *rb_repo_common_dir(const rb_repo *repo)
{
    return repo->common;
}

const char *rb_repo_workdir(const rb_repo *repo)
{
    return repo->workdir;
}

char *rb_repo_pathspec(const char *path)
{
    return rb_format(":(top,literal)%s", strcmp(path, ".") == 0 ? "" : path);
}
