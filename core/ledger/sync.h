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
    char *remote;    /* its name */
    size_t received; /* entries that were new here */
    size_t sent;     /* entries that were new there */
    bool merged;     /* one of them joins the two */
    rb_oid tip;      /* of both sides now; not set when neither has a ledger */
    bool exists;
} rb_sync;
void rb_sync_clear(rb_sync *sync);

/*
 * remote: a name, or NULL for the branch's, else origin, else the only one. RB_FOUND when the
 * remote's ledger was truncated, rewritten or deleted, or holds what is no entry or a broken one,
 * and when a hook refused: ours is unchanged then.
 */
enum rb_code rb_ledger_sync(rb_sync *out, rb_repo *repo, const rb_signers *signers,
                            const char *remote, rb_err *err) RB_MUST_USE;

/* An entry of ledger that is not in known (NULL: nothing is) and cannot be taken, since it is no
 * entry of this application's ledger or a broken one; NULL: there is none. */
const rb_entry *rb_ledger_unfit(const rb_ledger *ledger, const rb_ledger *known, const char *app);

#endif
