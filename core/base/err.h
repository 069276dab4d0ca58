/*
 * Errors.
 *
 * Every function that can fail returns an enum rb_code and takes an rb_err as its last
 * parameter. The error is filled once, where the failure starts, with one complete line: what was
 * being done, to what, what was found, what to do next. Callers pass it on, or put words before
 * it with rb_err_prefix(). The codes are the program's exit codes.
 *
 * Running out of memory ends the process with abort(): a transition is built to be killed at any
 * instant and resumed, so this needs no second way out. Input sizes are limited where they enter.
 */
#ifndef RB_BASE_ERR_H
#define RB_BASE_ERR_H

enum rb_code {
    RB_OK = 0,      /* done, or nothing to do */
    RB_FOUND = 1,   /* a check found something */
    RB_ERROR = 2,   /* usage, config, input or system error; nothing was changed */
    RB_HALFWAY = 3, /* a transition stopped half-way: resume or abort */
    RB_BUSY = 4,    /* another run holds the environment */
    RB_DECIDE = 5,  /* a person must decide */
};

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
    char message[2048]; /* one line, no newline at the end, UTF-8; longer ones are cut with "..." */
} rb_err;

/* Fills *err and returns code. */
enum rb_code rb_fail(rb_err *err, enum rb_code code, const char *fmt, ...) RB_PRINTF(3, 4);

/* As rb_fail(), with ": " and the text of errno behind the message. */
enum rb_code rb_fail_errno(rb_err *err, enum rb_code code, const char *fmt, ...) RB_PRINTF(3, 4);

/* Puts words and ": " before the message already there; returns err->code. */
enum rb_code rb_err_prefix(rb_err *err, const char *fmt, ...) RB_PRINTF(2, 3);

/* Returns from the calling function when expr is not RB_OK. */
#define RB_TRY(expr)                                                                               \
    do {                                                                                           \
        enum rb_code rb_try_code = (expr);                                                         \
        if (rb_try_code != RB_OK)                                                                  \
            return rb_try_code;                                                                    \
    } while (0)

#endif
