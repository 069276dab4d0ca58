#include <sys/stat.h>

#include "database/backup.h"
#include "database_help.h"

/* A transition destroys something, users go on, and another one undoes it. */
typedef struct backup_case {
    const char *name;
    const char *before;
    const char *up;    /* what destroys */
    const char *since; /* what users did afterwards */
    const char *down;
    const char *items;  /* the bound, all of it at risk */
    const char *report; /* column, restored, missing keys, how many, reason of each entry */
    const char *query;
    const char *rows;
} backup_case;

#define WHOLE(table) "[{\"table\":\"" table "\",\"column\":null}]"
#define VALUES(table, column) "[{\"table\":\"" table "\",\"column\":\"" column "\"}]"
#define CHANGED "\"the rows were changed since\""
#define TAKEN "\"their keys are taken by other rows\""
#define KEYLESS "\"the table has no key and is not empty\""
#define ORPHAN "\"the rows that they refer to are gone or were changed\""
#define MOVED "\"the scripts changed their keys, or they have none\""
#define REFUSED "\"a constraint of the table refuses them\""
#define DROP_C "ALTER TABLE t DROP COLUMN c;"
#define ADD_C "ALTER TABLE t ADD COLUMN c;"

static const backup_case cases[] = {
    {"a column comes back by primary key, in rows that nobody changed",
     "CREATE TABLE t(id INTEGER PRIMARY KEY, n, c); INSERT INTO t VALUES(1,1,'a'),(2,2,'b'),(3,3,"
     "NULL),(4,4,x'00ff'),(5,5,1.5),(6,6,'f');",
     DROP_C,
     "DELETE FROM t WHERE id = 5; UPDATE t SET n = 9 WHERE id = 6; INSERT INTO t"
     " VALUES(7,7);",
     ADD_C, VALUES("t", "c"),
     "[[\"c\",3,[5,6],2,\"the rows were deleted since; the rows were changed since\"]]",
     "SELECT id, c FROM t", "[[1,\"a\"],[2,\"b\"],[3,null],[4,\"x'00ff'\"],[6,null],[7,null]]"},
    {"a table with a composite key that is dropped and recreated",
     "CREATE TABLE t(a, b, c, PRIMARY KEY(a, b)); INSERT INTO t VALUES(1,1,5),(1,2,6),(2,1,7);",
     "DROP TABLE t;", "SELECT 1;",
     "CREATE TABLE t(c, b, a, d DEFAULT 9, PRIMARY KEY(a, b)); INSERT INTO t(a,b,c)"
     " VALUES(1,1,5),(2,1,8);",
     WHOLE("t"), "[[null,1,[[2,1]],1," TAKEN "]]", "SELECT a, b, c, d FROM t ORDER BY 1, 2",
     "[[1,1,5,9],[1,2,6,9],[2,1,8,9]]"},
    {"keys of every type",
     "CREATE TABLE t(k PRIMARY KEY, c); INSERT INTO t"
     " VALUES(1,'i'),(2.5,'r'),('1','t'),(x'31','b'),(NULL,'n');",
     "DROP TABLE t;", "SELECT 1;", "CREATE TABLE t(k PRIMARY KEY, c);", WHOLE("t"),
     "[[null,5,[],0,null]]", "SELECT typeof(k), c FROM t ORDER BY c",
     "[[\"blob\",\"b\"],[\"integer\",\"i\"],[\"null\",\"n\"],[\"real\",\"r\"],[\"text\",\"t\"]]"},
    {"a row without a value in its key is not distinguished from others",
     "CREATE TABLE t(k TEXT PRIMARY KEY, n, c); INSERT INTO t VALUES(NULL,1,'a'),('x',2,'b');",
     DROP_C, "SELECT 1;", ADD_C, VALUES("t", "c"), "[[\"c\",1,[null],1," MOVED "]]",
     "SELECT c FROM t", "[[null],[\"b\"]]"},
    {"deleted rows without a value in their key stay in the backup",
     "CREATE TABLE t(k TEXT PRIMARY KEY, c); INSERT INTO t VALUES(NULL,'a'),(NULL,'b'),('x','c');",
     "DELETE FROM t WHERE c <> 'a';", "SELECT 1;", "SELECT 1;", WHOLE("t"),
     "[[null,1,[null,null],2," MOVED "]]", "SELECT * FROM t ORDER BY c",
     "[[null,\"a\"],[\"x\",\"c\"]]"},
    {"a key without case, no rowid",
     "CREATE TABLE t(k TEXT COLLATE NOCASE PRIMARY KEY, c, d AS (c || 'd')) WITHOUT ROWID; INSERT"
     " INTO t VALUES('a',1),('B',2),('c',3);",
     "DELETE FROM t WHERE k IN ('A', 'b');", "INSERT INTO t VALUES('b', 7);", "SELECT 1;",
     WHOLE("t"), "[[null,1,[\"B\"],1," TAKEN "]]", "SELECT * FROM t",
     "[[\"a\",1,\"1d\"],[\"b\",7,\"7d\"],[\"c\",3,\"3d\"]]"},
    {"a unique key without nulls, and a constraint",
     "CREATE TABLE t(code TEXT NOT NULL UNIQUE, v); INSERT INTO t VALUES('x',1),('y',2);",
     "DROP TABLE t;", "SELECT 1;", "CREATE TABLE t(code TEXT NOT NULL UNIQUE, v CHECK(v < 2));",
     WHOLE("t"), "[[null,1,[\"y\"],1," REFUSED "]]", "SELECT * FROM t", "[[\"x\",1]]"},
    {"no key, recreated and empty: with their rowids",
     "CREATE TABLE t(a); INSERT INTO t(rowid, a) VALUES(7,2),(3,1),(9,2);", "DROP TABLE t;",
     "SELECT 1;", "CREATE TABLE t(a, b);", WHOLE("t"), "[[null,3,[],0,null]]",
     "SELECT rowid, a FROM t", "[[3,1],[7,2],[9,2]]"},
    {"no key, recreated and not empty: those that are there are not missing",
     "CREATE TABLE t(a); INSERT INTO t VALUES(2),(1),(2),(5);", "DROP TABLE t;", "SELECT 1;",
     "CREATE TABLE t(a); INSERT INTO t VALUES(2),(7);", WHOLE("t"), "[[null,0,[],3," KEYLESS "]]",
     "SELECT a FROM t", "[[2],[7]]"},
    {"no key, and emptied by the scripts: not restored",
     "CREATE TABLE t(a); INSERT INTO t VALUES(2),(1);", "DELETE FROM t;", "SELECT 1;", "SELECT 1;",
     WHOLE("t"), "[[null,0,[],2," KEYLESS "]]", "SELECT a FROM t", "[]"},
    {"values of a table without a key",
     "CREATE TABLE t(a UNIQUE, c); INSERT INTO t VALUES(1,2),(2,NULL);", DROP_C, "SELECT 1;", ADD_C,
     VALUES("t", "c"), "[[\"c\",0,[],1,\"the table has no key to find its rows by\"]]",
     "SELECT c FROM t", "[[null],[null]]"},
    {"values of a table that has nothing but its key",
     "CREATE TABLE t(a PRIMARY KEY, c); INSERT INTO t VALUES(1,2);", DROP_C, "SELECT 1;", ADD_C,
     VALUES("t", "c"),
     "[[\"c\",0,[1],1,\"the table has no other column to recognise its rows by\"]]",
     "SELECT c FROM t", "[[null]]"},
    {"triggers rest",
     "CREATE TABLE log(x); CREATE TABLE t(id INTEGER PRIMARY KEY, n, c); CREATE TRIGGER g AFTER"
     " INSERT ON t BEGIN INSERT INTO log VALUES(1); END; CREATE TRIGGER h AFTER UPDATE ON t BEGIN"
     " INSERT INTO log VALUES(2); END; INSERT INTO t VALUES(1,1,5),(2,2,6); DELETE FROM log;",
     "DELETE FROM t WHERE id = 1; UPDATE t SET c = NULL; DELETE FROM log;", "SELECT 1;",
     "SELECT 1;", WHOLE("t"), "[[null,2,[],0,null]]",
     "SELECT id, c, (SELECT count(*) FROM log) FROM t", "[[1,5,0],[2,6,0]]"},
    {"a key that another row has by now",
     "CREATE TABLE t(id INTEGER PRIMARY KEY, who, c); INSERT INTO t VALUES(1,'Ann',5),"
     "(2,'Bob',90);",
     DROP_C, "DELETE FROM t WHERE id = 2; INSERT INTO t VALUES(2,'Eve');", ADD_C, VALUES("t", "c"),
     "[[\"c\",1,[2],1," CHANGED "]]", "SELECT * FROM t", "[[1,\"Ann\",5],[2,\"Eve\",null]]"},
    {"rows that scripts gave another key are not inserted once more",
     "CREATE TABLE t(id INTEGER PRIMARY KEY, c); INSERT INTO t VALUES(1,'a'),(2,'b'),(3,'c');",
     "DELETE FROM t WHERE id = 3; UPDATE t SET id = id + 100;", "SELECT 1;", "SELECT 1;",
     WHOLE("t"), "[[null,1,[1,2],2," MOVED "]]", "SELECT * FROM t",
     "[[3,\"c\"],[101,\"a\"],[102,\"b\"]]"},
    {"nor where the scripts say that they write the key",
     "CREATE TABLE t(id INTEGER PRIMARY KEY, c); INSERT INTO t VALUES(1,'a'),(2,'b');",
     "UPDATE t SET id = id + 100, c = 'z';", "SELECT 1;", "SELECT 1;",
     "[{\"table\":\"t\",\"column\":null},{\"table\":\"t\",\"column\":\"id\"}]",
     "[[null,0,[1,2],2," MOVED "]]", "SELECT * FROM t", "[[101,\"z\"],[102,\"z\"]]"},
    {"a table that is renamed, and back: what users deleted meanwhile stays deleted",
     "CREATE TABLE t(id INTEGER PRIMARY KEY, c); INSERT INTO t VALUES(1,'a'),(2,'b'),(3,'c');",
     "DELETE FROM t WHERE id = 1; ALTER TABLE t RENAME TO u;", "DELETE FROM u WHERE id = 2;",
     "ALTER TABLE u RENAME TO t;", WHOLE("t"), "[[null,1,[],0,null]]", "SELECT * FROM t",
     "[[1,\"a\"],[3,\"c\"]]"},
    {"values of a column dropped from a renamed table are restored where nobody changed the row",
     "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b); INSERT INTO t VALUES(1,'a1','b1'),"
     "(2,'a2','b2'),(3,'a3','b3'),(4,'a4','b4');",
     "ALTER TABLE t RENAME TO u; ALTER TABLE u DROP COLUMN a;",
     "UPDATE u SET b = 'new' WHERE id = 2; DELETE FROM u WHERE id IN (3, 4);"
     "INSERT INTO u VALUES(4, 'other');",
     "ALTER TABLE u ADD COLUMN a; ALTER TABLE u RENAME TO t;", WHOLE("t"),
     "[[null,1,[2,4],2," CHANGED "]]", "SELECT id, a, b FROM t",
     "[[1,\"a1\",\"b1\"],[2,null,\"new\"],[4,null,\"other\"]]"},
    {"values of a column dropped from a renamed table are restored although scripts wrote another "
     "one",
     "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b); INSERT INTO t VALUES(1,'a1','b1'),"
     "(2,'a2','b2'),(3,'a3','b3');",
     "ALTER TABLE t RENAME TO u; ALTER TABLE u DROP COLUMN a; UPDATE u SET b = b || '!'; ALTER"
     " TABLE u RENAME TO v;",
     "UPDATE v SET b = 'new' WHERE id = 2;",
     "UPDATE v SET b = rtrim(b, '!'); ALTER TABLE v ADD COLUMN a; ALTER TABLE v RENAME TO t;",
     WHOLE("t"), "[[null,2,[2],1," CHANGED "]]", "SELECT id, a, b FROM t",
     "[[1,\"a1\",\"b1\"],[2,null,\"new\"],[3,\"a3\",\"b3\"]]"},
    {"values of a dropped column are missing where a user changed a row that scripts left",
     "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b); INSERT INTO t VALUES(1,'a1','b1'),"
     "(2,'a2','b2'),(3,'a3','b3');",
     "DELETE FROM t WHERE id = 1; ALTER TABLE t DROP COLUMN a;",
     "UPDATE t SET b = 'new' WHERE id = 2;", "ALTER TABLE t ADD COLUMN a;", WHOLE("t"),
     "[[null,2,[2],1," CHANGED "]]", "SELECT id, a, b FROM t",
     "[[1,\"a1\",\"b1\"],[2,null,\"new\"],[3,\"a3\",\"b3\"]]"},
    {"rows that users deleted stay deleted, and those that scripts did not touch stay as they are",
     "CREATE TABLE t(id INTEGER PRIMARY KEY, c); INSERT INTO t VALUES(1,'a'),(2,'b'),(3,'c');",
     "DELETE FROM t WHERE id = 1;",
     "DELETE FROM t WHERE id = 2; UPDATE t SET c = 'new' WHERE id = 3;", "SELECT 1;", WHOLE("t"),
     "[[null,1,[],0,null]]", "SELECT * FROM t", "[[1,\"a\"],[3,\"new\"]]"},
    {"a replaced row whose key the way back frees",
     "CREATE TABLE t(k TEXT PRIMARY KEY, v, w); INSERT INTO t VALUES('a',1,1),('b',2,2),('c',3,3);",
     "INSERT OR REPLACE INTO t(k, v) VALUES('a', 9), ('b', 9);",
     "UPDATE t SET v = 8 WHERE k = 'b';", "DELETE FROM t WHERE k IN ('a', 'b');", WHOLE("t"),
     "[[null,1,[\"b\"],1," CHANGED "]]", "SELECT * FROM t ORDER BY k", "[[\"a\",1,1],[\"c\",3,3]]"},
    {"the counter of AUTOINCREMENT comes back",
     "CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, c); INSERT INTO t VALUES(1,'a'),(50,"
     "'b'); DELETE FROM t WHERE id = 50;",
     "DROP TABLE t;", "SELECT 1;", "CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, c);",
     WHOLE("t"), "[[null,1,[],0,null]]",
     "SELECT (SELECT max(id) FROM t), seq FROM sqlite_sequence WHERE name = 't'", "[[1,50]]"},
    {"children whose parent is another row by now, with grandchildren",
     "CREATE TABLE p(id INTEGER PRIMARY KEY, who); CREATE TABLE c(id INTEGER PRIMARY KEY, p"
     " REFERENCES p(id)); CREATE TABLE g(id INTEGER PRIMARY KEY, c REFERENCES c(id)); INSERT INTO p"
     " VALUES(1,'Ann'),(2,'Bob'); INSERT INTO c VALUES(10,1),(20,2); INSERT INTO g VALUES(100,10),"
     "(200,20),(201,20);",
     "DELETE FROM g; DELETE FROM c;", "DELETE FROM p WHERE id = 2; INSERT INTO p VALUES(2,'Eve');",
     "SELECT 1;", "[{\"table\":\"c\",\"column\":null},{\"table\":\"g\",\"column\":null}]",
     "[[null,1,[20],1," ORPHAN "],[null,1,[200,201],2," ORPHAN "]]",
     "SELECT id FROM c UNION ALL SELECT id FROM g", "[[10],[100]]"},
    {"a child whose grandparent is another row by now",
     "CREATE TABLE p(id INTEGER PRIMARY KEY, who); CREATE TABLE c(id INTEGER PRIMARY KEY, p"
     " REFERENCES p(id)); CREATE TABLE g(id INTEGER PRIMARY KEY, c REFERENCES c(id)); INSERT INTO p"
     " VALUES(1,'Ann'),(2,'Bob'); INSERT INTO c VALUES(10,1),(20,2); INSERT INTO g VALUES(100,10),"
     "(200,20);",
     "DELETE FROM g;", "UPDATE p SET who = 'Eve' WHERE id = 2;", "SELECT 1;", WHOLE("g"),
     "[[null,1,[200],1," ORPHAN "]]", "SELECT id FROM g", "[[100]]"},
    {"rows that refer to each other, and to themselves",
     "CREATE TABLE a(id INTEGER PRIMARY KEY, b REFERENCES b(id), boss REFERENCES a(id)); CREATE"
     " TABLE b(id INTEGER PRIMARY KEY, a REFERENCES a(id)); INSERT INTO a VALUES(1,1,1),(2,2,1),"
     "(3,NULL,2); INSERT INTO b VALUES(1,2),(2,1);",
     "DROP TABLE a; DROP TABLE b;", "SELECT 1;",
     "CREATE TABLE a(id INTEGER PRIMARY KEY, b REFERENCES b(id), boss REFERENCES a(id)); CREATE"
     " TABLE b(id INTEGER PRIMARY KEY, a REFERENCES a(id)); INSERT INTO b VALUES(2,NULL);",
     "[{\"table\":\"a\",\"column\":null},{\"table\":\"b\",\"column\":null}]",
     /* b's row 2 is another one: so a's 2 goes, and what refers to that */
     "[[null,0,[1,2,3],3," ORPHAN "],[null,0,[1,2],2,\""
     "the rows that they refer to are gone or"
     " were changed; their keys are taken by other rows\"]]",
     "SELECT count(*) FROM a", "[[0]]"},
    {"a cycle that is whole",
     "CREATE TABLE a(id INTEGER PRIMARY KEY, b REFERENCES b(id)); CREATE"
     " TABLE b(id INTEGER PRIMARY KEY, a REFERENCES a(id)); INSERT INTO a"
     " VALUES(1,1); INSERT INTO b VALUES(1,1);",
     "DELETE FROM a; DELETE FROM b;", "SELECT 1;", "SELECT 1;",
     "[{\"table\":\"a\",\"column\":null},{\"table\":\"b\",\"column\":null}]",
     "[[null,1,[],0,null],[null,1,[],0,null]]", "SELECT * FROM a, b", "[[1,1,1,1]]"},
    {"references by a composite key, of another type than the parent's",
     "CREATE TABLE p(a INTEGER, b TEXT COLLATE NOCASE, v, PRIMARY KEY(a, b)); CREATE TABLE c(id"
     " INTEGER PRIMARY KEY, pa TEXT, pb TEXT, FOREIGN KEY(pa, pb) REFERENCES p(a, b)); INSERT INTO"
     " p VALUES(1,'X',1),(2,'Y',2); INSERT INTO c VALUES(1,'1','x'),(2,'2','Y'),(3,NULL,'z');",
     "DELETE FROM c;", "UPDATE p SET v = 3 WHERE a = 2;", "SELECT 1;", WHOLE("c"),
     "[[null,2,[2],1," ORPHAN "]]", "SELECT id FROM c", "[[1],[3]]"},
    {"a column that refers to rows which others are by now",
     "CREATE TABLE p(id INTEGER PRIMARY KEY, who); CREATE TABLE t(id INTEGER PRIMARY KEY, n);"
     " ALTER TABLE t ADD COLUMN c REFERENCES p(id); INSERT INTO p VALUES(1,'Ann'),(2,'Bob'); INSERT"
     " INTO t VALUES(1,1,1),(2,2,2),(3,3,NULL);",
     "CREATE TABLE n(id INTEGER PRIMARY KEY, n); INSERT INTO n SELECT id, n FROM t; DROP TABLE t;"
     " ALTER TABLE n RENAME TO t;",
     "UPDATE p SET who = 'Eve' WHERE id = 2;", "ALTER TABLE t ADD COLUMN c REFERENCES p(id);",
     VALUES("t", "c"), "[[\"c\",1,[2],1," ORPHAN "]]", "SELECT id, c FROM t",
     "[[1,1],[2,null],[3,null]]"},
    {"values that a unique index refuses",
     "CREATE TABLE t(id INTEGER PRIMARY KEY, n, c); INSERT INTO t VALUES(1,1,5),(2,2,5);", DROP_C,
     "SELECT 1;", ADD_C "CREATE UNIQUE INDEX i ON t(c);", VALUES("t", "c"),
     "[[\"c\",1,[2],1," REFUSED "]]", "SELECT c FROM t ORDER BY id", "[[5],[null]]"},
    {"full text",
     "CREATE VIRTUAL TABLE f USING fts5(x); INSERT INTO f(rowid, x) VALUES(7,'one"
     " two');",
     "DROP TABLE f;", "SELECT 1;", "CREATE VIRTUAL TABLE f USING fts5(x);", WHOLE("f"),
     "[[null,1,[],0,null]]", "SELECT rowid, x FROM f WHERE f MATCH 'two'", "[[7,\"one two\"]]"},
    {"names with quotes, spaces and signs",
     "CREATE TABLE \"o'dd \"\"t\"(\"k [1]\" INTEGER PRIMARY KEY, \"@\" TEXT, \"a.b\"); INSERT INTO"
     " \"o'dd \"\"t\" VALUES(4,'v',5);",
     "DELETE FROM \"o'dd \"\"t\";", "SELECT 1;", "SELECT 1;",
     "[{\"table\":\"o'dd \\\"t\",\"column\":null}]", "[[null,1,[],0,null]]",
     "SELECT * FROM \"o'dd \"\"t\"", "[[4,\"v\",5]]"},
    {"a column that the recreated table does not have",
     "CREATE TABLE t(a INTEGER PRIMARY KEY, n, r); INSERT INTO t VALUES(1,1,'x'),(2,2,NULL);",
     "DROP TABLE t;", "SELECT 1;", "CREATE TABLE t(a INTEGER PRIMARY KEY, n);", WHOLE("t"),
     "[[null,2,[],0,null],[\"r\",0,[1],1,\"the table does not have that column now\"]]",
     "SELECT * FROM t", "[[1,1],[2,2]]"},
};

