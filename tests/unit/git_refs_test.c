/* Refs as they are on disk: loose, packed, both, symbolic, broken; and what objects lead to. */
#include "git/refs.h"

#include "git_lab.h"

static rb_oid named(const char *revision)
{
    RB_AUTO(rb_free_str) char *hex = sh("git -C refs rev-parse '%s'", revision);
    rb_oid oid;
    assert_true(rb_oid_parse(&oid, hex));
    return oid;
}

static bool is_packed(const rb_repo *repo, const char *name, const rb_oid *object)
{
    rb_err err = {0};
    bool packed;
    assert_ok(rb_ref_is_packed(&packed, repo, name, object, &err));
    return packed;
}

static void test_values(void **state)
{
    (void)state;
    rb_err err = {0};
    rb_ref ref;
    sh_do("git init -q refs; cd refs; git commit -q --allow-empty -m 1; git tag -a -m x v1;"
          "git symbolic-ref refs/tags/latest refs/tags/v1; echo nonsense >.git/refs/tags/broken");
    rb_repo *repo = open_repo("refs");
    rb_oid tag = named("v1");
    assert_ok(rb_ref_read(&ref, repo, "refs/tags/v1", &err));
    assert_true(ref.exists && !ref.symbolic && rb_oid_equal(&ref.object, &tag));
    assert_ok(rb_ref_read(&ref, repo, "refs/tags/latest", &err));
    assert_true(ref.exists && ref.symbolic);
    assert_ok(rb_ref_read(&ref, repo, "refs/tags/none", &err));
    assert_false(ref.exists);
    assert_int_equal(rb_ref_read(&ref, repo, "refs/tags/broken", &err), RB_ERROR);
    assert_non_null(strstr(rb_err_line(&err), "refs/tags/broken"));
    rb_repo_close(repo);
}

static void test_packed(void **state)
{
    (void)state;
    sh_do("rm -rf refs; git init -q refs; cd refs; git commit -q --allow-empty -m 1;"
          "git tag -a -m x v1; git tag v1-rc; git tag av1");
    rb_repo *repo = open_repo("refs");
    rb_oid tag = named("v1");
    rb_oid commit = named("v1^{}");
    assert_false(is_packed(repo, "refs/tags/v1", &tag));
    sh_do("cd refs; git pack-refs --all; test ! -e .git/refs/tags/v1");
    assert_true(is_packed(repo, "refs/tags/v1", &tag));
    assert_true(is_packed(repo, "refs/tags/v1-rc", &commit));
    assert_false(is_packed(repo, "refs/tags/v1", &commit)); /* on its peeled line only */
    assert_false(is_packed(repo, "refs/tags/v", &commit));
    assert_false(is_packed(repo, "tags/av1", &commit));
    sh_do("cd refs; sed -i 1d .git/packed-refs"); /* older gits wrote no header */
    RB_AUTO(rb_free_str) char *first = sh("head -1 refs/.git/packed-refs | cut -d' ' -f2");
    assert_true(is_packed(repo, first, &commit));
    rb_repo_close(repo);
}

static void test_objects(void **state)
{
    (void)state;
    sh_do("rm -rf refs; git init -q refs; cd refs; echo 1 >f; git add f; git commit -q -m 1;"
          "git tag -a -m x v1; git tag -a -m nested on v1; git tag blob HEAD:f;"
          "git tag -a -m x tree HEAD^{tree}");
    rb_repo *repo = open_repo("refs");
    rb_oid commit = named("HEAD");
    rb_oid nested = named("on");
    rb_oid blob = named("blob");
    rb_oid tree = named("tree");
    rb_oid absent = {.id = {1}};
    rb_oid found;
    assert_true(rb_object_commit(&found, repo, &nested) && rb_oid_equal(&found, &commit));
    assert_true(rb_object_commit(&found, repo, &commit) && rb_oid_equal(&found, &commit));
    assert_false(rb_object_commit(&found, repo, &blob));
    assert_false(rb_object_commit(&found, repo, &tree));
    assert_false(rb_object_commit(&found, repo, &absent));
    assert_true(rb_object_exists(repo, &blob));
    assert_false(rb_object_exists(repo, &absent));
    rb_repo_close(repo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_packed),
        cmocka_unit_test(test_objects),
    };
    return cmocka_run_group_tests(tests, lab_open, lab_close);
}
