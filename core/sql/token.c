#include "sql/token.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Sorted. Words that SQLite never takes for a name unless they are quoted. */
static const char *const reserved[] = {
    "ADD",       "ALL",     "ALTER",      "AND",        "AS",          "AUTOINCREMENT",
    "BETWEEN",   "CASE",    "CHECK",      "COLLATE",    "COMMIT",      "CONSTRAINT",
    "CREATE",    "DEFAULT", "DEFERRABLE", "DELETE",     "DISTINCT",    "DROP",
    "ELSE",      "ESCAPE",  "EXCEPT",     "EXISTS",     "FILTER",      "FOREIGN",
    "FROM",      "GROUP",   "HAVING",     "IN",         "INDEX",       "INSERT",
    "INTERSECT", "INTO",    "IS",         "ISNULL",     "JOIN",        "LIMIT",
    "NOT",       "NOTHING", "NOTNULL",    "NULL",       "ON",          "OR",
    "ORDER",     "OVER",    "PRIMARY",    "REFERENCES", "RETURNING",   "SELECT",
    "SET",       "TABLE",   "THEN",       "TO",         "TRANSACTION", "UNION",
    "UNIQUE",    "UPDATE",  "USING",      "VALUES",     "WHEN",        "WHERE",
    "WINDOW",
};

/* Sorted. Keywords that may also be names: written in lower case in the normal form, so that it
 * does not matter which of the two they are. */
static const char *const soft[] = {
    "abort",
    "action",
    "after",
    "always",
    "analyze",
    "asc",
    "attach",
    "before",
    "begin",
    "by",
    "cascade",
    "cast",
    "column",
    "conflict",
    "cross",
    "current",
    "current_date",
    "current_time",
    "current_timestamp",
    "database",
    "deferred",
    "desc",
    "detach",
    "do",
    "each",
    "end",
    "exclude",
    "exclusive",
    "explain",
    "fail",
    "false",
    "first",
    "following",
    "for",
    "full",
    "generated",
    "glob",
    "groups",
    "if",
    "ignore",
    "immediate",
    "indexed",
    "initially",
    "inner",
    "instead",
    "key",
    "last",
    "left",
    "like",
    "match",
    "materialized",
    "natural",
    "no",
    "nulls",
    "of",
    "offset",
    "others",
    "outer",
    "partition",
    "plan",
    "pragma",
    "preceding",
    "query",
    "raise",
    "range",
    "recursive",
    "regexp",
    "reindex",
    "release",
    "rename",
    "replace",
    "restrict",
    "right",
    "rollback",
    "row",
    "rows",
    "savepoint",
    "stored",
    "strict",
    "temp",
    "temporary",
    "ties",
    "trigger",
    "true",
    "unbounded",
    "vacuum",
    "view",
    "virtual",
    "with",
    "without",
};

#define LONGEST_KEYWORD 17

static int by_name(const void *a, const void *b)
{
    return strcasecmp(a, *(const char *const *)b);
}

static const char *keyword(const char *text, size_t len, const char *const *list, size_t n)
{
    char name[LONGEST_KEYWORD + 1];
    if (len > LONGEST_KEYWORD)
        return NULL;
    memcpy(name, text, len);
    name[len] = '\0';
    const char *const *found = bsearch(name, list, n, sizeof *list, by_name);
    return found ? *found : NULL;
}

static const char *reserved_word(const char *text, size_t len)
{
    return keyword(text, len, reserved, sizeof reserved / sizeof *reserved);
}

static const char *soft_word(const char *text, size_t len)
{
    return keyword(text, len, soft, sizeof soft / sizeof *soft);
}

static bool is_name_start(unsigned char c)
{
    return isalpha(c) || c == '_' || c >= 0x80;
}

static bool is_name_char(unsigned char c)
{
    return isalnum(c) || c == '_' || c == '$' || c >= 0x80;
}

/* SQLite takes a byte order mark for white space wherever a token can start: a file that was put
 * behind another one begins with it. */
static bool is_mark(const char *p, const char *end)
{
    return end - p >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0;
}

