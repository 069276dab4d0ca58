/* Runs rbtool's own statements, and formats their errors. */
#include "database/postgres/postgres.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/text.h"

#define SHOWN_SQL 80
#define READ_LOCK_MS 5000      /* lock_timeout of a session that only reads */
#define ROWS_LIMIT (64u << 20) /* bytes of an answer to rbtool's own statements */

/* Type oids (pg_type.dat) whose values become integers in JSON. */
enum { OID_BOOL = 16, OID_INT8 = 20, OID_INT2 = 21, OID_INT4 = 23, OID_OID = 26 };

/* Without any PGresult libpq may not be loaded. */
void rb_pg_clear(PGresult **result)
{
    if (*result)
        PQclear(*result);
}

static char *quoted(const char *text, char quote)
{
    rb_buf out = {0};
    rb_buf_addc(&out, quote);
    for (; *text; text++) {
        if (*text == quote)
            rb_buf_addc(&out, quote);
        rb_buf_addc(&out, *text);
    }
    rb_buf_addc(&out, quote);
    return rb_buf_detach(&out);
}

char *rb_pg_quote(const char *name)
{
    return quoted(name, '"');
}

/* A value with a backslash becomes E'...', which does not depend on standard_conforming_strings. */
char *rb_pg_literal(const char *value)
{
    if (!strchr(value, '\\'))
        return quoted(value, '\'');
    rb_buf out = {0};
    rb_buf_puts(&out, " E'");
    for (; *value; value++) {
        if (*value == '\'' || *value == '\\')
            rb_buf_addc(&out, *value);
        rb_buf_addc(&out, *value);
    }
    rb_buf_addc(&out, '\'');
    return rb_buf_detach(&out);
}

bool rb_pg_is(const PGresult *result, const char *sqlstate)
{
    const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    return state && strcmp(state, sqlstate) == 0;
}

bool rb_pg_is_lock(const PGresult *result)
{
    return rb_pg_is(result, "55P03") || rb_pg_is(result, "40P01");
}

/* Returns how many bytes of a statement an error shows. */
static int shown(const char *sql)
{
    const size_t len = strcspn(sql, "\n");
    return (int)(len < SHOWN_SQL ? len : SHOWN_SQL);
}

/* Appends a text of the server or of libpq as one line, safe for a terminal. */
static void add_line(rb_buf *out, const char *text)
{
    size_t len = strlen(text);
    while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == ' '))
        len--;
    for (size_t from = 0; from < len;) {
        size_t n = 0;
        while (from + n < len && text[from + n] != '\n')
            n++;
        rb_buf_add_safe(out, text + from, n);
        from += n + 1;
        while (from < len && (text[from] == ' ' || text[from] == '\t'))
            from++;
        if (from < len)
            rb_buf_addc(out, ' ');
    }
}

bool rb_pg_is_lost(const rb_pg *pg, const PGresult *result)
{
    const bool ended = rb_pg_is(result, "57P01") || rb_pg_is(result, "57P02");
    return pg->version[0] && (ended || PQstatus(pg->conn) == CONNECTION_BAD);
}

void rb_pg_hint_lost(rb_buf *out, const rb_pg *pg)
{
    RB_AUTO(rb_buf_clear) rb_buf url = {0};
    rb_text_quote(&url, pg->shown);
    rb_buf_printf(out, "see whether it answers with `psql %s -c 'SELECT 1'`", url.data);
}

char *rb_pg_explain(const rb_pg *pg, const PGresult *result)
{
    rb_buf out = {0};
    const char *message = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    const char *detail = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL) : NULL;
    const char *text = message ? message : PQerrorMessage(pg->conn);
    RB_AUTO(rb_free_str) char *first = rb_strndup(text, strcspn(text, "\n"));
    const bool lost = rb_pg_is_lost(pg, result);
    const bool known = lost && strcmp(first, "invalid socket") == 0; /* libpq, the second time */
    if (lost)
        rb_buf_printf(&out, "the connection to the server was lost%s", known ? "" : ": ");
    add_line(&out, known ? "" : lost ? first : text);
    if (state)
        rb_buf_printf(&out, " (SQLSTATE %.5s)", state);
    if (detail) {
        rb_buf_puts(&out, ": ");
        add_line(&out, detail);
    }
    return rb_buf_detach(&out);
}

