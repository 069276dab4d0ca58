/* Rows of any type: the shape of a table, statements that run many times, digests. */
#include "database/sqlite/table_rows.h"

#include <stdlib.h>
#include <string.h>

/* Statements */

enum rb_code rb_repeated_prepare(rb_repeated *out, rb_sqlite *db, char *sql, const char *doing,
                                 rb_err *err)
{
    const char *tail;
    long offset;
    *out = (rb_repeated){.db = db, .doing = doing};
    bool prepared = rb_stmt_prepare(&out->stmt, &tail, &offset, db, sql);
    free(sql);
    return prepared ? RB_OK : rb_sqlite_fail(db, doing, err);
}

enum rb_code rb_repeated_bind(rb_repeated *r, size_t at, rb_stmt *from, size_t first, size_t n,
                              rb_err *err)
{
    rb_stmt_reset(r->stmt);
    for (size_t i = 0; i < n; i++) {
        rb_cell cell;
        rb_stmt_cell(&cell, from, first + i);
        if (!rb_stmt_bind_cell(r->stmt, at + i, &cell))
            return rb_sqlite_fail(r->db, r->doing, err);
    }
    return RB_OK;
}

enum rb_code rb_repeated_bind_int(rb_repeated *r, size_t at, int64_t value, rb_err *err)
{
    const rb_cell cell = {.kind = RB_CELL_INTEGER, .integer = value};
    rb_stmt_reset(r->stmt);
    return rb_stmt_bind_cell(r->stmt, at, &cell) ? RB_OK : rb_sqlite_fail(r->db, r->doing, err);
}

enum rb_code rb_repeated_step(bool *row, rb_repeated *r, rb_err *err)
{
    enum rb_stmt_end step = rb_stmt_step(r->stmt);
    *row = step == RB_STMT_ROW;
    return step == RB_STMT_FAILED ? rb_sqlite_fail(r->db, r->doing, err) : RB_OK;
}

void rb_repeated_clear(rb_repeated *r)
{
    rb_stmt_free(r->stmt);
    r->stmt = NULL;
}

/* Digests */

static void add_big_endian(rb_buf *out, uint64_t value)
{
    unsigned char bytes[8];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(value >> (56 - 8 * i));
    rb_buf_add(out, bytes, sizeof bytes);
}

static void add_cell(rb_buf *out, const rb_cell *cell)
{
    uint64_t bits = (uint64_t)cell->integer;
    if (cell->kind == RB_CELL_REAL)
        memcpy(&bits, &cell->real, sizeof bits);
    bool number = cell->kind == RB_CELL_INTEGER || cell->kind == RB_CELL_REAL;
    rb_buf_addc(out, (char)cell->kind);
    add_big_endian(out, number ? sizeof bits : cell->len);
    if (number)
        add_big_endian(out, bits);
    else if (cell->len)
        rb_buf_add(out, cell->data, cell->len);
}

/* FNV-1a, folded: says which column differs where the SHA-256 does. */
static uint32_t fold(const char *data, size_t len)
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)data[i]) * 1099511628211u;
    return (uint32_t)(hash ^ hash >> 32);
}

void rb_row_digest_take(rb_row_digest *out, rb_stmt *stmt, size_t first, size_t n)
{
    if (!out->hash)
        out->hash = rb_sha256_new();
    rb_buf_truncate(&out->data, 0);
    rb_buf_truncate(&out->columns, 0);
    for (size_t i = 0; i < n; i++) {
        rb_cell cell;
        size_t before = out->data.len;
        rb_stmt_cell(&cell, stmt, first + i);
        add_cell(&out->data, &cell);
        uint32_t folded = fold(out->data.data + before, out->data.len - before);
        const unsigned char bytes[] = {(unsigned char)(folded >> 24), (unsigned char)(folded >> 16),
                                       (unsigned char)(folded >> 8), (unsigned char)folded};
        rb_buf_add(&out->columns, bytes, sizeof bytes);
    }
    rb_sha256_add(out->hash, rb_buf_str(&out->data), out->data.len);
    rb_sha256_end(out->hash, out->sha256);
}

