#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "ledger/policy_internal.h"
#include "trust/pattern.h"
#include "trust/signers.h"

/* True if the entry is about exactly this tag object, and its signer was authorised to write it. */
static bool tells(const rb_policy *policy, const rb_signed_release *release, const rb_entry *entry)
{
    if (!rb_text_same(entry->object, release->object))
        return false;
    switch (entry->kind) {
    case RB_ENTRY_RELEASE:
        return rb_policy_counts(policy, entry, RB_ROLE_WITNESS) ||
               rb_policy_counts(policy, entry, RB_ROLE_RELEASE);
    case RB_ENTRY_APPROVAL:
        return rb_policy_counts(policy, entry, RB_ROLE_APPROVE);
    case RB_ENTRY_VERDICT:
    case RB_ENTRY_TRANSITION:
        return rb_policy_counts(policy, entry, RB_ROLE_MARK);
    default:
        return false;
    }
}

static bool may_release(const void *context, const json_t *policy)
{
    const rb_signed_release *release = context;
    return rb_policy_json_allows(policy, RB_ROLE_RELEASE, release->principal, release->fingerprint);
}

static bool not_revoked(const void *context, const json_t *policy)
{
    const rb_signed_release *release = context;
    return !rb_policy_json_revokes(policy, release->fingerprint);
}

/* What the ledger knows about a release. */
struct seen {
    bool any;
    /* the release's signer was in role release when the ledger first saw the release */
    bool role;
    bool in_time;     /* another key recorded the release before the release's key was revoked */
    bool has_receipt; /* a witness with another key recorded the release */
    int64_t others;   /* time of the first entry by another key; INT64_MAX: none */
    int64_t witness;  /* time of the first entry by a witness; INT64_MAX: none */
};

static void look(struct seen *out, const rb_policy *policy, const rb_signed_release *release)
{
    size_t count;
    const rb_about *about = rb_policy_about(&count, policy, release->tag);
    *out = (struct seen){.others = INT64_MAX, .witness = INT64_MAX};
    for (size_t i = 0; i < count; i++) {
        const rb_entry *entry = &policy->ledger->items[about[i].entry];
        if (!tells(policy, release, entry))
            continue;
        if (!out->any)
            out->role = rb_policy_binding(policy, about[i].entry, may_release, release);
        out->any = true;
        if (rb_text_same(entry->fingerprint, release->fingerprint))
            continue;
        out->in_time =
            out->in_time || rb_policy_binding(policy, about[i].entry, not_revoked, release);
        out->others = entry->at < out->others ? entry->at : out->others;
        if (entry->kind != RB_ENTRY_RELEASE || !rb_policy_counts(policy, entry, RB_ROLE_WITNESS))
            continue;
        out->has_receipt = true;
        out->witness = entry->at < out->witness ? entry->at : out->witness;
    }
}

/* True if the policy now in force allows the signer to release. Does not consider revocation. */
static bool may_release_now(const rb_policy *policy, const rb_signed_release *release)
{
    const rb_in_force *now = &policy->states[policy->now];
    if (now->n == 0)
        return rb_policy_allows(policy, RB_ROLE_RELEASE, release->principal, release->fingerprint);
    return rb_in_force_all(policy, now, may_release, release);
}

/* True if the policy names no witnesses. If it does, the server records every pushed release. */
static bool has_no_witnesses(const void *context, const json_t *policy)
{
    (void)context;
    const json_t *roles = json_object_get(policy, "roles");
    return json_array_size(json_object_get(roles, rb_role_name(RB_ROLE_WITNESS))) == 0;
}

/* True if, until time `end`, another key wrote on top of an entry about the release. That proves
 * the age of the entry, even if the release's own key signed it. */
static bool known_in_time(const rb_policy *policy, const rb_signed_release *release, int64_t end)
{
    size_t count;
    const rb_about *about = rb_policy_about(&count, policy, release->tag);
    for (size_t i = 0; i < count; i++) {
        const rb_entry *entry = &policy->ledger->items[about[i].entry];
        if (tells(policy, release, entry) && rb_policy_built_on(policy, entry, end))
            return true;
    }
    return false;
}

