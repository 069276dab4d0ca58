#include "database/sqlite/table_compare.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "database/sqlite/table_read.h"

#define COLUMNS_AT_ONCE 60 /* a row of rbtool's queries has at most 64 cells */

/* Keys: */

/* Conditions on a row `o` of the table before and a row `n` of the table now. */
typedef struct match {
    char *on;      /* rows o and n are the same row; NULL: rows have no key */
    char *missing; /* row o does not exist now */
} match;

static void match_clear(match *m)
{
    free(m->on);
    free(m->missing);
    *m = (match){0};
}

static const char *cast_name(char affinity)
{
    return affinity == 'i'   ? "INTEGER"
           : affinity == 't' ? "TEXT"
           : affinity == 'r' ? "REAL"
           : affinity == 'n' ? "NUMERIC"
                             : NULL;
}

/* Appends a condition that joins two columns. An index of another affinity cannot be used, and 'x'
 * cast to a number would match 0. */
static void add_pair(rb_buf *out, const rb_table_col *was, const rb_table_col *now)
{
    const char *here = cast_name(now->affinity);
    const char *there = cast_name(was->affinity);
    if (out->len)
        rb_buf_puts(out, " AND ");
    if (was->affinity == now->affinity || !here || !there)
        rb_buf_printf(out, "n.%s = o.%s", now->name, was->name);
    else
        rb_buf_printf(out, "n.%s = CAST(o.%s AS %s) AND CAST(n.%s AS %s) = o.%s", now->name,
                      was->name, here, now->name, there, was->name);
}

static enum rb_code any_null(bool *out, rb_sqlite *db, const rb_table *t, const rb_table_col *c,
                             rb_err *err)
{
    int64_t found;
    RB_TRY(rb_sqlite_int(
        &found, db,
        rb_format("SELECT EXISTS (SELECT 1 FROM %s WHERE %s IS NULL)", t->quoted, c->name), err));
    *out = found != 0;
    return RB_OK;
}

/* Uses a key if the table before has its columns. key: unique columns of the table now (safe
 * names). */
static enum rb_code try_key(match *out, rb_sqlite *db, const rb_table *was, const rb_table *now,
                            const rb_strs *key, rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf on = {0};
    const rb_table_col *last = NULL;
    for (size_t i = 0; i < key->n; i++) {
        const rb_table_col *a = rb_table_column(was, key->items[i]);
        const rb_table_col *b = rb_table_column(now, key->items[i]);
        bool null = false;
        if (!a || !b)
            return RB_OK;
        bool alias = b->key && b->affinity == 'i' && now->has_rowid && key->n == 1;
        if (!b->not_null && !alias)
            RB_TRY(any_null(&null, db, now, b, err));
        if (!null && !a->not_null)
            RB_TRY(any_null(&null, db, was, a, err));
        if (null)
            return RB_OK;
        add_pair(&on, a, b);
        last = b;
    }
    if (!last)
        return RB_OK;
    out->missing = rb_format("n.%s IS NULL", last->name);
    out->on = rb_buf_detach(&on);
    return RB_OK;
}

static enum rb_code find_key(match *out, rb_sqlite *db, const rb_table *was, const rb_table *now,
                             rb_err *err)
{
    RB_AUTO(rb_strs_clear) rb_strs key = {0};
    RB_AUTO(rb_strs_clear) rb_strs indexes = {0};
    for (int64_t place = 1, found = 1; found; place++) {
        found = 0;
        for (size_t i = 0; i < now->n && !found; i++)
            if (now->columns[i].key == place) {
                rb_strs_add(&key, now->columns[i].plain);
                found = 1;
            }
    }
    RB_TRY(try_key(out, db, was, now, &key, err));
    RB_AUTO(rb_free_str) char *name = rb_sqlite_text(now->name);
    RB_TRY(rb_sqlite_run(db,
                         rb_format("SELECT name FROM pragma_index_list(%s, 'main') WHERE \"unique\""
                                   " AND NOT partial ORDER BY seq",
                                   name),
                         rb_sqlite_add_text, &indexes, err));
    for (size_t i = 0; i < indexes.n && !out->on; i++) {
        RB_AUTO(rb_free_str) char *index = rb_sqlite_text(indexes.items[i]);
        rb_strs_clear(&key);
        RB_TRY(rb_sqlite_run(
            db, rb_format("SELECT ifnull(name, '') FROM pragma_index_info(%s, 'main')", index),
            rb_sqlite_add_text, &key, err));
        for (size_t k = 0; k < key.n; k++) {
            char *plain = rb_safe(key.items[k]);
            free(key.items[k]);
            key.items[k] = plain;
        }
        RB_TRY(try_key(out, db, was, now, &key, err));
    }
    return RB_OK;
}

