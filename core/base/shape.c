#include "base/shape.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"

#define SHOWN 80 /* bytes of a found value in a message */

void rb_shape_fault_clear(rb_shape_fault *fault)
{
    free(fault->path);
    free(fault->key);
    free(fault->expected);
    free(fault->found);
    *fault = (rb_shape_fault){0};
}

static char *show(const json_t *json)
{
    if (!json)
        return rb_strdup("nothing");
    char *text = json_dumps(json, JSON_ENCODE_ANY | JSON_COMPACT);
    if (!text)
        abort();
    size_t len = strlen(text);
    if (len > SHOWN) {
        len = SHOWN;
        while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
            len--;
    }
    RB_AUTO(rb_free_str) char *cut = rb_strndup(text, len);
    char *shown = rb_format("%s%s", cut, len < strlen(text) ? "..." : "");
    free(text);
    return shown;
}

/* A position in the document; its path is written only when a fault is reported. */
typedef struct place {
    const struct place *up;
    const char *key; /* NULL: an array's item */
    size_t index;
} place;

static void add_path(rb_buf *out, const place *at)
{
    if (!at)
        return;
    add_path(out, at->up);
    if (!at->key) {
        rb_buf_printf(out, "[%zu]", at->index);
        return;
    }
    if (out->len > 0)
        rb_buf_addc(out, '.');
    rb_buf_add_safe(out, at->key, strlen(at->key));
}

static char *path_of(const place *at)
{
    rb_buf out = {0};
    add_path(&out, at);
    return rb_buf_detach(&out);
}

static bool fault_at(rb_shape_fault *fault, const place *at, char *expected, const json_t *found)
{
    fault->path = path_of(at);
    fault->expected = expected;
    fault->found = show(found);
    return false;
}

static char *describe(const rb_shape *shape)
{
    static const char *const kinds[] = {
        [RB_SHAPE_STRING] = "a string", [RB_SHAPE_INTEGER] = "a whole number",
        [RB_SHAPE_NUMBER] = "a number", [RB_SHAPE_BOOLEAN] = "true or false",
        [RB_SHAPE_ARRAY] = "a list",    [RB_SHAPE_OBJECT] = "an object",
        [RB_SHAPE_MAP] = "an object",   [RB_SHAPE_DATA] = "a value without fractions"};
    rb_buf out = {0};
    if (shape->expected) {
        rb_buf_puts(&out, shape->expected);
    } else if (shape->one_of) {
        for (size_t i = 0; shape->one_of[i]; i++)
            rb_buf_printf(&out, "%s\"%s\"",
                          i == 0                 ? ""
                          : shape->one_of[i + 1] ? ", "
                                                 : " or ",
                          shape->one_of[i]);
    } else {
        rb_buf_puts(&out, kinds[shape->kind]);
        bool number = shape->kind == RB_SHAPE_INTEGER || shape->kind == RB_SHAPE_NUMBER;
        if (shape->kind == RB_SHAPE_INTEGER || (number && shape->max))
            rb_buf_printf(&out, " from %" PRId64 " to %" PRId64, shape->min,
                          shape->max ? shape->max : RB_INTEGER_MAX);
        else if (shape->min > 0 && shape->kind == RB_SHAPE_STRING)
            rb_buf_puts(&out, " that is not empty");
        else if (shape->min > 0)
            rb_buf_printf(&out, " of at least %" PRId64, shape->min);
        if (shape->max > 0 && !number)
            rb_buf_printf(&out, " (at most %" PRId64 ")", shape->max);
    }
    if (shape->nullable)
        rb_buf_puts(&out, " or null");
    return rb_buf_detach(&out);
}

/* True if `key` consists of letters of `word`, in their order, beginning with the first. */
static bool abbreviates(const char *key, const char *word)
{
    if (strlen(key) < 3 || key[0] != word[0])
        return false;
    for (; *word && *key; word++)
        key += *key == *word;
    return !*key;
}

