#include "database/sqltable.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A CREATE TABLE being read. */
typedef struct reader {
    const rb_token *t; /* tokens of the whole statement */
    size_t n;
    size_t at;
    const char *name; /* of the table */
    rb_strs columns;  /* names, in order */
    json_t *out;
    json_t *key;    /* primary key: normalised terms */
    json_t *checks; /* normalised expressions */
    json_t *table;
    bool key_beside_descending; /* "a INTEGER PRIMARY KEY DESC" is no alias of the rowid */
    bool autoincrement;
} reader;

static bool peek(const reader *r, const char *word)
{
    return r->at < r->n && rb_token_is(&r->t[r->at], word);
}

static bool take(reader *r, const char *word)
{
    if (!peek(r, word))
        return false;
    r->at++;
    return true;
}

static bool take2(reader *r, const char *one, const char *two)
{
    size_t at = r->at;
    if (take(r, one) && take(r, two))
        return true;
    r->at = at;
    return false;
}

static char *take_name(reader *r)
{
    if (r->at >= r->n || r->t[r->at].kind > RB_TOKEN_STRING)
        return NULL;
    return rb_token_name(&r->t[r->at++]);
}

/* Index behind the ')' that closes the '(' at i; 0 when there is none. */
static size_t group_end(const rb_token *t, size_t n, size_t i)
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

static char *normal(const rb_token *t, size_t n, const rb_strs *columns)
{
    rb_buf text = {0};
    rb_tokens_normal(&text, t, n, columns);
    return rb_buf_detach(&text);
}

/* "( ... )" at the cursor: its inside, normalised; NULL when it is not there. */
static char *take_group(reader *r)
{
    if (!peek(r, "("))
        return NULL;
    size_t end = group_end(r->t, r->n, r->at);
    if (end == 0)
        return NULL;
    char *text = normal(r->t + r->at + 1, end - r->at - 2, &r->columns);
    r->at = end;
    return text;
}

static json_t *text(const char *s)
{
    RB_AUTO(rb_free_str) char *safe = NULL;
    json_t *json = json_string(s);
    if (!json) {
        safe = rb_safe(s);
        json = json_string(safe);
    }
    return json;
}

static void put(json_t *object, const char *key, const char *value)
{
    json_object_set_new(object, key, value ? text(value) : json_null());
}

static void put_entry(json_t *out, json_t *entry, const char *kind, const char *table,
                      const char *rest)
{
    RB_AUTO(rb_free_str)
    char *raw = rb_format("%s %s%s%s", kind, table, rest[0] && rest[0] != '.' ? " " : "", rest);
    RB_AUTO(rb_free_str) char *key = rb_safe(raw);
    for (int copy = 2; json_object_get(out, key); copy++) {
        free(key);
        RB_AUTO(rb_free_str) char *base = rb_safe(raw);
        key = rb_format("%s (%d)", base, copy);
    }
    json_object_set_new(out, key, entry);
}

static char *upper(char *s)
{
    for (char *p = s; *p; p++)
        *p = (char)((unsigned char)*p < 0x80 ? toupper((unsigned char)*p) : *p);
    return s;
}

/* ON CONFLICT x; NULL for none or ABORT, which is what none means. */
static char *take_conflict(reader *r)
{
    if (!take2(r, "ON", "CONFLICT"))
        return NULL;
    RB_AUTO(rb_free_str) char *how = take_name(r);
    if (!how || strcasecmp(how, "ABORT") == 0)
        return NULL;
    return upper(rb_strdup(how));
}

static json_t *column_entry(reader *r, const char *column)
{
    RB_AUTO(rb_free_str) char *raw = rb_format("column %s.%s", r->name, column);
    RB_AUTO(rb_free_str) char *key = rb_safe(raw);
    return json_object_get(r->out, key);
}

/* Terms of an index or key: normalised, without the ASC that is meant anyway. */
static json_t *terms(const rb_token *t, size_t n, const rb_strs *columns)
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
            RB_AUTO(rb_free_str) char *term = normal(t + start, len, columns);
            json_array_append_new(list, text(term));
            start = i + 1;
        }
    }
    return list;
}

