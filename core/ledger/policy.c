#include "ledger/policy_internal.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "trust/signers.h"

static void set_add_all(rb_buf *set, const rb_buf *other)
{
    for (size_t i = 0; i < other->len; i++) {
        if (set->len <= i)
            rb_buf_addc(set, '\0');
        set->data[i] = (char)(set->data[i] | other->data[i]);
    }
}

void rb_policy_free(rb_policy *policy)
{
    if (!policy)
        return;
    for (size_t i = 0; i < policy->version_count; i++) {
        rb_buf_clear(&policy->versions[i].before);
        rb_buf_clear(&policy->versions[i].older);
    }
    for (size_t i = 0; i < policy->state_count; i++)
        free(policy->states[i].items);
    free(policy->versions);
    free(policy->states);
    free(policy->state);
    free(policy->about);
    rb_strs_clear(&policy->roots);
    rb_strs_clear(&policy->ended);
    free(policy);
}

/* Returns the index of the state with these versions; adds it if it is new. Copies the list. */
static size_t intern(rb_policy *policy, const size_t *items, size_t n)
{
    for (size_t i = policy->state_count; i > 0; i--) {
        const rb_in_force *state = &policy->states[i - 1];
        if (state->n == n && (n == 0 || memcmp(state->items, items, n * sizeof *items) == 0))
            return i - 1;
    }
    policy->states = rb_realloc(policy->states, policy->state_count + 1, sizeof *policy->states);
    rb_in_force *state = &policy->states[policy->state_count];
    *state = (rb_in_force){.items = rb_calloc(n + 1, sizeof *items), .n = n};
    if (n > 0)
        memcpy(state->items, items, n * sizeof *items);
    return policy->state_count++;
}

static bool version_before(const rb_policy *policy, size_t a, size_t b)
{
    return rb_set_has(&policy->versions[b].before, a);
}

/* True if a policy of a root, among these and concurrent with version i, removes the author of i
 * from role policy. The author cannot avoid that by continuing an earlier policy. */
static bool put_out(const rb_policy *policy, const rb_buf *these, size_t i)
{
    const rb_policy_version *version = &policy->versions[i];
    const rb_entry *entry = &policy->ledger->items[version->entry];
    for (size_t j = 0; j < policy->version_count && !version->by_root; j++) {
        const rb_policy_version *other = &policy->versions[j];
        if (j == i || !other->by_root || !rb_set_has(these, j) || version_before(policy, i, j) ||
            version_before(policy, j, i))
            continue;
        if (!rb_policy_json_allows(other->json, RB_ROLE_POLICY, entry->principal,
                                   entry->fingerprint) ||
            rb_policy_json_revokes(other->json, entry->fingerprint))
            return true;
    }
    return false;
}

static int compare_sizes(const void *a, const void *b)
{
    size_t x = *(const size_t *)a;
    size_t y = *(const size_t *)b;
    return x < y ? -1 : x > y;
}

/* Reduces a list to the versions in force together: those that no other version in it follows,
 * sorted, each once. Returns their number. */
static size_t reduce(rb_policy *policy, size_t *all, size_t n)
{
    RB_AUTO(rb_buf_clear) rb_buf these = {0};
    for (size_t i = 0; i < n; i++) {
        rb_set_add(&these, all[i]);
        set_add_all(&these, &policy->versions[all[i]].before);
    }
    qsort(all, n, sizeof *all, compare_sizes);
    size_t standing = 0;
    for (size_t i = 0; i < n; i++)
        if ((i == 0 || all[i] != all[i - 1]) && !put_out(policy, &these, all[i]))
            all[standing++] = all[i];
    RB_AUTO(rb_buf_clear) rb_buf followed = {0};
    for (size_t i = 0; i < standing; i++)
        set_add_all(&followed, &policy->versions[all[i]].before);
    size_t kept = 0;
    for (size_t i = 0; i < standing; i++)
        if (!rb_set_has(&followed, all[i]))
            all[kept++] = all[i];
    return kept;
}

