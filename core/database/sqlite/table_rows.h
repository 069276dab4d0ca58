/* Rows of any type: the shape of a table, statements that run many times, and digests of rows. */
#ifndef RB_DATABASE_SQLITE_TABLE_ROWS_H
#define RB_DATABASE_SQLITE_TABLE_ROWS_H

#include "base/hash.h"
#include "database/sqlite/sqlite.h"

/* What a table of a database looks like now. */
typedef struct rb_table_shape {
    bool exists;
    bool is_virtual;
    bool has_rowid_name; /* no column is named "rowid" */
    rb_strs columns;     /* those that hold data; not the generated ones */
    rb_strs key;         /* the declared one, or a unique key of NOT NULL columns; perhaps empty */
    rb_strs collations;  /* of the key's index; "" where it is not known */
} rb_table_shape;
enum rb_code rb_table_shape_read(rb_table_shape *out, rb_sqlite *db, const char *table,
                                 rb_err *err) RB_MUST_USE;
void rb_table_shape_clear(rb_table_shape *shape);

/* Each name, quoted, in place of the '@'s of a pattern, with between between them. A new string. */
char *rb_sqlite_spread(const rb_strs *names, const char *pattern, const char *between);
/* "a" = ? AND "b" COLLATE "NOCASE" = ?: finds a row by its key. A new string. */
char *rb_table_where(const rb_table_shape *shape, const rb_strs *key);

/* A statement that is run many times. sql is freed. doing: for errors; borrowed. */
typedef struct rb_repeated {
    rb_sqlite *db;
    rb_stmt *stmt;
    const char *doing;
} rb_repeated;
enum rb_code rb_repeated_prepare(rb_repeated *out, rb_sqlite *db, char *sql, const char *doing,
                                 rb_err *err) RB_MUST_USE;
/* Binds n cells of the current row of from, beginning with first, to parameter at and following. */
enum rb_code rb_repeated_bind(rb_repeated *r, size_t at, rb_stmt *from, size_t first, size_t n,
                              rb_err *err) RB_MUST_USE;
enum rb_code rb_repeated_bind_int(rb_repeated *r, size_t at, int64_t value,
                                  rb_err *err) RB_MUST_USE;
/* *row: there is one. What was read before is not valid any more. */
enum rb_code rb_repeated_step(bool *row, rb_repeated *r, rb_err *err) RB_MUST_USE;
void rb_repeated_clear(rb_repeated *r);

/* Of n columns of the current row, beginning with first. columns: four bytes for each. */
typedef struct rb_row_digest {
    rb_sha256 *hash;
    rb_buf data;
    rb_buf columns;
    unsigned char sha256[RB_SHA256_SIZE];
} rb_row_digest;
void rb_row_digest_take(rb_row_digest *out, rb_stmt *stmt, size_t first, size_t n);
void rb_row_digest_clear(rb_row_digest *digest);

/* How often each content of rows occurs, in a temporary table of db, which is dropped at the end.
 */
typedef struct rb_row_contents {
    rb_sqlite *db;
    rb_row_digest digest;
    rb_repeated add;
    rb_repeated take;
} rb_row_contents;
enum rb_code rb_row_contents_open(rb_row_contents *out, rb_sqlite *db, rb_err *err) RB_MUST_USE;
/* n columns of the current row, beginning with first, times more often. */
enum rb_code rb_row_contents_add(rb_row_contents *c, rb_stmt *stmt, size_t first, size_t n,
                                 int64_t times, rb_err *err) RB_MUST_USE;
/* *found: it occurs; then once less from now on. */
enum rb_code rb_row_contents_take(bool *found, rb_row_contents *c, rb_stmt *stmt, size_t first,
                                  size_t n, rb_err *err) RB_MUST_USE;
void rb_row_contents_close(rb_row_contents *c);

#endif
