/* Trees and blobs: the same files as git lists, and every kind of malformed tree refused. */
#include "git_lab.h"

static void make(const char *dir)
{
    sh_do("git init -q %s; cd %s; mkdir -p a/b/c a.d empty; echo 1 >a/b/c/one; echo 2 >a/two;"
          "echo 3 >a.c; echo 4 >a.d/four; echo 5 >a-b; : >nothing; chmod +x a/two; ln -s a/two "
          "link; echo u >\"$(printf 'n\\377on')\"; git add -A;"
          "git update-index --add --cacheinfo 160000,0123456789012345678901234567890123456789,sub;"
          "git commit -qm one",
          dir, dir);
}

static char *listed(rb_repo *repo, const rb_strs *paths)
{
    rb_err err = {0};
    rb_tree_entries entries = {0};
    rb_buf out = {0};
    rb_oid tree = tree_of(repo, "HEAD");
    assert_ok(rb_tree_list(&entries, repo, &tree, paths, &err));
    for (size_t i = 0; i < entries.n; i++) {
        char hex[RB_OID_HEX];
        rb_oid_hex(&entries.items[i].oid, hex);
        rb_buf_printf(&out, "%s%06o %s %s", i ? "\n" : "", (unsigned)entries.items[i].mode, hex,
                      entries.items[i].path);
    }
    rb_tree_entries_clear(&entries);
    return rb_buf_detach(&out);
}

#define LS "git ls-tree -rz HEAD %s | tr '\\0' '\\n' | sed 's/ [a-z]* / /; s/\\t/ /'"

static void test_list(void **state)
{
    (void)state;
    make("list");
    rb_repo *repo = open_repo("list");
    RB_AUTO(rb_free_str) char *all = listed(repo, NULL);
    RB_AUTO(rb_free_str) char *expected = sh("cd list; " LS, "");
    assert_string_equal(all, expected);

    /* Subsets, in any order, overlapping, with slashes at the end. */
    static const char *const subsets[][4] = {
        {"a"},   {"a/", "a.c"},  {"a.c", "a"},  {"a", "a/b"},   {"a/b", "a"}, {"link", "nothing"},
        {"sub"}, {"a.d", "a-b"}, {"a/b/c/one"}, {"a", "a", "a"}};
    for (size_t i = 0; i < sizeof subsets / sizeof *subsets; i++) {
        rb_strs paths = {0};
        rb_buf words = {0};
        for (size_t j = 0; j < 4 && subsets[i][j]; j++) {
            rb_strs_add(&paths, subsets[i][j]);
            rb_buf_printf(&words, "%s ", subsets[i][j]);
        }
        RB_AUTO(rb_free_str) char *found = listed(repo, &paths);
        RB_AUTO(rb_free_str) char *want = sh("cd list; " LS, rb_buf_str(&words));
        assert_string_equal(found, want);
        rb_strs_clear(&paths);
        rb_buf_clear(&words);
    }
    rb_repo_close(repo);
}

static void test_list_changed(void **state)
{
    (void)state;
    rb_err err = {0};
    make("changed");
    sh_do("cd changed; echo 6 >a/b/c/one; git rm -qr a.d a.c nothing; mkdir a.c; echo 3 >a.c/in;"
          "echo 4 >a.d; chmod -x a/two; git add a a.c a.d; git commit -qm two");
    rb_repo *repo = open_repo("changed");
    rb_oid trees[] = {tree_of(repo, "HEAD~1"), tree_of(repo, "HEAD")};
    static const char *const sides[] = {"AMT", "MDT"}; /* T: a folder in place of a file */
    for (size_t i = 0; i < 2; i++) {
        rb_tree_entries entries = {0};
        rb_buf names = {0};
        assert_ok(rb_tree_list_changed(&entries, repo, &trees[1 - i], &trees[i], NULL, &err));
        for (size_t k = 0; k < entries.n; k++)
            rb_buf_printf(&names, "%s%s", k ? "\n" : "", entries.items[k].path);
        RB_AUTO(rb_free_str)
        char *want = sh(
            "cd changed; git diff --no-renames --name-only --diff-filter=%s HEAD~1 HEAD", sides[i]);
        assert_string_equal(rb_buf_str(&names), want);
        rb_tree_entries_clear(&entries);
        rb_buf_clear(&names);
    }
    /* A path that only one of the trees has. */
    rb_strs paths = {0};
    rb_tree_entries entries = {0};
    rb_strs_add(&paths, "a.d");
    assert_ok(rb_tree_list_changed(&entries, repo, &trees[0], &trees[1], &paths, &err));
    assert_int_equal(entries.n, 1);
    assert_string_equal(entries.items[0].path, "a.d/four");
    rb_tree_entries_clear(&entries);
    rb_strs_clear(&paths);
    rb_repo_close(repo);
}

