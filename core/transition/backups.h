/* The backups of an environment: which there are, which have expired, and restoring from one. */
#ifndef RB_TRANSITION_BACKUPS_H
#define RB_TRANSITION_BACKUPS_H

#include "config/environment.h"
#include "database/backup.h"
#include "environment/state.h"

/*
 * [{"id","database","kind","from","to","at","path","bytes","state","keptUntil","expired","items",
 * "restored"}], newest first. state: available, missing, pruned. at, keptUntil: seconds since the
 * epoch. expired: `backups --prune` removes it; one of the live release, or of the one that a
 * revert goes to, never is.
 */
enum rb_code rb_backups_list(json_t **out, const rb_env *env, rb_state *state, rb_err *err);
/* Whether the list has one of that transition. */
bool rb_backups_have(rb_state *state, const char *transition);
/* Removes those of the list that have expired, and records that. *pruned: of their kind. */
enum rb_code rb_backups_prune(json_t **pruned, const rb_env *env, rb_state *state, rb_err *err);

typedef struct rb_backup_restore {
    const rb_env *env;
    rb_state *state;
    const char *id;       /* of the transition */
    const char *database; /* NULL: the only one */
    rb_restore_options options;
    bool dry_run;
    const char *host; /* recorded; these three perhaps NULL */
    const char *user;
    const char *version; /* rbtool's */
} rb_backup_restore;

/*
 * Restores in one transaction of its own; a dry run rolls back, and what restores anything is in
 * the outbox for the ledger (ledger_outbox.h) afterwards. *report: {"backup","database",
 * "path","dryRun","restored","missing","tables": as rb_db_restore()}. RB_ERROR names the backups
 * where there is no such one.
 */
enum rb_code rb_backups_restore(json_t **report, const rb_backup_restore *request, rb_err *err);

/* Finds out about restores whose end was not recorded, since the process was killed. */
enum rb_code rb_backups_settle(const rb_env *env, rb_state *state, rb_err *err);

#endif
