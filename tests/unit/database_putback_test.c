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
        json_t *lost = NULL;
        help_ok(rb_db_open(&db, url, RB_DB_CREATE, &err), &err);
        help_exec(db, c->copy);
        help_ok(rb_db_begin(db, &err), &err);
        help_ok(rb_db_copy(db, copy, sha256, &err), &err);
        help_exec(db, c->change);
        help_ok(rb_json_read(&lost, c->lost, strlen(c->lost), "lost", &err), &err);
        help_ok(rb_db_put_back(&report, db, copy, lost, &err), &err);
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
        help_ok(rb_db_put_back(&report, db, copy, lost, &err), &err);
        const json_t *entry = json_array_get(report, 0);
        const char *reason = rb_json_str(entry, "reason");
        assert_int_equal(rb_json_int(entry, "restored", -1), i == 0 ? 2 : 0);
        assert_int_equal(rb_json_int(entry, "missingCount", -1), i < 10 ? 0 : 2);
        if (i >= 10 && (!reason || !strstr(reason, copy)))
            fail_msg("%s", reason ? reason : "no reason");
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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_put_back),
                                       cmocka_unit_test(test_more_copies_than_fit)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
