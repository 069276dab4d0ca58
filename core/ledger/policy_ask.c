#include <stdlib.h>
#include <string.h>

#include "ledger/policy_internal.h"
#include "trust/signers.h"

/* Which entries are ancestors of an edict's. */
static const rb_buf *older(const rb_policy *policy, rb_edict *edict)
{
    if (edict->older.len > 0)
        return &edict->older;
    rb_set_add(&edict->older, edict->entry);
    for (size_t i = edict->entry + 1; i > 0; i--) {
        const rb_entry *entry = &policy->ledger->items[i - 1];
        if (rb_set_has(&edict->older, i - 1))
            for (size_t p = 0; p < entry->parent_count; p++)
                rb_set_add(&edict->older, entry->parents[p]);
    }
    return &edict->older;
}

static bool precedes(const rb_policy *policy, size_t edict, const rb_edicts *state)
{
    for (size_t i = 0; i < state->n; i++) {
        if (state->items[i] == edict || rb_set_has(&policy->edicts[state->items[i]].before, edict))
            return true;
    }
    return false;
}

bool rb_policy_binding(const rb_policy *policy, size_t entry, rb_edict_test *test,
                       const void *context)
{
    const rb_edicts *state = &policy->states[policy->state[entry]];
    for (size_t i = 0; i < state->n; i++)
        if (!test(context, policy->edicts[state->items[i]].json))
            return false;
    for (size_t i = 0; i < policy->edict_count && policy->forked; i++) {
        rb_edict *edict = &policy->edicts[i];
        if (edict->void_ || edict->entry == entry || precedes(policy, i, state) ||
            rb_set_has(older(policy, edict), entry))
            continue;
        if (!test(context, edict->json))
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

/* Which entries follow one, itself included. */
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

static bool by_another(const rb_entry *entry, const rb_entry *other)
{
    return other->trust == RB_ENTRY_GOOD && other->fingerprint && entry->fingerprint &&
           strcmp(other->fingerprint, entry->fingerprint) != 0;
}

bool rb_policy_late(const rb_policy *policy, const rb_entry *entry)
{
    const rb_ledger *ledger = policy->ledger;
    int64_t end = rb_policy_ended(policy, entry->principal, entry->fingerprint);
    if (end == 0)
        return false;
    unsigned char *after = followers(policy, entry);
    bool late = false;
    /* A clock that is ahead of ours proves nothing. */
    for (size_t i = 0; i < ledger->n && !late; i++)
        late = !after[i] && by_another(entry, &ledger->items[i]) && ledger->items[i].at > end &&
               ledger->items[i].at <= policy->clock;
    free(after);
    return late;
}

bool rb_policy_built_on(const rb_policy *policy, const rb_entry *entry, int64_t end)
{
    const rb_ledger *ledger = policy->ledger;
    unsigned char *after = followers(policy, entry);
    bool found = false;
    for (size_t i = 0; i < ledger->n && !found; i++)
        found = after[i] && by_another(entry, &ledger->items[i]) && ledger->items[i].at <= end;
    free(after);
    return found;
}

bool rb_policy_rooted(const rb_policy *policy)
{
    return policy->roots.n > 0;
}

const rb_strs *rb_policy_roots(const rb_policy *policy)
{
    return &policy->roots;
}

/* The one with the highest version, then the smallest id. */
static const rb_edict *first(const rb_policy *policy)
{
    const rb_edicts *now = &policy->states[policy->now];
    const rb_edict *best = NULL;
    for (size_t i = 0; i < now->n; i++) {
        const rb_edict *edict = &policy->edicts[now->items[i]];
        const rb_entry *items = policy->ledger->items;
        if (!best || edict->version > best->version ||
            (edict->version == best->version &&
             memcmp(&items[edict->entry].id, &items[best->entry].id, sizeof(rb_oid)) < 0))
            best = edict;
    }
    return best;
}

const rb_entry *rb_policy_entry(const rb_policy *policy)
{
    const rb_edict *edict = first(policy);
    return edict ? &policy->ledger->items[edict->entry] : NULL;
}

const json_t *rb_policy_json(const rb_policy *policy)
{
    const rb_edict *edict = first(policy);
    return edict ? edict->json : NULL;
}

size_t rb_policy_count(const rb_policy *policy)
{
    return policy->states[policy->now].n;
}

const rb_entry *rb_policy_at(const rb_policy *policy, size_t i)
{
    const rb_edict *edict = &policy->edicts[policy->states[policy->now].items[i]];
    return &policy->ledger->items[edict->entry];
}

bool rb_policy_allows(const rb_policy *policy, enum rb_role role, const char *principal,
                      const char *fingerprint)
{
    const rb_edicts *now = &policy->states[policy->now];
    if (!principal)
        return false;
    if (now->n == 0)
        return policy->roots.n == 0 || rb_policy_is_root(policy, principal, fingerprint);
    for (size_t i = 0; i < now->n; i++) {
        const json_t *json = policy->edicts[now->items[i]].json;
        if (rb_edict_revokes(json, fingerprint) ||
            !rb_edict_lets(json, role, principal, fingerprint))
            return false;
    }
    return true;
}

struct actor {
    enum rb_role role;
    const char *principal;
    const char *fingerprint;
};

static bool lets(const void *context, const json_t *policy)
{
    const struct actor *who = context;
    return rb_edict_lets(policy, who->role, who->principal, who->fingerprint) &&
           !rb_edict_revokes(policy, who->fingerprint);
}

bool rb_policy_counts(const rb_policy *policy, const rb_entry *entry, enum rb_role role)
{
    if (entry->trust != RB_ENTRY_GOOD || !entry->principal || rb_policy_late(policy, entry))
        return false;
    if (policy->edict_count == 0)
        return policy->roots.n == 0 ||
               rb_policy_is_root(policy, entry->principal, entry->fingerprint);
    struct actor who = {role, entry->principal, entry->fingerprint};
    return rb_policy_binding(policy, (size_t)(entry - policy->ledger->items), lets, &who);
}

int rb_edicts_approvals(const rb_policy *policy, const rb_edicts *edicts, const char *environment,
                        const char *kind)
{
    int64_t most = 0;
    for (size_t i = 0; i < edicts->n; i++) {
        const json_t *json = policy->edicts[edicts->items[i]].json;
        const json_t *rules = rb_edict_environment(json, environment);
        int64_t n = rb_json_int(json_object_get(rules, "approvals"), kind, 0);
        most = n > most ? n : most;
    }
    return (int)most;
}

int rb_policy_approvals(const rb_policy *policy, const char *environment, const char *kind)
{
    return rb_edicts_approvals(policy, &policy->states[policy->now], environment, kind);
}

static bool wants_signed(const rb_policy *policy, size_t state, const char *environment)
{
    const rb_edicts *all = &policy->states[state];
    for (size_t i = 0; i < all->n; i++) {
        const json_t *rules = rb_edict_environment(policy->edicts[all->items[i]].json, environment);
        if (json_is_true(json_object_get(rules, "signed")))
            return true;
    }
    return false;
}

bool rb_policy_must_sign(const rb_policy *policy, const char *environment)
{
    return wants_signed(policy, policy->now, environment);
}

bool rb_policy_wanted_signed(const rb_policy *policy, const rb_entry *entry)
{
    size_t at = (size_t)(entry - policy->ledger->items);
    return wants_signed(policy, policy->state[at], entry->environment);
}

bool rb_policy_revoked_key(const rb_policy *policy, const rb_entry *entry)
{
    const rb_edicts *all = &policy->states[policy->state[entry - policy->ledger->items]];
    for (size_t i = 0; entry->fingerprint && i < all->n; i++)
        if (rb_edict_revokes(policy->edicts[all->items[i]].json, entry->fingerprint))
            return true;
    return false;
}

char *rb_policy_members(const rb_policy *policy, enum rb_role role)
{
    rb_buf out = {0};
    const rb_edicts *now = &policy->states[policy->now];
    for (size_t i = 0; i < now->n; i++) {
        const json_t *json = policy->edicts[now->items[i]].json;
        const json_t *list = json_object_get(json_object_get(json, "roles"), rb_role_name(role));
        size_t j;
        json_t *item;
        json_array_foreach ((json_t *)list, j, item)
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
    const rb_edicts *now = &policy->states[policy->now];
    for (size_t i = 0; i < now->n; i++)
        if (rb_edict_revokes(policy->edicts[now->items[i]].json, fingerprint))
            return rb_strdup("the policy revokes this key; sign with another one");
    RB_AUTO(rb_free_str) char *members = rb_policy_members(policy, role);
    return rb_format("in role %s are %s; ask one of them", rb_role_name(role), members);
}
