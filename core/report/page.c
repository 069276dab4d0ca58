#include "report/page.h"

#include <stdlib.h>
#include <string.h>

#include "base/embed.h"
#include "base/template.h"
#include "report/report.h"

/* The template page.html, compiled into the program. */
RB_EMBED(rb_page_html, "core/report/page.html");

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

/* Returns the member that the directive names. */
static const json_t *member(const char *line, const json_t *value)
{
    const char *path = line + strcspn(line, " \n");
    path += *path == ' ';
    size_t len = strcspn(path, "\n");
    while (len > 0 && value && *path != '.') {
        const size_t n = strcspn(path, ".\n");
        RB_AUTO(rb_free_str) char *key = rb_strndup(path, n);
        value = json_object_get(value, key);
        path += n + (path[n] == '.');
        len -= n + (n < len);
    }
    return value;
}

static bool has(const json_t *value)
{
    return json_is_string(value) ? *json_string_value(value) != '\0'
                                 : json_is_number(value) || json_is_true(value) ||
                                       json_array_size(value) > 0 || json_object_size(value) > 0;
}

static void fill(const filling *f, const char *line, const char *end, const json_t *value);

/* Appends a block. Returns its %end. */
static const char *fill_block(const filling *f, const char *line, const json_t *value)
{
    const char *begin = next_line(line);
    const char *end = end_of(begin, false);
    const json_t *named = member(line, value);
    if (is_word(line, "%raw")) {
        rb_buf_add(f->out, begin, (size_t)(end - begin));
    } else if (is_word(line, "%each")) {
        rb_json_each (item, named)
            fill(f, begin, end, item);
    } else {
        const char *otherwise = end_of(begin, true);
        if (has(named))
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
        line += strspn(line, " "); /* removes the template's indentation */
        RB_AUTO(rb_free_str) char *text = rb_strndup(line, (size_t)(next_line(line) - line));
        rb_template_with(f->out, text, value, f->escape);
    }
}

void rb_page_fill(rb_buf *out, const char *template, const json_t *value,
                  char *(*escape)(const char *))
{
    const filling f = {.out = out, .escape = escape};
    fill(&f, template, template + strlen(template), value);
}

/* Escapes a text for HTML, also for attributes. */
static char *html(const char *text)
{
    rb_buf out = {0};
    for (; *text; text++)
        switch (*text) {
        case '&':
            rb_buf_puts(&out, "&amp;");
            break;
        case '<':
            rb_buf_puts(&out, "&lt;");
            break;
        case '>':
            rb_buf_puts(&out, "&gt;");
            break;
        case '"':
            rb_buf_puts(&out, "&quot;");
            break;
        case '\'':
            rb_buf_puts(&out, "&#39;");
            break;
        default:
            rb_buf_addc(&out, *text);
        }
    return rb_buf_detach(&out);
}

void rb_report_html(rb_buf *out, json_t *document, const json_t *changes, const char *signers)
{
    rb_json_set(document, "changes:J signers:s", changes, signers);
    rb_page_view(document);
    rb_page_fill(out, rb_page_html, document, html);
}
