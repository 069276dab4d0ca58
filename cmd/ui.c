#include "ui.h"
#include "env_session.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/template.h"

static bool progress_stands; /* on the terminal's last line, without a line feed */

void rb_ui_progress_end(void)
{
    if (progress_stands)
        fputs("\r\x1b[K", stderr);
    progress_stands = false;
}

void rb_ui_json(rb_cli *cli, const json_t *json)
{
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    RB_AUTO(rb_buf_clear) rb_buf shown = {0};
    rb_json_canonical(&text, json);
    rb_buf_addc(&text, '\n');
    rb_json_screen(&shown, &text);
    rb_ui_progress_end();
    fwrite(shown.data, 1, shown.len, stdout);
    cli->answered = true;
}

void rb_ui_document(rb_cli *cli, json_t *json)
{
    rb_ui_json(cli, json);
    json_decref(json);
}

#define COLORS (RB_DIM + 1)

static const struct {
    const char *name; /* name of the colour in formats: <red> */
    const char *code;
} colors[COLORS] = {[RB_PLAIN] = {"</>", "\x1b[0m"},        [RB_BOLD] = {"<bold>", "\x1b[1m"},
                    [RB_RED] = {"<red>", "\x1b[31m"},       [RB_GREEN] = {"<green>", "\x1b[32m"},
                    [RB_YELLOW] = {"<yellow>", "\x1b[33m"}, [RB_DIM] = {"<dim>", "\x1b[2m"}};

/* Placeholders for colours, until the text around them is made safe: ESC, a random number that text
 * from a repository cannot know, and the colour. Empty strings without colour. */
static char marks[COLORS][24];
#define MARK_LEN 18

void rb_ui_use_color(void)
{
    uint64_t secret;
    if (getrandom(&secret, sizeof secret, 0) != (ssize_t)sizeof secret)
        abort();
    for (int i = 0; i < COLORS; i++)
        snprintf(marks[i], sizeof marks[i], "\x1b%016" PRIx64 "%c", secret, (char)('a' + i));
}

/* Returns the format or template with placeholders in place of <red> and the like. */
static char *mark(const char *format)
{
    rb_buf out = {0};
    while (*format) {
        int color = 0;
        while (color < COLORS &&
               strncmp(format, colors[color].name, strlen(colors[color].name)) != 0)
            color++;
        rb_buf_add(&out, color < COLORS ? marks[color] : format,
                   color < COLORS ? strlen(marks[color]) : 1);
        format += color < COLORS ? strlen(colors[color].name) : 1;
    }
    return rb_buf_detach(&out);
}

/* Appends text as one line. Control characters and line ends become visible; only the placeholders
 * of rbtool's own colours become escape sequences. */
static void add_safe(rb_buf *out, const char *text)
{
    while (*text) {
        size_t len = strcspn(text, "\x1b");
        rb_buf_add_safe(out, text, len);
        text += len;
        if (!*text)
            break;
        int color = 0;
        while (color < COLORS && (!*marks[0] || strncmp(text, marks[color], MARK_LEN) != 0))
            color++;
        if (color < COLORS)
            rb_buf_puts(out, colors[color].code);
        else
            rb_buf_add_safe(out, text, 1);
        text += color < COLORS ? MARK_LEN : 1;
    }
}

static void print_line(FILE *file, const char *text, const char *end)
{
    RB_AUTO(rb_buf_clear) rb_buf out = {0};
    add_safe(&out, text);
    rb_buf_puts(&out, end);
    rb_ui_progress_end();
    fwrite(rb_buf_str(&out), 1, out.len, file);
}

static char *format_text(const char *fmt, va_list args)
{
    RB_AUTO(rb_free_str) char *marked = mark(fmt);
    rb_buf text = {0};
    rb_buf_vprintf(&text, marked, args);
    return rb_buf_detach(&text);
}

/* Declares `text`: the caller's format and arguments, formatted. */
#define FORMAT_TEXT(text)                                                                          \
    va_list args;                                                                                  \
    va_start(args, fmt);                                                                           \
    RB_AUTO(rb_free_str) char *text = format_text(fmt, args);                                      \
    va_end(args)

