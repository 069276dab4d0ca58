/* Artifacts written and hashed: the same bytes in every form, all or nothing. */
#include "artifact_lab.h"

static void test_forms(void **state)
{
    (void)state;
    make_project("forms");
    rb_repo *repo = open_repo("forms");
    rb_artifact expected = hashed(repo, "HEAD", 1);
    RB_AUTO(rb_free_str) char *count = sh("git -C forms ls-files | wc -l");
    assert_int_equal(expected.files, strtol(count, NULL, 10));
    for (int threads = 2; threads <= 8; threads *= 2) {
        rb_artifact again = hashed(repo, "HEAD", threads);
        assert_same(&expected, &again);
        rb_artifact_clear(&again);
    }
    static const char *const formats[] = {"dir", "tar", "tar.gz", "tar.zst", "zip"};
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        rb_artifact artifact = written(repo, "HEAD", formats[i], "out");
        assert_same(&expected, &artifact);
        rb_artifact_clear(&artifact);
    }
    RB_AUTO(rb_free_str) char *tar = sh("sha256sum <out/app.tar | cut -c1-64");
    RB_AUTO(rb_free_str) char *gz = sh("gzip -dc out/app.tar.gz | sha256sum | cut -c1-64");
    assert_string_equal(tar, expected.digest);
    assert_string_equal(gz, expected.digest);
    /* The folder is what git has, and every archive gives the folder; a umask changes nothing. */
    sh_do("for f in tar tar.gz tar.zst zip; do rm -rf x; mkdir x; bsdtar -xf out/app.$f -C x; "
          "diff -r --no-dereference out/app x; test -x x/bin/run; test ! -x x/src/a.txt; done");
    sh_do(
        "test $(stat -c %%a out/app/bin/run) = 755; test $(stat -c %%a out/app/src/a.txt) = 644; "
        "test $(stat -c %%a out/app/src/deep) = 755; test $(stat -c %%a out/app) = 755; test "
        "$(stat -c %%a out/app.zip) = 644; test \"$(readlink out/app/src/deep/link)\" = ../a.txt; "
        "test \"$(readlink out/app/src/dangling)\" = /etc/nowhere");
    rb_artifact_clear(&expected);
    rb_repo_close(repo);
}

/* Attributes change nothing: the bytes on disk are the blobs'. */
static void test_content(void **state)
{
    (void)state;
    make_project("content");
    rb_repo *repo = open_repo("content");
    rb_artifact artifact = written(repo, "HEAD", "dir", "content.out");
    sh_do("cd content; for f in bin/run src/a.txt src/empty src/crlf src/ident src/deep/large "
          ".gitattributes; do git cat-file blob HEAD:$f | cmp - ../content.out/app/$f; done");
    RB_AUTO(rb_free_str) char *count = sh("find content.out/app -type f -o -type l | wc -l");
    RB_AUTO(rb_free_str) char *files = rb_format("%d", (int)artifact.files);
    assert_string_equal(count, files);
    RB_AUTO(rb_free_str)
    char *bytes = sh("git -C content ls-tree -rl HEAD | awk '{n += $4} END "
                     "{print n}'");
    RB_AUTO(rb_free_str) char *found = rb_format("%llu", (unsigned long long)artifact.bytes);
    assert_string_equal(bytes, found);
    rb_artifact_clear(&artifact);
    rb_repo_close(repo);
}

static void test_again(void **state)
{
    (void)state;
    make_project("again");
    rb_repo *repo = open_repo("again");
    static const char *const formats[] = {"tar.gz", "tar.zst", "zip"};
    for (size_t i = 0; i < 3; i++) {
        rb_artifact a = written(repo, "HEAD", formats[i], "again.1");
        setenv("TZ", "Pacific/Kiritimati", 1);
        rb_artifact b = written(repo, "HEAD", formats[i], "again.2");
        unsetenv("TZ");
        sh_do("cmp again.1/app.%s again.2/app.%s", formats[i], formats[i]);
        rb_artifact_clear(&a);
        rb_artifact_clear(&b);
    }
    rb_repo_close(repo);
}

