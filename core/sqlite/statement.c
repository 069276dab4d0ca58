#include "sqlite/sqlite.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#define SHOWN_SQL 100 /* bytes of a statement in an error message */

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

bool rb_stmt_prepare(rb_stmt **out, const char **tail, long *offset, rb_sqlite *db, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    rb_buf_clear(&db->denied);
    if (sqlite3_prepare_v2(db->handle, sql, -1, &stmt, tail) != SQLITE_OK) {
        *offset = sqlite3_error_offset(db->handle);
        return false;
    }
    *out = (rb_stmt *)stmt;
    return true;
}

void rb_stmt_free(rb_stmt *stmt)
{
    sqlite3_finalize((sqlite3_stmt *)stmt);
}

/* Returns the number of the value for the parameter at index: N of $N and ?N, the parameter's own
 * position of a plain ?. */
static size_t number_of(sqlite3_stmt *stmt, int index)
{
    const char *name = sqlite3_bind_parameter_name(stmt, index);
    return name ? strtoul(name + 1, NULL, 10) : (size_t)index;
}

enum rb_code rb_stmt_bind(rb_stmt *handle, const json_t *params, rb_err *err)
{
    sqlite3_stmt *stmt = (sqlite3_stmt *)handle;
    for (int at = 1; at <= sqlite3_bind_parameter_count(stmt); at++) {
        size_t number = number_of(stmt, at);
        const json_t *value = number > 0 ? json_array_get(params, number - 1) : NULL;
        /* params is NULL if a value was not valid UTF-8; no parameters are an empty array */
        if (!params)
            return rb_fail(err, RB_ERROR,
                           "a value for the database is not valid UTF-8; nothing was run");
        if (!value)
            return rb_fail(err, RB_ERROR, "internal error: no value for a parameter of %s",
                           sqlite3_sql(stmt));
        int rc = json_is_integer(value) ? sqlite3_bind_int64(stmt, at, json_integer_value(value))
                 : json_is_string(value)
                     ? sqlite3_bind_text(stmt, at, json_string_value(value),
                                         (int)json_string_length(value), SQLITE_TRANSIENT)
                     : sqlite3_bind_null(stmt, at);
        if (rc != SQLITE_OK)
            return rb_fail(err, RB_ERROR, "a value for %s: %s", sqlite3_sql(stmt),
                           sqlite3_errstr(rc));
    }
    return RB_OK;
}

bool rb_stmt_bind_cell(rb_stmt *handle, size_t at, const rb_cell *cell)
{
    sqlite3_stmt *stmt = (sqlite3_stmt *)handle;
    switch (cell->kind) {
    case RB_CELL_INTEGER:
        return sqlite3_bind_int64(stmt, (int)at, cell->integer) == SQLITE_OK;
    case RB_CELL_REAL:
        return sqlite3_bind_double(stmt, (int)at, cell->real) == SQLITE_OK;
    case RB_CELL_TEXT:
        return sqlite3_bind_text64(stmt, (int)at, cell->data, cell->len, SQLITE_STATIC,
                                   SQLITE_UTF8) == SQLITE_OK;
    case RB_CELL_BLOB:
        return (cell->len ? sqlite3_bind_blob64(stmt, (int)at, cell->data, cell->len, SQLITE_STATIC)
                          : sqlite3_bind_zeroblob(stmt, (int)at, 0)) == SQLITE_OK;
    case RB_CELL_NULL:
        break;
    }
    return sqlite3_bind_null(stmt, (int)at) == SQLITE_OK;
}

void rb_stmt_reset(rb_stmt *stmt)
{
    sqlite3_reset((sqlite3_stmt *)stmt);
}

bool rb_stmt_reads(const rb_stmt *stmt)
{
    return sqlite3_stmt_readonly((sqlite3_stmt *)stmt) != 0;
}

