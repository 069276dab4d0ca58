/* Runs SQL from outside: scripts, seeds, data tests. */
#include "database/sqlite/sqlite.h"

#include <stdlib.h>
#include <string.h>

#include "database/sqlite/effects.h"
#include "sql/alter_parser.h"
#include "sql/token.h"

#define SHOWN_SQL 80
#define CELL_LIMIT 1000 /* bytes of one value that a data test shows */

static void set_guard(rb_sqlite *db, enum rb_sqlite_guard guard)
{
    rb_sqlite_state_of(db)->guard = guard;
}

static size_t line_of(const rb_db_text *sql, size_t offset)
{
    size_t line = sql->line;
    for (size_t i = 0; i < offset && sql->text[i]; i++)
        line += sql->text[i] == '\n';
    return line;
}

/* Returns the offset of the statement's first word. */
static size_t first_token(const rb_db_text *sql, size_t from)
{
    rb_token token;
    const char *at = sql->text + from;
    if (rb_token_next(&token, &at, sql->text + strlen(sql->text)))
        return (size_t)(token.text - sql->text);
    return from;
}

/* Reports an error. offset: in the text, or -1 if only the statement at `start` is known. */
static enum rb_code fail_in(rb_sqlite *db, const rb_db_text *sql, size_t start, long offset,
                            rb_err *err)
{
    size_t first = first_token(sql, start);
    size_t at = offset < 0 ? first : start + (size_t)offset;
    RB_AUTO(rb_buf_clear) rb_buf statement = {0};
    size_t len = strcspn(sql->text + first, "\n");
    rb_buf_add_safe(&statement, sql->text + first, len < SHOWN_SQL ? len : SHOWN_SQL);
    RB_AUTO(rb_free_str) char *file = rb_safe(sql->file);
    RB_AUTO(rb_free_str) char *what = rb_safe(sql->what);
    RB_AUTO(rb_free_str) char *why = rb_sqlite_explain(db);
    enum rb_code code = rb_sqlite_limit_hit(db) ? RB_FOUND : RB_ERROR;
    return rb_fail(err, code, "%s: %s%sline %zu: %s, while running \"%s%s\"", what, file,
                   file[0] ? " " : "", line_of(sql, at), why, rb_buf_str(&statement),
                   len > SHOWN_SQL ? "..." : "");
}

/* Checks parts of a definition that the authorizer does not see: functions of a DEFAULT, which
 * later statements evaluate, and the new name of a table. */
static enum rb_code check_definition(rb_sqlite *db, const rb_db_text *sql, size_t start, size_t end,
                                     rb_err *err)
{
    const char *at = sql->text + start;
    rb_token first;
    if (!rb_token_next(&first, &at, sql->text + end) ||
        (!rb_token_is(&first, "CREATE") && !rb_token_is(&first, "ALTER")))
        return RB_OK;
    size_t offset;
    RB_AUTO(rb_free_str)
    char *called = rb_sqlite_unusable_call(&offset, sql->text + start, end - start);
    RB_AUTO(rb_ddl_clear) rb_ddl ddl = {0};
    rb_ddl_read(&ddl, sql->text + start, end - start);
    if ((!called || rb_sqlite_may_call(db, called)) &&
        (ddl.kind != RB_DDL_RENAME_TABLE || rb_sqlite_may_change(db, ddl.new_name)))
        return RB_OK;
    return fail_in(db, sql, start, -1, err);
}

/* Runs one statement and discards its rows. */
static enum rb_code run_one(rb_sqlite *db, rb_stmt *stmt, const rb_db_text *sql, size_t start,
                            size_t end, rb_err *err)
{
    enum rb_stmt_end step = RB_STMT_ROW;
    set_guard(db, RB_GUARD_NONE);
    RB_TRY(check_definition(db, sql, start, end, err));
    RB_TRY(rb_effects_add(db, sql->text + start, end - start, err));
    set_guard(db, RB_GUARD_SCRIPT);
    if (rb_sqlite_state_of(db)->limits.statements)
        rb_sqlite_clock_start(db, sql);
    while (step == RB_STMT_ROW)
        step = rb_stmt_step(stmt);
    if (step == RB_STMT_FAILED)
        return fail_in(db, sql, start, -1, err);
    if (rb_sqlite_state_of(db)->limits.statements)
        rb_sqlite_clock_stop(db);
    return RB_OK;
}

static enum rb_code run_all(rb_sqlite *db, const rb_db_text *sql, rb_err *err)
{
    rb_sqlite_state *state = rb_sqlite_state_of(db);
    const char *at = sql->text;
    while (*at) {
        RB_AUTO(rb_stmt_freep) rb_stmt *stmt = NULL;
        const char *tail = at;
        size_t start = (size_t)(at - sql->text);
        long offset = -1;
        set_guard(db, RB_GUARD_SCRIPT);
        rb_effects_forget(state); /* running a statement on a virtual table prepares others */
        if (!rb_stmt_prepare(&stmt, &tail, &offset, db, at))
            return fail_in(db, sql, start, offset, err);
        if (stmt)
            RB_TRY(run_one(db, stmt, sql, start, (size_t)(tail - sql->text), err));
        else if (tail == at)
            break;
        at = tail;
    }
    return RB_OK;
}

