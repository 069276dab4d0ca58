#include <string.h>

#include "base/text.h"
#include "env_session.h"
#include "release_status.h"
#include "transition/bundle.h"
#include "transition/parts.h"
#include "ui.h"

static const rb_opt opts[] = {
    RB_OPTION_TO,
    RB_OPTION_ENV,
    RB_OPTION_ONLY,
    RB_OPTION_LOSS,
    RB_OPTION_NO_BACKUP,
    RB_OPTION_DRIFT,
    RB_OPTION_SCRIPTS,
    RB_TEXT("output", 'o', "DIR", "write what a person needs to revert by hand, and move nothing",
            output),
    RB_FLAG("bad", 0, "with --only: mark TAG bad, as a whole revert does", bad),
    RB_OPTION_BREAK,
    RB_OPTION_PAUSE,
    RB_OPTION_WHY_PAUSE,
    RB_OPTION_REHEARSE,
    RB_OPTION_LOCK,
    RB_OPTION_STATEMENT,
    RB_OPTION_DRY,
    RB_OPTION_YES,
    RB_OPTION_JSON,
    RB_OPTIONS_END};

/*
 * Finds the release to revert. Without TAG proposes the live one and asks. Without a terminal TAG
 * is required: if two people reverted at once, the second would go back one more release.
 */
static enum rb_code find_tag(const char **out, const rb_cli *cli, const rb_env_session *site,
                             const rb_options *o, const char *tag, rb_err *err)
{
    *out = tag;
    if (tag)
        return RB_OK;
    const char *env = site->env->name;
    RB_TRY(rb_env_session_settled(site, err));
    RB_TRY(rb_env_session_to_revert(out, site, &o->only, "revert", err));
    if (o->dry_run || (cli->interactive && !o->yes))
        return RB_OK;
    return rb_fail(err, RB_ERROR,
                   "revert needs the release to undo where it does not ask\n%s is live in %s: "
                   "`rbtool revert %s --env %s --yes`",
                   *out, env, *out, env);
}

/* `revert -o DIR` without an environment: writes a bundle of the target release. */
static enum rb_code write_bundle(rb_cli *cli, const rb_env_session *site, const rb_options *options,
                                 const char *tag, rb_err *err)
{
    static const bool whole[RB_PARTS] = {true, true, true, true};
    RB_AUTO(rb_release_freep) rb_release *from = NULL;
    RB_AUTO(rb_release_freep) rb_release *overrides = NULL;
    RB_AUTO(rb_known_good_clear) rb_known_good good = {0};
    RB_AUTO(rb_json_freep) json_t *document = NULL;
    RB_TRY(rb_session_release(&from, &cli->session, tag, NULL, err));
    if (options->scripts_from)
        RB_TRY(rb_session_release(&overrides, &cli->session, options->scripts_from, NULL, err));
    RB_TRY(rb_session_ledger(&cli->session, err));
    const rb_environment environment = {site->env, site->state, &site->live,
                                        rb_release_journals(cli), site->binding.pins};
    RB_TRY(rb_transition_target(&good, &cli->session, &environment, from, whole, options->to, err));
    rb_note_policy(cli);
    RB_TRY(rb_policy_check_releases(
        cli->session.policy, &(rb_plan_request){.to = good.release, .overrides = overrides}, err));
    rb_ui_note(cli, "FROM %s TO %s (%s)", from->tag, good.release->tag, good.rule);
    RB_TRY(rb_bundle_write(&document, from, good.release, overrides, good.rule, site->env,
                           cli->session.repo, options->output, err));
    if (cli->json)
        rb_ui_json(cli, document);
    else
        rb_ui_line("wrote a verified bundle of %s to %s; revert.sh there carries it out",
                   good.release->tag, options->output);
    return RB_OK;
}

/* Returns an option that is meaningless without an environment, or NULL. */
static const char *not_for_bundles(const rb_options *o)
{
    return o->dry_run        ? "--dry-run"
           : o->only.n > 0   ? "--only"
           : o->accept_loss  ? "--accept-data-loss"
           : o->accept_drift ? "--accept-drift"
           : o->break_glass  ? "--break-glass"
           : o->bad          ? "--bad"
           : o->pause_before ? "--pause-before"
                             : NULL;
}

static enum rb_code run(rb_cli *cli, rb_options *o, rb_err *err)
{
    const char *tag = o->argc > 0 ? o->argv[0] : NULL;
    bool configured = false;
    if (o->output && !tag)
        return rb_fail(err, RB_ERROR, "-o needs the release to undo: `rbtool revert TAG -o DIR`");
    if (o->output) {
        const char *odd = not_for_bundles(o);
        if (odd)
            return rb_fail(err, RB_ERROR,
                           "-o writes a whole bundle and moves no environment, so that %s has no "
                           "effect\nleave it out",
                           odd);
        RB_AUTO(rb_env_session_close) rb_env_session known = {0};
        RB_TRY(rb_env_session_configured(&configured, cli, err));
        if (configured || o->env)
            RB_TRY(rb_env_session_open(&known, cli, o->env, false, err));
        return write_bundle(cli, &known, o, tag, err);
    }
    RB_AUTO(rb_env_session_close) rb_env_session site = {0};
    RB_TRY(rb_env_session_open(&site, cli, o->env, true, err));
    RB_TRY(find_tag(&tag, cli, &site, o, tag, err));
    return rb_env_session_carry_out(cli, &site, o, "revert", tag, err);
}

RB_COMMAND(revert, "[TAG]", "undo a release: move an environment back to the previous known-good",
           RB_GROUP_BREAKS, 0, 1, RB_CHANGES);
