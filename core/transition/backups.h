/* Lists the backups of an environment, removes expired ones, and restores from one. */
#ifndef RB_TRANSITION_BACKUPS_H
#define RB_TRANSITION_BACKUPS_H

#include "config/environment.h"
#include "database/backup.h"
#include "environment/state.h"

/*
 * Lists the backups, newest first: [{"id","database","kind","from","to","at","path","bytes",
 * "state","keptUntil","expired","items","restored": [{"table","column","restored","of"}]}]. state:
 * available, missing, unreadable, pruned. at, keptUntil: seconds since 1970. expired: `backups
 * --prune` removes it. Backups of the live release, or of the one that a revert goes to, never
 * expire.
 */
enum rb_code rb_backups_list(json_t **out, const rb_env *env, rb_state *state, rb_err *err);
/* True if that transition made a backup. */
bool rb_backups_have(rb_state *state, const char *transition);
/* Removes expired backups and records that. *pruned: their items of rb_backups_list(). */
enum rb_code rb_backups_prune(json_t **pruned, const rb_env *env, rb_state *state, rb_err *err);

typedef struct rb_backup_restore {
    const rb_env *env;
    rb_state *state;
    const char *id;       /* id of the transition that made the backup */
    const char *database; /* NULL: the only database in it */
    rb_restore_options options;
    bool dry_run;
    const char *host; /* recorded; each of these three may be NULL */
    const char *user;
    const char *version; /* version of rbtool */
} rb_backup_restore;

/*
 * Restores in its own transaction; a dry run rolls it back. A restore that changed anything is then
 * in the outbox for the ledger (ledger_outbox.h). *report: {"backup","database","path",
 * "dryRun","restored","missing","tables": as rb_db_restore()}. RB_ERROR lists the backups if the
 * requested one does not exist.
 */
enum rb_code rb_backups_restore(json_t **report, const rb_backup_restore *request, rb_err *err);

/* Completes the records of restores that were interrupted before their end was recorded. */
enum rb_code rb_backups_settle(const rb_env *env, rb_state *state, rb_err *err);

#endif
