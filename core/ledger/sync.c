#include "ledger/sync.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "git/remote.h"
#include "ledger/identity.h"

#define ROUNDS 20 /* attempts, because other clones may push at the same time */
#define PAUSE 20  /* milliseconds; multiplied by the number of the round */
#define SHORT 10  /* number of digits of an abbreviated id */

struct syncing {
    rb_repo *repo;
    const rb_signers *signers;
    const char *remote;
    char *tracking;   /* refs/rbtool/remotes/REMOTE/ledger: the remote's last known tip */
    unsigned how;     /* flags RB_SYNC_... */
    char *incoming;   /* ref for the fetched ledger until it has been checked */
    rb_ledger *first; /* this clone's ledger before the sync */
};

/* The ledger's tips in the clone and in the remote, during one round. */
struct sides {
    rb_ref ours;
    rb_ref theirs;
    rb_ref had;
};

void rb_sync_clear(rb_sync *sync)
{
    free(sync->remote);
    free(sync->ignored_one);
    free(sync->sent_ignored_one);
    *sync = (rb_sync){0};
}

static void syncing_clear(struct syncing *s)
{
    free(s->tracking);
    free(s->incoming);
    rb_ledger_free(s->first);
}

static char *entry_name(const rb_entry *entry)
{
    char hex[RB_OID_HEX];
    RB_AUTO(rb_free_str) char *title = rb_safe(entry->title ? entry->title : "");
    rb_oid_hex(&entry->id, hex);
    return rb_format("%.*s \"%.100s\"", SHORT, hex, title);
}

/* Counts the entries of `ledger` that are not in `other`; *one is the oldest of them. */
static size_t count_missing(const rb_entry **one, const rb_ledger *ledger, const rb_ledger *other)
{
    size_t n = 0;
    *one = NULL;
    for (size_t i = 0; i < ledger->n; i++) {
        if (other && rb_ledger_find(other, &ledger->items[i].id))
            continue;
        if (n++ == 0)
            *one = &ledger->items[i];
    }
    return n;
}

const rb_entry *rb_ledger_unfit(const rb_ledger *ledger, const rb_ledger *known)
{
    for (size_t i = 0; i < ledger->n; i++) {
        const rb_entry *entry = &ledger->items[i];
        if (entry->trust == RB_ENTRY_FOREIGN && (!known || !rb_ledger_find(known, &entry->id)))
            return entry;
    }
    return NULL;
}

static bool must_be_signed(enum rb_entry_kind kind)
{
    return kind == RB_ENTRY_VERDICT || kind == RB_ENTRY_APPROVAL || kind == RB_ENTRY_POLICY ||
           kind == RB_ENTRY_GAP || kind == RB_ENTRY_OVERRIDE || kind == RB_ENTRY_NOTE ||
           kind == RB_ENTRY_REVIEW;
}

const char *rb_ledger_fault(const rb_entry *entry)
{
    if (entry->trust == RB_ENTRY_BROKEN || entry->trust == RB_ENTRY_FOREIGN)
        return entry->problems.n > 0 ? entry->problems.items[0].message : "it cannot be read";
    if (entry->trust == RB_ENTRY_GOOD || !must_be_signed(entry->kind))
        return NULL;
    return entry->trust == RB_ENTRY_UNSIGNED ? "it is not signed, and entries of its kind must be"
                                             : "no allowed signer signed it";
}

/* Refuses a remote ledger that lacks entries which it had before. theirs NULL: the remote has lost
 * its ledger. */
