/*
 * Files of the host that a transition overwrites or removes, kept until it has ended: content,
 * mode, owner, and the symlink where there was one. They lie below ROOT/.rbtool/backups/ID/files,
 * each with a note of the path it came from, so that an undo needs no settings: those may have
 * changed since.
 *
 * Order of calls: rb_kept_save() before the first change to a path, rb_kept_restore() any number of
 * times, rb_kept_drop() when the transition has ended.
 */
#ifndef RB_TRANSITION_HOST_FILE_BACKUP_H
#define RB_TRANSITION_HOST_FILE_BACKUP_H

#include <stdbool.h>

#include "base/json.h"

/* Backs up the file at `path` for `transition`, with mode, owner and symlink target. Does nothing
 * if it is backed up already, so that a retry cannot save what the first attempt wrote. Fails with
 * RB_ERROR above 64 MiB. `part`, a plain word, groups files for rb_kept_restore(). */
enum rb_code rb_kept_save(const char *root, const char *transition, const char *part,
                          const char *path, rb_err *err) RB_MUST_USE;
enum rb_code rb_kept_restore(const char *root, const char *transition, const char *part,
                             rb_err *err) RB_MUST_USE;
enum rb_code rb_kept_drop(const char *root, const char *transition, rb_err *err) RB_MUST_USE;
/* The same with its back-outs: of a transition that came to nothing. */
enum rb_code rb_kept_drop_all(const char *root, const char *transition, rb_err *err) RB_MUST_USE;

/*
 * The operator's own: what transition kept of path, from now on kept beside all transitions, in
 * place of what was there of that path; nothing where it had kept none. It is given back, any
 * number of times, by whatever removes the file that has taken its place.
 */
enum rb_code rb_kept_own(const char *root, const char *transition, const char *part,
                         const char *path, rb_err *err) RB_MUST_USE;
bool rb_kept_has_own(const char *root, const char *part, const char *path);
/* Writes what rb_kept_give_back() will restore beside `path` (base/staged.h), and records that it
 * is restored, so that only a rename is left. */
enum rb_code rb_kept_stage_own(const char *root, const char *part, const char *path,
                               rb_err *err) RB_MUST_USE;
enum rb_code rb_kept_give_back(const char *root, const char *part, const char *path,
                               rb_err *err) RB_MUST_USE;
/* Was that given back, and has it this SHA-256? */
bool rb_kept_was_given_back(const char *root, const char *part, const char *path,
                            const char *sha256);

/* Where the content of path is, if transition kept any. */
char *rb_kept_path(const char *root, const char *transition, const char *part, const char *path);

#endif
