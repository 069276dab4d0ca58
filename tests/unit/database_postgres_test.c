/* Scripts, sessions and queries of the PostgreSQL driver, on a private server. */
#include "postgres_help.h"

#include "database/driver.h"
#include "database/tracking.h"

static enum rb_code run_text(rb_db *db, const char *text, rb_err *err)
{
    const rb_db_text sql = {.text = text, .line = 1, .file = "1.sql", .what = "migration 1 (up)"};
    RB_AUTO(rb_json_freep) json_t *effects = json_object();
    return db->driver->script(effects, db, &sql, err);
}

/* The first value of a query as text. */
static char *value(rb_db *db, const char *query)
{
    rb_err err;
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    help_ok(rb_db_query(&rows, db, query, NULL, &err), &err);
    const json_t *cell = json_array_get(json_array_get(rows, 0), 0);
    if (json_is_integer(cell))
        return rb_format("%lld", (long long)json_integer_value(cell));
    return rb_strdup(json_is_string(cell) ? json_string_value(cell) : "null");
}

static void assert_value(rb_db *db, const char *query, const char *expected)
{
    char *found = value(db, query);
    assert_string_equal(found, expected);
    free(found);
}

/* Scripts that run, and what a query says afterwards. */
static const struct {
    const char *script;
    const char *query;
    const char *expected;
} runs[] = {
    {"SELECT 1; ; -- nothing\n/* a /* nested; */ ; */", "SELECT 1", "1"},
    {"CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $x$ BEGIN; RETURN 7; END; $x$;",
     "SELECT count(*) FROM pg_proc WHERE proname = 'f'", "!syntax error"},
    {"CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $x$ BEGIN RETURN 7; END; $x$;",
     "SELECT f()", "7"},
    {"CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT CASE WHEN true THEN 8 END; "
     "END; SELECT 1;",
     "SELECT f()", "8"},
    {"DO $$ BEGIN CREATE TABLE t (a int); INSERT INTO t VALUES (1); END $$;",
     "SELECT count(*) FROM t", "1"},
    {"CREATE TABLE t (a int, b text);\nCOPY t (a, b) FROM stdin;\n1\tone; COMMIT;\n2\t\\N\n\\.\n"
     "INSERT INTO t VALUES (3, 'x');",
     "SELECT string_agg(a || coalesce(b, '-'), ',' ORDER BY a) FROM t", "1one; COMMIT;,2-,3x"},
    {"CREATE TABLE t (a int);\r\nCOPY t FROM STDIN WITH (FORMAT csv);\r\n1\r\n2\r\n\\.\r\nDELETE "
     "FROM t WHERE a = 1;\r\n",
     "SELECT sum(a) FROM t", "2"},
    {"CREATE TABLE t (a int); COPY t TO stdout; SELECT * FROM generate_series(1, 100000);",
     "SELECT count(*) FROM t", "0"},
    {"CREATE TABLE t (a int); CREATE RULE r AS ON INSERT TO t DO ALSO (SELECT 1; SELECT 2);",
     "SELECT count(*) FROM pg_rules WHERE rulename = 'r'", "1"},
    /* What a script leaves in the session does not reach the next one. */
    {"SET search_path = nowhere; SET LOCAL work_mem = '1MB'; SET DateStyle = 'SQL, DMY';",
     "SELECT current_setting('search_path') || current_setting('work_mem') || "
     "current_setting('DateStyle')",
     "\"$user\", public4MBISO, YMD"},
    {"CREATE ROLE other; SET ROLE other;", "SELECT current_user", "postgres"},
    {"CREATE ROLE other; SET SESSION AUTHORIZATION other;", "SELECT session_user", "postgres"},
    {"CREATE TYPE pg_temp.mood AS ENUM ('a'); CREATE TEMP TABLE x (a serial, m pg_temp.mood);"
     " CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE TEMP VIEW v AS"
     " SELECT * FROM x; CREATE TEMP TABLE \"rbtool backup\" (a int);",
     "SELECT (SELECT string_agg(relname, ',') FROM pg_class WHERE relnamespace ="
     " pg_my_temp_schema()) || (SELECT count(*) FROM pg_proc WHERE pronamespace ="
     " pg_my_temp_schema())",
     "rbtool backup0"},
    {"CREATE TEMP TABLE rbtool_journal (a int); PREPARE p AS SELECT 1; LISTEN x;"
     " DECLARE c CURSOR WITH HOLD FOR SELECT 1; SELECT pg_advisory_lock(5);",
     "SELECT (SELECT count(*) FROM pg_prepared_statements) + (SELECT count(*) FROM pg_cursors "
     "WHERE name <> '')"
     " + (SELECT count(*) FROM pg_listening_channels()) + (SELECT count(*) FROM pg_locks WHERE"
     " locktype = 'advisory' AND objid = 5) + (SELECT count(*) FROM pg_class WHERE relname ="
     " 'rbtool_journal')",
     "0"},
    {"SET idle_in_transaction_session_timeout = 60000; SET statement_timeout = 10000;",
     "SELECT current_setting('idle_in_transaction_session_timeout') || "
     "current_setting('statement_timeout')",
     "00"},
    {"CREATE TEMP TABLE x (a int);",
     "SELECT count(*) FROM pg_class WHERE relnamespace = pg_my_temp_schema()", "0"},
    {"CREATE TABLE pg_temp.x (a int);",
     "SELECT count(*) FROM pg_class WHERE relnamespace = pg_my_temp_schema()", "0"},
    /* rbtool's own settings, also after a script that can leave nothing. */
    {"CREATE TABLE x (a int); DROP TABLE x;",
     "SELECT current_setting('DateStyle') || current_setting('row_security')", "ISO, YMDoff"},
    /* rbtool's own statements, where the script removes what is prepared. */
    {"CREATE TABLE x (a int); DROP TABLE x; CREATE TABLE x (a int); DROP TABLE x;"
     " CREATE TABLE x (a int); DEALLOCATE ALL; DROP TABLE x;",
     "SELECT count(*) FROM pg_class WHERE relname = 'x'", "0"},
    /* Errors name script, line, statement, SQLSTATE and hint. */
    {"SELECT 1;\n\nSELECT 'ä',\n  nothing;", NULL,
     "!migration 1 (up): 1.sql line 4: column \"nothing\" does not exist (SQLSTATE 42703), while "
     "running \"SELECT 'ä',...\""},
    {"SELECT f('x');", NULL, "!explicit type casts"},
    {"CREATE TABLE t (a int);\nCOPY t FROM stdin;\n1\nx\n\\.\n", NULL,
     "!1.sql line 2: invalid input syntax for type integer: \"x\" (SQLSTATE 22P02)"},
    {"CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (a int REFERENCES a DEFERRABLE INITIALLY"
     " DEFERRED); INSERT INTO b VALUES (1);",
     NULL, "!migration 1 (up): 1.sql: insert or update on table \"b\" violates foreign key"},
    {"SELECT 1; COMMIT; SELECT 2;", NULL, "!1.sql line 1: transaction control cannot run"},
    {"DO $$ BEGIN COMMIT; END $$;", NULL, "!invalid transaction termination (SQLSTATE 2D000)"},
    {"CREATE EXTENSION nothing_such;", NULL, "!extension \"nothing_such\" is not available"},
    {"SET ROLE nobody_such;", NULL, "!role \"nobody_such\" does not exist"},
    {"DO $$ BEGIN RAISE EXCEPTION E'two\\nlines' USING HINT = 'do this'; END $$;", NULL,
     "!two lines (SQLSTATE P0001), while running \"DO $$ BEGIN RAISE EXCEPTION E'two\\nlines' "
     "USING "
     "HINT = 'do this'; END $$\"; do this"},
    {"CREATE TABLE t (a int); CREATE INDEX CONCURRENTLY i ON t (a);", NULL,
     "!(SQLSTATE 25001), while running \"CREATE INDEX CONCURRENTLY i ON t (a)\"; rbtool runs "
     "scripts in a transaction"},
    /* Syntax that PostgreSQL 15's parser does not know is the server's to judge. */
    {"SELECT 1;\nALTER TABLE t ADD CONSTRAINT x NOT NULL a NOT VALID;", NULL,
     "!1.sql line 2: syntax error"},
};

