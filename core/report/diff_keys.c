/* Compares config files key by key, if their form can be read without ambiguity: JSON, and files
 * with sections and lines KEY = VALUE (TOML, INI, .env, .properties). */
#include <ctype.h>
#include <string.h>

#include "base/text.h"
#include "report/diff.h"
#include "report/diff_parts.h"

#define DEEPEST 16 /* levels of JSON objects that are compared key by key */

static void flatten(json_t *out, const json_t *json, const char *prefix, int depth)
{
    if (json_is_object(json) && json_object_size(json) > 0 && depth < DEEPEST) {
        rb_json_each_member (key, value, json) {
            RB_AUTO(rb_free_str) char *path = rb_format("%s%s%s", prefix, *prefix ? "." : "", key);
            flatten(out, value, path, depth + 1);
        }
        return;
    }
    char *text = json_is_string(json) ? NULL : json_dumps(json, JSON_ENCODE_ANY | JSON_COMPACT);
    rb_json_set_str(out, prefix, text ? text : json_string_value(json));
    free(text);
}

static bool read_json(json_t *out, const rb_buf *text)
{
    RB_AUTO(rb_json_freep) json_t *json = NULL;
    if (rb_json_read(&json, rb_buf_str(text), text->len, "config", RB_IGNORED) != RB_OK ||
        !json_is_object(json))
        return false;
    flatten(out, json, "", 0);
    return true;
}

static char *trimmed(const char *text, size_t len)
{
    while (len > 0 && isspace((unsigned char)*text)) {
        text++;
        len--;
    }
    while (len > 0 && isspace((unsigned char)text[len - 1]))
        len--;
    return rb_strndup(text, len);
}

/* True if a value ends on its line: brackets and quotes are closed. */
static bool is_whole(const char *value)
{
    int depth = 0;
    char quote = '\0';
    for (const char *p = value; *p; p++) {
        if (quote) {
            if (*p == '\\' && quote == '"' && p[1])
                p++;
            else if (*p == quote)
                quote = '\0';
        } else if (*p == '"' || *p == '\'') {
            quote = *p;
        } else if (*p == '[' || *p == '{') {
            depth++;
        } else if (*p == ']' || *p == '}') {
            depth--;
        }
    }
    return depth == 0 && !quote && !strstr(value, "\"\"\"") && !strstr(value, "'''");
}

/* Reads one line. False if its meaning is not certain. */
static bool read_line(json_t *out, char **section, const char *line)
{
    const size_t len = strlen(line);
    if (len == 0 || *line == '#' || *line == ';')
        return true;
    if (*line == '[') {
        if (len < 3 || line[1] == '[' || line[len - 1] != ']')
            return false;
        free(*section);
        *section = trimmed(line + 1, len - 2);
        return true;
    }
    const char *start = strncmp(line, "export ", 7) == 0 ? line + 7 : line;
    const char *equals = strchr(start, '=');
    if (!equals || equals == start)
        return false;
    RB_AUTO(rb_free_str) char *key = trimmed(start, (size_t)(equals - start));
    RB_AUTO(rb_free_str) char *value = trimmed(equals + 1, strlen(equals + 1));
    RB_AUTO(rb_free_str)
    char *path = rb_format("%s%s%s", *section, **section ? "." : "", key);
    if (!*key || !is_whole(value) || json_object_get(out, path))
        return false;
    rb_json_set_str(out, path, value);
    return true;
}

static bool read_lines(json_t *out, const rb_buf *text)
{
    RB_AUTO(rb_free_str) char *section = rb_strdup("");
    const char *at = rb_buf_str(text);
    bool good = rb_text_is_utf8(at, text->len);
    while (good && *at) {
        const size_t len = strcspn(at, "\n");
        RB_AUTO(rb_free_str) char *line = trimmed(at, len);
        good = read_line(out, &section, line);
        at += len + (at[len] == '\n');
    }
    return good;
}

static bool ends_with(const char *path, const char *end)
{
    size_t n = strlen(path);
    size_t m = strlen(end);
    return n >= m && strcmp(path + n - m, end) == 0;
}

/* Reads the keys of a file. False if its form is unknown or not simple. */
static bool read_keys(json_t *out, const char *path, const rb_buf *text)
{
    static const char *const by_line[] = {".toml", ".ini", ".conf", ".cfg", ".env", ".properties"};
    if (ends_with(path, ".json"))
        return text->len == 0 || read_json(out, text);
    for (size_t i = 0; i < sizeof by_line / sizeof *by_line; i++)
        if (ends_with(path, by_line[i]))
            return read_lines(out, text);
    return false;
}

json_t *rb_diff_keys(const char *path, const rb_buf *old, const rb_buf *new)
{
    RB_AUTO(rb_json_freep) json_t *a = json_object();
    RB_AUTO(rb_json_freep) json_t *b = json_object();
    if (!read_keys(a, path, old) || !read_keys(b, path, new))
        return NULL;
    json_t *out = json_array();
    rb_json_each_member (key, value, a) {
        const json_t *now = json_object_get(b, key);
        if (!json_equal(value, now))
            json_array_append_new(out, rb_json_make("key:s from:J to:J", key, value, now));
    }
    rb_json_each_member (key, value, b)
        if (!json_object_get(a, key))
            json_array_append_new(out, rb_json_make("key:s from:0 to:J", key, value));
    return out;
}
