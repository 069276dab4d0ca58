#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "environment/lock.h"

static char *folder(void)
{
    const char *base = getenv("TMPDIR");
    char *path = rb_format("%s/rbtool-lock-XXXXXX", base ? base : "/tmp");
    assert_non_null(mkdtemp(path));
    return path;
}

static void one_holder_at_a_time(void **state)
{
    (void)state;
    RB_AUTO(rb_free_str) char *root = folder();
    rb_lock *first = NULL;
    rb_lock *second = NULL;
    rb_err err = {0};
    assert_int_equal(rb_lock_take(&first, root, &err), RB_OK);
    assert_int_equal(rb_lock_take(&second, root, &err), RB_BUSY);
    RB_AUTO(rb_free_str) char *holder = rb_format("process %ld", (long)getpid());
    assert_non_null(strstr(rb_err_line(&err), holder));
    RB_AUTO(rb_free_str) char *shown = rb_lock_holder(root);
    assert_non_null(shown);
    assert_non_null(strstr(shown, holder));
    rb_lock_release(first);
    assert_null(rb_lock_holder(root));
    assert_int_equal(rb_lock_take(&second, root, &err), RB_OK);
    rb_lock_release(second);
    assert_int_equal(rb_dir_remove(root, &err), RB_OK);
}

static void dies_with_its_holder(void **state)
{
    (void)state;
    RB_AUTO(rb_free_str) char *root = folder();
    rb_err err = {0};
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        rb_lock *held = NULL;
        char done = rb_lock_take(&held, root, &err) == RB_OK ? 'y' : 'n';
        if (write(ready[1], &done, 1) == 1)
            pause();
        _exit(1);
    }
    char taken = 0;
    assert_int_equal(read(ready[0], &taken, 1), 1);
    assert_int_equal(taken, 'y');
    rb_lock *mine = NULL;
    assert_int_equal(rb_lock_take(&mine, root, &err), RB_BUSY);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_null(rb_lock_holder(root));
    assert_int_equal(rb_lock_take(&mine, root, &err), RB_OK);
    rb_lock_release(mine);
    assert_int_equal(rb_dir_remove(root, &err), RB_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_holder_at_a_time),
        cmocka_unit_test(dies_with_its_holder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
