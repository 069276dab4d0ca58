#include "database_help.h"

typedef struct putback_case {
    const char *name;
    const char *copy;   /* what the database was when it was copied */
    const char *change; /* what happened to it since */
    const char *lost;
    const char *report;
    const char *query;
    const char *rows;
} putback_case;

#define REPORT(table, column, restored, missing, count, reason)                                    \
    "{\"column\":" column ",\"missing\":[" missing "],\"missingCount\":" count                     \
    ",\"reason\":" reason ",\"restored\":" restored ",\"table\":\"" table "\"}"
#define LOST(table, column) "[{\"table\":\"" table "\",\"column\":" column "}]"

static const putback_case cases[] = {
    {"a column by primary key",
     "CREATE TABLE t(id INTEGER PRIMARY KEY, c TEXT DEFAULT 'd');"
     "INSERT INTO t VALUES(1,'a'),(2,'b'),(3,'d'),(4,NULL),(5,'e'),(6,'f');",
     "ALTER TABLE t DROP COLUMN c; ALTER TABLE t ADD COLUMN c TEXT DEFAULT 'd';"
     "DELETE FROM t WHERE id = 5; UPDATE t SET c = 'new' WHERE id = 6; INSERT INTO t "
     "VALUES(7,'z');",
     LOST("t", "\"c\""), REPORT("t", "\"c\"", "3", "5", "1", "\"the rows are gone\""),
     "SELECT * FROM t", "[[1,\"a\"],[2,\"b\"],[3,\"d\"],[4,null],[6,\"new\"],[7,\"z\"]]"},
    {"a table by primary key",
     "CREATE TABLE t(a, b, PRIMARY KEY(a, b)); INSERT INTO t VALUES(1,1),"
     "(1,2),(2,1);",
     "DROP TABLE t; CREATE TABLE t(b, a, c DEFAULT 9, PRIMARY KEY(a, b)); INSERT INTO t(a,b,c)"
     " VALUES(1,1,3);",
     LOST("t", "null"), REPORT("t", "null", "2", "", "0", "null"),
     "SELECT a, b, c FROM t ORDER BY 1, 2", "[[1,1,3],[1,2,9],[2,1,9]]"},
    {"a table by a unique key without nulls",
     "CREATE TABLE t(code TEXT NOT NULL UNIQUE, v); INSERT INTO t VALUES('x',1),('y',2);",
     "DROP TABLE t; CREATE TABLE t(code TEXT NOT NULL UNIQUE, v CHECK(v < 2));", LOST("t", "null"),
     REPORT("t", "null", "1", "\"y\"", "1",
            "\"a constraint of the table as it is now refuses them\""),
     "SELECT * FROM t", "[[\"x\",1]]"},
    {"no key, empty", "CREATE TABLE t(a); INSERT INTO t VALUES(2),(1),(2);",
     "DROP TABLE t; CREATE TABLE t(a, b);", LOST("t", "null"),
     REPORT("t", "null", "3", "", "0", "null"), "SELECT a FROM t", "[[2],[1],[2]]"},
    {"no key, not empty", "CREATE TABLE t(a); INSERT INTO t VALUES(2),(1);",
     "DROP TABLE t; CREATE TABLE t(a); INSERT INTO t VALUES(7);", LOST("t", "null"),
     REPORT("t", "null", "0", "", "2", "\"the table has no key and is not empty\""),
     "SELECT a FROM t", "[[7]]"},
    {"a unique key with nulls is none", "CREATE TABLE t(a UNIQUE, c); INSERT INTO t VALUES(1,2);",
     "ALTER TABLE t DROP COLUMN c; ALTER TABLE t ADD COLUMN c;", LOST("t", "\"c\""),
     REPORT("t", "\"c\"", "0", "", "0", "\"the table has no key to find its rows by\""),
     "SELECT c FROM t", "[[null]]"},
    {"triggers rest", "CREATE TABLE t(id INTEGER PRIMARY KEY, c); INSERT INTO t VALUES(1,5);",
     "UPDATE t SET c = NULL; CREATE TABLE log(x); CREATE TRIGGER g AFTER UPDATE ON t BEGIN INSERT"
     " INTO log VALUES(1); END;",
     LOST("t", "\"c\""), REPORT("t", "\"c\"", "1", "", "0", "null"),
     "SELECT c, (SELECT count(*) FROM log) FROM t", "[[5,0]]"},
    {"children without their parent stay away",
     "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(id INTEGER PRIMARY KEY, p REFERENCES"
     " p(id)); INSERT INTO p VALUES(1),(2); INSERT INTO c VALUES(10,1),(20,2);",
     "DELETE FROM p WHERE id = 2; DELETE FROM c;", LOST("c", "null"),
     REPORT("c", "null", "1", "20", "1", "\"the rows that they refer to are gone\""),
     "SELECT * FROM c", "[[10,1]]"},
    {"not there again", "CREATE TABLE t(a PRIMARY KEY); INSERT INTO t VALUES(1);", "DROP TABLE t;",
     LOST("t", "null"), REPORT("t", "null", "0", "", "0", "\"it is not there again\""),
     "SELECT count(*) FROM sqlite_schema WHERE name = 't'", "[[0]]"},
    {"full text", "CREATE VIRTUAL TABLE f USING fts5(x); INSERT INTO f VALUES('one two');",
     "DROP TABLE f; CREATE VIRTUAL TABLE f USING fts5(x);", LOST("f", "null"),
     REPORT("f", "null", "1", "", "0", "null"), "SELECT x FROM f WHERE f MATCH 'two'",
     "[[\"one two\"]]"},
    {"a rowid alias and odd names",
     "CREATE TABLE \"o'dd \"\"t\"(\"k [1]\" INTEGER PRIMARY KEY, \"@\" TEXT); INSERT INTO \"o'dd"
     " \"\"t\" VALUES(4,'v');",
     "DELETE FROM \"o'dd \"\"t\";", "[{\"table\":\"o'dd \\\"t\",\"column\":null}]",
     REPORT("o'dd \\\"t", "null", "1", "", "0", "null"), "SELECT * FROM \"o'dd \"\"t\"",
     "[[4,\"v\"]]"},
};

