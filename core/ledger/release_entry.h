/*
 * Writes the entry of kind "release", which records that the ledger has seen this tag object.
 * Attached are the raw tag object ("tag"), so that a missing tag can be restored, and the catalog
 * of every database ("catalog-NAME", canonical: its SHA-256 is the manifest's fingerprint), and its
 * runbook ("runbook.md"). The full proof is in the tag's manifest.
 */
#ifndef RB_LEDGER_RELEASE_ENTRY_H
#define RB_LEDGER_RELEASE_ENTRY_H

#include "ledger/policy.h"

/* True if the ledger has an entry about exactly this tag object; with `witness`, one by a
 * witness. */
bool rb_ledger_has_seen(const rb_ledger *ledger, const char *object, bool witness);

/* Returns what the newest entry about this tag object by a signer in role release records about
 * running the previous application with its schema (release/compatibility.h); borrowed. NULL if no
 * entry does. */
const json_t *rb_ledger_compatibility(const rb_policy *policy, const char *object);

#define RB_RUNBOOK_ATTACHED "runbook.md"

bool rb_entry_has_runbook(const rb_entry *entry);
/* Returns the newest entry about this tag object by a signer in role release that has its runbook,
 * or NULL; borrowed. Read the runbook with rb_ledger_attachment(). */
const rb_entry *rb_ledger_runbook(const rb_policy *policy, const char *object);

typedef struct rb_seen {         /* content of the entry besides the tag; all members may be NULL */
    const json_t *catalogs;      /* catalog of each database by name */
    const json_t *compatibility; /* result of the compatibility test */
    const rb_buf *runbook;
    bool witness; /* the release was received by a server */
} rb_seen;

/* Writes the entry. key: as for rb_trust_sign(); at: the time, 0 for now. */
enum rb_code rb_ledger_see(rb_oid *out, rb_repo *repo, const rb_release *release,
                           const rb_seen *seen, const char *key, int64_t at, rb_err *err);

#endif
