/* Catalogs of PostgreSQL, on a private server. */
#include "postgres_help.h"

#include "database/loss.h"

#define DATA "tests/data/postgres_catalog/"

static void exec(rb_db *db, const char *sql)
{
    rb_err err;
    if (rb_db_exec(db, sql, NULL, &err) != RB_OK)
        fail_msg("%s\n%s", sql, rb_err_line(&err));
}

static char *read_data(const char *path)
{
    rb_err err;
    rb_buf text = {0};
    help_ok(rb_file_read(&text, path, 1 << 20, &err), &err);
    return rb_buf_detach(&text);
}

static rb_db *with_schema(const char *name)
{
    rb_db *db = help_pg_open(name);
    RB_AUTO(rb_free_str) char *sql = read_data(DATA "schema.sql");
    exec(db, sql);
    return db;
}

static json_t *catalog_of(rb_db *db)
{
    rb_err err;
    json_t *catalog = NULL;
    help_ok(rb_db_catalog(&catalog, db, &err), &err);
    return catalog;
}

/* "added table t\nchanged ...", sorted; the caller's. */
static char *differences_of(const json_t *a, const json_t *b)
{
    RB_AUTO(rb_json_freep) json_t *differences = NULL;
    RB_AUTO(rb_json_freep) json_t *order = NULL;
    RB_AUTO(rb_strs_clear) rb_strs lines = {0};
    rb_buf out = {0};
    size_t i;
    json_t *item;
    rb_catalog_compare(&differences, &order, a, b);
    json_array_foreach (differences, i, item) {
        RB_AUTO(rb_free_str)
        char *line = rb_format("%s %s", rb_json_str(item, "change"), rb_json_str(item, "object"));
        rb_strs_add(&lines, line);
    }
    rb_strs_sort(&lines);
    for (i = 0; i < lines.n; i++)
        rb_buf_printf(&out, "%s\n", lines.items[i]);
    rb_buf_puts(&out, "");
    return rb_buf_detach(&out);
}

static void assert_same(const json_t *a, const json_t *b, const char *what)
{
    char left[RB_SHA256_HEX];
    char right[RB_SHA256_HEX];
    RB_AUTO(rb_free_str) char *differences = differences_of(a, b);
    if (differences && *differences)
        fail_msg("%s\n%s", what, differences);
    rb_catalog_fingerprint(a, left);
    rb_catalog_fingerprint(b, right);
    assert_string_equal(left, right);
}

/* A session that has read the catalog before reads what has changed since. Another reads all. */
static void assert_all_is_read(const char *name, const json_t *catalog, const char *what)
{
    rb_err err;
    rb_db *other = NULL;
    RB_AUTO(rb_free_str) char *url = help_pg_url(name);
    help_ok(rb_db_open(&other, url, RB_DB_READ, &err), &err);
    RB_AUTO(rb_json_freep) json_t *all = catalog_of(other);
    rb_db_close(other);
    assert_same(all, catalog, what);
    assert_true(json_equal(all, catalog));
}

/* The next change of the text at *at: the differences to expect, sorted, what makes it, and what
 * undoes it. False at the end. */
static bool next_change(rb_buf *expected, rb_buf *change, rb_buf *undo, char **at)
{
    RB_AUTO(rb_strs_clear) rb_strs lines = {0};
    bool undoing = false;
    rb_buf_clear(expected);
    rb_buf_clear(change);
    rb_buf_clear(undo);
    for (char *line; (line = strsep(at, "\n")) != NULL && (*line || change->len == 0);) {
        if (strcmp(line, "-- undo") == 0)
            undoing = true;
        else if (strncmp(line, "-- ", 3) == 0 && !undoing)
            rb_strs_add(&lines, line + 3);
        else
            rb_buf_printf(undoing ? undo : change, "%s\n", line);
    }
    rb_strs_sort(&lines);
    for (size_t i = 0; i < lines.n; i++)
        rb_buf_printf(expected, "%s\n", lines.items[i]);
    return change->len > 0 && undoing;
}

