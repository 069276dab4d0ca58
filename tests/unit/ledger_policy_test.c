/* Who may do what, over ledgers made by hand: forks, replays, revocations, verdicts. */
#include "git_lab.h"
#include "ledger/policy_internal.h"
#include "ledger/verdict.h"
#include "ledger/verify_cache.h"
#include "trust/signers.h"

#define OBJECT "0123456789012345678901234567890123456789"
#define OTHER "9876543210987654321098765432109876543210"
#define MOST 64

static rb_entry items[MOST];
static char ids[MOST][RB_OID_HEX];
static rb_ledger ledger;
static rb_repo *repo;
static rb_signers *signers;
static rb_problems problems;
static rb_policy *policy;
static char *source; /* where the tests were started: the top of the source */

/* A fingerprint of the right form for a name. */
static const char *key_of(const char *name)
{
    static char texts[8][7 + 43 + 1];
    static int next;
    char *out = texts[next++ % 8];
    memset(out, 'A', 7 + 43);
    memcpy(out, "SHA256:", 7);
    for (size_t i = 0; name[i]; i++)
        out[7 + i] = name[i] == '@' ? '+' : name[i];
    return out;
}

static void begin(void)
{
    rb_policy_free(policy);
    policy = NULL;
    for (size_t i = 0; i < ledger.n; i++) {
        json_decref(items[i].parsed);
        free((char *)items[i].fingerprint);
        rb_problems_clear(&items[i].problems);
    }
    memset(items, 0, sizeof items);
    rb_ledger_store_free(ledger.store);
    ledger = (rb_ledger){.items = items};
}

#define NO_PARENT MOST

/* An entry signed by who ("alice@x"), NULL for unsigned; detail is taken. */
static size_t add(enum rb_entry_kind kind, const char *who, json_t *detail, size_t parent,
                  size_t other)
{
    size_t i = ledger.n++;
    rb_entry *entry = &items[i];
    memset(entry->id.id, (int)(0xf0 - i), RB_OID_SIZE);
    rb_oid_hex(&entry->id, ids[i]);
    entry->kind = kind;
    entry->trust = who ? RB_ENTRY_GOOD : RB_ENTRY_UNSIGNED;
    entry->tag = "v1";
    entry->object = OBJECT;
    entry->at = 1000 + (int64_t)i;
    entry->principal = who;
    entry->fingerprint = who ? rb_strdup(key_of(who)) : NULL;
    entry->parsed = json_pack("{s:o}", rb_entry_kind_name(kind), detail);
    assert_non_null(entry->parsed);
    if (parent != NO_PARENT)
        entry->parents[entry->parent_count++] = parent;
    if (other != NO_PARENT)
        entry->parents[entry->parent_count++] = other;
    ledger.tip = entry->id;
    return i;
}

static size_t set(const char *who, size_t parent, int version, size_t previous, const char *rules)
{
    json_error_t error;
    json_t *json = json_loads(rules, 0, &error);
    if (!json)
        fail_msg("%s: %s", rules, error.text);
    return add(RB_ENTRY_POLICY, who,
               json_pack("{s:i,s:s?,s:o}", "version", version, "previous",
                         previous == NO_PARENT ? NULL : ids[previous], "policy", json),
               parent, NO_PARENT);
}

static size_t join(size_t a, size_t b)
{
    return add(RB_ENTRY_MERGE, "alice@x", json_object(), a, b);
}

static size_t say(const char *who, const char *verdict, size_t parent)
{
    return add(RB_ENTRY_VERDICT, who,
               json_pack("{s:s,s:s,s:n}", "verdict", verdict, "why", "seen", "transition"), parent,
               NO_PARENT);
}

static void judge(void)
{
    rb_err err = {0};
    rb_policy_free(policy);
    policy = NULL;
    rb_problems_clear(&problems);
    rb_ledger_store_free(ledger.store); /* it remembers the order of the entries */
    ledger.store = rb_ledger_store_new();
    ledger.repo = repo;
    ledger.signers = signers;
    assert_ok(rb_policy_load(&policy, &problems, &ledger, &err));
}

