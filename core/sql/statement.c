#include "sql/statement.h"

#include <string.h>
#include <strings.h>

#include "base/buf.h"

static bool at_mark(const rb_sql *sql)
{
    return sql->len - sql->at >= 3 && memcmp(sql->text + sql->at, "\xef\xbb\xbf", 3) == 0;
}

void rb_sql_init(rb_sql *sql, const char *text, size_t len, const char *engine)
{
    *sql = (rb_sql){.text = text, .len = len, .postgres = strcmp(engine, "postgresql") == 0};
    if (at_mark(sql))
        sql->at = 3;
}

/* A vertical tab is none for either engine. */
static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' ||
           c == '$' || (unsigned char)c >= 0x80;
}

static char peek(const rb_sql *sql, size_t ahead)
{
    return sql->at + ahead < sql->len ? sql->text[sql->at + ahead] : '\0';
}

static void skip_line(rb_sql *sql)
{
    const char *end = memchr(sql->text + sql->at, '\n', sql->len - sql->at);
    sql->at = end ? (size_t)(end - sql->text) : sql->len;
}

static void skip_block_comment(rb_sql *sql)
{
    size_t depth = 0;
    while (sql->at < sql->len) {
        if (peek(sql, 0) == '/' && peek(sql, 1) == '*' && (sql->postgres || depth == 0)) {
            depth++;
            sql->at += 2;
        } else if (peek(sql, 0) == '*' && peek(sql, 1) == '/') {
            sql->at += 2;
            if (--depth == 0)
                return;
        } else {
            sql->at++;
        }
    }
}

static void skip_blank(rb_sql *sql)
{
    while (sql->at < sql->len) {
        if (is_space(peek(sql, 0)))
            sql->at++;
        else if (!sql->postgres && at_mark(sql)) /* white space to SQLite where a token can start */
            sql->at += 3;
        else if (peek(sql, 0) == '-' && peek(sql, 1) == '-')
            skip_line(sql);
        else if (peek(sql, 0) == '/' && peek(sql, 1) == '*')
            skip_block_comment(sql);
        else
            return;
    }
}

/* From the opening quote to past the closing one; the closing quote doubled stands for itself. */
static void skip_quoted(rb_sql *sql, char close, bool backslash)
{
    sql->at++;
    while (sql->at < sql->len) {
        char c = peek(sql, 0);
        if (backslash && c == '\\') {
            sql->at += 2;
        } else if (c == close && close != ']' && peek(sql, 1) == close) {
            sql->at += 2;
        } else {
            sql->at++;
            if (c == close)
                return;
        }
    }
    sql->at = sql->len;
}

/* $$ or $tag$ at the reading place: skips to past its end. A parameter ($1) is none. */
static bool skip_dollar(rb_sql *sql)
{
    const char *open = sql->text + sql->at;
    size_t n = 1;
    while (is_word(peek(sql, n)) && peek(sql, n) != '$')
        n++;
    if (peek(sql, n) != '$' || is_digit(peek(sql, 1)))
        return false;
    n++;
    const char *end = memmem(open + n, sql->len - sql->at - n, open, n);
    sql->at = end ? (size_t)(end - sql->text) + n : sql->len;
    return true;
}

static enum rb_sql_kind skip_word(rb_sql *sql)
{
    size_t from = sql->at;
    while (is_word(peek(sql, 0)) && sql->at < sql->len)
        sql->at++;
    bool escape = sql->at - from == 1 && (sql->text[from] == 'e' || sql->text[from] == 'E');
    if (sql->postgres && escape && peek(sql, 0) == '\'') {
        skip_quoted(sql, '\'', true);
        return RB_SQL_STRING;
    }
    return is_digit(sql->text[from]) ? RB_SQL_NUMBER : RB_SQL_WORD;
}

static enum rb_sql_kind skip_token(rb_sql *sql)
{
    char c = peek(sql, 0);
    if (c == '\'') {
        skip_quoted(sql, '\'', false);
        return RB_SQL_STRING;
    }
    if (c == '"' || (!sql->postgres && (c == '`' || c == '['))) {
        skip_quoted(sql, c == '[' ? ']' : c, false);
        return RB_SQL_NAME;
    }
    if (c == ';') {
        sql->at++;
        return RB_SQL_SEMICOLON;
    }
    if (sql->postgres && c == '\\') {
        skip_line(sql);
        return RB_SQL_META;
    }
    if (sql->postgres && c == '$' && skip_dollar(sql))
        return RB_SQL_STRING;
    if (is_word(c) && (c != '$' || !sql->postgres))
        return skip_word(sql);
    sql->at++;
    return RB_SQL_OTHER;
}

rb_sql_token rb_sql_next(rb_sql *sql)
{
    skip_blank(sql);
    rb_sql_token token = {.kind = RB_SQL_END, .text = sql->text + sql->at};
    if (sql->at >= sql->len)
        return token;
    size_t from = sql->at;
    token.kind = skip_token(sql);
    if (sql->at > sql->len)
        sql->at = sql->len;
    token.len = sql->at - from;
    return token;
}

bool rb_sql_is(const rb_sql_token *token, const char *word)
{
    return token->kind == RB_SQL_WORD && strlen(word) == token->len &&
           strncasecmp(token->text, word, token->len) == 0;
}