static void test_each_change_is_named_and_undone(void **state)
{
    (void)state;
    rb_db *db = with_schema("changes");
    RB_AUTO(rb_free_str) char *text = read_data(DATA "changes.sql");
    RB_AUTO(rb_json_freep) json_t *before = catalog_of(db);
    RB_AUTO(rb_buf_clear) rb_buf expected = {0};
    RB_AUTO(rb_buf_clear) rb_buf change = {0};
    RB_AUTO(rb_buf_clear) rb_buf undo = {0};
    char *at = strstr(text, "\n\n") + 2;
    size_t n = 0;
    while (at && *at && next_change(&expected, &change, &undo, &at)) {
        char first[RB_SHA256_HEX];
        char second[RB_SHA256_HEX];
        exec(db, change.data);
        RB_AUTO(rb_json_freep) json_t *changed = catalog_of(db);
        assert_all_is_read("changes", changed, change.data);
        RB_AUTO(rb_free_str) char *found = differences_of(before, changed);
        if (!found || strcmp(found, expected.data) != 0)
            fail_msg("%s\nexpected:\n%sfound:\n%s", change.data, expected.data, found);
        rb_catalog_fingerprint(before, first);
        rb_catalog_fingerprint(changed, second);
        assert_string_not_equal(first, second);
        exec(db, undo.data);
        RB_AUTO(rb_json_freep) json_t *after = catalog_of(db);
        assert_same(before, after, undo.data);
        n++;
    }
    assert_true(n >= 80);
    rb_db_close(db);
}

/* The schema of one database, by pg_dump, in another. */
static void copy(const char *from, const char *to)
{
    RB_AUTO(rb_free_str) char *source = help_pg_url(from);
    RB_AUTO(rb_free_str) char *target = help_pg_url(to);
    RB_AUTO(rb_free_str)
    char *command = rb_format(
        "pg_dump --schema-only '%s' | psql -qX -v ON_ERROR_STOP=1 '%s' >/dev/null", source, target);
    if (system(command) != 0)
        fail_msg("failed: %s", command);
}

static void test_dump_and_restore_is_the_same(void **state)
{
    (void)state;
    rb_db *db = with_schema("dumped");
    rb_db *again = help_pg_open("restored");
    RB_AUTO(rb_json_freep) json_t *before = catalog_of(db);
    copy("dumped", "restored");
    RB_AUTO(rb_json_freep) json_t *after = catalog_of(again);
    assert_same(before, after, "restored");
    rb_db_close(db);
    rb_db_close(again);
}

/* Two ways to one schema: oids, attribute numbers and the numbers in names that the server makes
 * differ, and so does what the session has set. */
