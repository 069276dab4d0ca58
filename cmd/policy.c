#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/template.h"
#include "git/refs.h"
#include "ledger/identity.h"
#include "ledger_write.h"
#include "release_status.h"
#include "status.h"
#include "ui.h"

#define POLICY_LIMIT (1u << 20) /* bytes of FILE */
#define TRIES 20

static const rb_opt opts[] = {
    RB_TEXT("message", 'm', "WHY", "set: the reason", why),
    RB_TEXT("over", 0, "ID",
            "set: if several policies are in force, the one to continue from; the others end",
            over),
    RB_TEXT("key", 0, "FILE", "set: sign with this key (default: git's user.signingKey)", key),
    RB_OPTION_JSON, RB_OPTIONS_END};

static json_t *document(const rb_cli *cli)
{
    json_t *in_force = json_array();
    json_t *problems = json_array();
    for (size_t i = 0; i < rb_policy_count(cli->session.policy); i++) {
        const rb_entry *entry = rb_policy_at(cli->session.policy, i);
        const json_t *detail = rb_entry_detail(entry);
        json_array_append_new(in_force,
                              rb_json_make("entry:s version:J signer:s fingerprint:s at:i policy:J",
                                           rb_ledger_write_id(&entry->id).hex,
                                           json_object_get(detail, "version"), entry->principal,
                                           entry->fingerprint, (int64_t)entry->at,
                                           json_object_get(detail, "policy")));
    }
    for (size_t i = 0; i < cli->session.claims.n; i++) {
        const rb_problem *claim = &cli->session.claims.items[i];
        json_array_append_new(problems,
                              rb_json_make("entry:s message:t", claim->field, claim->message));
    }
    return json_pack("{s:o,s:o,s:o}", "roots", rb_json_strs(rb_policy_roots(cli->session.policy)),
                     "inForce", in_force, "problems", problems);
}

static void show_rules(const json_t *policy)
{
    for (int role = 0; role < RB_ROLES; role++) {
        const char *word = rb_role_name((enum rb_role)role);
        const json_t *list = json_object_get(json_object_get(policy, "roles"), word);
        RB_AUTO(rb_free_str) char *members = rb_template("{.|nobody}", list);
        rb_ui_line("  role %-12s %s", word, list ? members : "every allowed signer");
    }
    rb_json_each_member (name, rules, json_object_get(policy, "environments")) {
        RB_AUTO(rb_free_str)
        char *text =
            rb_template("{approvals.deploy|0} approvals to deploy, {approvals.revert|0} to "
                        "revert{signed?; entries must be signed:}",
                        rules);
        rb_ui_line("  environment %s: %s", strcmp(name, "*") == 0 ? "* (any other)" : name, text);
    }
    rb_json_each (key, json_object_get(policy, "revoked"))
        rb_ui_item("  revoked {key}[: {why}]", key);
}

static void show_root(const json_t *all)
{
    const size_t policies = json_array_size(json_object_get(all, "inForce"));
    rb_ui_item(json_array_size(json_object_get(all, "roots")) == 0
                   ? "no policy: git config rbtool.root is not set, so every allowed signer may do "
                     "everything"
               : policies == 0
                   ? "<yellow>no policy in the ledger here</>, so only the root may do anything "
                     "({roots}): `rbtool sync`, or `rbtool policy set FILE`"
                   : "root {roots}",
               all);
    if (policies > 1)
        rb_ui_line("<yellow>%zu policies were set at the same time</>: all are in force, the "
                   "strictest holds, until `rbtool policy set FILE --over ID` settles it",
                   policies);
}

static enum rb_code show(rb_cli *cli, rb_err *err)
{
    RB_TRY(rb_session_ledger(&cli->session, err));
    RB_AUTO(rb_json_freep) json_t *all = document(cli);
    if (cli->json) {
        rb_ui_json(cli, all);
        return RB_OK;
    }
    show_root(all);
    rb_json_each (policy, json_object_get(all, "inForce")) {
        RB_AUTO(rb_free_str) char *at = rb_status_time(rb_json_int(policy, "at", 0));
        rb_json_set(policy, "at:s", at);
        rb_ui_item("<bold>policy version {version}</>, entry {entry:id}, set by {signer}, {at}",
                   policy);
        show_rules(json_object_get(policy, "policy"));
    }
    rb_json_each (problem, json_object_get(all, "problems"))
        rb_ui_note(cli, "<yellow>not in force</>: %s", rb_json_str(problem, "message"));
    return RB_OK;
}