static void scripts_run_and_leave_nothing_in_the_session(void **state)
{
    (void)state;
    rb_db *db = help_pg_open("scripts");
    size_t wrong = 0;
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        rb_err err = {0};
        help_ok(rb_db_begin(db, &err), &err);
        enum rb_code code = run_text(db, runs[i].script, &err);
        char *found =
            code == RB_OK ? value(db, runs[i].query) : rb_format("!%s", rb_err_line(&err));
        bool refused = runs[i].expected[0] == '!';
        if (refused ? !strstr(found, runs[i].expected + 1) || found[0] != '!'
                    : strcmp(found, runs[i].expected) != 0) {
            print_error("%s: expected %s, found %s\n", runs[i].script, runs[i].expected, found);
            wrong++;
        }
        free(found);
        rb_db_rollback(db);
    }
    rb_db_close(db);
    assert_int_equal(wrong, 0);
}

static void deferred_constraints_stay_deferred_in_the_next_script(void **state)
{
    (void)state;
    rb_err err;
    rb_db *db = help_pg_open("deferred");
    help_ok(rb_db_begin(db, &err), &err);
    help_ok(run_text(db,
                     "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int CONSTRAINT k "
                     "REFERENCES a DEFERRABLE INITIALLY DEFERRED);"
                     "CREATE TABLE c (id int CONSTRAINT k CHECK (id > 0));"
                     "CREATE TABLE d (id int CONSTRAINT l REFERENCES a DEFERRABLE INITIALLY "
                     "DEFERRED);",
                     &err),
            &err);
    help_ok(run_text(db, "INSERT INTO d VALUES (1); INSERT INTO a VALUES (1);", &err), &err);
    help_ok(rb_db_commit(db, &err), &err);
    assert_value(db, "SELECT count(*) FROM d", "1");
    rb_db_close(db);
}

