/*
 * Small things about text: sameness, numbers for people, the nearest word, UTF-8.
 */
#ifndef RB_BASE_TEXT_H
#define RB_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* The caller owns. */
char *rb_text_count(uint64_t n); /* 18,233 */
char *rb_text_bytes(uint64_t n); /* 43.1 MB */

const char *rb_text_s(uint64_t n); /* the plural's "s": "" for one */

bool rb_text_same(const char *a, const char *b); /* NULL is like nothing, also not like NULL */

bool rb_text_is_utf8(const char *text, size_t len);  /* RFC 3629, and no NUL byte */
bool rb_text_is_plain(const char *text, size_t len); /* UTF-8 without control characters */

/* Letters to insert, delete, replace or swap with a neighbour to get from a to b; the first 64
 * bytes of each count. */
size_t rb_text_distance(const char *a, const char *b);

/* The candidate (list ends with NULL) that word is probably a misspelling or the beginning of, for
 * "did you mean"; NULL where none is close: more than a third of the letters differ. */
const char *rb_text_similar(const char *word, const char *const *candidates);

#endif
