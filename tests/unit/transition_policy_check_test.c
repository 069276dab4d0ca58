/*
 * The policy's rules for a transition: what happens decides which approvals it takes, whichever
 * command brings it. One ledger for all rows of the table, each with an environment of its own.
 */
#include "transition_lab.h"

#include "transition/policy_check.h"

#define TO SHOP_FIRST
#define SCRIPTS SHOP_NEXT
#define FROM SHOP_LATE

enum scripts { OWN, OF_THIRD, OF_FROM, OF_TO };

typedef struct row {
    const char *name;     /* of the environment */
    int deploy;           /* approvals that the policy wants there */
    int revert;           /* the same */
    const char *verb;     /* the command's kind */
    const char *history;  /* what went to TO there: "whole", "app", "app rest",
                             "moved rest": the app was another object of the same tag,
                             an outcome, or "" */
    const char *approved; /* who approved TO there, with spaces between */
    enum scripts scripts; /* --scripts-from */
    const char *scripts_approved;
    const char *kinds; /* expected: kind and number of what is missing, of TO and of the scripts */
    size_t ignored;    /* expected: approvals of the first need that do not count */
} row;

static const row rows[] = {
    {"none-needed", 0, 0, "deploy", "", "", OWN, "", "", 0},
    {"two-missing", 2, 0, "deploy", "", "", OWN, "", "deploy 2", 0},
    {"one-missing", 2, 0, "deploy", "", "bob", OWN, "", "deploy 1", 0},
    {"enough", 2, 0, "deploy", "", "bob carol", OWN, "", "", 0},
    {"one-person-twice", 2, 0, "deploy", "", "bob bob", OWN, "", "deploy 1", 0},
    /* The release was not live here as a whole: a deploy's number counts, with any verb. */
    {"revert-to-new", 1, 0, "revert", "", "", OWN, "", "deploy 1", 0},
    {"abort-to-new", 1, 0, "abort", "", "", OWN, "", "deploy 1", 0},
    {"only-app", 1, 0, "revert", "app", "", OWN, "", "deploy 1", 0},
    {"failed", 1, 0, "revert", "failed", "", OWN, "", "deploy 1", 0},
    {"interrupted", 1, 0, "revert", "interrupted", "", OWN, "", "deploy 1", 0},
    /* It was: a revert's number counts, with any verb. */
    {"revert-to-old", 1, 0, "revert", "whole", "", OWN, "", "", 0},
    {"deploy-of-old", 1, 0, "deploy", "whole", "", OWN, "", "", 0},
    {"unhealthy", 1, 0, "revert", "unhealthy", "", OWN, "", "", 0},
    {"revert-needs", 0, 2, "revert", "whole", "bob", OWN, "", "revert 1", 0},
    {"deploy-needs", 0, 2, "deploy", "whole", "bob", OWN, "", "revert 1", 0},
    {"in-two-halves", 1, 0, "revert", "app rest", "", OWN, "", "", 0},
    {"half-before-the-tag-moved", 1, 0, "revert", "moved rest", "", OWN, "", "deploy 1", 0},
    /* Whose approval counts. */
    {"signer", 1, 0, "deploy", "", "alice", OWN, "", "deploy 1", 0},
    {"signer-and-bob", 2, 0, "deploy", "", "alice bob", OWN, "", "deploy 1", 0},
    {"no-role", 1, 0, "deploy", "", "erin", OWN, "", "deploy 1", 1},
    {"revoked", 1, 0, "deploy", "", "dave", OWN, "", "deploy 1", 1},
    {"revoked-and-bob", 1, 0, "deploy", "", "dave bob", OWN, "", "", 0},
    {"approved-before-revoked", 1, 0, "deploy", "", "*dave", OWN, "", "", 0},
    /* Scripts of a third release take that release's approvals. */
    {"scripts", 1, 0, "deploy", "", "bob", OF_THIRD, "", "deploy 1", 0},
    {"scripts-enough", 1, 0, "deploy", "", "bob", OF_THIRD, "carol", "", 0},
    {"scripts-both", 2, 0, "deploy", "", "bob", OF_THIRD, "", "deploy 1,deploy 2", 0},
    {"scripts-of-old-to", 1, 0, "revert", "whole", "", OF_THIRD, "", "deploy 1", 0},
    {"scripts-of-from", 1, 0, "revert", "whole", "", OF_FROM, "", "", 0},
    {"scripts-of-to", 1, 0, "deploy", "", "", OF_TO, "", "deploy 1", 0},
};
#define ROWS (sizeof rows / sizeof *rows)