static enum rb_code refuse_withheld(const struct syncing *s, const rb_ledger *had,
                                    const rb_ledger *theirs, rb_err *err)
{
    const rb_entry *one;
    size_t n = count_missing(&one, had, theirs);
    RB_AUTO(rb_free_str) char *name = one ? entry_name(one) : rb_strdup("");
    bool shorter = theirs && rb_ledger_find(had, &theirs->tip) != NULL;
    RB_AUTO(rb_free_str)
    char *next = !theirs || shorter
                     ? rb_format("bring it back with `git push %s " RB_LEDGER_REF "`", s->remote)
                     : rb_strdup("run `rbtool sync` again when its own is back");
    return rb_fail(
        err, RB_FOUND,
        "the ledger of %s was %s: it withholds %zu entr%s that it had, from %s on; ours "
        "is unchanged\nask who did that, and %s; to accept it, run `git update-ref -d %s`",
        s->remote,
        !theirs   ? "deleted"
        : shorter ? "truncated"
                  : "rewritten",
        n, n == 1 ? "y" : "ies", name, next, s->tracking);
}

static enum rb_code refuse_unfit(const struct syncing *s, const rb_entry *entry, rb_err *err)
{
    RB_AUTO(rb_free_str) char *name = entry_name(entry);
    const char *why = entry->problems.n > 0 ? entry->problems.items[entry->problems.n - 1].message
                                            : "it cannot be read";
    return rb_fail(err, RB_FOUND,
                   "the ledger of %s is not taken, ours is unchanged: its entry %s is %s (%s)\nask "
                   "who pushed it, and have it removed there",
                   s->remote, name, rb_entry_trust_name(entry->trust), why);
}

/* True if the remote's ledger began separately from this clone's. */
static bool began_apart(const struct syncing *s, const rb_ledger *theirs)
{
    char hex[RB_OID_HEX];
    return theirs->n > 0 && s->first->ids.n > 0 &&
           rb_ledger_of(hex, &theirs->items[theirs->n - 1]) && !rb_strs_has(&s->first->ids, hex) &&
           !(rb_strs_has(&theirs->ids, hex) && rb_strs_has(&theirs->ids, s->first->ids.items[0]));
}

static enum rb_code refuse_other(const struct syncing *s, const rb_ledger *theirs, rb_err *err)
{
    char hex[RB_OID_HEX];
    if (!rb_ledger_of(hex, &theirs->items[theirs->n - 1]))
        return RB_OK;
    return rb_fail(
        err, RB_FOUND,
        "the ledger of %s is another one than ours: it began with entry %.10s, ours with "
        "%.10s; ours is unchanged\nIf both are about this application and are to be one: "
        "`rbtool sync --join %s`, signed by someone in role policy",
        s->remote, hex, s->first->ids.items[0], s->remote);
}

/* Checks whether the fetched ledger may be joined with this clone's. */
static enum rb_code judge(const struct syncing *s, const struct sides *sides,
                          const rb_ledger *theirs, rb_err *err)
{
    const rb_entry *unfit = rb_ledger_unfit(theirs, s->first);
    const bool apart = began_apart(s, theirs);
    if (apart && !(s->how & RB_SYNC_JOIN))
        return refuse_other(s, theirs, err);
    if (unfit && !apart)
        return refuse_unfit(s, unfit, err);
    if (!sides->had.exists || rb_ledger_find(theirs, &sides->had.object))
        return RB_OK;
    RB_AUTO(rb_ledger_freep) rb_ledger *had = NULL;
    RB_TRY(rb_ledger_load(&had, s->repo, s->signers, &sides->had.object, 0, err));
    return refuse_withheld(s, had, theirs, err);
}

static enum rb_code drop_incoming(const struct syncing *s, rb_err *err)
{
    const char *const args[] = {"update-ref", "-d", s->incoming, NULL};
    return rb_repo_git(NULL, s->repo, args, err);
}

static bool is_at(const rb_ref *ref, const rb_oid *tip)
{
    return ref->exists && rb_oid_equal(&ref->object, tip);
}