static void test_put_back(void **state)
{
    (void)state;
    rb_err err;
    char *dir = help_dir();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const putback_case *c = &cases[i];
        char *path = rb_format("%s/%zu ?#%%.db", dir, i);
        char *url = rb_format("sqlite:%s", path);
        char *copy = rb_format("%s/%zu ?#%%.copy", dir, i);
        char sha256[RB_SHA256_HEX];
        rb_db *db = NULL;
        json_t *report = NULL;
        json_t *left = json_array();
        json_t *lost = NULL;
        help_ok(rb_db_open(&db, url, RB_DB_CREATE, &err), &err);
        help_exec(db, c->copy);
        help_ok(rb_db_begin(db, &err), &err);
        help_ok(rb_db_copy(db, copy, sha256, &err), &err);
        help_exec(db, c->change);
        help_ok(rb_json_read(&lost, c->lost, strlen(c->lost), "lost", &err), &err);
        help_ok(rb_db_put_back(&report, left, db, copy, lost, NULL, &err), &err);
        char *text = help_json(json_array_get(report, 0));
        if (strcmp(text, c->report) != 0)
            fail_msg("%s:\n%s\nexpected\n%s", c->name, text, c->report);
        help_ok(rb_db_commit(db, &err), &err);
        char *rows = help_rows(db, c->query);
        if (strcmp(rows, c->rows) != 0)
            fail_msg("%s:\n%s\nexpected\n%s", c->name, rows, c->rows);
        char again[RB_SHA256_HEX];
        help_ok(rb_sha256_file(again, copy, &err), &err);
        assert_string_equal(sha256, again);
        free(rows);
        free(text);
        json_decref(lost);
        json_decref(left);
        json_decref(report);
        rb_db_close(db);
        free(copy);
        free(url);
        free(path);
    }
    help_ok(rb_dir_remove(dir, &err), &err);
    free(dir);
}

