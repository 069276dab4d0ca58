/*
 * What the files of this room share; no other room includes it, since it includes libgit2.
 */
#ifndef RB_GIT_INTERNAL_H
#define RB_GIT_INTERNAL_H

#include <git2.h>

#include "git/repository.h"
#include "git/tree.h"

/* How much of packs is mapped, and whether threads share what they free. sparing: at the price of a
 * tenth of the time. */
void rb_git_memory(bool sparing);

struct rb_setting {
    char *key;
    char *value;
};

struct rb_repo {
    git_repository *repo;
    git_odb *odb;
    struct rb_views *views; /* of its objects, for rb_git_read() */
    char *dir;              /* as given: where `git -C` runs */
    char *common;           /* shared by all work trees */
    char *workdir;
    bool settings_read;
    struct rb_setting *settings; /* in git's order: a later one wins */
    size_t setting_count;
};

const git_oid *rb_git_oid(const rb_oid *oid);
rb_oid rb_git_from(const git_oid *oid);

/* One of git's own variables, NULL when it is empty. */
const char *rb_git_env(const char *name);

/* libgit2's last message, made safe for one line; freed by the caller. */
char *rb_git_message(void);

/* Fails with why there is no repository at dir: git_dir (GIT_DIR, or NULL) or the nearest .git is
 * broken, and what it lacks, or there is none. */
enum rb_code rb_git_explain_absence(const char *dir, const char *git_dir, rb_err *err) RB_MUST_USE;

/* Fail where a file that libgit2 reads is a FIFO or a device: it would wait for that without end.
 * rb_git_check_files() comes before the repository is opened, rb_git_check_refs() after it. dir:
 * the repository's own folder; common: that of all its work trees. */
enum rb_code rb_git_check_files(const char *dir, rb_err *err) RB_MUST_USE;
enum rb_code rb_git_check_refs(const char *dir, const char *common, rb_err *err) RB_MUST_USE;

/* True for a clone that was cut off at some depth. */
bool rb_git_is_shallow(const rb_repo *repo);

/*
 * The error for an object that cannot be read: tells missing from corrupt by libgit2's status,
 * names what it is and the path it would have been ("" for none), and says what to fetch.
 */
enum rb_code rb_git_unreadable(const rb_repo *repo, int status, const char *kind, const rb_oid *oid,
                               const char *path, rb_err *err) RB_MUST_USE;

/* Opens the objects of a repository whose folders are known: repo->odb, and what reads them. */
enum rb_code rb_git_odb_open(rb_repo *repo, rb_err *err) RB_MUST_USE;
void rb_git_odb_close(rb_repo *repo);

/*
 * An object's bytes; checked: against its id. Past libgit2's own door, which hashes with its slow
 * SHA-1 and lets in one thread at a time. Objects that `git gc` or `git repack` moves in the
 * meantime are looked for once more. Any thread. Returns libgit2's status.
 */
struct rb_raw {
    git_odb_backend *backend; /* that allocated data */
    void *data;
    size_t len;
    git_object_t type;
};

int rb_git_read(struct rb_raw *out, const rb_repo *repo, const rb_oid *oid,
                bool checked) RB_MUST_USE;
void rb_git_raw_clear(struct rb_raw *raw);

/* Runs `git -C DIR args...` with input; out may be NULL. *status gets git's status, *said its
 * stderr in one safe line. An error only when git could not be run. */
enum rb_code rb_git_run(rb_buf *out, int *status, char **said, const rb_repo *repo,
                        const char *const *args, const void *input, size_t len,
                        rb_err *err) RB_MUST_USE;

typedef struct rb_git_result {
    int status;
    char *said; /* what it said of errors, in one safe line */
    rb_buf out;
} rb_git_result;

/* Runs git where it talks to a remote: it may ask on the terminal, and says things in English. */
enum rb_code rb_git_talk(rb_git_result *out, const rb_repo *repo, const char *const *args,
                         rb_err *err) RB_MUST_USE;
void rb_git_result_clear(rb_git_result *result);

/*
 * A tree, refused when it is malformed: names empty or with '/', out of order, twice, or an
 * unknown mode. path: of the tree itself, for messages.
 */
enum rb_code rb_git_tree(git_tree **out, const rb_repo *repo, const rb_oid *oid, const char *path,
                         rb_err *err) RB_MUST_USE;
enum rb_mode rb_git_mode(const git_tree_entry *entry);

/*
 * The entries that paths name (the whole tree when there are none), sorted so that what lies below
 * them comes in bytewise order of path: folders with '/' at the end, "" for the top. A path below
 * another is dropped.
 */
enum rb_code rb_git_roots(rb_tree_entries *out, rb_repo *repo, const rb_oid *tree,
                          const rb_strs *paths, rb_err *err) RB_MUST_USE;

/* Refuses a folder that is nested too deep. */
enum rb_code rb_git_depth(const rb_buf *path, int depth, rb_err *err) RB_MUST_USE;

void rb_git_entry_add(rb_tree_entries *entries, const char *path, const git_oid *oid,
                      enum rb_mode mode); /* copies */

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
