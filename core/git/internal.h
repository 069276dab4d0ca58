/*
 * Functions and types that the files of core/git share. No other module may include this file,
 * because it includes libgit2.
 */
#ifndef RB_GIT_INTERNAL_H
#define RB_GIT_INTERNAL_H

#include <git2.h>

#include "git/repository.h"
#include "git/tree.h"

/* Limits how much of the packs is mapped and how much freed memory is retained. sparing: half as
 * much or less, at the cost of a tenth of the time. */
void rb_git_memory(bool sparing);

struct rb_setting {
    char *key;
    char *value;
};

struct rb_repo {
    git_repository *repo;
    git_odb *odb;
    struct rb_views *views; /* views of the object database, for rb_git_read() */
    char *dir;              /* as the caller gave it; git runs there (`git -C`) */
    char *common;           /* git's folder that all work trees share */
    char *workdir;
    bool settings_read;
    struct rb_setting *settings; /* in git's order: the last one of a key counts */
    size_t setting_count;
};

const git_oid *rb_git_oid(const rb_oid *oid);
rb_oid rb_git_from(const git_oid *oid);

/* Returns a variable of git's environment; NULL if it is unset or empty. */
const char *rb_git_env(const char *name);

/* Returns libgit2's last message, made safe for one line of a terminal. The caller frees it. */
char *rb_git_message(void);

/* Fails with the reason why no repository is at `dir`: none exists, or git_dir (GIT_DIR, or NULL)
 * or the nearest .git is broken, and what it lacks. */
enum rb_code rb_git_explain_absence(const char *dir, const char *git_dir, rb_err *err);

/* Fail if a file that libgit2 reads is a FIFO or a device: libgit2 would block on it for ever. Call
 * rb_git_check_files() before the repository is opened and rb_git_check_refs() after. dir: git's
 * folder of this work tree; common: git's folder that all work trees share. */
enum rb_code rb_git_check_files(const char *dir, rb_err *err);
enum rb_code rb_git_check_refs(const char *dir, const char *common, rb_err *err);

/* True if the repository is a shallow clone. */
bool rb_git_is_shallow(const rb_repo *repo);

/*
 * Reports an object that cannot be read. Distinguishes missing from corrupt by libgit2's status,
 * names the object and its path ("" for none), and says what to fetch.
 */
enum rb_code rb_git_unreadable(const rb_repo *repo, int status, const char *kind, const rb_oid *oid,
                               const char *path, rb_err *err);

/* Opens the object database of a repository whose folders are set, and the first view of it. */
enum rb_code rb_git_odb_open(rb_repo *repo, rb_err *err);
void rb_git_odb_close(rb_repo *repo);

/* The bytes of an object, read by rb_git_read(). */
struct rb_raw {
    git_odb_backend *backend; /* the backend that allocated data */
    void *data;
    size_t len;
    git_object_t type;
};

/*
 * Reads an object's bytes; checked: verifies them against the id. Bypasses git_odb_read(), which
 * hashes with a slow SHA-1 and serialises threads. Also finds objects that `git gc` or `git repack`
 * has moved meanwhile. May be called from any thread. Returns libgit2's status.
 */
int rb_git_read(struct rb_raw *out, const rb_repo *repo, const rb_oid *oid,
                bool checked) RB_MUST_USE;
/* Finds the size of an object, in the packs and folders that rb_git_read() looks at first. May be
 * called from any thread. Returns libgit2's status. */
int rb_git_size(size_t *out, const rb_repo *repo, const rb_oid *oid) RB_MUST_USE;
void rb_git_raw_clear(struct rb_raw *raw);

/* Runs `git -C DIR args...` with input; `out` may be NULL. *status is git's exit status, *said its
 * stderr as one safe line. Fails only if git could not be run. */
enum rb_code rb_git_run(rb_buf *out, int *status, char **said, const rb_repo *repo,
                        const char *const *args, const void *input, size_t len, rb_err *err);

typedef struct rb_git_result {
    int status;
    char *said; /* standard error of git, as one safe line */
    rb_buf out;
} rb_git_result;

/* Runs a git command that talks to a remote. It may ask on the terminal; its messages are
 * English. */
enum rb_code rb_git_talk(rb_git_result *out, const rb_repo *repo, const char *const *args,
                         rb_err *err);
void rb_git_result_clear(rb_git_result *result);

/*
 * Reads a tree. Refuses a malformed one: empty names, names with '/', wrong order, duplicates, or
 * an unknown mode. path: the tree's path, for messages.
 */
enum rb_code rb_git_tree(git_tree **out, const rb_repo *repo, const rb_oid *oid, const char *path,
                         rb_err *err);
enum rb_mode rb_git_mode(const git_tree_entry *entry);

/*
 * Finds the entries that `paths` name (the whole tree if there are none), and drops a path that
 * lies below another. Folders have '/' at the end; the top is "". The order is such that listing
 * them one after the other gives all files in bytewise order of path.
 */
enum rb_code rb_git_roots(rb_tree_entries *out, rb_repo *repo, const rb_oid *tree,
                          const rb_strs *paths, rb_err *err);

/* Fails with RB_ERROR if folders are nested too deep. */
enum rb_code rb_git_depth(const rb_buf *path, int depth, rb_err *err);

/* Adds an entry with copies of path and id. */
void rb_git_entry_add(rb_tree_entries *entries, const char *path, const git_oid *oid,
                      enum rb_mode mode);

static inline void rb_git_tree_freep(git_tree **p)
{
    git_tree_free(*p);
}

static inline void rb_git_object_freep(git_object **p)
{
    git_object_free(*p);
}

static inline void rb_git_odb_object_freep(git_odb_object **p)
{
    git_odb_object_free(*p);
}

#endif
