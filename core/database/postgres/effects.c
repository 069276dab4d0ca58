/*
 * Finds what scripts may write, from three sources, because each misses something:
 *
 * 1. The parser shows which tables and columns a statement names. It also reads the bodies of DO
 * blocks, of functions that are called, and of triggers. Effects are found without rows, too: a
 * rehearsal's copy may have only the schema.
 *
 * 2. The locks of this session show which tables were written, by whatever code. If nothing
 * explains why a table is locked, any of its rows may have been written.
 *
 * 3. Code that cannot be read (EXECUTE of a computed text, PL/Python, rules) may have written any
 * row of every table that is locked.
 */
#include "database/postgres/effects_read.h"

#include <stdlib.h>
#include <string.h>

#include "database/loss.h"
#include "database/tracking.h"

static const struct handler {
    const char *node;
    enum rb_code (*add)(rb_pg_reading *r, const json_t *stmt, rb_err *err);
} handlers[] = {{"InsertStmt", rb_pg_reading_insert},
                {"UpdateStmt", rb_pg_reading_update},
                {"DeleteStmt", rb_pg_reading_delete},
                {"MergeStmt", rb_pg_reading_merge},
                {"TruncateStmt", rb_pg_reading_truncate},
                {"CopyStmt", rb_pg_reading_copy},
                {"AlterTableStmt", rb_pg_reading_alter},
                {"RenameStmt", rb_pg_reading_rename},
                {"AlterObjectSchemaStmt", rb_pg_reading_move},
                {"DropStmt", rb_pg_reading_drop},
                {"AlterEnumStmt", rb_pg_reading_enum},
                {"AlterSeqStmt", rb_pg_reading_restart},
                {"DoStmt", rb_pg_reading_do},
                {"FuncCall", rb_pg_reading_call}};

/* True for nodes whose inner statements do not run now. */
static bool is_definition(const char *key, const json_t *value)
{
    static const char *const kinds[] = {"CreateFunctionStmt", "RuleStmt", "ViewStmt", "CreateStmt"};
    size_t i;
    for (i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(key, kinds[i]) == 0)
            return true;
    if (strcmp(key, "ExplainStmt") != 0)
        return false;
    rb_json_each (option, json_object_get(value, "options"))
        if (rb_pg_tree_is(json_object_get(option, "DefElem"), "defname", "analyze"))
            return false;
    return true;
}

static enum rb_code walk(rb_pg_reading *r, const json_t *node, rb_err *err)
{
    if (json_is_array(node)) {
        rb_json_each (value, node)
            RB_TRY(walk(r, value, err));
        return RB_OK;
    }
    rb_json_each_member (key, value, node) {
        if (is_definition(key, value))
            continue;
        for (size_t i = 0; i < sizeof handlers / sizeof *handlers; i++)
            if (strcmp(key, handlers[i].node) == 0)
                RB_TRY(handlers[i].add(r, value, err));
        RB_TRY(walk(r, value, err));
    }
    return RB_OK;
}

/* True for a table that is not temporary, whose constraints are not deferred. */
static bool is_plain_table(const json_t *create)
{
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    rb_json_canonical(&text, create);
    return !strstr(text.data, "pg_temp") && !strstr(text.data, "CONSTR_ATTR_DEFERRED") &&
           !rb_pg_tree_is(json_object_get(create, "relation"), "relpersistence", "t") &&
           !json_object_get(create, "inhRelations");
}

/*
 * True if a statement runs no code of the user, so that its text explains all locks, and leaves
 * nothing in the session. Event triggers are checked elsewhere.
 */
static bool is_plain(const json_t *stmt)
{
    static const char *const statements[] = {"DropStmt", "IndexStmt", "RenameStmt", "CommentStmt"};
    if (json_object_get(stmt, "CreateStmt"))
        return is_plain_table(json_object_get(stmt, "CreateStmt"));
    static const char *const commands[] = {"AT_DropColumn", "AT_DropConstraint", "AT_DropNotNull",
                                           "AT_ColumnDefault"};
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++)
        if (json_object_get(stmt, statements[i]))
            return true;
    const json_t *alter = json_object_get(stmt, "AlterTableStmt");
    bool plain = alter != NULL;
    rb_json_each (item, json_object_get(alter, "cmds")) {
        bool known = false;
        for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
            known |= rb_pg_tree_is(json_object_get(item, "AlterTableCmd"), "subtype", commands[i]);
        plain = plain && known;
    }
    return plain;
}

enum rb_code rb_pg_reading_sql(rb_pg_reading *r, const char *sql, rb_err *err)
{
    PgQueryParseResult parsed = pg_query_parse(sql ? sql : "");
    RB_AUTO(rb_json_freep)
    json_t *tree = parsed.error ? NULL : json_loads(parsed.parse_tree, 0, NULL);
    pg_query_free_parse_result(parsed);
    if (!tree)
        rb_pg_reading_opaque(r);
    const json_t *stmts = json_object_get(tree, "stmts");
    bool plain = tree != NULL;
    rb_json_each (item, stmts)
        plain = plain && is_plain(json_object_get(item, "stmt"));
    if (!plain)
        json_object_set_new(r->pg->written, "code", json_true());
    /* A function with an SQL body has the body's statements in its tree. */
    const json_t *function = rb_pg_tree(rb_pg_tree(json_array_get(stmts, 0), "stmt", NULL),
                                        "CreateFunctionStmt", "sql_body");
    return walk(r, function ? function : stmts, err);
}