void rb_row_digest_clear(rb_row_digest *digest)
{
    rb_sha256_free(digest->hash);
    rb_buf_clear(&digest->data);
    rb_buf_clear(&digest->columns);
    digest->hash = NULL;
}

/* Tables of a database */

char *rb_sqlite_spread(const rb_strs *names, const char *pattern, const char *between)
{
    rb_buf out = {0};
    for (size_t i = 0; i < names->n; i++) {
        RB_AUTO(rb_free_str) char *quoted = rb_sqlite_name(names->items[i]);
        if (i)
            rb_buf_puts(&out, between);
        for (const char *p = pattern; *p; p++) {
            if (*p == '@')
                rb_buf_puts(&out, quoted);
            else
                rb_buf_addc(&out, *p);
        }
    }
    return rb_buf_detach(&out);
}

char *rb_table_where(const rb_table_shape *shape, const rb_strs *key)
{
    rb_buf out = {0};
    for (size_t i = 0; i < key->n; i++) {
        RB_AUTO(rb_free_str) char *quoted = rb_sqlite_name(key->items[i]);
        rb_buf_printf(&out, "%s%s", i ? " AND " : "", quoted);
        for (size_t k = 0; k < shape->key.n && k < shape->collations.n; k++)
            if (strcasecmp(shape->key.items[k], key->items[i]) == 0 && *shape->collations.items[k])
                rb_buf_printf(&out, " COLLATE \"%s\"", shape->collations.items[k]);
        rb_buf_printf(&out, " = ?%zu", i + 1);
    }
    return rb_buf_detach(&out);
}

/* The declared key comes first; then unique indexes of NOT NULL columns. */
static enum rb_code read_key(rb_table_shape *shape, rb_sqlite *db, const char *name, rb_err *err)
{
    RB_AUTO(rb_strs_clear) rb_strs indexes = {0};
    RB_TRY(rb_sqlite_run(
        db,
        rb_format("SELECT name FROM pragma_index_list(%s, 'main') l WHERE \"unique\" AND NOT"
                  " partial AND (origin = 'pk' OR NOT EXISTS (SELECT 1 FROM pragma_index_info("
                  "l.name, 'main') i LEFT JOIN pragma_table_xinfo(%s, 'main') x ON x.name = i.name"
                  " WHERE x.\"notnull\" IS NOT 1)) ORDER BY origin <> 'pk', seq",
                  name, name),
        rb_sqlite_add_text, &indexes, err));
    RB_TRY(rb_sqlite_run(db,
                         rb_format("SELECT name FROM pragma_table_xinfo(%s, 'main') WHERE pk > 0"
                                   " ORDER BY pk",
                                   name),
                         rb_sqlite_add_text, &shape->key, err));
    RB_AUTO(rb_free_str) char *origin = NULL;
    if (indexes.n == 0)
        return RB_OK;
    RB_AUTO(rb_free_str) char *index = rb_sqlite_text(indexes.items[0]);
    RB_TRY(rb_sqlite_string(
        &origin, db,
        rb_format("SELECT origin FROM pragma_index_list(%s, 'main') WHERE name = %s", name, index),
        err));
    if (shape->key.n > 0 && strcmp(origin, "pk") != 0) /* INTEGER PRIMARY KEY has no index */
        return RB_OK;
    rb_strs_clear(&shape->key);
    RB_TRY(rb_sqlite_run(db,
                         rb_format("SELECT name FROM pragma_index_xinfo(%s, 'main') WHERE \"key\""
                                   " ORDER BY seqno",
                                   index),
                         rb_sqlite_add_text, &shape->key, err));
    return rb_sqlite_run(db,
                         rb_format("SELECT coll FROM pragma_index_xinfo(%s, 'main') WHERE \"key\""
                                   " ORDER BY seqno",
                                   index),
                         rb_sqlite_add_text, &shape->collations, err);
}

