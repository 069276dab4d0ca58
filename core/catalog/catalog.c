#include "catalog/catalog.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "catalog/name.h"

void rb_catalog_fingerprint(const json_t *catalog, char out[RB_SHA256_HEX])
{
    RB_AUTO(rb_json_freep) json_t *schema = json_object();
    rb_json_each_member (key, entry, catalog)
        if (!rb_catalog_is(key, "order"))
            json_object_set_nocheck(schema, key, entry);
    rb_json_hash(schema, out);
}

/* Returns the keys of both objects, sorted, each once. */
static void all_keys(rb_strs *out, const json_t *a, const json_t *b)
{
    rb_json_each_member (key, value, a) {
        const json_t *other = json_object_get(b, key);
        if (!other || !json_equal(value, other))
            rb_strs_add(out, key);
    }
    rb_json_each_member (key, value, b) {
        if (!json_object_get(a, key))
            rb_strs_add(out, key);
    }
    rb_strs_sort(out);
}

/* Returns the catalog's key of the table or view of this name; NULL if it has none. Ignores case if
 * necessary: SQLite keeps the case in which a trigger writes the table's name. */
static char *find_table(const json_t *catalog, const char *name)
{
    RB_AUTO(rb_free_str) char *table = rb_catalog_key("table", NULL, name);
    RB_AUTO(rb_free_str) char *view = rb_catalog_key("view", NULL, name);
    if (json_object_get(catalog, table))
        return RB_TAKE(table);
    if (json_object_get(catalog, view))
        return RB_TAKE(view);
    rb_json_each_member (key, value, catalog)
        if (strcasecmp(key, table) == 0 || strcasecmp(key, view) == 0)
            return rb_strdup(key);
    return NULL;
}

char *rb_catalog_table_of(const json_t *catalog, const char *object)
{
    RB_AUTO(rb_catalog_name_clear) rb_catalog_name name = {0};
    if (!rb_catalog_name_parse(&name, object))
        return NULL;
    const char *table = name.table ? name.table
                        : strcmp(name.kind, "order") == 0
                            ? name.name
                            : rb_json_str(json_object_get(catalog, object), "table");
    return table ? find_table(catalog, table) : NULL;
}

/* True if the key is a part of a table that only one of the catalogs has. The table's own
 * difference covers it. */
static bool goes_with_table(const char *key, const json_t *where, const json_t *other)
{
    bool is_part = rb_catalog_is(key, "column") || rb_catalog_is(key, "constraint") ||
                   rb_catalog_is(key, "order");
    RB_AUTO(rb_free_str) char *table = is_part ? rb_catalog_table_of(where, key) : NULL;
    return table && !json_object_get(other, table);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static const char **sorted_texts(const json_t *list)
{
    size_t n = json_array_size(list);
    const char **texts = rb_calloc(n + 1, sizeof *texts);
    for (size_t i = 0; i < n; i++) {
        const char *text = json_string_value(json_array_get(list, i));
        texts[i] = text ? text : "";
    }
    if (n)
        qsort(texts, n, sizeof *texts, by_text);
    return texts;
}

/* True if both lists have the same columns, in any order. */
static bool same_columns(const json_t *a, const json_t *b)
{
    size_t n = json_array_size(a);
    if (n != json_array_size(b))
        return false;
    const char **left = sorted_texts(a);
    const char **right = sorted_texts(b);
    bool same = true;
    for (size_t i = 0; i < n && same; i++)
        same = strcmp(left[i], right[i]) == 0;
    free(left);
    free(right);
    return same;
}

static void add(json_t *list, const char *key, const char *change)
{
    json_array_append_new(list, rb_json_make("object:s change:s", key, change));
}

void rb_catalog_compare(json_t **differences, json_t **order, const json_t *a, const json_t *b)
{
    RB_AUTO(rb_strs_clear) rb_strs keys = {0};
    *differences = json_array();
    *order = json_array();
    if (a == b)
        return;
    all_keys(&keys, a, b);
    for (size_t i = 0; i < keys.n; i++) {
        const char *key = keys.items[i];
        const json_t *before = json_object_get(a, key);
        const json_t *after = json_object_get(b, key);
        if (before && after && rb_catalog_is(key, "order")) {
            if (same_columns(before, after))
                add(*order, key, "changed");
        } else if (before && after) {
            add(*differences, key, "changed");
        } else if (before && !goes_with_table(key, a, b)) {
            add(*differences, key, "removed");
        } else if (after && !goes_with_table(key, b, a)) {
            add(*differences, key, "added");
        }
    }
}

bool rb_catalog_loses_labels(const json_t *before, const json_t *after, const json_t *column)
{
    const char *type = rb_json_str(column, "typeOf");
    RB_AUTO(rb_free_str) char *key = type ? rb_catalog_key("type", NULL, type) : NULL;
    RB_AUTO(rb_strs_clear) rb_strs left = {0};
    if (!key)
        return false;
    rb_json_each (label, json_object_get(json_object_get(after, key), "labels"))
        rb_strs_add(&left, json_string_value(label));
    rb_json_each (label, json_object_get(json_object_get(before, key), "labels"))
        if (!rb_strs_has(&left, json_string_value(label)))
            return true;
    return false;
}
