#include "base/template.h"

#include <ctype.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* Finds a member by path: names separated by dots. */
static const json_t *find(const json_t *value, const char *path, size_t len)
{
    while (len > 0 && value && *path != '.') {
        const char *dot = memchr(path, '.', len);
        size_t n = dot ? (size_t)(dot - path) : len;
        RB_AUTO(rb_free_str) char *key = rb_strndup(path, n);
        value = json_object_get(value, key);
        n += dot != NULL;
        path += n;
        len -= n;
    }
    return value;
}

static bool is_filled(const json_t *value)
{
    return json_is_string(value) ? *json_string_value(value) != '\0'
                                 : json_is_number(value) || json_is_true(value) ||
                                       json_array_size(value) > 0 || json_object_size(value) > 0;
}

/* Formats a duration: "43 s", "5 min 3 s", "2 h 10 min", "9 d 3 h". */
static char *duration(int64_t seconds)
{
    static const struct {
        int64_t seconds;
        const char *name;
    } units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
    size_t i = 0;
    while (i < 3 && seconds < units[i].seconds)
        i++;
    const int64_t whole = seconds / units[i].seconds;
    const int64_t rest = i < 3 ? seconds % units[i].seconds / units[i + 1].seconds : 0;
    return rest > 0 ? rb_format("%" PRId64 " %s %" PRId64 " %s", whole, units[i].name, rest,
                                units[i + 1].name)
                    : rb_format("%" PRId64 " %s", whole, units[i].name);
}

static void add_number(rb_buf *out, int64_t n, const char *type)
{
    RB_AUTO(rb_free_str)
    char *text = isdigit((unsigned char)*type)       ? rb_format("%*" PRId64, *type - '0', n)
                 : strncmp(type, "count", 5) == 0    ? rb_text_count((uint64_t)n)
                 : strncmp(type, "bytes", 5) == 0    ? rb_text_bytes((uint64_t)n)
                 : strncmp(type, "duration", 8) == 0 ? duration(n)
                 : *type == 's'                      ? rb_strdup(rb_text_s((uint64_t)n))
                                                     : rb_format("%" PRId64, n);
    rb_buf_puts(out, text);
}

static void add_text(rb_buf *out, const char *text, const char *type)
{
    bool minute = strncmp(type, "minute", 6) == 0;
    if ((minute || strncmp(type, "time", 4) == 0) && strlen(text) == strlen("2026-11-30T19:53:54Z"))
        rb_buf_printf(out, "%.10s %.*s UTC", text, minute ? 5 : 8, text + 11);
    else
        rb_buf_printf(out, "%-*.*s", isdigit((unsigned char)*type) ? *type - '0' : 0,
                      strncmp(type, "id", 2) == 0 ? 10 : INT_MAX, text);
}

static void add_list(rb_buf *out, const json_t *list)
{
    rb_json_each (item, list)
        if (json_is_string(item))
            rb_buf_printf(out, "%s%s", item_at > 0 ? ", " : "", json_string_value(item));
}

/* Appends the value of the placeholder that starts at `at`, after its brace, with `len` bytes.
 * Returns false if it has no text. */
static bool add_member(rb_buf *out, const char *at, size_t len, const json_t *value)
{
    const char *bar = memchr(at, '|', len);
    const size_t name = strcspn(at, ":|?}");
    const json_t *found = find(value, at, name);
    const char *type = at[name] == ':' ? at + name + 1 : "";
    const bool has = is_filled(found);
    if (at[name] == '?') { /* the form {name?text:other} */
        const size_t yes = strcspn(at + name + 1, ":");
        rb_buf_add(out, at + name + 1 + (has ? 0 : yes + 1), has ? yes : len - name - yes - 2);
        return true;
    }
    if (json_is_string(found))
        add_text(out, json_string_value(found), type);
    else if (json_is_integer(found))
        add_number(out, json_integer_value(found), type);
    else if (json_is_real(found))
        rb_buf_printf(out, "%.*g", 6, json_real_value(found));
    else if (json_array_size(found) > 0)
        add_list(out, found);
    else if (bar)
        rb_buf_add(out, bar + 1, len - (size_t)(bar + 1 - at));
    return has;
}

