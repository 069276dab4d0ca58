/* Reads CREATE TABLE and CREATE VIRTUAL TABLE. */
#include "catalog/name.h"
#include "database/sqlite/create_parser.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static json_t *column_entry(rb_sqlreader *r, const char *column)
{
    RB_AUTO(rb_free_str) char *key = rb_catalog_key("column", r->name, column);
    return json_object_get(r->out, key);
}

static void add_unique(rb_sqlreader *r, const json_t *list)
{
    RB_AUTO(rb_free_str) char *columns = rb_reader_joined(list);
    RB_AUTO(rb_free_str) char *rest = rb_format("UNIQUE (%s)", columns);
    RB_AUTO(rb_free_str) char *conflict = rb_reader_take_conflict(r);
    json_t *entry = json_object();
    rb_reader_put(entry, "kind", "unique");
    rb_reader_put(entry, "conflict", conflict);
    rb_reader_put_entry(r->out, entry, "constraint", r->name, rest);
}

static bool set_key(rb_sqlreader *r, json_t *list)
{
    RB_AUTO(rb_free_str) char *conflict = rb_reader_take_conflict(r);
    if (conflict)
        rb_reader_put(r->table, "primaryKeyConflict", conflict);
    bool first = !r->key;
    json_decref(r->key);
    r->key = list;
    return first;
}

static char *take_action(rb_sqlreader *r)
{
    static const char *const two[] = {"SET", "NO"};
    for (size_t i = 0; i < 2; i++) {
        if (!rb_reader_take(r, two[i]))
            continue;
        RB_AUTO(rb_free_str) char *second = rb_reader_take_name(r);
        char *action = rb_format("%s %s", two[i], second ? second : "");
        return rb_reader_upper(action);
    }
    char *action = rb_reader_take_name(r);
    return action ? rb_reader_upper(action) : rb_strdup("");
}

/* Takes [NOT] DEFERRABLE [INITIALLY x]. SQLite defers constraints only for one spelling of it. */
static bool take_deferrable(rb_sqlreader *r, bool *deferred)
{
    bool is_not = rb_reader_take(r, "NOT");
    if (!rb_reader_take(r, "DEFERRABLE")) {
        r->at -= is_not ? 1 : 0;
        return false;
    }
    bool late = false;
    if (rb_reader_take(r, "INITIALLY")) {
        late = rb_reader_take(r, "DEFERRED");
        rb_reader_take(r, "IMMEDIATE");
    }
    *deferred = late && !is_not;
    return true;
}

/* Takes what follows REFERENCES. from: normalised columns. */
static bool take_reference(rb_sqlreader *r, const char *from)
{
    RB_AUTO(rb_free_str) char *parent = rb_reader_take_name(r);
    if (!parent)
        return false;
    RB_AUTO(rb_json_freep) json_t *to = rb_reader_take_terms(r, NULL);
    RB_AUTO(rb_free_str) char *on_delete = rb_strdup("NO ACTION");
    RB_AUTO(rb_free_str) char *on_update = rb_strdup("NO ACTION");
    bool deferred = false;
    for (;;) {
        if (rb_reader_take2(r, "ON", "DELETE")) {
            free(on_delete);
            on_delete = take_action(r);
        } else if (rb_reader_take2(r, "ON", "UPDATE")) {
            free(on_update);
            on_update = take_action(r);
        } else if (rb_reader_take2(r, "ON", "INSERT")) {
            free(take_action(r));
        } else if (rb_reader_take(r, "MATCH")) {
            free(rb_reader_take_name(r));
        } else if (!take_deferrable(r, &deferred)) {
            break;
        }
    }
    RB_AUTO(rb_free_str) char *columns = to ? rb_reader_joined(to) : NULL;
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    rb_buf_printf(&text, "FOREIGN KEY (%s) REFERENCES ", from);
    rb_catalog_add_part(&text, parent);
    if (columns)
        rb_buf_printf(&text, " (%s)", columns);
    json_t *entry = json_object();
    rb_reader_put(entry, "kind", "foreign key");
    rb_reader_put(entry, "onDelete", on_delete);
    rb_reader_put(entry, "onUpdate", on_update);
    json_object_set_new(entry, "deferred", json_boolean(deferred));
    if (!to)
        rb_reader_put(entry, "implied",
                      parent); /* the catalog adds the columns of the parent's key */
    rb_reader_put_entry(r->out, entry, "constraint", r->name, text.data);
    return true;
}

