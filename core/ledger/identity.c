#include "ledger/identity.h"

#include <stdlib.h>
#include <string.h>

#include "base/shape.h"
#include "ledger/policy_internal.h"

#define JOINS "\"joins\": ["

enum rb_code rb_ledger_pinned(const char **out, rb_repo *repo, rb_err *err)
{
    RB_TRY(rb_repo_setting(out, repo, RB_LEDGER_KEY, err));
    if (*out && !**out)
        *out = NULL;
    if (*out && !rb_shape_is_sha1(*out))
        return rb_fail(err, RB_ERROR,
                       "git config " RB_LEDGER_KEY
                       " is not the id of a ledger's first entry (40 lower-case hexadecimal "
                       "digits): %.60s; git config --unset " RB_LEDGER_KEY
                       " removes it, and `rbtool sync` pins the clone again",
                       *out);
    return RB_OK;
}

void rb_ledger_pin(rb_repo *repo, const char *first)
{
    const char *pinned;
    const char *const args[] = {"config", "--local", RB_LEDGER_KEY, first, NULL};
    if (*first && rb_ledger_pinned(&pinned, repo, RB_IGNORED) == RB_OK && !pinned &&
        rb_repo_git(NULL, repo, args, RB_IGNORED) != RB_OK)
        return;
}

bool rb_ledger_of(char hex[RB_OID_HEX], const rb_entry *entry)
{
    if (!entry->app)
        return false;
    if (entry->ledger)
        memcpy(hex, entry->ledger, RB_OID_HEX);
    else
        rb_oid_hex(&entry->id, hex);
    return true;
}

enum rb_code rb_ledger_fail_missing(const char *pinned, rb_err *err)
{
    return rb_fail(
        err, RB_ERROR,
        "the ledger that this clone is pinned to (first entry %.10s) is not in it any "
        "more\n`rbtool sync` fetches it again. Only if it is lost everywhere, git config "
        "--unset " RB_LEDGER_KEY " lets another one begin",
        pinned);
}

enum rb_code rb_ledger_fail_other(const char *pinned, const char *found, rb_err *err)
{
    return rb_fail(err, RB_ERROR,
                   RB_LEDGER_REF " is another ledger (first entry %.10s) than the one that this "
                                 "clone is pinned to (%.10s)\nif they are to be one: `rbtool sync "
                                 "--join`; if the first is the right one, after comparing it with "
                                 "the team: git config " RB_LEDGER_KEY " %s",
                   found, pinned, found);
}

static const json_t *joined_by(const rb_entry *entry)
{
    if (entry->kind != RB_ENTRY_MERGE || entry->trust != RB_ENTRY_GOOD || !entry->text ||
        !memmem(entry->text, entry->text_len, JOINS, strlen(JOINS)))
        return NULL;
    return json_object_get(rb_entry_detail(entry), "joins");
}

/* True if the policy lets the signer of the entry set policies. */
static bool lets(const rb_entry *policy, const rb_entry *entry)
{
    const json_t *json = json_object_get(rb_entry_detail(policy), "policy");
    return rb_policy_json_allows(json, RB_ROLE_POLICY, entry->principal, entry->fingerprint) &&
           !rb_policy_json_revokes(json, entry->fingerprint);
}

/* True if policy b follows a, and the signer of b may set policies under a. */
static bool follows(const rb_entry *a, const rb_entry *b)
{
    char hex[RB_OID_HEX];
    rb_oid_hex(&a->id, hex);
    const char *previous = rb_json_str(rb_entry_detail(b), "previous");
    return previous && strcmp(previous, hex) == 0 && lets(a, b);
}

/* True if the signer of the merge may join ledgers: every policy before it lets it, also those
 * that are not in force, and so does every policy in force that does not follow it. Otherwise a
 * merge that forks from before the policies could join any ledger. */