static json_t *read_json(const char *text)
{
    rb_err err;
    json_t *json = NULL;
    help_ok(rb_json_read(&json, text, strlen(text), "a test", &err), &err);
    return json;
}

static char *shorten(const json_t *report)
{
    json_t *list = json_array();
    size_t i;
    json_t *entry;
    json_array_foreach ((json_t *)report, i, entry)
        json_array_append_new(list, json_pack("[O,O,O,O,O]", json_object_get(entry, "column"),
                                              json_object_get(entry, "restored"),
                                              json_object_get(entry, "missing"),
                                              json_object_get(entry, "missingCount"),
                                              json_object_get(entry, "reason")));
    char *text = help_json(list);
    json_decref(list);
    return text;
}

/* Runs the set in a transaction that is backed up. */
static void destroy(rb_db *db, const rb_migrations *set, const rb_backup_spec *before)
{
    rb_backup_spec spec = *before;
    rb_err err;
    rb_db_outcome outcome = {0};
    json_t *left_out = NULL;
    const rb_db_step step = {.migration = &set->items[0], .up = true, .release = "v1"};
    const rb_db_work work = {.steps = &step, .n = 1, .tracking = "", .order = set};
    help_ok(rb_db_begin(db, &err), &err);
    help_ok(rb_db_backup(&left_out, db, &spec, &err), &err);
    help_ok(rb_db_run(&outcome, db, &work, &err), &err);
    spec.outcome = &outcome;
    help_ok(rb_db_backup_finish(db, &spec, &err), &err);
    help_ok(rb_db_commit(db, &err), &err);
    rb_db_outcome_clear(&outcome);
    json_decref(left_out);
}

