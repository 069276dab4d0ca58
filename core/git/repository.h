/*
 * A git repository, read through libgit2. Only this module includes libgit2.
 *
 * Replace refs and grafts are ignored. git's ownership check and its environment variables
 * (GIT_DIR, quarantine) apply. SHA-256 repositories and the reftable format are refused with an
 * error.
 *
 * Several threads may read blobs and trees of an rb_repo; only the thread that opened it may call
 * the other functions. The caller owns text results unless they are const.
 */
#ifndef RB_GIT_REPOSITORY_H
#define RB_GIT_REPOSITORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define RB_OID_SIZE 20
#define RB_OID_HEX 41

typedef struct rb_repo rb_repo;

/* A SHA-1 object id. */
typedef struct rb_oid {
    unsigned char id[RB_OID_SIZE];
} rb_oid;

void rb_oid_hex(const rb_oid *oid, char out[RB_OID_HEX]);
bool rb_oid_parse(rb_oid *out, const char *hex); /* exactly 40 lower-case digits */
bool rb_oid_equal(const rb_oid *a, const rb_oid *b);

/* Opens the repository that contains `dir`, found in the same way as git does. */
enum rb_code rb_repo_open(rb_repo **out, const char *dir, rb_err *err);
void rb_repo_close(rb_repo *repo);
RB_DEFINE_AUTO(rb_repo, rb_repo_close)

/* without '/' at the end; work trees share it */
const char *rb_repo_common_dir(const rb_repo *repo);
const char *rb_repo_workdir(const rb_repo *repo); /* NULL in a bare repository */

/* Resolves anything that git rev-parse accepts (v1.0, HEAD, main~2, an id) to a commit. */
enum rb_code rb_repo_commit(rb_oid *out, rb_repo *repo, const char *spec, rb_err *err);
enum rb_code rb_commit_tree(rb_oid *out, rb_repo *repo, const rb_oid *commit, rb_err *err);
/* Returns the commit time, in seconds since 1970. */
enum rb_code rb_commit_time(int64_t *out, rb_repo *repo, const rb_oid *commit, rb_err *err);
typedef struct rb_commit_summary {
    char *author;  /* "Name <email>" */
    char *subject; /* first paragraph of the message, as one line */
    int64_t time;  /* of the commit, in seconds since 1970 */
} rb_commit_summary;
enum rb_code rb_commit_summarize(rb_commit_summary *out, rb_repo *repo, const rb_oid *commit,
                                 rb_err *err);
void rb_commit_summary_clear(rb_commit_summary *summary);
/* Sets *out if `ancestor` can be reached from `commit` (a commit reaches itself). */
enum rb_code rb_commit_reaches(bool *out, rb_repo *repo, const rb_oid *commit,
                               const rb_oid *ancestor, rb_err *err);
/* Finds the best common ancestor. RB_FOUND if none exists, or a shallow clone lacks it. */
enum rb_code rb_commit_merge_base(rb_oid *out, rb_repo *repo, const rb_oid *a, const rb_oid *b,
                                  rb_err *err);
/*
 * Walks the commits that are reachable from `tip` but from none of hide[], newest first by time. If
 * hide[] is not empty, parents also come after their children. visit returns false to stop;
 * messages are raw bytes.
 */
typedef bool rb_commit_visit(void *context, const rb_oid *commit, const char *message);
enum rb_code rb_commit_walk(rb_repo *repo, const rb_oid *tip, const rb_oid *hide, size_t hides,
                            rb_commit_visit *visit, void *context, rb_err *err);

/*
 * Returns a setting of git, as `git config --null --list` prints it (libgit2 does not see -c and
 * GIT_CONFIG_*). The list is read once, on first use. The last value of a key counts; NULL if it is
 * not set. Borrowed. In keys, section and variable are in lower case.
 */
enum rb_code rb_repo_setting(const char **out, rb_repo *repo, const char *key, rb_err *err);
/* Same as rb_repo_setting() for true, yes, on, 1 and their opposites, as git reads them. */
enum rb_code rb_repo_setting_bool(bool *out, rb_repo *repo, const char *key, rb_err *err);
/* Adds all values of a key to out, in git's order. */
enum rb_code rb_repo_settings(rb_strs *out, rb_repo *repo, const char *key, rb_err *err);
/* Adds the subsections of a section in which a variable of that name is set, in git's order. */
enum rb_code rb_repo_subsections(rb_strs *out, rb_repo *repo, const char *section, const char *name,
                                 rb_err *err);
/* Same as rb_repo_setting() for a path: ~/ is expanded; a relative path starts at the top of the
 * work tree. */
enum rb_code rb_repo_setting_path(char **out, rb_repo *repo, const char *key, rb_err *err);
/* Adds all values of a key whose values are paths, in git's order. */
enum rb_code rb_repo_setting_paths(rb_strs *out, rb_repo *repo, const char *key, rb_err *err);

/* Returns the committer's identity and the time, "Name <email> seconds +hhmm", as `git var
 * GIT_COMMITTER_IDENT` does. */
enum rb_code rb_repo_committer(char **out, rb_repo *repo, rb_err *err);

/*
 * Finds out whether a path can arrive in a commit, so that it cannot be trusted as state of this
 * host. *top receives the work tree that contains `path`, or NULL.
 *
 * Checks the repository's own work tree, its linked ones, those of its submodules, and those of
 * repositories that have it as a submodule. Ignored files count as well; git's own folder does not.
 * `path` need not exist. A symlink on the path counts if it lies in a work tree, wherever it
 * points.
 *
 * *real, unless real is NULL, receives `path` without symlinks; use that from then on.
 */
void rb_repo_work_tree_of(char **top, char **real, const rb_repo *repo, const char *path);

/* Parses a date like `git log --since` ("yesterday", "2 weeks ago"). YYYY-MM-DD alone, today
 * and yesterday are midnight UTC. Returns INT64_MIN for NULL. */
enum rb_code rb_repo_since(int64_t *out, const rb_repo *repo, const char *text, rb_err *err);

/* Returns what git's commands call a literal path from the top of the tree; "." is all of it. A new
 * string. */
char *rb_repo_pathspec(const char *path);

/* Runs `git -C DIR args...` (args ends with NULL). A non-zero status is an error with git's
 * stderr. */
enum rb_code rb_repo_git(rb_buf *out, const rb_repo *repo, const char *const *args, rb_err *err);
/* Same as rb_repo_git(), with text on git's standard input, for lists that are too long for a
 * command line. */
enum rb_code rb_repo_git_with(rb_buf *out, const rb_repo *repo, const char *const *args,
                              const rb_buf *input, rb_err *err);

#endif
