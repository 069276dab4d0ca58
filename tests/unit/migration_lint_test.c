#include "migration_repo.h"

#include "migration/lint.h"

/* "RULE ID FILE:LINE" of every finding, one a line. */
static char *lint(const test_repo *r, const char *engine, const rb_released *released, size_t count,
                  rb_findings *findings)
{
    rb_oid tree = test_commit(r);
    rb_migrations *set = NULL;
    rb_err err = {0};
    if (rb_migrations_read(&set, r->repo, &tree, "m", "auto", "sqlite", &err) != RB_OK)
        fail_msg("%s", rb_err_line(&err));
    rb_findings_clear(findings);
    rb_lint(findings, set, engine, released, count, NULL);
    rb_buf all = {0};
    for (size_t i = 0; i < findings->n; i++) {
        const rb_finding *f = &findings->items[i];
        rb_buf_printf(&all, "%s %s %s:%zu\n", f->rule, f->migration, f->file, f->line);
    }
    rb_migrations_free(set);
    return rb_buf_detach(&all);
}

static void assert_lint(const test_repo *r, const char *engine, const char *expected)
{
    rb_findings findings = {0};
    char *all = lint(r, engine, NULL, 0, &findings);
    assert_string_equal(all, expected);
    free(all);
    rb_findings_clear(&findings);
}

static void clean_sets_pass(void **state)
{
    (void)state;
    test_repo r = test_repo_new();
    test_put(&r, "m/1_a.up.sql", "CREATE TABLE a(x); INSERT INTO a VALUES (1);");
    test_put(&r, "m/1_a.down.sql", "DROP TABLE a;");
    test_put(&r, "m/2_b.up.sql", "BEGIN; ALTER TABLE a ADD COLUMN y; COMMIT;");
    test_put(&r, "m/2_b.down.sql", "ALTER TABLE a DROP COLUMN y;");
    test_put(&r, "m/3_nothing.up.sql", "-- only for other engines\n");
    test_put(&r, "m/3_nothing.down.sql", "");
    /* the rebuild that SQLite's documentation recommends */
    test_put(&r, "m/4_rebuild.up.sql",
             "PRAGMA foreign_keys=off;\nBEGIN;\nCREATE TABLE new_a(x NOT NULL, y);\n"
             "INSERT INTO new_a SELECT x, y FROM main.a;\nDROP TABLE a;\n"
             "ALTER TABLE new_a RENAME TO a;\nCREATE TEMP TABLE t AS SELECT * FROM a;\n"
             "DROP TABLE t;\nCOMMIT;\nPRAGMA foreign_keys=on;\n");
    test_put(&r, "m/4_rebuild.down.sql", "SELECT 1;");
    assert_lint(&r, "sqlite", "");
    test_repo_free(&r);
}

static void random_values(void **state)
{
    (void)state;
    test_repo r = test_repo_new();
    test_put(&r, "m/1_a.up.sql",
             "CREATE TABLE a(x DEFAULT (random()), random);\n"
             "CREATE TRIGGER t AFTER INSERT ON a BEGIN UPDATE a SET x = random(); END;\n"
             "INSERT INTO a VALUES ('random()', CURRENT_TIMESTAMP);\n"
             "INSERT INTO a SELECT 1,\n  hex( RandomBlob (8)), random();\n"
             "UPDATE a SET x = random();");
    test_put(&r, "m/1_a.down.sql", "DELETE FROM a WHERE random() > 0; DROP TABLE a;");
    assert_lint(&r, "sqlite", "RB005 1 m/1_a.up.sql:5\nRB005 1 m/1_a.up.sql:6\n");
    test_repo_free(&r);
}

static void no_down(void **state)
{
    (void)state;
    test_repo r = test_repo_new();
    test_put(&r, "m/1_a.up.sql", "SELECT 1;");
    test_put(&r, "m/2_b.up.sql", "SELECT 1;");
    test_put(&r, "m/2_b.down.sql", "-- nothing to do\n");
    test_put(&r, "m/3_c.up.sql", "SELECT 1;");
    test_put(&r, "m/4_c.down.sql", "SELECT 1;");
    rb_findings findings = {0};
    char *all = lint(&r, "sqlite", NULL, 0, &findings);
    assert_string_equal(all, "RB001 1 m/1_a.up.sql:1\nRB001 2 m/2_b.down.sql:1\n"
                             "RB001 3 m/3_c.up.sql:1\n");
    free(all);
    assert_string_equal(findings.items[0].message, "it has no down; write one, beside the up");
    assert_string_equal(findings.items[2].message,
                        "it has no down; is this its misspelt name: m/4_c.down.sql");
    rb_findings_clear(&findings);
    test_repo_free(&r);
}