static bool may(const char *who, enum rb_role role)
{
    return rb_policy_allows(policy, role, who, key_of(who));
}

static bool counts(size_t entry, enum rb_role role)
{
    return rb_policy_counts(policy, &items[entry], role);
}

static void in_force(size_t entry)
{
    assert_int_equal(rb_policy_count(policy), 1);
    assert_ptr_equal(rb_policy_entry(policy), &items[entry]);
}

static int set_up(void **state)
{
    assert_int_equal(lab_open(state), 0);
    sh_do("git init -q shop; git init -q open; git -C shop config rbtool.root root@x;"
          "git -C shop config --add rbtool.root 'chief@*';"
          "for k in alice bob root; do ssh-keygen -q -t ed25519 -N '' -C '' -f $k;"
          "echo \"$k@x $(cat $k.pub)\"; done >signers;"
          "ssh-keygen -q -t ed25519 -N '' -C '' -f old;"
          "echo \"old@x valid-before=\\\"19700101003320Z\\\" $(cat old.pub)\" >>signers");
    rb_err err = {0};
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    assert_ok(rb_file_read(&text, "signers", 1 << 20, &err));
    assert_ok(rb_signers_parse(&signers, "signers", text.data, text.len, &err));
    repo = open_repo("shop");
    return 0;
}

static int tear_down(void **state)
{
    begin();
    rb_problems_clear(&problems);
    rb_signers_free(signers);
    rb_repo_close(repo);
    return lab_close(state);
}

static void without_a_root_everybody_may(void **state)
{
    (void)state;
    begin();
    rb_repo *rooted = repo;
    repo = open_repo("open");
    size_t p = set("bob@x", NO_PARENT, 1, NO_PARENT, "{\"roles\":{\"mark\":[]}}");
    size_t v = say("bob@x", "good", p);
    size_t u = say(NULL, "good", v);
    judge();
    assert_false(rb_policy_rooted(policy));
    assert_null(rb_policy_entry(policy));
    assert_int_equal(problems.n, 1);
    assert_true(problems.items[0].warning);
    assert_true(may("bob@x", RB_ROLE_MARK));
    assert_true(counts(v, RB_ROLE_MARK));
    assert_false(counts(u, RB_ROLE_MARK)); /* unsigned never counts */
    rb_repo_close(repo);
    repo = rooted;
}

static void the_first_policy_is_the_roots(void **state)
{
    (void)state;
    begin();
    size_t v = say("bob@x", "good", NO_PARENT);
    size_t p = set("bob@x", v, 1, NO_PARENT, "{\"roles\":{}}");
    judge();
    assert_null(rb_policy_entry(policy));
    assert_int_equal(problems.n, 1);
    /* With a root and no policy only the root has a say. */
    assert_false(may("bob@x", RB_ROLE_MARK));
    assert_true(may("root@x", RB_ROLE_MARK));
    assert_true(may("chief@y", RB_ROLE_POLICY));
    assert_false(counts(v, RB_ROLE_MARK));
    size_t q = set("root@x", p, 1, NO_PARENT, "{\"roles\":{\"mark\":[\"bob@x\"]}}");
    judge();
    in_force(q);
    assert_true(may("bob@x", RB_ROLE_MARK));
    assert_true(may("bob@x", RB_ROLE_POLICY)); /* left out: open */
    assert_false(may("root@x", RB_ROLE_MARK));
    assert_true(counts(v, RB_ROLE_MARK)); /* from before any policy */
}

