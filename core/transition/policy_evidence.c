/* Checks the policy's rules about evidence: drills, looks at backups, reviews. */
#include "transition/policy_check.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "ledger/evidence.h"

#define DAY 86400

static void decide(rb_policy_needs *needs, rb_plan *plan, const char *rule, bool passed,
                   const char *what, const char *next)
{
    if (passed)
        rb_strs_add(&needs->rules, rule);
    rb_plan_decide(plan, rule, passed ? RB_OK : RB_DECIDE, "%s\n%s", what,
                   passed ? "passed over by --break-glass" : next);
}

static void check_age(rb_policy_needs *needs, rb_plan *plan, const rb_policy *policy,
                      const rb_plan_request *rq, bool passed, const char *rule, const char *what,
                      const char *command)
{
    const char *env = rq->env->name;
    const int64_t days = rb_policy_limit(policy, env, "maxAge", rule);
    if (days < 0)
        return;
    const int64_t now = (int64_t)time(NULL);
    const rb_entry *entry = rb_evidence_newest(policy, env, rule, NULL, now);
    const int64_t age = entry ? now - entry->at : 0;
    if (entry && age <= days * DAY)
        return;
    RB_AUTO(rb_free_str)
    char *last = entry ? rb_format("the last one is %lld days old", (long long)(age / DAY))
                       : rb_strdup("the ledger here has none that counts");
    RB_AUTO(rb_free_str)
    char *text = rb_format("the policy wants %s of %s that is not older than %lld day%s, and %s",
                           what, env, (long long)days, days == 1 ? "" : "s", last);
    RB_AUTO(rb_free_str) char *next = rb_format(command, env);
    decide(needs, plan, rule, passed, text, next);
}

void rb_policy_check_evidence(rb_policy_needs *needs, rb_plan *plan, const rb_policy *policy,
                              const rb_plan_request *rq, bool passed)
{
    const int64_t most = rb_policy_limit(policy, rq->env->name, NULL, "maxRowsAtRisk");
    const int64_t stake = rb_plan_at_stake(plan);
    /* A revert must not wait for a drill, and before the first deploy no drill is possible. */
    if (strcmp(rq->kind, "deploy") == 0 && rq->from) {
        check_age(needs, plan, policy, rq, passed, "drill", "a drill",
                  "run `rbtool drill --env %s`, then `rbtool sync`");
        check_age(needs, plan, policy, rq, passed, "backup", "a look at a backup",
                  "run `rbtool drill --backup --env %s`, or record a review with `rbtool note "
                  "--review backup --due DATE -m TEXT`");
        check_age(needs, plan, policy, rq, passed, "review", "a review",
                  "record one of %s with `rbtool note --review plan --due DATE -m TEXT`, then "
                  "`rbtool sync`");
    }
    if (most < 0 || stake <= most)
        return;
    RB_AUTO(rb_free_str)
    char *text = rb_format("%lld values and rows are at risk, and the policy allows %lld in %s "
                           "(maxRowsAtRisk)",
                           (long long)stake, (long long)most, rq->env->name);
    decide(needs, plan, "maxRowsAtRisk", passed, text,
           "take another way back, which `rbtool plan` lists, or add --break-glass -m WHY");
}

/* Returns the newest drill, whether it succeeded or not. A tabletop exercise does not count. */
static const rb_entry *newest_drill(const rb_ledger *ledger, const char *environment)
{
    for (size_t i = ledger->n; i > 0; i--) {
        const rb_entry *entry = &ledger->items[i - 1];
        if (entry->kind == RB_ENTRY_DRILL && entry->trust <= RB_ENTRY_UNSIGNED &&
            rb_text_same(entry->environment, environment) &&
            !rb_text_same(rb_json_str(rb_entry_detail(entry), "mode"), "tabletop"))
            return entry;
    }
    return NULL;
}

json_t *rb_drill_last(const rb_ledger *ledger, const char *environment)
{
    const rb_entry *entry = newest_drill(ledger, environment);
    char hex[RB_OID_HEX];
    if (!entry)
        return NULL;
    const json_t *detail = rb_entry_detail(entry);
    const time_t at = (time_t)entry->at;
    struct tm tm;
    char text[32] = "";
    if (gmtime_r(&at, &tm))
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    rb_oid_hex(&entry->id, hex);
    return rb_json_make("at:s ok:J mode:s milliseconds:J entry:s", text,
                        json_object_get(detail, "ok"), rb_json_str(detail, "mode"),
                        json_object_get(detail, "milliseconds"), hex);
}
