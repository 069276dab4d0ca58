/* Entries that are written: git verifies them, they load as what was written, none is lost. */
#include "ledger/verify_cache.h"
#include "ledger_lab.h"

static void test_one(void **state)
{
    (void)state;
    rb_err err = {0};
    make_repo("one");
    RB_AUTO(rb_repo_closep) rb_repo *repo = open_repo("one");
    RB_AUTO(rb_ledger_freep) rb_ledger *none = load(repo, 0);
    assert_int_equal(none->n, 0);

    static const rb_attachment files[] = {{"tag", "the tag\n", 8}, {"proof.json", "{}\n", 3}};
    RB_AUTO(rb_json_freep)
    json_t *detail =
        json_pack("{s:s, s:s, s:b}", "commit", "0123456789012345678901234567890123456789", "sha256",
                  "0123456789012345678901234567890123456789012345678901234567890123", "witness", 0);
    const rb_draft draft = {.kind = RB_ENTRY_RELEASE,
                            .begins = true,
                            .tag = "v1",
                            .object = "0123456789012345678901234567890123456789",
                            .title = "first \033[31mseen\nhere",
                            .detail = detail,
                            .attachments = files,
                            .attachment_count = 2};
    rb_oid id;
    assert_ok(rb_ledger_append(&id, repo, &draft, &err));
    RB_AUTO(rb_free_str) char *title = sh("git -C one log -1 --format=%%s refs/rbtool/ledger");
    assert_string_equal(title, "release v1 first \\x1b[31mseen\\x0ahere");
    RB_AUTO(rb_free_str) char *tree = sh("git -C one ls-tree --name-only refs/rbtool/ledger");
    assert_string_equal(tree, "proof.json\ntag");
    sh_do("git -C one verify-commit refs/rbtool/ledger; git -C one fsck --strict");

    for (unsigned how = 0; how <= RB_LEDGER_FRESH; how++) {
        RB_AUTO(rb_ledger_freep) rb_ledger *ledger = load(repo, how);
        assert_int_equal(ledger->n, 1);
        const rb_entry *entry = &ledger->items[0];
        assert_int_equal(entry->trust, RB_ENTRY_GOOD);
        assert_int_equal(entry->kind, RB_ENTRY_RELEASE);
        assert_string_equal(entry->principal, "alice@example.com");
        assert_memory_equal(entry->fingerprint, "SHA256:", 7);
        assert_string_equal(entry->tag, "v1");
        assert_null(entry->environment);
        assert_int_equal(entry->at, T0);
        assert_string_equal(ledger->app, "shop");
        assert_true(json_is_false(json_object_get(rb_entry_detail(entry), "witness")));
        assert_ptr_equal(rb_ledger_find(ledger, &id), entry);
        RB_AUTO(rb_buf_clear) rb_buf data = {0};
        assert_ok(rb_ledger_attachment(&data, repo, entry, "tag", &err));
        assert_string_equal(rb_buf_str(&data), "the tag\n");
        assert_fails(rb_ledger_attachment(&data, repo, entry, "runbook", &err), RB_FOUND,
                     "has no attachment runbook");
    }
}

/* Twice loaded: what is kept is the same as what is verified again. */
static void test_signers(void **state)
{
    (void)state;
    make_repo("who");
    RB_AUTO(rb_repo_closep) rb_repo *repo = open_repo("who");
    mark_at(repo, "alice", "good", 1);
    mark_at(repo, "eve", "bad", 2);
    sh_do("git config --global --unset user.signingKey");
    rb_repo *bare = open_repo("who");
    mark_at(bare, NULL, "bad", 3);
    rb_repo_close(bare);
    sh_do("git config --global user.signingKey \"$PWD/alice\"");
    mark_at(repo, "bob", "good", 4);
    static const enum rb_entry_trust expected[] = {RB_ENTRY_GOOD, RB_ENTRY_UNKNOWN,
                                                   RB_ENTRY_UNSIGNED, RB_ENTRY_GOOD};
    for (int round = 0; round < 3; round++) {
        RB_AUTO(rb_ledger_freep) rb_ledger *ledger = load(repo, 0);
        assert_int_equal(ledger->n, 4);
        for (size_t i = 0; i < 4; i++) {
            assert_int_equal(ledger->items[i].trust, expected[i]);
            assert_int_equal(ledger->items[i].problems.n, expected[i] != RB_ENTRY_GOOD);
        }
        assert_null(ledger->items[1].principal);
        assert_non_null(ledger->items[1].fingerprint);
        assert_string_equal(ledger->items[1].problems.items[0].code, "signer");
        assert_string_equal(ledger->items[2].problems.items[0].code, "unsigned");
        assert_true(rb_ledger_before(ledger, &ledger->items[0], &ledger->items[3]));
        assert_false(rb_ledger_before(ledger, &ledger->items[3], &ledger->items[0]));
    }
    /* Who may sign is asked again when the file changes. */
    sh_do("echo \"eve@example.com $(cat eve.pub)\" >>signers; sed -i /^bob/d signers");
    RB_AUTO(rb_ledger_freep) rb_ledger *ledger = load(repo, 0);
    assert_int_equal(ledger->items[1].trust, RB_ENTRY_GOOD);
    assert_int_equal(ledger->items[3].trust, RB_ENTRY_UNKNOWN);
    /* A kept file that was cut or turned over is not used. */
    sh_do("truncate -s -5 who/.git/rbtool/ledger");
    RB_AUTO(rb_ledger_freep) rb_ledger *cut = load(repo, 0);
    assert_int_equal(cut->items[3].trust, RB_ENTRY_UNKNOWN);
    sh_do("printf X | dd of=who/.git/rbtool/ledger bs=1 seek=200 conv=notrunc");
    RB_AUTO(rb_ledger_freep) rb_ledger *turned = load(repo, 0);
    assert_int_equal(turned->items[1].trust, RB_ENTRY_GOOD);
}

