#include "ledger/judge.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "ledger/policy_internal.h"

#define RENAMES 16 /* number of renames of an environment that are followed */
#define DAY 86400
#define SLACK 3600 /* seconds that may pass between a plan and the start of its transition */

static const char *const evidence[] = {"drill", "backup", "review"}; /* keys of maxAge */
#define EVIDENCE (sizeof evidence / sizeof *evidence)

typedef struct judging {
    rb_judgement *out;
    bool broken; /* only what was not met is wanted */
    const rb_policy *policy;
    const rb_entry **practice; /* drills and reviews, oldest first */
    size_t practised;
    json_t *live;    /* keys "ENVIRONMENT OBJECT" of releases that were completely live */
    json_t *renamed; /* name of an environment -> its previous name */
    json_t *makers;  /* tag object -> [principal, fingerprint] of the release's signer, or [] */
} judging;

static void judging_clear(judging *j)
{
    free(j->practice);
    rb_json_free(j->live);
    rb_json_free(j->renamed);
    rb_json_free(j->makers);
}

/* Returns who signed a release, borrowed; NULL if that can no longer be determined. */
static const json_t *maker_of(const judging *j, const char *tag, const char *object)
{
    const json_t *known = json_object_get(j->makers, object);
    if (known)
        return known;
    json_t *maker = json_array();
    RB_AUTO(rb_tag_freep) rb_tag *read = NULL;
    RB_AUTO(rb_verified_freep) rb_verified *verified = NULL;
    RB_AUTO(rb_problems_clear) rb_problems problems = {0};
    rb_oid id;
    if (!rb_oid_parse(&id, object) ||
        rb_tag_read_object(&read, j->policy->ledger->repo, &id, tag, RB_IGNORED) != RB_OK)
        rb_ledger_stored_tag(&read, j->policy, tag, object);
    if (read && rb_trust_verify(&verified, j->policy->ledger->signers, j->policy->ledger->repo,
                                read, &problems, RB_IGNORED) == RB_OK) {
        json_array_append_new(maker, json_string(rb_verified_principal(verified)));
        json_array_append_new(maker, json_string(rb_verified_fingerprint(verified)));
    }
    json_object_set_new(j->makers, object, maker);
    return maker;
}

static char *live_key(const char *environment, const char *object)
{
    return rb_format("%s %s", environment, object);
}

static bool was_live(const judging *j, const char *environment, const char *object)
{
    bool found = false;
    for (int i = 0; environment && i < RENAMES && !found; i++) {
        RB_AUTO(rb_free_str) char *key = live_key(environment, object);
        found = json_object_get(j->live, key) != NULL;
        environment = rb_json_str(j->renamed, environment);
    }
    return found;
}

rb_in_force rb_policy_judged_under(size_t **items, const rb_policy *policy, const rb_entry *entry)
{
    *items = NULL;
    if (!entry)
        return policy->states[policy->now];
    const json_t *detail = rb_entry_detail(entry);
    const json_t *named = json_object_get(detail, "policy");
    const rb_ledger *ledger = policy->ledger;
    const size_t state = policy->state[entry - ledger->items];
    const rb_in_force *there = &policy->states[state];
    const int64_t started = rb_json_int(detail, "started", 0);
    RB_AUTO(rb_buf_clear) rb_buf judged = {0};
    size_t i;
    rb_oid id;
    rb_json_each (item, named)
        for (size_t e = 0; rb_oid_parse(&id, json_string_value(item)) && e < policy->version_count;
             e++)
            if (memcmp(&ledger->items[policy->versions[e].entry].id, &id, sizeof id) == 0 &&
                rb_ledger_before(ledger, &ledger->items[policy->versions[e].entry], entry))
                rb_set_add(&judged, e);
    bool holds = named != NULL;
    for (i = 0; i < there->n && holds; i++)
        holds = rb_set_has(&judged, there->items[i]) ||
                ledger->items[policy->versions[there->items[i]].entry].at > started;
    if (!holds)
        return *there;
    *items = rb_calloc(policy->version_count + 1, sizeof **items);
    rb_in_force under = {.items = *items};
    for (size_t e = 0; e < policy->version_count; e++)
        if (rb_set_has(&judged, e))
            under.items[under.n++] = e;
    return under;
}

