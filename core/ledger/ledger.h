/*
 * The ledger: signed records about releases and transitions, as commits on refs/rbtool/ledger. It
 * can be read with `git log refs/rbtool/ledger` and verified with `git verify-commit`. It is
 * append-only.
 *
 * Order of calls: rb_ledger_load(), queries, rb_ledger_append(). Appended entries are visible in
 * the next load.
 *
 * Results of verification are cached in the git folder's rbtool/ (by entry, signers and
 * revocations), so that short commands do not verify the whole history. RB_LEDGER_FRESH ignores the
 * cache.
 */
#ifndef RB_LEDGER_LEDGER_H
#define RB_LEDGER_LEDGER_H

#include "ledger/entry.h"
#include "trust/trust.h"

#define RB_LEDGER_REF "refs/rbtool/ledger"
#define RB_LEDGER_LIMIT 1000000 /* number of entries */

typedef struct rb_ledger {
    rb_repo *repo; /* repository and signers that it was loaded with; borrowed */
    const rb_signers *signers;
    rb_entry *items; /* oldest first; parents before children */
    size_t n;
    rb_oid tip;      /* not set if n is 0 */
    const char *app; /* application: rbtool.app, or the one in the first entry; NULL: neither */
    /* ids of its first entry, and of the first entries of ledgers that were joined (identity.h) */
    rb_strs ids;
    struct rb_ledger_store *store; /* storage that the entries borrow from */
} rb_ledger;

enum {
    RB_LEDGER_FRESH = 1,
    /* For commands that change nothing: a commit behind the tip that is missing or corrupt
     * becomes a broken entry without parents, with the problem RB_ENTRY_UNREADABLE. */
    RB_LEDGER_PARTIAL = 2,
};

/* Loads the ledger that ends at tip; NULL: at refs/rbtool/ledger. If that ref does not exist, the
 * ledger is empty. Bad entries are items with problems, not errors. RB_ERROR if a commit is missing
 * or corrupt; the message says what to fetch. Ancestors of a foreign commit are read, but not those
 * of two foreign commits in a row. */
enum rb_code rb_ledger_load(rb_ledger **out, rb_repo *repo, const rb_signers *signers,
                            const rb_oid *tip, unsigned how, rb_err *err);
void rb_ledger_free(rb_ledger *ledger);
RB_DEFINE_AUTO(rb_ledger, rb_ledger_free)

const rb_entry *rb_ledger_find(const rb_ledger *ledger, const rb_oid *id);
/* True if entry a is b or an ancestor of b. */
bool rb_ledger_before(const rb_ledger *ledger, const rb_entry *a, const rb_entry *b);

/* Reads an attachment and checks its SHA-256; RB_FOUND if the entry has no attachment of that
 * name. */
enum rb_code rb_ledger_attachment(rb_buf *out, rb_repo *repo, const rb_entry *entry,
                                  const char *name, rb_err *err);

typedef struct rb_attachment {
    const char *name; /* plain name, such as "tag" or "proof.json" */
    const void *data;
    size_t len;
} rb_attachment;

typedef struct rb_draft { /* all members are borrowed */
    enum rb_entry_kind kind;
    bool begins;             /* may become the first entry of a new ledger */
    const char *app;         /* application; NULL: that of the ledger */
    const char *ledger;      /* id of the ledger; NULL: that of the first parent */
    const char *tag;         /* name of a release, or NULL */
    const char *object;      /* id of the tag object, or NULL */
    const char *environment; /* name of an environment, or NULL */
    /* text after "KIND TAG " in the title, such as "good: checked by hand", or NULL */
    const char *title;
    json_t *detail;
    const rb_attachment *attachments;
    size_t attachment_count;
    const char *key;       /* signing key, see rb_trust_sign() */
    bool must_sign;        /* fail without a key; otherwise the entry is then unsigned */
    int64_t at;            /* time of the event, in seconds since 1970; 0: time of the commit */
    const char *committer; /* "Name <email> seconds +hhmm"; NULL: git's committer, now */
} rb_draft;

/*
 * Writes an entry on top of the ledger and moves the ref from the tip that was read, with `git
 * update-ref`. If another process was faster, writes the entry again on top of the new tip. If no
 * ledger exists, only a draft with `begins` is written, and the clone is pinned to the new ledger.
 * RB_ERROR if the ref contains another ledger than the clone is pinned to.
 */
enum rb_code rb_ledger_append(rb_oid *out, rb_repo *repo, const rb_draft *draft, rb_err *err);
/* Appends several entries, one on top of the other: all or none. out: room for n ids. */
enum rb_code rb_ledger_append_all(rb_oid *out, rb_repo *repo, const rb_draft *drafts, size_t n,
                                  rb_err *err);
/* Same as rb_ledger_append() on top of the given parents, without moving the ref; for merges by
 * sync. */
enum rb_code rb_ledger_write(rb_oid *out, rb_repo *repo, const rb_draft *draft,
                             const rb_oid *parents, size_t parent_count, rb_err *err);

#endif