static void check_end(rb_problems *problems, const rb_policy *policy,
                      const rb_signed_release *release, const struct seen *seen)
{
    int64_t end = rb_policy_ended(policy, release->principal, release->fingerprint);
    if (end == 0 || seen->others <= end || known_in_time(policy, release, end) ||
        (!seen->has_receipt &&
         rb_in_force_all(policy, &policy->states[policy->now], has_no_witnesses, NULL)))
        return;
    RB_AUTO(rb_free_str) char *limit = rb_text_iso(end);
    RB_AUTO(rb_free_str) char *seen_at = seen->has_receipt ? rb_text_iso(seen->witness) : NULL;
    const char *first = seen_at ? seen_at : "never";
    rb_problems_add(
        problems, "backdated", "tagger", limit, first,
        "the tagger's clock puts release %s before %s, when the validity of key %s "
        "ended, but nobody else saw it before that (first seen by the server: %s); release it "
        "again with a valid key",
        release->tag, limit, release->fingerprint, first);
}

enum rb_code rb_policy_check_signed(rb_problems *problems, const rb_policy *policy,
                                    const rb_signed_release *release, rb_err *err)
{
    const size_t before = problems->n;
    struct seen seen;
    look(&seen, policy, release);
    bool role = seen.any ? seen.role : may_release_now(policy, release);
    if (!role) {
        RB_AUTO(rb_free_str) char *members = rb_policy_members(policy, RB_ROLE_RELEASE);
        const char *when = !rb_policy_entry(policy)
                               ? "may not release while the ledger here holds no policy"
                           : seen.any ? "was not in role release when the ledger first saw it"
                                      : "is not in role release, and the ledger here has no word "
                                        "of it from earlier";
        rb_problems_add(problems, "role", "signature", members, release->principal,
                        "release %s is signed by %s, who %s; allowed: %s", release->tag,
                        release->principal, when, members);
    }
    if (rb_in_force_revokes(policy, &policy->states[policy->now], release->fingerprint) &&
        !seen.in_time)
        rb_problems_add(
            problems, "revoked", "signature", "a key that is not revoked", release->fingerprint,
            "release %s is signed with key %s, which the policy revokes, and no other key recorded "
            "the release before the revocation; release it again with another key",
            release->tag, release->fingerprint);
    check_end(problems, policy, release, &seen);
    if (problems->n == before)
        return RB_OK;
    return rb_fail(err, RB_FOUND, "%s", problems->items[before].message);
}

static rb_signed_release signed_of(const rb_release *release)
{
    return (rb_signed_release){release->tag, release->object,
                               rb_verified_principal(release->verified),
                               rb_verified_fingerprint(release->verified)};
}

enum rb_code rb_policy_check_release(rb_problems *problems, const rb_policy *policy,
                                     const rb_release *release, rb_err *err)
{
    const rb_signed_release signed_release = signed_of(release);
    return rb_policy_check_signed(problems, policy, &signed_release, err);
}

/* A union-find forest: principals and keys that occur in one signature are the same person. */
struct people {
    rb_strs names; /* names of nodes: "p:alice", "k:SHA256:..." */
    size_t *parent;
};

static size_t root_of(const struct people *people, size_t i)
{
    while (people->parent[i] != i)
        i = people->parent[i];
    return i;
}

static size_t node_of(struct people *people, char kind, const char *name, size_t len)
{
    RB_AUTO(rb_free_str) char *full = rb_format("%c:%.*s", kind, (int)len, name);
    for (size_t i = 0; i < people->names.n; i++)
        if (strcmp(people->names.items[i], full) == 0)
            return i;
    rb_strs_add(&people->names, full);
    people->parent = rb_realloc(people->parent, people->names.n, sizeof *people->parent);
    people->parent[people->names.n - 1] = people->names.n - 1;
    return people->names.n - 1;
}

static size_t person_of(struct people *people, const char *principals, const char *fingerprint)
{
    size_t key = node_of(people, 'k', fingerprint, strlen(fingerprint));
    for (const char *p = principals; *p; p += *p == ',') {
        size_t len = strcspn(p, ",");
        size_t name = node_of(people, 'p', p, len);
        people->parent[root_of(people, name)] = root_of(people, key);
        p += len;
    }
    return key;
}