static bool may_join(const rb_ledger *ledger, const rb_policy *in_force, const rb_entry *merge)
{
    const size_t at = (size_t)(merge - ledger->items);
    bool *before = rb_calloc(at + 1, sizeof *before);
    size_t *policies = rb_calloc(at + 1, sizeof *policies);
    size_t n = 0;
    bool may = true;
    before[at] = true;
    for (size_t i = at + 1; i-- > 0;) {
        const rb_entry *entry = &ledger->items[i];
        for (size_t p = 0; before[i] && p < entry->parent_count; p++)
            before[entry->parents[p]] = true;
        if (before[i] && entry->kind == RB_ENTRY_POLICY && entry->trust == RB_ENTRY_GOOD)
            policies[n++] = i;
    }
    for (size_t i = 0; may && i < n; i++) {
        const rb_entry *entry = &ledger->items[policies[i]];
        bool followed = false;
        for (size_t j = 0; j < n && !followed; j++)
            followed = follows(entry, &ledger->items[policies[j]]);
        may = followed || lets(entry, merge);
    }
    free(before);
    free(policies);
    for (size_t i = 0; may && i < rb_policy_count(in_force); i++)
        may = rb_ledger_before(ledger, merge, rb_policy_at(in_force, i)) ||
              lets(rb_policy_at(in_force, i), merge);
    return may;
}

/* Adds the ids of the ledgers that the merge joins; false if it adds none. */
static bool take_join(rb_ledger *ledger, const rb_policy *in_force, const rb_entry *merge,
                      const json_t *joins)
{
    char own[RB_OID_HEX] = "";
    size_t before = ledger->ids.n;
    bool known = rb_ledger_of(own, merge) && rb_strs_has(&ledger->ids, own);
    rb_json_each (item, joins)
        known = known || rb_strs_has(&ledger->ids, json_string_value(item));
    if (!known || !may_join(ledger, in_force, merge))
        return false;
    if (!rb_strs_has(&ledger->ids, own))
        rb_strs_add(&ledger->ids, own);
    rb_json_each (item, joins)
        if (!rb_strs_has(&ledger->ids, json_string_value(item)))
            rb_strs_add(&ledger->ids, json_string_value(item));
    return ledger->ids.n > before;
}

static enum rb_code take_joins(rb_ledger *ledger, rb_err *err)
{
    RB_AUTO(rb_policy_freep) rb_policy *in_force = NULL;
    RB_AUTO(rb_problems_clear) rb_problems ignored = {0};
    for (bool more = true; more;) {
        more = false;
        for (size_t i = 0; i < ledger->n && ledger->ids.n < RB_ENTRY_PARENTS; i++) {
            const json_t *joins = joined_by(&ledger->items[i]);
            if (joins && !in_force)
                RB_TRY(rb_policy_load(&in_force, &ignored, ledger, err));
            more = (joins && take_join(ledger, in_force, &ledger->items[i], joins)) || more;
        }
    }
    return RB_OK;
}

enum rb_code rb_ledger_identify(rb_ledger *ledger, const char *pinned, rb_err *err)
{
    char hex[RB_OID_HEX] = "";
    bool said = false;
    for (size_t i = ledger->n; i-- > 0 && !said && !pinned;)
        said = ledger->items[i].trust != RB_ENTRY_FOREIGN && rb_ledger_of(hex, &ledger->items[i]);
    if (pinned || said)
        rb_strs_add(&ledger->ids, pinned ? pinned : hex);
    RB_TRY(take_joins(ledger, err));
    for (size_t i = 0; i < ledger->n; i++) {
        rb_entry *entry = &ledger->items[i];
        if (!rb_ledger_of(hex, entry) || rb_strs_has(&ledger->ids, hex))
            continue;
        rb_problems_add(
            &entry->problems, "ledger", "ledger", ledger->ids.items[0], hex,
            "the entry is of another ledger, whose first entry is %.10s; this one began "
            "with %.10s",
            hex, ledger->ids.items[0]);
        entry->trust = RB_ENTRY_FOREIGN;
    }
    return RB_OK;
}
