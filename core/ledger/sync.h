/*
 * Exchanging the ledger with a remote, through the `git` program, so that the user's credentials
 * and proxies work. Fetch to refs/rbtool/remotes/REMOTE/ledger, join concurrent histories by a
 * merge entry, push. A remote tip that does not descend from what we had of that remote is never
 * taken as is: it is refused, and says what was withheld. Nothing is rewritten.
 */
#ifndef RB_LEDGER_SYNC_H
#define RB_LEDGER_SYNC_H

#include "ledger/ledger.h"

typedef struct rb_sync {
    size_t received; /* entries that were new here */
    size_t sent;     /* entries that were new there */
    bool merged;
    rb_oid tip; /* of both sides now; not set when neither has a ledger */
    bool exists;
} rb_sync;

/* RB_FOUND when the remote's ledger was truncated, rewritten, or is none (foreign commits): ours
 * is unchanged. */
enum rb_code rb_ledger_sync(rb_sync *out, rb_repo *repo, const rb_signers *signers,
                            const char *remote, rb_err *err) RB_MUST_USE;

#endif
