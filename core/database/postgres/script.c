/* Runs scripts: splits them into statements, runs these one by one, and undoes what they change in
 * the session. */
#include "database/postgres/postgres.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "database/postgres/effects.h"
#include "database/postgres/session.h"
#include "migration/unwrap.h"
#include "sql/statement.h"

#define SHOWN_SQL 80
#define CANCEL_SECONDS 30 /* seconds until a cancelled statement must have ended */

typedef struct statements {
    rb_sql_statement *items;
    size_t n;
} statements;

static void statements_clear(statements *s)
{
    free(s->items);
    *s = (statements){0};
}

static void add_statement(statements *out, const rb_sql_statement *s)
{
    out->items = rb_grow(out->items, out->n, sizeof *out->items);
    out->items[out->n++] = *s;
}

/* Splits a text with rbtool's own lexer. *code: the text, with COPY's data replaced by spaces. */
static void split_by_lexer(statements *out, char **code, const char *text)
{
    rb_sql sql;
    rb_sql_statement s;
    *code = rb_strdup(text);
    rb_sql_init(&sql, text, strlen(text), "postgresql");
    while (rb_sql_statement_next(&s, &sql)) {
        add_statement(out, &s);
        if (s.has_data)
            memset(*code + s.data, ' ', sql.at - s.data);
    }
}

static void take_data(rb_sql_statement *s, const statements *from)
{
    for (size_t i = 0; i < from->n; i++)
        if (from->items[i].has_data && from->items[i].start == s->start) {
            s->has_data = true;
            s->data = from->items[i].data;
            s->data_end = from->items[i].data_end;
        }
}

/* Splits a text with libpg_query's parser, which knows exactly where statements end. A text that
 * this parser (PostgreSQL 15) does not understand, such as newer syntax, is split by the lexer. */
static void split(statements *out, const char *text)
{
    RB_AUTO(rb_free_str) char *code = NULL;
    split_by_lexer(out, &code, text);
    PgQuerySplitResult found = pg_query_split_with_parser(code);
    statements parsed = {0};
    for (int i = 0; !found.error && i < found.n_stmts; i++) {
        size_t from = (size_t)found.stmts[i]->stmt_location;
        size_t end = from + (size_t)found.stmts[i]->stmt_len;
        rb_sql sql;
        rb_sql_statement s;
        rb_sql_init(&sql, code, end, "postgresql");
        sql.at = from;
        if (!rb_sql_statement_next(&s, &sql))
            continue;
        rb_sql_init(&sql, text, end, "postgresql"); /* tokens point into the text */
        sql.at = s.start;
        (void)rb_sql_statement_next(&s, &sql);
        s.end = end;
        take_data(&s, out);
        add_statement(&parsed, &s);
    }
    if (!found.error) {
        statements_clear(out);
        *out = parsed;
    }
    pg_query_free_split_result(found);
}

/* Converts a position of the server, in characters from 1, into an offset in bytes. */
static size_t offset_of(const char *text, const char *position)
{
    long left = position ? strtol(position, NULL, 10) - 1 : 0;
    size_t at = 0;
    while (left > 0 && text[at]) {
        at++;
        while (((unsigned char)text[at] & 0xc0) == 0x80)
            at++;
        left--;
    }
    return at;
}

/* Returns why a limit ended the statement, as a new string; NULL if none did. The private cluster
 * stops when its files become too large. */
static char *limit_hit(rb_pg *pg, const PGresult *result)
{
    const rb_db_limits *l = &pg->limits;
    const char *where = l->where ? l->where : "limits";
    if (pg->limited)
        return rb_format("it ran longer than %d s, the limit; if it has to, raise %s%s in "
                         "rbtool.json",
                         l->seconds, where, l->statements ? "" : ".seconds");
    if (!pg->scratch)
        return NULL;
    const bool ended = rb_pg_is(result, "57P01") || PQstatus(pg->conn) == CONNECTION_BAD;
    pg->limited = (l->memory && rb_pg_is(result, "53200")) || (l->size && ended);
    if (!pg->limited)
        return NULL;
    return ended ? rb_format("the files of the scratch databases became larger than %d MiB, the "
                             "limit; if they have to, raise %s.size in rbtool.json",
                             l->size, where)
                 : rb_format("it needed more than %d MiB of memory, the limit; if it has to, raise "
                             "%s.memory in rbtool.json",
                             l->memory, where);
}

