/* Effects of statements that alter, rename and drop tables. */
#include "database/postgres/effects_read.h"

#include <string.h>

#include "database/loss.h"

/* Returns the effect on a table that a statement names; NULL if it is not one of the user's. */
static enum rb_code effect_on(json_t **out, rb_pg_reading *r, const char *table, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *found = NULL;
    *out = NULL;
    RB_TRY(rb_pg_effect_table(&found, r, table, err));
    if (found && !rb_pg_tree_is(found, "kind", "v"))
        *out = rb_loss_effect(r->effects, rb_json_str(found, "name"));
    return RB_OK;
}

/* Marks a new column as generated if its default differs for each row. */
static void add_new_column(json_t *effect, const json_t *definition)
{
    const char *name = rb_json_str(definition, "colname");
    const json_t *types = rb_pg_tree(definition, "typeName", "names");
    const char *type = rb_pg_tree_string(json_array_get(types, json_array_size(types) - 1));
    bool serial = type && strstr(type, "serial");
    rb_json_each (item, json_object_get(definition, "constraints")) {
        const json_t *constraint = json_object_get(item, "Constraint");
        serial |= rb_pg_tree_is(constraint, "contype", "CONSTR_IDENTITY") ||
                  (rb_pg_tree_is(constraint, "contype", "CONSTR_DEFAULT") &&
                   rb_pg_is_generated(json_object_get(constraint, "raw_expr")));
    }
    if (name && serial)
        rb_pg_effect_column(effect, "generated", name, "update");
}

/* Adds an update of each column whose values contain those of a type: the type itself, an array or
 * a domain of it, a range over it, or a composite type with an attribute of it. */
static enum rb_code change_type(rb_pg_reading *r, const char *type, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *columns = NULL;
    RB_TRY(rb_pg_json(
        &columns, r->pg,
        "WITH RECURSIVE u(oid) AS (SELECT pg_catalog.to_regtype($1)::oid UNION SELECT t.oid FROM u,"
        " pg_catalog.pg_type t WHERE (t.typelem = u.oid AND t.typlen = -1) OR t.typbasetype = u.oid"
        " OR EXISTS (SELECT 1 FROM pg_catalog.pg_range g WHERE g.rngsubtype = u.oid AND t.oid IN"
        " (g.rngtypid, g.rngmultitypid)) OR (t.typtype = 'c' AND EXISTS (SELECT 1 FROM"
        " pg_catalog.pg_attribute p WHERE p.attrelid = t.typrelid AND p.atttypid = u.oid AND NOT"
        " p.attisdropped))) SELECT json_agg(json_build_array(" RB_PG_TABLE_NAME(
            "n.nspname",
            "c.relname") ", a.attname)) FROM pg_catalog.pg_attribute a"
                         " JOIN pg_catalog.pg_class c ON c.oid = a.attrelid JOIN"
                         " pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN "
                         "('r', 'p') AND a.atttypid IN (SELECT oid FROM u) AND NOT a.attisdropped",
        &type, 1, err));
    rb_json_each (item, columns)
        rb_pg_effect_column(rb_loss_effect(r->effects, json_string_value(json_array_get(item, 0))),
                            "columns", json_string_value(json_array_get(item, 1)), "update");
    return RB_OK;
}

/* Adds a drop or an update of a column of each table that is made of a composite type (OF). */
static enum rb_code change_typed_tables(rb_pg_reading *r, const char *type, const char *column,
                                        const char *how, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *tables = NULL;
    RB_TRY(rb_pg_json(
        &tables, r->pg,
        "SELECT json_agg(" RB_PG_TABLE_NAME(
            "n.nspname", "c.relname") ") FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n"
                                      " ON n.oid = c.relnamespace WHERE c.reloftype ="
                                      " pg_catalog.to_regtype($1)",
        &type, 1, err));
    rb_json_each (table, tables)
        rb_pg_effect_column(rb_loss_effect(r->effects, json_string_value(table)), "columns", column,
                            how);
    return RB_OK;
}

