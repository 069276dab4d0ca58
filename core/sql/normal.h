/*
 * A normal form of SQLite's SQL: two texts that differ in comments, white space, case of keywords
 * and function names, or quoting of plain names only, have the same normal form. The normal form of
 * a normal form is itself. It is in fingerprints.
 */
#ifndef RB_SQL_NORMAL_H
#define RB_SQL_NORMAL_H

#include "sql/token.h"

/* columns: names in scope, so that a double-quoted text that is none of them is known for the
 * string that SQLite takes it for; NULL if the scope is not known. */
void rb_tokens_normal(rb_buf *out, const rb_token *tokens, size_t n, const rb_strs *columns);

#endif
