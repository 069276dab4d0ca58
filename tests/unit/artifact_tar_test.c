/* The canonical tar: bytes fixed in tests/data/artifact, and read by the tars people use. */
#include "artifact/tar.h"

#include "artifact_lab.h"

static char *data_dir; /* tests/data/artifact, found before the lab becomes the folder */

struct item {
    const char *path;
    enum rb_mode mode;
    const char *content; /* or the target */
};

static char *repeated(const char *text, size_t n)
{
    rb_buf out = {0};
    while (n-- > 0)
        rb_buf_puts(&out, text);
    return rb_buf_detach(&out);
}

static void add(rb_buf *tar, const char *path, enum rb_mode mode, const char *content)
{
    static const char zeros[RB_TAR_BLOCK];
    bool link = mode == RB_MODE_LINK;
    rb_tar_entry entry = {.path = path,
                          .mode = mode,
                          .size = link ? 0 : strlen(content),
                          .target = link ? content : NULL};
    rb_tar_head(tar, &entry);
    rb_buf_add(tar, content, entry.size);
    rb_buf_add(tar, zeros, rb_tar_padding(entry.size));
}

static void finish(rb_buf *tar)
{
    static const char zeros[2 * RB_TAR_BLOCK];
    rb_buf_add(tar, zeros, sizeof zeros);
    assert_int_equal(tar->len % RB_TAR_BLOCK, 0);
}

/* Byte for byte what the file says; with RBTOOL_WRITE_GOLDEN the file is written instead. */
static void golden(const char *name, const rb_buf *tar)
{
    rb_err err = {0};
    rb_buf expected = {0};
    RB_AUTO(rb_free_str) char *path = rb_format("%s/%s.tar", data_dir, name);
    if (getenv("RBTOOL_WRITE_GOLDEN"))
        assert_ok(rb_file_write(path, tar->data, tar->len, 0644, &err));
    assert_ok(rb_file_read(&expected, path, 1 << 20, &err));
    assert_int_equal(tar->len, expected.len);
    assert_memory_equal(tar->data, expected.data, tar->len);
    rb_buf_clear(&expected);
    sh_do("cp %s/%s.tar .", data_dir, name);
}

/* Both programs take it without a word, and make the same files of it. */
static void opened(const char *name)
{
    char *said =
        sh("rm -rf gnu bsd; mkdir gnu bsd; tar -xf %s.tar -C gnu 2>&1; bsdtar -xf %s.tar -C "
           "bsd 2>&1; diff -r --no-dereference gnu bsd 2>&1; tar -tvf %s.tar >/dev/null 2>&1",
           name, name, name);
    assert_string_equal(said, "");
    free(said);
}

static void test_plain(void **state)
{
    (void)state;
    rb_buf tar = {0};
    add(&tar, "bin/run", RB_MODE_EXEC, "#!/bin/sh\n");
    add(&tar, "empty", RB_MODE_FILE, "");
    add(&tar, "link", RB_MODE_LINK, "bin/run");
    RB_AUTO(rb_free_str) char *block = repeated("12345678", 64);
    add(&tar, "one-block", RB_MODE_FILE, block);
    add(&tar, "text", RB_MODE_FILE, "hello\n");
    finish(&tar);
    golden("plain", &tar);
    opened("plain");
    sh_do("test -x gnu/bin/run; test ! -x gnu/text; test \"$(readlink gnu/link)\" = bin/run; test "
          "\"$(cat bsd/text)\" = hello; test ! -s gnu/empty; test $(stat -c %%Y gnu/text) = 0; "
          "test $(wc -c <bsd/one-block) = 512");
    RB_AUTO(rb_free_str)
    char *listed = sh("tar --numeric-owner --full-time --utc -tvf plain.tar | tr -s ' '");
    assert_string_equal(listed, "-rwxr-xr-x 0/0 10 1970-01-01 00:00:00 bin/run\n"
                                "-rw-r--r-- 0/0 0 1970-01-01 00:00:00 empty\n"
                                "lrw-r--r-- 0/0 0 1970-01-01 00:00:00 link -> bin/run\n"
                                "-rw-r--r-- 0/0 512 1970-01-01 00:00:00 one-block\n"
                                "-rw-r--r-- 0/0 6 1970-01-01 00:00:00 text");
    rb_buf_clear(&tar);
}

