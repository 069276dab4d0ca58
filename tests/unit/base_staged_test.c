/* What replaces a file is written beside it first. */
#include "base/staged.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"

static char *dir;
static rb_file_access private = {.fresh = 0600};

static int set_up(void **state)
{
    (void)state;
    char name[] = "/tmp/rbtool-staged-XXXXXX";
    char *made = mkdtemp(name);
    dir = made ? realpath(made, NULL) : NULL;
    private.user = geteuid();
    private.group = getegid();
    return dir && chdir(dir) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    rb_err ignored;
    (void)!chdir("/");
    (void)!rb_dir_remove(dir, &ignored);
    free(dir);
    return 0;
}

static void expect(const char *name, const char *content)
{
    RB_AUTO(rb_buf_clear) rb_buf found = {0};
    RB_AUTO(rb_free_str) char *path = rb_path_join(dir, name);
    rb_err err;
    if (!content) {
        assert_false(rb_file_exists(path));
        return;
    }
    assert_int_equal(rb_file_read(&found, path, 100, &err), RB_OK);
    assert_string_equal(rb_buf_str(&found), content);
}

static void staged_file_takes_the_place_with_mode_and_through_a_symlink(void **state)
{
    (void)state;
    rb_err err;
    RB_AUTO(rb_free_str) char *path = rb_path_join(dir, "link");
    assert_int_equal(rb_file_write("real", "old", 3, 0640, &err), RB_OK);
    assert_int_equal(symlink("real", "link"), 0);
    assert_int_equal(rb_file_stage(path, "new", 3, &private, &err), RB_OK);
    expect("real", "old");
    expect(".real.rbtool", "new");
    assert_int_equal(rb_file_stage(path, "newer", 5, &private, &err), RB_OK);
    assert_int_equal(rb_file_put_staged(path, "newer", 5, &private, &err), RB_OK);
    expect("real", "newer");
    expect(".real.rbtool", NULL);
    struct stat st;
    assert_int_equal(lstat("link", &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(stat("real", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
}

static void what_was_not_staged_or_was_changed_is_written_again(void **state)
{
    (void)state;
    rb_err err;
    RB_AUTO(rb_free_str) char *path = rb_path_join(dir, "file");
    assert_int_equal(rb_file_put_staged(path, "one", 3, &private, &err), RB_OK);
    expect("file", "one");
    assert_int_equal(rb_file_stage(path, "one", 3, &private, &err), RB_OK); /* it holds that */
    expect(".file.rbtool", NULL);
    assert_int_equal(rb_file_stage(path, "two", 3, &private, &err), RB_OK);
    assert_int_equal(rb_file_write(".file.rbtool", "bad", 3, 0600, &err), RB_OK);
    assert_int_equal(rb_file_put_staged(path, "two", 3, &private, &err), RB_OK);
    expect("file", "two");
    rb_file_unstage(path);
    expect(".file.rbtool", NULL);
    expect("file", "two");
}

static void a_mount_point_cannot_be_replaced(void **state)
{
    (void)state;
    RB_AUTO(rb_free_str) char *path = rb_path_join(dir, "file");
    assert_null(rb_file_pinned(path));
    assert_non_null(rb_file_pinned("/proc"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(staged_file_takes_the_place_with_mode_and_through_a_symlink,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_not_staged_or_was_changed_is_written_again, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_mount_point_cannot_be_replaced, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("base staged", tests, NULL, NULL);
}