enum rb_code rb_table_shape_read(rb_table_shape *out, rb_sqlite *db, const char *table, rb_err *err)
{
    *out = (rb_table_shape){0};
    RB_AUTO(rb_free_str) char *name = rb_sqlite_text(table);
    RB_AUTO(rb_free_str) char *sql = NULL;
    RB_TRY(rb_sqlite_string(&sql, db,
                            rb_format("SELECT sql FROM main.sqlite_schema WHERE type = 'table' AND"
                                      " name = %s COLLATE NOCASE",
                                      name),
                            err));
    out->exists = sql != NULL;
    if (!sql)
        return RB_OK;
    out->is_virtual = strncasecmp(sql, "create virtual", 14) == 0;
    RB_TRY(rb_sqlite_run(db,
                         rb_format("SELECT name FROM pragma_table_xinfo(%s, 'main') WHERE hidden ="
                                   " 0 ORDER BY cid",
                                   name),
                         rb_sqlite_add_text, &out->columns, err));
    out->has_rowid_name = !rb_strs_has_name(&out->columns, "rowid");
    return out->is_virtual ? RB_OK : read_key(out, db, name, err);
}

void rb_table_shape_clear(rb_table_shape *shape)
{
    rb_strs_clear(&shape->columns);
    rb_strs_clear(&shape->key);
    rb_strs_clear(&shape->collations);
    *shape = (rb_table_shape){0};
}

/* Contents */

static const char counting[] = "counting rows by their content";

enum rb_code rb_row_contents_open(rb_row_contents *out, rb_sqlite *db, rb_err *err)
{
    *out = (rb_row_contents){.db = db};
    RB_TRY(rb_sqlite_each(db,
                          "DROP TABLE IF EXISTS temp.rbtool_content; CREATE TEMP TABLE "
                          "rbtool_content(h INTEGER PRIMARY KEY, n INTEGER)",
                          NULL, NULL, NULL, err));
    RB_TRY(rb_repeated_prepare(&out->add, db,
                               rb_strdup("INSERT INTO temp.rbtool_content VALUES(?1, ?2) ON"
                                         " CONFLICT(h) DO UPDATE SET n = n + ?2"),
                               counting, err));
    return rb_repeated_prepare(
        &out->take, db,
        rb_strdup("UPDATE temp.rbtool_content SET n = n - 1 WHERE h = ?1 AND n > 0"), counting,
        err);
}

static int64_t content_of(rb_row_contents *c, rb_stmt *stmt, size_t first, size_t n)
{
    int64_t hash;
    rb_row_digest_take(&c->digest, stmt, first, n);
    memcpy(&hash, c->digest.sha256, sizeof hash);
    return hash;
}

enum rb_code rb_row_contents_add(rb_row_contents *c, rb_stmt *stmt, size_t first, size_t n,
                                 int64_t times, rb_err *err)
{
    bool ignored;
    RB_TRY(rb_repeated_bind_int(&c->add, 1, content_of(c, stmt, first, n), err));
    RB_TRY(rb_repeated_bind_int(&c->add, 2, times, err));
    return rb_repeated_step(&ignored, &c->add, err);
}

enum rb_code rb_row_contents_take(bool *found, rb_row_contents *c, rb_stmt *stmt, size_t first,
                                  size_t n, rb_err *err)
{
    bool ignored;
    RB_TRY(rb_repeated_bind_int(&c->take, 1, content_of(c, stmt, first, n), err));
    RB_TRY(rb_repeated_step(&ignored, &c->take, err));
    *found = rb_sqlite_changes(c->db) > 0;
    return RB_OK;
}

void rb_row_contents_close(rb_row_contents *c)
{
    rb_err ignored;
    rb_repeated_clear(&c->add);
    rb_repeated_clear(&c->take);
    rb_row_digest_clear(&c->digest);
    if (c->db)
        (void)!rb_sqlite_each(c->db, "DROP TABLE IF EXISTS temp.rbtool_content", NULL, NULL, NULL,
                              &ignored);
    c->db = NULL;
}
