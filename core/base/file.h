/*
 * Files and paths.
 *
 * Paths are bytes, separated by '/'. Data is on disk when a writing call returns: the file is
 * synced before the rename to its name, and the folder after. A path below an anchor (anchor.h) is
 * resolved from the anchor's descriptor, and no symlink is followed there.
 */
#ifndef RB_BASE_FILE_H
#define RB_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/anchor.h"
#include "base/buf.h"

/* Reads a whole regular file. Fails with RB_ERROR if it has more than `limit` bytes. */
enum rb_code rb_file_read(rb_buf *out, const char *path, size_t limit, rb_err *err);

/* Same as rb_file_read(), for a file that only rbtool writes. Fails with RB_ERROR if it is a
 * symlink or belongs to another user. */
enum rb_code rb_file_read_own(rb_buf *out, const char *path, size_t limit, rb_err *err);

/* Writes all bytes with write(2). Returns false with errno set if that fails. */
bool rb_file_write_all(int fd, const void *data, size_t len);

/* Writes a temporary file beside the target and renames it over the target. A symlink at `path` is
 * replaced, not followed. */
enum rb_code rb_file_write(const char *path, const void *data, size_t len, mode_t mode,
                           rb_err *err);

/* Same as rb_file_write(), where other users may own folders on the path (see rb_file_folder()).
 * The file has its owner before it gets its name. */
enum rb_code rb_file_write_as(const char *path, const void *data, size_t len, mode_t mode,
                              uid_t user, gid_t group, rb_err *err);

/* Reads a file in such a folder. Follows symlinks of root or the effective user. *st describes the
 * file that was read; st_nlink is 0 if the file does not exist. */
enum rb_code rb_file_load(rb_buf *out, struct stat *st, const char *path, size_t limit,
                          rb_err *err);

/* Replaces the content of a file that an administrator set up; its mode and owner stay. A new file
 * gets 0644 and this process's user. If `path` is a symlink of root or the effective user, replaces
 * the file that it points to. A file that holds the data already is only synced. */
enum rb_code rb_file_replace(const char *path, const void *data, size_t len, rb_err *err);

/* Same as rb_file_replace(), with permissions: `fresh` for a new file; `fixed`, unless 0, for an
 * existing one, too. The umask does not apply. */
enum rb_code rb_file_deliver(const char *path, const void *data, size_t len, mode_t fresh,
                             mode_t fixed, rb_err *err);

/*
 * Creates a temporary file in a folder, to be renamed or removed. Returns its descriptor, or -1
 * with errno set. The caller owns *path. While the descriptor is open, rb_dir_tidy() does not
 * remove the file.
 */
int rb_file_temporary(char **path, const char *dir);
void rb_dir_tidy(const char *path);

/* Removes a file, if it exists. Other users may own folders on the path (see rb_file_folder()). */
enum rb_code rb_file_remove(const char *path, rb_err *err);

/* False only if nothing exists at `path`. True for a dangling symlink, and for a path that cannot
 * be inspected: the later open reports the reason. */
bool rb_file_exists(const char *path);

enum rb_code rb_dir_make(const char *path, rb_err *err); /* as mkdir -p, synced */
/* Same as rb_dir_make(), but a folder that it creates gets this mode; the umask does not apply. */
enum rb_code rb_dir_make_as(const char *path, mode_t mode, rb_err *err);
/* Removes a folder with its content, like rm -rf. A missing folder is not an error. */
enum rb_code rb_dir_remove(const char *path, rb_err *err);
/* Removes a folder if it is empty; returns whether it did. */
bool rb_dir_remove_empty(const char *path);
enum rb_code rb_dir_sync(const char *path, rb_err *err);

/* Lists the names in a folder, sorted bytewise, without "." and "..". An absent folder has none. */
enum rb_code rb_dir_list(rb_strs *out, const char *path, rb_err *err);

/* Makes the symlink `link` point to `target` with one rename, synced. Other users may own folders
 * on the path (see rb_file_folder()). */
enum rb_code rb_link_switch(const char *link, const char *target, rb_err *err);
/* Reads a symlink's target; *out is NULL if `path` is not a symlink. */
enum rb_code rb_link_read(char **out, const char *path, rb_err *err);

/* Renames a file and syncs the folder. */
enum rb_code rb_file_rename(const char *from, const char *to, rb_err *err);

char *rb_path_join(const char *dir, const char *name); /* returns `name` itself if it is absolute */
/*
 * Resolves symlinks and ".." in the absolute `path` as far as it exists; the rest is kept. If visit
 * is not NULL, it is called with the path of every symlink before it is followed.
 */
typedef void rb_path_visit(void *context, const char *at);
char *rb_path_resolve(const char *path, rb_path_visit *visit, void *context);
char *rb_path_dir(const char *path); /* the part before the last '/', or "." */

/*
 * True if the path may be written below a folder: it is relative, without empty, "." and ".."
 * components, and without a component that a file system could take for ".git" (git's verify_path).
 */
bool rb_path_is_safe(const char *path, size_t len);

/*
 * True if `name` can be the name of a release:
 *
 * - a tag by the rules of git-check-ref-format(1): a component is not empty, does not begin with a
 *   dot, and holds no "..", control character or backslash;
 * - short enough for files that have the name and a suffix;
 * - not beginning with "-" and without shell metacharacters, because hints contain it in commands.
 *
 * Call it before a name is used in a path.
 */
#define RB_TAG_COMPONENT_LIMIT 250 /* bytes: NAME_MAX without ".lock" or ".json" */
#define RB_TAG_NAME_LIMIT 1000     /* bytes: libgit2's limit for refs is 1024 */
#define RB_TAG_NAME_WORDS                                                                          \
    "a name that git accepts for a tag, at most 250 bytes between slashes and 1000 in all, "       \
    "without "                                                                                     \
    "a \"-\" in front or any of !\"#$&'();<>`{|}"
bool rb_path_is_tag(const char *name);

/*
 * Matches a path against a glob. Each component is matched by fnmatch(3): '*', '?' and "[a-z]" do
 * not match a slash, or a dot at the start of a component. A component "**" matches any number of
 * components, hidden ones included; at the end of the glob, at least one. A path that ends with a
 * slash is a folder: it matches a glob that ends with "**" if everything below it does.
 */
bool rb_path_match(const char *pattern, const char *path);

#endif
