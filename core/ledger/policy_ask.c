#include <stdlib.h>
#include <string.h>

#include "ledger/policy_internal.h"
#include "trust/signers.h"

/* Returns the set of a version's ancestors and itself. */
static const rb_buf *older(const rb_policy *policy, rb_policy_version *version)
{
    if (version->older.len > 0)
        return &version->older;
    rb_set_add(&version->older, version->entry);
    for (size_t i = version->entry + 1; i > 0; i--) {
        const rb_entry *entry = &policy->ledger->items[i - 1];
        if (rb_set_has(&version->older, i - 1))
            for (size_t p = 0; p < entry->parent_count; p++)
                rb_set_add(&version->older, entry->parents[p]);
    }
    return &version->older;
}

static bool precedes(const rb_policy *policy, size_t version, const rb_in_force *state)
{
    bool found = false;
    for (size_t i = 0; i < state->n && !found; i++)
        found = state->items[i] == version ||
                rb_set_has(&policy->versions[state->items[i]].before, version);
    return found;
}

bool rb_in_force_all(const rb_policy *policy, const rb_in_force *versions, rb_policy_test *test,
                     const void *context)
{
    for (size_t i = 0; i < versions->n; i++)
        if (!test(context, policy->versions[versions->items[i]].json))
            return false;
    return true;
}

static bool keeps_key(const void *fingerprint, const json_t *policy)
{
    return !rb_policy_json_revokes(policy, fingerprint);
}

bool rb_in_force_revokes(const rb_policy *policy, const rb_in_force *versions,
                         const char *fingerprint)
{
    return !rb_in_force_all(policy, versions, keeps_key, fingerprint);
}

bool rb_policy_binding(const rb_policy *policy, size_t entry, rb_policy_test *test,
                       const void *context)
{
    const rb_in_force *state = &policy->states[policy->state[entry]];
    if (!rb_in_force_all(policy, state, test, context))
        return false;
    for (size_t i = 0; i < policy->version_count && policy->forked; i++) {
        rb_policy_version *version = &policy->versions[i];
        if (version->void_ || version->entry == entry || precedes(policy, i, state) ||
            rb_set_has(older(policy, version), entry))
            continue;
        if (!test(context, version->json))
            return false;
    }
    return true;
}

int64_t rb_policy_ended(const rb_policy *policy, const char *principals, const char *fingerprint)
{
    if (!principals || !fingerprint || !rb_strs_has(&policy->ended, fingerprint))
        return 0;
    uint64_t end = rb_signers_end(policy->ledger->signers, principals, fingerprint);
    return end < (uint64_t)policy->clock ? (int64_t)end : 0;
}

/* Returns the set of entries that follow `entry`, and itself. */
static unsigned char *followers(const rb_policy *policy, const rb_entry *entry)
{
    const rb_ledger *ledger = policy->ledger;
    unsigned char *marks = rb_calloc(ledger->n + 1, 1);
    size_t at = (size_t)(entry - ledger->items);
    marks[at] = 1;
    for (size_t i = at + 1; i < ledger->n; i++)
        for (size_t p = 0; p < ledger->items[i].parent_count && !marks[i]; p++)
            marks[i] = marks[ledger->items[i].parents[p]];
    return marks;
}

/* True if another key wrote an entry after time `low` and until `high`. follows: only entries on
 * top of this one count; otherwise only entries that are not on top of it. */
static bool find_by_another(const rb_policy *policy, const rb_entry *entry, bool follows,
                            int64_t low, int64_t high)
{
    const rb_ledger *ledger = policy->ledger;
    unsigned char *after = followers(policy, entry);
    bool found = false;
    for (size_t i = 0; i < ledger->n && !found; i++) {
        const rb_entry *other = &ledger->items[i];
        found = (after[i] != 0) == follows && other->trust == RB_ENTRY_GOOD && other->fingerprint &&
                entry->fingerprint && strcmp(other->fingerprint, entry->fingerprint) != 0 &&
                other->at > low && other->at <= high;
    }
    free(after);
    return found;
}

bool rb_policy_late(const rb_policy *policy, const rb_entry *entry)
{
    int64_t end = rb_policy_ended(policy, entry->principal, entry->fingerprint);
    /* Entries in the future of this host's clock do not count. */
    return end != 0 && find_by_another(policy, entry, false, end, policy->clock);
}

bool rb_policy_built_on(const rb_policy *policy, const rb_entry *entry, int64_t end)
{
    return find_by_another(policy, entry, true, INT64_MIN, end);
}

bool rb_policy_rooted(const rb_policy *policy)
{
    return policy->roots.n > 0;
}

const rb_strs *rb_policy_roots(const rb_policy *policy)
{
    return &policy->roots;
}

/* Returns the version in force with the highest number; of several, the one with the smallest
 * id. */
static const rb_policy_version *first(const rb_policy *policy)
{
    const rb_in_force *now = &policy->states[policy->now];
    const rb_policy_version *best = NULL;
    for (size_t i = 0; i < now->n; i++) {
        const rb_policy_version *version = &policy->versions[now->items[i]];
        const rb_entry *items = policy->ledger->items;
        if (!best || version->version > best->version ||
            (version->version == best->version &&
             memcmp(&items[version->entry].id, &items[best->entry].id, sizeof(rb_oid)) < 0))
            best = version;
    }
    return best;
}

const rb_entry *rb_policy_entry(const rb_policy *policy)
{
    const rb_policy_version *version = first(policy);
    return version ? &policy->ledger->items[version->entry] : NULL;
}

