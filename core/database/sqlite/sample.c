/* Chooses values for made-up rows by SQLite's declared types. */
#include "database/sqlite/sample.h"

#include <stdlib.h>
#include <string.h>

#include "catalog/name.h"
#include "database/sqlite/create_index.h"

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

/* Returns a value that applications usually write into a column of that type; second: a different
 * one. Keys are larger than those that scripts usually insert. */
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

bool rb_sqlite_sample_add(void *context, const rb_cell *cells, size_t n)
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
    const char *named =
        r->samples->kind == RB_SAMPLE_NAMED
            ? rb_sample_named(&count, r->samples, name, !is_text(type), !is_numeric(type), r->row)
            : NULL;
    r->named = count > r->named ? count : r->named;
    if (second && nullable)
        value = default_value ? default_value : "NULL";
    r->items = rb_realloc(r->items, r->n + 1, sizeof *r->items);
    r->items[r->n++] = (rb_sample_column){
        .name = rb_strdup(name),
        .value = named ? rb_strdup(named) : rb_sample_numbered(value, r->row),
        .nullable = nullable,
        .has_default = default_value != NULL,
        .is_key = key,
    };
    return true;
}

static bool holds(void *db, const rb_sample_row *r, const char *check)
{
    rb_buf sql = {0};
    int64_t out = 0;
    rb_buf_printf(&sql, "SELECT coalesce((%s), 1) <> 0 FROM (SELECT ", check);
    for (size_t i = 0; i < r->n; i++) {
        RB_AUTO(rb_free_str) char *name = rb_sqlite_name(r->items[i].name);
        rb_buf_printf(&sql, "%s%s AS %s", i ? ", " : "", r->items[i].value, name);
    }
    rb_buf_puts(&sql, ")");
    return rb_sqlite_int(&out, db, rb_buf_detach(&sql), RB_IGNORED) == RB_OK && out != 0;
}

void rb_sqlite_sample_satisfy(rb_sqlite *db, rb_sample_row *r, const char *table, const char *sql)
{
    RB_AUTO(rb_json_freep)
    json_t *entries = rb_sqlentries("table", table, table, sql, NULL);
    RB_AUTO(rb_free_str) char *key = rb_catalog_key("table", NULL, table);
    rb_json_each (check, json_object_get(json_object_get(entries, key), "checks"))
        rb_sample_satisfy(r, json_string_value(check), "sqlite", holds, db);
}

void rb_sqlite_literals(json_t *literals, const char *sql, size_t len)
{
    rb_sample_literals(literals, sql, len, "sqlite");
}
