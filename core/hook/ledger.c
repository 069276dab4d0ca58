/* The checks of the ledger: it may only grow. */
#include "hook/check_internal.h"

#include <string.h>
#include <strings.h>

#include "ledger/sync.h"
#include "ledger/verdict.h"

#define SHORT 10 /* number of digits of an abbreviated id */

/*
 * True for a ref below refs/rbtool/ other than the ledger, the remotes' last tips, and what sync
 * fetches. Such a name could block the ledger's: as a folder of that name, or by another case on a
 * file system that ignores case.
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

void rb_guard_ledger_name(rb_refusals *out, const char *ref)
{
    if (is_strange(ref))
        rb_refusals_add(out, rb_strdup(ref),
                        "is in refs/rbtool/, where only rbtool's own refs are\n"
                        "use another name; git update-ref -d REF removes one that exists");
}

static void check_pushed_names(rb_refusals *out, const rb_pushes *pushes)
{
    for (size_t i = 0; i < pushes->n; i++)
        if (!rb_oid_is_zero(&pushes->items[i].local))
            rb_guard_ledger_name(out, pushes->items[i].remote_ref);
}

enum rb_code rb_guard_ledger_update(rb_refusals *out, rb_guard *guard, const rb_ref *now,
                                    const rb_oid *new, rb_err *err)
{
    const bool deletes = rb_oid_is_zero(new);
    bool fine;
    if (now->symbolic && !deletes) {
        rb_refusals_add(out, rb_strdup(RB_LEDGER_REF),
                        "is a symbolic ref here, which a ledger is not\n"
                        "remove it: git symbolic-ref --delete " RB_LEDGER_REF);
        return RB_OK;
    }
    if (!now->exists || now->symbolic)
        return RB_OK;
    if (deletes) {
        rb_refusals_add(out, rb_strdup(RB_LEDGER_REF),
                        "is the ledger and would be deleted\n"
                        "keep it: nothing of it is rewritten; RBTOOL=0 before the command does "
                        "it all the same");
        return RB_OK;
    }
    RB_TRY(rb_commit_reaches(&fine, guard->repo, new, &now->object, err));
    if (!fine) {
        char hex[RB_OID_HEX];
        rb_oid_hex(&now->object, hex);
        rb_refusals_add(out, rb_strdup(RB_LEDGER_REF),
                        "is the ledger and would lose entries: its new tip does not follow %.*s\n"
                        "join two histories with `rbtool sync`; RBTOOL=0 before the command does "
                        "it all the same",
                        SHORT, hex);
    }
    return RB_OK;
}

/* Sets *out if the pushed ledger contains the remote's present one. */
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

/* Refuses to delete the ledger, and to push one that is not on top of the remote's. *fine is true
 * if neither is the case. */
static enum rb_code check_pushed(bool *fine, rb_refusals *out, rb_repo *repo, const char *remote,
                                 const rb_pushed *pushed, rb_err *err)
{
    *fine = false;
    if (rb_oid_is_zero(&pushed->local)) {
        if (!remote)
            rb_refusals_add(out, rb_strdup(RB_LEDGER_REF),
                            "is the ledger and would be deleted\n"
                            "leave it: nothing of it is rewritten; before git push --mirror run "
                            "`rbtool sync`");
        else if (!rb_oid_is_zero(&pushed->remote))
            rb_refusals_add(out, rb_strdup(RB_LEDGER_REF),
                            "is the ledger and would be deleted at the remote\n"
                            "leave it there: nothing of it is rewritten; RBTOOL=0 git push does "
                            "it all the same");
        return RB_OK;
    }
    RB_TRY(grows(fine, repo, pushed, err));
    if (!*fine) {
        const char *name = remote ? remote : "";
        refuse_fork(out, remote ? name : "the server", pushed, name);
    }
    return RB_OK;
}

/* Returns what is wrong with an entry, or NULL. Hosts without a key may write transitions, drills,
 * restores, watches and merges, unless a policy requires signatures. */
static const char *fault_of(const rb_entry *entry, const rb_policy *policy)
{
    const char *why = rb_ledger_fault(entry);
    bool host = entry->kind == RB_ENTRY_TRANSITION || entry->kind == RB_ENTRY_DRILL ||
                entry->kind == RB_ENTRY_RESTORE || entry->kind == RB_ENTRY_WATCH;
    if (why || entry->trust == RB_ENTRY_GOOD || !host || !rb_policy_wanted_signed(policy, entry))
        return why;
    return "the policy wants entries of its environment to be signed";
}

/* Checks that all commits between the server's ledger and the new tip are entries. */
static enum rb_code check_entries(rb_refusals *out, rb_guard *guard, const rb_pushed *pushed,
                                  rb_err *err)
{
    RB_AUTO(rb_ledger_freep) rb_ledger *then = NULL;
    RB_AUTO(rb_policy_freep) rb_policy *policy = NULL;
    RB_AUTO(rb_problems_clear) rb_problems ignored = {0};
    RB_AUTO(rb_free_str) char *large = NULL;
    const char *next = NULL;
    rb_repo *repo = guard->repo;
    bool fine = false;
    RB_TRY(rb_session_ledger(guard->session, err));
    const rb_ledger *now = guard->session->ledger;
    /* Check the sizes first: walking the pushed commits reads every entry, however large. */
    if (pushed->has_commit)
        RB_TRY(rb_ledger_guard_size(&large, &next, repo, &pushed->local, now, err));
    if (!large) {
        RB_TRY(check_pushed(&fine, out, repo, NULL, pushed, err));
        if (!fine)
            return RB_OK;
        RB_TRY(rb_ledger_load(&then, repo, guard->session->signers, &pushed->local, 0, err));
        RB_TRY(rb_ledger_guard_unsigned(&large, &next, repo, then, now, err));
    }
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

enum rb_code rb_guard_push_ledger(rb_refusals *out, rb_guard *guard, const char *remote,
                                  const rb_pushes *pushes, rb_err *err)
{
    bool fine;
    const rb_pushed *pushed = rb_pushes_find(pushes, RB_LEDGER_REF);
    check_pushed_names(out, pushes);
    if (!pushed)
        return RB_OK;
    return remote ? check_pushed(&fine, out, guard->repo, remote, pushed, err)
                  : check_entries(out, guard, pushed, err);
}
