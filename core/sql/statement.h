/*
 * SQL text split into statements. They end where the engine would end them: behind triggers' and
 * routines' bodies (see rb_sql_dialect), and behind COPY data. What is not closed ends at the end
 * of the text.
 */
#ifndef RB_SQL_STATEMENT_H
#define RB_SQL_STATEMENT_H

#include "sql/token.h"

#define RB_SQL_HEAD 6

typedef struct rb_sql_statement {
    size_t start;               /* of its first token */
    size_t end;                 /* past its semicolon, or its last token */
    rb_token head[RB_SQL_HEAD]; /* its first tokens */
    size_t heads;
    bool closed;   /* by a semicolon, not by the end of the text */
    rb_token meta; /* the first of psql's commands in it; kind is RB_TOKEN_END for none */
    bool has_data; /* COPY ... FROM STDIN: the lines behind it, without the one that ends them */
    size_t data;
    size_t data_end;
} rb_sql_statement;

/* The next statement; false at the end of the text. Empty ones are passed over. */
bool rb_sql_statement_next(rb_sql_statement *out, rb_sql *sql);

/* Line of an offset, from 1. */
size_t rb_sql_line(const char *text, size_t offset);

#endif
