#include "transition/policy_pins.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "git/remote.h"

#define PINNED "this environment is bound to it since its last transition; nothing was changed"

static const char *const names[] = {"ledger", "root", "policy"};
#define NAMES (sizeof names / sizeof *names)

enum rb_code rb_policy_pinned(json_t *pins, rb_state *state, rb_err *err)
{
    for (size_t i = 0; state && i < NAMES; i++) {
        RB_AUTO(rb_free_str) char *value = NULL;
        RB_TRY(rb_state_pin(&value, state, names[i], err));
        if (value)
            rb_json_set_str(pins, names[i], value);
    }
    return RB_OK;
}

static const rb_entry *find(const rb_ledger *ledger, const char *hex)
{
    rb_oid id;
    return hex && rb_oid_parse(&id, hex) ? rb_ledger_find(ledger, &id) : NULL;
}

/* Returns the oldest policy entry with an allowed signer; NULL: none. */
static const rb_entry *first_policy(const rb_ledger *ledger)
{
    for (size_t i = 0; i < ledger->n; i++)
        if (ledger->items[i].kind == RB_ENTRY_POLICY && ledger->items[i].trust == RB_ENTRY_GOOD)
            return &ledger->items[i];
    return NULL;
}

/* Handles a clone without a ledger: asks the remote whether it has one. */
static enum rb_code check_remote(const rb_env *env, const rb_session *session, const json_t *pins,
                                 rb_err *err)
{
    RB_AUTO(rb_free_str) char *remote = NULL;
    if (rb_json_str(pins, "ledger") || rb_json_str(pins, "policy"))
        return rb_fail(
            err, RB_ERROR,
            "this clone has no ledger, and %s is bound to one since its last transition; "
            "nothing was changed\nfetch it with `rbtool sync`",
            env->name);
    if (rb_remote_find(&remote, session->repo, NULL, RB_IGNORED) != RB_OK)
        return RB_OK;
    rb_ref there;
    if (rb_remote_read(&there, session->repo, remote, RB_LEDGER_REF, err) != RB_OK) {
        err->code = RB_ERROR;
        (void)rb_err_prefix(
            err,
            "this clone has no ledger, and whether remote %s has one cannot be asked; "
            "nothing was changed; run `rbtool sync` when it can be reached",
            remote);
        return RB_ERROR;
    }
    return there.exists ? rb_fail(err, RB_ERROR,
                                  "this clone has no ledger and its remote %s has one; nothing was "
                                  "changed\nfetch it with `rbtool sync`",
                                  remote)
                        : RB_OK;
}

static enum rb_code check_pinned_entries(const rb_session *session, const json_t *pins, rb_err *err)
{
    for (size_t i = 0; i < NAMES; i++) {
        const char *id = rb_json_str(pins, names[i]);
        if (strcmp(names[i], "root") == 0 || !id || find(session->ledger, id))
            continue;
        return rb_fail(err, RB_ERROR,
                       "the ledger here lacks %s %.10s: " PINNED "; fetch the ledger with `rbtool "
                       "sync`",
                       strcmp(names[i], "ledger") == 0 ? "its first entry" : "the policy entry",
                       id);
    }
    return RB_OK;
}

/* Fails because no root is configured, although the ledger has a policy or the environment is bound
 * to one. */
static enum rb_code refuse_no_root(const rb_env *env, const rb_entry *first, const char *pinned,
                                   rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *root = NULL;
    if (pinned)
        (void)!rb_json_read(&root, pinned, strlen(pinned), "the pinned root", RB_IGNORED);
    const char *who = json_string_value(json_array_get(json_object_get(root, "principals"), 0));
    const char *key = rb_json_str(root, "key");
    if (!who && first)
        who = first->principal;
    if (!key && first)
        key = first->fingerprint;
    RB_AUTO(rb_free_str) char *name = rb_safe(who ? who : "PRINCIPAL");
    return rb_fail(err, RB_ERROR,
                   "the ledger holds a policy, and git config rbtool.root does not say here whose "
                   "policy binds %s; nothing was changed\nit is signed by %s with key %s: compare "
                   "that with the team first, then run `git config rbtool.root %s`",
                   env->name, name, key ? key : "(unknown)", name);
}

/* True if each new root set a policy under the pinned ones. A key can be replaced only by keys:
 * this host's allowed signers file decides which key belongs to a principal. */
static bool are_let_in(const rb_policy *old, const rb_strs *pinned, const rb_strs *now)
{
    bool keys = pinned->n > 0;
    for (size_t i = 0; i < pinned->n; i++)
        keys = keys && rb_policy_is_key(pinned->items[i]);
    for (size_t i = 0; i < now->n; i++)
        if (!rb_strs_has(pinned, now->items[i]) && ((keys && !rb_policy_is_key(now->items[i])) ||
                                                    !rb_policy_was_set_by(old, now->items[i])))
            return false;
    return true;
}

