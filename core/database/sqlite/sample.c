/* Values of made-up rows: as an application would write them, as scripts name them, and such that
 * the table's CHECKs hold. */
#include "database/sqlite/sample.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "catalog/name.h"
#include "database/sqlite/create_index.h"

#define CANDIDATES 40 /* values tried for a column that a CHECK restricts */
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
        if (strcasecmp(r->items[i].name, name) == 0)
            return &r->items[i];
    return NULL;
}

static bool has_word(const char *type, const char *word)
{
    return strcasestr(type, word) != NULL;
}

static bool is_numeric(const char *type)
{
    return has_word(type, "INT") || has_word(type, "REAL") || has_word(type, "FLOA") ||
           has_word(type, "DOUB") || has_word(type, "NUM") || has_word(type, "DEC") ||
           has_word(type, "BOOL");
}

static bool is_text(const char *type)
{
    return has_word(type, "CHAR") || has_word(type, "CLOB") || has_word(type, "TEXT");
}

/* A value that fits the declared type as an application would fill it; second: another one. Keys
 * are larger than those that scripts give their own rows. */
static const char *value_for(const char *type, const char *name, bool key, bool second)
{
    if (has_word(type, "BOOL"))
        return second ? "0" : "1";
    if (has_word(type, "DATETIME") || has_word(type, "TIMESTAMP"))
        return second ? "'2002-11-12 13:14:15'" : "'2001-02-03 04:05:06'";
    if (has_word(type, "DATE") && !has_word(type, "INT"))
        return second ? "'2002-11-12'" : "'2001-02-03'";
    if (has_word(type, "INT") && key)
        return second ? "7002" : "7001";
    if (has_word(type, "INT"))
        return second ? "17" : "42";
    if (has_word(type, "JSON") || (is_text(type) && has_word(name, "json")))
        return second ? "'[]'" : "'{}'";
    if (has_word(type, "UUID"))
        return second ? "'00000000-0000-4000-8000-000000000002'"
                      : "'00000000-0000-4000-8000-000000000001'";
    if (is_text(type))
        return second ? "'second'" : "'example'";
    if (is_numeric(type))
        return second ? "2.25" : "1.5";
    if (has_word(type, "BLOB"))
        return second ? "x'6f6b'" : "x'7262'";
    return second ? "'second'" : "'example'";
}

/* Of the literals that scripts compare such a column with: those that fit its type. at: which one,
 * from 0, and again from the first. NULL: there are none. */
