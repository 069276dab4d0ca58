/* The tracking tables of other migration tools, as data. */
#ifndef RB_DATABASE_TRACKING_TOOLS_H
#define RB_DATABASE_TRACKING_TOOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RB_TRACKING_CREATE 2
#define RB_TRACKING_STATEMENTS 5

/* How a tool computes the key of the advisory lock that it holds while it migrates. */
enum rb_tracking_lock {
    RB_TRACKING_UNLOCKED,
    RB_TRACKING_FIXED, /* lock_key */
    /* CRC-32 of names, times a constant of the tool: */
    RB_TRACKING_GOLANG_MIGRATE,
    RB_TRACKING_SQLX,
    RB_TRACKING_FLYWAY /* lock_key, plus a hash of the table's name */
};

/*
 * The tracking table of a tool: the columns that identify it, and statements as the tool runs them.
 *
 * In read, insert and remove, {id} stands for the id of the migration, {milliseconds} for how long
 * its script took, and other names in braces for members of its record (migration.h).
 */
typedef struct rb_tracking_tool {
    const char *name;
    const char *engine;  /* the only engine that the entry is for; NULL: any */
    const char *table;   /* may have a schema before it */
    const char *columns; /* sorted, joined by "," */
    struct {
        const char *engine;
        const char *sql[RB_TRACKING_CREATE];
    } create[2];
    /* Returns (version, stopped half-way, everything before it counts as applied) for each row; the
     * third is optional. NULL: see last_only. */
    const char *read;
    const char *insert[RB_TRACKING_STATEMENTS]; /* none: tracking_sqlx.c inserts it */
    const char *remove[RB_TRACKING_STATEMENTS];
    const char *settle;         /* records a migration that stopped half-way as complete; or NULL */
    enum rb_tracking_lock lock; /* on engines that have advisory locks */
    int64_t lock_key;
    bool last_only; /* the table has one row: the last version, and whether it stopped half-way */
    int (*compare)(const char *a, const char *b); /* of versions, if the third column is used */
} rb_tracking_tool;

extern const rb_tracking_tool rb_tracking_tools[];
extern const size_t rb_tracking_tool_count;

/* Tracking tables that rbtool cannot read. */
typedef struct rb_tracking_foreign_table {
    const char *table; /* compared ignoring case */
    const char *tool;
} rb_tracking_foreign_table;

extern const rb_tracking_foreign_table rb_tracking_foreign_tables[];
extern const size_t rb_tracking_foreign_count;

#endif
