/*
 * Errors.
 *
 * Every function that can fail returns an enum rb_code and takes an rb_err as its last parameter.
 * The error is filled once, where the failure starts. Its message says what was being done, to
 * what, and what was found; its hint says what to do next, with a command that can be pasted.
 * Callers return the error unchanged, or add context in front with rb_err_prefix(). The codes are
 * the program's exit codes.
 *
 * One format gives message and hint, separated by a newline:
 *
 *     rb_fail(err, RB_ERROR, "no release %s here\nfetch it with `git fetch --tags`", tag);
 *
 * Only a newline of the format separates them, not one in a value, so that text from outside cannot
 * become a hint.
 *
 * Running out of memory ends the process with abort(). That is safe, because a transition can be
 * killed at any instant and resumed. Input sizes are limited where they enter.
 */
#ifndef RB_BASE_ERR_H
#define RB_BASE_ERR_H

#include <stdarg.h>

/* Marks a type: the compiler warns if a function's result of this type is ignored. */
#ifdef __clang__
#define RB_TYPE_MUST_USE __attribute__((warn_unused_result))
#else
#define RB_TYPE_MUST_USE [[nodiscard]]
#endif

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic" /* attributes of types are a C23 feature */
enum RB_TYPE_MUST_USE rb_code {
    RB_OK = 0,      /* success, or nothing to do */
    RB_FOUND = 1,   /* a check found something */
    RB_ERROR = 2,   /* usage, config, input or system error; nothing was changed */
    RB_HALFWAY = 3, /* a transition stopped half-way: resume or abort */
    RB_BUSY = 4,    /* another run holds the environment */
    RB_DECIDE = 5,  /* a person must decide */
};
#pragma GCC diagnostic pop

/* Marks a function whose result of another type must not be ignored. */
#define RB_MUST_USE __attribute__((warn_unused_result))
#define RB_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* Calls FN(&variable) when the variable goes out of scope. */
#define RB_AUTO(fn) __attribute__((cleanup(fn)))

/* Defines NAMEp(T **) for RB_AUTO, which frees the object that the variable points to. */
#define RB_DEFINE_AUTO(type, free_fn)                                                              \
    static inline void free_fn##p(type **p)                                                        \
    {                                                                                              \
        free_fn(*p);                                                                               \
    }

typedef struct rb_err {
    enum rb_code code;
    char message[2048]; /* one line without newline, UTF-8; longer ones are cut with "..." */
    /* like message, may have more than one sentence; "" if there is nothing to do */
    char hint[1024];
} rb_err;

/* Fills *err and returns code. The text after the first newline of fmt becomes the hint. */
enum rb_code rb_fail(rb_err *err, enum rb_code code, const char *fmt, ...) RB_PRINTF(3, 4);

enum rb_code rb_vfail(rb_err *err, enum rb_code code, const char *fmt, va_list args)
    RB_PRINTF(3, 0);

/* Same as rb_fail(); ": " and the text of errno are appended to the message. */
enum rb_code rb_fail_errno(rb_err *err, enum rb_code code, const char *fmt, ...) RB_PRINTF(3, 4);

/* Inserts text and ": " before the message; returns err->code. The hint is unchanged. */
enum rb_code rb_err_prefix(rb_err *err, const char *fmt, ...) RB_PRINTF(2, 3);

/* Appends the hint to the message, after a semicolon, for output that has only one line. Returns
 * the message. */
const char *rb_err_line(rb_err *err);

/* The error argument of a call whose error is ignored. */
#define RB_IGNORED (&(rb_err){0})

/* Evaluates to the pointer and sets the variable to NULL: ownership moves away from a variable
 * declared with RB_AUTO. */
#define RB_TAKE(pointer)                                                                           \
    (__extension__({                                                                               \
        __typeof__(pointer) rb_taken = (pointer);                                                  \
        (pointer) = NULL;                                                                          \
        rb_taken;                                                                                  \
    }))

/* Evaluates expr and returns its code from the calling function unless it is RB_OK. */
#define RB_TRY(expr)                                                                               \
    do {                                                                                           \
        enum rb_code rb_try_code = (expr);                                                         \
        if (rb_try_code != RB_OK)                                                                  \
            return rb_try_code;                                                                    \
    } while (0)

#endif
