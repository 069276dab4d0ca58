#include "database_help.h"

#include "base/text.h"
#include "database/url.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct place {
    char *dir;
    char *path;
    char *url;
} place;

static int set_up(void **state)
{
    place *p = rb_calloc(1, sizeof *p);
    p->dir = help_dir();
    p->path = rb_format("%s/shop.db", p->dir);
    p->url = rb_format("sqlite:%s", p->path);
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    place *p = *state;
    rb_err err;
    help_ok(rb_dir_remove(p->dir, &err), &err);
    free(p->dir);
    free(p->path);
    free(p->url);
    free(p);
    return 0;
}

static rb_db *open_as(const place *p, enum rb_db_mode mode)
{
    rb_err err;
    rb_db *db = NULL;
    help_ok(rb_db_open(&db, p->url, mode, &err), &err);
    return db;
}

static void make(const place *p, const char *sql)
{
    rb_db *db = open_as(p, RB_DB_CREATE);
    help_exec(db, sql);
    rb_db_close(db);
}

/* What the sqlite3 program says about the file. */
static char *ask(const char *path, const char *sql)
{
    rb_err err;
    rb_process_result result = {0};
    const char *argv[] = {"sqlite3", path, sql, NULL};
    const rb_process process = {.argv = argv, .timeout = 20};
    help_ok(rb_process_run(&result, &process, &err), &err);
    assert_int_equal(result.status, 0);
    char *out = rb_strdup(rb_buf_str(&result.out));
    rb_process_result_clear(&result);
    return out;
}

static void expect(const char *path, const char *sql, const char *answer)
{
    char *out = ask(path, sql);
    assert_string_equal(out, answer);
    free(out);
}

static void expect_error(const char *url, enum rb_db_mode mode, const char *words)
{
    rb_err err = {0};
    rb_db *db = NULL;
    assert_int_equal(rb_db_open(&db, url, mode, &err), RB_ERROR);
    assert_null(db);
    if (!strstr(rb_err_line(&err), words))
        fail_msg("%s lacks %s", rb_err_line(&err), words);
}

static void test_open(void **state)
{
    const place *p = *state;
    char *dir_url = rb_format("sqlite:%s", p->dir);
    expect_error("mysql://root:secret@host/db", RB_DB_READ, "write sqlite:PATH");
    expect_error("sqlite:", RB_DB_READ, "write sqlite:PATH");
    expect_error(p->url, RB_DB_READ, "does not exist");
    expect_error(p->url, RB_DB_WRITE, "does not exist");
    expect_error(dir_url, RB_DB_WRITE, "is not a regular file");
    rb_err err;
    static const char words[] = "words, long enough that SQLite could find its header in them ...."
                                "................................................................";
    help_ok(rb_file_write(p->path, words, sizeof words, 0644, &err), &err);
    expect_error(p->url, RB_DB_READ, "file is not a database; ");
    expect_error(p->url, RB_DB_WRITE, "file is not a database; ");
    assert_int_equal(unlink(p->path), 0);
    make(p, "CREATE TABLE t(a)");
    rb_db *db = open_as(p, RB_DB_READ);
    assert_int_equal(rb_db_exec(db, "INSERT INTO t VALUES(1)", NULL, &err), RB_ERROR);
    assert_string_equal(rb_db_engine(db), "sqlite");
    assert_true(rb_engine_known("sqlite") && !rb_engine_known("sqlit"));
    rb_db_close(db);
    free(dir_url);
}

/* Debian's SQLite would take a name that starts so for a URI. */
static void test_name_like_a_uri(void **state)
{
    const place *p = *state;
    rb_err err;
    rb_db *db = NULL;
    char *here = getcwd(NULL, 0);
    assert_int_equal(chdir(p->dir), 0);
    help_ok(rb_db_open(&db, "sqlite:file:x?mode=memory", RB_DB_CREATE, &err), &err);
    help_exec(db, "CREATE TABLE t(a)");
    rb_db_close(db);
    assert_int_equal(access("file:x?mode=memory", F_OK), 0);
    assert_int_equal(chdir(here), 0);
    free(here);
}

/* Another process that holds a lock until it is told to stop. */
static pid_t hold(const place *p, const char *sql)
{
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        rb_db *db = open_as(p, RB_DB_WRITE);
        help_exec(db, sql);
        if (write(ready[1], "x", 1) != 1)
            _exit(1);
        pause();
        _exit(0);
    }
    char byte;
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
    return child;
}

static void stop(pid_t child)
{
    int status;
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
}

