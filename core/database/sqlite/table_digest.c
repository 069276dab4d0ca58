/* Contents of tables. */
#include "database/sqlite/sqlite.h"

#include <stdlib.h>
#include <string.h>

enum rb_code rb_sqlite_shadows(rb_strs *out, rb_sqlite *db, rb_err *err)
{
    int64_t has_virtual;
    /* pragma_table_list is slow: it prepares every view. */
    RB_TRY(rb_sqlite_int(&has_virtual, db,
                         rb_strdup("SELECT EXISTS (SELECT 1 FROM main.sqlite_schema WHERE type ="
                                   " 'table' AND sql LIKE 'create virtual%')"),
                         err));
    if (!has_virtual)
        return RB_OK;
    return rb_sqlite_each(
        db, "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'shadow'", NULL,
        rb_sqlite_add_text, out, err);
}

/* Contents */

#define COLUMNS_AT_ONCE 60

typedef struct contents {
    rb_sha256 *hash[COLUMNS_AT_ONCE];
    size_t n;
    int64_t rows;
} contents;

static bool hash_row(void *context, const rb_cell *cells, size_t n)
{
    contents *c = context;
    c->rows++;
    for (size_t i = 0; i < n; i++) {
        const rb_cell *cell = &cells[i];
        const void *data = cell->kind == RB_CELL_INTEGER ? (const void *)&cell->integer
                           : cell->kind == RB_CELL_REAL  ? (const void *)&cell->real
                                                         : cell->data;
        size_t len = cell->kind == RB_CELL_INTEGER ? sizeof cell->integer
                     : cell->kind == RB_CELL_REAL  ? sizeof cell->real
                                                   : cell->len;
        unsigned char kind = (unsigned char)cell->kind;
        rb_sha256_add(c->hash[i], &kind, 1);
        rb_sha256_add(c->hash[i], &len, sizeof len);
        rb_sha256_add(c->hash[i], data ? data : "", len);
    }
    return true;
}

typedef struct columns {
    rb_strs names;
    rb_strs key;
    bool keyless; /* WITHOUT ROWID: its key is what orders it */
} columns;

static bool add_column(void *context, const rb_cell *cells, size_t n)
{
    columns *c = context;
    (void)n;
    RB_AUTO(rb_free_str) char *quoted = rb_sqlite_name(cells[0].data);
    rb_strs_add(&c->names, cells[0].data);
    if (cells[1].integer > 0)
        rb_strs_add(&c->key, quoted);
    c->keyless = cells[2].integer != 0;
    return true;
}

static enum rb_code columns_of(columns *out, rb_sqlite *db, const char *table, rb_err *err)
{
    RB_AUTO(rb_free_str) char *name = rb_sqlite_text(table);
    return rb_sqlite_run(db,
                         rb_format("SELECT x.name, x.pk, l.wr FROM pragma_table_list(%s) l,"
                                   " pragma_table_xinfo(%s) x WHERE l.schema = 'main' AND l.type ="
                                   " 'table' AND x.hidden <> 2 ORDER BY x.name",
                                   name, name),
                         add_column, out, err);
}

static enum rb_code hash_some(json_t *out, rb_sqlite *db, const char *table, const columns *c,
                              size_t from, size_t n, rb_err *err)
{
    contents all = {.n = n};
    rb_buf sql = {0};
    RB_AUTO(rb_free_str) char *quoted = rb_sqlite_name(table);
    rb_buf_puts(&sql, "SELECT ");
    for (size_t i = 0; i < n; i++) {
        RB_AUTO(rb_free_str) char *name = rb_sqlite_name(c->names.items[from + i]);
        rb_buf_printf(&sql, "%s%s", i ? ", " : "", name);
        all.hash[i] = rb_sha256_new();
    }
    rb_buf_printf(&sql, " FROM main.%s ORDER BY ", quoted);
    for (size_t i = 0; i < c->key.n; i++)
        rb_buf_printf(&sql, "%s%s", i ? ", " : "", c->key.items[i]);
    if (!c->keyless)
        rb_buf_printf(&sql, "%srowid", c->key.n ? ", " : "");
    enum rb_code code = rb_sqlite_run(db, rb_buf_detach(&sql), hash_row, &all, err);
    for (size_t i = 0; i < n; i++) {
        unsigned char digest[RB_SHA256_SIZE];
        char hex[RB_SHA256_HEX];
        rb_sha256_end(all.hash[i], digest);
        rb_sha256_free(all.hash[i]);
        rb_hex_encode(digest, sizeof digest, hex);
        RB_AUTO(rb_free_str) char *name = rb_safe(c->names.items[from + i]);
        rb_json_set_str(out, name, hex);
    }
    json_object_set_new(out, "", json_integer(all.rows));
    return code;
}

static enum rb_code hash_all(json_t *out, rb_sqlite *db, const char *table, const columns *c,
                             rb_err *err)
{
    for (size_t i = 0; i < c->names.n; i += COLUMNS_AT_ONCE) {
        size_t left = c->names.n - i;
        RB_TRY(
            hash_some(out, db, table, c, i, left < COLUMNS_AT_ONCE ? left : COLUMNS_AT_ONCE, err));
    }
    return RB_OK;
}

enum rb_code rb_sqlite_contents(json_t **out, rb_db *base, const char *table, rb_err *err)
{
    rb_sqlite *db = rb_sqlite_of(base);
    RB_AUTO(rb_json_freep) json_t *found = json_object();
    columns c = {0};
    enum rb_code code = columns_of(&c, db, table, err);
    bool is_there = c.names.n > 0;
    if (code == RB_OK && is_there)
        code = hash_all(found, db, table, &c, err);
    rb_strs_clear(&c.names);
    rb_strs_clear(&c.key);
    RB_TRY(code);
    *out = is_there ? json_incref(found) : NULL;
    return RB_OK;
}
