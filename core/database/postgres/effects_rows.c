/* Effects of statements that write rows, and of triggers and foreign keys that follow. */
#include "database/postgres/effects_read.h"

#include <string.h>

#include "database/loss.h"

static enum rb_code write_rows(rb_pg_reading *r, const char *table, char event,
                               const json_t *columns, rb_err *err);

#define TYPE_ROW 1
#define TYPE_BEFORE 2
#define TYPE_INSERT 4
#define TYPE_DELETE 8
#define TYPE_UPDATE 16
#define TYPE_TRUNCATE 32
#define TYPE_INSTEAD 64

/* Reads the triggers for an event. *instead: INSTEAD OF triggers replace the statement on a view.
 */
static enum rb_code fire_all(bool *instead, rb_pg_reading *r, json_t *effect,
                             const json_t *triggers, char event, rb_err *err)
{
    const int64_t wanted = event == 'I'   ? TYPE_INSERT
                           : event == 'U' ? TYPE_UPDATE
                           : event == 'D' ? TYPE_DELETE
                                          : TYPE_TRUNCATE;
    *instead = false;
    rb_json_each (trigger, triggers) {
        int64_t type = rb_json_int(trigger, "type", 0);
        if (!(type & wanted))
            continue;
        *instead |= (type & TYPE_INSTEAD) != 0;
        RB_TRY(rb_pg_reading_trigger(
            r, effect, trigger, event == 'U' && (type & TYPE_BEFORE) && (type & TYPE_ROW), err));
    }
    return RB_OK;
}

/* Writing rows: */

static bool writes_key(const json_t *child, const json_t *columns)
{
    rb_json_each (name, columns)
        if (json_object_get(json_object_get(child, "key"), json_string_value(name)))
            return true;
    return false;
}

/* Adds what foreign keys do to the rows that refer to the written ones. */
static enum rb_code write_children(rb_pg_reading *r, const json_t *parent, char event,
                                   const json_t *columns, rb_err *err)
{
    const char *name = rb_json_str(parent, "name");
    rb_json_each (child, json_object_get(parent, "children")) {
        const char *table = rb_json_str(child, "table");
        const char *action = rb_json_str(child, event == 'U' ? "U" : "D");
        RB_AUTO(rb_free_str) char *link = rb_format("%c %s %zu", event, name, child_at);
        if ((event == 'U' && !writes_key(child, columns)) ||
            !rb_pg_reading_first(r, "children", link))
            continue;
        if (event == 'C' || (event == 'D' && *action == 'c'))
            RB_TRY(write_rows(r, table, event, NULL, err));
        else if (*action == 'c' || *action == 'n' || *action == 'd')
            RB_TRY(write_rows(r, table, 'U', json_object_get(child, "columns"), err));
    }
    return RB_OK;
}

/* Adds the effects of a statement on a view without an INSTEAD OF trigger: it writes the view's
 * tables. */
static enum rb_code write_bases(rb_pg_reading *r, const json_t *bases, char event, rb_err *err)
{
    rb_json_each (base, bases) {
        const char *table = json_string_value(base);
        RB_TRY(write_rows(r, table, event == 'I' ? 'I' : 'D', NULL, err));
        if (event == 'U')
            RB_TRY(write_rows(r, table, 'U', NULL, err));
    }
    return RB_OK;
}

/*
 * Adds the effect that rows are written. event: I, U, D; T for TRUNCATE, C for TRUNCATE CASCADE.
 * columns: names of updated columns, or NULL.
 */
static enum rb_code write_rows(rb_pg_reading *r, const char *table, char event,
                               const json_t *columns, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *found = NULL;
    RB_AUTO(rb_json_freep) json_t *view = json_object();
    const char what[] = {event, '\0'};
    bool instead;
    RB_TRY(rb_pg_effect_table(&found, r, table, err));
    if (!found)
        return RB_OK;
    const char *name = rb_json_str(found, "name");
    bool is_view = rb_pg_tree_is(found, "kind", "v");
    json_t *effect = is_view ? view : rb_loss_effect(r->effects, name);
    if (event == 'I')
        json_object_set_new(effect, "inserts", json_true());
    else if (event != 'U')
        json_object_set_new(effect, "rows", json_true());
    rb_json_each (item, columns)
        rb_pg_effect_column(effect, "columns", json_string_value(item), "update");
    if (json_is_true(json_object_get(found, "rules")))
        rb_pg_reading_opaque(r);
    if (rb_pg_reading_first(r, what, name)) {
        RB_TRY(fire_all(&instead, r, effect, json_object_get(found, "triggers"), event, err));
        if (is_view && !instead)
            RB_TRY(write_bases(r, json_object_get(found, "bases"), event, err));
    }
    return event == 'I' || event == 'T' ? RB_OK : write_children(r, found, event, columns, err);
}

