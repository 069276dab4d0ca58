#include "database_help.h"

typedef struct refusal {
    const char *before;
    const char *script;
    const char *words; /* in the message */
} refusal;

static const refusal refusals[] = {
    {"", "CREATE TABLE a(x);\n\nCREATE TABL b(x);", "line 3: near \"TABL\""},
    {"", "SELECT 1;\n-- words\nDROP TABLE gone;", "line 3: no such table: gone"},
    {"CREATE TABLE t(a UNIQUE); INSERT INTO t VALUES(1);", "\n\n/* x */\nINSERT INTO t VALUES(1);",
     "line 4: UNIQUE constraint failed: t.a"},
    {"", "ATTACH 'x.db' AS x;", "ATTACH"},
    {"", "CREATE TABLE t(a); PRAGMA writable_schema=1;", "take out PRAGMA writable_schema"},
    {"", "VACUUM;", "VACUUM"},
    {"", "CREATE VIRTUAL TABLE v USING nothing_like_it(a);", "rbtool.extension"},
    {"", "CREATE TABLE t(a COLLATE german); CREATE INDEX i ON t(a);", "rbtool.extension"},
    {"", "SELECT no_such_thing(1);", "rbtool.extension"},
    {"", "DELETE FROM rbtool_applied;", "rbtool's own table rbtool_applied"},
    {"", "DROP TABLE rbtool_applied;", "rbtool's own table rbtool_applied"},
    {"", "ALTER TABLE rbtool_applied RENAME TO x;", "rbtool's own table rbtool_applied"},
    {"CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(p REFERENCES p); INSERT INTO p VALUES"
     "(1); INSERT INTO c VALUES(1),(7);",
     "DELETE FROM p;", "1 row whose foreign key finds no parent: c -> p"},
    {"CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(id INTEGER PRIMARY KEY, p REFERENCES"
     " p(id)); INSERT INTO p VALUES(1); INSERT INTO c VALUES(4,1),(5,99);",
     "UPDATE c SET p = NULL WHERE p = 99; DELETE FROM p;",
     "1 row whose foreign key finds no parent: c -> p (for example rowid 4)"},
    {"CREATE TABLE p(a, b, PRIMARY KEY(a, b)); CREATE TABLE c(k TEXT PRIMARY KEY, a, b, x "
     "REFERENCES"
     " gone, FOREIGN KEY(a, b) REFERENCES p) WITHOUT ROWID; INSERT INTO p VALUES(1,2);"
     "INSERT INTO c VALUES('k',1,2,1),('l',1,3,2),('m',NULL,3,NULL);",
     "DELETE FROM c WHERE k = 'l'; UPDATE c SET b = 4 WHERE k = 'k'; UPDATE c SET x = 3;",
     "1 row whose foreign key finds no parent: c -> "},
};

static void test_refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        rb_err err = {0};
        rb_db_outcome outcome;
        const script_pair pair = {"7", refusals[i].script, NULL};
        rb_migrations *set = help_set(&pair, 1);
        rb_db *db = help_scratch(refusals[i].before);
        char *before = help_rows(db, "SELECT sql FROM sqlite_schema");
        assert_int_not_equal(help_run(&outcome, db, set, true, &err), RB_OK);
        if (!strstr(rb_err_line(&err), refusals[i].words))
            fail_msg("%s\ngives\n%s\nwithout\n%s", refusals[i].script, rb_err_line(&err),
                     refusals[i].words);
        assert_null(strchr(rb_err_line(&err), '\n'));
        help_expect_rows(db, "SELECT sql FROM sqlite_schema", before);
        free(before);
        rb_db_close(db);
        rb_migrations_free(set);
    }
}

/* Violations that were there already do not stop a run, and settings do not leak between scripts.
 */