enum rb_code rb_pg_fail(rb_err *err, const rb_pg *pg, const PGresult *result, const char *what, ...)
{
    RB_AUTO(rb_buf_clear) rb_buf doing = {0};
    RB_AUTO(rb_buf_clear) rb_buf hint = {0};
    RB_AUTO(rb_free_str) char *why = rb_pg_explain(pg, result);
    const char *text = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_HINT) : NULL;
    va_list args;
    va_start(args, what);
    rb_buf_vprintf(&doing, what, args);
    va_end(args);
    if (text)
        add_line(&hint, text);
    else if (rb_pg_is_lost(pg, result))
        rb_pg_hint_lost(&hint, pg);
    return rb_fail(err, rb_pg_is_lock(result) ? RB_BUSY : RB_ERROR, "%s: %s\n%s",
                   rb_buf_str(&doing), why, rb_buf_str(&hint));
}

const char *rb_pg_no_timeouts(const rb_pg *pg)
{
    const int version = PQserverVersion(pg->conn);
    return version >= 170000   ? "SET statement_timeout = 0; SET idle_session_timeout = 0;"
                                 " SET idle_in_transaction_session_timeout = 0;"
                                 " SET transaction_timeout = 0;"
           : version >= 140000 ? "SET statement_timeout = 0; SET idle_session_timeout = 0;"
                                 " SET idle_in_transaction_session_timeout = 0;"
                               : "SET statement_timeout = 0;"
                                 " SET idle_in_transaction_session_timeout = 0;";
}

/* Resets the session's settings, and turns off all timeouts of the server or role except
 * lock_timeout. */
static enum rb_code reset(rb_pg *pg, const char *settings, rb_err *err)
{
    const int lock_ms = pg->mode == RB_DB_READ ? READ_LOCK_MS : pg->limits.lock_ms;
    RB_AUTO(rb_free_str) char *label = rb_pg_literal(pg->label ? pg->label : "rbtool");
    RB_AUTO(rb_free_str)
    char *sql = rb_format("RESET ALL; SET application_name = %s; %s SET lock_timeout = %d;"
                          " SET client_min_messages = warning; %s",
                          label, rb_pg_no_timeouts(pg), lock_ms, settings);
    return rb_pg_exec(pg, sql, err);
}

/* Commits must survive a crash of the server, since the environment's journal relies on them. */
static const char writes[] = "; SELECT set_config('synchronous_commit', 'local', false) WHERE"
                             " current_setting('synchronous_commit') = 'off'";

enum rb_code rb_pg_settle(rb_pg *pg, rb_err *err)
{
    pg->unsettled = false;
    RB_AUTO(rb_free_str)
    char *own =
        rb_format("SET row_security = off; SET standard_conforming_strings = on;"
                  " SET DateStyle = 'ISO, YMD'; SET IntervalStyle = postgres;"
                  " SET extra_float_digits = 1; SET bytea_output = hex;"
                  " SET TimeZone = 'UTC'; SET xmlbinary = base64; SET lc_monetary = 'C'%s",
                  pg->mode == RB_DB_READ ? "; SET default_transaction_read_only = on" : writes);
    return reset(pg, own, err);
}

enum rb_code rb_pg_settle_script(rb_pg *pg, rb_err *err)
{
    const bool as_before = pg->unsettled;
    pg->unsettled = false;
    return as_before ? RB_OK : reset(pg, "", err);
}

/* Settles a session that has the settings of a script. */
static enum rb_code settle_own(rb_pg *pg, rb_err *err)
{
    return pg->unsettled ? rb_pg_settle(pg, err) : RB_OK;
}

enum rb_code rb_pg_exec(rb_pg *pg, const char *sql, rb_err *err)
{
    RB_TRY(settle_own(pg, err));
    RB_AUTO(rb_pg_clear) PGresult *result = PQexec(pg->conn, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY)
        return RB_OK;
    return rb_pg_fail(err, pg, result, "database %s: `%.*s`", pg->shown, (int)strcspn(sql, "\n"),
                      sql);
}

/* Appends the row of `from` to *all. False if memory runs out. */
static bool add_row(PGresult **all, const PGresult *from)
{
    if (!*all)
        *all = PQcopyResult(from, PG_COPYRES_ATTRS);
    const int row = *all ? PQntuples(*all) : 0;
    bool added = *all != NULL;
    for (int i = 0; added && i < PQnfields(from); i++)
        added = PQgetisnull(from, 0, i)
                    ? PQsetvalue(*all, row, i, NULL, -1)
                    : PQsetvalue(*all, row, i, PQgetvalue(from, 0, i), PQgetlength(from, 0, i));
    return added;
}

void rb_pg_prepared_unknown(rb_pg *pg)
{
    json_decref(pg->prepared);
    pg->prepared = NULL;
}

