#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "attest/deployment.h"
#include "attest/envelope.h"
#include "attest/summary.h"
#include "attest/test_result.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/shape.h"
#include "base/template.h"
#include "base/text.h"
#include "commands.h"
#include "environment/state.h"
#include "ledger/judge.h"
#include "release_status.h"
#include "ui.h"

#define REASONS 20 /* reasons that a FAILED summary lists, at most */

static const rb_opt opts[] = {
    RB_TEXT("output", 'o', "FILE", "write the envelope to FILE (default: stdout)", output),
    RB_OPTION_KEY,
    RB_TEXT("append", 0, "FILE", "add a signature to the envelope in FILE", append),
    RB_TEXT("public-key", 0, "FILE", "write the key's public part as PEM to FILE too", public_key),
    RB_FLAG("proof", 0, "the proof as an in-toto test result instead of the manifest", proof),
    RB_FLAG("deployment", 0, "the newest transition to it, as an in-toto link", deployment),
    RB_TEXT("env", 'e', "NAME", "of --deployment and --vsa: only this environment", env),
    RB_FLAG("vsa", 0, "a SLSA verification summary instead of the manifest", vsa),
    RB_TEXT("verifier", 0, "URI", "who verified (default: the key, as urn:rbtool:key:...)",
            verifier),
    RB_TEXT("resource", 0, "URI", "what was verified (default: the application's purl)", resource),
    RB_OPTION_JSON,
    RB_OPTIONS_END};

static enum rb_code check_options(const rb_options *o, rb_err *err)
{
    if (o->vsa + o->proof + o->deployment > 1)
        return rb_fail(err, RB_ERROR,
                       "--vsa, --proof and --deployment exclude each other\ngive one of them");
    if (o->env && !o->deployment && !o->vsa)
        return rb_fail(err, RB_ERROR, "--env is for --deployment and --vsa");
    if (o->env && !rb_shape_is_name(o->env))
        return rb_fail(err, RB_ERROR, "'%s' is not a name of an environment", o->env);
    if (o->vsa && o->append)
        return rb_fail(
            err, RB_ERROR,
            "--vsa and --append do not go together: every verifier's summary is its own");
    if (!o->vsa && (o->verifier || o->resource))
        return rb_fail(err, RB_ERROR, "--verifier and --resource are for --vsa");
    const char *uris[] = {o->verifier, o->resource};
    for (size_t i = 0; i < 2; i++)
        if (uris[i] && !rb_summary_is_uri(uris[i]))
            return rb_fail(err, RB_ERROR,
                           "%s '%s' is not a URI, such as https://ci.example.com/ or "
                           "pkg:generic/shop@1.4.0",
                           i ? "--resource" : "--verifier", uris[i]);
    return RB_OK;
}

static enum rb_code make_deployment(json_t **out, rb_cli *cli, const rb_release *release,
                                    const char *env, rb_err *err)
{
    RB_TRY(rb_session_ledger(&cli->session, err));
    const rb_entry *entry = rb_deployment_find(cli->session.ledger, release->object, env);
    if (!entry)
        return rb_fail(err, RB_FOUND,
                       "the ledger has no transition%s%s that reached %s and that an allowed "
                       "signer signed\nsee `rbtool log --kind transition`",
                       env ? " in " : "", env ? env : "", release->tag);
    *out = rb_deployment_statement(release, entry);
    return RB_OK;
}

/* Makes an envelope of a release's signed manifest, its proof or its deployment (--predicate),
 * after the checks of `rbtool verify`. */
static enum rb_code make_manifest(rb_envelope *out, rb_cli *cli, const char *tag,
                                  const rb_options *o, rb_err *err)
{
    RB_AUTO(rb_release_freep) rb_release *release = NULL;
    RB_AUTO(rb_problems_clear) rb_problems problems = {0};
    RB_TRY(rb_session_release(&release, &cli->session, tag, NULL, err));
    if (rb_release_verify(&problems, release, cli->session.repo, 0, err) != RB_OK)
        return rb_err_prefix(err, "release %s does not verify", tag);
    RB_AUTO(rb_json_freep) json_t *statement = NULL;
    if (o->deployment)
        RB_TRY(make_deployment(&statement, cli, release, o->env, err));
    else
        statement =
            o->proof ? rb_test_result_statement(release) : rb_manifest_encode(release->manifest);
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    rb_json_pretty(&text, statement);
    rb_envelope_make(out, text.data, text.len);
    return RB_OK;
}

/* Reads an existing envelope, to add a signature. It must hold the same manifest, and those of its
 * signatures whose keys are known must be valid. */
