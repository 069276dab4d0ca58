/* The tracking tables of other migration tools, as data. */
#ifndef RB_DATABASE_TRACKING_TOOLS_H
#define RB_DATABASE_TRACKING_TOOLS_H

#include <stdbool.h>
#include <stddef.h>

#define RB_TRACKING_CREATE 2

/* How a tool computes the key of the advisory lock that it holds while it migrates: CRC-32 of
 * names, times a constant of the tool. */
enum rb_tracking_lock {
    RB_TRACKING_UNLOCKED,
    RB_TRACKING_GOLANG_MIGRATE,
    RB_TRACKING_SQLX,
    RB_TRACKING_NODE_PG_MIGRATE /* a fixed number */
};

/* The tracking table of a tool: the columns that identify it, and statements as the tool runs them.
 */
typedef struct rb_tracking_tool {
    const char *name;
    const char *table;
    const char *columns; /* sorted, joined by "," */
    struct {
        const char *engine;
        const char *sql[RB_TRACKING_CREATE];
    } create[2];
    const char *read;   /* returns (version, stopped half-way) for each row; NULL: see last_only */
    const char *insert; /* NULL: insert_checked() inserts the row */
    const char *remove;
    const char *settle;         /* records a migration that stopped half-way as complete; or NULL */
    enum rb_tracking_lock lock; /* on engines that have advisory locks */
    bool last_only; /* the table has one row: the last version, and whether it stopped half-way */
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
