/*
 * Finds broken references. Each is identified in two ways: by the values without a parent, since
 * rows get new rowids when their table is rebuilt; and by its row and constraint, since values may
 * change.
 */
#include "database/loss.h"
#include "database/sqlite/sqlite.h"

#include <stdlib.h>
#include <string.h>

#define CELLS_LIMIT 64 /* cells in a row of rbtool's queries */

typedef struct reference { /* a foreign key of one table */
    char *table;
    char *parent; /* NULL: unknown */
    int64_t id;
} reference;

typedef struct finding {
    json_t *out;
    reference *items;
    size_t n;
} finding;

static void finding_clear(finding *f)
{
    for (size_t i = 0; i < f->n; i++) {
        free(f->items[i].table);
        free(f->items[i].parent);
    }
    free(f->items);
    f->items = NULL;
    f->n = 0;
}

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

/* Adds a row of PRAGMA foreign_key_check: table, rowid, parent, number of the constraint. */
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

/* The columns of a reference: */

typedef struct columns {
    rb_strs from;
    rb_strs to;
    rb_strs key; /* key columns of a table without rowids */
    bool has_parent;
    bool by_query; /* SQLite does not check this table, so that a query does */
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

/* Finds the columns of a reference. REFERENCES p without columns means its primary key. */
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

/* Returns a query for broken rows that PRAGMA foreign_key_check lists without a rowid, or does not
 * check. */
static char *query(const columns *c, const reference *r)
{
    rb_buf out = {0};
    RB_AUTO(rb_free_str) char *table = rb_sqlite_name(r->table);
    RB_AUTO(rb_free_str) char *text = rb_sqlite_text(r->table);
    if (c->key.n == 0 && !c->by_query) {
        rb_buf_puts(&out, "SELECT v.rowid");
        add_list(&out, &c->from);
        rb_buf_printf(&out,
                      " FROM pragma_foreign_key_check(%s, 'main') v JOIN main.%s c ON c.rowid ="
                      " v.rowid WHERE v.fkid = %lld",
                      text, table, (long long)r->id);
        return rb_buf_detach(&out);
    }
    rb_buf_puts(&out, c->key.n == 0 ? "SELECT c.rowid" : "SELECT NULL");
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

#define SEED 0xcbf29ce484222325u
#define EXACT_BELOW 9007199254740992 /* integers below this are exact in a double */

static uint64_t mix(uint64_t hash, const void *data, size_t len)
{
    const unsigned char *p = data;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ p[i]) * 0x100000001b3u;
    return hash ^ hash >> 29;
}

/* True if the cell is a number, or text that a column of numeric type would store as one. */
static bool is_number(double *out, const rb_cell *cell)
{
    const char *text = cell->data;
    char *end;
    if (cell->len == 0 || cell->len > 40 || !strchr("+-.0123456789", text[0]))
        return false;
    *out = strtod(text, &end);
    return end == text + cell->len;
}

/* Returns the hash with a value added. A number and its text have the same hash. */
static uint64_t mix_cell(uint64_t hash, const rb_cell *cell)
{
    double number = cell->real;
    int64_t whole = cell->integer;
    bool is_real =
        cell->kind == RB_CELL_REAL || (cell->kind == RB_CELL_TEXT && is_number(&number, cell));
    bool is_whole = cell->kind == RB_CELL_INTEGER;
    if (is_real && number > -EXACT_BELOW && number < EXACT_BELOW &&
        (double)(int64_t)number == number) {
        whole = (int64_t)number;
        is_whole = true;
    }
    if (is_whole)
        return mix(hash ^ SEED, &whole, sizeof whole);
    if (is_real)
        return mix(hash ^ SEED, &number, sizeof number);
    if (cell->kind == RB_CELL_NULL)
        return mix(hash ^ SEED, "", 1);
    return mix(hash ^ SEED, cell->data ? cell->data : "", cell->len);
}

#define LISTED_LIMIT 100000 /* broken references; if more, only their counts are compared */

typedef struct listing {
    json_t *rows;
    size_t values; /* how many of a row's cells belong to the reference */
    uint64_t constraint;
} listing;

static bool add_row(void *context, const rb_cell *cells, size_t n)
{
    listing *l = context;
    uint64_t row = mix_cell(l->constraint, &cells[0]);
    uint64_t values = 0;
    for (size_t i = 1; i < n; i++) {
        if (i <= l->values)
            values = mix_cell(values, &cells[i]);
        else
            row = mix_cell(row, &cells[i]);
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
        l.constraint = mix_cell(l.constraint, &cell);
    }
    return rb_sqlite_run(db, query(c, r), add_row, &l, err);
}

static void columns_clear(columns *c)
{
    rb_strs_clear(&c->from);
    rb_strs_clear(&c->to);
    rb_strs_clear(&c->key);
}

static enum rb_code list_reference(finding *f, rb_sqlite *db, const reference *r, rb_err *err)
{
    columns c = {0};
    RB_AUTO(rb_free_str) char *key = title(r);
    enum rb_code code = find_columns(&c, db, r, err);
    if (code == RB_OK)
        code = list_rows(json_object_get(f->out, key), db, &c, r, err);
    columns_clear(&c);
    return code;
}

/* True if the error is a foreign key mismatch. SQLite then checks no reference of the table. */

static bool is_mismatch(const rb_err *err)
{
    return strstr(err->message, "foreign key mismatch") != NULL;
}

/* Sets *out if the columns that r refers to are the parent's primary key or a unique index. */
static enum rb_code is_checkable(bool *out, rb_sqlite *db, const reference *r, rb_err *err)
{
    RB_AUTO(rb_free_str) char *table = rb_sqlite_text(r->table);
    RB_AUTO(rb_free_str) char *parent = rb_sqlite_text(r->parent);
    int64_t found;
    RB_TRY(rb_sqlite_int(
        &found, db,
        rb_format(
            "WITH f AS (SELECT lower(coalesce(f.\"to\", p.name)) AS name FROM"
            " pragma_foreign_key_list(%s, 'main') f LEFT JOIN pragma_table_xinfo(%s, 'main') p"
            " ON p.pk = f.seq + 1 WHERE f.id = %lld), k AS (SELECT '' AS i, lower(name) AS"
            " name FROM pragma_table_xinfo(%s, 'main') WHERE pk > 0 UNION ALL SELECT l.name,"
            " lower(x.name) FROM pragma_index_list(%s, 'main') l, pragma_index_info(l.name,"
            " 'main') x WHERE l.\"unique\" AND NOT l.partial) SELECT NOT EXISTS (SELECT 1 FROM"
            " main.sqlite_schema WHERE type = 'table' AND name = %s COLLATE NOCASE) OR EXISTS"
            " (SELECT 1 FROM k GROUP BY i HAVING count(*) = (SELECT count(*) FROM f) AND"
            " sum(ifnull(name, '') IN (SELECT ifnull(name, ' ') FROM f)) = count(*))",
            table, parent, (long long)r->id, parent, parent, parent),
        err));
    *out = found != 0;
    return RB_OK;
}

static enum rb_code check_by_query(finding *f, rb_sqlite *db, const reference *r, rb_err *err)
{
    RB_AUTO(columns_clear) columns c = {.by_query = true};
    RB_AUTO(rb_free_str) char *key = title(r);
    bool checkable;
    RB_TRY(is_checkable(&checkable, db, r, err));
    if (!checkable) {
        json_object_set_new_nocheck(rb_sqlite_state_of(db)->mismatches, key, json_true());
        return RB_OK;
    }
    RB_AUTO(rb_json_freep)
    json_t *entry = rb_json_make("count:d rows:j example:0", 0, json_array());
    RB_TRY(find_columns(&c, db, r, err));
    RB_TRY(list_rows(entry, db, &c, r, err));
    json_t *rows = json_object_get(entry, "rows");
    if (json_array_size(rows) == 0)
        return RB_OK;
    json_object_set_new(entry, "count", json_integer((json_int_t)json_array_size(rows)));
    json_object_set(entry, "example", json_array_get(json_array_get(rows, 0), 2));
    json_object_set(f->out, key, entry);
    return RB_OK;
}

static bool add_reference(void *context, const rb_cell *cells, size_t n)
{
    finding *f = context;
    (void)n;
    (void)find_reference(f, cells[0].data, cells[1].data, cells[2].integer);
    return true;
}

static enum rb_code check_table(finding *f, rb_sqlite *db, const char *table, rb_err *err)
{
    finding own = {.out = f->out};
    rb_err why;
    RB_AUTO(rb_free_str) char *name = rb_sqlite_text(table);
    enum rb_code code = rb_sqlite_run(db, rb_format("PRAGMA main.foreign_key_check(%s)", name),
                                      add_violation, f, &why);
    if (code == RB_OK)
        return RB_OK;
    if (!is_mismatch(&why)) {
        *err = why;
        return code;
    }
    code = rb_sqlite_run(db,
                         rb_format("SELECT DISTINCT %s, \"table\", id FROM"
                                   " pragma_foreign_key_list(%s, 'main')",
                                   name, name),
                         add_reference, &own, err);
    for (size_t i = 0; i < own.n && code == RB_OK; i++)
        code = check_by_query(&own, db, &own.items[i], err);
    finding_clear(&own);
    return code;
}

static enum rb_code check_tables(finding *f, rb_sqlite *db, rb_err *err)
{
    RB_AUTO(rb_strs_clear) rb_strs tables = {0};
    RB_TRY(rb_sqlite_each(db, "SELECT name FROM main.sqlite_schema WHERE type = 'table'", NULL,
                          rb_sqlite_add_text, &tables, err));
    for (size_t i = 0; i < tables.n; i++)
        RB_TRY(check_table(f, db, tables.items[i], err));
    return RB_OK;
}

/* Checks all tables. A mismatch makes the PRAGMA fail before its first row or after some. */
static enum rb_code check_all(finding *f, rb_sqlite *db, rb_err *err)
{
    enum rb_code code =
        rb_sqlite_each(db, "PRAGMA main.foreign_key_check", NULL, add_violation, f, err);
    if (code == RB_OK || !is_mismatch(err))
        return code;
    finding_clear(f);
    json_object_clear(f->out);
    return check_tables(f, db, err);
}

/* Tables whose references scripts may have broken: */

typedef struct touching {
    const json_t *effects;
    rb_strs *out;
} touching;

/* Returns the member of that name, which a reference may write in another case. */
static const json_t *find_named(const json_t *object, const char *name)
{
    RB_AUTO(rb_free_str) char *wanted = rb_loss_key(name);
    rb_json_each_member (key, value, object)
        if (strcasecmp(key, wanted) == 0)
            return value;
    return NULL;
}

static bool touches(const json_t *effect, const rb_cell *column)
{
    const json_t *written = json_object_get(effect, "columns");
    return json_object_get(effect, "rows") || json_object_get(effect, "arrived") ||
           json_object_get(effect, "renamed") ||
           (column->kind == RB_CELL_TEXT ? find_named(written, column->data) != NULL
                                         : json_object_size(written) > 0);
}

/* Adds a row: table, its column, parent, the parent's column. */
static bool add_touched(void *context, const rb_cell *cells, size_t n)
{
    touching *t = context;
    const json_t *child = find_named(t->effects, cells[0].data);
    const json_t *parent =
        cells[2].kind == RB_CELL_TEXT ? find_named(t->effects, cells[2].data) : NULL;
    (void)n;
    if ((json_object_get(child, "inserts") || touches(child, &cells[1]) ||
         touches(parent, &cells[3])) &&
        !rb_strs_has(t->out, cells[0].data))
        rb_strs_add(t->out, cells[0].data);
    return true;
}

/* Checks only references that can be broken: their columns were added or changed, or rows of the
 * parent deleted or changed. Other large tables are not read. */
static enum rb_code check_touched(finding *f, rb_sqlite *db, const json_t *effects, rb_err *err)
{
    RB_AUTO(rb_strs_clear) rb_strs tables = {0};
    touching t = {effects, &tables};
    RB_TRY(rb_sqlite_each(db,
                          "SELECT m.name, f.\"from\", f.\"table\", coalesce(f.\"to\", p.name) FROM"
                          " main.sqlite_schema m, pragma_foreign_key_list(m.name, 'main') f LEFT"
                          " JOIN pragma_table_xinfo(f.\"table\", 'main') p ON p.pk = f.seq + 1"
                          " WHERE m.type = 'table'",
                          NULL, add_touched, &t, err));
    for (size_t i = 0; i < tables.n; i++)
        RB_TRY(check_table(f, db, tables.items[i], err));
    return RB_OK;
}

json_t *rb_sqlite_mismatches(const rb_db *db)
{
    const json_t *found = rb_sqlite_state_of(rb_sqlite_of(db))->mismatches;
    return found ? json_copy((json_t *)found) : json_object();
}

enum rb_code rb_sqlite_violations(json_t **out, rb_db *base, const json_t *effects, rb_err *err)
{
    rb_sqlite *db = rb_sqlite_of(base);
    RB_AUTO(rb_json_freep) json_t *found = json_object();
    finding f = {.out = found};
    json_decref(rb_sqlite_state_of(db)->mismatches);
    rb_sqlite_state_of(db)->mismatches = json_object();
    enum rb_code code = effects ? check_touched(&f, db, effects, err) : check_all(&f, db, err);
    for (size_t i = 0; i < f.n && code == RB_OK; i++)
        code = list_reference(&f, db, &f.items[i], err);
    finding_clear(&f);
    RB_TRY(code);
    *out = RB_TAKE(found);
    return RB_OK;
}
