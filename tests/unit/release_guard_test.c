/* What the hooks' checks say by themselves: of a commit's message, of a transaction's lines, and of
 * a push on both of its sides. */
#include "hook/check.h"

#include "release/manifest.h"
#include "release_lab.h"

static rb_session session;

static int open_shop(void **state)
{
    rb_err err = {0};
    if (lab_open(state) != 0)
        return -1;
    session = (rb_session){.dir = "shop", .config = "shop/rbtool.json"};
    sh_do("git init -q shop; cd shop; mkdir migrations; echo 1 >migrations/1_a.up.sql;"
          "echo '{\"app\":{\"name\":\"shop\",\"version\":{\"file\":\"VERSION\"}},\"databases\":"
          "{\"main\":{\"engine\":\"sqlite\",\"migrations\":\"migrations\"}}}' >rbtool.json;"
          "echo 1 >VERSION; git add -A; git commit -qm 1; git tag -a -m x note;"
          "printf 'v1\\n\\n" RB_MANIFEST_BEGIN "\\n{}\\n' | git tag -a -F - v1");
    return rb_session_repo(&session, &err) == RB_OK ? 0 : -1;
}

static int close_shop(void **state)
{
    rb_session_close(&session);
    return lab_close(state);
}

static enum rb_code judge_message(const char *message)
{
    RB_AUTO(rb_guard_freep) rb_guard *guard = rb_guard_new(&session);
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

/* The first refusal's texts in *said ("" for none). */
static enum rb_code judge_lines(char **said, const char *lines, rb_err *err)
{
    RB_AUTO(rb_guard_freep) rb_guard *guard = rb_guard_new(&session);
    rb_refusals refusals = {0};
    enum rb_code code = rb_guard_transaction(&refusals, guard, lines, strlen(lines), err);
    *said = refusals.n > 0 ? rb_format("%s %s; %s", refusals.items[0].what,
                                       refusals.items[0].message, refusals.items[0].hint)
                           : rb_strdup("");
    rb_refusals_clear(&refusals);
    return code;
}

#define ZERO "0000000000000000000000000000000000000000"

static void expect(const char *lines, enum rb_code code, const char *text)
{
    RB_AUTO(rb_free_str) char *said = NULL;
    rb_err err = {0};
    assert_int_equal(judge_lines(&said, lines, &err), code);
    if (!strstr(code == RB_ERROR ? rb_err_line(&err) : said, text))
        fail_msg("\"%s\" is not in \"%s\" or \"%s\"", text, said, rb_err_line(&err));
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
    expect("", RB_OK, "");
    expect("nonsense\n", RB_ERROR, "is not OLD NEW REF");
    expect("x y refs/tags/v1\n", RB_ERROR, "has no object ids for refs/tags/v1");
    expect(ZERO " ref:refs/tags/v1 refs/tags/latest\n", RB_OK, "");
    expect(plain, RB_OK, "");
    expect(same, RB_OK, "");
    expect(moves, RB_FOUND, "tag v1 is a release and would be moved; make the next release");
    expect(creates, RB_FOUND, "tag v2 carries a manifest and does not verify");
    expect(deletes, RB_FOUND, "tag v1 is a release and would be deleted; give it up first");
}

/* Of what is pushed: releases v1.0.0 (migrations 1 and 2), v1.1.0 (and 3, without a down) and
 * v1.2.0 (and 4), each signed. */
static shop pushing;

static void release_with(const char *version, const char *script)
{
    rb_err err = {0};
    RB_AUTO(rb_strs_clear) rb_strs accept = {0};
    RB_AUTO(rb_free_str) char *tag = rb_format("v%s", version);
    sh_do("cd %s; %s", pushing.dir, script);
    shop_commit(&pushing, version);
    rb_strs_add(&accept, "RB001");
    const rb_make make = {.tag = tag, .accept = &accept};
    assert_ok(shop_try(&pushing, &make, NULL, &err));
}

static int open_pushing(void **state)
{
    if (release_lab_open(state) != 0)
        return -1;
    shop_begin(&pushing, "push",
               "{\"main\":{\"engine\":\"sqlite\",\"migrations\":\"migrations\"}}");
    sh_do("cd push; git tag -a -m x v0.9.0"); /* older than the first release */
    release_with("1.0.0", "mkdir migrations; cd migrations; for t in 1_a 2_b; do "
                          "echo \"CREATE TABLE t$t (id INTEGER PRIMARY KEY);\" >$t.up.sql;"
                          "echo \"DROP TABLE t$t;\" >$t.down.sql; done");
    release_with("1.1.0", "echo 'CREATE TABLE c (id INTEGER PRIMARY KEY);' >migrations/3_c.up.sql");
    release_with("1.2.0", "echo 'CREATE TABLE d (id INTEGER PRIMARY KEY);' >migrations/4_d.up.sql;"
                          "echo 'DROP TABLE d;' >migrations/4_d.down.sql");
    return 0;
}

static int close_pushing(void **state)
{
    shop_end(&pushing);
    return lab_close(state);
}

/* Whether the ledger says that v1.2.0 is bad. */
static void set_newest_bad(bool bad)
{
    rb_err err = {0};
    rb_oid id;
    RB_AUTO(rb_free_str) char *object = sh("git -C push rev-parse v1.2.0");
    RB_AUTO(rb_json_freep)
    json_t *detail =
        json_pack("{s:s,s:s,s:n}", "verdict", bad ? "bad" : "good", "why", "slow", "transition");
    const rb_draft draft = {.kind = RB_ENTRY_VERDICT,
                            .begins = true,
                            .app = "shop",
                            .tag = "v1.2.0",
                            .object = object,
                            .title = bad ? "bad" : "good",
                            .detail = detail};
    assert_ok(rb_ledger_append(&id, pushing.repo, &draft, &err));
}

enum side { SENT, RECEIVED };

/* A push of that ref from old to new; the first refusal's texts in *said ("" for none). */
static enum rb_code judge_push(char **said, enum side side, const char *ref, const char *new,
                               const char *old, rb_err *err)
{
    RB_AUTO(rb_session_close) rb_session own = {.dir = "push"};
    assert_int_equal(rb_session_repo(&own, err), RB_OK);
    RB_AUTO(rb_guard_freep) rb_guard *guard = rb_guard_new(&own);
    RB_AUTO(rb_free_str)
    char *line = side == SENT ? rb_format("%s %s %s %s\n", ref, new, ref, old)
                              : rb_format("%s %s %s\n", old, new, ref);
    rb_pushes pushes = {0};
    rb_refusals refusals = {0};
    enum rb_code code =
        rb_pushes_read(&pushes, pushing.repo, side == SENT, line, strlen(line), err);
    assert_int_equal(code, RB_OK);
    code = side == SENT ? rb_guard_push(&refusals, guard, "origin", &pushes, err)
                        : rb_guard_receive(&refusals, guard, &pushes, err);
    *said = refusals.n > 0 ? rb_format("%s %s; %s", refusals.items[0].what,
                                       refusals.items[0].message, refusals.items[0].hint)
                           : rb_strdup("");
    rb_refusals_clear(&refusals);
    rb_pushes_clear(&pushes);
    return code;
}

/* text "" means that the push passes, else what is in its refusal. */
static void expect_on(enum side side, const char *what, const char *ref, const char *new,
                      const char *old, const char *text)
{
    rb_err err = {0};
    RB_AUTO(rb_free_str) char *said = NULL;
    enum rb_code code = judge_push(&said, side, ref, new, old, &err);
    if (code != (*text ? RB_FOUND : RB_OK) || !strstr(said, text) || (!*text && *said))
        fail_msg("%s, %s: expected \"%s\", got %d \"%s\" \"%s\"", what,
                 side == SENT ? "sent" : "received", text, code, said, rb_err_line(&err));
}

static void expect_push(const char *what, const char *ref, const char *new, const char *old,
                        const char *text)
{
    expect_on(SENT, what, ref, new, old, text);
    expect_on(RECEIVED, what, ref, new, old, text);
}

typedef struct change {
    const char *what;
    const char *from;   /* the release that it is made on, and that the remote has */
    const char *script; /* run at the top of the work tree */
    bool bad;           /* v1.2.0 is marked bad */
    const char *text;   /* of the refusal; "": none */
} change;

#define SETTINGS(text) "sed -i '" text "' rbtool.json;"
#define EDIT(file) "echo 'SELECT 1;' >>" file ";"
/* One folder for each migration, with up.sql and down.sql. */
#define TO_DIESEL                                                                                  \
    "cd migrations; for f in *.up.sql; do n=${f%.up.sql}; mkdir $n; git mv $f $n/up.sql;"          \
    "if [ -f $n.down.sql ]; then git mv $n.down.sql $n/down.sql; fi; done; cd ..;" SETTINGS(       \
        "s/\"migrations\":/\"layout\":\"diesel\",&/")

static const change changes[] = {
    {"code only", "v1.1.0", EDIT("src/shop"), false, ""},
    {"a new migration", "v1.1.0", "echo 'SELECT 1;' >migrations/9_z.up.sql;", false, ""},
    {"a down where there was none", "v1.1.0", "echo 'DROP TABLE c;' >migrations/3_c.down.sql;",
     false, ""},
    {"an edited up", "v1.1.0", EDIT("migrations/2_b.up.sql"), false,
     "changes migration 2, which was released with v1.0.0"},
    {"an edited down", "v1.1.0", EDIT("migrations/2_b.down.sql"), false,
     "changes migration 2, which was released with v1.0.0"},
    {"a down that is gone", "v1.1.0", "rm migrations/2_b.down.sql;", false,
     "changes migration 2, which was released with v1.0.0"},
    {"an edit that is taken back", "v1.1.0",
     EDIT("migrations/2_b.up.sql") "git commit -qam edit; git checkout -q v1.1.0 -- migrations;",
     false, ""},
    /* Deletions. */
    {"a migration that is gone", "v1.1.0", "rm migrations/2_b.*;", false,
     "deletes or changes migration 2, which was released with v1.1.0"},
    {"a folder that is gone", "v1.1.0", "rm -r migrations;", false,
     "deletes or changes migration 1 and 2 more, which was released with v1.1.0"},
    {"a database that is gone with its folder", "v1.1.0",
     "rm -r migrations;" SETTINGS("s/\"databases\".*/\"databases\":{}}/"), false,
     "deletes or changes migration 1 and 2 more"},
    {"a database that is gone without its folder", "v1.1.0",
     SETTINGS("s/\"databases\".*/\"databases\":{}}/"), false, ""},
    {"a folder that is gone while the settings name another one", "v1.1.0",
     "rm -r migrations;" SETTINGS("s/:\"migrations\"/:\"other\"/"), false,
     "deletes or changes migration 1 and 2 more"},
    /* Moves. */
    {"another id with the same bytes", "v1.1.0",
     "git mv migrations/3_c.up.sql migrations/5_c.up.sql;", false, ""},
    {"a moved folder", "v1.1.0", "git mv migrations db;" SETTINGS("s/:\"migrations\"/:\"db\"/"),
     false, ""},
    {"a moved folder with a down where there was none", "v1.1.0",
     "git mv migrations db; echo 'DROP TABLE c;' >db/3_c.down.sql;" SETTINGS(
         "s/:\"migrations\"/:\"db\"/"),
     false, ""},
    {"a moved folder that nothing names", "v1.1.0", "git mv migrations db;", false,
     "deletes or changes migration 1 and 2 more"},
    {"a moved folder with an edit", "v1.1.0",
     "git mv migrations db;" EDIT("db/2_b.up.sql") SETTINGS("s/:\"migrations\"/:\"db\"/"), false,
     "moves and changes migration 2, which was released with v1.1.0"},
    {"a moved folder without one migration", "v1.1.0",
     "git mv migrations db; git rm -q -f 'db/2_b.*';" SETTINGS("s/:\"migrations\"/:\"db\"/"), false,
     "deletes or changes migration 2, which was released with v1.1.0"},
    /* Another layout. */
    {"another layout", "v1.1.0", TO_DIESEL, false, ""},
    {"another layout with an edit", "v1.1.0", TO_DIESEL EDIT("migrations/2_b/up.sql"), false,
     "moves and changes migration 2, which was released with v1.1.0"},
    /* Another name of the database. */
    {"a renamed database", "v1.1.0", SETTINGS("s/\"main\":/\"store\":/"), false, ""},
    {"a renamed database in a moved folder", "v1.1.0",
     "git mv migrations db;" SETTINGS("s/\"main\":/\"store\":/;s/:\"migrations\"/:\"db\"/"), false,
     ""},
    {"a renamed database with an edit", "v1.1.0",
     SETTINGS("s/\"main\":/\"store\":/") EDIT("migrations/1_a.up.sql"), false,
     "changes migration 1, which was released with v1.0.0"},
    /* What a bad release brought may go, what a good one has may not. */
    {"an edit of what one release has", "v1.2.0", EDIT("migrations/4_d.up.sql"), false,
     "changes migration 4, which was released with v1.2.0"},
    {"an edit of what a bad release has", "v1.2.0", EDIT("migrations/4_d.up.sql"), true, ""},
    {"a deletion of what one release has", "v1.2.0", "rm migrations/4_d.*;", false,
     "deletes or changes migration 4, which was released with v1.2.0"},
    {"a deletion of what a bad release has", "v1.2.0", "rm migrations/4_d.*;", true, ""},
    {"an edit of what a good release has too", "v1.2.0", EDIT("migrations/1_a.up.sql"), true,
     "changes migration 1, which was released with v1.0.0"},
    {"a deletion of what a good release has too", "v1.2.0", "rm migrations/1_a.*;", true,
     "deletes or changes migration 1, which was released with v1.1.0"},
};

static void test_push_of_migrations(void **state)
{
    (void)state;
    bool bad = false;
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        const change *c = &changes[i];
        RB_AUTO(rb_free_str) char *old = sh("git -C push rev-parse %s^{commit}", c->from);
        sh_do("cd push; git checkout -q -f --detach %s; git clean -qfd", old);
        RB_AUTO(rb_free_str) char *script = rb_format("cd push; %s", c->script);
        sh_do("%s", script);
        RB_AUTO(rb_free_str)
        char *new = sh("cd push; git add -A; git commit -q --allow-empty -m change;"
                       "git rev-parse HEAD");
        if (c->bad != bad)
            set_newest_bad(c->bad);
        bad = c->bad;
        expect_push(c->what, "refs/heads/main", new, old, c->text);
    }
    if (bad)
        set_newest_bad(false);
    sh_do("cd push; git checkout -q -f main; git clean -qfd");
}

