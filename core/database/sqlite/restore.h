/* Data that goes back from a copy: shared by restore.c, restore_foreign_keys.c,
 * restore_conflicts.c. */
#ifndef RB_DATABASE_SQLITE_RESTORE_H
#define RB_DATABASE_SQLITE_RESTORE_H

#include "database/sqlite/table_pair.h"
#include "database/sqlite/u64_set.h"

#define RB_SHOWN_KEYS 20

typedef struct rb_orphans { /* of one entry of the report */
    rb_keyset known;
    bool collecting; /* those that were there before */
    rb_strs rowids;
    rb_strs kept; /* columns of what was overwritten, which is in a temporary table */
} rb_orphans;

typedef struct rb_putback {
    rb_twin twin;
    json_t *report;
    rb_orphans *orphans; /* one of each item of lost, in the order of the report */
    json_t *waiting;     /* what the report gets behind it, of columns that are not here */
    json_t *left;        /* their items */
    bool same_scripts;   /* those of this transaction that ran had made what the copy has */
} rb_putback;

/* restore.c */
json_t *rb_putback_entry(json_t *report, const char *table, const char *column);
void rb_putback_count(json_t *entry, const char *key, int64_t more);
/* One more reason why some are missing. */
void rb_putback_reason(json_t *entry, const char *reason);
/* The keys that a query gives are missing, for that reason; sql is freed. */
enum rb_code rb_putback_missing(rb_putback *p, json_t *entry, char *sql, const char *reason,
                                rb_err *err) RB_MUST_USE;
/* A column's default as SQL; "NULL" where it has none. */
enum rb_code rb_putback_default(char **out, const rb_putback *p, const char *schema,
                                const char *column, rb_err *err) RB_MUST_USE;

/* restore_conflicts.c */
/* Are all scripts of work that ran the very ones that the copy's data had gone through? Are some of
 * them, though their text may have been mended? Where that is not known: not all, and some. */
enum rb_code rb_putback_same_scripts(bool *all, bool *some, const rb_putback *p,
                                     const rb_db_work *work, rb_err *err) RB_MUST_USE;
/*
 * Of an item that was made in this transaction: the condition on h (here) and t (the copy) under
 * which what h has is nothing but what the same scripts made of the same data once more, so that
 * the copy's value is the newer one. "0": never. NULL: the item was not made in it. A new string.
 */
char *rb_putback_newer(const rb_putback *p, const json_t *item);
/* Names the columns of the copy that are not here, of the rows there, and leaves them over. */
enum rb_code rb_putback_leave(rb_putback *p, const json_t *item, rb_err *err) RB_MUST_USE;

/* restore_foreign_keys.c: what was put back without its parent goes again. */
enum rb_code rb_orphans_find(rb_orphans *o, rb_sqlite *db, const char *table, bool collecting,
                             rb_err *err) RB_MUST_USE;
/* Of the item that is being put back: what h has in these columns is about to be overwritten where
 * the condition holds, and comes again should the row become an orphan. */
enum rb_code rb_orphans_keep(rb_putback *p, const rb_strs *columns, const char *condition,
                             rb_err *err) RB_MUST_USE;
enum rb_code rb_orphans_drop(rb_putback *p, rb_err *err) RB_MUST_USE;

#endif
