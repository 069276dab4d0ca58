/* Properties of a database that are not in its catalog. */
#include "database/postgres/postgres.h"

/* Reads settings made by ALTER DATABASE ... SET, which applications and later scripts may depend
 * on. */
enum rb_code rb_pg_settings(json_t **out, rb_db *db, rb_err *err)
{
    return rb_pg_json(out, rb_pg_of(db),
                      "SELECT coalesce(json_object_agg(split_part(s.setting, '=', 1),"
                      " substr(s.setting, strpos(s.setting, '=') + 1)), '{}')"
                      " FROM pg_catalog.pg_db_role_setting r"
                      " JOIN pg_catalog.pg_database d ON d.oid = r.setdatabase,"
                      " unnest(r.setconfig) s(setting)"
                      " WHERE d.datname = current_database() AND r.setrole = 0",
                      NULL, 0, err);
}

enum rb_code rb_pg_facts(json_t **out, rb_db *db, rb_err *err)
{
    return rb_pg_json(
        out, rb_pg_of(db),
        "SELECT json_object_agg(name, value) FROM ("
        " SELECT 'extension ' || extname AS name, extversion AS value FROM pg_catalog.pg_extension"
        " UNION ALL SELECT 'collation', datcollate FROM pg_catalog.pg_database"
        " WHERE datname = current_database()"
        " UNION ALL SELECT name, setting FROM pg_catalog.pg_settings WHERE name IN"
        " ('server_encoding','TimeZone','default_transaction_isolation','max_connections',"
        " 'max_locks_per_transaction','wal_level','standard_conforming_strings','bytea_output',"
        " 'DateStyle','IntervalStyle','default_toast_compression','jit')"
        " UNION ALL SELECT split_part(s.setting, '=', 1) || '" RB_DB_FACT_OF_DATABASE "',"
        " substr(s.setting, strpos(s.setting, '=') + 1)"
        " FROM pg_catalog.pg_db_role_setting r"
        " JOIN pg_catalog.pg_database d ON d.oid = r.setdatabase, unnest(r.setconfig) s(setting)"
        " WHERE d.datname = current_database() AND r.setrole = 0) AS facts",
        NULL, 0, err);
}

enum rb_code rb_pg_size(int64_t *bytes, rb_db *db, rb_err *err)
{
    return rb_pg_int(bytes, rb_pg_of(db),
                     "SELECT pg_catalog.pg_database_size(pg_catalog.current_database())", NULL, 0,
                     err);
}

/* Transactions are counted for the whole server: a commit in another database changes the number,
 * too. */
enum rb_code rb_pg_data_version(int64_t *out, rb_db *db, rb_err *err)
{
    return rb_pg_int(
        out, rb_pg_of(db),
        "SELECT pg_catalog.hashtextextended(pg_catalog.pg_current_snapshot()::text, 0)", NULL, 0,
        err);
}

/* $1: the name of a restore point, or NULL. No rows on a standby, which has no position of its own.
 */
static const char recovery_sql[] =
    "SELECT json_build_object('system', (SELECT system_identifier::text FROM pg_control_system()),"
    " 'timeline', ('x' || left(pg_walfile_name(lsn), 8))::bit(32)::int, 'lsn', lsn, 'may', may,"
    " 'logged', logged, 'role', quote_ident(current_user), 'stanza',"
    " substring(current_setting('archive_command')"
    "           FROM 'pgbackrest.* --stanza[= ]\\s*([A-Za-z0-9_.-]+)'))"
    " FROM (SELECT may, logged, CASE WHEN may AND $1::text IS NOT NULL"
    "        THEN pg_create_restore_point($1) ELSE pg_current_wal_insert_lsn() END AS lsn"
    "       FROM (SELECT logged AND has_function_privilege('pg_create_restore_point(text)',"
    "                    'EXECUTE') AS may, logged"
    "             FROM (SELECT current_setting('wal_level') <> 'minimal' AS logged) w) p) found"
    " WHERE NOT pg_is_in_recovery()";

enum rb_code rb_pg_recovery_point(json_t **out, rb_db *db, const char *name, rb_err *err)
{
    const char *const params[] = {name};
    return rb_pg_json(out, rb_pg_of(db), recovery_sql, params, 1, err);
}