/* Reports an error. s: the statement that failed, or NULL for what runs after the last one. */
static enum rb_code fail_in(rb_pg *pg, const rb_db_text *sql, const rb_sql_statement *s,
                            const PGresult *result, rb_err *err)
{
    RB_AUTO(rb_free_str) char *file = rb_safe(sql->file);
    RB_AUTO(rb_free_str) char *what = rb_safe(sql->what);
    RB_AUTO(rb_free_str) char *why = rb_pg_explain(pg, result);
    RB_AUTO(rb_buf_clear) rb_buf where = {0};
    RB_AUTO(rb_buf_clear) rb_buf quote = {0};
    const char *hint = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_HINT) : NULL;
    const char *position = result ? PQresultErrorField(result, PG_DIAG_STATEMENT_POSITION) : NULL;
    if (s) {
        size_t at = s->start + offset_of(sql->text + s->start, position);
        size_t len = strcspn(sql->text + s->start, "\n");
        len = len < s->end - s->start ? len : s->end - s->start;
        rb_buf_printf(&where, " line %zu", sql->line + rb_sql_line(sql->text, at) - 1);
        rb_buf_puts(&quote, ", while running \"");
        rb_buf_add_safe(&quote, sql->text + s->start, len < SHOWN_SQL ? len : SHOWN_SQL);
        rb_buf_puts(&quote, len < s->end - s->start || len > SHOWN_SQL ? "...\"" : "\"");
    }
    RB_AUTO(rb_free_str) char *limit = limit_hit(pg, result);
    if (limit)
        return rb_fail(err, RB_FOUND, "%s: %s%s: %s%s", what, file, rb_buf_str(&where), limit,
                       rb_buf_str(&quote));
    if (rb_pg_is(result, "25001") && !hint)
        hint = "rbtool runs scripts in a transaction, and no migration may do what the server "
               "refuses there: run it with psql outside of a migration";
    if (rb_pg_is(result, "55P04"))
        hint = "a script runs in one transaction, and a new enum value can be used only after its "
               "commit: use it in a migration of its own, after the one that adds it";
    const bool denied = pg->scratch && s && rb_pg_is(result, "42501");
    RB_AUTO(rb_free_str)
    char *text = s ? rb_strndup(sql->text + s->start, s->end - s->start) : NULL;
    RB_AUTO(rb_free_str) char *allow = denied ? rb_pg_scratch_hint(text, why) : NULL;
    hint = allow ? allow : hint;
    RB_AUTO(rb_buf_clear) rb_buf lost = {0};
    if (rb_pg_is_lost(pg, result))
        rb_pg_hint_lost(&lost, pg);
    hint = lost.len > 0 ? lost.data : hint;
    RB_AUTO(rb_free_str) char *safe_hint = rb_safe(hint ? hint : "");
    bool busy = rb_pg_is_lock(result);
    return rb_fail(err, busy ? RB_BUSY : RB_ERROR, "%s: %s%s: %s%s%s%s\n%s", what, file,
                   rb_buf_str(&where), why, busy && pg->blockers ? "; the lock is held by " : "",
                   busy && pg->blockers ? pg->blockers : "", rb_buf_str(&quote), safe_hint);
}

/* Waits at most a second for data from the server. *look: time to find out which session holds the
 * lock that this one waits for; 0: done. */
static bool wait_once(rb_pg *pg, int64_t *deadline, int64_t *look)
{
    struct pollfd fd = {.fd = PQsocket(pg->conn), .events = POLLIN};
    int64_t left = *deadline ? *deadline - rb_clock_ms() : 1000;
    if (*deadline && left <= 0) {
        if (pg->limited)
            return false;
        pg->limited = true;
        rb_pg_interrupt(&pg->base);
        *deadline = rb_clock_ms() + CANCEL_SECONDS * 1000;
        return true;
    }
    if (*look && rb_clock_ms() >= *look) {
        pg->blockers = rb_pg_blockers(pg);
        *look = 0;
    } else if (*look && *look - rb_clock_ms() < left) {
        left = *look - rb_clock_ms();
    }
    return poll(&fd, 1, (int)(left < 1000 ? left : 1000)) <= 0 || PQconsumeInput(pg->conn);
}

