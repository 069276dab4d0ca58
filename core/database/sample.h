/*
 * Chooses values for made-up rows, for any engine: values that applications usually write, values
 * that scripts name, and values that satisfy a table's CHECKs. The driver finds the columns,
 * evaluates CHECKs in the database, and inserts the row.
 */
#ifndef RB_DATABASE_SAMPLE_H
#define RB_DATABASE_SAMPLE_H

#include "database/driver.h"

typedef struct rb_sample_column {
    char *name;
    char *value; /* as SQL */
    bool nullable;
    bool has_default;
    bool is_key;
} rb_sample_column;

typedef struct rb_sample_row {
    const rb_samples *samples;
    size_t row;   /* number of the row in its table, from 0: named values differ from row to row */
    size_t named; /* number of values that the scripts name for one column, at most */
    rb_sample_column *items;
    size_t n;
} rb_sample_row;

rb_sample_column *rb_sample_find(const rb_sample_row *row,
                                 const char *name); /* NULL if not found */
void rb_sample_clear(rb_sample_row *row);

/* Returns literal number `at`, counted from 0 and modulo their number, that scripts compare a
 * column of that name with. Only those that are numbers or strings, as asked. *count: how many
 * there are. NULL if there are none. */
const char *rb_sample_named(size_t *count, const rb_samples *samples, const char *name,
                            bool numbers, bool strings, size_t at);
/* Returns a different value for each row, since a column may be unique. A new string. */
char *rb_sample_numbered(const char *value, size_t row);

/* Returns true unless the condition is false for the row. */
typedef bool rb_sample_holds(void *context, const rb_sample_row *row, const char *check);
/* Changes values of the row until the condition holds. Leaves the row unchanged if it finds none.
 */
void rb_sample_satisfy(rb_sample_row *row, const char *check, const char *engine,
                       rb_sample_holds *holds, void *context);

/* Implements rb_db_driver.literals for an engine's SQL. */
void rb_sample_literals(json_t *literals, const char *sql, size_t len, const char *engine);

#endif
