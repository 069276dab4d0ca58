#include "database_help.h"

#include <time.h>

#include "proof/proof.h"

#define CLOCK 1700000000 /* 2023-11-14 22:13:20 UTC */

/* The first migration is there before; the second is proven. */
typedef struct proof_case {
    const char *name;
    const char *base;
    const char *up;
    const char *down;
    const char *seed;
    const char *class_;
    const char *result; /* of the migration, canonical JSON without id */
} proof_case;

#define RESULT(restores, differences, destroys, discards, reapplies)                               \
    "{\"destroys\":[" destroys "],\"differences\":[" differences "],\"discards\":[" discards       \
    "],\"id\":\"2\",\"reapplies\":" reapplies ",\"restores\":\"" restores "\",\"unfilled\":[]}"
#define PLACE(table, column) "{\"column\":" column ",\"table\":\"" table "\"}"
#define CHANGE(object, change) "{\"change\":\"" change "\",\"object\":\"" object "\"}"

static const proof_case cases[] = {
    {"a table there and back", "CREATE TABLE a(x);", "CREATE TABLE b(y INT);", "DROP TABLE b;",
     NULL, "reversible", RESULT("identical", "", "", PLACE("b", "null"), "true")},
    {"a column there and back", "CREATE TABLE a(x);", "ALTER TABLE a ADD COLUMN y INT;",
     "ALTER TABLE a DROP COLUMN y;", NULL, "reversible",
     RESULT("identical", "", "", PLACE("a", "\"y\""), "true")},
    {"a dropped column comes back empty and last", "CREATE TABLE a(x, y);",
     "ALTER TABLE a DROP COLUMN x;", "ALTER TABLE a ADD COLUMN x;", NULL, "lossy",
     RESULT("order", CHANGE("order a", "changed"), PLACE("a", "\"x\""), "", "true")},
    {"not null passes on no rows and fails on one", "CREATE TABLE a(x NOT NULL);",
     "CREATE TABLE n(x); INSERT INTO n SELECT x FROM a; DROP TABLE a; ALTER TABLE n RENAME TO a;"
     "ALTER TABLE a ADD COLUMN y;",
     "CREATE TABLE n(x NOT NULL, z NOT NULL); INSERT INTO n SELECT x, y FROM a; DROP TABLE a;"
     "ALTER TABLE n RENAME TO a;",
     NULL, "irreversible", NULL},
    {"blank over a real change", "CREATE TABLE a(x);", "CREATE INDEX i ON a(x);", "-- nothing",
     NULL, "irreversible", RESULT("differs", CHANGE("index i", "added"), "", "", "false")},
    {"blank over none", "CREATE TABLE a(x);", "SELECT 1;", "", NULL, "reversible",
     RESULT("identical", "", "", "", "true")},
    {"a version of the schema that the down forgets", "CREATE TABLE a(x); PRAGMA user_version=1;",
     "CREATE TABLE b(y); PRAGMA user_version=2; PRAGMA application_id=7;",
     "DROP TABLE b; PRAGMA application_id=0;", NULL, "lossy",
     RESULT("differs", CHANGE("setting user_version", "changed"), "", PLACE("b", "null"), "true")},
    {"a version of the schema there and back", "CREATE TABLE a(x); PRAGMA user_version=1;",
     "CREATE TABLE b(y); PRAGMA user_version=2;", "DROP TABLE b; PRAGMA user_version=1;", NULL,
     "reversible", RESULT("identical", "", "", PLACE("b", "null"), "true")},
    {"a default is lost", "CREATE TABLE a(x INT DEFAULT 7);",
     "CREATE TABLE n(x INT); INSERT INTO n SELECT x FROM a; DROP TABLE a; ALTER TABLE n RENAME TO"
     " a;",
     "CREATE TABLE n(x INT); INSERT INTO n SELECT x FROM a; DROP TABLE a; ALTER TABLE n RENAME TO"
     " a;",
     NULL, "lossy", RESULT("differs", CHANGE("column a.x", "changed"), "", "", "true")},
    {"rows of the up stay", "CREATE TABLE a(x);", "INSERT INTO a VALUES('new');", "SELECT 1;", NULL,
     "lossy", RESULT("differs", CHANGE("rows a", "changed"), "", "", "true")},
    {"rows of the up go", "CREATE TABLE a(x);", "INSERT INTO a VALUES('new');",
     "DELETE FROM a WHERE x = 'new';", NULL, "reversible", RESULT("identical", "", "", "", "true")},
    {"the down deletes more than the up made", "CREATE TABLE a(x);", "INSERT INTO a VALUES('new');",
     "DELETE FROM a;", NULL, "lossy",
     RESULT("differs", CHANGE("rows a", "changed"), "", PLACE("a", "null"), "true")},
    {"values changed both ways", "CREATE TABLE a(x INT);", "UPDATE a SET x = x + 1;",
     "UPDATE a SET x = x - 1;", NULL, "reversible", RESULT("identical", "", "", "", "true")},
    {"the seed's rows", "CREATE TABLE a(x, k);", "DELETE FROM a WHERE k = 'seed';", "SELECT 1;",
     "INSERT INTO a VALUES(1, 'other'); INSERT INTO a VALUES(2, 'seed');", "lossy",
     RESULT("identical", "", PLACE("a", "null"), "", "true")},
    {"rows that no made-up row is one of", "CREATE TABLE Old(x INT, y INT);",
     "DELETE FROM OLD WHERE x = 987; DROP TABLE IF EXISTS gone; CREATE TABLE b(a); DELETE FROM b;",
     "DROP TABLE b;", NULL, "lossy",
     RESULT("identical", "", PLACE("Old", "null") "," PLACE("gone", "null"), PLACE("b", "null"),
            "true")},
    {"a column that is destroyed is named once", "CREATE TABLE Old(x INT, Y INT);",
     "ALTER TABLE old DROP y;", "ALTER TABLE old ADD Y INT;", NULL, "lossy",
     RESULT("identical", "", PLACE("Old", "\"Y\""), "", "true")},
    {"an up that fails the second time", "CREATE TABLE a(x);",
     "CREATE TABLE b(y); INSERT INTO b SELECT 1; CREATE TABLE once(z);", "DROP TABLE b;", NULL,
     "lossy", RESULT("differs", CHANGE("table once", "added"), "", PLACE("b", "null"), "false")},
    {"a view that reads a dropped column", "CREATE TABLE a(x, y);",
     "CREATE VIEW v AS SELECT y FROM a;", "DROP VIEW v;", NULL, "reversible",
     RESULT("identical", "", "", "", "true")},
    {"values that the scripts name", "CREATE TABLE a(k INT NOT NULL);",
     "CREATE TABLE n(k TEXT NOT NULL); INSERT INTO n SELECT CASE a.k WHEN 1 THEN 'red' WHEN 2 THEN"
     " 'blue' END FROM a; DROP TABLE a; ALTER TABLE n RENAME TO a;",
     "CREATE TABLE n(k INT NOT NULL); INSERT INTO n SELECT CASE WHEN k = 'red' THEN 1 WHEN k ="
     " 'blue' THEN 2 END FROM a; DROP TABLE a; ALTER TABLE n RENAME TO a;",
     NULL, "reversible", RESULT("identical", "", "", "", "true")},
    {"values that the scripts name and map to none elsewhere", "CREATE TABLE a(k TEXT);",
     "UPDATE a SET k = CASE k WHEN 'x' THEN 'y' END;",
     "UPDATE a SET k = CASE WHEN k IN ('y') THEN"
     " 'x' END;",
     NULL, "lossy", RESULT("identical", "", PLACE("a", "\"k\""), "", "true")},
    {"values that the scripts name and map to one", "CREATE TABLE a(k INT NOT NULL);",
     "CREATE TABLE n(k TEXT NOT NULL); INSERT INTO n SELECT CASE k WHEN 1 THEN 'red' WHEN 2 THEN"
     " 'red' END FROM a; DROP TABLE a; ALTER TABLE n RENAME TO a;",
     "CREATE TABLE n(k INT NOT NULL); INSERT INTO n SELECT CASE k WHEN 'red' THEN 1 END FROM a;"
     "DROP TABLE a; ALTER TABLE n RENAME TO a;",
     NULL, "lossy", NULL},
    {"a down that fails on rows of one kind", "CREATE TABLE a(k TEXT, w TEXT);", "SELECT 1;",
     "CREATE TABLE c(n CHECK(n < 7)); INSERT INTO c SELECT length(w) FROM a; DROP TABLE c;", NULL,
     "lossy", NULL},
    {"a down that fails on every row", "CREATE TABLE a(k TEXT NOT NULL);", "SELECT 1;",
     "CREATE TABLE c(n CHECK(n < 1)); INSERT INTO c SELECT length(k) FROM a; DROP TABLE c;", NULL,
     "irreversible", NULL},
    {"a down that fails on empty tables", "CREATE TABLE s(theme TEXT NOT NULL);",
     "CREATE TABLE kv(k TEXT, v TEXT NOT NULL); INSERT INTO kv SELECT 'theme', theme FROM s;"
     "DROP TABLE s;",
     "CREATE TABLE s(theme TEXT NOT NULL); INSERT INTO s SELECT (SELECT v FROM kv WHERE k ="
     " 'theme'); DROP TABLE kv;",
     NULL, "irreversible", NULL},
    {"checks that a row can be made for",
     "CREATE TABLE a(state TEXT NOT NULL CHECK(state IN ('open', 'closed')), n INT NOT NULL"
     " CHECK(n BETWEEN 3 AND 5), code TEXT NOT NULL CHECK(code GLOB 'ORD-[0-9]*'), mail TEXT NOT"
     " NULL CHECK(mail LIKE '%@%'), iso TEXT NOT NULL CHECK(length(iso) = 2), doc TEXT NOT NULL"
     " CHECK(json_valid(doc)));",
     "UPDATE a SET n = n + 1;", "UPDATE a SET n = n - 1;", NULL, "reversible",
     RESULT("identical", "", "", "", "true")},
    {"time and chance do not show", "CREATE TABLE a(x, t DEFAULT CURRENT_TIMESTAMP);",
     "INSERT INTO a VALUES(hex(randomblob(8)), CURRENT_TIMESTAMP);",
     "DELETE FROM a WHERE rowid = (SELECT max(rowid) FROM a);", NULL, "reversible",
     RESULT("identical", "", "", "", "true")},
};

