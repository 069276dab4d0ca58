/*
 * SQLite connections and statements, for rbtool's own state.db and for the driver of the users'
 * databases (core/database/sqlite), which adds scripts, limits and guards.
 *
 * Order of calls: rb_sqlite_open_own() or rb_sqlite_open(); rb_sqlite_each() and its relatives, or
 * rb_stmt_prepare(), rb_stmt_bind(), rb_stmt_step() until it is not RB_STMT_ROW, rb_stmt_free();
 * rb_sqlite_close(). One thread at a time uses a connection.
 *
 * Parameters are bound by number: $2 and ?2 get the second value wherever they stand. A value that
 * a statement asks for and params does not have is an error, never NULL.
 *
 * Errors name the database, the cause (locked by which process, missing, disk full) and what to do.
 * A database that is locked for longer than RB_SQLITE_BUSY_MS is RB_ERROR.
 */
#ifndef RB_SQLITE_SQLITE_H
#define RB_SQLITE_SQLITE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"

#define RB_SQLITE_BUSY_MS 5000

typedef struct rb_stmt rb_stmt;

/* A connection. Only drivers access the members. */
typedef struct rb_sqlite {
    struct sqlite3 *handle;
    char *path; /* as given, for messages */
    /* the driver began a transaction: statements fail if SQLite has ended it since */
    bool begun;
    /* the authorizer's reason for refusing a statement; replaces SQLite's message */
    rb_buf denied;
    rb_stmt *lasting; /* open statement of rb_sqlite_stay() */
    void *owner;      /* argument of rb_sqlite_options.closed() */
    const struct rb_sqlite_options *options;
} rb_sqlite;

enum rb_sqlite_how {
    /* only reads, but rolls back what a killed process left; the file must exist */
    RB_SQLITE_READ,
    RB_SQLITE_WRITE,  /* reads and writes; the file must exist */
    RB_SQLITE_CREATE, /* reads and writes; creates a missing file */
};

/* Options of a driver; every member may be NULL. Must outlive the connection. */
typedef struct rb_sqlite_options {
    const char *vfs;
    const char *pragmas; /* run instead of the PRAGMAs that make commits durable */
    /* Sets authorizers and hooks. Called before anything is read. */
    enum rb_code (*prepare)(rb_sqlite *db, rb_err *err);
    /* Explains the last failure: a new string, or NULL for SQLite's own message. May change
     * *code. */
    char *(*explain)(rb_sqlite *db, enum rb_code *code);
    void (*closed)(void *owner);
} rb_sqlite_options;

/* Opens a database and reads its schema once. path: a file, ":memory:", or "" for a temporary file.
 * owner is passed to closed(), also if the opening fails. options may be NULL. */
enum rb_code rb_sqlite_open(rb_sqlite **out, const char *path, enum rb_sqlite_how how,
                            const rb_sqlite_options *options, void *owner, rb_err *err);
/* Opens a database of rbtool itself, such as state.db. It has no views and triggers; views and
 * triggers that another user added have no effect. */
enum rb_code rb_sqlite_open_own(rb_sqlite **out, const char *path, enum rb_sqlite_how how,
                                rb_err *err);
void rb_sqlite_close(rb_sqlite *db); /* rolls back an open transaction */
RB_DEFINE_AUTO(rb_sqlite, rb_sqlite_close)

bool rb_sqlite_is_memory(const char *path);
/* true in a transaction; SQLite may have ended it by itself */
bool rb_sqlite_active(const rb_sqlite *db);
void rb_sqlite_triggers(rb_sqlite *db, bool on);
const char *rb_sqlite_version(void);

/* Copies the whole database `from` to `to`, page by page. `from` must not be in a write
 * transaction. */
enum rb_code rb_sqlite_backup(rb_sqlite *to, rb_sqlite *from, rb_err *err);
/* Appends the bytes of the whole database, as they are in a file; and makes `to` a copy of such
 * bytes. Neither works in a write transaction. */
enum rb_code rb_sqlite_save(rb_buf *out, rb_sqlite *db, rb_err *err);
enum rb_code rb_sqlite_load(rb_sqlite *to, const rb_buf *bytes, rb_err *err);

/*
 * Keeps a shared lock between transactions, for a database that no other process writes. SQLite
 * then need not check for changes, nor create its journal, in each transaction. Other processes can
 * read. The database must contain a table. After a failure, call rb_sqlite_leave(): SQLite can only
 * recover from a failed rollback after that.
 */
