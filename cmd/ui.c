#include "ui.h"
#include "env_session.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/text.h"

void rb_ui_json(rb_cli *cli, const json_t *json)
{
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    RB_AUTO(rb_buf_clear) rb_buf shown = {0};
    rb_json_canonical(&text, json);
    rb_buf_addc(&text, '\n');
    rb_json_screen(&shown, &text);
    fwrite(shown.data, 1, shown.len, stdout);
    cli->answered = true;
}

#define COLORS (RB_DIM + 1)

static const char *const codes[COLORS] = {
    [RB_PLAIN] = "\x1b[0m",  [RB_BOLD] = "\x1b[1m",    [RB_RED] = "\x1b[31m",
    [RB_GREEN] = "\x1b[32m", [RB_YELLOW] = "\x1b[33m", [RB_DIM] = "\x1b[2m"};

/* Placeholders for colours until the text around them is made safe: ESC, a random number that no
 * repository can know, the colour. */
static char marks[COLORS][24];
#define MARK_LEN 18

static void make_marks(void)
{
    uint64_t secret;
    if (marks[0][0])
        return;
    if (getrandom(&secret, sizeof secret, 0) != (ssize_t)sizeof secret)
        abort();
    for (int i = 0; i < COLORS; i++)
        snprintf(marks[i], sizeof marks[i], "\x1b%016" PRIx64 "%c", secret, (char)('a' + i));
}

/* One line: everything that could steer a terminal or begin another line is made visible, but for
 * our own colours. */
static void add_safe(rb_buf *out, const char *text)
{
    while (*text) {
        size_t len = strcspn(text, "\x1b");
        rb_buf_add_safe(out, text, len);
        text += len;
        if (!*text)
            break;
        int color = 0;
        while (color < COLORS && (!marks[0][0] || strncmp(text, marks[color], MARK_LEN) != 0))
            color++;
        if (color < COLORS)
            rb_buf_puts(out, codes[color]);
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
    fwrite(rb_buf_str(&out), 1, out.len, file);
}

void rb_ui_add(rb_buf *out, const char *fmt, ...)
{
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    va_list args;
    va_start(args, fmt);
    rb_buf_vprintf(&text, fmt, args);
    va_end(args);
    add_safe(out, rb_buf_str(&text));
    rb_buf_addc(out, '\n');
}

void rb_ui_text(const rb_cli *cli, const rb_buf *text, bool to_stderr)
{
    if (to_stderr && cli->quiet)
        return;
    fflush(stdout);
    fwrite(rb_buf_str(text), 1, text->len, to_stderr ? stderr : stdout);
}

void rb_ui_line(const char *fmt, ...)
{
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    va_list args;
    va_start(args, fmt);
    rb_buf_vprintf(&text, fmt, args);
    va_end(args);
    print_line(stdout, rb_buf_str(&text), "\n");
}

void rb_ui_note(const rb_cli *cli, const char *fmt, ...)
{
    if (cli->quiet)
        return;
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    va_list args;
    va_start(args, fmt);
    rb_buf_vprintf(&text, fmt, args);
    va_end(args);
    fflush(stdout);
    RB_AUTO(rb_free_str) char *line = rb_site_commands(cli, rb_buf_str(&text));
    print_line(stderr, line, "\n");
}

void rb_ui_progress(const rb_cli *cli, const char *fmt, ...)
{
    if (!cli->progress)
        return;
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    va_list args;
    va_start(args, fmt);
    rb_buf_vprintf(&text, fmt, args);
    va_end(args);
    fputs("\r\x1b[K", stderr);
    print_line(stderr, rb_buf_str(&text), "");
    fflush(stderr);
}

void rb_ui_progress_end(const rb_cli *cli)
{
    if (cli->progress)
        fputs("\r\x1b[K", stderr);
}

/* Columns on a terminal, near enough: one for each UTF-8 sequence. */
static size_t width(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

void rb_ui_table(const char *const *heads, const rb_strs *cells, size_t columns)
{
    rb_ui_rows(NULL, heads, cells, columns, NULL);
}

void rb_ui_rows(const rb_cli *cli, const char *const *heads, const rb_strs *cells, size_t columns,
                const enum rb_color *rows)
{
    if (columns == 0)
        return;
    size_t above = heads ? 1 : 0;
    size_t *widest = rb_calloc(columns, sizeof *widest);
    RB_AUTO(rb_strs_clear) rb_strs safe = {0};
    for (size_t i = 0; i < columns && heads; i++)
        rb_strs_add(&safe, heads[i]);
    for (size_t i = 0; i < cells->n; i++)
        rb_strs_take(&safe, rb_safe(cells->items[i]));
    for (size_t i = 0; i < safe.n; i++)
        if (width(safe.items[i]) > widest[i % columns])
            widest[i % columns] = width(safe.items[i]);
    for (size_t i = 0; i < safe.n; i++) {
        bool last = i % columns == columns - 1;
        size_t row = i / columns;
        size_t pad = widest[i % columns] - width(safe.items[i]);
        bool colored = rows && row >= above && rows[row - above] != RB_PLAIN;
        if (colored && i % columns == 0)
            fputs(cli->color ? codes[rows[row - above]] : "", stdout);
        printf("%s%*s", safe.items[i], last ? 0 : (int)pad + 2, "");
        if (last)
            printf("%s\n", colored && cli->color ? codes[RB_PLAIN] : "");
    }
    free(widest);
}

const char *rb_ui_color(const rb_cli *cli, enum rb_color color)
{
    if (cli->color)
        make_marks();
    return cli->color ? marks[color] : "";
}

char *rb_ui_count(uint64_t n)
{
    return rb_text_count(n);
}

char *rb_ui_bytes(uint64_t n)
{
    return rb_text_bytes(n);
}

#define ANSWER 32 /* bytes of a line that is typed */

static bool answered(char answer[ANSWER], const rb_cli *cli, const char *fmt, va_list args)
{
    if (!cli->interactive)
        return false;
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    rb_buf_vprintf(&text, fmt, args);
    fflush(stdout);
    print_line(stderr, rb_buf_str(&text), "");
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