/* Two histories and what joins them. */
static void test_concurrent(void **state)
{
    (void)state;
    rb_err err = {0};
    make_repo("two");
    RB_AUTO(rb_repo_closep) rb_repo *repo = open_repo("two");
    rb_oid root = mark_at(repo, "alice", "good", 1);
    rb_oid ours = mark_at(repo, "alice", "bad", 2);
    RB_AUTO(rb_json_freep) json_t *detail = verdict_of("good", "");
    RB_AUTO(rb_json_freep) json_t *empty = json_object();
    rb_draft draft = {.kind = RB_ENTRY_VERDICT,
                      .tag = "v1",
                      .object = "0123456789012345678901234567890123456789",
                      .title = "good",
                      .detail = detail,
                      .key = "bob",
                      .committer = "Bob <bob@example.com> 1700000001 +0000"};
    rb_oid theirs;
    rb_oid joined;
    assert_ok(rb_ledger_write(&theirs, repo, &draft, &root, 1, &err));
    rb_oid both[] = {ours, theirs};
    assert_fails(rb_ledger_write(&joined, repo, &draft, both, 2, &err), RB_ERROR,
                 "only merge entries have several");
    draft.kind = RB_ENTRY_MERGE;
    draft.tag = draft.object = draft.title = NULL;
    draft.detail = empty;
    assert_fails(rb_ledger_write(&joined, repo, &draft, both, 1, &err), RB_ERROR, "1 parents");
    assert_ok(rb_ledger_write(&joined, repo, &draft, both, 2, &err));
    RB_AUTO(rb_signers_freep) rb_signers *signers = NULL;
    RB_AUTO(rb_ledger_freep) rb_ledger *ledger = NULL;
    assert_ok(rb_signers_load(&signers, repo, &err));
    assert_ok(rb_ledger_load(&ledger, repo, signers, &joined, 0, &err));
    assert_int_equal(ledger->n, 4);
    const rb_entry *a = rb_ledger_find(ledger, &ours);
    const rb_entry *b = rb_ledger_find(ledger, &theirs);
    const rb_entry *r = rb_ledger_find(ledger, &root);
    const rb_entry *m = rb_ledger_find(ledger, &joined);
    assert_ptr_equal(r, &ledger->items[0]);
    assert_ptr_equal(m, &ledger->items[3]);
    assert_int_equal(m->kind, RB_ENTRY_MERGE);
    assert_int_equal(m->trust, RB_ENTRY_GOOD);
    assert_int_equal(m->parent_count, 2);
    assert_false(rb_ledger_before(ledger, a, b));
    assert_false(rb_ledger_before(ledger, b, a));
    assert_true(rb_ledger_before(ledger, r, b) && rb_ledger_before(ledger, r, m));
    assert_true(rb_ledger_before(ledger, a, m) && rb_ledger_before(ledger, b, m));
    assert_true(rb_ledger_before(ledger, b, b));
    assert_null(rb_ledger_find(ledger, &(rb_oid){{1}}));
}