static void a_successor_is_signed_under_the_one_before(void **state)
{
    (void)state;
    begin();
    size_t p = set("root@x", NO_PARENT, 1, NO_PARENT,
                   "{\"roles\":{\"policy\":[\"alice@x\"],\"mark\":[\"*\",\"!bob@x\"]}}");
    size_t bad[6];
    bad[0] = set("bob@x", p, 2, p, "{\"roles\":{}}");        /* not in the role */
    bad[1] = set(NULL, bad[0], 2, p, "{\"roles\":{}}");      /* unsigned */
    bad[2] = set("alice@x", bad[1], 3, p, "{\"roles\":{}}"); /* version */
    bad[3] = set("alice@x", bad[2], 1, NO_PARENT, "{}");     /* a first one again */
    bad[4] = set("alice@x", bad[3], 2, p, "{\"rolls\":{}}"); /* shape */
    bad[5] = set("root@x", bad[4], 2, p, "{}");              /* the root has no role now */
    size_t q = set("alice@x", bad[5], 2, p, "{\"roles\":{\"policy\":[\"bob@x\"]}}");
    judge();
    assert_int_equal(problems.n, 6);
    for (size_t i = 0; i < 6; i++)
        assert_string_equal(problems.items[i].field, ids[bad[i]]);
    in_force(q);
    /* Alice is out: what she says next, under the one where she was in, is stale. */
    size_t r = set("alice@x", q, 2, p, "{}");
    r = set("alice@x", r, 3, q, "{}");
    judge();
    in_force(q);
    assert_int_equal(problems.n, 8);
    r = set("bob@x", r, 3, q, "{}");
    judge();
    in_force(r);
}

static void concurrent_policies_bind_together(void **state)
{
    (void)state;
    begin();
    size_t p =
        set("root@x", NO_PARENT, 1, NO_PARENT, "{\"roles\":{\"policy\":[\"alice@x\",\"bob@x\"]}}");
    size_t a = set("alice@x", p, 2, p,
                   "{\"roles\":{\"policy\":[\"alice@x\",\"bob@x\"],\"mark\":[\"alice@x\"]},"
                   "\"environments\":{\"prod\":{\"approvals\":{\"deploy\":2}}}}");
    size_t b = set("bob@x", p, 2, p,
                   "{\"roles\":{\"policy\":[\"bob@x\"],\"mark\":[\"bob@x\",\"alice@x\"]},"
                   "\"environments\":{\"*\":{\"approvals\":{\"deploy\":1,\"revert\":3},"
                   "\"signed\":true}}}");
    size_t m = join(a, b);
    judge();
    assert_int_equal(rb_policy_count(policy), 2);
    assert_true(may("alice@x", RB_ROLE_MARK));
    assert_false(may("bob@x", RB_ROLE_MARK));
    assert_false(may("alice@x", RB_ROLE_POLICY));
    assert_true(may("bob@x", RB_ROLE_POLICY));
    assert_int_equal(rb_policy_approvals(policy, "prod", "deploy"), 2);
    assert_int_equal(rb_policy_approvals(policy, "prod", "revert"), 3);
    assert_int_equal(rb_policy_approvals(policy, "stage", "deploy"), 1);
    assert_true(rb_policy_must_sign(policy, "stage"));
    /* The other order of parents says the same. */
    size_t n = join(b, a);
    judge();
    assert_int_equal(rb_policy_count(policy), 2);
    /* Only one of them settles: who is in the role in both. */
    rb_err err = {0};
    json_t *detail = NULL;
    RB_AUTO(rb_json_freep) json_t *rules = json_pack("{s:{}}", "roles");
    const rb_caller bob = {.principal = (char *)"bob@x", .fingerprint = (char *)key_of("bob")};
    const rb_caller alice = {.principal = (char *)"alice@x",
                             .fingerprint = (char *)key_of("alice")};
    assert_fails(rb_policy_draft(&detail, policy, rules, &bob, NULL, &err), RB_DECIDE, "--over ID");
    assert_fails(rb_policy_draft(&detail, policy, rules, &alice, ids[a], &err), RB_FOUND,
                 "may not set a policy");
    assert_ok(rb_policy_draft(&detail, policy, rules, &bob, ids[a], &err));
    assert_string_equal(rb_json_str(detail, "previous"), ids[a]);
    assert_int_equal(rb_json_int(detail, "version", 0), 3);
    json_decref(detail);
    size_t v = say("bob@x", "good", b); /* under b, concurrent with a */
    size_t w = say("alice@x", "good", a);
    m = join(join(m, n), join(v, w));
    judge();
    assert_false(counts(v, RB_ROLE_MARK));
    assert_true(counts(w, RB_ROLE_MARK));
    size_t s = set("bob@x", m, 3, b, "{\"roles\":{\"mark\":[\"carol@x\"]}}");
    judge();
    in_force(s);
    assert_true(counts(v, RB_ROLE_MARK)); /* b was chosen, a is void */
    assert_true(counts(w, RB_ROLE_MARK));
}

