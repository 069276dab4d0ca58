#include "database_help.h"

typedef struct run_case {
    const char *name;
    const char *before; /* SQL that makes the database */
    const char *script;
    const char *at_risk; /* canonical JSON */
    const char *emptied;
} run_case;

#define ITEM(table, column, rows, values)                                                          \
    "{\"column\":" column ",\"exact\":true,\"rows\":" rows ",\"table\":\"" table                   \
    "\",\"values\":" values "}"

static const run_case cases[] = {
    {"drop table", "CREATE TABLE t(a); INSERT INTO t VALUES(1),(2); CREATE TABLE e(a);",
     "DROP TABLE t; DROP TABLE IF EXISTS \"e\"; DROP TABLE IF EXISTS absent;",
     "[" ITEM("t", "null", "2", "0") "]", "[" ITEM("e", "null", "0", "0") "]"},
    {"byte order marks between two files", "CREATE TABLE t(a); INSERT INTO t VALUES(1),(2);",
     "SELECT 1;\n\xef\xbb\xbf"
     "DROP \xef\xbb\xbf TABLE t;",
     "[" ITEM("t", "null", "2", "0") "]", "[]"},
    {"a temporary table of the same name takes nothing away from it",
     "CREATE TABLE t(a); INSERT INTO t VALUES(1),(2); CREATE TABLE u(a); INSERT INTO u VALUES(1);",
     "CREATE TEMP TABLE t(a); CREATE TEMP TABLE u(a); ALTER TABLE t RENAME TO v; DROP TABLE t;"
     "DROP TABLE u; EXPLAIN DROP TABLE u;",
     "[" ITEM("t", "null", "2", "0") "]", "[]"},
    {"a column of a temporary table", "CREATE TABLE t(a, b); INSERT INTO t VALUES(1,2),(3,4);",
     "CREATE TEMP TABLE t(a, b); ALTER TABLE t RENAME COLUMN a TO c; ALTER TABLE t DROP COLUMN b;"
     "ALTER TABLE main.t DROP COLUMN a;",
     "[" ITEM("t", "\"a\"", "2", "2") "]", "[]"},
    {"drop column",
     "CREATE TABLE t(id INTEGER PRIMARY KEY, d INT DEFAULT 5, n TEXT, z INT DEFAULT 0);"
     "INSERT INTO t(d,n) VALUES(5,'x'),(6,NULL),(NULL,'y');",
     "ALTER TABLE t DROP COLUMN d; ALTER TABLE t DROP n; ALTER TABLE main.t DROP COLUMN [z];",
     "[" ITEM("t", "\"d\"", "3", "2") "," ITEM("t", "\"n\"", "3", "2") "]",
     "[" ITEM("t", "\"z\"", "3", "0") "]"},
    {"renames are no loss", "CREATE TABLE t(a, b); INSERT INTO t VALUES(1,2);",
     "ALTER TABLE t RENAME TO u; ALTER TABLE u RENAME COLUMN a TO c; ALTER TABLE u RENAME b TO d;",
     "[]", "[]"},
    {"a renamed column that is dropped has its old name",
     "CREATE TABLE t(a, b); INSERT INTO t VALUES(1,2);",
     "ALTER TABLE t RENAME TO u; ALTER TABLE u RENAME COLUMN a TO c; ALTER TABLE u DROP COLUMN c;",
     "[" ITEM("t", "\"a\"", "1", "1") "]", "[]"},
    {"rebuild that keeps all", "CREATE TABLE t(a, b); INSERT INTO t VALUES(1,2),(3,NULL);",
     "CREATE TABLE n(a INT NOT NULL, b TEXT); INSERT INTO n SELECT a, b FROM t; DROP TABLE t;"
     "ALTER TABLE n RENAME TO t;",
     "[]", "[]"},
    {"rebuild by renaming away", "CREATE TABLE t(a, b); INSERT INTO t VALUES(1,2),(3,NULL);",
     "ALTER TABLE t RENAME TO o; CREATE TABLE t(a INT); INSERT INTO t SELECT a FROM o; DROP TABLE "
     "o;",
     "[" ITEM("t", "\"b\"", "2", "1") "]", "[]"},
    {"rebuild that loses rows and values",
     "CREATE TABLE t(a, b); INSERT INTO t VALUES(1,2),(3,4),(5,6),(7,8);",
     "CREATE TABLE n(a, b); INSERT INTO n SELECT a, NULL FROM t WHERE a > 1; DROP TABLE t;"
     "ALTER TABLE n RENAME TO t;",
     "[" ITEM("t", "null", "1", "0") "," ITEM("t", "\"b\"", "4", "4") "]", "[]"},
    {"rebuild that changes values",
     "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b DEFAULT 1);"
     "INSERT INTO t VALUES(1,'x',1),(2,'yy',2),(3,'zz',3),(4,NULL,4);",
     "CREATE TABLE other(id INTEGER PRIMARY KEY, a); INSERT INTO other SELECT id, 0 FROM t;"
     "CREATE TABLE n(id INTEGER PRIMARY KEY, a, b DEFAULT 1); INSERT INTO n SELECT id, substr(a, 1,"
     " 1), CASE b WHEN 4 THEN NULL ELSE b END FROM t; DROP TABLE t; ALTER TABLE n RENAME TO t;",
     "[" ITEM("t", "\"a\"", "4", "2") "," ITEM("t", "\"b\"", "4", "1") "]", "[]"},
    {"rebuild that puts another row in place of one",
     "CREATE TABLE t(id INTEGER PRIMARY KEY, a); INSERT INTO t VALUES(1,'a'),(70,'b'),(80,'c');",
     "CREATE TABLE n(id INTEGER PRIMARY KEY, a); INSERT INTO n SELECT * FROM t WHERE a <> 'b';"
     "INSERT INTO n(a) SELECT 'archived' FROM t WHERE a = 'b'; DROP TABLE t;"
     "ALTER TABLE n RENAME TO t;",
     "[" ITEM("t", "null", "1", "0") "]", "[]"},
    {"rebuild without rows of the run itself",
     "CREATE TABLE t(id INTEGER PRIMARY KEY, a); INSERT INTO t VALUES(1,'a'),(2,'b');",
     "INSERT INTO t VALUES(3,'c'),(4,'d'); CREATE TABLE n(id INTEGER PRIMARY KEY, a);"
     "INSERT INTO n SELECT * FROM t WHERE id NOT IN (2, 3); DROP TABLE t;"
     "ALTER TABLE n RENAME TO t;",
     "[" ITEM("t", "null", "1", "0") "]", "[]"},
    {"rebuild with a key without case, of another type, with NULLs",
     "CREATE TABLE t(k TEXT PRIMARY KEY, a); INSERT INTO t VALUES('A',1),('b',2),('7',3),(NULL,4);"
     "CREATE TABLE u(k INTEGER PRIMARY KEY, a); INSERT INTO u VALUES(1,'x'),(2,NULL);"
     "CREATE TABLE w(k TEXT COLLATE NOCASE PRIMARY KEY, a); INSERT INTO w VALUES('A',1),('b',2);",
     "CREATE TABLE n(k TEXT COLLATE NOCASE PRIMARY KEY, a); INSERT INTO n SELECT k, a FROM t;"
     "DROP TABLE t; ALTER TABLE n RENAME TO t;"
     "CREATE TABLE n(k TEXT PRIMARY KEY, a NOT NULL) WITHOUT ROWID; INSERT INTO n SELECT k,"
     " ifnull(a, '') FROM u; DROP TABLE u; ALTER TABLE n RENAME TO u;"
     "CREATE TABLE n(k TEXT PRIMARY KEY, a); INSERT INTO n SELECT k, a FROM w; DROP TABLE w;"
     "ALTER TABLE n RENAME TO w;",
     "[]", "[]"},
    {"rebuild without a key keeps all: other types, defaults, order, a key of its own",
     "CREATE TABLE t(a TEXT, b, c REAL); INSERT INTO t VALUES('7',NULL,1),('7',NULL,1),('x',3,2.5),"
     "(NULL,'4',NULL); CREATE INDEX i ON t(c, b, a);",
     "CREATE TABLE n(id INTEGER PRIMARY KEY, c INTEGER, b TEXT NOT NULL, a NUMERIC, g AS (a));"
     "INSERT INTO n(a, b, c) SELECT a, ifnull(b, 'none'), c FROM t ORDER BY rowid; DROP TABLE t;"
     "ALTER TABLE n RENAME TO t; CREATE TABLE m(a, b, c); INSERT INTO m SELECT a, b, c FROM t ORDER"
     " BY id DESC; DROP TABLE t; ALTER TABLE m RENAME TO t;",
     "[]", "[]"},
    {"rebuild without a key that mixes up its columns",
     "CREATE TABLE t(a INTEGER, b INTEGER); INSERT INTO t VALUES(1,2),(3,4),(5,5);",
     "CREATE TABLE n(a INTEGER, b INTEGER); INSERT INTO n SELECT b, a FROM t; DROP TABLE t;"
     "ALTER TABLE n RENAME TO t;",
     "[" ITEM("t", "null", "2", "0") "]", "[]"},
    {"rebuild without a key that loses a row and makes one",
     "CREATE TABLE t(a, b); INSERT INTO t VALUES(1,2),(3,4),(3,4),(5,NULL);",
     "CREATE TABLE n(a, b); INSERT INTO n SELECT DISTINCT a, b FROM t; INSERT INTO n VALUES(9,9);"
     "DROP TABLE t; ALTER TABLE n RENAME TO t;",
     "[" ITEM("t", "null", "1", "0") "]", "[]"},
    {"dropped and made again with other rows",
     "CREATE TABLE t(k TEXT PRIMARY KEY, v); INSERT INTO t VALUES('a',1),('b',2),('c',3);"
     "CREATE TABLE e(k); CREATE TABLE s(k, v DEFAULT 5); INSERT INTO s VALUES('x',5),('y',6);",
     "DROP TABLE t; CREATE TABLE t(k TEXT PRIMARY KEY, v); INSERT INTO t VALUES('a',1),('b',0),"
     "('d',0); DROP TABLE e; CREATE TABLE e(k); INSERT INTO e VALUES(1); DROP TABLE s;"
     "CREATE TABLE s(k, v DEFAULT 5); INSERT INTO s VALUES('y','6'),('x',0);",
     "[" ITEM("t", "null", "2", "0") "]", "[]"},
    {"dropped and made again from a temporary copy",
     "CREATE TABLE t(a, b); INSERT INTO t VALUES(1,2),(3,4); CREATE TABLE u(a, b); INSERT INTO u"
     " VALUES(1,2),(3,4),(5,6);",
     "CREATE TEMP TABLE c AS SELECT * FROM t; DROP TABLE t; CREATE TABLE t(a TEXT, b TEXT);"
     "INSERT INTO t SELECT * FROM c; CREATE TEMP TABLE d AS SELECT * FROM u; DROP TABLE u;"
     "CREATE TABLE u(b, a); INSERT INTO u SELECT * FROM d;",
     "[" ITEM("u", "null", "3", "0") "]", "[]"},
    {"rebuild that changes values, by renaming away",
     "CREATE TABLE t(k TEXT, l INT, a, PRIMARY KEY(k, l)) WITHOUT ROWID;"
     "INSERT INTO t VALUES('x',1,10),('x',2,20),('y',1,30);",
     "ALTER TABLE t RENAME TO o; CREATE TABLE t(k TEXT, l INT, a, PRIMARY KEY(k, l)) WITHOUT ROWID;"
     "INSERT INTO t SELECT k, l, a / 20 FROM o; DROP TABLE o;",
     "[" ITEM("t", "\"a\"", "3", "3") "]", "[]"},
    {"rebuild that changes types only",
     "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT); INSERT INTO t VALUES(1,'7'),(2,NULL);",
     "CREATE TABLE n(id INTEGER PRIMARY KEY, a INTEGER NOT NULL); INSERT INTO n SELECT id,"
     " coalesce(a, 0) FROM t; DROP TABLE t; ALTER TABLE n RENAME TO t;",
     "[]", "[]"},
    {"delete and update",
     "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b);"
     "INSERT INTO t(a) VALUES(1),(2),(3),(4); CREATE TABLE u(a);"
     "INSERT INTO u VALUES(1),(2);",
     "DELETE FROM t WHERE a = 1; UPDATE t SET a = a + 10 WHERE a > 2; UPDATE t SET a = 0 WHERE a ="
     " 13; UPDATE t SET b = 1; DELETE FROM u;",
     "[" ITEM("t", "null", "3", "0") "," ITEM("u", "null", "2", "0") "]", "[]"},
    {"rows of the run itself", "CREATE TABLE t(a); INSERT INTO t VALUES(1);",
     "INSERT INTO t VALUES(2); UPDATE t SET a = 3 WHERE a = 2; DELETE FROM t WHERE a = 3;", "[]",
     "[]"},
    {"a column of the run itself", "CREATE TABLE t(a); INSERT INTO t VALUES(1);",
     "ALTER TABLE t ADD COLUMN b DEFAULT 1; UPDATE t SET b = 2; ALTER TABLE t DROP COLUMN b;", "[]",
     "[]"},
    {"rows deleted before the table goes", "CREATE TABLE t(a); INSERT INTO t VALUES(1),(2);",
     "INSERT INTO t VALUES(3); DELETE FROM t WHERE a = 1; DROP TABLE t;",
     "[" ITEM("t", "null", "2", "0") "]", "[]"},
    {"values cleared before the column goes", "CREATE TABLE t(a, b); INSERT INTO t VALUES(1,2);",
     "UPDATE t SET b = NULL; ALTER TABLE t DROP COLUMN b;", "[" ITEM("t", "\"b\"", "1", "1") "]",
     "[]"},
    {"without rowid",
     "CREATE TABLE t(k TEXT PRIMARY KEY, v) WITHOUT ROWID;"
     "INSERT INTO t VALUES('a',1),('b',2),('c',NULL);",
     "DELETE FROM t WHERE k = 'a'; UPDATE t SET v = 3 WHERE k >= 'b'; INSERT INTO t VALUES('z',0);"
     "DELETE FROM t WHERE k = 'z';",
     "[" ITEM("t", "null", "2", "0") "]", "[]"},
    {"a trigger's deletes count",
     "CREATE TABLE t(a); CREATE TABLE u(a); INSERT INTO t VALUES(1);"
     "INSERT INTO u VALUES(1),(2); CREATE TRIGGER g AFTER DELETE ON t"
     " BEGIN DELETE FROM u; END;",
     "DELETE FROM t;", "[" ITEM("t", "null", "1", "0") "," ITEM("u", "null", "2", "0") "]", "[]"},
    {"generated columns hold nothing",
     "CREATE TABLE t(a, v AS (a * 2), b, s AS (a + b) STORED); INSERT INTO t VALUES(1,2);",
     "UPDATE t SET b = 9; ALTER TABLE t DROP COLUMN v;", "[" ITEM("t", "null", "1", "0") "]", "[]"},
    {"full-text index", "CREATE VIRTUAL TABLE f USING fts5(x); INSERT INTO f VALUES('one');",
     "DROP TABLE f;", "[" ITEM("f", "null", "1", "0") "]", "[]"},
    {"rows of a full-text index: deleted, changed, put in place of others",
     "CREATE VIRTUAL TABLE f USING fts5(x, y); INSERT INTO f VALUES('a',1),('b',2),('c',3),('d',4),"
     "('e',5);",
     "INSERT INTO f VALUES('new',0); DELETE FROM f WHERE x IN ('a', 'new'); UPDATE f SET y = 2 "
     "WHERE"
     " x = 'b'; UPDATE f SET y = 9 WHERE x = 'c'; INSERT OR REPLACE INTO f(rowid, x, y) VALUES(4,"
     " 'D', 4); INSERT INTO f(f) VALUES('optimize'); ALTER TABLE f RENAME TO g;",
     "[" ITEM("f", "null", "3", "0") "]", "[]"},
    {"a full-text index that a trigger fills, and one that it empties",
     "CREATE VIRTUAL TABLE f USING fts4(x); CREATE TABLE t(x); CREATE TRIGGER d AFTER DELETE ON t"
     " BEGIN DELETE FROM f WHERE docid = old.rowid; END; CREATE TRIGGER i AFTER INSERT ON t BEGIN"
     " INSERT INTO f(docid, x) VALUES(new.rowid, new.x); END; INSERT INTO t VALUES('a'),('b');",
     "DELETE FROM t WHERE x = 'a'; INSERT INTO t VALUES('c');",
     "[" ITEM("f", "null", "1", "0") "," ITEM("t", "null", "1", "0") "]", "[]"},
    {"a full-text index of another table's rows, or of none, has none to lose",
     "CREATE TABLE t(x); INSERT INTO t VALUES('a'),('b'); CREATE VIRTUAL TABLE f USING fts5(x,"
     " content='t'); INSERT INTO f(f) VALUES('rebuild'); CREATE VIRTUAL TABLE v USING fts5vocab(f,"
     " row);",
     "INSERT INTO f(f, rowid, x) VALUES('delete', 1, 'a'); INSERT INTO f(f) VALUES('delete-all');"
     "DROP TABLE v; DROP TABLE f; CREATE VIRTUAL TABLE f USING fts5(x, content='t');"
     "CREATE VIRTUAL TABLE v USING fts5vocab(f, row);",
     "[]", "[]"},
    {"an index without contents",
     "CREATE VIRTUAL TABLE f USING fts5(x, content=''); INSERT INTO f(rowid, x) VALUES(1,'a'),"
     "(2,'b');",
     "INSERT INTO f(f, rowid, x) VALUES('delete', 1, 'a'); INSERT INTO f(rowid, x) VALUES(3, 'c');",
     "[" ITEM("f", "null", "1", "0") "]", "[]"},
    {"an index without contents that cannot be read, but counted",
     "CREATE VIRTUAL TABLE f USING fts4(x, content=''); INSERT INTO f(docid, x) VALUES(1,'a'),(2,"
     "'b'); CREATE VIRTUAL TABLE g USING fts4(x, content=''); INSERT INTO g(docid, x) "
     "VALUES(1,'a'),"
     "(2,'b');",
     "INSERT INTO f(docid, x) VALUES(3, 'c'); DROP TABLE g; CREATE VIRTUAL TABLE g USING fts4(x,"
     " content=''); INSERT INTO g(docid, x) VALUES(1, 'a');",
     "[{\"column\":null,\"exact\":false,\"rows\":1,\"table\":\"g\",\"values\":0}]", "[]"},
    {"a full-text index that is made again",
     "CREATE VIRTUAL TABLE f USING fts5(x); INSERT INTO f VALUES('a'),('b');"
     "CREATE VIRTUAL TABLE g USING fts5(x, y); INSERT INTO g VALUES('a',1),('b',2);"
     "CREATE VIRTUAL TABLE h USING fts5(x); INSERT INTO h VALUES('a'),('b'),('b');"
     "CREATE TABLE t(x); INSERT INTO t VALUES('b'),('a'),('b');",
     "DROP TABLE f; CREATE VIRTUAL TABLE f USING fts5(x); CREATE VIRTUAL TABLE n USING fts5(x);"
     "INSERT INTO n SELECT x FROM g WHERE x = 'a'; DROP TABLE g; ALTER TABLE n RENAME TO g;"
     "DROP TABLE h; CREATE VIRTUAL TABLE h USING fts5(x, y); INSERT INTO h(x) SELECT x FROM t;",
     "[" ITEM("f", "null", "2", "0") "," ITEM("g", "null", "1", "0") "," ITEM("g", "\"y\"", "2",
                                                                              "2") "]",
     "[]"},
    {"deleted, then dropped and made again",
     "CREATE VIRTUAL TABLE f USING fts5(x); INSERT INTO f VALUES('a'),('b'); CREATE VIRTUAL TABLE g"
     " USING fts5(x); INSERT INTO g VALUES('a'),('b');",
     "DELETE FROM f WHERE x = 'a'; DROP TABLE f; CREATE VIRTUAL TABLE f USING fts5(x); INSERT INTO "
     "f"
     " VALUES('b'); DELETE FROM g WHERE x = 'a'; DROP TABLE g;",
     "[" ITEM("f", "null", "1", "0") "," ITEM("g", "null", "2", "0") "]", "[]"},
    {"an r-tree",
     "CREATE VIRTUAL TABLE r USING rtree(id, x, y); INSERT INTO r "
     "VALUES(1,0.1,2),(2,1,2.7),(3,1,2);",
     "DELETE FROM r WHERE id = 1; UPDATE r SET x = 1 WHERE id = 2; UPDATE r SET x = 0 WHERE id = 3;"
     "INSERT INTO r VALUES(4, 1, 2);",
     "[" ITEM("r", "null", "2", "0") "]", "[]"},
    {"what was broken stays broken: rebuilt, changed, without rowids",
     "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(p REFERENCES p, x); INSERT INTO c"
     " VALUES(1,1),(NULL,2),(7,3),(8,4); DELETE FROM c WHERE x < 3; CREATE TABLE w(k TEXT PRIMARY"
     " KEY, p REFERENCES p(id)) WITHOUT ROWID; INSERT INTO w VALUES('a',9),('b',1);"
     "CREATE TABLE d(id INTEGER PRIMARY KEY, p REFERENCES p(id)); INSERT INTO d VALUES(1,9),(2,7);"
     "INSERT INTO p VALUES(1);",
     "CREATE TABLE n(p INTEGER REFERENCES p(id), x); INSERT INTO n SELECT * FROM c ORDER BY x DESC;"
     "DROP TABLE c; ALTER TABLE n RENAME TO c; UPDATE w SET p = 10 WHERE p = 9; UPDATE d SET p = 10"
     " WHERE p = 9;",
     "[" ITEM("d", "null", "1", "0") "," ITEM("w", "null", "1", "0") "]", "[]"},
    {"a parent is rebuilt, its children stay",
     "CREATE TABLE p(id INTEGER PRIMARY KEY, x); CREATE TABLE c(p REFERENCES p(id) ON DELETE"
     " CASCADE); INSERT INTO p VALUES(1,1); INSERT INTO c VALUES(1);",
     "PRAGMA foreign_keys=ON; CREATE TABLE n(id INTEGER PRIMARY KEY); INSERT INTO n SELECT id FROM"
     " p; DROP TABLE p; ALTER TABLE n RENAME TO p;",
     "[" ITEM("p", "\"x\"", "1", "1") "]", "[]"},
};

