#include "database/sqlite/create_parser.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "catalog/name.h"

bool rb_reader_peek(const rb_sqlreader *r, const char *word)
{
    return r->at < r->n && rb_token_is(&r->t[r->at], word);
}

bool rb_reader_take(rb_sqlreader *r, const char *word)
{
    if (!rb_reader_peek(r, word))
        return false;
    r->at++;
    return true;
}

bool rb_reader_take2(rb_sqlreader *r, const char *one, const char *two)
{
    size_t at = r->at;
    if (rb_reader_take(r, one) && rb_reader_take(r, two))
        return true;
    r->at = at;
    return false;
}

char *rb_reader_take_name(rb_sqlreader *r)
{
    if (r->at >= r->n || r->t[r->at].kind > RB_TOKEN_STRING)
        return NULL;
    return rb_token_name(&r->t[r->at++]);
}

/* Returns the index after the ')' that closes the '(' at i; 0 if there is none. */
size_t rb_reader_group_end(const rb_token *t, size_t n, size_t i)
{
    size_t depth = 0;
    for (; i < n; i++) {
        if (rb_token_is(&t[i], "("))
            depth++;
        else if (rb_token_is(&t[i], ")") && --depth == 0)
            return i + 1;
    }
    return 0;
}

char *rb_reader_normal(const rb_token *t, size_t n, const rb_strs *columns)
{
    rb_buf text = {0};
    rb_tokens_normal(&text, t, n, columns);
    return rb_buf_detach(&text);
}

/* Takes "( ... )" and returns its normalised inside; NULL if something else follows. */
char *rb_reader_take_group(rb_sqlreader *r)
{
    if (!rb_reader_peek(r, "("))
        return NULL;
    size_t end = rb_reader_group_end(r->t, r->n, r->at);
    if (end == 0)
        return NULL;
    char *text = rb_reader_normal(r->t + r->at + 1, end - r->at - 2, &r->columns);
    r->at = end;
    return text;
}

void rb_reader_put(json_t *object, const char *key, const char *value)
{
    json_object_set_new(object, key, rb_json_text(value));
}

void rb_reader_put_entry(json_t *out, json_t *entry, const char *kind, const char *table,
                         const char *name)
{
    RB_AUTO(rb_free_str) char *key = rb_catalog_key(kind, table, name);
    for (int copy = 2; json_object_get(out, key); copy++) {
        free(key);
        RB_AUTO(rb_free_str) char *numbered = rb_format("%s (%d)", name, copy);
        key = rb_catalog_key(kind, table, numbered);
    }
    json_object_set_new(out, key, entry);
}

char *rb_reader_upper(char *s)
{
    for (char *p = s; *p; p++)
        *p = (char)((unsigned char)*p < 0x80 ? toupper((unsigned char)*p) : *p);
    return s;
}

/* Takes ON CONFLICT x. Returns NULL if it is missing or ABORT, which is the default. */
char *rb_reader_take_conflict(rb_sqlreader *r)
{
    if (!rb_reader_take2(r, "ON", "CONFLICT"))
        return NULL;
    RB_AUTO(rb_free_str) char *how = rb_reader_take_name(r);
    if (!how || strcasecmp(how, "ABORT") == 0)
        return NULL;
    return rb_reader_upper(rb_strdup(how));
}

/* Returns the normalised terms of an index or key, without ASC, which is the default. */
json_t *rb_reader_terms(const rb_token *t, size_t n, const rb_strs *columns)
{
    json_t *list = json_array();
    size_t depth = 0;
    size_t start = 0;
    for (size_t i = 0; i <= n; i++) {
        if (i < n && rb_token_is(&t[i], "("))
            depth++;
        else if (i < n && rb_token_is(&t[i], ")"))
            depth--;
        else if (i == n || (depth == 0 && rb_token_is(&t[i], ","))) {
            size_t len = i - start;
            if (len > 1 && rb_token_is(&t[i - 1], "ASC"))
                len--;
            RB_AUTO(rb_free_str) char *term = rb_reader_normal(t + start, len, columns);
            json_array_append_new(list, rb_json_text(term));
            start = i + 1;
        }
    }
    return list;
}

char *rb_reader_joined(const json_t *list)
{
    rb_buf out = {0};
    rb_json_each (item, list)
        rb_buf_printf(&out, "%s%s", item_at ? ", " : "", json_string_value(item));
    return rb_buf_detach(&out);
}

/* Takes "(a, b)" and returns its terms; NULL if something else follows. */
json_t *rb_reader_take_terms(rb_sqlreader *r, bool *autoincrement)
{
    size_t end = rb_reader_peek(r, "(") ? rb_reader_group_end(r->t, r->n, r->at) : 0;
    if (end == 0)
        return NULL;
    size_t inside = end - r->at - 2;
    if (autoincrement && inside > 1 && rb_token_is(&r->t[end - 2], "AUTOINCREMENT")) {
        *autoincrement = true;
        inside--;
    }
    json_t *list = rb_reader_terms(r->t + r->at + 1, inside, &r->columns);
    r->at = end;
    return list;
}

/* Takes CREATE [TEMP] WHAT [IF NOT EXISTS] [SCHEMA.]NAME. */
bool rb_reader_take_head(rb_sqlreader *r, const char *what)
{
    if (!rb_reader_take(r, "CREATE"))
        return false;
    if (!rb_reader_take(r, "TEMP") && !rb_reader_take(r, "TEMPORARY"))
        rb_reader_take(r, strcmp(what, "INDEX") == 0 ? "UNIQUE" : "VIRTUAL");
    if (!rb_reader_take(r, what))
        return false;
    if (rb_reader_take(r, "IF") && !(rb_reader_take(r, "NOT") && rb_reader_take(r, "EXISTS")))
        return false;
    free(rb_reader_take_name(r));
    if (rb_reader_take(r, "."))
        free(rb_reader_take_name(r));
    return r->at < r->n;
}
