#include "sql/statement.h"

#include <string.h>

/* State for finding the end of the current statement. */
struct body {
    bool explain; /* all tokens so far belong to EXPLAIN [QUERY PLAN] */
    bool opening; /* all tokens so far are CREATE or CREATE TEMP (trigger_bodies only) */
    bool create;
    bool trigger;    /* in a trigger, which ends at "; END ;" */
    size_t atomic;   /* nesting depth of BEGIN ATOMIC and CASE */
    size_t parens;   /* nesting depth of parentheses */
    bool copy;       /* begins with COPY */
    bool copy_in;    /* COPY that reads FROM STDIN */
    rb_token last;   /* the previous token */
    rb_token before; /* the token before `last` */
};

static void note_routine(struct body *body, const rb_token *token)
{
    if (rb_token_is(token, "("))
        body->parens++;
    else if (rb_token_is(token, ")") && body->parens > 0)
        body->parens--;
    if (body->copy && rb_token_is(token, "stdin") && rb_token_is(&body->last, "from"))
        body->copy_in = true;
    if (!body->create)
        return;
    if (rb_token_is(token, "atomic") && rb_token_is(&body->last, "begin"))
        body->atomic++;
    else if (body->atomic > 0 && rb_token_is(token, "case"))
        body->atomic++;
    else if (body->atomic > 0 && rb_token_is(token, "end"))
        body->atomic--;
}

static bool is_any(const rb_token *token, const char *const *words)
{
    for (; *words; words++)
        if (rb_token_is(token, *words))
            return true;
    return false;
}

/* Recognises EXPLAIN [QUERY PLAN] CREATE [TEMP] TRIGGER, in the same way as SQLite's
 * sqlite3_complete(). */
static void note_trigger(struct body *body, const rb_token *token, size_t n)
{
    static const char *const temp[] = {"temp", "temporary", NULL};
    static const char *const plain[] = {"explain", "temp", "temporary", "trigger", "end", NULL};
    if ((n == 0 || body->explain) && rb_token_is(token, "create")) {
        body->explain = false;
        body->opening = true;
    } else if (n == 0) {
        body->explain = rb_token_is(token, "explain");
    } else if (body->explain) {
        body->explain = !is_any(token, plain);
    } else if (body->opening && !is_any(token, temp)) {
        body->opening = false;
        body->trigger = rb_token_is(token, "trigger");
    }
}

static void body_note(struct body *body, const rb_sql *sql, const rb_token *token, size_t n)
{
    if (n == 0) {
        body->create = rb_token_is(token, "create");
        body->copy = rb_token_is(token, "copy");
    }
    if (sql->dialect->routine_bodies)
        note_routine(body, token);
    if (sql->dialect->trigger_bodies)
        note_trigger(body, token, n);
}

static bool body_ends(const struct body *body)
{
    if (body->trigger)
        return rb_token_is(&body->last, "end") && rb_token_is(&body->before, ";");
    return body->atomic == 0 && body->parens == 0;
}

static void skip_line(rb_sql *sql)
{
    const char *end = memchr(sql->text + sql->at, '\n', sql->len - sql->at);
    sql->at = end ? (size_t)(end - sql->text) : sql->len;
}

/* Reads the data lines after COPY ... FROM STDIN, up to and including the line "\.". */
static void read_copy_data(rb_sql_statement *out, rb_sql *sql)
{
    skip_line(sql);
    out->has_data = true;
    out->data = sql->at < sql->len ? sql->at + 1 : sql->len;
    out->data_end = sql->len;
    while (sql->at < sql->len) {
        sql->at++;
        size_t from = sql->at;
        skip_line(sql);
        size_t n = sql->at - from;
        if (n > 0 && sql->text[from + n - 1] == '\r')
            n--;
        if (n == 2 && memcmp(sql->text + from, "\\.", 2) == 0) {
            out->data_end = from;
            return;
        }
    }
}

bool rb_sql_statement_next(rb_sql_statement *out, rb_sql *sql)
{
    *out = (rb_sql_statement){.meta = {.kind = RB_TOKEN_END}};
    struct body body = {0};
    size_t n = 0;
    for (;;) {
        rb_token token;
        if (!rb_sql_next(&token, sql))
            return n > 0;
        bool closes = rb_token_is(&token, ";");
        if (closes && n == 0)
            continue;
        if (n == 0)
            out->start = (size_t)(token.text - sql->text);
        out->end = sql->at;
        if (closes && body_ends(&body)) {
            out->closed = true;
            if (body.copy_in)
                read_copy_data(out, sql);
            return true;
        }
        if (token.kind == RB_TOKEN_META && out->meta.kind == RB_TOKEN_END)
            out->meta = token;
        body_note(&body, sql, &token, n);
        if (n < RB_SQL_HEAD)
            out->head[out->heads++] = token;
        body.before = body.last;
        body.last = token;
        n++;
    }
}

size_t rb_sql_line(const char *text, size_t offset)
{
    size_t line = 1;
    for (const char *p = text, *end = text + offset; (p = memchr(p, '\n', (size_t)(end - p))); p++)
        line++;
    return line;
}
