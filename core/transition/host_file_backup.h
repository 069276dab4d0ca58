/*
 * Backs up host files that a transition overwrites or removes: content, mode, owner and symlink
 * target. Backups are in ROOT/.rbtool/backups/ID/files, each with a note of its path: undoing a
 * transition must not need the settings, which may have changed.
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
/* Removes the transition's backups of host files; databases: also those of databases. */
enum rb_code rb_host_backup_remove(const char *root, const char *transition, bool databases,
                                   rb_err *err);

/*
 * Keeps the operator's own file, which existed before any release had one at that path. Copies what
 * the transition backed up of `path`, and replaces an earlier copy; does nothing if no file
 * existed. The copy exists as long as a release has a file there. The transition that removes the
 * release's file restores it, and may repeat that.
 */
enum rb_code rb_host_backup_own(const char *root, const char *transition, const char *part,
                                const char *path, rb_err *err);
bool rb_host_backup_has_own(const char *root, const char *part, const char *path);
/* Writes the copy beside `path` (base/staged.h), so that only a rename is left for
 * rb_host_backup_restore_own(), and records that it is restored. */
enum rb_code rb_host_backup_stage_own(const char *root, const char *part, const char *path,
                                      rb_err *err);
enum rb_code rb_host_backup_restore_own(const char *root, const char *part, const char *path,
                                        rb_err *err);
/* True if the copy was restored and has this SHA-256. */
bool rb_host_backup_own_restored(const char *root, const char *part, const char *path,
                                 const char *sha256);

/* Returns the path of the transition's backup of a file. NULL if the file did not exist. */
char *rb_host_backup_path(const char *root, const char *transition, const char *part,
                          const char *path);
/* Returns the path of a release's folder that the transition replaced although it had drifted,
 * whether or not it exists. */
char *rb_host_backup_app(const char *root, const char *transition);

#endif
