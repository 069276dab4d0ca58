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
    char *remote;    /* name of the remote */
    size_t received; /* number of entries that were new in this clone */
    size_t sent;     /* number of entries that were new in the remote */
    bool merged;     /* a merge entry was written */
    bool unsent;     /* this clone has entries that were not pushed */
    /* number of received entries that a server with rbtool's hooks would have refused */
    size_t ignored;
    char *ignored_one;   /* the first of them and the reason; NULL: none */
    size_t sent_ignored; /* the same for the entries that were sent */
    char *sent_ignored_one;
    rb_oid tip; /* tip of both sides now; not set if neither has a ledger */
    bool exists;
} rb_sync;
void rb_sync_clear(rb_sync *sync);

enum {
    RB_SYNC_FETCH = 1, /* do not push */
    RB_SYNC_JOIN = 2,  /* join ledgers that began separately */
};

/*
 * Synchronises with a remote; NULL: that of the branch, else origin, else the only one.
 *
 * RB_FOUND if the remote's ledger was truncated, rewritten or deleted, or contains commits that are
 * not entries of this ledger; this clone's ledger is then unchanged. Broken entries, and unsigned
 * ones of kinds that must be signed, are fetched and ignored, because a remote without hooks has
 * them permanently. If the push fails, the fetched entries are kept.
 */
enum rb_code rb_ledger_sync(rb_sync *out, rb_repo *repo, const rb_signers *signers,
                            const char *remote, unsigned how, rb_err *err);

/*
 * Prepares a command that will write an entry: fetches the ledger if the clone has none and its
 * remote has one. *fetched is then the remote's name (owned), else NULL. may_begin: the entry may
 * begin a ledger, so succeed if the remote has none either and the clone is not pinned.
 */
enum rb_code rb_ledger_ready(char **fetched, rb_repo *repo, const rb_signers *signers,
                             bool may_begin, rb_err *err);

/* Returns a foreign entry of `ledger` that is not in `known` (NULL: empty): a code commit, or an
 * entry of another application or ledger. NULL if there is none. */
const rb_entry *rb_ledger_unfit(const rb_ledger *ledger, const rb_ledger *known);

/* Returns why a server refuses the entry and readers ignore it; NULL if it is valid. */
const char *rb_ledger_fault(const rb_entry *entry);

#endif
