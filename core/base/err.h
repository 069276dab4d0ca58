/*
 * Errors.
 *
 * Every function that can fail returns an enum rb_code and takes an rb_err as its last
 * parameter. The error is filled once, where the failure starts. Its message says what was being
 * done, to what, and what was found; its hint says what to do next, with a command that can be
 * pasted. Callers pass it on, or put words before it with rb_err_prefix(). The codes are the
 * program's exit codes.
 *
 * A format writes both, with a newline between them:
 *
 *     return rb_fail(err, RB_ERROR, "no release %s in this clone\nfetch it with `git fetch
 * --tags`", tag);
 *
 * The newline of the format counts, not one in a value: no text from outside becomes a hint.
 *
 * Running out of memory ends the process with abort(): a transition is built to be killed at any
 * instant and resumed, so this needs no second way out. Input sizes are limited where they enter.
 */
#ifndef RB_BASE_ERR_H
#define RB_BASE_ERR_H

#include <stdarg.h>

/* A type whose values must be looked at, wherever a function returns one. */
#ifdef __clang__
#define RB_TYPE_MUST_USE __attribute__((warn_unused_result))
#else
#define RB_TYPE_MUST_USE [[nodiscard]]
#endif

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic" /* attributes like that are C23 */
enum RB_TYPE_MUST_USE rb_code {
    RB_OK = 0,      /* done, or nothing to do */
    RB_FOUND = 1,   /* a check found something */
    RB_ERROR = 2,   /* usage, config, input or system error; nothing was changed */
    RB_HALFWAY = 3, /* a transition stopped half-way: resume or abort */
    RB_BUSY = 4,    /* another run holds the environment */
    RB_DECIDE = 5,  /* a person must decide */
};
#pragma GCC diagnostic pop

/* For functions with another result. */
#define RB_MUST_USE __attribute__((warn_unused_result))
#define RB_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* Calls FN(&variable) when the variable goes out of scope. */
#define RB_AUTO(fn) __attribute__((cleanup(fn)))

/* Defines NAMEp(T **), for RB_AUTO on a pointer that owns. */
#define RB_DEFINE_AUTO(type, free_fn)                                                              \
    static inline void free_fn##p(type **p)                                                        \
    {                                                                                              \
        free_fn(*p);                                                                               \
    }

typedef struct rb_err {
    enum rb_code code;
    char message[2048]; /* one line without newline, UTF-8; longer ones are cut with "..." */
    char hint[1024];    /* the same; "" where nothing is to be done */
} rb_err;

/* Fills *err and returns code. What follows the first newline of fmt is the hint. */
enum rb_code rb_fail(rb_err *err, enum rb_code code, const char *fmt, ...) RB_PRINTF(3, 4);

enum rb_code rb_vfail(rb_err *err, enum rb_code code, const char *fmt, va_list args)
    RB_PRINTF(3, 0);

/* As rb_fail(), with ": " and the text of errno behind the message. */
enum rb_code rb_fail_errno(rb_err *err, enum rb_code code, const char *fmt, ...) RB_PRINTF(3, 4);

/* Puts words and ": " before the message and leaves the hint as it is; returns err->code. */
enum rb_code rb_err_prefix(rb_err *err, const char *fmt, ...) RB_PRINTF(2, 3);

/* Moves the hint to the end of the message, after a semicolon, for where only one line has room;
 * returns the message. */
const char *rb_err_line(rb_err *err);

/* For a call whose error is not looked at. */
#define RB_IGNORED (&(rb_err){0})

/* The pointer, which is NULL from then on: hands over what RB_AUTO would free. */
#define RB_TAKE(pointer)                                                                           \
    (__extension__({                                                                               \
        __typeof__(pointer) rb_taken = (pointer);                                                  \
        (pointer) = NULL;                                                                          \
        rb_taken;                                                                                  \
    }))

/* Returns from the calling function when expr is not RB_OK. */
#define RB_TRY(expr)                                                                               \
    do {                                                                                           \
        enum rb_code rb_try_code = (expr);                                                         \
        if (rb_try_code != RB_OK)                                                                  \
            return rb_try_code;                                                                    \
    } while (0)

#endif
