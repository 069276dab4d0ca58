#include <string.h>

#include "base/text.h"
#include "deploy.h"
#include "release_status.h"

static const rb_opt opts[] = {
    RB_OPTION_ENV,
    RB_OPTION_ONLY,
    RB_OPTION_LOSS,
    RB_OPTION_DRIFT,
    {RB_OPT_FLAG, "accept-reverted", 0, NULL, "deploy although this release was reverted",
     RB_SITE_AT(accept_reverted)},
    {RB_OPT_TEXT, "scripts-from", 0, "TAG", "take override down scripts from a later release",
     RB_SITE_AT(scripts_from)},
    RB_OPTION_BREAK,
    RB_OPTION_WHY,
    RB_OPTION_DRY,
    RB_OPTION_YES,
    RB_OPTION_JSON,
    {.kind = RB_OPT_END}};

/* FROM: what the database is at, since its scripts depend on it; else what the application is at.
 */
static const char *live_tag(const rb_site *site, const bool parts[RB_PARTS])
{
    if (parts[RB_PART_DB] && site->live.tag[RB_PART_DB])
        return site->live.tag[RB_PART_DB];
    for (int part = 0; part < RB_PARTS; part++)
        if (parts[part] && site->live.tag[part])
            return site->live.tag[part];
    return NULL;
}

/*
 * A revert's verdict can be agreed to go past by who deploys, on a host that has no key to mark
 * anything with. What people said, and what a policy leaves to people, takes a person's word.
 */
static enum rb_code refuse_bad(rb_cli *cli, rb_site *site, const rb_release *to,
                               const rb_site_options *o, rb_err *err)
{
    RB_TRY(rb_session_ledger(&cli->session, err));
    RB_AUTO(rb_verdict_summary_clear) rb_verdict_summary word = {0};
    rb_known_verdict(&word, &cli->session, rb_release_journals(cli), to->tag, to->object);
    if (word.verdict != RB_VERDICT_BAD)
        return RB_OK;
    bool may = !word.manual && !rb_policy_rooted(cli->session.policy);
    site->reverted = may && o->accept_reverted;
    if (site->reverted)
        return RB_OK;
    return rb_fail(err, RB_DECIDE,
                   "release %s is bad (%s)\nmake a new release, or lift that with `rbtool mark %s "
                   "good -m WHY`%s",
                   to->tag, word.why, to->tag,
                   may ? ", or add --accept-reverted to deploy it all the same" : "");
}

/* Whether what is live has drifted. */
static enum rb_code has_drifted(bool *out, const rb_plan_request *rq, rb_err *err)
{
    RB_AUTO(rb_plan_freep) rb_plan *plan = NULL;
    rb_plan_request look = *rq;
    look.only_drift = true;
    RB_TRY(rb_plan_make(&plan, &look, err));
    *out = json_array_size(plan->drift) > 0 || plan->worst != RB_OK;
    return RB_OK;
}

/* What failed when it went live, or when the checks ran last, is done again: a service that runs is
 * not restarted. Checks that passed since, by `rbtool check`, run again: the transition records
 * that the release is well here, and only then a revert may go back to it. */
static enum rb_code find_failed(enum rb_again *out, const rb_site *site, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *health = NULL;
    *out = RB_AGAIN_NOT;
    RB_TRY(rb_state_health(&health, site->state, err));
    if (!rb_text_same(rb_json_str(health, "health"), "unhealthy")) {
        bool well;
        RB_TRY(rb_known_ended_well(&well, site->state, err));
        *out = !well && health ? RB_AGAIN_CHECKS : RB_AGAIN_NOT;
        return RB_OK;
    }
    bool down = json_is_true(json_object_get(health, "down"));
    *out = down && site->env->start.n > 0 ? RB_AGAIN_START : RB_AGAIN_CHECKS;
    return RB_OK;
}

/* The release that is live, once more: over drift, or the start and the checks that failed. */
static enum rb_code deploy_again(rb_cli *cli, rb_site *site, rb_plan_request *rq,
                                 const rb_release *live, const rb_site_options *o, rb_err *err)
{
    bool drifted;
    enum rb_again again;
    rq->from = live;
    rq->to = live;
    rq->observe = true;
    rq->live = &site->live;
    RB_TRY(has_drifted(&drifted, rq, err));
    RB_TRY(find_failed(&again, site, err));
    if (!drifted)
        rq->again = again;
    if (drifted || again != RB_AGAIN_NOT) {
        RB_TRY(refuse_bad(cli, site, live, o, err));
        return rb_site_carry_out(cli, site, rq, o, err);
    }
    RB_AUTO(rb_free_str)
    char *why = rb_format("%s is live in %s already", live->tag, site->env->name);
    return rb_site_nothing(cli, site, live->tag, live->tag, why);
}

enum rb_code rb_deploy(rb_cli *cli, rb_site *site, const rb_site_options *o, const char *tag,
                       rb_err *err)
{
    RB_AUTO(rb_release_freep) rb_release *from = NULL;
    RB_AUTO(rb_release_freep) rb_release *to = NULL;
    RB_AUTO(rb_release_freep) rb_release *overrides = NULL;
    rb_plan_request rq = {.kind = "deploy",
                          .env = site->env,
                          .state = site->state,
                          .session = site->session,
                          .partial = o->dry_run,
                          .rehearse = o->rehearse,
                          .command = rb_site_command(site, o, "deploy", tag)};
    RB_TRY(rb_site_parts(rq.parts, &o->only, err));
    RB_TRY(rb_site_settled(site, err));
    RB_TRY(rb_session_release(&to, &cli->session, tag, NULL, err));
    bool there = true;
    bool asked[RB_PARTS];
    memcpy(asked, rq.parts, sizeof asked);
    for (int part = 0; part < RB_PARTS; part++) {
        bool at = rb_text_same(site->live.tag[part], tag) &&
                  rb_text_same(site->live.object[part], to->object);
        rq.parts[part] = rq.parts[part] && !at;
        there = there && !rq.parts[part];
    }
    if (there) {
        memcpy(rq.parts, asked, sizeof asked);
        return deploy_again(cli, site, &rq, to, o, err);
    }
    RB_TRY(refuse_bad(cli, site, to, o, err));
    const char *live = live_tag(site, rq.parts);
    if (live)
        RB_TRY(rb_site_live_release(&from, cli, site, live, err));
    if (o->scripts_from)
        RB_TRY(rb_session_release(&overrides, &cli->session, o->scripts_from, NULL, err));
    for (int part = 0; part < RB_PARTS; part++)
        rq.unused[part] = !site->live.tag[part];
    rq.from = from;
    rq.to = to;
    rq.overrides = overrides;
    rq.observe = true;
    RB_TRY(rb_site_from(site, cli, &rq, err));
    return rb_site_carry_out(cli, site, &rq, o, err);
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
