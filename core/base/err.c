#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

/* wanted: the length that the whole text has. What is left is UTF-8: it goes into JSON. */
static void finish(rb_err *err, size_t wanted)
{
    const size_t room = sizeof err->message - sizeof "...";
    bool cut = wanted >= sizeof err->message;
    if (!cut && rb_text_is_utf8(err->message, strlen(err->message)))
        return;
    RB_AUTO(rb_free_str) char *safe = rb_safe(err->message);
    size_t len = strlen(safe);
    if (len >= sizeof err->message)
        cut = true;
    if (cut && len > room)
        len = room;
    while (cut && len > 0 && ((unsigned char)safe[len] & 0xc0) == 0x80)
        len--;
    snprintf(err->message, sizeof err->message, "%.*s%s", (int)len, safe, cut ? "..." : "");
}

static void format(rb_err *err, enum rb_code code, const char *fmt, va_list args)
{
    int n = vsnprintf(err->message, sizeof err->message, fmt, args);
    finish(err, n < 0 ? 0 : (size_t)n);
    err->code = code;
}

static void append(rb_err *err, const char *more)
{
    size_t len = strlen(err->message);
    int n = snprintf(err->message + len, sizeof err->message - len, ": %s", more);
    finish(err, len + (n < 0 ? 0 : (size_t)n));
}

enum rb_code rb_fail(rb_err *err, enum rb_code code, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    format(err, code, fmt, args);
    va_end(args);
    return code;
}

enum rb_code rb_fail_errno(rb_err *err, enum rb_code code, const char *fmt, ...)
{
    int saved = errno;
    va_list args;
    va_start(args, fmt);
    format(err, code, fmt, args);
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
    format(err, old.code, fmt, args);
    va_end(args);
    append(err, old.message);
    return old.code;
}