static rb_signers *signers; /* with those who approve */
static rb_ledger *ledger;
static rb_policy *policy;
static rb_session session; /* borrows them */

static void append(enum rb_entry_kind kind, const char *key, const char *environment,
                   const rb_release *release, json_t *detail)
{
    rb_err err = {0};
    rb_oid id;
    assert_non_null(detail);
    const rb_draft draft = {.kind = kind,
                            .begins = true,
                            .app = "shop",
                            .tag = release ? release->tag : NULL,
                            .object = release ? release->object : NULL,
                            .environment = environment,
                            .title = "test",
                            .detail = detail,
                            .key = key,
                            .must_sign = true};
    assert_ok(rb_ledger_append(&id, shop.repo, &draft, &err));
    json_decref(detail);
}

/* early: those whose name begins with a star, else the others. */
static void approve(const char *names, const char *environment, const rb_release *release,
                    bool early)
{
    while (*names) {
        const size_t len = strcspn(names, " ");
        const bool star = *names == '*';
        RB_AUTO(rb_free_str) char *name = rb_strndup(names + star, len - star);
        RB_AUTO(rb_free_str) char *key = rb_path_join(lab, name);
        if (star == early)
            append(RB_ENTRY_APPROVAL, key, environment, release, json_pack("{s:s}", "why", "ok"));
        names += len + (names[len] == ' ');
    }
}

static void approve_all(bool early)
{
    for (size_t i = 0; i < ROWS; i++) {
        approve(rows[i].approved, rows[i].name, shop.releases[TO], early);
        approve(rows[i].scripts_approved, rows[i].name, shop.releases[SCRIPTS], early);
    }
}

static char *tip_of_ledger(void)
{
    return sh("git -C shop rev-parse " RB_LEDGER_REF);
}

/* Version 1 revokes nothing, 2 revokes dave's key, 3 also puts alice out of role release. */
static void set_policy(int version)
{
    RB_AUTO(rb_free_str) char *dave = sh("ssh-keygen -lf dave.pub | cut -d' ' -f2");
    /* The newest policy; other entries may stand between. */
    RB_AUTO(rb_free_str)
    char *before = version == 1 ? NULL
                                : sh("git -C shop log -1 --format=%%H "
                                     "--grep='\"kind\": \"policy\"' " RB_LEDGER_REF);
    json_t *environments = json_pack("{s:{s:b}}", "signed", "signed", 1);
    json_t *rules = json_pack("{s:{s:[s,s,s,s],s:[s],s:[s,s]},s:o}", "roles", "approve",
                              "alice@example.com", "bob@example.com", "carol@example.com",
                              "dave@example.com", "accept-loss", "bob@example.com", "release",
                              version < 3 ? "alice@example.com" : "carol@example.com",
                              "bob@example.com", "environments", environments);
    for (size_t i = 0; i < ROWS; i++)
        json_object_set_new(environments, rows[i].name,
                            json_pack("{s:{s:i,s:i}}", "approvals", "deploy", rows[i].deploy,
                                      "revert", rows[i].revert));
    if (version > 1)
        json_object_set_new(rules, "revoked",
                            json_pack("[{s:s,s:s}]", "key", dave, "why", "laptop stolen"));
    append(RB_ENTRY_POLICY, NULL, NULL, NULL,
           json_pack("{s:i,s:s?,s:o}", "version", version, "previous", before, "policy", rules));
}

static void load_policy(void)
{
    rb_err err = {0};
    RB_AUTO(rb_problems_clear) rb_problems problems = {0};
    rb_policy_free(policy);
    rb_ledger_free(ledger);
    policy = NULL;
    ledger = NULL;
    assert_ok(rb_ledger_load(&ledger, shop.repo, signers, NULL, 0, &err));
    assert_ok(rb_policy_load(&policy, &problems, ledger, &err));
    if (problems.n > 0)
        fail_msg("%s", problems.items[0].message);
    assert_int_equal(rb_policy_count(policy), 1);
}

