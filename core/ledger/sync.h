/*
 * Exchanges the ledger with a remote, through the `git` program, so that the user's credentials
 * and proxies work: fetch, join concurrent histories by a merge entry, push. The remote's last
 * tip is recorded as refs/rbtool/remotes/REMOTE/ledger. A new tip that does not descend from it
 * is refused, and the error names the missing entries. Nothing is rewritten.
 *
 * Two clones that join the same two histories at once do not join each other's merges for ever:
 * the first merge that is pushed wins, and the other clone takes it.
 */
#ifndef RB_LEDGER_SYNC_H
#define RB_LEDGER_SYNC_H

#include "ledger/ledger.h"

typedef struct rb_sync {
    char *remote;        /* its name */
    size_t received;     /* entries that were new here */
    size_t sent;         /* entries that were new there */
    bool merged;         /* one of them joins the two */
    bool unsent;         /* entries here were not pushed */
    size_t ignored;      /* of those received: entries that a server with rbtool's hooks would have
                            refused */
    char *ignored_one;   /* the first of them, and why; NULL: none */
    size_t sent_ignored; /* the same of those sent */
    char *sent_ignored_one;
    rb_oid tip; /* of both sides now; not set when neither has a ledger */
    bool exists;
} rb_sync;
void rb_sync_clear(rb_sync *sync);

enum {
    RB_SYNC_FETCH = 1, /* push nothing */
    RB_SYNC_JOIN = 2,  /* join ledgers that began apart */
};

/*
 * Synchronises with a remote; NULL: the branch's, else origin, else the only one. RB_FOUND if the
 * remote's ledger was truncated, rewritten or deleted, or contains commits that are not entries
 * of this ledger: ours is unchanged then. Broken entries, and unsigned ones of kinds that must be
 * signed, are accepted, because a remote without hooks has them permanently; they are ignored. If
 * the push fails, the fetched entries are kept.
 */
enum rb_code rb_ledger_sync(rb_sync *out, rb_repo *repo, const rb_signers *signers,
                            const char *remote, unsigned how, rb_err *err);

/*
 * For a command that is about to write an entry: fetches the ledger if the clone has none and its
 * remote has one. *fetched is the remote's name then (owned), else NULL. may_begin: RB_OK also if
 * the remote has none either and the clone is not pinned, so that the entry begins a ledger.
 */
enum rb_code rb_ledger_ready(char **fetched, rb_repo *repo, const rb_signers *signers,
                             bool may_begin, rb_err *err);

/* Returns an entry of ledger that is not in known (NULL: nothing is) and is foreign: a code commit,
 * an entry of another application or of another ledger; NULL if there is none. */
const rb_entry *rb_ledger_unfit(const rb_ledger *ledger, const rb_ledger *known);

/* Returns why a server refuses an entry and readers ignore it; NULL if it is valid. */
const char *rb_ledger_fault(const rb_entry *entry);

#endif