static void who_is_put_out_gains_nothing_by_a_fork(void **state)
{
    (void)state;
    begin();
    size_t p =
        set("root@x", NO_PARENT, 1, NO_PARENT,
            "{\"roles\":{\"policy\":[\"root@x\",\"eve@x\"],\"mark\":[\"root@x\",\"eve@x\"]}}");
    size_t out = set("root@x", p, 2, p,
                     "{\"roles\":{\"policy\":[\"root@x\"],\"mark\":[\"root@x\",\"bob@x\"]}}");
    size_t good = say("bob@x", "good", out);
    /* A longer line from before, that lets everybody in and puts root out. */
    size_t fork = set("eve@x", p, 2, p, "{\"roles\":{\"policy\":[\"eve@x\",\"mate@x\"]}}");
    fork =
        set("mate@x", fork, 3, fork, "{\"roles\":{\"policy\":[\"mate@x\"],\"mark\":[\"eve@x\"]}}");
    size_t evil = say("eve@x", "bad", fork);
    size_t m = join(good, evil);
    judge();
    in_force(out);
    assert_true(counts(good, RB_ROLE_MARK));
    assert_false(counts(evil, RB_ROLE_MARK));
    assert_false(may("eve@x", RB_ROLE_MARK));
    size_t next = set("root@x", m, 3, out, "{}");
    judge();
    in_force(next);
    assert_true(counts(good, RB_ROLE_MARK));
    assert_false(counts(evil, RB_ROLE_MARK)); /* also after everybody is let in */
    /* An old entry written after she was out, above a tip from before, is concurrent. */
    size_t late = say("eve@x", "bad", p);
    join(next, late);
    judge();
    assert_false(counts(late, RB_ROLE_MARK));
}

static void a_revoked_key_has_no_say_from_then_on(void **state)
{
    (void)state;
    begin();
    size_t p = set("root@x", NO_PARENT, 1, NO_PARENT, "{\"roles\":{\"policy\":[\"root@x\"]}}");
    size_t before = say("bob@x", "good", p);
    RB_AUTO(rb_free_str)
    char *rules = rb_format(
        "{\"roles\":{\"policy\":[\"root@x\"]},\"revoked\":[{\"key\":\"%s\",\"why\":\"stolen\"}]}",
        items[before].fingerprint);
    size_t r = set("root@x", before, 2, p, rules);
    size_t after = say("bob@x", "bad", r);
    size_t beside = say("bob@x", "bad", before);
    join(after, beside);
    judge();
    in_force(r);
    assert_true(counts(before, RB_ROLE_MARK));
    assert_false(counts(after, RB_ROLE_MARK));
    assert_false(counts(beside, RB_ROLE_MARK));
    assert_false(rb_policy_allows(policy, RB_ROLE_MARK, "bob@x", items[before].fingerprint));
    assert_true(rb_policy_allows(policy, RB_ROLE_MARK, "bob@x", key_of("new")));
    rb_verdict_decision j;
    rb_verdict_of(&j, &ledger, policy, NULL, "v1", OBJECT);
    assert_int_equal(j.verdict, RB_VERDICT_GOOD);
    assert_ptr_equal(j.entry, &items[before]);
    assert_int_equal(j.ignored, 2);
}

