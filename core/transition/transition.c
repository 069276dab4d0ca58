#include "transition/transition.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "transition/parts.h"
#include "transition/plan_make.h"
#include "transition/policy_pins.h"

enum rb_code rb_live_release(rb_release **out, rb_session *session, const char *environment,
                             const rb_live *live, const char *tag, rb_err *err)
{
    const char *went_live = NULL;
    for (int part = 0; part < RB_PARTS && !went_live; part++)
        if (rb_text_same(live->tag[part], tag))
            went_live = live->object[part];
    RB_TRY(rb_session_release(out, session, tag, went_live, err));
    for (int part = 0; part < RB_PARTS; part++) {
        const char *object = live->object[part];
        if (!object || !rb_text_same(live->tag[part], tag) || strcmp(object, (*out)->object) == 0)
            continue;
        enum rb_code code = rb_fail(err, RB_FOUND,
                                    "tag %s has moved since it went live in %s: its object was %s "
                                    "and is %s\nrestore it with `git update-ref refs/tags/%s %s`",
                                    tag, environment, object, (*out)->object, tag, object);
        rb_release_free(*out);
        *out = NULL;
        return code;
    }
    return RB_OK;
}

static bool is_at(const rb_live *live, int part, const rb_release *release)
{
    return rb_text_same(live->tag[part], release->tag) &&
           rb_text_same(live->object[part], release->object);
}

/* Removes parts that are at TO already. Opens the releases of parts that are at another one than
 * FROM. */
static enum rb_code find_parts(rb_transition *t, const rb_environment *e, rb_err *err)
{
    rb_plan_request *rq = &t->request;
    for (int part = 0; part < RB_PARTS; part++) {
        const char *tag = e->live->tag[part];
        rq->parts[part] = rq->parts[part] && !is_at(e->live, part, rq->to);
        if (!rq->parts[part] || !tag || !rq->from || strcmp(tag, rq->from->tag) == 0)
            continue;
        RB_TRY(rb_live_release(&t->part_from[part], rq->session, e->env->name, e->live, tag, err));
        rq->part_from[part] = t->part_from[part];
    }
    return RB_OK;
}

/*
 * Refuses a target that is bad. If only a revert marked it and no policy is set, --accept-reverted
 * overrides that, since the host may have no key to mark it good. Verdicts of people, and those
 * under a policy, can be changed only by `rbtool mark`.
 */
static enum rb_code refuse_bad(rb_transition *t, const rb_environment *e, const rb_intent *intent,
                               rb_err *err)
{
    const rb_session *session = t->request.session;
    const rb_release *to = t->request.to;
    RB_AUTO(rb_verdict_summary_clear) rb_verdict_summary found = {0};
    rb_known_verdict(&found, session, e->journals, to->tag, to->object);
    if (found.verdict != RB_VERDICT_BAD)
        return RB_OK;
    bool may = !found.manual && !rb_policy_rooted(session->policy);
    t->reverted = may && intent->accept_reverted;
    if (t->reverted)
        return RB_OK;
    return rb_fail(err, RB_DECIDE,
                   "release %s is bad (%s)\nmake a new release, or lift that with `rbtool mark %s "
                   "good -m WHY`%s",
                   to->tag, found.why, to->tag,
                   may ? ", or add --accept-reverted to deploy it all the same" : "");
}

/* Finds out what to repeat for the live release: the start of the service, or the checks, if they
 * failed the last time. If `rbtool check` passed since, the checks run again: only a transition can
 * record that the release is well, so that a revert may go back to it. */
static enum rb_code find_failed(enum rb_again *out, const rb_environment *e, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *health = NULL;
    *out = RB_AGAIN_NOT;
    RB_TRY(rb_state_health(&health, e->state, err));
    if (!rb_text_same(rb_json_str(health, "health"), "unhealthy")) {
        bool well;
        RB_TRY(rb_known_ended_well(&well, e->state, err));
        *out = !well && health ? RB_AGAIN_CHECKS : RB_AGAIN_NOT;
        return RB_OK;
    }
    bool down = json_is_true(json_object_get(health, "down"));
    *out = down && e->env->start.n > 0 ? RB_AGAIN_START : RB_AGAIN_CHECKS;
    return RB_OK;
}