void rb_ui_add(rb_buf *out, const char *fmt, ...)
{
    FORMAT_TEXT(text);
    add_safe(out, text);
    rb_buf_addc(out, '\n');
}

void rb_ui_text(const rb_cli *cli, const rb_buf *text, bool to_stderr)
{
    if (to_stderr && cli->quiet)
        return;
    rb_ui_progress_end();
    fflush(stdout);
    fwrite(rb_buf_str(text), 1, text->len, to_stderr ? stderr : stdout);
}

void rb_ui_line(const char *fmt, ...)
{
    FORMAT_TEXT(text);
    print_line(stdout, text, "\n");
}

void rb_ui_note(const rb_cli *cli, const char *fmt, ...)
{
    if (cli->quiet)
        return;
    FORMAT_TEXT(text);
    fflush(stdout);
    RB_AUTO(rb_free_str) char *line = rb_env_session_commands(cli, text);
    print_line(stderr, line, "\n");
}

static char *fill(const char *template, const json_t *value)
{
    RB_AUTO(rb_free_str) char *marked = mark(template);
    return rb_template(marked, value);
}

void rb_ui_item(const char *template, const json_t *value)
{
    RB_AUTO(rb_free_str) char *text = fill(template, value);
    print_line(stdout, text, "\n");
}

void rb_ui_fill(rb_buf *out, const char *template, const json_t *value,
                char *(*escape)(const char *))
{
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    RB_AUTO(rb_free_str) char *marked = mark(template);
    rb_template_fill(&text, marked, value, escape ? escape : rb_safe);
    for (char *line = text.data, *end; line && (end = strchr(line, '\n')); line = end + 1) {
        *end = '\0';
        add_safe(out, line);
        rb_buf_addc(out, '\n');
    }
}

void rb_ui_output(const rb_cli *cli, const char *before, const char *output)
{
    for (const char *line = output; line && *line; line += *line == '\n') {
        const int len = (int)strcspn(line, "\n");
        if (cli)
            rb_ui_note(cli, "%s| %.*s", before, len, line);
        else
            rb_ui_line("%s| %.*s", before, len, line);
        line += len;
    }
}

void rb_ui_progress(const rb_cli *cli, const char *fmt, ...)
{
    if (!cli->progress)
        return;
    FORMAT_TEXT(text);
    print_line(stderr, text, "");
    fflush(stderr);
    progress_stands = true;
}

/* Returns the columns that text takes on a terminal: one for each UTF-8 sequence, which is close
 * enough. */