static size_t moved(const char *who, const char *kind, const char *outcome, bool whole,
                    size_t parent)
{
    bool deploy = strcmp(kind, "deploy") == 0;
    return add(RB_ENTRY_TRANSITION, who,
               json_pack("{s:s,s:s,s:b,s:b,s:s,s:s,s:s,s:s,s:[{s:s,s:s}]}", "kind", kind, "outcome",
                         outcome, "whole", whole, "marksBad", whole && !deploy, "from",
                         deploy ? "v0" : "v1", "fromObject", deploy ? OTHER : OBJECT, "to",
                         deploy ? "v1" : "v0", "toObject", deploy ? OBJECT : OTHER, "steps", "id",
                         "checks", "outcome", "done"),
               parent, NO_PARENT);
}

static enum rb_verdict verdict(rb_verdict_decision *j, const rb_strs *own)
{
    rb_verdict_of(j, &ledger, policy, own, "v1", OBJECT);
    return j->verdict;
}

static void the_latest_verdict_that_counts(void **state)
{
    (void)state;
    rb_verdict_decision j;
    begin();
    size_t p =
        set("root@x", NO_PARENT, 1, NO_PARENT, "{\"roles\":{\"mark\":[\"alice@x\",\"bob@x\"]}}");
    judge();
    assert_int_equal(verdict(&j, NULL), RB_VERDICT_NONE);
    size_t a = say("alice@x", "bad", p);
    size_t b = say("bob@x", "good", a);
    size_t c = say("carol@x", "bad", b); /* not in the role */
    size_t d = say(NULL, "bad", c);
    judge();
    assert_int_equal(verdict(&j, NULL), RB_VERDICT_GOOD);
    assert_ptr_equal(j.entry, &items[b]);
    assert_int_equal(j.ignored, 2);
    rb_verdict_of(&j, &ledger, policy, NULL, "v1", OTHER);
    assert_int_equal(j.verdict, RB_VERDICT_NONE); /* another tag object */
    rb_verdict_of(&j, &ledger, policy, NULL, "v2", OBJECT);
    assert_int_equal(j.verdict, RB_VERDICT_NONE);
    /* Unsigned, but this host's own. */
    RB_AUTO(rb_strs_clear) rb_strs own = {0};
    rb_strs_add(&own, ids[d]);
    assert_int_equal(verdict(&j, &own), RB_VERDICT_BAD);
    assert_ptr_equal(j.entry, &items[d]);
    /* Concurrent ones that disagree mean bad, whoever is first; a later word above both settles. */
    size_t x = say("alice@x", "bad", d);
    size_t y = say("bob@x", "good", d);
    size_t m = join(x, y);
    judge();
    assert_int_equal(verdict(&j, NULL), RB_VERDICT_BAD);
    assert_true(j.disputed);
    assert_ptr_equal(j.entry, &items[x]);
    say("bob@x", "good", m);
    judge();
    assert_int_equal(verdict(&j, NULL), RB_VERDICT_GOOD);
    assert_false(j.disputed);
}

static void transitions_are_verdicts_too(void **state)
{
    (void)state;
    rb_verdict_decision j;
    begin();
    size_t e = moved("alice@x", "deploy", "done", false, NO_PARENT); /* in part */
    e = moved("alice@x", "deploy", "unhealthy", true, e);
    set("root@x", e, 1, NO_PARENT, "{}");
    judge();
    assert_int_equal(verdict(&j, NULL), RB_VERDICT_NONE);
    e = moved("alice@x", "deploy", "done", true, ledger.n - 1);
    judge();
    assert_int_equal(verdict(&j, NULL), RB_VERDICT_GOOD);
    e = moved("alice@x", "revert", "failed", true, e);
    judge();
    assert_int_equal(verdict(&j, NULL), RB_VERDICT_GOOD);
    e = moved("alice@x", "revert", "unhealthy", true, e);
    judge();
    assert_int_equal(verdict(&j, NULL), RB_VERDICT_BAD);
    moved(NULL, "deploy", "done", true, e);
    judge();
    assert_int_equal(verdict(&j, NULL), RB_VERDICT_BAD);
    assert_int_equal(j.ignored, 0); /* not even parsed */
}

