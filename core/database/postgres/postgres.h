/*
 * The driver of PostgreSQL: one libpq session. The functions of this folder get an rb_db from their
 * callers, and its session with rb_pg_of().
 *
 * rbtool's own statements run with the settings of rb_pg_settle(); scripts run with those that the
 * role has in the database. Names are put into SQL only with rb_pg_quote(). Values are parameters
 * ($1), or literals made by rb_pg_literal().
 *
 * Errors have the server's message, its SQLSTATE and its hint.
 */
#ifndef RB_DATABASE_POSTGRES_POSTGRES_H
#define RB_DATABASE_POSTGRES_POSTGRES_H

#include "database/driver.h"
#include "database/postgres/libraries.h"
#include "sql/statement.h"

#define RB_POSTGRESQL "postgresql" /* name of the engine */
#define RB_PG_PREPARED 48          /* bytes of the name of a prepared statement */

typedef struct rb_pg {
    rb_db base;
    PGconn *conn;
    PGcancel *cancel; /* for rb_db_interrupt(), which a signal handler may call */
    char *url;        /* with password: must never be shown */
    char *shown;      /* the url without password */
    char *label;      /* the session's application_name; NULL: "rbtool" */
    int pid;          /* of the server process */
    char version[32]; /* of the server, "15.18" */
    rb_db_limits limits;
    enum rb_db_mode mode;
    bool begun;
    bool held;         /* the advisory lock is kept over a commit */
    char *blockers;    /* sessions that held the lock which a statement waited for; or NULL */
    bool limited;      /* a script exceeded a limit */
    json_t *restoring; /* tables that are being restored, and their triggers (backup_table.c); or
                          NULL */
    json_t *triggers;
    json_t
        *positions;  /* of sequences before the first script with setval() (sequences.c); or NULL */
    int backups;     /* number of backups loaded */
    json_t *written; /* what this transaction wrote (effects.c); or NULL */
    char *scratch;   /* name of the scratch database; NULL if it is not one */
    size_t number;   /* number of this scratch database in the process */
    json_t *known;   /* the catalog that was read last (catalog_units.c); or NULL */
    json_t *known_before; /* the same, as of the start of the transaction */
    json_t *locks_before; /* tables before the script whose locks are recorded (locks.c); or NULL */
    json_t *locks;        /* those that it took before it committed; or NULL */
    json_t *prepared;     /* names of prepared statements; NULL: unknown */
    json_t *sent;         /* names of those that were sent once */
    bool concurrent;      /* the last script had a statement that runs only outside transactions */
    bool unsettled;       /* the session has the settings of a script that ended */
} rb_pg;

/* SQL: the pattern of schemas that belong to the server, to rbtool or to Sqitch, not to the
 * application. */
#define RB_PG_OWN_SCHEMAS "'^(pg_|rbtool_|sqitch$|information_schema$)'"

/* SQL: FROM and WHERE of the constraints that are initially deferred, whose names can be deferred:
 * SET CONSTRAINTS fails if a constraint of that name is not deferrable. */
#define RB_PG_DEFERRED                                                                             \
    "FROM pg_constraint c JOIN pg_namespace n ON n.oid = connamespace WHERE condeferred"           \
    " AND NOT EXISTS (SELECT FROM pg_constraint o WHERE o.connamespace = c.connamespace"           \
    " AND o.conname = c.conname AND NOT o.condeferrable)"

/* SQL: a table's name in the form of catalogs and effects, from two expressions of type name or
 * text: schema and name. Without the schema if that is public. */
#define RB_PG_NAME_PART(text)                                                                      \
    "CASE WHEN " text " ~ '[.\"]' THEN '\"' || replace(" text ", '\"', '\"\"') || '\"'"            \
    " ELSE " text "::text END"
#define RB_PG_TABLE_NAME(schema, name)                                                             \
    "CASE WHEN " schema " = 'public' AND " name " !~ '[.\"]' THEN " name "::text ELSE "            \
    "" RB_PG_NAME_PART(schema) " || '.' || " RB_PG_NAME_PART(name) " END"

static inline rb_pg *rb_pg_of(rb_db *db)
{
    return (rb_pg *)db; /* the rb_db is its first member */
}

static inline const rb_pg *rb_pg_of_const(const rb_db *db)
{
    return (const rb_pg *)db;
}

/* Connects to a url ("postgresql://..."). The session gets the settings of rb_pg_settle(). */
enum rb_code rb_pg_connect(rb_pg **out, const char *url, enum rb_db_mode mode, rb_err *err);
void rb_pg_disconnect(rb_pg *pg);
RB_DEFINE_AUTO(rb_pg, rb_pg_disconnect)

/* rb_pg_settle() resets the session to the settings of rbtool's own statements, and
 * rb_pg_settle_script() to those of the role and the database, except timeouts. After a script that
 * changed nothing in the session, the next script or rbtool's next own statement does it. */
enum rb_code rb_pg_settle(rb_pg *pg, rb_err *err);
enum rb_code rb_pg_settle_script(rb_pg *pg, rb_err *err);