/* Returns the state in which entry i is written: after all of its parents. */
static size_t state_before(rb_policy *policy, const size_t *after, size_t i)
{
    const rb_entry *entry = &policy->ledger->items[i];
    bool same = true;
    size_t count = 0;
    for (size_t p = 0; p < entry->parent_count; p++) {
        same = same && after[entry->parents[p]] == after[entry->parents[0]];
        count += policy->states[after[entry->parents[p]]].n;
    }
    if (entry->parent_count == 0 || count == 0)
        return 0;
    if (same)
        return after[entry->parents[0]];
    size_t *all = rb_calloc(count, sizeof *all);
    size_t n = 0;
    for (size_t p = 0; p < entry->parent_count; p++) {
        const rb_in_force *state = &policy->states[after[entry->parents[p]]];
        for (size_t j = 0; j < state->n; j++)
            all[n++] = state->items[j];
    }
    size_t out = intern(policy, all, reduce(policy, all, n));
    free(all);
    return out;
}

/* Returns why the signer may not set the policy that follows these; NULL if allowed. */
static const char *not_allowed(const rb_policy *policy, const rb_in_force *over, bool endorsed,
                               const char *who, const char *key)
{
    bool root = rb_policy_is_root(policy, who, key);
    size_t lets = 0;
    size_t revoked = 0;
    for (size_t i = 0; i < over->n; i++) {
        const json_t *json = policy->versions[over->items[i]].json;
        bool gone = rb_policy_json_revokes(json, key);
        revoked += gone;
        lets += !gone && rb_policy_json_allows(json, RB_ROLE_POLICY, who, key);
    }
    if (over->n == 0)
        return root || endorsed ? NULL : "git config rbtool.root does not name its signer";
    if (revoked == over->n)
        return "its key is revoked";
    if (lets == over->n || (root && over->n > 1))
        return NULL;
    return "its signer is not in role policy";
}

/* Returns what is wrong with a policy entry, or NULL; *chosen is the version that it continues. */
static const char *fault_of(const rb_policy *policy, const rb_entry *entry, const rb_in_force *over,
                            bool endorsed, const rb_policy_version **chosen, rb_buf *why)
{
    *chosen = NULL;
    if (entry->trust != RB_ENTRY_GOOD)
        return entry->problems.n > 0 ? entry->problems.items[0].message : "it is not signed";
    rb_shape_fault fault = {0};
    const json_t *json = json_object_get(rb_entry_detail(entry), "policy");
    if (!json || !rb_shape_fits(rb_policy_shape(), json, &fault)) {
        rb_buf_printf(why, "policy: %s: expected %s, found %s", fault.path ? fault.path : "",
                      fault.expected ? fault.expected : "a policy",
                      fault.found ? fault.found : "none");
        rb_shape_fault_clear(&fault);
        return rb_buf_str(why);
    }
    int64_t newest = 0;
    char hex[RB_OID_HEX] = "";
    const char *previous = rb_json_str(rb_entry_detail(entry), "previous");
    for (size_t i = 0; i < over->n; i++) {
        const rb_policy_version *earlier = &policy->versions[over->items[i]];
        newest = earlier->version > newest ? earlier->version : newest;
        rb_oid_hex(&policy->ledger->items[earlier->entry].id, hex);
        if (previous && strcmp(previous, hex) == 0)
            *chosen = earlier;
    }
    if (previous ? !*chosen : over->n > 0)
        return "it does not follow the policy that was in force there";
    if (rb_json_int(rb_entry_detail(entry), "version", 0) != newest + 1)
        return "its version does not follow the one before";
    if (rb_policy_late(policy, entry))
        return "its signer's key had ended when it was written";
    if (policy->version_count == RB_POLICIES)
        return "there are more policies than the limit";
    return not_allowed(policy, over, endorsed, entry->principal, entry->fingerprint);
}

