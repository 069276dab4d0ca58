#include "base/buf.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void *rb_malloc(size_t size)
{
    void *p = malloc(size ? size : 1);
    if (!p)
        abort();
    return p;
}

void *rb_calloc(size_t count, size_t size)
{
    void *p = calloc(count ? count : 1, size ? size : 1);
    if (!p)
        abort();
    return p;
}

void *rb_realloc(void *old, size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total))
        abort();
    void *p = realloc(old, total ? total : 1);
    if (!p)
        abort();
    return p;
}

void *rb_grow(void *items, size_t n, size_t size)
{
    const bool is_full = n == 0 || (n >= 4 && (n & (n - 1)) == 0);
    return is_full ? rb_realloc(items, n == 0 ? 4 : 2 * n, size) : items;
}

char *rb_strdup(const char *s)
{
    return s ? rb_strndup(s, strlen(s)) : NULL;
}

char *rb_strndup(const char *s, size_t len)
{
    char *p = rb_malloc(len + 1);
    if (len)
        memcpy(p, s, len);
    p[len] = '\0';
    return p;
}

char *rb_format(const char *fmt, ...)
{
    rb_buf buf = {0};
    va_list args;
    va_start(args, fmt);
    rb_buf_vprintf(&buf, fmt, args);
    va_end(args);
    return rb_buf_detach(&buf);
}

void rb_free_str(char **s)
{
    free(*s);
    *s = NULL;
}

void rb_buf_clear(rb_buf *buf)
{
    free(buf->data);
    *buf = (rb_buf){0};
}

void rb_buf_reserve(rb_buf *buf, size_t more)
{
    if (more >= SIZE_MAX / 2 - buf->len)
        abort();
    size_t need = buf->len + more + 1;
    if (need <= buf->cap)
        return;
    size_t cap = buf->cap ? buf->cap + buf->cap / 2 : 64;
    if (cap < need)
        cap = need;
    buf->data = rb_realloc(buf->data, cap, 1);
    buf->cap = cap;
}

void rb_buf_add(rb_buf *buf, const void *data, size_t len)
{
    rb_buf_reserve(buf, len);
    if (len)
        memcpy(buf->data + buf->len, data, len);
    buf->len += len;
    buf->data[buf->len] = '\0';
}

void rb_buf_addc(rb_buf *buf, char c)
{
    rb_buf_reserve(buf, 1);
    buf->data[buf->len++] = c;
    buf->data[buf->len] = '\0';
}

void rb_buf_puts(rb_buf *buf, const char *s)
{
    rb_buf_add(buf, s, strlen(s));
}

void rb_buf_vprintf(rb_buf *buf, const char *fmt, va_list args)
{
    va_list again;
    va_copy(again, args);
    rb_buf_reserve(buf, 63); /* 64 bytes hold most texts without another allocation */
    int n = vsnprintf(buf->data + buf->len, buf->cap - buf->len, fmt, args);
    if (n < 0)
        abort();
    if ((size_t)n >= buf->cap - buf->len) {
        rb_buf_reserve(buf, (size_t)n);
        vsnprintf(buf->data + buf->len, (size_t)n + 1, fmt, again);
    }
    va_end(again);
    buf->len += (size_t)n;
}

void rb_buf_printf(rb_buf *buf, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    rb_buf_vprintf(buf, fmt, args);
    va_end(args);
}

void rb_buf_truncate(rb_buf *buf, size_t len)
{
    if (len >= buf->len)
        return;
    buf->len = len;
    buf->data[len] = '\0';
}

char *rb_buf_detach(rb_buf *buf)
{
    rb_buf_reserve(buf, 0);
    buf->data[buf->len] = '\0';
    char *data = buf->data;
    *buf = (rb_buf){0};
    return data;
}

const char *rb_buf_str(const rb_buf *buf)
{
    return buf->data ? buf->data : "";
}

void rb_strs_clear(rb_strs *strs)
{
    for (size_t i = 0; i < strs->n; i++)
        free(strs->items[i]);
    free(strs->items);
    *strs = (rb_strs){0};
}