static void test_old_violations_and_leaks(void **state)
{
    (void)state;
    rb_err err;
    rb_db_outcome outcome;
    const script_pair pairs[] = {
        {"1",
         "CREATE TEMP TABLE leak(a); PRAGMA legacy_alter_table=ON; PRAGMA recursive_triggers=ON;"
         "INSERT INTO p VALUES (2)",
         NULL},
        {"2", "CREATE TEMP TABLE leak(a);", NULL},
    };
    rb_migrations *set = help_set(pairs, 2);
    rb_db *db = help_scratch("CREATE TABLE p(id INTEGER PRIMARY KEY);"
                             "CREATE TABLE c(p REFERENCES p); INSERT INTO c VALUES(7);");
    help_ok(help_run(&outcome, db, set, true, &err), &err);
    help_expect_rows(db, "PRAGMA legacy_alter_table", "[[0]]");
    help_expect_rows(db, "PRAGMA recursive_triggers", "[[0]]");
    help_expect_rows(db, "SELECT id, up_sha256 IS NOT NULL, release FROM rbtool_applied",
                     "[[\"1\",1,\"v1\"],[\"2\",1,\"v1\"]]");
    rb_db_outcome_clear(&outcome);
    /* what is applied is not applied again */
    assert_int_equal(help_run(&outcome, db, set, true, &err), RB_ERROR);
    assert_non_null(strstr(rb_err_line(&err), "applied already"));
    rb_db_close(db);
    rb_migrations_free(set);
}

static bool count_calls(void *context, const rb_db_step *step)
{
    size_t *calls = context;
    ++*calls;
    return strcmp(step->migration->id, "1") == 0;
}

static void test_proceed_stops(void **state)
{
    (void)state;
    rb_err err;
    rb_db_outcome outcome;
    size_t calls = 0;
    const script_pair pairs[] = {{"1", "CREATE TABLE a(x);", NULL},
                                 {"2", "CREATE TABLE b(x);", NULL}};
    rb_migrations *set = help_set(pairs, 2);
    rb_db *db = help_scratch("");
    const rb_db_step steps[] = {{.migration = &set->items[0], .up = true, .release = "v1"},
                                {.migration = &set->items[1], .up = true, .release = "v1"}};
    const rb_db_work work = {.steps = steps,
                             .n = 2,
                             .tracking = "",
                             .order = set,
                             .proceed = count_calls,
                             .context = &calls};
    assert_int_equal(rb_db_run(&outcome, db, &work, &err), RB_ERROR);
    assert_non_null(strstr(rb_err_line(&err), "begin first"));
    help_ok(rb_db_begin(db, &err), &err);
    assert_int_equal(rb_db_run(&outcome, db, &work, &err), RB_ERROR);
    assert_int_equal(calls, 2);
    rb_db_rollback(db);
    help_expect_rows(db, "SELECT name FROM sqlite_schema", "[]");
    rb_db_close(db);
    rb_migrations_free(set);
}

