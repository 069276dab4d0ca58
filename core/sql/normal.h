/*
 * The normal form of SQLite's SQL, for comparing definitions. Two texts have the same normal form
 * if they differ only in comments, white space, case of keywords and function names, or quoting of
 * plain names. The normal form of a normal form is itself. Fingerprints contain it, so it must not
 * change.
 */
#ifndef RB_SQL_NORMAL_H
#define RB_SQL_NORMAL_H

#include "sql/token.h"

/* Appends the normal form. columns: the names in scope. SQLite takes a double-quoted text that is
 * not one of them for a string, and it is written as one. NULL: the scope is unknown, and it is a
 * name. */
void rb_tokens_normal(rb_buf *out, const rb_token *tokens, size_t n, const rb_strs *columns);

#endif