static size_t width(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

/* Adds the cells of a row, and the heads before the first one. row NULL: only the heads. */
static void add_cells(rb_strs *cells, const rb_ui_column *columns, size_t count, const json_t *row)
{
    for (size_t i = 0; i < count && cells->n < count; i++)
        rb_strs_add(cells, columns[i].head);
    for (size_t i = 0; i < count && row; i++) {
        RB_AUTO(rb_free_str) char *text = rb_template(columns[i].text, row);
        rb_strs_take(cells, rb_safe(text));
    }
}

static void print_cells(const rb_strs *cells, size_t count, const enum rb_color *row_colors)
{
    size_t *widest = rb_calloc(count, sizeof *widest);
    rb_ui_progress_end();
    for (size_t i = 0; i < cells->n; i++)
        if (width(cells->items[i]) > widest[i % count])
            widest[i % count] = width(cells->items[i]);
    for (size_t i = 0; i < cells->n; i++) {
        bool last = i % count == count - 1;
        size_t pad = widest[i % count] - width(cells->items[i]);
        enum rb_color color =
            row_colors && i >= count && *marks[0] ? row_colors[i / count - 1] : RB_PLAIN;
        printf("%s%s%*s", color != RB_PLAIN && i % count == 0 ? colors[color].code : "",
               cells->items[i], last ? 0 : (int)pad + 2, "");
        if (last)
            printf("%s\n", color != RB_PLAIN ? colors[RB_PLAIN].code : "");
    }
    free(widest);
}

void rb_ui_table(const rb_ui_column *columns, size_t count, const json_t *rows,
                 const enum rb_color *row_colors)
{
    RB_AUTO(rb_strs_clear) rb_strs cells = {0};
    add_cells(&cells, columns, count, NULL);
    rb_json_each (row, rows)
        add_cells(&cells, columns, count, row);
    print_cells(&cells, count, row_colors);
}

void rb_ui_rows_add(rb_ui_rows *rows, json_t *row)
{
    if (rows->cli->json) {
        RB_AUTO(rb_buf_clear) rb_buf text = {0};
        rb_buf_puts(&rows->json, rows->json.len > 0 ? "," : "");
        rb_json_canonical(&text, row);
        rb_json_screen(&rows->json, &text);
    } else {
        add_cells(&rows->cells, rows->columns, rows->count, row);
    }
    json_decref(row);
}

void rb_ui_rows_print(rb_ui_rows *rows, const json_t *rest)
{
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    RB_AUTO(rb_buf_clear) rb_buf shown = {0};
    if (json_object_size(rest) > 0)
        rb_json_canonical(&text, rest);
    rb_json_screen(&shown, &text);
    if (rows->cli->json)
        printf("{\"%s\":[%s]%s%s\n", rows->name, rb_buf_str(&rows->json), text.len > 0 ? "," : "}",
               text.len > 0 ? rb_buf_str(&shown) + 1 : "");
    else
        print_cells(&rows->cells, rows->count, NULL);
    rows->cli->answered = true;
    rb_buf_clear(&rows->json);
    rb_strs_clear(&rows->cells);
}

const char *rb_ui_color(enum rb_color color)
{
    return marks[color];
}

#define ANSWER 32 /* bytes of a line that the user types */

static bool answered(char answer[ANSWER], const rb_cli *cli, const char *fmt, va_list args)
{
    if (!cli->interactive)
        return false;
    RB_AUTO(rb_free_str) char *text = format_text(fmt, args);
    fflush(stdout);
    print_line(stderr, text, "");
    fflush(stderr);
    if (!fgets(answer, ANSWER, stdin))
        return false;
    answer[strcspn(answer, "\n")] = '\0';
    return true;
}

bool rb_ui_ask(const rb_cli *cli, const char *fmt, ...)
{
    char answer[ANSWER];
    va_list args;
    va_start(args, fmt);
    bool given = answered(answer, cli, fmt, args);
    va_end(args);
    return given &&
           (strcmp(answer, "y") == 0 || strcmp(answer, "yes") == 0 || strcmp(answer, "Y") == 0);
}

char *rb_ui_ask_text(const rb_cli *cli, size_t limit, const char *fmt, ...)
{
    RB_AUTO(rb_free_str) char *line = NULL;
    size_t size = 0;
    va_list args;
    if (!cli->interactive)
        return NULL;
    va_start(args, fmt);
    RB_AUTO(rb_free_str) char *text = format_text(fmt, args);
    va_end(args);
    fflush(stdout);
    print_line(stderr, text, "");
    fflush(stderr);
    ssize_t len = getline(&line, &size, stdin);
    while (len > 0 && strchr("\r\n", line[len - 1]))
        line[--len] = '\0';
    return len > 0 && (size_t)len <= limit ? rb_safe(line) : NULL;
}

bool rb_ui_ask_number(const rb_cli *cli, int64_t number, const char *fmt, ...)
{
    char answer[ANSWER];
    char digits[ANSWER];
    size_t n = 0;
    va_list args;
    va_start(args, fmt);
    bool given = answered(answer, cli, fmt, args);
    va_end(args);
    for (const char *p = answer; given && *p; p++)
        if (*p != ',' && *p != ' ')
            digits[n++] = *p;
    digits[n] = '\0';
    RB_AUTO(rb_free_str) char *expected = rb_format("%" PRId64, number);
    return given && strcmp(digits, expected) == 0;
}