static json_t *undo(rb_db *db, const rb_migrations *set, const char *path)
{
    rb_err err;
    rb_db_outcome outcome = {0};
    json_t *report = NULL;
    rb_restore *restore = NULL;
    json_t *scripts = json_pack("[{s:s,s:s,s:s}]", "id", "1", "direction", "up", "sha256",
                                set->items[0].up.sha256);
    const rb_db_step step = {.migration = &set->items[0], .up = false, .release = "v1"};
    const rb_db_work work = {.steps = &step, .n = 1, .tracking = "", .order = set};
    const rb_restore_options options = {.scripts = scripts, .work = &work};
    help_ok(rb_db_begin(db, &err), &err);
    help_ok(rb_db_restore_compare(&restore, db, path, &options, &err), &err);
    help_ok(rb_db_run(&outcome, db, &work, &err), &err);
    help_ok(rb_db_restore(&report, restore, db, &err), &err);
    help_ok(rb_db_commit(db, &err), &err);
    rb_restore_free(restore);
    rb_db_outcome_clear(&outcome);
    json_decref(scripts);
    return report;
}

/* Whether all came out as it says. */
static bool check_case(const backup_case *c, const char *dir)
{
    rb_err err;
    rb_db *db = NULL;
    char *url = rb_format("sqlite:%s/a ?#%%.db", dir);
    char *path = rb_format("%s/a ?#%%.backup", dir);
    const script_pair pair = {"1", c->up, c->down};
    rb_migrations *set = help_set(&pair, 1);
    json_t *items = read_json(c->items);
    const rb_backup_spec spec = {.path = path, .items = items, .at_risk = items};
    struct stat st;
    help_ok(rb_db_open(&db, url, RB_DB_CREATE, &err), &err);
    help_exec(db, c->before);
    destroy(db, set, &spec);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    help_exec(db, c->since);
    json_t *report = undo(db, set, path);
    char *text = shorten(report);
    char *rows = help_rows(db, c->query);
    bool same = strcmp(text, c->report) == 0 && strcmp(rows, c->rows) == 0;
    if (!same)
        print_error("%s:\n%s\n%s\nexpected\n%s\n%s\n", c->name, text, rows, c->report, c->rows);
    help_expect_rows(db, "SELECT count(*) FROM pragma_foreign_key_check", "[[0]]");
    free(rows);
    free(text);
    json_decref(report);
    json_decref(items);
    rb_migrations_free(set);
    rb_db_close(db);
    free(path);
    free(url);
    return same;
}

