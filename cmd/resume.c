#include "env_session.h"
#include "ui.h"

static const rb_opt opts[] = {RB_OPTION_ENV,       RB_OPTION_LOCK, RB_OPTION_STATEMENT,
                              RB_OPTION_TERMINATE, RB_OPTION_YES,  RB_OPTION_JSON,
                              RB_OPTIONS_END};

static enum rb_code resume(rb_cli *cli, rb_env_session *site, const rb_options *o, rb_transition *t,
                           rb_err *err)
{
    RB_TRY(rb_transition_load(t, site->session, site->env, site->state, true, err));
    const rb_transition_row *row = t->row;
    if (!row)
        return rb_env_session_nothing(cli, site, NULL, NULL, "no transition is half-way");
    RB_TRY(rb_env_session_bound(cli, site, err));
    RB_AUTO(rb_free_str)
    char *what = rb_format("go on with the %s of %s from %s to %s", row->kind, site->env->name,
                           row->from ? row->from : "nothing", row->to);
    rb_ui_note(cli, "%s (transition %s)", what, row->id);
    RB_TRY(rb_env_session_confirm(cli, o, what, err));
    return rb_env_session_continue(cli, site, t, o, err);
}

static enum rb_code run(rb_cli *cli, rb_options *o, rb_err *err)
{
    RB_AUTO(rb_env_session_close) rb_env_session site = {0};
    RB_AUTO(rb_transition_clear) rb_transition t = {0};
    RB_TRY(rb_env_session_open(&site, cli, o->env, true, err));
    return rb_env_session_halfway(&site, resume(cli, &site, o, &t, err), err);
}

RB_COMMAND(resume, "", "complete a transition that stopped half-way", RB_GROUP_BREAKS, 0, 0,
           RB_CHANGES);