static const char *skip_blanks(const char *p, const char *end)
{
    for (;;) {
        while (p < end && (isspace((unsigned char)*p) || *p == '\0' || is_mark(p, end)))
            p += is_mark(p, end) ? 3 : 1;
        if (end - p >= 2 && p[0] == '-' && p[1] == '-') {
            const char *line = memchr(p, '\n', (size_t)(end - p));
            p = line ? line + 1 : end;
        } else if (end - p >= 2 && p[0] == '/' && p[1] == '*') {
            p += 2;
            while (p < end && !(p[0] == '*' && end - p >= 2 && p[1] == '/'))
                p++;
            p = end - p >= 2 ? p + 2 : end;
        } else {
            return p;
        }
    }
}

/* Behind the closing quote; NULL when there is none. */
static const char *quote_end(const char *p, const char *end)
{
    char close = *p == '[' ? ']' : *p;
    for (p++; p < end; p++) {
        if (*p != close)
            continue;
        if (close == ']' || p + 1 >= end || p[1] != close)
            return p + 1;
        p++;
    }
    return NULL;
}

static const char *number_end(const char *p, const char *end)
{
    /* An exponent's sign is the only character of a number that a name cannot hold, '.' aside. */
    bool hex = end - p > 1 && p[0] == '0' && (p[1] | 0x20) == 'x';
    while (p < end && (is_name_char((unsigned char)*p) || *p == '.')) {
        bool exponent = !hex && (*p | 0x20) == 'e' && end - p > 2 && (p[1] == '+' || p[1] == '-') &&
                        isdigit((unsigned char)p[2]);
        p += exponent ? 2 : 1;
    }
    return p;
}

static const char *blob_end(const char *p, const char *end)
{
    if (end - p < 3 || (*p | 0x20) != 'x' || p[1] != '\'')
        return NULL;
    for (p += 2; p < end && isxdigit((unsigned char)*p); p++)
        ;
    return p < end && *p == '\'' ? p + 1 : NULL;
}

static size_t symbol_len(const char *p, const char *end)
{
    static const char *const symbols[] = {
        "->>", "->", "||", "<=", ">=", "==", "!=", "<>", "<<", ">>"};
    for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++) {
        size_t len = strlen(symbols[i]);
        if ((size_t)(end - p) >= len && memcmp(p, symbols[i], len) == 0)
            return len;
    }
    return 1;
}

static const char *word_end(const char *p, const char *end)
{
    while (p < end && is_name_char((unsigned char)*p))
        p++;
    return p;
}

static const char *token_end(enum rb_token_kind *kind, const char *p, const char *end)
{
    unsigned char c = (unsigned char)*p;
    const char *blob = blob_end(p, end);
    if (blob) {
        *kind = RB_TOKEN_BLOB;
        return blob;
    }
    if (is_name_start(c)) {
        *kind = RB_TOKEN_WORD;
        return word_end(p, end);
    }
    if (c == '\'' || c == '"' || c == '`' || c == '[') {
        const char *close = quote_end(p, end);
        *kind = !close ? RB_TOKEN_BROKEN : c == '\'' ? RB_TOKEN_STRING : RB_TOKEN_QUOTED;
        return close ? close : end;
    }
    if (isdigit(c) || (c == '.' && end - p > 1 && isdigit((unsigned char)p[1]))) {
        *kind = RB_TOKEN_NUMBER;
        return number_end(p, end);
    }
    if (strchr("?:@$#", c) && c && end - p > 1 && is_name_char((unsigned char)p[1])) {
        *kind = RB_TOKEN_PARAM;
        return word_end(p + 1, end);
    }
    *kind = RB_TOKEN_SYMBOL;
    return p + symbol_len(p, end);
}

bool rb_token_next(rb_token *out, const char **at, const char *end)
{
    const char *p = skip_blanks(*at, end);
    *at = p;
    if (p >= end)
        return false;
    *at = token_end(&out->kind, p, end);
    out->text = p;
    out->len = (size_t)(*at - p);
    return true;
}