static void test_restore(void **state)
{
    (void)state;
    rb_err err;
    size_t failed = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *dir = help_dir();
        failed += !check_case(&cases[i], dir);
        help_ok(rb_dir_remove(dir, &err), &err);
        free(dir);
    }
    assert_int_equal(failed, 0);
}

/* What is at risk is backed up whatever the limit, and restored; the rest as far as it fits, and
 * only by hand. */
static void test_limit(void **state)
{
    (void)state;
    rb_err err;
    char *dir = help_dir();
    char *url = rb_format("sqlite:%s/limit.db", dir);
    char *path = rb_format("%s/backup", dir);
    json_t *at_risk = read_json(VALUES("t", "c"));
    json_t *items = read_json("[{\"table\":\"t\",\"column\":\"c\"},{\"table\":\"t\",\"column\":"
                              "\"d\"},{\"table\":\"s\",\"column\":null},{\"table\":\"big\","
                              "\"column\":\"x\"},{\"table\":\"none\",\"column\":null}]");
    rb_backup_spec spec = {.path = path, .items = items, .at_risk = at_risk, .limit = 4096};
    rb_db *db = NULL;
    json_t *left_out = NULL;
    json_t *keyless = NULL;
    int64_t bytes = 0;
    const script_pair pair = {"1",
                              "ALTER TABLE t DROP COLUMN c; ALTER TABLE t DROP COLUMN d; DELETE"
                              " FROM s;",
                              "ALTER TABLE t ADD COLUMN c; ALTER TABLE t ADD COLUMN d;"};
    rb_migrations *set = help_set(&pair, 1);
    help_ok(rb_db_open(&db, url, RB_DB_CREATE, &err), &err);
    help_exec(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, n, c, d); INSERT INTO t VALUES(1,1,2,3);"
                  "CREATE TABLE s(id INTEGER PRIMARY KEY); INSERT INTO s VALUES(5);"
                  "CREATE TABLE big(id INTEGER PRIMARY KEY, x); INSERT INTO big"
                  " VALUES(1, zeroblob(10000));");
    help_ok(rb_db_begin(db, &err), &err);
    help_ok(rb_db_backup_size(&bytes, &left_out, &keyless, db, &spec, &err), &err);
    rb_db_rollback(db);
    char *text = help_json(left_out);
    assert_string_equal(text, "[{\"column\":\"x\",\"table\":\"big\"}]");
    assert_in_range(bytes, 1, 4096);
    assert_int_equal(json_array_size(keyless), 0);
    free(text);
    json_decref(left_out);
    json_decref(keyless);
    destroy(db, set, &spec);
    json_t *report = undo(db, set, path);
    text = shorten(report);
    assert_string_equal(text, "[[\"c\",1,[],0,null]]");
    help_expect_rows(db, "SELECT c, d, (SELECT count(*) FROM s) FROM t", "[[2,null,0]]");
    free(text);
    json_decref(report);

    const rb_restore_options manual = {.manual = true};
    rb_restore *restore = NULL;
    help_ok(rb_db_begin(db, &err), &err);
    help_ok(rb_db_restore_compare(&restore, db, path, &manual, &err), &err);
    help_ok(rb_db_restore(&report, restore, db, &err), &err);
    help_ok(rb_db_commit(db, &err), &err);
    help_expect_rows(db, "SELECT d, (SELECT count(*) FROM s) FROM t", "[[3,1]]");
    rb_restore_free(restore);
    json_decref(report);
    json_decref(at_risk);
    json_decref(items);
    rb_migrations_free(set);
    rb_db_close(db);
    help_ok(rb_dir_remove(dir, &err), &err);
    free(path);
    free(url);
    free(dir);
}

