/* Reads the columns of tables that hold data, and handles virtual tables, to compare and copy rows.
 */
#ifndef RB_DATABASE_SQLITE_TABLE_READ_H
#define RB_DATABASE_SQLITE_TABLE_READ_H

#include "database/sqlite/sqlite.h"

typedef struct rb_table_col {
    char *name;    /* quoted */
    char *plain;   /* name as in catalogs, made safe */
    char *fresh;   /* the default, as SQL */
    char affinity; /* i, t, r or n; b for none */
    int64_t key;   /* position in the primary key, from 1; 0: not part of it */
    bool not_null;
} rb_table_col;

typedef struct rb_table {
    const char *schema;
    char *name;   /* NULL: no such table */
    char *quoted; /* schema."name" */
    char *sql;
    bool is_virtual;
    bool has_rowid;
    rb_table_col *columns; /* columns that hold data, without generated ones */
    size_t n;
} rb_table;

void rb_table_clear(rb_table *t);
/* Finds a table by its name in catalogs. out->name stays NULL if the schema has no such table. */
enum rb_code rb_table_find(rb_table *out, rb_sqlite *db, const char *schema, const char *name,
                           rb_err *err);
const rb_table_col *rb_table_column(const rb_table *t, const char *plain);
/* Returns a name for the rowid that is not the name of a column in either table; NULL if there is
 * none. */
const char *rb_table_rowid(const rb_table *was, const rb_table *now);
/* Returns the name of a table in the state before: rb_sqlite_keep() renames tables. */
char *rb_table_before(const rb_sqlite *db, const char *name);
/* Sets *out if the table has data of its own, and is not just an index or view of other tables. */
enum rb_code rb_table_has_data(bool *out, rb_sqlite *db, const rb_table *t, rb_err *err);
/* Counts rows. *exact: false if the rows themselves cannot be counted. */
enum rb_code rb_table_count(int64_t *rows, bool *exact, rb_sqlite *db, const rb_table *t,
                            rb_err *err);

/* Returns a column's default as SQL that has the same value wherever it is written: a default that
 * is a name becomes a string. A new string. */
char *rb_sqlite_default_value(const char *text);

#endif