static void test_zip_names(void **state)
{
    (void)state;
    sh_do(
        "git init -q zipped; cd zipped; echo x >$(printf 'caf\\303\\251'); git add -A; git commit "
        "-qm x");
    rb_repo *repo = open_repo("zipped");
    rb_artifact artifact = written(repo, "HEAD", "zip", "zipped.out");
    /* General purpose bit 11 of the local header: the name is UTF-8. */
    RB_AUTO(rb_free_str) char *flags = sh("od -An -tx1 -j7 -N1 zipped.out/app.zip | tr -d ' '");
    assert_true(strtoul(flags, NULL, 16) & 0x08);
    rb_artifact_clear(&artifact);
    rb_repo_close(repo);
}

static void test_paths(void **state)
{
    (void)state;
    rb_err err = {0};
    make_project("paths");
    rb_repo *repo = open_repo("paths");
    rb_oid tree = tree_of(repo, "HEAD");
    rb_strs paths = {0};
    rb_strs_add(&paths, "src/deep");
    rb_strs_add(&paths, "bin");
    rb_artifact_spec spec = {.name = "part", .paths = &paths, .format = "dir"};
    rb_artifact artifact = {0};
    sh_do("mkdir paths.out");
    assert_ok(rb_artifact_write(&artifact, repo, &tree, &spec, "paths.out", 2, &err));
    RB_AUTO(rb_free_str) char *found = sh("cd paths.out/part; find . ! -type d | LC_ALL=C sort");
    assert_string_equal(found, "./bin/run\n./src/deep/large\n./src/deep/link");
    rb_artifact_clear(&artifact);
    rb_strs_add(&paths, "absent");
    assert_fails(rb_artifact_hash(&artifact, repo, &tree, &spec, 2, &err), RB_FOUND, "absent");
    rb_strs_clear(&paths);
    rb_repo_close(repo);
}

static void test_target(void **state)
{
    (void)state;
    rb_err err = {0};
    make_project("target");
    rb_repo *repo = open_repo("target");
    rb_oid tree = tree_of(repo, "HEAD");
    rb_artifact artifact = {0};
    static const char *const formats[] = {"dir", "tar", "zip"};
    sh_do("mkdir target.out; mkdir target.out/app; echo kept >target.out/app.tar; ln -s /nowhere "
          "target.out/app.zip");
    for (size_t i = 0; i < 3; i++) {
        rb_artifact_spec spec = spec_of(formats[i]);
        assert_fails(rb_artifact_write(&artifact, repo, &tree, &spec, "target.out", 2, &err),
                     RB_ERROR, "there already");
    }
    sh_do("test \"$(cat target.out/app.tar)\" = kept; test -d target.out/app; test -L "
          "target.out/app.zip");
    static const char *const names[] = {"..", "a/b", "", ".git", "/x"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        rb_artifact_spec spec = {.name = names[i], .format = "dir"};
        assert_fails(rb_artifact_write(&artifact, repo, &tree, &spec, "target.out", 2, &err),
                     RB_FOUND, "plain file name");
    }
    rb_artifact_spec spec = {.name = "ok", .format = "rar"};
    assert_fails(rb_artifact_write(&artifact, repo, &tree, &spec, "target.out", 2, &err), RB_FOUND,
                 "format");
    assert_fails(rb_artifact_write(&artifact, repo, &tree,
                                   &(rb_artifact_spec){.name = "x", .format = "dir"}, "no/such", 2,
                                   &err),
                 RB_ERROR, "no/such");
    rb_repo_close(repo);
}