static char *joined(const json_t *list)
{
    rb_buf out = {0};
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item)
        rb_buf_printf(&out, "%s%s", i ? ", " : "", json_string_value(item));
    return rb_buf_detach(&out);
}

/* "(a, b)" at the cursor as terms; NULL when it is not there. */
static json_t *take_terms(reader *r, bool *autoincrement)
{
    size_t end = peek(r, "(") ? group_end(r->t, r->n, r->at) : 0;
    if (end == 0)
        return NULL;
    size_t inside = end - r->at - 2;
    if (autoincrement && inside > 1 && rb_token_is(&r->t[end - 2], "AUTOINCREMENT")) {
        *autoincrement = true;
        inside--;
    }
    json_t *list = terms(r->t + r->at + 1, inside, &r->columns);
    r->at = end;
    return list;
}

static void add_unique(reader *r, const json_t *list)
{
    RB_AUTO(rb_free_str) char *columns = joined(list);
    RB_AUTO(rb_free_str) char *rest = rb_format("UNIQUE (%s)", columns);
    RB_AUTO(rb_free_str) char *conflict = take_conflict(r);
    json_t *entry = json_object();
    put(entry, "kind", "unique");
    put(entry, "conflict", conflict);
    put_entry(r->out, entry, "constraint", r->name, rest);
}

static bool set_key(reader *r, json_t *list)
{
    RB_AUTO(rb_free_str) char *conflict = take_conflict(r);
    if (conflict)
        put(r->table, "primaryKeyConflict", conflict);
    bool first = !r->key;
    json_decref(r->key);
    r->key = list;
    return first;
}

static char *take_action(reader *r)
{
    static const char *const two[] = {"SET", "NO"};
    for (size_t i = 0; i < 2; i++) {
        if (!take(r, two[i]))
            continue;
        RB_AUTO(rb_free_str) char *second = take_name(r);
        char *action = rb_format("%s %s", two[i], second ? second : "");
        return upper(action);
    }
    char *action = take_name(r);
    return action ? upper(action) : rb_strdup("");
}

/* [NOT] DEFERRABLE [INITIALLY x]; only one spelling of it defers anything in SQLite. */
static bool take_deferrable(reader *r, bool *deferred)
{
    bool is_not = take(r, "NOT");
    if (!take(r, "DEFERRABLE")) {
        r->at -= is_not ? 1 : 0;
        return false;
    }
    bool late = false;
    if (take(r, "INITIALLY"))
        late = take(r, "DEFERRED") || (take(r, "IMMEDIATE") && false);
    *deferred = late && !is_not;
    return true;
}

/* Behind REFERENCES. from: normalised columns. */
static bool take_reference(reader *r, const char *from)
{
    RB_AUTO(rb_free_str) char *parent = take_name(r);
    if (!parent)
        return false;
    RB_AUTO(rb_json_freep) json_t *to = take_terms(r, NULL);
    RB_AUTO(rb_free_str) char *on_delete = rb_strdup("NO ACTION");
    RB_AUTO(rb_free_str) char *on_update = rb_strdup("NO ACTION");
    bool deferred = false;
    for (;;) {
        if (take2(r, "ON", "DELETE")) {
            free(on_delete);
            on_delete = take_action(r);
        } else if (take2(r, "ON", "UPDATE")) {
            free(on_update);
            on_update = take_action(r);
        } else if (take2(r, "ON", "INSERT")) {
            free(take_action(r));
        } else if (take(r, "MATCH")) {
            free(take_name(r));
        } else if (!take_deferrable(r, &deferred)) {
            break;
        }
    }
    RB_AUTO(rb_free_str) char *columns = to ? joined(to) : NULL;
    RB_AUTO(rb_free_str)
    char *rest = columns ? rb_format("FOREIGN KEY (%s) REFERENCES %s (%s)", from, parent, columns)
                         : rb_format("FOREIGN KEY (%s) REFERENCES %s", from, parent);
    json_t *entry = json_object();
    put(entry, "kind", "foreign key");
    put(entry, "onDelete", on_delete);
    put(entry, "onUpdate", on_update);
    json_object_set_new(entry, "deferred", json_boolean(deferred));
    put_entry(r->out, entry, "constraint", r->name, rest);
    return true;
}

