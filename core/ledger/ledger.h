/*
 * The ledger: what people and transitions said about releases, as commits on refs/rbtool/ledger.
 * Readable with `git log refs/rbtool/ledger`, verifiable with `git verify-commit`. Append-only;
 * nothing is rewritten.
 *
 * Order of calls: load, ask, append; what is appended shows in the next load. Verified
 * signatures are kept in the git folder's rbtool/ (keyed by entry, signers and revocations), so
 * that a short command does not pay for the whole history; rb_ledger_load() with RB_LEDGER_FRESH
 * trusts nothing kept.
 */
#ifndef RB_LEDGER_LEDGER_H
#define RB_LEDGER_LEDGER_H

#include "ledger/entry.h"
#include "trust/trust.h"

#define RB_LEDGER_REF "refs/rbtool/ledger"
#define RB_LEDGER_LIMIT 1000000 /* entries */

typedef struct rb_ledger {
    rb_repo *repo; /* that it was loaded from, and what its entries were verified with; borrowed */
    const rb_signers *signers;
    rb_entry *items; /* oldest first: parents before children */
    size_t n;
    rb_oid tip;      /* not set when n is 0 */
    const char *app; /* the application that it is about: of rbtool.app, else of its first entry;
                        NULL: neither */
    rb_strs ids;     /* ids of its first entry, as of those that it was joined with (identity.h) */
    struct rb_ledger_store *store; /* what the entries borrow from */
} rb_ledger;

enum {
    RB_LEDGER_FRESH = 1,
    RB_LEDGER_PARTIAL = 2, /* for commands that only look: behind the tip, a commit that is missing
                              or corrupt is a broken entry without parents and with the problem
                              RB_ENTRY_UNREADABLE */
};

/* tip NULL: what refs/rbtool/ledger is at; no such ref is an empty ledger. Bad entries are items
 * with problems, not errors; a commit that is missing or corrupt is RB_ERROR, naming what to
 * fetch. Behind a
 * foreign commit the ledger is read on, but behind two of them in a row it is not. */
enum rb_code rb_ledger_load(rb_ledger **out, rb_repo *repo, const rb_signers *signers,
                            const rb_oid *tip, unsigned how, rb_err *err);
void rb_ledger_free(rb_ledger *ledger);
RB_DEFINE_AUTO(rb_ledger, rb_ledger_free)

const rb_entry *rb_ledger_find(const rb_ledger *ledger, const rb_oid *id);
/* Whether entry a is b or an ancestor of b. */
bool rb_ledger_before(const rb_ledger *ledger, const rb_entry *a, const rb_entry *b);

/* An attachment, checked against the SHA-256 that the entry names; RB_FOUND when it has none of
 * that name. */
enum rb_code rb_ledger_attachment(rb_buf *out, rb_repo *repo, const rb_entry *entry,
                                  const char *name, rb_err *err);

typedef struct rb_attachment {
    const char *name; /* a plain name: "tag", "proof.json" */
    const void *data;
    size_t len;
} rb_attachment;

typedef struct rb_draft { /* all borrowed */
    enum rb_entry_kind kind;
    bool begins;             /* may be the first entry of a new ledger */
    const char *app;         /* NULL: the ledger's */
    const char *ledger;      /* NULL: that of the first parent */
    const char *tag;         /* or NULL */
    const char *object;      /* or NULL */
    const char *environment; /* or NULL */
    const char *title;       /* what follows "KIND TAG ": "good: checked by hand", or NULL */
    json_t *detail;
    const rb_attachment *attachments;
    size_t attachment_count;
    const char *key;       /* as rb_trust_sign() */
    bool must_sign;        /* else an entry is unsigned where no key is configured */
    int64_t at;            /* seconds since 1970 of what it reports; 0: the time of its commit */
    const char *committer; /* "Name <email> seconds +hhmm"; NULL: as git says, now */
} rb_draft;

/*
 * Writes the commit on top of the ledger and moves the ref with `git update-ref`, from the tip
 * that was read: when another process was quicker, it is written again on top of the new tip. Where
 * no ledger exists, only a draft that may begin one does, and the clone is pinned to it; RB_ERROR
 * where the ledger's first entry is not the one that the clone is pinned to.
 */
enum rb_code rb_ledger_append(rb_oid *out, rb_repo *repo, const rb_draft *draft, rb_err *err);
/* The same for several, each on top of the one before: all of them or none. out: n ids. */
enum rb_code rb_ledger_append_all(rb_oid *out, rb_repo *repo, const rb_draft *drafts, size_t n,
                                  rb_err *err);
/* The same on top of other tips than the ref's, for sync's merges; does not move the ref. */
enum rb_code rb_ledger_write(rb_oid *out, rb_repo *repo, const rb_draft *draft,
                             const rb_oid *parents, size_t parent_count, rb_err *err);

#endif
