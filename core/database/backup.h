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
 *   "key", "columns": the columns outside the key, "automatic": those that are restored without
 * being asked, "compared": see below, "counter", "definition", "sql" and "types" (driver.h),
 * "gone": the scripts dropped the table, "moved": the table that its rows are in since, or null,
 * "where": which rows n of the table, or null}], "references": [{"child", "columns", "parent",
 * "parentColumns"}]}
 *
 * before: the tables that existed. kind: rows (whole rows), values (of some columns), referenced
 * (rows that others refer to). Of a table without a key and a rowid, whole rows are copied: nothing
 * says which row a value belongs to. child, parent: indexes in the list of tables.
 *
 * A row has rbtool_row (a number from 1), its key (without one: rbtool_rowid), its columns, and
 * what became of it: rbtool_state is "kept", "changed" by the scripts, "moved" (to another key, or
 * it has none, so that it cannot be recognised), or NULL for deleted. rbtool_hash is the hash of
 * the columns `compared` as they were at the commit.
 *
 * Data is restored only if that cannot destroy anything newer:
 * - a value, if its row exists, and a SHA-256 of the row's columns equals the one that was taken
 * when the transition committed;
 * - a row that scripts deleted, if its key is free, and every row that it refers to exists
 * unchanged or is restored from the same backup;
 * - rows without a key, if all of them go into an empty table that the scripts recreated.
 * Everything else is a conflict, which is counted, named and left alone.
 */
#ifndef RB_DATABASE_BACKUP_H
#define RB_DATABASE_BACKUP_H

#include "database/database.h"

#define RB_BACKUP_FORMAT "2"

typedef struct rb_backup_spec {
    const char *path;    /* must not exist; its folder must exist */
    const json_t *items; /* what scripts may destroy: `bound` of loss.h */
    /* What the scripts did. Only rb_db_backup_finish() needs it. */
    const rb_db_outcome *outcome;
    const json_t *
        at_risk; /* the `items` that are backed up whatever the limit, and restored automatically */
    int64_t limit;       /* bytes, for the items that are not at risk */
    const json_t *about; /* {"transition","environment",...}: strings for people */
    bool (*proceed)(
        void *context, const char *table,
        int64_t rows); /* called while rows are copied; false stops the backup; or NULL */
    void *context;
} rb_backup_spec;

/* Copies the rows into a new file. *left_out: [{"table","column"}] of what would exceed the limit.
 * On failure no file is left. */
enum rb_code rb_db_backup(json_t **left_out, rb_db *db, const rb_backup_spec *spec, rb_err *err);
/* Records what the scripts did to each row of the backup: compares it with the database now. */
enum rb_code rb_db_backup_finish(rb_db *db, const rb_backup_spec *spec, rb_err *err);
/* Moves sequences on to where the backup has them: no rollback undoes what a script set them to.
 * The counters of a file, which are numbers, are rolled back. */
enum rb_code rb_db_backup_positions(rb_db *db, const char *path, rb_err *err);
/* Estimates the bytes of the file that rb_db_backup() would write; does not use spec->path.
 * *left_out: as for rb_db_backup(). *keyless: names of the tables without a key whose values are at
 * risk: they are not restored without a person, because nothing says which row they belong to. */
enum rb_code rb_db_backup_size(int64_t *bytes, json_t **left_out, json_t **keyless, rb_db *db,
                               const rb_backup_spec *spec, rb_err *err);

/* Sets *out if values of the table are not restored: nothing says which row they belong to. */
enum rb_code rb_db_is_keyless(bool *out, rb_db *db, const char *table, rb_err *err);

/* Checks that a document has what this module uses of it, before anything is used. For drivers. */
enum rb_code rb_backup_document_check(const json_t *about, const char *path, rb_err *err);

/* Returns the tables and columns of items as text, "orders, orders.note". A new string. */
char *rb_backup_names(const json_t *items);

typedef struct rb_restore_options {
    bool manual; /* `rbtool restore`: restores all that it can, also what this transition did not
                    undo */
    const json_t
        *restored; /* [{"table","column"}] that were restored before, and are not restored again */
    const json_t
        *scripts; /* [{"id","direction","sha256"}] of the transition that made the backup */
    const rb_db_work *work; /* what runs between compare and restore; NULL if manual */
    const char *table;      /* if manual, restores only this table; or NULL for all */
    const rb_strs
        *ignore;    /* columns that may have changed since in a row that is restored; or NULL */
    bool deleted;   /* also restores rows that others deleted since */
    bool overwrite; /* also restores rows that were changed since, or whose key another row has
                       taken */
} rb_restore_options;

typedef struct rb_restore rb_restore;

/* Opens a backup and compares it with the database. `options` must live as long as *out. RB_FOUND
 * if the file's format is unknown. */
enum rb_code rb_db_restore_compare(rb_restore **out, rb_db *db, const char *path,
                                   const rb_restore_options *options, rb_err *err);
/*
 * Restores what this transition undoes. *report: [{"table","column","restored","missing":[up to 20
 * keys],"missingCount","reason","options"}]; empty if it undoes nothing of the backup. "missing"
 * are rows that could not be restored, "options" those of `rbtool restore` that may restore them.
 * "waits": true means that the scripts of the backup are not undone yet; the transition that undoes
 * them will restore the rows.
 */
enum rb_code rb_db_restore(json_t **report, rb_restore *restore, rb_db *db, rb_err *err);
/* Sets *out if the scripts (in the form of rb_restore_options.scripts) are undone in the database
 * now. */
enum rb_code rb_db_restore_undone(bool *out, rb_db *db, const json_t *scripts, rb_err *err);
/* Sets *out if the steps will undo scripts that are not undone now. */
enum rb_code rb_db_restore_expected(bool *out, rb_db *db, const json_t *scripts,
                                    const rb_db_step *steps, size_t n, rb_err *err);
void rb_restore_free(rb_restore *restore);
RB_DEFINE_AUTO(rb_restore, rb_restore_free)

#endif