/* Locks: */

/*
 * Finds tables whose rows this transaction wrote: {"name": oid}, by their locks. TRUNCATE is
 * recognised by a new file: `files` has those before, {oid: file}. ALTER TABLE alone also takes a
 * lock, and writes no rows.
 */
static enum rb_code read_locks(json_t **out, rb_pg *pg, const json_t *files, rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    rb_json_canonical(&text, files);
    const char *params[] = {rb_buf_str(&text)};
    return rb_pg_json(
        out, pg,
        "SELECT coalesce(jsonb_object_agg(" RB_PG_TABLE_NAME(
            "n.nspname", "c.relname") ", c.oid::text), '{}') FROM pg_catalog.pg_class c JOIN"
                                      " pg_catalog.pg_namespace n ON n.oid = c.relnamespace JOIN "
                                      "(SELECT l.relation, l.mode FROM"
                                      " pg_catalog.pg_locks l JOIN pg_catalog.pg_database d ON "
                                      "d.oid = l.database WHERE l.pid ="
                                      " pg_catalog.pg_backend_pid() AND d.datname = "
                                      "pg_catalog.current_database() AND l.locktype"
                                      " = 'relation') l ON l.relation = c.oid WHERE c.relkind IN "
                                      "('r', 'p', 'f') AND"
                                      " c.relpersistence <> 't' AND n.nspname !~ " RB_PG_OWN_SCHEMAS
                                      " AND NOT"
                                      " c.relispartition AND (l.mode = 'RowExclusiveLock' OR "
                                      "(l.mode = 'AccessExclusiveLock' AND"
                                      " ($1::json ->> c.oid::text)::oid <> c.relfilenode))",
        params, 1, err);
}

static enum rb_code read_files(json_t **out, rb_pg *pg, rb_err *err)
{
    return rb_pg_json(out, pg,
                      "SELECT coalesce(json_object_agg(oid::text, relfilenode::int8), '{}') FROM"
                      " pg_catalog.pg_class WHERE relkind IN ('r', 'p') AND oid >= 16384",
                      NULL, 0, err);
}

/* Event triggers can write anything, for any statement. */
static enum rb_code note_event_triggers(rb_pg *pg, rb_err *err)
{
    int64_t any = 0;
    RB_TRY(rb_pg_int(&any, pg,
                     "SELECT count(*) FROM pg_catalog.pg_event_trigger WHERE evtenabled <> 'D'",
                     NULL, 0, err));
    if (any)
        json_object_set_new(pg->written, "events", json_true());
    return RB_OK;
}

enum rb_code rb_pg_effects_add(json_t *effects, rb_pg *pg, const char *statement, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *seen = json_object();
    rb_pg_reading r = {pg, effects, seen};
    if (!pg->written) {
        RB_AUTO(rb_json_freep) json_t *locked = NULL;
        RB_AUTO(rb_json_freep) json_t *files = NULL;
        RB_TRY(read_files(&files, pg, err));
        RB_TRY(read_locks(&locked, pg, files, err));
        pg->written = json_pack("{s:O,s:O,s:{}}", "locked", locked, "files", files, "explained");
        RB_TRY(note_event_triggers(pg, err));
    }
    return rb_pg_reading_sql(&r, statement, err);
}

bool rb_pg_effects_plain(const rb_pg *pg)
{
    return pg->written && !json_object_get(pg->written, "code") &&
           !json_object_get(pg->written, "events");
}

enum rb_code rb_pg_effects_finish(json_t *effects, rb_pg *pg, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *locked = NULL;
    RB_AUTO(rb_json_freep) json_t *seen = json_object();
    rb_pg_reading r = {pg, effects, seen};
    if (!pg->written)
        return RB_OK;
    if (rb_pg_effects_plain(pg))
        return RB_OK;
    bool opaque = json_is_true(json_object_get(pg->written, "opaque"));
    json_t *explained = json_object_get(
        pg->written, "explained"); /* tables that the text of earlier scripts explains */
    if (opaque)
        json_object_set_new(rb_loss_effect(effects, RB_LOSS_ANY), "rows", json_true());
    RB_TRY(read_locks(&locked, pg, json_object_get(pg->written, "files"), err));
    rb_json_each_member (name, oid, locked) {
        RB_AUTO(rb_free_str) char *key = rb_loss_key(name);
        bool own = json_object_get(json_object_get(pg->written, "locked"), name) != NULL;
        bool known = json_object_get(effects, key) || json_object_get(explained, name);
        if ((opaque || !known) && !own && !rb_tracking_owns(name))
            RB_TRY(rb_pg_reading_written(&r, json_string_value(oid), err));
        json_object_set_new_nocheck(explained, name, json_true());
    }
    json_object_del(pg->written, "opaque");
    json_object_del(pg->written, "code");
    return note_event_triggers(pg, err); /* the script may have created one */
}
