#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "environment/checks.h"
#include "environment/state.h"

static rb_err err;
static rb_state *state;
static char *root;

static int set_up(void **unused)
{
    (void)unused;
    const char *base = getenv("TMPDIR");
    root = rb_format("%s/rbtool-outbox-XXXXXX", base ? base : "/tmp");
    return mkdtemp(root) && rb_state_open(&state, root, true, &err) == RB_OK ? 0 : -1;
}

static int tear_down(void **unused)
{
    (void)unused;
    rb_state_close(state);
    int failed = rb_dir_remove(root, &err) != RB_OK;
    free(root);
    return failed;
}

static void begin(const char *id, const char *kind)
{
    RB_AUTO(rb_json_freep)
    json_t *plan = json_pack("{s:b,s:[{s:s},{s:s},{s:s}]}", "marksBad", strcmp(kind, "revert") == 0,
                             "steps", "id", "stage", "id", "commit", "id", "record");
    char from[] = "v1";
    char to[] = "v2";
    RB_AUTO(rb_free_str) char *name = rb_strdup(id);
    RB_AUTO(rb_free_str) char *what = rb_strdup(kind);
    rb_transition_row row = {.id = name, .kind = what, .from = from, .to = to, .plan = plan};
    assert_int_equal(rb_state_begin(state, &row, &err), RB_OK);
}

static void end(const char *id, const char *outcome)
{
    assert_int_equal(rb_state_end(state, id, outcome, NULL, NULL, &err), RB_OK);
}

/* "ID[t][v]" of each item, in order. */
static void expect_left(const char *expected)
{
    RB_AUTO(rb_transition_rows_clear) rb_transition_rows rows = {0};
    RB_AUTO(rb_buf_clear) rb_buf found = {0};
    assert_int_equal(rb_state_outbox(&rows, state, &err), RB_OK);
    for (size_t i = 0; i < rows.n; i++)
        rb_buf_printf(&found, "%s%s%s%s", i ? " " : "", rows.items[i].id,
                      rows.items[i].entry ? "" : "t", rows.items[i].lacks_verdict ? "v" : "");
    assert_string_equal(rb_buf_str(&found), expected);
}

static void what_has_ended_is_left_until_it_is_written(void **unused)
{
    (void)unused;
    expect_left("");
    begin("a-", "deploy");
    expect_left("");
    end("a-", "done");
    begin("b-", "revert");
    end("b-", "unhealthy");
    begin("c-", "revert");
    end("c-", "failed");
    begin("d-", "deploy");
    begin("e-", "abort");
    expect_left("a-t b-tv c-t");
    assert_int_equal(rb_state_written(state, "a-", "transition", "11", &err), RB_OK);
    assert_int_equal(rb_state_written(state, "b-", "transition", "22", &err), RB_OK);
    expect_left("b-v c-t");
    assert_int_equal(rb_state_written(state, "b-", "verdict", "33", &err), RB_OK);
    assert_int_equal(rb_state_flush(state, &err), RB_OK);
    end("e-", "done");
    expect_left("c-t d-t e-t");
    RB_AUTO(rb_strs_clear) rb_strs ids = {0};
    assert_int_equal(rb_state_entries(&ids, state, &err), RB_OK);
    rb_strs_sort(&ids);
    assert_int_equal(ids.n, 3);
    assert_string_equal(ids.items[2], "33");
    RB_AUTO(rb_transition_rows_clear) rb_transition_rows rows = {0};
    assert_int_equal(rb_state_history(&rows, state, false, &err), RB_OK);
    assert_int_equal(rows.n, 5);
    assert_null(rows.items[0].entry);
    assert_string_equal(rows.items[3].entry, "22");
}

static void expect_steps(const char *expected)
{
    char id[] = "a-";
    RB_AUTO(rb_json_freep)
    json_t *plan = json_pack("{s:[{s:s},{s:s},{s:s}]}", "steps", "id", "stage", "id", "commit",
                             "id", "record");
    rb_transition_row row = {.id = id, .plan = plan};
    RB_AUTO(rb_json_freep) json_t *steps = NULL;
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    assert_int_equal(rb_state_steps(&steps, state, &row, &err), RB_OK);
    rb_json_canonical(&text, steps);
    assert_string_equal(text.data, expected);
}

static void steps_say_how_they_ended(void **unused)
{
    (void)unused;
    begin("a-", "deploy");
    expect_steps("[]");
    assert_int_equal(rb_state_step(state, "a-", "stage", RB_STEP_INTENT, &err), RB_OK);
    expect_steps("[{\"id\":\"stage\",\"milliseconds\":null,\"outcome\":\"interrupted\"}]");
    assert_int_equal(rb_state_step_ended(state, "a-", "stage", RB_STEP_DONE, 12, &err), RB_OK);
    assert_int_equal(rb_state_step(state, "a-", "commit", RB_STEP_INTENT, &err), RB_OK);
    assert_int_equal(rb_state_step_ended(state, "a-", "commit", RB_STEP_FAILED, 3, &err), RB_OK);
    expect_steps("[{\"id\":\"stage\",\"milliseconds\":12,\"outcome\":\"done\"},"
                 "{\"id\":\"commit\",\"milliseconds\":3,\"outcome\":\"failed\"}]");
    const char *const undone[] = {"commit", "stage"};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(rb_state_step(state, "a-", undone[i], RB_STEP_INTENT, &err), RB_OK);
        assert_int_equal(rb_state_step(state, "a-", undone[i], RB_STEP_UNDONE, &err), RB_OK);
    }
    expect_steps("[{\"id\":\"stage\",\"milliseconds\":12,\"outcome\":\"undone\"},"
                 "{\"id\":\"commit\",\"milliseconds\":3,\"outcome\":\"failed\"}]");
}

static void what_was_printed_stays_here(void **unused)
{
    (void)unused;
    static const char *const cases[][2] = {
        {"check \"up\" (curl) ended with status 7 (last output: token=1 found rows: x)",
         "check \"up\" (curl) ended with status 7"},
        {"check checks/a.sql found rows: [{\"id\":1}] (last output: y)",
         "check checks/a.sql found rows"},
        {"no room left on device", "no room left on device"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        RB_AUTO(rb_free_str) char *text = rb_checks_public(cases[i][0]);
        assert_string_equal(text, cases[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_has_ended_is_left_until_it_is_written, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(steps_say_how_they_ended, set_up, tear_down),
        cmocka_unit_test(what_was_printed_stays_here),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
