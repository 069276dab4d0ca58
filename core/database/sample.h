/*
 * Values of made-up rows, for any engine: as an application would write them, as scripts name them,
 * and such that a table's CHECKs hold. The engine's own part finds the columns, asks the database
 * whether a CHECK holds, and inserts the row.
 */
#ifndef RB_DATABASE_SAMPLE_H
#define RB_DATABASE_SAMPLE_H

#include "database/driver.h"

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

rb_sample_column *rb_sample_find(const rb_sample_row *row, const char *name); /* or NULL */
void rb_sample_clear(rb_sample_row *row);

/* Of the literals that scripts compare a column of that name with: those that are numbers or
 * strings. at: which one, from 0, and again from the first; NULL if there are none. */
const char *rb_sample_named(size_t *count, const rb_samples *samples, const char *name,
                            bool numbers, bool strings, size_t at);
/* Another value for each further row, as columns may be unique; a new string. */
char *rb_sample_numbered(const char *value, size_t row);

/* Whether a condition is not false for the row. */
typedef bool rb_sample_holds(void *context, const rb_sample_row *row, const char *check);
/* Changes values until the condition holds, where some can be found. */
void rb_sample_satisfy(rb_sample_row *row, const char *check, const char *engine,
                       rb_sample_holds *holds, void *context);

/* rb_db_driver.literals */
void rb_sample_literals(json_t *literals, const char *sql, size_t len, const char *engine);

#endif