static bool take_check(reader *r)
{
    RB_AUTO(rb_free_str) char *expression = take_group(r);
    if (!expression)
        return false;
    json_array_append_new(r->checks, text(expression));
    free(take_conflict(r));
    return true;
}

static bool is_literal(const rb_token *t, size_t n)
{
    if (n == 2 && (rb_token_is(t, "-") || rb_token_is(t, "+")))
        return t[1].kind == RB_TOKEN_NUMBER;
    return n == 1 && t->kind != RB_TOKEN_SYMBOL && t->kind != RB_TOKEN_PARAM;
}

static bool take_default(reader *r, json_t *entry)
{
    size_t from = r->at;
    size_t to =
        peek(r, "(") ? group_end(r->t, r->n, from) : from + (peek(r, "-") || peek(r, "+") ? 2 : 1);
    if (to == 0 || to > r->n)
        return false;
    r->at = to;
    /* (0) is 0, ((0)) too */
    while (rb_token_is(&r->t[from], "(") && is_literal(r->t + from + 1, to - from - 2)) {
        from++;
        to--;
    }
    const rb_strs none = {0};
    if (to - from == 1 && rb_token_is(&r->t[from], "NULL"))
        return true;
    RB_AUTO(rb_free_str) char *value = normal(r->t + from, to - from, &none);
    put(entry, "default", value);
    return true;
}

static bool take_generated(reader *r, json_t *entry)
{
    RB_AUTO(rb_free_str) char *expression = take_group(r);
    if (!expression)
        return false;
    bool is_stored = take(r, "STORED");
    if (!is_stored)
        take(r, "VIRTUAL");
    RB_AUTO(rb_free_str)
    char *value = rb_format("(%s) %s", expression, is_stored ? "STORED" : "VIRTUAL");
    put(entry, "generated", value);
    return true;
}

static bool take_column_key(reader *r, const char *quoted)
{
    bool is_descending = take(r, "DESC");
    if (!is_descending)
        take(r, "ASC");
    RB_AUTO(rb_free_str) char *term = rb_format("%s%s", quoted, is_descending ? " desc" : "");
    json_t *list = json_array();
    json_array_append_new(list, text(term));
    r->key_beside_descending = is_descending;
    bool first = set_key(r, list);
    r->autoincrement |= take(r, "AUTOINCREMENT");
    return first;
}

static bool take_not_null(reader *r, json_t *entry)
{
    json_object_set_new(entry, "notNull", json_true());
    RB_AUTO(rb_free_str) char *conflict = take_conflict(r);
    if (conflict)
        put(entry, "notNullConflict", conflict);
    return true;
}

/* One constraint beside a column; false when the text is not understood. */
static bool take_column_constraint(reader *r, json_t *entry, const char *quoted)
{
    bool ignored;
    if (take2(r, "PRIMARY", "KEY"))
        return take_column_key(r, quoted);
    if (take2(r, "NOT", "NULL"))
        return take_not_null(r, entry);
    if (take(r, "NULL")) {
        free(take_conflict(r));
        return true;
    }
    if (take(r, "UNIQUE")) {
        RB_AUTO(rb_json_freep) json_t *list = json_array();
        json_array_append_new(list, text(quoted));
        add_unique(r, list);
        return true;
    }
    if (take(r, "CHECK"))
        return take_check(r);
    if (take(r, "DEFAULT"))
        return take_default(r, entry);
    if (take(r, "COLLATE")) {
        RB_AUTO(rb_free_str) char *name = take_name(r);
        if (name && strcasecmp(name, "BINARY") != 0)
            put(entry, "collation", upper(name));
        return name != NULL;
    }
    if (take(r, "REFERENCES"))
        return take_reference(r, quoted);
    if (take2(r, "GENERATED", "ALWAYS"))
        return take(r, "AS") && take_generated(r, entry);
    if (take(r, "AS"))
        return take_generated(r, entry);
    return take_deferrable(r, &ignored);
}