static void test_locked(void **state)
{
    const place *p = *state;
    rb_err err;
    make(p, "CREATE TABLE t(a)");
    pid_t child = hold(p, "BEGIN IMMEDIATE; INSERT INTO t VALUES(1)");
    rb_db *db = open_as(p, RB_DB_WRITE);
    assert_int_equal(rb_db_begin(db, &err), RB_ERROR);
    char *holder = rb_format("process %d", (int)child);
    if (!strstr(rb_err_line(&err), "locked") || !strstr(rb_err_line(&err), holder))
        fail_msg("%s", rb_err_line(&err));
    free(holder);
    /* reading goes on */
    help_expect_rows(db, "SELECT count(*) FROM t", "[[0]]");
    stop(child);
    help_ok(rb_db_begin(db, &err), &err);
    help_ok(rb_db_commit(db, &err), &err);
    rb_db_close(db);
}

static void test_wal(void **state)
{
    const place *p = *state;
    make(p, "PRAGMA journal_mode=WAL; CREATE TABLE t(a); INSERT INTO t VALUES(1)");
    pid_t child = hold(p, "PRAGMA wal_autocheckpoint=0; INSERT INTO t VALUES(2)");
    rb_db *db = open_as(p, RB_DB_READ);
    help_expect_rows(db, "SELECT count(*) FROM t", "[[2]]");
    rb_db_close(db);
    stop(child);
}

/* A transaction killed after it had spilled pages into the file is rolled back by who comes next,
 * even one that only reads. */
static void test_hot_journal(void **state)
{
    const place *p = *state;
    make(p, "CREATE TABLE t(a, b); INSERT INTO t VALUES(1, '')");
    pid_t child = hold(p, "PRAGMA cache_size=2; BEGIN IMMEDIATE; UPDATE t SET a = 2; WITH RECURSIVE"
                          " n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) INSERT"
                          " INTO t SELECT i, hex(zeroblob(100)) FROM n;");
    stop(child);
    char *journal = rb_format("%s-journal", p->path);
    assert_int_equal(access(journal, F_OK), 0);
    rb_db *db = open_as(p, RB_DB_READ);
    help_expect_rows(db, "SELECT count(*), max(a) FROM t", "[[1,1]]");
    rb_err err;
    assert_int_equal(rb_db_exec(db, "DELETE FROM t", NULL, &err), RB_ERROR);
    rb_db_close(db);
    assert_int_not_equal(access(journal, F_OK), 0);
    free(journal);
}

static void test_rehearse(void **state)
{
    const place *p = *state;
    rb_err err;
    rb_db *copy = NULL;
    rb_strs names = {0};
    make(p, "PRAGMA page_size=8192; PRAGMA journal_mode=WAL; CREATE TABLE t(a); INSERT INTO t "
            "VALUES(1)");
    char *dir = rb_format("%s/below", p->dir);
    help_ok(rb_dir_make(dir, &err), &err);
    rb_db *db = open_as(p, RB_DB_READ);
    help_ok(rb_db_rehearse(&copy, db, dir, true, &err), &err);
    help_ok(rb_db_begin(copy, &err), &err);
    help_exec(copy, "DROP TABLE t");
    help_ok(rb_db_commit(copy, &err), &err);
    help_ok(rb_dir_list(&names, dir, &err), &err);
    assert_int_equal(names.n, 0);
    rb_db_close(copy);
    rb_db_close(db);
    expect(p->path, "SELECT count(*) FROM t", "1\n");
    free(dir);
}

/* What is too large for memory is a file while it is open. */
static void test_rehearse_large(void **state)
{
    const place *p = *state;
    rb_err err;
    rb_db *copy = NULL;
    rb_strs names = {0};
    make(p, "PRAGMA journal_mode=WAL; PRAGMA page_size=65536; CREATE TABLE t(a);"
            " INSERT INTO t VALUES(zeroblob(68000000)); PRAGMA wal_checkpoint(TRUNCATE)");
    char *dir = rb_format("%s/below", p->dir);
    rb_db *db = open_as(p, RB_DB_READ);
    help_ok(rb_db_rehearse(&copy, db, dir, true, &err), &err);
    help_ok(rb_db_begin(copy, &err), &err);
    help_exec(copy, "UPDATE t SET a = 1");
    help_ok(rb_db_commit(copy, &err), &err);
    help_expect_rows(copy, "PRAGMA journal_mode", "[[\"memory\"]]");
    /* The state before has a name until it is compared: what a kill leaves is tidied away. */
    rb_dir_tidy(dir);
    help_ok(rb_dir_list(&names, dir, &err), &err);
    assert_int_equal(names.n, 1);
    rb_strs_clear(&names);
    rb_db_close(copy);
    help_ok(rb_dir_list(&names, dir, &err), &err);
    assert_int_equal(names.n, 0);
    rb_db_close(db);
    expect(p->path, "SELECT length(a) FROM t", "68000000\n");
    free(dir);
}

static const char fill[] = "CREATE TABLE big(a);"
                           "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i"
                           " < 4000) INSERT INTO big SELECT hex(zeroblob(500)) FROM n;";

