/* Finds out why a repository could not be opened, or an object not be read. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "git/internal.h"

#define GITFILE_LIMIT (1u << 16) /* bytes of a ".git" file */

/* Returns what a folder lacks to be a git repository, for messages; NULL if it lacks nothing. */
static const char *find_lack(const char *dir)
{
    static const char *const names[] = {"HEAD", "objects", "refs"};
    RB_AUTO(rb_free_str) char *linked = rb_path_join(dir, "commondir");
    bool is_worktree = rb_file_exists(linked);
    for (size_t i = 0; i < (is_worktree ? 1 : sizeof names / sizeof *names); i++) {
        RB_AUTO(rb_free_str) char *path = rb_path_join(dir, names[i]);
        if (!rb_file_exists(path))
            return names[i];
    }
    return NULL;
}

/* Returns the folder that a ".git" file names; NULL if `path` is not such a file. */
static char *linked_dir(const char *path)
{
    static const char key[] = "gitdir: ";
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    if (rb_file_read(&text, path, GITFILE_LIMIT, RB_IGNORED) != RB_OK ||
        strncmp(rb_buf_str(&text), key, strlen(key)) != 0)
        return NULL;
    RB_AUTO(rb_free_str) char *above = rb_path_dir(path);
    RB_AUTO(rb_free_str) char *named = rb_strdup(text.data + strlen(key));
    named[strcspn(named, "\r\n")] = '\0';
    return rb_path_join(above, named);
}

/* Explains why an existing `path` (a .git, or what GIT_DIR names) is not usable. */
static enum rb_code explain_broken(const char *path, rb_err *err)
{
    RB_AUTO(rb_free_str) char *safe = rb_safe(path);
    RB_AUTO(rb_free_str) char *named = linked_dir(path);
    RB_AUTO(rb_free_str) char *target = named ? rb_safe(named) : NULL;
    if (named && !rb_file_exists(named))
        return rb_fail(
            err, RB_ERROR,
            "cannot open the repository at %s: it names %s, which is not there\nput that "
            "back, or make the link again (git worktree repair, git submodule update)",
            safe, target);
    const char *lack = find_lack(named ? named : path);
    return rb_fail(err, RB_ERROR,
                   "cannot open the repository at %s: it is broken, %s%s\nbring that back from a "
                   "backup or another clone",
                   named ? target : safe, lack ? "it has no " : "git would not take it either",
                   lack ? lack : "");
}

/* Returns the nearest .git in dir or in a folder above it; NULL if there is none. */
static char *nearest_git(const char *dir)
{
    char *full = realpath(dir, NULL);
    RB_AUTO(rb_free_str) char *at = full ? rb_strdup(full) : NULL;
    free(full);
    while (at) {
        char *path = rb_path_join(at, ".git");
        if (rb_file_exists(path))
            return path;
        free(path);
        if (strcmp(at, "/") == 0)
            break;
        char *above = rb_path_dir(at);
        free(at);
        at = above;
    }
    return NULL;
}

/* Distinguishes a repository that does not exist from a broken one. */
enum rb_code rb_git_explain_absence(const char *dir, const char *named, rb_err *err)
{
    RB_AUTO(rb_free_str) char *path = named ? rb_path_join(dir, named) : nearest_git(dir);
    RB_AUTO(rb_free_str) char *safe = rb_safe(named ? named : dir);
    if (path && rb_file_exists(path))
        return explain_broken(path, err);
    if (named)
        return rb_fail(err, RB_ERROR,
                       "no git repository at %s, which GIT_DIR names\nunset it, or name another",
                       safe);
    return rb_fail(err, RB_ERROR,
                   "no git repository at %s or above\nrun this inside one, or name it with -C",
                   safe);
}

bool rb_git_is_shallow(const rb_repo *repo)
{
    return git_repository_is_shallow(repo->repo) == 1;
}

/* True for a partial clone. git marks the remote; older versions set an extension. Does not use
 * libgit2's search by pattern, which leaks memory in 1.5. */
static bool is_partial(const rb_repo *repo)
{
    static const char promisor[] = ".promisor";
    git_config *config = NULL;
    git_config_iterator *iterator = NULL;
    git_config_entry *entry = NULL;
    bool partial = false;
    if (git_repository_config_snapshot(&config, repo->repo) == 0 &&
        git_config_iterator_new(&iterator, config) == 0)
        while (git_config_next(&entry, iterator) == 0) {
            size_t len = strlen(entry->name);
            partial = partial || strcmp(entry->name, "extensions.partialclone") == 0 ||
                      (strncmp(entry->name, "remote.", 7) == 0 && len > sizeof promisor &&
                       strcmp(entry->name + len - sizeof promisor + 1, promisor) == 0);
        }
    git_config_iterator_free(iterator);
    git_config_free(config);
    return partial;
}

enum rb_code rb_git_unreadable(const rb_repo *repo, int status, const char *kind, const rb_oid *oid,
                               const char *path, rb_err *err)
{
    char hex[RB_OID_HEX];
    rb_oid_hex(oid, hex);
    RB_AUTO(rb_free_str) char *why = rb_git_message();
    RB_AUTO(rb_free_str) char *safe = rb_safe(path);
    RB_AUTO(rb_free_str) char *at = *safe ? rb_format(" (%s)", safe) : rb_strdup("");
    if (status != GIT_ENOTFOUND)
        return rb_fail(err, RB_ERROR,
                       "cannot read %s %s%s: the object is corrupt (%s)\nrun git fsck, and bring "
                       "it back from another clone",
                       kind, hex, at, why);
    if (is_partial(repo))
        return rb_fail(err, RB_ERROR,
                       "cannot read %s %s%s: it is not in this partial clone\nrun git fetch "
                       "--refetch --no-filter",
                       kind, hex, at);
    if (rb_git_is_shallow(repo))
        return rb_fail(err, RB_ERROR,
                       "cannot read %s %s%s: it is not in this shallow clone\nrun git fetch "
                       "--unshallow --tags",
                       kind, hex, at);
    return rb_fail(err, RB_ERROR,
                   "cannot read %s %s%s: the object is missing\nrun git fetch --tags, or git fsck "
                   "and bring it back from another clone",
                   kind, hex, at);
}
