/* Values of made-up rows, for sample_rows.c. */
#ifndef RB_DATABASE_SQLITE_SAMPLE_H
#define RB_DATABASE_SQLITE_SAMPLE_H

#include "database/sqlite/sqlite.h"

typedef struct rb_sample_column {
    char *name;
    char *value; /* SQL */
    bool nullable;
    bool has_default;
    bool is_key;
} rb_sample_column;

typedef struct rb_sample_row {
    const rb_samples *samples;
    size_t row;   /* of those for this table, from 0: named values differ from row to row */
    size_t named; /* values that the scripts name for one column, at most */
    rb_sample_column *items;
    size_t n;
} rb_sample_row;

/* For rb_sqlite_run(): adds a column of pragma_table_xinfo() (name, type, notnull, dflt_value, pk)
 * with its value. */
bool rb_sample_add(void *context, const rb_cell *cells, size_t n);
rb_sample_column *rb_sample_find(const rb_sample_row *row, const char *name); /* or NULL */
/* Changes values until the CHECKs of the table that sql creates hold, where some can be found. */
void rb_sample_satisfy(rb_sqlite *db, rb_sample_row *row, const char *table, const char *sql);
void rb_sample_clear(rb_sample_row *row);

#endif
