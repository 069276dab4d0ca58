#include "deploy_watch.h"
#include "environment/state_watch.h"

static const rb_opt opts[] = {
    RB_OPTION_ENV,
    RB_OPTION_ONLY,
    RB_OPTION_LOSS,
    RB_OPTION_NO_BACKUP,
    RB_OPTION_DRIFT,
    RB_FLAG("accept-reverted", 0, "deploy although this release was reverted", accept_reverted),
    RB_OPTION_SCRIPTS,
    RB_OPTION_BREAK,
    RB_OPTION_PAUSE,
    RB_OPTION_WHY_PAUSE,
    RB_OPTION_REHEARSE,
    RB_OPTION_LOCK,
    RB_OPTION_STATEMENT,
    RB_DURATION("watch", "go on checking for so long, and hold or go back if the checks fail",
                watch),
    RB_OPTION_DRY,
    RB_OPTION_YES,
    RB_OPTION_JSON,
    RB_OPTIONS_END};

static enum rb_code run(rb_cli *cli, rb_options *o, rb_err *err)
{
    RB_AUTO(rb_env_session_close) rb_env_session site = {0};
    RB_TRY(rb_env_session_open(&site, cli, o->env, true, err));
    if (o->watch)
        RB_TRY(rb_deploy_watch_prepare(&site, o->watch, o->argv[0], err));
    RB_TRY(rb_env_session_carry_out(cli, &site, o, "deploy", o->argv[0], err));
    return o->watch && !o->dry_run && rb_state_watch_is_open(site.state)
               ? rb_deploy_watch(cli, &site, err)
               : RB_OK;
}

RB_COMMAND(deploy, "TAG", "move an environment forward to a release", RB_GROUP_DAILY, 1, 1,
           RB_CHANGES);
