/* Reads CREATE INDEX, TRIGGER and VIEW, and calls the reader of any CREATE statement. */
#include "database/sqlite/create_index.h"

#include <string.h>

#include "database/sqlite/create_parser.h"

static bool read_index(rb_sqlreader *r, const char *name, const char *table, const rb_strs *columns)
{
    bool is_unique = r->n > 1 && rb_token_is(&r->t[1], "UNIQUE");
    if (!rb_reader_take_head(r, "INDEX") || !rb_reader_take(r, "ON"))
        return false;
    free(rb_reader_take_name(r));
    size_t end = rb_reader_peek(r, "(") ? rb_reader_group_end(r->t, r->n, r->at) : 0;
    if (end == 0)
        return false;
    json_t *entry = json_object();
    rb_reader_put(entry, "table", table);
    json_object_set_new(entry, "unique", json_boolean(is_unique));
    json_object_set_new(entry, "columns",
                        rb_reader_terms(r->t + r->at + 1, end - r->at - 2, columns));
    r->at = end;
    bool has_where = rb_reader_take(r, "WHERE");
    RB_AUTO(rb_free_str)
    char *where = has_where ? rb_reader_normal(r->t + r->at, r->n - r->at, columns) : NULL;
    rb_reader_put(entry, "where", where);
    rb_reader_put_entry(r->out, entry, "index", NULL, name);
    return true;
}

/* Returns the names in scope: those of the schema, and those that the statement defines with AS.
 * NULL if `names` is NULL. */
static const rb_strs *scope_of(rb_strs *out, const rb_sqlreader *r, const rb_strs *names)
{
    if (!names)
        return NULL;
    for (size_t i = 0; i < names->n; i++)
        rb_strs_add(out, names->items[i]);
    for (size_t i = 1; i < r->n; i++)
        if (rb_token_is(&r->t[i - 1], "AS") && r->t[i].kind == RB_TOKEN_QUOTED)
            rb_strs_take(out, rb_token_name(&r->t[i]));
    return out;
}

/* Reads a trigger. FOR EACH ROW and BEFORE are left out, since they are the defaults. */
static bool read_trigger(rb_sqlreader *r, const char *name, const char *table, const rb_strs *names)
{
    RB_AUTO(rb_strs_clear) rb_strs own = {0};
    const rb_strs *scope = scope_of(&own, r, names);
    if (!rb_reader_take_head(r, "TRIGGER"))
        return false;
    rb_reader_take(r, "BEFORE");
    RB_AUTO(rb_free_str) char *body = NULL;
    size_t start = r->at;
    size_t begin = start;
    while (begin + 3 <= r->n && !rb_token_is(&r->t[begin], "BEGIN") &&
           !(rb_token_is(&r->t[begin], "FOR") && rb_token_is(&r->t[begin + 1], "EACH")))
        begin++;
    if (begin + 3 > r->n)
        return false;
    RB_AUTO(rb_free_str) char *event = rb_reader_normal(r->t + start, begin - start, scope);
    if (rb_token_is(&r->t[begin], "FOR"))
        begin += 3;
    body = rb_reader_normal(r->t + begin, r->n - begin, scope);
    RB_AUTO(rb_free_str) char *whole = rb_format("%s %s", event, body);
    json_t *entry = json_object();
    rb_reader_put(entry, "table", table);
    rb_reader_put(entry, "definition", whole);
    rb_reader_put_entry(r->out, entry, "trigger", NULL, name);
    return true;
}

static bool read_view(rb_sqlreader *r, const char *name, const rb_strs *names)
{
    RB_AUTO(rb_strs_clear) rb_strs own = {0};
    const rb_strs *scope = scope_of(&own, r, names);
    if (!rb_reader_take_head(r, "VIEW"))
        return false;
    RB_AUTO(rb_free_str) char *definition = rb_reader_normal(r->t + r->at, r->n - r->at, scope);
    json_t *entry = json_object();
    rb_reader_put(entry, "definition", definition);
    rb_reader_put_entry(r->out, entry, "view", NULL, name);
    return true;
}

static bool read_entry(rb_sqlreader *r, const char *type, const char *name, const char *table,
                       const rb_strs *columns)
{
    if (strcmp(type, "table") == 0)
        return rb_reader_read_table(r);
    if (strcmp(type, "index") == 0)
        return read_index(r, name, table, columns);
    if (strcmp(type, "trigger") == 0)
        return read_trigger(r, name, table, columns);
    return read_view(r, name, columns);
}

json_t *rb_sqlentries(const char *type, const char *name, const char *table, const char *sql,
                      const rb_strs *columns)
{
    rb_tokens tokens;
    rb_tokens_read(&tokens, sql, strlen(sql), "sqlite");
    while (tokens.n && rb_token_is(&tokens.items[tokens.n - 1], ";"))
        tokens.n--;
    rb_sqlreader r = {.t = tokens.items, .n = tokens.n, .name = name, .out = json_object()};
    r.checks = json_array();
    r.table = json_object();
    if (!read_entry(&r, type, name, table, columns)) {
        RB_AUTO(rb_free_str) char *definition = rb_reader_normal(tokens.items, tokens.n, NULL);
        json_object_clear(r.out);
        json_t *entry = json_object();
        rb_reader_put(entry, "kind", type);
        rb_reader_put(entry, "definition", definition);
        rb_reader_put_entry(r.out, entry, type, NULL, name);
    }
    json_decref(r.key);
    json_decref(r.checks);
    json_decref(r.table);
    rb_strs_clear(&r.columns);
    rb_tokens_clear(&tokens);
    return r.out;
}