/* What code of a script leaves, although the statement that starts it can leave nothing. */
static void an_event_trigger_of_an_earlier_script_leaves_nothing(void **state)
{
    (void)state;
    rb_err err;
    rb_db *db = help_pg_open("events");
    help_ok(rb_db_begin(db, &err), &err);
    help_ok(run_text(db, "CREATE TABLE first (a int);", &err), &err);
    help_ok(run_text(db,
                     "CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN PERFORM"
                     " set_config(''DateStyle'', ''SQL, DMY'', false); END';"
                     "CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION f();",
                     &err),
            &err);
    help_ok(run_text(db, "CREATE TABLE second (a int);", &err), &err);
    help_ok(run_text(db,
                     "CREATE VIEW style AS SELECT current_setting('DateStyle') AS now;"
                     "CREATE TABLE seen AS SELECT now FROM style;",
                     &err),
            &err);
    assert_value(db, "SELECT now FROM seen", "SQL, DMY");
    help_ok(run_text(db, "DROP EVENT TRIGGER e; DROP TABLE second;", &err), &err);
    help_ok(run_text(db, "CREATE TABLE third AS SELECT current_setting('DateStyle') AS now;", &err),
            &err);
    assert_value(db, "SELECT now FROM third", "ISO, MDY");
    rb_db_rollback(db);
    rb_db_close(db);
}

static void a_script_that_takes_longer_than_its_limit_is_stopped(void **state)
{
    (void)state;
    rb_err err;
    rb_db *db = help_pg_open("limits");
    const rb_db_limits limits = {.seconds = 1, .where = "databases.main.limits"};
    help_ok(rb_db_limit(db, &limits, &err), &err);
    help_ok(rb_db_begin(db, &err), &err);
    assert_int_equal(run_text(db, "SET statement_timeout = 0;\nSELECT pg_sleep(600);", &err),
                     RB_FOUND);
    assert_non_null(strstr(rb_err_line(&err), "1.sql line 2: it ran longer than 1 s, the limit"));
    assert_true(rb_db_limited(db));
    rb_db_rollback(db);
    rb_db_close(db);
}