static enum rb_code fetch(rb_ledger **theirs, const struct syncing *s, struct sides *sides,
                          rb_err *err)
{
    rb_ref got;
    if (is_at(&sides->had, &sides->theirs.object)) {
        /* Check the tip even if it is known: a fetch or a push of all refs may have brought it
         * unchecked. */
        RB_TRY(rb_ledger_load(theirs, s->repo, s->signers, &sides->had.object, 0, err));
        return judge(s, sides, *theirs, err);
    }
    RB_TRY(rb_remote_fetch(s->repo, s->remote, RB_LEDGER_REF, s->incoming, err));
    RB_TRY(rb_ref_read(&got, s->repo, s->incoming, err));
    if (!got.exists)
        return rb_fail(err, RB_BUSY, "the ledger of %s vanished while it was fetched", s->remote);
    sides->theirs = got; /* the tip may have moved since it was read */
    enum rb_code code = rb_ledger_load(theirs, s->repo, s->signers, &got.object, 0, err);
    if (code == RB_OK)
        code = judge(s, sides, *theirs, err);
    rb_err ignored;
    if (drop_incoming(s, &ignored) != RB_OK && code == RB_OK)
        *err = ignored, code = RB_ERROR;
    return code;
}

static bool has(const rb_ledger *ledger, const rb_ref *ref)
{
    return rb_ledger_find(ledger, &ref->object) != NULL;
}

/* Writes the merge entry. Its parents are sorted by id, so that all clones make the same merge. */
static enum rb_code join(rb_oid *out, const struct syncing *s, const struct sides *sides,
                         const rb_ledger *ours, const rb_ledger *theirs, rb_err *err)
{
    char other[RB_OID_HEX] = "";
    RB_AUTO(rb_json_freep) json_t *detail = json_object();
    const bool joins = s->first->ids.n > 0 && began_apart(s, theirs) &&
                       rb_ledger_of(other, &theirs->items[theirs->n - 1]);
    if (joins)
        json_object_set_new(detail, "joins", json_pack("[s]", other));
    rb_oid parents[2] = {sides->ours.object, sides->theirs.object};
    if (memcmp(parents[0].id, parents[1].id, RB_OID_SIZE) > 0) {
        parents[0] = sides->theirs.object;
        parents[1] = sides->ours.object;
    }
    const rb_draft draft = {.kind = RB_ENTRY_MERGE,
                            .app = ours->app,
                            .ledger = ours->ids.items[0],
                            .detail = detail,
                            .must_sign = joins};
    return rb_ledger_write(out, s->repo, &draft, parents, 2, err);
}

/* Determines the new tip for both sides. */
static enum rb_code choose(rb_oid *out, bool *merged, const struct syncing *s,
                           const struct sides *sides, const rb_ledger *ours,
                           const rb_ledger *theirs, rb_err *err)
{
    *merged = false;
    if (!sides->theirs.exists || has(ours, &sides->theirs)) {
        *out = sides->ours.object;
    } else if (!sides->ours.exists || has(theirs, &sides->ours)) {
        *out = sides->theirs.object;
    } else {
        RB_TRY(join(out, s, sides, ours, theirs, err));
        *merged = true;
    }
    return RB_OK;
}

/* Pushes the tip. If the remote's tip has changed, another push came first, whatever git
 * reports. */
static enum rb_code push(const struct syncing *s, const struct sides *sides, const rb_oid *tip,
                         rb_err *err)
{
    rb_ref now;
    enum rb_code code = rb_remote_push(s->repo, s->remote, tip, RB_LEDGER_REF, err);
    if (code == RB_ERROR &&
        rb_remote_read(&now, s->repo, s->remote, RB_LEDGER_REF, RB_IGNORED) == RB_OK &&
        now.exists && !is_at(&sides->theirs, &now.object))
        err->code = code = RB_BUSY;
    return code;
}

/* Counts the entries of `from` that `known` (NULL: nothing is) does not have and that a server
 * refuses. */
static void note_ignored(size_t *count, char **one, const rb_ledger *from, const rb_ledger *known)
{
    *count = 0;
    for (size_t i = 0; i < from->n; i++) {
        const rb_entry *entry = &from->items[i];
        const char *why = rb_ledger_fault(entry);
        if (!why || (known && rb_ledger_find(known, &entry->id)))
            continue;
        if ((*count)++ == 0) {
            RB_AUTO(rb_free_str) char *name = entry_name(entry);
            free(*one);
            *one = rb_format("%s: %s", name, why);
        }
    }
}