/* What is kept may say anything, but no entry comes before itself. */
static void test_circle(void **state)
{
    (void)state;
    rb_err err = {0};
    make_repo("circle");
    RB_AUTO(rb_repo_closep) rb_repo *repo = open_repo("circle");
    RB_AUTO(rb_signers_freep) rb_signers *signers = NULL;
    assert_ok(rb_signers_load(&signers, repo, &err));
    mark_at(repo, "alice", "good", 1);
    rb_oid tip = mark_at(repo, "alice", "good", 2);
    rb_checked_entry judged[2] = {0};
    for (size_t i = 0; i < 2; i++) {
        judged[i].entry = (rb_entry){.id = tip,
                                     .kind = RB_ENTRY_VERDICT,
                                     .title = "verdict v1 good",
                                     .committer = "Alice <alice@example.com>",
                                     .parent_count = 1};
        judged[i].claims = true;
    }
    judged[1].entry.id.id[0] ^= 1;
    judged[0].parents = &judged[1].entry.id;
    judged[1].parents = &judged[0].entry.id;
    rb_ledger_store *store = rb_ledger_store_new();
    rb_ledger_store_open(store, rb_repo_common_dir(repo), rb_signers_digest(signers));
    rb_ledger_store_save(store, judged, 2);
    rb_ledger_store_free(store);
    rb_ledger *ledger = NULL;
    assert_fails(rb_ledger_load(&ledger, repo, signers, NULL, 0, &err), RB_ERROR,
                 "go in a circle, which no ledger does; remove that file");
    assert_ok(rb_ledger_load(&ledger, repo, signers, NULL, RB_LEDGER_FRESH, &err));
    assert_int_equal(ledger->n, 2);
    rb_ledger_free(ledger);
}

/* Drafts that are not of good form write nothing. */
static void test_drafts(void **state)
{
    (void)state;
    rb_err err = {0};
    make_repo("drafts");
    RB_AUTO(rb_repo_closep) rb_repo *repo = open_repo("drafts");
    RB_AUTO(rb_json_freep) json_t *detail = verdict_of("good", "x");
    RB_AUTO(rb_json_freep) json_t *wrong = json_pack("{s:s}", "verdict", "fine");
    rb_draft draft = {
        .kind = RB_ENTRY_VERDICT, .begins = true, .tag = "v1", .title = "good", .detail = detail};
    rb_oid id;
    assert_fails(rb_ledger_append(&id, repo, &draft, &err), RB_ERROR,
                 "object: expected an object id");
    draft.object = "0123456789012345678901234567890123456789";
    draft.title = "bad";
    assert_fails(rb_ledger_append(&id, repo, &draft, &err), RB_ERROR, "the title says");
    draft.title = "good";
    draft.detail = wrong;
    assert_fails(rb_ledger_append(&id, repo, &draft, &err), RB_ERROR, "verdict");
    draft.detail = detail;
    draft.committer = "nobody";
    assert_fails(rb_ledger_append(&id, repo, &draft, &err), RB_ERROR, "\"nobody\"");
    draft.committer = NULL;
    draft.tag = "v\xff";
    assert_fails(rb_ledger_append(&id, repo, &draft, &err), RB_ERROR, "");
    draft.tag = "v1";
    draft.must_sign = true;
    sh_do("git config --global --unset user.signingKey");
    rb_repo *bare = open_repo("drafts");
    assert_fails(rb_ledger_append(&id, bare, &draft, &err), RB_ERROR, "no key to sign with");
    rb_repo_close(bare);
    sh_do("! git -C drafts rev-parse -q --verify refs/rbtool/ledger");
    sh_do("git -C drafts config --unset rbtool.app");
    RB_AUTO(rb_repo_closep) rb_repo *nameless = open_repo("drafts");
    draft.must_sign = false;
    assert_fails(rb_ledger_append(&id, nameless, &draft, &err), RB_ERROR, "which application");
    draft.app = "shop";
    assert_ok(rb_ledger_append(&id, nameless, &draft, &err));
    draft.app = NULL; /* from the ledger now */
    assert_ok(rb_ledger_append(&id, nameless, &draft, &err));
    /* On top of what is no ledger nothing is written. */
    sh_do("cd drafts; git commit -q --allow-empty -m code; git update-ref refs/rbtool/ledger HEAD");
    assert_fails(rb_ledger_append(&id, nameless, &draft, &err), RB_ERROR,
                 "is not an entry of a ledger");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one),        cmocka_unit_test(test_signers),
        cmocka_unit_test(test_concurrent), cmocka_unit_test(test_circle),
        cmocka_unit_test(test_drafts),
    };
    return cmocka_run_group_tests(tests, lab_open, lab_close);
}
