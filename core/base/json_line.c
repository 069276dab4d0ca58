/* Finds the line of a member, which jansson does not record. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

#define MAX_DEPTH 64 /* the limit of rb_json_read() */

typedef struct scan {
    const char *p;
    const char *end;
    const char *wanted;
    size_t line;
    size_t found; /* line of the wanted value, or of the nearest value that would contain it */
    /* length of the part of `wanted` that is found; SIZE_MAX: the value itself is found */
    size_t matched;
} scan;

static void space(scan *s)
{
    while (s->p < s->end && strchr(" \t\r\n", *s->p)) {
        s->line += *s->p == '\n';
        s->p++;
    }
}

static bool take(scan *s, char c)
{
    space(s);
    if (s->p == s->end || *s->p != c)
        return false;
    s->p++;
    return true;
}

/* Reads the string at the current position; NULL if there is none. */
static json_t *read_string(scan *s)
{
    const char *start = s->p;
    if (!take(s, '"'))
        return NULL;
    while (s->p < s->end && *s->p != '"')
        s->p += *s->p == '\\' && s->p + 1 < s->end ? 2 : 1;
    if (s->p == s->end)
        return NULL;
    s->p++;
    return json_loadb(start, (size_t)(s->p - start), JSON_DECODE_ANY, NULL);
}

/* Records the value at `path` if it is the wanted value or contains it. */
static void match(scan *s, const rb_buf *path)
{
    if (s->matched == SIZE_MAX || strncmp(s->wanted, rb_buf_str(path), path->len) != 0)
        return;
    char next = s->wanted[path->len];
    if (next && next != '.' && next != '[' && path->len > 0)
        return;
    if (next && s->found && path->len < s->matched)
        return;
    s->found = s->line;
    s->matched = next ? path->len : SIZE_MAX;
}

static bool value(scan *s, rb_buf *path, int depth);

static bool members(scan *s, rb_buf *path, int depth)
{
    const size_t before = path->len;
    if (take(s, '}'))
        return true;
    do {
        space(s);
        RB_AUTO(rb_json_freep) json_t *key = read_string(s);
        if (!key)
            return false;
        if (before > 0)
            rb_buf_addc(path, '.');
        rb_buf_add_safe(path, json_string_value(key), json_string_length(key));
        match(s, path);
        if (!take(s, ':') || !value(s, path, depth + 1))
            return false;
        rb_buf_truncate(path, before);
    } while (take(s, ','));
    return take(s, '}');
}

static bool items(scan *s, rb_buf *path, int depth)
{
    const size_t before = path->len;
    if (take(s, ']'))
        return true;
    for (size_t i = 0; i == 0 || take(s, ','); i++) {
        rb_buf_printf(path, "[%zu]", i);
        space(s);
        match(s, path);
        if (!value(s, path, depth + 1))
            return false;
        rb_buf_truncate(path, before);
    }
    return take(s, ']');
}

static bool value(scan *s, rb_buf *path, int depth)
{
    if (depth > MAX_DEPTH || s->matched == SIZE_MAX)
        return false;
    space(s);
    if (s->p < s->end && *s->p == '"') {
        RB_AUTO(rb_json_freep) json_t *text = read_string(s);
        return text != NULL;
    }
    if (take(s, '{'))
        return members(s, path, depth);
    if (take(s, '['))
        return items(s, path, depth);
    while (s->p < s->end && !strchr(" \t\r\n,]}", *s->p))
        s->p++;
    return true;
}

size_t rb_json_line(const char *text, size_t len, const char *path)
{
    scan s = {.p = text, .end = text + len, .wanted = path, .line = 1};
    RB_AUTO(rb_buf_clear) rb_buf at = {0};
    (void)value(&s, &at, 0);
    return s.found ? s.found : 1;
}
