#include "rules.h"

#include <string.h>

#include "ui.h"

static enum rb_code check(const rb_policy *policy, const rb_release *release, rb_err *err)
{
    RB_AUTO(rb_problems_clear) rb_problems problems = {0};
    return release ? rb_policy_check_release(&problems, policy, release, err) : RB_OK;
}

enum rb_code rb_rules_releases(rb_cli *cli, const rb_plan_request *rq, rb_err *err)
{
    const rb_books *books;
    RB_TRY(rb_cli_books(&books, cli, err));
    if (rb_policy_rooted(books->policy) && !rb_policy_entry(books->policy))
        return rb_fail(err, RB_ERROR,
                       "git config rbtool.root is set, but the ledger here holds no policy under "
                       "it%s%s; nothing was changed; fetch the ledger with `rbtool sync`, or set "
                       "the first one with `rbtool policy set FILE`",
                       books->problems.n > 0 ? ": " : "",
                       books->problems.n > 0 ? books->problems.items[0].message : "");
    rb_books_note_policy(cli, books);
    RB_TRY(check(books->policy, rq->to, err));
    return check(books->policy, rq->mended, err);
}

enum rb_code rb_rules_approvals(int *missing, rb_cli *cli, rb_plan *plan, const rb_plan_request *rq,
                                bool passed, rb_err *err)
{
    const rb_books *books;
    RB_AUTO(rb_approvals_clear) rb_approvals approvals = {0};
    *missing = 0;
    RB_TRY(rb_cli_books(&books, cli, err));
    rb_approvals_count(&approvals, books->policy, rq->to, rq->env->name, rq->kind);
    if (approvals.given >= approvals.needed)
        return RB_OK;
    *missing = approvals.needed - approvals.given;
    RB_AUTO(rb_buf_clear) rb_buf given = {0};
    for (size_t i = 0; i < approvals.people.n; i++)
        rb_buf_printf(&given, "%s%s", i ? ", " : "", approvals.people.items[i]);
    RB_AUTO(rb_free_str)
    char *ignored = approvals.ignored > 0
                        ? rb_format(", and %zu that do not count", approvals.ignored)
                        : rb_strdup("");
    RB_AUTO(rb_free_str)
    char *next = passed ? rb_strdup("passed over by --break-glass")
                        : rb_format("`rbtool approve %s --env %s` by others than its signer, "
                                    "and `rbtool sync` for what they wrote elsewhere",
                                    rq->to->tag, rq->env->name);
    rb_plan_decide(plan, "approvals", passed ? RB_OK : RB_DECIDE,
                   "%s to %s takes %d approval(s) of it for %s, %d given (%s%s), %d missing: %s",
                   rq->kind, rq->to->tag, approvals.needed, rq->env->name, approvals.given,
                   given.len ? given.data : "nobody", ignored, *missing, next);
    return RB_OK;
}

enum rb_code rb_rules_signed(rb_cli *cli, const rb_plan_request *rq, rb_err *err)
{
    const rb_books *books;
    RB_TRY(rb_cli_books(&books, cli, err));
    if (!rb_policy_must_sign(books->policy, rq->env->name))
        return RB_OK;
    RB_AUTO(rb_caller_clear) rb_caller caller = {0};
    RB_TRY(rb_caller_find(&caller, rq->repo, rq->signers, NULL, false, err));
    if (caller.principal)
        return RB_OK;
    return rb_fail(err, RB_ERROR,
                   "the policy wants signed entries for %s, and this host cannot write them: %s; "
                   "nothing was changed",
                   rq->env->name, caller.why);
}

enum rb_code rb_rules_loss(rb_cli *cli, const rb_plan *plan, const rb_plan_request *rq, rb_err *err)
{
    const rb_books *books;
    RB_TRY(rb_cli_books(&books, cli, err));
    const rb_policy *policy = books->policy;
    if (!plan->consent || !rb_policy_rooted(policy))
        return RB_OK;
    RB_AUTO(rb_caller_clear) rb_caller caller = {0};
    RB_TRY(rb_caller_find(&caller, rq->repo, rq->signers, NULL, false, err));
    if (rb_policy_allows(policy, RB_ROLE_ACCEPT_LOSS, caller.principal, caller.fingerprint))
        return RB_OK;
    RB_AUTO(rb_free_str) char *members = rb_policy_members(policy, RB_ROLE_ACCEPT_LOSS);
    return rb_fail(err, RB_DECIDE,
                   "agreeing to a loss of data takes a key in role accept-loss (%s): %s%s; nothing "
                   "was changed",
                   members, caller.principal ? "not that of " : "",
                   caller.principal ? caller.principal : caller.why);
}

enum rb_code rb_rules_override(rb_cli *cli, const rb_plan *plan, const rb_plan_request *rq,
                               const char *why, rb_err *err)
{
    rb_oid id;
    RB_AUTO(rb_json_freep)
    json_t *detail =
        json_pack("{s:s,s:s,s:s}", "rule", "approvals", "why", why, "transition", plan->id);
    if (!detail)
        return rb_fail(err, RB_ERROR, "the reason given with -m is not UTF-8");
    RB_AUTO(rb_free_str) char *title = rb_format("approvals for %s: %s", rq->env->name, why);
    const rb_draft draft = {.kind = RB_ENTRY_OVERRIDE,
                            .app = rq->to->manifest->app_name,
                            .tag = rq->to->tag,
                            .object = rq->to->object,
                            .environment = rq->env->name,
                            .title = title,
                            .detail = detail,
                            .must_sign = true,
                            .begins = true};
    if (rb_ledger_append(&id, rq->repo, &draft, err) != RB_OK)
        return rb_err_prefix(err, "nothing was changed, since the override cannot be recorded");
    rb_cli_books_drop(cli);
    rb_ui_note(cli, "%sBREAK-GLASS%s: %s goes to %s without its approvals: %s",
               rb_ui_color(cli, RB_RED), rb_ui_color(cli, RB_PLAIN), rq->env->name, rq->to->tag,
               why);
    return RB_OK;
}
