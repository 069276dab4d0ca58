/*
 * Shared by restore.c and restore_rows.c. For each table of the backup there is a temporary table
 * {rows}(rbtool_row, state, act).
 *
 * state, set before the first script: "same" (as at the commit), "changed", "deleted" (existed at
 * the commit and not now), "gone" (the scripts deleted it or its table), "moved" (to another key,
 * or it has no key), "unknown" (the columns differ, so that it cannot be compared); later also
 * "orphan" (a row that it refers to is another one).
 *
 * act, set after the last script: "insert" or "update" if that is done, the reason why it is not
 * done (restore_rows.c has the texts), or NULL if there is nothing to do.
 */
#ifndef RB_DATABASE_RESTORE_ROWS_H
#define RB_DATABASE_RESTORE_ROWS_H

#include "database/backup.h"
#include "database/backup_sql.h"

/* Which of the scripts that run now had already run when the backup's data was written. */
enum rb_scripts_known {
    RB_SCRIPTS_OTHER, /* none: they only recreate something of the same name */
    RB_SCRIPTS_SOME,  /* some; others are new or were edited since, and what they write stays */
    RB_SCRIPTS_ALL,
};

typedef struct rb_restored {
    const json_t *t; /* the table's entry in the backup's document */
    json_t *parts;   /* parts of SQL statements (backup_sql.h) */
    json_t *before;  /* the table before the scripts; `now` is the one after them */
    json_t *now;
    bool compared;   /* its rows were compared, or never can be */
    bool keyed;      /* a key identifies the rows */
    bool done;       /* the rows were inserted */
    json_t *columns; /* columns of the backup that exist and are restored */
    json_t *entry;   /* entry in the report; NULL: no rows are restored */
} rb_restored;

struct rb_restore {
    rb_db *db;
    const rb_restore_options *options;
    rb_backup_file *file;
    json_t *ignored;
    rb_restored *list; /* in the order of the document's tables */
    size_t n;
    const json_t *references;
    bool undone; /* all scripts of the backup are undone */
    enum rb_scripts_known known;
    json_t *report;
};

/* Adds an entry to the report. Borrowed. */
json_t *rb_restore_entry(rb_restore *r, const rb_restored *one, const char *column);
/* Reports rows that are not restored: those of {from}, as d, that meet {condition}. Adds a count
 * for each {reason}, and the first keys, to the entry. */
enum rb_code rb_restore_missing(json_t *entry, rb_restore *r, rb_restored *one, const char *from,
                                const char *condition, const char *reason, rb_err *err);
/* Restores whole rows in the tables that have an entry: those that scripts dropped, or whose rows
 * they deleted or replaced. */
enum rb_code rb_restore_all_rows(rb_restore *r, rb_err *err);
/* Restores the values of one->columns, which scripts dropped or wrote. */
enum rb_code rb_restore_values(rb_restore *r, rb_restored *one, rb_err *err);

#endif
