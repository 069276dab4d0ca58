/* The journal of an environment: what another process can see of it, and when. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "environment/state.h"

static void ok(enum rb_code code, const rb_err *err)
{
    if (code != RB_OK)
        fail_msg("%s", err->message);
}

static int set_up(void **state)
{
    const char *base = getenv("TMPDIR");
    char *dir = rb_format("%s/rbtool-state-XXXXXX", base ? base : "/tmp");
    *state = mkdtemp(dir);
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    rb_err err;
    ok(rb_dir_remove(*state, &err), &err);
    free(*state);
    return 0;
}

static rb_state *open_state(const char *root, bool write)
{
    rb_err err;
    rb_state *state = NULL;
    ok(rb_state_open(&state, root, write, &err), &err);
    assert_non_null(state);
    return state;
}

static void begin(rb_state *state)
{
    rb_err err;
    json_t *plan = json_pack("{s:[s,s],s:[{s:s}]}", "only", "app", "db", "steps", "id", "stage");
    const rb_transition_row row = {.id = (char *)"T1",
                                   .kind = (char *)"deploy",
                                   .to = (char *)"v1",
                                   .to_object = (char *)"abc",
                                   .plan = plan};
    ok(rb_state_begin(state, &row, NULL, NULL, &err), &err);
    json_decref(plan);
}

static void step(rb_state *state, const char *name, enum rb_step_state now)
{
    rb_err err;
    if (now == RB_STEP_DONE)
        ok(rb_state_step_ended(state, "T1", name, now, 5, &err), &err);
    else
        ok(rb_state_step(state, "T1", name, now, &err), &err);
}

/* As another process reads it now. */
static void expect(const char *root, bool pending, const char *name, enum rb_step_state expected)
{
    rb_err err;
    rb_transition_row *row = NULL;
    enum rb_step_state found = RB_STEP_NONE;
    rb_state *state = open_state(root, false);
    ok(rb_state_pending(&row, state, &err), &err);
    assert_int_equal(row != NULL, pending);
    if (row)
        assert_non_null(json_object_get(row->plan, "steps"));
    ok(rb_state_step_get(&found, state, "T1", name, &err), &err);
    assert_string_equal(rb_step_state_name(found), rb_step_state_name(expected));
    rb_transition_row_free(row);
    rb_state_close(state);
}

/* A beginning and a result wait for the intent or the end that follows; an intent never waits. */
static void test_order(void **context)
{
    const char *root = *context;
    rb_err err;
    rb_state *state = open_state(root, true);
    begin(state);
    expect(root, false, "stage", RB_STEP_NONE);
    step(state, "stage", RB_STEP_INTENT);
    expect(root, true, "stage", RB_STEP_INTENT);
    step(state, "stage", RB_STEP_DONE);
    expect(root, true, "stage", RB_STEP_INTENT);
    step(state, "switch", RB_STEP_INTENT);
    expect(root, true, "stage", RB_STEP_DONE);
    expect(root, true, "switch", RB_STEP_INTENT);
    step(state, "switch", RB_STEP_DONE);
    const rb_live live = {.tag = {(char *)"v1"}, .object = {(char *)"abc"}};
    ok(rb_state_end(state, "T1", "done", NULL, &live, &err), &err);
    expect(root, false, "switch", RB_STEP_DONE);
    rb_live now;
    ok(rb_state_live(&now, state, &err), &err);
    assert_string_equal(now.tag[RB_PART_APP], "v1");
    assert_null(now.tag[RB_PART_DB]);
    rb_live_clear(&now);
    rb_state_close(state);
}

static void test_flush(void **context)
{
    const char *root = *context;
    rb_err err;
    rb_state *state = open_state(root, true);
    begin(state);
    step(state, "stage", RB_STEP_INTENT);
    step(state, "stage", RB_STEP_DONE);
    ok(rb_state_flush(state, &err), &err);
    expect(root, true, "stage", RB_STEP_DONE);
    ok(rb_state_flush(state, &err), &err);
    step(state, "stage", RB_STEP_UNDONE);
    expect(root, true, "stage", RB_STEP_UNDONE);
    rb_state_close(state);
}

/* Killed before the next intent: the step is done once more. */
static void test_kill(void **context)
{
    const char *root = *context;
    pid_t child = fork();
    if (child == 0) {
        rb_state *state = open_state(root, true);
        begin(state);
        step(state, "stage", RB_STEP_INTENT);
        step(state, "stage", RB_STEP_DONE);
        _exit(0);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    expect(root, true, "stage", RB_STEP_INTENT);
}

/* The same id again: refused, and nothing of it stays open. */
static void test_begun_twice(void **context)
{
    const char *root = *context;
    rb_err err;
    const rb_live live = {.tag = {(char *)"v0"}};
    RB_AUTO(rb_json_freep) json_t *plan = json_object();
    const rb_transition_row row = {
        .id = (char *)"T1", .kind = (char *)"deploy", .to = (char *)"v1", .plan = plan};
    rb_state *state = open_state(root, true);
    begin(state);
    step(state, "stage", RB_STEP_INTENT);
    assert_int_equal(rb_state_begin(state, &row, NULL, &live, &err), RB_ERROR);
    step(state, "stage", RB_STEP_UNDONE);
    expect(root, true, "stage", RB_STEP_UNDONE);
    rb_live now;
    ok(rb_state_live(&now, state, &err), &err);
    assert_null(now.tag[RB_PART_APP]);
    rb_state_close(state);
}

static void limit_files(rlim_t size)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = size == RLIM_INFINITY ? limit.rlim_max : size;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* A disk on which not even a rollback can write, wherever it begins to be full: when there is room
 * again, the same handle goes on, and others read. */
static void test_failed_rollback(void **context)
{
    const char *root = *context;
    rb_err err;
    int failures = 0;
    signal(SIGXFSZ, SIG_IGN);
    rb_state *state = open_state(root, true);
    begin(state);
    for (int i = 0; i < 400; i++) { /* the table gets pages at the file's end */
        RB_AUTO(rb_free_str) char *name = rb_format("step %d %0100d", i, i);
        step(state, name, RB_STEP_INTENT);
    }
    for (rlim_t limit = 1024; limit < 128 * 1024; limit += 3 * 1024) {
        RB_AUTO(rb_free_str) char *name = rb_format("last %d", (int)limit);
        limit_files(limit);
        failures += rb_state_step(state, "T1", name, RB_STEP_INTENT, &err) != RB_OK;
        limit_files(RLIM_INFINITY);
        step(state, name, RB_STEP_INTENT);
        expect(root, true, name, RB_STEP_INTENT);
    }
    assert_true(failures > 5);
    rb_state_close(state);
}

static void test_history(void **context)
{
    rb_err err;
    rb_transition_row **rows = NULL;
    size_t count = 0;
    rb_state *state = open_state(*context, true);
    begin(state);
    ok(rb_state_end(state, "T1", "failed", "why", NULL, &err), &err);
    for (int parts = 0; parts < 2; parts++) {
        ok(rb_state_history(&rows, &count, state, parts, &err), &err);
        assert_int_equal(count, 1);
        assert_string_equal(rows[0]->to, "v1");
        assert_string_equal(rows[0]->error, "why");
        assert_int_equal(json_object_size(rows[0]->plan), parts);
        if (parts)
            assert_int_equal(json_array_size(json_object_get(rows[0]->plan, "only")), 2);
        rb_transition_rows_free(rows, count);
    }
    rb_state_close(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_flush, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_kill, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_failed_rollback, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_begun_twice, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_history, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
