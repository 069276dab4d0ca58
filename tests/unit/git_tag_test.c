/* Tags: read raw, written as git would, ordered as people read versions. */
#include "git/tag.h"

#include "git_lab.h"

static char *tag_text(const char *dir, const char *name)
{
    return sh("cd %s; printf 'object %%s\\ntype commit\\ntag %s\\ntagger T <t@e> 1700000000 "
              "+0000\\n\\nmessage\\n' $(git rev-parse HEAD)",
              dir, name);
}

static void make(const char *dir)
{
    sh_do("git init -q %s; cd %s; echo 1 >f; git add f; git commit -qm one; git tag light;"
          "git tag -a -m 'hello' v1.0; git tag -a -m deep rel/1; git tag -a -m nested on v1.0",
          dir, dir);
}

static void test_read(void **state)
{
    (void)state;
    rb_err err = {0};
    make("read");
    rb_repo *repo = open_repo("read");
    RB_AUTO(rb_free_str) char *expected = sh("git -C read cat-file tag v1.0");
    RB_AUTO(rb_free_str) char *hex = sh("git -C read rev-parse v1.0");
    rb_tag *tag = NULL;
    char found[RB_OID_HEX];
    assert_ok(rb_tag_read(&tag, repo, "v1.0", &err));
    rb_oid_hex(&tag->object, found);
    assert_string_equal(found, hex);
    assert_true(tag->annotated);
    assert_string_equal(tag->name, "v1.0");
    rb_buf_truncate(&tag->raw, tag->raw.len - 1);
    assert_string_equal(tag->raw.data, expected);
    rb_oid object = tag->object;
    rb_tag_free(tag);

    assert_ok(rb_tag_read_object(&tag, repo, &object, "other", &err));
    assert_string_equal(tag->name, "other");
    assert_true(tag->annotated);
    rb_tag_free(tag);

    assert_ok(rb_tag_read(&tag, repo, "light", &err));
    assert_false(tag->annotated);
    assert_int_equal(tag->raw.len, 0);
    rb_tag_free(tag);

    static const char *const absent[] = {"v2",   "main", "../heads/main", "v1.0^{}", "",
                                         "a..b", "v*"};
    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++)
        assert_fails(rb_tag_read(&tag, repo, absent[i], &err), RB_FOUND, "there is no tag");
    rb_repo_close(repo);
}

static void test_read_damaged(void **state)
{
    (void)state;
    rb_err err = {0};
    make("damaged");
    sh_do("cd damaged; o=$(git rev-parse v1.0); p=.git/objects/$(echo $o | cut -c1-2)/$(echo $o | "
          "cut -c3-); chmod u+w $p; printf x | dd of=$p bs=1 seek=8 conv=notrunc 2>/dev/null;"
          "o=$(git rev-parse rel/1); rm .git/objects/$(echo $o | cut -c1-2)/$(echo $o | cut -c3-)");
    rb_repo *repo = open_repo("damaged");
    rb_tag *tag = NULL;
    assert_fails(rb_tag_read(&tag, repo, "v1.0", &err), RB_ERROR, "corrupt");
    assert_fails(rb_tag_read(&tag, repo, "rel/1", &err), RB_ERROR, "missing");
    rb_repo_close(repo);
}

static void test_limit(void **state)
{
    (void)state;
    rb_err err = {0};
    make("large");
    sh_do("cd large; { printf 'object %%s\\ntype commit\\ntag big\\ntagger T <t@e> 1 +0000\\n\\n' "
          "$(git rev-parse HEAD); head -c 16777300 /dev/zero | tr '\\0' x; } >big;"
          "git update-ref refs/tags/big $(git hash-object -t tag -w --literally big)");
    rb_repo *repo = open_repo("large");
    rb_tag *tag = NULL;
    assert_fails(rb_tag_read(&tag, repo, "big", &err), RB_ERROR, "limit");
    rb_repo_close(repo);
}

static void test_names(void **state)
{
    (void)state;
    rb_err err = {0};
    make("names");
    sh_do("cd names; git pack-refs --all; git tag v1.10; git tag v1.9; git branch v3");
    rb_repo *repo = open_repo("names");
    static const char *const globs[] = {"v*", "*", "rel/*", "v1.?", "none"};
    for (size_t i = 0; i < sizeof globs / sizeof *globs; i++) {
        RB_AUTO(rb_free_str)
        char *expected = sh("git -C names tag -l '%s' | LC_ALL=C sort", globs[i]);
        rb_strs names = {0};
        rb_buf list = {0};
        assert_ok(rb_tag_names(&names, repo, globs[i], &err));
        for (size_t j = 0; j < names.n; j++)
            rb_buf_printf(&list, "%s%s", j ? "\n" : "", names.items[j]);
        assert_string_equal(rb_buf_str(&list), expected);
        rb_buf_clear(&list);
        rb_strs_clear(&names);
    }
    rb_repo_close(repo);
}

