#include "deploy_watch.h"
#include "environment/state_watch.h"
#include "ui.h"

static const rb_opt opts[] = {
    RB_OPTION_ENV,
    RB_FLAG("step-done", 0, "the script that was cut off outside of a transaction is complete",
            step_done),
    RB_FLAG("step-retry", 0, "that script runs again from its beginning", step_retry),
    RB_OPTION_LOCK,
    RB_OPTION_STATEMENT,
    RB_OPTION_TERMINATE,
    RB_OPTION_YES,
    RB_OPTION_JSON,
    RB_OPTIONS_END};

/* Continues the watch of a deploy whose transition has ended. */
static enum rb_code resume_watch(rb_cli *cli, rb_env_session *site, const rb_options *o,
                                 rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *watch = NULL;
    bool over;
    RB_TRY(rb_state_watch(&watch, &over, site->state, err));
    const char *outcome = rb_json_str(watch, "outcome");
    const char *release = rb_json_str(watch, "release");
    RB_AUTO(rb_free_str)
    char *nothing = watch && !over && outcome
                        ? rb_format("no transition is half-way, and the watch of %s ended: %s",
                                    release, outcome)
                        : rb_strdup("no transition is half-way");
    if (!rb_state_watch_is_open(site->state))
        return rb_env_session_nothing(cli, site, NULL, NULL, nothing);
    RB_AUTO(rb_free_str)
    char *what = rb_format("go on watching %s in %s", release, site->env->name);
    RB_TRY(rb_env_session_confirm(cli, o, what, err));
    return rb_deploy_watch(cli, site, err);
}

static enum rb_code resume(rb_cli *cli, rb_env_session *site, const rb_options *o, rb_transition *t,
                           rb_err *err)
{
    RB_TRY(rb_transition_load(t, site->session, site->env, site->state, true, err));
    const rb_transition_row *row = t->row;
    if (!row)
        return resume_watch(cli, site, o, err);
    RB_TRY(rb_env_session_bound(cli, site, err));
    RB_AUTO(rb_free_str)
    char *what = rb_format("go on with the %s of %s from %s to %s", row->kind, site->env->name,
                           row->from ? row->from : "nothing", row->to);
    rb_ui_note(cli, "%s (transition %s)", what, row->id);
    RB_TRY(rb_env_session_confirm(cli, o, what, err));
    RB_TRY(rb_env_session_continue(cli, site, t, o, err));
    return rb_state_watch_is_open(site->state) ? rb_deploy_watch(cli, site, err) : RB_OK;
}

static enum rb_code run(rb_cli *cli, rb_options *o, rb_err *err)
{
    if (o->step_done && o->step_retry)
        return rb_fail(err, RB_ERROR,
                       "--step-done and --step-retry exclude each other\ngive the one that is "
                       "true of the script");
    RB_AUTO(rb_env_session_close) rb_env_session site = {0};
    RB_AUTO(rb_transition_clear) rb_transition t = {0};
    RB_TRY(rb_env_session_open(&site, cli, o->env, true, err));
    return rb_env_session_halfway(&site, resume(cli, &site, o, &t, err), err);
}

RB_COMMAND(resume, "", "complete a transition that stopped half-way", RB_GROUP_BREAKS, 0, 0,
           RB_CHANGES);