static void test_other_files(void **state)
{
    (void)state;
    rb_err err;
    char *dir = help_dir();
    char *url = rb_format("sqlite:%s/db", dir);
    char *copy = rb_format("%s/copy", dir);
    char *copy_url = rb_format("sqlite:%s", copy);
    const rb_restore_options manual = {.manual = true};
    rb_restore *restore = NULL;
    rb_db *db = NULL;
    rb_db *other = NULL;
    help_ok(rb_db_open(&db, url, RB_DB_CREATE, &err), &err);
    help_ok(rb_db_open(&other, copy_url, RB_DB_CREATE, &err), &err);
    help_exec(other, "CREATE TABLE t(a)");
    help_ok(rb_db_begin(db, &err), &err);
    assert_int_equal(rb_db_restore_compare(&restore, db, copy, &manual, &err), RB_FOUND);
    assert_non_null(strstr(err.message, "a copy of the whole database"));
    assert_non_null(strstr(err.hint, copy));
    help_exec(other, "CREATE TABLE rbtool_backup(name, value); INSERT INTO rbtool_backup"
                     " VALUES('format', '3')");
    assert_int_equal(rb_db_restore_compare(&restore, db, copy, &manual, &err), RB_FOUND);
    assert_non_null(strstr(err.message, "format 3"));
    rb_db_close(other);
    rb_db_close(db);
    help_ok(rb_dir_remove(dir, &err), &err);
    free(copy_url);
    free(copy);
    free(url);
    free(dir);
}

