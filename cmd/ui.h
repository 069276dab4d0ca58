/*
 * Output for people: tables, colours, numbers, questions, progress. Text from repositories and
 * databases must pass rb_safe() before it reaches a terminal; the functions here do that.
 */
#ifndef RB_CMD_UI_H
#define RB_CMD_UI_H

#include "cli.h"

void rb_ui_json(rb_cli *cli, const json_t *json); /* one document, canonical, on stdout */
void rb_ui_document(rb_cli *cli, json_t *json);   /* prints the document, then frees it */
/*
 * In a format or template <bold>, <red>, <green>, <yellow>, <dim> begin a colour, and </> ends it.
 * They are removed if colour is off, and have no effect in the data.
 */
void rb_ui_line(const char *fmt, ...) RB_PRINTF(1, 2); /* prints one line of result on stdout */
void rb_ui_note(const rb_cli *cli, const char *fmt, ...)
    RB_PRINTF(2, 3); /* prints on stderr, unless --quiet */
void rb_ui_progress(const rb_cli *cli, const char *fmt, ...)
    RB_PRINTF(2, 3);           /* the next line overwrites it */
void rb_ui_progress_end(void); /* removes it; what is printed by this module does, too */

/* Prints one line of result on stdout: a template (base/template.h), filled from a document. */
void rb_ui_item(const char *template, const json_t *value);

/* Appends a line. Each line is made safe when it is added, so that the text may have several. */
void rb_ui_add(rb_buf *out, const char *fmt, ...) RB_PRINTF(2, 3);
/* Appends a template of several lines. escape: converts a member's text to one line of another
 * format, and NULL means rb_safe(). */
void rb_ui_fill(rb_buf *out, const char *template, const json_t *value,
                char *(*escape)(const char *));
void rb_ui_text(const rb_cli *cli, const rb_buf *text,
                bool to_stderr); /* to_stderr: not if --quiet */

/* Prints the output of a program, each line after `before`: on stderr if cli is given, else on
 * stdout. output NULL: prints nothing. */
void rb_ui_output(const rb_cli *cli, const char *before, const char *output);

enum rb_color { RB_PLAIN, RB_BOLD, RB_RED, RB_GREEN, RB_YELLOW, RB_DIM };

/* Prints a document's array as a table: a row for each item, with columns padded to the widest
 * cell. row_colors: one for each row, or NULL. */
typedef struct rb_ui_column {
    const char *head;
    const char *text; /* a template */
} rb_ui_column;
void rb_ui_table(const rb_ui_column *columns, size_t count, const json_t *rows,
                 const enum rb_color *row_colors);

/* The same for many rows, one after the other: a row is freed when it is added. With --json, prints
 * them as the document {"NAME":[...]} instead. */
typedef struct rb_ui_rows {
    rb_cli *cli;
    const char *name;
    const rb_ui_column *columns;
    size_t count; /* number of columns */
    rb_buf json;
    rb_strs cells;
} rb_ui_rows;
void rb_ui_rows_add(rb_ui_rows *rows, json_t *row);
/* Prints and frees all rows. rest: further members of the document, which sort after `name`; NULL:
 * none. */
void rb_ui_rows_print(rb_ui_rows *rows, const json_t *rest);

/* Returns a placeholder for a colour that depends on the data; "" without colour. Only the
 * functions above replace it with the escape sequence. Escape sequences in the data are never sent
 * to the terminal. */
const char *rb_ui_color(enum rb_color color);
void rb_ui_use_color(void); /* turns colour on if stdout may be coloured; call it once */

/* Asks a question on the terminal. True only for the answer "y" or "yes". */
bool rb_ui_ask(const rb_cli *cli, const char *fmt, ...) RB_PRINTF(2, 3);
/* Asks a question whose answer must be this number. Accepts thousands separators: 20,038. */
bool rb_ui_ask_number(const rb_cli *cli, int64_t number, const char *fmt, ...) RB_PRINTF(3, 4);

/* Reads a line from the terminal. Returns it as a new string, safe to show; NULL if it is empty or
 * longer than `limit` bytes, or if standard input is not a terminal. */
char *rb_ui_ask_text(const rb_cli *cli, size_t limit, const char *fmt, ...) RB_PRINTF(3, 4);

/* Sends stdout through git's pager from here on, if stdout is a terminal and --json was not given.
 * rb_ui_page_end() waits until the user leaves the pager; without one it does nothing. */
void rb_ui_page(rb_cli *cli);
void rb_ui_page_end(void);

#endif
