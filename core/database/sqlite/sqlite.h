/*
 * What the SQLite driver's files share. They speak SQL through sqlite/sqlite.h. The handle of a
 * user's database is an rb_sqlite whose owner is an rb_sqlite_state:
 *
 *   rb_db * -> rb_sqlite *            rb_sqlite_of(db)
 *   rb_sqlite * -> rb_db *            rb_sqlite_base(db)
 *   rb_sqlite * -> rb_sqlite_state *  rb_sqlite_state_of(db)
 */
#ifndef RB_DATABASE_SQLITE_SQLITE_H
#define RB_DATABASE_SQLITE_SQLITE_H

#include "database/driver.h"
#include "sqlite/sqlite.h"

enum rb_sqlite_guard {
    RB_GUARD_NONE,   /* rbtool's own statements */
    RB_GUARD_SCRIPT, /* a migration's */
    RB_GUARD_CHECK,  /* a data test's: nothing may be written */
};

typedef struct rb_sqlite_state {
    rb_db base;
    rb_sqlite *db;
    enum rb_sqlite_guard guard;
    bool untidy;        /* a script set a PRAGMA, or made something temporary */
    json_t *mismatches; /* foreign keys that SQLite cannot check, as keys; or NULL */
    rb_db_limits limits;
    int64_t deadline;        /* ms of the monotonic clock; 0: none */
    bool limited;            /* a limit was hit */
    char *script;            /* the last one that was started, for messages; or NULL */
    json_t *effects;         /* of the script that runs; borrowed, or NULL */
    struct rb_write *writes; /* of the statement that is prepared: effects.c */
    size_t write_count;
    rb_sqlite *before; /* of a rehearsal's copy: keeps the state before in memory, or NULL */
    char *before_uri;  /* where that is, or NULL */
    char *before_file; /* its file, as long as that has a name, */
    int before_fd;     /* and open: no other process takes it for left over */
    bool has_before;   /* it is attached, */
    bool keeps;        /* and holds what rb_sqlite_keep() copied */
    rb_sqlite_options options;
} rb_sqlite_state;

rb_sqlite *rb_sqlite_of(const rb_db *db);
rb_db *rb_sqlite_base(const rb_sqlite *db);
rb_sqlite_state *rb_sqlite_state_of(const rb_sqlite *db);

enum rb_sqlite_use {
    RB_SQLITE_USER,    /* with rbtool.extension, guards and hooks */
    RB_SQLITE_SCRATCH, /* the same, without durability */
};

/* Opens path as a database of the user's. */
enum rb_code rb_sqlite_connect(rb_sqlite **out, const char *path, enum rb_sqlite_how how,
                               enum rb_sqlite_use use, rb_err *err);
/* An empty database without a name; clock as for rb_db_scratch(). */
enum rb_code rb_sqlite_scratch(rb_sqlite **out, int64_t clock, rb_err *err);
void rb_sqlite_interrupt(rb_db *db);

/* Limits: open.c */

enum rb_sqlite_limit { RB_LIMIT_NONE, RB_LIMIT_SECONDS, RB_LIMIT_MEMORY, RB_LIMIT_SIZE };

enum rb_code rb_sqlite_limit(rb_db *db, const rb_db_limits *limits, rb_err *err);
/* The time that a script, or a statement of it, has is counted from here. sql: NULL for rbtool's
 * own statements. */
void rb_sqlite_clock_start(rb_sqlite *db, const rb_db_text *sql);
void rb_sqlite_clock_stop(rb_sqlite *db); /* now rbtool's own statements follow */
/* By the last failure; the state's "limited" keeps it. */
enum rb_sqlite_limit rb_sqlite_limit_hit(rb_sqlite *db);

/* Guards: authorizer.c */

/* What was too much, and the setting that allows more; NULL if no limit was hit. */
char *rb_sqlite_explain_limit(rb_sqlite *db, enum rb_code *code);

/* The authorizer of a connection; context: its rb_sqlite_state. */
int rb_sqlite_authorize(void *context, int action, const char *one, const char *two,
                        const char *schema, const char *trigger);
/* May a script call this function, or change this table? False leaves the reason in db->denied. */
bool rb_sqlite_may_call(rb_sqlite *db, const char *function);
bool rb_sqlite_may_change(rb_sqlite *db, const char *table);

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
void rb_sqlite_outside(const char *sql, size_t len, rb_outside_found *found, void *context);

/* script.c */
/* Takes back what scripts set or made on the connection, when it is untidy. */
enum rb_code rb_sqlite_tidy(rb_sqlite *db, rb_err *err);
enum rb_code rb_sqlite_script(json_t *effects, rb_db *db, const rb_db_text *sql, rb_err *err);
enum rb_code rb_sqlite_seed(rb_db *db, const rb_db_text *sql, json_t *done, char **why,
                            rb_err *err);
enum rb_code rb_sqlite_check(json_t **rows, rb_db *db, const char *sql, size_t limit, rb_err *err);

/* catalog.c */
enum rb_code rb_sqlite_catalog(json_t **out, rb_db *db, rb_err *err);

/* rehearsal.c */
enum rb_code rb_sqlite_size(int64_t *out, rb_db *db, rb_err *err);
enum rb_code rb_sqlite_rehearse(rb_db **out, rb_db *of, const char *dir, bool rows, rb_err *err);
/* To attach a file that nobody changes, as it is, without locks. A new string. */
char *rb_sqlite_uri(const char *path);
void rb_sqlite_drop_before(rb_sqlite_state *state);
/* Attaches the state before of a rehearsal's copy; does nothing elsewhere. */
enum rb_code rb_sqlite_attach_before(rb_sqlite *db, rb_err *err);

/* sample_rows.c */
enum rb_code rb_sqlite_fill(json_t *filled, rb_db *db, const rb_samples *samples, rb_err *err);

/* sample.c */
void rb_sqlite_literals(json_t *literals, const char *sql, size_t len);

/* table_read.c */
/* Tables that a virtual table keeps its data in. */
enum rb_code rb_sqlite_shadows(rb_strs *out, rb_sqlite *db, rb_err *err);

/* references.c */
enum rb_code rb_sqlite_violations(json_t **out, rb_db *db, const json_t *effects, rb_err *err);
json_t *rb_sqlite_mismatches(const rb_db *db);

#endif
