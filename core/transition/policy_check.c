#include "transition/policy_check.h"

#include <string.h>

#include "base/text.h"
#include "transition/known_good.h"
#include "transition/plan_make.h"

#define ABLE_SHOWN 5 /* people that a line of possible approvers lists */

static enum rb_code check_signer(const rb_policy *policy, const rb_release *release, rb_err *err)
{
    RB_AUTO(rb_problems_clear) rb_problems problems = {0};
    return release ? rb_policy_check_release(&problems, policy, release, err) : RB_OK;
}

enum rb_code rb_policy_check_releases(const rb_policy *policy, const rb_plan_request *rq,
                                      rb_err *err)
{
    RB_TRY(check_signer(policy, rq->to, err));
    return check_signer(policy, rq->overrides, err);
}

void rb_policy_name(rb_plan *plan, const rb_policy *policy)
{
    json_t *list = json_array();
    size_t count = rb_policy_count(policy);
    for (size_t i = 0; i < count && count <= RB_ENTRY_POLICIES; i++) {
        char hex[RB_OID_HEX];
        rb_oid_hex(&rb_policy_at(policy, i)->id, hex);
        json_array_append_new(list, json_string(hex));
    }
    json_object_set_new(plan->json, "policy", count <= RB_ENTRY_POLICIES ? list : json_null());
    if (count > RB_ENTRY_POLICIES)
        json_decref(list);
}

/* True if the whole environment was at exactly this release before, by its own journal. */
static bool was_live(const rb_transition_rows *rows, const rb_release *release)
{
    for (size_t i = 0; i < rows->n; i++)
        if (rb_known_reached(&rows->items[i]) &&
            rb_text_same(rows->items[i].to_object, release->object) && rb_known_whole(rows, i))
            return true;
    return false;
}

static void add_need(rb_policy_needs *out, const rb_policy *policy, const rb_release *release,
                     const char *environment, bool live_before)
{
    rb_policy_need need = {.release = release, .kind = live_before ? "revert" : "deploy"};
    rb_approvals_count(&need.approvals, policy, release, environment, need.kind);
    need.missing = need.approvals.needed - need.approvals.given;
    if (need.missing <= 0) {
        rb_approvals_clear(&need.approvals);
        return;
    }
    rb_approvals_able(&need.able, policy, release, &need.approvals);
    out->items[out->n++] = need;
}

enum rb_code rb_policy_check_approvals(rb_policy_needs *out, const rb_policy *policy,
                                       const rb_plan_request *rq, rb_err *err)
{
    RB_AUTO(rb_transition_rows_clear) rb_transition_rows rows = {0};
    *out = (rb_policy_needs){0};
    if (rq->state)
        RB_TRY(rb_state_history(&rows, rq->state, true, err));
    add_need(out, policy, rq->to, rq->env->name, was_live(&rows, rq->to));
    const rb_release *scripts = rq->overrides;
    if (scripts && !rb_text_same(scripts->object, rq->to->object) &&
        !(rq->from && rb_text_same(scripts->object, rq->from->object)))
        add_need(out, policy, scripts, rq->env->name, was_live(&rows, scripts));
    return RB_OK;
}

void rb_policy_needs_clear(rb_policy_needs *needs)
{
    for (size_t i = 0; i < needs->n; i++) {
        rb_approvals_clear(&needs->items[i].approvals);
        rb_strs_clear(&needs->items[i].able);
    }
    rb_strs_clear(&needs->rules);
    *needs = (rb_policy_needs){0};
}

/* Appends "alice@example.com or bob@example.com can give one". */
static void say_who(rb_buf *out, const rb_strs *able)
{
    for (size_t i = 0; i < able->n && i < ABLE_SHOWN; i++)
        rb_buf_printf(out, "%s%s", i == 0 ? "" : i + 1 == able->n ? " or " : ", ", able->items[i]);
    if (able->n > ABLE_SHOWN)
        rb_buf_printf(out, " and %zu others", able->n - ABLE_SHOWN);
    rb_buf_puts(out, able->n ? " can give one" : "no other allowed signer here can give one");
}

