/* Data tests: a query that may only read. */
#include "database/postgres/postgres.h"

#include <stdlib.h>
#include <string.h>

#define CELL_LIMIT 1000 /* bytes of one value that a data test shows */

static json_t *row_json(const PGresult *result, int at)
{
    json_t *row = json_object();
    for (int i = 0; i < PQnfields(result); i++) {
        RB_AUTO(rb_free_str) char *name = rb_safe(PQfname(result, i));
        for (int copy = 2; json_object_get(row, name); copy++) {
            free(name);
            name = rb_format("%s (%d)", PQfname(result, i), copy);
        }
        json_object_set_new(row, name, rb_pg_cell(result, at, i, CELL_LIMIT));
    }
    return row;
}

/* Reads rows with a cursor: it accepts only a single query, and reads only as many rows as needed.
 */
static enum rb_code read_rows(json_t *rows, rb_pg *pg, const char *sql, size_t limit, rb_err *err)
{
    RB_AUTO(rb_free_str)
    char *declare = rb_format("DECLARE rbtool_check NO SCROLL CURSOR FOR %s", sql);
    RB_AUTO(rb_free_str) char *fetch = rb_format("FETCH %zu FROM rbtool_check", limit);
    RB_AUTO(rb_pg_clear) PGresult *opened = NULL;
    RB_AUTO(rb_pg_clear) PGresult *found = NULL;
    int seconds = pg->limits.seconds ? pg->limits.seconds : RB_DB_LIMITS_SECONDS;
    RB_AUTO(rb_free_str)
    char *settings = rb_format("SET LOCAL transaction_read_only = on;"
                               " SET LOCAL statement_timeout = '%d s'",
                               seconds);
    RB_TRY(rb_pg_exec(pg, settings, err));
    rb_pg_prepared_unknown(pg);
    opened = PQexecParams(pg->conn, declare, 0, NULL, NULL, NULL, NULL, 0);
    if (PQresultStatus(opened) == PGRES_COMMAND_OK)
        found = PQexec(pg->conn, fetch);
    if (PQresultStatus(found) != PGRES_TUPLES_OK)
        return rb_pg_fail(err, pg, found ? found : opened,
                          "a data test is one query that only reads, such as SELECT, within %d s",
                          seconds);
    for (int i = 0; i < PQntuples(found); i++)
        json_array_append_new(rows, row_json(found, i));
    return RB_OK;
}

enum rb_code rb_pg_check(json_t **out, rb_db *db, const char *sql, size_t limit, rb_err *err)
{
    rb_pg *pg = rb_pg_of(db);
    RB_AUTO(rb_json_freep) json_t *rows = json_array();
    bool inside = PQtransactionStatus(pg->conn) == PQTRANS_INTRANS;
    RB_TRY(rb_pg_exec(pg, inside ? "SAVEPOINT rbtool_check" : "BEGIN", err));
    enum rb_code code = read_rows(rows, pg, sql, limit, err);
    const char *end =
        inside ? "ROLLBACK TO rbtool_check; RELEASE SAVEPOINT rbtool_check" : "ROLLBACK";
    enum rb_code ended = rb_pg_exec(pg, end, code == RB_OK ? err : RB_IGNORED);
    if (code != RB_OK || ended != RB_OK)
        return code != RB_OK ? code : ended;
    *out = RB_TAKE(rows);
    return RB_OK;
}
