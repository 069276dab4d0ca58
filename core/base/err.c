#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void format(rb_err *err, enum rb_code code, const char *fmt, va_list args)
{
    int n = vsnprintf(err->message, sizeof err->message, fmt, args);
    if (n >= (int)sizeof err->message)
        memcpy(err->message + sizeof err->message - 4, "...", 4);
    err->code = code;
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
    size_t len = strlen(err->message);
    snprintf(err->message + len, sizeof err->message - len, ": %s", strerror(saved));
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
    size_t len = strlen(err->message);
    int n = snprintf(err->message + len, sizeof err->message - len, ": %s", old.message);
    if (n >= (int)(sizeof err->message - len))
        memcpy(err->message + sizeof err->message - 4, "...", 4);
    return old.code;
}
