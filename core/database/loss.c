#include "database/loss_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "catalog/catalog.h"
#include "catalog/name.h"
#include "database/driver.h"

void rb_db_losses_clear(rb_db_losses *losses)
{
    json_decref(losses->bound);
    json_decref(losses->at_risk);
    json_decref(losses->generated);
    json_decref(losses->renamed);
    free(losses->no_way_back);
    *losses = (rb_db_losses){0};
}

/* Counting: */

/* The result of the inverse scripts; if none ran, the state after the scripts. */
typedef struct way_back {
    const json_t *before;  /* catalog before the scripts */
    const json_t *between; /* catalog after the scripts */
    const json_t *after;   /* catalog after the inverse */
    const json_t *effects; /* effects of the inverse */
} way_back;

/*
 * Returns the value, as SQL, that a column has when the inverse creates it again. NULL if every
 * value counts, because the column stays or the inverse writes it.
 */
static const char *fresh_value(const way_back *w, const char *table, const char *column)
{
    const json_t *effect = rb_loss__effect_on(w->effects, table);
    const char *how = rb_loss__written(effect, column);
    const json_t *again = rb_loss__entry(w->after, "column", table, column);
    const json_t *entry = again ? again : rb_loss__entry(w->before, "column", table, column);
    if (rb_loss__entry(w->between, "column", table, column) || json_object_get(effect, "rows") ||
        json_object_get(effect, "inserts") || (how && strcmp(how, "update") == 0))
        return NULL;
    const char *value = rb_json_str(entry, "default");
    return value ? value : "NULL";
}

/* Counts what the places of the bound hold. Leaves out empty ones. */
static enum rb_code count_bound(json_t **out, rb_db *db, const json_t *places, const way_back *w,
                                rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *asked = json_array();
    rb_json_each (place, places) {
        json_t *copy = json_copy(place);
        const char *column = rb_json_str(place, "column");
        const char *fresh = column ? fresh_value(w, rb_json_str(place, "table"), column) : NULL;
        if (fresh)
            rb_json_set_str(copy, "fresh", fresh);
        json_array_append_new(asked, copy);
    }
    RB_TRY(db->driver->count(out, db, asked, err));
    rb_json_each (place, *out) {
        const char *column = rb_json_str(place, "column");
        const char *table = rb_json_str(place, "table");
        if (column && w->effects && rb_loss__entry(w->after, "column", table, column))
            json_object_update_missing(place, (json_t *)rb_loss_find(asked, place));
    }
    return RB_OK;
}

/* At risk: */

/*
 * Returns the columns in which a NULL counts as a value: those that the inverse writes, or
 * recreates with a default. If only the scripts fill a NULL, nothing is lost.
 */
static json_t *nulls_of(const way_back *w, const char *table)
{
    const json_t *effect = rb_loss__effect_on(w->effects, table);
    bool inserts = json_object_get(effect, "inserts") || json_object_get(effect, "rows");
    json_t *out = json_array();
    rb_json_each (name, rb_loss__entry(w->before, "order", table, NULL)) {
        const char *column = json_string_value(name);
        const char *how = rb_loss__written(effect, column);
        bool dropped = !rb_loss__entry(w->between, "column", table, column);
        bool filled = rb_json_str(rb_loss__entry(w->after, "column", table, column), "default");
        if ((how && strcmp(how, "update") == 0) || (dropped && (inserts || filled)))
            json_array_append(out, name);
    }
    return out;
}

/* Returns an entry for the tables of rb_db_driver.compare. */
static json_t *entry_for(const char *table, const json_t *effects, const json_t *back_effects)
{
    const json_t *both[] = {rb_loss__effect_on(effects, table),
                            rb_loss__effect_on(back_effects, table)};
    bool recreated = false;
    bool rows = false;
    for (size_t i = 0; i < 2; i++) {
        recreated =
            recreated || json_object_get(both[i], "dropped") || json_object_get(both[i], "renamed");
        rows = rows || json_object_get(both[i], "rows");
    }
    return rb_json_make("table:s columns:0 recreated:b rows:b", table, recreated,
                        rows || recreated);
}

/* Returns all entries: [{"table","columns": [...] or null,"recreated","rows"}]. */
static json_t *tables_of(const json_t *bound, const json_t *back, const json_t *effects,
                         const way_back *w)
{
    json_t *out = json_array();
    RB_AUTO(rb_json_freep) json_t *all = json_copy((json_t *)bound);
    json_t *item = NULL;
    json_array_extend(all, (json_t *)back);
    all = rb_loss__sorted(all);
    rb_json_each (place, all) {
        if (!item || !rb_loss__same(item, place, "table")) {
            const char *table = rb_json_str(place, "table");
            item = entry_for(table, effects, w->effects);
            json_object_set_new(item, "columns", json_array());
            json_object_set_new(item, "nulls", nulls_of(w, table));
            json_array_append_new(out, item);
        }
        if (!rb_json_str(place, "column"))
            json_object_set_new(item, "columns", json_null());
        else if (json_is_array(json_object_get(item, "columns")))
            json_array_append(json_object_get(item, "columns"), json_object_get(place, "column"));
    }
    return out;
}