static bool take_check(rb_sqlreader *r)
{
    RB_AUTO(rb_free_str) char *expression = rb_reader_take_group(r);
    if (!expression)
        return false;
    json_array_append_new(r->checks, rb_json_text(expression));
    free(rb_reader_take_conflict(r));
    return true;
}

static bool is_literal(const rb_token *t, size_t n)
{
    if (n == 2 && (rb_token_is(t, "-") || rb_token_is(t, "+")))
        return t[1].kind == RB_TOKEN_NUMBER;
    return n == 1 && t->kind != RB_TOKEN_SYMBOL && t->kind != RB_TOKEN_PARAM;
}

static bool take_default(rb_sqlreader *r, json_t *entry)
{
    size_t from = r->at;
    size_t to = rb_reader_peek(r, "(")
                    ? rb_reader_group_end(r->t, r->n, from)
                    : from + (rb_reader_peek(r, "-") || rb_reader_peek(r, "+") ? 2 : 1);
    if (to == 0 || to > r->n)
        return false;
    r->at = to;
    /* (0) and ((0)) mean 0 */
    while (rb_token_is(&r->t[from], "(") && is_literal(r->t + from + 1, to - from - 2)) {
        from++;
        to--;
    }
    const rb_strs none = {0};
    if (to - from == 1 && rb_token_is(&r->t[from], "NULL"))
        return true;
    RB_AUTO(rb_free_str) char *value = rb_reader_normal(r->t + from, to - from, &none);
    rb_reader_put(entry, "default", value);
    return true;
}

static bool take_generated(rb_sqlreader *r, json_t *entry)
{
    RB_AUTO(rb_free_str) char *expression = rb_reader_take_group(r);
    if (!expression)
        return false;
    bool is_stored = rb_reader_take(r, "STORED");
    if (!is_stored)
        rb_reader_take(r, "VIRTUAL");
    RB_AUTO(rb_free_str)
    char *value = rb_format("(%s) %s", expression, is_stored ? "STORED" : "VIRTUAL");
    rb_reader_put(entry, "generated", value);
    return true;
}

static bool take_column_key(rb_sqlreader *r, const char *quoted)
{
    bool is_descending = rb_reader_take(r, "DESC");
    if (!is_descending)
        rb_reader_take(r, "ASC");
    RB_AUTO(rb_free_str) char *term = rb_format("%s%s", quoted, is_descending ? " desc" : "");
    json_t *list = json_array();
    json_array_append_new(list, rb_json_text(term));
    r->key_beside_descending = is_descending;
    bool first = set_key(r, list);
    r->autoincrement |= rb_reader_take(r, "AUTOINCREMENT");
    return first;
}

static bool take_not_null(rb_sqlreader *r, json_t *entry)
{
    json_object_set_new(entry, "notNull", json_true());
    RB_AUTO(rb_free_str) char *conflict = rb_reader_take_conflict(r);
    if (conflict)
        rb_reader_put(entry, "notNullConflict", conflict);
    return true;
}

/* Takes one constraint of a column. False if it cannot be parsed. */
static bool take_column_constraint(rb_sqlreader *r, json_t *entry, const char *quoted)
{
    bool ignored;
    if (rb_reader_take2(r, "PRIMARY", "KEY"))
        return take_column_key(r, quoted);
    if (rb_reader_take2(r, "NOT", "NULL"))
        return take_not_null(r, entry);
    if (rb_reader_take(r, "NULL")) {
        free(rb_reader_take_conflict(r));
        return true;
    }
    if (rb_reader_take(r, "UNIQUE")) {
        RB_AUTO(rb_json_freep) json_t *list = json_array();
        json_array_append_new(list, rb_json_text(quoted));
        add_unique(r, list);
        return true;
    }
    if (rb_reader_take(r, "CHECK"))
        return take_check(r);
    if (rb_reader_take(r, "DEFAULT"))
        return take_default(r, entry);
    if (rb_reader_take(r, "COLLATE")) {
        RB_AUTO(rb_free_str) char *name = rb_reader_take_name(r);
        if (name && strcasecmp(name, "BINARY") != 0)
            rb_reader_put(entry, "collation", rb_reader_upper(name));
        return name != NULL;
    }
    if (rb_reader_take(r, "REFERENCES"))
        return take_reference(r, quoted);
    if (rb_reader_take2(r, "GENERATED", "ALWAYS"))
        return rb_reader_take(r, "AS") && take_generated(r, entry);
    if (rb_reader_take(r, "AS"))
        return take_generated(r, entry);
    return take_deferrable(r, &ignored);
}

