/*
 * Broken references. Each is known by the values that find no parent, and by its row and
 * constraint: rows get other rowids when their table is rebuilt, and other values while they stay
 * broken.
 */
#include "database/sqlite_held.h"

#include <stdlib.h>
#include <string.h>

#define CELLS_LIMIT 64 /* of a query of ours */

typedef struct reference { /* of one table */
    char *table;
    char *parent; /* NULL: not known */
    int64_t id;
} reference;

typedef struct finding {
    json_t *out;
    reference *items;
    size_t n;
} finding;

static char *title(const reference *r)
{
    RB_AUTO(rb_free_str)
    char *raw = rb_format("%s -> %s", r->table, r->parent ? r->parent : "?");
    return rb_safe(raw);
}

static reference *find_reference(finding *f, const char *table, const char *parent, int64_t id)
{
    for (size_t i = f->n; i > 0; i--)
        if (f->items[i - 1].id == id && strcmp(f->items[i - 1].table, table) == 0)
            return &f->items[i - 1];
    f->items = rb_realloc(f->items, f->n + 1, sizeof *f->items);
    f->items[f->n] = (reference){rb_strdup(table), parent ? rb_strdup(parent) : NULL, id};
    return &f->items[f->n++];
}

/* A row of PRAGMA foreign_key_check: table, rowid, parent, number of the constraint. */
static bool add_violation(void *context, const rb_cell *cells, size_t n)
{
    finding *f = context;
    (void)n;
    const reference *r = find_reference(
        f, cells[0].data, cells[2].kind == RB_CELL_TEXT ? cells[2].data : NULL, cells[3].integer);
    RB_AUTO(rb_free_str) char *key = title(r);
    json_t *entry = json_object_get(f->out, key);
    if (!entry) {
        entry = json_object();
        json_object_set_new(f->out, key, entry);
        json_object_set_new(entry, "count", json_integer(0));
        json_object_set_new(entry, "rows", json_array());
        json_object_set_new(entry, "example", rb_sqlite_json(&cells[1]));
    }
    json_object_set_new(entry, "count", json_integer(rb_json_int(entry, "count", 0) + 1));
    return true;
}

/* Which rows */

typedef struct columns {
    rb_strs from;
    rb_strs to;
    rb_strs key; /* of a table without rowids */
    bool has_parent;
} columns;

static bool add_pair(void *context, const rb_cell *cells, size_t n)
{
    columns *c = context;
    (void)n;
    rb_strs_take(&c->from, rb_sqlite_name(cells[0].data));
    if (cells[1].kind == RB_CELL_TEXT)
        rb_strs_take(&c->to, rb_sqlite_name(cells[1].data));
    c->has_parent = cells[2].integer != 0;
    return true;
}

/* REFERENCES p means its primary key. */
static enum rb_code find_columns(columns *c, rb_sqlite *db, const reference *r, rb_err *err)
{
    RB_AUTO(rb_free_str) char *table = rb_sqlite_text(r->table);
    RB_AUTO(rb_free_str) char *parent = rb_sqlite_text(r->parent ? r->parent : "");
    RB_TRY(rb_sqlite_run(
        db,
        rb_format("SELECT f.\"from\", coalesce(f.\"to\", p.name), EXISTS (SELECT 1 FROM"
                  " main.sqlite_schema WHERE type = 'table' AND name = %s COLLATE NOCASE) FROM"
                  " pragma_foreign_key_list(%s, 'main') f LEFT JOIN pragma_table_xinfo(%s, 'main')"
                  " p ON p.pk = f.seq + 1 WHERE f.id = %lld ORDER BY f.seq",
                  parent, table, parent, (long long)r->id),
        add_pair, c, err));
    return rb_sqlite_run(
        db,
        rb_format("SELECT x.name FROM pragma_table_list(%s) l, pragma_table_xinfo(%s, 'main') x"
                  " WHERE l.schema = 'main' AND l.wr AND x.pk > 0 ORDER BY x.pk",
                  table, table),
        rb_sqlite_add_quoted, &c->key, err);
}

static void add_list(rb_buf *out, const rb_strs *names)
{
    for (size_t i = 0; i < names->n; i++)
        rb_buf_printf(out, ", c.%s", names->items[i]);
}

