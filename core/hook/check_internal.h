/*
 * Types and functions that the checks of hooks share. The guard owns all results.
 */
#ifndef RB_HOOK_CHECK_INTERNAL_H
#define RB_HOOK_CHECK_INTERNAL_H

#include "git/refs.h"
#include "hook/check.h"

struct rb_guard {
    rb_session *session;
    rb_repo *repo; /* the session's */
    rb_chain *chain;
    rb_verifier *verifier;
    rb_config *settings;
    bool settings_read;
    char *settings_fault;      /* on a server: the fault in the settings of HEAD */
    const rb_pushes *received; /* the push in quarantine; NULL except in pre-receive */
};

/* Returns the name for use in a command in a hint; "TAG" if a shell would interpret it. */
const char *rb_hook_shell_word(const char *name);

/* Reads the settings; *out is NULL if there are none. */
enum rb_code rb_guard_settings(const rb_config **out, rb_guard *guard, rb_err *err);
enum rb_code rb_guard_chain(const rb_chain **out, rb_guard *guard, rb_err *err);

/* Sets *out if the object is a tag with a manifest. *tag receives the tag; tag may be NULL. */
enum rb_code rb_guard_carries(bool *out, rb_tag **tag, rb_guard *guard, const rb_oid *object,
                              const char *name, rb_err *err);

/* Checks everything that `verify` checks except the chain; appends to problems. */
enum rb_code rb_guard_verify(rb_problems *problems, rb_guard *guard, const rb_tag *tag,
                             rb_err *err);

/* The parts of rb_guard_push() and rb_guard_receive() besides tags: migrations, and the ledger,
 * which may only grow, and of which a server accepts only good entries. remote: NULL on a server.
 */
enum rb_code rb_guard_push_migrations(rb_refusals *out, rb_guard *guard, const char *remote,
                                      const rb_pushes *pushes, rb_err *err);
enum rb_code rb_guard_push_ledger(rb_refusals *out, rb_guard *guard, const char *remote,
                                  const rb_pushes *pushes, rb_err *err);

/* Refuses to delete or rewind the ledger. now: its ref; new: zero to delete it. */
enum rb_code rb_guard_ledger_update(rb_refusals *out, rb_guard *guard, const rb_ref *now,
                                    const rb_oid *new, rb_err *err);
/* Refuses to create a ref that is not the ledger and whose name could block the ledger's. */
void rb_guard_ledger_name(rb_refusals *out, const char *ref);

/*
 * Checks that the commits pushed on top of the known ledger are within the limits of a push (git
 * config rbtool.ledgerPushEntries, 5,000, and rbtool.ledgerPushBytes, 64 MiB) and of an entry.
 * Sizes are looked up before anything is read. A commit that is not an entry is refused at once,
 * and its ancestors are not read. *why (owned) and *next are the refusal; *why is NULL if the
 * push is accepted.
 */
enum rb_code rb_ledger_guard_size(char **why, const char **next, rb_repo *repo, const rb_oid *tip,
                                  const rb_ledger *known, rb_err *err);

/*
 * Same check for the number of entries that no allowed signer signed: in this push (git config
 * rbtool.ledgerPushUnsigned, 1,000) and in the whole ledger (rbtool.ledgerUnsigned, 20,000). Each
 * of them permanently costs every reader a little, and needs only the right to push. A push
 * without such an entry is accepted.
 */
enum rb_code rb_ledger_guard_unsigned(char **why, const char **next, rb_repo *repo,
                                      const rb_ledger *then, const rb_ledger *known, rb_err *err);

#define RB_NEXT_UNFIT                                                                              \
    "entries are written by rbtool and pushed by `rbtool sync`; `rbtool log --verify` names "      \
    "those "                                                                                       \
    "that are not good"

#endif
