/*
 * What the SQLite driver's files share. sqlite.c alone knows libsqlite3; the others speak SQL
 * through it.
 */
#ifndef RB_DATABASE_SQLITE_SQLITE_H
#define RB_DATABASE_SQLITE_SQLITE_H

#include "database/driver.h"

#define RB_SQLITE_BUSY_MS 5000
#define RB_SQLITE_COLUMNS 2000 /* SQLite's own limit as built */

typedef struct rb_watch rb_watch; /* watch.h */
typedef struct rb_stmt rb_stmt;

enum rb_sqlite_guard {
    RB_GUARD_NONE,   /* rbtool's own statements */
    RB_GUARD_SCRIPT, /* a migration's */
    RB_GUARD_CHECK,  /* a data test's: nothing may be written */
};

typedef struct rb_sqlite {
    rb_db base;
    void *handle; /* sqlite3 */
    char *path;   /* as given; ":memory:" for a scratch database */
    rb_watch *watch;
    bool begun; /* by rb_db_begin, and not ended by us */
    enum rb_sqlite_guard guard;
    bool untidy;          /* a script set a PRAGMA, or made something temporary */
    rb_buf denied;        /* why a statement was refused */
    bool virtual_changed; /* since begin: a virtual table was created or dropped, */
    bool renamed;         /* some table was renamed */
    json_t *mismatches;   /* foreign keys that SQLite cannot check, as keys; or NULL */
    rb_db_limits limits;
    int64_t deadline; /* ms of the monotonic clock; 0: none */
    bool limited;     /* a limit was hit */
    char *script;     /* the last one that was started, for messages; or NULL */
    rb_stmt *lasting; /* a query that never ends, and holds the shared lock; or NULL */
} rb_sqlite;

/* Connections */

enum rb_sqlite_how { RB_SQLITE_READ, RB_SQLITE_RECOVER, RB_SQLITE_WRITE, RB_SQLITE_CREATE };

enum rb_sqlite_use {
    RB_SQLITE_USER,    /* a database of the user's: with rbtool.extension, guards and hooks */
    RB_SQLITE_SCRATCH, /* the same, without durability */
    RB_SQLITE_OWN,     /* rbtool's own data, which needs no extension and runs no scripts */
};

/*
 * Opens path, looks at it once, and sets what every connection of ours has. RECOVER: may roll back
 * a journal that a killed process left, and then only reads.
 */
enum rb_code rb_sqlite_connect(rb_sqlite **out, const char *path, enum rb_sqlite_how how,
                               enum rb_sqlite_use use, rb_err *err) RB_MUST_USE;
/* An empty database without a name; clock as for rb_db_scratch(). */
enum rb_code rb_sqlite_scratch(rb_sqlite **out, int64_t clock, rb_err *err) RB_MUST_USE;
void rb_sqlite_close(rb_sqlite *db);
RB_DEFINE_AUTO(rb_sqlite, rb_sqlite_close)

bool rb_sqlite_active(const rb_sqlite *db); /* in a transaction; SQLite may end one by itself */
bool rb_sqlite_readonly(const rb_sqlite *db);
void rb_sqlite_triggers(rb_sqlite *db, bool on);
void rb_sqlite_interrupt(rb_db *db);
const char *rb_sqlite_version(const rb_db *db);

/* Copies the whole database of from into to, page by page; from may not have written. */
enum rb_code rb_sqlite_backup(rb_sqlite *to, rb_sqlite *from, rb_err *err) RB_MUST_USE;

/* Statements */

enum rb_cell_kind { RB_CELL_NULL, RB_CELL_INTEGER, RB_CELL_REAL, RB_CELL_TEXT, RB_CELL_BLOB };

typedef struct rb_cell {
    enum rb_cell_kind kind;
    int64_t integer;
    double real;
    const void *data; /* text (NUL-terminated) or blob; borrowed until the next step */
    size_t len;
} rb_cell;

enum rb_step { RB_STEP_ROW, RB_STEP_DONE, RB_STEP_FAILED };

/* False when it cannot be prepared. *out is NULL when there is nothing but comments. *tail: behind
 * the statement. *offset: of the error in sql, or -1. */
bool rb_stmt_prepare(rb_stmt **out, const char **tail, long *offset, rb_sqlite *db,
                     const char *sql);