static bool is_generated(const json_t *effects, const json_t *item)
{
    const char *column = rb_json_str(item, "column");
    RB_AUTO(rb_free_str) char *key = column ? rb_loss_key(column) : NULL;
    return key &&
           json_object_get(json_object_get(rb_loss__effect_on(effects, rb_json_str(item, "table")),
                                           "generated"),
                           key);
}

static void split(rb_db_losses *out, const json_t *found, const json_t *effects)
{
    out->at_risk = json_array();
    out->generated = json_array();
    rb_json_each (item, found)
        json_array_append(is_generated(effects, item) ? out->generated : out->at_risk, item);
    out->at_risk = rb_loss__sorted(out->at_risk);
    out->generated = rb_loss__sorted(out->generated);
}

json_t *rb_loss_touched(const json_t *catalog, const json_t *effects, const json_t *back_effects)
{
    json_t *out = json_array();
    rb_json_each_member (key, entry, catalog) {
        RB_AUTO(rb_catalog_name_clear) rb_catalog_name name = {0};
        if (!rb_catalog_is(key, "table") || !rb_catalog_name_parse(&name, key) ||
            (!rb_loss__effect_on(effects, name.name) &&
             !rb_loss__effect_on(back_effects, name.name)))
            continue;
        json_t *item = entry_for(name.name, effects, back_effects);
        json_object_set_new(item, "added", json_true());
        json_array_append_new(out, item);
    }
    return out;
}

/* Runs the inverse scripts. If they fail, restores the state after the scripts. On a server, they
 * run in a transaction of their own, as in a transition. */
static enum rb_code go_back(rb_db_losses *out, rb_db_outcome *back, rb_db *copy,
                            const rb_db_work *work, const rb_db_work *inverse, rb_err *err)
{
    const bool commits = copy->driver->segments != NULL;
    rb_err why;
    if (!inverse)
        return RB_OK;
    if (commits) {
        RB_TRY(rb_db_commit(copy, err));
        RB_TRY(rb_db_begin(copy, err));
    }
    if (rb_db_run(back, copy, inverse, &why) == RB_OK)
        return RB_OK;
    out->no_way_back = rb_strdup(why.message);
    if (!work)
        return RB_OK;
    rb_db_rollback(copy);
    RB_TRY(rb_db_begin(copy, err));
    if (commits)
        return RB_OK;
    RB_AUTO(rb_db_outcome_clear) rb_db_outcome again = {0};
    return rb_db_run(&again, copy, work, err);
}

static way_back way_of(const rb_db_outcome *outcome, const rb_db_outcome *back)
{
    return (way_back){outcome->before, outcome->after, back->after ? back->after : outcome->after,
                      back->effects};
}

/* True if the effects on the table only rename it or its columns. */
static bool is_only_renamed(const json_t *effects, const char *table)
{
    const json_t *effect = rb_loss__effect_on(effects, table);
    const char *renamed = rb_json_str(effect, "renamed");
    if (json_object_get(effect, "rows") || json_object_get(effect, "inserts") ||
        rb_loss__has(effect, "update") || rb_loss__has(effect, "drop"))
        return false;
    const json_t *now = rb_loss__effect_on(effects, renamed ? renamed : table);
    return !renamed || (!json_object_get(now, "rows") && !json_object_get(now, "inserts") &&
                        !json_object_get(now, "columns"));
}

bool rb_loss_is_moved(const json_t *place, const json_t *effects, const json_t *back_effects,
                      const json_t *end)
{
    const char *table = rb_json_str(place, "table");
    const char *column = rb_json_str(place, "column");
    const json_t *there = rb_loss__effect_on(effects, table);
    const json_t *back = rb_loss__effect_on(back_effects, table);
    const char *renamed = rb_json_str(there, "renamed");
    if (!rb_loss__entry(end, "table", table, column) &&
        (column || !rb_loss__entry(end, "sequence", table, NULL)))
        return false;
    if (!json_object_get(there, "rows") && !json_object_get(there, "columns") && !renamed &&
        !json_object_get(back, "inserts") && !json_object_get(back, "columns"))
        return true; /* rows were added, and the inverse deletes them */
    if (renamed) {
        const char *undone = rb_json_str(rb_loss__effect_on(back_effects, renamed), "renamed");
        return is_only_renamed(effects, table) && undone && strcmp(undone, table) == 0 &&
               is_only_renamed(back_effects, renamed);
    }
    return column && is_only_renamed(effects, table) && is_only_renamed(back_effects, table);
}

