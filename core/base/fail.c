#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"

/* Makes `text`, in a buffer of `size` bytes, valid UTF-8 so that it can be written as JSON.
 * `wanted` is the length of the whole text: if that does not fit, the text ends with "...". */
static void finish(char *text, size_t size, size_t wanted)
{
    const size_t room = size - sizeof "...";
    bool cut = wanted >= size;
    if (!cut && rb_text_is_utf8(text, strlen(text)))
        return;
    RB_AUTO(rb_free_str) char *safe = rb_safe(text);
    size_t len = strlen(safe);
    if (len >= size)
        cut = true;
    if (cut && len > room)
        len = room;
    while (cut && len > 0 && ((unsigned char)safe[len] & 0xc0) == 0x80)
        len--;
    snprintf(text, size, "%.*s%s", (int)len, safe, cut ? "..." : "");
}

static void set(char *text, size_t size, const char *from)
{
    finish(text, size, (size_t)snprintf(text, size, "%s", from));
}

/* Only the first newline of fmt separates message and hint; a newline in a value does not. */
enum rb_code rb_vfail(rb_err *err, enum rb_code code, const char *fmt, va_list args)
{
    RB_AUTO(rb_buf_clear) rb_buf all = {0};
    RB_AUTO(rb_buf_clear) rb_buf message = {0};
    RB_AUTO(rb_free_str) char *first = rb_strndup(fmt, strcspn(fmt, "\n"));
    va_list again;
    va_copy(again, args);
    rb_buf_vprintf(&message, first, again);
    va_end(again);
    rb_buf_vprintf(&all, fmt, args);
    const char *rest = rb_buf_str(&all) + message.len;
    set(err->message, sizeof err->message, rb_buf_str(&message));
    set(err->hint, sizeof err->hint, *rest ? rest + 1 : rest);
    err->code = code;
    return code;
}

static void append(rb_err *err, const char *more)
{
    size_t len = strlen(err->message);
    int n = snprintf(err->message + len, sizeof err->message - len, ": %s", more);
    finish(err->message, sizeof err->message, len + (n < 0 ? 0 : (size_t)n));
}

enum rb_code rb_fail(rb_err *err, enum rb_code code, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void)rb_vfail(err, code, fmt, args);
    va_end(args);
    return code;
}

enum rb_code rb_fail_errno(rb_err *err, enum rb_code code, const char *fmt, ...)
{
    int saved = errno;
    va_list args;
    va_start(args, fmt);
    (void)rb_vfail(err, code, fmt, args);
    va_end(args);
    append(err, strerror(saved));
    errno = saved;
    return code;
}

enum rb_code rb_err_prefix(rb_err *err, const char *fmt, ...)
{
    rb_err old = *err;
    va_list args;
    va_start(args, fmt);
    (void)rb_vfail(err, old.code, fmt, args);
    va_end(args);
    append(err, old.message);
    memcpy(err->hint, old.hint, sizeof err->hint);
    return old.code;
}

const char *rb_err_line(rb_err *err)
{
    size_t len = strlen(err->message);
    if (err->hint[0]) {
        int n = snprintf(err->message + len, sizeof err->message - len, "; %s", err->hint);
        finish(err->message, sizeof err->message, len + (n < 0 ? 0 : (size_t)n));
        err->hint[0] = '\0';
    }
    return err->message;
}
