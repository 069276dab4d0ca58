/* The rb_db_driver of PostgreSQL, and its short functions. */
#include "database/postgres/cluster.h"
#include "database/postgres/postgres.h"

#include <string.h>

#include "database/postgres/backup.h"
#include "database/postgres/session.h"

static enum rb_code open_url(rb_db **out, const char *rest, enum rb_db_mode mode, rb_err *err)
{
    rb_pg *pg = NULL;
    RB_AUTO(rb_free_str) char *url = rb_format("postgresql://%s", rest);
    RB_TRY(rb_pg_connect(&pg, url, mode, err));
    enum rb_code code = rb_pg_look(pg, err);
    if (code == RB_OK)
        *out = &pg->base;
    else
        rb_pg_disconnect(pg);
    return code;
}

static enum rb_code make_writable(rb_db *db, rb_err *err)
{
    rb_pg *pg = rb_pg_of(db);
    pg->mode = RB_DB_WRITE;
    RB_TRY(rb_pg_settle(pg, err));
    RB_TRY(rb_pg_prepared_look(pg, err));
    return rb_pg_look(pg, err);
}

/* Always reports an existing database: rbtool does not create databases on a server, and open
 * reports one that cannot be reached. */
static enum rb_code inspect(rb_db_target *out, const char *rest, rb_err *err)
{
    (void)rest;
    (void)err;
    *out = (rb_db_target){.exists = true, .writable = true};
    return RB_OK;
}

static enum rb_code discard(const char *rest, rb_err *err)
{
    (void)rest;
    (void)err;
    return RB_OK;
}

static void close_db(rb_db *db)
{
    if (rb_pg_of(db)->positions)
        rb_pg_rollback(db);
    rb_pg_close(rb_pg_of(db));
}

static const char *version(const rb_db *db)
{
    return rb_pg_of_const(db)->version;
}

static enum rb_code limit(rb_db *db, const rb_db_limits *limits, rb_err *err)
{
    rb_pg_of(db)->limits = *limits;
    return rb_pg_settle(rb_pg_of(db), err);
}

static bool limited(const rb_db *db)
{
    return rb_pg_of_const(db)->limited;
}

static char *scratch_maker(void)
{
    return rb_pg_scratch_server(NULL) ? NULL : rb_pg_cluster_maker();
}

const rb_db_driver rb_postgres_driver = {
    .engine = RB_POSTGRESQL,
    .version = version,
    .backup_suffix = ".sql",
    .inspect = inspect,
    .discard = discard,
    .programs = "psql and pg_dump",
    .between = "RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL;\n"
               "SET client_min_messages = error; SET CONSTRAINTS ALL IMMEDIATE;\n"
               "SELECT DISTINCT format('SET CONSTRAINTS %I.%I DEFERRED', nspname, conname)"
               " " RB_PG_DEFERRED " \\gexec\nRESET client_min_messages;\n",
    .shell =
        "postgresql_save() { pg_dump -Fc -f \"$2.dump\" \"$1\"; }\n"
        "postgresql_restore() { [ ! -e \"$2.dump\" ] || pg_restore -1 -c --if-exists -d \"$1\" "
        "\"$2.dump\"; }\n"
        "postgresql_has() { [ \"$(psql -XAtqc \"SELECT to_regclass('$2') IS NOT NULL\" "
        "\"$1\")\" = t ]; }\n"
        "postgresql_apply() {\n    db=$1 && shift\n"
        "    cat \"$@\" | psql -Xq1 -v ON_ERROR_STOP=1 -f - \"$db\"\n}\n"
        "postgresql_each() {\n    db=$1 && shift\n"
        "    cat \"$@\" | psql -Xq -v ON_ERROR_STOP=1 -f - \"$db\"\n}\n",
    .open = open_url,
    .make_writable = make_writable,
    .scratch_start = rb_pg_scratch_start,
    .scratch_stop = rb_pg_scratch_stop,
    .scratch_cache = rb_pg_cluster_cache,
    .scratch_server = rb_pg_scratch_server,
    .scratch_allow = rb_pg_scratch_allow,
    .scratch = rb_pg_scratch,
    .scratch_maker = scratch_maker,
    .scratch_keep = rb_pg_scratch_keep,
    .lend = rb_pg_scratch_lend,
    .scratch_at = rb_pg_scratch_at,
    .size = rb_pg_size,
    .data_version = rb_pg_data_version,
    .rehearse = rb_pg_rehearse,
    .copy = rb_pg_copy,
    .identity = rb_pg_identity,
    .label = rb_pg_label,
    .await = rb_pg_await,
    .lock = rb_pg_lock,
    .close = close_db,
    .interrupt = rb_pg_interrupt,
    .outside = rb_pg_outside,
    .limit = limit,
    .limited = limited,
    .query = rb_pg_query,
    .check = rb_pg_check,
    .begin = rb_pg_begin,
    .commit = rb_pg_commit,
    .rollback = rb_pg_rollback,
    .in_transaction = rb_pg_in_transaction,
    .script = rb_pg_script,
    .segments = rb_pg_segments,
    .hold = rb_pg_hold,
    .alone = rb_pg_alone,
    .seed = rb_pg_seed,
    .locks = rb_pg_locks,
    .lock_tables = rb_pg_lock_tables,
    .catalog = rb_pg_catalog,
    .settings = rb_pg_settings,
    .facts = rb_pg_facts,
    .obstacles = rb_pg_obstacles,
    .recovery_point = rb_pg_recovery_point,
    .columns_sql = "SELECT lower(attname) FROM pg_catalog.pg_attribute WHERE attnum > 0"
                   " AND NOT attisdropped AND attrelid = to_regclass((SELECT string_agg("
                   "quote_ident(part), '.') FROM unnest(string_to_array($1, '.')) part))"
                   " ORDER BY lower(attname) COLLATE \"C\"",
    .objects_sql = "SELECT relname, relkind IN ('r', 'p') FROM pg_catalog.pg_class c"
                   " WHERE relnamespace NOT IN (SELECT oid FROM pg_catalog.pg_namespace"
                   " WHERE nspname = 'information_schema' OR nspname LIKE 'pg\\_%')"
                   " AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.objid = c.oid"
                   " AND d.classid = 'pg_catalog.pg_class'::regclass AND d.deptype = 'e')"
                   " ORDER BY relname",
    .hex_of_checksum = "encode(checksum, 'hex')",
    .bytes_prefix = "'\\x",
    .compare = rb_pg_compare,
    .count = rb_pg_count,
    .fill = rb_pg_fill,
    .literals = rb_pg_literals,
    .keep = rb_pg_keep,
    .table = rb_pg_table,
    .foreign_keys = rb_pg_foreign_keys,
    .counter = rb_pg_counter,
    .set_counter = rb_pg_set_counter,
    .triggers = rb_pg_triggers,
    .attempt = rb_pg_attempt,
    .insert = "INSERT",
    .update = "UPDATE",
    .overriding = "OVERRIDING SYSTEM VALUE",
    .same = rb_pg_same_sql,
    .hash = rb_pg_hash_sql,
    .matches = rb_pg_matches_sql,
    .length = "coalesce(pg_column_size(@), 0)",
    .default_value = rb_pg_default_value,
    .backup_open = rb_pg_backup_open,
    .backup_attach = rb_pg_backup_attach,
    .backup_copy = rb_pg_backup_copy,
    .backup_note = rb_pg_backup_note,
    .backup_close = rb_pg_backup_close,
};
