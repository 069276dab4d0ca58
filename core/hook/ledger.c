#include "hook/ledger.h"

#include <string.h>
#include <strings.h>

#include "git/refs.h"
#include "hook/ledger_internal.h"
#include "ledger/history.h"
#include "ledger/sync.h"
#include "ledger/verdict.h"

#define SHORT 10 /* digits of an id */

/* Finds the ids of the line "OLD NEW REF" about the ledger; *found is false if no line is. */
static enum rb_code find_line(bool *found, rb_oid *old, rb_oid *new, const char *lines, size_t len,
                              rb_err *err)
{
    static const char ref[] = " " RB_LEDGER_REF;
    *found = false;
    for (size_t i = 0; i < len && !*found;) {
        const char *end = memchr(lines + i, '\n', len - i);
        size_t n = end ? (size_t)(end - (lines + i)) : len - i;
        if (n > strlen(ref) && memcmp(lines + i + n - strlen(ref), ref, strlen(ref)) == 0) {
            RB_AUTO(rb_free_str) char *line = rb_strndup(lines + i, n - strlen(ref));
            char *space = strchr(line, ' ');
            if (space)
                *space = '\0';
            *found = space && rb_oid_parse(old, line) && rb_oid_parse(new, space + 1);
            if (!*found)
                return rb_fail(err, RB_ERROR,
                               "the transaction has no object ids for " RB_LEDGER_REF
                               ": a ledger is not a symbolic ref");
        }
        i += n + 1;
    }
    return RB_OK;
}

/*
 * True for other names below refs/rbtool/, which has the ledger, the remotes' last tips, and what
 * sync is fetching. Any other name could block the ledger's: as a folder of that name, or as the
 * same name in other case on a file system that ignores case.
 */
static bool is_strange(const char *ref)
{
    static const char space[] = "refs/rbtool";
    static const char remotes[] = "refs/rbtool/remotes/";
    static const char incoming[] = "refs/rbtool/incoming/";
    static const char end[] = "/ledger";
    const size_t len = strlen(ref);
    if (strncasecmp(ref, space, strlen(space)) != 0 || !strchr("/", ref[strlen(space)]))
        return false;
    if (strcmp(ref, RB_LEDGER_REF) == 0)
        return false;
    if (strncmp(ref, incoming, strlen(incoming)) == 0)
        return ref[strlen(incoming) + strspn(ref + strlen(incoming), "0123456789")] != '\0';
    if (strncmp(ref, remotes, strlen(remotes)) != 0 || len <= strlen(remotes) + strlen(end) ||
        strcmp(ref + len - strlen(end), end) != 0)
        return true;
    /* ".../origin/ledger/ledger" would block ".../origin/ledger". */
    const char *inner = strcasestr(ref + strlen(remotes), "/ledger/");
    return inner != NULL;
}

static void refuse_name(rb_refusals *out, const char *ref)
{
    rb_refusals_add(out, rb_strdup(ref),
                    "is in refs/rbtool/, where only rbtool's own refs are\n"
                    "use another name; git update-ref -d REF removes one that exists");
}

/* Refuses such names; existing refs may be deleted. */
static void check_names(rb_refusals *out, const char *lines, size_t len)
{
    for (size_t i = 0; i < len;) {
        const char *end = memchr(lines + i, '\n', len - i);
        size_t n = end ? (size_t)(end - (lines + i)) : len - i;
        RB_AUTO(rb_free_str) char *line = rb_strndup(lines + i, n);
        char *new = strchr(line, ' ');
        char *ref = new ? strchr(new + 1, ' ') : NULL;
        if (ref && is_strange(ref + 1) && strspn(new + 1, "0") < RB_OID_HEX - 1)
            refuse_name(out, ref + 1);
        i += n + 1;
    }
}

static void check_pushed_names(rb_refusals *out, const rb_pushes *pushes)
{
    for (size_t i = 0; i < pushes->n; i++)
        if (is_strange(pushes->items[i].remote_ref) && !rb_oid_is_zero(&pushes->items[i].local))
            refuse_name(out, pushes->items[i].remote_ref);
}

/* git deletes a packed ref in two transactions; the one on packed-refs goes from zero to zero. From
 * OLD to zero only the loose copy is removed. */
static enum rb_code is_packing(bool *out, rb_repo *repo, const rb_oid *old, const rb_oid *new,
                               rb_err *err)
{
    *out = false;
    if (!rb_oid_is_zero(new) || rb_oid_is_zero(old))
        return RB_OK;
    return rb_ref_is_packed(out, repo, RB_LEDGER_REF, old, err);
}

