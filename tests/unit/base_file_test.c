/* The way to a file whose folders may belong to somebody else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/anchor.h"
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
    assert_non_null(strstr(rb_err_line(&err), "Too many levels of symbolic links"));
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
    assert_non_null(strstr(rb_err_line(&err), "was made by user 65534"));
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

static void below_an_anchor_no_link_is_followed(void **unused)
{
    (void)unused;
    make("kept/sub");
    make("other/sub");
    put("other/sub/f", "other");
    RB_AUTO(rb_free_str) char *kept = at("kept");
    RB_AUTO(rb_free_str) char *away = at("away");
    RB_AUTO(rb_free_str) char *f = at("kept/sub/f");
    RB_AUTO(rb_free_str) char *sub = at("kept/sub");
    RB_AUTO(rb_free_str) char *inner = at("kept/link");
    RB_AUTO(rb_free_str) char *through = at("kept/link/f");
    RB_AUTO(rb_free_str) char *up = at("kept/../other/sub/f");
    RB_AUTO(rb_free_str) char *g = at("kept/g");
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    assert_int_equal(rb_anchor_hold(kept, &err), RB_OK);
    assert_int_equal(rb_anchor_hold(kept, &err), RB_OK);
    /* Its owner exchanges the folder: everything stays with the one that was opened. */
    assert_int_equal(rename(kept, away), 0);
    link_to("kept", "other");
    put("kept/sub/f", "1");
    expect("kept/sub/f", "1");
    expect("away/sub/f", "1");
    expect("other/sub/f", "other");
    assert_int_equal(rb_file_rename(f, g, &err), RB_OK);
    expect("away/g", "1");
    assert_int_equal(rb_dir_remove(sub, &err), RB_OK);
    expect("other/sub/f", "other");
    assert_false(rb_file_exists(sub));
    assert_int_equal(rb_dir_make_as(sub, 0750, &err), RB_OK);
    assert_true(rb_dir_remove_empty(sub));
    /* No way leads out of it. */
    link_to("away/link", "../other/sub");
    assert_int_equal(rb_file_write(through, "2", 1, 0644, &err), RB_ERROR);
    assert_int_equal(rb_file_read(&text, through, 10, &err), RB_ERROR);
    assert_int_equal(rb_file_remove(up, &err), RB_ERROR);
    assert_int_equal(rb_dir_remove(up, &err), RB_ERROR);
    assert_int_equal(rb_dir_remove(inner, &err), RB_OK);
    expect("other/sub/f", "other");
    rb_anchor_drop(kept);
    expect("kept/sub/f", "other");
    assert_int_equal(rb_anchor_hold(kept, &err), RB_ERROR);
    assert_non_null(strstr(rb_err_line(&err), "is a symlink"));
    assert_int_equal(chmod(away, 0777), 0);
    assert_int_equal(rb_anchor_hold(away, &err), RB_ERROR);
    assert_non_null(strstr(rb_err_line(&err), "chmod o-w"));
}

/* As git itself judges them, but for what a shell interprets. */
static void tags_are_names_that_git_accepts(void **unused)
{
    (void)unused;
    static const char *const names[] = {"v1",       "app/v1",     "v1.0.0-rc.1+b",
                                        "\xc3\xa9", "a@b",        "@",
                                        "a=",       "x.lock.y",   "",
                                        "/v1",      "v1/",        "a//b",
                                        ".a",       "a/.b",       "a..b",
                                        "..",       "../a",       "a/../b",
                                        "a.lock",   "a/b.lock/c", "a b",
                                        "a\tb",     "a~1",        "a^",
                                        "a:b",      "a?",         "a*",
                                        "a[",       "a\\b",       "a@{b",
                                        "a\x7f",    "a.",         "a\nb"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        RB_AUTO(rb_free_str) char *ref = rb_format("refs/tags/%s", names[i]);
        assert_int_equal(setenv("REF", ref, 1), 0);
        bool accepted = system("git check-ref-format \"$REF\"") == 0;
        if (accepted != rb_path_is_tag(names[i]))
            fail_msg("git %s the tag '%s'", accepted ? "accepts" : "refuses", names[i]);
    }
    static const char *const pasted[] = {"-v1",   "--yes",  "v1;id", "v$(id)", "v`id`",
                                         "v1|sh", "v1&",    "v1>f",  "v1<f",   "v'1",
                                         "v\"1",  "v{1,2}", "v!1",   "v#1",    "(v1)"};
    for (size_t i = 0; i < sizeof pasted / sizeof *pasted; i++)
        if (rb_path_is_tag(pasted[i]))
            fail_msg("'%s' can be the name of a release", pasted[i]);
    char longest[RB_TAG_COMPONENT_LIMIT + 2];
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    assert_false(rb_path_is_tag(longest));
    longest[sizeof longest - 2] = '\0';
    assert_true(rb_path_is_tag(longest));
}

