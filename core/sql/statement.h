/*
 * Reading SQL text as far as migrations need it: tokens and statements, never grammar. Text of
 * either dialect may be anything at all; what is not closed ends at the end of the text.
 *
 * SQLite: '' strings, "..", `..` and [..] names, -- and plain block comments, triggers' BEGIN...END
 * bodies. PostgreSQL: E'' strings, $tag$ strings, nested comments, BEGIN ATOMIC bodies, parentheses
 * around a rule's statements, COPY data, psql's backslash commands.
 */
#ifndef RB_SQL_STATEMENT_H
#define RB_SQL_STATEMENT_H

#include <stdbool.h>
#include <stddef.h>

enum rb_sql_kind {
    RB_SQL_END, /* of the text */
    RB_SQL_WORD,
    RB_SQL_NAME, /* a quoted identifier, quotes included */
    RB_SQL_STRING,
    RB_SQL_NUMBER,
    RB_SQL_SEMICOLON,
    RB_SQL_META, /* a backslash outside of quotes: a command of psql; the rest of its line */
    RB_SQL_OTHER /* one byte */
};

typedef struct rb_sql_token {
    enum rb_sql_kind kind;
    const char *text; /* borrowed */
    size_t len;
} rb_sql_token;

typedef struct rb_sql {
    const char *text;
    size_t len;
    size_t at;
    bool postgres;
} rb_sql;

/* engine: "sqlite" or "postgresql"; anything else is read as SQLite. text is borrowed. */
void rb_sql_init(rb_sql *sql, const char *text, size_t len, const char *engine);
rb_sql_token rb_sql_next(rb_sql *sql);

/* A plain word, compared without case. word is in lower case. */
bool rb_sql_is(const rb_sql_token *token, const char *word);
bool rb_sql_is_char(const rb_sql_token *token, char c);
/* The name a token stands for: quotes removed, a plain word in lower case. A new string; NULL when
 * the token is no name. */
char *rb_sql_name(const rb_sql_token *token);

#define RB_SQL_HEAD 6

typedef struct rb_sql_statement {
    size_t start;                   /* of its first token */
    size_t end;                     /* past its semicolon, or its last token */
    rb_sql_token head[RB_SQL_HEAD]; /* its first tokens */
    size_t heads;
    bool closed;       /* by a semicolon, not by the end of the text */
    rb_sql_token meta; /* the first of psql's commands in it; kind is RB_SQL_END for none */
} rb_sql_statement;

/* The next statement; false at the end of the text. Empty ones are passed over. */
bool rb_sql_statement_next(rb_sql_statement *out, rb_sql *sql);

/* Line of an offset, from 1. */
size_t rb_sql_line(const char *text, size_t offset);

#endif
