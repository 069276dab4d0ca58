/* Git LFS: which files are pointers, and where their content comes from. */
#include "artifact/lfs.h"

#include "artifact_lab.h"

/* For printf(1), inside a format of printf(3). */
#define POINTER "version https://git-lfs.github.com/spec/v1\\noid sha256:%%s\\nsize 100000\\n"

/* A project whose file data/big.bin is an LFS pointer to 100,000 bytes in the store. */
static void make_lfs(const char *dir)
{
    sh_do("git init -q %s; cd %s; mkdir data; head -c 100000 /dev/zero | tr '\\0' L >../content; "
          "o=$(sha256sum ../content | cut -c1-64); echo $o >../oid; printf '" POINTER
          "' $o >data/big.bin; "
          "printf '" POINTER
          "' $o >data/plain.txt; printf '*.bin filter=lfs diff=lfs merge=lfs -text\\n' "
          ">.gitattributes; git add -A; git commit -qm one; s=.git/lfs/objects/$(echo $o | cut "
          "-c1-2)/$(echo $o | cut -c3-4); mkdir -p $s; cp ../content $s/$o",
          dir, dir);
}

static void test_content(void **state)
{
    (void)state;
    make_lfs("lfs");
    rb_repo *repo = open_repo("lfs");
    rb_artifact expected = hashed(repo, "HEAD", 2);
    RB_AUTO(rb_free_str) char *pointer = sh("git -C lfs cat-file -s HEAD:data/plain.txt");
    RB_AUTO(rb_free_str) char *attributes = sh("git -C lfs cat-file -s HEAD:.gitattributes");
    assert_int_equal(expected.bytes,
                     100000 + strtoul(pointer, NULL, 10) + strtoul(attributes, NULL, 10));
    static const char *const formats[] = {"dir", "tar", "tar.zst", "zip"};
    for (size_t i = 0; i < 4; i++) {
        rb_artifact artifact = written(repo, "HEAD", formats[i], "lfs.out");
        assert_same(&expected, &artifact);
        rb_artifact_clear(&artifact);
        sh_do("rm -rf x; mkdir x; if [ -f lfs.out/app.%s ]; then bsdtar -xf lfs.out/app.%s -C x; "
              "else "
              "cp -a lfs.out/app/. x; fi; cmp x/data/big.bin content; git -C lfs cat-file blob "
              "HEAD:data/plain.txt | cmp - x/data/plain.txt",
              formats[i], formats[i]);
    }
    RB_AUTO(rb_free_str) char *tar = sh("sha256sum <lfs.out/app.tar | cut -c1-64");
    assert_string_equal(tar, expected.digest);
    /* The pointer, not the content, is in the tree id. */
    RB_AUTO(rb_free_str)
    char *tree = sh(
        "git init -q --object-format=sha256 lfs256; cd lfs256; git -C ../lfs archive HEAD | tar x; "
        "git add -f -A; git -c filter.lfs.clean= write-tree");
    assert_string_equal(tree, expected.tree);
    rb_artifact_clear(&expected);
    rb_repo_close(repo);
}

static void test_trouble(void **state)
{
    (void)state;
    rb_err err = {0};
    make_lfs("trouble");
    rb_repo *repo = open_repo("trouble");
    rb_oid tree = tree_of(repo, "HEAD");
    rb_artifact artifact = {0};
    rb_artifact_spec spec = spec_of("dir");
    sh_do(
        "mkdir trouble.out; cd trouble/.git/lfs/objects; f=$(find . -type f); printf X | dd of=$f "
        "bs=1 seek=50000 conv=notrunc 2>/dev/null");
    static const char *const damage[] = {":", "truncate -s 99999 $f", "truncate -s 100001 $f",
                                         "rm $f", "mkdir $f"};
    static const char *const said[] = {"damaged", "damaged", "damaged", "git lfs fetch",
                                       "git lfs fetch"};
    RB_AUTO(rb_free_str) char *file = sh("find trouble/.git/lfs/objects -type f");
    for (size_t i = 0; i < 5; i++) {
        sh_do("f=%s; %s", file, damage[i]);
        assert_fails(rb_artifact_hash(&artifact, repo, &tree, &spec, 2, &err), RB_ERROR, said[i]);
        assert_non_null(strstr(rb_err_line(&err), "data/big.bin"));
        assert_fails(rb_artifact_write(&artifact, repo, &tree, &spec, "trouble.out", 2, &err),
                     RB_ERROR, said[i]);
    }
    RB_AUTO(rb_free_str) char *left = sh("ls -A trouble.out");
    assert_string_equal(left, "");
    rb_repo_close(repo);
}

