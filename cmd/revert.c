#include <string.h>

#include "base/text.h"
#include "env_session.h"
#include "release_status.h"
#include "revert.h"
#include "transition/bundle.h"
#include "transition/parts.h"
#include "ui.h"

static const rb_opt opts[] = {
    {RB_OPT_TEXT, "to", 0, "TAG", "go to this release instead of the previous known-good",
     RB_SITE_AT(to)},
    RB_OPTION_ENV,
    RB_OPTION_ONLY,
    RB_OPTION_LOSS,
    RB_OPTION_DRIFT,
    {RB_OPT_TEXT, "scripts-from", 0, "TAG", "take override down scripts from a later release",
     RB_SITE_AT(scripts_from)},
    {RB_OPT_TEXT, "output", 'o', "DIR",
     "without an environment: write a verified bundle of the target release", RB_SITE_AT(output)},
    {RB_OPT_FLAG, "bad", 0, NULL, "with --only: mark TAG bad, as a whole revert does",
     RB_SITE_AT(bad)},
    RB_OPTION_BREAK,
    RB_OPTION_WHY,
    RB_OPTION_DRY,
    RB_OPTION_YES,
    RB_OPTION_JSON,
    {.kind = RB_OPT_END}};

static enum rb_code refuse_bad(rb_cli *cli, const rb_release *to, rb_err *err)
{
    RB_AUTO(rb_free_str) char *why = NULL;
    const char *verdict = rb_release_verdict(&why, cli, to->tag, to->object);
    if (!rb_text_same(verdict, "bad"))
        return RB_OK;
    return rb_fail(err, RB_DECIDE,
                   "release %s, which --to names, is bad (%s)\nname another one, or lift that with "
                   "`rbtool mark %s good -m WHY`",
                   to->tag, why, to->tag);
}

enum rb_code rb_revert_target(rb_known_good *good, rb_cli *cli, const rb_site *site,
                              const rb_release *from, const bool parts[RB_PARTS], const char *to,
                              rb_err *err)
{
    *good = (rb_known_good){0};
    RB_TRY(rb_session_ledger(&cli->session, err));
    if (to) {
        if (strcmp(to, from->tag) == 0)
            return rb_fail(err, RB_ERROR, "FROM and TO are the same release, %s", to);
        good->rule = rb_strdup("the release that --to names");
        RB_TRY(rb_session_release(&good->release, &cli->session, to, NULL, err));
        return refuse_bad(cli, good->release, err);
    }
    rb_known_request rq = {.session = &cli->session,
                           .journals = rb_release_journals(cli),
                           .state = site ? site->state : NULL,
                           .from = from,
                           .parts = parts,
                           .env = site ? site->env->name : NULL};
    return rb_known_good_find(good, &rq, err);
}

enum rb_code rb_revert_request(rb_plan_request *rq, char **nothing, const rb_site *site,
                               const rb_strs *only, const char *tag, rb_err *err)
{
    *rq = (rb_plan_request){.kind = "revert",
                            .env = site->env,
                            .state = site->state,
                            .session = site->session,
                            .observe = true};
    bool asked[RB_PARTS];
    bool any = false;
    bool same = only->n == 0;
    const char *app = site->live.tag[RB_PART_APP];
    *nothing = NULL;
    RB_TRY(rb_site_parts(asked, only, err));
    RB_TRY(rb_site_settled(site, err));
    for (int part = 0; part < RB_PARTS; part++) {
        bool live = asked[part] && rb_text_same(site->live.tag[part], tag);
        rq->parts[part] = only->n > 0 ? live : site->live.tag[part] != NULL;
        any = any || live;
        same = same && (!site->live.tag[part] || rb_text_same(site->live.tag[part], app));
    }
    RB_AUTO(rb_free_str) char *where = rb_parts_where(&site->live, asked);
    if (!any && same)
        *nothing =
            rb_format("%s is not live in %s, %s is", tag, site->env->name, app ? app : "nothing");
    else if (!any)
        *nothing = rb_format("%s is not live in %s: %s", tag, site->env->name, where);
    return RB_OK;
}

static enum rb_code revert(rb_cli *cli, rb_site *site, const rb_site_options *o, const char *tag,
                           rb_err *err)
{
    RB_AUTO(rb_release_freep) rb_release *from = NULL;
    RB_AUTO(rb_release_freep) rb_release *overrides = NULL;
    rb_plan_request rq;
    RB_AUTO(rb_free_str) char *nothing = NULL;
    RB_TRY(rb_revert_request(&rq, &nothing, site, &o->only, tag, err));
    if (nothing) {
        RB_TRY(rb_session_release(&from, &cli->session, tag, NULL, err));
        return rb_site_nothing(cli, site, tag, NULL, nothing);
    }
    RB_TRY(rb_site_live_release(&from, cli, site, tag, err));
    if (o->scripts_from)
        RB_TRY(rb_session_release(&overrides, &cli->session, o->scripts_from, NULL, err));
    RB_AUTO(rb_known_good_clear) rb_known_good good = {0};
    RB_TRY(rb_revert_target(&good, cli, site, from, rq.parts, o->to, err));
    rq.from = from;
    rq.to = good.release;
    rq.overrides = overrides;
    rq.rule = good.rule;
    rq.marks_bad = o->only.n == 0 || o->bad;
    rq.partial = o->dry_run;
    rq.command = rb_site_command(site, o, "revert", tag);
    RB_TRY(rb_site_from(site, cli, &rq, err));
    return rb_site_carry_out(cli, site, &rq, o, err);
}