static enum rb_code take_envelope(rb_envelope *envelope, rb_cli *cli, const char *tag,
                                  const char *path, rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    RB_AUTO(rb_envelope_clear) rb_envelope found = {0};
    RB_AUTO(rb_strs_clear) rb_strs people = {0};
    size_t unknown;
    RB_TRY(rb_session_signers(&cli->session, err));
    const rb_signers *signers = cli->session.signers;
    RB_TRY(rb_file_read(&text, path, RB_ENVELOPE_LIMIT, err));
    RB_TRY(rb_envelope_read(&found, rb_buf_str(&text), text.len, path, err));
    if (found.payload.len != envelope->payload.len ||
        memcmp(rb_buf_str(&found.payload), rb_buf_str(&envelope->payload), found.payload.len) != 0)
        return rb_fail(err, RB_FOUND,
                       "%s holds another payload than the manifest of %s; nothing was signed", path,
                       tag);
    if (rb_envelope_check(&people, &unknown, &found, signers, err) != RB_OK)
        return rb_err_prefix(err, "%s: nothing was signed", path);
    if (unknown > 0)
        rb_ui_note(cli, "%s has %zu signature%s of unknown signers, kept as found", path, unknown,
                   rb_text_s(unknown));
    rb_envelope_clear(envelope);
    *envelope = found;
    found = (rb_envelope){0};
    return RB_OK;
}

/* Adds what the ledger records about the release. The texts live as long as the session's ledger.
 */
static void add_ledger(rb_summary *out, char ids[2][RB_OID_HEX], rb_cli *cli)
{
    rb_verdict_decision judgement;
    const rb_entry *policy = rb_policy_entry(cli->session.policy);
    rb_verdict_of(&judgement, cli->session.ledger, cli->session.policy,
                  &rb_release_journals(cli)->own, out->tag, out->object);
    out->verdict = rb_verdict_name(judgement.verdict);
    if (judgement.entry) {
        rb_oid_hex(&judgement.entry->id, ids[0]);
        out->verdict_entry = ids[0];
    }
    if (policy) {
        rb_oid_hex(&policy->id, ids[1]);
        out->policy = ids[1];
    }
}

/* Lists the reasons why the summary is FAILED. */
static void say_why(rb_strs *out, const rb_summary *summary, rb_cli *cli, const rb_problems *chain,
                    const rb_problems *content)
{
    const rb_problems *all[] = {chain, content};
    const size_t before = out->n;
    for (size_t a = 0; a < 2; a++)
        for (size_t i = 0; i < all[a]->n && out->n < REASONS; i++)
            if (!all[a]->items[i].warning)
                rb_strs_take(out, rb_format("it does not verify: %s", all[a]->items[i].message));
    if (!summary->passed && out->n == before)
        rb_strs_add(out, "it does not verify");
    if (rb_text_same(summary->verdict, "bad")) {
        RB_AUTO(rb_free_str) char *bad = NULL;
        (void)rb_release_verdict(&bad, cli, summary->tag, summary->object);
        rb_strs_take(out, rb_format("its verdict is bad%s%s", bad && *bad ? ": " : "",
                                    bad && *bad ? bad : ""));
    }
    rb_json_each (rule, summary->rules)
        if (!json_is_true(json_object_get(rule, "met")) && out->n < REASONS)
            rb_strs_take(out, rb_template(json_is_string(json_object_get(rule, "transition"))
                                              ? "its transition {transition:id} in {environment} "
                                                "broke the rule {rule}: it needed {needed} and had "
                                                "{found}"
                                              : "a deploy to {environment} now breaks the rule "
                                                "{rule}: it needs {needed} and has {found}",
                                          rule));
}

/* Judges a deploy that starts now: the approvals that it has, and the age of its evidence. */
static void judge_deploy(json_t *rules, const rb_policy *policy, const rb_release *release,
                         const char *env, int64_t now)
{
    RB_AUTO(rb_approvals_clear) rb_approvals given = {0};
    RB_AUTO(rb_judgement_clear) rb_judgement found;
    rb_approvals_count(&given, policy, release, env, "deploy");
    if (given.needed > 0)
        json_array_append_new(rules,
                              rb_judged_json(&(rb_judged){.rule = "approvals",
                                                          .environment = env,
                                                          .needed = given.needed,
                                                          .found = given.given,
                                                          .met = given.given >= given.needed}));
    rb_judge_deploy(&found, policy, env, rb_judge_live(policy, env), now);
    for (size_t i = 0; i < found.n; i++)
        json_array_append_new(rules, rb_judged_json(&found.items[i]));
}

/* Judges each transition to the release by the policy's rules. If no transition reached the
 * environment that --env names, judges a deploy to it now. */
static json_t *judge_rules(rb_cli *cli, const rb_release *release, const char *object,
                           const char *env, int64_t now)
{
    json_t *rules = json_array();
    const rb_policy *policy = cli->session.policy;
    RB_AUTO(rb_judgement_clear) rb_judgement found;
    rb_judge_transitions(&found, policy, false);
    for (size_t i = 0; i < found.n; i++)
        if (rb_text_same(found.items[i].object, object) &&
            (!env || rb_text_same(found.items[i].environment, env)))
            json_array_append_new(rules, rb_judged_json(&found.items[i]));
    if (env && release && !rb_deployment_find(cli->session.ledger, object, env))
        judge_deploy(rules, policy, release, env, now);
    return rules;
}

