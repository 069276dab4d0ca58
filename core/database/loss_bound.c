/* What scripts can destroy, by the catalogs before and after them and their effects. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "catalog/catalog.h"
#include "catalog/name.h"
#include "database/loss_internal.h"

bool rb_loss__has(const json_t *effect, const char *how)
{
    rb_json_each_member (key, value, json_object_get(effect, "columns"))
        if (strcmp(json_string_value(value), how) == 0)
            return true;
    return false;
}

const json_t *rb_loss_find(const json_t *list, const json_t *place)
{
    const char *column = rb_json_str(place, "column");
    rb_json_each (item, list) {
        const char *other = rb_json_str(item, "column");
        if (rb_text_same(rb_json_str(item, "table"), rb_json_str(place, "table")) &&
            (column ? rb_text_same(column, other) : !other))
            return item;
    }
    return NULL;
}

bool rb_loss_within(const json_t *places, const json_t *known)
{
    rb_json_each (place, places)
        if (!rb_loss_find(known, place))
            return false;
    return true;
}

static json_t *place_of(const char *table, const char *column)
{
    return rb_json_make("table:s column:s", table, column);
}

static int by_place(const void *a, const void *b)
{
    const json_t *x = *(json_t *const *)a;
    const json_t *y = *(json_t *const *)b;
    int order = strcmp(rb_json_str(x, "table"), rb_json_str(y, "table"));
    const char *left = rb_json_str(x, "column");
    const char *right = rb_json_str(y, "column");
    return order ? order : strcmp(left ? left : "", right ? right : "");
}

/* Sorts a list of places. Frees `list` and returns the sorted one. */
json_t *rb_loss__sorted(json_t *list)
{
    size_t n = json_array_size(list);
    json_t **items = rb_calloc(n + 1, sizeof(json_t *));
    for (size_t i = 0; i < n; i++)
        items[i] = json_array_get(list, i);
    qsort(items, n, sizeof(json_t *), by_place);
    json_t *out = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append(out, items[i]);
    free(items);
    json_decref(list);
    return out;
}

typedef struct bounding {
    const json_t *before;
    const json_t *after;
    const json_t *effects;
    json_t *out;
} bounding;

/* True if a column was renamed, so that later effects on it are under another name. */
static bool is_unclear(const json_t *effect, const json_t *columns)
{
    if (!rb_loss__has(effect, "rename"))
        return false;
    rb_json_each_member (key, how, json_object_get(effect, "columns")) {
        bool found = strcmp(json_string_value(how), "rename") == 0;
        rb_json_each (name, columns) {
            RB_AUTO(rb_free_str) char *own = rb_loss_key(json_string_value(name));
            found = found || strcmp(own, key) == 0;
        }
        if (!found)
            return true;
    }
    return false;
}

static bool is_whole(const bounding *b, const char *table, const json_t *entry,
                     const json_t *columns, const json_t *effect)
{
    const json_t *after = rb_loss__entry(b->after, "table", table, NULL);
    const char *kind = rb_json_str(entry, "kind");
    bool is_virtual = kind && strcmp(kind, "virtual") == 0;
    return !after || !rb_loss__same(entry, after, "kind") ||
           (is_virtual && !json_equal(entry, after)) || json_object_get(effect, "rows") ||
           json_object_get(effect, "renamed") || (!columns && json_object_get(effect, "columns")) ||
           is_unclear(effect, columns);
}

static void add_table(const bounding *b, const char *table, const json_t *entry)
{
    const json_t *effect = rb_loss__effect_on(b->effects, table);
    const json_t *columns = rb_loss__entry(b->before, "order", table, NULL);
    if (is_whole(b, table, entry, columns, effect)) {
        json_array_append_new(b->out, place_of(table, NULL));
        return;
    }
    rb_json_each (name, columns) {
        const char *column = json_string_value(name);
        const json_t *was = rb_loss__entry(b->before, "column", table, column);
        const json_t *now = rb_loss__entry(b->after, "column", table, column);
        if (rb_json_str(was, "generated"))
            continue;
        if (!now || !rb_loss__same(was, now, "type") || !rb_loss__same(was, now, "collation") ||
            rb_json_str(now, "generated") || rb_loss__written(effect, column) ||
            rb_catalog_loses_labels(b->before, b->after, was))
            json_array_append_new(b->out, place_of(table, column));
    }
}

/* Returns the names of tables of which an entry differs, as keys; NULL if a type differs, which
 * columns of any table may have. Catalogs of a process share the entries that are the same. */
static json_t *changed_tables(const bounding *b)
{
    RB_AUTO(rb_json_freep) json_t *names = json_object();
    rb_json_each_member (key, entry, b->before) {
        RB_AUTO(rb_catalog_name_clear) rb_catalog_name name = {0};
        if (json_object_get(b->after, key) == entry || !rb_catalog_name_parse(&name, key))
            continue;
        if (rb_catalog_is(key, "type"))
            return NULL;
        json_object_set_new_nocheck(names, name.table ? name.table : name.name, json_true());
    }
    return RB_TAKE(names);
}

json_t *rb_loss_bound(const json_t *before, const json_t *after, const json_t *effects)
{
    bounding b = {before, after, effects, json_array()};
    RB_AUTO(rb_json_freep) json_t *changed = changed_tables(&b);
    rb_json_each_member (key, entry, before) {
        RB_AUTO(rb_catalog_name_clear) rb_catalog_name name = {0};
        const bool sequence = rb_loss__is_sequence(key, entry);
        if ((!sequence && !rb_catalog_is(key, "table")) || !rb_catalog_name_parse(&name, key))
            continue;
        const json_t *effect = rb_loss__effect_on(effects, name.name);
        if (changed && !effect && !json_object_get(changed, name.name))
            continue;
        if (!sequence)
            add_table(&b, name.name, entry);
        else if (!rb_loss__entry(after, "sequence", name.name, NULL) ||
                 json_object_get(effect, "rows"))
            json_array_append_new(b.out, place_of(name.name, NULL));
    }
    return rb_loss__sorted(b.out);
}
