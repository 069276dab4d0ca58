/* The state of a session during a transition: its name, its locks, its transaction. */
#include "database/postgres/session.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* "rbtool" as a number: key of the advisory lock that is held while a transition runs. */
#define LOCK_KEY 0x7262746f6f6cLL
#define LOCK_TEXT "x'7262746f6f6c'::bigint" /* the same key in SQL */

/* SQL: a line about a row of pg_stat_activity: user, address, since when, and its statement. */
#define ABOUT                                                                                      \
    "'pid ' || pid || ', application \"' || coalesce(application_name, '') || '\", user '"         \
    " || coalesce(usename, '?') || coalesce(', from ' || client_addr, '') || coalesce(', '"        \
    " || state, '') || coalesce(', for ' || round(extract(epoch FROM now() - coalesce(xact_start," \
    " backend_start))) || ' s', '')"

/*
 * Refuses a connection pooler in transaction mode. It would distribute the session over several
 * server connections, so that settings, advisory locks and temporary tables would be another
 * client's. To detect it, opens a second connection, to which such a pooler gives the idle server
 * session.
 */
static enum rb_code refuse_pool(rb_pg *pg, rb_err *err)
{
    RB_AUTO(rb_pg_disconnectp) rb_pg *other = NULL;
    int64_t others = 0;
    if (pg->pid == PQbackendPID(pg->conn))
        return RB_OK;
    RB_TRY(rb_pg_connect(&other, pg->url, RB_DB_READ, err));
    RB_TRY(rb_pg_int(&others, other, "SELECT pg_backend_pid()", NULL, 0, err));
    if (others != pg->pid)
        return RB_OK;
    return rb_fail(
        err, RB_ERROR,
        "database %s: the url leads to a pool in transaction mode, such as PgBouncer with "
        "pool_mode = transaction, where no session lasts\ngive rbtool the url of the "
        "PostgreSQL server itself, or of a pool with pool_mode = session",
        pg->shown);
}

enum rb_code rb_pg_look(rb_pg *pg, rb_err *err)
{
    RB_AUTO(rb_pg_clear) PGresult *result = NULL;
    RB_TRY(rb_pg_rows(&result, pg,
                      "SELECT pg_backend_pid(), pg_is_in_recovery(), current_schema() IS NULL",
                      NULL, 0, err));
    pg->pid = (int)strtol(PQgetvalue(result, 0, 0), NULL, 10);
    RB_TRY(refuse_pool(pg, err));
    if (pg->mode != RB_DB_READ && PQgetvalue(result, 0, 1)[0] == 't')
        return rb_fail(
            err, RB_ERROR,
            "database %s: the server is a standby, which cannot be changed\ngive the url "
            "of its primary, or add target_session_attrs=read-write to the url",
            pg->shown);
    if (pg->mode != RB_DB_READ && PQgetvalue(result, 0, 2)[0] == 't')
        return rb_fail(err, RB_ERROR,
                       "database %s: no schema of this role's search_path exists\ncreate one, such "
                       "as `CREATE SCHEMA public`, or set the role's search_path",
                       pg->shown);
    return RB_OK;
}

enum rb_code rb_pg_label(rb_db *db, const char *label, rb_err *err)
{
    rb_pg *pg = rb_pg_of(db);
    free(pg->label);
    pg->label = rb_strdup(label);
    return rb_pg_settle(pg, err);
}

/* Returns who holds the advisory lock of that key, or NULL. */
static enum rb_code holder_of(char **out, rb_pg *pg, const char *key, rb_err *err)
{
    const char *const params[] = {key};
    return rb_pg_text(out, pg,
                      "SELECT " ABOUT " FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
                      " WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1"
                      " AND l.database = (SELECT oid FROM pg_database WHERE datname ="
                      " current_database()) AND (l.classid::bigint << 32) | l.objid::bigint ="
                      " $1::bigint LIMIT 1",
                      params, 1, err);
}

enum rb_code rb_pg_lock(rb_db *db, int64_t key, const char *what, rb_err *err)
{
    rb_pg *pg = rb_pg_of(db);
    RB_AUTO(rb_free_str) char *number = rb_format("%lld", (long long)key);
    RB_AUTO(rb_free_str) char *holder = NULL;
    const char *const params[] = {number};
    int64_t taken = 0;
    RB_TRY(rb_pg_int(&taken, pg, "SELECT pg_try_advisory_xact_lock($1::bigint)", params, 1, err));
    if (taken)
        return RB_OK;
    RB_TRY(holder_of(&holder, pg, number, err));
    RB_AUTO(rb_free_str) char *safe = rb_safe(holder ? holder : "a session that has just ended");
    return rb_fail(err, RB_BUSY,
                   "database %s: %s holds its lock: %s\nwait for it, and try again; `SELECT "
                   "pg_terminate_backend(PID)` in psql ends it",
                   pg->shown, what, safe);
}

