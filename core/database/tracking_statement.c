#include "database/tracking_statement.h"

#include <stdlib.h>
#include <string.h>

#include "database/tracking_tools.h"
#include "sql/token.h"

/* Finds the next placeholder {NAME} of a statement. Returns where it begins, or the end of the
 * statement; *len is the length of NAME, or 0. */
static const char *next_placeholder(size_t *len, const char *sql)
{
    for (const char *p = sql;; p++) {
        *len = *p == '{' ? strspn(p + 1, "abcdefghijklmnopqrstuvwxyz_") : 0;
        if (*p == '\0' || (*len > 0 && p[*len + 1] == '}'))
            return p;
    }
}

/* Returns a member of a record: a string, an integer, or null. Arrays become JSON text. */
static json_t *value_of(const json_t *record, const char *name, size_t len)
{
    RB_AUTO(rb_free_str) char *key = rb_strndup(name, len);
    json_t *value = json_object_get(record, key);
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    if (!json_is_array(value))
        return value ? json_incref(value) : json_null();
    rb_json_canonical(&text, value);
    return json_string(rb_buf_str(&text));
}

char *rb_tracking_fill(json_t **params, const char *sql, const json_t *record)
{
    rb_buf out = {0};
    size_t len;
    *params = json_array();
    for (const char *p = sql; *p;) {
        const char *at = next_placeholder(&len, p);
        rb_buf_add(&out, p, (size_t)(at - p));
        if (len > 0) {
            json_array_append_new(*params, value_of(record, at + 1, len));
            rb_buf_printf(&out, "$%zu", json_array_size(*params));
        }
        p = len > 0 ? at + len + 2 : at;
    }
    return rb_buf_detach(&out);
}

char *rb_tracking_literals(const char *const *statements, const json_t *record)
{
    RB_AUTO(rb_buf_clear) rb_buf out = {0};
    size_t len;
    for (size_t i = 0; i < RB_TRACKING_STATEMENTS && statements[i]; i++) {
        rb_buf_puts(&out, i ? "; " : "");
        for (const char *p = statements[i]; *p;) {
            const char *at = next_placeholder(&len, p);
            RB_AUTO(rb_free_str) char *name = rb_strndup(at + (len > 0), len);
            rb_buf_add(&out, p, (size_t)(at - p));
            if (len > 0 && !json_object_get(record, name))
                return NULL;
            RB_AUTO(rb_json_freep) json_t *value = len > 0 ? value_of(record, name, len) : NULL;
            RB_AUTO(rb_free_str)
            char *text = json_is_string(value) ? rb_sql_literal(json_string_value(value)) : NULL;
            if (json_is_integer(value))
                rb_buf_printf(&out, "%lld", (long long)json_integer_value(value));
            else
                rb_buf_puts(&out, text ? text : len > 0 ? "NULL" : "");
            p = len > 0 ? at + len + 2 : at;
        }
    }
    return out.len ? rb_buf_detach(&out) : NULL;
}

json_t *rb_tracking_values(const rb_migration *m, int64_t nanoseconds)
{
    json_t *record = m->record ? json_copy(m->record) : json_object();
    rb_json_set(record, "id:s milliseconds:i", m->id, nanoseconds < 0 ? 0 : nanoseconds / 1000000);
    return record;
}

enum rb_code rb_tracking_run(rb_db *db, const char *const *statements, const json_t *record,
                             rb_err *err)
{
    for (size_t i = 0; i < RB_TRACKING_STATEMENTS && statements[i]; i++) {
        RB_AUTO(rb_json_freep) json_t *params = NULL;
        RB_AUTO(rb_free_str) char *sql = rb_tracking_fill(&params, statements[i], record);
        RB_TRY(rb_db_exec(db, sql, params, err));
    }
    return RB_OK;
}