static bool for_place(const rb_entry *entry, const char *environment)
{
    return !entry->environment || rb_text_same(entry->environment, environment);
}

void rb_approvals_before(rb_approvals *out, const rb_policy *policy,
                         const rb_signed_release *release, const char *environment,
                         const rb_entry *before)
{
    size_t count;
    const rb_about *about = rb_policy_about(&count, policy, release->tag);
    const rb_entry *items = policy->ledger->items;
    *out = (rb_approvals){0};
    struct people people = {0};
    size_t signer = release->fingerprint
                        ? person_of(&people, release->principal, release->fingerprint)
                        : SIZE_MAX;
    size_t *who = rb_calloc(count + 1, sizeof *who);
    for (size_t i = 0; i < count; i++) {
        const rb_entry *entry = &items[about[i].entry];
        who[i] = SIZE_MAX;
        if (!for_place(entry, environment) || !rb_text_same(entry->object, release->object) ||
            (before && !rb_ledger_before(policy->ledger, entry, before)))
            continue;
        if (entry->kind == RB_ENTRY_OVERRIDE &&
            rb_text_same(rb_json_str(rb_entry_detail(entry), "rule"), "approvals"))
            out->override = entry;
        if (entry->kind != RB_ENTRY_APPROVAL)
            continue;
        if (rb_policy_counts(policy, entry, RB_ROLE_APPROVE))
            who[i] = person_of(&people, entry->principal, entry->fingerprint);
        else
            out->ignored++;
    }
    for (size_t i = 0; i < count; i++) {
        bool known = who[i] == SIZE_MAX ||
                     (signer != SIZE_MAX && root_of(&people, who[i]) == root_of(&people, signer));
        for (size_t j = 0; j < i && !known; j++)
            known = who[j] != SIZE_MAX && root_of(&people, who[j]) == root_of(&people, who[i]);
        if (known)
            continue;
        out->given++;
        rb_strs_add(&out->people, items[about[i].entry].principal);
    }
    free(who);
    free(people.parent);
    rb_strs_clear(&people.names);
}

void rb_approvals_count(rb_approvals *out, const rb_policy *policy, const rb_release *release,
                        const char *environment, const char *kind)
{
    const rb_signed_release about = signed_of(release);
    rb_approvals_before(out, policy, &about, environment, NULL);
    out->needed = environment ? rb_policy_approvals(policy, environment, kind) : 0;
}

void rb_approvals_clear(rb_approvals *approvals)
{
    rb_strs_clear(&approvals->people);
    *approvals = (rb_approvals){0};
}

static bool has_person(const rb_strs *people, const char *name)
{
    for (size_t i = 0; i < people->n; i++)
        if (rb_pattern_list_matches(people->items[i], name) ||
            rb_pattern_list_matches(name, people->items[i]))
            return true;
    return false;
}

void rb_approvals_able(rb_strs *out, const rb_policy *policy, const rb_release *release,
                       const rb_approvals *approvals)
{
    /* people who cannot give another approval: the signer, and those who have approved */
    RB_AUTO(rb_strs_clear) rb_strs out_of_it = {0};
    rb_strs_add(&out_of_it, rb_verified_principal(release->verified));
    for (size_t i = 0; i < approvals->people.n; i++)
        rb_strs_add(&out_of_it, approvals->people.items[i]);
    for (size_t i = 0; i < policy->ledger->signers->n; i++) {
        const rb_signer *line = &policy->ledger->signers->items[i];
        char fingerprint[RB_FINGERPRINT_SIZE];
        if (line->authority || !rb_pattern_is_literal(line->principals))
            continue;
        rb_key_fingerprint(line->key, fingerprint);
        if (strcmp(fingerprint, rb_verified_fingerprint(release->verified)) == 0 ||
            has_person(&out_of_it, line->principals) || rb_strs_has(out, line->principals) ||
            rb_policy_ended(policy, line->principals, fingerprint) > 0 ||
            !rb_policy_allows(policy, RB_ROLE_APPROVE, line->principals, fingerprint))
            continue;
        rb_strs_add(out, line->principals);
    }
}
