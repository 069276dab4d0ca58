/*
 * A file that will replace another, written and synced beside it beforehand, so that what is left
 * is one rename: no full disk, quota or read-only folder can stop that.
 *
 * rb_file_stage() any number of times, then rb_file_put_staged() with the same bytes, or
 * rb_file_unstage(). The staged file is ".NAME.rbtool" in the folder of the file that is replaced.
 * Folders may belong to another user (rb_file_folder()).
 */
#ifndef RB_BASE_STAGED_H
#define RB_BASE_STAGED_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

/* Permissions and owner of a file. An existing file keeps its owner, and its permissions unless
 * `fixed` is set. */
typedef struct rb_file_access {
    mode_t fresh; /* permissions of a new file */
    mode_t fixed; /* of the file in any case; 0: not set */
    uid_t user;   /* owner of a new file */
    gid_t group;
} rb_file_access;

/* Stages the data. Does nothing if the file at `path` holds it already, with that mode. */
enum rb_code rb_file_stage(const char *path, const void *data, size_t len,
                           const rb_file_access *access, rb_err *err);
/* Renames the staged file to `path`. Writes the data first if it was not staged or was changed
 * since. */
enum rb_code rb_file_put_staged(const char *path, const void *data, size_t len,
                                const rb_file_access *access, rb_err *err);
void rb_file_unstage(const char *path); /* absent is fine */

/* Returns why a file at `path` could not be replaced or removed, as the end of a sentence; NULL if
 * it could. */
const char *rb_file_pinned(const char *path);

#endif