static int open_all(void **state)
{
    rb_err err = {0};
    if (shop_open(state) != 0)
        return -1;
    sh_do("for k in bob carol dave erin; do ssh-keygen -q -t ed25519 -N '' -C '' -f $k;"
          "echo \"$k@example.com $(cat $k.pub)\" >>signers; done;"
          "ssh-keygen -q -t ed25519 -N '' -C '' -f eve;"
          "git -C shop config rbtool.root alice@example.com");
    rb_repo_close(shop.repo); /* it has read its settings */
    shop.repo = open_repo("shop");
    assert_ok(rb_signers_load(&signers, shop.repo, &err));
    set_policy(1);
    approve_all(true);
    set_policy(2);
    approve_all(false);
    load_policy();
    return 0;
}

static int close_all(void **state)
{
    rb_policy_free(policy);
    rb_ledger_free(ledger);
    rb_signers_free(signers);
    return shop_close(state);
}

/* A transition to TO, or to another object of its tag, that moved those parts, in the journal. */
static void went(const place *p, const char *id, const char *only, const char *object,
                 const char *outcome)
{
    rb_err err = {0};
    RB_AUTO(rb_json_freep) json_t *plan = NULL;
    RB_AUTO(rb_free_str) char *text = rb_format("{\"only\":[%s]}", only);
    assert_ok(rb_json_read(&plan, text, strlen(text), "test", &err));
    rb_transition_row begun = {.id = (char *)id,
                               .kind = (char *)"deploy",
                               .to = shop.releases[TO]->tag,
                               .to_object = (char *)object,
                               .plan = plan};
    assert_ok(rb_state_begin(p->state, &begun, &err));
    assert_ok(rb_state_end(p->state, id, outcome, NULL, NULL, &err));
}

static void live_through(const place *p, const char *history)
{
    static const char all[] = "\"app\",\"db\",\"flags\",\"config\"";
    const char *object = shop.releases[TO]->object;
    if (strcmp(history, "whole") == 0)
        went(p, "1", all, object, "done");
    else if (strncmp(history, "app", 3) == 0)
        went(p, "1", "\"app\"", object, "done");
    else if (strcmp(history, "moved rest") == 0)
        went(p, "1", "\"app\"", shop.releases[FROM]->object, "done");
    else if (*history)
        went(p, "1", all, object, history);
    if (strstr(history, " rest"))
        went(p, "2", "\"db\",\"flags\",\"config\"", object, "done");
}

static rb_plan_request request_of(const place *p, const row *r)
{
    session = (rb_session){.repo = shop.repo, .signers = signers};
    rb_plan_request rq = {.kind = r->verb,
                          .env = p->env,
                          .state = p->state,
                          .session = &session,
                          .from = shop.releases[FROM],
                          .to = shop.releases[TO]};
    if (r->scripts != OWN)
        rq.overrides = r->scripts == OF_THIRD  ? shop.releases[SCRIPTS]
                       : r->scripts == OF_FROM ? shop.releases[FROM]
                                               : shop.releases[TO];
    return rq;
}

static rb_plan *bare_plan(void)
{
    rb_plan *plan = rb_calloc(1, sizeof *plan);
    plan->id = rb_strdup("20261130T000000Z-test");
    plan->json = json_pack("{s:[]}", "decisions");
    return plan;
}

/* Without --break-glass a decision for each need, and a plan that is refused; with it, the same
 * decisions in a plan that may be carried out. */
static void assert_decisions(const rb_policy_needs *needs, const rb_plan_request *rq)
{
    for (int passed = 0; passed < 2; passed++) {
        RB_AUTO(rb_plan_freep) rb_plan *plan = bare_plan();
        rb_policy_needs_decide(plan, needs, rq, passed);
        const json_t *decisions = json_object_get(plan->json, "decisions");
        assert_int_equal(json_array_size(decisions), needs->n);
        assert_int_equal(plan->worst, needs->n > 0 && !passed ? RB_DECIDE : RB_OK);
        assert_int_equal(plan->refusals, passed ? 0 : needs->n);
        for (size_t i = 0; i < needs->n; i++)
            assert_string_equal(rb_json_str(json_array_get(decisions, i), "code"), "approvals");
    }
}

