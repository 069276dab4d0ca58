/*
 * Splits SQL text into tokens, in the dialect of an engine. Differences between dialects are data
 * (rb_sql_dialect). Any text is accepted; nothing fails.
 *
 *     rb_sql sql;
 *     rb_token token;
 *     rb_sql_init(&sql, text, len, engine);
 *     while (rb_sql_next(&token, &sql)) ...
 *
 * SQLite: https://www.sqlite.org/lang_keywords.html and the behaviour of its tokenize.c.
 * PostgreSQL: https://www.postgresql.org/docs/15/sql-syntax-lexical.html, and psql's commands.
 */
#ifndef RB_SQL_TOKEN_H
#define RB_SQL_TOKEN_H

#include <stdbool.h>

#include "base/buf.h"

enum rb_token_kind {
    RB_TOKEN_WORD,   /* keyword or bare name */
    RB_TOKEN_QUOTED, /* "x", in SQLite also `x` and [x]; SQLite may take "x" for a string */
    RB_TOKEN_STRING,
    RB_TOKEN_BLOB,
    RB_TOKEN_NUMBER,
    RB_TOKEN_PARAM,
    RB_TOKEN_SYMBOL,
    RB_TOKEN_META,   /* a psql command: a backslash outside of quotes, and the rest of the line */
    RB_TOKEN_BROKEN, /* an unclosed quote and the rest of the text */
    RB_TOKEN_END,    /* the end of the text */
};

typedef struct rb_token {
    enum rb_token_kind kind;
    const char *text; /* points into the SQL text */
    size_t len;
} rb_token;

typedef struct rb_sql_dialect {
    const char *engine;
    const char *name_quotes;    /* characters that open a quoted name */
    const char *params;         /* characters that open a parameter, if a letter or digit follows */
    const char *const *symbols; /* symbols of several bytes, the longest first; ends with NULL */
    bool mark_is_blank;         /* a byte order mark between tokens counts as white space */
    bool nested_comments;
    bool blobs;          /* x'00ff' is one token */
    bool escape_strings; /* E'it\'s' has backslash escapes */
    bool dollar_strings; /* $tag$...$tag$ is a string */
    bool meta_commands;  /* \set and \i are commands of psql */
    bool pragmas;        /* PRAGMA is a statement */
    bool trigger_bodies; /* CREATE TRIGGER ends at "; END ;" */
    /* semicolons in BEGIN ATOMIC ... END, in a rule's parentheses and in COPY data end nothing */
    bool routine_bodies;
} rb_sql_dialect;

typedef struct rb_sql {
    const char *text;
    size_t len;
    size_t at;
    const rb_sql_dialect *dialect;
} rb_sql;

/* Starts reading. engine: "sqlite" or "postgresql"; other values mean SQLite. text is borrowed. */
void rb_sql_init(rb_sql *sql, const char *text, size_t len, const char *engine);
/* Reads the next token; skips white space and comments. Returns false at the end, with out->kind
 * RB_TOKEN_END. */
bool rb_sql_next(rb_token *out, rb_sql *sql);

typedef struct rb_tokens {
    rb_token *items;
    size_t n;
} rb_tokens;

/* Same as rb_sql_next(), for SQLite's dialect; *at moves to the end of the token. */
bool rb_token_next(rb_token *out, const char **at, const char *end);
/* Reads all tokens. engine as for rb_sql_init(). Callers limit the text to 64 MiB
 * (RB_SCRIPT_LIMIT). */
void rb_tokens_read(rb_tokens *out, const char *text, size_t len, const char *engine);
void rb_tokens_clear(rb_tokens *tokens);

/* True if the token is this keyword or symbol, without quotes. Ignores case. */
bool rb_token_is(const rb_token *token, const char *word);
/* Returns the token's text without quotes and escapes, a new string. */
char *rb_token_name(const rb_token *token);
/* Same as rb_token_name(), with a bare name in lower case; NULL if the token is neither a name nor
 * a string. */
char *rb_token_folded(const rb_token *token);
/* Returns a text as a string of SQL: 'it''s'. A new string. */
char *rb_sql_literal(const char *text);

/* Returns the end of the word that starts at p. A word consists of letters, digits, _, $ and bytes
 * above 127. */
const char *rb_sql_word_end(const char *p, const char *end);
bool rb_sql_starts_word(char c);

#endif
