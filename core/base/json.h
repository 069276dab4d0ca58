/*
 * JSON: strict parser and canonical writer. The only header that includes jansson.
 *
 * The parser refuses duplicate keys, invalid UTF-8, trailing text, and nesting deeper than 64. The
 * writer produces RFC 8785 (JCS), or the same with an indent of two spaces. Documents that are
 * hashed or signed contain integers only. Fractions (seconds in a report) are written in their
 * shortest form.
 */
#ifndef RB_BASE_JSON_H
#define RB_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/buf.h"

/* Parses strictly. `what` names the document in errors ("manifest of v1.2.0"). Numbers with a
 * fraction become reals. */
enum rb_code rb_json_read(json_t **out, const char *text, size_t len, const char *what,
                          rb_err *err);

/* Returns the line, counted from 1, of the member at `path` ("environments.prod.checks[0].name", as
 * in a rb_shape_fault) in a text that rb_json_read() accepted. If the member is missing, returns
 * the line of the nearest value that would contain it. */
size_t rb_json_line(const char *text, size_t len, const char *path);

void rb_json_free(json_t *json); /* json_decref, NULL is fine */
RB_DEFINE_AUTO(json_t, rb_json_free)

/* Appends the canonical form of RFC 8785: keys in UTF-16 order, no white space. */
void rb_json_canonical(rb_buf *out, const json_t *json);
/* Same as rb_json_canonical(), with an indent of two spaces and a newline at the end. */
void rb_json_pretty(rb_buf *out, const json_t *json);
/* Appends JSON text in a form for terminals: the same value, but characters that rb_safe() escapes
 * are written as \uXXXX. */
void rb_json_screen(rb_buf *out, const rb_buf *text);
/* Computes the SHA-256 of the canonical form, in hexadecimal. */
void rb_json_hash(const json_t *json, char out[65]);

/* Returns a string member, borrowed; NULL if it is absent or not a string. */
const char *rb_json_str(const json_t *object, const char *key);
int64_t rb_json_int(const json_t *object, const char *key, int64_t otherwise);
/* Creates a JSON string. Text that is not UTF-8 is converted as by rb_safe(). Returns null for
 * NULL. */
json_t *rb_json_text(const char *text);
/* Sets a member to rb_json_text(value). */
void rb_json_set_str(json_t *object, const char *key, const char *value);

/*
 * Creates an object. `members`, such as "tag:s ok:b", lists KEY:TYPE; each member takes one
 * argument. Types: s, a text as in rb_json_text(); t, the same, safe for terminals; b, bool; d,
 * int; n, size_t; i, int64_t; j, json_t * that the object takes over, or NULL for null; J, the
 * same, but not taken over; 0, null, without an argument.
 */
json_t *rb_json_make(const char *members, ...);
/* Sets the members of an object in the same way. */
void rb_json_set(json_t *object, const char *members, ...);

/* Runs the block for each item of an array; `break` and `continue` work as in any loop. */
#define rb_json_each(item, array)                                                                  \
    for (size_t item##_at = 0, item##_go = 1; item##_go && item##_at < json_array_size(array);     \
         item##_at++)                                                                              \
        for (json_t *item = (item##_go = 0, json_array_get(array, item##_at)); !item##_go;         \
             item##_go = 1)

/* Runs the block for each member of an object. The block must not add or remove members. */
#define rb_json_each_member(key, value, object)                                                    \
    for (void *key##_at = json_object_iter((json_t *)(object)), *key##_go = key##_at; key##_go;    \
         key##_at = key##_go ? json_object_iter_next((json_t *)(object), key##_at) : NULL,         \
              key##_go = key##_at)                                                                 \
        for (const char *key = (key##_go = NULL, json_object_iter_key(key##_at)); key; key = NULL) \
            for (json_t *value = json_object_iter_value(key##_at); !key##_go;                      \
                 key##_go = key##_at, (void)value)

/* Sets a member to bytes that need not be UTF-8 (paths), in hexadecimal. rb_json_bytes() reads
 * them; it returns NULL if the member is absent or malformed. */
void rb_json_set_bytes(json_t *object, const char *key, const char *bytes);
char *rb_json_bytes(const json_t *object, const char *key);
/* Creates {"code","message","hint"}; null for NULL. The texts are safe for terminals. */
json_t *rb_err_json(const rb_err *err);
json_t *rb_json_strs(const rb_strs *strs); /* a new array */
/* Releases *at and makes it a new reference to value. */
void rb_json_replace(json_t **at, const json_t *value);
bool rb_json_same(const json_t *a, const json_t *b); /* true if equal, or both NULL */

#endif