const rb_entry *rb_policy_excuse(const rb_policy *policy, const rb_entry *entry, const char *rule,
                                 const char *tag, const char *object)
{
    size_t count;
    const rb_about *about = rb_policy_about(&count, policy, tag);
    const char *id = rb_json_str(rb_entry_detail(entry), "id");
    for (size_t i = 0; i < count; i++) {
        const rb_entry *other = &policy->ledger->items[about[i].entry];
        const json_t *detail = rb_entry_detail(other);
        if (other->kind == RB_ENTRY_OVERRIDE && other->trust == RB_ENTRY_GOOD &&
            rb_text_same(rb_json_str(detail, "rule"), rule) &&
            rb_text_same(rb_json_str(detail, "transition"), id) &&
            rb_text_same(other->object, object) && rb_ledger_before(policy->ledger, other, entry))
            return other;
    }
    return NULL;
}

/* Adds a result. If the rule is not met, looks for an override that excuses the transition. */
static void add(judging *j, rb_judged item)
{
    if (!item.met && item.entry) {
        item.by = rb_policy_excuse(j->policy, item.entry, item.rule, item.tag, item.object);
        item.met = item.by != NULL;
    }
    if (item.met && j->broken)
        return;
    j->out->items = rb_realloc(j->out->items, j->out->n + 1, sizeof *j->out->items);
    j->out->items[j->out->n++] = item;
}

static void judge_approvals(judging *j, const rb_in_force *under, const rb_judged *about,
                            const char *tag, const char *object, bool scripts)
{
    if (!about->environment || !tag || !object)
        return;
    rb_judged item = *about;
    item.rule = "approvals";
    item.tag = tag;
    item.object = object;
    item.scripts = scripts;
    item.kind = was_live(j, item.environment, object) ? "revert" : "deploy";
    item.needed = rb_in_force_approvals(j->policy, under, item.environment, item.kind);
    if (item.needed == 0)
        return;
    const json_t *maker = maker_of(j, tag, object);
    const rb_signed_release release = {tag, object, json_string_value(json_array_get(maker, 0)),
                                       json_string_value(json_array_get(maker, 1))};
    RB_AUTO(rb_approvals_clear) rb_approvals approvals;
    rb_approvals_before(&approvals, j->policy, &release, item.environment, item.entry);
    item.found = approvals.given;
    item.met = item.found >= item.needed;
    add(j, item);
}

static bool reached(const json_t *detail)
{
    const char *outcome = rb_json_str(detail, "outcome");
    return rb_text_same(outcome, "done") || rb_text_same(outcome, "unhealthy") ||
           rb_text_same(outcome, "down");
}

/* Returns the detail of an entry if it is a transition that reached a release in the environment.
 */
static const json_t *arrival(const rb_entry *entry, const char *environment)
{
    const json_t *detail = entry->kind == RB_ENTRY_TRANSITION &&
                                   entry->trust <= RB_ENTRY_UNSIGNED &&
                                   rb_text_same(entry->environment, environment)
                               ? rb_entry_detail(entry)
                               : NULL;
    return detail && reached(detail) && rb_json_str(detail, "toObject") ? detail : NULL;
}

const char *rb_judge_live(const rb_policy *policy, const char *environment)
{
    for (size_t i = policy->ledger->n; i > 0; i--) {
        const json_t *detail = arrival(&policy->ledger->items[i - 1], environment);
        if (detail)
            return rb_json_str(detail, "toObject");
    }
    return NULL;
}

/* True if the revert of release FROM can be practised: it was deployed over another release. Also
 * true if the ledger does not know how it came here. before: see newest(). */
