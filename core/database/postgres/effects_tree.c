/* What the readers of statements share: the tree of a statement, and the effects on a table. */
#include <stdlib.h>
#include <string.h>

#include "database/loss.h"
#include "database/postgres/effects_read.h"

void rb_pg_reading_opaque(rb_pg_reading *r)
{
    json_object_set_new(r->pg->written, "opaque", json_true());
}

/* Returns true the first time that it is called with these two texts. */
bool rb_pg_reading_first(rb_pg_reading *r, const char *what, const char *of)
{
    RB_AUTO(rb_free_str) char *key = rb_format("%s %s", what, of);
    if (json_object_get(r->seen, key))
        return false;
    json_object_set_new_nocheck(r->seen, key, json_true());
    return true;
}

const json_t *rb_pg_tree(const json_t *node, const char *a, const char *b)
{
    const json_t *found = json_object_get(node, a);
    return found && b ? json_object_get(found, b) : found;
}

const char *rb_pg_tree_string(const json_t *node)
{
    return rb_json_str(json_object_get(node, "String"), "sval");
}

bool rb_pg_tree_is(const json_t *node, const char *key, const char *value)
{
    const char *text = rb_json_str(node, key);
    return text && strcmp(text, value) == 0;
}

/* Returns "schema"."name" of a RangeVar node. A new string. */
char *rb_pg_tree_range(const json_t *range)
{
    const char *schema = rb_json_str(range, "schemaname");
    const char *name = rb_json_str(range, "relname");
    RB_AUTO(rb_free_str) char *quoted = rb_pg_quote(name ? name : "");
    if (!schema)
        return rb_strdup(quoted);
    RB_AUTO(rb_free_str) char *first = rb_pg_quote(schema);
    return rb_format("%s.%s", first, quoted);
}

/* Returns the same for a list of String nodes. A new string. */
char *rb_pg_tree_list(const json_t *list)
{
    rb_buf out = {0};
    rb_json_each (part, list) {
        const char *text = rb_pg_tree_string(part);
        RB_AUTO(rb_free_str) char *quoted = rb_pg_quote(text ? text : "");
        rb_buf_printf(&out, "%s%s", part_at ? "." : "", quoted);
    }
    return rb_buf_detach(&out);
}

void rb_pg_effect_column(json_t *effect, const char *member, const char *column, const char *how)
{
    json_t *columns = json_object_get(effect, member);
    if (!columns) {
        columns = json_object();
        json_object_set_new(effect, member, columns);
    }
    RB_AUTO(rb_free_str) char *name = rb_loss_key(column);
    json_object_set_new_nocheck(columns, name, json_string(how));
}

/* Reads what the server knows of a table. table: its oid as a number, or its quoted name. NULL if
 * it does not exist or is temporary. */
enum rb_code rb_pg_effect_table(json_t **out, rb_pg_reading *r, const char *table, rb_err *err)
{
    static const char sql[] = "SELECT json_build_object('name', " RB_PG_TABLE_NAME(
        "n.nspname",
        "c.relname") ", 'kind', c.relkind, 'rules', c.relkind IN ('r', 'p') AND"
                     " EXISTS (SELECT FROM pg_catalog.pg_rewrite w WHERE w.ev_class = c.oid),"
                     " 'triggers', (SELECT json_agg(json_build_object('type', t.tgtype, 'function',"
                     " t.tgfoid::int8)) FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid AND "
                     "NOT"
                     " t.tgisinternal AND t.tgenabled <> 'D'),"
                     " 'children', (SELECT json_agg(json_build_object('table', "
                     "k.conrelid::int8::text, 'D',"
                     " k.confdeltype, 'U', k.confupdtype, 'columns', (SELECT json_agg(a.attname) "
                     "FROM"
                     " pg_catalog.pg_attribute a WHERE a.attrelid = k.conrelid AND a.attnum = ANY "
                     "(k.conkey)),"
                     " 'key', (SELECT json_object_agg(a.attname, true) FROM "
                     "pg_catalog.pg_attribute a WHERE"
                     " a.attrelid = k.confrelid AND a.attnum = ANY (k.confkey))))"
                     " FROM pg_catalog.pg_constraint k WHERE k.contype = 'f' AND k.confrelid = "
                     "c.oid),"
                     " 'bases', (SELECT json_agg(DISTINCT d.refobjid::int8::text) FROM "
                     "pg_catalog.pg_rewrite w"
                     " JOIN pg_catalog.pg_depend d ON d.classid = "
                     "'pg_catalog.pg_rewrite'::regclass AND d.objid"
                     " = w.oid AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid "
                     "<> c.oid WHERE"
                     " c.relkind = 'v' AND w.ev_class = c.oid))"
                     " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = "
                     "c.relnamespace"
                     " WHERE c.relpersistence <> 't' AND c.relkind IN ('r', 'p', 'f', 'v', 'S') "
                     "AND "
                     "c.oid ="
                     " CASE WHEN $1 ~ '^[0-9]+$' THEN $1::oid ELSE pg_catalog.to_regclass($1) END";
    return rb_pg_json(out, r->pg, sql, &table, 1, err);
}

/* True if the value differs at each evaluation. */
bool rb_pg_is_generated(const json_t *node)
{
    static const char *const volatiles[] = {"random",
                                            "now",
                                            "clock_timestamp",
                                            "statement_timestamp",
                                            "transaction_timestamp",
                                            "timeofday",
                                            "nextval",
                                            "gen_random_uuid",
                                            "gen_random_bytes",
                                            "uuid_generate_v1",
                                            "uuid_generate_v4",
                                            "txid_current"};
    if (json_is_array(node)) {
        rb_json_each (value, node)
            if (rb_pg_is_generated(value))
                return true;
        return false;
    }
    rb_json_each_member (key, value, node) {
        const json_t *parts = json_object_get(value, "funcname");
        const char *name = rb_pg_tree_string(json_array_get(parts, json_array_size(parts) - 1));
        for (size_t i = 0; name && i < sizeof volatiles / sizeof *volatiles; i++)
            if (strcmp(name, volatiles[i]) == 0)
                return true;
        if (strcmp(key, "SQLValueFunction") == 0 || rb_pg_is_generated(value))
            return true;
    }
    return false;
}