enum rb_code rb_ledger_guard_transaction(rb_refusals *out, rb_repo *repo, const char *lines,
                                         size_t len, rb_err *err)
{
    size_t before = out->n;
    rb_oid old;
    rb_oid new;
    bool found;
    check_names(out, lines, len);
    bool fine;
    rb_ref now;
    RB_TRY(find_line(&found, &old, &new, lines, len, err));
    if (!found)
        return rb_refusals_result(out, before, err);
    RB_TRY(rb_ref_read(&now, repo, RB_LEDGER_REF, err));
    if (now.symbolic && !rb_oid_is_zero(&new)) {
        rb_refusals_add(out, rb_strdup(RB_LEDGER_REF),
                        "is a symbolic ref here, which a ledger is not\n"
                        "remove it: git symbolic-ref --delete " RB_LEDGER_REF);
        return rb_refusals_result(out, before, err);
    }
    if (!now.exists || now.symbolic || rb_oid_equal(&now.object, &new))
        return rb_refusals_result(out, before, err);
    RB_TRY(is_packing(&fine, repo, &old, &new, err));
    if (fine)
        return rb_refusals_result(out, before, err);
    if (rb_oid_is_zero(&new)) {
        rb_refusals_add(out, rb_strdup(RB_LEDGER_REF),
                        "is the ledger and would be deleted\n"
                        "keep it: nothing of it is rewritten; RBTOOL=0 before the command does "
                        "it all the same");
        return rb_refusals_result(out, before, err);
    }
    RB_TRY(rb_commit_reaches(&fine, repo, &new, &now.object, err));
    if (!fine) {
        char hex[RB_OID_HEX];
        rb_oid_hex(&now.object, hex);
        rb_refusals_add(out, rb_strdup(RB_LEDGER_REF),
                        "is the ledger and would lose entries: its new tip does not follow %.*s\n"
                        "join two histories with `rbtool sync`; RBTOOL=0 before the command does "
                        "it all the same",
                        SHORT, hex);
    }
    return rb_refusals_result(out, before, err);
}

/* Sets *out if the remote's present ledger is contained in the pushed one. */
static enum rb_code grows(bool *out, rb_repo *repo, const rb_pushed *pushed, rb_err *err)
{
    *out = rb_oid_is_zero(&pushed->remote);
    if (*out || !pushed->has_commit || !rb_object_exists(repo, &pushed->remote))
        return RB_OK;
    return rb_commit_reaches(out, repo, &pushed->commit, &pushed->remote, err);
}

static void refuse_fork(rb_refusals *out, const char *who, const rb_pushed *pushed,
                        const char *remote)
{
    char hex[RB_OID_HEX];
    rb_oid_hex(&pushed->remote, hex);
    rb_refusals_add(out, rb_strdup(RB_LEDGER_REF),
                    "would fork: %s has entries up to %.*s that are not in what is pushed\n"
                    "join the histories first: rbtool sync%s%s",
                    who, SHORT, hex, *remote ? " " : "", remote);
}

static enum rb_code check_pushed(rb_refusals *out, rb_repo *repo, const char *remote,
                                 const rb_pushed *pushed, rb_err *err)
{
    bool fine;
    if (rb_oid_is_zero(&pushed->local)) {
        if (!rb_oid_is_zero(&pushed->remote))
            rb_refusals_add(out, rb_strdup(RB_LEDGER_REF),
                            "is the ledger and would be deleted at the remote\n"
                            "leave it there: nothing of it is rewritten; RBTOOL=0 git push does "
                            "it all the same");
        return RB_OK;
    }
    RB_TRY(grows(&fine, repo, pushed, err));
    if (!fine) {
        RB_AUTO(rb_free_str) char *name = rb_safe(remote);
        refuse_fork(out, name, pushed, name);
    }
    return RB_OK;
}

enum rb_code rb_ledger_guard_push(rb_refusals *out, rb_repo *repo, const char *remote,
                                  const rb_pushes *pushes, rb_err *err)
{
    size_t before = out->n;
    const rb_pushed *pushed = rb_pushes_find(pushes, RB_LEDGER_REF);
    check_pushed_names(out, pushes);
    if (pushed)
        RB_TRY(check_pushed(out, repo, remote, pushed, err));
    return rb_refusals_result(out, before, err);
}

/* Returns what is wrong with an entry, or NULL. Hosts without a key may write transitions and
 * drills, and join histories, unless a policy requires signatures. */
static const char *fault_of(const rb_entry *entry, const rb_policy *policy)
{
    const char *why = rb_ledger_fault(entry);
    bool host = entry->kind == RB_ENTRY_TRANSITION || entry->kind == RB_ENTRY_DRILL;
    if (why || entry->trust == RB_ENTRY_GOOD || !host || !rb_policy_wanted_signed(policy, entry))
        return why;
    return "the policy wants entries of its environment to be signed";
}