static bool has_way_back(const rb_policy *policy, const char *environment, const char *from,
                         const rb_entry *before)
{
    bool known = false;
    const rb_ledger *ledger = policy->ledger;
    for (size_t i = before ? (size_t)(before - ledger->items) : ledger->n; i > 0; i--) {
        const json_t *detail = arrival(&ledger->items[i - 1], environment);
        if (!detail || !rb_text_same(rb_json_str(detail, "toObject"), from) ||
            (before && !rb_ledger_before(ledger, &ledger->items[i - 1], before)))
            continue;
        const char *over = rb_json_str(detail, "fromObject");
        if (rb_text_same(rb_json_str(detail, "kind"), "deploy") && over && strcmp(over, from) != 0)
            return true;
        known = true;
    }
    return !known;
}

static bool is_evidence(const rb_entry *entry, const char *rule, int64_t now)
{
    const json_t *detail = rb_entry_detail(entry);
    const char *mode = rb_json_str(detail, "mode");
    if (entry->kind == RB_ENTRY_DRILL)
        return json_is_true(json_object_get(detail, "ok")) &&
               (strcmp(rule, "backup") == 0
                    ? rb_text_same(mode, "backup")
                    : strcmp(rule, "drill") == 0 && (!mode || strcmp(mode, "revert") == 0));
    if (strcmp(rule, "review") == 0)
        return rb_json_int(detail, "due", INT64_MAX) > now;
    return strcmp(rule, "backup") == 0 && rb_text_same(rb_json_str(detail, "subject"), "backup");
}

/* Returns the newest entry that is evidence for the rule at the time `now`: a drill that succeeded,
 * a backup that was restored or reviewed, a review whose next one is not due. before: only entries
 * before this one count; NULL: all. */
static const rb_entry *newest(const judging *j, const char *environment, const char *rule,
                              const rb_entry *before, int64_t now)
{
    const bool signed_only = before ? rb_policy_wanted_signed(j->policy, before)
                                    : rb_policy_must_sign(j->policy, environment);
    for (size_t i = j->practised; i > 0; i--) {
        const rb_entry *entry = j->practice[i - 1];
        const bool counts =
            entry->trust == RB_ENTRY_GOOD || (entry->trust == RB_ENTRY_UNSIGNED && !signed_only);
        const bool about = rb_text_same(entry->environment, environment) ||
                           (entry->kind == RB_ENTRY_REVIEW && !entry->environment);
        if (counts && about && entry->at <= now + SLACK && is_evidence(entry, rule, now) &&
            (!before || rb_ledger_before(j->policy->ledger, entry, before)))
            return entry;
    }
    return NULL;
}

/* Judges the ages of drills, backups and reviews for a deploy over release FROM. */
static void judge_ages(judging *j, const rb_in_force *under, const rb_judged *about,
                       const char *from, int64_t now)
{
    for (size_t i = 0; i < EVIDENCE && from; i++) {
        rb_judged item = *about;
        item.rule = evidence[i];
        item.needed = rb_in_force_limit(j->policy, under, item.environment, "maxAge", item.rule);
        if (item.needed < 0 || (strcmp(item.rule, "drill") == 0 &&
                                !has_way_back(j->policy, item.environment, from, item.entry)))
            continue;
        item.by = newest(j, item.environment, item.rule, item.entry, now);
        const int64_t age = item.by && item.by->at < now ? now - item.by->at : 0;
        item.found = item.by ? age / DAY : -1;
        item.met = item.by && age <= item.needed * DAY + (item.entry ? SLACK : 0);
        item.by = item.met ? item.by : NULL;
        add(j, item);
    }
}

int64_t rb_judge_lost(const json_t *detail)
{
    int64_t lost = 0;
    rb_json_each (item, json_object_get(detail, "accepted"))
        lost += rb_json_int(item, rb_json_str(item, "column") ? "values" : "rows", 0);
    return lost;
}

/* Judges the number of rows at risk, which is the number that a person accepted to lose, and
 * whether the entry is signed. */
static void judge_entry(judging *j, const rb_in_force *under, const rb_judged *about)
{
    rb_judged item = *about;
    item.rule = "maxRowsAtRisk";
    item.needed = rb_in_force_limit(j->policy, under, item.environment, NULL, item.rule);
    item.found = rb_judge_lost(rb_entry_detail(item.entry));
    item.met = item.found <= item.needed;
    if (item.needed >= 0)
        add(j, item);
    item.rule = "signed";
    item.needed = 1;
    item.found = item.entry->trust == RB_ENTRY_GOOD;
    item.met = item.found;
    if (rb_policy_wanted_signed(j->policy, item.entry))
        add(j, item);
}