/* Checks, before anything is pushed or stored, that the signer may join ledgers, and that a policy
 * of one side does not undo a join of the other. */
static enum rb_code check_join(const rb_ledger *both, const struct syncing *s,
                               const rb_ledger *theirs, rb_err *err)
{
    const bool undone = both->ids.n < s->first->ids.n || (theirs && both->ids.n < theirs->ids.n);
    if (undone)
        return rb_fail(err, RB_FOUND,
                       "the two histories are not merged, nothing was changed: one joined another "
                       "ledger, and a policy of the other does not let its signer into role "
                       "policy\nask who set that policy to let the signer into the role with "
                       "`rbtool policy set`, or to join the ledgers instead");
    if (!(s->how & RB_SYNC_JOIN) || !rb_ledger_unfit(both, s->first))
        return RB_OK;
    return rb_fail(
        err, RB_FOUND,
        "the two ledgers are not joined, nothing was changed: the join must be signed by "
        "an allowed signer who is in role policy of every policy that either of them "
        "has\nask one of them to run `rbtool sync --join %s`",
        s->remote);
}

/* Records the remote's tip, then moves this clone's ref. If it is killed in between, the next sync
 * continues from the recorded tip. */
static enum rb_code keep(const rb_sync *out, const struct syncing *s, const struct sides *sides,
                         rb_err *err)
{
    const rb_oid *tip = &out->tip;
    const rb_oid *there = out->unsent ? &sides->theirs.object : tip;
    if ((!out->unsent || sides->theirs.exists) && !is_at(&sides->had, there))
        RB_TRY(rb_ref_move(s->repo, s->tracking, there,
                           sides->had.exists ? &sides->had.object : NULL, err));
    if (!is_at(&sides->ours, tip))
        RB_TRY(rb_ref_move(s->repo, RB_LEDGER_REF, tip,
                           sides->ours.exists ? &sides->ours.object : NULL, err));
    return RB_OK;
}

/* Updates the remote, then this clone. If the push fails, this clone still gets the fetched
 * entries. */
static enum rb_code settle(rb_sync *out, const struct syncing *s, const struct sides *sides,
                           const rb_ledger *theirs, rb_err *err)
{
    const rb_entry *one;
    rb_err kept;
    enum rb_code pushed = RB_OK;
    RB_AUTO(rb_ledger_freep) rb_ledger *both = NULL;
    RB_TRY(rb_ledger_load(&both, s->repo, s->signers, &out->tip, 0, err));
    RB_TRY(check_join(both, s, theirs, err));
    out->unsent = !is_at(&sides->theirs, &out->tip);
    if (out->unsent && !(s->how & RB_SYNC_FETCH)) {
        pushed = push(s, sides, &out->tip, err);
        if (pushed == RB_BUSY)
            return pushed;
        out->unsent = pushed != RB_OK;
        out->sent += pushed == RB_OK ? count_missing(&one, both, theirs) : 0;
        if (pushed == RB_OK)
            note_ignored(&out->sent_ignored, &out->sent_ignored_one, both, theirs);
    }
    enum rb_code code = keep(out, s, sides, &kept);
    if (code != RB_OK) {
        *err = kept;
        return code;
    }
    out->received = theirs ? count_missing(&one, theirs, s->first) : 0;
    if (theirs)
        note_ignored(&out->ignored, &out->ignored_one, theirs, s->first);
    rb_ledger_pin(s->repo, both->ids.n > 0 ? both->ids.items[0] : "");
    if (pushed != RB_OK)
        return rb_err_prefix(err, "what was fetched is kept (%zu received), but nothing was sent",
                             out->received);
    return RB_OK;
}

