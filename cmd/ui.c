#include "ui.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

void rb_ui_json(rb_cli *cli, const json_t *json)
{
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    rb_json_canonical(&text, json);
    rb_buf_addc(&text, '\n');
    fwrite(text.data, 1, text.len, stdout);
    cli->answered = true;
}

/* Line ends stay; everything else that could steer a terminal is made visible. Our own colours are
 * put in by format strings, as \x1b[..m: kept. */
static void print_safe(FILE *file, const char *text)
{
    RB_AUTO(rb_buf_clear) rb_buf out = {0};
    while (*text) {
        size_t len = strcspn(text, "\n\x1b");
        rb_buf_add_safe(&out, text, len);
        text += len;
        if (*text == '\n') {
            rb_buf_addc(&out, *text++);
        } else if (*text == '\x1b') {
            size_t n = strspn(text + 1, "[0123456789;");
            if (text[1] == '[' && n <= 6 && text[1 + n] == 'm') {
                rb_buf_add(&out, text, n + 2);
                text += n + 2;
            } else {
                rb_buf_add_safe(&out, text++, 1);
            }
        }
    }
    fwrite(rb_buf_str(&out), 1, out.len, file);
}

void rb_ui_line(const char *fmt, ...)
{
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    va_list args;
    va_start(args, fmt);
    rb_buf_vprintf(&text, fmt, args);
    va_end(args);
    rb_buf_addc(&text, '\n');
    print_safe(stdout, text.data);
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
    rb_buf_addc(&text, '\n');
    fflush(stdout);
    print_safe(stderr, text.data);
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
    print_safe(stderr, text.data);
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
            fputs(rb_ui_color(cli, rows[row - above]), stdout);
        printf("%s%*s", safe.items[i], last ? 0 : (int)pad + 2, "");
        if (last)
            printf("%s\n", colored ? rb_ui_color(cli, RB_PLAIN) : "");
    }
    free(widest);
}

const char *rb_ui_color(const rb_cli *cli, enum rb_color color)
{
    static const char *const codes[] = {
        [RB_PLAIN] = "\x1b[0m",  [RB_BOLD] = "\x1b[1m",    [RB_RED] = "\x1b[31m",
        [RB_GREEN] = "\x1b[32m", [RB_YELLOW] = "\x1b[33m", [RB_DIM] = "\x1b[2m"};
    return cli->color ? codes[color] : "";
}

char *rb_ui_count(uint64_t n)
{
    return rb_text_count(n);
}

char *rb_ui_bytes(uint64_t n)
{
    return rb_text_bytes(n);
}

bool rb_ui_ask(const rb_cli *cli, const char *fmt, ...)
{
    if (!cli->interactive)
        return false;
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    va_list args;
    va_start(args, fmt);
    rb_buf_vprintf(&text, fmt, args);
    va_end(args);
    fflush(stdout);
    print_safe(stderr, text.data);
    fflush(stderr);
    char answer[16];
    if (!fgets(answer, sizeof answer, stdin))
        return false;
    answer[strcspn(answer, "\n")] = '\0';
    return strcmp(answer, "y") == 0 || strcmp(answer, "yes") == 0 || strcmp(answer, "Y") == 0;
}
