#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/hash.h"
#include "ledger/policy_internal.h"
#include "trust/pattern.h"
#include "trust/signers.h"

#define NAMESPACE "git"

void rb_caller_clear(rb_caller *caller)
{
    free(caller->principal);
    free(caller->fingerprint);
    free(caller->why);
    *caller = (rb_caller){0};
}

/* Returns the email of git's committer, which is used if the key's principal is a pattern. */
static char *committer_email(const rb_repo *repo)
{
    RB_AUTO(rb_buf_clear) rb_buf ident = {0};
    if (rb_repo_git(&ident, repo, (const char *const[]){"var", "GIT_COMMITTER_IDENT", NULL},
                    RB_IGNORED) != RB_OK)
        return NULL;
    const char *open = strchr(rb_buf_str(&ident), '<');
    const char *close = open ? strchr(open, '>') : NULL;
    return close ? rb_strndup(open + 1, (size_t)(close - open - 1)) : NULL;
}

static enum rb_code prove(rb_caller *out, rb_repo *repo, const rb_signers *signers, const char *key,
                          const char *email, rb_err *err)
{
    unsigned char random[16];
    char hex[33];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        abort();
    rb_hex_encode(random, sizeof random, hex);
    /* Sign a text that is neither a commit nor a tag, so that the signature has no other use. */
    RB_AUTO(rb_free_str) char *text = rb_format("rbtool asks who signs here\n%s\n", hex);
    RB_AUTO(rb_buf_clear) rb_buf signature = {0};
    RB_TRY(rb_trust_sign(&signature, repo, key, NAMESPACE, text, strlen(text), err));
    return rb_trust_check(&out->principal, &out->fingerprint, signers, NAMESPACE,
                          rb_buf_str(&signature), signature.len, text, strlen(text), 0, email, err);
}

enum rb_code rb_caller_find(rb_caller *out, rb_repo *repo, const rb_signers *signers,
                            const char *key, bool will_sign, rb_err *err)
{
    *out = (rb_caller){0};
    bool has = key != NULL;
    if (!has)
        RB_TRY(rb_trust_has_key(&has, repo, err));
    if (!has) {
        out->why = rb_strdup("git's user.signingKey names no SSH key here");
        return RB_OK;
    }
    RB_AUTO(rb_free_str) char *email = committer_email(repo);
    rb_err failed = {0};
    bool known = false;
    enum rb_code code = RB_OK;
    if (will_sign)
        code = rb_trust_who(&known, &out->principal, &out->fingerprint, signers, repo, key,
                            NAMESPACE, email, &failed);
    if (code == RB_OK && !known)
        code = prove(out, repo, signers, key, email, &failed);
    if (code != RB_OK) {
        rb_caller_clear(out);
        out->why = rb_strdup(rb_err_line(&failed));
    }
    return RB_OK;
}

/* True if a person other than the caller could act in role policy: a key that is not revoked, of a
 * principal in the role. Assumes so if both are patterns, because that cannot be determined. */
static bool someone_can(const json_t *policy, const rb_signers *signers)
{
    const json_t *list =
        json_object_get(json_object_get(policy, "roles"), rb_role_name(RB_ROLE_POLICY));
    for (size_t i = 0; i < signers->n; i++) {
        const rb_signer *line = &signers->items[i];
        char fingerprint[RB_FINGERPRINT_SIZE];
        rb_key_fingerprint(line->key, fingerprint);
        if (!line->authority && (rb_policy_json_revokes(policy, fingerprint) || line->before > 0))
            continue;
        if (!list || rb_members_match(list, line->principals, fingerprint))
            return true;
        bool pattern = !rb_pattern_is_literal(line->principals);
        rb_json_each (item, list)
            if (pattern && *json_string_value(item) != '!' &&
                (!rb_pattern_is_literal(json_string_value(item)) ||
                 rb_pattern_list_matches(json_string_value(item), line->principals)))
                return true;
    }
    return false;
}