bool rb_sql_is_char(const rb_sql_token *token, char c)
{
    return token->kind == RB_SQL_OTHER && token->text[0] == c;
}

char *rb_sql_name(const rb_sql_token *token)
{
    rb_buf name = {0};
    if (token->kind == RB_SQL_WORD) {
        for (size_t i = 0; i < token->len; i++) {
            char c = token->text[i];
            rb_buf_addc(&name, c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c);
        }
        return rb_buf_detach(&name);
    }
    bool quoted = token->kind == RB_SQL_NAME || token->kind == RB_SQL_STRING;
    if (!quoted || token->len < 2)
        return NULL;
    char close = token->text[token->len - 1];
    for (size_t i = 1; i + 1 < token->len; i++) {
        rb_buf_addc(&name, token->text[i]);
        if (token->text[i] == close && token->text[i + 1] == close)
            i++;
    }
    return rb_buf_detach(&name);
}

/* What tells where the statement being read ends. */
struct body {
    bool explain; /* only EXPLAIN so far */
    bool opening; /* SQLite: CREATE so far, perhaps TEMP */
    bool create;
    bool trigger;        /* SQLite: until "; END ;" */
    size_t atomic;       /* PostgreSQL: depth of BEGIN ATOMIC and CASE */
    size_t parens;       /* PostgreSQL: depth */
    bool copy;           /* COPY ... */
    bool copy_in;        /* ... FROM STDIN */
    rb_sql_token last;   /* the token before */
    rb_sql_token before; /* and the one before that */
};

static void body_note_postgres(struct body *body, const rb_sql_token *token)
{
    if (rb_sql_is_char(token, '('))
        body->parens++;
    else if (rb_sql_is_char(token, ')') && body->parens > 0)
        body->parens--;
    if (body->copy && rb_sql_is(token, "stdin") && rb_sql_is(&body->last, "from"))
        body->copy_in = true;
    if (!body->create)
        return;
    if (rb_sql_is(token, "atomic") && rb_sql_is(&body->last, "begin"))
        body->atomic++;
    else if (body->atomic > 0 && rb_sql_is(token, "case"))
        body->atomic++;
    else if (body->atomic > 0 && rb_sql_is(token, "end"))
        body->atomic--;
}

static bool is_any(const rb_sql_token *token, const char *const *words)
{
    for (; *words; words++)
        if (rb_sql_is(token, *words))
            return true;
    return false;
}

/* As SQLite's own sqlite3_complete() has it: EXPLAIN [QUERY PLAN] CREATE [TEMP] TRIGGER. */
static void body_note_sqlite(struct body *body, const rb_sql_token *token, size_t n)
{
    static const char *const temp[] = {"temp", "temporary", NULL};
    static const char *const plain[] = {"explain", "temp", "temporary", "trigger", "end", NULL};
    if ((n == 0 || body->explain) && rb_sql_is(token, "create")) {
        body->explain = false;
        body->opening = true;
    } else if (n == 0) {
        body->explain = rb_sql_is(token, "explain");
    } else if (body->explain) {
        body->explain = !is_any(token, plain);
    } else if (body->opening && !is_any(token, temp)) {
        body->opening = false;
        body->trigger = rb_sql_is(token, "trigger");
    }
}

static void body_note(struct body *body, const rb_sql *sql, const rb_sql_token *token, size_t n)
{
    if (n == 0) {
        body->create = rb_sql_is(token, "create");
        body->copy = rb_sql_is(token, "copy");
    }
    if (sql->postgres)
        body_note_postgres(body, token);
    else
        body_note_sqlite(body, token, n);
}

static bool body_ends(const struct body *body)
{
    if (body->trigger)
        return rb_sql_is(&body->last, "end") && body->before.kind == RB_SQL_SEMICOLON;
    return body->atomic == 0 && body->parens == 0;
}

/* The data lines behind COPY ... FROM STDIN; up to and with the line that is "\.". */
static void skip_copy_data(rb_sql *sql)
{
    skip_line(sql);
    while (sql->at < sql->len) {
        sql->at++;
        size_t from = sql->at;
        skip_line(sql);
        size_t n = sql->at - from;
        if (n > 0 && sql->text[from + n - 1] == '\r')
            n--;
        if (n == 2 && memcmp(sql->text + from, "\\.", 2) == 0)
            return;
    }
}

bool rb_sql_statement_next(rb_sql_statement *out, rb_sql *sql)
{
    *out = (rb_sql_statement){.meta = {.kind = RB_SQL_END}};
    struct body body = {0};
    size_t n = 0;
    for (;;) {
        rb_sql_token token = rb_sql_next(sql);
        if (token.kind == RB_SQL_END)
            return n > 0;
        if (token.kind == RB_SQL_SEMICOLON && n == 0)
            continue;
        if (n == 0)
            out->start = (size_t)(token.text - sql->text);
        out->end = sql->at;
        if (token.kind == RB_SQL_SEMICOLON && body_ends(&body)) {
            out->closed = true;
            if (body.copy_in) {
                out->meta = out->head[0];
                skip_copy_data(sql);
                out->end = sql->at;
            }
            return true;
        }
        if (token.kind == RB_SQL_META && out->meta.kind == RB_SQL_END)
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
