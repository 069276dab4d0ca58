#include "ledger/evidence.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "ledger/policy_internal.h"

#define DAY 86400
#define SLACK 3600 /* seconds that may pass between a plan and the start of its transition */

const char *const rb_evidence_rules[] = {"drill", "backup", "review", NULL};

static bool is_evidence(const rb_entry *entry, const char *rule, int64_t now)
{
    const json_t *detail = rb_entry_detail(entry);
    const char *mode = rb_json_str(detail, "mode");
    if (entry->kind == RB_ENTRY_DRILL)
        return json_is_true(json_object_get(detail, "ok")) &&
               (strcmp(rule, "backup") == 0
                    ? rb_text_same(mode, "backup")
                    : strcmp(rule, "drill") == 0 && (!mode || strcmp(mode, "revert") == 0));
    if (entry->kind != RB_ENTRY_REVIEW)
        return false;
    if (strcmp(rule, "review") == 0)
        return rb_json_int(detail, "due", INT64_MAX) > now;
    return strcmp(rule, "backup") == 0 && rb_text_same(rb_json_str(detail, "subject"), "backup");
}

const rb_entry *rb_evidence_newest(const rb_policy *policy, const char *environment,
                                   const char *rule, const rb_entry *before, int64_t now)
{
    const rb_ledger *ledger = policy->ledger;
    const bool signed_only =
        before ? rb_policy_wanted_signed(policy, before) : rb_policy_must_sign(policy, environment);
    for (size_t i = before ? (size_t)(before - ledger->items) : ledger->n; i > 0; i--) {
        const rb_entry *entry = &ledger->items[i - 1];
        const bool counts =
            entry->trust == RB_ENTRY_GOOD || (entry->trust == RB_ENTRY_UNSIGNED && !signed_only);
        const bool about = rb_text_same(entry->environment, environment) ||
                           (entry->kind == RB_ENTRY_REVIEW && !entry->environment);
        if (counts && about && entry->at <= now + SLACK && is_evidence(entry, rule, now) &&
            (!before || rb_ledger_before(ledger, entry, before)))
            return entry;
    }
    return NULL;
}

json_t *rb_evidence_item(const char *rule, const char *environment, const rb_entry *transition,
                         const char *needed, const char *found, bool met, const rb_entry *by)
{
    char ids[2][RB_OID_HEX];
    if (transition)
        rb_oid_hex(&transition->id, ids[0]);
    if (by)
        rb_oid_hex(&by->id, ids[1]);
    return rb_json_make("rule:s environment:s transition:s needed:s found:s met:b by:s", rule,
                        environment, transition ? ids[0] : NULL, needed, found, met,
                        by ? ids[1] : NULL);
}

typedef struct judging {
    json_t *out;
    const rb_policy *policy;
    const rb_in_force *under;
    const char *environment;
    const rb_entry *transition; /* NULL: judge a deploy that starts now */
    int64_t now;
} judging;

static void add(const judging *j, const char *rule, const char *needed, const char *found, bool met,
                const rb_entry *by)
{
    const json_t *detail = j->transition ? rb_entry_detail(j->transition) : NULL;
    if (!met && j->transition)
        by = rb_policy_excuse(j->policy, j->transition, rule, rb_json_str(detail, "to"),
                              rb_json_str(detail, "toObject"));
    json_array_append_new(j->out, rb_evidence_item(rule, j->environment, j->transition, needed,
                                                   found, met || by, by));
}

static void judge_age(const judging *j, const char *rule)
{
    const int64_t days = rb_in_force_limit(j->policy, j->under, j->environment, "maxAge", rule);
    if (days < 0)
        return;
    const rb_entry *entry =
        rb_evidence_newest(j->policy, j->environment, rule, j->transition, j->now);
    const int64_t age = entry && entry->at < j->now ? j->now - entry->at : 0;
    RB_AUTO(rb_free_str)
    char *needed =
        rb_format("a %s at most %lld day%s old", rule, (long long)days, rb_text_s((uint64_t)days));
    RB_AUTO(rb_free_str)
    char *found = entry ? rb_format("one %lld day%s old", (long long)(age / DAY),
                                    rb_text_s((uint64_t)(age / DAY)))
                        : rb_strdup("none that counts");
    const bool met = entry && age <= days * DAY + SLACK;
    add(j, rule, needed, found, met, met ? entry : NULL);
}

/* True before the first deploy, when nothing can be practised yet. */
static bool is_first(const rb_policy *policy, const char *environment)
{
    for (size_t i = 0; i < policy->ledger->n; i++) {
        const rb_entry *entry = &policy->ledger->items[i];
        if (entry->kind == RB_ENTRY_TRANSITION && entry->trust <= RB_ENTRY_UNSIGNED &&
            rb_text_same(entry->environment, environment))
            return false;
    }
    return true;
}

int64_t rb_evidence_lost(const json_t *detail)
{
    int64_t lost = 0;
    rb_json_each (item, json_object_get(detail, "accepted"))
        lost += rb_json_int(item, rb_json_str(item, "column") ? "values" : "rows", 0);
    return lost;
}

/* Judges the number of rows at risk, which is the number that a person accepted to lose. */
static void judge_risk(const judging *j)
{
    const int64_t most =
        rb_in_force_limit(j->policy, j->under, j->environment, NULL, "maxRowsAtRisk");
    if (most < 0 || !j->transition)
        return;
    const int64_t stake = rb_evidence_lost(rb_entry_detail(j->transition));
    RB_AUTO(rb_free_str)
    char *needed = rb_format("at most %lld values and rows at risk", (long long)most);
    RB_AUTO(rb_free_str) char *found = rb_format("%lld", (long long)stake);
    add(j, "maxRowsAtRisk", needed, found, stake <= most, NULL);
}

void rb_evidence_judge(json_t *out, const rb_policy *policy, const char *environment,
                       const rb_entry *transition, int64_t now)
{
    const json_t *detail = transition ? rb_entry_detail(transition) : NULL;
    size_t *items = NULL;
    const rb_in_force under = rb_policy_judged_under(&items, policy, transition);
    const judging j = {out,        policy,
                       &under,     environment,
                       transition, transition ? rb_json_int(detail, "started", 0) : now};
    if (transition
            ? rb_text_same(rb_json_str(detail, "kind"), "deploy") && rb_json_str(detail, "from")
            : !is_first(policy, environment))
        for (size_t i = 0; rb_evidence_rules[i]; i++)
            judge_age(&j, rb_evidence_rules[i]);
    judge_risk(&j);
    if (transition && rb_policy_wanted_signed(policy, transition))
        add(&j, "signed", "a signed entry",
            transition->trust == RB_ENTRY_GOOD ? "one" : "one without signature",
            transition->trust == RB_ENTRY_GOOD, NULL);
    free(items);
}