static enum rb_code choose(const rb_policy_version **out, const rb_policy *policy, const char *over,
                           rb_err *err)
{
    const rb_in_force *now = &policy->states[policy->now];
    RB_AUTO(rb_buf_clear) rb_buf list = {0};
    size_t matches = 0;
    *out = NULL;
    for (size_t i = 0; i < now->n; i++) {
        const rb_policy_version *version = &policy->versions[now->items[i]];
        const rb_entry *entry = &policy->ledger->items[version->entry];
        char hex[RB_OID_HEX];
        rb_oid_hex(&entry->id, hex);
        rb_buf_printf(&list, "%s%.10s by %s", i ? ", " : "", hex, entry->principal);
        if (over ? strlen(over) >= 4 && strncmp(over, hex, strlen(over)) == 0 : now->n == 1) {
            *out = version;
            matches++;
        }
    }
    if (matches == 1 || now->n == 0)
        return RB_OK;
    if (now->n == 1)
        return rb_fail(err, RB_ERROR, "--over %s is not the policy in force, which is %s", over,
                       list.data);
    return rb_fail(err, RB_DECIDE,
                   "%zu policies were set at the same time (%s) and the strictest holds\nsay which "
                   "of them this one goes on from with --over ID; what only the others say is void "
                   "then",
                   now->n, list.data);
}

static enum rb_code may_set(const rb_policy *policy, const rb_caller *caller, rb_err *err)
{
    if (policy->roots.n == 0)
        return rb_fail(err, RB_ERROR,
                       "no root is configured, so no policy would be in force\nname who may set "
                       "the first one, here and in every clone: `git config rbtool.root "
                       "PRINCIPAL`");
    if (!caller->principal)
        return rb_fail(err, RB_ERROR, "a policy must be signed: %s", caller->why);
    const size_t n = policy->states[policy->now].n;
    if (rb_policy_allows(policy, RB_ROLE_POLICY, caller->principal, caller->fingerprint) ||
        (n > 1 && rb_policy_is_root(policy, caller->principal, caller->fingerprint)))
        return RB_OK;
    RB_AUTO(rb_free_str) char *members = rb_policy_members(policy, RB_ROLE_POLICY);
    RB_AUTO(rb_free_str)
    char *why = n == 0 ? rb_format("git config rbtool.root names %s; ask one of them", members)
                       : rb_policy_refusal(policy, RB_ROLE_POLICY, caller->fingerprint);
    return rb_fail(err, RB_FOUND, "%s (key %s) may not set a policy: %s", caller->principal,
                   caller->fingerprint, why);
}

enum rb_code rb_policy_draft(json_t **out, const rb_policy *policy, const json_t *json,
                             const rb_caller *caller, const char *over, rb_err *err)
{
    const rb_policy_version *chosen;
    RB_TRY(may_set(policy, caller, err));
    RB_TRY(choose(&chosen, policy, over, err));
    bool stays =
        rb_policy_json_allows(json, RB_ROLE_POLICY, caller->principal, caller->fingerprint) &&
        !rb_policy_json_revokes(json, caller->fingerprint);
    if (!stays && !someone_can(json, policy->ledger->signers))
        return rb_fail(err, RB_ERROR,
                       "after this policy nobody could set another: no allowed signer whose key "
                       "is not revoked and does not end is in its role policy; nothing was "
                       "written");
    int64_t newest = 0;
    char hex[RB_OID_HEX] = "";
    const rb_in_force *now = &policy->states[policy->now];
    for (size_t i = 0; i < now->n; i++) {
        const rb_policy_version *earlier = &policy->versions[now->items[i]];
        newest = earlier->version > newest ? earlier->version : newest;
    }
    if (chosen)
        rb_oid_hex(&policy->ledger->items[chosen->entry].id, hex);
    *out = json_pack("{s:I,s:s?,s:O}", "version", (json_int_t)newest + 1, "previous",
                     chosen ? hex : NULL, "policy", json);
    return RB_OK;
}