/* SQLite attaches ten files to a transaction: the eleventh is told, and the transaction goes on. */
static void test_more_copies_than_fit(void **state)
{
    (void)state;
    rb_err err;
    char *dir = help_dir();
    char *url = rb_format("sqlite:%s/many.db", dir);
    char *copy = rb_format("%s/copy", dir);
    char sha256[RB_SHA256_HEX];
    rb_db *db = NULL;
    json_t *lost = json_pack("[{s:s,s:n,s:i}]", "table", "t", "column", "rows", 2);
    help_ok(rb_db_open(&db, url, RB_DB_CREATE, &err), &err);
    help_exec(db, "CREATE TABLE t(a INTEGER PRIMARY KEY); INSERT INTO t VALUES(1),(2)");
    help_ok(rb_db_begin(db, &err), &err);
    help_ok(rb_db_copy(db, copy, sha256, &err), &err);
    help_exec(db, "DELETE FROM t");
    for (int i = 0; i < 12; i++) {
        json_t *report = NULL;
        json_t *left = json_array();
        help_ok(rb_db_put_back(&report, left, db, copy, lost, NULL, &err), &err);
        const json_t *entry = json_array_get(report, 0);
        const char *reason = rb_json_str(entry, "reason");
        assert_int_equal(rb_json_int(entry, "restored", -1), i == 0 ? 2 : 0);
        assert_int_equal(rb_json_int(entry, "missingCount", -1), i < 10 ? 0 : 2);
        if (i >= 10 && (!reason || !strstr(reason, copy)))
            fail_msg("%s", reason ? reason : "no reason");
        json_decref(left);
        json_decref(report);
    }
    help_ok(rb_db_commit(db, &err), &err);
    help_expect_rows(db, "SELECT a FROM t", "[[1],[2]]");
    rb_db_close(db);
    json_decref(lost);
    help_ok(rb_dir_remove(dir, &err), &err);
    free(copy);
    free(url);
    free(dir);
}

/* An up that makes what its down destroyed, once more. */
typedef struct made_case {
    const char *name;
    const char *up;
    const char *down;
    const char *user;  /* what somebody did on the release */
    const char *since; /* ... and after the way back */
    const char *again; /* the up as it is by then; NULL: as it was */
    const char *lost;
    const char *report;
    const char *query;
    const char *rows;
} made_case;

#define MADE(table, column) "[{\"table\":\"" table "\",\"column\":" column ",\"made\":true}]"
#define OTHER "\"the scripts put another value there\""
#define BACKFILL "ALTER TABLE t ADD COLUMN c; UPDATE t SET c = n * 2;"
#define DROP_C "ALTER TABLE t DROP COLUMN c;"