/* Checks a root that differs from the pinned one. The policy under it must be in force under the
 * pinned root, too, and each new root must have set a policy under that. */
static enum rb_code check_rotation(const rb_env *env, const rb_session *session,
                                   const json_t *pinned, rb_err *err)
{
    RB_AUTO(rb_strs_clear) rb_strs roots = {0};
    RB_AUTO(rb_problems_clear) rb_problems problems = {0};
    RB_AUTO(rb_policy_freep) rb_policy *old = NULL;
    rb_json_each (item, json_object_get(pinned, "principals"))
        if (json_is_string(item))
            rb_strs_add(&roots, json_string_value(item));
    old = rb_policy_under(&problems, session->ledger, &roots);
    const rb_entry *now = rb_policy_entry(session->policy);
    if (now && now == rb_policy_entry(old) &&
        are_let_in(old, &roots, rb_policy_roots(session->policy)))
        return RB_OK;
    return rb_fail(
        err, RB_ERROR,
        "git config rbtool.root is not the root that %s is bound to (%s), and has not set a policy "
        "under it; nothing was changed\nset it back with `git config --replace-all rbtool.root "
        "%s`, or let the new root into role policy and set a policy with it",
        env->name, roots.n ? roots.items[0] : "none", roots.n ? roots.items[0] : "PRINCIPAL");
}

static enum rb_code check_root(const rb_env *env, const rb_session *session, const json_t *pins,
                               rb_err *err)
{
    const char *pinned = rb_json_str(pins, "root");
    const char *policy = rb_json_str(pins, "policy");
    const rb_entry *first = first_policy(session->ledger);
    if (!rb_policy_rooted(session->policy))
        return first || pinned ? refuse_no_root(env, first, pinned, err) : RB_OK;
    RB_AUTO(rb_json_freep) json_t *root = NULL;
    if (pinned)
        RB_TRY(rb_json_read(&root, pinned, strlen(pinned), "the pinned root", err));
    RB_AUTO(rb_json_freep) json_t *now = rb_json_strs(rb_policy_roots(session->policy));
    if (root && !json_equal(json_object_get(root, "principals"), now))
        return check_rotation(env, session, root, err);
    if (!rb_policy_entry(session->policy))
        return rb_fail(err, RB_ERROR,
                       "git config rbtool.root is set, but the ledger here holds no policy under "
                       "it; nothing was changed\nfetch the ledger with `rbtool sync`, or set the "
                       "first one with `rbtool policy set FILE`");
    if (!policy || rb_policy_follows(session->policy, find(session->ledger, policy)))
        return RB_OK;
    return rb_fail(err, RB_ERROR,
                   "the policy in force here does not follow policy entry %.10s: " PINNED "; fetch "
                   "the ledger with `rbtool sync`",
                   policy);
}

enum rb_code rb_policy_bound(const rb_env *env, rb_state *state, const rb_session *session,
                             const json_t *of_databases, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *pins = json_object();
    RB_TRY(rb_policy_pinned(pins, state, err));
    if (of_databases)
        json_object_update_missing(pins, (json_t *)of_databases);
    if (session->ledger->n == 0)
        RB_TRY(check_remote(env, session, pins, err));
    RB_TRY(check_pinned_entries(session, pins, err));
    return check_root(env, session, pins, err);
}

static enum rb_code set(rb_state *state, const json_t *old, const char *name, const char *value,
                        rb_err *err)
{
    return rb_text_same(rb_json_str(old, name), value) ? RB_OK
                                                       : rb_state_pin_set(state, name, value, err);
}

enum rb_code rb_policy_pin(json_t *pins, rb_state *state, const rb_session *session, rb_err *err)
{
    const rb_entry *entry = rb_policy_entry(session->policy);
    char hex[RB_OID_HEX];
    RB_AUTO(rb_json_freep) json_t *old = json_object();
    RB_TRY(rb_policy_pinned(old, state, err));
    if (session->ledger->n > 0) {
        rb_oid_hex(&session->ledger->items[0].id, hex);
        RB_TRY(set(state, old, "ledger", hex, err));
    }
    if (entry) {
        RB_AUTO(rb_buf_clear) rb_buf text = {0};
        RB_AUTO(rb_json_freep)
        json_t *root = rb_json_make("key:s principals:j", entry->fingerprint,
                                    rb_json_strs(rb_policy_roots(session->policy)));
        rb_json_canonical(&text, root);
        rb_oid_hex(&entry->id, hex);
        RB_TRY(set(state, old, "policy", hex, err));
        RB_TRY(set(state, old, "root", text.data, err));
    }
    return rb_policy_pinned(pins, state, err);
}
