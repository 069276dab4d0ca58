/* Tree ids: what stock git prints for the same files in a SHA-256 repository. */
#include "git/treeid.h"

#include "git/blobs.h"
#include "git_lab.h"

/* The same files in a SHA-256 repository: `git archive` would apply attributes, so blob by blob. */
static char *by_git(const char *dir, const char *spec, const char *paths)
{
    return sh(
        "rm -rf sha256; git init -q --object-format=sha256 sha256; git -C %s ls-tree -rz %s "
        "%s >list; tr '\\0\\n' '\\n\\0' <list | while IFS= read -r line; do "
        "mode=${line%%%% *}; "
        "rest=${line#* }; kind=${rest%%%% *}; rest=${rest#* }; oid=${rest%%%%\t*}; "
        "test $kind = blob || continue; id=$(git -C %s cat-file blob $oid | git -C sha256 "
        "hash-object -w --stdin); printf '%%s %%s\\t%%s\\0' $mode $id \"${rest#*\t}\"; done | "
        "git -C sha256 update-index -z --index-info; git -C sha256 write-tree",
        dir, spec, paths, dir);
}

static void make(const char *dir)
{
    sh_do(
        "git init -q %s; cd %s; mkdir -p a/b/c a.d bin only/sub; echo 1 >a/b/c/one; echo 2 >a/two;"
        "echo 3 >a.c; echo 4 >a.d/four; echo 5 >a-b; : >nothing; : >a/nothing; chmod +x a/two;"
        "ln -s a/two link; ln -s /nowhere a/b/dangling; echo u >\"$(printf 'n\\377on')\";"
        "mkdir \"$(printf 'd\\376')\"; echo v >\"$(printf 'd\\376/sp ace')\";"
        "head -c 100000 /dev/zero >bin/zeros; git add -A;"
        "git update-index --add --cacheinfo 160000,0123456789012345678901234567890123456789,sub;"
        "git update-index --add --cacheinfo "
        "160000,0123456789012345678901234567890123456789,only/sub/module; git commit -qm one",
        dir, dir);
}

static rb_treeid id_of(rb_repo *repo, const char *spec, const rb_strs *paths, bool cache)
{
    rb_err err = {0};
    rb_treeid id = {0};
    rb_oid tree = tree_of(repo, spec);
    assert_ok(rb_treeid_of(&id, repo, &tree, paths, cache, &err));
    return id;
}

static void check(rb_repo *repo, const char *spec, const rb_strs *paths, const char *expected)
{
    static const bool caches[] = {false, true, true};
    for (size_t i = 0; i < 3; i++) {
        rb_treeid id = id_of(repo, spec, paths, caches[i]);
        assert_string_equal(id.hex, expected);
        rb_treeid_clear(&id);
    }
}

static void test_whole(void **state)
{
    (void)state;
    make("whole");
    rb_repo *repo = open_repo("whole");
    RB_AUTO(rb_free_str) char *expected = by_git("whole", "HEAD", "");
    check(repo, "HEAD", NULL, expected);
    for (int i = 0; i < 2; i++) {
        rb_treeid id = id_of(repo, "HEAD", NULL, i == 1);
        assert_int_equal(id.submodules.n, 2);
        assert_string_equal(id.submodules.items[0], "only/sub/module");
        assert_string_equal(id.submodules.items[1], "sub");
        rb_treeid_clear(&id);
    }
    rb_repo_close(repo);
}

static void test_subsets(void **state)
{
    (void)state;
    make("subsets");
    rb_repo *repo = open_repo("subsets");
    static const char *const subsets[][4] = {{"a"},
                                             {"a/b/c/one"},
                                             {"a.c", "a"},
                                             {"a/b", "a/two"},
                                             {"a", "a/b"},
                                             {"link"},
                                             {"a.d/", "a"},
                                             {"bin", "nothing"},
                                             {"a-b", "a/b/c", "a.d", "a.c"}};
    for (size_t i = 0; i < sizeof subsets / sizeof *subsets; i++) {
        rb_strs paths = {0};
        rb_buf words = {0};
        for (size_t j = 0; j < 4 && subsets[i][j]; j++) {
            rb_strs_add(&paths, subsets[i][j]);
            rb_buf_printf(&words, "%s ", subsets[i][j]);
        }
        RB_AUTO(rb_free_str) char *expected = by_git("subsets", "HEAD", words.data);
        check(repo, "HEAD", &paths, expected);
        rb_strs_clear(&paths);
        rb_buf_clear(&words);
    }
    rb_repo_close(repo);
}

static void test_empty(void **state)
{
    (void)state;
    sh_do("git init -q void; git -C void commit -q --allow-empty -m x");
    make("links");
    RB_AUTO(rb_free_str)
    char *expected = sh("git init -q --object-format=sha256 none; git -C none write-tree");
    rb_repo *repo = open_repo("void");
    check(repo, "HEAD", NULL, expected);
    rb_repo_close(repo);
    /* Only gitlinks: nothing is left. */
    repo = open_repo("links");
    rb_strs paths = {0};
    rb_strs_add(&paths, "only");
    check(repo, "HEAD", &paths, expected);
    rb_strs_clear(&paths);
    rb_repo_close(repo);
}

