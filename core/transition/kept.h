/*
 * Files of the host that a transition overwrites or removes, kept until it has ended: content,
 * mode, owner, and the symlink where there was one. They lie below ROOT/.rbtool/backups/ID/files,
 * each with a note of the path it came from, so that an undo needs no settings: those may have
 * changed since.
 *
 * Order of calls: rb_kept_save() before the first change to a path, rb_kept_restore() any number of
 * times, rb_kept_drop() when the transition has ended.
 */
#ifndef RB_TRANSITION_KEPT_H
#define RB_TRANSITION_KEPT_H

#include "base/json.h"

/* Once a path: a second try must not keep what the first one wrote. At most 64 MiB a file. part is
 * a plain word; rb_kept_restore() puts back what was saved under it. */
enum rb_code rb_kept_save(const char *root, const char *transition, const char *part,
                          const char *path, rb_err *err) RB_MUST_USE;
enum rb_code rb_kept_restore(const char *root, const char *transition, const char *part,
                             rb_err *err) RB_MUST_USE;
enum rb_code rb_kept_drop(const char *root, const char *transition, rb_err *err) RB_MUST_USE;
/* The same with its back-outs: of a transition that came to nothing. */
enum rb_code rb_kept_drop_all(const char *root, const char *transition, rb_err *err) RB_MUST_USE;

#endif
