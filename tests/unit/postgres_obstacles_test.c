/* What else uses a PostgreSQL database that scripts are about to change. */
#include "postgres_help.h"

/* The lines, joined by newlines; the caller's. */
static char *obstacles(rb_db *db, const char *effects_text)
{
    rb_err err;
    rb_buf out = {0};
    RB_AUTO(rb_json_freep) json_t *effects = NULL;
    RB_AUTO(rb_json_freep) json_t *lines = NULL;
    size_t i;
    json_t *line;
    help_ok(rb_json_read(&effects, effects_text, strlen(effects_text), "effects", &err), &err);
    help_ok(rb_db_obstacles(&lines, db, effects, &err), &err);
    json_array_foreach (lines, i, line)
        rb_buf_printf(&out, "%s\n", json_string_value(line));
    rb_buf_puts(&out, "");
    return rb_buf_detach(&out);
}

static void assert_has(const char *lines, const char *text)
{
    if (!strstr(lines, text))
        fail_msg("\"%s\" is missing in:\n%s", text, lines);
}

static void run_on(PGconn *conn, const char *sql)
{
    PGresult *result = PQexec(conn, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(conn));
    PQclear(result);
}

static void test_sessions_that_hold_locks_are_named(void **state)
{
    (void)state;
    rb_db *db = help_pg_open("locks");
    RB_AUTO(rb_free_str) char *url = help_pg_url("locks");
    PGconn *other = PQconnectdb(url);
    PGconn *prepared = PQconnectdb(url);
    run_on(other, "CREATE SCHEMA audit; CREATE TABLE audit.log(a int); CREATE TABLE quiet(a int)");
    run_on(other, "SET application_name = 'shop'; BEGIN; INSERT INTO audit.log VALUES (1)");
    run_on(prepared, "BEGIN; DELETE FROM audit.log; PREPARE TRANSACTION 'half way'");
    RB_AUTO(rb_free_str) char *lines = obstacles(db, "{\"audit.log\": {\"rows\": true}}");
    assert_has(lines, " (shop, postgres, idle in transaction) holds locks on audit.log: SET");
    assert_has(lines, "prepared transaction 'half way' of postgres holds locks on audit.log; end "
                      "it with COMMIT PREPARED");
    RB_AUTO(rb_free_str) char *quiet = obstacles(db, "{\"quiet\": {\"rows\": true}}");
    assert_string_equal(quiet, "prepared transaction 'half way' of postgres is open; end it with "
                               "COMMIT PREPARED or ROLLBACK PREPARED\n");
    run_on(prepared, "ROLLBACK PREPARED 'half way'");
    run_on(other, "ROLLBACK");
    RB_AUTO(rb_free_str) char *none = obstacles(db, "{\"audit.log\": {\"rows\": true}}");
    assert_string_equal(none, "");
    PQfinish(prepared);
    PQfinish(other);
    rb_db_close(db);
}

static void test_publications_and_slots_that_break_are_named(void **state)
{
    (void)state;
    static const char breaks[] = "{\"orders\": {\"columns\": {\"note\": \"drop\"}}}";
    static const char adds[] = "{\"orders\": {\"inserts\": true}}";
    rb_db *db = help_pg_open("published");
    RB_AUTO(rb_free_str) char *url = help_pg_url("published");
    PGconn *other = PQconnectdb(url);
    run_on(other, "SET statement_timeout = '1min'"); /* a slot waits for other transactions */
    run_on(other, "CREATE TABLE orders(id int PRIMARY KEY, note text)");
    run_on(other, "CREATE PUBLICATION changes FOR TABLE orders");
    run_on(other, "SELECT pg_create_logical_replication_slot('warehouse', 'pgoutput')");
    RB_AUTO(rb_free_str) char *lines = obstacles(db, breaks);
    assert_string_equal(lines,
                        "publication changes has orders, which the scripts drop or rename: change "
                        "its subscribers first\nreplication slot warehouse (not in use) reads the "
                        "changes of this database, of which the scripts drop or rename orders\n");
    RB_AUTO(rb_free_str) char *none = obstacles(db, adds);
    assert_string_equal(none, "");
    run_on(other, "SELECT pg_drop_replication_slot('warehouse')");
    PQfinish(other);
    rb_db_close(db);
}

static void test_a_role_without_rights_is_answered(void **state)
{
    (void)state;
    rb_err err;
    rb_db *db = NULL;
    rb_db_close(help_pg_open("unseen"));
    RB_AUTO(rb_free_str) char *server = help_pg_url("unseen");
    RB_AUTO(rb_free_str)
    char *url = rb_format("postgresql:///unseen?host=%s&user=visitor", help_pg_dir);
    help_pg_sql(server, "CREATE ROLE visitor LOGIN");
    help_ok(rb_db_open(&db, url, RB_DB_READ, &err), &err);
    RB_AUTO(rb_free_str) char *lines = obstacles(db, "{\"orders\": {\"dropped\": true}}");
    assert_string_equal(lines, "");
    rb_db_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_publications_and_slots_that_break_are_named),
        cmocka_unit_test(test_sessions_that_hold_locks_are_named),
        cmocka_unit_test(test_a_role_without_rights_is_answered),
    };
    return cmocka_run_group_tests(tests, help_pg_start, help_pg_stop);
}
