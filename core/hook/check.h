/*
 * Decides what git's hooks refuse (githooks(5)). Each call checks a change that git is about to
 * make, and adds a refusal for everything that is not allowed; RB_FOUND if it added one. RB_ERROR
 * means that the check failed; the hook then fails, too.
 *
 * A ledger is not required, but improves the checks. A tag is a release if it carries a manifest. A
 * new tag whose name matches "tags" of rbtool.json must carry one: on a server if it has a release;
 * elsewhere if the tag's commit is, or follows, that of the first release, or if the tag is not on
 * a commit. Signers, settings and releases are only read if a check needs them.
 */
#ifndef RB_HOOK_CHECK_H
#define RB_HOOK_CHECK_H

#include "git/pushes.h"
#include "session/session.h"

typedef struct rb_refusal {
    char *what;    /* such as "tag v1.0.0" or "commit 0123456789" */
    char *message; /* such as "is a release and would be deleted" */
    char *hint;    /* what to do next, as one line */
    bool warning;  /* only reported, does not refuse */
} rb_refusal;

typedef struct rb_refusals {
    rb_refusal *items;
    size_t n;
} rb_refusals;

void rb_refusals_clear(rb_refusals *refusals);
/* Adds a refusal. Takes ownership of `what`. fmt gives message and hint, separated by a newline, as
 * for rb_fail(). All texts are made safe for a terminal. */
void rb_refusals_add(rb_refusals *refusals, char *what, const char *fmt, ...) RB_PRINTF(3, 4);
/* Returns RB_FOUND, with the first refusal in err, if an item from index `from` on is not a
 * warning. */
enum rb_code rb_refusals_result(const rb_refusals *refusals, size_t from, rb_err *err);

typedef struct rb_guard rb_guard;

/* Creates a guard for a session whose repository is open; borrows it. Settings come from the
 * session's `config`, or else from rbtool.json of the work tree, or else from HEAD. */
rb_guard *rb_guard_new(rb_session *session);
void rb_guard_free(rb_guard *guard);
RB_DEFINE_AUTO(rb_guard, rb_guard_free)

/*
 * pre-push: refuses a release tag that does not verify, that is another object on the remote, or
 * that would be deleted there. Also refuses a new commit that changes the bytes of a migration of a
 * release that the pushed ref follows; a commit is new if the remote is not known to have it. git
 * does not pass the refs that `git push --mirror` deletes to the hook.
 */
enum rb_code rb_guard_push(rb_refusals *out, rb_guard *guard, const char *remote,
                           const rb_pushes *pushes, rb_err *err);

/*
 * pre-receive: applies the same rules on a server, while the push is in quarantine. The chain is
 * checked with all tags of the push. A commit is new if no ref of the server leads to it.
 */
enum rb_code rb_guard_receive(rb_refusals *out, rb_guard *guard, const rb_pushes *pushes,
                              rb_err *err);

/*
 * reference-transaction in state "prepared", with lines "OLD NEW REF". Refuses to move a tag that
 * carries a manifest, to delete one that the ledger does not give up, and to create one that does
 * not verify (apart from its chain, because a fetch brings releases in any order).
 *
 * An old value of zero means "create" or "force", so the ref's value is looked up. Allows what `git
 * pack-refs` does (setting the same value, and OLD to zero for a packed ref), and symbolic refs.
 */
enum rb_code rb_guard_transaction(rb_refusals *out, rb_guard *guard, const char *lines, size_t len,
                                  rb_err *err);

/*
 * post-receive: writes an entry of kind release, as witness, about every release that the push
 * created, signed with this repository's own key if it has one. Releases that do not verify are
 * skipped, with a warning in out.
 *
 * Does not begin a ledger: until one is pushed, the records wait in COMMON_DIR/rbtool/receipts.
 * Their entries will have the times of the pushes.
 */
enum rb_code rb_guard_receipts(rb_refusals *out, rb_guard *guard, const rb_pushes *pushes,
                               rb_err *err);

/*
 * commit-msg: refuses a commit whose staged files touch the migrations of rbtool.json's databases
 * if its message (a file) has no trailer "Rollback: reversible", "Rollback: lossy REASON" or
 * "Rollback: irreversible REASON". For a merge, only files that differ from all parents count.
 */
enum rb_code rb_guard_commit(rb_refusals *out, rb_guard *guard, const char *message, rb_err *err);

#endif
