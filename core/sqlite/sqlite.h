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

/* Members are for the driver; others use the functions. */
typedef struct rb_sqlite {
    struct sqlite3 *handle;
    char *path;       /* as given, for messages */
    bool begun;       /* statements run only as long as the transaction is open */
    rb_buf denied;    /* why an authorizer refused the statement, instead of SQLite's message */
    rb_stmt *lasting; /* of rb_sqlite_stay() */
    void *owner;      /* as in rb_sqlite_options */
    const struct rb_sqlite_options *options;
} rb_sqlite;

enum rb_sqlite_how {
    RB_SQLITE_READ,   /* only reads; the file must exist. What a killed process left is undone */
    RB_SQLITE_WRITE,  /* the file must exist */
    RB_SQLITE_CREATE, /* it is created if it is missing */
};

/* What an opening adds to a plain connection; every member may be NULL. Borrowed until the
 * connection is closed. */
typedef struct rb_sqlite_options {
    const char *vfs;
    const char *pragmas; /* statements, instead of those that make commits durable */
    /* Called before anything is read; sets authorizers and hooks. */
    enum rb_code (*prepare)(rb_sqlite *db, rb_err *err);
    /* Explains the last failure: a new string, or NULL for SQLite's own message. */
    char *(*explain)(rb_sqlite *db, enum rb_code *code);
    void (*closed)(void *owner);
} rb_sqlite_options;

/* Opens a database and reads its schema once. path: a file, ":memory:", or "" for a temporary file.
 * owner is handed to closed(), also if the opening fails. options may be NULL. */
enum rb_code rb_sqlite_open(rb_sqlite **out, const char *path, enum rb_sqlite_how how,
                            const rb_sqlite_options *options, void *owner, rb_err *err);
/* Opens a database of rbtool's own: it has no views and triggers, unless they were planted, and
 * they do not run. */
enum rb_code rb_sqlite_open_own(rb_sqlite **out, const char *path, enum rb_sqlite_how how,
                                rb_err *err);
void rb_sqlite_close(rb_sqlite *db); /* rolls back what was not committed */
RB_DEFINE_AUTO(rb_sqlite, rb_sqlite_close)

bool rb_sqlite_is_memory(const char *path);
bool rb_sqlite_active(const rb_sqlite *db); /* in a transaction; SQLite may end one by itself */
void rb_sqlite_triggers(rb_sqlite *db, bool on);
const char *rb_sqlite_version(void);

/* Copies the whole database of from into to, page by page; from may not have written. */
enum rb_code rb_sqlite_backup(rb_sqlite *to, rb_sqlite *from, rb_err *err);

/*
 * For a database that nobody else writes as long as it is open: keeps the right to read between
 * transactions. Then no transaction has to look whether others left something, or to create
 * SQLite's journal. The database has tables already. Others can read. After a failure it must
 * leave: until then SQLite does not forget a rollback that failed.
 */
enum rb_code rb_sqlite_stay(rb_sqlite *db, rb_err *err);
void rb_sqlite_leave(rb_sqlite *db);

/* Statements: statement.c */

enum rb_cell_kind { RB_CELL_NULL, RB_CELL_INTEGER, RB_CELL_REAL, RB_CELL_TEXT, RB_CELL_BLOB };

typedef struct rb_cell {
    enum rb_cell_kind kind;
    int64_t integer;
    double real;
    const void *data; /* text (NUL-terminated) or blob; borrowed until the next step */
    size_t len;
} rb_cell;

enum rb_stmt_end { RB_STMT_ROW, RB_STMT_DONE, RB_STMT_FAILED };

/* False if it cannot be prepared. *out is NULL if there is nothing but comments. *tail: behind
 * the statement. *offset: of the error in sql, or -1. */
bool rb_stmt_prepare(rb_stmt **out, const char **tail, long *offset, rb_sqlite *db,
                     const char *sql);
void rb_stmt_free(rb_stmt *stmt);
RB_DEFINE_AUTO(rb_stmt, rb_stmt_free)
/* params: JSON array of strings, integers and nulls. Those that the statement does not ask for are
 * ignored; NULL has none. */
enum rb_code rb_stmt_bind(rb_stmt *stmt, const json_t *params, rb_err *err);
/* at: from 1. The cell's data is borrowed until the next binding. */
bool rb_stmt_bind_cell(rb_stmt *stmt, size_t at, const rb_cell *cell);
void rb_stmt_reset(rb_stmt *stmt); /* to run it again; keeps what is bound */
bool rb_stmt_reads(const rb_stmt *stmt);
enum rb_stmt_end rb_stmt_step(rb_stmt *stmt);
size_t rb_stmt_width(rb_stmt *stmt);
const char *rb_stmt_column(rb_stmt *stmt, size_t i);
void rb_stmt_cell(rb_cell *out, rb_stmt *stmt, size_t i);

/* A result row; false stops the statement. */
typedef bool rb_sqlite_row(void *context, const rb_cell *cells, size_t n);

/* Runs statements of rbtool's own, usually one; row may be NULL. */
enum rb_code rb_sqlite_each(rb_sqlite *db, const char *sql, const json_t *params,
                            rb_sqlite_row *row, void *context, rb_err *err);
/* The same with a text that was built for it, freed after. */
enum rb_code rb_sqlite_run(rb_sqlite *db, char *sql, rb_sqlite_row *row, void *context,
                           rb_err *err);
/* The same with rows as an array of arrays: integers as integers, NULL as null, text as strings,
 * all else as strings. rows may be NULL. */
enum rb_code rb_sqlite_query(json_t **rows, rb_sqlite *db, const char *sql, const json_t *params,
                             rb_err *err);
/* For rb_sqlite_run() with an rb_strs: adds the first column of each row, as it is or as a quoted
 * name. */
bool rb_sqlite_add_text(void *context, const rb_cell *cells, size_t n);
bool rb_sqlite_add_quoted(void *context, const rb_cell *cells, size_t n);
/* First column of the first row; NULL if there is none, or it is not text. sql is freed. */
enum rb_code rb_sqlite_string(char **out, rb_sqlite *db, char *sql, rb_err *err);
/* First column of the first row; 0 if there is none. sql is freed. */
enum rb_code rb_sqlite_int(int64_t *out, rb_sqlite *db, char *sql, rb_err *err);

/* Texts for SQL and JSON: a name quoted, a text as a literal, a string made valid where needed. */
char *rb_sqlite_name(const char *name);
char *rb_sqlite_text(const char *text);
json_t *rb_sqlite_json(const rb_cell *cell); /* integers as integers, all else as strings */

/* Errors: error.c */

/* What happened, why, what to do. A new string. */
char *rb_sqlite_explain(rb_sqlite *db);
/* Fails with what rb_sqlite_explain() says; RB_ERROR, unless the driver knows better. */
enum rb_code rb_sqlite_fail(rb_sqlite *db, const char *doing, rb_err *err);
bool rb_sqlite_is_constraint(const rb_sqlite *db); /* the last failure: a constraint refused it */
/* "process 4711 (python3)" if a process holds a lock on the file, else "". A new string. */
char *rb_sqlite_lock_holder(const char *path);

#endif
