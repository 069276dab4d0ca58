/*
 * Shared by the files of SQLite's driver, which run SQL through sqlite/sqlite.h. The handle of a
 * user's database is an rb_sqlite whose owner is an rb_sqlite_state. rb_sqlite_of(db) and
 * rb_sqlite_base(db) convert between rb_db and rb_sqlite; rb_sqlite_state_of(db) returns the state.
 */
#ifndef RB_DATABASE_SQLITE_SQLITE_H
#define RB_DATABASE_SQLITE_SQLITE_H

#include "database/driver.h"
#include "sqlite/sqlite.h"

enum rb_sqlite_guard {
    RB_GUARD_NONE,   /* rbtool's own statements */
    RB_GUARD_SCRIPT, /* a migration's script runs */
    RB_GUARD_CHECK,  /* a data test runs: nothing may be written */
};

typedef struct rb_sqlite_state {
    rb_db base;
    rb_sqlite *db;
    enum rb_sqlite_guard guard;
    bool untidy;        /* a script set a PRAGMA or made a temporary object */
    json_t *mismatches; /* foreign keys that SQLite cannot check, as keys; or NULL */
    rb_db_limits limits;
    int64_t deadline;        /* ms of the monotonic clock; 0: none */
    bool limited;            /* a limit was exceeded */
    char *script;            /* the script that started last, for messages; or NULL */
    json_t *effects;         /* of the running script; borrowed, or NULL */
    struct rb_write *writes; /* of the statement that is being prepared (effects.c) */
    size_t write_count;
    rb_sqlite
        *before;      /* if this is a rehearsal's copy, keeps its state before in memory; or NULL */
    char *before_uri; /* URI of the state before, or NULL */
    char *before_file; /* name of the file with the state before, until it is unlinked; or NULL */
    int before_fd;     /* open descriptor of that file: other processes then do not remove it as a
                          leftover */
    bool has_before;   /* the state before is attached */
    bool keeps;        /* the state before has the tables that rb_sqlite_keep() copied */
    rb_sqlite_options options;
} rb_sqlite_state;

static inline rb_sqlite *rb_sqlite_of(const rb_db *db)
{
    return ((const rb_sqlite_state *)db)->db; /* the rb_db is the first member of the state */
}

static inline rb_sqlite_state *rb_sqlite_state_of(const rb_sqlite *db)
{
    return db->owner;
}

static inline rb_db *rb_sqlite_base(const rb_sqlite *db)
{
    return &rb_sqlite_state_of(db)->base;
}

enum rb_sqlite_use {
    RB_SQLITE_USER,    /* with extensions, guards and hooks */
    RB_SQLITE_SCRATCH, /* like RB_SQLITE_USER, without syncing to disk */
};

/* Opens path as a user's database. */
enum rb_code rb_sqlite_connect(rb_sqlite **out, const char *path, enum rb_sqlite_how how,
                               enum rb_sqlite_use use, rb_err *err);
/* Opens an empty database without a name. clock: as for rb_db_scratch(). */
enum rb_code rb_sqlite_scratch(rb_sqlite **out, int64_t clock, rb_err *err);
void rb_sqlite_interrupt(rb_db *db);

/* Functions of state.c: */

enum rb_sqlite_limit { RB_LIMIT_NONE, RB_LIMIT_SECONDS, RB_LIMIT_MEMORY, RB_LIMIT_SIZE };

enum rb_code rb_sqlite_limit(rb_db *db, const rb_db_limits *limits, rb_err *err);
/* Starts the time limit of a script, or of its next statement. sql: NULL for rbtool's own
 * statements. */
void rb_sqlite_clock_start(rb_sqlite *db, const rb_db_text *sql);
void rb_sqlite_clock_stop(rb_sqlite *db); /* stops the time limit of a script */
/* Interrupts a statement after its time limit: a progress handler. context: its rb_sqlite_state. */
int rb_sqlite_tick(void *context);
/* Returns the limit that the last failure hit. The state's "limited" is set from then on. */
enum rb_sqlite_limit rb_sqlite_limit_hit(rb_sqlite *db);
void rb_sqlite_drop_before(rb_sqlite_state *state);
void rb_sqlite_drop_file(int *fd, char **name); /* removes it, closes fd and frees name */

