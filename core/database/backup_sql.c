#include "database/backup_sql.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define GROUP 64

bool rb_names_have(const json_t *names, const char *name)
{
    rb_json_each (item, names)
        if (strcmp(json_string_value(item), name) == 0)
            return true;
    return false;
}

bool rb_names_have_all(const json_t *names, const json_t *others)
{
    rb_json_each (item, others)
        if (!rb_names_have(names, json_string_value(item)))
            return false;
    return true;
}

json_t *rb_names_of(const json_t *a, const json_t *b, bool in)
{
    json_t *out = json_array();
    rb_json_each (item, a)
        if (rb_names_have(b, json_string_value(item)) == in)
            json_array_append(out, item);
    return out;
}

char *rb_sql_name(const char *name)
{
    rb_buf out = {0};
    rb_buf_addc(&out, '"');
    for (; *name; name++) {
        if (*name == '"')
            rb_buf_addc(&out, '"');
        rb_buf_addc(&out, *name);
    }
    rb_buf_addc(&out, '"');
    return rb_buf_detach(&out);
}

static void add_pattern(rb_buf *out, const char *pattern, const char *name)
{
    RB_AUTO(rb_free_str) char *quoted = rb_sql_name(name);
    for (const char *p = pattern; *p; p++) {
        if (*p == '@')
            rb_buf_puts(out, quoted);
        else
            rb_buf_addc(out, *p);
    }
}

/* Appends what comes before term number i: `between`, and brackets of the group. */
static void begin_term(rb_buf *out, size_t i, const char *between)
{
    bool joins = *between && !strchr(between, ',');
    if (i == 0)
        rb_buf_puts(out, joins ? "(" : "");
    else if (joins && i % GROUP == 0)
        rb_buf_printf(out, ")%s(", between);
    else
        rb_buf_puts(out, between);
}

static void end_terms(rb_buf *out, const char *between)
{
    if (out->len && *between && !strchr(between, ','))
        rb_buf_puts(out, ")");
}

char *rb_sql_list(const json_t *names, const char *pattern, const char *between)
{
    rb_buf out = {0};
    rb_json_each (name, names) {
        begin_term(&out, name_at, between);
        add_pattern(&out, pattern, json_string_value(name));
    }
    end_terms(&out, between);
    return rb_buf_detach(&out);
}

char *rb_sql_refers(const json_t *parent, const json_t *to, const char *row, const json_t *columns)
{
    rb_buf out = {0};
    for (size_t i = 0; i < json_array_size(to); i++) {
        const char *name = json_string_value(json_array_get(to, i));
        const char *how = rb_json_str(json_object_get(parent, "collations"), name);
        RB_AUTO(rb_free_str) char *a = rb_sql_name(name);
        RB_AUTO(rb_free_str) char *b = rb_sql_name(json_string_value(json_array_get(columns, i)));
        rb_buf_printf(&out, "%sn.%s%s = %s.%s", i ? " AND " : "", a, how ? how : "", row, b);
    }
    return rb_buf_detach(&out);
}

char *rb_sql_values(const json_t *table, const json_t *columns, bool set)
{
    rb_buf out = {0};
    rb_json_each (name, columns) {
        const char *type = rb_json_str(json_object_get(table, "types"), json_string_value(name));
        RB_AUTO(rb_free_str) char *quoted = rb_sql_name(json_string_value(name));
        rb_buf_puts(&out, name_at ? ", " : "");
        if (set)
            rb_buf_printf(&out, "%s = ", quoted);
        rb_buf_printf(&out, type ? "CAST(d.%s AS %s)" : "d.%s", quoted, type);
    }
    return rb_buf_detach(&out);
}

bool rb_backup_same_key(const json_t *t, const json_t *table)
{
    const json_t *key = json_object_get(t, "key");
    const json_t *own = json_object_get(table, "key");
    if (rb_backup_is(t, "referenced"))
        return rb_names_have_all(json_object_get(table, "columns"), key);
    return json_array_size(key) > 0 && json_array_size(key) == json_array_size(own) &&
           rb_names_have_all(own, key);
}