static const made_case made_cases[] = {
    {"a backfill, and rows that it makes of what is newer", BACKFILL, DROP_C,
     "UPDATE t SET c = 99 WHERE id = 2; UPDATE t SET c = NULL WHERE id = 3; UPDATE t SET c = 77"
     " WHERE id = 4;",
     "UPDATE t SET n = 50 WHERE id IN (1, 4); INSERT INTO t VALUES(5, 6, 'e');", NULL,
     MADE("t", "\"c\""), REPORT("t", "\"c\"", "2", "1,4", "2", OTHER), "SELECT id, c FROM t",
     "[[1,100],[2,99],[3,null],[4,100],[5,12]]"},
    {"a column that the backfill does not read tells nothing", BACKFILL, DROP_C,
     "UPDATE t SET c = 99 WHERE id = 2;", "UPDATE t SET x = 'new';", NULL, MADE("t", "\"c\""),
     REPORT("t", "\"c\"", "1", "", "0", "null"), "SELECT c FROM t", "[[20],[99],[60],[80]]"},
    {"a table that is rebuilt with a column",
     "CREATE TABLE new(id INTEGER PRIMARY KEY, n, x, c, d AS (c + 1)); INSERT INTO new SELECT id,"
     " n, x, n * 2 FROM t; DROP TABLE t; ALTER TABLE new RENAME TO t;",
     "ALTER TABLE t DROP COLUMN d; ALTER TABLE t DROP COLUMN c;",
     "UPDATE t SET c = 99 WHERE id = 2;", "", NULL, MADE("t", "\"c\""),
     REPORT("t", "\"c\"", "1", "", "0", "null"), "SELECT c, d FROM t",
     "[[20,21],[99,100],[60,61],[80,81]]"},
    {"a column that takes over what another held",
     "ALTER TABLE t ADD COLUMN c; UPDATE t SET c = n * 100; ALTER TABLE t DROP COLUMN n;",
     "ALTER TABLE t ADD COLUMN n; UPDATE t SET n = c / 100; ALTER TABLE t DROP COLUMN c;",
     "UPDATE t SET c = 250 WHERE id = 1;", "UPDATE t SET n = 7 WHERE id = 2;", NULL,
     MADE("t", "\"c\""), REPORT("t", "\"c\"", "0", "1,2", "2", OTHER), "SELECT c FROM t",
     "[[200],[700],[3000],[4000]]"},
    {"an up with another text", BACKFILL, DROP_C, "UPDATE t SET c = 99 WHERE id = 2;", "",
     "ALTER TABLE t ADD COLUMN c; UPDATE t SET c = n * 3 WHERE id < 3;", MADE("t", "\"c\""),
     REPORT("t", "\"c\"", "2", "1,2", "2", OTHER), "SELECT c FROM t", "[[30],[60],[60],[80]]"},
    {"values that a unique index of today refuses", "ALTER TABLE t ADD COLUMN c;", DROP_C,
     "UPDATE t SET c = 1;", "", "ALTER TABLE t ADD COLUMN c; CREATE UNIQUE INDEX i ON t(c);",
     MADE("t", "\"c\""),
     REPORT("t", "\"c\"", "1", "2,3,4", "3",
            "\"a constraint of the table as it is now refuses them\""),
     "SELECT c FROM t ORDER BY id", "[[1],[null],[null],[null]]"},
    {"seeds, a key that has no case, no rowid",
     "CREATE TABLE s(name TEXT COLLATE NOCASE PRIMARY KEY, v NOT NULL, w AS (v)) WITHOUT ROWID;"
     "INSERT INTO s VALUES('tax', 19), ('vat', 7), ('fee', 3);",
     "DROP TABLE s;",
     "UPDATE s SET name = 'Tax', v = 21 WHERE name = 'tax'; DELETE FROM s WHERE name = 'vat';"
     "INSERT INTO s VALUES('region', 'eu');",
     "", NULL, MADE("s", "null"), REPORT("s", "null", "2", "", "0", "null"), "SELECT * FROM s",
     "[[\"fee\",3,3],[\"region\",\"eu\",\"eu\"],[\"Tax\",21,21],[\"vat\",7,7]]"},
    {"seeds that are in the way of each other",
     "CREATE TABLE s(id INTEGER PRIMARY KEY, v UNIQUE); INSERT INTO s VALUES(1,'a'),(2,'b');",
     "DROP TABLE s;",
     "UPDATE s SET v = 'c' WHERE id = 1; UPDATE s SET v = 'a' WHERE id = 2; UPDATE s SET v = 'b'"
     " WHERE id = 1; INSERT INTO s VALUES(3, 'd');",
     "", NULL, MADE("s", "null"), REPORT("s", "null", "1", "1,2", "2", OTHER), "SELECT * FROM s",
     "[[1,\"a\"],[2,\"b\"],[3,\"d\"]]"},
    {"rows made of another table, which may be newer",
     "CREATE TABLE s(id INTEGER PRIMARY KEY, v); INSERT INTO s SELECT id, n FROM t;",
     "DROP TABLE s;", "UPDATE s SET v = 99 WHERE id = 1; INSERT INTO s VALUES(9, 9);",
     "UPDATE t SET n = 5 WHERE id = 2;", NULL, MADE("s", "null"),
     REPORT("s", "null", "1", "1,2", "2", OTHER), "SELECT * FROM s",
     "[[1,10],[2,5],[3,30],[4,40],[9,9]]"},
    {"... by way of others",
     "CREATE TABLE y(a, b); CREATE TEMP TABLE z(a, b); INSERT INTO z SELECT id, n FROM t; INSERT"
     " INTO y SELECT * FROM z; ALTER TABLE y RENAME TO o; CREATE TABLE s(id INTEGER PRIMARY KEY,"
     " v); INSERT INTO s SELECT a, b FROM o;",
     "DROP TABLE s; DROP TABLE o;", "UPDATE s SET v = 99 WHERE id = 1;",
     "UPDATE t SET n = 5 WHERE id = 2;", NULL, MADE("s", "null"),
     REPORT("s", "null", "0", "1,2", "2", OTHER), "SELECT v FROM s", "[[10],[5],[30],[40]]"},
    {"seeds beside other tables' business",
     "CREATE TABLE o AS SELECT * FROM t; UPDATE t SET x = n; CREATE TABLE k(x); INSERT INTO k"
     " VALUES('a'); CREATE TABLE s(id INTEGER PRIMARY KEY, v); INSERT INTO s SELECT 1, x FROM k;",
     "DROP TABLE s; DROP TABLE k; DROP TABLE o;", "UPDATE s SET v = 'b';", "UPDATE t SET n = 5;",
     NULL, MADE("s", "null"), REPORT("s", "null", "1", "", "0", "null"), "SELECT * FROM s",
     "[[1,\"b\"]]"},
    {"a table that another gave its name to", "ALTER TABLE t RENAME TO s;",
     "CREATE TABLE t(id INTEGER PRIMARY KEY, n, x); INSERT INTO t SELECT * FROM s; DROP TABLE s;",
     "UPDATE s SET n = 99 WHERE id = 2;", "UPDATE t SET n = 5 WHERE id = 3;", NULL,
     MADE("s", "null"), REPORT("s", "null", "0", "3", "1", OTHER), "SELECT n FROM s",
     "[[10],[99],[5],[40]]"},
    {"a seed whose parent is gone is what the scripts made of it",
     "CREATE TABLE s(id INTEGER PRIMARY KEY, p REFERENCES t(id), q); INSERT INTO s VALUES(1, NULL,"
     " 'a'), (2, 2, 'b');",
     "DROP TABLE s;", "UPDATE s SET p = 4, q = 'c'; INSERT INTO s VALUES(3, 4, 'd'), (5, 1, 'e');",
     "DELETE FROM t WHERE id = 4;", NULL, MADE("s", "null"),
     REPORT("s", "null", "1", "1,2,3", "3", "\"the rows that they refer to are gone\""),
     "SELECT * FROM s", "[[1,null,\"a\"],[2,2,\"b\"],[5,1,\"e\"]]"},
    {"a backfill of references, the same",
     "ALTER TABLE t ADD COLUMN c REFERENCES t(id); UPDATE t SET c = 1;", DROP_C,
     "UPDATE t SET c = 4 WHERE id = 2; UPDATE t SET c = 3 WHERE id = 3;",
     "DELETE FROM t WHERE id = 4;", NULL, MADE("t", "\"c\""),
     REPORT("t", "\"c\"", "1", "4,2", "2",
            "\"the rows are gone; the rows that they refer to are gone\""),
     "SELECT id, c FROM t", "[[1,1],[2,1],[3,3]]"},
    {"no key: of equal rows each counts once",
     "CREATE TABLE s(x COLLATE NOCASE, y); INSERT INTO s VALUES('a', 1), ('a', 1), ('z', NULL);",
     "DROP TABLE s;",
     "INSERT INTO s VALUES('a', 1), ('A', 1), ('b', NULL), ('b', NULL); DELETE FROM s WHERE x ="
     " 'z';",
     "", NULL, MADE("s", "null"), REPORT("s", "null", "4", "", "0", "null"),
     "SELECT x, y FROM s ORDER BY x COLLATE BINARY",
     "[[\"A\",1],[\"a\",1],[\"a\",1],[\"a\",1],[\"b\",null],[\"b\",null],[\"z\",null]]"},
    {"a key that may be null",
     "CREATE TABLE s(k TEXT PRIMARY KEY, v); INSERT INTO s VALUES('x',0);", "DROP TABLE s;",
     "UPDATE s SET v = 3; INSERT INTO s VALUES(NULL, 1), (NULL, 2);", "", NULL, MADE("s", "null"),
     REPORT("s", "null", "3", "", "0", "null"), "SELECT * FROM s ORDER BY v",
     "[[null,1],[null,2],[\"x\",3]]"},
};