static void a_data_test_is_one_query_that_only_reads(void **state)
{
    (void)state;
    rb_err err;
    rb_db *db = help_pg_open("checks");
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    help_ok(rb_db_exec(db, "CREATE TABLE t (a int); INSERT INTO t SELECT generate_series(1, 9)",
                       NULL, &err),
            &err);
    for (int inside = 0; inside < 2; inside++) {
        static const char *const refused[] = {
            "DELETE FROM t RETURNING a", "SELECT 1; DELETE FROM t", "SELECT setval('s', 1)",
            "COPY t TO PROGRAM 'id'", "WITH x AS (DELETE FROM t RETURNING a) SELECT * FROM x"};
        if (inside)
            help_ok(rb_db_begin(db, &err), &err);
        for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
            assert_int_equal(rb_db_check(&rows, db, refused[i], 3, &err), RB_ERROR);
        help_ok(rb_db_check(&rows, db, "SELECT a, 'x' AS a FROM t ORDER BY 1 -- all\n;", 2, &err),
                &err);
        char *text = help_json(rows);
        assert_string_equal(text, "[{\"a\":1,\"a (2)\":\"x\"},{\"a\":2,\"a (2)\":\"x\"}]");
        free(text);
        json_decref(rows);
        rows = NULL;
        assert_value(db, "SELECT count(*) FROM t", "9");
        help_ok(rb_db_exec(db,
                           "INSERT INTO t VALUES (1); DELETE FROM t WHERE ctid = (SELECT "
                           "max(ctid) FROM t)",
                           NULL, &err),
                &err);
    }
    rb_db_close(db);
}

/* Another session, with statements one by one. */
static PGconn *other_session(const char *name, const char *application)
{
    char *url = help_pg_url(name);
    char *full = rb_format("%s&application_name=%s", url, application);
    PGconn *conn = PQconnectdb(full);
    assert_int_equal(PQstatus(conn), CONNECTION_OK);
    free(full);
    free(url);
    return conn;
}

static void other_runs(PGconn *conn, const char *sql)
{
    PGresult *result = PQexec(conn, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(conn));
    PQclear(result);
}

static void one_run_at_a_time_has_the_database(void **state)
{
    (void)state;
    rb_err err;
    rb_db *first = help_pg_open("locks");
    rb_db *second = NULL;
    char *url = help_pg_url("locks");
    help_ok(rb_db_open(&second, url, RB_DB_WRITE, &err), &err);
    help_ok(rb_db_label(first, "20261201T000000Z-1", &err), &err);
    help_ok(rb_db_begin(first, &err), &err);
    assert_int_equal(rb_db_begin(second, &err), RB_BUSY);
    assert_non_null(strstr(err.message, "another run of rbtool holds its lock: pid "));
    assert_non_null(strstr(err.message, "application \"rbtool:20261201T000000Z-1\""));
    rb_db_rollback(first);
    help_ok(rb_db_begin(second, &err), &err);
    rb_db_close(second);
    rb_db_close(first);
    free(url);
}

/* Keys as the tools compute them: sqlx for a database of this name, golang-migrate for
 * public, schema_migrations and this name. */
static void the_lock_of_the_migration_tool_is_taken(void **state)
{
    (void)state;
    static const struct {
        const char *tool;
        const char *key;
    } locks[] = {{"sqlx", "2771974297191923538"}, {"golang-migrate", "2099747081"}};
    rb_err err;
    rb_db *db = help_pg_open("zone");
    PGconn *other = other_session("zone", "booting");
    for (size_t i = 0; i < sizeof locks / sizeof *locks; i++) {
        char *lock = rb_format("SELECT pg_advisory_lock(%s)", locks[i].key);
        char *unlock = rb_format("SELECT pg_advisory_unlock(%s)", locks[i].key);
        other_runs(other, lock);
        help_ok(rb_db_begin(db, &err), &err);
        assert_int_equal(rb_tracking_lock(db, locks[i].tool, &err), RB_BUSY);
        assert_non_null(strstr(err.message, locks[i].tool));
        assert_non_null(strstr(err.message, "application \"booting\""));
        other_runs(other, unlock);
        help_ok(rb_tracking_lock(db, locks[i].tool, &err), &err);
        help_ok(rb_tracking_lock(db, "dbmate", &err), &err);
        rb_db_rollback(db);
        free(lock);
        free(unlock);
    }
    PQfinish(other);
    rb_db_close(db);
}

