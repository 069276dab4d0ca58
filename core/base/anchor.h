/*
 * Anchors: folders that are opened and checked once. Paths below them are resolved from the open
 * descriptor.
 *
 * The owner of a folder can exchange what is in it at any time. A process with more rights that
 * uses "ROOT/releases/TAG" as text resolves ROOT again with every call, and may find a symlink
 * there the second time. While ROOT/releases is an anchor, a path that begins with this text is
 * resolved from the descriptor instead: component by component, without following a symlink, and
 * never upwards.
 *
 * Order of calls: rb_anchor_hold() before the first use, rb_anchor_drop() after the last; both in
 * the thread that starts the others. rb_at_find() is for functions that take a path and make *at()
 * calls. Callers of file.h do not call it. A path that is not below an anchor is resolved as usual.
 *
 * A path that cannot be resolved fails with the errno of openat(2): ELOOP or ENOTDIR where a
 * symlink is in the way, EINVAL for "..".
 */
#ifndef RB_BASE_ANCHOR_H
#define RB_BASE_ANCHOR_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/err.h"

/*
 * Opens the folder `path` as an anchor. Fails if it is a symlink, belongs to a user other than root
 * and the effective one, or is writable by everybody. Does nothing if it is an anchor already.
 */
enum rb_code rb_anchor_hold(const char *path, rb_err *err);
/* Closes the anchors that are `path` or lie below it. */
void rb_anchor_drop(const char *path);

/* A file as the *at() calls take it: the descriptor of its folder, or AT_FDCWD, and its name
 * there. */
typedef struct rb_at {
    int dir;
    char *name;
} rb_at;
#define RB_AT_NONE ((rb_at){.dir = -1})

/* Resolves `path`. Returns false and sets errno if a folder on the way is missing or is not a
 * folder. */
bool rb_at_find(rb_at *out, const char *path) RB_MUST_USE;
void rb_at_leave(rb_at *at);

/* Same as open(2) and lstat(2), for a path that may lie below an anchor. O_NOFOLLOW is always set
 * there. */
int rb_at_open(const char *path, int flags, mode_t mode);
int rb_at_look(struct stat *st, const char *path);

/*
 * Returns a path of the same file for a library that opens files by name, a new string. It begins
 * with /proc/self/fd/N if `path` lies below an anchor and /proc is mounted, and equals `path`
 * otherwise. Folders between the anchor and the file are not checked: they belong to rbtool.
 */
char *rb_anchor_name(const char *path);

/* True if the file belongs to root or the effective user, so that no other user can have created
 * it. */
bool rb_file_is_own(const struct stat *st);

/*
 * Opens the folder of `path` for the *at() calls and returns the name of the file in it, which need
 * not exist. The caller closes *dir and frees *name. Another user may own a folder on the way, so
 * only symlinks of root or the effective user are followed. If `through` is set, this includes a
 * symlink at `path` itself.
 */
enum rb_code rb_file_folder(int *dir, char **name, const char *path, bool through, rb_err *err);

/* Reads a symlink's target; other users may own folders on the path. *out is NULL if `path` is not
 * a symlink. Fails with RB_ERROR if the symlink belongs to another user. */
enum rb_code rb_link_read_own(char **out, const char *path, rb_err *err);

/* Closes a descriptor and sets it to -1, unless it is negative. Keeps errno. For RB_AUTO. */
void rb_close(int *fd);
/* Sets *fd to -1, and returns the descriptor for the caller to close later. */
int rb_take_fd(int *fd);

#endif