static void test_long(void **state)
{
    (void)state;
    rb_buf tar = {0};
    RB_AUTO(rb_free_str) char *n100 = repeated("n", 100);
    RB_AUTO(rb_free_str) char *n101 = repeated("n", 101);
    RB_AUTO(rb_free_str) char *d50 = repeated("d", 50);
    RB_AUTO(rb_free_str) char *split = rb_format("%s/%s/%s", d50, d50, n100);
    RB_AUTO(rb_free_str) char *full = rb_format("%s/%s/%s/dd/%s", d50, d50, d50, n100); /* 255 */
    RB_AUTO(rb_free_str) char *over = rb_format("%s/%s/%s/ddd/%s", d50, d50, d50, n100);
    RB_AUTO(rb_free_str) char *unsplit = rb_format("%s/%s", d50, n101);
    RB_AUTO(rb_free_str)
    char *deep = rb_format("deep/%s/%s/%s/%s/%s/%s", d50, d50, d50, d50, d50, n100);
    add(&tar, n100, RB_MODE_FILE, "100\n");
    add(&tar, n101, RB_MODE_FILE, "101\n");
    add(&tar, split, RB_MODE_EXEC, "split\n");
    add(&tar, full, RB_MODE_FILE, "full\n");
    add(&tar, over, RB_MODE_FILE, "over\n");
    add(&tar, unsplit, RB_MODE_FILE, "unsplit\n");
    add(&tar, deep, RB_MODE_FILE, "deep\n");
    finish(&tar);
    golden("long", &tar);
    opened("long");
    const char *const paths[] = {n100, n101, split, full, over, unsplit, deep};
    static const char *const texts[] = {"100", "101", "split", "full", "over", "unsplit", "deep"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        sh_do("test \"$(cat gnu/%s)\" = %s", paths[i], texts[i]);
    RB_AUTO(rb_free_str) char *count = sh("tar -tf long.tar | wc -l");
    assert_string_equal(count, "7");
    rb_buf_clear(&tar);
}

static void test_links(void **state)
{
    (void)state;
    rb_buf tar = {0};
    RB_AUTO(rb_free_str) char *t100 = repeated("t", 100);
    RB_AUTO(rb_free_str) char *t101 = repeated("t", 101);
    RB_AUTO(rb_free_str) char *t600 = repeated("../to", 120);
    RB_AUTO(rb_free_str) char *name = repeated("n", 120);
    add(&tar, "l100", RB_MODE_LINK, t100);
    add(&tar, "l101", RB_MODE_LINK, t101);
    add(&tar, "l600", RB_MODE_LINK, t600);
    add(&tar, name, RB_MODE_LINK, t600);
    finish(&tar);
    golden("links", &tar);
    opened("links");
    sh_do("test \"$(readlink gnu/l100)\" = %s; test \"$(readlink gnu/l101)\" = %s; test "
          "\"$(readlink gnu/l600)\" = %s; test \"$(readlink gnu/%s)\" = %s",
          t100, t101, t600, name, t600);
    rb_buf_clear(&tar);
}

static void test_bytes(void **state)
{
    (void)state;
    rb_buf tar = {0};
    RB_AUTO(rb_free_str) char *latin = repeated("\351", 120);
    add(&tar, "caf\303\251/\351t\351", RB_MODE_FILE, "latin 1 in a name\n");
    add(&tar, "new\nline", RB_MODE_FILE, "x");
    add(&tar, latin, RB_MODE_FILE, "in a pax record\n");
    finish(&tar);
    golden("bytes", &tar);
    sh_do(
        "rm -rf gnu; mkdir gnu; tar -xf bytes.tar -C gnu; test \"$(cat gnu/caf*/*)\" = 'latin 1 in "
        "a name'; test \"$(cat gnu/$(printf '%s'))\" = 'in a pax record'",
        latin);
    /* bsdtar says that the pax record is no UTF-8, and takes the bytes as they are. */
    int status = sh_into(NULL, "rm -rf bsd; mkdir bsd; bsdtar -xf bytes.tar -C bsd");
    assert_true(status == 0 || status == 1);
    sh_do("diff -r gnu bsd");
    rb_buf_clear(&tar);
}

/* Past 8 GiB the size goes into a pax record; only the header is looked at. */
static void test_size(void **state)
{
    (void)state;
    rb_buf head = {0};
    rb_tar_entry entry = {.path = "huge", .mode = RB_MODE_FILE, .size = (uint64_t)1 << 33};
    rb_tar_head(&head, &entry);
    assert_int_equal(head.len, 3 * RB_TAR_BLOCK);
    assert_string_equal(head.data + RB_TAR_BLOCK, "19 size=8589934592\n");
    golden("size", &head);
    rb_buf_truncate(&head, 0);
    entry.size--;
    rb_tar_head(&head, &entry);
    assert_int_equal(head.len, RB_TAR_BLOCK);
    assert_memory_equal(head.data + 124, "77777777777", 12);
    rb_buf_clear(&head);
}

/* The length of a record counts its own digits. */
static void test_record_length(void **state)
{
    (void)state;
    for (size_t len = 101; len < 1100; len++) {
        RB_AUTO(rb_free_str) char *name = repeated("n", len);
        rb_buf head = {0};
        rb_tar_head(&head, &(rb_tar_entry){.path = name, .mode = RB_MODE_FILE});
        const char *record = head.data + RB_TAR_BLOCK;
        size_t said = strtoul(record, NULL, 10);
        assert_int_equal(record[said - 1], '\n');
        assert_int_equal(said, strcspn(record, "\n") + 1);
        assert_int_equal(said, len + strlen(" path=\n") + (said < 1000 ? 3 : 4));
        rb_buf_clear(&head);
    }
}

static int open_all(void **state)
{
    RB_AUTO(rb_free_str) char *file = rb_strdup(__FILE__);
    RB_AUTO(rb_free_str) char *unit = rb_path_dir(file);
    RB_AUTO(rb_free_str) char *relative = rb_path_join(unit, "../data/artifact");
    char *full = realpath(relative, NULL);
    data_dir = rb_strdup(full);
    free(full);
    return data_dir ? lab_open(state) : -1;
}

static int close_all(void **state)
{
    free(data_dir);
    return lab_close(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain), cmocka_unit_test(test_long),
        cmocka_unit_test(test_links), cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_size),  cmocka_unit_test(test_record_length),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
