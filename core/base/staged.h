/*
 * Stages the new content of a file: writes and syncs it beside the file, so that replacing the file
 * later takes one rename. A full disk, a quota or a read-only folder is then found early.
 *
 * Order of calls: rb_file_stage(), repeated at will, then rb_file_put_staged() with the same bytes,
 * or rb_file_unstage(). The staged file is ".NAME.rbtool" in the folder of the file to be replaced.
 * Other users may own folders on the path (see rb_file_folder()).
 */
#ifndef RB_BASE_STAGED_H
#define RB_BASE_STAGED_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

/* Permissions and owner of a file. An existing file keeps its owner, and unless `fixed` is set, its
 * permissions. */
typedef struct rb_file_access {
    mode_t fresh; /* permissions of a new file */
    mode_t fixed; /* permissions of a new or existing file; 0: not set */
    uid_t user;   /* owner of a new file */
    gid_t group;
} rb_file_access;

/* Stages the data. Does nothing if the file at `path` holds the data already and has that mode. */
enum rb_code rb_file_stage(const char *path, const void *data, size_t len,
                           const rb_file_access *access, rb_err *err);
/* Renames the staged file to `path`. If it was not staged, or was changed since, writes the data
 * first. */
enum rb_code rb_file_put_staged(const char *path, const void *data, size_t len,
                                const rb_file_access *access, rb_err *err);
void rb_file_unstage(const char *path); /* a missing file is not an error */

/* Returns why the file at `path` could not be replaced or removed, as the end of a sentence; NULL
 * if it could be. */
const char *rb_file_pinned(const char *path);

#endif