static void expect_full(const place *p, rb_db *db, const char *words)
{
    rb_err err = {0};
    rb_db_outcome outcome;
    const script_pair pair = {"1", fill, NULL};
    rb_migrations *set = help_set(&pair, 1);
    assert_int_equal(help_run(&outcome, db, set, true, &err), RB_ERROR);
    if (!strstr(rb_err_line(&err), words) || !strstr(rb_err_line(&err), "db/1.up.sql line 1"))
        fail_msg("%s", rb_err_line(&err));
    rb_db_close(db);
    rb_migrations_free(set);
    expect(p->path, "PRAGMA integrity_check; SELECT name FROM sqlite_schema", "ok\nt\n");
}

static void test_size_limit(void **state)
{
    const place *p = *state;
    make(p, "CREATE TABLE t(a)");
    rb_db *db = open_as(p, RB_DB_WRITE);
    help_exec(db, "PRAGMA max_page_count=50");
    expect_full(p, db, "free space and run again");
}

/* A disk that takes no more: the file may not grow. Also the statement that writes the journal row
 * afterwards must not run on its own. */
static void test_disk_full(void **state)
{
    const place *p = *state;
    struct rlimit old;
    make(p, "CREATE TABLE t(a)");
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    const struct rlimit small = {200000, old.rlim_max};
    rb_db *db = open_as(p, RB_DB_WRITE);
    help_exec(db, "PRAGMA cache_size=5");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    expect_full(p, db, "the disk");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
}

static void test_nothing_runs_after_sqlite_gave_up(void **state)
{
    const place *p = *state;
    rb_err err;
    make(p, "CREATE TABLE t(a)");
    rb_db *db = open_as(p, RB_DB_WRITE);
    help_ok(rb_db_begin(db, &err), &err);
    /* as SQLite does by itself on some errors */
    help_exec(db, "ROLLBACK");
    assert_int_equal(rb_db_exec(db, "INSERT INTO t VALUES(1)", NULL, &err), RB_ERROR);
    assert_non_null(strstr(rb_err_line(&err), "nothing of it is kept"));
    assert_int_equal(rb_db_commit(db, &err), RB_ERROR);
    rb_db_close(db);
    expect(p->path, "SELECT count(*) FROM t", "0\n");
}

/* A commit is a commit, and nothing before it is: the child is killed right before or right after.
 */
