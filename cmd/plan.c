#include <stdio.h>
#include <string.h>

#include "env_session.h"
#include "report/runbook.h"
#include "transition/plan_make.h"
#include "ui.h"

static const rb_opt opts[] = {
    RB_TEXT("deploy", 0, "TAG", "plan `deploy TAG` instead of a revert", deploy),
    RB_OPTION_TO,
    RB_OPTION_ENV,
    RB_OPTION_ONLY,
    RB_OPTION_SCRIPTS,
    RB_OPTION_REHEARSE,
    RB_TEXT("format", 0, "FORMAT", "text, json, or markdown (the runbook)", format),
    RB_OPTION_JSON,
    RB_OPTIONS_END};

static bool is_runbook(const rb_options *o)
{
    return o->format && strcmp(o->format, "markdown") == 0;
}

static enum rb_code print(rb_cli *cli, const rb_plan *plan, const rb_env_session *site,
                          const rb_options *o, rb_err *err)
{
    if (is_runbook(o)) {
        RB_TRY(rb_session_ledger(&cli->session, err));
        RB_AUTO(rb_buf_clear) rb_buf text = {0};
        RB_AUTO(rb_buf_clear) rb_buf safe = {0};
        RB_AUTO(rb_free_str) char *program = rb_env_session_program(cli);
        rb_runbook_write(&text, plan, site->env, cli->session.policy, program);
        rb_buf_add_safe_lines(&safe, text.data, text.len);
        rb_ui_text(cli, &safe, false);
    } else if (cli->json) {
        rb_ui_json(cli, plan->json);
    } else {
        rb_env_session_show_plan(cli, plan, false, false);
    }
    return RB_OK;
}

/* Prints a plan without steps, and why nothing is to be done. */
static enum rb_code print_nothing(rb_cli *cli, const rb_env_session *site, const char *tag,
                                  const char *why)
{
    if (!cli->json)
        return rb_env_session_nothing(cli, site, tag, NULL, why);
    rb_ui_document(cli, json_pack("{s:s,s:n,s:s,s:n,s:n,s:n,s:[],s:[],s:[],s:[{s:s,s:s}]}", "from",
                                  tag, "to", "environment", site->env->name, "digest", "class",
                                  "rule", "steps", "dataAtRisk", "bound", "decisions", "code",
                                  "nothing", "message", why));
    return RB_OK;
}

static enum rb_code plan_revert(rb_cli *cli, rb_env_session *site, const rb_options *o,
                                const char *tag, rb_err *err)
{
    RB_AUTO(rb_transition_clear) rb_transition t = {0};
    rb_intent intent;
    RB_TRY(rb_env_session_settled(site, err));
    RB_TRY(rb_env_session_intent(&intent, site, o, "revert", tag, err));
    intent.partial = true;
    if (is_runbook(
            o)) /* a runbook is read later: its commands leave the target release to be filled in */
        intent.target_at = (size_t)(strstr(intent.command, " --env ") - intent.command);
    RB_TRY(rb_env_session_plan(&t, cli, site, &intent, err));
    if (t.nothing)
        return print_nothing(cli, site, tag, t.nothing);
    RB_TRY(print(cli, t.plan, site, o, err));
    return rb_plan_allowed(t.plan, false, NULL, err);
}

/* Refuses options of a revert that have no meaning with --deploy. */
static enum rb_code check_deploy(const rb_options *o, rb_err *err)
{
    const char *other = o->argc > 0     ? "the release to revert"
                        : o->to         ? "--to"
                        : is_runbook(o) ? "--format markdown, the runbook of a revert,"
                                        : NULL;
    if (!o->deploy || !other)
        return RB_OK;
    return rb_fail(err, RB_ERROR,
                   "--deploy and %s cannot be given together\nsee the deploy with `rbtool plan "
                   "--deploy %s`",
                   other, o->deploy);
}

static enum rb_code run(rb_cli *cli, rb_options *o, rb_err *err)
{
    if (o->format && strcmp(o->format, "json") == 0)
        cli->json = true;
    else if (o->format && strcmp(o->format, "text") != 0 && strcmp(o->format, "markdown") != 0)
        return rb_fail(err, RB_ERROR, "--format takes text, json or markdown, not '%s'", o->format);
    RB_TRY(check_deploy(o, err));
    RB_AUTO(rb_env_session_close) rb_env_session site = {0};
    RB_TRY(rb_env_session_open(&site, cli, o->env, false, err));
    RB_TRY(rb_env_session_trusted(cli, &site, err));
    if (o->deploy) {
        o->dry_run = true;
        return rb_env_session_carry_out(cli, &site, o, "deploy", o->deploy, err);
    }
    const char *tag = o->argc > 0 ? o->argv[0] : NULL;
    if (!tag)
        RB_TRY(rb_env_session_to_revert(&tag, &site, &o->only, "revert", err));
    return plan_revert(cli, &site, o, tag, err);
}

RB_COMMAND(plan, "[TAG]", "show what `revert TAG` would do, and what it would cost",
           RB_GROUP_BREAKS, 0, 1, 0);
