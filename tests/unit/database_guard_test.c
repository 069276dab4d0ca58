/* What scripts may call and create. */
#include "database_help.h"

#include "database/sqlite/sqlite.h"

/* A new SQLite brings functions that a maintainer has to classify: may a script call them? */
static void expect_classified(rb_db *db, const char *sql, enum rb_sqlite_part part)
{
    rb_err err;
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    size_t i;
    json_t *row;
    help_ok(rb_db_query(&rows, db, sql, NULL, &err), &err);
    assert_true(json_array_size(rows) > 0);
    json_array_foreach (rows, i, row) {
        const char *name = json_string_value(json_array_get(row, 0));
        if (!rb_sqlite_classified(part, name))
            fail_msg("core/database/sqlite/functions.c does not say whether a script may use %s",
                     name);
    }
}

static void test_every_function_of_the_library_is_classified(void **state)
{
    (void)state;
    rb_db *db = help_scratch("CREATE TABLE t(a);");
    expect_classified(db, "SELECT DISTINCT name FROM pragma_function_list", RB_PART_FUNCTION);
    expect_classified(db, "SELECT name FROM pragma_module_list", RB_PART_MODULE);
    rb_db_close(db);
}

static const char *const refused[] = {
    "SELECT fts3_tokenizer('simple');",
    "SELECT FTS3_Tokenizer('simple', x'0000000000000000');",
    "SELECT hex(fts5(NULL));",
    "SELECT load_extension('/nowhere.so');",
    "SELECT sqlite_log(1, 'x');",
    "CREATE VIEW v AS SELECT \"fts3_tokenizer\"('simple'); SELECT * FROM v;",
    ("CREATE TABLE n(a); CREATE TRIGGER g AFTER INSERT ON n BEGIN SELECT fts3_tokenizer('simple');"
     " END; INSERT INTO n VALUES(1);"),
    "CREATE TABLE n(a); CREATE INDEX rbtool_checksums ON n(a);",
    "CREATE TEMP TABLE rbtool_applied(a);",
    "CREATE TEMP VIEW rbtool_journal AS SELECT 1;",
    "CREATE TABLE n(a DEFAULT (fts3_tokenizer('simple')));",
    "CREATE TABLE n(a, CHECK (fts3_tokenizer(a) IS NULL));",
    "CREATE TABLE n(a, b AS ([fts3_tokenizer] (a)));",
    "CREATE INDEX i ON t(fts3_tokenizer(a));",
    "CREATE INDEX i ON t(a) WHERE fts3_tokenizer(a) IS NULL;",
    "ALTER TABLE t ADD COLUMN n DEFAULT (`fts3_tokenizer`('simple'));",
    "CREATE VIRTUAL TABLE n USING dbstat;",
    "CREATE TRIGGER g AFTER INSERT ON rbtool_applied BEGIN DELETE FROM t; END;",
    "CREATE TEMP TRIGGER g AFTER INSERT ON main.rbtool_applied BEGIN DELETE FROM t; END;",
    "CREATE UNIQUE INDEX i ON rbtool_applied(release);",
    "CREATE VIEW rbtool_journal AS SELECT 1;",
    "CREATE VIRTUAL TABLE rbtool_journal USING fts5(a);",
    "ALTER TABLE t RENAME TO \"rbtool_journal\";",
    "ATTACH ':memory:' AS other;",
    "VACUUM INTO '/tmp/rbtool-never';",
    "PRAGMA writable_schema=ON;",
    "PRAGMA temp_store_directory='/tmp';",
    "PRAGMA hard_heap_limit=1000000000;",
    "PRAGMA trusted_schema=OFF;",
    "SELECT * FROM pragma_wal_checkpoint;",
    "UPDATE sqlite_schema SET sql = 'CREATE TABLE t(a DEFAULT (fts3_tokenizer(1)))';",
};

