#include "database/sqlite/sqlite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_SQL 100 /* characters of a statement in an error */

static char *quoted(const char *text, char quote)
{
    rb_buf out = {0};
    rb_buf_reserve(&out, strlen(text) + 2);
    rb_buf_addc(&out, quote);
    for (; *text; text++) {
        if (*text == quote)
            rb_buf_addc(&out, quote);
        rb_buf_addc(&out, *text);
    }
    rb_buf_addc(&out, quote);
    return rb_buf_detach(&out);
}

char *rb_sqlite_name(const char *name)
{
    return quoted(name, '"');
}

char *rb_sqlite_text(const char *text)
{
    return quoted(text, '\'');
}

static json_t *text_json(const char *data, size_t len)
{
    json_t *json = json_stringn(data, len);
    if (json)
        return json;
    RB_AUTO(rb_buf_clear) rb_buf safe = {0};
    rb_buf_add_safe(&safe, data, len);
    return json_stringn(rb_buf_str(&safe), safe.len);
}

json_t *rb_sqlite_json(const rb_cell *cell)
{
    char number[32];
    switch (cell->kind) {
    case RB_CELL_NULL:
        return json_null();
    case RB_CELL_INTEGER:
        return json_integer(cell->integer);
    case RB_CELL_REAL:
        snprintf(number, sizeof number, "%.15g", cell->real);
        return json_string(number);
    case RB_CELL_TEXT:
        return text_json(cell->data, cell->len);
    case RB_CELL_BLOB:
        break;
    }
    RB_AUTO(rb_free_str) char *hex = rb_malloc(cell->len * 2 + 1);
    rb_hex_encode(cell->data, cell->len, hex);
    RB_AUTO(rb_free_str) char *literal = rb_format("x'%s'", hex);
    return json_string(literal);
}

static enum rb_code fail_at(rb_sqlite *db, const char *sql, rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf doing = {0};
    size_t len = strlen(sql);
    rb_buf_puts(&doing, "running ");
    rb_buf_add_safe(&doing, sql, len < SHOWN_SQL ? len : SHOWN_SQL);
    return rb_sqlite_fail(db, rb_buf_str(&doing), err);
}

/* A statement after SQLite has ended our transaction by itself would commit on its own. */
static enum rb_code still_begun(rb_sqlite *db, rb_err *err)
{
    if (!db->begun || rb_sqlite_active(db))
        return RB_OK;
    return rb_fail(
        err, RB_ERROR,
        "database sqlite:%s has undone the transaction after an earlier failure; nothing "
        "of it is kept",
        db->path);
}

static enum rb_code step_all(rb_sqlite *db, rb_stmt *stmt, const char *sql, rb_sqlite_row *row,
                             void *context, rb_err *err)
{
    rb_cell cells[64];
    size_t n = rb_stmt_width(stmt);
    enum rb_step step;
    if (n > sizeof cells / sizeof *cells && row)
        return rb_fail(err, RB_ERROR, "a query of more than 64 columns is not supported: %s", sql);
    while ((step = rb_stmt_step(stmt)) == RB_STEP_ROW) {
        for (size_t i = 0; row && i < n; i++)
            rb_stmt_cell(&cells[i], stmt, i);
        if (row && !row(context, cells, n))
            return RB_OK;
    }
    return step == RB_STEP_FAILED ? fail_at(db, sql, err) : RB_OK;
}

enum rb_code rb_sqlite_each(rb_sqlite *db, const char *sql, const json_t *params,
                            rb_sqlite_row *row, void *context, rb_err *err)
{
    const char *at = sql;
    while (*at) {
        RB_AUTO(rb_stmt_freep) rb_stmt *stmt = NULL;
        long offset;
        RB_TRY(still_begun(db, err));
        if (!rb_stmt_prepare(&stmt, &at, &offset, db, at) || (stmt && !rb_stmt_bind(stmt, params)))
            return fail_at(db, sql, err);
        if (stmt)
            RB_TRY(step_all(db, stmt, sql, row, context, err));
    }
    return RB_OK;
}

enum rb_code rb_sqlite_run(rb_sqlite *db, char *sql, rb_sqlite_row *row, void *context, rb_err *err)
{
    enum rb_code code = rb_sqlite_each(db, sql, NULL, row, context, err);
    free(sql);
    return code;
}

static bool first_integer(void *context, const rb_cell *cells, size_t n)
{
    int64_t *out = context;
    if (n && cells[0].kind == RB_CELL_INTEGER)
        *out = cells[0].integer;
    return false;
}

enum rb_code rb_sqlite_int(int64_t *out, rb_sqlite *db, char *sql, rb_err *err)
{
    *out = 0;
    return rb_sqlite_run(db, sql, first_integer, out, err);
}

bool rb_sqlite_add_text(void *context, const rb_cell *cells, size_t n)
{
    (void)n;
    rb_strs_add(context, cells[0].data);
    return true;
}

bool rb_sqlite_add_quoted(void *context, const rb_cell *cells, size_t n)
{
    (void)n;
    rb_strs_take(context, rb_sqlite_name(cells[0].data));
    return true;
}

static bool first_text(void *context, const rb_cell *cells, size_t n)
{
    char **out = context;
    if (n && cells[0].kind == RB_CELL_TEXT)
        *out = rb_strdup(cells[0].data);
    return false;
}

enum rb_code rb_sqlite_string(char **out, rb_sqlite *db, char *sql, rb_err *err)
{
    *out = NULL;
    return rb_sqlite_run(db, sql, first_text, out, err);
}
