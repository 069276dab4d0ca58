/*
 * Exchanging the ledger with a remote, through the `git` program, so that the user's credentials
 * and proxies work. Fetch, join concurrent histories by a merge entry, push. What that remote had
 * last is kept as refs/rbtool/remotes/REMOTE/ledger; a tip there that does not descend from it is
 * never taken as is: it is refused, and says what was withheld. Nothing is rewritten.
 *
 * Two people who join the same two histories at once do not join each other's joins for ever: a
 * merge entry counts from its push on, and who was slower takes the other's.
 */
#ifndef RB_LEDGER_SYNC_H
#define RB_LEDGER_SYNC_H

#include "ledger/ledger.h"

typedef struct rb_sync {
    char *remote;      /* its name */
    size_t received;   /* entries that were new here */
    size_t sent;       /* entries that were new there */
    bool merged;       /* one of them joins the two */
    bool unsent;       /* entries here were not pushed */
    size_t ignored;    /* of those received: what a server with rbtool's hooks would have refused */
    char *ignored_one; /* the first of them, and why; NULL: none */
    rb_oid tip;        /* of both sides now; not set when neither has a ledger */
    bool exists;
} rb_sync;
void rb_sync_clear(rb_sync *sync);

enum {
    RB_SYNC_FETCH = 1, /* push nothing */
    RB_SYNC_JOIN = 2,  /* join ledgers that began apart */
};

/*
 * remote: a name, or NULL for the branch's, else origin, else the only one. RB_FOUND when the
 * remote's ledger was truncated, rewritten or deleted, or contains what is not an entry of this
 * ledger: ours is unchanged then. Broken entries, and unsigned ones of kinds that must be signed,
 * are taken, since a remote without hooks has them for good; they count for nothing. When the push
 * fails, what was fetched is kept.
 */
enum rb_code rb_ledger_sync(rb_sync *out, rb_repo *repo, const rb_signers *signers,
                            const char *remote, unsigned how, rb_err *err) RB_MUST_USE;

/*
 * For a command that is about to write an entry: fetches the ledger where the clone has none and
 * its remote does. *fetched is the remote's name then (owned), else NULL. may_begin: RB_OK also
 * where the remote has none either and the clone is not pinned, so that the entry begins a ledger.
 */
enum rb_code rb_ledger_ready(char **fetched, rb_repo *repo, const rb_signers *signers,
                             bool may_begin, rb_err *err) RB_MUST_USE;

/* An entry of ledger that is not in known (NULL: nothing is) and is foreign: a code commit, of
 * another application or of another ledger; NULL: there is none. */
const rb_entry *rb_ledger_unfit(const rb_ledger *ledger, const rb_ledger *known);

/* Why a server refuses an entry of its ledger, and readers ignore it; NULL: it is fine. */
const char *rb_ledger_fault(const rb_entry *entry);

#endif
