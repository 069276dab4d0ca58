/*
 * Compares two texts line by line, as `git diff --unified=0` does (libgit2's patches).
 */
#ifndef RB_GIT_LINES_H
#define RB_GIT_LINES_H

#include "base/buf.h"

/* bytes of one text; of larger texts only the sizes are reported */
#define RB_LINES_LIMIT (1u << 20)
/* number of lines shown; then the number of further lines follows */
#define RB_LINES_SHOWN 100

/* Appends "-old line" and "+new line" to out, each safe for a terminal and without its line end. A
 * text with a NUL byte counts as binary: one line reports that. */
enum rb_code rb_lines_compare(rb_strs *out, const char *old, size_t old_len, const char *new,
                              size_t new_len, rb_err *err);

#endif
