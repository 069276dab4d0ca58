/* Programs run as argument vectors, by several threads at once. */
#include "base/process.h"

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/parallel.h"

static void test_run(void **state)
{
    (void)state;
    rb_err err = {0};
    rb_process_result result = {0};
    const char *const argv[] = {"sh", "-c",
                                "pwd; cat; printf \"%s%s\" \"$A\" \"$HOME\" >&2; exit 3", NULL};
    const char *const env[] = {"A=one", "HOME", NULL};
    rb_process process = {
        .argv = argv, .dir = "/", .env = env, .input = "two", .input_len = strlen("two")};
    assert_int_equal(rb_process_run(&result, &process, &err), RB_OK);
    assert_int_equal(result.status, 3);
    assert_string_equal(rb_buf_str(&result.out), "/\ntwo");
    assert_string_equal(rb_buf_str(&result.err), "one");
    assert_non_null(getenv("HOME"));
    rb_process_result_clear(&result);
}

static void test_cannot_run(void **state)
{
    (void)state;
    rb_err err = {0};
    rb_process_result result = {0};
    const char *const none[] = {"rbtool-has-no-such-program", NULL};
    const char *const here[] = {"true", NULL};
    /* A folder that may not be read would make it EACCES. */
    RB_AUTO(rb_free_str) char *path = rb_strdup(getenv("PATH"));
    setenv("PATH", "/usr/bin:/bin", 1);
    assert_int_equal(rb_process_run(&result, &(rb_process){.argv = none}, &err), RB_ERROR);
    assert_non_null(strstr(rb_err_line(&err), "rbtool-has-no-such-program"));
    assert_non_null(strstr(rb_err_line(&err), strerror(ENOENT)));
    setenv("PATH", path, 1);
    assert_int_equal(
        rb_process_run(&result, &(rb_process){.argv = here, .dir = "/no/folder"}, &err), RB_ERROR);
}

static void test_timeout(void **state)
{
    (void)state;
    rb_err err = {0};
    rb_process_result result = {0};
    /* The whole group goes: sleep is a child of the shell. */
    const char *const argv[] = {"sh", "-c", "sleep 60 & wait", NULL};
    assert_int_equal(rb_process_run(&result, &(rb_process){.argv = argv, .timeout = 1}, &err),
                     RB_OK);
    assert_true(result.timed_out);
    assert_int_equal(result.status, 128 + SIGKILL);
    rb_process_result_clear(&result);
}

static void expect(const char *script, int status, const char *out)
{
    rb_err err = {0};
    rb_process_result result = {0};
    const char *const argv[] = {"sh", "-c", script, NULL};
    assert_int_equal(rb_process_run(&result, &(rb_process){.argv = argv}, &err), RB_OK);
    assert_int_equal(result.status, status);
    assert_string_equal(rb_buf_str(&result.out), out);
    rb_process_result_clear(&result);
}

/* One that lives on with its output closed is waited for, what one leaves behind is not. */
static void test_end(void **state)
{
    (void)state;
    struct timespec began;
    struct timespec ended;
    clock_gettime(CLOCK_MONOTONIC, &began);
    expect("exec >&- 2>&-; sleep 0.1; exit 3", 3, "");
    expect("echo done; sleep 30 &", 0, "done\n");
    expect("kill -TERM $$", 128 + SIGTERM, "");
    clock_gettime(CLOCK_MONOTONIC, &ended);
    assert_true(ended.tv_sec - began.tv_sec < 15);
}

static volatile sig_atomic_t signals;

static void count_signal(int signal_number)
{
    (void)signal_number;
    signals++;
}

static void run_until_alarm(rb_process_result *result, const char *script)
{
    rb_err err = {0};
    const char *const argv[] = {"sh", "-c", script, NULL};
    alarm(1);
    assert_int_equal(
        rb_process_run(result, &(rb_process){.argv = argv, .timeout = 60, .tail = 20}, &err),
        RB_OK);
    alarm(0);
}

