#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sqlite/sqlite.h"

static rb_sqlite *own(void)
{
    rb_sqlite *db = NULL;
    rb_err err;
    assert_int_equal(rb_sqlite_open_own(&db, ":memory:", RB_SQLITE_CREATE, &err), RB_OK);
    return db;
}

static void expect(rb_sqlite *db, const char *sql, json_t *params, const char *rows)
{
    rb_err err;
    json_t *found = NULL;
    rb_buf text = {0};
    if (rb_sqlite_query(&found, db, sql, params, &err) != RB_OK)
        fail_msg("%s: %s", sql, err.message);
    rb_json_canonical(&text, found);
    assert_string_equal(text.data, rows);
    rb_buf_clear(&text);
    json_decref(found);
    json_decref(params);
}

static void test_parameters_bind_by_number(void **state)
{
    (void)state;
    rb_sqlite *db = own();
    expect(db, "SELECT $1, $2", json_pack("[s,s]", "first", "second"), "[[\"first\",\"second\"]]");
    expect(db, "SELECT $2, $1", json_pack("[s,s]", "first", "second"), "[[\"second\",\"first\"]]");
    expect(db, "SELECT ?2, ?1, ?2", json_pack("[i,s]", 1, "x"), "[[\"x\",1,\"x\"]]");
    expect(db, "SELECT ?, ?", json_pack("[i,n]", 1), "[[1,null]]");
    expect(db, "CREATE TABLE t(a, b); INSERT INTO t VALUES ($2, $1); SELECT a, b FROM t",
           json_pack("[i,i]", 1, 2), "[[2,1]]");
    rb_sqlite_close(db);
}

static void test_missing_value_is_an_error(void **state)
{
    (void)state;
    rb_sqlite *db = own();
    rb_err err;
    json_t *rows = NULL;
    json_t *one = json_pack("[s]", "x");
    assert_int_equal(rb_sqlite_query(&rows, db, "SELECT $1, $2", one, &err), RB_ERROR);
    assert_int_equal(rb_sqlite_query(&rows, db, "SELECT ?", json_pack("[s]", "\xff"), &err),
                     RB_ERROR);
    assert_non_null(strstr(err.message, "UTF-8"));
    assert_null(rows);
    json_decref(one);
    rb_sqlite_close(db);
}

static void test_own_database_runs_no_triggers(void **state)
{
    (void)state;
    rb_sqlite *db = own();
    expect(db,
           "CREATE TABLE t(a); CREATE TRIGGER g AFTER INSERT ON t BEGIN DELETE FROM t; END;"
           "INSERT INTO t VALUES (1); SELECT a FROM t",
           NULL, "[[1]]");
    rb_sqlite_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parameters_bind_by_number),
        cmocka_unit_test(test_missing_value_is_an_error),
        cmocka_unit_test(test_own_database_runs_no_triggers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
