#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "database/tracking.h"

/* An in-memory database after the given statements, ";" between them. */
static rb_db *database(const char *const *statements)
{
    rb_db *db = NULL;
    rb_err err = {0};
    if (rb_db_open(&db, "sqlite::memory:", RB_DB_CREATE, &err) != RB_OK)
        fail_msg("%s", rb_err_line(&err));
    for (; statements && *statements; statements++)
        if (rb_db_exec(db, *statements, NULL, &err) != RB_OK)
            fail_msg("%s", rb_err_line(&err));
    return db;
}

static void assert_rows(rb_db *db, const char *sql, const char *expected)
{
    json_t *rows = NULL;
    rb_err err = {0};
    if (rb_db_query(&rows, db, sql, NULL, &err) != RB_OK)
        fail_msg("%s", rb_err_line(&err));
    rb_buf text = {0};
    rb_json_canonical(&text, rows);
    assert_string_equal(rb_buf_str(&text), expected);
    rb_buf_clear(&text);
    rb_json_free(rows);
}

static void assert_found(rb_db *db, const char *wanted, const char *layout, const char *expected)
{
    const char *name = NULL;
    rb_err err = {0};
    if (rb_tracking_find(&name, db, wanted, layout, &err) != RB_OK)
        fail_msg("%s", rb_err_line(&err));
    assert_string_equal(name, expected);
}

static void assert_refused(rb_db *db, const char *wanted, const char *layout, const char *part)
{
    const char *name = NULL;
    rb_err err = {0};
    assert_int_equal(rb_tracking_find(&name, db, wanted, layout, &err), RB_ERROR);
    if (!strstr(rb_err_line(&err), part))
        fail_msg("'%s' does not say '%s'", rb_err_line(&err), part);
}

static rb_migration items[4];
static rb_migrations set_of(const char *const *ids)
{
    rb_migrations set = {.items = items, .layout = (char *)""};
    for (; ids[set.n]; set.n++)
        items[set.n] = (rb_migration){.id = (char *)ids[set.n]};
    return set;
}

static void assert_read(rb_db *db, const char *name, const rb_migrations *set, const char *expected,
                        bool expected_dirty)
{
    rb_strs ids = {0};
    bool dirty = !expected_dirty;
    rb_err err = {0};
    if (rb_tracking_read(&ids, &dirty, db, name, set, &err) != RB_OK)
        fail_msg("%s", rb_err_line(&err));
    rb_buf text = {0};
    for (size_t i = 0; i < ids.n; i++)
        rb_buf_printf(&text, "%s%s", i ? " " : "", ids.items[i]);
    assert_string_equal(rb_buf_str(&text), expected);
    assert_int_equal(dirty, expected_dirty);
    rb_buf_clear(&text);
    rb_strs_clear(&ids);
}

static void note(rb_db *db, const char *name, const char *id, bool up, const char *const *applied)
{
    rb_migration migration = {.id = (char *)id};
    rb_strs after = {0};
    for (; *applied; applied++)
        rb_strs_add(&after, *applied);
    rb_err err = {0};
    if (rb_tracking_note(db, name, &migration, up, &after, -1, &err) != RB_OK)
        fail_msg("%s", rb_err_line(&err));
    rb_strs_clear(&after);
}

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

static const char golang[] = "CREATE TABLE schema_migrations (version uint64,dirty bool)";
static const char dbmate[] =
    "CREATE TABLE \"schema_migrations\" (version varchar(128) primary key)";
static const char diesel[] = "CREATE TABLE __diesel_schema_migrations (version VARCHAR(50) PRIMARY "
                             "KEY NOT NULL, run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP)";

static void tables_are_told_apart(void **state)
{
    (void)state;
    rb_db *db = database(LIST(golang));
    assert_found(db, "auto", "golang-migrate", "golang-migrate");
    assert_found(db, "auto", "diesel", "golang-migrate");
    assert_found(db, "diesel", "diesel", "diesel");
    assert_refused(db, "dbmate", "dbmate", "columns version, but it has dirty,version");
    assert_refused(db, "rails", "dbmate", "unknown tracking 'rails'");
    rb_db_close(db);
    db = database(LIST(dbmate, diesel));
    assert_found(db, "auto", "dbmate", "dbmate");
    assert_found(db, "auto", "diesel", "diesel");
    assert_found(db, "dbmate", "diesel", "dbmate");
    assert_refused(db, "auto", "golang-migrate", "of dbmate and of diesel");
    rb_db_close(db);
}

static void without_a_table(void **state)
{
    (void)state;
    rb_db *db = database(NULL);
    assert_found(db, "auto", "diesel", "diesel");
    assert_found(db, "auto", "", "");
    assert_found(db, "golang-migrate", "diesel", "golang-migrate");
    rb_db_close(db);
    db = database(LIST("CREATE TABLE rbtool_applied (x)"));
    assert_found(db, "auto", "dbmate", "dbmate");
    rb_db_close(db);
    db = database(LIST("CREATE TABLE users (x)"));
    assert_found(db, "auto", "dbmate", "");
    rb_db_close(db);
    /* a table of that name that is no tool's */
    db = database(LIST("CREATE TABLE schema_migrations (version, note)"));
    assert_found(db, "auto", "dbmate", "");
    assert_refused(db, "dbmate", "dbmate", "but it has note,version");
    rb_db_close(db);
}

