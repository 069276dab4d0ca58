/*
 * Small text functions: equality, numbers for people, the nearest word, UTF-8. Results that are
 * char * are owned by the caller.
 */
#ifndef RB_BASE_TEXT_H
#define RB_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* These return new strings. */
char *rb_text_count(uint64_t n); /* 18,233 */
char *rb_text_bytes(uint64_t n); /* 43.1 MB */

char *rb_text_iso(int64_t when); /* "2026-11-30T19:53:54Z"; NULL if `when` is 0 or less */

/* Reads YYYY-MM-DD at the beginning of the text as midnight UTC. False if it is not a date. */
bool rb_text_day(int64_t *out, const char *text);

/* Percent-encoded (RFC 3986), except unreserved characters and those in `also`. */
char *rb_text_uri(const char *text, const char *also);

/* Appends the word in single quotes, for a shell. */
void rb_text_quote(rb_buf *out, const char *word);

const char *rb_text_s(uint64_t n); /* the plural's "s": "" if n is 1 */

bool rb_text_same(const char *a, const char *b); /* false if either is NULL */
bool rb_text_ends(const char *text, const char *end);

/* Returns the part of `path` after folder `dir` and a slash; "" if `path` is `dir`; NULL if it is
 * not below. */
const char *rb_text_below(const char *path, const char *dir);

bool rb_text_is_utf8(const char *text, size_t len);  /* valid by RFC 3629, and without NUL bytes */
bool rb_text_is_plain(const char *text, size_t len); /* UTF-8 without control characters */

/* Reads a duration such as "45", "45s", "10m", "2h" or "1d". Returns its seconds, or -1 if the text
 * is not a duration or is longer than a year. */
int64_t rb_text_seconds(const char *text);

/* Returns the edit distance of a and b: the number of letters to insert, delete, replace or swap
 * with a neighbour. Letters after the first 64 are ignored. */
size_t rb_text_distance(const char *a, const char *b);

/* Returns the candidate that `word` probably misspells or abbreviates, for "did you mean". The list
 * ends with NULL. Returns NULL if more than a third of the letters differ from every candidate. */
const char *rb_text_similar(const char *word, const char *const *candidates);

#endif