static const char *named_value(size_t *count, const rb_samples *samples, const char *type,
                               const char *name, size_t at)
{
    RB_AUTO(rb_free_str) char *lower = rb_strdup(name);
    RB_AUTO(rb_json_freep) json_t *fitting = json_array();
    for (char *p = lower; *p; p++)
        *p = (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
    size_t i;
    json_t *item;
    json_array_foreach (json_object_get(samples->literals, lower), i, item) {
        bool string = json_string_value(item)[0] == '\'';
        if (string ? !is_numeric(type) : !is_text(type))
            json_array_append(fitting, item);
    }
    *count = json_array_size(fitting);
    return *count > 0 ? json_string_value(json_array_get(fitting, at % *count)) : NULL;
}

/* Another value for each further row: columns may be unique. */
static char *numbered(const char *value, size_t row)
{
    if (row == 0)
        return rb_strdup(value);
    if (*value >= '0' && *value <= '9')
        return rb_format("%s + %zu", value, row);
    return strcmp(value, "'example'") == 0 ? rb_format("'example %zu'", row + 1) : rb_strdup(value);
}

bool rb_sample_add(void *context, const rb_cell *cells, size_t n)
{
    rb_sample_row *r = context;
    (void)n;
    const char *name = cells[0].data;
    const char *type = cells[1].kind == RB_CELL_TEXT ? cells[1].data : "";
    const char *default_value = cells[3].kind == RB_CELL_TEXT ? cells[3].data : NULL;
    bool nullable = cells[2].integer == 0 && cells[4].integer == 0;
    bool key = cells[4].integer > 0;
    bool second = r->samples->kind == RB_SAMPLE_OTHER;
    const char *value = value_for(type, name, key, second);
    size_t count = 0;
    const char *named = r->samples->kind == RB_SAMPLE_NAMED
                            ? named_value(&count, r->samples, type, name, r->row)
                            : NULL;
    r->named = count > r->named ? count : r->named;
    if (second && nullable)
        value = default_value ? default_value : "NULL";
    r->items = rb_realloc(r->items, r->n + 1, sizeof *r->items);
    r->items[r->n++] = (rb_sample_column){
        .name = rb_strdup(name),
        .value = named ? rb_strdup(named) : numbered(value, r->row),
        .nullable = nullable,
        .has_default = default_value != NULL,
        .is_key = key,
    };
    return true;
}

/* CHECK constraints: values are looked for that make each of them true. */

static bool is_true(rb_sqlite *db, const rb_sample_row *r, const char *check)
{
    rb_buf sql = {0};
    int64_t out = 0;
    rb_err ignored;
    rb_buf_printf(&sql, "SELECT coalesce((%s), 1) <> 0 FROM (SELECT ", check);
    for (size_t i = 0; i < r->n; i++) {
        RB_AUTO(rb_free_str) char *name = rb_sqlite_name(r->items[i].name);
        rb_buf_printf(&sql, "%s%s AS %s", i ? ", " : "", r->items[i].value, name);
    }
    rb_buf_puts(&sql, ")");
    return rb_sqlite_int(&out, db, rb_buf_detach(&sql), &ignored) == RB_OK && out != 0;
}

/* A text that a LIKE or GLOB pattern matches: "ORD-a" of "ORD-%". */
static char *match_of(const char *pattern, bool glob)
{
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    const char *p = pattern;
    while (*p) {
        const char *close = glob && *p == '[' ? strchr(p + 1, ']') : NULL;
        bool any = glob ? *p == '*' || *p == '?' : *p == '%' || *p == '_';
        bool negated = close && p[1] == '^';
        rb_buf_addc(&text, close ? (negated ? 'a' : p[1]) : any ? 'a' : *p);
        p = close ? close + 1 : p + 1;
    }
    return rb_sqlite_text(rb_buf_str(&text));
}

static void add_literal(rb_strs *out, const rb_tokens *tokens, size_t i)
{
    const rb_token *t = &tokens->items[i];
    bool like = i > 0 && rb_token_is(t - 1, "LIKE");
    bool glob = i > 0 && rb_token_is(t - 1, "GLOB");
    RB_AUTO(rb_free_str) char *text = rb_token_name(t);
    if (like || glob)
        rb_strs_take(out, match_of(text, glob));
    else
        rb_strs_take(out, rb_strndup(t->text, t->len));
}

/* Literals of the CHECK itself first; the rest is what applications write. */
static void add_candidates(rb_strs *out, const char *check)
{
    static const char *const usual[] = {"1",    "0",    "'a'",  "'1'",  "'ab'", "'abc'",
                                        "NULL", "'{}'", "'[]'", "12.5", "''",   "-1"};
    rb_tokens tokens;
    rb_tokens_read(&tokens, check, strlen(check));
    for (size_t i = 0; i < tokens.n && out->n < CANDIDATES; i++)
        if (tokens.items[i].kind == RB_TOKEN_STRING || tokens.items[i].kind == RB_TOKEN_NUMBER)
            add_literal(out, &tokens, i);
    for (size_t i = 0; i < tokens.n && out->n < CANDIDATES; i++) {
        const rb_token *t = &tokens.items[i];
        if (t->kind != RB_TOKEN_NUMBER)
            continue;
        RB_AUTO(rb_free_str) char *literal = rb_strndup(t->text, t->len);
        long number = strtol(literal, NULL, 10);
        rb_strs_take(out, rb_format("(%s + 1)", literal));
        rb_strs_take(out, rb_format("(%s - 1)", literal));
        if (number > 0 && number <= LENGTH_LIMIT)
            rb_strs_take(out, rb_format("substr(replace(hex(zeroblob(%d)), '00', 'ab'), 1, %ld)",
                                        LENGTH_LIMIT, number));
    }
    rb_tokens_clear(&tokens);
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
        rb_strs_add(out, usual[i]);
}

static bool mentions(const char *check, const char *name)
{
    rb_tokens tokens;
    bool found = false;
    rb_tokens_read(&tokens, check, strlen(check));
    for (size_t i = 0; i < tokens.n && !found; i++) {
        if (tokens.items[i].kind > RB_TOKEN_QUOTED)
            continue;
        RB_AUTO(rb_free_str) char *word = rb_token_name(&tokens.items[i]);
        found = strcasecmp(word, name) == 0;
    }
    rb_tokens_clear(&tokens);
    return found;
}

/* Tries the candidates for one column, and for each of them those of a second one. */
static bool try_column(rb_sqlite *db, rb_sample_row *r, const char *check,
                       const rb_strs *candidates, size_t first, bool deeper)
{
    rb_sample_column *c = &r->items[first];
    char *old = c->value;
    for (size_t i = 0; i < candidates->n; i++) {
        c->value = candidates->items[i];
        if (is_true(db, r, check)) {
            c->value = rb_strdup(candidates->items[i]);
            free(old);
            return true;
        }
        for (size_t j = first + 1; deeper && j < r->n; j++)
            if (mentions(check, r->items[j].name) &&
                try_column(db, r, check, candidates, j, false)) {
                c->value = rb_strdup(candidates->items[i]);
                free(old);
                return true;
            }
    }
    c->value = old;
    return false;
}

static void satisfy(rb_sqlite *db, rb_sample_row *r, const char *check)
{
    RB_AUTO(rb_strs_clear) rb_strs candidates = {0};
    if (is_true(db, r, check))
        return;
    add_candidates(&candidates, check);
    for (int deeper = 0; deeper < 2; deeper++)
        for (size_t i = 0; i < r->n; i++)
            if (mentions(check, r->items[i].name) &&
                try_column(db, r, check, &candidates, i, deeper == 1))
                return;
}

void rb_sample_satisfy(rb_sqlite *db, rb_sample_row *r, const char *table, const char *sql)
{
    RB_AUTO(rb_json_freep)
    json_t *entries = rb_sqlentries("table", table, table, sql, NULL);
    RB_AUTO(rb_free_str) char *key = rb_catalog_key("table", NULL, table);
    size_t i;
    json_t *check;
    json_array_foreach (json_object_get(json_object_get(entries, key), "checks"), i, check)
        satisfy(db, r, json_string_value(check));
}

/* What scripts compare columns with */

static bool is_name(const rb_token *t)
{
    return t->kind == RB_TOKEN_WORD || t->kind == RB_TOKEN_QUOTED;
}

/* A literal at i: *n tokens of it. */
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
    json_t *value = json_string(literal); /* NULL: not UTF-8 */
    if (!list) {
        list = json_array();
        json_object_set_new(literals, key, list);
    }
    size_t i;
    json_t *other;
    json_array_foreach (list, i, other)
        if (!value || json_equal(other, value)) {
            json_decref(value);
            return;
        }
    if (value && json_array_size(list) < CANDIDATES)
        json_array_append_new(list, value);
    else
        json_decref(value);
}

/* IN (1, 2), or the WHENs of CASE name: behind i. */
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

void rb_sqlite_literals(json_t *literals, const char *sql, size_t len)
{
    rb_tokens tokens;
    rb_tokens_read(&tokens, sql, len);
    for (size_t i = 0; i < tokens.n; i++)
        add_compared(literals, &tokens, i);
    rb_tokens_clear(&tokens);
}
