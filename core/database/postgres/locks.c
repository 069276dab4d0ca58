/* Reports the locks that a script takes and the tables that it rewrites or scans, and takes the
 * same locks before a script. */
#include "database/postgres/postgres.h"

#include <string.h>

/* SQL: {oid: {"table","node","scans"}}. node: the table's file; scans: how often this transaction
 * has read all of the table. */
static const char tables_sql[] =
    "SELECT coalesce(json_object_agg(c.oid, json_build_object('table', " RB_PG_TABLE_NAME(
        "n.nspname",
        "c.relname") ", 'node', pg_relation_filenode(c.oid), 'scans',"
                     " pg_stat_get_xact_numscans(c.oid))), '{}') FROM pg_class c"
                     " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind "
                     "IN ('r','p','m')"
                     " AND c.relpersistence <> 't' AND n.nspname !~ " RB_PG_OWN_SCHEMAS;

/* $1: the object of tables_sql, from before the script. ACCESS SHARE is left out, since rbtool's
 * own statements take it, too. */
static const char locks_sql[] =
    "SELECT coalesce(json_agg(json_build_object('table', b.value->>'table', 'mode', m.name,"
    " 'rewrites', pg_relation_filenode(c.oid)::text IS DISTINCT FROM b.value->>'node'"
    "  AND c.oid IS NOT NULL,"
    " 'scans', pg_stat_get_xact_numscans(c.oid)::text IS DISTINCT FROM b.value->>'scans'"
    "  AND c.oid IS NOT NULL) ORDER BY b.value->>'table'), '[]')"
    " FROM json_each($1::json) b"
    " CROSS JOIN LATERAL (SELECT o.name FROM pg_locks l JOIN (VALUES (1, 'RowShareLock',"
    "  'ROW SHARE'), (2, 'RowExclusiveLock', 'ROW EXCLUSIVE'), (3, 'ShareUpdateExclusiveLock',"
    "  'SHARE UPDATE EXCLUSIVE'), (4, 'ShareLock', 'SHARE'), (5, 'ShareRowExclusiveLock',"
    "  'SHARE ROW EXCLUSIVE'), (6, 'ExclusiveLock', 'EXCLUSIVE'), (7, 'AccessExclusiveLock',"
    "  'ACCESS EXCLUSIVE')) o(rank, mode, name) ON o.mode = l.mode"
    "  WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation' AND l.granted"
    "  AND l.relation = b.key::oid AND l.database = (SELECT d.oid FROM pg_database d"
    "  WHERE d.datname = current_database()) ORDER BY o.rank DESC LIMIT 1) m"
    " LEFT JOIN pg_class c ON c.oid = b.key::oid";

/* Changes lock modes to those that a script takes outside a transaction, with CONCURRENTLY. */
static void weaken(json_t *locks)
{
    static const char *const weak[] = {"ROW SHARE", "ROW EXCLUSIVE"};
    rb_json_each (lock, locks) {
        const char *mode = rb_json_str(lock, "mode");
        if (strcmp(mode, weak[0]) == 0 || strcmp(mode, weak[1]) == 0)
            continue;
        rb_json_set_str(lock, "mode", "SHARE UPDATE EXCLUSIVE");
    }
}

enum rb_code rb_pg_locks(json_t **out, rb_db *db, const json_t *before, rb_err *err)
{
    if (!before)
        return rb_pg_json(out, rb_pg_of(db), tables_sql, NULL, 0, err);
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    rb_json_canonical(&text, before);
    const char *params[] = {rb_buf_str(&text)};
    RB_TRY(rb_pg_json(out, rb_pg_of(db), locks_sql, params, 1, err));
    if (rb_pg_of(db)->concurrent)
        weaken(*out);
    return RB_OK;
}

/* $1: [{"table","mode"}]; for each table the strongest mode counts. Locks are taken in the order of
 * names, so that two runs cannot deadlock. Skips tables that the role may not lock. This is one
 * statement, since rb_pg_wait() can wait only for one. */
static const char lock_sql[] =
    "SELECT 'DO $rbtool$ BEGIN ' || string_agg(format('LOCK TABLE ONLY %I.%I IN %s MODE;',"
    " n.nspname, c.relname, l.mode), ' ' ORDER BY n.nspname, c.relname) || ' END $rbtool$'"
    " FROM (SELECT DISTINCT ON (\"table\") \"table\", mode"
    "  FROM json_to_recordset($1::json) AS given(\"table\" text, mode text)"
    "  ORDER BY \"table\", array_position(ARRAY['ACCESS EXCLUSIVE', 'EXCLUSIVE',"
    "  'SHARE ROW EXCLUSIVE', 'SHARE', 'SHARE UPDATE EXCLUSIVE', 'ROW EXCLUSIVE', 'ROW SHARE'],"
    "  mode)) l"
    " JOIN (pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace) ON " RB_PG_TABLE_NAME(
        "n.nspname", "c.relname") " = l.\"table\""
                                  " WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_'"
                                  " AND has_table_privilege(c.oid, CASE WHEN l.mode IN ('ROW "
                                  "SHARE', 'ROW EXCLUSIVE')"
                                  "                         THEN 'INSERT, UPDATE, DELETE, TRUNCATE'"
                                  "                         ELSE 'UPDATE, DELETE, TRUNCATE' END)";

enum rb_code rb_pg_lock_tables(rb_db *db, const json_t *locks, rb_err *err)
{
    rb_pg *pg = rb_pg_of(db);
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    RB_AUTO(rb_free_str) char *sql = NULL;
    RB_AUTO(rb_free_str) char *why = NULL;
    int64_t deadline = 0;
    rb_json_canonical(&text, locks);
    const char *params[] = {rb_buf_str(&text)};
    RB_TRY(rb_pg_text(&sql, pg, lock_sql, params, 1, err));
    if (!sql)
        return RB_OK;
    enum rb_code code = RB_OK;
    bool sent = PQsendQueryParams(pg->conn, sql, 0, NULL, NULL, NULL, NULL, 0) != 0;
    while (sent && code == RB_OK) {
        bool waited = rb_pg_wait(pg, &deadline);
        RB_AUTO(rb_pg_clear) PGresult *result = waited ? PQgetResult(pg->conn) : NULL;
        if (waited && !result)
            return RB_OK;
        if (waited && PQresultStatus(result) == PGRES_COMMAND_OK)
            continue;
        code = rb_pg_is_lock(result) ? RB_BUSY : RB_ERROR;
        why = rb_pg_explain(pg, result);
    }
    return rb_fail(err, sent ? code : RB_ERROR, "database %s: %s%s%s, while locking its tables",
                   pg->shown, why ? why : PQerrorMessage(pg->conn),
                   pg->blockers ? "; the lock is held by " : "", pg->blockers ? pg->blockers : "");
}