/* Handles ALTER TYPE ... DROP ATTRIBUTE and ALTER ATTRIBUTE of a composite type. */
static enum rb_code alter_type(rb_pg_reading *r, const char *type, const json_t *stmt, rb_err *err)
{
    bool changed = false;
    rb_json_each (item, json_object_get(stmt, "cmds")) {
        const json_t *command = json_object_get(item, "AlterTableCmd");
        const char *name = rb_json_str(command, "name");
        bool drops = rb_pg_tree_is(command, "subtype", "AT_DropColumn");
        if (!name || (!drops && !rb_pg_tree_is(command, "subtype", "AT_AlterColumnType")))
            continue;
        changed = true;
        RB_TRY(change_typed_tables(r, type, name, drops ? "drop" : "update", err));
    }
    return changed ? change_type(r, type, err) : RB_OK;
}

enum rb_code rb_pg_reading_alter(rb_pg_reading *r, const json_t *stmt, rb_err *err)
{
    RB_AUTO(rb_free_str) char *table = rb_pg_tree_range(json_object_get(stmt, "relation"));
    json_t *effect;
    if (rb_pg_tree_is(stmt, "objtype", "OBJECT_TYPE"))
        return alter_type(r, table, stmt, err);
    RB_TRY(effect_on(&effect, r, table, err));
    rb_json_each (item, json_object_get(stmt, "cmds")) {
        const json_t *command = json_object_get(item, "AlterTableCmd");
        const char *name = rb_json_str(command, "name");
        if (!effect)
            break;
        if (rb_pg_tree_is(command, "subtype", "AT_DropColumn") && name)
            rb_pg_effect_column(effect, "columns", name, "drop");
        else if (rb_pg_tree_is(command, "subtype", "AT_AlterColumnType") && name)
            rb_pg_effect_column(effect, "columns", name, "update");
        else if (rb_pg_tree_is(command, "subtype", "AT_AddColumn"))
            add_new_column(effect, rb_pg_tree(command, "def", "ColumnDef"));
        else if (rb_pg_tree_is(command, "subtype", "AT_DetachPartition"))
            json_object_set_new(effect, "rows", json_true());
    }
    return RB_OK;
}

enum rb_code rb_pg_reading_rename(rb_pg_reading *r, const json_t *stmt, rb_err *err)
{
    RB_AUTO(rb_free_str) char *table = rb_pg_tree_range(json_object_get(stmt, "relation"));
    const char *name = rb_json_str(stmt, "newname");
    RB_AUTO(rb_json_freep) json_t *found = NULL;
    RB_TRY(rb_pg_effect_table(&found, r, table, err));
    const char *old = rb_json_str(found, "name");
    if (!old || !name || rb_pg_tree_is(found, "kind", "v"))
        return RB_OK;
    json_t *effect = rb_loss_effect(r->effects, old);
    if (rb_pg_tree_is(stmt, "renameType", "OBJECT_COLUMN") && rb_json_str(stmt, "subname"))
        rb_pg_effect_column(effect, "columns", rb_json_str(stmt, "subname"), "rename");
    if (!rb_pg_tree_is(stmt, "renameType", "OBJECT_TABLE") &&
        !rb_pg_tree_is(stmt, "renameType", "OBJECT_SEQUENCE"))
        return RB_OK;
    const char *params[] = {table, name};
    RB_AUTO(rb_free_str) char *renamed = NULL;
    RB_TRY(rb_pg_text(
        &renamed, r->pg,
        "SELECT " RB_PG_TABLE_NAME(
            "n.nspname",
            "$2::text") " FROM"
                        " pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid ="
                        " c.relnamespace WHERE c.oid = pg_catalog.to_regclass($1)",
        params, 2, err));
    rb_json_set_str(effect, "renamed", renamed);
    json_object_set_new(rb_loss_effect(r->effects, renamed), "arrived", json_true());
    return RB_OK;
}

