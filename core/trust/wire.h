/*
 * Reads and writes the data types of the SSH protocol (RFC 4251, section 5). A reader (rb_wire) is
 * a byte range and never reads outside of it. A string that is read is itself a reader over its
 * bytes.
 */
#ifndef RB_TRUST_WIRE_H
#define RB_TRUST_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define RB_WIRE_MPINT_LIMIT 2048 /* bytes of an integer: 16,384 bits, the limit of OpenSSH, too */

typedef struct rb_wire {
    const unsigned char *p;
    size_t left;
} rb_wire;

rb_wire rb_wire_of(const void *data, size_t len);

/* Each removes one value from the front. False if it is cut off; then w must not be used any
 * more. */
bool rb_wire_u8(rb_wire *w, unsigned char *out) RB_MUST_USE;
bool rb_wire_u32(rb_wire *w, uint32_t *out) RB_MUST_USE;
bool rb_wire_u64(rb_wire *w, uint64_t *out) RB_MUST_USE;
bool rb_wire_string(rb_wire *w, rb_wire *out) RB_MUST_USE;
bool rb_wire_bytes(rb_wire *w, void *out, size_t len) RB_MUST_USE;
/* A string that is text: without NUL, except for one at its end, which is dropped (as by
 * OpenSSH). */
bool rb_wire_text(rb_wire *w, rb_wire *out) RB_MUST_USE;
/* A non-negative integer; leading zero bytes are dropped. */
bool rb_wire_mpint(rb_wire *w, rb_wire *out) RB_MUST_USE;

/* true if the remaining bytes equal the text */
bool rb_wire_is(const rb_wire *w, const char *text);
char *rb_wire_dup(const rb_wire *w);
char *rb_wire_safe(const rb_wire *w); /* the bytes for messages, at most 100; a new string */

void rb_wire_put_u32(rb_buf *out, uint32_t value);
void rb_wire_put_u64(rb_buf *out, uint64_t value);
void rb_wire_put_string(rb_buf *out, const void *data, size_t len);
void rb_wire_put_text(rb_buf *out, const char *text);
/* writes an unsigned big-endian number */
void rb_wire_put_mpint(rb_buf *out, const void *data, size_t len);

#endif
