/* Reports the locks that a script takes and the tables that it rewrites or scans. */
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

/* $1: the object of tables_sql, from before the script; $2: the locks that it took before it
 * committed. ACCESS SHARE is left out, since rbtool's own statements take it, too. */
static const char locks_sql[] =
    "SELECT coalesce(json_agg(json_build_object('table', b.value->>'table', 'mode', m.name,"
    " 'rewrites', pg_relation_filenode(c.oid)::text IS DISTINCT FROM b.value->>'node'"
    "  AND c.oid IS NOT NULL,"
    " 'scans', c.oid IS NOT NULL AND (pg_stat_get_xact_numscans(c.oid)::text"
    "  IS DISTINCT FROM b.value->>'scans' OR EXISTS (SELECT FROM json_array_elements($2::json) e"
    "  WHERE e->>'table' = b.value->>'table' AND (e->>'scans')::bool))) ORDER BY "
    "b.value->>'table'), '[]')"
    " FROM json_each($1::json) b"
    " CROSS JOIN LATERAL (SELECT o.name FROM (SELECT l.mode FROM pg_locks l"
    "  WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation' AND l.granted"
    "  AND l.relation = b.key::oid AND l.database = (SELECT d.oid FROM pg_database d"
    "  WHERE d.datname = current_database()) UNION ALL SELECT e->>'mode'"
    "  FROM json_array_elements($2::json) e WHERE e->>'table' = b.value->>'table') l JOIN (VALUES "
    "(1, 'RowShareLock',"
    "  'ROW SHARE'), (2, 'RowExclusiveLock', 'ROW EXCLUSIVE'), (3, 'ShareUpdateExclusiveLock',"
    "  'SHARE UPDATE EXCLUSIVE'), (4, 'ShareLock', 'SHARE'), (5, 'ShareRowExclusiveLock',"
    "  'SHARE ROW EXCLUSIVE'), (6, 'ExclusiveLock', 'EXCLUSIVE'), (7, 'AccessExclusiveLock',"
    "  'ACCESS EXCLUSIVE')) o(rank, mode, name) ON l.mode IN (o.mode, o.name) ORDER BY o.rank DESC "
    "LIMIT 1) m"
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

static enum rb_code read_locks(json_t **out, rb_pg *pg, const json_t *before, rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    RB_AUTO(rb_buf_clear) rb_buf earlier = {0};
    rb_json_canonical(&text, before);
    if (pg->locks)
        rb_json_canonical(&earlier, pg->locks);
    const char *params[] = {rb_buf_str(&text), pg->locks ? earlier.data : "[]"};
    return rb_pg_json(out, pg, locks_sql, params, 2, err);
}

enum rb_code rb_pg_locks_keep(rb_pg *pg, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *locks = NULL;
    if (pg->locks_before)
        RB_TRY(read_locks(&locks, pg, pg->locks_before, err));
    rb_json_replace(&pg->locks, locks);
    return RB_OK;
}

enum rb_code rb_pg_locks(json_t **out, rb_db *db, const json_t *before, rb_err *err)
{
    rb_pg *pg = rb_pg_of(db);
    if (!before) {
        RB_TRY(rb_pg_json(out, pg, tables_sql, NULL, 0, err));
        rb_json_replace(&pg->locks_before, *out);
        rb_json_replace(&pg->locks, NULL);
        return RB_OK;
    }
    RB_TRY(read_locks(out, pg, before, err));
    if (pg->concurrent)
        weaken(*out);
    return RB_OK;
}