/* Returns SQL that follows RESET ALL, and turns off the timeouts of server, database or role. */
const char *rb_pg_no_timeouts(const rb_pg *pg);

/* Cancels the running statement; a signal handler may call it. */
void rb_pg_interrupt(rb_db *db);

/* Runs one or more statements of rbtool's own. */
enum rb_code rb_pg_exec(rb_pg *pg, const char *sql, rb_err *err);
/* Prepares a statement of rbtool's own, unless the session has it already. */
enum rb_code rb_pg_prepare(char name[RB_PG_PREPARED], rb_pg *pg, const char *sql, rb_err *err);
/* Finds out which statements are prepared, if code of the user may have removed some. */
enum rb_code rb_pg_prepared_look(rb_pg *pg, rb_err *err);
/* Called before code of the user, which may remove prepared statements. */
void rb_pg_prepared_unknown(rb_pg *pg);
/* Runs one statement with n parameters as text (NULL for null). *out: its rows, at most 64 MiB. A
 * statement with parameters is prepared when the session sends it for the second time. */
enum rb_code rb_pg_rows(PGresult **out, rb_pg *pg, const char *sql, const char *const *params,
                        size_t n, rb_err *err);
/* Runs one statement that returns a JSON value. *out is NULL for null or no row. */
enum rb_code rb_pg_json(json_t **out, rb_pg *pg, const char *sql, const char *const *params,
                        size_t n, rb_err *err);
/* Like rb_pg_json(), for an integer. A bool becomes 0 or 1; null and no row become 0. */
enum rb_code rb_pg_int(int64_t *out, rb_pg *pg, const char *sql, const char *const *params,
                       size_t n, rb_err *err);
/* Like rb_pg_json(), for a text. A new string; NULL for null or no row. */
enum rb_code rb_pg_text(char **out, rb_pg *pg, const char *sql, const char *const *params, size_t n,
                        rb_err *err);

/* Waits until the answer to the last statement can be read, and finds out which session holds a
 * lock that it waits for. *deadline: in milliseconds of the monotonic clock, from
 * rb_db_limits.seconds; 0: none. Cancels the statement at the deadline. False if the server does
 * not even end it then: the connection is closed. In script.c. */
bool rb_pg_wait(rb_pg *pg, int64_t *deadline);

/* Fills *err with what was done, and the error of `result` (NULL: of the connection). Returns
 * RB_ERROR, or RB_BUSY if another transaction holds a lock. */
enum rb_code rb_pg_fail(rb_err *err, const rb_pg *pg, const PGresult *result, const char *what, ...)
    RB_PRINTF(4, 5);
/* Returns the server's message in one line, with its SQLSTATE. A new string. */
char *rb_pg_explain(const rb_pg *pg, const PGresult *result);
/* True if the connection was open and is lost; result: of the last statement, or NULL.
 * rb_pg_hint_lost() appends what to do then. */
bool rb_pg_is_lost(const rb_pg *pg, const PGresult *result);
void rb_pg_hint_lost(rb_buf *out, const rb_pg *pg);
/* True if result failed with that SQLSTATE, or because another transaction holds a lock. */
bool rb_pg_is(const PGresult *result, const char *sqlstate);
bool rb_pg_is_lock(const PGresult *result);
/* Returns a value of a row as JSON: integers as integers, a bool as 0 or 1, everything else as text
 * of at most `limit` bytes. */
json_t *rb_pg_cell(const PGresult *result, int row, int column, size_t limit);

/* Return a quoted name ("name") and a literal ('value'). New strings. */
char *rb_pg_quote(const char *name);
char *rb_pg_literal(const char *value);

void rb_pg_clear(PGresult **result); /* for RB_AUTO on a PGresult * */

/* The driver's functions; see driver.h. */
enum rb_code rb_pg_catalog(json_t **out, rb_db *db, rb_err *err);
enum rb_code rb_pg_facts(json_t **out, rb_db *db, rb_err *err);
enum rb_code rb_pg_settings(json_t **out, rb_db *db, rb_err *err);
enum rb_code rb_pg_obstacles(json_t **out, rb_db *db, const json_t *effects, rb_err *err);
enum rb_code rb_pg_recovery_point(json_t **out, rb_db *db, const char *name, rb_err *err);
enum rb_code rb_pg_size(int64_t *bytes, rb_db *db, rb_err *err);
enum rb_code rb_pg_data_version(int64_t *out, rb_db *db, rb_err *err);
enum rb_code rb_pg_query(json_t **rows, rb_db *db, size_t limit, const char *sql,
                         const json_t *params, rb_err *err);
enum rb_code rb_pg_check(json_t **rows, rb_db *db, const char *sql, size_t limit, rb_err *err);
enum rb_code rb_pg_script(json_t *effects, rb_db *db, const rb_db_text *sql, rb_err *err);
enum rb_code rb_pg_seed(rb_db *db, const rb_db_text *sql, json_t *done, char **why, rb_err *err);

/* Runs a script outside transactions. Calls before() for each statement, which may skip it. *ran:
 * statements that were started. */
