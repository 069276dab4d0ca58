#include "base/members.h"

#include <stdlib.h>
#include <string.h>

static void *pointer_at(const char *place)
{
    void *pointer;
    memcpy(&pointer, place, sizeof pointer);
    return pointer;
}

static size_t count_of(const rb_member *m, const char *from)
{
    return *(const size_t *)(from + m->count_at);
}

static json_t *write_one(const rb_member *m, const char *from)
{
    const char *place = from + m->at;
    switch (m->kind) {
    case RB_MEMBER_TEXT:
        return rb_json_text(pointer_at(place));
    case RB_MEMBER_CHARS:
        return rb_json_text(*place ? place : NULL);
    case RB_MEMBER_BOOL:
        return json_boolean(*(const bool *)place);
    case RB_MEMBER_UINT64:
        return json_integer((json_int_t) * (const uint64_t *)place);
    case RB_MEMBER_TEXTS:
    case RB_MEMBER_NONEMPTY:
        return rb_json_strs((const rb_strs *)place);
    case RB_MEMBER_OBJECT:
        return rb_members_write(m->of, from);
    case RB_MEMBER_OR_NULL:
        return pointer_at(from + m->of->at) ? rb_members_write(m->of, from) : json_null();
    case RB_MEMBER_POINTER:
        return pointer_at(place) ? rb_members_write(m->of, pointer_at(place)) : json_null();
    case RB_MEMBER_ARRAY:
        break;
    }
    json_t *array = json_array();
    const char *items = pointer_at(place);
    for (size_t i = 0; i < count_of(m, from); i++)
        json_array_append_new(array, rb_members_write(m->of, items + i * m->size));
    return array;
}

json_t *rb_members_write(const rb_member *members, const void *from)
{
    json_t *object = json_object();
    for (const rb_member *m = members; m->key; m++) {
        const rb_strs *texts = (const rb_strs *)((const char *)from + m->at);
        if (m->kind == RB_MEMBER_NONEMPTY && texts->n == 0)
            continue;
        if (json_object_set_new(object, m->key, write_one(m, from)) != 0)
            abort();
    }
    return object;
}

static void *read_items(const rb_member *m, const json_t *const *items, size_t n)
{
    char *out = rb_calloc(n, m->size);
    for (size_t i = 0; i < n; i++)
        rb_members_read(m->of, out + i * m->size, items[i]);
    return out;
}

static void read_array(const rb_member *m, char *out, const json_t *array)
{
    const json_t **items = rb_calloc(json_array_size(array), sizeof *items);
    rb_json_each (item, array)
        items[item_at] = item;
    void *read = read_items(m, items, json_array_size(array));
    memcpy(out + m->at, &read, sizeof read);
    *(size_t *)(out + m->count_at) = json_array_size(array);
    free(items);
}

static void read_one(const rb_member *m, char *out, const json_t *value)
{
    char *place = out + m->at;
    const char *text = json_string_value(value);
    void *owned;
    switch (m->kind) {
    case RB_MEMBER_TEXT:
        owned = rb_strdup(text);
        memcpy(place, &owned, sizeof owned);
        break;
    case RB_MEMBER_CHARS:
        memcpy(place, text ? text : "", text ? strnlen(text, m->size - 1) : 0);
        break;
    case RB_MEMBER_BOOL:
        *(bool *)place = json_is_true(value);
        break;
    case RB_MEMBER_UINT64:
        *(uint64_t *)place = (uint64_t)json_integer_value(value);
        break;
    case RB_MEMBER_TEXTS:
    case RB_MEMBER_NONEMPTY:
        rb_json_each (item, value)
            rb_strs_add((rb_strs *)place, json_string_value(item));
        break;
    case RB_MEMBER_OBJECT:
    case RB_MEMBER_OR_NULL:
        rb_members_read(m->of, out, value);
        break;
    case RB_MEMBER_POINTER:
        owned = read_items(m, &value, 1);
        memcpy(place, &owned, sizeof owned);
        break;
    case RB_MEMBER_ARRAY:
        read_array(m, out, value);
        break;
    }
}

void rb_members_read(const rb_member *members, void *out, const json_t *object)
{
    for (const rb_member *m = members; m->key; m++) {
        const json_t *value = json_object_get(object, m->key);
        if (value && !json_is_null(value))
            read_one(m, out, value);
    }
}

void rb_members_clear(const rb_member *members, void *of)
{
    for (const rb_member *m = members; m->key; m++) {
        char *place = (char *)of + m->at;
        bool is_list = m->kind == RB_MEMBER_ARRAY;
        if (m->kind == RB_MEMBER_TEXTS || m->kind == RB_MEMBER_NONEMPTY)
            rb_strs_clear((rb_strs *)place);
        if (m->kind == RB_MEMBER_OBJECT || m->kind == RB_MEMBER_OR_NULL)
            rb_members_clear(m->of, of);
        if (m->kind != RB_MEMBER_TEXT && m->kind != RB_MEMBER_POINTER && !is_list)
            continue;
        char *owned = pointer_at(place);
        size_t n = is_list ? count_of(m, of) : m->kind == RB_MEMBER_POINTER;
        for (size_t i = 0; owned && i < n; i++)
            rb_members_clear(m->of, owned + i * m->size);
        free(owned);
    }
}