static void judge(judging *j, const rb_entry *entry)
{
    const json_t *detail = rb_entry_detail(entry);
    const char *object = rb_json_str(detail, "toObject");
    const char *from = rb_json_str(detail, "fromObject");
    const char *scripts = rb_json_str(detail, "scriptsFromObject");
    const rb_judged about = {.entry = entry,
                             .environment = entry->environment,
                             .tag = rb_json_str(detail, "to"),
                             .object = object};
    size_t *held = NULL;
    const rb_in_force under = rb_policy_judged_under(&held, j->policy, entry);
    judge_approvals(j, &under, &about, about.tag, object, false);
    if (!rb_text_same(scripts, object) && !rb_text_same(scripts, from))
        judge_approvals(j, &under, &about, rb_json_str(detail, "scriptsFrom"), scripts, true);
    if (rb_text_same(rb_json_str(detail, "kind"), "deploy"))
        judge_ages(j, &under, &about, from, rb_json_int(detail, "started", 0));
    judge_entry(j, &under, &about);
    free(held);
}

/* Records which releases are live after the transition. */
static void follow(judging *j, const rb_entry *entry)
{
    const json_t *detail = rb_entry_detail(entry);
    const char *object = rb_json_str(detail, "toObject");
    if (!entry->environment || !object || !json_is_true(json_object_get(detail, "whole")) ||
        !reached(detail))
        return;
    RB_AUTO(rb_free_str) char *key = live_key(entry->environment, object);
    json_object_set_new(j->live, key, json_true());
}

static bool is_practice(const rb_entry *entry)
{
    return entry->kind == RB_ENTRY_DRILL || entry->kind == RB_ENTRY_REVIEW;
}

/* Goes through the ledger, oldest entry first. now: judges no transition. */
static void walk(judging *j, bool now)
{
    const rb_ledger *ledger = j->policy->ledger;
    j->practice = rb_calloc(ledger->n + 1, sizeof *j->practice);
    for (size_t i = 0; i < ledger->n; i++) {
        const rb_entry *entry = &ledger->items[i];
        const bool counts = entry->trust == RB_ENTRY_GOOD || entry->trust == RB_ENTRY_UNSIGNED;
        if (counts && is_practice(entry)) {
            j->practice[j->practised++] = entry;
        } else if (now) {
            continue;
        } else if (counts && entry->kind == RB_ENTRY_TRANSITION) {
            judge(j, entry);
            follow(j, entry);
        } else if (entry->kind == RB_ENTRY_OVERRIDE && entry->trust == RB_ENTRY_GOOD &&
                   entry->environment) {
            const char *before = rb_json_str(rb_entry_detail(entry), "environment");
            if (before)
                rb_json_set_str(j->renamed, entry->environment, before);
        }
    }
}

void rb_judge_transitions(rb_judgement *out, const rb_policy *policy, bool broken)
{
    *out = (rb_judgement){0};
    RB_AUTO(judging_clear)
    judging j = {.out = out,
                 .broken = broken,
                 .policy = policy,
                 .live = json_object(),
                 .renamed = json_object(),
                 .makers = json_object()};
    if (policy->version_count > 0)
        walk(&j, false);
}

void rb_judge_deploy(rb_judgement *out, const rb_policy *policy, const char *environment,
                     const char *from, int64_t now)
{
    *out = (rb_judgement){0};
    RB_AUTO(judging_clear) judging j = {.out = out, .policy = policy};
    const rb_judged about = {.environment = environment};
    if (policy->version_count == 0)
        return;
    walk(&j, true);
    judge_ages(&j, &policy->states[policy->now], &about, from, now);
}

void rb_judgement_clear(rb_judgement *judgement)
{
    free(judgement->items);
    *judgement = (rb_judgement){0};
}
