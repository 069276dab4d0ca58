#include "deploy.h"

static const rb_opt opts[] = {
    RB_OPTION_ENV,
    RB_OPTION_ONLY,
    RB_OPTION_LOSS,
    RB_OPTION_NO_BACKUP,
    RB_OPTION_DRIFT,
    {RB_OPT_FLAG, "accept-reverted", 0, NULL, "deploy although this release was reverted",
     RB_SITE_AT(accept_reverted)},
    {RB_OPT_TEXT, "scripts-from", 0, "TAG", "take override down scripts from a later release",
     RB_SITE_AT(scripts_from)},
    RB_OPTION_BREAK,
    RB_OPTION_WHY,
    RB_OPTION_REHEARSE,
    RB_OPTION_DRY,
    RB_OPTION_YES,
    RB_OPTION_JSON,
    {.kind = RB_OPT_END}};

enum rb_code rb_deploy(rb_cli *cli, rb_site *site, const rb_site_options *o, const char *tag,
                       rb_err *err)
{
    rb_intent intent;
    RB_TRY(rb_site_settled(site, err));
    RB_TRY(rb_site_intent(&intent, site, o, "deploy", tag, err));
    return rb_site_carry_out(cli, site, &intent, o, err);
}

static enum rb_code run(rb_cli *cli, void *options, int argc, char **argv, rb_err *err)
{
    (void)argc;
    const rb_site_options *o = options;
    RB_AUTO(rb_site_close) rb_site site = {0};
    RB_TRY(rb_site_open(&site, cli, o->env, true, err));
    return rb_deploy(cli, &site, o, argv[0], err);
}

const rb_command rb_cmd_deploy = {
    .name = "deploy",
    .args = "TAG",
    .summary = "move an environment forward to a release",
    .group = RB_GROUP_DAILY,
    .opts = opts,
    .options_size = sizeof(rb_site_options),
    .min_args = 1,
    .max_args = 1,
    .changes = true,
    .run = run,
    .clear = rb_site_options_clear,
};