/* What the remote has is not refused a second time, whatever is pushed on top of it. */
static void test_push_on_top(void **state)
{
    (void)state;
    static const char *const faults[] = {EDIT("migrations/2_b.up.sql"),
                                         "git rm -q migrations/2_b.*;"};
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        rb_err err = {0};
        RB_AUTO(rb_free_str) char *said = NULL;
        RB_AUTO(rb_free_str)
        char *old = sh("cd push; git checkout -q -f --detach v1.1.0; %s git commit -qam fault;"
                       "git rev-parse HEAD",
                       faults[i]);
        RB_AUTO(rb_free_str)
        char *new = sh("cd push; echo 'SELECT 1;' >migrations/9_z.up.sql; git add -A;"
                       "git commit -qm more; git rev-parse HEAD");
        assert_int_equal(judge_push(&said, SENT, "refs/heads/main", new, old, &err), RB_OK);
        assert_string_equal(said, "");
    }
    sh_do("cd push; git checkout -q -f main");
}

static void test_push_of_tags(void **state)
{
    (void)state;
    RB_AUTO(rb_free_str) char *v1 = sh("git -C push rev-parse v1.0.0");
    RB_AUTO(rb_free_str) char *v2 = sh("git -C push rev-parse v1.2.0");
    RB_AUTO(rb_free_str) char *old = sh("git -C push rev-parse v0.9.0");
    RB_AUTO(rb_free_str) char *plain = sh("cd push; git tag -a -m x note; git rev-parse note");
    RB_AUTO(rb_free_str)
    char *unsigned_ = sh("cd push; git cat-file tag v1.2.0 | sed '/^-----BEGIN SSH/,$d' | "
                         "git mktag --no-strict");
    expect_push("a release", "refs/tags/v1.2.0", v2, ZERO, "");
    expect_push("another tag", "refs/tags/note", plain, ZERO, "");
    expect_push("a deletion of another tag", "refs/tags/note", ZERO, plain, "");
    expect_push("a release that is deleted", "refs/tags/v1.0.0", ZERO, v1,
                "tag v1.0.0 is a release and would be deleted");
    expect_push("a release that is moved", "refs/tags/v1.0.0", v2, v1,
                "tag v1.0.0 is a release and would be moved: the ");
    expect_push("a release under another name", "refs/tags/v9.0.0", v2, ZERO,
                "tag v9.0.0 does not verify: ");
    expect_push("a release without a signature", "refs/tags/v1.2.0", unsigned_, ZERO,
                "tag v1.2.0 does not verify: ");
    expect_push("a release's name without a manifest", "refs/tags/v9.0.0", plain, ZERO,
                "tag v9.0.0 does not verify: it has the name of a release");
    expect_on(SENT, "a tag older than the first release", "refs/tags/v0.9.0", old, ZERO, "");
    expect_on(RECEIVED, "a tag older than the first release", "refs/tags/v0.9.0", old, ZERO,
              "tag v0.9.0 does not verify: it has the name of a release");
    expect_push("a deletion of such a tag", "refs/tags/v0.9.0", ZERO, old, "");
    sh_do("git -C push tag -d note");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trailers),
        cmocka_unit_test(test_transaction),
    };
    const struct CMUnitTest pushes[] = {
        cmocka_unit_test(test_push_of_migrations),
        cmocka_unit_test(test_push_on_top),
        cmocka_unit_test(test_push_of_tags),
    };
    int failed = cmocka_run_group_tests(tests, open_shop, close_shop);
    return failed + cmocka_run_group_tests(pushes, open_pushing, close_pushing);
}
