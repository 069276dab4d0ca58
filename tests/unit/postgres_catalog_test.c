/* Catalogs of PostgreSQL, on a private server. */
#include "postgres_help.h"

#define DATA "tests/data/postgres_catalog/"

static void exec(rb_db *db, const char *sql)
{
    rb_err err;
    if (rb_db_exec(db, sql, NULL, &err) != RB_OK)
        fail_msg("%s\n%s", sql, rb_err_line(&err));
}

static char *read_data(const char *path)
{
    rb_err err;
    rb_buf text = {0};
    help_ok(rb_file_read(&text, path, 1 << 20, &err), &err);
    return rb_buf_detach(&text);
}

static rb_db *with_schema(const char *name)
{
    rb_db *db = help_pg_open(name);
    RB_AUTO(rb_free_str) char *sql = read_data(DATA "schema.sql");
    exec(db, sql);
    return db;
}

static json_t *catalog_of(rb_db *db)
{
    rb_err err;
    json_t *catalog = NULL;
    help_ok(rb_db_catalog(&catalog, db, &err), &err);
    return catalog;
}

/* "added table t\nchanged ...", sorted; the caller's. */
static char *differences_of(const json_t *a, const json_t *b)
{
    RB_AUTO(rb_json_freep) json_t *differences = NULL;
    RB_AUTO(rb_json_freep) json_t *order = NULL;
    RB_AUTO(rb_strs_clear) rb_strs lines = {0};
    rb_buf out = {0};
    size_t i;
    json_t *item;
    rb_catalog_compare(&differences, &order, a, b);
    json_array_foreach (differences, i, item) {
        RB_AUTO(rb_free_str)
        char *line = rb_format("%s %s", rb_json_str(item, "change"), rb_json_str(item, "object"));
        rb_strs_add(&lines, line);
    }
    rb_strs_sort(&lines);
    for (i = 0; i < lines.n; i++)
        rb_buf_printf(&out, "%s\n", lines.items[i]);
    rb_buf_puts(&out, "");
    return rb_buf_detach(&out);
}

static void assert_same(const json_t *a, const json_t *b, const char *what)
{
    char left[RB_SHA256_HEX];
    char right[RB_SHA256_HEX];
    RB_AUTO(rb_free_str) char *differences = differences_of(a, b);
    if (differences && *differences)
        fail_msg("%s\n%s", what, differences);
    rb_catalog_fingerprint(a, left);
    rb_catalog_fingerprint(b, right);
    assert_string_equal(left, right);
}

/* The next change of the text at *at: the differences to expect, sorted, what makes it, and what
 * undoes it. False at the end. */
static bool next_change(rb_buf *expected, rb_buf *change, rb_buf *undo, char **at)
{
    RB_AUTO(rb_strs_clear) rb_strs lines = {0};
    bool undoing = false;
    rb_buf_clear(expected);
    rb_buf_clear(change);
    rb_buf_clear(undo);
    for (char *line; (line = strsep(at, "\n")) != NULL && (*line || change->len == 0);) {
        if (strcmp(line, "-- undo") == 0)
            undoing = true;
        else if (strncmp(line, "-- ", 3) == 0 && !undoing)
            rb_strs_add(&lines, line + 3);
        else
            rb_buf_printf(undoing ? undo : change, "%s\n", line);
    }
    rb_strs_sort(&lines);
    for (size_t i = 0; i < lines.n; i++)
        rb_buf_printf(expected, "%s\n", lines.items[i]);
    return change->len > 0 && undoing;
}

static void test_each_change_is_named_and_undone(void **state)
{
    (void)state;
    rb_db *db = with_schema("changes");
    RB_AUTO(rb_free_str) char *text = read_data(DATA "changes.sql");
    RB_AUTO(rb_json_freep) json_t *before = catalog_of(db);
    RB_AUTO(rb_buf_clear) rb_buf expected = {0};
    RB_AUTO(rb_buf_clear) rb_buf change = {0};
    RB_AUTO(rb_buf_clear) rb_buf undo = {0};
    char *at = strstr(text, "\n\n") + 2;
    size_t n = 0;
    while (at && *at && next_change(&expected, &change, &undo, &at)) {
        char first[RB_SHA256_HEX];
        char second[RB_SHA256_HEX];
        exec(db, change.data);
        RB_AUTO(rb_json_freep) json_t *changed = catalog_of(db);
        RB_AUTO(rb_free_str) char *found = differences_of(before, changed);
        if (!found || strcmp(found, expected.data) != 0)
            fail_msg("%s\nexpected:\n%sfound:\n%s", change.data, expected.data, found);
        rb_catalog_fingerprint(before, first);
        rb_catalog_fingerprint(changed, second);
        assert_string_not_equal(first, second);
        exec(db, undo.data);
        RB_AUTO(rb_json_freep) json_t *after = catalog_of(db);
        assert_same(before, after, undo.data);
        n++;
    }
    assert_true(n >= 80);
    rb_db_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_change_is_named_and_undone),
    };
    return cmocka_run_group_tests(tests, help_pg_start, help_pg_stop);
}
