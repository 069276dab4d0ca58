#include "base/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#define MAX_DEPTH 64

static bool too_deep(const json_t *json, int depth)
{
    if (depth > MAX_DEPTH)
        return true;
    rb_json_each_member (key, value, json)
        if (too_deep(value, depth + 1))
            return true;
    rb_json_each (value, json)
        if (too_deep(value, depth + 1))
            return true;
    return false;
}

enum rb_code rb_json_read(json_t **out, const char *text, size_t len, const char *what, rb_err *err)
{
    json_error_t why;
    json_t *json = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
    if (!json) {
        RB_AUTO(rb_free_str)
        /* Make the message safe: jansson quotes the input in it. */
        char *safe = rb_safe(why.text);
        return rb_fail(err, RB_ERROR, "%s is not valid JSON: line %d column %d: %s", what, why.line,
                       why.column, safe);
    }
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

typedef struct member {
    const char *key;
    const json_t *value;
} member;

/* Comparing bytes gives the order of UTF-16 code units, with one exception: U+E000 to U+FFFF (bytes
 * EE, EF) come after characters of two units (F0 to F4). */
static int compare_keys(const char *a, const char *b)
{
    const unsigned char *p = (const unsigned char *)a;
    const unsigned char *q = (const unsigned char *)b;
    while (*p && *p == *q) {
        p++;
        q++;
    }
    if (*p >= 0xee && *q >= 0xee && (*p >= 0xf0) != (*q >= 0xf0))
        return *p >= 0xf0 ? -1 : 1;
    return *p - *q;
}

static int compare_members(const void *a, const void *b)
{
    return compare_keys(((const member *)a)->key, ((const member *)b)->key);
}

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c != '"' && c != '\\';
}

static void write_string(rb_buf *out, const char *text)
{
    static const char shorts[] = "\b\t\n\f\r\"\\";
    static const char letters[] = "btnfr\"\\";
    rb_buf_addc(out, '"');
    while (*text) {
        size_t len = 0;
        while (is_plain((unsigned char)text[len]))
            len++;
        rb_buf_add(out, text, len);
        text += len;
        const char *at = *text ? strchr(shorts, *text) : NULL;
        if (at) {
            rb_buf_addc(out, '\\');
            rb_buf_addc(out, letters[at - shorts]);
        } else if (*text) {
            rb_buf_printf(out, "\\u%04x", (unsigned char)*text);
        }
        text += *text != '\0';
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

/* Returns the members sorted by key. Most objects are built in sorted order already. */
static member *sorted_members(const json_t *json)
{
    size_t n = json_object_size(json);
    member *members = rb_calloc(n, sizeof *members);
    bool sorted = true;
    size_t i = 0;
    rb_json_each_member (key, value, json) {
        sorted = sorted && (i == 0 || compare_keys(members[i - 1].key, key) < 0);
        members[i++] = (member){key, value};
    }
    if (!sorted)
        qsort(members, n, sizeof *members, compare_members);
    return members;
}

static void write_object(rb_buf *out, const json_t *json, int depth)
{
    int inner = depth < 0 ? depth : depth + 1;
    size_t n = json_object_size(json);
    member *members = sorted_members(json);
    rb_buf_addc(out, '{');
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            rb_buf_addc(out, ',');
        newline(out, inner);
        write_string(out, members[i].key);
        rb_buf_puts(out, depth < 0 ? ":" : ": ");
        write_value(out, members[i].value, inner);
    }
    if (n > 0)
        newline(out, depth);
    rb_buf_addc(out, '}');
    free(members);
}

static void write_array(rb_buf *out, const json_t *json, int depth)
{
    int inner = depth < 0 ? depth : depth + 1;
    rb_buf_addc(out, '[');
    rb_json_each (value, json) {
        if (value_at > 0)
            rb_buf_addc(out, ',');
        newline(out, inner);
        write_value(out, value, inner);
    }
    if (json_array_size(json) > 0)
        newline(out, depth);
    rb_buf_addc(out, ']');
}

/* Writes the shortest decimal that reads back as the same number. */
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

/* Returns the code point at p if it must not be written to a terminal (DEL, C1 controls, line
 * separators, bidirectional controls), else 0. JCS leaves these characters unescaped. */
static unsigned unsafe_at(const unsigned char *p, size_t len)
{
    if (p[0] == 0x7f)
        return 0x7f;
    if (len >= 2 && p[0] == 0xc2 && p[1] < 0xa0)
        return p[1];
    if (len < 3 || p[0] != 0xe2 || (p[1] != 0x80 && p[1] != 0x81))
        return 0;
    unsigned c = 0x2000u | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu);
    bool unsafe =
        c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
    return unsafe ? c : 0;
}