/* Runs the set and what comes between its scripts and the commit. */
static json_t *run_made(rb_db *db, const rb_migrations *set, const char *copy, const char *lost)
{
    rb_err err;
    rb_db_outcome outcome = {0};
    json_t *report = NULL;
    json_t *items = NULL;
    json_t *left = json_array();
    const rb_db_step step = {.migration = &set->items[0], .up = true, .release = "v1"};
    const rb_db_work work = {.steps = &step, .n = 1, .tracking = "", .order = set};
    help_ok(rb_json_read(&items, lost, strlen(lost), "lost", &err), &err);
    help_ok(rb_db_begin(db, &err), &err);
    help_ok(rb_db_run(&outcome, db, &work, &err), &err);
    help_ok(rb_db_put_back(&report, left, db, copy, items, &work, &err), &err);
    help_ok(rb_db_commit(db, &err), &err);
    rb_db_outcome_clear(&outcome);
    json_decref(items);
    json_decref(left);
    return report;
}

static void check_made(const made_case *c, const char *dir)
{
    rb_err err;
    char sha256[RB_SHA256_HEX];
    rb_db *db = NULL;
    char *url = rb_format("sqlite:%s/made.db", dir);
    char *copy = rb_format("%s/made.copy", dir);
    const script_pair pair = {"1", c->up, c->down};
    const script_pair later = {"1", c->again ? c->again : c->up, c->down};
    rb_migrations *set = help_set(&pair, 1);
    rb_migrations *then = help_set(&later, 1);
    rb_db_outcome outcome = {0};
    help_ok(rb_db_open(&db, url, RB_DB_CREATE, &err), &err);
    help_exec(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, n, x); INSERT INTO t VALUES(1,10,'a'),"
                  "(2,20,'b'),(3,30,'c'),(4,40,'d');");
    help_ok(help_run(&outcome, db, set, true, &err), &err);
    rb_db_outcome_clear(&outcome);
    help_exec(db, c->user);
    help_ok(rb_db_copy(db, copy, sha256, &err), &err);
    help_ok(help_run(&outcome, db, set, false, &err), &err);
    rb_db_outcome_clear(&outcome);
    help_exec(db, c->since);
    json_t *report = run_made(db, then, copy, c->lost);
    char *text = help_json(json_array_get(report, 0));
    if (strcmp(text, c->report) != 0)
        fail_msg("%s:\n%s\nexpected\n%s", c->name, text, c->report);
    char *rows = help_rows(db, c->query);
    if (strcmp(rows, c->rows) != 0)
        fail_msg("%s:\n%s\nexpected\n%s", c->name, rows, c->rows);
    free(rows);
    free(text);
    json_decref(report);
    rb_db_close(db);
    rb_migrations_free(set);
    rb_migrations_free(then);
    free(copy);
    free(url);
}