static enum rb_code prove_at(rb_proof *proof, const rb_migrations *set, const bool *is_new,
                             const char *seed, int64_t clock, rb_err *err)
{
    const rb_proof_request request = {.engine = "sqlite",
                                      .set = set,
                                      .is_new = is_new,
                                      .seed = seed,
                                      .seed_file = "seed.sql",
                                      .clock = clock};
    return rb_proof_make_here(proof, &request, err);
}

static enum rb_code prove_set(rb_proof *proof, const rb_migrations *set, const bool *is_new,
                              const char *seed, rb_err *err)
{
    return prove_at(proof, set, is_new, seed, CLOCK, err);
}

static char *prove(rb_proof *proof, const proof_case *c)
{
    rb_err err;
    const script_pair pairs[] = {{"1", c->base, NULL}, {"2", c->up, c->down}};
    const bool is_new[] = {false, true};
    rb_migrations *set = help_set(pairs, 2);
    if (prove_set(proof, set, is_new, c->seed, &err) != RB_OK)
        fail_msg("%s: %s", c->name, rb_err_line(&err));
    rb_migrations_free(set);
    return help_json(json_array_get(json_object_get(proof->json, "migrations"), 0));
}

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rb_proof proof;
        rb_proof again;
        char *result = prove(&proof, &cases[i]);
        char *second = prove(&again, &cases[i]);
        if (cases[i].result && strcmp(result, cases[i].result) != 0)
            fail_msg("%s:\n%s\nexpected\n%s", cases[i].name, result, cases[i].result);
        if (strcmp(proof.class_, cases[i].class_) != 0)
            fail_msg("%s: class %s, expected %s: %s", cases[i].name, proof.class_, cases[i].class_,
                     result);
        assert_string_equal(result, second);
        assert_string_equal(proof.fingerprint, again.fingerprint);
        free(result);
        free(second);
        rb_proof_clear(&proof);
        rb_proof_clear(&again);
    }
}