static void test_risk(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rb_err err;
        rb_db_outcome outcome;
        const script_pair pair = {"1", cases[i].script, NULL};
        rb_migrations *set = help_set(&pair, 1);
        rb_db *db = help_scratch(cases[i].before);
        if (help_run(&outcome, db, set, true, &err) != RB_OK)
            fail_msg("%s: %s", cases[i].name, rb_err_line(&err));
        char *at_risk = help_json(outcome.at_risk);
        char *emptied = help_json(outcome.emptied);
        if (strcmp(at_risk, cases[i].at_risk) != 0)
            fail_msg("%s: at risk\n%s\nexpected\n%s", cases[i].name, at_risk, cases[i].at_risk);
        if (strcmp(emptied, cases[i].emptied) != 0)
            fail_msg("%s: emptied\n%s\nexpected\n%s", cases[i].name, emptied, cases[i].emptied);
        free(at_risk);
        free(emptied);
        rb_db_outcome_clear(&outcome);
        rb_db_close(db);
        rb_migrations_free(set);
    }
}

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

static bool count_calls(void *context, size_t step)
{
    size_t *calls = context;
    ++*calls;
    return step == 0;
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
        cmocka_unit_test(test_risk),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_old_violations_and_leaks),
        cmocka_unit_test(test_proceed_stops),
        cmocka_unit_test(test_journal),
        cmocka_unit_test(test_scripts_start_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