/* Trees that no honest git makes. Nothing is written outside, nothing stays behind. */
static void test_hostile(void **state)
{
    (void)state;
    rb_err err = {0};
    sh_do("git init -q hostile; mkdir hostile.out outside; git -C hostile commit -q --allow-empty "
          "-m x");
    RB_AUTO(rb_free_str) char *blob = sh("cd hostile; echo x | git hash-object -w --stdin");
    RB_AUTO(rb_free_str)
    char *link = sh("cd hostile; printf '%%s' \"$OLDPWD/outside\" | git hash-object -w --stdin");
    RB_AUTO(rb_free_str) char *nul = sh("cd hostile; printf 'a\\0b' | git hash-object -w --stdin");
    RB_AUTO(rb_free_str) char *nothing = sh("cd hostile; git hash-object -w --stdin </dev/null");
    RB_AUTO(rb_free_str) char *sub_lines = rb_format("100644 f %s\n", blob);
    RB_AUTO(rb_free_str) char *sub = raw_tree("hostile", sub_lines);
    const struct {
        char *lines;
        enum rb_code code;
    } cases[] = {
        {rb_format("40000 .. %s\n", sub), RB_FOUND},
        {rb_format("100644 .. %s\n", blob), RB_FOUND},
        {rb_format("40000 . %s\n", sub), RB_FOUND},
        {rb_format("40000 .git %s\n", sub), RB_FOUND},
        {rb_format("40000 .GiT %s\n", sub), RB_FOUND},
        {rb_format("40000 git~1 %s\n", sub), RB_FOUND},
        {rb_format("40000 .g\342\200\214it %s\n", sub), RB_FOUND},
        {rb_format("100644 /etc/x %s\n", blob), RB_FOUND},
        {rb_format("100644 a/../../x %s\n", blob), RB_FOUND},
        {rb_format("120000 a %s\n40000 a %s\n", link, sub), RB_FOUND},
        {rb_format("120000 a %s\n100644 a %s\n", link, blob), RB_FOUND},
        {rb_format("120000 a %s\n", nul), RB_FOUND},
        {rb_format("120000 a %s\n", nothing), RB_FOUND},
        {rb_format("100644 f %s\n40000 f %s\n", blob, sub), RB_FOUND},
    };
    rb_repo *repo = open_repo("hostile");
    static const char *const formats[] = {"dir", "tar", "zip"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        RB_AUTO(rb_free_str) char *hex = raw_tree("hostile", cases[i].lines);
        rb_oid tree = oid_of(hex);
        rb_artifact artifact = {0};
        for (size_t j = 0; j < 3; j++) {
            rb_artifact_spec spec = spec_of(formats[j]);
            assert_fails(rb_artifact_write(&artifact, repo, &tree, &spec, "hostile.out", 2, &err),
                         cases[i].code, "");
        }
        free(cases[i].lines);
    }
    RB_AUTO(rb_free_str) char *left = sh("ls -A hostile.out outside");
    assert_string_equal(left, "hostile.out:\n\noutside:");

    /* A symlink out of the artifact is content like any other; nothing goes through it. */
    RB_AUTO(rb_free_str) char *lines = rb_format("120000 a %s\n40000 b %s\n", link, sub);
    RB_AUTO(rb_free_str) char *hex = raw_tree("hostile", lines);
    rb_oid tree = oid_of(hex);
    rb_artifact artifact = {0};
    rb_artifact_spec spec = spec_of("dir");
    assert_ok(rb_artifact_write(&artifact, repo, &tree, &spec, "hostile.out", 2, &err));
    sh_do("test -L hostile.out/app/a; test -f hostile.out/app/b/f; test -z \"$(ls -A outside)\"");
    rb_artifact_clear(&artifact);
    rb_repo_close(repo);
}

/* Missing and corrupt objects are named; what was written goes away. */
static void test_damaged(void **state)
{
    (void)state;
    rb_err err = {0};
    make_project("rotten");
    rb_repo *repo = open_repo("rotten");
    rb_oid tree = tree_of(repo, "HEAD");
    rb_artifact good = hashed(repo, "HEAD", 2);
    sh_do("mkdir rotten.out; cd rotten; o=$(git rev-parse HEAD:src/deep/large); "
          "p=.git/objects/$(echo "
          "$o | sed 's,^..,&/,'); chmod u+w $p; git cat-file blob $o >x; cp $p ../kept; "
          "n=$(tr z y <x | git hash-object -w --stdin); cp .git/objects/$(echo $n | sed "
          "'s,^..,&/,') $p");
    rb_artifact artifact = {0};
    static const char *const formats[] = {"dir", "tar", "tar.zst", "zip"};
    for (size_t i = 0; i < 8; i++) {
        rb_artifact_spec spec = spec_of(formats[i % 4]);
        spec.expected = i < 4 ? NULL : good.tree;
        assert_fails(rb_artifact_write(&artifact, repo, &tree, &spec, "rotten.out", 2, &err),
                     RB_ERROR, "src/deep/large");
        assert_non_null(strstr(rb_err_line(&err), "corrupt"));
    }
    sh_do("cd rotten; rm -f .git/objects/$(git rev-parse HEAD:bin/run | sed 's,^..,&/,')");
    rb_repo_close(repo);
    repo = open_repo("rotten");
    rb_artifact_spec spec = spec_of("dir");
    assert_fails(rb_artifact_write(&artifact, repo, &tree, &spec, "rotten.out", 2, &err), RB_ERROR,
                 "bin/run");
    RB_AUTO(rb_free_str) char *left = sh("ls -A rotten.out");
    assert_string_equal(left, "");
    rb_artifact_clear(&good);
    rb_repo_close(repo);
}