static void test_made_again(void **state)
{
    (void)state;
    rb_err err;
    for (size_t i = 0; i < sizeof made_cases / sizeof *made_cases; i++) {
        char *dir = help_dir();
        check_made(&made_cases[i], dir);
        help_ok(rb_dir_remove(dir, &err), &err);
        free(dir);
    }
}

/* What waits for its column is named, and handed over as an item for later. */
static void test_columns_left(void **state)
{
    (void)state;
    rb_err err;
    char *dir = help_dir();
    char *url = rb_format("sqlite:%s/left.db", dir);
    char *copy = rb_format("%s/copy", dir);
    char sha256[RB_SHA256_HEX];
    rb_db *db = NULL;
    json_t *report = NULL;
    json_t *left = json_array();
    json_t *lost = json_pack("[{s:s,s:n}]", "table", "t", "column");
    help_ok(rb_db_open(&db, url, RB_DB_CREATE, &err), &err);
    help_exec(db, "CREATE TABLE t(a INTEGER PRIMARY KEY, n, \"r @\" DEFAULT 'd', g AS (n), e);"
                  "INSERT INTO t(a, n, \"r @\") VALUES(1, 1, 'd'), (2, 2, 'x'), (3, 3, NULL)");
    help_ok(rb_db_begin(db, &err), &err);
    help_ok(rb_db_copy(db, copy, sha256, &err), &err);
    help_exec(db, "DROP TABLE t; CREATE TABLE t(a INTEGER PRIMARY KEY, n);");
    help_ok(rb_db_put_back(&report, left, db, copy, lost, NULL, &err), &err);
    char *text = help_json(report);
    assert_string_equal(text,
                        "[" REPORT("t", "null", "3", "", "0", "null") "," REPORT(
                            "t", "\"r @\"", "0", "2,3", "2", "\"the column is not there\"") "]");
    free(text);
    text = help_json(left);
    assert_string_equal(text, "[{\"column\":\"r @\",\"table\":\"t\",\"values\":2}]");
    free(text);
    json_decref(report);
    help_exec(db, "ALTER TABLE t ADD COLUMN \"r @\" DEFAULT 'd'");
    help_ok(rb_db_put_back(&report, left, db, copy, left, NULL, &err), &err);
    help_ok(rb_db_commit(db, &err), &err);
    help_expect_rows(db, "SELECT \"r @\" FROM t", "[[\"d\"],[\"x\"],[null]]");
    json_decref(report);
    rb_db_close(db);
    json_decref(lost);
    json_decref(left);
    help_ok(rb_dir_remove(dir, &err), &err);
    free(copy);
    free(url);
    free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_put_back), cmocka_unit_test(test_more_copies_than_fit),
        cmocka_unit_test(test_made_again), cmocka_unit_test(test_columns_left)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
