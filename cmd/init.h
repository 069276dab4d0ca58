/* What `rbtool init` finds in a repository. */
#ifndef RB_CMD_INIT_H
#define RB_CMD_INIT_H

#include "cli.h"
#include "migration/migration.h"

typedef struct rb_found {
    json_t *config; /* the rbtool.json to write */
    rb_strs said;   /* a line for each thing found, and for each that needs a person */
    rb_strs broken; /* of these: migrations that do not name their engine, nor run in SQLite */
} rb_found;

/* RB_ERROR where nothing is committed yet. */
enum rb_code rb_init_detect(rb_found *out, rb_repo *repo, rb_err *err);
/* The same, for databases only: config has an "app" of no meaning, and "databases" where there are
 * any. */
enum rb_code rb_init_databases(rb_found *out, rb_repo *repo, rb_err *err);
/* "sqlite", "postgresql", "mysql", or NULL: the scripts do not say it, and do not run in SQLite.
 * *why: the reason why rbtool cannot move them, or NULL; the caller owns it. */
const char *rb_init_engine(char **why, const char *folder, const rb_migrations *set);

/* Adds "artifacts" and "environments" to what was found; paths: of the commit. */
void rb_init_suggest(rb_found *found, const rb_strs *paths);

/* Prints, as notes with commands that can be pasted, what of git's signing settings is missing or
 * does not work: key, format, allowed signers, and whether the key is among them. */
enum rb_code rb_init_signing(rb_cli *cli, rb_repo *repo, rb_err *err);

/* Installs the hooks. dry_run: only prints what it would do. */
enum rb_code rb_hooks_install(rb_cli *cli, rb_repo *repo, bool dry_run, rb_err *err);
/* Removes the hooks and restores the user's. *count: how many hooks were removed. */
enum rb_code rb_hooks_remove(size_t *count, rb_cli *cli, rb_repo *repo, rb_err *err);

void rb_found_clear(rb_found *found);

#endif