/* Comparing: */

typedef struct comparing {
    rb_sqlite *db;
    const char *name; /* name as in catalogs */
    rb_table was;
    rb_table now;
    match key;
    json_t *out;
    int64_t rows;    /* rows in the state before */
    int64_t missing; /* of `rows`, those that do not exist now */
    int64_t *values; /* for each column of `was`, how many values differ now */
    size_t at[COLUMNS_AT_ONCE];
    bool exact;
} comparing;

static void add_item(json_t *out, const char *name, const char *column, int64_t rows,
                     int64_t values, bool exact)
{
    json_array_append_new(out, rb_json_make("table:s column:s rows:i values:i exact:b", name,
                                            column, (int64_t)rows, (int64_t)values, exact));
}

static bool take_counts(void *context, const rb_cell *cells, size_t n)
{
    comparing *c = context;
    c->rows = cells[0].integer;
    c->missing = cells[1].kind == RB_CELL_INTEGER ? cells[1].integer : 0;
    for (size_t i = 2; i < n; i++)
        c->values[c->at[i - 2]] = cells[i].kind == RB_CELL_INTEGER ? cells[i].integer : 0;
    return false;
}

static bool names(const json_t *list, const char *plain)
{
    rb_json_each (name, list) {
        RB_AUTO(rb_free_str) char *safe = rb_safe(json_string_value(name));
        if (strcasecmp(safe, plain) == 0)
            return true;
    }
    return false;
}

/* Appends a condition: the value of a column differs. In a dropped column, values other than the
 * default count. */
static void add_difference(rb_buf *sql, const rb_table_col *was, const rb_table_col *now,
                           const char *missing, bool nulls)
{
    rb_buf_printf(sql, ", sum(NOT (%s) AND ", missing);
    if (now && !nulls)
        rb_buf_printf(sql, "o.%s IS NOT NULL AND ", was->name);
    if (now)
        rb_buf_printf(sql, "(o.%s IS NOT n.%s COLLATE BINARY OR typeof(o.%s) <> typeof(n.%s)))",
                      was->name, now->name, was->name, now->name);
    else
        rb_buf_printf(sql, "o.%s IS NOT (%s))", was->name, was->fresh);
}

/* Compares rows by key, with one statement for every 60 columns. */
static enum rb_code compare_keyed(comparing *c, const json_t *item, rb_err *err)
{
    const json_t *columns = json_object_get(item, "columns");
    const json_t *nulls = json_object_get(item, "nulls");
    size_t i = 0;
    do {
        size_t taken = 0;
        rb_buf sql = {0};
        rb_buf_printf(&sql, "SELECT count(*), sum(%s)", c->key.missing);
        for (; i < c->was.n && taken < COLUMNS_AT_ONCE; i++) {
            const rb_table_col *was = &c->was.columns[i];
            if (json_is_array(columns) && !names(columns, was->plain))
                continue;
            add_difference(&sql, was, rb_table_column(&c->now, was->plain), c->key.missing,
                           !nulls || names(nulls, was->plain));
            c->at[taken++] = i;
        }
        rb_buf_printf(&sql, " FROM %s o LEFT JOIN %s n ON %s", c->was.quoted, c->now.quoted,
                      c->key.on);
        RB_TRY(rb_sqlite_run(c->db, rb_buf_detach(&sql), take_counts, c, err));
    } while (i < c->was.n);
    return RB_OK;
}

/* Returns "a COLLATE BINARY, typeof(a), ..." for the columns that both states have. */
static char *all_columns(const comparing *c, const rb_table *of)
{
    rb_buf out = {0};
    for (size_t i = 0; i < c->was.n; i++) {
        const rb_table_col *now = rb_table_column(&c->now, c->was.columns[i].plain);
        const char *name = of == &c->was ? c->was.columns[i].name : now ? now->name : NULL;
        if (now)
            rb_buf_printf(&out, "%s%s COLLATE BINARY, typeof(%s)", out.len ? ", " : "", name, name);
    }
    return rb_buf_detach(&out);
}

static enum rb_code count_default(comparing *c, size_t i, rb_err *err)
{
    return rb_sqlite_int(&c->values[i], c->db,
                         rb_format("SELECT count(*) FROM %s WHERE %s IS NOT (%s)", c->was.quoted,
                                   c->was.columns[i].name, c->was.columns[i].fresh),
                         err);
}