void rb_json_screen(rb_buf *out, const rb_buf *text)
{
    const unsigned char *p = (const unsigned char *)rb_buf_str(text);
    for (size_t i = 0; i < text->len;) {
        unsigned c = unsafe_at(p + i, text->len - i);
        size_t n = c == 0 || c == 0x7f ? 1 : c < 0x800 ? 2 : 3;
        if (c)
            rb_buf_printf(out, "\\u%04x", c);
        else
            rb_buf_addc(out, (char)p[i]);
        i += n;
    }
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

json_t *rb_json_text(const char *text)
{
    json_t *json = text ? json_string(text) : json_null();
    if (json)
        return json;
    RB_AUTO(rb_free_str) char *safe = rb_safe(text);
    return json_string(safe);
}

void rb_json_set_str(json_t *object, const char *key, const char *value)
{
    if (json_object_set_new(object, key, rb_json_text(value)) != 0)
        abort();
}

static json_t *safe_text(const char *text)
{
    RB_AUTO(rb_free_str) char *safe = text ? rb_safe(text) : NULL;
    return rb_json_text(safe);
}

static json_t *take_value(char type, va_list *args)
{
    json_t *json;
    switch (type) {
    case 's':
        return rb_json_text(va_arg(*args, const char *));
    case 't':
        return safe_text(va_arg(*args, const char *));
    case 'b':
        return json_boolean(va_arg(*args, int));
    case 'd':
        return json_integer(va_arg(*args, int));
    case 'n':
        return json_integer((json_int_t)va_arg(*args, size_t));
    case 'i':
        return json_integer(va_arg(*args, int64_t));
    case 'j':
    case 'J':
        json = va_arg(*args, json_t *);
        return !json ? json_null() : type == 'J' ? json_incref(json) : json;
    case '0':
        return json_null();
    default:
        abort();
    }
}

static void set_members(json_t *object, const char *at, va_list *args)
{
    while (*at) {
        const char *type = strchr(at, ':') + 1;
        RB_AUTO(rb_free_str) char *key = rb_strndup(at, (size_t)(type - at) - 1);
        if (json_object_set_new(object, key, take_value(*type, args)) != 0)
            abort();
        at = type + 1 + (type[1] == ' ');
    }
}

json_t *rb_json_make(const char *members, ...)
{
    json_t *object = json_object();
    va_list args;
    va_start(args, members);
    set_members(object, members, &args);
    va_end(args);
    return object;
}

void rb_json_set(json_t *object, const char *members, ...)
{
    va_list args;
    va_start(args, members);
    set_members(object, members, &args);
    va_end(args);
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
    RB_AUTO(rb_free_str) char *hint = rb_safe(err->hint);
    return json_pack("{s:i,s:s,s:s?}", "code", (int)err->code, "message", message, "hint",
                     *hint ? hint : NULL);
}

bool rb_json_same(const json_t *a, const json_t *b)
{
    return a == b || (a && b && json_equal(a, b));
}

void rb_json_replace(json_t **at, const json_t *value)
{
    json_t *old = *at;
    *at = json_incref((json_t *)value);
    json_decref(old);
}
