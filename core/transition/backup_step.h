/* The backups of a transition: written before its scripts run, completed before its commit; and
 * what it restores from those of the transitions that it undoes. */
#ifndef RB_TRANSITION_BACKUP_STEP_H
#define RB_TRANSITION_BACKUP_STEP_H

#include "database/backup.h"
#include "transition/execute.h"

/* Whether scripts of the transition have been committed: what there was before them is in its
 * backup and in its plan alone. */
bool rb_backup_is_resumed(const rb_plan_database *d);

/* All inside the transaction of db, in this order. */
enum rb_code rb_backup_step_write(rb_run *run, const rb_plan_database *d, rb_db *db, rb_err *err);

typedef struct rb_undone_backup { /* from one backup */
    rb_backup_row *row;
    rb_restore_options options;
    rb_restore *restore; /* NULL: there is no file that can be read */
    char *path;
    char *shown;
    char *why; /* that there is none */
} rb_undone_backup;

typedef struct rb_undone_backups {
    rb_backup_row *rows;
    rb_undone_backup *list; /* newest first */
    size_t n;
} rb_undone_backups;

/* Before the first script: compares with every backup of the database that has something left.
 * RB_FOUND where a file is not the one that the journal names. */
enum rb_code rb_backup_step_compare(rb_undone_backups *out, rb_run *run, const rb_plan_database *d,
                                    rb_db *db, const rb_db_work *work, rb_err *err);
/* After the last one. Adds to run->put_back. */
enum rb_code rb_backup_step_restore(rb_undone_backups *r, rb_run *run, const rb_plan_database *d,
                                    rb_db *db, rb_err *err);
void rb_undone_backups_clear(rb_undone_backups *r);

enum rb_code rb_backup_step_finish(rb_run *run, const rb_plan_database *d, rb_db *db,
                                   const rb_db_outcome *outcome, rb_err *err);
/* Completes the backup of a transition whose committed scripts are about to be undone: their
 * inverses do not bring back what they destroyed. db: outside of a transaction. */
enum rb_code rb_backup_step_undo(const rb_undo *undo, const rb_plan_database *d, rb_db *db,
                                 rb_err *err);

#endif
