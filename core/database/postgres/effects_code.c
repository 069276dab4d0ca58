/* Finds what functions, DO blocks and triggers write. */
#include "database/postgres/effects_read.h"

#include <string.h>

/* Functions: */

static bool is_code(const json_t *function, const char *language)
{
    return rb_pg_tree_is(function, "language", language);
}

/* Reads the query of a PL/pgSQL expression, which is a statement, an expression or an assignment.
 */
static enum rb_code read_expression(rb_pg_reading *r, const char *text, bool assigns, rb_err *err)
{
    const char *value = text;
    if (assigns) {
        const char *equals = strchr(text, '=');
        value = equals ? equals + 1 : text;
    }
    RB_AUTO(rb_free_str) char *query = assigns ? rb_format("SELECT %s", value) : rb_strdup(value);
    PgQueryParseResult parsed = pg_query_parse(query);
    bool failed = parsed.error != NULL;
    pg_query_free_parse_result(parsed);
    if (!failed)
        return rb_pg_reading_sql(r, query, err);
    RB_AUTO(rb_free_str) char *other = rb_format("SELECT %s", value);
    return rb_pg_reading_sql(r, other, err);
}

/* Reads the statement of EXECUTE if it is a literal. Otherwise its effect is unknown. */
static enum rb_code read_dynamic(rb_pg_reading *r, const json_t *expression, rb_err *err)
{
    const char *text = rb_json_str(json_object_get(expression, "PLpgSQL_expr"), "query");
    RB_AUTO(rb_free_str) char *query = rb_format("SELECT %s", text ? text : "");
    PgQueryParseResult parsed = pg_query_parse(query);
    RB_AUTO(rb_json_freep)
    json_t *tree = parsed.error ? NULL : json_loads(parsed.parse_tree, 0, NULL);
    pg_query_free_parse_result(parsed);
    const json_t *stmt =
        rb_pg_tree(json_array_get(json_object_get(tree, "stmts"), 0), "stmt", NULL);
    const json_t *targets = rb_pg_tree(stmt, "SelectStmt", "targetList");
    const json_t *value = rb_pg_tree(json_array_get(targets, 0), "ResTarget", "val");
    const char *literal = rb_json_str(rb_pg_tree(value, "A_Const", "sval"), "sval");
    if (literal && json_array_size(targets) == 1)
        return rb_pg_reading_sql(r, literal, err);
    rb_pg_reading_opaque(r);
    return RB_OK;
}

static enum rb_code walk_code(rb_pg_reading *r, const json_t *node, rb_err *err)
{
    if (json_is_array(node)) {
        rb_json_each (value, node)
            RB_TRY(walk_code(r, value, err));
        return RB_OK;
    }
    rb_json_each_member (key, value, node) {
        if (strncmp(key, "PLpgSQL_stmt_dyn", 16) == 0)
            RB_TRY(read_dynamic(r, json_object_get(value, "query"), err));
        const char *query = strcmp(key, "PLpgSQL_expr") == 0 ? rb_json_str(value, "query") : NULL;
        if (query)
            RB_TRY(read_expression(r, query, false, err));
        else if (strcmp(key, "PLpgSQL_stmt_assign") == 0)
            RB_TRY(read_expression(
                r, rb_json_str(rb_pg_tree(value, "expr", "PLpgSQL_expr"), "query"), true, err));
        else
            RB_TRY(walk_code(r, value, err));
    }
    return RB_OK;
}

/* Parses a CREATE FUNCTION or DO statement in PL/pgSQL, and reads it. *code: its tree, or NULL if
 * it cannot be parsed. */
static enum rb_code read_code(json_t **code, rb_pg_reading *r, const char *definition, rb_err *err)
{
    PgQueryPlpgsqlParseResult parsed = pg_query_parse_plpgsql(definition);
    RB_AUTO(rb_json_freep)
    json_t *tree = parsed.error ? NULL : json_loads(parsed.plpgsql_funcs, 0, NULL);
    pg_query_free_plpgsql_parse_result(parsed);
    if (!tree)
        rb_pg_reading_opaque(r);
    else
        RB_TRY(walk_code(r, tree, err));
    *code = tree;
    tree = NULL;
    return RB_OK;
}

/* Reads a function, {"oid","language","source","definition"}. *code: its tree, or NULL in other
 * languages than PL/pgSQL. */
static enum rb_code read_function(json_t **code, rb_pg_reading *r, const json_t *function,
                                  rb_err *err)
{
    const char *source = rb_json_str(function, "source");
    *code = NULL;
    if (is_code(function, "plpgsql"))
        return read_code(code, r, rb_json_str(function, "definition"), err);
    if (is_code(function, "sql"))
        return rb_pg_reading_sql(
            r, source && *source ? source : rb_json_str(function, "definition"), err);
    if (!is_code(function, "c") && !is_code(function, "internal"))
        rb_pg_reading_opaque(r);
    return RB_OK;
}

#define FUNCTION                                                                                   \
    "json_build_object('oid', p.oid::int8, 'language', l.lanname, 'source', p.prosrc,"             \
    " 'definition', CASE WHEN p.prokind IN ('f', 'p') THEN pg_catalog.pg_get_functiondef(p.oid)"   \
    " END) FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_language l ON l.oid = p.prolang"

/* Handles setval() of a sequence that the statement names. */
static enum rb_code read_setval(rb_pg_reading *r, const json_t *call, rb_err *err)
{
    const json_t *first = json_array_get(json_object_get(call, "args"), 0);
    const json_t *cast = json_object_get(first, "TypeCast");
    const json_t *value = json_object_get(cast ? json_object_get(cast, "arg") : first, "A_Const");
    const char *name = rb_json_str(json_object_get(value, "sval"), "sval");
    return name ? rb_pg_reading_written(r, name, err) : RB_OK;
}