const char *rb_shape_nearest(const char *key, const char *const *keys)
{
    const char *best = rb_text_similar(key, keys);
    size_t fewest = SIZE_MAX;
    for (size_t i = 0; keys[i] && !best; i++)
        if (abbreviates(key, keys[i]))
            best = keys[i];
    if (best)
        return best;
    for (; *keys; keys++) {
        size_t distance = rb_text_distance(key, *keys);
        if (distance < fewest) {
            fewest = distance;
            best = *keys;
        }
    }
    return best;
}

static bool unknown_key(const rb_shape *shape, const place *at, const char *key,
                        rb_shape_fault *fault)
{
    size_t n = 0;
    while (shape->fields[n].key)
        n++;
    const char **keys = rb_calloc(n + 1, sizeof *keys);
    for (size_t i = 0; i < n; i++)
        keys[i] = shape->fields[i].key;
    const char *nearest = rb_shape_nearest(key, keys);
    free(keys);
    RB_AUTO(rb_free_str) char *safe = rb_safe(key);
    *fault = (rb_shape_fault){
        .path = path_of(at),
        .key = rb_strdup(key),
        .expected = rb_format("a known key, the nearest is \"%s\"", nearest ? nearest : ""),
        .found = rb_format("unknown key \"%s\"", safe)};
    return false;
}

static bool fits(const rb_shape *shape, const json_t *json, const place *at, rb_shape_fault *fault);

const rb_shape *rb_shape_member(const rb_shape *shape, const char *key)
{
    for (const rb_shape_field *f = shape->fields; f && f->key; f++)
        if (strcmp(f->key, key) == 0)
            return f->shape;
    return NULL;
}

static bool object_fits(const rb_shape *shape, const json_t *json, const place *at,
                        rb_shape_fault *fault)
{
    rb_json_each_member (key, value, json) {
        const rb_shape *member = rb_shape_member(shape, key);
        if (!member && shape->open)
            continue;
        if (!member)
            return unknown_key(shape, at, key, fault);
        const place inner = {.up = at, .key = key};
        if (!fits(member, value, &inner, fault))
            return false;
    }
    for (const rb_shape_field *f = shape->fields; f->key; f++) {
        if (f->optional || json_object_get(json, f->key))
            continue;
        const place inner = {.up = at, .key = f->key};
        return fault_at(fault, &inner, describe(f->shape), NULL);
    }
    return true;
}

static bool string_fits(const rb_shape *shape, const char *text)
{
    if (shape->one_of) {
        for (size_t i = 0; shape->one_of[i]; i++)
            if (strcmp(shape->one_of[i], text) == 0)
                return true;
        return false;
    }
    return !shape->check || shape->check(text);
}

static bool map_fits(const rb_shape *shape, const json_t *json, const place *at,
                     rb_shape_fault *fault)
{
    rb_json_each_member (key, value, json) {
        const place inner = {.up = at, .key = key};
        if (shape->key && !string_fits(shape->key, key)) {
            RB_AUTO(rb_free_str) char *safe = rb_safe(key);
            RB_AUTO(rb_free_str) char *expected = describe(shape->key);
            *fault = (rb_shape_fault){.path = path_of(at),
                                      .key = rb_strdup(key),
                                      .expected = rb_format("keys that are %s", expected),
                                      .found = rb_format("key \"%s\"", safe)};
            return false;
        }
        if (!fits(shape->item, value, &inner, fault))
            return false;
    }
    return true;
}

static bool array_fits(const rb_shape *shape, const json_t *json, const place *at,
                       rb_shape_fault *fault)
{
    RB_AUTO(rb_json_freep) json_t *seen = json_object();
    rb_json_each (value, json) {
        const place inner = {.up = at, .index = value_at};
        if (!fits(shape->item, value, &inner, fault))
            return false;
        const char *text = json_string_value(value);
        if (!shape->unique || !text)
            continue;
        if (json_object_get(seen, text))
            return fault_at(fault, &inner, rb_strdup("each item once"), value);
        rb_json_set_str(seen, text, NULL);
    }
    return true;
}

/* True if the value contains a fraction. Fractions have no exact canonical form, so hashed
 * documents must not contain any. */
static bool has_real(const json_t *json)
{
    rb_json_each_member (key, value, json)
        if (has_real(value))
            return true;
    rb_json_each (value, json)
        if (has_real(value))
            return true;
    return json_is_real(json);
}

