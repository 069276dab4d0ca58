/*
 * Splits SQL text into statements, at the same semicolons as the engine: not in bodies of triggers
 * and routines (see rb_sql_dialect), and after COPY data. An unfinished statement ends at the end
 * of the text.
 *
 * Order of calls: rb_sql_init() (sql/token.h), then rb_sql_statement_next() until it returns false.
 */
#ifndef RB_SQL_STATEMENT_H
#define RB_SQL_STATEMENT_H

#include "sql/token.h"

#define RB_SQL_HEAD 6

typedef struct rb_sql_statement {
    size_t start;               /* offset of its first token */
    size_t end;                 /* offset after its semicolon, or after its last token */
    rb_token head[RB_SQL_HEAD]; /* the statement's first tokens */
    size_t heads;
    bool closed;   /* ends with a semicolon, not with the text */
    rb_token meta; /* its first psql command (\set, \i); kind is RB_TOKEN_END if it has none */
    /* COPY ... FROM STDIN: data lines follow, from `data` to `data_end`, without the final "\." */
    bool has_data;
    size_t data;
    size_t data_end;
} rb_sql_statement;

/* Reads the next statement; skips empty ones. Returns false at the end of the text. */
bool rb_sql_statement_next(rb_sql_statement *out, rb_sql *sql);

/* Returns the line of an offset, counted from 1. */
size_t rb_sql_line(const char *text, size_t offset);

#endif