/* Writes the policy as the child of the entry that was checked. If another entry was written in
 * between, checks and tries again. */
static enum rb_code try_set(rb_oid *out, rb_cli *cli, const rb_options *o, const json_t *json,
                            const rb_caller *caller, rb_err *err)
{
    rb_session_ledger_changed(&cli->session);
    RB_TRY(rb_session_ledger(&cli->session, err));
    const rb_ledger *ledger = cli->session.ledger;
    RB_AUTO(rb_json_freep) json_t *detail = NULL;
    RB_TRY(rb_policy_draft(&detail, cli->session.policy, json, caller, o->over, err));
    RB_AUTO(rb_free_str)
    char *title = rb_format("version %d%s%s", (int)rb_json_int(detail, "version", 0),
                            o->why ? ": " : "", o->why ? o->why : "");
    rb_draft draft = {.kind = RB_ENTRY_POLICY,
                      .title = title,
                      .detail = detail,
                      .key = o->key,
                      .must_sign = true};
    RB_TRY(rb_ledger_write_app(&draft.app, cli, err));
    if (!draft.app)
        draft.app = ledger->app;
    RB_TRY(
        rb_ledger_write(out, cli->session.repo, &draft, &ledger->tip, ledger->n > 0 ? 1 : 0, err));
    RB_TRY(rb_ref_move(cli->session.repo, RB_LEDGER_REF, out, ledger->n > 0 ? &ledger->tip : NULL,
                       err));
    rb_ledger_pin(cli->session.repo,
                  ledger->n > 0 ? ledger->ids.items[0] : rb_ledger_write_id(out).hex);
    return RB_OK;
}

static enum rb_code set(rb_cli *cli, const rb_options *o, const char *path, rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    RB_AUTO(rb_json_freep) json_t *json = NULL;
    RB_AUTO(rb_caller_clear) rb_caller caller = {0};
    RB_TRY(rb_file_read(&text, path, POLICY_LIMIT, err));
    RB_TRY(rb_policy_read(&json, rb_buf_str(&text), text.len, path, err));
    RB_TRY(rb_ledger_write_ready(cli, true, err));
    RB_TRY(rb_session_ledger(&cli->session, err));
    RB_TRY(rb_caller_find(&caller, cli->session.repo, cli->session.signers, o->key, true, err));
    rb_oid id;
    enum rb_code code = try_set(&id, cli, o, json, &caller, err);
    for (int i = 1; code == RB_BUSY && i < TRIES; i++)
        code = try_set(&id, cli, o, json, &caller, err);
    if (code != RB_OK)
        return code;
    rb_session_ledger_changed(&cli->session);
    RB_TRY(rb_session_ledger(&cli->session, err));
    const rb_entry *now = rb_policy_entry(cli->session.policy);
    if (!now || rb_policy_count(cli->session.policy) != 1 || !rb_oid_equal(&now->id, &id))
        return rb_fail(err, RB_FOUND,
                       "entry %.10s was written, but is not the policy in force%s%s\nsee `rbtool "
                       "policy show`",
                       rb_ledger_write_id(&id).hex, cli->session.claims.n ? ": " : "",
                       cli->session.claims.n
                           ? cli->session.claims.items[cli->session.claims.n - 1].message
                           : "");
    rb_ui_line("policy version %d is in force, set by %s (entry %.10s)",
               (int)rb_json_int(rb_entry_detail(now), "version", 0), caller.principal,
               rb_ledger_write_id(&id).hex);
    rb_ledger_write_hint(cli);
    return RB_OK;
}

static enum rb_code run(rb_cli *cli, rb_options *o, rb_err *err)
{
    bool setting = strcmp(o->argv[0], "set") == 0;
    if (!setting && strcmp(o->argv[0], "show") != 0)
        return rb_fail(err, RB_ERROR, "policy takes `show` or `set FILE`, not '%s'", o->argv[0]);
    if (setting != (o->argc == 2))
        return rb_fail(err, RB_ERROR,
                       setting ? "policy set needs the FILE with the policy"
                               : "policy show takes no argument");
    if (!setting && (o->why || o->over || o->key))
        return rb_fail(err, RB_ERROR, "-m, --over and --key are for `policy set`");
    if (setting && cli->json)
        return rb_fail(err, RB_ERROR, "--json is for `policy show`");
    return setting ? set(cli, o, o->argv[1], err) : show(cli, err);
}

RB_COMMAND(policy, "show|set FILE", "show or set who may do what", RB_GROUP_PEOPLE, 1, 2,
           RB_CHANGES);
