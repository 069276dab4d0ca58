/* Takes the locks of scripts before the first of them. */
#include "database/postgres/postgres.h"

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