enum rb_code rb_pg_prepared_look(rb_pg *pg, rb_err *err)
{
    return pg->prepared ? RB_OK
                        : rb_pg_json(&pg->prepared, pg,
                                     "SELECT coalesce(json_object_agg(name, true), '{}') FROM"
                                     " pg_catalog.pg_prepared_statements WHERE NOT from_sql",
                                     NULL, 0, err);
}

static void name_prepared(char name[RB_PG_PREPARED], const char *sql)
{
    char hash[RB_SHA256_HEX];
    rb_sha256_hex_of(sql, strlen(sql), hash);
    snprintf(name, RB_PG_PREPARED, "rbtool_%.32s", hash);
}

enum rb_code rb_pg_prepare(char name[RB_PG_PREPARED], rb_pg *pg, const char *sql, rb_err *err)
{
    name_prepared(name, sql);
    RB_TRY(rb_pg_prepared_look(pg, err));
    if (json_object_get(pg->prepared, name))
        return RB_OK;
    RB_AUTO(rb_pg_clear) PGresult *result = PQprepare(pg->conn, name, sql, 0, NULL);
    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        return rb_pg_fail(err, pg, result, "database %s: `%.*s`", pg->shown, shown(sql), sql);
    json_object_set_new(pg->prepared, name, json_true());
    return RB_OK;
}

/* Sends a statement. Planning one takes longer than running it, so that the second time it is
 * prepared. */
static enum rb_code send_sql(rb_pg *pg, const char *sql, const char *const *params, size_t n,
                             rb_err *err)
{
    char name[RB_PG_PREPARED] = "";
    RB_TRY(settle_own(pg, err));
    if (n > 0 && pg->prepared)
        name_prepared(name, sql);
    const bool again = name[0] && json_object_get(pg->sent, name);
    if (again)
        RB_TRY(rb_pg_prepare(name, pg, sql, err));
    else if (name[0])
        json_object_set_new(pg->sent, name, json_true());
    if (again ? PQsendQueryPrepared(pg->conn, name, (int)n, params, NULL, NULL, 0)
              : PQsendQueryParams(pg->conn, sql, (int)n, NULL, params, NULL, NULL, 0))
        return RB_OK;
    return rb_pg_fail(err, pg, NULL, "database %s: `%.*s`", pg->shown, shown(sql), sql);
}

enum rb_code rb_pg_rows(PGresult **out, rb_pg *pg, const char *sql, const char *const *params,
                        size_t n, rb_err *err)
{
    RB_AUTO(rb_pg_clear) PGresult *all = NULL;
    enum rb_code code = RB_OK;
    size_t left = ROWS_LIMIT;
    RB_TRY(send_sql(pg, sql, params, n, err));
    PQsetSingleRowMode(pg->conn);
    for (PGresult *row; (row = PQgetResult(pg->conn)) != NULL;) {
        const ExecStatusType status = PQresultStatus(row);
        size_t len = 1;
        for (int i = 0; status == PGRES_SINGLE_TUPLE && i < PQnfields(row); i++)
            len += (size_t)PQgetlength(row, 0, i) + 1;
        left -= len < left ? len : left;
        const bool fits = status != PGRES_SINGLE_TUPLE || (left > 0 && add_row(&all, row));
        if (code == RB_OK && !fits) {
            code = rb_fail(err, RB_ERROR, "database %s: `%.*s`: the answer has more than %u MiB",
                           pg->shown, shown(sql), sql, ROWS_LIMIT >> 20);
            rb_pg_interrupt(&pg->base);
        } else if (code == RB_OK && status != PGRES_SINGLE_TUPLE && status != PGRES_TUPLES_OK &&
                   status != PGRES_COMMAND_OK) {
            code = rb_pg_fail(err, pg, row, "database %s: `%.*s`", pg->shown, shown(sql), sql);
        }
        if (all || status == PGRES_SINGLE_TUPLE) {
            PQclear(row);
        } else {
            all = row; /* the final result of a statement without rows */
        }
    }
    if (code == RB_OK)
        *out = RB_TAKE(all);
    return code;
}

enum rb_code rb_pg_text(char **out, rb_pg *pg, const char *sql, const char *const *params, size_t n,
                        rb_err *err)
{
    RB_AUTO(rb_pg_clear) PGresult *result = NULL;
    RB_TRY(rb_pg_rows(&result, pg, sql, params, n, err));
    bool none = PQntuples(result) == 0 || PQnfields(result) == 0 || PQgetisnull(result, 0, 0);
    *out = none ? NULL : rb_strndup(PQgetvalue(result, 0, 0), (size_t)PQgetlength(result, 0, 0));
    return RB_OK;
}

