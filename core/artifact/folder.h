/*
 * Writes the files of an artifact into a new folder, through its open descriptor. Never follows a
 * symlink or overwrites a file. Modes are 644 and 755; the umask does not apply.
 *
 * Order of calls: rb_folder_make(), rb_folder_create() for each file, rb_folder_sync(). Nothing is
 * synced before that.
 */
#ifndef RB_ARTIFACT_FOLDER_H
#define RB_ARTIFACT_FOLDER_H

#include "git/tree.h"

typedef struct rb_folder rb_folder; /* several threads may write into it */

/* Creates `path`, which must not exist, and all folders that the entries need. */
enum rb_code rb_folder_make(rb_folder **out, const char *path, const rb_tree_entries *entries,
                            rb_err *err);
void rb_folder_close(rb_folder *folder);
RB_DEFINE_AUTO(rb_folder, rb_folder_close)

/* Opens a new file for writing. */
enum rb_code rb_folder_create(int *fd, const rb_folder *folder, const char *path, bool executable,
                              rb_err *err);
enum rb_code rb_folder_write(int fd, const char *path, const void *data, size_t len, rb_err *err);
enum rb_code rb_folder_link(const rb_folder *folder, const char *path, const char *target,
                            rb_err *err);

/* Syncs everything that was written. */
enum rb_code rb_folder_sync(const rb_folder *folder, rb_err *err);

#endif