bool rb_backup_is(const json_t *t, const char *kind)
{
    return strcmp(rb_json_str(t, "kind"), kind) == 0;
}

char *rb_sql_same(const rb_db *db, const json_t *columns)
{
    rb_buf out = {0};
    rb_json_each (name, columns) {
        RB_AUTO(rb_free_str) char *quoted = rb_sql_name(json_string_value(name));
        RB_AUTO(rb_free_str) char *a = rb_format("n.%s", quoted);
        RB_AUTO(rb_free_str) char *b = rb_format("d.%s", quoted);
        begin_term(&out, name_at, " AND ");
        db->driver->same(&out, a, b);
    }
    if (!out.len)
        rb_buf_puts(&out, "(1 = 1");
    end_terms(&out, " AND ");
    return rb_buf_detach(&out);
}

char *rb_sql_hash(const rb_db *db, const char *row, const json_t *columns)
{
    rb_buf out = {0};
    db->driver->hash(&out, row, columns);
    return rb_buf_detach(&out);
}

/* Parts of statements: */

void rb_sql_put(json_t *parts, const char *name, char *text)
{
    rb_json_set_str(parts, name, text);
    free(text);
}

void rb_sql_set(json_t *parts, const char *name, const char *text)
{
    rb_sql_put(parts, name, rb_sql_fill(parts, text));
}

void rb_sql_set_table(json_t *parts, const rb_backup_file *file, const json_t *t,
                      const json_t *table)
{
    const json_t *key = json_object_get(t, "key");
    rb_sql_put(parts, "keys", rb_sql_list(key, "d.@", ", "));
    rb_sql_put(parts, "null", rb_sql_list(key, "d.@ IS NULL", " OR "));
    if (file) {
        RB_AUTO(rb_free_str) char *data = rb_sql_name(rb_json_str(t, "data"));
        rb_sql_put(parts, "data", rb_format("%s%s", file->prefix, data));
    }
    if (!table)
        return;
    rb_json_set_str(parts, "live", rb_json_str(table, "sql"));
    rb_sql_put(parts, "on", rb_sql_refers(table, key, "d", key));
    rb_sql_put(parts, "exists", rb_sql_list(key, "n.@ IS NOT NULL", " AND "));
}

char *rb_sql_fill(const json_t *parts, const char *text)
{
    rb_buf out = {0};
    while (*text) {
        size_t plain = strcspn(text, "{");
        rb_buf_add(&out, text, plain);
        text += plain;
        if (!*text)
            break;
        size_t len = strcspn(++text, "}");
        RB_AUTO(rb_free_str) char *name = rb_strndup(text, len);
        const char *part = rb_json_str(parts, name);
        rb_buf_puts(&out, part ? part : "NULL");
        text += len + 1;
    }
    return rb_buf_detach(&out);
}

enum rb_code rb_sql_run(rb_db *db, const json_t *parts, const char *text, rb_err *err)
{
    RB_AUTO(rb_free_str) char *sql = rb_sql_fill(parts, text);
    return rb_db_exec(db, sql, NULL, err);
}

enum rb_code rb_sql_rows(json_t **out, rb_db *db, const json_t *parts, const char *text,
                         rb_err *err)
{
    RB_AUTO(rb_free_str) char *sql = rb_sql_fill(parts, text);
    return rb_db_query(out, db, sql, NULL, err);
}

enum rb_code rb_sql_number(int64_t *out, rb_db *db, const json_t *parts, const char *text,
                           rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    RB_TRY(rb_sql_rows(&rows, db, parts, text, err));
    *out = json_integer_value(json_array_get(json_array_get(rows, 0), 0));
    return RB_OK;
}

enum rb_code rb_backup_tables(json_t **out, rb_db *db, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    RB_TRY(rb_db_query(&rows, db, db->driver->objects_sql, NULL, err));
    *out = json_array();
    rb_json_each (row, rows) {
        const char *name = json_string_value(json_array_get(row, 0));
        if (json_integer_value(json_array_get(row, 1)) && strncasecmp(name, "rbtool_", 7) != 0)
            json_array_append(*out, json_array_get(row, 0));
    }
    return RB_OK;
}
