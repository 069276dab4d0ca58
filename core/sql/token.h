/*
 * SQLite's lexical rules (https://www.sqlite.org/lang_keywords.html and tokenize.c's behaviour),
 * and a normal form of SQL text: two texts that differ in comments, white space, case of keywords
 * and function names, or quoting of plain names only, have the same normal form. The normal form of
 * a normal form is itself.
 */
#ifndef RB_SQL_TOKEN_H
#define RB_SQL_TOKEN_H

#include <stdbool.h>

#include "base/buf.h"

enum rb_token_kind {
    RB_TOKEN_WORD,   /* keyword or bare name */
    RB_TOKEN_QUOTED, /* "x", `x` or [x]; a double-quoted one may stand for a string */
    RB_TOKEN_STRING,
    RB_TOKEN_BLOB,
    RB_TOKEN_NUMBER,
    RB_TOKEN_PARAM,
    RB_TOKEN_SYMBOL,
    RB_TOKEN_BROKEN, /* a quote that is never closed: the rest of the text */
};

typedef struct rb_token {
    enum rb_token_kind kind;
    const char *text; /* borrowed from the SQL */
    size_t len;
} rb_token;

typedef struct rb_tokens {
    rb_token *items;
    size_t n;
    size_t cap;
} rb_tokens;

/* Steps over white space and comments; false at the end. *at moves behind the token. */
bool rb_token_next(rb_token *out, const char **at, const char *end);
/* All of a text; SQL longer than 64 MiB never gets here (RB_SCRIPT_LIMIT). */
void rb_tokens_read(rb_tokens *out, const char *sql, size_t len);
void rb_tokens_clear(rb_tokens *tokens);

/* Is it this keyword or symbol, unquoted? word is upper case. */
bool rb_token_is(const rb_token *token, const char *word);
/* The name that it stands for, without its quotes; a new string. */
char *rb_token_name(const rb_token *token);

/* columns: names in scope, so that a double-quoted text that is none of them is known for the
 * string that SQLite takes it for; NULL when the scope is not known. */
void rb_tokens_normal(rb_buf *out, const rb_token *tokens, size_t n, const rb_strs *columns);

/* What a statement that changes a table's definition is about. */
enum rb_ddl_kind {
    RB_DDL_OTHER,
    RB_DDL_DROP_TABLE,
    RB_DDL_DROP_COLUMN,
    RB_DDL_RENAME_TABLE,
    RB_DDL_RENAME_COLUMN,
    RB_DDL_ADD_COLUMN,
};

typedef struct rb_ddl {
    enum rb_ddl_kind kind;
    char *table;
    char *column;   /* dropped, or renamed */
    char *new_name; /* of the table or column */
} rb_ddl;

/* Reads the head of one statement, in time that does not grow with its length. */
void rb_ddl_read(rb_ddl *out, const char *sql, size_t len);
void rb_ddl_clear(rb_ddl *ddl);
/* The table of INSERT INTO ... SELECT * FROM it; a new string, or NULL. In the same time. */
char *rb_ddl_copied(const char *sql, size_t len);

#endif
