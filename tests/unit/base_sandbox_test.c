/* What a confined function can reach, as any user. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h wants those first */
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/sandbox.h"

extern char **environ;

struct seen {
    char *dir;
    int other; /* a descriptor of the parent's */
};

static void prepare(void *context, const char *dir)
{
    struct seen *seen = context;
    seen->dir = rb_strdup(dir);
}

static bool opens(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static void look(void *context, rb_buf *out)
{
    const struct seen *seen = context;
    RB_AUTO(rb_free_str) char *file = rb_path_join(seen->dir, "file");
    rb_buf_printf(out, "environment %s, ", environ[0] ? "there" : "empty");
    rb_buf_printf(out, "descriptor %s, ", fcntl(seen->other, F_GETFD) < 0 ? "closed" : "open");
    rb_buf_printf(out, "own file %s, ", opens(file, O_RDWR | O_CREAT) ? "yes" : "no");
    rb_buf_printf(out, "%s, ", geteuid() == 0 ? "root" : "not root");
    rb_buf_printf(out, "new privileges %s, ",
                  prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? "never" : "possible");
    rb_buf_printf(out, "other files %s",
                  opens("/etc/passwd", O_RDONLY) || opens("/var/tmp/rbtool-x", O_RDWR | O_CREAT)
                      ? "yes"
                      : "no");
}

static void check_look(void)
{
    rb_err err;
    RB_AUTO(rb_buf_clear) rb_buf result = {0};
    RB_AUTO(rb_strs_clear) rb_strs missing = {0};
    struct seen seen = {.other = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 50)};
    assert_true(seen.other >= 50);
    const rb_sandbox sandbox = {.what = "a look around",
                                .prepare = prepare,
                                .run = look,
                                .context = &seen,
                                .result_limit = 1000,
                                .seconds = 60,
                                .memory = 1024,
                                .file_size = 1};
    if (rb_sandbox_run(&result, &missing, &sandbox, &err) != RB_OK)
        fail_msg("%s", rb_err_line(&err));
    close(seen.other);
    free(seen.dir);
    static const char promised[] = "environment empty, descriptor closed, own file yes, not root, "
                                   "new privileges never, other files ";
    assert_memory_equal(rb_buf_str(&result), promised, sizeof promised - 1);
    const char *files = rb_buf_str(&result) + sizeof promised - 1;
    assert_string_equal(files, rb_strs_has(&missing, "other files") ? "yes" : "no");
}

static void test_the_child_reaches_nothing(void **state)
{
    (void)state;
    check_look();
}

/* A child of this test: its status. */
static int as_other_user(void (*check)(void))
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        if (geteuid() == 0 && (setgid(12345) != 0 || setuid(12345) != 0))
            _exit(2);
        check();
        _exit(0);
    }
    assert_true(waitpid(pid, &status, 0) == pid);
    return status;
}

static void test_nor_does_that_of_a_user_without_privileges(void **state)
{
    (void)state;
    assert_int_equal(as_other_user(check_look), 0);
}

static void no_prepare(void *context, const char *dir)
{
    (void)context;
    (void)dir;
}

static void run_long(void *context, rb_buf *out)
{
    (void)context;
    rb_buf_puts(out, "more than ten bytes");
}

static void run_killed(void *context, rb_buf *out)
{
    (void)context;
    (void)out;
    raise(SIGKILL);
}

static void run_for_ever(void *context, rb_buf *out)
{
    (void)context;
    (void)out;
    for (;;)
        pause();
}

static void run_exits(void *context, rb_buf *out)
{
    (void)context;
    (void)out;
    _exit(3);
}

static void test_every_end_of_the_child_is_an_error_with_its_reason(void **state)
{
    static const struct {
        void (*run)(void *, rb_buf *);
        enum rb_code code;
        const char *words;
    } cases[] = {
        {run_long, RB_FOUND, "result of more than"},
        {run_killed, RB_FOUND, "killed by signal 9"},
        {run_for_ever, RB_FOUND, "did not end in 1 s"},
        {run_exits, RB_ERROR, "could not be set up"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rb_err err;
        RB_AUTO(rb_buf_clear) rb_buf result = {0};
        RB_AUTO(rb_strs_clear) rb_strs missing = {0};
        const rb_sandbox sandbox = {.what = "it",
                                    .prepare = no_prepare,
                                    .run = cases[i].run,
                                    .result_limit = 10,
                                    .seconds = 1};
        assert_int_equal(rb_sandbox_run(&result, &missing, &sandbox, &err), cases[i].code);
        assert_non_null(strstr(rb_err_line(&err), cases[i].words));
    }
}

/* The signal is held back while the child is killed and its folder removed, and then ends us. */
static void block_and_wait(void)
{
    sigset_t term;
    rb_err err;
    rb_buf result = {0};
    rb_strs missing = {0};
    const rb_sandbox sandbox = {
        .what = "it", .prepare = no_prepare, .run = run_for_ever, .result_limit = 10};
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, NULL);
    raise(SIGTERM);
    if (rb_sandbox_run(&result, &missing, &sandbox, &err) != RB_ERROR ||
        !strstr(rb_err_line(&err), "stopped on request"))
        _exit(4);
    sigprocmask(SIG_UNBLOCK, &term, NULL);
    _exit(5);
}

static void test_a_signal_ends_child_and_parent(void **state)
{
    (void)state;
    int status = as_other_user(block_and_wait);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_child_reaches_nothing),
        cmocka_unit_test(test_nor_does_that_of_a_user_without_privileges),
        cmocka_unit_test(test_every_end_of_the_child_is_an_error_with_its_reason),
        cmocka_unit_test(test_a_signal_ends_child_and_parent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
