/* Migrations written in a test, and databases in a folder of its own. */
#ifndef TESTS_UNIT_DATABASE_HELP_H
#define TESTS_UNIT_DATABASE_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h wants those first */
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/process.h"
#include "catalog/catalog.h"
#include "database/database.h"

typedef struct script_pair {
    const char *id;
    const char *up;
    const char *down; /* NULL: none */
} script_pair;

static inline void help_script(rb_script *out, const char *id, const char *way, const char *text)
{
    if (!text)
        return;
    out->present = true;
    out->path = rb_format("db/%s.%s.sql", id, way);
    out->line = 1;
    out->text = rb_strdup(text);
    out->len = strlen(text);
    rb_sha256_hex_of(text, out->len, out->sha256);
    out->transactional = true;
}

static inline rb_migrations *help_set(const script_pair *pairs, size_t n)
{
    rb_migrations *set = rb_calloc(1, sizeof *set);
    set->layout = rb_strdup("golang-migrate");
    set->items = rb_calloc(n, sizeof *set->items);
    set->n = n;
    for (size_t i = 0; i < n; i++) {
        set->items[i].id = rb_strdup(pairs[i].id);
        set->items[i].name = rb_strdup("");
        help_script(&set->items[i].up, pairs[i].id, "up", pairs[i].up);
        help_script(&set->items[i].down, pairs[i].id, "down", pairs[i].down);
    }
    return set;
}

static inline void help_ok(enum rb_code code, rb_err *err)
{
    if (code != RB_OK)
        fail_msg("%s", rb_err_line(err));
}

/* A folder below TMPDIR; the caller removes it. */
static inline char *help_dir(void)
{
    const char *base = getenv("TMPDIR");
    char *dir = rb_format("%s/rbtool-database-XXXXXX", base ? base : "/tmp");
    assert_non_null(mkdtemp(dir));
    return dir;
}

/* Runs all ups (or, down, all downs from the last) in one transaction of their own. */
static inline enum rb_code help_run(rb_db_outcome *out, rb_db *db, const rb_migrations *set,
                                    bool up, rb_err *err)
{
    rb_db_step *steps = rb_calloc(set->n, sizeof *steps);
    for (size_t i = 0; i < set->n; i++)
        steps[i] = (rb_db_step){
            .migration = &set->items[up ? i : set->n - 1 - i], .up = up, .release = "v1"};
    const rb_db_work work = {.steps = steps, .n = set->n, .tracking = "", .order = set};
    help_ok(rb_db_begin(db, err), err);
    enum rb_code code = rb_db_run(out, db, &work, err);
    if (code == RB_OK)
        help_ok(rb_db_commit(db, err), err);
    else
        rb_db_rollback(db);
    free(steps);
    return code;
}

static inline char *help_json(const json_t *json)
{
    rb_buf out = {0};
    rb_json_canonical(&out, json);
    return rb_buf_detach(&out);
}

/* All rows of a query as canonical JSON. */
static inline char *help_rows(rb_db *db, const char *sql)
{
    rb_err err;
    json_t *rows = NULL;
    help_ok(rb_db_query(&rows, db, sql, NULL, &err), &err);
    char *text = help_json(rows);
    json_decref(rows);
    return text;
}

static inline void help_expect_rows(rb_db *db, const char *sql, const char *expected)
{
    char *text = help_rows(db, sql);
    assert_string_equal(text, expected);
    free(text);
}

static inline void help_exec(rb_db *db, const char *sql)
{
    rb_err err;
    help_ok(rb_db_exec(db, sql, NULL, &err), &err);
}

static inline rb_db *help_scratch(const char *sql)
{
    rb_err err;
    rb_db *db = NULL;
    help_ok(rb_db_scratch(&db, "sqlite", RB_DB_CLOCK_REAL, &err), &err);
    help_exec(db, sql);
    return db;
}

#endif