static void a_policy_that_locks_everybody_out_is_refused(void **state)
{
    (void)state;
    begin();
    rb_err err = {0};
    json_t *detail = NULL;
    judge();
    char fingerprint[RB_FINGERPRINT_SIZE];
    rb_key_fingerprint(signers->items[2].key, fingerprint);
    const rb_caller root = {.principal = (char *)"root@x", .fingerprint = fingerprint};
    const rb_caller bob = {.principal = (char *)"bob@x", .fingerprint = (char *)key_of("bob")};
    const rb_caller nobody = {.why = (char *)"no key"};
    RB_AUTO(rb_json_freep) json_t *open = json_pack("{s:{}}", "roles");
    assert_fails(rb_policy_draft(&detail, policy, open, &nobody, NULL, &err), RB_ERROR, "no key");
    assert_fails(rb_policy_draft(&detail, policy, open, &bob, NULL, &err), RB_FOUND,
                 "rbtool.root names root@x, chief@*");
    assert_ok(rb_policy_draft(&detail, policy, open, &root, NULL, &err));
    assert_null(rb_json_str(detail, "previous"));
    json_decref(detail);
    static const char *const locked[] = {"[]", "[\"nobody@x\"]", "[\"*\",\"!*@x\"]"};
    for (size_t i = 0; i < 3; i++) {
        RB_AUTO(rb_free_str) char *text = rb_format("{\"roles\":{\"policy\":%s}}", locked[i]);
        RB_AUTO(rb_json_freep) json_t *json = NULL;
        assert_ok(rb_policy_read(&json, text, strlen(text), "p.json", &err));
        assert_fails(rb_policy_draft(&detail, policy, json, &root, NULL, &err), RB_ERROR,
                     "nobody could set another");
    }
    RB_AUTO(rb_json_freep)
    json_t *given = json_pack("{s:{s:[s]}}", "roles", "policy", "bob@x");
    assert_ok(rb_policy_draft(&detail, policy, given, &root, NULL, &err));
    json_decref(detail);
    /* Its own key revoked, and nobody else in the role. */
    RB_AUTO(rb_json_freep)
    json_t *self = json_pack("{s:{s:[s]},s:[{s:s}]}", "roles", "policy", "root@x", "revoked", "key",
                             fingerprint);
    assert_fails(rb_policy_draft(&detail, policy, self, &root, NULL, &err), RB_ERROR,
                 "nobody could set another");
}

static void each_line(const char *path, enum rb_code expected)
{
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    RB_AUTO(rb_free_str) char *full = rb_path_join(source, path);
    rb_err err = {0};
    assert_ok(rb_file_read(&text, full, 1 << 20, &err));
    size_t lines = 0;
    for (const char *p = text.data; *p; p += strcspn(p, "\n") + 1, lines++) {
        json_t *json = NULL;
        size_t len = strcspn(p, "\n");
        if (rb_policy_read(&json, p, len, "policy.json", &err) != expected)
            fail_msg("%.*s: %s", (int)len, p, rb_err_line(&err));
        rb_json_free(json);
    }
    assert_true(lines > 5);
}

static void the_cases_of_the_schema_hold(void **state)
{
    (void)state;
    each_line("tests/data/policy/valid.jsonl", RB_OK);
    each_line("tests/data/policy/invalid.jsonl", RB_ERROR);
    rb_err err = {0};
    json_t *json = NULL;
    static const char typo[] = "{\"roles\":{\"aprove\":[]}}";
    assert_fails(rb_policy_read(&json, typo, strlen(typo), "p.json", &err), RB_ERROR, "approve");
}

static size_t old_says(const char *verdict_, int64_t at, size_t parent)
{
    char fingerprint[RB_FINGERPRINT_SIZE];
    rb_key_fingerprint(signers->items[3].key, fingerprint);
    size_t i = say("old@x", verdict_, parent);
    free((char *)items[i].fingerprint);
    items[i].fingerprint = rb_strdup(fingerprint);
    items[i].at = at;
    return i;
}

static size_t said_at(const char *who, int64_t at, size_t parent)
{
    size_t i = say(who, "good", parent);
    items[i].at = at;
    return i;
}

