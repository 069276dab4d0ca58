/* What a database is, apart from its catalog. */
#include "database/postgres/postgres.h"

/* What ALTER DATABASE ... SET gave it: an application, and later scripts, may depend on it. */
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

enum rb_code rb_pg_size(int64_t *bytes, rb_db *db, rb_err *err)
{
    return rb_pg_int(bytes, rb_pg_of(db),
                     "SELECT pg_catalog.pg_database_size(pg_catalog.current_database())", NULL, 0,
                     err);
}

/* The server counts transactions, not those of one database: another one's may change it, too. */
enum rb_code rb_pg_data_version(int64_t *out, rb_db *db, rb_err *err)
{
    return rb_pg_int(
        out, rb_pg_of(db),
        "SELECT pg_catalog.hashtextextended(pg_catalog.pg_current_snapshot()::text, 0)", NULL, 0,
        err);
}
