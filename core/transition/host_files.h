/*
 * The host files that a transition writes or removes: the flag file and config files that FROM or
 * TO has and that the environment gives a path.
 *
 * If such a file exists and FROM has none there, it is the operator's own. It is drift if TO brings
 * a file for the path. In an environment where nothing was live before, it is listed as taken over.
 * A copy of it is kept, and restored by a transition to a release without that file.
 */
#ifndef RB_TRANSITION_HOST_FILES_H
#define RB_TRANSITION_HOST_FILES_H

#include "transition/execute.h"

/* Sets plan->files. */
void rb_host_files_find(rb_plan *plan, const rb_plan_request *request);

/* part: RB_PART_FLAGS or RB_PART_CONFIG, here and below. */
/* Compares files with FROM's or, if FROM has none, TO's. Adds differences to plan->drift. In an
 * environment where nothing is live, adds files that TO replaces to `taken` instead. */
enum rb_code rb_host_files_observe(rb_plan *plan, json_t *taken, const rb_plan_request *request,
                                   enum rb_part part, rb_err *err);

/* Returns a text about what rb_host_files_fill() will do. */
char *rb_host_files_describe(const rb_plan *plan, const rb_plan_request *request,
                             enum rb_part part);

/* Before any step, copies the operator's own files, and writes the new content beside each file
 * (base/staged.h). */
enum rb_code rb_host_files_keep(const rb_run *run, rb_err *err);
/* Removes the new content that was written beside the files and not used. */
void rb_host_files_unstage(const rb_env *env);
/* Writes, removes or restores the files of a part. */
enum rb_code rb_host_files_fill(const rb_run *run, enum rb_part part, rb_err *err);
/* Returns [{"path","copy"}]: files that had drifted or were taken over, and their copies. */
json_t *rb_host_files_kept(const rb_run *run);

/* Checks that this user can write a file, as far as that is visible without writing. what: "the
 * flag file". RB_ERROR if not. */
enum rb_code rb_host_file_check(const rb_env *env, const char *what, const char *path, rb_err *err);
enum rb_code rb_host_database_check(const rb_env *env, const char *url, rb_err *err);

/* Makes the file's missing folder if it is below ROOT. Elsewhere it is taken for a mistyped path.
 */
enum rb_code rb_host_file_folder(const rb_env *env, const char *path, rb_err *err);

#endif