void rb_tokens_read(rb_tokens *out, const char *sql, size_t len)
{
    rb_token token;
    const char *at = sql;
    *out = (rb_tokens){0};
    while (rb_token_next(&token, &at, sql + len)) {
        if (out->n == out->cap) {
            out->cap = out->cap ? out->cap * 2 : 32;
            out->items = rb_realloc(out->items, out->cap, sizeof *out->items);
        }
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

static void add_quoted(rb_buf *out, const char *text, char quote)
{
    rb_buf_addc(out, quote);
    for (; *text; text++) {
        if (*text == quote)
            rb_buf_addc(out, quote);
        rb_buf_addc(out, *text);
    }
    rb_buf_addc(out, quote);
}

static void add_cased(rb_buf *out, const char *text, size_t len, int (*fold)(int))
{
    for (size_t i = 0; i < len; i++)
        rb_buf_addc(out,
                    (char)((unsigned char)text[i] < 0x80 ? fold((unsigned char)text[i]) : text[i]));
}

/* A name as the normal form has it: bare where that is possible. */
static void add_name(rb_buf *out, const char *name, bool is_called)
{
    size_t len = strlen(name);
    bool plain = len && is_name_start((unsigned char)name[0]) && !is_mark(name, name + len) &&
                 (size_t)(word_end(name, name + len) - name) == len && !reserved_word(name, len);
    if (!plain)
        add_quoted(out, name, '"');
    else if (is_called || soft_word(name, len))
        add_cased(out, name, len, tolower);
    else
        rb_buf_puts(out, name);
}

static bool has_column(const rb_strs *columns, const char *name)
{
    for (size_t i = 0; i < columns->n; i++)
        if (strcasecmp(columns->items[i], name) == 0)
            return true;
    return false;
}

/* may_be_string: a double-quoted token stands where a string can. */
static void add_token(rb_buf *out, const rb_token *token, bool is_called, bool may_be_string,
                      const rb_strs *columns)
{
    switch (token->kind) {
    case RB_TOKEN_WORD:
        if (reserved_word(token->text, token->len))
            add_cased(out, token->text, token->len, toupper);
        else if (is_called || soft_word(token->text, token->len))
            add_cased(out, token->text, token->len, tolower);
        else
            rb_buf_add(out, token->text, token->len);
        return;
    case RB_TOKEN_QUOTED: {
        RB_AUTO(rb_free_str) char *name = rb_token_name(token);
        if (columns && token->text[0] == '"' && may_be_string && !has_column(columns, name))
            add_quoted(out, name, '\'');
        else
            add_name(out, name, is_called);
        return;
    }
    case RB_TOKEN_BLOB:
        add_cased(out, token->text, token->len, toupper);
        return;
    default:
        rb_buf_add(out, token->text, token->len);
    }
}

static bool is_name(const rb_token *token)
{
    return token->kind == RB_TOKEN_WORD || token->kind == RB_TOKEN_QUOTED;
}

static bool is_symbol(const rb_token *token, char c)
{
    return token->kind == RB_TOKEN_SYMBOL && token->len == 1 && token->text[0] == c;
}

static bool spaced(const rb_token *tokens, size_t i, size_t n)
{
    if (is_symbol(&tokens[i - 1], '(') || is_symbol(&tokens[i], ')') || is_symbol(&tokens[i], ','))
        return false;
    if (is_symbol(&tokens[i], '.'))
        return !(is_name(&tokens[i - 1]) && i + 1 < n &&
                 (is_name(&tokens[i + 1]) || is_symbol(&tokens[i + 1], '*')));
    if (is_symbol(&tokens[i - 1], '.'))
        return !(i >= 2 && is_name(&tokens[i - 2]) &&
                 (is_name(&tokens[i]) || is_symbol(&tokens[i], '*')));
    return true;
}

void rb_tokens_normal(rb_buf *out, const rb_token *tokens, size_t n, const rb_strs *columns)
{
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && spaced(tokens, i, n))
            rb_buf_addc(out, ' ');
        bool is_called = is_name(&tokens[i]) && i + 1 < n && is_symbol(&tokens[i + 1], '(');
        bool is_part = (i + 1 < n && is_symbol(&tokens[i + 1], '.')) ||
                       (i > 0 && is_symbol(&tokens[i - 1], '.'));
        add_token(out, &tokens[i], is_called, !is_called && !is_part, columns);
    }
}
