/*
 * The work tree as a commit, for comparisons: tracked files as they are now, and untracked ones
 * that are not ignored. The objects stay in the repository until git removes unreachable ones; no
 * ref, index or file changes.
 */
#ifndef RB_GIT_SNAPSHOT_H
#define RB_GIT_SNAPSHOT_H

#include "git/repository.h"

/* RB_ERROR in a repository without a work tree. */
enum rb_code rb_repo_snapshot(rb_oid *commit, rb_repo *repo, rb_err *err);

#endif