bool rb_pg_wait(rb_pg *pg, int64_t *deadline)
{
    int64_t look = pg->limits.lock_ms ? rb_clock_ms() + pg->limits.lock_ms / 2 : 0;
    rb_free_str(&pg->blockers);
    while (PQisBusy(pg->conn))
        if (!wait_once(pg, deadline, &look))
            return false;
    return true;
}

static bool put_data(rb_pg *pg, const rb_db_text *sql, const rb_sql_statement *s)
{
    const size_t most = 1 << 20;
    if (!s->has_data)
        return PQputCopyEnd(pg->conn, "there is no data behind this statement") == 1;
    for (size_t at = s->data; at < s->data_end;) {
        size_t n = s->data_end - at < most ? s->data_end - at : most;
        if (PQputCopyData(pg->conn, sql->text + at, (int)n) != 1)
            return false;
        at += n;
    }
    return PQputCopyEnd(pg->conn, NULL) == 1;
}

static bool drop_copied(rb_pg *pg, int64_t *deadline)
{
    int64_t look = 0;
    char *row = NULL;
    int n;
    while ((n = PQgetCopyData(pg->conn, &row, 1)) >= 0) {
        if (n > 0)
            PQfreemem(row);
        else if (!wait_once(pg, deadline, &look))
            return false;
    }
    return true;
}

/* Runs a statement with the extended protocol, in which the server accepts only one. So a second
 * one that ends the transaction cannot be hidden in the text. */
static enum rb_code run_as_is(json_t *effects, rb_pg *pg, const rb_db_text *sql,
                              const rb_sql_statement *s, int64_t *deadline, rb_err *err)
{
    enum rb_code code = RB_OK;
    const PGTransactionStatusType status_before = PQtransactionStatus(pg->conn);
    RB_AUTO(rb_free_str) char *text = rb_strndup(sql->text + s->start, s->end - s->start);
    if (rb_sql_control(s) != RB_CONTROL_NONE)
        return rb_fail(err, RB_FOUND,
                       "%s: %s line %zu: transaction control cannot run in rbtool's "
                       "transaction\nremove it or split the migration",
                       sql->what, sql->file, sql->line + rb_sql_line(sql->text, s->start) - 1);
    if (pg->scratch)
        pg->concurrent |= rb_pg_scratch_in_transaction(text);
    if (effects)
        RB_TRY(rb_pg_effects_add(effects, pg, text, err));
    if (!effects || !rb_pg_effects_plain(pg))
        rb_pg_prepared_unknown(pg);
    if (!PQsendQueryParams(pg->conn, text, 0, NULL, NULL, NULL, NULL, 0))
        return fail_in(pg, sql, s, NULL, err);
    PQsetSingleRowMode(pg->conn); /* rows are discarded as they arrive */
    for (;;) {
        if (!rb_pg_wait(pg, deadline))
            return code == RB_OK ? fail_in(pg, sql, s, NULL, err) : code;
        RB_AUTO(rb_pg_clear) PGresult *result = PQgetResult(pg->conn);
        if (!result)
            break;
        ExecStatusType status = PQresultStatus(result);
        bool lost = status == PGRES_COPY_IN && !put_data(pg, sql, s);
        lost = lost || (status == PGRES_COPY_OUT && !drop_copied(pg, deadline));
        if (lost || status == PGRES_BAD_RESPONSE || status == PGRES_FATAL_ERROR)
            code = fail_in(pg, sql, s, lost ? NULL : result, err);
        if (lost)
            return code;
    }
    if (code == RB_OK && PQtransactionStatus(pg->conn) != status_before)
        return rb_fail(err, RB_ERROR, "%s: %s: the statement began or ended a transaction",
                       sql->what, sql->file);
    return code;
}

static enum rb_code run_one(json_t *effects, rb_pg *pg, const rb_db_text *sql,
                            const rb_sql_statement *s, int64_t *deadline, rb_err *err)
{
    RB_AUTO(rb_free_str)
    char *text = pg->scratch ? rb_strndup(sql->text + s->start, s->end - s->start) : NULL;
    const bool as_superuser = text && rb_pg_scratch_is_allowed(text);
    if (as_superuser)
        RB_TRY(rb_pg_scratch_superuser(pg, true, err));
    const enum rb_code code = run_as_is(effects, pg, sql, s, deadline, err);
    const enum rb_code ended =
        as_superuser ? rb_pg_scratch_superuser(pg, false, code == RB_OK ? err : RB_IGNORED) : RB_OK;
    return code == RB_OK ? ended : code;
}