/* Compares rows without a key: each row before needs an equal one of its own now, in the columns
 * that both states have. */
static enum rb_code compare_multisets(comparing *c, rb_err *err)
{
    RB_AUTO(rb_free_str) char *was = all_columns(c, &c->was);
    RB_AUTO(rb_free_str) char *now = all_columns(c, &c->now);
    for (size_t i = 0; i < c->was.n; i++)
        if (!rb_table_column(&c->now, c->was.columns[i].plain))
            RB_TRY(count_default(c, i, err));
    RB_TRY(rb_table_count(&c->rows, &c->exact, c->db, &c->was, err));
    if (!was[0]) {
        c->missing = c->rows;
        return RB_OK;
    }
    rb_err why;
    enum rb_code code = rb_sqlite_int(
        &c->missing, c->db,
        rb_format("SELECT count(*) FROM (SELECT %s, row_number() OVER (PARTITION BY %s) FROM %s"
                  " EXCEPT SELECT %s, row_number() OVER (PARTITION BY %s) FROM %s)",
                  was, was, c->was.quoted, now, now, c->now.quoted),
        &why);
    bool is_virtual = c->was.is_virtual || c->now.is_virtual;
    if (code == RB_OK || !is_virtual || !rb_sqlite_active(c->db)) {
        *err = why;
        return code;
    }
    int64_t rows;
    RB_TRY(rb_table_count(&rows, &c->exact, c->db, &c->now, err));
    c->missing = c->rows > rows ? c->rows - rows : 0;
    return RB_OK;
}

static enum rb_code compare_columns(comparing *c, const json_t *item, rb_err *err)
{
    const char *rowid = rb_table_rowid(&c->was, &c->now);
    bool is_virtual = c->was.is_virtual || c->now.is_virtual;
    bool by_rowid = rowid && !json_is_true(json_object_get(item, "recreated")) &&
                    (is_virtual || !json_is_true(json_object_get(item, "rows")));
    if (by_rowid) {
        c->key.on = rb_format("n.%s = o.%s", rowid, rowid);
        c->key.missing = rb_format("n.%s IS NULL", rowid);
    } else if (!is_virtual) {
        RB_TRY(find_key(&c->key, c->db, &c->was, &c->now, err));
    }
    if (!c->key.on)
        return compare_multisets(c, err);
    rb_err why;
    enum rb_code code = compare_keyed(c, item, &why);
    if (code == RB_OK || !is_virtual || !rb_sqlite_active(c->db)) {
        *err = why;
        return code;
    }
    return compare_multisets(c, err);
}

/* Counts the rows that did not exist before. */
static enum rb_code add_added(comparing *c, rb_err *err)
{
    int64_t now = 0;
    if (c->now.name)
        RB_TRY(rb_table_count(&now, &c->exact, c->db, &c->now, err));
    if (now <= c->rows - c->missing)
        return RB_OK;
    add_item(c->out, c->name, NULL, 0, 0, c->exact);
    json_object_set_new(json_array_get(c->out, json_array_size(c->out) - 1), "added",
                        json_integer(now - c->rows + c->missing));
    return RB_OK;
}

static enum rb_code compare_table(comparing *c, const json_t *item, rb_err *err)
{
    RB_AUTO(rb_free_str) char *before = rb_table_before(c->db, c->name);
    bool holds;
    RB_TRY(rb_table_find(&c->was, c->db, RB_SQLITE_BEFORE, before, err));
    if (!c->was.name)
        return RB_OK;
    RB_TRY(rb_table_has_data(&holds, c->db, &c->was, err));
    if (!holds)
        return RB_OK;
    RB_TRY(rb_table_find(&c->now, c->db, "main", c->name, err));
    c->values = rb_calloc(c->was.n + 1, sizeof *c->values);
    if (!c->now.name) {
        RB_TRY(rb_table_count(&c->missing, &c->exact, c->db, &c->was, err));
        c->rows = c->missing;
    } else {
        RB_TRY(compare_columns(c, item, err));
    }
    if (c->missing > 0)
        add_item(c->out, c->name, NULL, c->missing, 0, c->exact);
    for (size_t i = 0; i < c->was.n; i++)
        if (c->values[i] > 0)
            add_item(c->out, c->name, c->was.columns[i].plain, c->rows, c->values[i], c->exact);
    return json_is_true(json_object_get(item, "added")) ? add_added(c, err) : RB_OK;
}

