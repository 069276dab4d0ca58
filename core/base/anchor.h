/*
 * Anchors: folders that are opened and checked once, and whose descriptors lead to everything
 * below them from then on.
 *
 * The owner of a folder can exchange what is in it at any time. A process with more rights that
 * uses "ROOT/releases/TAG" as text resolves ROOT again with every call, and may find a symlink
 * there the second time. While ROOT/releases is an anchor, a path that begins with this text is
 * resolved from the descriptor instead: component by component, without following a symlink, and
 * never upwards.
 *
 * Order of calls: rb_anchor_hold() before the first use, rb_anchor_drop() after the last; both in
 * the thread that starts the others. rb_at_find() is for functions that take a path and make
 * *at() calls; callers of file.h need nothing of this. A path below no anchor stays as it is.
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
 * Open the folder `path` as an anchor. It must not be a symlink, must belong to root or the
 * effective user, and must not be writable by everybody. Does nothing if it is an anchor already.
 */
enum rb_code rb_anchor_hold(const char *path, rb_err *err);
/* Close the anchors that are `path` or lie below it. */
void rb_anchor_drop(const char *path);

/* Names a file for the *at() calls: the descriptor of its folder, or AT_FDCWD, and a name in it. */
typedef struct rb_at {
    int dir;
    char *name;
} rb_at;
#define RB_AT_NONE ((rb_at){.dir = -1})

/* Resolves `path`. Returns false and sets errno if a folder on the way is missing or is not a
 * folder. */
bool rb_at_find(rb_at *out, const char *path) RB_MUST_USE;
void rb_at_leave(rb_at *at);

/* open(2) and lstat(2) of a path that may lie below an anchor; there O_NOFOLLOW is implied. */
int rb_at_open(const char *path, int flags, mode_t mode);
int rb_at_look(struct stat *st, const char *path);

/*
 * A name of `path` for a library that opens files by name: it begins with /proc/self/fd/N where
 * the path lies below an anchor and /proc is mounted, and is a copy of `path` otherwise. The
 * folders below the anchor are not checked: everything in them is rbtool's own.
 */
char *rb_anchor_name(const char *path);

/* True if the file belongs to root or the effective user, so that no other user can have created
 * it. */
bool rb_file_is_own(const struct stat *st);

/*
 * Opens the folder of `path` for the *at() calls and returns the name of the file in it, which
 * need not exist. The caller closes *dir and frees *name. Another user may own a folder on the
 * way and may put anything into it at any time, so only symlinks of root or the effective user
 * are followed; `through`: at `path` itself, too.
 */
enum rb_code rb_file_folder(int *dir, char **name, const char *path, bool through, rb_err *err);

/* Reads a symlink's target, where folders may belong to another user; *out is NULL if `path` is not
 * a symlink. Fails with RB_ERROR if the
 * symlink belongs to another user. */
enum rb_code rb_link_read_own(char **out, const char *path, rb_err *err);

#endif
