/*
 * The rows of a table, held as hashes of their values, so that what became of them can be told when
 * they are in another table. Reading is linear, comparing n log n.
 */
#ifndef RB_DATABASE_SQLITE_ROW_HASHES_H
#define RB_DATABASE_SQLITE_ROW_HASHES_H

#include "database/sqlite/sqlite.h"

#define RB_HELD_LIMIT (8u << 20) /* values of a table */

typedef struct rb_held_column {
    char *name;     /* as the table has it now */
    char *fallback; /* its default, as SQL, that stands for nothing lost; NULL when all count */
    bool loose;     /* a number and its text are the same */
} rb_held_column;

typedef struct rb_held_columns {
    rb_held_column *items;
    size_t n;
} rb_held_columns;

typedef struct rb_held {
    rb_strs names;
    uint64_t *values; /* row by row; the lowest bit: it is the default */
    size_t rows;
    size_t cap;
    bool over; /* there is more than the limit: nothing is held */
} rb_held;

/* The strings are copied. */
void rb_held_columns_add(rb_held_columns *columns, const char *name, const char *fallback,
                         bool loose);
void rb_held_columns_clear(rb_held_columns *columns);

/* A hash with a value added. loose: a number and its text are the same. */
uint64_t rb_cell_mix(uint64_t hash, const rb_cell *cell, bool loose);

/* All rows of a table of the main schema, in its own order. */
enum rb_code rb_held_read(rb_held *out, rb_sqlite *db, const char *table,
                          const rb_held_columns *columns, rb_err *err) RB_MUST_USE;
void rb_held_clear(rb_held *held);

/*
 * Rows of was that have no partner in now: one with the same values in all columns that both have,
 * and, of those that are left, the next one in order that has all values which are not the default.
 * A column with fewer values than fewer rows explain is told by its own count, not here.
 */
int64_t rb_held_lost(const rb_held *was, const rb_held *now);

#endif
