/*
 * Problems: findings of a check, as data. Checks collect all of them instead of stopping at the
 * first. Codes and fields are part of the output of `verify --json`.
 */
#ifndef RB_BASE_PROBLEM_H
#define RB_BASE_PROBLEM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

typedef struct rb_problem {
    char *code;     /* stable, short: "signature", "moved", "unknown", ... */
    char *field;    /* "databases[0].migrations[3].up", or "" */
    char *expected; /* "" if nothing was expected or found */
    char *found;
    char *message; /* one complete line for people */
    bool warning;  /* reported, but the release is still ok (chain faults further back) */
} rb_problem;

typedef struct rb_problems {
    rb_problem *items;
    size_t n;
} rb_problems;

void rb_problems_clear(rb_problems *problems);

/* Adds a problem. Copies all strings; NULL becomes "". fmt formats the message. */
void rb_problems_add(rb_problems *problems, const char *code, const char *field,
                     const char *expected, const char *found, const char *fmt, ...) RB_PRINTF(6, 7);

/* Marks the problem that was added last as a warning. */
void rb_problems_warn(rb_problems *problems);

/* True if a problem is not a warning. */
bool rb_problems_any(const rb_problems *problems);

#endif
