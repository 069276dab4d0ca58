/*
 * The driver of PostgreSQL: one session of libpq. Everything in this folder gets an rb_db from its
 * callers and takes the session out of it with rb_pg_of().
 *
 * rbtool's own statements run with the settings of rb_pg_settle(), scripts with those that the role
 * has in that database. Names are never put into SQL without rb_pg_quote(); values are parameters
 * ($1), or literals of rb_pg_literal().
 *
 * Errors have the server's message, its SQLSTATE and its hint.
 */
#ifndef RB_DATABASE_POSTGRES_POSTGRES_H
#define RB_DATABASE_POSTGRES_POSTGRES_H

#include "database/driver.h"
#include "database/postgres/libpq.h"
#include "sql/statement.h"

typedef struct rb_pg {
    rb_db base;
    PGconn *conn;
    PGcancel *cancel; /* for rb_db_interrupt(), which a signal handler may call */
    char *url;        /* with its password: never shown */
    char *shown;      /* without */
    char *label;      /* the session's application_name; NULL: "rbtool" */
    int pid;          /* of the server's process */
    char version[32]; /* of the server, "15.18" */
    rb_db_limits limits;
    enum rb_db_mode mode;
    bool begun;
    bool held;         /* the lock of begin, over a commit */
    char *blockers;    /* who held the lock that a statement waited for; or NULL */
    bool limited;      /* a script has hit a limit */
    json_t *restoring; /* tables that are restored, and their triggers: backup_table.c; or NULL */
    json_t *triggers;
    int backups;     /* that were loaded */
    json_t *written; /* in this transaction: effects.c; or NULL */
    char *scratch;   /* the name of the scratch database that it is; NULL: another one */
    size_t number;   /* of scratch databases of this process */
    bool concurrent; /* the last script there had a statement that only runs outside transactions */
} rb_pg;

/* SQL: the name of a table, as catalogs and effects have it, of two expressions of type name or
 * text: schema and name. Without the schema if that is public. */
#define RB_PG_NAME_PART(text)                                                                      \
    "CASE WHEN " text " ~ '[.\"]' THEN '\"' || replace(" text ", '\"', '\"\"') || '\"'"            \
    " ELSE " text "::text END"
#define RB_PG_TABLE_NAME(schema, name)                                                             \
    "CASE WHEN " schema " = 'public' AND " name " !~ '[.\"]' THEN " name "::text ELSE "            \
    "" RB_PG_NAME_PART(schema) " || '.' || " RB_PG_NAME_PART(name) " END"

rb_pg *rb_pg_of(rb_db *db);
const rb_pg *rb_pg_of_const(const rb_db *db);

/* Connects to a url ("postgresql://..."). The session has rbtool's settings. */
enum rb_code rb_pg_connect(rb_pg **out, const char *url, enum rb_db_mode mode, rb_err *err);
void rb_pg_disconnect(rb_pg *pg);
RB_DEFINE_AUTO(rb_pg, rb_pg_disconnect)

/* RESET ALL, and the settings of rbtool's own work, or those that scripts run with: the role's and
 * the database's own, but for timeouts. */
enum rb_code rb_pg_settle(rb_pg *pg, rb_err *err);
enum rb_code rb_pg_settle_script(rb_pg *pg, rb_err *err);

/* SQL that follows RESET ALL: no timeout of the server, database or role ends the session. */
const char *rb_pg_no_timeouts(const rb_pg *pg);

/* Runs one or more statements of rbtool's own. */
enum rb_code rb_pg_exec(rb_pg *pg, const char *sql, rb_err *err);
/* Runs one statement with n parameters as text (NULL for null); *out has its rows, of at most 64
 * MiB. */
enum rb_code rb_pg_rows(PGresult **out, rb_pg *pg, const char *sql, const char *const *params,
                        size_t n, rb_err *err);
/* Runs one statement that answers one row of one JSON value; *out is NULL for null or no row. */
enum rb_code rb_pg_json(json_t **out, rb_pg *pg, const char *sql, const char *const *params,
                        size_t n, rb_err *err);
/* The same for one integer; a bool is 0 or 1, null and no row are 0. */
enum rb_code rb_pg_int(int64_t *out, rb_pg *pg, const char *sql, const char *const *params,
                       size_t n, rb_err *err);
/* The same for one text; a new string, NULL for null or no row. */
enum rb_code rb_pg_text(char **out, rb_pg *pg, const char *sql, const char *const *params, size_t n,
                        rb_err *err);

