/* `rbtool env trust`: accepts settings that differ from those that this host recorded. */
#include "env_session.h"

#include <string.h>

#include "base/text.h"
#include "ledger_write.h"
#include "ui.h"

/* Lists the rules that accepting the settings overrides: [{"rule": "environment" or "settings",
 * "old": name of the environment before, "root": the environment itself is renamed, "what": text
 * for people}]. The item with "root" is last: the newest entry about the same names counts. */
static json_t *find_passings(const rb_env_session *site)
{
    const rb_binding *binding = &site->binding;
    const char *name = site->env->name;
    json_t *all = json_array();
    rb_json_each (item, binding->databases) {
        const char *old = rb_json_str(item, "environment");
        RB_AUTO(rb_free_str)
        char *what = rb_format("database %s of %s was last moved as %s",
                               rb_json_str(item, "database"), name, old);
        json_array_append_new(
            all, rb_json_make("rule:s old:s root:b what:s", "environment", old, false, what));
    }
    if (binding->environment && strcmp(binding->environment, name) != 0) {
        RB_AUTO(rb_free_str) char *what = rb_format("%s was %s before", name, binding->environment);
        json_array_append_new(all, rb_json_make("rule:s old:s root:b what:s", "environment",
                                                binding->environment, true, what));
    }
    if (rb_state_is_copy(site->state)) {
        RB_AUTO(rb_free_str)
        char *what = rb_format("the journal of %s comes from another host or folder", name);
        json_array_append_new(
            all, rb_json_make("rule:s old:s root:b what:s", "settings", name, false, what));
    }
    return all;
}

/* Finds the live release in the journal; if that was replaced by another one, in the ledger. */
static void find_live(rb_draft *draft, const rb_env_session *site, const rb_ledger *ledger,
                      const char *environment)
{
    for (int part = 0; part < RB_PARTS && !draft->tag; part++) {
        draft->tag = site->live.tag[part];
        draft->object = site->live.object[part];
    }
    for (size_t i = ledger->n; i > 0 && !draft->tag; i--) {
        const rb_entry *entry = &ledger->items[i - 1];
        const json_t *detail = rb_entry_detail(entry);
        if (entry->kind == RB_ENTRY_TRANSITION && rb_text_same(entry->environment, environment) &&
            rb_outcome_reached(rb_json_str(detail, "outcome")) && rb_json_str(detail, "toObject")) {
            draft->tag = rb_json_str(detail, "to");
            draft->object = rb_json_str(detail, "toObject");
        }
    }
}

static enum rb_code record_one(rb_cli *cli, const rb_env_session *site, const json_t *passing,
                               const char *why, rb_err *err)
{
    const char *rule = rb_json_str(passing, "rule");
    const char *old = rb_json_str(passing, "old");
    const char *what = rb_json_str(passing, "what");
    rb_oid id;
    RB_TRY(rb_session_ledger(&cli->session, err));
    RB_AUTO(rb_free_str)
    char *title = rb_format("%s for %s: %s: %s", rule, site->env->name, what, why);
    RB_AUTO(rb_json_freep)
    json_t *detail = json_pack("{s:s,s:s,s:n}", "rule", rule, "why", why, "transition");
    if (detail && json_is_true(json_object_get(passing, "root")))
        rb_json_set_str(detail, "environment", old);
    rb_draft draft = {.kind = RB_ENTRY_OVERRIDE,
                      .environment = site->env->name,
                      .title = title,
                      .detail = detail,
                      .must_sign = true,
                      .begins = true};
    find_live(&draft, site, cli->session.ledger, old);
    RB_AUTO(rb_free_str) char *tag = draft.tag ? rb_strdup(draft.tag) : NULL;
    RB_AUTO(rb_free_str) char *object = draft.object ? rb_strdup(draft.object) : NULL;
    draft.tag = tag;
    draft.object = object;
    if (rb_ledger_write_entry(&id, cli, &draft, err) != RB_OK)
        return rb_err_prefix(err, "nothing was changed, since the override cannot be recorded");
    rb_ui_note(cli, "<red>OVERRIDE</> %s: %s: %s (entry %.10s)", rule, what, why,
               rb_ledger_write_id(&id).hex);
    return RB_OK;
}