void rb_strs_add(rb_strs *strs, const char *s)
{
    rb_strs_take(strs, rb_strdup(s));
}

void rb_strs_take(rb_strs *strs, char *s)
{
    strs->items = rb_grow(strs->items, strs->n, sizeof *strs->items);
    strs->items[strs->n++] = s;
}

bool rb_strs_has(const rb_strs *strs, const char *s)
{
    for (size_t i = 0; i < strs->n; i++)
        if (strcmp(strs->items[i], s) == 0)
            return true;
    return false;
}

bool rb_strs_has_name(const rb_strs *strs, const char *name)
{
    for (size_t i = 0; i < strs->n; i++)
        if (strcasecmp(strs->items[i], name) == 0)
            return true;
    return false;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void rb_strs_sort(rb_strs *strs)
{
    if (strs->n)
        qsort(strs->items, strs->n, sizeof *strs->items, compare);
}

/* Returns the length of the first line, without its line feed. */
static size_t line_length(const char *text, size_t len)
{
    const char *end = memchr(text, '\n', len);
    return end ? (size_t)(end - text) : len;
}

void rb_strs_add_lines(rb_strs *strs, const char *text, size_t len)
{
    for (size_t at = 0, n; at < len; at += n + 1) {
        n = line_length(text + at, len - at);
        rb_strs_take(strs, rb_strndup(text + at, n));
    }
}

char *rb_strs_join(const rb_strs *strs, size_t most)
{
    rb_buf out = {0};
    size_t n = most > 0 && most < strs->n ? most : strs->n;
    for (size_t i = 0; i < n; i++)
        rb_buf_printf(&out, "%s%s", i ? ", " : "", strs->items[i]);
    if (n < strs->n)
        rb_buf_printf(&out, " and %zu more", strs->n - n);
    return rb_buf_detach(&out);
}

/* Length of the valid UTF-8 sequence at p (RFC 3629: no overlong forms, no surrogates), or 0. */
static size_t utf8_sequence(const unsigned char *p, size_t len, uint32_t *code)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = p[0] < 0x80 ? 1 : p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : p[0] >= 0xc0 ? 2 : 0;
    if (n == 0 || n > len || p[0] > 0xf4)
        return 0;
    uint32_t c = n == 1 ? p[0] : p[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (p[i] & 0x3f);
    }
    if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 0;
    *code = c;
    return n;
}

size_t rb_utf8_length(const char *text, size_t len)
{
    uint32_t code;
    return utf8_sequence((const unsigned char *)text, len, &code);
}

void rb_buf_add_safe(rb_buf *buf, const char *text, size_t len)
{
    const unsigned char *p = (const unsigned char *)text;
    while (len > 0) {
        uint32_t c = 0;
        size_t n = utf8_sequence(p, len, &c);
        if (n == 0) {
            rb_buf_printf(buf, "\\x%02x", p[0]);
            n = 1;
        } else if (c < 0x20 || c == 0x7f) {
            rb_buf_printf(buf, "\\x%02x", (unsigned)c);
        } else if ((c >= 0x80 && c < 0xa0) || (c >= 0x202a && c <= 0x202e) ||
                   (c >= 0x2066 && c <= 0x2069) || c == 0x200e || c == 0x200f || c == 0x2028 ||
                   c == 0x2029) {
            rb_buf_printf(buf, "\\u{%x}", (unsigned)c);
        } else {
            rb_buf_add(buf, p, n);
        }
        p += n;
        len -= n;
    }
}

void rb_buf_add_safe_lines(rb_buf *buf, const char *text, size_t len)
{
    for (size_t at = 0, n; at < len; at += n + 1) {
        n = line_length(text + at, len - at);
        rb_buf_add_safe(buf, text + at, n);
        rb_buf_add(buf, "\n", at + n < len);
    }
}

char *rb_safe(const char *text)
{
    rb_buf buf = {0};
    rb_buf_add_safe(&buf, text, strlen(text));
    return rb_buf_detach(&buf);
}