static void destroys_data(void **state)
{
    (void)state;
    test_repo r = test_repo_new();
    test_put(&r, "m/1_a.up.sql",
             "CREATE TABLE IF NOT EXISTS maybe(x);\n"
             "DROP TABLE IF EXISTS a, main.\"b\";\n"
             "ALTER TABLE c\n DROP COLUMN d;\n"
             "DELETE FROM e WHERE x;\nDROP TABLE maybe;\n"
             "WITH z AS (SELECT 1) DELETE FROM f;\n"
             "DELETE FROM sqlite_sequence;\nDROP INDEX i;\nDROP VIEW v;\n"
             "INSERT INTO log SELECT 'DROP TABLE x';\n");
    test_put(&r, "m/1_a.down.sql", "DROP TABLE q;");
    rb_findings findings = {0};
    char *all = lint(&r, "sqlite", NULL, 0, &findings);
    assert_string_equal(all, "RB003 1 m/1_a.up.sql:2\nRB003 1 m/1_a.up.sql:2\n"
                             "RB003 1 m/1_a.up.sql:3\nRB003 1 m/1_a.up.sql:5\n"
                             "RB003 1 m/1_a.up.sql:6\nRB003 1 m/1_a.up.sql:7\n");
    free(all);
    assert_string_equal(findings.items[1].message,
                        "DROP TABLE b destroys data that the down cannot bring back; rename "
                        "it in this release, and drop it in the next");
    assert_string_equal(findings.items[2].message,
                        "DROP COLUMN c.d destroys data that the down cannot bring back; rename "
                        "it in this release, and drop it in the next");
    rb_findings_clear(&findings);
    test_put(&r, "m/1_a.up.sql",
             "ALTER TABLE ONLY a ADD CONSTRAINT k CHECK (x, y), ALTER COLUMN b DROP DEFAULT,\n"
             " DROP CONSTRAINT c, DROP d, DROP COLUMN IF EXISTS e CASCADE;\n"
             "TRUNCATE TABLE f;\nDO $$ BEGIN DELETE FROM g; END $$;\nDROP SCHEMA s CASCADE;");
    all = lint(&r, "postgresql", NULL, 0, &findings);
    assert_string_equal(all, "RB003 1 m/1_a.up.sql:1\nRB003 1 m/1_a.up.sql:1\n"
                             "RB003 1 m/1_a.up.sql:3\nRB003 1 m/1_a.up.sql:5\n");
    assert_string_equal(findings.items[0].message,
                        "DROP COLUMN a.d destroys data that the down cannot bring back; rename "
                        "it in this release, and drop it in the next");
    free(all);
    rb_findings_clear(&findings);
    test_repo_free(&r);
}

static void not_transactional(void **state)
{
    (void)state;
    test_repo r = test_repo_new();
    test_put(&r, "m/1_a.sql",
             "-- migrate:up transaction:false\nPRAGMA foreign_keys=off;\n"
             "PRAGMA journal_mode;\n"
             "-- migrate:down\nSELECT 1;\nPRAGMA journal_mode=WAL;\nVACUUM;\n");
    assert_lint(&r, "sqlite", "RB006 1 m/1_a.sql:6\nRB006 1 m/1_a.sql:7\n");
    test_put(&r, "m/1_a.sql",
             "-- migrate:up transaction:false\nSELECT 1;\n"
             "-- migrate:down transaction:false\nCREATE UNIQUE INDEX CONCURRENTLY i ON t(x);\n"
             "DROP INDEX CONCURRENTLY j; CREATE INDEX concurrently_not ON t(x);");
    assert_lint(&r, "postgresql",
                "RB006 1 m/1_a.sql:1\nRB006 1 m/1_a.sql:4\nRB006 1 m/1_a.sql:5\n");
    test_repo_free(&r);
}

