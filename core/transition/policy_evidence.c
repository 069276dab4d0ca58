/* Checks the policy's rules about evidence: drills, looks at backups, reviews. */
#include "transition/plan_make.h"
#include "transition/policy_check.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "ledger/judge.h"

#define DAY 86400

static void decide(rb_policy_needs *needs, rb_plan *plan, const char *rule, bool passed,
                   const char *what, const char *next)
{
    if (passed)
        rb_strs_add(&needs->rules, rule);
    rb_plan_decide(plan, rule, passed ? RB_OK : RB_DECIDE, "%s\n%s", what,
                   passed ? "passed over by --break-glass" : next);
}

/* Returns the command that makes what the rule asks for, as a hint. */
static char *next_of(const char *rule, const char *environment, int64_t days, int64_t now)
{
    if (strcmp(rule, "drill") == 0)
        return rb_format("run `rbtool drill --env %s`, or fetch a drill from elsewhere with "
                         "`rbtool sync`",
                         environment);
    RB_AUTO(rb_free_str) char *due = rb_text_iso(now + (days > 0 ? days : 1) * DAY);
    return rb_format("record one with `rbtool note --review %s --env %s --due %.10s -m TEXT`, or "
                     "fetch it with `rbtool sync`%s%s%s",
                     strcmp(rule, "backup") == 0 ? rule : "plan", environment, due,
                     strcmp(rule, "backup") == 0 ? "; `rbtool drill --backup --env " : "",
                     strcmp(rule, "backup") == 0 ? environment : "",
                     strcmp(rule, "backup") == 0 ? "` restores one that a revert made" : "");
}

static void check_ages(rb_policy_needs *needs, rb_plan *plan, const rb_policy *policy,
                       const rb_plan_request *rq, bool passed)
{
    const char *env = rq->env->name;
    const int64_t now = (int64_t)time(NULL);
    RB_AUTO(rb_judgement_clear) rb_judgement found;
    rb_judge_deploy(&found, policy, env, rq->from ? rq->from->object : NULL, now);
    for (size_t i = 0; i < found.n; i++) {
        const rb_judged *judged = &found.items[i];
        if (judged->met)
            continue;
        RB_AUTO(rb_free_str) char *wanted = rb_judged_needed(judged);
        RB_AUTO(rb_free_str) char *has = rb_judged_found(judged);
        RB_AUTO(rb_free_str)
        char *text = rb_format("the policy wants %s, and %s has %s", wanted, env, has);
        RB_AUTO(rb_free_str) char *next = next_of(judged->rule, env, judged->needed, now);
        decide(needs, plan, judged->rule, passed, text, next);
    }
}

void rb_policy_check_evidence(rb_policy_needs *needs, rb_plan *plan, const rb_policy *policy,
                              const rb_plan_request *rq, bool passed)
{
    const int64_t most = rb_policy_limit(policy, rq->env->name, NULL, "maxRowsAtRisk");
    const int64_t stake = rb_plan_at_stake(plan);
    if (strcmp(rq->kind, "deploy") == 0)
        check_ages(needs, plan, policy, rq, passed);
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