static void test_find(void **state)
{
    (void)state;
    rb_err err = {0};
    make("find");
    rb_repo *repo = open_repo("find");
    rb_oid tree = tree_of(repo, "HEAD");
    rb_tree_entry entry = {0};
    static const struct {
        const char *path;
        enum rb_mode mode;
    } present[] = {{"a", RB_MODE_TREE},       {"a/b/c", RB_MODE_TREE}, {"a/two", RB_MODE_EXEC},
                   {"a.c", RB_MODE_FILE},     {"link", RB_MODE_LINK},  {"sub", RB_MODE_GITLINK},
                   {"n\377on", RB_MODE_FILE}, {"a/b/", RB_MODE_TREE},  {"", RB_MODE_TREE},
                   {".", RB_MODE_TREE}};
    for (size_t i = 0; i < sizeof present / sizeof *present; i++) {
        assert_ok(rb_tree_find(&entry, repo, &tree, present[i].path, &err));
        assert_int_equal(entry.mode, present[i].mode);
        rb_tree_entry_clear(&entry);
    }
    static const char *const absent[] = {"A",  "a/c",  "a.c/x",     "link/two", "sub/x",
                                         "/a", "a//b", "../find/a", "a/.",      "empty"};
    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++)
        assert_fails(rb_tree_find(&entry, repo, &tree, absent[i], &err), RB_FOUND, absent[i]);
    rb_strs paths = {0};
    rb_tree_entries entries = {0};
    rb_strs_add(&paths, "a");
    rb_strs_add(&paths, "a/absent");
    assert_fails(rb_tree_list(&entries, repo, &tree, &paths, &err), RB_FOUND, "a/absent");
    rb_strs_clear(&paths);
    rb_repo_close(repo);
}

static void test_read(void **state)
{
    (void)state;
    rb_err err = {0};
    make("read");
    rb_repo *repo = open_repo("read");
    rb_oid tree = tree_of(repo, "HEAD");
    rb_buf text = {0};
    assert_ok(rb_tree_read(&text, repo, &tree, "a/b/c/one", 2, &err));
    assert_string_equal(text.data, "1\n");
    assert_ok(rb_tree_read(&text, repo, &tree, "nothing", 0, &err));
    assert_int_equal(text.len, 0);
    assert_fails(rb_tree_read(&text, repo, &tree, "a/b/c/one", 1, &err), RB_ERROR, "limit is 1");
    assert_fails(rb_tree_read(&text, repo, &tree, "a/b", 100, &err), RB_ERROR, "a/b");
    assert_fails(rb_tree_read(&text, repo, &tree, "sub", 100, &err), RB_ERROR, "sub");
    assert_fails(rb_tree_read(&text, repo, &tree, "gone", 100, &err), RB_FOUND, "gone");

    /* Bit rot in loose objects and their absence, each with the path. */
    sh_do("cd read; o=$(git rev-parse HEAD:a/two); p=.git/objects/$(echo $o | cut -c1-2)/$(echo $o "
          "| cut -c3-); chmod u+w $p; cp .git/objects/$(git rev-parse HEAD:a.c | sed "
          "'s,^..,&/,') $p; o=$(git rev-parse HEAD:a.d/four); rm .git/objects/$(echo $o | sed "
          "'s,^..,&/,'); rm .git/objects/$(git rev-parse HEAD:a/b | sed 's,^..,&/,')");
    rb_repo_close(repo);
    repo = open_repo("read");
    assert_fails(rb_tree_read(&text, repo, &tree, "a/two", 100, &err), RB_ERROR, "corrupt");
    assert_non_null(strstr(rb_err_line(&err), "a/two"));
    assert_fails(rb_tree_read(&text, repo, &tree, "a.d/four", 100, &err), RB_ERROR, "a.d/four");
    rb_tree_entries entries = {0};
    assert_fails(rb_tree_list(&entries, repo, &tree, NULL, &err), RB_ERROR, "(a/b/)");
    rb_buf_clear(&text);
    rb_repo_close(repo);
}

