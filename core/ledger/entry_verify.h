/*
 * Reading entries and judging them: form, signature, attachments. What an entry's place in the
 * ledger says about it (its parents, its application) is load.c's.
 */
#ifndef RB_LEDGER_ENTRY_VERIFY_H
#define RB_LEDGER_ENTRY_VERIFY_H

#include "git/object.h"
#include "ledger/entry_parse.h"
#include "ledger/verify_cache.h"

typedef struct rb_pending { /* an entry of good form whose signature is to be judged */
    size_t index;           /* in judged[] */
    rb_entry_form form;
    char *principal; /* owned, as fingerprint */
    char *fingerprint;
    size_t failed; /* number of the problem that says why no judgement was possible; 0: none */
} rb_pending;

typedef struct rb_pendings {
    rb_pending *items;
    size_t n;
    size_t cap;
    size_t bytes; /* held for them */
} rb_pendings;

/* Reads the commit; of good form it is added to pendings as that of judged[index]. RB_ERROR when
 * it is missing or corrupt. */
enum rb_code rb_judge_read(rb_judged *out, rb_pendings *pendings, size_t index, rb_repo *repo,
                           rb_ledger_store *store, const rb_oid *id, rb_err *err) RB_MUST_USE;
/* Judges all of them, with several threads, and empties pendings. What is attached to entries that
 * no allowed signer vouches for is read only when all_contents is set: it could be gigabytes.
 * Fails with RB_ERROR if a key cannot be looked up in the revocation list. */
enum rb_code rb_judge_all(rb_judged *judged, rb_pendings *pendings, rb_repo *repo,
                          const rb_signers *signers, rb_ledger_store *store, bool all_contents,
                          rb_err *err) RB_MUST_USE;
void rb_pendings_clear(rb_pendings *pendings);

/* The attachments that the entry's JSON names, in its tree. RB_FOUND when the tree has others;
 * RB_ERROR when it cannot be read. names: the tree's bytes, which files point into. */
enum rb_code rb_judge_tree(rb_flat_file *files, size_t *n, rb_buf *names, rb_repo *repo,
                           const json_t *json, const rb_oid *tree, rb_err *err) RB_MUST_USE;

/* One of them, whose SHA-256 is the one in named; RB_FOUND when it is not. */
enum rb_code rb_judge_attachment(rb_buf *out, rb_repo *repo, const rb_flat_file *file,
                                 const json_t *named, rb_err *err) RB_MUST_USE;

#endif