static bool collect_temporary(void *context, const rb_cell *cells, size_t n)
{
    rb_strs *drops = context;
    (void)n;
    RB_AUTO(rb_free_str) char *name = rb_sqlite_name(cells[1].data);
    rb_strs_take(drops, rb_format("DROP %s IF EXISTS temp.%s", (const char *)cells[0].data, name));
    return true;
}

/* Resets PRAGMAs and drops temporary objects, so that scripts do not affect each other. */
enum rb_code rb_sqlite_tidy(rb_sqlite *db, rb_err *err)
{
    static const char *const resets[] = {
        "PRAGMA defer_foreign_keys=OFF", "PRAGMA ignore_check_constraints=OFF",
        "PRAGMA legacy_alter_table=OFF", "PRAGMA recursive_triggers=OFF"};
    if (!rb_sqlite_state_of(db)->untidy)
        return RB_OK;
    for (size_t i = 0; i < sizeof resets / sizeof *resets; i++)
        RB_TRY(rb_sqlite_each(db, resets[i], NULL, NULL, NULL, err));
    RB_AUTO(rb_strs_clear) rb_strs drops = {0};
    RB_TRY(
        rb_sqlite_each(db,
                       "SELECT upper(type), name FROM sqlite_temp_schema WHERE type IN"
                       " ('table','view','trigger') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND"
                       " name NOT GLOB 'rbtool *'",
                       NULL, collect_temporary, &drops, err));
    for (size_t i = 0; i < drops.n; i++)
        RB_TRY(rb_sqlite_each(db, drops.items[i], NULL, NULL, NULL, err));
    rb_sqlite_state_of(db)->untidy = false;
    return RB_OK;
}

enum rb_code rb_sqlite_check_active(rb_sqlite *db, const rb_db_text *sql, rb_err *err)
{
    const rb_db_limits *l = &rb_sqlite_state_of(db)->limits;
    if (rb_sqlite_active(db))
        return RB_OK;
    if (!l->memory && !l->size)
        return rb_fail(err, RB_ERROR, "%s: %s: SQLite rolled the transaction back", sql->what,
                       sql->file);
    rb_sqlite_state_of(db)->limited = true;
    return rb_fail(err, RB_FOUND,
                   "%s: %s: rows of a table, with what it computes of them, needed more than the "
                   "limits of %d MiB of memory or %d MiB of disk\nif it has to be, raise %s in "
                   "rbtool.json",
                   sql->what, sql->file, l->memory, l->size, l->where ? l->where : "limits");
}

enum rb_code rb_sqlite_script(json_t *effects, rb_db *base, const rb_db_text *sql, rb_err *err)
{
    rb_sqlite *db = rb_sqlite_of(base);
    rb_sqlite_state *state = rb_sqlite_state_of(db);
    RB_TRY(rb_sqlite_check_active(db, sql, err));
    rb_sqlite_clock_start(db, sql);
    state->effects = effects;
    enum rb_code code = run_all(db, sql, err);
    rb_effects_forget(state);
    state->effects = NULL;
    set_guard(db, RB_GUARD_NONE);
    rb_sqlite_clock_stop(db);
    rb_buf_clear(&db->denied);
    if (code == RB_OK)
        code = rb_sqlite_check_active(db, sql, err);
    return code == RB_OK ? rb_sqlite_tidy(db, err) : code;
}

static enum rb_code seed_one(bool *ran, rb_sqlite *db, rb_stmt *stmt, const rb_db_text *sql,
                             size_t start, char **why, rb_err *err)
{
    enum rb_stmt_end step = RB_STMT_ROW;
    RB_TRY(rb_sqlite_each(db, "SAVEPOINT rbtool_seed", NULL, NULL, NULL, err));
    set_guard(db, RB_GUARD_SCRIPT);
    while (step == RB_STMT_ROW)
        step = rb_stmt_step(stmt);
    set_guard(db, RB_GUARD_NONE);
    *ran = step == RB_STMT_DONE;
    if (!*ran && !rb_sqlite_is_constraint(db)) {
        rb_err failure;
        enum rb_code code = fail_in(db, sql, start, -1, &failure);
        free(*why);
        *why = rb_strdup(rb_err_line(&failure));
        if (code == RB_FOUND) {
            *err = failure;
            rb_stmt_free(stmt);
            return code;
        }
    }
    rb_stmt_free(stmt);
    if (!*ran)
        RB_TRY(rb_sqlite_each(db, "ROLLBACK TO rbtool_seed", NULL, NULL, NULL, err));
    return rb_sqlite_each(db, "RELEASE rbtool_seed", NULL, NULL, NULL, err);
}