static void test_journal(void **state)
{
    (void)state;
    rb_err err;
    rb_db_outcome outcome;
    bool has = true;
    json_t *catalog = NULL;
    const script_pair pairs[] = {{"1", "CREATE TABLE a(x);", "DROP TABLE a;"}};
    rb_migrations *set = help_set(pairs, 1);
    rb_db *db = help_scratch("");
    help_ok(rb_db_journal_has(&has, db, "T1", &err), &err);
    assert_false(has);
    help_ok(rb_db_journal_catalog(&catalog, db, "v1", NULL, &err), &err);
    assert_null(catalog);
    assert_int_equal(rb_db_journal_add(db, "T1", NULL, "v1", NULL, NULL, &err), RB_ERROR);
    const rb_db_step steps[] = {{.migration = &set->items[0], .up = true, .release = "v1"}};
    const rb_db_work work = {.steps = steps, .n = 1, .tracking = "", .order = set};
    help_ok(rb_db_begin(db, &err), &err);
    help_ok(rb_db_run(&outcome, db, &work, &err), &err);
    help_ok(rb_db_journal_add(db, "T1", NULL, "v1", &outcome, NULL, &err), &err);
    help_ok(rb_db_commit(db, &err), &err);
    help_ok(rb_db_journal_has(&has, db, "T1", &err), &err);
    assert_true(has);
    help_ok(rb_db_journal_catalog(&catalog, db, "v1", NULL, &err), &err);
    assert_true(json_equal(catalog, outcome.after));
    json_decref(catalog);
    rb_catalog_now now;
    char fingerprint[RB_SHA256_HEX];
    char again[RB_SHA256_HEX];
    help_ok(rb_catalog_now_read(&now, db, &err), &err);
    help_ok(rb_db_journal_catalog(&catalog, db, "v1", &now, &err), &err);
    assert_ptr_equal(catalog, now.catalog);
    rb_catalog_fingerprint(catalog, fingerprint);
    rb_catalog_fingerprint(outcome.after, again);
    assert_string_equal(fingerprint, again);
    json_decref(catalog);
    rb_db_outcome_clear(&outcome);

    /* somebody adds an index; leaving v1 records it */
    help_exec(db, "CREATE INDEX drift ON a(x)");
    const rb_db_work none = {.tracking = "", .order = set};
    json_t *bound = json_pack("{s:s}", "environment", "prod");
    json_t *pins = NULL;
    help_ok(rb_db_begin(db, &err), &err);
    help_ok(rb_db_run(&outcome, db, &none, &err), &err);
    help_ok(rb_db_journal_add(db, "T2", "v1", "v0", &outcome, bound, &err), &err);
    help_ok(rb_db_commit(db, &err), &err);
    help_ok(rb_db_journal_pins(&pins, db, &err), &err);
    assert_true(json_equal(pins, bound));
    json_decref(pins);
    json_decref(bound);
    help_ok(rb_db_journal_catalog(&catalog, db, "v1", &now, &err), &err);
    assert_non_null(json_object_get(catalog, "index drift"));
    rb_catalog_fingerprint(catalog, again);
    assert_string_not_equal(fingerprint, again);
    json_decref(catalog);
    rb_catalog_now_clear(&now);
    rb_db_outcome_clear(&outcome);
    rb_db_close(db);
    rb_migrations_free(set);
}

/* Each script starts alike: neither the first one nor one after another's settings. */
static void test_scripts_start_alike(void **state)
{
    (void)state;
    rb_err err;
    rb_db_outcome outcome;
    const script_pair pairs[] = {
        {"1",
         "CREATE TABLE t(run, n); CREATE TRIGGER r AFTER INSERT ON t WHEN new.n < 5 BEGIN"
         " INSERT INTO t VALUES(new.run, new.n + 1); END; INSERT INTO t VALUES(1, 1);",
         NULL},
        {"2", "PRAGMA recursive_triggers=ON; INSERT INTO t VALUES(2, 1); CREATE TEMP TABLE x(a);",
         NULL},
        {"3", "INSERT INTO t VALUES(3, 1); CREATE TABLE temp.x(a); CREATE TEMP VIEW v AS SELECT 1;",
         NULL},
        {"4", "INSERT INTO t VALUES(4, 1); CREATE TEMP TABLE x(a); CREATE TEMP VIEW v AS SELECT 1;",
         NULL}};
    rb_migrations *set = help_set(pairs, 4);
    rb_db *db = help_scratch("");
    help_ok(help_run(&outcome, db, set, true, &err), &err);
    help_expect_rows(db, "SELECT run, count(*) FROM t GROUP BY run", "[[1,2],[2,5],[3,2],[4,2]]");
    rb_db_outcome_clear(&outcome);
    rb_db_close(db);
    rb_migrations_free(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_old_violations_and_leaks),
        cmocka_unit_test(test_proceed_stops),
        cmocka_unit_test(test_journal),
        cmocka_unit_test(test_scripts_start_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