/* Deploys the live release again, if it has drifted, or if the start or the checks failed. */
static enum rb_code deploy_again(rb_transition *t, const rb_environment *e, const rb_intent *intent,
                                 rb_err *err)
{
    enum rb_again again;
    RB_AUTO(rb_plan_freep) rb_plan *plan = NULL;
    rb_plan_request *rq = &t->request;
    rq->from = t->to;
    rb_plan_request look = *rq;
    look.only_drift = true;
    RB_TRY(rb_plan_make(&plan, &look, err));
    const bool drifted = json_array_size(plan->drift) > 0 || plan->worst != RB_OK;
    RB_TRY(find_failed(&again, e, err));
    rq->again = drifted ? RB_AGAIN_NOT : again;
    if (drifted || again != RB_AGAIN_NOT)
        return refuse_bad(t, e, intent, err);
    t->nothing = rb_format("%s is live in %s already", t->to->tag, e->env->name);
    return RB_OK;
}

static enum rb_code prepare_deploy(rb_transition *t, const rb_environment *e,
                                   const rb_intent *intent, rb_err *err)
{
    rb_plan_request *rq = &t->request;
    bool there = true;
    RB_TRY(rb_session_release(&t->to, rq->session, intent->tag, NULL, err));
    rq->to = t->to;
    for (int part = 0; part < RB_PARTS; part++)
        there = there && (!rq->parts[part] || is_at(e->live, part, t->to));
    if (there)
        return deploy_again(t, e, intent, err);
    RB_TRY(refuse_bad(t, e, intent, err));
    for (int part = 0; part < RB_PARTS; part++) {
        rq->parts[part] = rq->parts[part] && !is_at(e->live, part, t->to);
        rq->unused[part] = !e->live->tag[part];
    }
    /* FROM is the release of the database, since its scripts depend on it; else of the first other
     * part. */
    const char *live = rq->parts[RB_PART_DB] ? e->live->tag[RB_PART_DB] : NULL;
    for (int part = 0; part < RB_PARTS && !live; part++)
        live = rq->parts[part] ? e->live->tag[part] : NULL;
    if (live)
        RB_TRY(rb_live_release(&t->from, rq->session, e->env->name, e->live, live, err));
    rq->from = t->from;
    return RB_OK;
}

static enum rb_code named_target(rb_known_good *out, rb_session *session, const rb_environment *e,
                                 const rb_release *from, const char *to, rb_err *err)
{
    RB_AUTO(rb_verdict_summary_clear) rb_verdict_summary found = {0};
    if (strcmp(to, from->tag) == 0)
        return rb_fail(err, RB_ERROR, "FROM and TO are the same release, %s", to);
    out->rule = rb_strdup("the release that --to names");
    RB_TRY(rb_session_release(&out->release, session, to, NULL, err));
    rb_known_verdict(&found, session, e->journals, to, out->release->object);
    if (found.verdict != RB_VERDICT_BAD)
        return RB_OK;
    return rb_fail(err, RB_DECIDE,
                   "release %s, which --to names, is bad (%s)\nname another one, or lift that with "
                   "`rbtool mark %s good -m WHY`",
                   to, found.why, to);
}

enum rb_code rb_transition_target(rb_known_good *out, rb_session *session, const rb_environment *e,
                                  const rb_release *from, const bool parts[RB_PARTS],
                                  const char *to, rb_err *err)
{
    *out = (rb_known_good){0};
    if (to)
        return named_target(out, session, e, from, to, err);
    rb_known_request rq = {.session = session,
                           .journals = e->journals,
                           .state = e->state,
                           .from = from,
                           .parts = parts,
                           .env = e->env ? e->env->name : NULL};
    return rb_known_good_find(out, &rq, err);
}

/* Finds the parts that move. With --only, those of them that TAG is live in. Otherwise all parts in
 * which anything is live, since the whole environment is at TO afterwards. */
