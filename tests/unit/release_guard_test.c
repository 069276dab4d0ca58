/* What the hooks' checks say by themselves: of a commit's message, and of a transaction's lines. */
#include "release/guard.h"

#include "git_lab.h"
#include "release/manifest.h"

static rb_repo *repo;

static int open_shop(void **state)
{
    rb_err err = {0};
    if (lab_open(state) != 0)
        return -1;
    sh_do("git init -q shop; cd shop; mkdir migrations; echo 1 >migrations/1_a.up.sql;"
          "echo '{\"app\":{\"name\":\"shop\",\"version\":{\"file\":\"VERSION\"}},\"databases\":"
          "{\"main\":{\"engine\":\"sqlite\",\"migrations\":\"migrations\"}}}' >rbtool.json;"
          "echo 1 >VERSION; git add -A; git commit -qm 1; git tag -a -m x note;"
          "printf 'v1\\n\\n" RB_MANIFEST_BEGIN "\\n{}\\n' | git tag -a -F - v1");
    return rb_repo_open(&repo, "shop", &err) == RB_OK ? 0 : -1;
}

static int close_shop(void **state)
{
    rb_repo_close(repo);
    return lab_close(state);
}

static enum rb_code judge_message(const char *message)
{
    RB_AUTO(rb_guard_freep) rb_guard *guard = rb_guard_new(repo, "shop/rbtool.json");
    rb_refusals refusals = {0};
    rb_err err = {0};
    FILE *file = fopen("shop/message", "w");
    assert_non_null(file);
    fputs(message, file);
    assert_int_equal(fclose(file), 0);
    RB_AUTO(rb_free_str) char *path = rb_path_join(lab, "shop/message");
    enum rb_code code = rb_guard_commit(&refusals, guard, path, &err);
    assert_int_equal(refusals.n, code == RB_FOUND);
    rb_refusals_clear(&refusals);
    return code;
}

static void test_trailers(void **state)
{
    (void)state;
    assert_int_equal(judge_message("nothing staged\n"), RB_OK);
    sh_do("cd shop; echo 2 >migrations/2_b.up.sql; git add -A migrations");
    assert_int_equal(judge_message("add b\n"), RB_FOUND);
    assert_int_equal(judge_message("add b\n\nRollback: reversible\n"), RB_OK);
    assert_int_equal(judge_message("add b\n\nROLLBACK:   reversible\n"), RB_OK);
    assert_int_equal(judge_message("add b\n\nRollback: lossy drops notes\n"), RB_OK);
    assert_int_equal(judge_message("add b\n\nRollback: lossy\n"), RB_FOUND);
    assert_int_equal(judge_message("add b\n\nRollback: lossy \t\n"), RB_FOUND);
    assert_int_equal(judge_message("add b\n\nRollback: irreversible\n"), RB_FOUND);
    assert_int_equal(judge_message("add b\n\nRollback: irreversible it sends mail\n"), RB_OK);
    assert_int_equal(judge_message("add b\n\nRollback: maybe\n"), RB_FOUND);
    /* One that says nothing is not made good by another, and only the last paragraph counts. */
    assert_int_equal(judge_message("add b\n\nRollback: reversible\nRollback: maybe\n"), RB_FOUND);
    assert_int_equal(judge_message("add b\n\nRollback: reversible\n\nmore text\n"), RB_FOUND);
    sh_do("cd shop; git reset -q --hard");
}

static bool given_up;
static const char *said_next;

static enum rb_code ask(bool *out, char **next, rb_repo *asked, const rb_signers *signers,
                        const char *tag, const char *object, rb_err *err)
{
    (void)signers;
    (void)err;
    assert_ptr_equal(asked, repo);
    assert_string_equal(tag, "v1");
    assert_int_equal(strlen(object), 40);
    *out = given_up;
    *next = said_next ? rb_strdup(said_next) : NULL;
    return RB_OK;
}

/* The first refusal's texts in *said ("" for none). */
static enum rb_code judge_lines(char **said, rb_guard_given_up *asked, const char *lines,
                                rb_err *err)
{
    RB_AUTO(rb_guard_freep) rb_guard *guard = rb_guard_new(repo, "shop/rbtool.json");
    rb_refusals refusals = {0};
    rb_guard_ask_ledger(guard, asked);
    enum rb_code code = rb_guard_transaction(&refusals, guard, lines, strlen(lines), err);
    *said = refusals.n > 0 ? rb_format("%s %s; %s", refusals.items[0].what, refusals.items[0].why,
                                       refusals.items[0].next)
                           : rb_strdup("");
    rb_refusals_clear(&refusals);
    return code;
}

#define ZERO "0000000000000000000000000000000000000000"

static void expect(rb_guard_given_up *asked, const char *lines, enum rb_code code, const char *text)
{
    RB_AUTO(rb_free_str) char *said = NULL;
    rb_err err = {0};
    assert_int_equal(judge_lines(&said, asked, lines, &err), code);
    if (!strstr(code == RB_ERROR ? err.message : said, text))
        fail_msg("\"%s\" is not in \"%s\" or \"%s\"", text, said, err.message);
}

static void test_transaction(void **state)
{
    (void)state;
    RB_AUTO(rb_free_str) char *head = sh("git -C shop rev-parse HEAD");
    RB_AUTO(rb_free_str) char *v1 = sh("git -C shop rev-parse v1");
    RB_AUTO(rb_free_str) char *note = sh("git -C shop rev-parse note");
    RB_AUTO(rb_free_str) char *deletes = rb_format("%s " ZERO " refs/tags/v1\n", v1);
    RB_AUTO(rb_free_str) char *moves = rb_format("%s %s refs/tags/v1\n", v1, note);
    RB_AUTO(rb_free_str) char *same = rb_format(ZERO " %s refs/tags/v1\n", v1);
    RB_AUTO(rb_free_str) char *creates = rb_format(ZERO " %s refs/tags/v2", v1);
    RB_AUTO(rb_free_str)
    char *plain = rb_format("%s " ZERO " refs/tags/note\n" ZERO " %s refs/heads/x\n", note, head);
    expect(NULL, "", RB_OK, "");
    expect(NULL, "nonsense\n", RB_ERROR, "is not OLD NEW REF");
    expect(NULL, "x y refs/tags/v1\n", RB_ERROR, "has no object ids for refs/tags/v1");
    expect(NULL, ZERO " ref:refs/tags/v1 refs/tags/latest\n", RB_OK, "");
    expect(NULL, plain, RB_OK, "");
    expect(NULL, same, RB_OK, "");
    expect(NULL, moves, RB_FOUND, "tag v1 is a release and would be moved; make the next release");
    expect(NULL, creates, RB_FOUND, "tag v2 carries a manifest and does not verify");
    /* A deletion is for the ledger to allow. */
    expect(NULL, deletes, RB_FOUND, "tag v1 is a release and would be deleted; keep it");
    said_next = "give it up first";
    expect(ask, deletes, RB_FOUND, "would be deleted; give it up first");
    given_up = true;
    said_next = NULL;
    expect(ask, deletes, RB_OK, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trailers),
        cmocka_unit_test(test_transaction),
    };
    return cmocka_run_group_tests(tests, open_shop, close_shop);
}