/* Makes a summary of the checks of `verify TAG` (signature, chain, policy, content), and of the
 * ledger's verdict and transitions. why is empty if the summary is PASSED. */
static enum rb_code make_summary(rb_envelope *out, rb_strs *why, rb_cli *cli, const char *tag,
                                 const rb_options *o, rb_err *err)
{
    char ids[2][RB_OID_HEX];
    RB_AUTO(rb_tag_freep) rb_tag *read = NULL;
    RB_AUTO(rb_chain_freep) rb_chain *chain = NULL;
    RB_AUTO(rb_problems_clear) rb_problems problems = {0};
    RB_AUTO(rb_free_str) char *key = NULL;
    RB_TRY(rb_session_ledger(&cli->session, err));
    rb_repo *repo = cli->session.repo;
    RB_TRY(rb_trust_key(&key, NULL, repo, o->key, err));
    RB_TRY(rb_session_tag(&read, &cli->session, tag, err));
    RB_TRY(rb_history_load(&chain, cli->session.policy, NULL, err));
    const rb_chain_item *item = rb_chain_find(chain, tag);
    if (!item)
        return rb_fail(err, RB_FOUND, "%s is not a release: it has no manifest", tag);
    const rb_release *release = rb_chain_open(chain, item);
    if (release && rb_release_verify(&problems, release, repo, 0, err) == RB_ERROR)
        return RB_ERROR;
    char sha256[RB_SHA256_HEX];
    rb_sha256_hex_of(rb_buf_str(&read->raw), read->raw.len, sha256);
    RB_AUTO(rb_free_str) char *verifier = rb_format("urn:rbtool:key:%s", key);
    rb_summary summary = {
        .tag = tag,
        .object = item->object,
        .sha256 = sha256,
        .release = release,
        .passed = release && !rb_problems_any(&item->problems) && !rb_problems_any(&problems),
        .verifier = o->verifier ? o->verifier : verifier,
        .version = RB_VERSION,
        .resource = o->resource,
        .when = (int64_t)time(NULL),
    };
    add_ledger(&summary, ids, cli);
    RB_AUTO(rb_json_freep)
    json_t *rules = judge_rules(cli, release, item->object, o->env, summary.when);
    summary.rules = rules;
    if (!rb_summary_passed(&summary))
        say_why(why, &summary, cli, &item->problems, &problems);
    summary.reasons = why;
    RB_AUTO(rb_json_freep) json_t *statement = rb_summary_statement(&summary);
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    rb_json_canonical(&text, statement);
    rb_envelope_make(out, text.data, text.len);
    return RB_OK;
}

static enum rb_code write_envelope(rb_cli *cli, const rb_envelope *envelope, const char *path,
                                   rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    rb_envelope_write(&text, envelope);
    if (path)
        return rb_file_replace(path, text.data, text.len, err);
    fwrite(text.data, 1, text.len, stdout);
    cli->answered = true;
    return RB_OK;
}

static enum rb_code sign(rb_cli *cli, rb_envelope *envelope, const rb_options *o, rb_err *err)
{
    bool added;
    RB_TRY(rb_envelope_sign(envelope, &added, cli->session.repo, o->key, err));
    if (!added)
        rb_ui_note(cli, "%s has a signature by this key already; no second one was added",
                   o->append);
    if (o->public_key) {
        RB_AUTO(rb_buf_clear) rb_buf pem = {0};
        RB_TRY(rb_trust_key(NULL, &pem, cli->session.repo, o->key, err));
        RB_TRY(rb_file_replace(o->public_key, pem.data, pem.len, err));
    }
    return RB_OK;
}

static enum rb_code run(rb_cli *cli, rb_options *o, rb_err *err)
{
    RB_AUTO(rb_envelope_clear) rb_envelope envelope = {0};
    RB_AUTO(rb_strs_clear) rb_strs why = {0};
    RB_TRY(check_options(o, err));
    if (o->vsa)
        RB_TRY(make_summary(&envelope, &why, cli, o->argv[0], o, err));
    else
        RB_TRY(make_manifest(&envelope, cli, o->argv[0], o, err));
    if (o->append)
        RB_TRY(take_envelope(&envelope, cli, o->argv[0], o->append, err));
    RB_TRY(sign(cli, &envelope, o, err));
    RB_TRY(write_envelope(cli, &envelope, o->output ? o->output : o->append, err));
    if (why.n == 0)
        return RB_OK;
    RB_AUTO(rb_buf_clear) rb_buf reasons = {0};
    for (size_t i = 0; i < why.n; i++)
        rb_buf_printf(&reasons, "%s%s", i ? "; and " : "", why.items[i]);
    return rb_fail(err, RB_FOUND,
                   "the summary of %s says FAILED: %s\nsee `rbtool verify %s` and `rbtool show %s`",
                   o->argv[0], rb_buf_str(&reasons), o->argv[0], o->argv[0]);
}

RB_COMMAND(attest, "TAG", "write the manifest as a signed DSSE envelope", RB_GROUP_AUDIT, 1, 1, 0);