enum rb_code rb_sqlite_compare(json_t **out, rb_db *base, const json_t *tables, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *items = json_array();
    RB_TRY(rb_sqlite_attach_before(rb_sqlite_of(base), err));
    rb_json_each (item, tables) {
        comparing c = {.db = rb_sqlite_of(base),
                       .name = rb_json_str(item, "table"),
                       .out = items,
                       .exact = true};
        enum rb_code code = compare_table(&c, item, err);
        rb_table_clear(&c.was);
        rb_table_clear(&c.now);
        match_clear(&c.key);
        free(c.values);
        RB_TRY(code);
    }
    *out = RB_TAKE(items);
    return RB_OK;
}

/* Counting: */

typedef struct counting {
    int64_t rows;
    int64_t values[COLUMNS_AT_ONCE];
} counting;

static bool take_values(void *context, const rb_cell *cells, size_t n)
{
    counting *c = context;
    c->rows = cells[0].integer;
    for (size_t i = 1; i < n; i++)
        c->values[i - 1] = cells[i].kind == RB_CELL_INTEGER ? cells[i].integer : 0;
    return false;
}

/* Counts places[from] and those after it that are of the same table, up to the limit of one
 * statement. *taken: how many. */
static enum rb_code count_columns(json_t *out, size_t *taken, rb_sqlite *db, const rb_table *t,
                                  const json_t *places, size_t from, rb_err *err)
{
    counting c = {0};
    const char *name = rb_json_str(json_array_get(places, from), "table");
    rb_buf sql = {0};
    rb_buf_puts(&sql, "SELECT count(*)");
    for (*taken = 0; *taken < COLUMNS_AT_ONCE; ++*taken) {
        const json_t *place = json_array_get(places, from + *taken);
        const char *table_name = rb_json_str(place, "table");
        const char *plain = rb_json_str(place, "column");
        const char *text = rb_json_str(place, "fresh");
        const rb_table_col *found = plain ? rb_table_column(t, plain) : NULL;
        if (!table_name || strcmp(table_name, name) != 0 || !found)
            break;
        RB_AUTO(rb_free_str) char *fresh = text ? rb_sqlite_default_value(text) : NULL;
        if (fresh)
            rb_buf_printf(&sql, ", sum(%s IS NOT (%s))", found->name, fresh);
        else
            rb_buf_puts(&sql, ", count(*)");
    }
    rb_buf_printf(&sql, " FROM %s", t->quoted);
    RB_TRY(rb_sqlite_run(db, rb_buf_detach(&sql), take_values, &c, err));
    for (size_t i = 0; i < *taken; i++)
        if (c.values[i] > 0)
            add_item(out, name, rb_json_str(json_array_get(places, from + i), "column"), c.rows,
                     c.values[i], true);
    return RB_OK;
}

static enum rb_code count_place(json_t *out, size_t *taken, rb_sqlite *db, const char *schema,
                                const json_t *places, size_t from, rb_err *err)
{
    RB_AUTO(rb_table_clear) rb_table t = {0};
    const json_t *place = json_array_get(places, from);
    const char *name = rb_json_str(place, "table");
    bool holds;
    bool exact = true;
    int64_t rows;
    *taken = 1;
    RB_AUTO(rb_free_str) char *before = rb_table_before(db, name);
    RB_TRY(rb_table_find(&t, db, schema, before, err));
    if (!t.name)
        return RB_OK;
    if (rb_json_str(place, "column"))
        RB_TRY(count_columns(out, taken, db, &t, places, from, err));
    *taken = *taken > 0 ? *taken : 1;
    if (rb_json_str(place, "column"))
        return RB_OK;
    RB_TRY(rb_table_has_data(&holds, db, &t, err));
    if (!holds)
        return RB_OK;
    RB_TRY(rb_table_count(&rows, &exact, db, &t, err));
    if (rows > 0)
        add_item(out, name, NULL, rows, 0, exact);
    return RB_OK;
}

enum rb_code rb_sqlite_count(json_t **out, rb_db *base, const json_t *places, rb_err *err)
{
    rb_sqlite *db = rb_sqlite_of(base);
    RB_AUTO(rb_json_freep) json_t *items = json_array();
    RB_TRY(rb_sqlite_attach_before(db, err));
    for (size_t i = 0, taken; i < json_array_size(places); i += taken)
        RB_TRY(count_place(items, &taken, db,
                           rb_sqlite_state_of(db)->has_before ? RB_SQLITE_BEFORE : "main", places,
                           i, err));
    *out = RB_TAKE(items);
    return RB_OK;
}