/* Marks the concurrent versions that the new version does not continue as overruled. */
static void overrule(rb_policy *policy, const rb_in_force *over, const rb_policy_version *chosen)
{
    size_t best = (size_t)(chosen - policy->versions);
    for (size_t i = 0; i < policy->version_count; i++) {
        bool other = false;
        for (size_t j = 0; j < over->n; j++)
            other = other || i == over->items[j] || version_before(policy, i, over->items[j]);
        if (other && i != best && !version_before(policy, i, best))
            policy->versions[i].void_ = true;
    }
}

static size_t add_version(rb_policy *policy, size_t i, const rb_in_force *over,
                          const rb_policy_version *chosen)
{
    const rb_entry *entry = &policy->ledger->items[i];
    rb_policy_version version = {
        .entry = i,
        .json = json_object_get(rb_entry_detail(entry), "policy"),
        .version = rb_json_int(rb_entry_detail(entry), "version", 0),
        .by_root = rb_policy_is_root(policy, entry->principal, entry->fingerprint)};
    for (size_t j = 0; j < over->n; j++) {
        rb_set_add(&version.before, over->items[j]);
        set_add_all(&version.before, &policy->versions[over->items[j]].before);
    }
    if (over->n > 1)
        overrule(policy, over, chosen);
    policy->versions =
        rb_realloc(policy->versions, policy->version_count + 1, sizeof *policy->versions);
    policy->versions[policy->version_count] = version;
    const size_t index = policy->version_count++;
    return intern(policy, &index, 1);
}

static void refuse(rb_problems *problems, const rb_entry *entry, const char *why)
{
    char hex[RB_OID_HEX];
    rb_oid_hex(&entry->id, hex);
    rb_problems_add(problems, "policy", hex, "", entry->principal,
                    "entry %.10s claims to be policy and is not in force: %s", hex, why);
}

/* Marks the policy entries to which a root's policy refers as "previous". */
static bool *find_endorsed(const rb_policy *policy)
{
    const rb_ledger *ledger = policy->ledger;
    bool *marks = rb_calloc(ledger->n + 1, sizeof *marks);
    for (size_t i = ledger->n; i > 0; i--) {
        const rb_entry *entry = &ledger->items[i - 1];
        if (entry->kind != RB_ENTRY_POLICY || entry->trust != RB_ENTRY_GOOD ||
            !(marks[i - 1] || rb_policy_is_root(policy, entry->principal, entry->fingerprint)) ||
            rb_policy_late(policy, entry))
            continue;
        rb_oid id;
        const char *previous = rb_json_str(rb_entry_detail(entry), "previous");
        const rb_entry *before =
            previous && rb_oid_parse(&id, previous) ? rb_ledger_find(ledger, &id) : NULL;
        if (before && before < entry)
            marks[before - ledger->items] = true;
    }
    return marks;
}

static void walk(rb_policy *policy, rb_problems *problems)
{
    const rb_ledger *ledger = policy->ledger;
    bool *endorsed = find_endorsed(policy);
    size_t *after = rb_calloc(ledger->n + 1, sizeof *after);
    for (size_t i = 0; i < ledger->n; i++) {
        const rb_entry *entry = &ledger->items[i];
        policy->forked = policy->forked || entry->parent_count > 1;
        policy->state[i] = state_before(policy, after, i);
        after[i] = policy->state[i];
        if (entry->kind != RB_ENTRY_POLICY || !rb_entry_detail(entry))
            continue;
        const rb_policy_version *chosen;
        RB_AUTO(rb_buf_clear) rb_buf why = {0};
        /* Copy the state, because the array may move when a state is added. */
        rb_in_force over = policy->states[policy->state[i]];
        const char *fault = policy->roots.n == 0
                                ? "git config rbtool.root is not set here, so there is no policy"
                                : fault_of(policy, entry, &over, endorsed[i], &chosen, &why);
        if (fault)
            refuse(problems, entry, fault);
        else
            after[i] = add_version(policy, i, &over, chosen);
        if (fault && policy->roots.n == 0)
            rb_problems_warn(problems);
    }
    if (ledger->n > 0)
        policy->now = after[ledger->n - 1];
    RB_AUTO(rb_buf_clear) rb_buf all = {0};
    for (size_t i = 0; i < policy->version_count; i++)
        rb_set_add(&all, i);
    for (size_t i = 0; i < policy->version_count; i++)
        policy->versions[i].void_ = policy->versions[i].void_ || put_out(policy, &all, i);
    free(after);
    free(endorsed);
}

