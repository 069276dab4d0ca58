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
#include "release/chain.h"

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

/* Creates a guard. config: a settings file; NULL: rbtool.json of the work tree, or else of HEAD.
 * Borrows both arguments. */
rb_guard *rb_guard_new(rb_repo *repo, const char *config);
void rb_guard_free(rb_guard *guard);
RB_DEFINE_AUTO(rb_guard, rb_guard_free)

/*
 * Loads the chain instead of rb_chain_load(), for callers that use a ledger. pushed: tags that a
 * push creates, or NULL.
 */
typedef enum rb_code rb_guard_loader(rb_chain **out, rb_repo *repo, const rb_signers *signers,
                                     const rb_pushes *pushed, rb_err *err);
void rb_guard_load_by(rb_guard *guard, rb_guard_loader *loader);

/*
 * Sets *out if the ledger gives up a release whose tag would be deleted. If not, *next (owned) is
 * what the user can do first, or NULL if the release must stay.
 */
typedef enum rb_code rb_guard_given_up(bool *out, char **next, rb_repo *repo,
                                       const rb_signers *signers, const char *tag,
                                       const char *object, rb_err *err);
/* Sets the function that decides which releases may be deleted. Without one, none may. */
void rb_guard_ask_ledger(rb_guard *guard, rb_guard_given_up *given_up);

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
 * commit-msg: refuses a commit whose staged files touch the migrations of rbtool.json's databases
 * if its message (a file) has no trailer "Rollback: reversible", "Rollback: lossy REASON" or
 * "Rollback: irreversible REASON". For a merge, only files that differ from all parents count.
 */
enum rb_code rb_guard_commit(rb_refusals *out, rb_guard *guard, const char *message, rb_err *err);

#endif
