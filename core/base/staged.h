/*
 * A file that will replace another, written and synced beside it beforehand, so that what is left
 * is one rename: no full disk, quota or read-only folder can stop that.
 *
 * rb_file_stage() any number of times, then rb_file_put_staged() with the same bytes, or
 * rb_file_unstage(). The staged file is ".NAME.rbtool" in the folder of the file that is replaced.
 * Folders may belong to another user (rb_file_folder()); mode and owner are as for
 * rb_file_deliver().
 */
#ifndef RB_BASE_STAGED_H
#define RB_BASE_STAGED_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

/* Does nothing where path holds the data already, with that mode. */
enum rb_code rb_file_stage(const char *path, const void *data, size_t len, mode_t fresh,
                           mode_t fixed, rb_err *err) RB_MUST_USE;
/* One that is not staged, or was changed since, is written with rb_file_deliver(). */
enum rb_code rb_file_put_staged(const char *path, const void *data, size_t len, mode_t fresh,
                                mode_t fixed, rb_err *err) RB_MUST_USE;
void rb_file_unstage(const char *path); /* absent is fine */

/* Why a file at path could not be replaced or removed, as the end of a sentence; NULL: it could. */
const char *rb_file_pinned(const char *path);

#endif
