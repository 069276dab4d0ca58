#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "git/refs.h"
#include "ledger/identity.h"
#include "ledger_write.h"
#include "release_status.h"
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
        json_t *item = json_object();
        rb_json_set_str(item, "entry", rb_word_id(&entry->id).hex);
        json_object_set(item, "version", json_object_get(detail, "version"));
        rb_json_set_str(item, "signer", entry->principal);
        rb_json_set_str(item, "fingerprint", entry->fingerprint);
        json_object_set_new(item, "at", json_integer(entry->at));
        json_object_set(item, "policy", json_object_get(detail, "policy"));
        json_array_append_new(in_force, item);
    }
    for (size_t i = 0; i < cli->session.claims.n; i++) {
        RB_AUTO(rb_free_str) char *safe = rb_safe(cli->session.claims.items[i].message);
        json_t *item = json_object();
        rb_json_set_str(item, "entry", cli->session.claims.items[i].field);
        rb_json_set_str(item, "message", safe);
        json_array_append_new(problems, item);
    }
    return json_pack("{s:o,s:o,s:o}", "roots", rb_json_strs(rb_policy_roots(cli->session.policy)),
                     "inForce", in_force, "problems", problems);
}

static void show_rules(const json_t *policy)
{
    const char *name;
    json_t *item;
    size_t i;
    for (int role = 0; role < RB_ROLES; role++) {
        const char *word = rb_role_name((enum rb_role)role);
        const json_t *list = json_object_get(json_object_get(policy, "roles"), word);
        RB_AUTO(rb_buf_clear) rb_buf members = {0};
        json_array_foreach ((json_t *)list, i, item)
            rb_buf_printf(&members, "%s%s", i ? ", " : "", json_string_value(item));
        rb_ui_line("  role %-12s %s", word,
                   !list         ? "every allowed signer"
                   : members.len ? members.data
                                 : "nobody");
    }
    json_object_foreach (json_object_get(policy, "environments"), name, item) {
        const json_t *approvals = json_object_get(item, "approvals");
        rb_ui_line("  environment %s: %d approvals to deploy, %d to revert%s",
                   strcmp(name, "*") == 0 ? "* (any other)" : name,
                   (int)rb_json_int(approvals, "deploy", 0),
                   (int)rb_json_int(approvals, "revert", 0),
                   json_is_true(json_object_get(item, "signed")) ? "; entries must be signed" : "");
    }
    json_array_foreach (json_object_get(policy, "revoked"), i, item) {
        const char *why = rb_json_str(item, "why");
        rb_ui_line("  revoked %s%s%s", rb_json_str(item, "key"), why ? ": " : "", why ? why : "");
    }
}

static void show_root(const rb_cli *cli, const rb_policy *policy)
{
    const rb_strs *roots = rb_policy_roots(policy);
    RB_AUTO(rb_buf_clear) rb_buf list = {0};
    for (size_t i = 0; i < roots->n; i++)
        rb_buf_printf(&list, "%s%s", i ? ", " : "", roots->items[i]);
    if (roots->n == 0)
        rb_ui_line("no policy: git config rbtool.root is not set, so every allowed signer may do "
                   "everything");
    else if (rb_policy_count(policy) == 0)
        rb_ui_line("%sno policy in the ledger here%s, so only the root may do anything (%s): "
                   "`rbtool sync`, or `rbtool policy set FILE`",
                   rb_ui_color(cli, RB_YELLOW), rb_ui_color(cli, RB_PLAIN), list.data);
    else
        rb_ui_line("root %s", list.data);
    if (rb_policy_count(policy) > 1)
        rb_ui_line("%s%zu policies were set at the same time%s: all are in force, the strictest "
                   "holds, until `rbtool policy set FILE --over ID` settles it",
                   rb_ui_color(cli, RB_YELLOW), rb_policy_count(policy),
                   rb_ui_color(cli, RB_PLAIN));
}

static enum rb_code show(rb_cli *cli, rb_err *err)
{
    RB_TRY(rb_session_ledger(&cli->session, err));
    if (cli->json) {
        RB_AUTO(rb_json_freep) json_t *all = document(cli);
        rb_ui_json(cli, all);
        return RB_OK;
    }
    show_root(cli, cli->session.policy);
    for (size_t i = 0; i < rb_policy_count(cli->session.policy); i++) {
        const rb_entry *entry = rb_policy_at(cli->session.policy, i);
        const json_t *detail = rb_entry_detail(entry);
        char when[32] = "";
        time_t at = (time_t)entry->at;
        struct tm tm;
        if (gmtime_r(&at, &tm))
            strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S UTC", &tm);
        rb_ui_line("%spolicy version %d%s, entry %.10s, set by %s, %s", rb_ui_color(cli, RB_BOLD),
                   (int)rb_json_int(detail, "version", 0), rb_ui_color(cli, RB_PLAIN),
                   rb_word_id(&entry->id).hex, entry->principal, when);
        show_rules(json_object_get(detail, "policy"));
    }
    for (size_t i = 0; i < cli->session.claims.n; i++)
        rb_ui_note(cli, "%snot in force%s: %s", rb_ui_color(cli, RB_YELLOW),
                   rb_ui_color(cli, RB_PLAIN), cli->session.claims.items[i].message);
    return RB_OK;
}

/* Writes the policy on top of the tip that was checked. If another entry came in between, checks
 * again. */
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
    RB_TRY(rb_word_app(&draft.app, cli, err));
    if (!draft.app)
        draft.app = ledger->app;
    RB_TRY(
        rb_ledger_write(out, cli->session.repo, &draft, &ledger->tip, ledger->n > 0 ? 1 : 0, err));
    RB_TRY(rb_ref_move(cli->session.repo, RB_LEDGER_REF, out, ledger->n > 0 ? &ledger->tip : NULL,
                       err));
    rb_ledger_pin(cli->session.repo, ledger->n > 0 ? ledger->ids.items[0] : rb_word_id(out).hex);
    return RB_OK;
}

static enum rb_code set(rb_cli *cli, const rb_options *o, const char *path, rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    RB_AUTO(rb_json_freep) json_t *json = NULL;
    RB_AUTO(rb_caller_clear) rb_caller caller = {0};
    RB_TRY(rb_file_read(&text, path, POLICY_LIMIT, err));
    RB_TRY(rb_policy_read(&json, rb_buf_str(&text), text.len, path, err));
    RB_TRY(rb_word_ready(cli, true, err));
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
                       rb_word_id(&id).hex, cli->session.claims.n ? ": " : "",
                       cli->session.claims.n
                           ? cli->session.claims.items[cli->session.claims.n - 1].message
                           : "");
    rb_ui_line("policy version %d is in force, set by %s (entry %.10s)",
               (int)rb_json_int(rb_entry_detail(now), "version", 0), caller.principal,
               rb_word_id(&id).hex);
    rb_word_hint(cli);
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