static void test_from_blobs(void **state)
{
    (void)state;
    rb_err err = {0};
    make("blobs");
    rb_repo *repo = open_repo("blobs");
    rb_oid tree = tree_of(repo, "HEAD");
    rb_tree_entries entries = {0};
    assert_ok(rb_tree_list(&entries, repo, &tree, NULL, &err));
    for (int threads = 1; threads <= 4; threads++) {
        unsigned char(*ids)[RB_SHA256_SIZE] = rb_calloc(entries.n, sizeof *ids);
        rb_blobs job = {.repo = repo, .entries = &entries, .threads = threads};
        assert_ok(rb_blobs_read(ids, &job, &err));
        rb_treeid id = {0};
        rb_treeid_from_blobs(&id, &entries, (const unsigned char(*)[RB_SHA256_SIZE])ids);
        rb_treeid expected = id_of(repo, "HEAD", NULL, false);
        assert_string_equal(id.hex, expected.hex);
        assert_int_equal(id.submodules.n, 2);
        rb_treeid_clear(&id);
        rb_treeid_clear(&expected);
        free(ids);
    }
    rb_tree_entries_clear(&entries);
    rb_repo_close(repo);
}

/* `git gc` takes objects away under whoever reads, and has put them elsewhere before: more often
 * than the reader looks again, and while several read. */
static void test_repacked_meanwhile(void **state)
{
    (void)state;
    rb_err err = {0};
    make("moving");
    sh_do("cd moving; for i in $(seq 200); do echo $i >a/b/c/$i; done; git add -A; git commit -qm "
          "more");
    rb_repo *repo = open_repo("moving");
    rb_oid tree = tree_of(repo, "HEAD");
    rb_tree_entries entries = {0};
    assert_ok(rb_tree_list(&entries, repo, &tree, NULL, &err));
    unsigned char(*ids)[RB_SHA256_SIZE] = rb_calloc(entries.n, sizeof *ids);
    rb_blobs job = {.repo = repo, .entries = &entries, .threads = 4};
    for (int i = 0; i < 3; i++) {
        sh_do("cd moving; git commit -q --allow-empty -m %d; git repack -adq", i);
        assert_ok(rb_blobs_read(ids, &job, &err));
        rb_treeid id = {0};
        rb_treeid_from_blobs(&id, &entries, (const unsigned char(*)[RB_SHA256_SIZE])ids);
        RB_AUTO(rb_free_str) char *expected = by_git("moving", "HEAD", "");
        assert_string_equal(id.hex, expected);
        rb_treeid_clear(&id);
    }
    free(ids);
    rb_tree_entries_clear(&entries);
    rb_repo_close(repo);
}

static void grow(const char *dir, int i)
{
    sh_do("cd %s; echo change%d >a/two; mkdir -p deep/%d/er; echo new >deep/%d/er/f; git rm -q "
          "--cached nothing 2>/dev/null || :; git add -A; git commit -qm %d",
          dir, i, i, i, i);
}

static void test_cache_follows_changes(void **state)
{
    (void)state;
    make("changes");
    rb_repo *repo = open_repo("changes");
    for (int i = 0; i < 3; i++) {
        RB_AUTO(rb_free_str) char *expected = by_git("changes", "HEAD", "");
        check(repo, "HEAD", NULL, expected);
        grow("changes", i);
    }
    rb_repo_close(repo);
}

/* With the cache, blobs that it knows are not read: shown by taking the objects away. */
static void test_cache_is_used(void **state)
{
    (void)state;
    rb_err err = {0};
    make("used");
    rb_repo *repo = open_repo("used");
    rb_treeid before = id_of(repo, "HEAD", NULL, true);
    sh_do("cd used; rm .git/objects/$(git rev-parse HEAD:a/two | sed 's,^..,&/,')");
    rb_repo_close(repo);
    repo = open_repo("used");
    rb_treeid after = id_of(repo, "HEAD", NULL, true);
    assert_string_equal(before.hex, after.hex);
    rb_treeid_clear(&before);
    rb_treeid_clear(&after);
    rb_oid tree = tree_of(repo, "HEAD");
    assert_fails(rb_treeid_of(&after, repo, &tree, NULL, false, &err), RB_ERROR, "a/two");
    rb_repo_close(repo);
}