static void test_killed(void **state)
{
    const place *p = *state;
    for (int after = 0; after < 2; after++) {
        unlink(p->path);
        make(p, "CREATE TABLE t(a); INSERT INTO t VALUES(1)");
        pid_t child = fork();
        if (child == 0) {
            rb_err err;
            rb_db_outcome outcome;
            const script_pair pair = {"1", "ALTER TABLE t ADD COLUMN b DEFAULT 7;", NULL};
            rb_migrations *set = help_set(&pair, 1);
            const rb_db_step step = {.migration = &set->items[0], .up = true, .release = "v1"};
            const rb_db_work work = {.steps = &step, .n = 1, .tracking = "diesel", .order = set};
            rb_db *db = open_as(p, RB_DB_WRITE);
            help_ok(rb_db_begin(db, &err), &err);
            help_ok(rb_db_run(&outcome, db, &work, &err), &err);
            help_ok(rb_db_journal_add(db, "T1", NULL, "v1", &outcome, NULL, &err), &err);
            if (after)
                help_ok(rb_db_commit(db, &err), &err);
            kill(getpid(), SIGKILL);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        rb_err err;
        bool has = !after;
        rb_db *db = open_as(p, RB_DB_READ);
        help_ok(rb_db_journal_has(&has, db, "T1", &err), &err);
        assert_int_equal(has, after);
        rb_db_close(db);
        expect(p->path,
               after ? "SELECT a, b FROM t; SELECT version FROM __diesel_schema_migrations"
                     : "SELECT * FROM t; SELECT name FROM sqlite_schema",
               after ? "1|7\n1\n" : "1\nt\n");
    }
}

static void test_check(void **state)
{
    const place *p = *state;
    rb_err err;
    json_t *rows = NULL;
    make(p, "CREATE TABLE t(a, b); INSERT INTO t VALUES(1, x'00ff'),(2, NULL),(3, 1.5)");
    rb_db *db = open_as(p, RB_DB_WRITE);
    help_ok(rb_db_check(&rows, db, "-- words\nSELECT a, b, a AS a FROM t ORDER BY a; -- more\n", 2,
                        &err),
            &err);
    char *text = help_json(rows);
    assert_string_equal(text, "[{\"a\":1,\"a (2)\":1,\"b\":\"x'00ff'\"},"
                              "{\"a\":2,\"a (2)\":2,\"b\":null}]");
    free(text);
    json_decref(rows);
    help_ok(rb_db_check(&rows, db, "SELECT 1 WHERE 0", 5, &err), &err);
    assert_int_equal(json_array_size(rows), 0);
    json_decref(rows);
    static const char *const bad[] = {
        "DELETE FROM t RETURNING a", "SELECT 1; SELECT 2", "",     "PRAGMA user_version=3",
        "ATTACH 'x' AS y",           "SELECT nope",        "BEGIN"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(rb_db_check(&rows, db, bad[i], 5, &err), RB_ERROR);
    help_expect_rows(db, "SELECT count(*) FROM t", "[[3]]");
    rb_db_close(db);
}

static void test_inspect_and_discard(void **state)
{
    place *p = *state;
    rb_err err;
    rb_db_target target;
    RB_AUTO(rb_free_str) char *journal = rb_format("%s-journal", p->path);
    help_ok(rb_db_inspect(&target, p->url, &err), &err);
    assert_false(target.exists);
    rb_db *db = NULL;
    help_ok(rb_db_open(&db, p->url, RB_DB_CREATE, &err), &err);
    help_exec(db, "BEGIN; CREATE TABLE t(a); ROLLBACK");
    rb_db_close(db);
    help_ok(rb_file_write(journal, "", 0, 0644, &err), &err);
    help_ok(rb_db_discard(p->url, &err), &err);
    assert_false(rb_file_exists(p->path));
    assert_false(rb_file_exists(journal));

    help_ok(rb_db_open(&db, p->url, RB_DB_CREATE, &err), &err);
    help_exec(db, "CREATE TABLE t(a)");
    rb_db_close(db);
    help_ok(rb_db_discard(p->url, &err), &err);
    help_ok(rb_db_inspect(&target, p->url, &err), &err);
    assert_true(target.exists && target.writable && target.bytes > 0);
    assert_int_equal(rb_db_inspect(&target, "mysql://host", &err), RB_ERROR);
}

static void test_urls(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        const char *engine;
        const char *file;
        const char *public;
    } urls[] = {
        {"sqlite:/srv/a.db", "sqlite", "/srv/a.db", "sqlite:/srv/a.db"},
        {"postgresql://u:secret@h/d?password=x&a=b", "postgresql", NULL, "postgresql://u@h/d?a=b"},
        {"postgres://h/d", "postgresql", NULL, "postgres://h/d"},
        {"postgresql://u:a?b@h/d", "postgresql", NULL, "postgresql://u@h/d"},
        {"postgresql://u:a/b@h/d?x=y", "postgresql", NULL, "postgresql://u@h/d?x=y"},
        {"postgresql://u:a@b@h/d", "postgresql", NULL, "postgresql://u@h/d"},
        {"postgresql:///d?user=a@b", "postgresql", NULL, "postgresql:///d?user=a@b"},
        {"postgresql:///d?p%61ss%57ord=x&p%61ss%77ord=secret", "postgresql", NULL,
         "postgresql:///d?p%61ss%57ord=x&"},
        {"sqlite:", NULL, NULL, "sqlite:"},
        {"mysql://h", NULL, NULL, "mysql://h"},
    };
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        const char *engine = rb_url_engine(urls[i].url, NULL);
        const char *file = rb_url_file(urls[i].url);
        RB_AUTO(rb_free_str) char *public = rb_url_public(urls[i].url);
        assert_true(engine ? rb_text_same(engine, urls[i].engine) : !urls[i].engine);
        assert_true(file ? rb_text_same(file, urls[i].file) : !urls[i].file);
        assert_string_equal(public, urls[i].public);
    }
    RB_AUTO(rb_free_str) char *moved = rb_url_with_file("sqlite:a.db", "/b/a.db");
    assert_string_equal(moved, "sqlite:/b/a.db");
}

static void test_values(void **state)
{
    (void)state;
    rb_err err;
    rb_db *db = help_scratch("CREATE TABLE t(a, b, c)");
    json_t *params = json_pack("[s, I, n]", "it's", (json_int_t)-9223372036854775807, NULL);
    help_ok(rb_db_exec(db, "INSERT INTO t VALUES ($1, $2, $3)", params, &err), &err);
    json_decref(params);
    help_exec(db, "INSERT INTO t VALUES (CAST(x'ff41' AS TEXT), 0.1, x'')");
    help_expect_rows(db, "SELECT * FROM t",
                     "[[\"it's\",-9223372036854775807,null],[\"\\\\xffA\",\"0.1\",\"x''\"]]");
    rb_db_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_open, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_name_like_a_uri, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_locked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_wal, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_hot_journal, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rehearse, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rehearse_large, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_size_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_disk_full, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_runs_after_sqlite_gave_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_killed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_check, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_inspect_and_discard, set_up, tear_down),
        cmocka_unit_test(test_urls),
        cmocka_unit_test(test_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