static void test_what_scripts_may_not_do(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        rb_err err;
        rb_db_outcome outcome;
        rb_db *db = help_scratch("CREATE TABLE t(a);");
        const script_pair pair = {"1", refused[i], NULL};
        rb_migrations *set = help_set(&pair, 1);
        if (help_run(&outcome, db, set, true, &err) == RB_OK)
            fail_msg("ran: %s", refused[i]);
        assert_non_null(strstr(rb_err_line(&err), "db/1.up.sql"));
        rb_migrations_free(set);
        rb_db_close(db);
    }
}

static void test_what_scripts_may_do(void **state)
{
    rb_err err;
    rb_db_outcome outcome;
    (void)state;
    rb_db *db = help_scratch("CREATE TABLE t(a);");
    const script_pair pair = {
        "1",
        "CREATE TABLE fts5 (id INTEGER PRIMARY KEY, load_extension TEXT);"
        "CREATE TABLE IF NOT EXISTS fts3_tokenizer (f REFERENCES fts5 (id));"
        "CREATE INDEX i ON fts5 (load_extension);"
        "INSERT INTO fts5 (load_extension) VALUES ('fts3_tokenizer(1)');"
        "CREATE VIRTUAL TABLE f USING fts5(body); CREATE VIRTUAL TABLE r USING rtree(id, x, y);"
        "CREATE TRIGGER g AFTER INSERT ON t BEGIN INSERT INTO f VALUES(new.a);"
        " INSERT INTO r VALUES(new.rowid, 1, 2); END; INSERT INTO t VALUES('word');"
        "SELECT snippet(f, 0, '', '', '', 4), bm25(f), json(1) ->> '$' FROM f WHERE f MATCH 'word';"
        "SELECT sum(a) OVER (ORDER BY rowid), a LIKE '%x', a GLOB '*', upper(a) FROM t;"
        "ALTER TABLE t RENAME COLUMN a TO b; CREATE TABLE d(c DEFAULT (abs(-1)));",
        NULL};
    rb_migrations *set = help_set(&pair, 1);
    help_ok(help_run(&outcome, db, set, true, &err), &err);
    rb_db_outcome_clear(&outcome);
    rb_migrations_free(set);
    rb_db_close(db);
}

/* Such a schema can only come from another program; the catalog is read before anything runs. */
static void test_a_schema_that_calls_refused_functions_is_not_read(void **state)
{
    static const char *const schemas[] = {
        "CREATE TABLE n(a DEFAULT (fts3_tokenizer('simple')));",
        "CREATE TABLE schema_migrations(version, CHECK (\"load_extension\"(version)));",
        "CREATE VIEW v AS SELECT fts5(1);",
    };
    (void)state;
    for (size_t i = 0; i < sizeof schemas / sizeof *schemas; i++) {
        rb_err err;
        json_t *catalog = NULL;
        rb_db *db = help_scratch(schemas[i]);
        assert_int_equal(rb_db_catalog(&catalog, db, &err), RB_FOUND);
        assert_non_null(strstr(rb_err_line(&err), i == 0 ? "table n calls fts3_tokenizer()"
                                                  : i == 1
                                                      ? "schema_migrations calls load_extension()"
                                                      : "view v calls fts5()"));
        rb_db_close(db);
    }
}

/* A trigger that another program created runs when rbtool itself writes. */
static void test_triggers_on_tables_of_rbtool_call_nothing_refused(void **state)
{
    rb_err err;
    (void)state;
    rb_db *db = help_scratch("CREATE TABLE t(a); CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT"
                             " load_extension('/nowhere.so'); END;");
    assert_int_equal(rb_db_exec(db, "INSERT INTO t VALUES(1)", NULL, &err), RB_ERROR);
    assert_non_null(strstr(rb_err_line(&err), "load_extension"));
    rb_db_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_function_of_the_library_is_classified),
        cmocka_unit_test(test_what_scripts_may_not_do),
        cmocka_unit_test(test_what_scripts_may_do),
        cmocka_unit_test(test_a_schema_that_calls_refused_functions_is_not_read),
        cmocka_unit_test(test_triggers_on_tables_of_rbtool_call_nothing_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