/* What git for-each-ref says, packed, loose and by way of another tag; the rest has no object. */
static void test_refs(void **state)
{
    (void)state;
    rb_err err = {0};
    make("refs");
    sh_do("cd refs; git pack-refs --all; git tag v1.10; git tag a/b/v1; git tag -f light HEAD; "
          "git symbolic-ref refs/tags/link refs/tags/v1.0");
    RB_AUTO(rb_free_str)
    char *expected = sh("git -C refs for-each-ref --format='%%(objectname) %%(refname:lstrip=2)' "
                        "refs/tags | LC_ALL=C sort -k2");
    sh_do("cd refs; git symbolic-ref refs/tags/nowhere refs/tags/none;"
          "echo \"$(git rev-parse HEAD) refs/tags/bad..name\" >>.git/packed-refs");
    rb_repo *repo = open_repo("refs");
    rb_tag_refs refs = {0};
    rb_buf list = {0};
    size_t unresolved = 0;
    assert_ok(rb_tag_refs_read(&refs, repo, &err));
    for (size_t i = 0; i < refs.n; i++) {
        char hex[RB_OID_HEX];
        rb_oid_hex(&refs.items[i].object, hex);
        if (refs.items[i].resolved)
            rb_buf_printf(&list, "%s%s %s", list.len ? "\n" : "", hex, refs.items[i].name);
        else
            unresolved++;
    }
    assert_string_equal(rb_buf_str(&list), expected);
    assert_int_equal(unresolved, 2);
    rb_buf_clear(&list);
    rb_tag_refs_clear(&refs);
    rb_repo_close(repo);
}

/* A ref is never left out silently. */
static void test_packed(void **state)
{
    (void)state;
    rb_err err = {0};
    rb_tag_refs refs = {0};
    make("harmed");
    rb_repo *repo = open_repo("harmed");
    sh_do("cd harmed; git pack-refs --all; cp .git/packed-refs ../packed; mkdir "
          ".git/refs/tags/empty;"
          "echo garbage >.git/refs/tags/v1.0; : >.git/refs/tags/v1.1.lock");
    assert_ok(rb_tag_refs_read(&refs, repo, &err)); /* as git does, takes the packed v1.0 */
    size_t n = refs.n;
    assert_true(n > 1);
    sh_do("cd harmed; (head -1 ../packed; grep -v '^[#^]' ../packed | sort -r) >.git/packed-refs");
    assert_ok(rb_tag_refs_read(&refs, repo, &err));
    assert_int_equal(refs.n, n);
    for (size_t i = 1; i < n; i++)
        assert_true(strcmp(refs.items[i - 1].name, refs.items[i].name) < 0);
    static const char *const damage[] = {"truncate -s -1 .git/packed-refs",
                                         "echo 0123 refs/tags/v7 >>.git/packed-refs",
                                         "sed -i '2s/^./x/' .git/packed-refs"};
    for (size_t i = 0; i < sizeof damage / sizeof *damage; i++) {
        sh_do("cd harmed; cp ../packed .git/packed-refs; %s", damage[i]);
        assert_fails(rb_tag_refs_read(&refs, repo, &err), RB_ERROR, "is not a ref");
    }
    rb_tag_refs_clear(&refs);
    rb_repo_close(repo);
}

