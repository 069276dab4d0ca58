/* Repositories as git finds them, commits, history and settings: beside the real git. */
#include "git_lab.h"

#include "git/tag.h"

static void make_history(const char *dir)
{
    sh_do("git init -q %s; cd %s; for i in 1 2 3; do echo $i >f; git add f; "
          "GIT_COMMITTER_DATE=\"1700000${i}00 +0000\" git commit -qm \"commit $i\"; done; git "
          "checkout -qb side HEAD~1; echo s >g;"
          "git add g; git commit -qm side; git checkout -q main; git merge -q --no-edit side;"
          "git tag light; git tag -a -m 'first line' v1.0; git branch -D side -q",
          dir, dir);
}

static void test_open(void **state)
{
    (void)state;
    rb_err err = {0};
    rb_repo *repo = NULL;
    make_history("open");
    sh_do("mkdir -p open/deep/er; git clone -q --bare open bare.git; git -C open worktree add -q "
          "../linked; git init -q --bare plain; rm plain/config");
    RB_AUTO(rb_free_str) char *top = sh("cd open && pwd -P");
    RB_AUTO(rb_free_str) char *common = rb_format("%s/.git", top);

    repo = open_repo("open/deep/er");
    assert_string_equal(rb_repo_workdir(repo), top);
    assert_string_equal(rb_repo_common_dir(repo), common);
    rb_repo_close(repo);

    repo = open_repo("bare.git");
    assert_null(rb_repo_workdir(repo));
    rb_repo_close(repo);

    /* Without core.bare git says bare, too. */
    repo = open_repo("plain");
    assert_null(rb_repo_workdir(repo));
    rb_repo_close(repo);

    repo = open_repo("linked");
    RB_AUTO(rb_free_str) char *linked = sh("cd linked && pwd -P");
    assert_string_equal(rb_repo_workdir(repo), linked);
    assert_string_equal(rb_repo_common_dir(repo), common);
    rb_repo_close(repo);

    repo = NULL;
    assert_fails(rb_repo_open(&repo, "/", &err), RB_ERROR, "no git repository at /");
    assert_null(repo);
}

static void test_open_environment(void **state)
{
    (void)state;
    rb_err err = {0};
    rb_repo *repo = NULL;
    make_history("env");
    RB_AUTO(rb_free_str) char *top = sh("cd env && pwd -P");
    RB_AUTO(rb_free_str) char *dir = rb_format("%s/.git", top);
    sh_do("mkdir -p elsewhere");
    RB_AUTO(rb_free_str) char *elsewhere = sh("cd elsewhere && pwd -P");

    setenv("GIT_DIR", dir, 1);
    setenv("GIT_WORK_TREE", elsewhere, 1);
    setenv("GIT_COMMON_DIR", dir, 1);
    repo = open_repo("/");
    assert_string_equal(rb_repo_workdir(repo), elsewhere);
    assert_string_equal(rb_repo_common_dir(repo), dir);
    rb_repo_close(repo);
    unsetenv("GIT_WORK_TREE");

    setenv("GIT_COMMON_DIR", elsewhere, 1);
    assert_fails(rb_repo_open(&repo, "/", &err), RB_ERROR, "GIT_COMMON_DIR");
    unsetenv("GIT_COMMON_DIR");

    setenv("GIT_DIR", ".git", 1); /* as git -C DIR and hooks have it */
    repo = open_repo("env");
    assert_string_equal(rb_repo_common_dir(repo), dir);
    rb_repo_close(repo);
    unsetenv("GIT_DIR");
}