static void a_last_version_is_expanded(void **state)
{
    (void)state;
    rb_migrations set = set_of(LIST("2", "9", "10", "20240101"));
    rb_db *db = database(LIST(golang));
    assert_read(db, "golang-migrate", &set, "", false);
    rb_err err = {0};
    assert_int_equal(rb_db_exec(db, "INSERT INTO schema_migrations VALUES (10, 0)", NULL, &err), 0);
    assert_read(db, "golang-migrate", &set, "2 9 10", false);
    assert_int_equal(
        rb_db_exec(db, "UPDATE schema_migrations SET version = 11, dirty = 1", NULL, &err), 0);
    assert_read(db, "golang-migrate", &set, "2 9 10 11", true);
    assert_int_equal(rb_db_exec(db, "UPDATE schema_migrations SET version = -1", NULL, &err), 0);
    assert_read(db, "golang-migrate", &set, "", true);
    rb_db_close(db);
}

static void rows_come_in_the_sets_order(void **state)
{
    (void)state;
    rb_migrations set = set_of(LIST("003", "001", "002"));
    rb_db *db = database(
        LIST(dbmate, "INSERT INTO schema_migrations VALUES ('9'), ('002'), ('0'), ('003')"));
    assert_read(db, "dbmate", &set, "003 002 0 9", false);
    assert_read(db, "diesel", &set, "", false);
    assert_read(db, "", &set, "", false);
    rb_db_close(db);
}

static void golang_keeps_the_last(void **state)
{
    (void)state;
    rb_db *db = database(NULL);
    note(db, "golang-migrate", "9", true, LIST("9"));
    assert_rows(db, "SELECT version, dirty, typeof(version) FROM schema_migrations",
                "[[9,0,\"integer\"]]");
    note(db, "golang-migrate", "10", true, LIST("9", "10"));
    assert_rows(db, "SELECT version FROM schema_migrations", "[[10]]");
    /* one that sorts before what is applied does not move the version back */
    note(db, "golang-migrate", "3", true, LIST("9", "10", "3"));
    assert_rows(db, "SELECT version FROM schema_migrations", "[[10]]");
    note(db, "golang-migrate", "10", false, LIST("9", "3"));
    assert_rows(db, "SELECT version FROM schema_migrations", "[[9]]");
    note(db, "golang-migrate", "9", false, (const char *const[]){NULL});
    assert_rows(db, "SELECT version FROM schema_migrations", "[]");
    assert_rows(db, "SELECT name, sql FROM sqlite_master ORDER BY name",
                "[[\"schema_migrations\",\"CREATE TABLE schema_migrations (version uint64,dirty "
                "bool)\"],[\"version_unique\",\"CREATE UNIQUE INDEX version_unique ON "
                "schema_migrations (version)\"]]");
    rb_migration odd = {.id = (char *)"abc"};
    rb_strs after = {0};
    rb_strs_add(&after, "abc");
    rb_err err = {0};
    assert_int_equal(rb_tracking_note(db, "golang-migrate", &odd, true, &after, -1, &err),
                     RB_ERROR);
    assert_non_null(strstr(rb_err_line(&err), "'abc' is not a number"));
    rb_strs_clear(&after);
    rb_db_close(db);
}

static void others_keep_a_row_each(void **state)
{
    (void)state;
    rb_db *db = database(NULL);
    note(db, "dbmate", "001", true, LIST("001"));
    note(db, "dbmate", "002", true, LIST("001", "002"));
    note(db, "dbmate", "001", false, LIST("002"));
    assert_rows(db, "SELECT version, typeof(version) FROM schema_migrations",
                "[[\"002\",\"text\"]]");
    note(db, "diesel", "20240313", true, LIST("20240313"));
    assert_rows(db,
                "SELECT version, run_on IS NOT NULL, length(run_on) FROM "
                "__diesel_schema_migrations",
                "[[\"20240313\",1,19]]");
    note(db, "diesel", "20240313", false, (const char *const[]){NULL});
    assert_rows(db, "SELECT count(*) FROM __diesel_schema_migrations", "[[0]]");
    note(db, "", "1", true, LIST("1"));
    rb_db_close(db);
}

static void what_is_left_out_of_catalogs(void **state)
{
    (void)state;
    static const char *const ours[] = {"schema_migrations",
                                       "__diesel_schema_migrations",
                                       "version_unique",
                                       "rbtool_applied",
                                       "rbtool_journal",
                                       "rbtool_checksums",
                                       "_sqlx_migrations",
                                       "sqlite_autoindex__sqlx_migrations_1",
                                       "sqlite_autoindex_schema_migrations_1",
                                       "sqlite_autoindex___diesel_schema_migrations_1"};
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        assert_true(rb_tracking_owns(ours[i]));
    static const char *const users[] = {"migrations", "schema_migrations_old", "orders",
                                        "sqlite_autoindex_orders_1", "version_unique_2"};
    for (size_t i = 0; i < sizeof users / sizeof *users; i++)
        assert_false(rb_tracking_owns(users[i]));
    assert_true(rb_tracking_known("auto"));
    assert_true(rb_tracking_known("diesel"));
    assert_true(rb_tracking_known("sqlx"));
    assert_false(rb_tracking_known("rails"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_are_told_apart),
        cmocka_unit_test(without_a_table),
        cmocka_unit_test(a_last_version_is_expanded),
        cmocka_unit_test(rows_come_in_the_sets_order),
        cmocka_unit_test(golang_keeps_the_last),
        cmocka_unit_test(others_keep_a_row_each),
        cmocka_unit_test(what_is_left_out_of_catalogs),
    };
    return cmocka_run_group_tests_name("database_tracking", tests, NULL, NULL);
}