/*
 * Without TAG the live release is proposed and asked about. Without a terminal TAG is required:
 * two people who revert at once would go back twice.
 */
static enum rb_code find_tag(const char **out, const rb_cli *cli, const rb_site *site,
                             const rb_site_options *o, const char *tag, rb_err *err)
{
    *out = tag;
    if (tag)
        return RB_OK;
    const char *env = site->env->name;
    RB_TRY(rb_site_settled(site, err));
    *out = rb_site_live_tag(site);
    if (!*out)
        return rb_fail(err, RB_ERROR, "nothing is live in %s, so there is nothing to revert", env);
    if (o->dry_run || (cli->interactive && !o->yes))
        return RB_OK;
    return rb_fail(err, RB_ERROR,
                   "revert needs the release to undo where it does not ask\n%s is live in %s: "
                   "`rbtool revert %s --env %s --yes`",
                   *out, env, *out, env);
}

/* Without an environment: a bundle of TO. */
static enum rb_code write_bundle(rb_cli *cli, const rb_site_options *options, const char *tag,
                                 rb_err *err)
{
    static const bool whole[RB_PARTS] = {true, true, true, true};
    RB_AUTO(rb_release_freep) rb_release *from = NULL;
    RB_AUTO(rb_release_freep) rb_release *overrides = NULL;
    RB_AUTO(rb_known_good_clear) rb_known_good good = {0};
    RB_AUTO(rb_json_freep) json_t *document = NULL;
    RB_TRY(rb_session_release(&from, &cli->session, tag, NULL, err));
    if (options->scripts_from)
        RB_TRY(rb_session_release(&overrides, &cli->session, options->scripts_from, NULL, err));
    RB_TRY(rb_revert_target(&good, cli, NULL, from, whole, options->to, err));
    rb_note_policy(cli);
    RB_TRY(rb_policy_check_releases(
        cli->session.policy, &(rb_plan_request){.to = good.release, .overrides = overrides}, err));
    rb_ui_note(cli, "FROM %s TO %s (%s)", from->tag, good.release->tag, good.rule);
    RB_TRY(rb_bundle_write(&document, from, good.release, overrides, good.rule, cli->session.repo,
                           options->output, err));
    if (cli->json)
        rb_ui_json(cli, document);
    else
        rb_ui_line("wrote a verified bundle of %s to %s", good.release->tag, options->output);
    return RB_OK;
}

/* What only means something where an environment is moved. */
static const char *not_for_bundles(const rb_site_options *o)
{
    return o->dry_run        ? "--dry-run"
           : o->only.n > 0   ? "--only"
           : o->env          ? "--env"
           : o->accept_loss  ? "--accept-data-loss"
           : o->accept_drift ? "--accept-drift"
           : o->break_glass  ? "--break-glass"
           : o->bad          ? "--bad"
                             : NULL;
}

static enum rb_code run(rb_cli *cli, void *options, int argc, char **argv, rb_err *err)
{
    const rb_site_options *o = options;
    const char *tag = argc > 0 ? argv[0] : NULL;
    bool configured = false;
    if (o->output && !tag)
        return rb_fail(err, RB_ERROR, "-o needs the release to undo: `rbtool revert TAG -o DIR`");
    if (o->output) {
        const char *odd = not_for_bundles(o);
        if (odd)
            return rb_fail(err, RB_ERROR,
                           "-o writes a whole bundle and moves no environment, so that %s has "
                           "nothing to say\nleave it out",
                           odd);
        RB_TRY(rb_site_configured(&configured, cli, err));
        if (configured)
            return rb_fail(err, RB_ERROR,
                           "-o is for repositories without an environment\nthis one "
                           "has one: leave -o out to move it, or use `rbtool "
                           "reconstruct`");
        return write_bundle(cli, o, tag, err);
    }
    RB_AUTO(rb_site_close) rb_site site = {0};
    RB_TRY(rb_site_open(&site, cli, o->env, true, err));
    RB_TRY(find_tag(&tag, cli, &site, o, tag, err));
    return revert(cli, &site, o, tag, err);
}

const rb_command rb_cmd_revert = {
    .name = "revert",
    .args = "[TAG]",
    .summary = "undo a release: move an environment back to the previous known-good",
    .group = RB_GROUP_BREAKS,
    .opts = opts,
    .options_size = sizeof(rb_site_options),
    .min_args = 0,
    .max_args = 1,
    .changes = true,
    .run = run,
    .clear = rb_site_options_clear,
};
