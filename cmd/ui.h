/*
 * What people see: tables, colour, numbers, questions, progress. Texts from repositories and
 * databases pass through rb_safe() before they reach a terminal; rb_ui_* do that themselves.
 */
#ifndef RB_CMD_UI_H
#define RB_CMD_UI_H

#include "cli.h"

void rb_ui_json(rb_cli *cli, const json_t *json); /* one document, canonical, on stdout */
void rb_ui_document(rb_cli *cli, json_t *json);   /* the same, and frees it */
/*
 * <bold>, <red>, <green>, <yellow>, <dim> in a format or template begin a colour, </> ends it. They
 * have no effect in the data, nor without colour.
 */
void rb_ui_line(const char *fmt, ...) RB_PRINTF(1, 2); /* one line of result on stdout */
void rb_ui_note(const rb_cli *cli, const char *fmt, ...) RB_PRINTF(2, 3); /* stderr; not --quiet */
void rb_ui_progress(const rb_cli *cli, const char *fmt, ...) RB_PRINTF(2, 3); /* overwritten */
void rb_ui_progress_end(const rb_cli *cli);

/* One line of result, a template (base/template.h) filled from a document. */
void rb_ui_item(const char *template, const json_t *value);

/* Several lines as one text: each is made safe as it is added, with its line end. */
void rb_ui_add(rb_buf *out, const char *fmt, ...) RB_PRINTF(2, 3);
void rb_ui_add_item(rb_buf *out, const char *template, const json_t *value);
void rb_ui_text(const rb_cli *cli, const rb_buf *text, bool to_stderr); /* stderr: not --quiet */

/* What a program printed, a line each behind `before`; cli: as notes. NULL: nothing. */
void rb_ui_output(const rb_cli *cli, const char *before, const char *output);

enum rb_color { RB_PLAIN, RB_BOLD, RB_RED, RB_GREEN, RB_YELLOW, RB_DIM };

/* A table of a document's array: a row for each item, padded to the widest cell. row_colors: one
 * for each row, or NULL. */
typedef struct rb_ui_column {
    const char *head;
    const char *text; /* a template */
} rb_ui_column;
void rb_ui_table(const rb_ui_column *columns, size_t count, const json_t *rows,
                 const enum rb_color *row_colors);

/* For colours that depend on the data: a placeholder that the functions above replace with the
 * colour's escape sequence, "" without colour. Escape sequences in the data are never interpreted.
 */
const char *rb_ui_color(enum rb_color color);
void rb_ui_use_color(void); /* once, where stdout may be coloured */

/* Asks on the terminal; true only for "y" or "yes". */
bool rb_ui_ask(const rb_cli *cli, const char *fmt, ...) RB_PRINTF(2, 3);
/* The same question, to be answered with this number; 20,038 is 20038. */
bool rb_ui_ask_number(const rb_cli *cli, int64_t number, const char *fmt, ...) RB_PRINTF(3, 4);

/* Returns a line of at most `limit` bytes that is typed, safe to show, as a new string; NULL if it
 * is empty or longer, or standard input is not a terminal. */
char *rb_ui_ask_text(const rb_cli *cli, size_t limit, const char *fmt, ...) RB_PRINTF(3, 4);

/* From here on stdout goes through git's pager, where it is a terminal and no JSON was asked for;
 * rb_ui_page_end() waits until the person has left it, and does nothing where there is none. */
void rb_ui_page(rb_cli *cli);
void rb_ui_page_end(void);

#endif