enum rb_code rb_pg_begin(rb_db *db, rb_err *err)
{
    rb_pg *pg = rb_pg_of(db);
    if (pg->begun)
        return rb_fail(err, RB_ERROR, "database %s is in a transaction already", pg->shown);
    RB_TRY(rb_pg_exec(pg, "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE", err));
    json_decref(pg->written);
    pg->written = NULL;
    rb_json_replace(&pg->known_before, pg->known);
    enum rb_code code = rb_pg_lock(db, LOCK_KEY, "another run of rbtool", err);
    pg->begun = code == RB_OK;
    if (code == RB_OK && pg->held)
        code = rb_pg_exec(pg, "SELECT pg_advisory_unlock(" LOCK_TEXT ")", err);
    pg->held = false;
    if (code != RB_OK)
        rb_pg_rollback(db);
    return code;
}

enum rb_code rb_pg_hold(rb_db *db, rb_err *err)
{
    rb_pg *pg = rb_pg_of(db);
    if (pg->held)
        return RB_OK;
    RB_TRY(rb_pg_exec(pg, "SELECT pg_advisory_lock(" LOCK_TEXT ")", err));
    pg->held = true;
    return RB_OK;
}

enum rb_code rb_pg_commit(rb_db *db, rb_err *err)
{
    rb_pg *pg = rb_pg_of(db);
    if (!pg->begun)
        return rb_fail(err, RB_ERROR, "database %s: internal error: commit without a transaction",
                       pg->shown);
    /* COMMIT of a failed transaction rolls back and still reports success. */
    if (PQtransactionStatus(pg->conn) != PQTRANS_INTRANS)
        return rb_fail(err, RB_ERROR, "database %s: the transaction has failed before its commit",
                       pg->shown);
    RB_TRY(rb_pg_exec(pg, "COMMIT", err));
    pg->begun = false;
    rb_pg_positions_forget(pg);
    return RB_OK;
}

bool rb_pg_in_transaction(const rb_db *db)
{
    const rb_pg *pg = rb_pg_of_const(db);
    return pg->begun && PQtransactionStatus(pg->conn) == PQTRANS_INTRANS;
}

void rb_pg_rollback(rb_db *db)
{
    rb_pg *pg = rb_pg_of(db);
    if (pg->begun)
        rb_json_replace(&pg->known, pg->known_before);
    pg->begun = false;
    pg->unsettled = false; /* a rollback restores settings */
    if (PQtransactionStatus(pg->conn) != PQTRANS_IDLE)
        (void)!rb_pg_exec(pg, "ROLLBACK", RB_IGNORED);
    rb_pg_positions_restore(pg);
}

/* SQL: other sessions with the same name. */
#define OTHERS                                                                                     \
    " FROM pg_stat_activity WHERE application_name = $1 AND datname = current_database()"          \
    " AND pid <> pg_backend_pid()"

enum rb_code rb_pg_await(rb_db *db, const char *label, int seconds, bool terminate, rb_err *err)
{
    rb_pg *pg = rb_pg_of(db);
    const char *const params[] = {label};
    const struct timespec pause = {.tv_nsec = 100 * 1000 * 1000};
    for (int tries = 0;; tries++) {
        RB_AUTO(rb_free_str) char *about = NULL;
        int64_t ended = 0;
        if (terminate && tries == 0)
            RB_TRY(rb_pg_int(&ended, pg, "SELECT bool_and(pg_terminate_backend(pid))" OTHERS,
                             params, 1, err));
        RB_TRY(rb_pg_text(&about, pg, "SELECT " ABOUT OTHERS " LIMIT 1", params, 1, err));
        if (!about)
            return RB_OK;
        if (tries >= seconds * 10) {
            RB_AUTO(rb_free_str) char *safe = rb_safe(about);
            return rb_fail(err, RB_BUSY,
                           "database %s: the session of the transition still runs (%s), and "
                           "whether it commits is not known yet\nwait for it, and try again",
                           pg->shown, safe);
        }
        nanosleep(&pause, NULL);
    }
}

enum rb_code rb_pg_identity(char **out, rb_db *db, rb_err *err)
{
    return rb_pg_text(out, rb_pg_of(db),
                      "SELECT (pg_control_system()).system_identifier || ':' || oid"
                      " FROM pg_database WHERE datname = current_database()",
                      NULL, 0, err);
}

char *rb_pg_blockers(const rb_pg *pg)
{
    RB_AUTO(rb_pg_disconnectp) rb_pg *other = NULL;
    RB_AUTO(rb_free_str) char *found = NULL;
    RB_AUTO(rb_free_str) char *number = rb_format("%d", pg->pid);
    const char *const params[] = {number};
    if (rb_pg_connect(&other, pg->url, RB_DB_READ, RB_IGNORED) != RB_OK ||
        rb_pg_text(&found, other,
                   "SELECT string_agg(coalesce(" ABOUT " || coalesce(', query `' || left(query, 80)"
                   " || '`', ''), 'a prepared transaction'), '; ') FROM (SELECT DISTINCT"
                   " unnest(pg_blocking_pids($1::int)) AS pid) b LEFT JOIN pg_stat_activity a"
                   " USING (pid)",
                   params, 1, RB_IGNORED) != RB_OK)
        return NULL;
    return found ? rb_safe(found) : NULL;
}