/* The key of old@x ended at 2000. */
static void what_a_key_that_ended_says_is_bounded_by_others(void **state)
{
    (void)state;
    begin();
    size_t p = set("root@x", NO_PARENT, 1, NO_PARENT, "{}");
    size_t early = old_says("good", 1500, p);
    judge();
    assert_true(counts(early, RB_ROLE_MARK)); /* nobody said anything since */
    size_t a = said_at("alice@x", 1600, early);
    size_t b = said_at("bob@x", 3000, a);
    size_t late = old_says("bad", 1999, b);       /* on top of what is later */
    size_t beside = old_says("bad", 1999, early); /* above an old tip, brought in by a merge */
    size_t m = join(late, beside);
    items[m].at = 4000;
    judge();
    assert_true(counts(early, RB_ROLE_MARK));
    assert_true(counts(b, RB_ROLE_MARK));
    assert_false(counts(late, RB_ROLE_MARK));
    assert_false(counts(beside, RB_ROLE_MARK));
    assert_true(rb_policy_built_on(policy, &items[early], 2000));
    assert_false(rb_policy_built_on(policy, &items[late], 2000));
    /* A clock far ahead of ours puts nobody out. */
    begin();
    p = set("root@x", NO_PARENT, 1, NO_PARENT, "{}");
    size_t ahead = said_at("alice@x", (int64_t)1 << 40, p);
    size_t fine = old_says("good", 1500, ahead);
    judge();
    assert_true(counts(fine, RB_ROLE_MARK));
}

/* A little generator of its own, so that a failure comes back. */
static unsigned seed;
static unsigned dice(unsigned sides)
{
    seed = seed * 1103515245u + 12345u;
    return (seed >> 16) % sides;
}

static const char *const crowd[] = {"root@x", "alice@x", "bob@x", "eve@x"};

static json_t *some_rules(void)
{
    json_t *list = json_array();
    json_t *json = json_pack("{s:{s:o}}", "roles", "policy", list);
    for (size_t i = 0; i < 4; i++)
        if (dice(3) > 0)
            json_array_append_new(list, json_string(crowd[i]));
    if (dice(2))
        json_object_set_new(json_object_get(json, "roles"), "mark", json_deep_copy(list));
    if (dice(5) == 0)
        json_object_set_new(json, "revoked", json_pack("[{s:s}]", "key", key_of(crowd[dice(4)])));
    return json;
}

/* Entries above and beside each other; who writes a policy goes on from the last on its line. */
static void some_ledger(size_t n)
{
    size_t last[MOST];
    int version[MOST];
    for (size_t i = 0; i < n; i++) {
        size_t parent = i == 0 ? NO_PARENT : i - 1 - dice(i < 4 ? (unsigned)i : 4);
        const char *who = crowd[dice(4)];
        size_t other = i > 1 && dice(3) == 0 ? dice((unsigned)i) : NO_PARENT;
        last[i] = i == 0 ? NO_PARENT : last[parent];
        version[i] = i == 0 ? 0 : version[parent];
        if (i + 1 == n) { /* the tip is above all */
            add(RB_ENTRY_MERGE, "root@x", json_object(), parent, NO_PARENT);
            items[i].parent_count = 0;
            for (size_t j = i; j > 0 && items[i].parent_count < RB_ENTRY_PARENTS; j--)
                items[i].parents[items[i].parent_count++] = j - 1;
        } else if (i > 0 && other != NO_PARENT && other != parent) {
            add(RB_ENTRY_MERGE, who, json_object(), parent, other);
            if (version[other] > version[i]) {
                version[i] = version[other];
                last[i] = last[other];
            }
        } else if (i == 0 || dice(2)) {
            add(RB_ENTRY_POLICY, i == 0 ? "root@x" : who,
                json_pack("{s:i,s:s?,s:o}", "version", version[i] + 1, "previous",
                          last[i] == NO_PARENT ? NULL : ids[last[i]], "policy", some_rules()),
                parent, NO_PARENT);
            last[i] = i;
            version[i]++;
        } else {
            say(who, "good", parent);
        }
    }
}

