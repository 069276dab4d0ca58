/*
 * The files of the host that a transition writes or removes: the flag file and the config files,
 * as far as FROM or TO has them and the environment gives them a place.
 *
 * A file that is at such a place while FROM has none is the operator's own. Where TO brings another
 * it is drift; but where no release was ever live it is what a host is taken over with. It is kept
 * beside every transition, and comes back with a release that has none.
 */
#ifndef RB_TRANSITION_HOST_FILES_H
#define RB_TRANSITION_HOST_FILES_H

#include "transition/execute.h"

/* Fills plan->files. */
void rb_host_files_find(rb_plan *plan, const rb_plan_request *request);

/* part: RB_PART_FLAGS or RB_PART_CONFIG, here and below. */
/* Appends to plan->drift what is there and neither FROM's nor, where FROM has none, TO's; to taken
 * what else of the operator's own TO takes the place of. */
enum rb_code rb_host_files_observe(rb_plan *plan, json_t *taken, const rb_plan_request *request,
                                   enum rb_part part, rb_err *err);

/* What rb_host_files_fill() will do, for people. */
char *rb_host_files_describe(const rb_plan *plan, const rb_plan_request *request,
                             enum rb_part part);

/* Before any step: keeps what is there, so that whatever comes of the transition the operator's own
 * files are kept, and writes what will take its place beside it (base/staged.h). */
enum rb_code rb_host_files_keep(const rb_run *run, rb_err *err);
/* Removes what was written beside them and not used. */
void rb_host_files_unstage(const rb_env *env);
/* Writes, removes, gives back. */
enum rb_code rb_host_files_fill(const rb_run *run, enum rb_part part, rb_err *err);
/* [{"path","copy"}]: the files that had drifted or were taken over, and where they are kept. */
json_t *rb_host_files_kept(const rb_run *run);

/* Whether the flag or config file at path, and a database, can be written by this user, as far as
 * can be seen without writing. what: "the flag file". */
enum rb_code rb_host_file_check(const rb_env *env, const char *what, const char *path, rb_err *err);
enum rb_code rb_host_database_check(const rb_env *env, const char *url, rb_err *err);

/* A missing folder is made below the environment's own root; elsewhere it is a mistyped path. */
enum rb_code rb_host_file_folder(const rb_env *env, const char *path, rb_err *err);

#endif
