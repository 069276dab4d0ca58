/*
 * Decides what git's hooks refuse (githooks(5)). Each call checks what git is about to do and
 * adds a refusal for everything that is not allowed; RB_FOUND if it added one. An error means
 * that the check itself failed: the hook fails then too.
 *
 * Works without a ledger, and better with one. A tag is a release if it carries a manifest. A tag
 * whose name matches "tags" of rbtool.json must carry one when it is created: on a server that
 * has a release already; elsewhere if its commit is or follows the first release's, or if it is
 * not on a commit. Signers, settings and releases are read only when a check needs them.
 */
#ifndef RB_HOOK_CHECK_H
#define RB_HOOK_CHECK_H

#include "git/pushes.h"
#include "release/chain.h"

typedef struct rb_refusal {
    char *what;    /* "tag v1.0.0", "commit 0123456789" */
    char *message; /* "is a release and would be deleted" */
    char *hint;    /* what to do next, one line */
    bool warning;  /* reported only */
} rb_refusal;

typedef struct rb_refusals {
    rb_refusal *items;
    size_t n;
} rb_refusals;

void rb_refusals_clear(rb_refusals *refusals);
/* Takes what. Message and hint are as rb_fail() has them, with a newline of fmt between them. All
 * are made safe. */
void rb_refusals_add(rb_refusals *refusals, char *what, const char *fmt, ...) RB_PRINTF(3, 4);
/* Returns RB_FOUND, with the first refusal in err, if one from index `from` on is not a warning. */
enum rb_code rb_refusals_result(const rb_refusals *refusals, size_t from, rb_err *err);

typedef struct rb_guard rb_guard;

/* Creates a guard. config: the settings' file; NULL for rbtool.json of the work tree, else of HEAD.
 * Borrows both. */
rb_guard *rb_guard_new(rb_repo *repo, const char *config);
void rb_guard_free(rb_guard *guard);
RB_DEFINE_AUTO(rb_guard, rb_guard_free)

/*
 * Loads the chain in place of rb_chain_load(), for callers that use the ledger: with the tags that
 * a push creates (or NULL).
 */
typedef enum rb_code rb_guard_loader(rb_chain **out, rb_repo *repo, const rb_signers *signers,
                                     const rb_pushes *pushed, rb_err *err);
void rb_guard_load_by(rb_guard *guard, rb_guard_loader *loader);

/*
 * Finds out whether the ledger gives up a release whose tag would be deleted. next (owned): what
 * to do first if it does not, or NULL if the release must stay.
 */
typedef enum rb_code rb_guard_given_up(bool *out, char **next, rb_repo *repo,
                                       const rb_signers *signers, const char *tag,
                                       const char *object, rb_err *err);
/* Sets that function; without one no release may be deleted. */
void rb_guard_ask_ledger(rb_guard *guard, rb_guard_given_up *given_up);

/*
 * pre-push: refuses a release tag that does not verify, that is another object on the remote, or
 * that would be deleted there. Also refuses a commit, not known to be on the remote, that changes
 * the bytes of a migration of a release that the pushed ref follows. git does not pass the refs
 * that `git push --mirror` deletes to the hook.
 */
enum rb_code rb_guard_push(rb_refusals *out, rb_guard *guard, const char *remote,
                           const rb_pushes *pushes, rb_err *err);

/*
 * pre-receive: same rules on the server, while the push is in quarantine. The chain is checked
 * with all tags of the push; a commit is new if no ref of the server reaches it.
 */
enum rb_code rb_guard_receive(rb_refusals *out, rb_guard *guard, const rb_pushes *pushes,
                              rb_err *err);

/*
 * reference-transaction in state "prepared": lines "OLD NEW REF". Refuses moving a tag that
 * carries a manifest, deleting one that the ledger did not give up, and creating one that does
 * not verify (apart from its chain: a fetch brings releases in any order). An old value of zero
 * means create or force, so the ref's value is looked up. Allows what `git pack-refs` does
 * (setting the same value; OLD to zero for a packed ref) and symbolic refs.
 */
enum rb_code rb_guard_transaction(rb_refusals *out, rb_guard *guard, const char *lines, size_t len,
                                  rb_err *err);

/*
 * commit-msg: refuses a commit whose staged files touch the migrations of rbtool.json's databases
 * if its message (a file) has no trailer "Rollback: reversible", "Rollback: lossy REASON" or
 * "Rollback: irreversible REASON". For a merge, only files that differ from all parents count.
 */
enum rb_code rb_guard_commit(rb_refusals *out, rb_guard *guard, const char *message, rb_err *err);

#endif
