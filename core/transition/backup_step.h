/* Writes the backups of a transition before its scripts run, completes them before its commit, and
 * restores from the backups of transitions that it undoes. */
#ifndef RB_TRANSITION_BACKUP_STEP_H
#define RB_TRANSITION_BACKUP_STEP_H

#include "database/backup.h"
#include "transition/execute.h"

/* True if scripts of the transition were committed before. The state before them is then only in
 * its backup and its plan. */
bool rb_backup_is_resumed(const rb_plan_database *d);

/* True if an item of a backup is restored automatically and was not restored yet. */
bool rb_backup_waits(const rb_backup_row *row, const json_t *item);

/* Moves sequences on to their positions in the backup of a run that was killed before its commit.
 * A failure leaves them as they are. */
void rb_backup_step_positions(const rb_env *env, const char *transition, const char *database,
                              const char *url);

/* The following functions are called in this order, inside the transaction of db. */
enum rb_code rb_backup_step_write(rb_run *run, const rb_plan_database *d, rb_db *db, rb_err *err);

typedef struct rb_undone_backup { /* what is restored from one backup */
    rb_backup_row *row;
    rb_restore_options options;
    rb_restore *restore; /* NULL: the file cannot be read */
    char *path;
    char *shown;
    char *why; /* reason why it cannot be read */
} rb_undone_backup;

typedef struct rb_undone_backups {
    rb_backup_rows rows;
    rb_undone_backup *list; /* newest first */
    size_t n;
} rb_undone_backups;

/* Compares the database with each backup that has something left to restore, before the first
 * script. transition: the one that runs, whose own backup is not restored; NULL in a rehearsal.
 * RB_FOUND if a file is not the one that the journal recorded. */
enum rb_code rb_backup_step_compare(rb_undone_backups *out, const rb_env *env, rb_state *state,
                                    const char *transition, const rb_plan_database *d, rb_db *db,
                                    const rb_db_work *work, rb_err *err);
/* Restores in a rehearsal's copy after the last script. */
enum rb_code rb_backup_step_rehearse(const rb_undone_backups *r, rb_db *copy, rb_err *err);
/* Restores after the last script. Adds what was restored to run->put_back. */
enum rb_code rb_backup_step_restore(rb_undone_backups *r, rb_run *run, const rb_plan_database *d,
                                    rb_db *db, rb_err *err);
void rb_undone_backups_clear(rb_undone_backups *r);

enum rb_code rb_backup_step_finish(rb_run *run, const rb_plan_database *d, rb_db *db,
                                   const rb_db_outcome *outcome, rb_err *err);
/* Completes the backup of a transition whose committed scripts are about to be undone, since their
 * inverses do not restore what they destroyed. db is outside a transaction. */
enum rb_code rb_backup_step_undo(const rb_undo *undo, const rb_plan_database *d, rb_db *db,
                                 rb_err *err);

#endif
