/*
 * Compares two texts line by line, as `git diff --unified=0` does (libgit2's patches).
 */
#ifndef RB_GIT_LINES_H
#define RB_GIT_LINES_H

#include "base/buf.h"

#define RB_LINES_LIMIT (1u << 20) /* bytes of one text; above it only their sizes are reported */
#define RB_LINES_SHOWN 100        /* lines; then how many more there are */

/* Appends "-old line" and "+new line" to out, each safe for a terminal and without its line end. A
 * text with a NUL byte is one line that states this. */
enum rb_code rb_lines_compare(rb_strs *out, const char *old, size_t old_len, const char *new,
                              size_t new_len, rb_err *err);

#endif