/* Returns the places of the bound that both directions only rename. */
static json_t *renamed_of(const rb_db_outcome *outcome, const rb_db_outcome *back)
{
    json_t *out = json_array();
    rb_json_each (place, outcome->bound)
        if (back->after && rb_loss_is_moved(place, outcome->effects, back->effects, back->after))
            json_array_append(out, place);
    return out;
}

enum rb_code rb_db_losses_rehearsed(rb_db_losses *out, rb_db *copy, const rb_db_outcome *outcome,
                                    const rb_db_work *work, const rb_db_work *inverse, rb_err *err)
{
    RB_AUTO(rb_db_losses_clear) rb_db_losses losses = {0};
    RB_AUTO(rb_db_outcome_clear) rb_db_outcome back = {0};
    RB_TRY(go_back(&losses, &back, copy, work, inverse, err));
    const way_back way = way_of(outcome, &back);
    RB_AUTO(rb_json_freep) json_t *more = rb_loss_bound(outcome->before, way.after, way.effects);
    RB_AUTO(rb_json_freep)
    json_t *tables = tables_of(outcome->bound, more, outcome->effects, &way);
    RB_AUTO(rb_json_freep) json_t *found = NULL;
    RB_TRY(count_bound(&losses.bound, copy, outcome->bound, &way, err));
    RB_TRY(copy->driver->compare(&found, copy, tables, err));
    split(&losses, found, way.effects);
    losses.renamed = renamed_of(outcome, &back);
    *out = losses;
    losses = (rb_db_losses){0};
    return RB_OK;
}

/* Counts losses in `db`. unproven: as in rb_db_losses_counted(), or NULL without an inverse. */
static enum rb_code count_losses(rb_db_losses *out, rb_db *db, const json_t *bound,
                                 const json_t *effects, const way_back *way, const json_t *unproven,
                                 rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *all = json_copy((json_t *)bound);
    RB_AUTO(rb_json_freep) json_t *counted = NULL;
    RB_AUTO(rb_json_freep) json_t *risky = json_array();
    RB_AUTO(rb_json_freep) json_t *more = rb_loss_bound(way->before, way->after, way->effects);
    rb_json_each (place, more)
        if (!rb_loss_find(bound, place))
            json_array_append(all, place);
    RB_TRY(count_bound(&counted, db, all, way, err));
    out->bound = json_array();
    rb_json_each (place, counted) {
        const bool moved = unproven && !rb_loss_find(unproven, place) &&
                           rb_loss_is_moved(place, effects, way->effects, way->after);
        if (rb_loss_find(bound, place))
            json_array_append(out->bound, place);
        if (!moved)
            json_array_append(risky, place);
    }
    split(out, risky, way->effects);
    return RB_OK;
}

enum rb_code rb_db_losses_counted(rb_db_losses *out, rb_db *copy, rb_db *db,
                                  const rb_db_outcome *outcome, const rb_db_work *inverse,
                                  const json_t *unproven, rb_err *err)
{
    RB_AUTO(rb_db_losses_clear) rb_db_losses losses = {0};
    RB_AUTO(rb_db_outcome_clear) rb_db_outcome back = {0};
    RB_TRY(go_back(&losses, &back, copy, NULL, inverse, err));
    const way_back way = way_of(outcome, &back);
    RB_TRY(count_losses(&losses, db, outcome->bound, outcome->effects, &way,
                        inverse && !losses.no_way_back ? unproven : NULL, err));
    losses.renamed = renamed_of(outcome, &back);
    *out = losses;
    losses = (rb_db_losses){0};
    return RB_OK;
}

enum rb_code rb_db_losses_derived(rb_db_losses *out, rb_db *db, const rb_db_outcome *outcome,
                                  const json_t *back_effects, const json_t *unproven, rb_err *err)
{
    RB_AUTO(rb_db_losses_clear) rb_db_losses losses = {0};
    const rb_db_outcome back = {.after = back_effects ? outcome->before : NULL,
                                .effects = (json_t *)back_effects};
    const way_back way = way_of(outcome, &back);
    RB_TRY(count_losses(&losses, db, outcome->bound, outcome->effects, &way,
                        back_effects ? unproven : NULL, err));
    losses.renamed = renamed_of(outcome, &back);
    *out = losses;
    losses = (rb_db_losses){0};
    return RB_OK;
}