/* The whole group ends, one that ignores SIGTERM too; what runs afterwards is not concerned. */
static void test_signal_ends_program(void **state)
{
    (void)state;
    struct sigaction old;
    sigaction(SIGALRM, &(struct sigaction){.sa_handler = count_signal}, &old);
    rb_process_watch(&signals);
    rb_process_result result = {0};
    run_until_alarm(&result, "sleep 50 & wait");
    assert_true(result.cancelled);
    assert_false(result.timed_out);
    assert_int_equal(result.status, 128 + SIGTERM);
    rb_process_result_clear(&result);
    run_until_alarm(&result, "echo never");
    assert_true(result.cancelled);
    assert_int_equal(result.out.len, 0);
    rb_process_result_clear(&result);
    rb_process_go_on();
    run_until_alarm(&result, "trap '' TERM; echo stubborn; sleep 50; sleep 50");
    assert_true(result.cancelled);
    assert_int_equal(result.status, 128 + SIGKILL);
    assert_string_equal(rb_buf_str(&result.out), "stubborn\n");
    rb_process_result_clear(&result);
    rb_process_go_on();
    expect("echo on", 0, "on\n");
    rb_process_watch(NULL);
    sigaction(SIGALRM, &old, NULL);
}

static void test_tail_keeps_end_of_both_streams(void **state)
{
    (void)state;
    rb_err err = {0};
    rb_process_result result = {0};
    const char *const argv[] = {"sh", "-c", "seq 1 20000; echo last >&2; exit 1", NULL};
    assert_int_equal(rb_process_run(&result, &(rb_process){.argv = argv, .tail = 11}, &err), RB_OK);
    assert_string_equal(rb_buf_str(&result.out), "20000\nlast\n");
    assert_int_equal(result.err.len, 0);
    rb_process_result_clear(&result);
}

#define RUNS 64

struct runs {
    char *input; /* more than a pipe holds */
    size_t len;
    int status[RUNS];
    size_t printed[RUNS];
};

/* Every other one goes away without reading: writing to it must not kill this program. */
static void run_one(void *context, size_t i)
{
    struct runs *runs = context;
    rb_err err = {0};
    rb_process_result result = {0};
    const char *const argv[] = {"sh", "-c", i % 2 ? "exit 7" : "exec cat", NULL};
    rb_process process = {
        .argv = argv, .input = runs->input, .input_len = runs->len, .output_limit = 2 * runs->len};
    runs->status[i] = rb_process_run(&result, &process, &err) == RB_OK ? result.status : -1;
    runs->printed[i] = result.out.len;
    rb_process_result_clear(&result);
}

static void test_threads(void **state)
{
    (void)state;
    struct runs runs = {.len = (size_t)1 << 20};
    struct sigaction action;
    runs.input = rb_calloc(runs.len, 1);
    rb_parallel(RUNS, 4, run_one, &runs);
    for (size_t i = 0; i < RUNS; i++) {
        assert_int_equal(runs.status[i], i % 2 ? 7 : 0);
        assert_int_equal(runs.printed[i], i % 2 ? 0 : runs.len);
    }
    free(runs.input);
    sigset_t mask;
    assert_int_equal(sigaction(SIGPIPE, NULL, &action), 0);
    assert_true(action.sa_handler == SIG_DFL);
    assert_int_equal(sigprocmask(SIG_SETMASK, NULL, &mask), 0);
    assert_false(sigismember(&mask, SIGPIPE));
}

static void count(void *context, size_t i)
{
    __atomic_fetch_add(&((int *)context)[i], 1, __ATOMIC_RELAXED);
}

static void test_parallel(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 15, 16, 17, 1000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int *seen = rb_calloc(sizes[i] + 1, sizeof *seen);
        rb_parallel(sizes[i], 1 + (int)i, count, seen);
        for (size_t j = 0; j < sizes[i]; j++)
            assert_int_equal(seen[j], 1);
        assert_int_equal(seen[sizes[i]], 0);
        free(seen);
    }
}

/* What counts is what this process may use, not what the machine has. */
static void test_parallel_threads(void **state)
{
    (void)state;
    cpu_set_t all;
    cpu_set_t one;
    assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
    int cpu = 0;
    while (!CPU_ISSET(cpu, &all))
        cpu++;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(rb_parallel_threads(), 1);
    assert_int_equal(sched_setaffinity(0, sizeof all, &all), 0);
    assert_int_equal(rb_parallel_threads(), CPU_COUNT(&all) > 8 ? 8 : CPU_COUNT(&all));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_run),
        cmocka_unit_test(test_cannot_run),
        cmocka_unit_test(test_timeout),
        cmocka_unit_test(test_end),
        cmocka_unit_test(test_signal_ends_program),
        cmocka_unit_test(test_tail_keeps_end_of_both_streams),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_parallel),
        cmocka_unit_test(test_parallel_threads),
    };
    return cmocka_run_group_tests_name("base process", tests, NULL, NULL);
}