void rb_stmt_free(rb_stmt *stmt);
RB_DEFINE_AUTO(rb_stmt, rb_stmt_free)
bool rb_stmt_bind(rb_stmt *stmt, const json_t *params);
bool rb_stmt_reads(const rb_stmt *stmt);
enum rb_step rb_stmt_step(rb_stmt *stmt);
size_t rb_stmt_width(rb_stmt *stmt);
const char *rb_stmt_column(rb_stmt *stmt, size_t i);
void rb_stmt_cell(rb_cell *out, rb_stmt *stmt, size_t i);

/* A result row; false stops the statement. */
typedef bool rb_sqlite_row(void *context, const rb_cell *cells, size_t n);

/* Statements of our own, usually one; row may be NULL. */
enum rb_code rb_sqlite_each(rb_sqlite *db, const char *sql, const json_t *params,
                            rb_sqlite_row *row, void *context, rb_err *err) RB_MUST_USE;
/* The same with a text that was built for it, freed after. */
enum rb_code rb_sqlite_run(rb_sqlite *db, char *sql, rb_sqlite_row *row, void *context,
                           rb_err *err) RB_MUST_USE;
/* For rb_sqlite_run() with an rb_strs: adds the first column of each row, as it is or as a quoted
 * name. */
bool rb_sqlite_add_text(void *context, const rb_cell *cells, size_t n);
bool rb_sqlite_add_quoted(void *context, const rb_cell *cells, size_t n);
/* First column of the first row; NULL when there is none, or it is no text. sql is freed. */
enum rb_code rb_sqlite_string(char **out, rb_sqlite *db, char *sql, rb_err *err) RB_MUST_USE;
/* First column of the first row; 0 when there is none. sql is freed. */
enum rb_code rb_sqlite_int(int64_t *out, rb_sqlite *db, char *sql, rb_err *err) RB_MUST_USE;
int64_t rb_sqlite_changes(const rb_sqlite *db); /* rows that the last statement changed */

/* Limits: sqlite.c */

enum rb_sqlite_limit { RB_LIMIT_NONE, RB_LIMIT_SECONDS, RB_LIMIT_MEMORY, RB_LIMIT_SIZE };

enum rb_code rb_sqlite_limit(rb_db *db, const rb_db_limits *limits, rb_err *err) RB_MUST_USE;
/* The time that a script, or a statement of it, has is counted from here. sql: NULL for rbtool's
 * own statements. */
void rb_sqlite_clock_start(rb_sqlite *db, const rb_db_text *sql);
void rb_sqlite_clock_stop(rb_sqlite *db); /* now rbtool's own statements follow */
/* By the last failure; db->limited keeps it. */
enum rb_sqlite_limit rb_sqlite_limit_hit(rb_sqlite *db);

/* Errors: authorizer.c */

enum rb_sqlite_cause {
    RB_CAUSE_OTHER,
    RB_CAUSE_BUSY,
    RB_CAUSE_FULL,
    RB_CAUSE_IO,
    RB_CAUSE_DAMAGED,
    RB_CAUSE_NO_DATABASE,
    RB_CAUSE_READONLY,
    RB_CAUSE_CANNOT_OPEN,
    RB_CAUSE_INTERRUPTED,
    RB_CAUSE_CONSTRAINT,
};

enum rb_sqlite_cause rb_sqlite_cause(const rb_sqlite *db); /* of the last failure */
const char *rb_sqlite_message(const rb_sqlite *db);        /* SQLite's own words */
int rb_sqlite_errno(const rb_sqlite *db);                  /* of the last failed system call */
/* What happened, why, what to do. A new string. */
char *rb_sqlite_explain(rb_sqlite *db);
enum rb_code rb_sqlite_fail(rb_sqlite *db, const char *doing, rb_err *err);

enum rb_sqlite_action {
    RB_ACTION_ATTACH,
    RB_ACTION_TRANSACTION,
    RB_ACTION_PRAGMA,
    RB_ACTION_FUNCTION,
    RB_ACTION_MODULE,      /* of the virtual table name that is created; the value */
    RB_ACTION_ATTACHED_TO, /* a trigger or an index is created on a table */
    RB_ACTION_WRITE,       /* to a table, or of its definition */
    RB_ACTION_DROP,        /* of a table in a schema, the value */
    RB_ACTION_ALTER,       /* the same */
};