static bool in_range(const rb_shape *shape, int64_t n, int64_t otherwise)
{
    return n >= shape->min && n <= (shape->max ? shape->max : otherwise);
}

static bool value_fits(const rb_shape *shape, const json_t *json)
{
    switch (shape->kind) {
    case RB_SHAPE_STRING:
        return json_is_string(json) &&
               in_range(shape, (int64_t)json_string_length(json), INT64_MAX) &&
               string_fits(shape, json_string_value(json));
    case RB_SHAPE_INTEGER:
        return json_is_integer(json) && in_range(shape, json_integer_value(json), RB_INTEGER_MAX);
    case RB_SHAPE_NUMBER:
        return json_is_number(json) &&
               (!shape->max || (json_number_value(json) >= (double)shape->min &&
                                json_number_value(json) <= (double)shape->max));
    case RB_SHAPE_BOOLEAN:
        return json_is_boolean(json);
    case RB_SHAPE_ARRAY:
        return json_is_array(json) && in_range(shape, (int64_t)json_array_size(json), INT64_MAX);
    case RB_SHAPE_OBJECT:
        return json_is_object(json);
    case RB_SHAPE_MAP:
        return json_is_object(json) && in_range(shape, (int64_t)json_object_size(json), INT64_MAX);
    case RB_SHAPE_DATA:
        return !has_real(json);
    }
    return false;
}

static const rb_shape *choose(const rb_shape *const *either, const json_t *json)
{
    for (; either[1]; either++) {
        const rb_shape_field *field = either[0]->fields;
        while (field->optional)
            field++;
        if (json_object_get(json, field->key))
            break;
    }
    return *either;
}

static bool fits(const rb_shape *shape, const json_t *json, const place *at, rb_shape_fault *fault)
{
    if (shape->nullable && json_is_null(json))
        return true;
    if (shape->text && json_is_string(json))
        shape = shape->text;
    if (!value_fits(shape, json)) {
        fault_at(fault, at, describe(shape), json);
        if (shape->secret) {
            free(fault->found);
            fault->found = rb_strdup("a value that is not shown, as it may hold a password");
        }
        return false;
    }
    switch (shape->kind) {
    case RB_SHAPE_OBJECT:
        return object_fits(shape->either ? choose(shape->either, json) : shape, json, at, fault);
    case RB_SHAPE_MAP:
        return map_fits(shape, json, at, fault);
    case RB_SHAPE_ARRAY:
        return array_fits(shape, json, at, fault);
    default:
        return true;
    }
}

bool rb_shape_fits(const rb_shape *shape, const json_t *json, rb_shape_fault *fault)
{
    return fits(shape, json, NULL, fault);
}

enum rb_code rb_shape_check(const rb_shape *shape, const json_t *json, const char *what,
                            rb_err *err)
{
    RB_AUTO(rb_shape_fault_clear) rb_shape_fault fault = {0};
    if (rb_shape_fits(shape, json, &fault))
        return RB_OK;
    const char *colon = *fault.path ? ": " : "";
    return rb_fail(err, RB_ERROR, "%s: %s%sexpected %s, found %s", what, fault.path, colon,
                   fault.expected, fault.found);
}

bool rb_shape_is_name(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    size_t len = strlen(text);
    if (len == 0 || len > 100 || !strchr(letters, text[0]))
        return false;
    for (size_t i = 0; i < len; i++)
        if (!strchr(letters, text[i]) && !strchr("._-", text[i]))
            return false;
    return true;
}

bool rb_shape_is_path(const char *text)
{
    return rb_path_is_safe(text, strlen(text));
}

bool rb_shape_is_folder(const char *text)
{
    return strcmp(text, ".") == 0 || rb_shape_is_path(text);
}

bool rb_shape_is_plain(const char *text)
{
    return *text && rb_text_is_plain(text, strlen(text));
}

static bool is_hex(const char *text, size_t len)
{
    return strlen(text) == len && strspn(text, "0123456789abcdef") == len;
}

bool rb_shape_is_sha1(const char *text)
{
    return is_hex(text, 40);
}

bool rb_shape_is_sha256(const char *text)
{
    return is_hex(text, 64);
}
