/*
 * The ledger as commands see it: read once a run, on first use, and closed by main. What the
 * commands say of a release besides its manifest: verdict, approvals, overrides.
 */
#ifndef RB_CMD_BOOKS_H
#define RB_CMD_BOOKS_H

#include "cli.h"
#include "ledger/history.h"
#include "ledger/unapproved.h"
#include "transition/known_good.h"

typedef struct rb_books {
    rb_ledger *ledger;
    rb_policy *policy;
    rb_problems problems; /* entries that claim to be policy and are not in force */
    rb_strs own;          /* ids that the journals of this host's environments keep, sorted */
    rb_transition_row **pending; /* what they have and the ledger has not, newest first */
    size_t pending_count;
    const rb_entry **overrides; /* of the ledger, newest first */
    size_t override_count;
    rb_unapproved *unapproved; /* transitions that lacked approvals, oldest first */
    size_t unapproved_count;
} rb_books;

/* Borrowed from cli. */
enum rb_code rb_cli_books(const rb_books **out, rb_cli *cli, rb_err *err) RB_MUST_USE;
/* What was read is old: an entry was written. */
void rb_cli_books_drop(rb_cli *cli);

/*
 * What is said of a release besides its manifest, everywhere in the same words: its verdict, the
 * approvals it has of those that a deploy takes there, and, loudly, every override of a rule and
 * every transition to it that lacked approvals.
 * environment NULL: every one that is configured or that policy names.
 */
json_t *rb_books_unapproved(const rb_books *books, const char *object, const char *environment);
json_t *rb_books_overrides(const rb_books *books, const char *object, const char *environment);
json_t *rb_books_approvals(rb_cli *cli, const rb_books *books, const rb_release *release,
                           const char *environment);
void rb_books_show(rb_cli *cli, const rb_books *books, const rb_release *release,
                   const char *environment);
/* Said on stderr: that nobody was held to a policy here, though there should be one. */
void rb_books_note_policy(const rb_cli *cli, const rb_books *books);
/* good, bad, or NULL; an allocated reason, or NULL. */
const char *rb_books_verdict(char **why, const rb_books *books, const char *tag,
                             const char *object);

/* For rb_chain_mark_bad(); context: the books. */
char *rb_books_bad(const void *context, const char *tag, const char *object);

/* For rb_history_lost(); borrows. */
rb_keeping rb_books_keeping(const rb_books *books, rb_repo *repo);
/* For rb_known_standing() and rb_known_good_find(); borrows. */
rb_known rb_books_known(const rb_books *books);

#endif
