/* The way to a file whose folders may belong to somebody else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"

static char *root;
static rb_err err;

static int set_up(void **unused)
{
    (void)unused;
    const char *base = getenv("TMPDIR");
    root = rb_format("%s/rbtool-file-XXXXXX", base ? base : "/tmp");
    return mkdtemp(root) ? 0 : -1;
}

static int tear_down(void **unused)
{
    (void)unused;
    int failed = rb_dir_remove(root, &err) != RB_OK;
    free(root);
    return failed;
}

static char *at(const char *name)
{
    return rb_path_join(root, name);
}

static void make(const char *name)
{
    RB_AUTO(rb_free_str) char *path = at(name);
    assert_int_equal(rb_dir_make(path, &err), RB_OK);
}

static void link_to(const char *name, const char *target)
{
    RB_AUTO(rb_free_str) char *path = at(name);
    assert_int_equal(symlink(target, path), 0);
}

static void put(const char *name, const char *text)
{
    RB_AUTO(rb_free_str) char *path = at(name);
    assert_int_equal(rb_file_write(path, text, strlen(text), 0644, &err), RB_OK);
}

static void expect(const char *name, const char *text)
{
    RB_AUTO(rb_free_str) char *path = at(name);
    RB_AUTO(rb_buf_clear) rb_buf found = {0};
    assert_int_equal(rb_file_read(&found, path, 1000, &err), RB_OK);
    assert_string_equal(rb_buf_str(&found), text);
}

static enum rb_code replace(const char *name, const char *text)
{
    RB_AUTO(rb_free_str) char *path = at(name);
    err.message[0] = '\0';
    return rb_file_replace(path, text, strlen(text), &err);
}

static void links_of_our_own_are_followed(void **unused)
{
    (void)unused;
    make("a/b");
    make("real");
    put("real/f", "1");
    link_to("a/b/up", "../../real");
    RB_AUTO(rb_free_str) char *real = at("real");
    link_to("absolute", real);
    link_to("a/f", "b/up/../real//f");
    assert_int_equal(replace("absolute/f", "2"), RB_OK);
    expect("real/f", "2");
    assert_int_equal(replace("a/b/up/f", "3"), RB_OK);
    expect("real/f", "3");
    assert_int_equal(replace("a/f", "4"), RB_OK);
    expect("real/f", "4");
    /* One that leads nowhere is replaced. */
    link_to("dangling", "real/none");
    assert_int_equal(replace("dangling", "5"), RB_OK);
    RB_AUTO(rb_free_str) char *none = at("real/none");
    assert_false(rb_file_exists(none));
}

static void what_leads_nowhere_is_an_error(void **unused)
{
    (void)unused;
    put("file", "1");
    link_to("loop", "loop");
    assert_int_equal(replace("loop", "2"), RB_ERROR);
    assert_non_null(strstr(err.message, "Too many levels of symbolic links"));
    assert_int_equal(replace("file/below", "2"), RB_ERROR);
    assert_int_equal(replace("none/below", "2"), RB_ERROR);
    assert_int_equal(replace("", "2"), RB_ERROR);
    assert_int_equal(rb_file_replace("/", "2", 1, &err), RB_ERROR);
    expect("file", "1");
}

static void links_of_others_are_not_followed(void **unused)
{
    (void)unused;
    if (geteuid() != 0)
        skip();
    make("real");
    put("real/f", "1");
    link_to("folder", "real");
    link_to("f", "real/f");
    for (int i = 0; i < 2; i++) {
        RB_AUTO(rb_free_str) char *link = at(i ? "f" : "folder");
        assert_int_equal(lchown(link, 65534, 65534), 0);
    }
    RB_AUTO(rb_free_str) char *through = at("folder/f");
    RB_AUTO(rb_free_str) char *f = at("f");
    RB_AUTO(rb_free_str) char *target = NULL;
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    struct stat st;
    assert_int_equal(replace("folder/f", "2"), RB_ERROR);
    assert_int_equal(replace("f", "2"), RB_ERROR);
    assert_non_null(strstr(err.message, "was made by user 65534"));
    assert_int_equal(rb_file_load(&text, &st, f, 1000, &err), RB_ERROR);
    assert_int_equal(rb_link_read_own(&target, f, &err), RB_ERROR);
    assert_int_equal(rb_file_remove(through, &err), RB_ERROR);
    assert_int_equal(rb_link_switch(through, "x", &err), RB_ERROR);
    assert_int_equal(rb_file_write_as(through, "2", 1, 0644, 0, 0, &err), RB_ERROR);
    expect("real/f", "1");
    /* At the path itself a link is not followed by these, whoever made it. */
    assert_int_equal(rb_file_write_as(f, "3", 1, 0640, 65534, 65533, &err), RB_OK);
    expect("real/f", "1");
    assert_int_equal(lstat(f, &st), 0);
    assert_true(S_ISREG(st.st_mode) && (st.st_mode & 07777) == 0640);
    assert_true(st.st_uid == 65534 && st.st_gid == 65533);
    assert_int_equal(rb_file_remove(f, &err), RB_OK);
    assert_int_equal(rb_file_remove(f, &err), RB_OK);
    assert_int_equal(rb_file_load(&text, &st, f, 1000, &err), RB_OK);
    assert_int_equal(st.st_nlink, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(links_of_our_own_are_followed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_leads_nowhere_is_an_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(links_of_others_are_not_followed, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
