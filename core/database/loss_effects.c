/* Effects of scripts as JSON, and what they leave of a catalog. */
#include <string.h>

#include "catalog/catalog.h"
#include "catalog/name.h"
#include "database/loss_internal.h"

/* Effects: */

char *rb_loss_key(const char *name)
{
    return rb_safe(name);
}

json_t *rb_loss__effect_on(const json_t *effects, const char *table)
{
    RB_AUTO(rb_free_str) char *key = rb_loss_key(table);
    return json_object_get(effects, key);
}

json_t *rb_loss_effect(json_t *effects, const char *table)
{
    RB_AUTO(rb_free_str) char *key = rb_loss_key(table);
    json_t *effect = json_object_get(effects, key);
    if (!effect) {
        effect = json_object();
        json_object_set_new_nocheck(effects, key, effect);
    }
    return effect;
}

/* Returns how a column is written: "update", "drop" or "rename"; NULL if it is not. */
const char *rb_loss__written(const json_t *effect, const char *column)
{
    RB_AUTO(rb_free_str) char *key = rb_loss_key(column);
    return rb_json_str(json_object_get(effect, "columns"), key);
}

/* Catalogs: */

/* Returns the entry of a table or column. kind "order": the table's columns in order. */
json_t *rb_loss__entry(const json_t *catalog, const char *kind, const char *table,
                       const char *column)
{
    RB_AUTO(rb_free_str)
    char *key = strcmp(kind, "order") == 0 || strcmp(kind, "sequence") == 0
                    ? rb_catalog_key(kind, NULL, table)
                    : rb_catalog_place_key(table, column);
    return json_object_get(catalog, key);
}

bool rb_loss__same(const json_t *a, const json_t *b, const char *member)
{
    return rb_json_same(json_object_get(a, member), json_object_get(b, member));
}

bool rb_loss__is_sequence(const char *key, const json_t *entry)
{
    return rb_catalog_is(key, "sequence") && !rb_json_str(entry, "ownedBy");
}

/* Effects from catalogs, without running scripts: */

/* Adds what the two catalogs show for a table that exists in both. */
static void complete_columns(const json_t *before, const json_t *after, const char *table,
                             json_t *effects)
{
    rb_json_each (name, rb_loss__entry(before, "order", table, NULL)) {
        const char *column = json_string_value(name);
        const json_t *was = rb_loss__entry(before, "column", table, column);
        const json_t *now = rb_loss__entry(after, "column", table, column);
        const bool stays = now && rb_loss__same(was, now, "type") &&
                           rb_loss__same(was, now, "collation") && !rb_json_str(now, "generated") &&
                           !rb_catalog_loses_labels(before, after, was);
        if (stays || rb_json_str(was, "generated") ||
            rb_loss__written(rb_loss__effect_on(effects, table), column))
            continue;
        RB_AUTO(rb_free_str) char *key = rb_loss_key(column);
        json_t *effect = rb_loss_effect(effects, table);
        if (!json_object_get(effect, "columns"))
            json_object_set_new(effect, "columns", json_object());
        json_object_set_new_nocheck(json_object_get(effect, "columns"), key,
                                    json_string(now ? "update" : "drop"));
    }
}

void rb_loss_complete(json_t *effects, const json_t *before, const json_t *after)
{
    rb_json_each_member (key, entry, before) {
        RB_AUTO(rb_catalog_name_clear) rb_catalog_name name = {0};
        const bool sequence = rb_loss__is_sequence(key, entry);
        if ((!sequence && !rb_catalog_is(key, "table")) || !rb_catalog_name_parse(&name, key) ||
            json_object_get(rb_loss__effect_on(effects, name.name), "renamed"))
            continue;
        const json_t *now = rb_loss__entry(after, sequence ? "sequence" : "table", name.name, NULL);
        if (!now)
            rb_json_set(rb_loss_effect(effects, name.name), "dropped:b rows:b", true, true);
        else if (!rb_loss__same(entry, now, "kind"))
            rb_json_set(rb_loss_effect(effects, name.name), "rows:b", true);
        else if (!sequence)
            complete_columns(before, after, name.name, effects);
    }
}

void rb_loss_add(json_t *effects, const json_t *later)
{
    rb_json_each_member (key, effect, effects)
        if (json_object_get(later, RB_LOSS_ANY) && strcmp(key, RB_LOSS_ANY) != 0)
            json_object_set_new(effect, "rows", json_true());
    (void)json_object_update_recursive(effects, (json_t *)later);
}

json_t *rb_loss_left(const json_t *before, const json_t *effects)
{
    json_t *left = json_copy((json_t *)before);
    rb_json_each_member (key, entry, before) {
        RB_AUTO(rb_catalog_name_clear) rb_catalog_name name = {0};
        if (!rb_catalog_name_parse(&name, key))
            continue;
        const json_t *effect = rb_loss__effect_on(effects, name.table ? name.table : name.name);
        const char *how = rb_catalog_is(key, "column") ? rb_loss__written(effect, name.name) : NULL;
        const bool has_rows = rb_catalog_is(key, "table") || rb_catalog_is(key, "sequence");
        const bool gone =
            has_rows && (json_object_get(effect, "dropped") || json_object_get(effect, "renamed"));
        if (gone || (how && strcmp(how, "update") != 0))
            json_object_del(left, key);
    }
    return left;
}
