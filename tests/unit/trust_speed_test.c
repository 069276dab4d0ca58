#include <time.h>

#include "trust_lab.h"

#define TAGS 1000
#define GIT_SAMPLE 20
#define FLOOR 20 /* times git verify-tag's speed; 50 and more on a quiet machine */

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define SANITIZED
#endif

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void make_tags(void)
{
    rb_err err;
    RB_AUTO(rb_repo_closep) rb_repo *repo = open_repo();
    sh_ok("git -C repo rev-parse HEAD >head");
    RB_AUTO(rb_buf_clear) rb_buf head = get("head");
    RB_AUTO(rb_buf_clear) rb_buf stream = {0};
    for (int i = 0; i < TAGS; i++) {
        RB_AUTO(rb_buf_clear) rb_buf raw = {0};
        rb_buf_printf(&raw,
                      "object %.40s\ntype commit\ntag t%d\n"
                      "tagger Alice <alice@example.com> %d +0000\n\nm\n",
                      head.data, i, LAB_TIME);
        size_t len = raw.len;
        assert_int_equal(rb_trust_sign(&raw, repo, "ed", "git", raw.data, len, &err), RB_OK);
        RB_AUTO(rb_free_str) char *path = rb_format("t%d", i);
        put(path, raw.data, raw.len);
        rb_buf_printf(&stream, "%s/t%d\n", lab, i);
    }
    put("paths", stream.data, stream.len);
    sh_ok("git -C repo hash-object -t tag -w --stdin-paths <paths | "
          "awk '{print \"create refs/tags/t\" NR-1, $1}' | git -C repo update-ref --stdin");
}

static void thousand_tags(void **state)
{
    (void)state;
    rb_err err;
    make_key("ed", "ed25519", 0);
    for (int i = 0; i < 30; i++) {
        RB_AUTO(rb_free_str) char *name = rb_format("other%d", i);
        make_key(name, "ed25519", 0);
        allow("x@example.com", "", name);
    }
    allow("alice@example.com", "", "ed");
    make_tags();
    double start = seconds();
    RB_AUTO(rb_repo_closep) rb_repo *repo = open_repo();
    RB_AUTO(rb_signers_freep) rb_signers *signers = NULL;
    RB_AUTO(rb_strs_clear) rb_strs names = {0};
    assert_int_equal(rb_signers_load(&signers, repo, &err), RB_OK);
    assert_int_equal(rb_tag_names(&names, repo, "t*", &err), RB_OK);
    assert_int_equal(names.n, TAGS);
    for (size_t i = 0; i < names.n; i++) {
        RB_AUTO(rb_problems_clear) rb_problems problems = {0};
        RB_AUTO(rb_tag_freep) rb_tag *tag = NULL;
        RB_AUTO(rb_verified_freep) rb_verified *verified = NULL;
        assert_int_equal(rb_tag_read(&tag, repo, names.items[i], &err), RB_OK);
        assert_int_equal(rb_trust_verify(&verified, signers, repo, tag, &problems, &err), RB_OK);
    }
    double ours = (seconds() - start) / TAGS;
    start = seconds();
    for (int i = 0; i < GIT_SAMPLE; i++)
        assert_true(git_accepts("t7"));
    double theirs = (seconds() - start) / GIT_SAMPLE;
    print_message("# verify: %.0f us a tag, git verify-tag %.0f us, %.0f times\n", ours * 1e6,
                  theirs * 1e6, theirs / ours);
#ifndef SANITIZED
    assert_true(theirs / ours >= FLOOR);
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thousand_tags),
    };
    return cmocka_run_group_tests(tests, lab_open, lab_close);
}
