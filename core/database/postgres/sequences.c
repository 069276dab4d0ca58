/*
 * Positions of sequences: the last numbers that they gave. A backup has them, and a restore moves
 * each sequence on to where it was; never back, so that no number is given twice. No rollback
 * undoes setval(): this process does.
 */
#include "database/postgres/backup.h"

#include <string.h>

#include "database/backup_sql.h"

/* Reads {column: last number of its sequence}; of a sequence itself, {"": its last number}. */
enum rb_code rb_pg_counter(json_t **out, rb_db *db, const char *name, rb_err *err)
{
    return rb_pg_json(
        out, rb_pg_of(db),
        "SELECT json_object_agg(of, pg_sequence_last_value(s)) FILTER (WHERE"
        " pg_sequence_last_value(s) IS NOT NULL) FROM (SELECT c.oid, c.relkind, format('%I.%I',"
        " n.nspname, c.relname) AS sql FROM pg_class c JOIN pg_namespace n ON n.oid ="
        " c.relnamespace WHERE c.relkind IN ('r', 'p', 'S') AND " RB_PG_TABLE_NAME(
            "n.nspname", "c.relname") " = $1) t CROSS JOIN LATERAL (SELECT '' AS of, t.oid AS s"
                                      " WHERE t.relkind = 'S' UNION ALL SELECT a.attname,"
                                      " pg_get_serial_sequence(t.sql, a.attname)::regclass FROM"
                                      " pg_attribute a WHERE a.attrelid = t.oid AND a.attnum > 0"
                                      " AND NOT a.attisdropped AND t.relkind <> 'S') numbered WHERE"
                                      " s IS NOT NULL",
        &name, 1, err);
}

char *rb_pg_counter_sql(const char *table, const char *column, int64_t last)
{
    RB_AUTO(rb_free_str) char *of = rb_pg_literal(table);
    RB_AUTO(rb_free_str) char *name = rb_pg_literal(column);
    return rb_format(
        "SELECT count(setval(q.seqrelid::regclass, least(greatest(%lld, q.seqmin), q.seqmax))) FROM"
        " pg_sequence q WHERE q.seqrelid = CASE WHEN %s = '' THEN %s::regclass ELSE"
        " pg_get_serial_sequence(%s, %s)::regclass END AND CASE WHEN q.seqincrement > 0 THEN"
        " coalesce(pg_sequence_last_value(q.seqrelid), q.seqmin - 1) < %lld ELSE"
        " coalesce(pg_sequence_last_value(q.seqrelid), q.seqmax + 1) > %lld END",
        (long long)last, name, of, of, name, (long long)last, (long long)last);
}

enum rb_code rb_pg_set_counter(rb_db *db, const char *name, const json_t *counter, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *table = NULL;
    RB_TRY(rb_pg_table(&table, db, name, err));
    rb_json_each_member (column, last, counter) {
        if (!table || (*column && !rb_names_have(json_object_get(table, "columns"), column)))
            continue;
        RB_AUTO(rb_free_str)
        char *sql = rb_pg_counter_sql(rb_json_str(table, "sql"), column, json_integer_value(last));
        RB_TRY(rb_pg_exec(rb_pg_of(db), sql, err));
    }
    return RB_OK;
}

/* Rollbacks */

void rb_pg_positions_read(rb_pg *pg, const char *script)
{
    if (pg->positions || pg->scratch || !strcasestr(script, "setval"))
        return;
    (void)!rb_pg_json(
        &pg->positions, pg,
        "SELECT coalesce(json_object_agg(q.seqrelid::int8, last) FILTER (WHERE last IS"
        " NOT NULL), '{}') FROM pg_catalog.pg_sequence q JOIN pg_catalog.pg_class c ON"
        " c.oid = q.seqrelid CROSS JOIN LATERAL (SELECT CASE WHEN c.relpersistence <>"
        " 't' AND pg_catalog.has_sequence_privilege(c.oid, 'SELECT') AND"
        " pg_catalog.has_sequence_privilege(c.oid, 'UPDATE') THEN"
        " pg_catalog.pg_sequence_last_value(c.oid) END) x(last)",
        NULL, 0, RB_IGNORED);
}

void rb_pg_positions_restore(rb_pg *pg)
{
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    int64_t ignored;
    if (!pg->positions)
        return;
    rb_json_canonical(&text, pg->positions);
    const char *params[] = {rb_buf_str(&text)};
    (void)!rb_pg_int(&ignored, pg,
                     "SELECT count(pg_catalog.setval(q.seqrelid::regclass, p.value::int8)) FROM"
                     " pg_catalog.json_each_text($1::json) p JOIN pg_catalog.pg_sequence q ON"
                     " q.seqrelid = p.key::oid WHERE CASE WHEN q.seqincrement > 0 THEN"
                     " coalesce(pg_catalog.pg_sequence_last_value(q.seqrelid), q.seqmin - 1) <"
                     " p.value::int8 ELSE coalesce(pg_catalog.pg_sequence_last_value(q.seqrelid),"
                     " q.seqmax + 1) > p.value::int8 END",
                     params, 1, RB_IGNORED);
    rb_pg_positions_forget(pg);
}

void rb_pg_positions_forget(rb_pg *pg)
{
    json_decref(pg->positions);
    pg->positions = NULL;
}
