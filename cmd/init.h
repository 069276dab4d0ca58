/* The parts of `rbtool init`: detects settings, installs hooks, checks git's signing settings. */
#ifndef RB_CMD_INIT_H
#define RB_CMD_INIT_H

#include "cli.h"
#include "migration/migration.h"

typedef struct rb_found {
    json_t *config; /* the rbtool.json to write */
    rb_strs said;   /* a line for each thing that was found, or that a person has to decide */
    rb_strs broken; /* those of the lines about migrations that name no engine and do not run in
                       SQLite */
} rb_found;

/* Detects the settings from the files of HEAD. RB_ERROR if nothing is committed yet. */
enum rb_code rb_init_detect(rb_found *out, rb_repo *repo, rb_err *err);
/* Detects only databases: config has "databases" if any were found, and a meaningless "app". */
enum rb_code rb_init_databases(rb_found *out, rb_repo *repo, rb_err *err);
/* Returns "sqlite", "postgresql" or "mysql"; or NULL if the scripts do not show it and do not run
 * in SQLite. *why: the reason why rbtool cannot run them, as a new string, or NULL. */
const char *rb_init_engine(char **why, const char *folder, const rb_migrations *set);

/* Adds "artifacts" and "environments" to what was found. paths: the files of the commit. */
void rb_init_suggest(rb_found *found, const rb_strs *paths);

/* Prints what is missing or wrong in git's signing settings, with commands that can be pasted: key,
 * format, allowed signers, and whether the key is among them. */
enum rb_code rb_init_signing(rb_cli *cli, rb_repo *repo, rb_err *err);

/* Installs the hooks. dry_run: only prints what it would do. */
enum rb_code rb_hooks_install(rb_cli *cli, rb_repo *repo, bool dry_run, rb_err *err);
/* Removes the hooks and restores those that the user had. *count: how many hooks were removed. */
enum rb_code rb_hooks_remove(size_t *count, rb_cli *cli, rb_repo *repo, rb_err *err);

void rb_found_clear(rb_found *found);

#endif