/* Guards, in authorizer.c: */

/* Returns which limit was exceeded and the setting that raises it; NULL if none was. A new string.
 */
char *rb_sqlite_explain_limit(rb_sqlite *db, enum rb_code *code);

/* The authorizer of a connection. context: its rb_sqlite_state. */
int rb_sqlite_authorize(void *context, int action, const char *one, const char *two,
                        const char *schema, const char *trigger);
/* True if a script may call this function, or change this table. Otherwise sets db->denied to the
 * reason. */
bool rb_sqlite_may_call(rb_sqlite *db, const char *function);
bool rb_sqlite_may_change(rb_sqlite *db, const char *table);

/* Functions of functions.c: what scripts may call. Names are compared ignoring case. */
enum rb_sqlite_part { RB_PART_FUNCTION, RB_PART_MODULE };

/* True if functions.c lists the function or module, as allowed or refused. */
bool rb_sqlite_classified(enum rb_sqlite_part part, const char *name);
/* False if the linked SQLite has it and the allow-list does not name it. */
bool rb_sqlite_usable(enum rb_sqlite_part part, const char *name);
/*
 * Finds the first function in an SQL text that scripts may not call. For expressions that SQLite
 * evaluates without asking the authorizer (DEFAULT, CHECK, generated columns and indexes), and for
 * lint. Returns its name as a new string, with its offset; NULL if there is none.
 */
char *rb_sqlite_unusable_call(size_t *offset, const char *sql, size_t len);
void rb_sqlite_outside(const char *sql, size_t len, rb_outside_found *found, void *context);

/* Functions of script.c: */
/* Undoes what scripts set or made on the connection, if it is marked as untidy. */
enum rb_code rb_sqlite_tidy(rb_sqlite *db, rb_err *err);
/* Fails if SQLite ended the transaction, as it does when memory or disk is full. That can also
 * happen in a statement that may fail, such as one that inserts a made-up row. */
enum rb_code rb_sqlite_check_active(rb_sqlite *db, const rb_db_text *sql, rb_err *err);
enum rb_code rb_sqlite_script(json_t *effects, rb_db *db, const rb_db_text *sql, rb_err *err);
enum rb_code rb_sqlite_seed(rb_db *db, const rb_db_text *sql, json_t *done, char **why,
                            rb_err *err);
enum rb_code rb_sqlite_check(json_t **rows, rb_db *db, const char *sql, size_t limit, rb_err *err);

/* Functions of catalog.c: */
enum rb_code rb_sqlite_catalog(json_t **out, rb_db *db, rb_err *err);

/* Functions of copy.c: */
/* Copies the database into a new file. A small one is copied as a file while writers wait;
 * otherwise SQLite copies pages, and writers go on in between. */
enum rb_code rb_sqlite_copy(rb_sqlite *db, const char *into, rb_err *err);

/* Functions of rehearsal.c: */
enum rb_code rb_sqlite_size(int64_t *out, rb_db *db, rb_err *err);
enum rb_code rb_sqlite_rehearse(rb_db **out, rb_db *of, const char *dir, bool rows, rb_err *err);
/* Returns a URI that attaches a file which does not change, without locks. A new string. */
char *rb_sqlite_uri(const char *path);
/* Attaches the state before to a rehearsal's copy. Does nothing for other databases. */
enum rb_code rb_sqlite_attach_before(rb_sqlite *db, rb_err *err);

/* Functions of sample_rows.c: */
enum rb_code rb_sqlite_fill(json_t *filled, rb_db *db, const rb_samples *samples, rb_err *err);

/* Functions of sample.c: */
void rb_sqlite_literals(json_t *literals, const char *sql, size_t len);

/* Functions of table_read.c: */
/* Lists the tables in which virtual tables store their data. */
enum rb_code rb_sqlite_shadows(rb_strs *out, rb_sqlite *db, rb_err *err);

/* Functions of references.c: */
enum rb_code rb_sqlite_violations(json_t **out, rb_db *db, const json_t *effects, rb_err *err);
json_t *rb_sqlite_mismatches(const rb_db *db);

#endif
