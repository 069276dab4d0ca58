/* A table here and the same table in an attached copy. Used by restore.c and deleted_rows.c.
 */
#ifndef RB_DATABASE_SQLITE_TABLE_PAIR_H
#define RB_DATABASE_SQLITE_TABLE_PAIR_H

#include "database/sqlite/sqlite.h"

typedef struct rb_twin {
    rb_sqlite *db;
    const char *copy;  /* name of the attached copy */
    const char *table; /* its name here; borrowed */
    char *here;        /* main."table" */
    char *there;       /* copy."table", or a query in brackets */
    rb_strs columns;   /* that both have and that hold data, quoted */
    rb_strs key;       /* quoted; empty when there is none that both have */
    bool is_virtual;
} rb_twin;

/* db and copy are set; was: the table's name in the copy. No columns when it is not in both. */
enum rb_code rb_twin_find(rb_twin *twin, const char *table, const char *was,
                          rb_err *err) RB_MUST_USE;
void rb_twin_clear(rb_twin *twin); /* db and copy stay */

/* "a, b" or "m.a = b.a AND ..." and the like: each name in place of the '@'s of a pattern. */
char *rb_twin_spread(const rb_strs *names, const char *pattern, const char *between);

/* The table of a copy that lists the keys of rows that scripts deleted, unquoted. */
char *rb_gone_table(const char *table);

/* Attaches a copy for reading, under *name. It stays until the connection is closed: SQLite
 * detaches nothing in a transaction. */
enum rb_code rb_sqlite_attach(char **name, rb_sqlite *db, const char *copy,
                              rb_err *err) RB_MUST_USE;
/* Whether there is room for one more. */
enum rb_code rb_sqlite_attachable(bool *out, rb_sqlite *db, rb_err *err) RB_MUST_USE;

#endif