static void test_failing_down_says_where(void **state)
{
    (void)state;
    rb_proof proof;
    const proof_case c = {
        "",  "CREATE TABLE a(x);", "CREATE TABLE b(y);", "\n\nDROP TABLE c;", NULL, "irreversible",
        NULL};
    free(prove(&proof, &c));
    const json_t *result = json_array_get(json_object_get(proof.json, "migrations"), 0);
    assert_string_equal(rb_json_str(result, "restores"), "fails");
    assert_non_null(strstr(rb_json_str(result, "error"), "db/2.down.sql line 3: no such table: c"));
    assert_string_equal(proof.class_, "irreversible");
    rb_proof_clear(&proof);
}

static void test_failing_up_is_an_error(void **state)
{
    (void)state;
    rb_err err;
    rb_proof proof;
    const script_pair pairs[] = {{"1", "CREATE TABLE a(x);", NULL},
                                 {"2", "CREATE TABLE b(y);\nDROP TABLE nowhere;", ""}};
    const bool is_new[] = {false, true};
    rb_migrations *set = help_set(pairs, 2);
    assert_int_equal(prove_set(&proof, set, is_new, NULL, &err), RB_FOUND);
    assert_non_null(strstr(rb_err_line(&err), "db/2.up.sql line 2: no such table: nowhere"));
    rb_migrations_free(set);
}

