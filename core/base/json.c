#include "base/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#define MAX_DEPTH 64

static bool too_deep(const json_t *json, int depth)
{
    if (depth > MAX_DEPTH)
        return true;
    const char *key;
    json_t *value;
    size_t i;
    if (json_is_object(json)) {
        json_object_foreach ((json_t *)json, key, value)
            if (too_deep(value, depth + 1))
                return true;
    } else if (json_is_array(json)) {
        json_array_foreach (json, i, value)
            if (too_deep(value, depth + 1))
                return true;
    }
    return false;
}

enum rb_code rb_json_read(json_t **out, const char *text, size_t len, const char *what, rb_err *err)
{
    json_error_t why;
    json_t *json = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
    if (!json)
        return rb_fail(err, RB_ERROR, "%s is not valid JSON: line %d column %d: %s", what, why.line,
                       why.column, why.text);
    if (too_deep(json, 0)) {
        json_decref(json);
        return rb_fail(err, RB_ERROR, "%s nests deeper than %d levels", what, MAX_DEPTH);
    }
    *out = json;
    return RB_OK;
}

void rb_json_free(json_t *json)
{
    json_decref(json);
}

/* Next UTF-16 code unit of a valid UTF-8 string; -1 at its end. low holds a pending surrogate. */
static int utf16_next(const unsigned char **p, int *low)
{
    if (*low) {
        int unit = *low;
        *low = 0;
        return unit;
    }
    const unsigned char *s = *p;
    if (*s == 0)
        return -1;
    int n = s[0] < 0x80 ? 1 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    int c = n == 1 ? s[0] : s[0] & (0x7f >> n);
    for (int i = 1; i < n; i++)
        c = c << 6 | (s[i] & 0x3f);
    *p = s + n;
    if (c < 0x10000)
        return c;
    c -= 0x10000;
    *low = 0xdc00 | (c & 0x3ff);
    return 0xd800 | c >> 10;
}

static int compare_keys(const void *a, const void *b)
{
    const unsigned char *p = *(const unsigned char *const *)a;
    const unsigned char *q = *(const unsigned char *const *)b;
    int low_p = 0;
    int low_q = 0;
    for (;;) {
        int x = utf16_next(&p, &low_p);
        int y = utf16_next(&q, &low_q);
        if (x != y)
            return x < y ? -1 : 1;
        if (x < 0)
            return 0;
    }
}

static void write_string(rb_buf *out, const char *text)
{
    static const char shorts[] = "\b\t\n\f\r\"\\";
    static const char letters[] = "btnfr\"\\";
    rb_buf_addc(out, '"');
    for (const char *p = text; *p; p++) {
        const char *at = strchr(shorts, *p);
        if (at) {
            rb_buf_addc(out, '\\');
            rb_buf_addc(out, letters[at - shorts]);
        } else if ((unsigned char)*p < 0x20) {
            rb_buf_printf(out, "\\u%04x", (unsigned char)*p);
        } else {
            rb_buf_addc(out, *p);
        }
    }
    rb_buf_addc(out, '"');
}

static void newline(rb_buf *out, int depth)
{
    if (depth < 0)
        return;
    rb_buf_addc(out, '\n');
    for (int i = 0; i < depth; i++)
        rb_buf_puts(out, "  ");
}

static void write_value(rb_buf *out, const json_t *json, int depth);

static void write_object(rb_buf *out, const json_t *json, int depth)
{
    int inner = depth < 0 ? depth : depth + 1;
    size_t n = json_object_size(json);
    const char **keys = rb_calloc(n, sizeof *keys);
    size_t i = 0;
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)json, key, value)
        keys[i++] = key;
    qsort(keys, n, sizeof *keys, compare_keys);
    rb_buf_addc(out, '{');
    for (i = 0; i < n; i++) {
        if (i > 0)
            rb_buf_addc(out, ',');
        newline(out, inner);
        write_string(out, keys[i]);
        rb_buf_puts(out, depth < 0 ? ":" : ": ");
        write_value(out, json_object_get(json, keys[i]), inner);
    }
    if (n > 0)
        newline(out, depth);
    rb_buf_addc(out, '}');
    free(keys);
}

static void write_array(rb_buf *out, const json_t *json, int depth)
{
    int inner = depth < 0 ? depth : depth + 1;
    size_t i;
    json_t *value;
    rb_buf_addc(out, '[');
    json_array_foreach (json, i, value) {
        if (i > 0)
            rb_buf_addc(out, ',');
        newline(out, inner);
        write_value(out, value, inner);
    }
    if (json_array_size(json) > 0)
        newline(out, depth);
    rb_buf_addc(out, ']');
}

/* The shortest decimal that reads back as the same number. */
static void write_real(rb_buf *out, double value)
{
    char text[32];
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    rb_buf_puts(out, text);
}

static void write_value(rb_buf *out, const json_t *json, int depth)
{
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        write_object(out, json, depth);
        break;
    case JSON_ARRAY:
        write_array(out, json, depth);
        break;
    case JSON_STRING:
        write_string(out, json_string_value(json));
        break;
    case JSON_INTEGER:
        rb_buf_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(json));
        break;
    case JSON_TRUE:
        rb_buf_puts(out, "true");
        break;
    case JSON_FALSE:
        rb_buf_puts(out, "false");
        break;
    case JSON_NULL:
        rb_buf_puts(out, "null");
        break;
    case JSON_REAL:
        write_real(out, json_real_value(json));
        break;
    }
}

void rb_json_canonical(rb_buf *out, const json_t *json)
{
    write_value(out, json, -1);
}

void rb_json_pretty(rb_buf *out, const json_t *json)
{
    write_value(out, json, 0);
    rb_buf_addc(out, '\n');
}

void rb_json_hash(const json_t *json, char out[65])
{
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    rb_json_canonical(&text, json);
    rb_sha256_hex_of(text.data, text.len, out);
}

const char *rb_json_str(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

int64_t rb_json_int(const json_t *object, const char *key, int64_t otherwise)
{
    const json_t *value = json_object_get(object, key);
    return json_is_integer(value) ? json_integer_value(value) : otherwise;
}

void rb_json_set_str(json_t *object, const char *key, const char *value)
{
    json_t *text = value ? json_string(value) : json_null();
    if (!text || json_object_set_new(object, key, text) != 0)
        abort();
}

void rb_json_set_bytes(json_t *object, const char *key, const char *bytes)
{
    RB_AUTO(rb_free_str) char *hex = NULL;
    if (bytes) {
        hex = rb_malloc(2 * strlen(bytes) + 1);
        rb_hex_encode((const unsigned char *)bytes, strlen(bytes), hex);
    }
    rb_json_set_str(object, key, hex);
}

char *rb_json_bytes(const json_t *object, const char *key)
{
    const char *hex = rb_json_str(object, key);
    size_t len = hex ? strlen(hex) / 2 : 0;
    RB_AUTO(rb_free_str) char *bytes = rb_calloc(len + 1, 1);
    if (!hex || !rb_hex_decode(hex, (unsigned char *)bytes, len))
        return NULL;
    char *out = bytes;
    bytes = NULL;
    return out;
}

json_t *rb_json_strs(const rb_strs *strs)
{
    json_t *array = json_array();
    for (size_t i = 0; i < strs->n; i++)
        if (json_array_append_new(array, json_string(strs->items[i])) != 0)
            abort();
    return array;
}

json_t *rb_err_json(const rb_err *err)
{
    if (!err)
        return json_null();
    RB_AUTO(rb_free_str) char *message = rb_safe(err->message);
    return json_pack("{s:i,s:s}", "code", (int)err->code, "message", message);
}