static void judge_row(const row *r)
{
    rb_err err = {0};
    place p;
    place_open(&p, r->name);
    live_through(&p, r->history);
    const rb_plan_request rq = request_of(&p, r);
    rb_policy_needs needs = {0};
    RB_AUTO(rb_buf_clear) rb_buf kinds = {0};
    assert_ok(rb_policy_check_releases(policy, &rq, &err));
    assert_ok(rb_policy_check_approvals(&needs, policy, &rq, &err));
    for (size_t i = 0; i < needs.n; i++)
        rb_buf_printf(&kinds, "%s%s %d", i ? "," : "", needs.items[i].kind, needs.items[i].missing);
    if (strcmp(rb_buf_str(&kinds), r->kinds) != 0)
        fail_msg("%s: expected \"%s\", got \"%s\"", r->name, r->kinds, rb_buf_str(&kinds));
    if (needs.n > 0 && needs.items[0].approvals.ignored != r->ignored)
        fail_msg("%s: %zu approvals are ignored", r->name, needs.items[0].approvals.ignored);
    assert_decisions(&needs, &rq);
    rb_policy_needs_clear(&needs);
    place_close(&p);
}

static void test_approvals(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++)
        judge_row(&rows[i]);
}

static const row *row_of(const char *name)
{
    for (size_t i = 0; i < ROWS; i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    fail_msg("no row %s", name);
    return NULL;
}

static rb_policy_needs needs_of(const rb_plan_request *rq)
{
    rb_err err = {0};
    rb_policy_needs needs = {0};
    assert_ok(rb_policy_check_approvals(&needs, policy, rq, &err));
    return needs;
}

static void test_who_can_approve(void **state)
{
    (void)state;
    place p;
    place_open(&p, "one-missing");
    rb_plan_request rq = request_of(&p, row_of("one-missing"));
    rq.state = NULL; /* an environment without a journal: nothing was live */
    rb_policy_needs needs = needs_of(&rq);
    assert_int_equal(needs.n, 1);
    assert_ptr_equal(needs.items[0].release, shop.releases[TO]);
    assert_int_equal(needs.items[0].approvals.people.n, 1);
    assert_string_equal(needs.items[0].approvals.people.items[0], "bob@example.com");
    /* Not the signer, not bob again, not a revoked key, not one outside of the role. */
    assert_int_equal(needs.items[0].able.n, 1);
    assert_string_equal(needs.items[0].able.items[0], "carol@example.com");
    RB_AUTO(rb_plan_freep) rb_plan *plan = bare_plan();
    rb_policy_needs_decide(plan, &needs, &rq, false);
    assert_string_equal(rb_err_line(&plan->refusal),
                        "v1.0.0 needs 2 approvals for one-missing and has 1 (bob@example.com); "
                        "carol@example.com can give one: `rbtool approve v1.0.0 --env "
                        "one-missing`, then `rbtool sync`");
    rb_policy_needs_clear(&needs);
    place_close(&p);
}

static void use_key(const char *key)
{
    sh_do("git config --global user.signingKey \"$PWD/%s\"", key);
    rb_repo_close(shop.repo);
    shop.repo = open_repo("shop");
}

static void test_key(void **state)
{
    (void)state;
    rb_err err = {0};
    place p;
    place_open(&p, "signed");
    const row r = {.name = "signed", .verb = "deploy"};
    rb_plan_request rq = request_of(&p, &r);
    assert_ok(rb_policy_check_key(policy, &rq, &err));
    use_key("eve"); /* not an allowed signer */
    rq = request_of(&p, &r);
    assert_fails(rb_policy_check_key(policy, &rq, &err), RB_ERROR,
                 "the policy wants signed entries for signed, and this host cannot write them");
    place_close(&p);
    place_open(&p, "enough"); /* where entries need not be signed */
    rq = request_of(&p, row_of("enough"));
    assert_ok(rb_policy_check_key(policy, &rq, &err));
    use_key("alice");
    place_close(&p);
}

static void test_loss(void **state)
{
    (void)state;
    rb_err err = {0};
    place p;
    place_open(&p, "loss");
    const row r = {.name = "loss", .verb = "revert"};
    rb_plan_request rq = request_of(&p, &r);
    RB_AUTO(rb_plan_freep) rb_plan *plan = bare_plan();
    assert_ok(rb_policy_check_loss(policy, plan, &rq, &err)); /* nothing is lost */
    plan->consent = true;
    plan->command = rb_strdup("rbtool revert v1.2.0 --env loss");
    assert_fails(rb_policy_check_loss(policy, plan, &rq, &err), RB_DECIDE,
                 "takes a key in role accept-loss (bob@example.com): not that of "
                 "alice@example.com; nothing was changed");
    use_key("eve");
    rq = request_of(&p, &r);
    assert_int_equal(rb_policy_check_loss(policy, plan, &rq, &err), RB_DECIDE);
    use_key("bob");
    rq = request_of(&p, &r);
    assert_ok(rb_policy_check_loss(policy, plan, &rq, &err));
    use_key("alice");
    place_close(&p);
}

/* What --break-glass writes is found again with the approvals. */
static void test_override(void **state)
{
    (void)state;
    rb_err err = {0};
    place p;
    place_open(&p, "two-missing");
    rb_plan_request rq = request_of(&p, row_of("two-missing"));
    RB_AUTO(rb_plan_freep) rb_plan *plan = bare_plan();
    rb_policy_needs before = needs_of(&rq);
    assert_null(before.items[0].approvals.override);
    rb_policy_needs_clear(&before);
    assert_fails(rb_policy_override(plan, &rq, rq.to, "approvals", "\xff", &err), RB_ERROR,
                 "is not UTF-8");
    assert_ok(rb_policy_override(plan, &rq, rq.to, "approvals", "the shop is down", &err));
    load_policy();
    rb_policy_needs after = needs_of(&rq);
    assert_int_equal(after.n, 1); /* it is not an approval */
    assert_int_equal(after.items[0].missing, 2);
    const rb_entry *entry = after.items[0].approvals.override;
    assert_non_null(entry);
    assert_string_equal(entry->principal, "alice@example.com");
    assert_string_equal(entry->environment, "two-missing");
    assert_string_equal(entry->object, rq.to->object);
    assert_string_equal(rb_json_str(rb_entry_detail(entry), "why"), "the shop is down");
    assert_string_equal(rb_json_str(rb_entry_detail(entry), "transition"), plan->id);
    rb_policy_needs_clear(&after);
    place_close(&p);
}

/* Last: it sets a policy. */
static void test_releases(void **state)
{
    (void)state;
    rb_err err = {0};
    place p;
    place_open(&p, "releases");
    const row r = {.name = "releases", .verb = "deploy"};
    rb_plan_request rq = request_of(&p, &r);
    rq.to = shop.releases[SHOP_ONE_WAY]; /* the ledger has not seen this one yet */
    assert_ok(rb_policy_check_releases(policy, &rq, &err));
    set_policy(3);
    load_policy();
    assert_fails(rb_policy_check_releases(policy, &rq, &err), RB_FOUND, "alice@example.com");
    rq.overrides = rq.to;
    rq.to = shop.releases[TO]; /* it was approved while its signer was in role release */
    assert_fails(rb_policy_check_releases(policy, &rq, &err), RB_FOUND, "v1.4.0");
    rq.overrides = NULL;
    assert_ok(rb_policy_check_releases(policy, &rq, &err));
    RB_AUTO(rb_plan_freep) rb_plan *plan = bare_plan();
    RB_AUTO(rb_free_str) char *tip = tip_of_ledger();
    rb_policy_name(plan, policy);
    const json_t *named = json_object_get(plan->json, "policy");
    assert_int_equal(json_array_size(named), 1);
    assert_string_equal(json_string_value(json_array_get(named, 0)), tip);
    place_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_approvals), cmocka_unit_test(test_who_can_approve),
        cmocka_unit_test(test_key),       cmocka_unit_test(test_loss),
        cmocka_unit_test(test_override),  cmocka_unit_test(test_releases),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