/* No made-up row is the parent that an up forgot, and none of them is to blame. */
static void test_references_of_ups(void **state)
{
    (void)state;
    rb_err err;
    const bool is_new[] = {false, true, true};
    const script_pair bad[] = {
        {"1", "CREATE TABLE p(id INTEGER PRIMARY KEY);", "DROP TABLE p;"},
        {"2", "CREATE TABLE q(p REFERENCES p(id)); INSERT INTO q VALUES(1);", "DROP TABLE q;"}};
    /* the parent comes with the next one; and rows of p that the proof makes up have children */
    const script_pair good[] = {
        {"1", "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(p NOT NULL REFERENCES p);",
         "DROP TABLE c; DROP TABLE p;"},
        {"2", "CREATE TABLE q(p REFERENCES p(id)); INSERT INTO q VALUES(9);", "DROP TABLE q;"},
        {"3", "DELETE FROM p; INSERT INTO p VALUES(9);", "DELETE FROM p;"}};
    rb_proof proof;
    rb_migrations *set = help_set(bad, 2);
    assert_int_equal(prove_set(&proof, set, is_new, NULL, &err), RB_FOUND);
    assert_string_equal(rb_err_line(&err),
                        "the new migrations, in an empty database: the scripts leave 1 row whose"
                        " foreign key finds no parent: q -> p (for example rowid 1); look with"
                        " PRAGMA foreign_key_check, fix the script or the rows");
    rb_migrations_free(set);
    set = help_set(good, 3);
    help_ok(prove_set(&proof, set, is_new, NULL, &err), &err);
    rb_proof_clear(&proof);
    rb_migrations_free(set);
}

/* An up that relies on its rows being of a certain kind is no fault; and its way back was not tried
 * with such rows. */
static void test_rows_that_do_not_fit(void **state)
{
    (void)state;
    rb_proof proof;
    const proof_case c = {"",
                          "CREATE TABLE a(x TEXT);",
                          "CREATE TABLE b(y CHECK(y IN ('p','q'))); INSERT INTO b SELECT x FROM a;",
                          "DROP TABLE b;",
                          NULL,
                          NULL,
                          NULL};
    free(prove(&proof, &c));
    const json_t *result = json_array_get(json_object_get(proof.json, "migrations"), 0);
    assert_string_equal(rb_json_str(result, "restores"), "untested");
    assert_non_null(strstr(rb_json_str(result, "error"), "CHECK constraint failed"));
    assert_string_equal(proof.class_, "lossy");
    rb_proof_clear(&proof);
}

static void test_seed_that_never_fits(void **state)
{
    (void)state;
    rb_err err;
    rb_proof proof;
    const script_pair pairs[] = {{"1", "CREATE TABLE a(x);", "DROP TABLE a;"}};
    const bool is_new[] = {true};
    rb_migrations *set = help_set(pairs, 1);
    const char *seed = "INSERT INTO a VALUES(1);\nINSERT INTO b VALUES(1);";
    assert_int_equal(prove_set(&proof, set, is_new, seed, &err), RB_FOUND);
    assert_non_null(strstr(rb_err_line(&err), "statement 2 of the seed never runs"));
    rb_migrations_free(set);
}

