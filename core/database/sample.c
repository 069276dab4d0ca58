#include "database/sample.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "sql/token.h"

#define CANDIDATES 40 /* values that are tried for a column with a CHECK */
#define LENGTH_LIMIT 64

void rb_sample_clear(rb_sample_row *r)
{
    for (size_t i = 0; i < r->n; i++) {
        free(r->items[i].name);
        free(r->items[i].value);
    }
    free(r->items);
    *r = (rb_sample_row){0};
}

rb_sample_column *rb_sample_find(const rb_sample_row *r, const char *name)
{
    for (size_t i = 0; i < r->n; i++)
        if (strcmp(r->items[i].name, name) == 0)
            return &r->items[i];
    return NULL;
}

const char *rb_sample_named(size_t *count, const rb_samples *samples, const char *name,
                            bool numbers, bool strings, size_t at)
{
    RB_AUTO(rb_free_str) char *lower = rb_strdup(name);
    RB_AUTO(rb_json_freep) json_t *fitting = json_array();
    for (char *p = lower; *p; p++)
        *p = (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
    rb_json_each (item, json_object_get(samples->literals, lower))
        if (json_string_value(item)[0] == '\'' ? strings : numbers)
            json_array_append(fitting, item);
    *count = json_array_size(fitting);
    return *count > 0 ? json_string_value(json_array_get(fitting, at % *count)) : NULL;
}

char *rb_sample_numbered(const char *value, size_t row)
{
    if (row == 0)
        return rb_strdup(value);
    if (*value >= '0' && *value <= '9')
        return rb_format("%s + %zu", value, row);
    return strcmp(value, "'example'") == 0 ? rb_format("'example %zu'", row + 1) : rb_strdup(value);
}

/* CHECK constraints: finds values that make each of them true. */

/* A CHECK to satisfy: its text, and the function that evaluates it. */
typedef struct search {
    const char *check;
    const char *engine;
    rb_sample_holds *holds;
    void *context;
} search;

static bool is_true(const search *s, const rb_sample_row *r)
{
    return s->holds(s->context, r, s->check);
}

/* Returns a text that a LIKE or GLOB pattern matches, such as "ORD-a" for "ORD-%". It is up to
 * `len` bytes long if the pattern allows that. A new string. */
static char *match_of(const char *pattern, bool glob, size_t len)
{
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    size_t more = len > strlen(pattern) ? len - strlen(pattern) : 0;
    const char *p = pattern;
    while (*p) {
        const char *close = glob && *p == '[' ? strchr(p + 1, ']') : NULL;
        bool any = glob ? *p == '*' || *p == '?' : *p == '%' || *p == '_';
        bool negated = close && p[1] == '^';
        rb_buf_addc(&text, close ? (negated ? 'a' : p[1]) : any ? 'a' : *p);
        for (; (*p == '%' || (glob && *p == '*')) && more > 0; more--)
            rb_buf_addc(&text, 'a');
        p = close ? close + 1 : p + 1;
    }
    return rb_sql_literal(rb_buf_str(&text));
}

/* Returns the number at i if it can be the length of a text, else 0. */
static size_t length_at(const rb_tokens *tokens, size_t i)
{
    const rb_token *t = &tokens->items[i];
    if (t->kind != RB_TOKEN_NUMBER)
        return 0;
    RB_AUTO(rb_free_str) char *literal = rb_strndup(t->text, t->len);
    long number = strtol(literal, NULL, 10);
    return number > 0 && number <= LENGTH_LIMIT ? (size_t)number : 0;
}

static void add_literal(rb_strs *out, const rb_tokens *tokens, size_t i)
{
    const rb_token *t = &tokens->items[i];
    const bool glob = i > 0 && rb_token_is(t - 1, "GLOB");
    const bool like = i > 0 && (rb_token_is(t - 1, "LIKE") || rb_token_is(t - 1, "ILIKE") ||
                                rb_token_is(t - 1, "~~") || rb_token_is(t - 1, "~~*"));
    RB_AUTO(rb_free_str) char *text = rb_token_name(t);
    if (!like && !glob) {
        rb_strs_take(out, rb_strndup(t->text, t->len));
        return;
    }
    rb_strs_take(out, match_of(text, glob, 0));
    for (size_t n = 0; n < tokens->n && out->n < CANDIDATES; n++)
        if (length_at(tokens, n) > strlen(text))
            rb_strs_take(out, match_of(text, glob, length_at(tokens, n)));
}

/* Adds values to try: first the literals of the CHECK, then values that applications often write.
 */
static void add_candidates(rb_strs *out, const search *s)
{
    static const char long_text[] = /* LENGTH_LIMIT bytes */
        "abababababababababababababababababababababababababababababababab";
    static const char *const usual[] = {
        "1",       "0",       "'a'",       "'1'",          "'ab'",     "'abc'",
        "NULL",    "'{}'",    "'[]'",      "12.5",         "''",       "-1",
        "'A'",     "'AB'",    "'ABC'",     "'a-1'",        "'a@a.aa'", "'https://a.aa/'",
        "'12:30'", "'12345'", "'#a1b2c3'", "'+1234567890'"};
    rb_tokens tokens;
    rb_tokens_read(&tokens, s->check, strlen(s->check), s->engine);
    for (size_t i = 0; i < tokens.n && out->n < CANDIDATES; i++)
        if (tokens.items[i].kind == RB_TOKEN_STRING || tokens.items[i].kind == RB_TOKEN_NUMBER)
            add_literal(out, &tokens, i);
    for (size_t i = 0; i < tokens.n && out->n < CANDIDATES; i++) {
        const rb_token *t = &tokens.items[i];
        if (t->kind != RB_TOKEN_NUMBER)
            continue;
        rb_strs_take(out, rb_format("(%.*s + 1)", (int)t->len, t->text));
        rb_strs_take(out, rb_format("(%.*s - 1)", (int)t->len, t->text));
        if (length_at(&tokens, i))
            rb_strs_take(out, rb_format("'%.*s'", (int)length_at(&tokens, i), long_text));
    }
    rb_tokens_clear(&tokens);
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
        rb_strs_add(out, usual[i]);
}

static bool mentions(const search *s, const char *name)
{
    rb_tokens tokens;
    bool found = false;
    rb_tokens_read(&tokens, s->check, strlen(s->check), s->engine);
    for (size_t i = 0; i < tokens.n && !found; i++) {
        if (tokens.items[i].kind > RB_TOKEN_QUOTED)
            continue;
        RB_AUTO(rb_free_str) char *word = rb_token_name(&tokens.items[i]);
        found = strcasecmp(word, name) == 0;
    }
    rb_tokens_clear(&tokens);
    return found;
}

/* Tries the candidates for one column and, for each of them, all candidates for a second column. */
static bool try_column(const search *s, rb_sample_row *r, const rb_strs *candidates, size_t first,
                       bool deeper)
{
    rb_sample_column *c = &r->items[first];
    char *old = c->value;
    for (size_t i = 0; i < candidates->n; i++) {
        c->value = candidates->items[i];
        if (!c->nullable && strcmp(c->value, "NULL") == 0)
            continue;
        if (is_true(s, r)) {
            c->value = rb_strdup(candidates->items[i]);
            free(old);
            return true;
        }
        for (size_t j = first + 1; deeper && j < r->n; j++)
            if (mentions(s, r->items[j].name) && try_column(s, r, candidates, j, false)) {
                c->value = rb_strdup(candidates->items[i]);
                free(old);
                return true;
            }
    }
    c->value = old;
    return false;
}

void rb_sample_satisfy(rb_sample_row *r, const char *check, const char *engine,
                       rb_sample_holds *holds, void *context)
{
    const search search_ = {check, engine, holds, context};
    const search *s = &search_;
    RB_AUTO(rb_strs_clear) rb_strs candidates = {0};
    if (is_true(s, r))
        return;
    add_candidates(&candidates, s);
    for (int deeper = 0; deeper < 2; deeper++)
        for (size_t i = 0; i < r->n; i++)
            if (mentions(s, r->items[i].name) && try_column(s, r, &candidates, i, deeper == 1))
                return;
}

/* Literals that scripts compare columns with: */

static bool is_name(const rb_token *t)
{
    return t->kind == RB_TOKEN_WORD || t->kind == RB_TOKEN_QUOTED;
}

/* True if a literal begins at i, of *n tokens. *out: a new string. */
static bool literal_at(char **out, size_t *n, const rb_tokens *tokens, size_t i)
{
    const rb_token *t = &tokens->items[i];
    *out = NULL;
    *n = 1;
    if (i >= tokens->n)
        return false;
    bool minus = rb_token_is(t, "-") && i + 1 < tokens->n && t[1].kind == RB_TOKEN_NUMBER;
    if (!minus && t->kind != RB_TOKEN_STRING && t->kind != RB_TOKEN_NUMBER)
        return false;
    *n = minus ? 2 : 1;
    *out = minus ? rb_format("-%.*s", (int)t[1].len, t[1].text) : rb_strndup(t->text, t->len);
    return true;
}

static void add_named(json_t *literals, const rb_token *name, const char *literal)
{
    RB_AUTO(rb_free_str) char *column = rb_token_name(name);
    for (char *p = column; *p; p++)
        *p = (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
    RB_AUTO(rb_free_str) char *key = rb_safe(column);
    json_t *list = json_object_get(literals, key);
    json_t *value = json_string(literal); /* NULL if it is not valid UTF-8 */
    if (!list) {
        list = json_array();
        json_object_set_new(literals, key, list);
    }
    rb_json_each (other, list)
        if (!value || json_equal(other, value)) {
            json_decref(value);
            return;
        }
    if (value && json_array_size(list) < CANDIDATES)
        json_array_append_new(list, value);
    else
        json_decref(value);
}

/* Adds the literals of the list that begins after token i: IN (1, 2), or the WHENs of CASE name.
 * name: index of the column's name. */
static void add_list(json_t *literals, const rb_tokens *tokens, size_t name, size_t i, bool whens)
{
    size_t depth = 0;
    for (; i < tokens->n; i++) {
        const rb_token *t = &tokens->items[i];
        RB_AUTO(rb_free_str) char *literal = NULL;
        size_t n;
        if (rb_token_is(t, "(") || rb_token_is(t, "CASE"))
            depth++;
        if (rb_token_is(t, ")") || rb_token_is(t, "END")) {
            if (depth == 0 || --depth == 0)
                if (!whens || rb_token_is(t, "END"))
                    return;
        }
        bool taken = whens ? rb_token_is(t - 1, "WHEN") : true;
        if (taken && literal_at(&literal, &n, tokens, i)) {
            add_named(literals, &tokens->items[name], literal);
            i += n - 1;
        }
    }
}

static void add_compared(json_t *literals, const rb_tokens *tokens, size_t i)
{
    const rb_token *t = &tokens->items[i];
    RB_AUTO(rb_free_str) char *literal = NULL;
    size_t n;
    bool equal = i + 1 < tokens->n &&
                 (rb_token_is(&t[1], "=") || rb_token_is(&t[1], "==") || rb_token_is(&t[1], "IS"));
    if (literal_at(&literal, &n, tokens, i)) {
        if (i + n + 1 < tokens->n && rb_token_is(&t[n], "=") && is_name(&t[n + 1]))
            add_named(literals, &t[n + 1], literal);
        return;
    }
    if (!is_name(t))
        return;
    if (equal && literal_at(&literal, &n, tokens, i + 2))
        add_named(literals, t, literal);
    else if (i + 2 < tokens->n && rb_token_is(&t[1], "IN") && rb_token_is(&t[2], "("))
        add_list(literals, tokens, i, i + 2, false);
    else if (i + 1 < tokens->n && rb_token_is(&t[1], "WHEN") &&
             ((i > 0 && rb_token_is(&t[-1], "CASE")) || (i > 2 && rb_token_is(&t[-3], "CASE"))))
        add_list(literals, tokens, i, i + 2, true);
}

void rb_sample_literals(json_t *literals, const char *sql, size_t len, const char *engine)
{
    rb_tokens tokens;
    rb_tokens_read(&tokens, sql, len, engine);
    for (size_t i = 0; i < tokens.n; i++)
        add_compared(literals, &tokens, i);
    rb_tokens_clear(&tokens);
}