/* Undoes what a script set or left in the session, so that scripts do not affect each other. First
 * checks deferred constraints, while the script that violated one is known. The last query returns
 * the statements to run then: they drop temporary objects except rbtool's own, and defer
 * constraints again that are initially deferred (by name, unless a constraint of that name is not
 * deferrable: SET CONSTRAINTS would fail). */
static const char tidy_sql[] =
    "SET CONSTRAINTS ALL IMMEDIATE; CLOSE ALL; UNLISTEN *; RESET SESSION AUTHORIZATION;"
    " RESET ROLE; RESET ALL;";
static const char left_sql[] =
    " SET search_path = pg_catalog; DISCARD SEQUENCES;"
    " SELECT pg_advisory_unlock_all();"
    " SELECT string_agg(sql, '; ' ORDER BY sql) FROM ("
    "SELECT format('DROP %s IF EXISTS pg_temp.%I CASCADE', CASE relkind WHEN 'v' THEN 'VIEW'"
    " WHEN 'S' THEN 'SEQUENCE' WHEN 'c' THEN 'TYPE' ELSE 'TABLE' END, relname) AS sql"
    " FROM pg_class WHERE pg_my_temp_schema() <> 0"
    " AND relnamespace = pg_my_temp_schema() AND relkind IN ('r', 'p', 'v', 'S',"
    " 'c') AND (relname NOT LIKE 'rbtool%'"
    " OR relname IN ('rbtool_applied', 'rbtool_journal', 'rbtool_checksums'))"
    " UNION ALL SELECT format('DROP ROUTINE IF EXISTS %s CASCADE', oid::regprocedure) FROM pg_proc"
    " WHERE pg_my_temp_schema() <> 0 AND pronamespace = pg_my_temp_schema()"
    " UNION ALL SELECT format('DROP TYPE IF EXISTS pg_temp.%I CASCADE', typname) FROM pg_type"
    " WHERE pg_my_temp_schema() <> 0 AND typnamespace = pg_my_temp_schema() AND typtype IN ('e', "
    "'d', 'r')"
    " UNION ALL SELECT format('DEALLOCATE %I', name) FROM pg_prepared_statements WHERE from_sql"
    " UNION ALL SELECT DISTINCT format('SET CONSTRAINTS %I.%I DEFERRED', nspname, conname)"
    " " RB_PG_DEFERRED ") found";

static enum rb_code tidy(rb_pg *pg, const rb_db_text *sql, rb_err *err)
{
    RB_AUTO(rb_free_str)
    char *tidied = rb_format("%s %s%s", tidy_sql, rb_pg_no_timeouts(pg), left_sql);
    RB_AUTO(rb_pg_clear) PGresult *result = PQexec(pg->conn, tidied);
    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        return fail_in(pg, sql, NULL, result, err);
    if (!PQgetisnull(result, 0, 0))
        RB_TRY(rb_pg_exec(pg, PQgetvalue(result, 0, 0), err));
    return rb_pg_settle(pg, err);
}

/* Commits what a script did so far in a scratch database. */
static enum rb_code commit_part(json_t *effects, rb_pg *pg, rb_err *err)
{
    if (effects)
        RB_TRY(rb_pg_effects_finish(effects, pg, err));
    RB_TRY(rb_pg_locks_keep(pg, err));
    RB_TRY(rb_pg_commit(&pg->base, err));
    return rb_pg_begin(&pg->base, err);
}