const json_t *rb_policy_json(const rb_policy *policy)
{
    const rb_policy_version *version = first(policy);
    return version ? version->json : NULL;
}

size_t rb_policy_count(const rb_policy *policy)
{
    return policy->states[policy->now].n;
}

const rb_entry *rb_policy_at(const rb_policy *policy, size_t i)
{
    const rb_policy_version *version = &policy->versions[policy->states[policy->now].items[i]];
    return &policy->ledger->items[version->entry];
}

struct actor {
    enum rb_role role;
    const char *principal;
    const char *fingerprint;
};

static bool lets(const void *context, const json_t *policy)
{
    const struct actor *who = context;
    return rb_policy_json_allows(policy, who->role, who->principal, who->fingerprint) &&
           !rb_policy_json_revokes(policy, who->fingerprint);
}

bool rb_policy_allows(const rb_policy *policy, enum rb_role role, const char *principal,
                      const char *fingerprint)
{
    const rb_in_force *now = &policy->states[policy->now];
    const struct actor who = {role, principal, fingerprint};
    if (!principal)
        return false;
    if (now->n == 0)
        return policy->roots.n == 0 || rb_policy_is_root(policy, principal, fingerprint);
    return rb_in_force_all(policy, now, lets, &who);
}

bool rb_policy_counts(const rb_policy *policy, const rb_entry *entry, enum rb_role role)
{
    if (entry->trust != RB_ENTRY_GOOD || !entry->principal || rb_policy_late(policy, entry))
        return false;
    if (policy->version_count == 0)
        return policy->roots.n == 0 ||
               rb_policy_is_root(policy, entry->principal, entry->fingerprint);
    struct actor who = {role, entry->principal, entry->fingerprint};
    return rb_policy_binding(policy, (size_t)(entry - policy->ledger->items), lets, &who);
}

int rb_in_force_approvals(const rb_policy *policy, const rb_in_force *versions,
                          const char *environment, const char *kind)
{
    int64_t most = 0;
    for (size_t i = 0; i < versions->n; i++) {
        const json_t *json = policy->versions[versions->items[i]].json;
        const json_t *rules = rb_policy_json_environment(json, environment);
        int64_t n = rb_json_int(json_object_get(rules, "approvals"), kind, 0);
        most = n > most ? n : most;
    }
    return (int)most;
}

int rb_policy_approvals(const rb_policy *policy, const char *environment, const char *kind)
{
    return rb_in_force_approvals(policy, &policy->states[policy->now], environment, kind);
}

int64_t rb_in_force_limit(const rb_policy *policy, const rb_in_force *versions,
                          const char *environment, const char *group, const char *key)
{
    int64_t least = -1;
    for (size_t i = 0; i < versions->n; i++) {
        const json_t *rules =
            rb_policy_json_environment(policy->versions[versions->items[i]].json, environment);
        int64_t n = rb_json_int(group ? json_object_get(rules, group) : rules, key, -1);
        least = n >= 0 && (least < 0 || n < least) ? n : least;
    }
    return least;
}

int64_t rb_policy_limit(const rb_policy *policy, const char *environment, const char *group,
                        const char *key)
{
    return rb_in_force_limit(policy, &policy->states[policy->now], environment, group, key);
}

static bool takes_unsigned(const void *environment, const json_t *policy)
{
    const json_t *rules = rb_policy_json_environment(policy, environment);
    return !json_is_true(json_object_get(rules, "signed"));
}

bool rb_policy_must_sign(const rb_policy *policy, const char *environment)
{
    return !rb_in_force_all(policy, &policy->states[policy->now], takes_unsigned, environment);
}

bool rb_policy_wanted_signed(const rb_policy *policy, const rb_entry *entry)
{
    const size_t state = policy->state[entry - policy->ledger->items];
    return !rb_in_force_all(policy, &policy->states[state], takes_unsigned, entry->environment);
}

bool rb_policy_revoked_key(const rb_policy *policy, const rb_entry *entry)
{
    const size_t state = policy->state[entry - policy->ledger->items];
    return rb_in_force_revokes(policy, &policy->states[state], entry->fingerprint);
}

char *rb_policy_members(const rb_policy *policy, enum rb_role role)
{
    rb_buf out = {0};
    const rb_in_force *now = &policy->states[policy->now];
    for (size_t i = 0; i < now->n; i++) {
        const json_t *json = policy->versions[now->items[i]].json;
        const json_t *list = json_object_get(json_object_get(json, "roles"), rb_role_name(role));
        rb_json_each (item, list)
            rb_buf_printf(&out, "%s%s", out.len ? ", " : "", json_string_value(item));
        if (!list && now->n == 1)
            rb_buf_puts(&out, "every allowed signer");
    }
    for (size_t i = 0; i < policy->roots.n && now->n == 0; i++)
        rb_buf_printf(&out, "%s%s", i ? ", " : "", policy->roots.items[i]);
    if (out.len == 0)
        rb_buf_puts(&out, "nobody");
    return rb_buf_detach(&out);
}

char *rb_policy_refusal(const rb_policy *policy, enum rb_role role, const char *fingerprint)
{
    if (rb_in_force_revokes(policy, &policy->states[policy->now], fingerprint))
        return rb_strdup("the policy revokes this key; sign with another one");
    RB_AUTO(rb_free_str) char *members = rb_policy_members(policy, role);
    return rb_format("in role %s are %s; ask one of them", rb_role_name(role), members);
}
