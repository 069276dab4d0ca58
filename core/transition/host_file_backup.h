/*
 * Backs up files of the host that a transition overwrites or removes: content, mode, owner, and the
 * symlink where there was one. They lie below ROOT/.rbtool/backups/ID/files, each with a note of
 * the path it came from, so that an undo needs no settings: those may have changed since.
 *
 * Order of calls: rb_host_backup_save() before the first change to a path, rb_host_backup_restore()
 * any number of times, rb_host_backup_remove() when the transition has ended.
 */
#ifndef RB_TRANSITION_HOST_FILE_BACKUP_H
#define RB_TRANSITION_HOST_FILE_BACKUP_H

#include <stdbool.h>

#include "base/json.h"

/* Backs up the file at `path` for `transition`, with mode, owner and symlink target. Does nothing
 * if it is backed up already, so that a retry cannot save what the first attempt wrote. Fails with
 * RB_ERROR above 64 MiB. `part`, a plain word, groups files for rb_host_backup_restore(). */
enum rb_code rb_host_backup_save(const char *root, const char *transition, const char *part,
                                 const char *path, rb_err *err);
enum rb_code rb_host_backup_restore(const char *root, const char *transition, const char *part,
                                    rb_err *err);
/* databases: removes the transition's backups of databases, too. */
enum rb_code rb_host_backup_remove(const char *root, const char *transition, bool databases,
                                   rb_err *err);

/*
 * The operator's own file: what the transition backed up of `path` is also backed up for as long as
 * a release has a file there, in place of what was backed up of that path before; nothing if no
 * file existed. It is restored, any number of times, by the transition that removes the file in its
 * place.
 */
enum rb_code rb_host_backup_own(const char *root, const char *transition, const char *part,
                                const char *path, rb_err *err);
bool rb_host_backup_has_own(const char *root, const char *part, const char *path);
/* Writes what rb_host_backup_restore_own() will restore beside `path` (base/staged.h), and records
 * that it is restored, so that only a rename is left. */
enum rb_code rb_host_backup_stage_own(const char *root, const char *part, const char *path,
                                      rb_err *err);
enum rb_code rb_host_backup_restore_own(const char *root, const char *part, const char *path,
                                        rb_err *err);
/* True if it was restored and has this SHA-256. */
bool rb_host_backup_own_restored(const char *root, const char *part, const char *path,
                                 const char *sha256);

/* Returns the path of the content that the transition backed up, if it did. */
char *rb_host_backup_path(const char *root, const char *transition, const char *part,
                          const char *path);

#endif