static bool at_constraint(const reader *r)
{
    static const char *const words[] = {"CONSTRAINT", "PRIMARY", "NOT",     "NULL",       "UNIQUE",
                                        "CHECK",      "DEFAULT", "COLLATE", "REFERENCES", "AS",
                                        "DEFERRABLE", ",",       ")"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (peek(r, words[i]))
            return true;
    return peek(r, "GENERATED") && r->at + 1 < r->n && rb_token_is(&r->t[r->at + 1], "ALWAYS");
}

static char *take_type(reader *r)
{
    rb_buf type = {0};
    while (r->at < r->n && !at_constraint(r)) {
        if (peek(r, "(")) {
            char *group = take_group(r);
            if (!group)
                break;
            rb_buf_printf(&type, "(%s)", group);
            free(group);
        } else {
            char *word = take_name(r);
            if (!word)
                word = rb_strndup(r->t[r->at].text, r->t[r->at].len), r->at++;
            rb_buf_printf(&type, "%s%s", type.len ? " " : "", word);
            free(word);
        }
    }
    return upper(rb_buf_detach(&type));
}

static char *quoted_name(const char *name)
{
    RB_AUTO(rb_buf_clear) rb_buf sql = {0};
    rb_buf_addc(&sql, '`'); /* a quote that never means a string */
    for (const char *p = name; *p; p++)
        rb_buf_printf(&sql, *p == '`' ? "``" : "%c", *p);
    rb_buf_addc(&sql, '`');
    rb_token token = {RB_TOKEN_QUOTED, sql.data, sql.len};
    return normal(&token, 1, NULL);
}

static bool take_column(reader *r)
{
    RB_AUTO(rb_free_str) char *name = take_name(r);
    if (!name)
        return false;
    json_t *entry = json_object();
    RB_AUTO(rb_free_str) char *rest = rb_format(".%s", name);
    put_entry(r->out, entry, "column", r->name, rest);
    RB_AUTO(rb_free_str) char *type = take_type(r);
    RB_AUTO(rb_free_str) char *quoted = quoted_name(name);
    put(entry, "type", type);
    json_object_set_new(entry, "notNull", json_false());
    put(entry, "default", NULL);
    put(entry, "generated", NULL);
    put(entry, "collation", NULL);
    while (r->at < r->n && !peek(r, ",") && !peek(r, ")")) {
        if (take(r, "CONSTRAINT"))
            free(take_name(r));
        else if (!take_column_constraint(r, entry, quoted))
            return false;
    }
    return true;
}

static bool take_table_constraint(reader *r)
{
    if (take2(r, "PRIMARY", "KEY")) {
        json_t *list = take_terms(r, &r->autoincrement);
        return list && set_key(r, list);
    }
    if (take(r, "UNIQUE")) {
        RB_AUTO(rb_json_freep) json_t *list = take_terms(r, NULL);
        if (list)
            add_unique(r, list);
        return list != NULL;
    }
    if (take(r, "CHECK"))
        return take_check(r);
    if (take2(r, "FOREIGN", "KEY")) {
        RB_AUTO(rb_json_freep) json_t *list = take_terms(r, NULL);
        RB_AUTO(rb_free_str) char *from = list ? joined(list) : NULL;
        return from && take(r, "REFERENCES") && take_reference(r, from);
    }
    return false;
}

static bool at_table_constraint(const reader *r)
{
    return peek(r, "CONSTRAINT") || peek(r, "PRIMARY") || peek(r, "UNIQUE") || peek(r, "CHECK") ||
           peek(r, "FOREIGN");
}

/* The names first: expressions need to know them. */
static void find_columns(reader *r)
{
    size_t start = r->at;
    size_t depth = 0;
    bool is_first = true;
    for (; r->at < r->n; r->at++) {
        if (depth == 0 && is_first && !at_table_constraint(r) &&
            r->t[r->at].kind <= RB_TOKEN_STRING)
            rb_strs_take(&r->columns, rb_token_name(&r->t[r->at]));
        is_first = depth == 0 && peek(r, ",");
        if (peek(r, "("))
            depth++;
        else if (peek(r, ")") && depth-- == 0)
            break;
    }
    r->at = start;
}

static bool take_body(reader *r)
{
    while (!at_table_constraint(r)) {
        if (!take_column(r))
            return false;
        if (!take(r, ","))
            break;
    }
    while (at_table_constraint(r)) {
        if (take(r, "CONSTRAINT"))
            free(take_name(r));
        else if (!take_table_constraint(r))
            return false;
        take(r, ",");
    }
    return take(r, ")");
}

static bool take_options(reader *r, bool *without_rowid, bool *strict)
{
    *without_rowid = *strict = false;
    while (r->at < r->n) {
        if (take2(r, "WITHOUT", "ROWID"))
            *without_rowid = true;
        else if (take(r, "STRICT"))
            *strict = true;
        else if (!take(r, ",") && !take(r, ";"))
            return false;
    }
    return true;
}

/* NOT NULL that a key brings along, and the one that says nothing on an alias of the rowid. */
static void settle_key(reader *r, bool without_rowid)
{
    size_t i;
    json_t *term;
    json_array_foreach(r->key, i, term)
    {
        for (size_t c = 0; c < r->columns.n; c++) {
            RB_AUTO(rb_free_str) char *quoted = quoted_name(r->columns.items[c]);
            size_t len = strlen(quoted);
            const char *rest = json_string_value(term) + len;
            if (strncasecmp(json_string_value(term), quoted, len) != 0 || (*rest && *rest != ' '))
                continue;
            json_t *entry = column_entry(r, r->columns.items[c]);
            const char *type = entry ? rb_json_str(entry, "type") : NULL;
            bool alias = json_array_size(r->key) == 1 && type && strcmp(type, "INTEGER") == 0 &&
                         !r->key_beside_descending && !without_rowid;
            if (alias)
                json_array_set_new(r->key, i, text(quoted));
            if (entry && (alias || without_rowid))
                json_object_set_new(entry, "notNull", json_boolean(without_rowid));
            break;
        }
    }
}

static int by_text(const void *a, const void *b)
{
    return strcmp(json_string_value(*(json_t *const *)a), json_string_value(*(json_t *const *)b));
}

static json_t *sorted(const json_t *list)
{
    size_t n = json_array_size(list);
    json_t **items = rb_calloc(n, sizeof(json_t *));
    for (size_t i = 0; i < n; i++)
        items[i] = json_array_get(list, i);
    if (n)
        qsort(items, n, sizeof *items, by_text);
    json_t *out = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append(out, items[i]);
    free(items);
    return out;
}

static void finish_table(reader *r, bool without_rowid, bool strict)
{
    settle_key(r, without_rowid);
    put(r->table, "kind", "table");
    json_object_set_new(r->table, "primaryKey", r->key ? json_incref(r->key) : json_array());
    json_object_set_new(r->table, "autoincrement", json_boolean(r->autoincrement));
    json_object_set_new(r->table, "withoutRowid", json_boolean(without_rowid));
    json_object_set_new(r->table, "strict", json_boolean(strict));
    json_object_set_new(r->table, "checks", sorted(r->checks));
    put_entry(r->out, json_incref(r->table), "table", r->name, "");
    json_t *order = json_array();
    for (size_t i = 0; i < r->columns.n; i++)
        json_array_append_new(order, text(r->columns.items[i]));
    put_entry(r->out, order, "order", r->name, "");
}

/* CREATE [TEMP] WHAT [IF NOT EXISTS] [SCHEMA.]NAME: the cursor goes behind it. */
static bool take_head(reader *r, const char *what)
{
    if (!take(r, "CREATE"))
        return false;
    if (!take(r, "TEMP") && !take(r, "TEMPORARY"))
        take(r, strcmp(what, "INDEX") == 0 ? "UNIQUE" : "VIRTUAL");
    if (!take(r, what))
        return false;
    if (take(r, "IF") && !(take(r, "NOT") && take(r, "EXISTS")))
        return false;
    free(take_name(r));
    if (take(r, "."))
        free(take_name(r));
    return r->at < r->n;
}

static void read_virtual(reader *r)
{
    RB_AUTO(rb_free_str) char *module = take_name(r);
    size_t end = peek(r, "(") ? group_end(r->t, r->n, r->at) : 0;
    RB_AUTO(rb_free_str)
    char *arguments = end ? normal(r->t + r->at + 1, end - r->at - 2, NULL) : rb_strdup("");
    json_t *entry = json_object();
    put(entry, "kind", "virtual");
    put(entry, "module", module);
    put(entry, "arguments", arguments);
    put_entry(r->out, entry, "table", r->name, "");
}

static bool read_table(reader *r)
{
    bool without_rowid;
    bool strict;
    if (!take_head(r, "TABLE"))
        return false;
    if (take(r, "USING")) {
        read_virtual(r);
        return true;
    }
    if (!take(r, "("))
        return false;
    find_columns(r);
    if (!take_body(r) || !take_options(r, &without_rowid, &strict))
        return false;
    finish_table(r, without_rowid, strict);
    return true;
}

static bool read_index(reader *r, const char *name, const char *table, const rb_strs *columns)
{
    bool is_unique = r->n > 1 && rb_token_is(&r->t[1], "UNIQUE");
    if (!take_head(r, "INDEX") || !take(r, "ON"))
        return false;
    free(take_name(r));
    size_t end = peek(r, "(") ? group_end(r->t, r->n, r->at) : 0;
    if (end == 0)
        return false;
    json_t *entry = json_object();
    put(entry, "table", table);
    json_object_set_new(entry, "unique", json_boolean(is_unique));
    json_object_set_new(entry, "columns", terms(r->t + r->at + 1, end - r->at - 2, columns));
    r->at = end;
    bool has_where = take(r, "WHERE");
    RB_AUTO(rb_free_str)
    char *where = has_where ? normal(r->t + r->at, r->n - r->at, columns) : NULL;
    put(entry, "where", where);
    put_entry(r->out, entry, "index", name, "");
    return true;
}

/* FOR EACH ROW and BEFORE are what a trigger has anyway. */
static bool read_trigger(reader *r, const char *name, const char *table)
{
    if (!take_head(r, "TRIGGER"))
        return false;
    take(r, "BEFORE");
    RB_AUTO(rb_free_str) char *body = NULL;
    size_t start = r->at;
    size_t begin = start;
    while (begin + 3 <= r->n && !rb_token_is(&r->t[begin], "BEGIN") &&
           !(rb_token_is(&r->t[begin], "FOR") && rb_token_is(&r->t[begin + 1], "EACH")))
        begin++;
    if (begin + 3 > r->n)
        return false;
    RB_AUTO(rb_free_str) char *event = normal(r->t + start, begin - start, NULL);
    if (rb_token_is(&r->t[begin], "FOR"))
        begin += 3;
    body = normal(r->t + begin, r->n - begin, NULL);
    RB_AUTO(rb_free_str) char *whole = rb_format("%s %s", event, body);
    json_t *entry = json_object();
    put(entry, "table", table);
    put(entry, "definition", whole);
    put_entry(r->out, entry, "trigger", name, "");
    return true;
}

static bool read_view(reader *r, const char *name)
{
    if (!take_head(r, "VIEW"))
        return false;
    RB_AUTO(rb_free_str) char *definition = normal(r->t + r->at, r->n - r->at, NULL);
    json_t *entry = json_object();
    put(entry, "definition", definition);
    put_entry(r->out, entry, "view", name, "");
    return true;
}

static bool read_entry(reader *r, const char *type, const char *name, const char *table,
                       const rb_strs *columns)
{
    if (strcmp(type, "table") == 0)
        return read_table(r);
    if (strcmp(type, "index") == 0)
        return read_index(r, name, table, columns);
    if (strcmp(type, "trigger") == 0)
        return read_trigger(r, name, table);
    return read_view(r, name);
}

json_t *rb_sqltable_entries(const char *type, const char *name, const char *table, const char *sql,
                            const rb_strs *columns)
{
    rb_tokens tokens;
    rb_tokens_read(&tokens, sql, strlen(sql));
    while (tokens.n && rb_token_is(&tokens.items[tokens.n - 1], ";"))
        tokens.n--;
    reader r = {.t = tokens.items, .n = tokens.n, .name = name, .out = json_object()};
    r.checks = json_array();
    r.table = json_object();
    if (!read_entry(&r, type, name, table, columns)) {
        RB_AUTO(rb_free_str) char *definition = normal(tokens.items, tokens.n, NULL);
        json_object_clear(r.out);
        json_t *entry = json_object();
        put(entry, "kind", type);
        put(entry, "definition", definition);
        put_entry(r.out, entry, type, name, "");
    }
    json_decref(r.key);
    json_decref(r.checks);
    json_decref(r.table);
    rb_strs_clear(&r.columns);
    rb_tokens_clear(&tokens);
    return r.out;
}