static void segments_are_warnings(void **state)
{
    (void)state;
    static const struct {
        const char *down;
        size_t refusing;
    } cases[] = {
        {"DROP INDEX CONCURRENTLY i;", 0},
        {"SET lock_timeout = '1s'; DROP INDEX CONCURRENTLY i; REINDEX SCHEMA s; VACUUM t;", 0},
        {"DROP INDEX CONCURRENTLY i; DROP TABLE t;", 1},
        {"DROP DATABASE d;", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rb_findings findings = {0};
        test_repo r = test_repo_new();
        test_put(&r, "m/1_a.up.sql", "CREATE INDEX CONCURRENTLY i ON t(x);");
        test_put(&r, "m/1_a.down.sql", cases[i].down);
        free(lint(&r, "postgresql", NULL, 0, &findings));
        assert_true(findings.n > 1 && findings.items[0].warning);
        assert_int_equal(rb_findings_refusing(&findings), cases[i].refusing);
        rb_findings_clear(&findings);
        test_repo_free(&r);
    }
}

static void transaction_control(void **state)
{
    (void)state;
    test_repo r = test_repo_new();
    test_put(&r, "m/1_a.sql",
             "-- about\n-- migrate:up\nSELECT 1;\nCOMMIT;\n"
             "-- migrate:down\nSELECT 1;\n\nROLLBACK;\n");
    assert_lint(&r, "sqlite", "RB009 1 m/1_a.sql:4\nRB009 1 m/1_a.sql:8\n");
    test_repo_free(&r);
}

static void duplicates(void **state)
{
    (void)state;
    test_repo r = test_repo_new();
    static const char text[] = "-- migrate:up\n-- migrate:down\n";
    test_put(&r, "m/12_b.sql", text);
    test_put(&r, "m/1_a.sql", text);
    test_put(&r, "m/1_c.sql", text);
    assert_lint(&r, "sqlite", "RB008 1 m/1_c.sql:1\n");
    test_repo_free(&r);
}

/* What other engines have under a number is no duplicate, and no down gone astray. */
static void other_engines(void **state)
{
    (void)state;
    test_repo r = test_repo_new();
    test_put(&r, "m/V1.a.mysql.up.sql", "SELECT 1;");
    test_put(&r, "m/V1.a.sqlite.up.sql", "SELECT 1;");
    test_put(&r, "m/V1.a.all.down.sql", "SELECT 1;");
    test_put(&r, "m/V2.b.sqlite.up.sql", "SELECT 1;");
    test_put(&r, "m/V2.b.mysql.up.sql", "SELECT 1;");
    test_put(&r, "m/V2.b.mysql.down.sql", "SELECT 1;");
    rb_findings findings = {0};
    char *all = lint(&r, "sqlite", NULL, 0, &findings);
    assert_string_equal(all, "RB001 2 m/V2.b.sqlite.up.sql:1\n");
    assert_string_equal(findings.items[0].message, "it has no down; write one, beside the up");
    free(all);
    rb_findings_clear(&findings);
    test_repo_free(&r);
}

static void against_a_release(void **state)
{
    (void)state;
    char same[RB_SHA256_HEX], other[RB_SHA256_HEX];
    rb_sha256_hex_of("SELECT 1;", 9, same);
    rb_sha256_hex_of("SELECT 2;", 9, other);
    const rb_released released[] = {
        {.id = "10", .up = same, .down = same, .release = "v1.0.0"},
        {.id = "2", .up = same, .down = NULL, .release = "v1.0.0"},
        {.id = "3", .up = other, .down = other, .release = "v1.1.0"},
        {.id = "4", .up = same, .down = same, .release = "v1.1.0"},
    };
    test_repo r = test_repo_new();
    test_put(&r, "m/2_old.up.sql", "SELECT 1;"); /* released so: no RB001 */
    test_put(&r, "m/3_changed.up.sql", "SELECT 1;");
    test_put(&r, "m/3_changed.down.sql", "SELECT 1;");
    test_put(&r, "m/5_new.up.sql", "SELECT 1;");
    test_put(&r, "m/5_new.down.sql", "SELECT 1;");
    test_put(&r, "m/10_same.up.sql", "SELECT 1;");
    test_put(&r, "m/10_same.down.sql", "SELECT 1;");
    test_put(&r, "m/11_newest.up.sql", "SELECT 1;");
    test_put(&r, "m/11_newest.down.sql", "SELECT 1;");
    rb_findings findings = {0};
    char *all = lint(&r, "sqlite", released, 4, &findings);
    assert_string_equal(all, "RB004 3 m/3_changed.up.sql:1\nRB004 3 m/3_changed.down.sql:1\n"
                             "RB008 5 m/5_new.up.sql:1\nRB004 4 :1\n");
    assert_string_equal(findings.items[2].message,
                        "it is new but sorts before 10, released with v1.0.0; give it a later id");
    free(all);
    rb_findings_clear(&findings);
    test_repo_free(&r);
}

static void put_pair(const test_repo *r, const char *id, const char *up)
{
    RB_AUTO(rb_free_str) char *path = rb_format("m/%s.up.sql", id);
    RB_AUTO(rb_free_str) char *down = rb_format("m/%s.down.sql", id);
    test_put(r, path, up);
    test_put(r, down, "SELECT 0;");
}

/* Three released migrations: 1 to 3 are SELECT 1; to SELECT 3; */
typedef struct three {
    char hashes[4][RB_SHA256_HEX];
    rb_released released[3];
} three;

static void three_init(three *t)
{
    static const char *const ids[] = {"1", "2", "3"};
    static const char *const texts[] = {"SELECT 0;", "SELECT 1;", "SELECT 2;", "SELECT 3;"};
    for (size_t i = 0; i < 4; i++)
        rb_sha256_hex_of(texts[i], 9, t->hashes[i]);
    for (size_t i = 0; i < 3; i++)
        t->released[i] = (rb_released){
            .id = ids[i], .up = t->hashes[i + 1], .down = t->hashes[0], .release = "v1.0.0"};
}

static void assert_against(const test_repo *r, const three *t, const char *expected,
                           const char *last)
{
    rb_findings findings = {0};
    char *all = lint(r, "sqlite", t->released, 3, &findings);
    assert_string_equal(all, expected);
    assert_non_null(strstr(findings.items[findings.n - 1].message, last));
    free(all);
    rb_findings_clear(&findings);
}

static void renumbered_while_another_is_edited(void **state)
{
    (void)state;
    three t;
    three_init(&t);
    test_repo r = test_repo_new();
    put_pair(&r, "1_a", "SELECT 1; -- edited");
    put_pair(&r, "3_other_name", "SELECT 3;");
    put_pair(&r, "5_b", "SELECT 2;");
    assert_against(&r, &t, "RB004 1 m/1_a.up.sql:1\nRB008 5 m/5_b.up.sql:1\n",
                   "it is renumbered: its scripts were released as 2 with v1.0.0");
    test_repo_free(&r);
}

static void twins_are_not_renumbered(void **state)
{
    (void)state;
    three t;
    three_init(&t);
    test_repo r = test_repo_new();
    put_pair(&r, "1_a", "SELECT 1;");
    put_pair(&r, "3_c", "SELECT 3;");
    put_pair(&r, "5_b", "SELECT 2;");
    put_pair(&r, "6_b", "SELECT 2;");
    assert_against(&r, &t, "RB004 2 :1\n", "it was released with v1.0.0 and is gone");
    test_repo_free(&r);
}

static void an_id_given_to_another(void **state)
{
    (void)state;
    three t;
    three_init(&t);
    test_repo r = test_repo_new();
    put_pair(&r, "1_a", "SELECT 1;");
    put_pair(&r, "2_new", "SELECT 4;");
    put_pair(&r, "3_b", "SELECT 2;"); /* was 2 */
    put_pair(&r, "4_c", "SELECT 3;"); /* was 3 */
    assert_against(&r, &t, "RB004 2 m/2_new.up.sql:1\nRB004 3 m/3_b.up.sql:1\n",
                   "for the scripts that now have id 4 (m/4_c.up.sql)");
    test_repo_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clean_sets_pass),
        cmocka_unit_test(random_values),
        cmocka_unit_test(no_down),
        cmocka_unit_test(destroys_data),
        cmocka_unit_test(not_transactional),
        cmocka_unit_test(segments_are_warnings),
        cmocka_unit_test(transaction_control),
        cmocka_unit_test(duplicates),
        cmocka_unit_test(other_engines),
        cmocka_unit_test(against_a_release),
        cmocka_unit_test(renumbered_while_another_is_edited),
        cmocka_unit_test(twins_are_not_renumbered),
        cmocka_unit_test(an_id_given_to_another),
    };
    return cmocka_run_group_tests_name("migration_lint", tests, NULL, NULL);
}
