/*
 * The tokens of SQL text, in the dialect of an engine. What is special about a dialect is data
 * (rb_sql_dialect); text may be anything at all.
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
    RB_TOKEN_QUOTED, /* "x", SQLite: `x` and [x] too; a double-quoted one may stand for a string */
    RB_TOKEN_STRING,
    RB_TOKEN_BLOB,
    RB_TOKEN_NUMBER,
    RB_TOKEN_PARAM,
    RB_TOKEN_SYMBOL,
    RB_TOKEN_META,   /* a backslash outside of quotes: a command of psql; the rest of its line */
    RB_TOKEN_BROKEN, /* a quote that is never closed: the rest of the text */
    RB_TOKEN_END,    /* of the text */
};

typedef struct rb_token {
    enum rb_token_kind kind;
    const char *text; /* borrowed from the SQL */
    size_t len;
} rb_token;

typedef struct rb_sql_dialect {
    const char *engine;
    const char *name_quotes;    /* what opens a quoted name */
    const char *params;         /* what begins a parameter, before a letter or digit */
    const char *const *symbols; /* of more than one byte, the longest first; ends with NULL */
    bool mark_is_blank;         /* a byte order mark is, wherever a token can start */
    bool nested_comments;
    bool blobs;          /* x'00ff' is one token */
    bool escape_strings; /* E'it\'s' */
    bool dollar_strings; /* $tag$...$tag$ */
    bool meta_commands;  /* \set, \i: psql's */
    bool pragmas;        /* PRAGMA is a statement */
    bool trigger_bodies; /* CREATE TRIGGER ends at "; END ;" */
    bool routine_bodies; /* BEGIN ATOMIC ... END, parentheses of a rule, and COPY data */
} rb_sql_dialect;

typedef struct rb_sql {
    const char *text;
    size_t len;
    size_t at;
    const rb_sql_dialect *dialect;
} rb_sql;

/* engine: "sqlite" or "postgresql"; anything else is read as SQLite. text is borrowed. */
void rb_sql_init(rb_sql *sql, const char *text, size_t len, const char *engine);
/* Steps over white space and comments to the next token. False at the end; out->kind is then
 * RB_TOKEN_END. */
bool rb_sql_next(rb_token *out, rb_sql *sql);

typedef struct rb_tokens {
    rb_token *items;
    size_t n;
    size_t cap;
} rb_tokens;

/* The same for SQLite; *at moves behind the token. */
bool rb_token_next(rb_token *out, const char **at, const char *end);
/* All tokens; SQL longer than 64 MiB never gets here (RB_SCRIPT_LIMIT). engine: as above. */
void rb_tokens_read(rb_tokens *out, const char *text, size_t len, const char *engine);
void rb_tokens_clear(rb_tokens *tokens);

/* Is it this keyword or symbol, unquoted? Compared without case. */
bool rb_token_is(const rb_token *token, const char *word);
/* The text that it stands for, without quotes; a new string. */
char *rb_token_name(const rb_token *token);
/* The same with a bare name in lower case; NULL if it is neither a name nor a string. */
char *rb_token_folded(const rb_token *token);

/* Behind the word that starts at p: letters, digits, _, $ and all that is not ASCII. */
const char *rb_ledger_write_end(const char *p, const char *end);
bool rb_ledger_write_starts(char c);

#endif