static int compare_about(const void *a, const void *b)
{
    const rb_about *x = a;
    const rb_about *y = b;
    int order = strcmp(x->tag, y->tag);
    return order ? order : compare_sizes(&x->entry, &y->entry);
}

static void index_tags(rb_policy *policy)
{
    const rb_ledger *ledger = policy->ledger;
    policy->about = rb_calloc(ledger->n + 1, sizeof *policy->about);
    for (size_t i = 0; i < ledger->n; i++)
        if (ledger->items[i].tag)
            policy->about[policy->about_count++] =
                (rb_about){.tag = ledger->items[i].tag, .entry = i};
    qsort(policy->about, policy->about_count, sizeof *policy->about, compare_about);
}

static void list_ended(rb_policy *policy)
{
    for (size_t i = 0; i < policy->ledger->signers->n; i++) {
        const rb_signer *line = &policy->ledger->signers->items[i];
        char fingerprint[RB_FINGERPRINT_SIZE];
        if (line->authority || line->before == 0 || line->before >= (uint64_t)policy->clock)
            continue;
        rb_key_fingerprint(line->key, fingerprint);
        rb_strs_add(&policy->ended, fingerprint);
    }
}

rb_policy *rb_policy_under(rb_problems *problems, const rb_ledger *ledger, const rb_strs *roots)
{
    rb_policy *policy = rb_calloc(1, sizeof *policy);
    policy->ledger = ledger;
    for (size_t i = 0; i < roots->n; i++)
        rb_strs_add(&policy->roots, roots->items[i]);
    policy->state = rb_calloc(ledger->n + 1, sizeof *policy->state);
    policy->clock = time(NULL);
    list_ended(policy);
    intern(policy, NULL, 0);
    walk(policy, problems);
    return policy;
}

enum rb_code rb_policy_load(rb_policy **out, rb_problems *problems, const rb_ledger *ledger,
                            rb_err *err)
{
    RB_AUTO(rb_strs_clear) rb_strs roots = {0};
    RB_TRY(rb_repo_settings(&roots, ledger->repo, "rbtool.root", err));
    *out = rb_policy_under(problems, ledger, &roots);
    return RB_OK;
}

bool rb_policy_follows(const rb_policy *policy, const rb_entry *entry)
{
    const rb_in_force *now = &policy->states[policy->now];
    for (size_t i = 0; entry && i < policy->version_count; i++) {
        bool same = &policy->ledger->items[policy->versions[i].entry] == entry;
        for (size_t j = 0; same && j < now->n; j++)
            if (now->items[j] == i || version_before(policy, i, now->items[j]))
                return true;
    }
    return false;
}

static bool has_text(const char *list, const char *text)
{
    const size_t len = strlen(text);
    for (const char *p = list; *p; p += strcspn(p, ","), p += *p == ',')
        if (strcspn(p, ",") == len && strncmp(p, text, len) == 0)
            return true;
    return false;
}

bool rb_policy_was_set_by(const rb_policy *policy, const char *member)
{
    for (size_t i = 0; i < policy->version_count; i++) {
        const rb_entry *entry = &policy->ledger->items[policy->versions[i].entry];
        const char *signer = rb_policy_is_key(member) ? entry->fingerprint : entry->principal;
        if (signer && has_text(signer, member) && rb_policy_follows(policy, entry))
            return true;
    }
    return false;
}

const rb_about *rb_policy_about(size_t *count, const rb_policy *policy, const char *tag)
{
    if (!policy->about)
        index_tags((rb_policy *)policy);
    size_t low = 0;
    size_t high = policy->about_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(policy->about[middle].tag, tag) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *count = 0;
    while (low + *count < policy->about_count && strcmp(policy->about[low + *count].tag, tag) == 0)
        ++*count;
    return policy->about + low;
}
