/*
 * The hooks of hooks/, put into a repository beside what is there: a hook of the user's keeps its
 * bytes, gets ".before-rbtool" behind its name and is run first. Where husky, lefthook, pre-commit
 * or a core.hooksPath from outside the repository rule, nothing of theirs is written: from git 2.54
 * on the hook goes into git's settings (hook.NAME.command), before that the line to add is said. A
 * bare repository gets the hooks of a server.
 */
#ifndef RB_CMD_INIT_HOOKS_H
#define RB_CMD_INIT_HOOKS_H

#include "cli.h"

/* Installs the hooks. dry_run: only prints what it would do. */
enum rb_code rb_hooks_install(rb_cli *cli, rb_repo *repo, bool dry_run, rb_err *err) RB_MUST_USE;
/* Removes the hooks and restores the user's. *count: how many hooks were removed. */
enum rb_code rb_hooks_remove(size_t *count, rb_cli *cli, rb_repo *repo, rb_err *err) RB_MUST_USE;

#endif
