#include "sql/token.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const sqlite_symbols[] = {
    "->>", "->", "||", "<=", ">=", "==", "!=", "<>", "<<", ">>", NULL};
static const char *const postgresql_symbols[] = {
    "->>", "~~*", "->", "~~", "||", "<=", ">=", "!=", "<>", "::", NULL};

static const rb_sql_dialect sqlite = {
    .engine = "sqlite",
    .name_quotes = "\"`[",
    .params = "?:@$#",
    .symbols = sqlite_symbols,
    .mark_is_blank = true,
    .blobs = true,
    .pragmas = true,
    .trigger_bodies = true,
};

static const rb_sql_dialect postgresql = {
    .engine = "postgresql",
    .name_quotes = "\"",
    .params = "$",
    .symbols = postgresql_symbols,
    .nested_comments = true,
    .escape_strings = true,
    .dollar_strings = true,
    .meta_commands = true,
    .routine_bodies = true,
};

/* True at a byte order mark. They also occur inside a text, where files were concatenated. */
static bool is_mark(const char *p, const char *end)
{
    return end - p >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0;
}

void rb_sql_init(rb_sql *sql, const char *text, size_t len, const char *engine)
{
    bool is_postgresql = strcmp(engine, postgresql.engine) == 0;
    *sql = (rb_sql){.text = text, .len = len, .dialect = is_postgresql ? &postgresql : &sqlite};
    if (is_mark(text, text + len))
        sql->at = 3;
}

/* Neither engine treats a vertical tab as white space. */
static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool rb_sql_starts_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

static bool is_word(char c)
{
    return rb_sql_starts_word(c) || is_digit(c) || c == '$';
}

const char *rb_sql_word_end(const char *p, const char *end)
{
    while (p < end && is_word(*p))
        p++;
    return p;
}

static bool at_pair(const char *p, const char *end, const char *pair)
{
    return end - p >= 2 && p[0] == pair[0] && p[1] == pair[1];
}

static const char *line_end(const char *p, const char *end)
{
    const char *line = memchr(p, '\n', (size_t)(end - p));
    return line ? line : end;
}

static const char *comment_end(const rb_sql_dialect *d, const char *p, const char *end)
{
    size_t depth = 0;
    while (p < end) {
        if (at_pair(p, end, "/*") && (d->nested_comments || depth == 0)) {
            depth++;
            p += 2;
        } else if (at_pair(p, end, "*/")) {
            p += 2;
            if (--depth == 0)
                return p;
        } else {
            p++;
        }
    }
    return end;
}

static const char *skip_blanks(const rb_sql_dialect *d, const char *p, const char *end)
{
    for (;;) {
        if (p < end && is_space(*p))
            p++;
        else if (d->mark_is_blank && is_mark(p, end))
            p += 3;
        else if (at_pair(p, end, "--"))
            p = line_end(p, end);
        else if (at_pair(p, end, "/*"))
            p = comment_end(d, p, end);
        else
            return p;
    }
}

/* Returns the position after the closing quote; NULL if none follows. A doubled closing quote is
 * part of the text. */
static const char *quote_end(const char *p, const char *end, bool backslash)
{
    char close = *p == '[' ? ']' : *p;
    for (p++; p < end; p++) {
        if (backslash && *p == '\\')
            p++;
        else if (*p != close)
            continue;
        else if (close == ']' || p + 1 >= end || p[1] != close)
            return p + 1;
        else
            p++;
    }
    return NULL;
}

static const char *number_end(const char *p, const char *end)
{
    /* Characters of a number are '.' and those of names; only an exponent also has a sign. */
    bool hex = end - p > 1 && p[0] == '0' && (p[1] | 0x20) == 'x';
    while (p < end && (is_word(*p) || *p == '.')) {
        bool exponent = !hex && (*p | 0x20) == 'e' && end - p > 2 && (p[1] == '+' || p[1] == '-') &&
                        is_digit(p[2]);
        p += exponent ? 2 : 1;
    }
    return p;
}

static const char *blob_end(const char *p, const char *end)
{
    if (end - p < 3 || (*p | 0x20) != 'x' || p[1] != '\'')
        return NULL;
    for (p += 2; p < end && (is_digit(*p) || ((*p | 0x20) >= 'a' && (*p | 0x20) <= 'f')); p++)
        ;
    return p < end && *p == '\'' ? p + 1 : NULL;
}

/* Returns the end of $$...$$ or $tag$...$tag$ at p; NULL if p starts something else, such as $1. */
static const char *dollar_end(const char *p, const char *end)
{
    const char *tag = p + 1;
    while (tag < end && is_word(*tag) && *tag != '$')
        tag++;
    if (tag >= end || *tag != '$' || is_digit(p[1]))
        return NULL;
    size_t n = (size_t)(tag + 1 - p);
    const char *close = memmem(tag + 1, (size_t)(end - tag - 1), p, n);
    return close ? close + n : end;
}