/* A server's pre-receive hook sees new objects only in git's quarantine. */
static void test_quarantine(void **state)
{
    (void)state;
    rb_err err = {0};
    make_history("quarantine");
    sh_do("cd quarantine; mkdir q; export GIT_OBJECT_DIRECTORY=$PWD/q; "
          "export GIT_ALTERNATE_OBJECT_DIRECTORIES=$PWD/.git/objects; echo new | git hash-object "
          "-w --stdin >oid");
    RB_AUTO(rb_free_str) char *hex = sh("cat quarantine/oid");
    rb_oid oid = oid_of(hex);
    rb_buf text = {0};

    rb_repo *repo = open_repo("quarantine");
    assert_fails(rb_blob_read(&text, repo, &oid, "a/new", 100, &err), RB_ERROR, "a/new");
    rb_repo_close(repo);

    setenv("GIT_OBJECT_DIRECTORY", "q", 1);
    setenv("GIT_ALTERNATE_OBJECT_DIRECTORIES", ".git/objects", 1);
    repo = open_repo("quarantine");
    assert_ok(rb_blob_read(&text, repo, &oid, "new", 100, &err));
    assert_string_equal(text.data, "new\n");
    rb_oid commit;
    assert_ok(rb_repo_commit(&commit, repo, "v1.0", &err));
    rb_repo_close(repo);
    unsetenv("GIT_OBJECT_DIRECTORY");
    unsetenv("GIT_ALTERNATE_OBJECT_DIRECTORIES");
    rb_buf_clear(&text);
}

static void test_formats(void **state)
{
    (void)state;
    rb_err err = {0};
    rb_repo *repo = NULL;
    sh_do("git init -q --object-format=sha256 sha256; git init -q reftable; cd reftable;"
          "git config core.repositoryFormatVersion 1; git config extensions.refStorage reftable");
    assert_fails(rb_repo_open(&repo, "sha256", &err), RB_ERROR, "SHA-256");
    assert_fails(rb_repo_open(&repo, "reftable", &err), RB_ERROR, "reftable");

    make_history("extensions");
    sh_do("cd extensions; git config core.repositoryFormatVersion 1;"
          "git config extensions.worktreeConfig true; git config extensions.partialClone origin");
    repo = open_repo("extensions");
    rb_repo_close(repo);
}

static void test_ownership(void **state)
{
    (void)state;
    rb_err err = {0};
    rb_repo *repo = NULL;
    if (geteuid() != 0)
        skip();
    make_history("foreign");
    RB_AUTO(rb_free_str) char *top = sh("cd foreign && chown -R 4242 . && pwd -P");
    assert_fails(rb_repo_open(&repo, "foreign", &err), RB_ERROR, "safe.directory");
    assert_non_null(strstr(rb_err_line(&err), "another user"));

    /* Trust that only git sees, in GIT_CONFIG_GLOBAL and in the environment, counts. */
    setenv("GIT_CONFIG_COUNT", "1", 1);
    setenv("GIT_CONFIG_KEY_0", "safe.directory", 1);
    setenv("GIT_CONFIG_VALUE_0", top, 1);
    repo = open_repo("foreign");
    rb_repo_close(repo);
    unsetenv("GIT_CONFIG_COUNT");
    repo = NULL;
    assert_fails(rb_repo_open(&repo, "foreign", &err), RB_ERROR, "safe.directory");
}

static void test_commits(void **state)
{
    (void)state;
    rb_err err = {0};
    make_history("commits");
    rb_repo *repo = open_repo("commits");
    static const char *const specs[] = {"HEAD",           "main~1",     "v1.0",
                                        "light",          "v1.0^2",     "HEAD^{/side}",
                                        "refs/tags/v1.0", "tags/light", "@"};
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        RB_AUTO(rb_free_str)
        char *expected = sh("git -C commits rev-parse '%s^{commit}'", specs[i]);
        RB_AUTO(rb_free_str) char *tree = sh("git -C commits rev-parse '%s^{tree}'", specs[i]);
        rb_oid oid;
        char hex[RB_OID_HEX];
        assert_ok(rb_repo_commit(&oid, repo, specs[i], &err));
        rb_oid_hex(&oid, hex);
        assert_string_equal(hex, expected);
        assert_ok(rb_commit_tree(&oid, repo, &oid, &err));
        rb_oid_hex(&oid, hex);
        assert_string_equal(hex, tree);
    }
    rb_oid oid;
    RB_AUTO(rb_free_str) char *by_text = sh("git -C commits rev-parse ':/side'");
    rb_oid same = oid_of(by_text);
    assert_ok(rb_repo_commit(&oid, repo, ":/side", &err));
    assert_true(rb_oid_equal(&oid, &same));
    assert_fails(rb_repo_commit(&oid, repo, "no\033such", &err), RB_ERROR, "no\\x1b");
    assert_fails(rb_repo_commit(&oid, repo, "HEAD:f", &err), RB_ERROR, "names no commit");
    assert_fails(rb_repo_commit(&oid, repo, "nosuch", &err), RB_ERROR,
                 "nosuch names no commit of this repository; name another");
    assert_fails(rb_repo_commit(&oid, repo, "", &err), RB_ERROR, "empty");
    rb_repo_close(repo);
}