static bool at_constraint(const rb_sqlreader *r)
{
    static const char *const words[] = {"CONSTRAINT", "PRIMARY", "NOT",     "NULL",       "UNIQUE",
                                        "CHECK",      "DEFAULT", "COLLATE", "REFERENCES", "AS",
                                        "DEFERRABLE", ",",       ")"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (rb_reader_peek(r, words[i]))
            return true;
    return rb_reader_peek(r, "GENERATED") && r->at + 1 < r->n &&
           rb_token_is(&r->t[r->at + 1], "ALWAYS");
}

static char *take_type(rb_sqlreader *r)
{
    rb_buf type = {0};
    while (r->at < r->n && !at_constraint(r)) {
        if (rb_reader_peek(r, "(")) {
            char *group = rb_reader_take_group(r);
            if (!group)
                break;
            rb_buf_printf(&type, "(%s)", group);
            free(group);
        } else {
            char *word = rb_reader_take_name(r);
            if (!word)
                word = rb_strndup(r->t[r->at].text, r->t[r->at].len), r->at++;
            rb_buf_printf(&type, "%s%s", type.len ? " " : "", word);
            free(word);
        }
    }
    return rb_reader_upper(rb_buf_detach(&type));
}

static char *quoted_name(const char *name)
{
    RB_AUTO(rb_buf_clear) rb_buf sql = {0};
    rb_buf_addc(&sql, '`'); /* a quote that never makes a string */
    for (const char *p = name; *p; p++)
        rb_buf_printf(&sql, *p == '`' ? "``" : "%c", *p);
    rb_buf_addc(&sql, '`');
    rb_token token = {RB_TOKEN_QUOTED, sql.data, sql.len};
    return rb_reader_normal(&token, 1, NULL);
}

static bool take_column(rb_sqlreader *r)
{
    RB_AUTO(rb_free_str) char *name = rb_reader_take_name(r);
    if (!name)
        return false;
    json_t *entry = json_object();
    rb_reader_put_entry(r->out, entry, "column", r->name, name);
    RB_AUTO(rb_free_str) char *type = take_type(r);
    RB_AUTO(rb_free_str) char *quoted = quoted_name(name);
    rb_reader_put(entry, "type", type);
    json_object_set_new(entry, "notNull", json_false());
    rb_reader_put(entry, "default", NULL);
    rb_reader_put(entry, "generated", NULL);
    rb_reader_put(entry, "collation", NULL);
    while (r->at < r->n && !rb_reader_peek(r, ",") && !rb_reader_peek(r, ")")) {
        if (rb_reader_take(r, "CONSTRAINT"))
            free(rb_reader_take_name(r));
        else if (!take_column_constraint(r, entry, quoted))
            return false;
    }
    return true;
}

static bool take_table_constraint(rb_sqlreader *r)
{
    if (rb_reader_take2(r, "PRIMARY", "KEY")) {
        json_t *list = rb_reader_take_terms(r, &r->autoincrement);
        return list && set_key(r, list);
    }
    if (rb_reader_take(r, "UNIQUE")) {
        RB_AUTO(rb_json_freep) json_t *list = rb_reader_take_terms(r, NULL);
        if (list)
            add_unique(r, list);
        return list != NULL;
    }
    if (rb_reader_take(r, "CHECK"))
        return take_check(r);
    if (rb_reader_take2(r, "FOREIGN", "KEY")) {
        RB_AUTO(rb_json_freep) json_t *list = rb_reader_take_terms(r, NULL);
        RB_AUTO(rb_free_str) char *from = list ? rb_reader_joined(list) : NULL;
        return from && rb_reader_take(r, "REFERENCES") && take_reference(r, from);
    }
    return false;
}

static bool at_table_constraint(const rb_sqlreader *r)
{
    return rb_reader_peek(r, "CONSTRAINT") || rb_reader_peek(r, "PRIMARY") ||
           rb_reader_peek(r, "UNIQUE") || rb_reader_peek(r, "CHECK") ||
           rb_reader_peek(r, "FOREIGN");
}

/* Collects the column names first, since expressions refer to them. */
static void find_columns(rb_sqlreader *r)
{
    size_t start = r->at;
    size_t depth = 0;
    bool is_first = true;
    for (; r->at < r->n; r->at++) {
        if (depth == 0 && is_first && !at_table_constraint(r) &&
            r->t[r->at].kind <= RB_TOKEN_STRING)
            rb_strs_take(&r->columns, rb_token_name(&r->t[r->at]));
        is_first = depth == 0 && rb_reader_peek(r, ",");
        if (rb_reader_peek(r, "("))
            depth++;
        else if (rb_reader_peek(r, ")") && depth-- == 0)
            break;
    }
    r->at = start;
}

static bool take_body(rb_sqlreader *r)
{
    while (!at_table_constraint(r)) {
        if (!take_column(r))
            return false;
        if (!rb_reader_take(r, ","))
            break;
    }
    while (at_table_constraint(r)) {
        if (rb_reader_take(r, "CONSTRAINT"))
            free(rb_reader_take_name(r));
        else if (!take_table_constraint(r))
            return false;
        rb_reader_take(r, ",");
    }
    return rb_reader_take(r, ")");
}

static bool take_options(rb_sqlreader *r, bool *without_rowid, bool *strict)
{
    *without_rowid = *strict = false;
    while (r->at < r->n) {
        if (rb_reader_take2(r, "WITHOUT", "ROWID"))
            *without_rowid = true;
        else if (rb_reader_take(r, "STRICT"))
            *strict = true;
        else if (!rb_reader_take(r, ",") && !rb_reader_take(r, ";"))
            return false;
    }
    return true;
}

/* Removes NOT NULL where the key implies it, or where it has no effect on an alias of the rowid. */
static void settle_key(rb_sqlreader *r, bool without_rowid)
{
    rb_json_each (term, r->key) {
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
                json_array_set_new(r->key, term_at, rb_json_text(quoted));
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

static void finish_table(rb_sqlreader *r, bool without_rowid, bool strict)
{
    settle_key(r, without_rowid);
    rb_reader_put(r->table, "kind", "table");
    json_object_set_new(r->table, "primaryKey", r->key ? json_incref(r->key) : json_array());
    json_object_set_new(r->table, "autoincrement", json_boolean(r->autoincrement));
    json_object_set_new(r->table, "withoutRowid", json_boolean(without_rowid));
    json_object_set_new(r->table, "strict", json_boolean(strict));
    json_object_set_new(r->table, "checks", sorted(r->checks));
    rb_reader_put_entry(r->out, json_incref(r->table), "table", NULL, r->name);
    json_t *order = json_array();
    for (size_t i = 0; i < r->columns.n; i++)
        json_array_append_new(order, rb_json_text(r->columns.items[i]));
    rb_reader_put_entry(r->out, order, "order", NULL, r->name);
}

static void read_virtual(rb_sqlreader *r)
{
    RB_AUTO(rb_free_str) char *module = rb_reader_take_name(r);
    size_t end = rb_reader_peek(r, "(") ? rb_reader_group_end(r->t, r->n, r->at) : 0;
    RB_AUTO(rb_free_str)
    char *arguments =
        end ? rb_reader_normal(r->t + r->at + 1, end - r->at - 2, NULL) : rb_strdup("");
    json_t *entry = json_object();
    rb_reader_put(entry, "kind", "virtual");
    rb_reader_put(entry, "module", module);
    rb_reader_put(entry, "arguments", arguments);
    rb_reader_put_entry(r->out, entry, "table", NULL, r->name);
}

bool rb_reader_read_table(rb_sqlreader *r)
{
    bool without_rowid;
    bool strict;
    if (!rb_reader_take_head(r, "TABLE"))
        return false;
    if (rb_reader_take(r, "USING")) {
        read_virtual(r);
        return true;
    }
    if (!rb_reader_take(r, "("))
        return false;
    find_columns(r);
    if (!take_body(r) || !take_options(r, &without_rowid, &strict))
        return false;
    finish_table(r, without_rowid, strict);
    return true;
}