/* Checks that everything between the server's ledger and the new tip is an entry. */
static enum rb_code check_entries(rb_refusals *out, rb_repo *repo, const rb_pushed *pushed,
                                  rb_err *err)
{
    RB_AUTO(rb_signers_freep) rb_signers *signers = NULL;
    RB_AUTO(rb_ledger_freep) rb_ledger *now = NULL;
    RB_AUTO(rb_ledger_freep) rb_ledger *then = NULL;
    RB_AUTO(rb_policy_freep) rb_policy *policy = NULL;
    RB_AUTO(rb_problems_clear) rb_problems ignored = {0};
    RB_AUTO(rb_free_str) char *large = NULL;
    const char *next = NULL;
    RB_TRY(rb_signers_load(&signers, repo, err));
    RB_TRY(rb_ledger_load(&now, repo, signers, NULL, 0, err));
    RB_TRY(rb_ledger_guard_size(&large, &next, repo, &pushed->local, now, err));
    if (large) {
        rb_refusals_add(out, rb_strdup(RB_LEDGER_REF), "%s\n%s", large, next);
        return RB_OK;
    }
    RB_TRY(rb_ledger_load(&then, repo, signers, &pushed->local, 0, err));
    RB_TRY(rb_ledger_guard_unsigned(&large, &next, repo, then, now, err));
    if (large) {
        rb_refusals_add(out, rb_strdup(RB_LEDGER_REF), "%s\n%s", large, next);
        return RB_OK;
    }
    RB_TRY(rb_policy_load(&policy, &ignored, then, err));
    for (size_t i = 0; i < then->n; i++) {
        const rb_entry *entry = &then->items[i];
        const char *why = fault_of(entry, policy);
        if (!why || rb_ledger_find(now, &entry->id))
            continue;
        char hex[RB_OID_HEX];
        rb_oid_hex(&entry->id, hex);
        rb_refusals_add(out, rb_strdup(RB_LEDGER_REF),
                        "would get what is not a good entry: %.*s is %s (%s)\n" RB_NEXT_UNFIT,
                        SHORT, hex, rb_entry_trust_name(entry->trust), why);
        return RB_OK;
    }
    return RB_OK;
}

static enum rb_code check_received(rb_refusals *out, rb_repo *repo, const rb_pushed *pushed,
                                   rb_err *err)
{
    bool fine;
    if (rb_oid_is_zero(&pushed->local)) {
        rb_refusals_add(out, rb_strdup(RB_LEDGER_REF),
                        "is the ledger and would be deleted\n"
                        "leave it: nothing of it is rewritten; before git push --mirror run "
                        "`rbtool sync`");
        return RB_OK;
    }
    RB_TRY(grows(&fine, repo, pushed, err));
    if (fine)
        return check_entries(out, repo, pushed, err);
    refuse_fork(out, "the server", pushed, "");
    return RB_OK;
}

enum rb_code rb_ledger_guard_receive(rb_refusals *out, rb_repo *repo, const rb_pushes *pushes,
                                     rb_err *err)
{
    size_t before = out->n;
    const rb_pushed *pushed = rb_pushes_find(pushes, RB_LEDGER_REF);
    check_pushed_names(out, pushes);
    if (pushed)
        RB_TRY(check_received(out, repo, pushed, err));
    return rb_refusals_result(out, before, err);
}

enum rb_code rb_ledger_chain(rb_chain **out, rb_repo *repo, const rb_signers *signers,
                             const rb_pushes *pushed, rb_err *err)
{
    RB_AUTO(rb_ledger_freep) rb_ledger *ledger = NULL;
    RB_AUTO(rb_policy_freep) rb_policy *policy = NULL;
    RB_AUTO(rb_problems_clear) rb_problems ignored = {0}; /* `rbtool policy show` reports them */
    RB_TRY(rb_ledger_load(&ledger, repo, signers, NULL, 0, err));
    RB_TRY(rb_policy_load(&policy, &ignored, ledger, err));
    return rb_history_load(out, policy, pushed, 0, err);
}

enum rb_code rb_ledger_gave_up(bool *out, char **next, rb_repo *repo, const rb_signers *signers,
                               const char *tag, const char *object, rb_err *err)
{
    RB_AUTO(rb_ledger_freep) rb_ledger *ledger = NULL;
    RB_AUTO(rb_policy_freep) rb_policy *policy = NULL;
    RB_AUTO(rb_chain_freep) rb_chain *chain = NULL;
    RB_AUTO(rb_problems_clear) rb_problems ignored = {0};
    RB_AUTO(rb_free_str) char *used = NULL;
    *out = false;
    RB_TRY(rb_ledger_load(&ledger, repo, signers, NULL, 0, err));
    RB_TRY(rb_policy_load(&policy, &ignored, ledger, err));
    RB_TRY(rb_history_load(&chain, policy, NULL, 0, err));
    rb_history_in_use(&used, policy, chain, tag, object);
    if (used)
        *next = rb_format("keep it: %s; a release that was bad is reverted, not deleted; RBTOOL=0 "
                          "before the command does it all the same",
                          used);
    else if (rb_ledger_gap(policy, tag, object))
        *out = true;
    else
        *next = rb_format("give it up first: rbtool mark %s gap -m WHY; then git tag -d %s passes, "
                          "and its name is free",
                          tag, tag);
    return RB_OK;
}