void rb_policy_needs_decide(rb_plan *plan, const rb_policy_needs *needs, const rb_plan_request *rq,
                            bool passed)
{
    for (size_t i = 0; i < needs->n; i++) {
        const rb_policy_need *need = &needs->items[i];
        const rb_approvals *approvals = &need->approvals;
        bool back = strcmp(need->kind, "revert") == 0;
        RB_AUTO(rb_buf_clear) rb_buf who = {0};
        RB_AUTO(rb_buf_clear) rb_buf has = {0};
        RB_AUTO(rb_free_str) char *people = rb_strs_join(&approvals->people, 0);
        if (*people)
            rb_buf_printf(&has, " (%s)", people);
        if (approvals->ignored > 0)
            rb_buf_printf(&has, ", and %zu that do not count", approvals->ignored);
        if (passed)
            rb_buf_puts(&who, "passed over by --break-glass");
        else
            say_who(&who, &need->able);
        if (!passed)
            rb_buf_printf(&who, ": `rbtool approve %s --env %s`, then `rbtool sync`",
                          need->release->tag, rq->env->name);
        rb_plan_decide(plan, "approvals", passed ? RB_OK : RB_DECIDE,
                       "%s%s needs %d approval%s for %s%s and has %d%s\n%s",
                       need->release == rq->to ? "" : "--scripts-from: ", need->release->tag,
                       approvals->needed, approvals->needed == 1 ? "" : "s",
                       back ? "a revert to it in " : "", rq->env->name, approvals->given,
                       rb_buf_str(&has), who.data);
    }
}

enum rb_code rb_policy_check_key(const rb_policy *policy, const rb_plan_request *rq, rb_err *err)
{
    if (!rb_policy_must_sign(policy, rq->env->name))
        return RB_OK;
    RB_AUTO(rb_caller_clear) rb_caller caller = {0};
    RB_TRY(rb_caller_find(&caller, rq->session->repo, rq->session->signers, NULL, false, err));
    if (caller.principal)
        return RB_OK;
    return rb_fail(err, RB_ERROR,
                   "the policy wants signed entries for %s, and this host cannot write them: %s; "
                   "nothing was changed",
                   rq->env->name, caller.why);
}

enum rb_code rb_policy_check_loss(const rb_policy *policy, const rb_plan *plan,
                                  const rb_plan_request *rq, rb_err *err)
{
    if (!plan->consent || !rb_policy_rooted(policy))
        return RB_OK;
    RB_AUTO(rb_caller_clear) rb_caller caller = {0};
    RB_TRY(rb_caller_find(&caller, rq->session->repo, rq->session->signers, NULL, false, err));
    if (rb_policy_allows(policy, RB_ROLE_ACCEPT_LOSS, caller.principal, caller.fingerprint))
        return RB_OK;
    RB_AUTO(rb_free_str) char *members = rb_policy_members(policy, RB_ROLE_ACCEPT_LOSS);
    RB_AUTO(rb_free_str) char *next = rb_plan_command(plan, json_array_size(plan->drift) > 0);
    return rb_fail(err, RB_DECIDE,
                   "agreeing to a loss of data takes a key in role accept-loss (%s): %s%s; nothing "
                   "was changed\nwith such a key: `%s`",
                   members, caller.principal ? "not that of " : "",
                   caller.principal ? caller.principal : caller.why, next);
}

enum rb_code rb_policy_override(const rb_plan *plan, const rb_plan_request *rq,
                                const rb_release *release, const char *rule, const char *why,
                                rb_err *err)
{
    rb_oid id;
    RB_AUTO(rb_json_freep)
    json_t *detail = json_pack("{s:s,s:s,s:s}", "rule", rule, "why", why, "transition", plan->id);
    if (!detail)
        return rb_fail(err, RB_ERROR, "the reason given with -m is not UTF-8");
    RB_AUTO(rb_free_str) char *title = rb_format("%s for %s: %s", rule, rq->env->name, why);
    const rb_draft draft = {.kind = RB_ENTRY_OVERRIDE,
                            .app = rq->to->manifest->app_name,
                            .tag = release->tag,
                            .object = release->object,
                            .environment = rq->env->name,
                            .title = title,
                            .detail = detail,
                            .must_sign = true,
                            .begins = true};
    if (rb_ledger_append(&id, rq->session->repo, &draft, err) != RB_OK)
        return rb_err_prefix(err, "nothing was changed, since the override cannot be recorded");
    return RB_OK;
}