/* May a guarded statement do this? False leaves the reason in db->denied. */
bool rb_sqlite_allowed(rb_sqlite *db, enum rb_sqlite_action action, const char *name,
                       const char *value);

/* functions.c: what scripts may call. Names are compared without case. */
enum rb_sqlite_part { RB_PART_FUNCTION, RB_PART_MODULE };

/* True if this source file states whether scripts may use the function or module. */
bool rb_sqlite_classified(enum rb_sqlite_part part, const char *name);
/* False for what the linked SQLite has and the allow-list does not name. */
bool rb_sqlite_usable(enum rb_sqlite_part part, const char *name);
/*
 * Finds the first function in SQL text that scripts may not call, and the offset of its name. For
 * expressions that SQLite shows to no authorizer when it evaluates them (DEFAULT, CHECK, generated
 * columns and indexes), and for lint. Returns a new string, or NULL.
 */
char *rb_sqlite_unusable_call(size_t *offset, const char *sql, size_t len);

/* "process 4711 (python3)" when somebody holds a lock on the file, else "". A new string. */
char *rb_sqlite_lock_holder(const char *path);

/* Changes of rows that a script makes. Keys are rowids, or hashes of the row where there are
 * none. */
typedef struct rb_sqlite_change {
    enum { RB_CHANGE_INSERT, RB_CHANGE_DELETE, RB_CHANGE_UPDATE } kind;
    uint64_t old_key;
    uint64_t new_key;
    const bool *lost; /* UPDATE: columns, as stored, that held a value and now hold another */
    size_t n;
} rb_sqlite_change;

/* changes.c: hands what scripts change to db->watch from now on. */
void rb_sqlite_note_changes(rb_sqlite *db);

/* script.c */
/* Takes back what scripts set or made on the connection, when it is untidy. */
enum rb_code rb_sqlite_tidy(rb_sqlite *db, rb_err *err) RB_MUST_USE;
enum rb_code rb_sqlite_script(rb_db *db, const rb_db_text *sql, rb_err *err) RB_MUST_USE;
enum rb_code rb_sqlite_seed(rb_db *db, const rb_db_text *sql, json_t *done, char **why,
                            rb_err *err) RB_MUST_USE;
enum rb_code rb_sqlite_check(json_t **rows, rb_db *db, const char *sql, size_t limit,
                             rb_err *err) RB_MUST_USE;

/* catalog.c */
enum rb_code rb_sqlite_catalog(json_t **out, rb_db *db, rb_err *err) RB_MUST_USE;

/* backup.c */
enum rb_code rb_sqlite_copy(rb_db *db, const char *path, rb_err *err) RB_MUST_USE;
enum rb_code rb_sqlite_rehearse(rb_db **out, rb_db *of, const char *dir, rb_err *err) RB_MUST_USE;

/* deleted_rows.c */
enum rb_code rb_sqlite_note_gone(json_t *items, rb_db *db, const char *copy,
                                 rb_err *err) RB_MUST_USE;

/* restore.c */
enum rb_code rb_sqlite_put_back(json_t **report, json_t *left, rb_db *db, const char *copy,
                                const json_t *lost, const rb_db_work *work,
                                rb_err *err) RB_MUST_USE;

/* sample_rows.c */
enum rb_code rb_sqlite_fill(json_t *filled, rb_db *db, const rb_samples *samples,
                            rb_err *err) RB_MUST_USE;

/* sample.c */
void rb_sqlite_literals(json_t *literals, const char *sql, size_t len);

/* table_digest.c */
/* Tables that a virtual table keeps its data in. */
enum rb_code rb_sqlite_shadows(rb_strs *out, rb_sqlite *db, rb_err *err) RB_MUST_USE;
enum rb_code rb_sqlite_contents(json_t **out, rb_db *db, const char *table,
                                rb_err *err) RB_MUST_USE;

/* references.c */
enum rb_code rb_sqlite_violations(json_t **out, rb_db *db, rb_err *err) RB_MUST_USE;
json_t *rb_sqlite_mismatches(const rb_db *db);

/* Texts for SQL and JSON: a name quoted, a text as a literal, a string made valid where needed. */
char *rb_sqlite_name(const char *name);
char *rb_sqlite_text(const char *text);
json_t *rb_sqlite_json(const rb_cell *cell); /* integers as integers, all else as strings */

#endif
