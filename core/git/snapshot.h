/*
 * Makes a commit of the work tree, for comparisons: tracked files as they are now, and untracked
 * files that are not ignored. No ref, index or file changes. git removes the objects later, because
 * they are unreachable.
 */
#ifndef RB_GIT_SNAPSHOT_H
#define RB_GIT_SNAPSHOT_H

#include "git/repository.h"

/* Fails with RB_ERROR in a repository without a work tree. */
enum rb_code rb_repo_snapshot(rb_oid *commit, rb_repo *repo, rb_err *err);

#endif
