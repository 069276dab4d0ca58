#include "database_help.h"

static const script_pair pairs[] = {{"1", "CREATE TABLE a(x);", "DROP TABLE a;"},
                                    {"2", "CREATE TABLE b(x);", "DROP TABLE b;"},
                                    {"10", "CREATE TABLE c(x);", "DROP TABLE c;"}};

static void expect_ids(const rb_strs *ids, const char *expected)
{
    rb_buf text = {0};
    for (size_t i = 0; i < ids->n; i++)
        rb_buf_printf(&text, "%s%s", i ? " " : "", ids->items[i]);
    assert_string_equal(rb_buf_str(&text), expected);
    rb_buf_clear(&text);
}

static void expect_applied(rb_db *db, const rb_migrations *set, const char *ids,
                           const char *disagree, const char *tracking)
{
    rb_err err;
    rb_applied applied;
    help_ok(rb_db_applied(&applied, db, set, "auto", &err), &err);
    expect_ids(&applied.ids, ids);
    expect_ids(&applied.disagree, disagree);
    assert_string_equal(applied.tracking, tracking);
    assert_false(applied.dirty);
    rb_applied_clear(&applied);
}

static enum rb_code step(rb_db *db, const rb_migration *m, bool up, const char *tracking,
                         const rb_migrations *order, rb_err *err)
{
    rb_db_outcome outcome;
    const rb_db_step steps[] = {{.migration = m, .up = up, .release = "v2"}};
    const rb_db_work work = {.steps = steps, .n = 1, .tracking = tracking, .order = order};
    help_ok(rb_db_begin(db, err), err);
    enum rb_code code = rb_db_run(&outcome, db, &work, err);
    if (code != RB_OK) {
        rb_db_rollback(db);
        return code;
    }
    help_ok(rb_db_commit(db, err), err);
    rb_db_outcome_clear(&outcome);
    return RB_OK;
}

/* A database that golang-migrate has kept: rbtool takes its list over, going down from the last. */
static void test_taken_over(void **state)
{
    (void)state;
    rb_err err;
    rb_migrations *from = help_set(pairs, 3);
    rb_migrations *to = help_set(pairs, 2);
    rb_db *db = help_scratch("CREATE TABLE schema_migrations (version uint64,dirty bool);"
                             "INSERT INTO schema_migrations VALUES(10, 0); CREATE TABLE a(x);"
                             "CREATE TABLE b(x); CREATE TABLE c(x);");
    expect_applied(db, from, "1 2 10", "", "golang-migrate");
    help_ok(step(db, &from->items[2], false, "golang-migrate", to, &err), &err);
    expect_applied(db, to, "1 2", "", "golang-migrate");
    help_expect_rows(db, "SELECT version, dirty FROM schema_migrations", "[[2,0]]");
    help_expect_rows(db, "SELECT id FROM rbtool_applied ORDER BY sequence", "[[\"1\"],[\"2\"]]");

    /* the user's tool goes on by itself: what it says holds, and is taken over again */
    help_exec(db, "CREATE TABLE c(x); UPDATE schema_migrations SET version = 10");
    expect_applied(db, from, "1 2 10", "10", "golang-migrate");
    help_ok(step(db, &from->items[2], false, "golang-migrate", to, &err), &err);
    expect_applied(db, to, "1 2", "", "golang-migrate");
    rb_db_close(db);
    rb_migrations_free(from);
    rb_migrations_free(to);
}

/* An id that sorts before applied ones: the tool's one row cannot tell, rbtool_applied can. */
static void test_inserted_before(void **state)
{
    (void)state;
    rb_err err;
    const script_pair without[] = {pairs[0], pairs[2]};
    rb_migrations *from = help_set(without, 2);
    rb_migrations *to = help_set(pairs, 3);
    rb_db *db = help_scratch("CREATE TABLE schema_migrations (version uint64,dirty bool);");
    help_ok(step(db, &from->items[0], true, "golang-migrate", from, &err), &err);
    help_ok(step(db, &from->items[1], true, "golang-migrate", from, &err), &err);
    expect_applied(db, from, "1 10", "", "golang-migrate");
    help_ok(step(db, &to->items[1], true, "golang-migrate", to, &err), &err);
    expect_applied(db, to, "1 10 2", "", "golang-migrate");
    help_expect_rows(db, "SELECT version FROM schema_migrations", "[[10]]");
    rb_db_close(db);
    rb_migrations_free(from);
    rb_migrations_free(to);
}

static void test_without_a_tool(void **state)
{
    (void)state;
    rb_err err;
    rb_migrations *set = help_set(pairs, 3);
    rb_db *db = help_scratch("CREATE TABLE mine(x)");
    expect_applied(db, set, "", "", "");
    assert_int_equal(step(db, &set->items[0], false, "", set, &err), RB_ERROR);
    assert_non_null(strstr(rb_err_line(&err), "not applied"));
    help_ok(step(db, &set->items[0], true, "", set, &err), &err);
    expect_applied(db, set, "1", "", "");
    rb_db_close(db);
    rb_migrations_free(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_taken_over),
        cmocka_unit_test(test_inserted_before),
        cmocka_unit_test(test_without_a_tool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