/* PRAGMA foreign_key_check gives no rowid where there is none: its rows are looked for here. */
static char *query(const columns *c, const reference *r)
{
    rb_buf out = {0};
    RB_AUTO(rb_free_str) char *table = rb_sqlite_name(r->table);
    RB_AUTO(rb_free_str) char *text = rb_sqlite_text(r->table);
    if (c->key.n == 0) {
        rb_buf_puts(&out, "SELECT v.rowid");
        add_list(&out, &c->from);
        rb_buf_printf(&out,
                      " FROM pragma_foreign_key_check(%s, 'main') v JOIN main.%s c ON c.rowid ="
                      " v.rowid WHERE v.fkid = %lld",
                      text, table, (long long)r->id);
        return rb_buf_detach(&out);
    }
    rb_buf_puts(&out, "SELECT NULL");
    add_list(&out, &c->from);
    add_list(&out, &c->key);
    rb_buf_printf(&out, " FROM main.%s c WHERE 1", table);
    for (size_t i = 0; i < c->from.n; i++)
        rb_buf_printf(&out, " AND c.%s IS NOT NULL", c->from.items[i]);
    if (!c->has_parent || c->to.n != c->from.n)
        return rb_buf_detach(&out);
    RB_AUTO(rb_free_str) char *parent = rb_sqlite_name(r->parent);
    rb_buf_printf(&out, " AND NOT EXISTS (SELECT 1 FROM main.%s p WHERE 1", parent);
    for (size_t i = 0; i < c->from.n; i++)
        rb_buf_printf(&out, " AND p.%s = +c.%s", c->to.items[i], c->from.items[i]);
    rb_buf_addc(&out, ')');
    return rb_buf_detach(&out);
}

#define LISTED_LIMIT 100000 /* more are compared by their number */

typedef struct listing {
    json_t *rows;
    size_t values; /* how many of a row's cells are the reference's */
    uint64_t constraint;
} listing;

static bool add_row(void *context, const rb_cell *cells, size_t n)
{
    listing *l = context;
    uint64_t row = rb_cell_mix(l->constraint, &cells[0], false);
    uint64_t values = 0;
    for (size_t i = 1; i < n; i++) {
        if (i <= l->values)
            values = rb_cell_mix(values, &cells[i], true);
        else
            row = rb_cell_mix(row, &cells[i], true);
    }
    json_t *item = json_array();
    json_array_append_new(item, json_integer((json_int_t)row));
    json_array_append_new(item, json_integer((json_int_t)values));
    json_array_append_new(item, rb_sqlite_json(&cells[0]));
    json_array_append_new(l->rows, item);
    return json_array_size(l->rows) <= LISTED_LIMIT;
}

static enum rb_code list_rows(json_t *entry, rb_sqlite *db, const columns *c, const reference *r,
                              rb_err *err)
{
    listing l = {json_object_get(entry, "rows"), c->from.n, 0};
    if (c->from.n == 0 || c->from.n + c->key.n + 1 > CELLS_LIMIT)
        return RB_OK;
    for (size_t i = 0; i < c->from.n; i++) {
        const char *name = c->from.items[i];
        const rb_cell cell = {.kind = RB_CELL_TEXT, .data = name, .len = strlen(name)};
        l.constraint = rb_cell_mix(l.constraint, &cell, false);
    }
    return rb_sqlite_run(db, query(c, r), add_row, &l, err);
}

static enum rb_code list_reference(finding *f, rb_sqlite *db, const reference *r, rb_err *err)
{
    columns c = {0};
    RB_AUTO(rb_free_str) char *key = title(r);
    enum rb_code code = find_columns(&c, db, r, err);
    if (code == RB_OK)
        code = list_rows(json_object_get(f->out, key), db, &c, r, err);
    rb_strs_clear(&c.from);
    rb_strs_clear(&c.to);
    rb_strs_clear(&c.key);
    return code;
}

enum rb_code rb_sqlite_violations(json_t **out, rb_db *base, rb_err *err)
{
    rb_sqlite *db = (rb_sqlite *)base;
    RB_AUTO(rb_json_freep) json_t *found = json_object();
    finding f = {.out = found};
    enum rb_code code =
        rb_sqlite_each(db, "PRAGMA main.foreign_key_check", NULL, add_violation, &f, err);
    for (size_t i = 0; i < f.n && code == RB_OK; i++)
        code = list_reference(&f, db, &f.items[i], err);
    for (size_t i = 0; i < f.n; i++) {
        free(f.items[i].table);
        free(f.items[i].parent);
    }
    free(f.items);
    RB_TRY(code);
    *out = found;
    found = NULL;
    return RB_OK;
}