/* Handles ALTER TABLE ... SET SCHEMA. */
enum rb_code rb_pg_reading_move(rb_pg_reading *r, const json_t *stmt, rb_err *err)
{
    RB_AUTO(rb_free_str) char *table = rb_pg_tree_range(json_object_get(stmt, "relation"));
    const char *params[] = {table, rb_json_str(stmt, "newschema")};
    RB_AUTO(rb_free_str) char *moved = NULL;
    json_t *effect;
    RB_TRY(effect_on(&effect, r, table, err));
    if (!effect)
        return RB_OK;
    RB_TRY(rb_pg_text(
        &moved, r->pg,
        "SELECT " RB_PG_TABLE_NAME(
            "$2::text",
            "c.relname") " FROM"
                         " pg_catalog.pg_class c WHERE c.oid = pg_catalog.to_regclass($1)",
        params, 2, err));
    rb_json_set_str(effect, "renamed", moved);
    json_object_set_new(rb_loss_effect(r->effects, moved), "arrived", json_true());
    return RB_OK;
}

static void add_dropped(json_t *effect)
{
    json_object_set_new(effect, "dropped", json_true());
    json_object_set_new(effect, "rows", json_true());
}

/* Adds a drop for each table whose name a query returns. */
static enum rb_code drop_listed(rb_pg_reading *r, const char *sql, const char *param, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *names = NULL;
    RB_TRY(rb_pg_json(&names, r->pg, sql, &param, 1, err));
    rb_json_each (name, names)
        add_dropped(rb_loss_effect(r->effects, json_string_value(name)));
    return RB_OK;
}

enum rb_code rb_pg_reading_drop(rb_pg_reading *r, const json_t *stmt, rb_err *err)
{
    bool schema = rb_pg_tree_is(stmt, "removeType", "OBJECT_SCHEMA");
    if (!schema && !rb_pg_tree_is(stmt, "removeType", "OBJECT_TABLE") &&
        !rb_pg_tree_is(stmt, "removeType", "OBJECT_FOREIGN_TABLE") &&
        !rb_pg_tree_is(stmt, "removeType", "OBJECT_SEQUENCE"))
        return RB_OK;
    rb_json_each (item, json_object_get(stmt, "objects")) {
        RB_AUTO(rb_free_str)
        char *name = schema ? rb_strdup(rb_pg_tree_string(item))
                            : rb_pg_tree_list(rb_pg_tree(item, "List", "items"));
        RB_TRY(drop_listed(
            r,
            schema ? "SELECT json_agg(" RB_PG_TABLE_NAME(
                         "n.nspname", "c.relname") ") FROM"
                                                   " pg_catalog.pg_class c JOIN "
                                                   "pg_catalog.pg_namespace n ON n.oid ="
                                                   " c.relnamespace WHERE n.nspname = $1 AND "
                                                   "c.relkind IN ('r', 'p', 'f', 'S')"
                   /* As an array: a join would read all of pg_class for each table. */
                   : "SELECT json_agg(" RB_PG_TABLE_NAME(
                         "n.nspname",
                         "c.relname") ") FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n"
                                      " ON n.oid = c.relnamespace WHERE c.relpersistence <> 't'"
                                      " AND c.oid = ANY (ARRAY(WITH RECURSIVE t(oid) AS (SELECT"
                                      " pg_catalog.to_regclass($1)::oid UNION SELECT i.inhrelid"
                                      " FROM pg_catalog.pg_inherits i JOIN t ON t.oid ="
                                      " i.inhparent) SELECT oid FROM t))",
            name, err));
    }
    return RB_OK;
}

/* Handles ALTER SEQUENCE ... RESTART. */
enum rb_code rb_pg_reading_restart(rb_pg_reading *r, const json_t *stmt, rb_err *err)
{
    RB_AUTO(rb_free_str) char *sequence = rb_pg_tree_range(json_object_get(stmt, "sequence"));
    json_t *effect;
    RB_TRY(effect_on(&effect, r, sequence, err));
    rb_json_each (item, json_object_get(stmt, "options"))
        if (effect && rb_pg_tree_is(json_object_get(item, "DefElem"), "defname", "restart"))
            json_object_set_new(effect, "rows", json_true());
    return RB_OK;
}

/* Handles ALTER TYPE ... RENAME VALUE, which changes every column of the type. */
enum rb_code rb_pg_reading_enum(rb_pg_reading *r, const json_t *stmt, rb_err *err)
{
    RB_AUTO(rb_free_str) char *type = rb_pg_tree_list(json_object_get(stmt, "typeName"));
    return rb_json_str(stmt, "oldVal") ? change_type(r, type, err) : RB_OK;
}