/* More columns than an expression is deep, and than a function has arguments. */
static void test_wide(void **state)
{
    (void)state;
    rb_err err;
    char *dir = help_dir();
    char *url = rb_format("sqlite:%s/wide.db", dir);
    char *path = rb_format("%s/backup", dir);
    json_t *items = read_json(WHOLE("t"));
    const rb_backup_spec spec = {.path = path, .items = items, .at_risk = items};
    const script_pair pair = {"1",
                              "UPDATE t SET c7 = 'x' WHERE id < 3; DELETE FROM t WHERE id = 3;"
                              "ALTER TABLE t DROP COLUMN c9;",
                              "ALTER TABLE t ADD COLUMN c9;"};
    rb_migrations *set = help_set(&pair, 1);
    rb_buf sql = {0};
    rb_db *db = NULL;
    rb_buf_puts(&sql, "CREATE TABLE t(id INTEGER PRIMARY KEY");
    for (int i = 1; i <= 1500; i++)
        rb_buf_printf(&sql, ", c%d DEFAULT %d", i, i);
    rb_buf_puts(&sql, "); INSERT INTO t(id) VALUES(1),(2),(3),(4); UPDATE t SET c9 = id;");
    help_ok(rb_db_open(&db, url, RB_DB_CREATE, &err), &err);
    help_exec(db, rb_buf_str(&sql));
    destroy(db, set, &spec);
    help_exec(db, "UPDATE t SET c1500 = 0 WHERE id = 2");
    json_t *report = undo(db, set, path);
    char *text = shorten(report);
    assert_string_equal(text, "[[null,3,[2],1," CHANGED "]]");
    help_expect_rows(db, "SELECT c7, c9, c1500 FROM t",
                     "[[7,1,1500],[\"x\",null,0],[7,3,1500],[7,4,1500]]");
    free(text);
    json_decref(report);

    RB_AUTO(rb_strs_clear) rb_strs ignore = {0};
    rb_strs_add(&ignore, "C1500");
    const rb_restore_options manual = {.manual = true, .ignore = &ignore};
    rb_restore *restore[9] = {NULL};
    rb_db_close(db);
    help_ok(rb_db_open(&db, url, RB_DB_WRITE, &err), &err);
    help_ok(rb_db_begin(db, &err), &err);
    for (size_t i = 0; i < 8; i++)
        help_ok(rb_db_restore_compare(&restore[i], db, path, &manual, &err), &err);
    assert_int_equal(rb_db_restore_compare(&restore[8], db, path, &manual, &err), RB_FOUND);
    assert_non_null(strstr(err.message, "from at most 8 backups"));
    help_ok(rb_db_restore(&report, restore[7], db, &err), &err);
    help_ok(rb_db_commit(db, &err), &err);
    text = shorten(report);
    assert_string_equal(text, "[[null,1,[],0,null]]");
    help_expect_rows(db, "SELECT c7, c9, c1500 FROM t WHERE id = 2", "[[7,2,1500]]");
    for (size_t i = 0; i < 9; i++)
        rb_restore_free(restore[i]);
    free(text);
    json_decref(report);
    json_decref(items);
    rb_buf_clear(&sql);
    rb_migrations_free(set);
    rb_db_close(db);
    help_ok(rb_dir_remove(dir, &err), &err);
    free(path);
    free(url);
    free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_restore), cmocka_unit_test(test_limit),
                                       cmocka_unit_test(test_wide),
                                       cmocka_unit_test(test_other_files)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