static void find_reverted(rb_transition *t, const rb_environment *e, const rb_intent *intent)
{
    const char *app = e->live->tag[RB_PART_APP];
    bool any = false;
    bool same = !intent->only;
    for (int part = 0; part < RB_PARTS; part++) {
        const char *tag = e->live->tag[part];
        bool live = intent->parts[part] && rb_text_same(tag, intent->tag);
        t->request.parts[part] = intent->only ? live : tag != NULL;
        any = any || live;
        same = same && (!tag || rb_text_same(tag, app));
    }
    if (any)
        return;
    RB_AUTO(rb_free_str) char *where = rb_parts_where(e->live, intent->parts);
    t->nothing = same ? rb_format("%s is not live in %s, %s is", intent->tag, e->env->name,
                                  app ? app : "nothing")
                      : rb_format("%s is not live in %s: %s", intent->tag, e->env->name, where);
}

static enum rb_code prepare_revert(rb_transition *t, const rb_environment *e,
                                   const rb_intent *intent, rb_err *err)
{
    rb_plan_request *rq = &t->request;
    RB_AUTO(rb_known_good_clear) rb_known_good good = {0};
    find_reverted(t, e, intent);
    if (t->nothing) /* an unknown tag is an error all the same */
        return rb_session_release(&t->from, rq->session, intent->tag, NULL, err);
    RB_TRY(rb_live_release(&t->from, rq->session, e->env->name, e->live, intent->tag, err));
    rq->from = t->from;
    RB_TRY(rb_transition_target(&good, rq->session, e, t->from, rq->parts, intent->to, err));
    t->to = rb_release_hold(good.release);
    t->rule = rb_strdup(good.rule);
    rq->to = t->to;
    rq->rule = t->rule;
    rq->marks_bad = !intent->only || intent->marks_bad;
    const size_t at = intent->target_at;
    if (at == 0 || intent->to)
        return RB_OK;
    t->command =
        rb_format("%.*s --to %s%s", (int)at, intent->command, t->to->tag, intent->command + at);
    rq->command = t->command;
    return RB_OK;
}

/* Prepares the abort of a committed transition: a new transition from its TO to its FROM. */
static enum rb_code prepare_abort(rb_transition *t, const rb_environment *e,
                                  const rb_intent *intent, rb_err *err)
{
    rb_session *session = t->request.session;
    const char *env = e->env->name;
    RB_TRY(rb_transition_load(t, session, e->env, e->state, true, err));
    if (!t->from)
        return rb_fail(err, RB_DECIDE,
                       "the first deploy of %s is committed and there is nothing to go back to\n"
                       "continue it with `rbtool resume --env %s`",
                       env, env);
    for (int part = 0; part < RB_PARTS; part++) {
        if (!t->part_from[part]) /* a transition has only one target */
            continue;
        RB_AUTO(rb_free_str) char *where = rb_parts_where(&t->live, t->request.parts);
        return rb_fail(err, RB_DECIDE,
                       "the %s of %s is committed, and its parts came from several releases (%s), "
                       "so that they cannot go back as one\ncontinue it with `rbtool resume --env "
                       "%s`, then move each part with `rbtool revert %s --to TAG --only PART --env "
                       "%s`",
                       t->row->kind, env, where, env, t->row->to, env);
    }
    rb_plan_request *rq = &t->request;
    memset(rq->unused, 0,
           sizeof rq->unused); /* the transition that is aborted uses every part that it moves */
    rq->kind = intent->kind;
    rq->command = intent->command;
    rq->from = t->to;
    rq->to = t->from;
    rq->overrides = NULL;
    rq->rule = "what was live before the transition that is aborted";
    for (int part = 0; part < RB_PARTS; part++)
        if (rq->parts[part]) {
            free(t->live.tag[part]);
            free(t->live.object[part]);
            t->live.tag[part] = rb_strdup(t->row->to);
            t->live.object[part] = rb_strdup(t->row->to_object);
        }
    return RB_OK;
}