static void globs_match_names_between_slashes(void **unused)
{
    static const char *const yes[][2] = {
        {"a", "a"},
        {"*.c", "x.c"},
        {"src/*", "src/x"},
        {"cache/**", "cache/"},
        {"cache/**", "cache/a"},
        {"cache/**", "cache/a/b/c"},
        {"**", "a/.b/c"},
        {"**/*.pyc", "x.pyc"},
        {"**/*.pyc", "a/.b/x.pyc"},
        {"a/**/b", "a/b"},
        {"a/**/b", "a/b/c/b"},
        {"*/cache/**", "src/cache/x"},
        {"**/a/**/b", "a/a/c/b"},
        {"[ab]?/x", "bz/x"},
        {"a/.*", "a/.b"},
    };
    static const char *const no[][2] = {
        {"a", "b"},        {"a", "a/b"},          {"src/*", "src/x/y"},     {"src/*", "src/.x"},
        {"log/*", "log/"}, {"cache/**", "cache"}, {"cache/**", "cachex/a"}, {"**/b", "a/c"},
        {"a/**/b", "a/c"}, {"*", ".a"},           {"**/*.pyc", "x.pyc/y"},  {"a/b/**", "a/c/b/d"},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
        if (!rb_path_match(yes[i][0], yes[i][1]))
            fail_msg("%s does not match %s", yes[i][0], yes[i][1]);
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        if (rb_path_match(no[i][0], no[i][1]))
            fail_msg("%s matches %s", no[i][0], no[i][1]);
}

/* A matcher that tries every split would not end within the life of the machine. */
static void globs_with_many_stars_are_matched_in_bounded_time(void **unused)
{
    RB_AUTO(rb_buf_clear) rb_buf glob = {0};
    RB_AUTO(rb_buf_clear) rb_buf path = {0};
    RB_AUTO(rb_buf_clear) rb_buf stars = {0};
    RB_AUTO(rb_buf_clear) rb_buf name = {0};
    (void)unused;
    for (size_t i = 0; i < 60; i++) {
        rb_buf_printf(&glob, "**/a/");
        rb_buf_printf(&path, "a/a/a/");
        rb_buf_printf(&stars, "*a");
        rb_buf_printf(&name, "aaaa");
    }
    rb_buf_printf(&glob, "b");
    rb_buf_printf(&path, "c");
    rb_buf_printf(&stars, "b");
    assert_false(rb_path_match(rb_buf_str(&glob), rb_buf_str(&path)));
    assert_false(rb_path_match(rb_buf_str(&stars), rb_buf_str(&name)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(links_of_our_own_are_followed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_leads_nowhere_is_an_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(links_of_others_are_not_followed, set_up, tear_down),
        cmocka_unit_test(tags_are_names_that_git_accepts),
        cmocka_unit_test(globs_match_names_between_slashes),
        cmocka_unit_test(globs_with_many_stars_are_matched_in_bounded_time),
        cmocka_unit_test_setup_teardown(below_an_anchor_no_link_is_followed, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
