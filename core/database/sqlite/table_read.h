/* Tables as their rows are compared and copied: columns that hold data, and virtual tables. */
#ifndef RB_DATABASE_SQLITE_TABLE_READ_H
#define RB_DATABASE_SQLITE_TABLE_READ_H

#include "database/sqlite/sqlite.h"

typedef struct rb_table_col {
    char *name;    /* quoted */
    char *plain;   /* as catalogs have it: safe */
    char *fresh;   /* its default, as SQL */
    char affinity; /* i, t, r, n; b for none */
    int64_t key;   /* its place in the primary key, from 1; 0: none */
    bool not_null;
} rb_table_col;

typedef struct rb_table {
    const char *schema;
    char *name;   /* NULL: there is none */
    char *quoted; /* schema."name" */
    char *sql;
    bool is_virtual;
    bool has_rowid;
    rb_table_col *columns; /* those that hold data, generated ones apart */
    size_t n;
} rb_table;

void rb_table_clear(rb_table *t);
/* name: as catalogs have it. out->name stays NULL where the schema has no such table. */
enum rb_code rb_table_find(rb_table *out, rb_sqlite *db, const char *schema, const char *name,
                           rb_err *err);
const rb_table_col *rb_table_column(const rb_table *t, const char *plain);
/* A name of the rowid that neither table has as a column's; NULL where there is none. */
const char *rb_table_rowid(const rb_table *was, const rb_table *now);
/* The name that a table has in the state before: rb_sqlite_keep() gives it another. */
char *rb_table_before(const rb_sqlite *db, const char *name);
/* Whether it has data of its own, rather than an index or a view of other tables' data. */
enum rb_code rb_table_has_data(bool *out, rb_sqlite *db, const rb_table *t, rb_err *err);
/* *exact is set to false where the rows cannot be read. */
enum rb_code rb_table_count(int64_t *rows, bool *exact, rb_sqlite *db, const rb_table *t,
                            rb_err *err);

/* A column's default as SQL that stands for its value wherever it is written: a default that is a
 * name is a string. A new string. */
char *rb_sqlite_default_value(const char *text);

#endif
