/* Keeps the state before a rehearsal or a proof runs scripts, in a schema of its own (compare.h).
 */
#include "database/postgres/compare.h"

static enum rb_code keep_table(rb_pg *pg, const json_t *table, rb_err *err)
{
    const char *data = rb_json_str(table, "data");
    RB_AUTO(rb_buf_clear) rb_buf columns = {0};
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    rb_json_each (column, json_object_get(table, "columns"))
        rb_buf_printf(&columns, "%s%s%s AS %s", column_at ? ", " : "", rb_json_str(column, "name"),
                      rb_json_str(column, "class")[0] == 't'              ? "::text"
                      : json_is_true(json_object_get(column, "collated")) ? " COLLATE \"default\""
                                                                          : "",
                      rb_json_str(column, "name"));
    RB_AUTO(rb_free_str)
    char *sql = rb_format("DROP TABLE IF EXISTS " RB_PG_BEFORE ".%s; CREATE UNLOGGED TABLE"
                          " " RB_PG_BEFORE ".%s AS SELECT %s FROM %s AS k",
                          data, data, rb_buf_str(&columns), rb_json_str(table, "sql"));
    RB_TRY(rb_pg_exec(pg, sql, err));
    rb_json_canonical(&text, json_object_get(table, "columns"));
    const char *params[] = {rb_json_str(table, "name"), data, rb_buf_str(&text)};
    RB_AUTO(rb_pg_clear) PGresult *done = NULL;
    return rb_pg_rows(&done, pg,
                      "INSERT INTO " RB_PG_BEFORE ".kept VALUES($1, $2, $3::json) ON CONFLICT"
                      " (name) DO UPDATE SET columns = excluded.columns",
                      params, 3, err);
}

enum rb_code rb_pg_keep(json_t *kept, rb_db *db, rb_err *err)
{
    rb_pg *pg = rb_pg_of(db);
    RB_AUTO(rb_json_freep) json_t *tables = NULL;
    RB_AUTO(rb_free_str) char *known = json_dumps(kept, JSON_COMPACT);
    const char *params[] = {known};
    RB_TRY(rb_pg_exec(pg,
                      "CREATE SCHEMA IF NOT EXISTS " RB_PG_BEFORE "; CREATE TABLE IF NOT EXISTS"
                      " " RB_PG_BEFORE ".kept(name text PRIMARY KEY, data text, columns json)",
                      err));
    RB_TRY(rb_pg_json(
        &tables, pg,
        "SELECT coalesce(json_agg(t), '[]') FROM (SELECT " RB_PG_TABLE_NAME(
            "n.nspname", "c.relname") " AS name, 't' || md5(format('%I.%I',"
                                      " n.nspname, c.relname)) AS data, " RB_PG_ROWS " AS"
                                      " sql, " RB_PG_COLUMNS " AS columns" RB_PG_TABLES
                                      " AND NOT ($1::jsonb ? " RB_PG_TABLE_NAME("n.nspname",
                                                                                "c.relname") ")) t",
        params, 1, err));
    rb_json_each (table, tables) {
        RB_TRY(keep_table(pg, table, err));
        json_object_set_new_nocheck(kept, rb_json_str(table, "name"), json_true());
    }
    return RB_OK;
}
