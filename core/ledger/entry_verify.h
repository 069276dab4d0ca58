/*
 * Reads entries and verifies them: form, signature, attachments. What depends on an entry's
 * position in the ledger (its parents, its application) is checked by load.c.
 */
#ifndef RB_LEDGER_ENTRY_VERIFY_H
#define RB_LEDGER_ENTRY_VERIFY_H

#include "git/object.h"
#include "ledger/entry_parse.h"
#include "ledger/verify_cache.h"

typedef struct rb_pending { /* a well-formed entry whose signature is to be verified */
    size_t index;           /* index in judged[] */
    rb_entry_form form;
    char *principal; /* owned, like fingerprint */
    char *fingerprint;
    size_t failed; /* number of the problem (from 1) that prevented verification; 0: none */
} rb_pending;

typedef struct rb_pendings {
    rb_pending *items;
    size_t n;
    size_t bytes; /* bytes of memory that the pending entries use */
} rb_pendings;

/* Reads the commit. If it is well-formed, adds it to the pending entries. RB_ERROR if it is missing
 * or corrupt. */
enum rb_code rb_entry_verify_read(rb_checked_entry *out, rb_pendings *pendings, size_t index,
                                  rb_repo *repo, rb_ledger_store *store, const rb_oid *id,
                                  rb_err *err);
/* Verifies the pending entries in several threads, and empties the list. Attachments of entries
 * that no allowed signer signed are read only if all_contents is set, because they may be very
 * large. RB_ERROR if a key cannot be looked up in the revocation list. */
enum rb_code rb_entry_verify_all(rb_checked_entry *judged, rb_pendings *pendings, rb_repo *repo,
                                 const rb_signers *signers, rb_ledger_store *store,
                                 bool all_contents, rb_err *err);
void rb_pendings_clear(rb_pendings *pendings);

/* Lists the attachments that the entry's JSON names, in its tree. RB_FOUND if the tree has others;
 * RB_ERROR if it cannot be read. names: the tree's bytes, which `files` points into. */
enum rb_code rb_entry_list_attachments(rb_flat_file *files, size_t *n, rb_buf *names, rb_repo *repo,
                                       const json_t *json, const rb_oid *tree, rb_err *err);

/* Reads an attachment; RB_FOUND if its SHA-256 differs from the one in `named`. */
enum rb_code rb_entry_read_attachment(rb_buf *out, rb_repo *repo, const rb_flat_file *file,
                                      const json_t *named, rb_err *err);

#endif