/* The same entries with the tip last and parents first, in another order. */
static void shuffle(void)
{
    rb_entry old[MOST];
    size_t place[MOST];
    bool taken[MOST] = {false};
    size_t n = ledger.n;
    memcpy(old, items, sizeof old);
    for (size_t at = 0; at < n; at++) {
        size_t pick = SIZE_MAX;
        for (size_t tries = 0; pick == SIZE_MAX; tries++) {
            size_t i = tries < 50 ? dice((unsigned)n) : tries % n;
            bool ready = !taken[i];
            for (size_t p = 0; p < old[i].parent_count; p++)
                ready = ready && taken[old[i].parents[p]];
            if (ready)
                pick = i;
        }
        taken[pick] = true;
        place[pick] = at;
        items[at] = old[pick];
        for (size_t p = 0; p < items[at].parent_count; p++)
            items[at].parents[p] = place[items[at].parents[p]];
    }
}

/* By id: what is in force, and what counts. */
static void picture(bool in[256], bool count[256])
{
    memset(in, 0, 256);
    memset(count, 0, 256);
    for (size_t i = 0; i < rb_policy_count(policy); i++)
        in[rb_policy_at(policy, i)->id.id[0]] = true;
    for (size_t i = 0; i < ledger.n; i++)
        count[items[i].id.id[0]] = counts(i, RB_ROLE_MARK);
}

static void every_clone_comes_to_the_same(void **state)
{
    (void)state;
    size_t disputes = 0;
    size_t longest = 0;
    for (seed = 1; seed < 1500u * 7919u;) {
        unsigned round = seed;
        begin();
        some_ledger(17);
        judge();
        bool in[2][256];
        bool count[2][256];
        picture(in[0], count[0]);
        disputes += rb_policy_count(policy) > 1;
        int64_t v = rb_policy_entry(policy)
                        ? rb_json_int(rb_entry_detail(rb_policy_entry(policy)), "version", 0)
                        : 0;
        longest = (size_t)v > longest ? (size_t)v : longest;
        shuffle();
        judge();
        picture(in[1], count[1]);
        if (memcmp(in[0], in[1], 256) != 0 || memcmp(count[0], count[1], 256) != 0)
            fail_msg("seed %u: another order, another policy", round);
        /* Whoever has no way to act in every one of those in force has none at all. */
        for (size_t i = 0; i < 4; i++)
            for (size_t j = 0; j < rb_policy_count(policy); j++) {
                const json_t *json =
                    json_object_get(rb_entry_detail(rb_policy_at(policy, j)), "policy");
                if (may(crowd[i], RB_ROLE_MARK) &&
                    !rb_policy_json_allows(json, RB_ROLE_MARK, crowd[i], NULL))
                    fail_msg("seed %u: %s is let in by fewer than all", round, crowd[i]);
            }
        seed = round + 7919;
    }
    assert_true(disputes > 20); /* the cases are there at all */
    assert_true(longest > 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_root_everybody_may),
        cmocka_unit_test(the_first_policy_is_the_roots),
        cmocka_unit_test(a_successor_is_signed_under_the_one_before),
        cmocka_unit_test(concurrent_policies_bind_together),
        cmocka_unit_test(who_is_put_out_gains_nothing_by_a_fork),
        cmocka_unit_test(a_revoked_key_has_no_say_from_then_on),
        cmocka_unit_test(what_a_key_that_ended_says_is_bounded_by_others),
        cmocka_unit_test(every_clone_comes_to_the_same),
        cmocka_unit_test(the_latest_verdict_that_counts),
        cmocka_unit_test(transitions_are_verdicts_too),
        cmocka_unit_test(a_policy_that_locks_everybody_out_is_refused),
        cmocka_unit_test(the_cases_of_the_schema_hold),
    };
    source = getcwd(NULL, 0);
    int failed = cmocka_run_group_tests(tests, set_up, tear_down);
    free(source);
    return failed;
}