enum rb_code rb_pg_script(json_t *effects, rb_db *db, const rb_db_text *sql, rb_err *err)
{
    rb_pg *pg = rb_pg_of(db);
    RB_AUTO(rb_strs_clear) rb_strs added = {0};
    statements all = {0};
    enum rb_code code = RB_OK;
    int64_t deadline = 0;
    pg->concurrent = false;
    if (pg->scratch)
        RB_TRY(rb_pg_scratch_roles(pg, sql->text, err));
    rb_pg_positions_read(pg, sql->text);
    RB_TRY(rb_pg_settle_script(pg, err));
    split(&all, sql->text);
    for (size_t i = 0; i < all.n && code == RB_OK; i++) {
        if (pg->limits.seconds && (i == 0 || pg->limits.statements))
            deadline = rb_clock_ms() + (int64_t)pg->limits.seconds * 1000;
        if (pg->scratch && sql->commits &&
            rb_pg_uses_values(&added, sql->text, &all.items[i], &added))
            code = commit_part(effects, pg, err);
        if (code == RB_OK)
            code = run_one(effects, pg, sql, &all.items[i], &deadline, err);
    }
    statements_clear(&all);
    const bool plain = code == RB_OK && effects && !sql->commits && rb_pg_effects_plain(pg);
    if (code == RB_OK && effects)
        code = rb_pg_effects_finish(effects, pg, err);
    pg->unsettled = plain && code == RB_OK;
    return code == RB_OK && !plain ? tidy(pg, sql, err) : code;
}

enum rb_code rb_pg_script_outside(rb_pg *pg, const rb_db_text *sql, size_t *ran,
                                  rb_pg_before *before, void *context, rb_err *err)
{
    statements all = {0};
    int64_t deadline = 0;
    enum rb_code code = rb_pg_settle_script(pg, err);
    split(&all, sql->text);
    *ran = 0;
    for (size_t i = 0; i < all.n && code == RB_OK; i++) {
        bool skip = false;
        if (pg->limits.seconds && (i == 0 || pg->limits.statements))
            deadline = rb_clock_ms() + (int64_t)pg->limits.seconds * 1000;
        code = before(&skip, context, &all.items[i], err);
        if (code != RB_OK)
            break;
        *ran = i + 1;
        if (!skip)
            code = run_one(NULL, pg, sql, &all.items[i], &deadline, err);
    }
    statements_clear(&all);
    const bool held = pg->held;
    pg->held = false; /* advisory locks were released */
    const enum rb_code tidied = tidy(pg, sql, code == RB_OK ? err : RB_IGNORED);
    const enum rb_code taken =
        held && tidied == RB_OK ? rb_pg_hold(&pg->base, code == RB_OK ? err : RB_IGNORED) : tidied;
    return code == RB_OK ? taken : code;
}

/* Runs a statement of the seed. If it fails, only that statement is undone. */
static enum rb_code seed_one(bool *ran, rb_pg *pg, const rb_db_text *sql, const rb_sql_statement *s,
                             int64_t *deadline, char **why, rb_err *err)
{
    rb_err failure = {0};
    RB_TRY(rb_pg_exec(pg, "SAVEPOINT rbtool_seed", err));
    *ran = run_one(NULL, pg, sql, s, deadline, &failure) == RB_OK;
    if (*ran)
        return rb_pg_exec(pg, "RELEASE rbtool_seed", err);
    if (pg->limited) {
        *err = failure;
        return RB_FOUND;
    }
    if (!strstr(failure.message, "(SQLSTATE 23")) { /* not a constraint violation */
        free(*why);
        *why = rb_strdup(rb_err_line(&failure));
    }
    return rb_pg_exec(pg, "ROLLBACK TO rbtool_seed; RELEASE rbtool_seed", err);
}

enum rb_code rb_pg_seed(rb_db *db, const rb_db_text *sql, json_t *done, char **why, rb_err *err)
{
    rb_pg *pg = rb_pg_of(db);
    statements all = {0};
    enum rb_code code = rb_pg_settle_script(pg, err);
    int64_t deadline = pg->limits.seconds ? rb_clock_ms() + (int64_t)pg->limits.seconds * 1000 : 0;
    split(&all, sql->text);
    for (size_t i = 0; i < all.n && code == RB_OK; i++) {
        bool ran = false;
        if (json_array_size(done) <= i)
            json_array_append_new(done, json_false());
        if (json_is_true(json_array_get(done, i)))
            continue;
        code = seed_one(&ran, pg, sql, &all.items[i], &deadline, why, err);
        if (ran)
            json_array_set_new(done, i, json_true());
    }
    statements_clear(&all);
    return code == RB_OK ? tidy(pg, sql, err) : code;
}