static void test_storage(void **state)
{
    (void)state;
    make_lfs("moved");
    sh_do(
        "mv moved/.git/lfs elsewhere; git -C moved config lfs.storage $PWD/elsewhere; git clone -q "
        "--bare moved moved.git; mv elsewhere moved.git/large; git -C moved.git config lfs.storage "
        "large; git -C moved config lfs.storage $PWD/moved.git/large");
    static const char *const dirs[] = {"moved", "moved.git"};
    for (size_t i = 0; i < 2; i++) {
        rb_repo *repo = open_repo(dirs[i]);
        rb_artifact artifact = hashed(repo, "HEAD", 2);
        assert_true(artifact.bytes > 100000);
        rb_artifact_clear(&artifact);
        rb_repo_close(repo);
    }
}

static void test_extensions(void **state)
{
    (void)state;
    rb_err err = {0};
    sh_do("git init -q extended; cd extended; printf 'version https://git-lfs.github.com/spec/v1\\n"
          "ext-0-x sha256:%%064d\\noid sha256:%%064d\\nsize 1\\n' 1 2 >a.bin; echo '*.bin "
          "filter=lfs' "
          ">.gitattributes; git add -A; git commit -qm x");
    rb_repo *repo = open_repo("extended");
    rb_oid tree = tree_of(repo, "HEAD");
    rb_artifact artifact = {0};
    rb_artifact_spec spec = spec_of("dir");
    assert_fails(rb_artifact_hash(&artifact, repo, &tree, &spec, 1, &err), RB_ERROR, "extensions");
    rb_repo_close(repo);
}