static enum rb_code prepare(rb_transition *t, rb_session *session, const rb_environment *e,
                            const rb_intent *intent, rb_err *err)
{
    t->request = (rb_plan_request){.kind = intent->kind,
                                   .env = e->env,
                                   .state = e->state,
                                   .session = session,
                                   .live = e->live,
                                   .observe = true,
                                   .no_backup = intent->no_backup,
                                   .rehearse = intent->rehearse,
                                   .partial = intent->partial,
                                   .command = intent->command};
    memcpy(t->request.parts, intent->parts, sizeof t->request.parts);
    if (strcmp(intent->kind, "abort") == 0)
        return prepare_abort(t, e, intent, err);
    bool forward = strcmp(intent->kind, "deploy") == 0;
    RB_TRY((forward ? prepare_deploy : prepare_revert)(t, e, intent, err));
    if (intent->scripts_from && !t->nothing && t->request.from != t->request.to)
        RB_TRY(rb_session_release(&t->overrides, session, intent->scripts_from, NULL, err));
    t->request.overrides = t->overrides;
    return t->nothing || t->request.from == t->request.to ? RB_OK : find_parts(t, e, err);
}

enum rb_code rb_transition_plan(rb_transition *t, rb_session *session, const rb_environment *e,
                                const rb_intent *intent, rb_err *err)
{
    RB_TRY(rb_session_ledger(session, err));
    RB_TRY(prepare(t, session, e, intent, err));
    if (t->nothing)
        return RB_OK;
    const rb_policy *policy = session->policy;
    RB_TRY(rb_policy_bound(e->env, e->state, session, e->pins, err));
    RB_TRY(rb_policy_check_releases(policy, &t->request, err));
    RB_TRY(rb_plan_make(&t->plan, &t->request, err));
    if (t->reverted)
        rb_plan_note(t->plan,
                     "%s was reverted, and is bad; if every check passes, it counts as good again",
                     t->to->tag);
    RB_TRY(rb_policy_check_approvals(&t->needs, policy, &t->request, err));
    rb_policy_name(t->plan, policy);
    rb_policy_needs_decide(t->plan, &t->needs, &t->request, intent->break_glass);
    rb_policy_check_evidence(&t->needs, t->plan, policy, &t->request, intent->break_glass);
    json_object_set_new(t->plan->json, "lastDrill", rb_drill_last(session->ledger, e->env->name));
    RB_AUTO(rb_free_str) char *next = rb_plan_command(t->plan, json_array_size(t->plan->drift) > 0);
    rb_json_set_str(t->plan->json, "next", t->plan->worst == RB_OK ? next : NULL);
    if (!intent->only)
        rb_plan_ways(t->plan, &t->request);
    return RB_OK;
}

/* If an abort cannot go back, the environment stays half-way. */
enum rb_code rb_transition_agree(bool *loss_passed, const rb_transition *t, bool drift,
                                 const char *loss, bool break_glass, rb_err *err)
{
    const rb_policy *policy = t->request.session->policy;
    bool back =
        strcmp(t->plan->kind, "abort") == 0; /* an abort goes back although there is drift */
    *loss_passed = false;
    RB_TRY(rb_policy_check_key(policy, &t->request, err));
    enum rb_code code = rb_plan_allowed(t->plan, drift || back, loss, err);
    if (back && (code == RB_ERROR || code == RB_FOUND))
        code = err->code = RB_HALFWAY;
    if (code != RB_OK || !loss)
        return code;
    code = rb_policy_check_loss(policy, t->plan, &t->request, err);
    *loss_passed = code == RB_DECIDE && break_glass;
    return *loss_passed ? RB_OK : code;
}

enum rb_code rb_transition_override(const rb_transition *t, bool loss, const char *why, rb_err *err)
{
    for (size_t i = 0; i < t->needs.n; i++)
        RB_TRY(rb_policy_override(t->plan, &t->request, t->needs.items[i].release, "approvals", why,
                                  err));
    for (size_t i = 0; i < t->needs.rules.n; i++)
        RB_TRY(rb_policy_override(t->plan, &t->request, t->request.to, t->needs.rules.items[i], why,
                                  err));
    if (loss)
        RB_TRY(rb_policy_override(t->plan, &t->request, t->request.to, "accept-loss", why, err));
    rb_session_ledger_changed(t->request.session);
    return RB_OK;
}
