/*
 * Backups: rows that a transition may destroy, copied out before its scripts run, and restored when
 * it is undone.
 *
 * Order of calls, all inside the transaction: rb_db_backup() before the first script;
 * rb_db_backup_finish() when the rows are as they will be committed. To restore:
 * rb_db_restore_compare() before the first script, rb_db_restore() after the last one. A restore by
 * hand calls both with no script between.
 *
 * A backup is written with mode 0600, synced, and never changed after rb_db_backup_finish(). It can
 * be read with the engine's own client: sqlite/backup_file.c says how. It has a document, and a
 * table of rows for each table of the database that has rows in it:
 *
 *   {"format", "about": {"transition","environment","database","from","to"}, "applied": {id:
 *   up_sha256}, "before": [table], "tables": [{"name", "data": where its rows are, "kind",
 *   "key", "columns": the others that it has, "automatic": those that are restored without being
 *   asked, "compared": see below, "counter", "definition", "sql" and "types" (driver.h), "gone":
 * the scripts dropped the table, "moved": the table that its rows are in since, or null, "where":
 * which rows n of the table, or null}], "references": [{"child", "columns", "parent",
 * "parentColumns"}]}
 *
 * before: the tables that existed. kind: rows (whole rows), values (of some columns), referenced
 * (rows that others refer to). child, parent: places in the list of tables.
 *
 * A row has rbtool_row (a number from 1), its key (without one: rbtool_rowid), its columns, and
 * what became of it: rbtool_state is "kept", "changed" by the scripts, "moved" (to another key, or
 * it has none, so that it cannot be recognised), or NULL for deleted. rbtool_hash is the hash of
 * the columns `compared` as they were at the commit.
 *
 * Restoring happens only where it cannot be wrong. A value: the row exists, and a SHA-256 of its
 * columns equals the one that was taken at the commit of the transition. A row that scripts
 * deleted: its key is free, and every row that it refers to exists unchanged or is restored from
 * the same backup. Rows without a key: only all of them, into an empty table that the scripts
 * recreated. Everything else is a conflict: counted, named, and left alone.
 */
#ifndef RB_DATABASE_BACKUP_H
#define RB_DATABASE_BACKUP_H

#include "database/database.h"

#define RB_BACKUP_FORMAT "2"

typedef struct rb_backup_spec {
    const char *path;    /* must not exist; its folder must */
    const json_t *items; /* of loss.h's bound: what scripts may destroy */
    /* What the scripts did; for rb_db_backup_finish(). */
    const rb_db_outcome *outcome;
    const json_t
        *at_risk;        /* of them, those that are always backed up, and restored automatically */
    int64_t limit;       /* bytes, for the other ones */
    const json_t *about; /* {"transition","environment",...: strings}, for a person */
    bool (*proceed)(void *context, const char *table, int64_t rows); /* false stops; or NULL */
    void *context;
} rb_backup_spec;

/* *left_out: [{"table","column"}] of what would exceed the limit. On failure no file is left. */
enum rb_code rb_db_backup(json_t **left_out, rb_db *db, const rb_backup_spec *spec, rb_err *err);
/* Records what became of each row, as it is now. */
enum rb_code rb_db_backup_finish(rb_db *db, const rb_backup_spec *spec, rb_err *err);
/* Estimates the bytes of such a file; spec->path is not used. *left_out as above. */
enum rb_code rb_db_backup_size(int64_t *bytes, json_t **left_out, rb_db *db,
                               const rb_backup_spec *spec, rb_err *err);

/* Returns the tables and columns of items, "orders, orders.note", as a new string. */
char *rb_backup_names(const json_t *items);

typedef struct rb_restore_options {
    bool manual; /* `rbtool restore`: all that can be restored, also what this transition did not
                    undo */
    const json_t *restored; /* [{"table","column"}]: what was restored before is not again */
    const json_t *scripts;  /* [{"id","direction","sha256"}] of the backup's transition */
    const rb_db_work *work; /* what will run between compare and restore; NULL with manual */
    const char *table;      /* of a manual one: this table only; or NULL */
    const rb_strs *ignore;  /* columns whose values may differ; or NULL */
    bool deleted;           /* also rows that others deleted since */
    bool overwrite;         /* also rows that were changed since, or whose key was taken */
} rb_restore_options;

typedef struct rb_restore rb_restore;

/* options must live as long as *out. RB_FOUND: the format of the file is not known. */
enum rb_code rb_db_restore_compare(rb_restore **out, rb_db *db, const char *path,
                                   const rb_restore_options *options, rb_err *err);
/*
 * *report: [{"table","column","restored","missing":[up to 20 keys],"missingCount","reason"}] of
 * what this transition undoes; empty where it undoes nothing of the backup. What it could not
 * restore is missing. "waits": true in an entry: the scripts are not those that the rows belong to,
 * and what undoes the transition will restore them.
 */
enum rb_code rb_db_restore(json_t **report, rb_restore *restore, rb_db *db, rb_err *err);
/* Whether scripts, as those of the options, are undone in the database as it is now. */
enum rb_code rb_db_restore_undone(bool *out, rb_db *db, const json_t *scripts, rb_err *err);
/* The same, after steps: whether they undo what is not undone now. */
enum rb_code rb_db_restore_expected(bool *out, rb_db *db, const json_t *scripts,
                                    const rb_db_step *steps, size_t n, rb_err *err);
void rb_restore_free(rb_restore *restore);
RB_DEFINE_AUTO(rb_restore, rb_restore_free)

#endif