static void test_parse(void **state)
{
    (void)state;
#define V "version https://git-lfs.github.com/spec/v1\n"
#define OID64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    static const char good[] = V "oid sha256:" OID64 "\nsize 12345\n";
    rb_lfs_pointer pointer;
    assert_true(rb_lfs_parse(&pointer, good, sizeof good - 1));
    assert_string_equal(pointer.oid, OID64);
    assert_int_equal(pointer.size, 12345);
    for (size_t len = 0; len < sizeof good - 1; len++)
        assert_false(rb_lfs_parse(&pointer, good, len));
    static const char *const bad[] = {
        V "oid sha256:" OID64 "\nsize 1\nmore\n",
        V "size 1\noid sha256:" OID64 "\n",
        V "oid sha256:" OID64 "\nsize 01\n",
        V "oid sha256:" OID64 "\nsize -1\n",
        V "oid sha256:" OID64 "\nsize \n",
        V "oid sha256:" OID64 "\nsize 1234567890123456789\n",
        V "oid sha256:A" OID64 "\nsize 1\n",
        V "oid sha512:" OID64 "\nsize 1\n",
        "version http://git-lfs.github.com/spec/v1\noid sha256:" OID64 "\nsize 1\n",
        V "oid sha256:../../../../../etc/passwd0000000000000000000000000000000000000000\nsize 1\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(rb_lfs_parse(&pointer, bad[i], strlen(bad[i])));
}

/* Attributes beside git's own answer, from a tree with every kind of rule. */
static void test_attributes(void **state)
{
    (void)state;
    rb_err err = {0};
    sh_do(
        "git init -q attr; cd attr; mkdir -p a/b/c 'sp ace' x/y x/.y dir mid/deep w a/b.bin; touch "
        "f.bin a/f.bin a/b/f.bin a/b/one.bin a/b/c/f.bin p.png a/b/x.png top.dat a/top.dat "
        "a/deep.dat a/b/c/deep.dat any.dat a/any.dat x/f x/y/f f.raw f.set no.bin dir/f c1.dat "
        "cx.dat mid/f.dat mid/deep/f.dat w1.dat w/.dat 'sp ace/qt.txt' '#h.dat' x/bom.dat "
        ".hidden.bin a/.hidden.dat x/.y/f deep.dat a/b.bin/c; printf '[attr]big filter=lfs "
        "-text\\n[attr]small !filter\\n# comment\\n*.bin filter=lfs\\n*.png big\\n/top.dat "
        "filter=lfs\\na/**/deep.dat filter=lfs\\n**/any.dat filter=lfs\\nx/** filter=lfs\\n"
        "*.raw filter=other\\n*.set filter\\n\"sp ace/q\\\\164.txt\" filter=lfs\\n!no.bin "
        "-filter\\ndir/ filter=lfs\\nc[0-9].dat filter=lfs\\nmid/*.dat filter=lfs\\nw?.dat "
        "filter=lfs\\n\\\\#h.dat filter=lfs\\n' >.gitattributes; printf '*.bin -filter\\nb/*.bin "
        "filter=lfs\\n' >a/.gitattributes; printf 'one.bin !filter\\r\\nx.png small\\r\\n' "
        ">a/b/.gitattributes; printf '\\357\\273\\277bom.dat filter=lfs\\n' >x/.gitattributes; git "
        "add -A; git commit -qm x");
    static const char *const paths[] = {
        "f.bin",     "a/f.bin",       "a/b/f.bin", "a/b/one.bin", "a/b/c/f.bin",    "p.png",
        "a/b/x.png", "top.dat",       "a/top.dat", "a/deep.dat",  "a/b/c/deep.dat", "any.dat",
        "a/any.dat", "x/f",           "x/y/f",     "f.raw",       "f.set",          "no.bin",
        "dir/f",     "c1.dat",        "cx.dat",    "mid/f.dat",   "mid/deep/f.dat", "w1.dat",
        "w/.dat",    "sp ace/qt.txt", "#h.dat",    "x/bom.dat",   ".hidden.bin",    "a/.hidden.dat",
        "x/.y/f",    "deep.dat",      "a/b.bin/c"};
    rb_repo *repo = open_repo("attr");
    rb_oid tree = tree_of(repo, "HEAD");
    RB_AUTO(rb_attributes_freep) rb_attributes *attributes = rb_attributes_new(repo, &tree);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        const char *value;
        assert_ok(rb_attributes_get(&value, attributes, paths[i], "filter", &err));
        RB_AUTO(rb_free_str)
        char *git =
            sh("cd attr; git check-attr -z --cached filter -- '%s' | tr '\\0' '\\n' | tail -1",
               paths[i]);
        bool unset = !strcmp(git, "unspecified") || !strcmp(git, "unset");
        if (unset ? value != NULL : !value || strcmp(value, git) != 0)
            fail_msg("%s: git says %s, we say %s", paths[i], git, value ? value : "nothing");
    }
    rb_repo_close(repo);
}

/* What is not in the tree does not count: a release is the same everywhere. */
static void test_attributes_of_the_tree_only(void **state)
{
    (void)state;
    rb_err err = {0};
    make_lfs("only");
    sh_do("cd only; echo '*.txt filter=lfs' >.git/info/attributes; echo '*.txt filter=lfs' "
          ">../attributes; git config core.attributesFile ../attributes; echo '*.txt filter=lfs' "
          ">>.gitattributes");
    rb_repo *repo = open_repo("only");
    rb_oid tree = tree_of(repo, "HEAD");
    RB_AUTO(rb_attributes_freep) rb_attributes *attributes = rb_attributes_new(repo, &tree);
    const char *value;
    assert_ok(rb_attributes_get(&value, attributes, "data/plain.txt", "filter", &err));
    assert_null(value);
    rb_repo_close(repo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_content),
        cmocka_unit_test(test_trouble),
        cmocka_unit_test(test_storage),
        cmocka_unit_test(test_extensions),
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_attributes),
        cmocka_unit_test(test_attributes_of_the_tree_only),
    };
    return cmocka_run_group_tests(tests, lab_open, lab_close);
}