/* Fails unless the clone has the ledger and the root key that the environment is bound to and, if a
 * policy is in force, a key to sign the override. *sign: a key was found. */
static enum rb_code check_may(bool *sign, rb_cli *cli, const rb_env_session *site,
                              const json_t *all, const char *why, rb_err *err)
{
    const json_t *first = json_array_get(all, 0);
    const char *what = rb_json_str(first, "what");
    const char *old = rb_json_str(first, "old");
    if (!(why && *why))
        return rb_fail(err, RB_ERROR,
                       "%s, so that the rules for %s would not apply; nothing was changed\nsay "
                       "why with -m WHY, which is recorded in the ledger",
                       what,
                       rb_text_same(rb_json_str(first, "rule"), "environment") ? old : "that host");
    RB_TRY(rb_ledger_write_ready(cli, true, err));
    RB_TRY(rb_env_session_bound(cli, site, err));
    RB_TRY(rb_session_ledger(&cli->session, err));
    RB_AUTO(rb_caller_clear) rb_caller caller = {0};
    RB_TRY(rb_caller_find(&caller, site->session->repo, site->session->signers, NULL, true, err));
    *sign = caller.principal != NULL;
    if (*sign)
        return RB_OK;
    if (rb_policy_entry(cli->session.policy))
        return rb_fail(err, RB_ERROR,
                       "%s, a policy is in force for %s, and the override that records this must "
                       "be signed: %s; nothing was changed",
                       what, old, caller.why);
    rb_ui_note(cli, "the ledger does not record this, since this host cannot sign it: %s",
               caller.why);
    return RB_OK;
}

static enum rb_code accept(rb_cli *cli, rb_env_session *site, const rb_options *o, rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf shown = {0};
    RB_AUTO(rb_json_freep) json_t *all = find_passings(site);
    const char *name = site->env->name;
    bool sign = false;
    rb_env_session_show_first(cli, site);
    rb_env_session_add_distrust(&shown, site, "");
    rb_ui_text(cli, &shown, true);
    if (rb_state_is_copy(site->state))
        rb_ui_note(cli, "the journal of %s was made on another host or in another folder", name);
    if (json_array_size(all) > 0)
        RB_TRY(check_may(&sign, cli, site, all, o->why, err));
    else if (o->why)
        rb_ui_note(cli, "only settings changed: -m was not needed and is not recorded");
    RB_AUTO(rb_free_str)
    char *what = rb_format("trust the settings of %s in %s", name, site->settings_file);
    RB_TRY(rb_env_session_confirm(cli, o, what, err));
    rb_json_each (passing, sign ? all : NULL)
        RB_TRY(record_one(cli, site, passing, o->why, err));
    RB_TRY(rb_binding_accept(site->state, &site->binding, err));
    return rb_state_is_copy(site->state) ? rb_state_take_over(site->state, site->env->root, err)
                                         : RB_OK;
}

enum rb_code rb_env_trust(rb_cli *cli, const rb_options *o, rb_err *err)
{
    RB_AUTO(rb_env_session_close) rb_env_session site = {.trusting = true};
    RB_TRY(rb_env_session_open(&site, cli, o->env, true, err));
    const char *name = site.env->name;
    RB_AUTO(rb_json_freep) json_t *list = rb_env_session_distrust(&site);
    const bool nothing =
        site.binding.environment && !rb_state_is_copy(site.state) && json_array_size(list) == 0;
    if (!nothing)
        RB_TRY(accept(cli, &site, o, err));
    RB_TRY(rb_env_session_bind(cli, &site, err));
    if (cli->json) {
        rb_ui_document(cli, rb_json_make("environment:s outcome:s accepted:J", name,
                                         nothing ? "nothing" : "trusted", list));
    } else if (nothing) {
        rb_ui_line("nothing to do: the settings of %s are those that this host recorded", name);
    } else {
        rb_ui_line("the settings of %s in %s are recorded on this host", name, site.settings_file);
    }
    return RB_OK;
}