static size_t symbol_len(const rb_sql_dialect *d, const char *p, const char *end)
{
    for (const char *const *s = d->symbols; *s; s++) {
        size_t len = strlen(*s);
        if ((size_t)(end - p) >= len && memcmp(p, *s, len) == 0)
            return len;
    }
    return 1;
}

static const char *take_quoted(enum rb_token_kind *kind, const char *p, const char *end,
                               bool backslash)
{
    const char *close = quote_end(p, end, backslash);
    *kind = !close ? RB_TOKEN_BROKEN : *p == '\'' ? RB_TOKEN_STRING : RB_TOKEN_QUOTED;
    return close ? close : end;
}

static bool is_one_of(char c, const char *list)
{
    return c && strchr(list, c);
}

static const char *token_end(enum rb_token_kind *kind, const rb_sql_dialect *d, const char *p,
                             const char *end)
{
    bool more = end - p > 1;
    const char *special = d->blobs ? blob_end(p, end) : NULL;
    if (special) {
        *kind = RB_TOKEN_BLOB;
        return special;
    }
    if (d->escape_strings && more && (*p | 0x20) == 'e' && p[1] == '\'') {
        const char *close = take_quoted(kind, p + 1, end, true);
        return close;
    }
    if (rb_sql_starts_word(*p)) {
        *kind = RB_TOKEN_WORD;
        return rb_sql_word_end(p, end);
    }
    if (*p == '\'' || is_one_of(*p, d->name_quotes))
        return take_quoted(kind, p, end, false);
    if (is_digit(*p) || (*p == '.' && more && is_digit(p[1]))) {
        *kind = RB_TOKEN_NUMBER;
        return number_end(p, end);
    }
    special = d->dollar_strings && *p == '$' ? dollar_end(p, end) : NULL;
    if (special) {
        *kind = RB_TOKEN_STRING;
        return special;
    }
    if (is_one_of(*p, d->params) && more && is_word(p[1])) {
        *kind = RB_TOKEN_PARAM;
        return rb_sql_word_end(p + 1, end);
    }
    if (d->meta_commands && *p == '\\') {
        *kind = RB_TOKEN_META;
        return line_end(p, end);
    }
    *kind = RB_TOKEN_SYMBOL;
    return p + symbol_len(d, p, end);
}

bool rb_sql_next(rb_token *out, rb_sql *sql)
{
    const char *end = sql->text + sql->len;
    const char *p = skip_blanks(sql->dialect, sql->text + sql->at, end);
    *out = (rb_token){.kind = RB_TOKEN_END, .text = p};
    const char *behind = p < end ? token_end(&out->kind, sql->dialect, p, end) : end;
    out->len = (size_t)(behind - p);
    sql->at = (size_t)(behind - sql->text);
    return p < end;
}

bool rb_token_next(rb_token *out, const char **at, const char *end)
{
    rb_sql sql = {.text = *at, .len = (size_t)(end - *at), .dialect = &sqlite};
    bool found = rb_sql_next(out, &sql);
    *at = found ? *at + sql.at : out->text;
    return found;
}

void rb_tokens_read(rb_tokens *out, const char *text, size_t len, const char *engine)
{
    rb_token token;
    rb_sql sql;
    rb_sql_init(&sql, text, len, engine);
    *out = (rb_tokens){0};
    while (rb_sql_next(&token, &sql)) {
        out->items = rb_grow(out->items, out->n, sizeof *out->items);
        out->items[out->n++] = token;
    }
}

void rb_tokens_clear(rb_tokens *tokens)
{
    free(tokens->items);
    *tokens = (rb_tokens){0};
}

bool rb_token_is(const rb_token *token, const char *word)
{
    return (token->kind == RB_TOKEN_WORD || token->kind == RB_TOKEN_SYMBOL) &&
           strlen(word) == token->len && strncasecmp(token->text, word, token->len) == 0;
}

char *rb_sql_literal(const char *text)
{
    rb_buf out = {0};
    rb_buf_addc(&out, '\'');
    for (; *text; text++)
        rb_buf_puts(&out, *text == '\'' ? "''" : (char[]){*text, '\0'});
    rb_buf_addc(&out, '\'');
    return rb_buf_detach(&out);
}

char *rb_token_name(const rb_token *token)
{
    if (token->kind != RB_TOKEN_QUOTED && token->kind != RB_TOKEN_STRING)
        return rb_strndup(token->text, token->len);
    char close = token->text[0] == '[' ? ']' : token->text[0];
    rb_buf name = {0};
    for (size_t i = 1; i + 1 < token->len; i++) {
        rb_buf_addc(&name, token->text[i]);
        if (token->text[i] == close)
            i++;
    }
    return rb_buf_detach(&name);
}

char *rb_token_folded(const rb_token *token)
{
    if (token->kind > RB_TOKEN_STRING)
        return NULL;
    char *name = rb_token_name(token);
    for (char *p = name; token->kind == RB_TOKEN_WORD && *p; p++)
        *p = (char)(*p >= 'A' && *p <= 'Z' ? *p + 'a' - 'A' : *p);
    return name;
}
