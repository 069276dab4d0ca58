#include <stdlib.h>
#include <string.h>

#include "base/shape.h"
#include "ledger_write.h"
#include "release_status.h"
#include "ui.h"

static const rb_opt opts[] = {
    RB_TEXT("message", 'm', "WHY", "what was looked at", why),
    RB_TEXT("env", 'e', "NAME", "for this environment only (default: for any)", env), RB_OPTION_KEY,
    RB_OPTION_JSON, RB_OPTIONS_END};

static bool share(const char *a, const char *b)
{
    for (const char *p = a; *p; p += *p == ',') {
        size_t len = strcspn(p, ",");
        for (const char *q = b; *q; q += *q == ',') {
            size_t other = strcspn(q, ",");
            if (len == other && strncmp(p, q, len) == 0)
                return true;
            q += other;
        }
        p += len;
    }
    return false;
}

/* Verifies the release: its signature, its contents, and its signer under the policy. */
static enum rb_code verify(rb_release **out, rb_cli *cli, const char *tag, rb_err *err)
{
    RB_AUTO(rb_release_freep) rb_release *release = NULL;
    RB_AUTO(rb_problems_clear) rb_problems problems = {0};
    RB_TRY(rb_session_release(&release, &cli->session, tag, NULL, err));
    RB_TRY(rb_session_ledger(&cli->session, err));
    enum rb_code code = rb_release_verify(&problems, release, cli->session.repo, 0, err);
    if (code == RB_FOUND && problems.n > 0)
        code = rb_fail(err, RB_FOUND, "release %s does not verify: %s", tag,
                       problems.items[0].message);
    if (code == RB_OK)
        code = rb_policy_check_release(&problems, cli->session.policy, release, err);
    if (code != RB_OK)
        return code;
    *out = RB_TAKE(release);
    return RB_OK;
}

static enum rb_code refuse_own(const rb_caller *caller, const rb_release *release, rb_err *err)
{
    const char *principal = rb_verified_principal(release->verified);
    bool key = strcmp(caller->fingerprint, rb_verified_fingerprint(release->verified)) == 0;
    if (!key && !share(caller->principal, principal))
        return RB_OK;
    return rb_fail(err, RB_FOUND,
                   "release %s is signed by %s with %s\nan approval takes somebody else",
                   release->tag, principal, key ? "this very key" : "another key of yours");
}

/* True if one of the valid approvals was signed by the caller. */
static bool has_approved(const rb_approvals *now, const rb_caller *caller)
{
    for (size_t i = 0; i < now->people.n; i++)
        if (share(now->people.items[i], caller->principal))
            return true;
    return false;
}

/* Prints the result. id is NULL if no entry was written. */
static enum rb_code report(rb_cli *cli, const rb_draft *draft, const rb_caller *caller,
                           const rb_release *release, const rb_oid *id, rb_err *err)
{
    const char *environment = draft->environment;
    RB_AUTO(rb_approvals_clear) rb_approvals now = {0};
    RB_TRY(rb_session_ledger(&cli->session, err));
    rb_approvals_count(&now, cli->session.policy, release, environment, "deploy");
    if (cli->json) {
        RB_AUTO(rb_json_freep) json_t *json = rb_ledger_write_document(draft, caller, id);
        rb_json_set(json, "given:i needed:i", (int64_t)now.given, (int64_t)now.needed);
        rb_ui_json(cli, json);
        return RB_OK;
    }
    if (id)
        rb_ui_line("<green>approved</> %s %s, by %s (entry %.10s)", release->tag, draft->title,
                   caller->principal, rb_ledger_write_id(id).hex);
    else
        rb_ui_line("nothing to do: %s has an approval by %s for %s, and another one by the same "
                   "person changes nothing",
                   release->tag, caller->principal, environment ? environment : "any environment");
    if (environment && now.needed > 0)
        rb_ui_line("%s to %s: %d of %d approvals to deploy", release->tag, environment, now.given,
                   now.needed);
    else if (environment)
        rb_ui_line("%s to %s: no approval is needed to deploy", release->tag, environment);
    if (id)
        rb_ledger_write_hint(cli);
    return RB_OK;
}

static enum rb_code run(rb_cli *cli, rb_options *o, rb_err *err)
{
    if (o->env && !rb_shape_is_name(o->env))
        return rb_fail(err, RB_ERROR, "'%s' is not a name of an environment", o->env);
    RB_AUTO(rb_caller_clear) rb_caller caller = {0};
    RB_AUTO(rb_release_freep) rb_release *release = NULL;
    RB_AUTO(rb_approvals_clear) rb_approvals before = {0};
    RB_TRY(rb_ledger_write_caller(&caller, cli, RB_ROLE_APPROVE, o->key, "an approval", err));
    RB_TRY(verify(&release, cli, o->argv[0], err));
    RB_TRY(refuse_own(&caller, release, err));
    RB_TRY(rb_session_ledger(&cli->session, err));
    rb_approvals_count(&before, cli->session.policy, release, o->env, "deploy");
    const char *why = o->why ? o->why : "";
    RB_AUTO(rb_json_freep) json_t *detail = json_pack("{s:s}", "why", why);
    RB_AUTO(rb_free_str)
    char *title =
        rb_format("for %s%s%s", o->env ? o->env : "any environment", *why ? ": " : "", why);
    const rb_draft draft = {.kind = RB_ENTRY_APPROVAL,
                            .tag = release->tag,
                            .object = release->object,
                            .environment = o->env,
                            .title = title,
                            .detail = detail,
                            .key = o->key,
                            .must_sign = true};
    if (has_approved(&before, &caller))
        return report(cli, &draft, &caller, release, NULL, err);
    rb_oid id;
    RB_TRY(rb_ledger_write_entry(&id, cli, &draft, err));
    return report(cli, &draft, &caller, release, &id, err);
}

RB_COMMAND(approve, "TAG", "approve a release, as a second pair of eyes", RB_GROUP_PEOPLE, 1, 1,
           RB_CHANGES);
