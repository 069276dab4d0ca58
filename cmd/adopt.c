/* `rbtool adopt`: takes over an environment that other tools deployed. */
#include <stdlib.h>

#include "base/embed.h"
#include "base/text.h"
#include "env_session.h"
#include "transition/adopt.h"
#include "ui.h"

static const rb_opt opts[] = {
    RB_OPTION_ENV,
    RB_TEXT("files", 0, "DIR", "where the application's files are (default: ROOT/current)", files),
    RB_OPTION_DRIFT,
    RB_OPTION_DRY,
    RB_OPTION_YES,
    RB_OPTION_JSON,
    RB_OPTIONS_END};

RB_EMBED(rb_adopt_text, "cmd/text/adopt.txt");

static void show(const rb_cli *cli, const json_t *doc)
{
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    RB_AUTO(rb_json_freep) json_t *shown = json_copy((json_t *)doc);
    rb_json_set(shown, "drift:j", rb_env_session_drift(json_object_get(doc, "drift")));
    rb_ui_fill(&text, rb_adopt_text, shown, NULL);
    rb_ui_text(cli, &text, false);
}

static enum rb_code check_live(const rb_env_session *site, rb_err *err)
{
    const char *live = rb_env_session_live_tag(&site->live);
    if (!live)
        return RB_OK;
    return rb_fail(err, RB_ERROR,
                   "%s is at %s, by rbtool's own record\n`rbtool status --env %s` compares it with "
                   "that release",
                   site->env->name, live, site->env->name);
}

static enum rb_code adopt(rb_cli *cli, rb_env_session *site, const rb_options *o,
                          const rb_release *release, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *drift = NULL;
    RB_AUTO(rb_json_freep) json_t *notes = NULL;
    RB_AUTO(rb_free_str) char *host = NULL;
    RB_AUTO(rb_free_str) char *user = NULL;
    rb_env_session_who(&host, &user);
    rb_adopt request = {.session = &cli->session,
                        .env = site->env,
                        .state = site->state,
                        .release = release,
                        .files = o->files,
                        .accepted = o->accept_drift,
                        .host = host,
                        .user = user};
    rb_ui_progress(cli, "comparing");
    RB_TRY(rb_adopt_look(&drift, &notes, &request, err));
    const bool differs = json_array_size(drift) > 0;
    const bool records = !o->dry_run && (!differs || o->accept_drift);
    RB_AUTO(rb_json_freep)
    json_t *doc =
        rb_json_make("environment:s release:s object:s recorded:b drift:J notes:J", site->env->name,
                     release->tag, release->object, records, drift, notes);
    if (!cli->json)
        show(cli, doc);
    if (records) {
        RB_AUTO(rb_free_str)
        char *what = rb_format("record %s as live in %s", release->tag, site->env->name);
        RB_TRY(rb_env_session_confirm(cli, o, what, err));
        RB_TRY(rb_env_session_bind(cli, site, err));
        RB_TRY(rb_adopt_record(&request, err));
        rb_env_session_record(cli, site);
    }
    if (cli->json)
        rb_ui_json(cli, doc);
    cli->answered = cli->json;
    if (!differs || records)
        return RB_OK;
    return rb_fail(err, o->dry_run ? RB_FOUND : RB_DECIDE,
                   "%s differs from %s in %zu place%s\nname the release that is there, or record "
                   "it as it is with `rbtool adopt %s --env %s --accept-drift`",
                   site->env->name, release->tag, json_array_size(drift),
                   rb_text_s(json_array_size(drift)), release->tag, site->env->name);
}

static enum rb_code run(rb_cli *cli, rb_options *o, rb_err *err)
{
    RB_AUTO(rb_env_session_close) rb_env_session site = {0};
    RB_AUTO(rb_release_freep) rb_release *release = NULL;
    RB_TRY(rb_env_session_open(&site, cli, o->env, true, err));
    RB_TRY(rb_env_session_settled(&site, err));
    RB_TRY(check_live(&site, err));
    RB_TRY(rb_session_release(&release, &cli->session, o->argv[0], NULL, err));
    RB_TRY(rb_env_session_bound(cli, &site, err));
    RB_TRY(rb_policy_check_releases(cli->session.policy, &(rb_plan_request){.to = release}, err));
    return adopt(cli, &site, o, release, err);
}

RB_COMMAND(adopt, "TAG", "take over an environment that other tools deployed", RB_GROUP_SETUP, 1, 1,
           RB_CHANGES);