/* What each tool's table has after one migration, as its tool would write it. */
static void tracking_tables_are_those_of_the_tools(void **state)
{
    (void)state;
    static const struct {
        const char *tool;
        const char *row;
        const char *expected;
    } tools[] = {
        {"golang-migrate", "SELECT version || ' ' || dirty FROM schema_migrations", "7 false"},
        {"dbmate", "SELECT version FROM schema_migrations", "7"},
        {"diesel", "SELECT version || (run_on IS NOT NULL) FROM __diesel_schema_migrations",
         "7true"},
        {"sqlx",
         "SELECT version || description || success || (checksum = sha384('SELECT 1')) ||"
         " execution_time || pg_typeof(installed_on) FROM _sqlx_migrations",
         "7truetrue42timestamp with time zone"},
    };
    static const script_pair pair = {"7", "SELECT 1", "SELECT 2"};
    rb_err err;
    rb_db *db = help_pg_open("tracking");
    rb_migrations *set = help_set(&pair, 1);
    for (size_t i = 0; i < sizeof tools / sizeof *tools; i++) {
        RB_AUTO(rb_strs_clear) rb_strs applied = {0};
        RB_AUTO(rb_strs_clear) rb_strs read = {0};
        RB_AUTO(rb_strs_clear) rb_strs none = {0};
        const char *found = NULL;
        bool dirty;
        help_ok(rb_db_begin(db, &err), &err);
        help_ok(rb_tracking_find(&found, db, "auto", tools[i].tool, &err), &err);
        assert_string_equal(found, tools[i].tool); /* the layout's, in an empty database */
        rb_strs_add(&applied, "7");
        help_ok(rb_tracking_note(db, tools[i].tool, &set->items[0], true, &applied, 42, &err),
                &err);
        assert_value(db, tools[i].row, tools[i].expected);
        help_ok(rb_tracking_find(&found, db, "auto", "other", &err), &err);
        assert_string_equal(found, tools[i].tool); /* by its columns */
        help_ok(rb_tracking_read(&read, &dirty, db, found, set, &err), &err);
        assert_true(read.n == 1 && !dirty && strcmp(read.items[0], "7") == 0);
        help_ok(rb_tracking_note(db, found, &set->items[0], false, &none, 42, &err), &err);
        rb_strs_clear(&read);
        help_ok(rb_tracking_read(&read, &dirty, db, found, set, &err), &err);
        assert_int_equal(read.n, 0);
        rb_db_rollback(db);
    }
    rb_migrations_free(set);
    rb_db_close(db);
}

/* A checksum that sqlx wrote, and that is not the script's, comes back with its migration. */
static void a_checksum_of_sqlx_comes_back(void **state)
{
    (void)state;
    static const script_pair pair = {"7", "SELECT 1", "SELECT 2"};
    rb_err err;
    rb_strs none = {0};
    rb_db *db = help_pg_open("checksums");
    rb_migrations *set = help_set(&pair, 1);
    help_ok(rb_db_begin(db, &err), &err);
    help_ok(rb_tracking_note(db, "sqlx", &set->items[0], true, &none, 42, &err), &err);
    help_ok(rb_db_exec(db,
                       "UPDATE _sqlx_migrations SET checksum = '\\xc0ffee';"
                       "CREATE TABLE rbtool_applied (id text, release text);"
                       "INSERT INTO rbtool_applied VALUES ('7', NULL)",
                       NULL, &err),
            &err);
    help_ok(rb_tracking_note(db, "sqlx", &set->items[0], false, &none, 42, &err), &err);
    help_ok(rb_tracking_note(db, "sqlx", &set->items[0], true, &none, 42, &err), &err);
    assert_value(db, "SELECT encode(checksum, 'hex') FROM _sqlx_migrations", "c0ffee");
    rb_db_close(db);
    rb_migrations_free(set);
}

static void a_statement_gives_way_to_who_holds_a_lock(void **state)
{
    (void)state;
    rb_err err;
    rb_db *db = help_pg_open("waits");
    help_ok(rb_db_exec(db, "CREATE TABLE t (a int)", NULL, &err), &err);
    PGconn *other = other_session("waits", "reader");
    other_runs(other, "BEGIN; SELECT * FROM t");
    const rb_db_limits limits = {.lock_ms = 400};
    help_ok(rb_db_limit(db, &limits, &err), &err);
    help_ok(rb_db_begin(db, &err), &err);
    assert_int_equal(run_text(db, "SELECT 1;\nALTER TABLE t ADD b int;", &err), RB_BUSY);
    assert_non_null(strstr(err.message, "1.sql line 2: canceling statement due to lock timeout "
                                        "(SQLSTATE 55P03); the lock is held by pid "));
    assert_non_null(strstr(err.message, "application \"reader\""));
    assert_non_null(strstr(err.message, "query `BEGIN; SELECT * FROM t`"));
    assert_int_equal(rb_db_commit(db, &err), RB_ERROR); /* a server would report success */
    rb_db_rollback(db);
    PQfinish(other);
    rb_db_close(db);
}