/* Whatever is in the file, the answer is right, and the next time the file is whole again. */
static void test_cache_damage(void **state)
{
    (void)state;
    make("damage");
    rb_repo *repo = open_repo("damage");
    rb_treeid expected = id_of(repo, "HEAD", NULL, false);
    static const char *const damage[] = {
        "rm -f $f",
        ": >$f",
        "echo garbage >$f",
        "head -c 100 $f >x; mv x $f",
        "head -c $(($(wc -c <$f) - 1)) $f >x; mv x $f",
        "printf X | dd of=$f bs=1 seek=60 conv=notrunc 2>/dev/null",
        "printf '\\377\\377\\377\\377' | dd of=$f bs=1 seek=17 conv=notrunc 2>/dev/null",
        "head -c 70 /dev/zero >>$f",
        "cat $f $f >x; mv x $f",
        "rm $f; mkdir $f; rmdir $f",
        "rm $f; ln -s /dev/full $f",
    };
    for (size_t i = 0; i < sizeof damage / sizeof *damage; i++) {
        rb_treeid id = id_of(repo, "HEAD", NULL, true);
        assert_string_equal(id.hex, expected.hex);
        rb_treeid_clear(&id);
        sh_do("f=damage/.git/rbtool/treeids; %s", damage[i]);
        id = id_of(repo, "HEAD", NULL, true);
        assert_string_equal(id.hex, expected.hex);
        rb_treeid_clear(&id);
    }
    /* A folder where the file belongs: no cache, no error. */
    sh_do("cd damage/.git/rbtool; rm -f treeids; mkdir treeids");
    rb_treeid id = id_of(repo, "HEAD", NULL, true);
    assert_string_equal(id.hex, expected.hex);
    rb_treeid_clear(&id);
    rb_treeid_clear(&expected);
    rb_repo_close(repo);
}

/* Processes that write at the same time leave a file that is whole. */
static void test_cache_writers(void **state)
{
    (void)state;
    make("writers");
    for (int i = 0; i < 8; i++)
        grow("writers", i);
    rb_repo *repo = open_repo("writers");
    pid_t children[8];
    for (int i = 0; i < 8; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            rb_err err;
            rb_repo *own = NULL;
            rb_oid commit;
            rb_oid tree;
            rb_treeid id = {0};
            char spec[16];
            snprintf(spec, sizeof spec, "HEAD~%d", i);
            _exit(rb_repo_open(&own, "writers", &err) || rb_repo_commit(&commit, own, spec, &err) ||
                  rb_commit_tree(&tree, own, &commit, &err) ||
                  rb_treeid_of(&id, own, &tree, NULL, true, &err));
        }
    }
    for (int i = 0; i < 8; i++) {
        int status = -1;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    for (int i = 0; i < 8; i++) {
        char spec[16];
        snprintf(spec, sizeof spec, "HEAD~%d", i);
        rb_treeid plain = id_of(repo, spec, NULL, false);
        rb_treeid cached = id_of(repo, spec, NULL, true);
        assert_string_equal(plain.hex, cached.hex);
        rb_treeid_clear(&plain);
        rb_treeid_clear(&cached);
    }
    rb_repo_close(repo);
}

/* Deltas, packs and alternates give the same bytes as loose objects. */
static void test_packed(void **state)
{
    (void)state;
    sh_do(
        "git init -q packed; cd packed; for i in $(seq 40); do seq $i 3000 >f$i; done; git add -A;"
        "git commit -qm one; for i in $(seq 40); do echo more >>f$i; done; git commit -qam two");
    rb_repo *repo = open_repo("packed");
    rb_treeid loose = id_of(repo, "HEAD", NULL, false);
    rb_repo_close(repo);
    sh_do("cd packed; git repack -adfq --depth=50; git prune-packed; git clone -q --shared . "
          "../borrowed");
    static const char *const dirs[] = {"packed", "borrowed"};
    for (size_t i = 0; i < 2; i++) {
        repo = open_repo(dirs[i]);
        rb_treeid id = id_of(repo, "HEAD", NULL, false);
        assert_string_equal(id.hex, loose.hex);
        rb_treeid_clear(&id);
        rb_repo_close(repo);
    }
    rb_treeid_clear(&loose);
}

static void test_partial_clone(void **state)
{
    (void)state;
    rb_err err = {0};
    make("whole2");
    sh_do(
        "git -C whole2 rm -q --cached sub only/sub/module; git -C whole2 commit -qm links; git -C "
        "whole2 config uploadpack.allowFilter true; git clone -q --bare --filter=blob:none "
        "\"file://$PWD/whole2\" partial");
    rb_repo *repo = open_repo("partial");
    rb_oid tree = tree_of(repo, "HEAD");
    rb_treeid id = {0};
    assert_fails(rb_treeid_of(&id, repo, &tree, NULL, false, &err), RB_ERROR, "partial clone");
    assert_non_null(strstr(rb_err_line(&err), "git fetch --refetch --no-filter"));
    rb_repo_close(repo);
    /* The advice works. */
    sh_do("git -C partial fetch -q --refetch --no-filter");
    repo = open_repo("partial");
    assert_ok(rb_treeid_of(&id, repo, &tree, NULL, false, &err));
    rb_treeid_clear(&id);
    rb_repo_close(repo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_subsets),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_from_blobs),
        cmocka_unit_test(test_repacked_meanwhile),
        cmocka_unit_test(test_cache_follows_changes),
        cmocka_unit_test(test_cache_is_used),
        cmocka_unit_test(test_cache_damage),
        cmocka_unit_test(test_cache_writers),
        cmocka_unit_test(test_packed),
        cmocka_unit_test(test_partial_clone),
    };
    return cmocka_run_group_tests(tests, lab_open, lab_close);
}