void rb_template_with(rb_buf *out, const char *text, const json_t *value,
                      char *(*escape)(const char *))
{
    size_t begin = 0;
    bool complete = true;
    while (*text) {
        const size_t plain = strcspn(text, "{[]");
        rb_buf_add(out, text, plain);
        text += plain;
        if (*text == '{') {
            const size_t len = strcspn(text, "}");
            const size_t before = out->len;
            complete &= add_member(out, text + 1, len - 1, value);
            RB_AUTO(rb_free_str)
            char *escaped = escape && out->len > before ? escape(out->data + before) : NULL;
            if (escaped) {
                rb_buf_truncate(out, before);
                rb_buf_puts(out, escaped);
            }
            text += len;
        } else if (*text == '[') {
            begin = out->len;
            complete = true;
        } else if (*text && !complete) {
            rb_buf_truncate(out, begin);
        }
        text += *text != '\0';
    }
}

void rb_template_add(rb_buf *out, const char *text, const json_t *value)
{
    rb_template_with(out, text, value, NULL);
}

char *rb_template(const char *text, const json_t *value)
{
    rb_buf out = {0};
    rb_template_add(&out, text, value);
    return rb_buf_detach(&out);
}

/* Blocks: */

typedef struct filling {
    rb_buf *out;
    char *(*escape)(const char *);
} filling;

static bool is_word(const char *line, const char *word)
{
    const size_t len = strlen(word);
    return strncmp(line, word, len) == 0 && (line[len] == ' ' || line[len] == '\n');
}

static const char *next_line(const char *line)
{
    const char *end = strchr(line, '\n');
    return end ? end + 1 : line + strlen(line);
}

/* Returns the line that ends the block which begins at `line`; or_else: or its %else. */
static const char *end_of(const char *line, bool or_else)
{
    size_t depth = 0;
    for (; *line; line = next_line(line)) {
        if (is_word(line, "%each") || is_word(line, "%if") || is_word(line, "%raw"))
            depth++;
        else if (is_word(line, "%end") && depth-- == 0)
            return line;
        else if (or_else && depth == 0 && is_word(line, "%else"))
            return line;
    }
    return line;
}

static void fill(const filling *f, const char *line, const char *end, const json_t *value);

/* Appends a block. Returns its %end. */
static const char *fill_block(const filling *f, const char *line, const json_t *value)
{
    const char *begin = next_line(line);
    const char *end = end_of(begin, false);
    const char *path = line + strcspn(line, " \n") + 1;
    const json_t *named = path < begin ? find(value, path, (size_t)(begin - path) - 1) : value;
    if (is_word(line, "%raw")) {
        rb_buf_add(f->out, begin, (size_t)(end - begin));
    } else if (is_word(line, "%each")) {
        rb_json_each (item, named)
            fill(f, begin, end, item);
    } else {
        const char *otherwise = end_of(begin, true);
        if (is_filled(named))
            fill(f, begin, otherwise, value);
        else if (otherwise < end)
            fill(f, next_line(otherwise), end, value);
    }
    return end;
}

static void fill(const filling *f, const char *line, const char *end, const json_t *value)
{
    for (; line < end; line = next_line(line)) {
        if (is_word(line, "%each") || is_word(line, "%if") || is_word(line, "%raw")) {
            line = fill_block(f, line, value);
            continue;
        }
        RB_AUTO(rb_free_str) char *text = rb_strndup(line, (size_t)(next_line(line) - line));
        const size_t before = f->out->len;
        rb_template_with(f->out, text, value, f->escape);
        if (*text == '[' && f->out->len == before + 1)
            rb_buf_truncate(f->out, before);
    }
}

void rb_template_fill(rb_buf *out, const char *template, const json_t *value,
                      char *(*escape)(const char *))
{
    const filling f = {.out = out, .escape = escape};
    fill(&f, template, template + strlen(template), value);
}