/* Reads all functions of that name, since the arguments decide which one is called. */
enum rb_code rb_pg_reading_call(rb_pg_reading *r, const json_t *call, rb_err *err)
{
    RB_AUTO(rb_free_str) char *name = rb_pg_tree_list(json_object_get(call, "funcname"));
    const json_t *parts = json_object_get(call, "funcname");
    size_t n = json_array_size(parts);
    const char *params[] = {rb_pg_tree_string(json_array_get(parts, n ? n - 1 : 0)),
                            n > 1 ? rb_pg_tree_string(json_array_get(parts, n - 2)) : NULL};
    RB_AUTO(rb_json_freep) json_t *functions = NULL;
    json_object_set_new(r->pg->written, "code", json_true());
    if (params[0] && strcmp(params[0], "setval") == 0)
        RB_TRY(read_setval(r, call, err));
    if (!params[0] || !rb_pg_reading_first(r, "call", name))
        return RB_OK;
    RB_TRY(
        rb_pg_json(&functions, r->pg,
                   "SELECT json_agg(f) FROM (SELECT " FUNCTION
                   " JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace WHERE p.proname ="
                   " $1 AND n.nspname = coalesce($2, n.nspname) AND n.nspname <> 'pg_catalog' AND"
                   " p.provolatile = 'v') x(f)",
                   params, 2, err));
    rb_json_each (function, functions) {
        RB_AUTO(rb_json_freep) json_t *code = NULL;
        RB_TRY(read_function(&code, r, function, err));
    }
    return RB_OK;
}

enum rb_code rb_pg_reading_do(rb_pg_reading *r, const json_t *stmt, rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    RB_AUTO(rb_json_freep) json_t *code = NULL;
    bool any = false;
    rb_json_each (item, json_object_get(stmt, "args")) {
        const json_t *option = json_object_get(item, "DefElem");
        const char *value = rb_pg_tree_string(json_object_get(option, "arg"));
        if (rb_pg_tree_is(option, "defname", "as"))
            rb_buf_puts(&text, value ? value : "");
        else if (!value || strcmp(value, "plpgsql") != 0)
            rb_pg_reading_opaque(r);
        any = true;
    }
    RB_AUTO(rb_free_str) char *body = rb_pg_literal(rb_buf_str(&text));
    RB_AUTO(rb_free_str)
    char *definition =
        rb_format("CREATE FUNCTION rbtool_do() RETURNS void LANGUAGE plpgsql AS %s", body);
    return any ? read_code(&code, r, definition, err) : RB_OK;
}

/* Adds the columns of NEW that a BEFORE trigger sets, by an assignment or INTO. */
static void add_assigned(json_t *effect, const json_t *node, const json_t *datums)
{
    if (json_is_array(node))
        rb_json_each (value, node)
            add_assigned(effect, value, datums);
    rb_json_each_member (key, value, node) {
        if (strcmp(key, "varno") == 0) {
            const json_t *datum = json_array_get(datums, (size_t)json_integer_value(value));
            const char *field =
                rb_json_str(json_object_get(datum, "PLpgSQL_recfield"), "fieldname");
            if (field)
                rb_pg_effect_column(effect, "columns", field, "update");
            if (rb_pg_tree_is(json_object_get(datum, "PLpgSQL_rec"), "refname", "new"))
                json_object_set_new(effect, "rows", json_true());
        }
        add_assigned(effect, value, datums);
    }
}

static bool is_returned_as_it_is(const json_t *node)
{
    bool yes = true;
    if (json_is_array(node))
        rb_json_each (value, node)
            yes = yes && is_returned_as_it_is(value);
    rb_json_each_member (key, value, node) {
        const char *query = rb_json_str(rb_pg_tree(value, "expr", "PLpgSQL_expr"), "query");
        if (strcmp(key, "PLpgSQL_stmt_return") == 0 && query && strcasecmp(query, "NEW") != 0 &&
            strcasecmp(query, "NULL") != 0 && strcasecmp(query, "OLD") != 0)
            return false;
        yes = yes && is_returned_as_it_is(value);
    }
    return yes;
}

enum rb_code rb_pg_reading_trigger(rb_pg_reading *r, json_t *effect, const json_t *trigger,
                                   bool changes_new, rb_err *err)
{
    RB_AUTO(rb_free_str)
    char *oid = rb_format("%lld", (long long)rb_json_int(trigger, "function", 0));
    const char *params[] = {oid};
    RB_AUTO(rb_json_freep) json_t *function = NULL;
    RB_AUTO(rb_json_freep) json_t *code = NULL;
    if (!changes_new && !rb_pg_reading_first(r, "trigger", oid))
        return RB_OK;
    RB_TRY(
        rb_pg_json(&function, r->pg, "SELECT " FUNCTION " WHERE p.oid = $1::oid", params, 1, err));
    RB_TRY(read_function(&code, r, function, err));
    if (!changes_new ||
        is_code(function, "internal")) /* such as suppress_redundant_updates_trigger() */
        return RB_OK;
    const json_t *body = rb_pg_tree(json_array_get(code, 0), "PLpgSQL_function", NULL);
    add_assigned(effect, json_object_get(body, "action"), json_object_get(body, "datums"));
    if (!body || !is_returned_as_it_is(json_object_get(body, "action")))
        json_object_set_new(effect, "rows", json_true());
    return RB_OK;
}