typedef enum rb_code rb_pg_before(bool *skip, void *context, const rb_sql_statement *statement,
                                  rb_err *err);
enum rb_code rb_pg_script_outside(rb_pg *pg, const rb_db_text *sql, size_t *ran,
                                  rb_pg_before *before, void *context, rb_err *err);

/* Functions of sequences.c. rb_pg_positions_read() reads the positions of all sequences before the
 * first script of a transaction whose text has setval(); rb_pg_positions_restore() moves those on
 * that are behind after a rollback. */
void rb_pg_positions_read(rb_pg *pg, const char *script);
void rb_pg_positions_restore(rb_pg *pg);
void rb_pg_positions_forget(rb_pg *pg);

/* Functions of alone.c: */
void rb_pg_segments(rb_db_step *steps, size_t n);
/* Adds the enum values that the statement of a text adds to `adds`. Returns true if it may use one
 * of those in `before`, which may be the same list. */
bool rb_pg_uses_values(rb_strs *adds, const char *text, const rb_sql_statement *s,
                       const rb_strs *before);
enum rb_code rb_pg_alone(bool *happened, rb_db *db, const rb_db_text *sql, enum rb_alone act,
                         json_t *had, rb_err *err);

/* Functions of scratch.c: */
enum rb_code rb_pg_scratch_start(const rb_db_limits *limits, rb_err *err);
void rb_pg_scratch_stop(void);
bool rb_pg_scratch_server(const char *url);
enum rb_code rb_pg_scratch(rb_db **out, int64_t clock, rb_err *err);
void rb_pg_close(rb_pg *pg); /* disconnects, and drops a scratch database */
RB_DEFINE_AUTO(rb_pg, rb_pg_close)
/* Returns a url to open a scratch database with, as the role that owns it. */
char *rb_pg_scratch_url(const rb_pg *pg);
enum rb_code rb_pg_scratch_keep(rb_db *db, const char *key, rb_err *err);
enum rb_code rb_pg_scratch_lend(char **url, rb_db *db, const char *dir, rb_err *err);
enum rb_code rb_pg_scratch_at(rb_db **out, size_t *which, const rb_strs *keys, rb_err *err);
/* Removes CONCURRENTLY from a statement, and VACUUM completely, so that a proof can run it in its
 * transaction; the resulting schema is the same. True if the statement was changed. */
bool rb_pg_scratch_in_transaction(char *statement);
/* Creates roles that a script names and that the private cluster lacks, so that the script can run.
 * The roles have no rights. */
enum rb_code rb_pg_scratch_roles(rb_pg *pg, const char *text, rb_err *err);

/* Adds to what scripts may do in scratch databases: as a superuser, create and update extensions
 * with these names; code: everything. */
void rb_pg_scratch_allow(const rb_strs *extensions, bool code);
bool rb_pg_trusts_code(void);
/* True if only this extension is trusted, but not code in general. */
bool rb_pg_trusts_extension(const char *name);
/* True if the role of the scripts is to be a superuser for this statement alone. */
bool rb_pg_scratch_is_allowed(const char *statement);
enum rb_code rb_pg_scratch_superuser(rb_pg *pg, bool on, rb_err *err);
/* Returns what to do if a scratch database refused a statement for its role; a new string or NULL.
 */
char *rb_pg_scratch_hint(const char *statement, const char *message);
/* Connects to the scratch databases' server as its administrator; false from has_admin(): as the
 * role of RBTOOL_SCRATCH_URL, which runs the scripts, too. */
enum rb_code rb_pg_scratch_admin(rb_pg **out, rb_err *err);
bool rb_pg_scratch_has_admin(void);

/* Functions of compare.c: */
enum rb_code rb_pg_compare(json_t **out, rb_db *db, const json_t *tables, rb_err *err);
enum rb_code rb_pg_count(json_t **out, rb_db *db, const json_t *places, rb_err *err);
enum rb_code rb_pg_keep(json_t *kept, rb_db *db, rb_err *err);

/* Functions of rehearse.c: */
enum rb_code rb_pg_rehearse(rb_db **out, rb_db *db, const char *dir, bool rows, rb_err *err);
enum rb_code rb_pg_copy(char **url, rb_db *db, const char *dump, const char *into, rb_err *err);

/* Functions of locks.c. rb_pg_locks_keep() is called before a script commits while it runs. */
enum rb_code rb_pg_locks(json_t **out, rb_db *db, const json_t *before, rb_err *err);
enum rb_code rb_pg_locks_keep(rb_pg *pg, rb_err *err);

/* In lock_tables.c. */
enum rb_code rb_pg_lock_tables(rb_db *db, const json_t *locks, rb_err *err);

/* Functions of outside.c: */
void rb_pg_outside(const char *sql, size_t len, rb_outside_found *found, void *context);

/* Functions of sample.c: */
enum rb_code rb_pg_fill(json_t *filled, rb_db *db, const rb_samples *samples, rb_err *err);
void rb_pg_literals(json_t *literals, const char *sql, size_t len);

#endif
