/*
 * Files and paths. Paths are bytes, '/' separates. What is written is on disk when the call
 * returns: files are synced before they get their name, and the folder after. A path below an
 * anchor (anchor.h) is resolved from the anchor's descriptor, and no symlink is followed there.
 */
#ifndef RB_BASE_FILE_H
#define RB_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/buf.h"

/* Reads a whole regular file. More than limit bytes is an error. */
enum rb_code rb_file_read(rb_buf *out, const char *path, size_t limit, rb_err *err) RB_MUST_USE;

/* The same of a file that only rbtool writes: a symlink, and one that is not our own, is an error.
 */
enum rb_code rb_file_read_own(rb_buf *out, const char *path, size_t limit, rb_err *err) RB_MUST_USE;

/* Root's or the effective user's: nobody else could have put it there. */
bool rb_file_is_own(const struct stat *st);

/*
 * The folder of path, open for the *at() calls (close it), and the name in it (free it), which need
 * not be there. A folder on the way may belong to somebody else, who may put anything into it at
 * any time: only symlinks of our own are followed, and through: one at path itself, too.
 */
enum rb_code rb_file_folder(int *dir, char **name, const char *path, bool through,
                            rb_err *err) RB_MUST_USE;

/* Writes beside the target and renames over it. A symlink at path is replaced, not followed. */
enum rb_code rb_file_write(const char *path, const void *data, size_t len, mode_t mode,
                           rb_err *err) RB_MUST_USE;

/* The same where folders may belong to somebody else (rb_file_folder), with that owner: the file
 * never has another one under its name. */
enum rb_code rb_file_write_as(const char *path, const void *data, size_t len, mode_t mode,
                              uid_t user, gid_t group, rb_err *err) RB_MUST_USE;

/* Reads likewise, through symlinks of our own; st is of what was read, st_nlink 0 where there is
 * none. */
enum rb_code rb_file_load(rb_buf *out, struct stat *st, const char *path, size_t limit,
                          rb_err *err) RB_MUST_USE;

/* As rb_file_write() over a file that somebody else set up: its mode and owner are kept (0644 and
 * ours when there is none), and where path is a symlink of our own, the file it points to is
 * replaced. One that holds the data already is left alone, and synced. */
enum rb_code rb_file_replace(const char *path, const void *data, size_t len,
                             rb_err *err) RB_MUST_USE;

/* The same, for a file whose permissions are chosen: fresh are those of a new file; fixed, unless
 * 0, those that the file has afterwards in any case. The umask does not count. */
enum rb_code rb_file_deliver(const char *path, const void *data, size_t len, mode_t fresh,
                             mode_t fixed, rb_err *err) RB_MUST_USE;

/*
 * A new file in a folder, until it gets its name or goes: its descriptor, or -1 with errno set.
 * While that is open nobody takes the file for one that a killed process left behind; those
 * rb_dir_tidy() removes, as far as it may.
 */
int rb_file_temporary(char **path, const char *dir);
void rb_dir_tidy(const char *path);

/* Absent is fine; the folders as for rb_file_write_as(). */
enum rb_code rb_file_remove(const char *path, rb_err *err) RB_MUST_USE;

/* False only where nothing is there. A dangling symlink exists, and what may not be looked at is
 * taken to: whoever then opens it is told why not. */
bool rb_file_exists(const char *path);

enum rb_code rb_dir_make(const char *path, rb_err *err) RB_MUST_USE; /* as mkdir -p, synced */
/* The same, and the folders that it creates get this mode whatever the umask. */
enum rb_code rb_dir_make_as(const char *path, mode_t mode, rb_err *err) RB_MUST_USE;
enum rb_code rb_dir_remove(const char *path,
                           rb_err *err) RB_MUST_USE; /* as rm -rf; absent is fine */
/* Remove a folder if nothing is in it; whether that was done. */
bool rb_dir_remove_empty(const char *path);
enum rb_code rb_dir_sync(const char *path, rb_err *err) RB_MUST_USE;

/* Names in a folder, sorted bytewise, without "." and "..". Absent: empty. */
enum rb_code rb_dir_list(rb_strs *out, const char *path, rb_err *err) RB_MUST_USE;

/* Makes link point to target by one rename, synced; the folders as for rb_file_write_as(). */
enum rb_code rb_link_switch(const char *link, const char *target, rb_err *err) RB_MUST_USE;
/* *out is NULL when there is no symlink at path. */
enum rb_code rb_link_read(char **out, const char *path, rb_err *err) RB_MUST_USE;

/* The same where folders may belong to somebody else: a symlink that is not our own is an error. */
enum rb_code rb_link_read_own(char **out, const char *path, rb_err *err) RB_MUST_USE;

enum rb_code rb_file_rename(const char *from, const char *to, rb_err *err) RB_MUST_USE; /* synced */

char *rb_path_join(const char *dir, const char *name); /* an absolute name wins */
/*
 * The path of the absolute `path` without symlinks and "..", as far as it exists; the rest stays as
 * it is. visit: NULL, or called with the place of every symlink before it is followed.
 */
typedef void rb_path_visit(void *context, const char *at);
char *rb_path_resolve(const char *path, rb_path_visit *visit, void *context);
char *rb_path_dir(const char *path); /* the part before the last '/', or "." */

/*
 * A path that may be written below a folder: relative, no empty, "." or ".." component, and no
 * component that is ".git" in the spellings that file systems fold to it (git's verify_path).
 */
bool rb_path_is_safe(const char *path, size_t len);

/*
 * True if `name` can be the name of a release: a tag by the rules of git-check-ref-format(1) (no
 * component is empty, "..", begins with a dot or holds a control character or a backslash), each
 * component short enough for a file of that name with a suffix. It does not begin with "-" and
 * holds nothing that a shell interprets, because messages name commands to paste with it. Checked
 * before a name becomes a path.
 */
#define RB_TAG_COMPONENT_LIMIT 250 /* bytes: NAME_MAX without ".lock" or ".json" */
#define RB_TAG_NAME_LIMIT 1000     /* bytes: libgit2 takes refs of 1024 */
#define RB_TAG_NAME_WORDS                                                                          \
    "a name that git accepts for a tag, at most 250 bytes between slashes and 1000 in all, "       \
    "without "                                                                                     \
    "a \"-\" in front or any of !\"#$&'();<>`{|}"
bool rb_path_is_tag(const char *name);

/*
 * Match a path against a glob. Each name between slashes is matched by fnmatch(3): '*', '?' and
 * "[a-z]" do not match a slash or a dot at the start of a name. A name "**" matches any number of
 * names, also with dots; at the end of the glob at least one. A path with a slash at its end is a
 * folder itself: it matches a glob that ends with "**" if everything below it does.
 */
bool rb_path_match(const char *pattern, const char *path);

#endif