enum rb_code rb_pg_reading_written(rb_pg_reading *r, const char *table, rb_err *err)
{
    return write_rows(r, table, 'D', NULL, err);
}

static enum rb_code add_update(rb_pg_reading *r, const char *table, const json_t *targets,
                               rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *columns = json_array();
    RB_AUTO(rb_json_freep) json_t *found = NULL;
    rb_json_each (target, targets)
        json_array_append(columns, json_object_get(json_object_get(target, "ResTarget"), "name"));
    RB_TRY(write_rows(r, table, 'U', columns, err));
    if (!rb_pg_is_generated(targets))
        return RB_OK;
    RB_TRY(rb_pg_effect_table(&found, r, table, err));
    rb_json_each (target, targets)
        if (found && rb_pg_is_generated(target))
            rb_pg_effect_column(rb_loss_effect(r->effects, rb_json_str(found, "name")), "generated",
                                rb_json_str(json_object_get(target, "ResTarget"), "name"),
                                "update");
    return RB_OK;
}

enum rb_code rb_pg_reading_insert(rb_pg_reading *r, const json_t *stmt, rb_err *err)
{
    RB_AUTO(rb_free_str) char *table = rb_pg_tree_range(json_object_get(stmt, "relation"));
    const json_t *conflict = json_object_get(stmt, "onConflictClause");
    RB_TRY(write_rows(r, table, 'I', NULL, err));
    return conflict ? add_update(r, table, json_object_get(conflict, "targetList"), err) : RB_OK;
}

enum rb_code rb_pg_reading_merge(rb_pg_reading *r, const json_t *stmt, rb_err *err)
{
    RB_AUTO(rb_free_str) char *table = rb_pg_tree_range(json_object_get(stmt, "relation"));
    rb_json_each (item, json_object_get(stmt, "mergeWhenClauses")) {
        const json_t *clause = json_object_get(item, "MergeWhenClause");
        if (rb_pg_tree_is(clause, "commandType", "CMD_INSERT"))
            RB_TRY(write_rows(r, table, 'I', NULL, err));
        else if (rb_pg_tree_is(clause, "commandType", "CMD_UPDATE"))
            RB_TRY(add_update(r, table, json_object_get(clause, "targetList"), err));
        else if (rb_pg_tree_is(clause, "commandType", "CMD_DELETE"))
            RB_TRY(write_rows(r, table, 'D', NULL, err));
    }
    return RB_OK;
}

enum rb_code rb_pg_reading_truncate(rb_pg_reading *r, const json_t *stmt, rb_err *err)
{
    char event = rb_pg_tree_is(stmt, "behavior", "DROP_CASCADE") ? 'C' : 'T';
    rb_json_each (item, json_object_get(stmt, "relations")) {
        RB_AUTO(rb_free_str) char *table = rb_pg_tree_range(json_object_get(item, "RangeVar"));
        RB_TRY(write_rows(r, table, event, NULL, err));
    }
    return RB_OK;
}

enum rb_code rb_pg_reading_copy(rb_pg_reading *r, const json_t *stmt, rb_err *err)
{
    if (!json_is_true(json_object_get(stmt, "is_from")))
        return RB_OK;
    RB_AUTO(rb_free_str) char *table = rb_pg_tree_range(json_object_get(stmt, "relation"));
    return write_rows(r, table, 'I', NULL, err);
}

enum rb_code rb_pg_reading_update(rb_pg_reading *r, const json_t *stmt, rb_err *err)
{
    RB_AUTO(rb_free_str) char *table = rb_pg_tree_range(json_object_get(stmt, "relation"));
    return add_update(r, table, json_object_get(stmt, "targetList"), err);
}

enum rb_code rb_pg_reading_delete(rb_pg_reading *r, const json_t *stmt, rb_err *err)
{
    RB_AUTO(rb_free_str) char *table = rb_pg_tree_range(json_object_get(stmt, "relation"));
    return write_rows(r, table, 'D', NULL, err);
}