enum rb_code rb_pg_json(json_t **out, rb_pg *pg, const char *sql, const char *const *params,
                        size_t n, rb_err *err)
{
    RB_AUTO(rb_free_str) char *text = NULL;
    RB_TRY(rb_pg_text(&text, pg, sql, params, n, err));
    *out = NULL;
    return text ? rb_json_read(out, text, strlen(text), "an answer of PostgreSQL", err) : RB_OK;
}

enum rb_code rb_pg_int(int64_t *out, rb_pg *pg, const char *sql, const char *const *params,
                       size_t n, rb_err *err)
{
    RB_AUTO(rb_free_str) char *text = NULL;
    RB_TRY(rb_pg_text(&text, pg, sql, params, n, err));
    *out = !text ? 0 : strcmp(text, "t") == 0 ? 1 : strtoll(text, NULL, 10);
    return RB_OK;
}

json_t *rb_pg_cell(const PGresult *result, int row, int column, size_t limit)
{
    if (PQgetisnull(result, row, column))
        return json_null();
    const char *text = PQgetvalue(result, row, column);
    size_t len = (size_t)PQgetlength(result, row, column);
    switch (PQftype(result, column)) {
    case OID_BOOL:
        return json_integer(text[0] == 't');
    case OID_INT8:
    case OID_INT2:
    case OID_INT4:
    case OID_OID:
        return json_integer(strtoll(text, NULL, 10));
    default: {
        RB_AUTO(rb_free_str) char *part = rb_strndup(text, len < limit ? len : limit);
        return rb_json_text(part);
    }
    }
}

/* Adds a row. False if it has more than *left bytes. */
static bool collect(json_t *rows, size_t *left, const PGresult *result)
{
    json_t *row = json_array();
    json_array_append_new(rows, row);
    for (int i = 0; i < PQnfields(result); i++) {
        size_t len = (size_t)PQgetlength(result, 0, i);
        if (len >= *left)
            return false;
        *left -= len + 1;
        json_array_append_new(row, rb_pg_cell(result, 0, i, len));
    }
    return true;
}

/* Reads the rows of a statement that was sent. Cancels it once the rows exceed the limit. */
static enum rb_code read_answer(json_t *rows, rb_pg *pg, size_t limit, const char *sql, rb_err *err)
{
    enum rb_code code = RB_OK;
    size_t left = limit;
    for (PGresult *result; (result = PQgetResult(pg->conn)) != NULL; PQclear(result)) {
        ExecStatusType status = PQresultStatus(result);
        if (code != RB_OK)
            continue;
        if (status == PGRES_SINGLE_TUPLE && rows && !collect(rows, &left, result)) {
            rb_pg_interrupt(&pg->base);
            code = rb_fail(err, RB_ERROR,
                           "database %s has more than %zu bytes for `%.*s`\nfind out who wrote so "
                           "much there, and remove it",
                           pg->shown, limit, shown(sql), sql);
        } else if (status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE) {
            code = rb_pg_fail(err, pg, result, "database %s: `%.*s`", pg->shown, shown(sql), sql);
        }
    }
    return code;
}

enum rb_code rb_pg_query(json_t **rows, rb_db *db, size_t limit, const char *sql,
                         const json_t *params, rb_err *err)
{
    rb_pg *pg = rb_pg_of(db);
    size_t n = json_array_size(params);
    if (!rows && n == 0)
        return rb_pg_exec(pg, sql, err);
    RB_AUTO(rb_json_freep) json_t *found = json_array();
    RB_AUTO(rb_strs_clear) rb_strs texts = {0};
    const char **values = rb_calloc(n + 1, sizeof *values);
    for (size_t i = 0; i < n; i++) {
        const json_t *param = json_array_get(params, i);
        long long number = json_integer_value(param);
        rb_strs_take(&texts, json_is_integer(param) ? rb_format("%lld", number)
                                                    : rb_strdup(json_string_value(param)));
        values[i] = texts.items[i];
    }
    const enum rb_code sent = send_sql(pg, sql, values, n, err);
    free(values);
    RB_TRY(sent);
    PQsetSingleRowMode(pg->conn);
    RB_TRY(read_answer(rows ? found : NULL, pg, limit, sql, err));
    if (rows) {
        *rows = RB_TAKE(found);
    }
    return RB_OK;
}

void rb_pg_interrupt(rb_db *db)
{
    char ignored[256];
    if (rb_pg_of(db)->cancel)
        (void)!PQcancel(rb_pg_of(db)->cancel, ignored, sizeof ignored);
}