/* Bytes that are no longer what was released can mislead before their hash is known. */
static void test_misleading(void **state)
{
    (void)state;
    rb_err err = {0};
    make_project("misled");
    rb_repo *repo = open_repo("misled");
    rb_oid tree = tree_of(repo, "HEAD");
    rb_artifact good = hashed(repo, "HEAD", 2);
    rb_repo_close(repo);
    /* A symlink whose target got a NUL byte. */
    sh_do("cd misled; o=$(git rev-parse HEAD:src/dangling); p=.git/objects/$(echo $o | sed "
          "'s,^..,&/,'); chmod u+w $p; n=$(printf '/etc\\0nowhere' | git hash-object -w --stdin); "
          "cp .git/objects/$(echo $n | sed 's,^..,&/,') $p; mkdir ../misled.out");
    rb_artifact artifact = {0};
    rb_artifact_spec spec = spec_of("dir");
    spec.expected = good.tree;
    repo = open_repo("misled");
    assert_fails(rb_artifact_write(&artifact, repo, &tree, &spec, "misled.out", 2, &err), RB_ERROR,
                 "(src/dangling): the object is corrupt");
    rb_artifact_clear(&good);
    rb_repo_close(repo);
}

/* libgit2's cache of delta bases grows beyond 1 MiB, under its lock, while others wait for it. */
static void test_many_small(void **state)
{
    (void)state;
    sh_do(
        "git init -q many; cd many; git config fastimport.unpackLimit 0; awk 'BEGIN { n = 56000; "
        "srand(1); for (i = 1; i <= n; i++) { d = sprintf(\"common text that all of these files "
        "share, as translations or fixtures do: %%010d\", i * 7919 %% 10000000000); printf "
        "\"blob\\nmark :%%d\\ndata %%d\\n%%s\\n\", i, length(d), d } printf \"commit "
        "refs/heads/main\\ncommitter a <a@example.org> 1700000000 +0000\\ndata 1\\nx\\n\"; for (i "
        "= 1; i <= n; i++) printf \"M 100644 :%%d d%%03d/f%%04d.txt\\n\", i, i / 500, i %% 500; "
        "print \"\" }' | git fast-import --quiet");
    rb_repo *repo = open_repo("many");
    rb_artifact one = hashed(repo, "refs/heads/main", 1);
    rb_artifact two = hashed(repo, "refs/heads/main", 2);
    assert_int_equal(one.files, 56000);
    assert_same(&one, &two);
    rb_artifact_clear(&one);
    rb_artifact_clear(&two);
    rb_repo_close(repo);
}