static void the_journal_is_read_when_the_transition_has_no_session_left(void **state)
{
    (void)state;
    rb_err err;
    bool has = false;
    rb_db *db = help_pg_open("await");
    PGconn *other = other_session("await", "rbtool:20261201T000000Z-2");
    other_runs(other, "CREATE TABLE rbtool_journal (transition_id text)");
    /* What a client that was killed has sent: it commits after a while. */
    assert_int_equal(PQsendQuery(other, "BEGIN; INSERT INTO rbtool_journal VALUES "
                                        "('20261201T000000Z-2'); SELECT pg_sleep(1); COMMIT"),
                     1);
    close(PQsocket(other));
    help_ok(rb_db_journal_has(&has, db, "20261201T000000Z-2", &err), &err);
    assert_true(has);
    PQfinish(other);
    rb_db_close(db);
}

static void an_answer_has_a_limit(void **state)
{
    (void)state;
    rb_err err;
    rb_db *db = help_pg_open("answers");
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    assert_int_equal(rb_db_query_within(&rows, db, 1000,
                                        "SELECT repeat('x', 10) FROM generate_series(1, 1000000)",
                                        NULL, &err),
                     RB_ERROR);
    assert_non_null(strstr(err.message, "more than 1000 bytes"));
    assert_value(db, "SELECT 1", "1"); /* the session goes on */
    RB_AUTO(rb_json_freep) json_t *settings = NULL;
    help_ok(rb_db_exec(db,
                       "DO $$ BEGIN EXECUTE 'ALTER DATABASE answers SET app.x = y'; EXECUTE"
                       " 'ALTER DATABASE answers SET app.big = ' || quote_literal(repeat('x',"
                       " 68000000)); END $$",
                       NULL, &err),
            &err);
    assert_int_equal(db->driver->settings(&settings, db, &err), RB_ERROR);
    assert_non_null(strstr(err.message, "the answer has more than 64 MiB"));
    help_ok(rb_db_exec(db, "ALTER DATABASE answers RESET app.big", NULL, &err), &err);
    help_ok(db->driver->settings(&settings, db, &err), &err);
    assert_string_equal(rb_json_str(settings, "app.x"), "y");
    rb_db_close(db);
}

static void errors_never_show_a_password(void **state)
{
    (void)state;
    static const char *const urls[] = {"postgresql://me:hunter2@/x?host=/nowhere",
                                       "postgresql:///x?host=/nowhere&password=hunter2",
                                       "postgresql://me:hunter2@h:99999999/x",
                                       "postgresql://me:hunter2%zz@h/x",
                                       "postgresql://me:hunter2@h/x?nonsense=1",
                                       "postgres://h/x?password=hunter2&bad",
                                       "postgresql://h/x?pass%77ord=hunter2&bad",
                                       "postgresql://me:hunter2@[::1/x",
                                       "postgresql://me:x@hunter2@h/x",
                                       "postgresql://me:x/hunter2@h/x",
                                       "postgresql://me:x?hunter2@h/x"};
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        rb_err err;
        rb_db *db = NULL;
        assert_int_equal(rb_db_open(&db, urls[i], RB_DB_READ, &err), RB_ERROR);
        if (strstr(rb_err_line(&err), "hunter2"))
            fail_msg("%s: %s", urls[i], err.message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scripts_run_and_leave_nothing_in_the_session),
        cmocka_unit_test(deferred_constraints_stay_deferred_in_the_next_script),
        cmocka_unit_test(an_event_trigger_of_an_earlier_script_leaves_nothing),
        cmocka_unit_test(a_script_that_takes_longer_than_its_limit_is_stopped),
        cmocka_unit_test(a_data_test_is_one_query_that_only_reads),
        cmocka_unit_test(one_run_at_a_time_has_the_database),
        cmocka_unit_test(the_lock_of_the_migration_tool_is_taken),
        cmocka_unit_test(tracking_tables_are_those_of_the_tools),
        cmocka_unit_test(a_checksum_of_sqlx_comes_back),
        cmocka_unit_test(a_statement_gives_way_to_who_holds_a_lock),
        cmocka_unit_test(the_journal_is_read_when_the_transition_has_no_session_left),
        cmocka_unit_test(an_answer_has_a_limit),
        cmocka_unit_test(errors_never_show_a_password),
    };
    return cmocka_run_group_tests(tests, help_pg_start, help_pg_stop);
}
