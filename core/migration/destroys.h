/*
 * Finds statements of a script that destroy data, as far as the text shows (RB003).
 */
#ifndef RB_MIGRATION_DESTROYS_H
#define RB_MIGRATION_DESTROYS_H

#include <stddef.h>

/* A statement that destroys data. Valid during the call. */
typedef struct rb_destroyed {
    size_t offset;      /* offset of the statement in text */
    const char *how;    /* "DROP TABLE" */
    const char *table;  /* NAME or SCHEMA.NAME in lower case; the schema of DROP SCHEMA */
    const char *column; /* column of DROP COLUMN; else NULL */
} rb_destroyed;
typedef void rb_destroys_visit(void *context, const rb_destroyed *what);

/*
 * Reports DROP TABLE, DROP COLUMN, DELETE, TRUNCATE and DROP SCHEMA. Does not report tables that
 * the script itself created, tables whose rows it has copied into another one before (INSERT ...
 * SELECT, CREATE TABLE AS: the rebuild that SQLite's documentation recommends), and SQLite's own
 * tables.
 */
void rb_sql_destroys(const char *text, size_t len, const char *engine, rb_destroys_visit *visit,
                     void *context);

#endif