static void test_create(void **state)
{
    (void)state;
    rb_err err = {0};
    make("create");
    rb_repo *repo = open_repo("create");
    RB_AUTO(rb_free_str) char *body = tag_text("create", "v2.0");
    RB_AUTO(rb_free_str) char *text = rb_format("%s\n", body);
    rb_oid oid;
    char hex[RB_OID_HEX];
    assert_ok(rb_tag_create(&oid, repo, "v2.0", text, strlen(text), &err));
    rb_oid_hex(&oid, hex);
    RB_AUTO(rb_free_str) char *ref = sh("git -C create rev-parse refs/tags/v2.0");
    RB_AUTO(rb_free_str) char *type = sh("git -C create cat-file -t v2.0");
    assert_string_equal(hex, ref);
    assert_string_equal(type, "tag");
    rb_tag *tag = NULL;
    assert_ok(rb_tag_read(&tag, repo, "v2.0", &err));
    assert_string_equal(tag->raw.data, text);
    rb_tag_free(tag);

    assert_fails(rb_tag_create(&oid, repo, "v2.0", text, strlen(text), &err), RB_FOUND,
                 "there already");
    assert_fails(rb_tag_create(&oid, repo, "light", text, strlen(text), &err), RB_FOUND,
                 "there already");
    assert_fails(rb_tag_create(&oid, repo, "bad..name", text, strlen(text), &err), RB_ERROR,
                 "name of a tag");
    assert_fails(rb_tag_create(&oid, repo, "-x", text, strlen(text), &err), RB_ERROR,
                 "name of a tag");
    /* What git mktag refuses leaves neither object nor ref. */
    static const char broken[] = "object 0000000000000000000000000000000000000001\ntype commit\n"
                                 "tag v3\ntagger T <t@e> 1 +0000\n\nm\n";
    assert_fails(rb_tag_create(&oid, repo, "v3", broken, sizeof broken - 1, &err), RB_ERROR,
                 "mktag");
    assert_fails(rb_tag_read(&tag, repo, "v3", &err), RB_FOUND, "v3");
    rb_repo_close(repo);
}

static void test_create_hook(void **state)
{
    (void)state;
    rb_err err = {0};
    make("hooked");
    sh_do("cd hooked; printf '#!/bin/sh\\ncat >>seen\\ntest ! -e refuse || { echo no thanks >&2; "
          "exit 1; }\\n' >.git/hooks/reference-transaction; chmod +x .git/hooks/*");
    rb_repo *repo = open_repo("hooked");
    RB_AUTO(rb_free_str) char *text = tag_text("hooked", "v2.0");
    RB_AUTO(rb_free_str) char *full = rb_format("%s\n", text);
    rb_oid oid;
    sh_do("touch hooked/refuse");
    assert_fails(rb_tag_create(&oid, repo, "v2.0", full, strlen(full), &err), RB_FOUND,
                 "no thanks");
    sh_do("rm hooked/refuse");
    assert_ok(rb_tag_create(&oid, repo, "v2.0", full, strlen(full), &err));
    sh_do("grep -q 'refs/tags/v2.0' hooked/seen");
    rb_repo_close(repo);
}

static int by_version(const void *a, const void *b)
{
    return rb_tag_compare(*(const char *const *)a, *(const char *const *)b);
}

/* The same order as `git tag --sort=version:refname` with "-" as pre-release suffix. */
static void test_compare(void **state)
{
    (void)state;
    const char *tags[] = {"v1.0",   "v1.0-rc1",  "v1.0-rc10", "v1.0-rc2", "v1.10", "v1.9", "v2.0",
                          "v1.0.1", "v1.0-beta", "v10.0",     "v9.0",     "app",   "v1"};
    size_t n = sizeof tags / sizeof *tags;
    sh_do("git init -q sorted; cd sorted; git commit -q --allow-empty -m x;"
          "git config versionsort.suffix -");
    for (size_t i = 0; i < n; i++)
        sh_do("git -C sorted tag %s", tags[i]);
    qsort(tags, n, sizeof *tags, by_version);
    rb_buf list = {0};
    for (size_t i = 0; i < n; i++)
        rb_buf_printf(&list, "%s%s", i ? "\n" : "", tags[i]);
    RB_AUTO(rb_free_str) char *expected = sh("git -C sorted tag --sort=version:refname");
    assert_string_equal(list.data, expected);
    rb_buf_clear(&list);
    /* Ties by value are settled bytewise, and the order is total. */
    assert_true(rb_tag_compare("v1.01", "v1.1") < 0);
    assert_true(rb_tag_compare("v1.1", "v1.01") > 0);
    assert_int_equal(rb_tag_compare("v1.1", "v1.1"), 0);
    assert_true(rb_tag_compare("99999999999999999999999", "100000000000000000000000") < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),    cmocka_unit_test(test_read_damaged),
        cmocka_unit_test(test_limit),   cmocka_unit_test(test_names),
        cmocka_unit_test(test_refs),    cmocka_unit_test(test_packed),
        cmocka_unit_test(test_create),  cmocka_unit_test(test_create_hook),
        cmocka_unit_test(test_compare),
    };
    return cmocka_run_group_tests(tests, lab_open, lab_close);
}
