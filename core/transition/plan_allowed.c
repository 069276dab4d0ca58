/* Whether a plan may be carried out, with what was agreed to. */
#include <string.h>

#include "base/text.h"
#include "environment/drift.h"
#include "transition/plan.h"

/* asked: what else is to be agreed to, "" for nothing. */
static enum rb_code refuse_drift(const rb_plan *plan, const char *asked, rb_err *err)
{
    const json_t *first = json_array_get(plan->drift, 0);
    const char *expected = rb_json_str(first, "expected");
    bool own = strcmp(rb_json_str(first, "part"), "app") != 0 && expected &&
               strcmp(expected, RB_DRIFT_NO_FILE) == 0;
    RB_AUTO(rb_free_str) char *words = rb_drift_words(first);
    RB_AUTO(rb_free_str)
    char *look = rb_format("look with `rbtool status --env %s`, and go on over it with "
                           "--accept-drift",
                           rb_json_str(plan->json, "environment"));
    return rb_fail(err, RB_DECIDE,
                   "the environment has drifted in %zu place%s, first %s %s (%s); nothing was "
                   "changed; %s%s",
                   json_array_size(plan->drift), rb_text_s(json_array_size(plan->drift)),
                   rb_json_str(first, "part"), rb_json_str(first, "path"), words,
                   own ? "no release put that file there, and this one brings another: release "
                         "what is in it, or let it be replaced with --accept-drift; it is kept "
                         "below .rbtool/backups, and comes back with a release that has none"
                       : look,
                   asked);
}

/* What a person has to agree to with the digest, besides the loss of data. */
static const char *left_behind(const rb_plan *plan)
{
    size_t i;
    json_t *item;
    json_array_foreach (json_object_get(plan->json, "decisions"), i, item)
        if (strcmp(rb_json_str(item, "code"), "data-loss") != 0)
            return rb_json_str(item, "message");
    return "the plan is not proven";
}

/* A prefix will do: there is one plan that it can be about. */
bool rb_plan_agrees(const rb_plan *plan, const char *loss)
{
    size_t len = loss ? strlen(loss) : 0;
    return len >= RB_DIGEST_PREFIX && strncmp(loss, plan->digest, len) == 0;
}

int64_t rb_plan_at_stake(const rb_plan *plan)
{
    int64_t total = 0;
    size_t i;
    json_t *item;
    json_array_foreach (json_object_get(plan->json, "dataAtRisk"), i, item)
        total += rb_json_int(item, rb_json_str(item, "column") ? "values" : "rows", 0);
    return total;
}

enum rb_code rb_plan_allowed(const rb_plan *plan, bool accept_drift, const char *loss, rb_err *err)
{
    if (plan->worst != RB_OK)
        return rb_fail(err, plan->worst, "%s; nothing was changed", plan->refusal);
    bool asked = plan->consent && !rb_plan_agrees(plan, loss);
    bool loses = json_array_size(json_object_get(plan->json, "dataAtRisk")) > 0;
    if (json_array_size(plan->drift) > 0 && !accept_drift) {
        RB_AUTO(rb_free_str)
        char *also = rb_format("; the plan also %s: add --accept-data-loss %s to agree to that",
                               loses ? "loses data" : "leaves something behind", plan->digest);
        return refuse_drift(plan, asked ? also : "", err);
    }
    if (!asked)
        return RB_OK;
    return rb_fail(err, RB_DECIDE,
                   "%s; nothing was changed; to agree to this plan add --accept-data-loss %s",
                   loss && strlen(loss) < RB_DIGEST_PREFIX
                       ? "--accept-data-loss takes at least 12 digits of the plan's digest"
                   : loss  ? "the plan is not the one whose loss was agreed to"
                   : loses ? "the plan loses data"
                           : left_behind(plan),
                   plan->digest);
}
