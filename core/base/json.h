/*
 * JSON: strict reading, canonical writing. The only header that includes jansson.
 *
 * Reading refuses duplicate keys, invalid UTF-8, trailing text, and nesting deeper than 64.
 * Writing is RFC 8785 (JCS), or the same with an indent of two spaces. What is hashed or signed
 * holds integers only; fractions (seconds in a report) are written shortest.
 */
#ifndef RB_BASE_JSON_H
#define RB_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/buf.h"

/* what: said in the error ("manifest of v1.2.0"). Numbers with a fraction are kept as reals. */
enum rb_code rb_json_read(json_t **out, const char *text, size_t len, const char *what,
                          rb_err *err) RB_MUST_USE;

/* The line, from 1, of the member at path ("environments.prod.checks[0].name", as a rb_shape_fault
 * names it) in a text that rb_json_read() took; of the nearest value around it if it is missing. */
size_t rb_json_line(const char *text, size_t len, const char *path);

void rb_json_free(json_t *json); /* json_decref, NULL is fine */
RB_DEFINE_AUTO(json_t, rb_json_free)

/* RFC 8785: keys in UTF-16 order, no white space. */
void rb_json_canonical(rb_buf *out, const json_t *json);
/* The same bytes but for an indent of two spaces, and a newline at the end. */
void rb_json_pretty(rb_buf *out, const json_t *json);
/* JSON text for a screen: the same value, but what rb_safe() would not let through is written as
 * \uXXXX. */
void rb_json_screen(rb_buf *out, const rb_buf *text);
/* Hexadecimal SHA-256 of the canonical form. */
void rb_json_hash(const json_t *json, char out[65]);

/* A string member, or NULL when it is absent or no string. Borrowed. */
const char *rb_json_str(const json_t *object, const char *key);
int64_t rb_json_int(const json_t *object, const char *key, int64_t otherwise);
/* A new string, of text that is no UTF-8 as rb_safe() shows it; null for NULL. */
json_t *rb_json_text(const char *text);
/* json_object_set_new and rb_json_text(). */
void rb_json_set_str(json_t *object, const char *key, const char *value);
/* The same for bytes that need not be UTF-8 (paths): hexadecimal, read back with rb_json_bytes(),
 * which gives NULL when the member is absent or no such text. */
void rb_json_set_bytes(json_t *object, const char *key, const char *bytes);
char *rb_json_bytes(const json_t *object, const char *key);
/* {"code","message"}, or null for NULL: a new value. The message is made safe. */
json_t *rb_err_json(const rb_err *err);
json_t *rb_json_strs(const rb_strs *strs);           /* a new array */
bool rb_json_same(const json_t *a, const json_t *b); /* equal, or both NULL */

#endif