static void test_malformed(void **state)
{
    (void)state;
    rb_err err = {0};
    sh_do("git init -q bad; cd bad; git commit -q --allow-empty -m x");
    RB_AUTO(rb_free_str) char *blob = sh("cd bad; echo x | git hash-object -w --stdin");
    RB_AUTO(rb_free_str) char *other = sh("cd bad; echo y | git hash-object -w --stdin");
    RB_AUTO(rb_free_str)
    char *below = sh("cd bad; printf '100644 blob %s\\tf\\n' | git mktree", blob);
    rb_repo *repo = open_repo("bad");
    const struct {
        char *lines;
        const char *said;
    } cases[] = {
        {rb_format("100644 a %s\n100644 a %s\n", blob, other), "same name twice"},
        {rb_format("100644 a %s\n100644 a %s\n", blob, blob), "same name twice"},
        {rb_format("120000 a %s\n100644 a.c %s\n40000 a %s\n", blob, blob, below),
         "same name twice"},
        {rb_format("100644 b %s\n100644 a %s\n", blob, blob), "out of order"},
        {rb_format("100644 a/b %s\n", blob), "slash"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        RB_AUTO(rb_free_str) char *hex = raw_tree("bad", cases[i].lines);
        rb_oid tree = oid_of(hex);
        rb_tree_entries entries = {0};
        assert_fails(rb_tree_list(&entries, repo, &tree, NULL, &err), RB_FOUND, cases[i].said);
        assert_int_equal(entries.n, 0);
        free(cases[i].lines);
    }
    /* Group-writable files of early git are ordinary files. */
    RB_AUTO(rb_free_str) char *lines = rb_format("100664 a %s\n100775 b %s\n", blob, blob);
    RB_AUTO(rb_free_str) char *hex = raw_tree("bad", lines);
    rb_oid tree = oid_of(hex);
    rb_tree_entries entries = {0};
    assert_ok(rb_tree_list(&entries, repo, &tree, NULL, &err));
    assert_int_equal(entries.items[0].mode, RB_MODE_FILE);
    assert_int_equal(entries.items[1].mode, RB_MODE_EXEC);
    rb_tree_entries_clear(&entries);
    rb_repo_close(repo);
}

static void test_depth(void **state)
{
    (void)state;
    rb_err err = {0};
    sh_do("git init -q nested; cd nested; t=$(printf '100644 blob %%s\\tf\\n' $(echo x | git "
          "hash-object -w --stdin) | git mktree); for i in $(seq 300); do t=$(printf '040000 tree "
          "%%s\\td\\n' $t | git mktree); done; echo $t >top");
    RB_AUTO(rb_free_str) char *hex = sh("cat nested/top");
    rb_repo *repo = open_repo("nested");
    rb_oid tree = oid_of(hex);
    rb_tree_entries entries = {0};
    assert_fails(rb_tree_list(&entries, repo, &tree, NULL, &err), RB_ERROR, "too deep");
    rb_repo_close(repo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list),      cmocka_unit_test(test_list_changed),
        cmocka_unit_test(test_find),      cmocka_unit_test(test_read),
        cmocka_unit_test(test_malformed), cmocka_unit_test(test_depth),
    };
    return cmocka_run_group_tests(tests, lab_open, lab_close);
}
