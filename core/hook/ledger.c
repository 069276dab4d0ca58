#include "hook/ledger.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "git/refs.h"
#include "hook/ledger_internal.h"
#include "ledger/history.h"
#include "ledger/sync.h"
#include "ledger/verdict.h"

#define SHORT 10 /* number of digits of an abbreviated id */

/* Reads the next line of a transaction, "OLD NEW REF". words[i] is NULL if the line has fewer
 * words. Returns false at the end. The words point into buffer. */
static bool next_line(char **buffer, char *words[3], const char **at, const char *end)
{
    free(*buffer);
    *buffer = NULL;
    if (*at >= end)
        return false;
    const char *stop = memchr(*at, '\n', (size_t)(end - *at));
    *buffer = rb_strndup(*at, (size_t)((stop ? stop : end) - *at));
    *at = stop ? stop + 1 : end;
    words[0] = *buffer;
    for (int i = 1; i < 3; i++) {
        char *space = words[i - 1] ? strchr(words[i - 1], ' ') : NULL;
        words[i] = space ? space + 1 : NULL;
        if (space)
            *space = '\0';
    }
    return true;
}

/* Finds the line about the ledger and parses its ids; *found is false if there is none. */
static enum rb_code find_line(bool *found, rb_oid *old, rb_oid *new, const char *lines, size_t len,
                              rb_err *err)
{
    RB_AUTO(rb_free_str) char *buffer = NULL;
    char *words[3];
    *found = false;
    for (const char *at = lines; !*found && next_line(&buffer, words, &at, lines + len);) {
        if (!words[2] || strcmp(words[2], RB_LEDGER_REF) != 0)
            continue;
        *found = rb_oid_parse(old, words[0]) && rb_oid_parse(new, words[1]);
        if (!*found)
            return rb_fail(err, RB_ERROR,
                           "the transaction has no object ids for " RB_LEDGER_REF
                           ": a ledger is not a symbolic ref");
    }
    return RB_OK;
}

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

static void refuse_name(rb_refusals *out, const char *ref)
{
    rb_refusals_add(out, rb_strdup(ref),
                    "is in refs/rbtool/, where only rbtool's own refs are\n"
                    "use another name; git update-ref -d REF removes one that exists");
}

/* Refuses to create such refs; existing ones may be deleted. */
static void check_names(rb_refusals *out, const char *lines, size_t len)
{
    RB_AUTO(rb_free_str) char *buffer = NULL;
    char *words[3];
    for (const char *at = lines; next_line(&buffer, words, &at, lines + len);)
        if (words[2] && is_strange(words[2]) && strspn(words[1], "0") < RB_OID_HEX - 1)
            refuse_name(out, words[2]);
}

static void check_pushed_names(rb_refusals *out, const rb_pushes *pushes)
{
    for (size_t i = 0; i < pushes->n; i++)
        if (is_strange(pushes->items[i].remote_ref) && !rb_oid_is_zero(&pushes->items[i].local))
            refuse_name(out, pushes->items[i].remote_ref);
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
    /* git deletes a packed ref in two transactions. In the one for packed-refs, both values are
     * zero. A change from OLD to zero is for the loose ref; if the ref is packed with this value,
     * nothing is lost. */
    fine = false;
    if (rb_oid_is_zero(&new) && !rb_oid_is_zero(&old))
        RB_TRY(rb_ref_is_packed(&fine, repo, RB_LEDGER_REF, &old, err));
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

enum rb_code rb_ledger_guard_push(rb_refusals *out, rb_repo *repo, const char *remote,
                                  const rb_pushes *pushes, rb_err *err)
{
    size_t before = out->n;
    bool fine;
    const rb_pushed *pushed = rb_pushes_find(pushes, RB_LEDGER_REF);
    check_pushed_names(out, pushes);
    if (pushed)
        RB_TRY(check_pushed(&fine, out, repo, remote, pushed, err));
    return rb_refusals_result(out, before, err);
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
    bool fine = false;
    RB_TRY(rb_signers_load(&signers, repo, err));
    RB_TRY(rb_ledger_load(&now, repo, signers, NULL, 0, err));
    /* Check the sizes first: walking the pushed commits reads every entry, however large. */
    if (pushed->has_commit)
        RB_TRY(rb_ledger_guard_size(&large, &next, repo, &pushed->local, now, err));
    if (large) {
        rb_refusals_add(out, rb_strdup(RB_LEDGER_REF), "%s\n%s", large, next);
        return RB_OK;
    }
    RB_TRY(check_pushed(&fine, out, repo, NULL, pushed, err));
    if (!fine)
        return RB_OK;
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

enum rb_code rb_ledger_guard_receive(rb_refusals *out, rb_repo *repo, const rb_pushes *pushes,
                                     rb_err *err)
{
    size_t before = out->n;
    const rb_pushed *pushed = rb_pushes_find(pushes, RB_LEDGER_REF);
    check_pushed_names(out, pushes);
    if (pushed)
        RB_TRY(check_entries(out, repo, pushed, err));
    return rb_refusals_result(out, before, err);
}

enum rb_code rb_ledger_chain(rb_chain **out, rb_repo *repo, const rb_signers *signers,
                             const rb_pushes *pushed, rb_err *err)
{
    RB_AUTO(rb_ledger_freep) rb_ledger *ledger = NULL;
    RB_AUTO(rb_policy_freep) rb_policy *policy = NULL;
    /* not reported here: `rbtool policy show` does */
    RB_AUTO(rb_problems_clear) rb_problems ignored = {0};
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
