#include "trust/wire.h"

#include <string.h>

rb_wire rb_wire_of(const void *data, size_t len)
{
    return (rb_wire){.p = data, .left = len};
}

static bool number(rb_wire *w, size_t bytes, uint64_t *out)
{
    if (w->left < bytes)
        return false;
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++)
        value = value << 8 | w->p[i];
    w->p += bytes;
    w->left -= bytes;
    *out = value;
    return true;
}

bool rb_wire_u8(rb_wire *w, unsigned char *out)
{
    uint64_t value;
    if (!number(w, 1, &value))
        return false;
    *out = (unsigned char)value;
    return true;
}

bool rb_wire_u32(rb_wire *w, uint32_t *out)
{
    uint64_t value;
    if (!number(w, 4, &value))
        return false;
    *out = (uint32_t)value;
    return true;
}

bool rb_wire_u64(rb_wire *w, uint64_t *out)
{
    return number(w, 8, out);
}

bool rb_wire_string(rb_wire *w, rb_wire *out)
{
    uint32_t len;
    if (!rb_wire_u32(w, &len) || len > w->left)
        return false;
    *out = rb_wire_of(w->p, len);
    w->p += len;
    w->left -= len;
    return true;
}

bool rb_wire_bytes(rb_wire *w, void *out, size_t len)
{
    if (len > w->left)
        return false;
    memcpy(out, w->p, len);
    w->p += len;
    w->left -= len;
    return true;
}

bool rb_wire_text(rb_wire *w, rb_wire *out)
{
    rb_wire s;
    if (!rb_wire_string(w, &s))
        return false;
    if (s.left > 0 && s.p[s.left - 1] == '\0')
        s.left--;
    if (s.left > 0 && memchr(s.p, '\0', s.left))
        return false;
    *out = s;
    return true;
}

bool rb_wire_mpint(rb_wire *w, rb_wire *out)
{
    rb_wire s;
    if (!rb_wire_string(w, &s))
        return false;
    if (s.left > 0 && (s.p[0] & 0x80))
        return false;
    if (s.left > RB_WIRE_MPINT_LIMIT + 1 || (s.left == RB_WIRE_MPINT_LIMIT + 1 && s.p[0] != 0))
        return false;
    while (s.left > 0 && s.p[0] == 0) {
        s.p++;
        s.left--;
    }
    *out = s;
    return true;
}

bool rb_wire_is(const rb_wire *w, const char *text)
{
    size_t len = strlen(text);
    return w->left == len && (len == 0 || memcmp(w->p, text, len) == 0);
}

char *rb_wire_dup(const rb_wire *w)
{
    return rb_strndup(w->left ? (const char *)w->p : "", w->left);
}

char *rb_wire_safe(const rb_wire *w)
{
    rb_buf out = {0};
    rb_buf_add_safe(&out, w->left ? (const char *)w->p : "", w->left > 100 ? 100 : w->left);
    return rb_buf_detach(&out);
}

void rb_wire_put_u32(rb_buf *out, uint32_t value)
{
    unsigned char bytes[4] = {(unsigned char)(value >> 24), (unsigned char)(value >> 16),
                              (unsigned char)(value >> 8), (unsigned char)value};
    rb_buf_add(out, bytes, sizeof bytes);
}

void rb_wire_put_u64(rb_buf *out, uint64_t value)
{
    rb_wire_put_u32(out, (uint32_t)(value >> 32));
    rb_wire_put_u32(out, (uint32_t)value);
}

void rb_wire_put_string(rb_buf *out, const void *data, size_t len)
{
    rb_wire_put_u32(out, (uint32_t)len);
    if (len > 0)
        rb_buf_add(out, data, len);
}

void rb_wire_put_text(rb_buf *out, const char *text)
{
    rb_wire_put_string(out, text, strlen(text));
}

void rb_wire_put_mpint(rb_buf *out, const void *data, size_t len)
{
    const unsigned char *p = data;
    while (len > 0 && *p == 0) {
        p++;
        len--;
    }
    bool sign = len > 0 && (*p & 0x80);
    rb_wire_put_u32(out, (uint32_t)(len + sign));
    if (sign)
        rb_buf_addc(out, '\0');
    if (len > 0)
        rb_buf_add(out, p, len);
}
