/*
 * What restore.c and restore_rows.c share. For each table of the backup there is a temporary one:
 * {rows}(rbtool_row, state, act).
 *
 * state, set before the first script: "same" (the row is as it was at the commit), "changed",
 * "deleted" (it existed at the commit, and does not any more), "gone" (the scripts deleted it, or
 * its table), "moved" (to another key, or it has none), "unknown" (the columns are others now, so
 * that it cannot be compared); later also "orphan" (a row that it refers to is another one).
 *
 * act, set after the last script: "insert" or "update" where that is done, or the reason why it is
 * not (restore_rows.c has the texts), or NULL where there is nothing to do.
 */
#ifndef RB_DATABASE_RESTORE_ROWS_H
#define RB_DATABASE_RESTORE_ROWS_H

#include "database/backup.h"
#include "database/backup_sql.h"

/* Of the scripts that ran: which ones the data of the backup had gone through. */
enum rb_scripts_known {
    RB_SCRIPTS_OTHER, /* none: what they made only has the name of what was destroyed */
    RB_SCRIPTS_SOME,  /* others are new, or were edited since: what they wrote stays */
    RB_SCRIPTS_ALL,
};

typedef struct rb_restored {
    const json_t *t; /* of the backup's document */
    json_t *parts;   /* of SQL */
    json_t *before;  /* the table before the scripts, and after them */
    json_t *now;
    bool compared;   /* its rows, as far as they ever can be */
    bool keyed;      /* a key identifies them */
    bool done;       /* they are inserted */
    json_t *columns; /* of the backup: those that exist, and that are restored */
    json_t *entry;   /* of the report; NULL: no rows are restored */
} rb_restored;

struct rb_restore {
    rb_db *db;
    const rb_restore_options *options;
    rb_backup_file *file;
    json_t *ignored;
    rb_restored *list; /* as the tables of the document */
    size_t n;
    const json_t *references;
    bool undone; /* all scripts of the backup are */
    enum rb_scripts_known known;
    json_t *report;
};

/* Adds an entry to the report; borrowed. */
json_t *rb_restore_entry(rb_restore *r, const rb_restored *one, const char *column);
/* Adds the rows d of {from} that meet {condition}, by their {reason}, and the first keys. */
enum rb_code rb_restore_missing(json_t *entry, rb_restore *r, rb_restored *one, const char *from,
                                const char *condition, const char *reason, rb_err *err);
/* Whole rows, of the tables that have an entry: those that scripts dropped, and where they deleted
 * or replaced rows. */
enum rb_code rb_restore_all_rows(rb_restore *r, rb_err *err);
/* The values of one->columns, which scripts dropped or wrote. */
enum rb_code rb_restore_values(rb_restore *r, rb_restored *one, rb_err *err);

#endif
