/* Describes a table for backups and restores, and builds SQL conditions on its rows. */
#include "database/postgres/backup.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "database/backup_sql.h"

#define FOLDED 8 /* hexadecimal digits for each column at the end of a hash */
#define SHA256 64

/* SQL: the column holds data. Of a sequence, its position alone does. */
#define IS_DATA                                                                                    \
    "a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' AND (c.relkind <> 'S' OR"         \
    " a.attname = 'last_value')"
/* SQL: the expression is a literal, perhaps with casts, as pg_get_expr() writes it. */
#define IS_LITERAL                                                                                 \
    " ~ '^(-?[0-9.]+|true|false|E?''([^''\\\\]|'''')*'')(::[a-z_ "                                 \
    "\".]+(\\([0-9,]+\\))?(\\[\\])?)*$'"

enum rb_code rb_pg_table(json_t **out, rb_db *db, const char *name, rb_err *err)
{
    return rb_pg_json(
        out, rb_pg_of(db),
        "SELECT json_build_object('sql', format('%I.%I', n.nspname, c.relname), 'columns',"
        " coalesce(json_agg(a.attname ORDER BY a.attnum) FILTER (WHERE " IS_DATA "), '[]'), 'key',"
        " coalesce((SELECT (SELECT json_agg(k.attname ORDER BY o) FROM unnest(i.indkey) WITH"
        " ORDINALITY u(num, o) JOIN pg_attribute k ON k.attrelid = c.oid AND k.attnum = u.num) FROM"
        " pg_index i WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indimmediate"
        " AND i.indpred IS NULL AND i.indexprs IS NULL AND NOT EXISTS (SELECT FROM pg_attribute k"
        " WHERE k.attrelid = c.oid AND k.attnum = ANY (i.indkey) AND (NOT k.attnotnull OR"
        " k.attgenerated <> '')) ORDER BY i.indisprimary DESC, i.indexrelid LIMIT 1), '[]'),"
        " 'collations', coalesce(json_object_agg(a.attname, '::text') FILTER (WHERE " IS_DATA " AND"
        " y.typnamespace <> 'pg_catalog'::regnamespace), '{}'), 'types',"
        " coalesce(json_object_agg(a.attname, format_type(a.atttypid, a.atttypmod)) FILTER (WHERE"
        " " IS_DATA " AND y.typnamespace <> 'pg_catalog'::regnamespace), '{}'), 'defaults',"
        " coalesce(json_object_agg(a.attname, pg_get_expr(f.adbin, f.adrelid)) FILTER (WHERE"
        " " IS_DATA " AND pg_get_expr(f.adbin, f.adrelid)" IS_LITERAL "), '{}'), 'rowid', NULL,"
        " 'instead', '[]'::json, 'sequence', c.relkind = 'S', 'definition', format(E'CREATE TABLE "
        "%I.%I (\\n    ', n.nspname,"
        " c.relname) || string_agg(format('%I %s%s%s', a.attname, format_type(a.atttypid,"
        " a.atttypmod), CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END, CASE WHEN"
        " a.attgenerated <> '' THEN ' GENERATED ALWAYS AS (' || pg_get_expr(f.adbin, f.adrelid) ||"
        " ') STORED' ELSE ' DEFAULT ' || pg_get_expr(f.adbin, f.adrelid) END), E',\\n    ' ORDER BY"
        " a.attnum) FILTER (WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind <> 'S') || "
        "coalesce((SELECT"
        " string_agg(format(E',\\n    CONSTRAINT %I %s', k.conname, pg_get_constraintdef(k.oid)), "
        "''"
        " ORDER BY k.conname) FROM pg_constraint k WHERE k.conrelid = c.oid), '') || E'\\n)')"
        " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN (pg_attribute a"
        " JOIN pg_type y ON y.oid = a.atttypid) ON a.attrelid = c.oid LEFT JOIN pg_attrdef f ON"
        " f.adrelid = c.oid AND f.adnum = a.attnum WHERE c.relkind IN ('r', 'p', 'S') AND"
        " c.relpersistence <> 't' AND n.nspname !~ '^(pg_|information_schema$)' AND"
        " " RB_PG_TABLE_NAME("n.nspname", "c.relname") " = $1 GROUP BY c.oid, n.oid",
        &name, 1, err);
}

enum rb_code rb_pg_foreign_keys(json_t **out, rb_db *db, const char *name, rb_err *err)
{
    return rb_pg_json(
        out, rb_pg_of(db),
        "SELECT coalesce(json_agg(json_build_object('table', " RB_PG_TABLE_NAME(
            "pn.nspname", "p.relname") ", 'columns', (SELECT json_agg(a.attname ORDER BY o) FROM"
                                       " unnest(k.conkey) WITH ORDINALITY u(num, o) JOIN "
                                       "pg_attribute a ON a.attrelid = c.oid AND"
                                       " a.attnum = u.num), 'to', (SELECT json_agg(a.attname ORDER "
                                       "BY o) FROM unnest(k.confkey)"
                                       " WITH ORDINALITY u(num, o) JOIN pg_attribute a ON "
                                       "a.attrelid = p.oid AND a.attnum ="
                                       " u.num)) ORDER BY k.conname), '[]') FROM pg_constraint k "
                                       "JOIN pg_class c ON c.oid ="
                                       " k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
                                       "JOIN pg_class p ON p.oid ="
                                       " k.confrelid JOIN pg_namespace pn ON pn.oid = "
                                       "p.relnamespace WHERE k.contype = 'f' AND"
                                       " k.conparentid = 0 AND " RB_PG_TABLE_NAME(
                                           "n.nspname", "c.relname") " = $1",
        &name, 1, err);
}

