/*
 * What people see: tables, colour, numbers, questions, progress. Texts from repositories and
 * databases pass through rb_safe() before they reach a terminal; rb_ui_* do that themselves.
 */
#ifndef RB_CMD_UI_H
#define RB_CMD_UI_H

#include "cli.h"

void rb_ui_json(rb_cli *cli, const json_t *json);      /* one document, canonical, on stdout */
void rb_ui_line(const char *fmt, ...) RB_PRINTF(1, 2); /* one line of result on stdout */
void rb_ui_note(const rb_cli *cli, const char *fmt, ...) RB_PRINTF(2, 3); /* stderr; not --quiet */
void rb_ui_progress(const rb_cli *cli, const char *fmt, ...) RB_PRINTF(2, 3); /* overwritten */
void rb_ui_progress_end(const rb_cli *cli);

/* Several lines as one text: each is made safe as it is added, with its line end. */
void rb_ui_add(rb_buf *out, const char *fmt, ...) RB_PRINTF(2, 3);
void rb_ui_text(const rb_cli *cli, const rb_buf *text, bool to_stderr); /* stderr: not --quiet */

/* Columns padded to the widest cell; cells are made safe. Rows of `columns` strings. */
void rb_ui_table(const char *const *heads, const rb_strs *cells, size_t columns);

enum rb_color { RB_PLAIN, RB_BOLD, RB_RED, RB_GREEN, RB_YELLOW, RB_DIM };
/* The same with a colour for each row below the heads. */
void rb_ui_rows(const rb_cli *cli, const char *const *heads, const rb_strs *cells, size_t columns,
                const enum rb_color *rows);
/* Returns a placeholder that the functions above replace with the colour's escape sequence, ""
 * without colour; RB_PLAIN ends it. Escape sequences in repository data are never interpreted. */
const char *rb_ui_color(const rb_cli *cli, enum rb_color color);

char *rb_ui_count(uint64_t n); /* 18,233 */
char *rb_ui_bytes(uint64_t n); /* 43.1 MB */

/* Asks on the terminal; true only for "y" or "yes". */
bool rb_ui_ask(const rb_cli *cli, const char *fmt, ...) RB_PRINTF(2, 3);
/* The same question, to be answered with this number; 20,038 is 20038. */
bool rb_ui_ask_number(const rb_cli *cli, int64_t number, const char *fmt, ...) RB_PRINTF(3, 4);

/* From here on stdout goes through git's pager, where it is a terminal and no JSON was asked for;
 * rb_ui_page_end() waits until the person has left it, and does nothing where there is none. */
void rb_ui_page(rb_cli *cli);
void rb_ui_page_end(void);

#endif