/* Returns the end of a statement that cannot be prepared. SQLite sets *tail only if it could parse
 * it. */
static const char *statement_end(const char *at)
{
    const char *end = at + strlen(at);
    rb_token token;
    while (rb_token_next(&token, &at, end))
        if (rb_token_is(&token, ";"))
            return at;
    return end;
}

enum rb_code rb_sqlite_seed(rb_db *base, const rb_db_text *sql, json_t *done, char **why,
                            rb_err *err)
{
    rb_sqlite *db = rb_sqlite_of(base);
    const char *at = sql->text;
    rb_sqlite_clock_start(db, sql);
    for (size_t i = 0; *at; i++) {
        rb_stmt *stmt = NULL;
        size_t start = (size_t)(at - sql->text);
        long offset = -1;
        bool ran = false;
        if (json_array_size(done) <= i)
            json_array_append_new(done, json_false());
        const char *tail = statement_end(at);
        if (!json_is_true(json_array_get(done, i))) {
            set_guard(db, RB_GUARD_SCRIPT);
            bool fits = rb_stmt_prepare(&stmt, &tail, &offset, db, at);
            set_guard(db, RB_GUARD_NONE);
            if (!fits) {
                rb_err failure;
                (void)!fail_in(db, sql, start, offset, &failure);
                free(*why);
                *why = rb_strdup(rb_err_line(&failure));
                tail = statement_end(at);
            } else if (stmt) {
                RB_TRY(seed_one(&ran, db, stmt, sql, start, why, err));
            }
            if (ran || (fits && !stmt))
                json_array_set_new(done, i, json_true());
        }
        at = tail;
    }
    rb_sqlite_clock_stop(db);
    rb_buf_clear(&db->denied);
    return RB_OK;
}

static json_t *row_json(rb_stmt *stmt)
{
    json_t *row = json_object();
    for (size_t i = 0; i < rb_stmt_width(stmt); i++) {
        rb_cell cell;
        rb_stmt_cell(&cell, stmt, i);
        if (cell.len > CELL_LIMIT)
            cell.len = CELL_LIMIT;
        RB_AUTO(rb_free_str) char *name = rb_safe(rb_stmt_column(stmt, i));
        for (int copy = 2; json_object_get(row, name); copy++) {
            free(name);
            name = rb_format("%s (%d)", rb_stmt_column(stmt, i), copy);
        }
        json_object_set_new(row, name, rb_sqlite_json(&cell));
    }
    return row;
}

static enum rb_code check_statement(rb_stmt **out, rb_sqlite *db, const char *sql, rb_err *err)
{
    RB_AUTO(rb_stmt_freep) rb_stmt *stmt = NULL;
    rb_token token;
    long offset;
    const char *tail;
    if (!rb_stmt_prepare(&stmt, &tail, &offset, db, sql))
        return rb_sqlite_fail(db, "a data test cannot be run", err);
    if (!stmt || !rb_stmt_reads(stmt) || rb_stmt_width(stmt) == 0)
        return rb_fail(err, RB_ERROR, "a data test is one query that only reads, such as SELECT");
    while (rb_token_next(&token, &tail, tail + strlen(tail)))
        if (!rb_token_is(&token, ";"))
            return rb_fail(err, RB_ERROR, "a data test is one query; there is more behind it");
    *out = RB_TAKE(stmt);
    return RB_OK;
}

static enum rb_code check_rows(json_t *rows, rb_sqlite *db, const char *sql, size_t limit,
                               rb_err *err)
{
    RB_AUTO(rb_stmt_freep) rb_stmt *stmt = NULL;
    enum rb_stmt_end step = RB_STMT_DONE;
    RB_TRY(check_statement(&stmt, db, sql, err));
    while (json_array_size(rows) < limit && (step = rb_stmt_step(stmt)) == RB_STMT_ROW)
        json_array_append_new(rows, row_json(stmt));
    if (step == RB_STMT_FAILED)
        return rb_sqlite_fail(db, "running a data test", err);
    return RB_OK;
}

enum rb_code rb_sqlite_check(json_t **out, rb_db *base, const char *sql, size_t limit, rb_err *err)
{
    rb_sqlite *db = rb_sqlite_of(base);
    RB_AUTO(rb_json_freep) json_t *rows = json_array();
    const int seconds = rb_sqlite_state_of(db)->limits.seconds;
    if (!seconds)
        rb_sqlite_state_of(db)->limits.seconds = RB_DB_LIMITS_SECONDS;
    set_guard(db, RB_GUARD_CHECK);
    rb_sqlite_clock_start(db, NULL);
    enum rb_code code = check_rows(rows, db, sql, limit, err);
    set_guard(db, RB_GUARD_NONE);
    rb_sqlite_state_of(db)->limits.seconds = seconds;
    rb_sqlite_clock_stop(db);
    rb_buf_clear(&db->denied);
    RB_TRY(code);
    *out = RB_TAKE(rows);
    return RB_OK;
}