/* Disables (on: false) or enables the user's triggers on the tables that are being restored, if the
 * role owns them. Each item of pg->triggers has the two ALTER TABLE statements for that. */
void rb_pg_triggers(rb_db *db, bool on)
{
    rb_pg *pg = rb_pg_of(db);
    RB_AUTO(rb_buf_clear) rb_buf tables = {0};
    if (!pg->restoring)
        return;
    if (!on) {
        rb_json_canonical(&tables, pg->restoring);
        const char *params[] = {rb_buf_str(&tables)};
        json_decref(pg->triggers);
        pg->triggers = NULL;
        (void)!rb_pg_json(
            &pg->triggers, pg,
            "SELECT json_agg(json_build_array(format('ALTER TABLE %I.%I DISABLE TRIGGER %I',"
            " n.nspname, c.relname, t.tgname), format('ALTER TABLE %I.%I ENABLE %sTRIGGER %I',"
            " n.nspname, c.relname, CASE t.tgenabled WHEN 'A' THEN 'ALWAYS ' WHEN 'R' THEN 'REPLICA"
            " ' ELSE '' END, t.tgname))) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid "
            "JOIN"
            " pg_namespace n ON n.oid = c.relnamespace WHERE NOT t.tgisinternal AND t.tgenabled <>"
            " 'D' AND pg_has_role(c.relowner, 'USAGE') AND " RB_PG_TABLE_NAME(
                "n.nspname", "c.relname") " IN (SELECT json_array_elements_text($1::json))",
            params, 1, RB_IGNORED);
    }
    rb_json_each (sql, pg->triggers)
        (void)!rb_pg_exec(pg, json_string_value(json_array_get(sql, on)), RB_IGNORED);
}

/* Runs a statement. *refused: a constraint refused it, or a value no longer fits its column. */
enum rb_code rb_pg_attempt(bool *refused, rb_db *db, const char *sql, const json_t *params,
                           rb_err *err)
{
    rb_pg *pg = rb_pg_of(db);
    RB_TRY(rb_pg_exec(pg, "SAVEPOINT rbtool_attempt", err));
    enum rb_code code = rb_pg_query(NULL, db, RB_DB_QUERY_LIMIT, sql, params, err);
    *refused = code != RB_OK && (strstr(err->message, "(SQLSTATE 22") != NULL ||
                                 strstr(err->message, "(SQLSTATE 23") != NULL);
    if (code == RB_OK)
        return rb_pg_exec(pg, "RELEASE rbtool_attempt", err);
    if (!*refused)
        return code;
    return rb_pg_exec(pg, "ROLLBACK TO rbtool_attempt; RELEASE rbtool_attempt", err);
}

/* Conditions compare values as text, since a backup stores values of the user's types as text. */

void rb_pg_same_sql(rb_buf *out, const char *a, const char *b)
{
    rb_buf_printf(out, "((%s)::text COLLATE \"C\" IS NOT DISTINCT FROM (%s)::text)", a, b);
}

/* Appends a SHA-256 of the row in hexadecimal, and 8 digits of each column, which show the column
 * that differs. */
void rb_pg_hash_sql(rb_buf *out, const char *row, const json_t *columns)
{
    rb_buf_puts(out, "(encode(sha256(convert_to(ROW(");
    for (size_t part = 0; part < 2; part++) {
        rb_json_each (name, columns) {
            RB_AUTO(rb_free_str) char *quoted = rb_pg_quote(json_string_value(name));
            if (part == 0)
                rb_buf_printf(out, "%s%s.%s::text", name_at ? ", " : "", row, quoted);
            else
                rb_buf_printf(out, " || coalesce(left(md5(%s.%s::text), 8), '--------')", row,
                              quoted);
        }
        rb_buf_puts(out, part == 0 ? ")::text, 'UTF8')), 'hex')" : ")");
    }
}

void rb_pg_matches_sql(rb_buf *out, const json_t *columns, const json_t *ignored)
{
    if (json_array_size(ignored) == 0) {
        rb_buf_puts(out, "d.rbtool_hash = ");
        rb_pg_hash_sql(out, "n", columns);
        return;
    }
    rb_buf_puts(out, "(d.rbtool_hash IS NOT NULL");
    rb_json_each (name, columns) {
        RB_AUTO(rb_free_str) char *quoted = rb_pg_quote(json_string_value(name));
        if (!rb_names_have(ignored, json_string_value(name)))
            rb_buf_printf(
                out,
                " AND substr(d.rbtool_hash, %zu, %d) = coalesce(left(md5(n.%s::text), %d),"
                " '--------')",
                SHA256 + 1 + FOLDED * name_at, FOLDED, quoted, FOLDED);
    }
    rb_buf_puts(out, ")");
}

/* Returns the default as SQL; "NULL" if it is not a literal, since the value that it gave is
 * unknown. */
char *rb_pg_default_value(const char *text)
{
    bool literal = *text == '\'' || *text == '-' || (*text >= '0' && *text <= '9') ||
                   strncasecmp(text, "true", 4) == 0 || strncasecmp(text, "false", 5) == 0;
    return rb_strdup(literal ? text : "NULL");
}
