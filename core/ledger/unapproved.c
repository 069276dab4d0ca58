#include "ledger/unapproved.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "ledger/policy_internal.h"

#define RENAMES 16 /* number of renames of an environment that are followed */

typedef struct judging {
    const rb_policy *policy;
    json_t *live;    /* keys "ENVIRONMENT OBJECT" of releases that were completely live */
    json_t *renamed; /* name of an environment -> its previous name */
    json_t *makers;  /* tag object -> [principal, fingerprint] of the release's signer, or [] */
} judging;

static void judging_clear(judging *j)
{
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

static void judge_release(rb_unapproved **items, size_t *n, judging *j, const rb_entry *entry,
                          const char *tag, const char *object, bool scripts)
{
    const rb_policy *policy = j->policy;
    if (!entry->environment || !tag || !object)
        return;
    rb_unapproved found = {.entry = entry, .tag = tag, .object = object, .scripts = scripts};
    found.kind = was_live(j, entry->environment, object) ? "revert" : "deploy";
    size_t *held = NULL;
    const rb_in_force under = rb_policy_judged_under(&held, policy, entry);
    found.needed = rb_in_force_approvals(policy, &under, entry->environment, found.kind);
    free(held);
    if (found.needed == 0)
        return;
    const json_t *maker = maker_of(j, tag, object);
    const rb_signed_release release = {tag, object, json_string_value(json_array_get(maker, 0)),
                                       json_string_value(json_array_get(maker, 1))};
    rb_approvals approvals;
    rb_approvals_before(&approvals, policy, &release, entry->environment, entry);
    found.given = approvals.given;
    rb_approvals_clear(&approvals);
    found.excuse = found.given >= found.needed
                       ? NULL
                       : rb_policy_excuse(policy, entry, "approvals", tag, object);
    found.met = found.given >= found.needed || found.excuse;
    *items = rb_realloc(*items, *n + 1, sizeof **items);
    (*items)[(*n)++] = found;
}

static void judge(rb_unapproved **items, size_t *n, judging *j, const rb_entry *entry)
{
    const json_t *detail = rb_entry_detail(entry);
    const char *object = rb_json_str(detail, "toObject");
    const char *scripts = rb_json_str(detail, "scriptsFromObject");
    judge_release(items, n, j, entry, rb_json_str(detail, "to"), object, false);
    if (!rb_text_same(scripts, object) && !rb_text_same(scripts, rb_json_str(detail, "fromObject")))
        judge_release(items, n, j, entry, rb_json_str(detail, "scriptsFrom"), scripts, true);
}

/* Records which releases are live after the transition. */
static void follow(judging *j, const rb_entry *entry)
{
    const json_t *detail = rb_entry_detail(entry);
    const char *outcome = rb_json_str(detail, "outcome");
    const char *object = rb_json_str(detail, "toObject");
    if (!entry->environment || !object || !json_is_true(json_object_get(detail, "whole")) ||
        !(rb_text_same(outcome, "done") || rb_text_same(outcome, "unhealthy") ||
          rb_text_same(outcome, "down")))
        return;
    RB_AUTO(rb_free_str) char *key = live_key(entry->environment, object);
    json_object_set_new(j->live, key, json_true());
}

void rb_unapproved_find(rb_unapproved **items, size_t *n, const rb_policy *policy)
{
    size_t lacking = 0;
    rb_approvals_judge(items, n, policy);
    for (size_t i = 0; i < *n; i++)
        if (!(*items)[i].met)
            (*items)[lacking++] = (*items)[i];
    *n = lacking;
}

void rb_approvals_judge(rb_unapproved **items, size_t *n, const rb_policy *policy)
{
    RB_AUTO(judging_clear)
    judging j = {policy, json_object(), json_object(), json_object()};
    const rb_ledger *ledger = policy->ledger;
    *items = NULL;
    *n = 0;
    for (size_t i = 0; i < ledger->n && policy->version_count > 0; i++) {
        const rb_entry *entry = &ledger->items[i];
        const bool counts = entry->trust == RB_ENTRY_GOOD || entry->trust == RB_ENTRY_UNSIGNED;
        if (counts && entry->kind == RB_ENTRY_TRANSITION) {
            judge(items, n, &j, entry);
            follow(&j, entry);
        } else if (entry->kind == RB_ENTRY_OVERRIDE && entry->trust == RB_ENTRY_GOOD &&
                   entry->environment) {
            const char *before = rb_json_str(rb_entry_detail(entry), "environment");
            if (before)
                rb_json_set_str(j.renamed, entry->environment, before);
        }
    }
}