static void test_clock(void **state)
{
    (void)state;
    rb_err err;
    rb_proof proof;
    const script_pair pairs[] = {{"1",
                                  "CREATE TABLE a(x CHECK(x = '2023-11-14 22:13:20'));"
                                  "INSERT INTO a VALUES(datetime('now'));",
                                  "DROP TABLE a;"}};
    const bool is_new[] = {true};
    rb_migrations *set = help_set(pairs, 1);
    help_ok(prove_at(&proof, set, is_new, NULL, CLOCK, &err), &err);
    rb_proof_clear(&proof);
    assert_int_equal(prove_at(&proof, set, is_new, NULL, CLOCK + 1, &err), RB_FOUND);
    assert_int_equal(prove_at(&proof, set, is_new, NULL, RB_DB_CLOCK_REAL, &err), RB_FOUND);
    rb_migrations_free(set);
}

/* Each down is fine alone; in a row the second meets what the first left of its own table. */
static void test_downs_in_a_row(void **state)
{
    (void)state;
    rb_err err;
    rb_proof proof;
    const script_pair pairs[] = {
        {"1", "CREATE TABLE a(x INTEGER PRIMARY KEY, k INT NOT NULL DEFAULT 0);", "DROP TABLE a;"},
        {"2", "CREATE TABLE b(y REFERENCES a(x), z NOT NULL);", "DROP TABLE b;"},
        {"3", "ALTER TABLE b ADD COLUMN w TEXT DEFAULT 'd' CHECK(length(w) < 3);",
         "ALTER TABLE b DROP COLUMN w;"},
    };
    const bool is_new[] = {true, true, true};
    rb_migrations *set = help_set(pairs, 3);
    help_ok(prove_set(&proof, set, is_new, NULL, &err), &err);
    size_t i;
    json_t *result;
    json_array_foreach (json_object_get(proof.json, "migrations"), i, result) {
        char *text = help_json(result);
        if (strcmp(rb_json_str(result, "restores"), "identical") != 0)
            fail_msg("%s", text);
        free(text);
    }
    assert_string_equal(proof.class_, "reversible");
    assert_non_null(json_object_get(proof.catalog, "column b.w"));
    rb_proof_clear(&proof);
    rb_migrations_free(set);
}

/* The proof of pairs, of which the first old ones were released before; results by index. */
static void prove_pairs(rb_proof *proof, const script_pair *pairs, size_t n, size_t old)
{
    rb_err err;
    bool is_new[8];
    assert_true(n <= sizeof is_new / sizeof *is_new);
    for (size_t i = 0; i < n; i++)
        is_new[i] = i >= old;
    rb_migrations *set = help_set(pairs, n);
    help_ok(prove_set(proof, set, is_new, NULL, &err), &err);
    rb_migrations_free(set);
}

static void assert_result(const rb_proof *proof, size_t index, const char *restores,
                          const char *object)
{
    const json_t *result = json_array_get(json_object_get(proof->json, "migrations"), index);
    const json_t *differences = json_object_get(result, "differences");
    assert_string_equal(rb_json_str(result, "restores"), restores);
    if (object)
        assert_string_equal(rb_json_str(json_array_get(differences, 0), "object"), object);
    else
        assert_int_equal(json_array_size(differences), 0);
}

/* The down of 3 alone restores c. After the down of 4, which brings t's columns back in another
 * order, it gives c another type. The migrations before it have nothing to do with that. */
static void test_blame_in_a_row(void **state)
{
    (void)state;
    rb_proof proof;
    const script_pair pairs[] = {
        {"1", "CREATE TABLE t(a INT, b TEXT); CREATE TABLE c(x INT);", "DROP TABLE t;"},
        {"2", "CREATE TABLE other(y);", "DROP TABLE other;"},
        {"3", "DROP TABLE c;",
         "CREATE TABLE c AS WITH q(x, y) AS (SELECT * FROM t) SELECT x FROM q WHERE false;"},
        {"4", "ALTER TABLE t ADD COLUMN z;",
         "CREATE TABLE n(b TEXT, a INT); INSERT INTO n SELECT b, a FROM t; DROP TABLE t;"
         "ALTER TABLE n RENAME TO t;"},
    };
    prove_pairs(&proof, pairs, 4, 1);
    assert_result(&proof, 0, "identical", NULL);
    assert_result(&proof, 1, "differs", "column c.x");
    assert_result(&proof, 2, "order", "order t");
    assert_string_equal(proof.class_, "lossy");
    rb_proof_clear(&proof);
}

