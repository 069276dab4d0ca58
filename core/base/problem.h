/*
 * Problems: what a check found, as data. Checks collect all they find instead of stopping at the
 * first; the codes and fields are what `verify --json` prints.
 */
#ifndef RB_BASE_PROBLEM_H
#define RB_BASE_PROBLEM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

typedef struct rb_problem {
    char *code;     /* stable, short: "signature", "moved", "unknown", ... */
    char *field;    /* "databases[0].migrations[3].up", or "" */
    char *expected; /* "" where it does not apply */
    char *found;
    char *message; /* one complete line for people */
    bool warning;  /* shown, but the release is still ok (chain faults further back) */
} rb_problem;

typedef struct rb_problems {
    rb_problem *items;
    size_t n;
    size_t cap;
} rb_problems;

void rb_problems_clear(rb_problems *problems);

/* Copies all strings; NULL becomes "". The message is formatted. */
void rb_problems_add(rb_problems *problems, const char *code, const char *field,
                     const char *expected, const char *found, const char *fmt, ...) RB_PRINTF(6, 7);

/* Marks the last one added as a warning. */
void rb_problems_warn(rb_problems *problems);

/* True if one of them is not a warning. */
bool rb_problems_any(const rb_problems *problems);

#endif