/* Blobs that libgit2 takes much memory for are read one at a time, whatever lies between them. */
static void test_large(void **state)
{
    (void)state;
    rb_err err = {0};
    sh_do(
        "git init -q large; cd large; for i in $(seq 12); do seq $i 190000 >b$i; seq $i 99 >s$i; "
        "done; git add -A; git commit -qm one; git repack -adfq; for i in 3 4 9; do seq $i 280000 "
        ">b$i; done; git commit -qam two");
    rb_repo *repo = open_repo("large");
    rb_artifact one = hashed(repo, "HEAD", 1);
    for (int threads = 2; threads <= 8; threads++) {
        rb_artifact many = hashed(repo, "HEAD", threads);
        assert_same(&one, &many);
        rb_artifact_clear(&many);
    }
    rb_artifact_clear(&one);
    rb_oid tree = tree_of(repo, "HEAD");
    sh_do("cd large; rm -f .git/objects/$(git rev-parse HEAD:b4 | sed 's,^..,&/,')");
    rb_repo_close(repo);
    repo = open_repo("large");
    rb_artifact_spec spec = spec_of("dir");
    assert_fails(rb_artifact_hash(&one, repo, &tree, &spec, 8, &err), RB_ERROR, "(b4)");
    rb_repo_close(repo);
}

/* A bit flipped anywhere in a pack is never delivered as content. */
static void test_rotten_pack(void **state)
{
    (void)state;
    rb_err err = {0};
    sh_do(
        "git init -q pack; cd pack; for i in $(seq 30); do seq $i 400 >f$i; done; git add -A; git "
        "commit -qm one; git repack -adfq; chmod u+w .git/objects/pack/*.pack");
    rb_repo *repo = open_repo("pack");
    rb_artifact good = hashed(repo, "HEAD", 2);
    rb_repo_close(repo);
    RB_AUTO(rb_free_str) char *size = sh("wc -c <$(echo pack/.git/objects/pack/*.pack)");
    long len = strtol(size, NULL, 10);
    int refused = 0;
    for (long at = 12; at < len - 20; at += len / 40) {
        sh_do(
            "cd pack/.git/objects/pack; cp *.pack ../../../../good.pack; b=$(od -An -tu1 -j%ld -N1 "
            "*.pack); printf \"$(printf '\\\\%%03o' $((b ^ 4)))\" | dd of=$(echo *.pack) bs=1 "
            "seek=%ld conv=notrunc 2>/dev/null",
            at, at);
        rb_oid commit;
        rb_oid tree;
        rb_artifact artifact = {0};
        rb_artifact_spec spec = spec_of("dir");
        spec.expected = at % 2 ? good.tree : NULL;
        repo = open_repo("pack");
        if (rb_repo_commit(&commit, repo, "HEAD", &err) != RB_OK ||
            rb_commit_tree(&tree, repo, &commit, &err) != RB_OK ||
            rb_artifact_hash(&artifact, repo, &tree, &spec, 2, &err) != RB_OK)
            refused++;
        else
            assert_same(&good, &artifact);
        rb_artifact_clear(&artifact);
        rb_repo_close(repo);
        sh_do("cat good.pack >$(echo pack/.git/objects/pack/*.pack)");
    }
    assert_true(refused > 20);
    rb_artifact_clear(&good);
}

static void test_full_disk(void **state)
{
    (void)state;
    rb_err err = {0};
    if (geteuid() != 0 || sh_into(NULL, "mkdir -p small && mount -t tmpfs -o size=200k none small"))
        skip();
    make_project("fullish");
    rb_repo *repo = open_repo("fullish");
    rb_oid tree = tree_of(repo, "HEAD");
    rb_artifact artifact = {0};
    static const char *const formats[] = {"dir", "tar"};
    for (size_t i = 0; i < 2; i++) {
        rb_artifact_spec spec = spec_of(formats[i]);
        assert_fails(rb_artifact_write(&artifact, repo, &tree, &spec, "small", 2, &err), RB_ERROR,
                     "No space left");
    }
    RB_AUTO(rb_free_str) char *left = sh("ls -A small; umount small");
    assert_string_equal(left, "");
    rb_repo_close(repo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),      cmocka_unit_test(test_content),
        cmocka_unit_test(test_again),      cmocka_unit_test(test_zip_names),
        cmocka_unit_test(test_paths),      cmocka_unit_test(test_target),
        cmocka_unit_test(test_hostile),    cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_large),      cmocka_unit_test(test_misleading),
        cmocka_unit_test(test_many_small), cmocka_unit_test(test_rotten_pack),
        cmocka_unit_test(test_full_disk),
    };
    return cmocka_run_group_tests(tests, lab_open, lab_close);
}
