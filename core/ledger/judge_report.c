/* Describes what rb_judge_transitions() found, and adds it to the entries of the ledger. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "ledger/judge.h"
#include "ledger/policy_internal.h"

#define CLOCKS 60 /* seconds by which the clocks of two hosts may differ */

/* Returns what a rule about the age of evidence asks for; NULL for other rules. */
static const char *by_age(const rb_judged *judged)
{
    return strcmp(judged->rule, "drill") == 0    ? "a drill"
           : strcmp(judged->rule, "backup") == 0 ? "a look at a backup"
           : strcmp(judged->rule, "review") == 0 ? "a review"
                                                 : NULL;
}

char *rb_judged_needed(const rb_judged *judged)
{
    const long long needed = judged->needed;
    const char *s = rb_text_s((uint64_t)needed);
    if (by_age(judged))
        return rb_format("%s at most %lld day%s old", by_age(judged), needed, s);
    if (strcmp(judged->rule, "approvals") == 0)
        return rb_format("%lld approval%s", needed, s);
    if (strcmp(judged->rule, "signed") == 0)
        return rb_strdup("a signed entry");
    return rb_format("at most %lld values and rows at risk", needed);
}

char *rb_judged_found(const rb_judged *judged)
{
    const long long found = judged->found;
    if (strcmp(judged->rule, "signed") == 0)
        return rb_strdup(found ? "one" : "one without signature");
    if (!by_age(judged))
        return rb_format("%lld", found);
    return found < 0 ? rb_strdup("none that counts")
                     : rb_format("one %lld day%s old", found, rb_text_s((uint64_t)found));
}

json_t *rb_judged_json(const rb_judged *judged)
{
    char ids[2][RB_OID_HEX];
    if (judged->entry)
        rb_oid_hex(&judged->entry->id, ids[0]);
    if (judged->by)
        rb_oid_hex(&judged->by->id, ids[1]);
    RB_AUTO(rb_free_str) char *needed = rb_judged_needed(judged);
    RB_AUTO(rb_free_str) char *found = rb_judged_found(judged);
    return rb_json_make("rule:s environment:s transition:s needed:s found:s met:b by:s",
                        judged->rule, judged->environment, judged->entry ? ids[0] : NULL, needed,
                        found, judged->met, judged->by ? ids[1] : NULL);
}

/* Adds a problem to good entries that were written after the policy had revoked their key. Policies
 * are excluded, since loading them judges them. Merges are excluded: `sync` writes one when a clone
 * with that key receives the policy. */
static void mark_keys(rb_ledger *ledger, const rb_policy *policy)
{
    for (size_t i = 0; i < ledger->n; i++) {
        rb_entry *entry = &ledger->items[i];
        if (entry->trust != RB_ENTRY_GOOD || entry->kind == RB_ENTRY_POLICY ||
            entry->kind == RB_ENTRY_MERGE || !rb_policy_revoked_key(policy, entry))
            continue;
        rb_problems_add(&entry->problems, "revoked", "", "a key that is not revoked",
                        entry->fingerprint,
                        "signed by %s with key %s, which the policy had revoked before, so that it "
                        "does not count",
                        entry->principal, entry->fingerprint);
    }
}

/* Adds a problem to the entries of transitions for each rule of the policy that they broke. An
 * entry without signature has its own problem. */
static void mark_transitions(rb_ledger *ledger, const rb_policy *policy)
{
    RB_AUTO(rb_judgement_clear) rb_judgement broken;
    rb_judge_transitions(&broken, policy, true);
    for (size_t i = 0; i < broken.n; i++) {
        const rb_judged *found = &broken.items[i];
        rb_entry *entry = &ledger->items[found->entry - ledger->items];
        RB_AUTO(rb_free_str) char *needed = rb_judged_needed(found);
        RB_AUTO(rb_free_str) char *had = rb_judged_found(found);
        if (strcmp(found->rule, "approvals") == 0)
            rb_problems_add(&entry->problems, "approvals", "", needed, had,
                            "%s%s had %s of the %s that the policy asked for then in %s%s, and no "
                            "override excuses it",
                            found->scripts ? "--scripts-from: " : "", found->tag, had, needed,
                            entry->environment,
                            strcmp(found->kind, "revert") == 0 ? " for a revert to it" : "");
        else if (strcmp(found->rule, "signed") != 0)
            rb_problems_add(&entry->problems, "rule", found->rule, needed, had,
                            "the policy asked then in %s for %s (rule %s), %s had %s, and no "
                            "override excuses it",
                            entry->environment, needed, found->rule, found->tag, had);
    }
}

/* True if the transition is judged without the policy version, although it follows it. */
static bool is_spared(const rb_policy *policy, const rb_entry *entry, size_t version)
{
    size_t *held = NULL;
    bool applied = false;
    const int64_t started = rb_json_int(rb_entry_detail(entry), "started", 0);
    if (policy->ledger->items[policy->versions[version].entry].at <= started)
        return false;
    const rb_in_force under = rb_policy_judged_under(&held, policy, entry);
    for (size_t i = 0; i < under.n; i++)
        applied = applied || under.items[i] == version;
    free(held);
    return !applied;
}

/* Adds a warning to transitions that are judged without a policy that they follow: that they began
 * before it was set is known from their own entries alone. */
static void mark_spared(rb_ledger *ledger, const rb_policy *policy)
{
    for (size_t i = 0; i < ledger->n && policy->version_count > 0; i++) {
        rb_entry *entry = &ledger->items[i];
        const rb_in_force *there = &policy->states[policy->state[i]];
        if (entry->kind != RB_ENTRY_TRANSITION || entry->trust > RB_ENTRY_UNSIGNED)
            continue;
        for (size_t v = 0; v < there->n; v++) {
            const rb_policy_version *version = &policy->versions[there->items[v]];
            char hex[RB_OID_HEX];
            if (!is_spared(policy, entry, there->items[v]))
                continue;
            rb_oid_hex(&ledger->items[version->entry].id, hex);
            rb_problems_add(&entry->problems, "policy", "", hex, "",
                            "judged without policy version %lld (entry %.10s), because the entry "
                            "says that it began before that was set",
                            (long long)version->version, hex);
            rb_problems_warn(&entry->problems);
        }
    }
}

/* Adds a warning to entries that are dated before one of their parents: a clock was wrong. */
static void mark_times(rb_ledger *ledger)
{
    for (size_t i = 0; i < ledger->n; i++) {
        rb_entry *entry = &ledger->items[i];
        int64_t newest = 0;
        for (size_t p = 0; p < entry->parent_count; p++)
            if (ledger->items[entry->parents[p]].at > newest)
                newest = ledger->items[entry->parents[p]].at;
        if (entry->trust > RB_ENTRY_UNSIGNED || entry->at >= newest - CLOCKS)
            continue;
        rb_problems_add(&entry->problems, "dated", "", "", "",
                        "dated %lld seconds before the entry that it follows: the clock of one of "
                        "the writers is wrong",
                        (long long)(newest - entry->at));
        rb_problems_warn(&entry->problems);
    }
}

void rb_judge_mark(rb_ledger *ledger, const rb_policy *policy, bool transitions)
{
    if (transitions) {
        mark_transitions(ledger, policy);
        mark_spared(ledger, policy);
    }
    mark_keys(ledger, policy);
    mark_times(ledger);
}