/* script.c: waits until the answer to what was sent can be read, and finds out who holds the lock
 * that it waits for. *deadline: rb_db_limits.seconds in milliseconds of the monotonic clock; 0:
 * none. At the end of that time the statement is cancelled; a server that does not end it either
 * loses the connection: false. */
bool rb_pg_wait(rb_pg *pg, int64_t *deadline);

/* Fills *err with what was being done and the error of result (NULL: of the connection); returns
 * RB_ERROR, or RB_BUSY if another transaction holds a lock. */
enum rb_code rb_pg_fail(rb_err *err, const rb_pg *pg, const PGresult *result, const char *what, ...)
    RB_PRINTF(4, 5);
/* The server's message in one line, with its SQLSTATE; a new string. */
char *rb_pg_explain(const rb_pg *pg, const PGresult *result);
/* True if result failed with that SQLSTATE; or because another transaction holds a lock. */
bool rb_pg_is(const PGresult *result, const char *sqlstate);
bool rb_pg_is_lock(const PGresult *result);
/* A value of a row in JSON: integers as integers, a bool as 0 or 1, all else as text, of which no
 * more than limit bytes are taken. */
json_t *rb_pg_cell(const PGresult *result, int row, int column, size_t limit);

/* A name as SQL writes it ("name"), and a value ('value'); new strings. */
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

/* Runs a script outside of transactions. before() is called for each statement and may skip it.
 * *ran: how many were begun. */
typedef enum rb_code rb_pg_before(bool *skip, void *context, const rb_sql_statement *statement,
                                  rb_err *err);
enum rb_code rb_pg_script_outside(rb_pg *pg, const rb_db_text *sql, size_t *ran,
                                  rb_pg_before *before, void *context, rb_err *err);

/* alone.c */
void rb_pg_segments(rb_db_step *steps, size_t n);
enum rb_code rb_pg_alone(bool *happened, rb_db *db, const rb_db_text *sql, enum rb_alone act,
                         json_t *had, rb_err *err);

/* scratch.c */
enum rb_code rb_pg_scratch_start(const rb_db_limits *limits, rb_err *err);
void rb_pg_scratch_stop(void);
bool rb_pg_scratch_server(const char *url);
enum rb_code rb_pg_scratch(rb_db **out, int64_t clock, rb_err *err);
void rb_pg_scratch_close(rb_pg *pg);
/* The url that a scratch database can be opened with, for the role that owns it. */
char *rb_pg_scratch_url(const rb_pg *pg);
enum rb_code rb_pg_scratch_keep(rb_db *db, const char *key, rb_err *err);
enum rb_code rb_pg_scratch_lend(char **url, rb_db *db, const char *dir, rb_err *err);
enum rb_code rb_pg_scratch_at(rb_db **out, size_t *which, const rb_strs *keys, rb_err *err);
/* Takes CONCURRENTLY out of a statement, and all of VACUUM, so that it runs inside the transaction
 * of a proof; it leads to the same schema. Returns whether it was there. */
bool rb_pg_scratch_in_transaction(char *statement);
/* Creates the roles that a script names and the private cluster does not have, so that the script
 * can run there. They can do nothing. */
enum rb_code rb_pg_scratch_roles(rb_pg *pg, const char *text, rb_err *err);

/* compare.c */
enum rb_code rb_pg_compare(json_t **out, rb_db *db, const json_t *tables, rb_err *err);
enum rb_code rb_pg_count(json_t **out, rb_db *db, const json_t *places, rb_err *err);
enum rb_code rb_pg_keep(json_t *kept, rb_db *db, rb_err *err);

/* rehearse.c */
enum rb_code rb_pg_rehearse(rb_db **out, rb_db *db, const char *dir, bool rows, rb_err *err);
enum rb_code rb_pg_copy(char **url, rb_db *db, const char *dump, const char *into, rb_err *err);

/* locks.c */
enum rb_code rb_pg_locks(json_t **out, rb_db *db, const json_t *before, rb_err *err);

enum rb_code rb_pg_lock_tables(rb_db *db, const json_t *locks, rb_err *err);

/* outside.c */
void rb_pg_outside(const char *sql, size_t len, rb_outside_found *found, void *context);

/* sample.c */
enum rb_code rb_pg_fill(json_t *filled, rb_db *db, const rb_samples *samples, rb_err *err);
void rb_pg_literals(json_t *literals, const char *sql, size_t len);

#endif