static bool collect(void *context, const rb_oid *commit, const char *message)
{
    char hex[RB_OID_HEX];
    rb_buf *list = context;
    rb_oid_hex(commit, hex);
    rb_buf_printf(list, "%s%s %.*s", list->len ? "\n" : "", hex, (int)strcspn(message, "\n"),
                  message);
    return true;
}

static bool stop_at_once(void *context, const rb_oid *commit, const char *message)
{
    (void)commit;
    (void)message;
    ++*(int *)context;
    return false;
}

static void check_history(const char *dir, const char *tip, const char *hidden)
{
    rb_err err = {0};
    rb_repo *repo = open_repo(dir);
    rb_oid from;
    rb_oid hide;
    assert_ok(rb_repo_commit(&from, repo, tip, &err));
    if (hidden)
        assert_ok(rb_repo_commit(&hide, repo, hidden, &err));
    RB_AUTO(rb_free_str)
    char *expected = sh("git -C %s log --topo-order --format='%%H %%s' %s %s%s", dir, tip,
                        hidden ? "^" : "", hidden ? hidden : "");
    rb_buf list = {0};
    assert_ok(rb_commit_walk(repo, &from, &hide, hidden ? 1 : 0, collect, &list, &err));
    RB_AUTO(rb_free_str) char *a = sh("printf '%%s' '%s' | sort", expected);
    RB_AUTO(rb_free_str) char *b = sh("printf '%%s' '%s' | sort", rb_buf_str(&list));
    assert_string_equal(a, b);
    int calls = 0;
    assert_ok(rb_commit_walk(repo, &from, NULL, 0, stop_at_once, &calls, &err));
    assert_int_equal(calls, 1);
    rb_buf_clear(&list);
    rb_repo_close(repo);
}

static void test_history(void **state)
{
    (void)state;
    rb_err err = {0};
    make_history("history");
    check_history("history", "main", NULL);
    check_history("history", "main", "main~1");
    check_history("history", "main^2", "main~1");

    rb_repo *repo = open_repo("history");
    rb_oid main_;
    rb_oid first;
    rb_oid side;
    bool reaches = false;
    assert_ok(rb_repo_commit(&main_, repo, "main", &err));
    assert_ok(rb_repo_commit(&first, repo, "main~2", &err));
    assert_ok(rb_repo_commit(&side, repo, "main^2", &err));
    assert_ok(rb_commit_reaches(&reaches, repo, &main_, &first, &err));
    assert_true(reaches);
    assert_ok(rb_commit_reaches(&reaches, repo, &main_, &main_, &err));
    assert_true(reaches);
    assert_ok(rb_commit_reaches(&reaches, repo, &first, &main_, &err));
    assert_false(reaches);
    assert_ok(rb_repo_commit(&first, repo, "main~1", &err));
    assert_ok(rb_commit_reaches(&reaches, repo, &side, &first, &err));
    assert_false(reaches);
    rb_repo_close(repo);
}

/* libgit2 would follow neither; git follows both, and a release must not depend on them. */
static void test_replace_refs(void **state)
{
    (void)state;
    rb_err err = {0};
    make_history("replaced");
    RB_AUTO(rb_free_str) char *before = sh("git -C replaced rev-parse main~1^{tree}");
    sh_do("cd replaced; git replace main~1 main~2");
    rb_repo *repo = open_repo("replaced");
    rb_oid tree = tree_of(repo, "main~1");
    char hex[RB_OID_HEX];
    rb_oid_hex(&tree, hex);
    assert_string_equal(hex, before);
    /* And git, run by us, does not either. */
    rb_buf out = {0};
    assert_ok(
        rb_repo_git(&out, repo, (const char *const[]){"rev-parse", "main~1^{tree}", NULL}, &err));
    assert_int_equal(strncmp(out.data, before, 40), 0);
    rb_buf_clear(&out);
    rb_repo_close(repo);
}