/* Makes one attempt. RB_BUSY if the ledger changed on either side in the meantime. */
static enum rb_code one_round(rb_sync *out, const struct syncing *s, rb_err *err)
{
    struct sides sides;
    RB_AUTO(rb_ledger_freep) rb_ledger *ours = NULL;
    RB_AUTO(rb_ledger_freep) rb_ledger *theirs = NULL;
    RB_TRY(rb_remote_read(&sides.theirs, s->repo, s->remote, RB_LEDGER_REF, err));
    RB_TRY(rb_ref_read(&sides.had, s->repo, s->tracking, err));
    RB_TRY(rb_ref_read(&sides.ours, s->repo, RB_LEDGER_REF, err));
    if (!sides.theirs.exists && sides.had.exists) {
        RB_AUTO(rb_ledger_freep) rb_ledger *had = NULL;
        RB_TRY(rb_ledger_load(&had, s->repo, s->signers, &sides.had.object, 0, err));
        return refuse_withheld(s, had, NULL, err);
    }
    out->exists = sides.ours.exists || sides.theirs.exists;
    if (!out->exists)
        return RB_OK;
    if (sides.theirs.exists)
        RB_TRY(fetch(&theirs, s, &sides, err));
    RB_TRY(rb_ledger_load(&ours, s->repo, s->signers, NULL, 0, err));
    RB_TRY(choose(&out->tip, &out->merged, s, &sides, ours, theirs, err));
    return settle(out, s, &sides, theirs, err);
}

static void wait_a_little(int round)
{
    long ms = PAUSE * (long)(round + 1) + getpid() % 31;
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

enum rb_code rb_ledger_sync(rb_sync *out, rb_repo *repo, const rb_signers *signers,
                            const char *remote, unsigned how, rb_err *err)
{
    RB_AUTO(rb_sync_clear) rb_sync sync = {0};
    RB_TRY(rb_remote_find(&sync.remote, repo, remote, err));
    RB_AUTO(syncing_clear)
    struct syncing s = {
        .repo = repo,
        .signers = signers,
        .remote = sync.remote,
        .how = how,
        .tracking = rb_format("refs/rbtool/remotes/%s/ledger", sync.remote),
        /* The ref's name contains the process id: concurrent runs must not fetch into the same
         * ref. */
        .incoming = rb_format("refs/rbtool/incoming/%ld", (long)getpid()),
    };
    RB_TRY(rb_ledger_load(&s.first, repo, signers, NULL, 0, err));
    enum rb_code code = RB_BUSY;
    for (int round = 0; round < ROUNDS && code == RB_BUSY; round++) {
        if (round > 0)
            wait_a_little(round);
        code = one_round(&sync, &s, err);
    }
    if (code == RB_BUSY) {
        err->code = RB_ERROR;
        return rb_err_prefix(err, "the remote ledger changed during each of %d attempts", ROUNDS);
    }
    if (code != RB_OK)
        return code;
    *out = sync;
    sync = (rb_sync){0};
    return RB_OK;
}

enum rb_code rb_ledger_ready(char **fetched, rb_repo *repo, const rb_signers *signers,
                             bool may_begin, rb_err *err)
{
    rb_ref ours;
    const char *pinned = NULL;
    RB_AUTO(rb_free_str) char *remote = NULL;
    RB_AUTO(rb_sync_clear) rb_sync sync = {0};
    *fetched = NULL;
    RB_TRY(rb_ref_read(&ours, repo, RB_LEDGER_REF, err));
    if (ours.exists)
        return RB_OK;
    if (rb_remote_find(&remote, repo, NULL, RB_IGNORED) == RB_OK &&
        rb_ledger_sync(&sync, repo, signers, remote, RB_SYNC_FETCH, err) != RB_OK)
        return rb_err_prefix(err, "this clone has no ledger yet, and that of %s cannot be fetched",
                             remote);
    if (sync.exists) {
        *fetched = RB_TAKE(remote);
        return RB_OK;
    }
    RB_TRY(rb_ledger_pinned(&pinned, repo, err));
    if (pinned)
        return rb_ledger_fail_missing(pinned, err);
    if (may_begin)
        return RB_OK;
    return rb_fail(
        err, RB_ERROR,
        "neither this clone nor its remote has a ledger\n`rbtool release TAG` begins it, "
        "and `rbtool release TAG --record` for a release that exists");
}