/* The down of 2 fails only because the down of 3 does not bring back the table. */
static void test_blame_for_a_failure(void **state)
{
    (void)state;
    rb_proof proof;
    const script_pair pairs[] = {
        {"1", "CREATE TABLE a(x INT);", "DROP TABLE a;"},
        {"2", "ALTER TABLE a ADD COLUMN y;", "ALTER TABLE a DROP COLUMN y;"},
        {"3", "DROP TABLE a;", "SELECT 1;"},
    };
    prove_pairs(&proof, pairs, 3, 0);
    assert_result(&proof, 0, "identical", NULL);
    assert_result(&proof, 1, "identical", NULL);
    assert_result(&proof, 2, "fails", "table a");
    const json_t *last = json_array_get(json_object_get(proof.json, "migrations"), 2);
    assert_non_null(
        strstr(rb_json_str(last, "error"), "what it leaves makes the down of migration 2 fail: "));
    assert_string_equal(proof.class_, "irreversible");
    rb_proof_clear(&proof);
}

/* What the down of 2 leaves is not blamed on 3, whose proof begins where 2 was applied again. */
static void test_residual_is_its_own(void **state)
{
    (void)state;
    rb_proof proof;
    const script_pair pairs[] = {
        {"1", "CREATE TABLE a(x INT);", "DROP TABLE a;"},
        {"2", "CREATE TABLE IF NOT EXISTS log(z); CREATE TABLE b(y);", "DROP TABLE b;"},
        {"3", "ALTER TABLE a ADD COLUMN w;", "ALTER TABLE a DROP COLUMN w;"},
    };
    prove_pairs(&proof, pairs, 3, 0);
    assert_result(&proof, 0, "identical", NULL);
    assert_result(&proof, 1, "differs", "table log");
    assert_result(&proof, 2, "identical", NULL);
    rb_proof_clear(&proof);
}

/* Several hundred migrations are proven while one looks on. */
static void test_many(void **state)
{
    (void)state;
    enum { N = 300 };
    rb_err err;
    rb_proof proof;
    script_pair *pairs = rb_calloc(N, sizeof *pairs);
    bool *is_new = rb_calloc(N, sizeof *is_new);
    char **texts = rb_calloc(N * 3, sizeof *texts);
    for (int i = 0; i < N; i++) {
        is_new[i] = true;
        texts[3 * i] = rb_format("%d", i + 1);
        if (i % 3 == 0) {
            texts[3 * i + 1] = rb_format(
                "CREATE TABLE t%d(id INTEGER PRIMARY KEY, name TEXT NOT NULL, a INT, b TEXT);"
                "CREATE INDEX i%d ON t%d(name);",
                i, i, i);
            texts[3 * i + 2] = rb_format("DROP TABLE t%d;", i);
        } else {
            texts[3 * i + 1] =
                rb_format("ALTER TABLE t%d ADD COLUMN c%d INT DEFAULT 1;", i - i % 3, i);
            texts[3 * i + 2] = rb_format("ALTER TABLE t%d DROP COLUMN c%d;", i - i % 3, i);
        }
        pairs[i] = (script_pair){texts[3 * i], texts[3 * i + 1], texts[3 * i + 2]};
    }
    rb_migrations *set = help_set(pairs, N);
    struct timespec from;
    struct timespec to;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
    help_ok(prove_set(&proof, set, is_new, NULL, &err), &err);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
    double seconds = (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
    print_message("%d migrations proven in %.2f s\n", N, seconds);
    assert_string_equal(proof.class_, "reversible");
    rb_proof_clear(&proof);
    rb_migrations_free(set);
    for (int i = 0; i < N * 3; i++)
        free(texts[i]);
    free(texts);
    free(pairs);
    free(is_new);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_failing_down_says_where),
        cmocka_unit_test(test_failing_up_is_an_error),
        cmocka_unit_test(test_references_of_ups),
        cmocka_unit_test(test_rows_that_do_not_fit),
        cmocka_unit_test(test_seed_that_never_fits),
        cmocka_unit_test(test_downs_in_a_row),
        cmocka_unit_test(test_blame_in_a_row),
        cmocka_unit_test(test_blame_for_a_failure),
        cmocka_unit_test(test_residual_is_its_own),
        cmocka_unit_test(test_clock),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