static void test_shallow(void **state)
{
    (void)state;
    rb_err err = {0};
    make_history("deep");
    RB_AUTO(rb_free_str) char *old = sh("git -C deep rev-parse main~2");
    sh_do("git clone -q --depth 2 \"file://$PWD/deep\" shallow");
    check_history("shallow", "main", NULL);
    check_history("shallow", "main", "main~1");
    rb_repo *repo = open_repo("shallow");
    rb_oid main_;
    rb_oid parent;
    rb_oid tree;
    bool reaches = false;
    assert_ok(rb_repo_commit(&main_, repo, "main", &err));
    assert_ok(rb_repo_commit(&parent, repo, "main~1", &err));
    assert_ok(rb_commit_reaches(&reaches, repo, &main_, &parent, &err));
    assert_true(reaches);
    assert_ok(rb_commit_reaches(&reaches, repo, &parent, &main_, &err));
    assert_false(reaches);
    rb_oid gone = oid_of(old);
    assert_fails(rb_commit_tree(&tree, repo, &gone, &err), RB_ERROR, "--unshallow");
    rb_repo_close(repo);
}

static void test_settings(void **state)
{
    (void)state;
    rb_err err = {0};
    make_history("settings");
    sh_do("cd settings; git config user.signingKey first; git config --add user.signingKey "
          "'sec ond=2'; printf '[core]\\n\\tvalueless\\n[Sub \"Se C\"]\\n\\tKey = "
          "\"two\\\\nlines\"\\n'"
          " >>.git/config; git config p.home '~/k'; git config p.rel sub/k; git config p.abs /k;"
          "git config p.user '~root/k'; git config p.nobody '~nobody-of-this-name/k'");
    setenv("GIT_CONFIG_COUNT", "1", 1);
    setenv("GIT_CONFIG_KEY_0", "from.environment", 1);
    setenv("GIT_CONFIG_VALUE_0", "yes", 1);
    rb_repo *repo = open_repo("settings");
    const char *value = NULL;
    assert_ok(rb_repo_setting(&value, repo, "user.signingkey", &err));
    assert_string_equal(value, "sec ond=2");
    assert_ok(rb_repo_setting(&value, repo, "user.name", &err)); /* of GIT_CONFIG_GLOBAL */
    assert_string_equal(value, "Tester");
    assert_ok(rb_repo_setting(&value, repo, "core.valueless", &err));
    assert_string_equal(value, "true");
    assert_ok(rb_repo_setting(&value, repo, "sub.Se C.key", &err));
    assert_string_equal(value, "two\nlines");
    assert_ok(rb_repo_setting(&value, repo, "from.environment", &err));
    assert_string_equal(value, "yes");
    assert_ok(rb_repo_setting(&value, repo, "not.set", &err));
    assert_null(value);
    unsetenv("GIT_CONFIG_COUNT");

    static const char *const paths[][2] = {
        {"p.home", "%s/k"}, {"p.rel", "%s/settings/sub/k"}, {"p.abs", "/k"}, {"p.user", "/root/k"}};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        RB_AUTO(rb_free_str) char *path = NULL;
        RB_AUTO(rb_free_str) char *expected = NULL;
        assert_ok(rb_repo_setting_path(&path, repo, paths[i][0], &err));
        const char *rest = strncmp(paths[i][1], "%s", 2) == 0 ? paths[i][1] + 2 : NULL;
        expected = rest ? rb_format("%s%s", lab, rest) : rb_strdup(paths[i][1]);
        assert_string_equal(path, expected);
    }
    char *path = NULL;
    assert_ok(rb_repo_setting_path(&path, repo, "not.set", &err));
    assert_null(path);
    assert_fails(rb_repo_setting_path(&path, repo, "p.nobody", &err), RB_ERROR, "p.nobody");
    assert_fails(rb_repo_git(NULL, repo, (const char *const[]){"no-such-command", NULL}, &err),
                 RB_ERROR, "no-such-command");
    rb_repo_close(repo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open),       cmocka_unit_test(test_open_environment),
        cmocka_unit_test(test_quarantine), cmocka_unit_test(test_formats),
        cmocka_unit_test(test_ownership),  cmocka_unit_test(test_commits),
        cmocka_unit_test(test_history),    cmocka_unit_test(test_replace_refs),
        cmocka_unit_test(test_shallow),    cmocka_unit_test(test_settings),
    };
    return cmocka_run_group_tests(tests, lab_open, lab_close);
}