static void test_ways_to_one_schema_are_the_same(void **state)
{
    (void)state;
    static const struct {
        const char *one;
        const char *other;
    } ways[] = {
        {"CREATE TABLE t(a int CHECK (a > 0), b int CHECK (b > 0), CHECK (a > 1), CHECK (a > 2))",
         "CREATE TABLE t(b int, x int, a int); ALTER TABLE t ADD CHECK (a > 2), ADD CHECK (b > 0),"
         " ADD CHECK (a > 1), ADD CHECK (a > 0); ALTER TABLE t DROP x"},
        {"CREATE TABLE t(id serial PRIMARY KEY, a int UNIQUE)",
         "CREATE TABLE t(id serial PRIMARY KEY, a int UNIQUE); ALTER TABLE t RENAME TO old;"
         " CREATE TABLE t(id serial PRIMARY KEY, a int UNIQUE); DROP TABLE old"},
        {"CREATE TABLE t(a int, b int); CREATE INDEX ON t(a); CREATE INDEX ON t USING hash (a);"
         " CREATE INDEX ON t(lower(b::text))",
         "CREATE TABLE t(a int, b int); CREATE INDEX ON t(lower(b::text)); CREATE INDEX ON t USING"
         " hash (a); CREATE INDEX ON t(a)"},
        {"CREATE TABLE p(id int PRIMARY KEY); CREATE TABLE t(a int REFERENCES p, b int);"
         " CREATE VIEW v AS SELECT a FROM t",
         "CREATE TABLE t(a int, b int); CREATE TABLE p(id int PRIMARY KEY); ALTER TABLE t ADD"
         " FOREIGN KEY (a) REFERENCES p; CREATE VIEW v AS SELECT t.a FROM public.t"},
        {"CREATE TYPE e AS ENUM ('a', 'b', 'c')",
         "CREATE TYPE e AS ENUM ('a', 'c'); ALTER TYPE e ADD VALUE 'b' BEFORE 'c'"},
        {"CREATE TABLE t(at timestamptz DEFAULT '2020-01-01 00:00+00', i interval DEFAULT '1 day',"
         " x bytea DEFAULT '\\x00')",
         "SET TimeZone = 'Asia/Tokyo'; SET IntervalStyle = iso_8601; SET bytea_output = escape;"
         " SET DateStyle = 'German'; SET quote_all_identifiers = on; SET search_path = public;"
         " CREATE TABLE t(at timestamptz DEFAULT '01.01.2020 09:00', i interval DEFAULT 'P1D',"
         " x bytea DEFAULT '\\000')"},
        {"CREATE TABLE " /* names that are cut */
         "a_table_with_a_name_that_is_fifty_characters_long1(a_column_with_a_long_name_too int"
         " UNIQUE CHECK (a_column_with_a_long_name_too > 0))",
         "CREATE TABLE a_table_with_a_name_that_is_fifty_characters_long1("
         "a_column_with_a_long_name_too int UNIQUE CHECK (a_column_with_a_long_name_too > 0));"
         " ALTER TABLE a_table_with_a_name_that_is_fifty_characters_long1 RENAME TO old; CREATE"
         " TABLE a_table_with_a_name_that_is_fifty_characters_long1("
         "a_column_with_a_long_name_too int UNIQUE CHECK (a_column_with_a_long_name_too > 0));"
         " DROP TABLE old"},
        {"CREATE TABLE schema_migrations(version text PRIMARY KEY); CREATE SCHEMA rbtool_x;"
         " CREATE TABLE rbtool_x.t(a int); CREATE TABLE rbtool_applied(id text)",
         "CREATE TEMPORARY TABLE temporary(id serial)"},
    };
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        rb_db *dbs[2];
        json_t *catalogs[2];
        for (size_t side = 0; side < 2; side++) {
            RB_AUTO(rb_free_str) char *name = rb_format("way_%zu_%zu", i, side);
            dbs[side] = help_pg_open(name);
            exec(dbs[side], side ? ways[i].other : ways[i].one);
            catalogs[side] = catalog_of(dbs[side]);
        }
        assert_same(catalogs[0], catalogs[1], ways[i].other);
        for (size_t side = 0; side < 2; side++) {
            json_decref(catalogs[side]);
            rb_db_close(dbs[side]);
        }
    }
}

static void test_each_name_is_one_key(void **state)
{
    (void)state;
    static const char *const keys[] = {
        "table t",
        "table public.\"a.b\"",
        "table a.b",
        "table \"x \"\"y\".\"\\\\z\"",
        "column a.b.c",
        "column public.\"a.b\".c",
        "column t.\"line\\x0abreak\"",
        "function a.f(integer)",
        "function f(integer)",
        "function \"f(integer)\"()",
    };
    rb_db *db = help_pg_open("names");
    exec(db, "CREATE SCHEMA a; CREATE SCHEMA \"x \"\"y\"; CREATE TABLE a.b(c int); CREATE TABLE"
             " \"a.b\"(c int); CREATE TABLE \"x \"\"y\".\"\\z\"(c int); CREATE TABLE"
             " t(\"line\nbreak\" int); CREATE FUNCTION a.f(int) RETURNS int LANGUAGE sql AS"
             " 'SELECT 1'; CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE"
             " FUNCTION \"f(integer)\"() RETURNS int LANGUAGE sql AS 'SELECT 1'");
    RB_AUTO(rb_json_freep) json_t *catalog = catalog_of(db);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (!json_object_get(catalog, keys[i]))
            fail_msg("%s is missing", keys[i]);
    rb_db_close(db);
}