enum rb_code rb_sqlite_stay(rb_sqlite *db, rb_err *err);
void rb_sqlite_leave(rb_sqlite *db);

/* Statements (statement.c) */

enum rb_cell_kind { RB_CELL_NULL, RB_CELL_INTEGER, RB_CELL_REAL, RB_CELL_TEXT, RB_CELL_BLOB };

typedef struct rb_cell {
    enum rb_cell_kind kind;
    int64_t integer;
    double real;
    const void *data; /* text (NUL-terminated) or blob; valid until the next step */
    size_t len;
} rb_cell;

enum rb_stmt_end { RB_STMT_ROW, RB_STMT_DONE, RB_STMT_FAILED };

/* Compiles the first statement of sql. Returns false if that fails. *out is NULL if sql contains
 * only comments. *tail: the text after the statement. *offset: position of the error in sql, or
 * -1. */
bool rb_stmt_prepare(rb_stmt **out, const char **tail, long *offset, rb_sqlite *db,
                     const char *sql);
void rb_stmt_free(rb_stmt *stmt);
RB_DEFINE_AUTO(rb_stmt, rb_stmt_free)
/* Binds values: params is a JSON array of strings, integers and nulls. Values that the statement
 * does not use are ignored. params may be NULL if it has no parameters. */
enum rb_code rb_stmt_bind(rb_stmt *stmt, const json_t *params, rb_err *err);
/* Binds one value; `at` counts from 1. The cell's data must stay valid until the next binding. */
bool rb_stmt_bind_cell(rb_stmt *stmt, size_t at, const rb_cell *cell);
void rb_stmt_reset(rb_stmt *stmt); /* prepares for another run; bound values stay */
bool rb_stmt_reads(const rb_stmt *stmt);
enum rb_stmt_end rb_stmt_step(rb_stmt *stmt);
size_t rb_stmt_width(rb_stmt *stmt);
const char *rb_stmt_column(rb_stmt *stmt, size_t i);
void rb_stmt_cell(rb_cell *out, rb_stmt *stmt, size_t i);

/* Receives a result row. Returns false to stop the statement. */
typedef bool rb_sqlite_row(void *context, const rb_cell *cells, size_t n);

/* Runs statements, usually one, and calls row (if not NULL) for each result row. */
enum rb_code rb_sqlite_each(rb_sqlite *db, const char *sql, const json_t *params,
                            rb_sqlite_row *row, void *context, rb_err *err);
/* Same as rb_sqlite_each() without parameters; frees sql. */
enum rb_code rb_sqlite_run(rb_sqlite *db, char *sql, rb_sqlite_row *row, void *context,
                           rb_err *err);
/* Same as rb_sqlite_each(), with the rows as an array of arrays: integers, null, and everything
 * else as strings. rows may be NULL. */
enum rb_code rb_sqlite_query(json_t **rows, rb_sqlite *db, const char *sql, const json_t *params,
                             rb_err *err);
/* An rb_sqlite_row for which context is an rb_strs: adds the first column of each row, as it is or
 * as a quoted name. */
bool rb_sqlite_add_text(void *context, const rb_cell *cells, size_t n);
bool rb_sqlite_add_quoted(void *context, const rb_cell *cells, size_t n);
/* Returns the first column of the first row; NULL if no row was found or the column is not text.
 * Frees sql. */
enum rb_code rb_sqlite_string(char **out, rb_sqlite *db, char *sql, rb_err *err);
/* Returns the first column of the first row; 0 if no row was found. Frees sql. */
enum rb_code rb_sqlite_int(int64_t *out, rb_sqlite *db, char *sql, rb_err *err);

/* Conversions for SQL and JSON: a quoted name, a string literal, a JSON value of a cell. */
char *rb_sqlite_name(const char *name);
char *rb_sqlite_text(const char *text);
json_t *rb_sqlite_json(const rb_cell *cell); /* integers as integers, everything else as strings */

/* Errors (error.c) */

/* Explains the last failure: message, cause and hint. A new string. */
char *rb_sqlite_explain(rb_sqlite *db);
/* Fails with rb_sqlite_explain(); RB_ERROR, unless rb_sqlite_options.explain() sets another
 * code. */
enum rb_code rb_sqlite_fail(rb_sqlite *db, const char *doing, rb_err *err);
/* true if the last failure is a constraint violation */
bool rb_sqlite_is_constraint(const rb_sqlite *db);
/* Returns "process 4711 (python3)" if another process holds a lock on the file, else "". A new
 * string. */
char *rb_sqlite_lock_holder(const char *path);

#endif
