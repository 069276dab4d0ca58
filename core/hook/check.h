/*
 * What git's hooks refuse (githooks(5)). Each call looks at what git is about to do and adds a
 * refusal for everything that must not be; RB_FOUND when there is one. An error means that it
 * could not be judged: the hook fails then too.
 *
 * Needs no ledger, but can be given one. A tag is a release when it carries a manifest. One whose
 * name matches "tags" of rbtool.json must carry one when it is created: on a server that has a
 * release already; elsewhere if its commit is or follows the first release's, or if it is on no
 * commit. Signers, settings and releases are read only when something asks for them.
 */
#ifndef RB_HOOK_CHECK_H
#define RB_HOOK_CHECK_H

#include "git/pushes.h"
#include "release/chain.h"

typedef struct rb_refusal {
    char *what;    /* "tag v1.0.0", "commit 0123456789" */
    char *message; /* "is a release and would be deleted" */
    char *hint;    /* what to do next, one line */
    bool warning;  /* said, and let pass */
} rb_refusal;

typedef struct rb_refusals {
    rb_refusal *items;
    size_t n;
    size_t cap;
} rb_refusals;

void rb_refusals_clear(rb_refusals *refusals);
/* Takes what. Message and hint are as rb_fail() has them, with a newline of fmt between them. All
 * are made safe. */
void rb_refusals_add(rb_refusals *refusals, char *what, const char *fmt, ...) RB_PRINTF(3, 4);
/* RB_FOUND, and err says the first, when there is one from index from on that is no warning. */
enum rb_code rb_refusals_result(const rb_refusals *refusals, size_t from, rb_err *err) RB_MUST_USE;

typedef struct rb_guard rb_guard;

/* config: the settings' file; NULL for rbtool.json of the work tree, else of HEAD. Borrows both. */
rb_guard *rb_guard_new(rb_repo *repo, const char *config);
void rb_guard_free(rb_guard *guard);
RB_DEFINE_AUTO(rb_guard, rb_guard_free)

/*
 * What loads the chain in place of rb_chain_load_with(), for who knows of the ledger: with the tags
 * that a push creates (or NULL). version not NULL: as rb_chain_list() with its cache, for how
 * releases hang together, where the one that is pushed is verified besides.
 */
typedef enum rb_code rb_guard_loader(rb_chain **out, rb_repo *repo, const rb_signers *signers,
                                     const rb_pushes *pushed, const char *version, rb_err *err);
/* version: of the program; NULL: nothing that was judged before is asked. */
void rb_guard_load_by(rb_guard *guard, rb_guard_loader *loader, const char *version);

/*
 * Asks whether the ledger gives up a release whose tag would be deleted here. next (owned): what
 * to do first where it does not, or NULL where the release is to stay.
 */
typedef enum rb_code rb_guard_given_up(bool *out, char **next, rb_repo *repo,
                                       const rb_signers *signers, const char *tag,
                                       const char *object, rb_err *err);
/* Without it no release may be deleted. */
void rb_guard_ask_ledger(rb_guard *guard, rb_guard_given_up *given_up);

/*
 * pre-push. Refuses a release tag that does not verify, that the remote has with another object, or
 * that would be deleted there; and a commit, not known to be on the remote yet, that changes the
 * bytes of a migration of a release which the pushed ref follows. Of what `git push --mirror`
 * deletes git does not tell the hook.
 */
enum rb_code rb_guard_push(rb_refusals *out, rb_guard *guard, const char *remote,
                           const rb_pushes *pushes, rb_err *err) RB_MUST_USE;

/*
 * pre-receive: the same rules on the other side, while what was pushed is in quarantine. The chain
 * is judged as it would be with all tags of the push; a commit is new when no ref here has it.
 */
enum rb_code rb_guard_receive(rb_refusals *out, rb_guard *guard, const rb_pushes *pushes,
                              rb_err *err) RB_MUST_USE;

/*
 * reference-transaction in state "prepared": lines "OLD NEW REF". Refuses moving a tag that carries
 * a manifest, deleting one that the ledger did not give up, and creating one that does not verify
 * (but for its chain: a fetch brings releases in any order). An old value of zero means create or
 * force, so the ref's value is looked up. What `git pack-refs` does (the value that is there
 * already; OLD to zero for what packed-refs has) and symbolic refs pass.
 */
enum rb_code rb_guard_transaction(rb_refusals *out, rb_guard *guard, const char *lines, size_t len,
                                  rb_err *err) RB_MUST_USE;

/*
 * commit-msg: refuses a commit whose staged files touch the migrations of rbtool.json's databases
 * while its message, a file, has no trailer "Rollback: reversible", "Rollback: lossy REASON" or
 * "Rollback: irreversible REASON". Of a merge only what differs from all parents counts.
 */
enum rb_code rb_guard_commit(rb_refusals *out, rb_guard *guard, const char *message,
                             rb_err *err) RB_MUST_USE;

#endif
