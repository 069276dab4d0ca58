#include "sql/normal.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Words that SQLite accepts as names only in quotes, sorted. */
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

/* Keywords that may also be names, sorted. The normal form writes them in lower case, whether they
 * are used as a keyword or as a name. */
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

/* Appends a name, without quotes if possible. */
static void add_name(rb_buf *out, const char *name, bool is_called)
{
    size_t len = strlen(name);
    /* SQLite ignores a byte order mark at the start of a bare name, so quote such a name. */
    bool plain = rb_sql_starts_word(name[0]) && strncmp(name, "\xef\xbb\xbf", 3) != 0 &&
                 *rb_sql_word_end(name, name + len) == '\0' && !reserved_word(name, len);
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

/* Appends a token. may_be_string: SQLite may take a double-quoted token here for a string. */
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
