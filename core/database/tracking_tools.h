/* The tables of other migration tools, as data. */
#ifndef RB_DATABASE_TRACKING_TOOLS_H
#define RB_DATABASE_TRACKING_TOOLS_H

#include <stdbool.h>
#include <stddef.h>

#define RB_TRACKING_CREATE 2

/* How a tool makes the key of the advisory lock that it holds while it migrates: a CRC-32 of names,
 * times its own salt. */
enum rb_tracking_lock {
    RB_TRACKING_UNLOCKED,
    RB_TRACKING_GOLANG_MIGRATE,
    RB_TRACKING_SQLX,
    RB_TRACKING_NODE_PG_MIGRATE /* a number of its own */
};

/* A tool's table: the columns that identify it, and the statements that its tool runs. */
typedef struct rb_tracking_tool {
    const char *name;
    const char *table;
    const char *columns; /* sorted, joined by "," */
    struct {
        const char *engine;
        const char *sql[RB_TRACKING_CREATE];
    } create[2];
    const char *read;   /* rows of a version and whether it stopped half-way; NULL: see last_only */
    const char *insert; /* NULL: see insert_checked() */
    const char *remove;
    const char *settle; /* records that a migration that stopped half-way is complete; or NULL */
    enum rb_tracking_lock lock; /* on engines that have advisory locks */
    bool last_only;             /* one row with the last version and whether it stopped half-way */
} rb_tracking_tool;

extern const rb_tracking_tool rb_tracking_tools[];
extern const size_t rb_tracking_tool_count;

/* Tables that say what is applied and that rbtool cannot read. */
typedef struct rb_tracking_foreign_table {
    const char *table; /* compared without case */
    const char *tool;
} rb_tracking_foreign_table;

extern const rb_tracking_foreign_table rb_tracking_foreign_tables[];
extern const size_t rb_tracking_foreign_count;

#endif
