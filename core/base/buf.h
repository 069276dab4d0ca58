/*
 * Memory, growing byte buffers and string lists.
 *
 * The allocators never return NULL: out of memory ends the process (see err.h). A zeroed rb_buf
 * or rb_strs is empty and valid; clear() frees it and makes it empty again.
 */
#ifndef RB_BASE_BUF_H
#define RB_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

void *rb_malloc(size_t size);
void *rb_calloc(size_t count, size_t size);
void *rb_realloc(void *old, size_t count, size_t size); /* overflow of count * size is fatal */
/* Makes room for one more in a list that has n items of that size and was always grown by this: its
 * capacity follows from n. */
void *rb_grow(void *items, size_t n, size_t size);
char *rb_strdup(const char *s);              /* returns NULL for NULL */
char *rb_strndup(const char *s, size_t len); /* exactly len bytes, unlike strndup(3) */
char *rb_format(const char *fmt, ...) RB_PRINTF(1, 2);

void rb_free_str(char **s); /* for RB_AUTO on a char * */

typedef struct rb_buf {
    char *data; /* when not NULL, data[len] is '\0' */
    size_t len;
    size_t cap;
} rb_buf;

void rb_buf_clear(rb_buf *buf);
void rb_buf_reserve(rb_buf *buf, size_t more);
void rb_buf_add(rb_buf *buf, const void *data, size_t len);
void rb_buf_addc(rb_buf *buf, char c);
void rb_buf_puts(rb_buf *buf, const char *s);
void rb_buf_printf(rb_buf *buf, const char *fmt, ...) RB_PRINTF(2, 3);
void rb_buf_vprintf(rb_buf *buf, const char *fmt, va_list args);
void rb_buf_truncate(rb_buf *buf, size_t len);
/* Transfers the data to the caller, never NULL; buf is empty after. */
char *rb_buf_detach(rb_buf *buf);
const char *rb_buf_str(const rb_buf *buf); /* "" when empty */

typedef struct rb_strs {
    char **items;
    size_t n;
} rb_strs;

void rb_strs_clear(rb_strs *strs);
void rb_strs_add(rb_strs *strs, const char *s); /* adds a copy of s */
void rb_strs_take(rb_strs *strs, char *s);      /* owns s from now on */
bool rb_strs_has(const rb_strs *strs, const char *s);
bool rb_strs_has_name(const rb_strs *strs,
                      const char *name); /* compares ASCII letters without case, like SQL names */
void rb_strs_sort(rb_strs *strs);        /* sorts by bytes */
void rb_strs_add_lines(rb_strs *strs, const char *text, size_t len); /* without line feeds */
/* Joins the strings for a message: "a, b and 3 more". Lists at most `most` of them, or all if it is
 * 0. The caller owns the result. */
char *rb_strs_join(const rb_strs *strs, size_t most);

/* Returns the length of the UTF-8 sequence (RFC 3629) that text begins with, or 0. */
size_t rb_utf8_length(const char *text, size_t len);
/*
 * Appends `text` in a form that is safe on a terminal and in one line: control bytes, DEL, C1
 * controls, bidirectional overrides and invalid UTF-8 become \xHH or \u{H}. For every name, path
 * or message that comes from a repository or a database.
 */
void rb_buf_add_safe(rb_buf *buf, const char *text, size_t len);
/* Same as rb_buf_add_safe(), but keeps line feeds. */
void rb_buf_add_safe_lines(rb_buf *buf, const char *text, size_t len);
char *rb_safe(const char *text); /* same as rb_buf_add_safe(), to a new string */

#endif