static void test_many_columns_and_a_role_without_rights(void **state)
{
    (void)state;
    rb_err err;
    rb_db *db = with_schema("rights");
    rb_db *other = NULL;
    exec(db, "DO $$ BEGIN EXECUTE 'CREATE TABLE wide(' || (SELECT string_agg(format('c%s int', n),"
             " ', ') FROM generate_series(1, 1600) n) || ')'; END $$;"
             "CREATE ROLE nobody_special LOGIN; REVOKE ALL ON SCHEMA public, audit FROM PUBLIC");
    RB_AUTO(rb_json_freep) json_t *all = catalog_of(db);
    assert_int_equal(json_array_size(json_object_get(all, "order wide")), 1600);
    RB_AUTO(rb_free_str)
    char *url = rb_format("postgresql:///rights?host=%s&user=nobody_special", help_pg_dir);
    help_ok(rb_db_open(&other, url, RB_DB_READ, &err), &err);
    RB_AUTO(rb_json_freep) json_t *seen = catalog_of(other);
    assert_same(all, seen, "read by a role without rights");
    rb_db_close(other);
    rb_db_close(db);
}

/* In a transaction, what scripts did so far is seen, and the session's settings stay. */
static void test_inside_a_transaction(void **state)
{
    (void)state;
    rb_err err;
    rb_db *db = help_pg_open("inside");
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    help_ok(rb_db_begin(db, &err), &err);
    exec(db, "CREATE SCHEMA app; SET search_path = app; CREATE TABLE t(a int)");
    RB_AUTO(rb_json_freep) json_t *catalog = catalog_of(db);
    assert_non_null(json_object_get(catalog, "table app.t"));
    help_ok(rb_db_query(&rows, db, "SHOW search_path", NULL, &err), &err);
    assert_string_equal(json_string_value(json_array_get(json_array_get(rows, 0), 0)), "app");
    rb_db_rollback(db);
    RB_AUTO(rb_json_freep) json_t *after = catalog_of(db);
    assert_null(json_object_get(after, "table app.t"));
    rb_db_close(db);
}

/* What a second read of a session must not miss: names that depend on other units, what vanishes
 * without a trace in its own row, what a transaction undid, and plans that a script threw away. */