enum rb_stmt_end rb_stmt_step(rb_stmt *stmt)
{
    int rc = sqlite3_step((sqlite3_stmt *)stmt);
    return rc == SQLITE_ROW ? RB_STMT_ROW : rc == SQLITE_DONE ? RB_STMT_DONE : RB_STMT_FAILED;
}

size_t rb_stmt_width(rb_stmt *stmt)
{
    return (size_t)sqlite3_column_count((sqlite3_stmt *)stmt);
}

const char *rb_stmt_column(rb_stmt *stmt, size_t i)
{
    const char *name = sqlite3_column_name((sqlite3_stmt *)stmt, (int)i);
    return name ? name : "";
}

void rb_stmt_cell(rb_cell *out, rb_stmt *handle, size_t i)
{
    sqlite3_stmt *stmt = (sqlite3_stmt *)handle;
    int at = (int)i;
    *out = (rb_cell){.kind = RB_CELL_NULL};
    switch (sqlite3_column_type(stmt, at)) {
    case SQLITE_INTEGER:
        out->kind = RB_CELL_INTEGER;
        out->integer = sqlite3_column_int64(stmt, at);
        return;
    case SQLITE_FLOAT:
        out->kind = RB_CELL_REAL;
        out->real = sqlite3_column_double(stmt, at);
        return;
    case SQLITE_TEXT:
        out->kind = RB_CELL_TEXT;
        out->data = sqlite3_column_text(stmt, at);
        break;
    case SQLITE_BLOB:
        out->kind = RB_CELL_BLOB;
        out->data = sqlite3_column_blob(stmt, at);
        break;
    default:
        return;
    }
    out->len = (size_t)sqlite3_column_bytes(stmt, at);
}

static enum rb_code fail_at(rb_sqlite *db, const char *sql, rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf doing = {0};
    size_t len = strlen(sql);
    rb_buf_puts(&doing, "running ");
    rb_buf_add_safe(&doing, sql, len < SHOWN_SQL ? len : SHOWN_SQL);
    return rb_sqlite_fail(db, rb_buf_str(&doing), err);
}

/* Fails if SQLite has ended the transaction by itself: the next statement would be committed on its
 * own. */
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
    rb_cell cells[64] = {0};
    size_t n = rb_stmt_width(stmt);
    enum rb_stmt_end end;
    if (n > sizeof cells / sizeof *cells && row)
        return rb_fail(err, RB_ERROR, "a query of more than 64 columns is not supported: %s", sql);
    while ((end = rb_stmt_step(stmt)) == RB_STMT_ROW) {
        for (size_t i = 0; row && i < n; i++)
            rb_stmt_cell(&cells[i], stmt, i);
        if (row && !row(context, cells, n))
            return RB_OK;
    }
    return end == RB_STMT_FAILED ? fail_at(db, sql, err) : RB_OK;
}

enum rb_code rb_sqlite_each(rb_sqlite *db, const char *sql, const json_t *params,
                            rb_sqlite_row *row, void *context, rb_err *err)
{
    const char *at = sql;
    while (*at) {
        RB_AUTO(rb_stmt_freep) rb_stmt *stmt = NULL;
        long offset;
        RB_TRY(still_begun(db, err));
        if (!rb_stmt_prepare(&stmt, &at, &offset, db, at))
            return fail_at(db, sql, err);
        if (stmt)
            RB_TRY(rb_stmt_bind(stmt, params, err));
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

static bool add_row(void *context, const rb_cell *cells, size_t n)
{
    json_t *row = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(row, rb_sqlite_json(&cells[i]));
    json_array_append_new(context, row);
    return true;
}

enum rb_code rb_sqlite_query(json_t **out, rb_sqlite *db, const char *sql, const json_t *params,
                             rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *rows = json_array();
    RB_TRY(rb_sqlite_each(db, sql, params, out ? add_row : NULL, rows, err));
    if (out) {
        *out = RB_TAKE(rows);
    }
    return RB_OK;
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

bool rb_sqlite_active(const rb_sqlite *db)
{
    return !sqlite3_get_autocommit(db->handle);
}