static void test_what_changed_is_read_again(void **state)
{
    (void)state;
    static const char *const steps[] = {
        "CREATE TABLE a_b(c serial, d int); CREATE TABLE a(id serial PRIMARY KEY, b_c serial);"
        " CREATE INDEX ON a_b(d); CREATE INDEX ON a_b USING hash (d)",
        "DROP INDEX a_b_d_idx",
        "DROP TABLE a; CREATE TABLE a(other int)",
        "DROP TABLE a; CREATE TABLE a(b_c serial, t text, b_d int CHECK (b_d > 0)); CREATE INDEX "
        "ON a(b_d)",
        "ALTER TABLE a_b RENAME TO x; ALTER TABLE x RENAME d TO e",
        "ALTER INDEX a_b_d_idx RENAME TO other; CREATE TABLE a_b_d_idx(i int)",
        "DROP TABLE a_b_d_idx",
        "ALTER SEQUENCE a_b_c_seq OWNED BY NONE",
        "COMMENT ON CONSTRAINT a_b_d_check ON a IS 'c'",
        "COMMENT ON CONSTRAINT a_b_d_check ON a IS NULL; DEALLOCATE ALL",
        "CREATE ROLE before; CREATE POLICY p ON a TO before",
        "ALTER ROLE before RENAME TO after",
        "DROP POLICY p ON a; DROP ROLE after; CREATE TYPE mood AS ENUM ('a'); CREATE VIEW v AS"
        " SELECT b_d, 'a'::mood AS m FROM a",
        "ALTER TYPE mood RENAME TO state; ALTER TYPE state RENAME VALUE 'a' TO 'b'",
        "ALTER TABLE a ALTER b_d DROP NOT NULL, DROP CONSTRAINT a_b_d_check",
        "CREATE SCHEMA s; ALTER TYPE state SET SCHEMA s; ALTER TABLE a SET "
        "(toast.autovacuum_enabled = off)",
        "ALTER SCHEMA s RENAME TO z",
    };
    rb_err err;
    rb_db *db = help_pg_open("again");
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        exec(db, steps[i]);
        RB_AUTO(rb_json_freep) json_t *now = catalog_of(db);
        assert_all_is_read("again", now, steps[i]);
        help_ok(rb_db_begin(db, &err), &err);
        exec(db, "ALTER TABLE a RENAME TO gone; CREATE TABLE new(id serial)");
        RB_AUTO(rb_json_freep) json_t *inside = catalog_of(db);
        assert_non_null(json_object_get(inside, "table gone"));
        rb_db_rollback(db);
        RB_AUTO(rb_json_freep) json_t *after = catalog_of(db);
        assert_true(json_equal(now, after));
    }
    rb_db_close(db);
}

/* Without any effect of scripts: what the catalogs alone show. */
static void test_bound_of_two_catalogs(void **state)
{
    (void)state;
    static const struct {
        const char *sql;
        const char *bound;
    } cases[] = {
        {"ALTER TYPE mood ADD VALUE 'calm'", "[]"},
        {"ALTER TYPE mood RENAME VALUE 'ok' TO 'fine'",
         "[{\"column\":\"mood\",\"table\":\"customers\"}]"},
        {"ALTER TABLE audit.log ALTER at TYPE date; ALTER TABLE audit.log DROP \"order\"",
         "[{\"column\":\"at\",\"table\":\"audit.log\"},"
         "{\"column\":\"order\",\"table\":\"audit.log\"}]"},
        {"DROP TABLE \"a.b\", cache", "[{\"column\":null,\"table\":\"cache\"},{\"column\":null,"
                                      "\"table\":\"public.\\\"a.b\\\"\"}]"},
    };
    rb_db *db = with_schema("bound");
    exec(db, "DROP PUBLICATION changes");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        RB_AUTO(rb_json_freep) json_t *effects = json_object();
        RB_AUTO(rb_buf_clear) rb_buf text = {0};
        RB_AUTO(rb_json_freep) json_t *before = catalog_of(db);
        exec(db, cases[i].sql);
        RB_AUTO(rb_json_freep) json_t *after = catalog_of(db);
        RB_AUTO(rb_json_freep) json_t *bound = rb_loss_bound(before, after, effects);
        rb_json_canonical(&text, bound);
        assert_string_equal(rb_buf_str(&text), cases[i].bound);
    }
    rb_db_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_change_is_named_and_undone),
        cmocka_unit_test(test_dump_and_restore_is_the_same),
        cmocka_unit_test(test_ways_to_one_schema_are_the_same),
        cmocka_unit_test(test_each_name_is_one_key),
        cmocka_unit_test(test_many_columns_and_a_role_without_rights),
        cmocka_unit_test(test_inside_a_transaction),
        cmocka_unit_test(test_what_changed_is_read_again),
        cmocka_unit_test(test_bound_of_two_catalogs),
    };
    return cmocka_run_group_tests(tests, help_pg_start, help_pg_stop);
}
