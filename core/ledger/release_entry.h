/*
 * Writes the entry of kind "release", which records that the ledger has seen this tag object.
 * Attached are the raw tag object ("tag"), so that a missing tag can be restored, and the catalog
 * of every database ("catalog-NAME", canonical: its SHA-256 is the manifest's fingerprint), and its
 * runbook ("runbook.md"). The full proof is in the tag's manifest.
 */
#ifndef RB_LEDGER_RELEASE_ENTRY_H
#define RB_LEDGER_RELEASE_ENTRY_H

#include "ledger/ledger.h"
#include "release/release.h"

/* True if the ledger has an entry about exactly this tag object; witness: one by role witness. */
bool rb_ledger_has_seen(const rb_ledger *ledger, const char *object, bool witness);

/* What the newest entry about this tag object, signed by an allowed signer, says of the previous
 * application on its schema (release/compatibility.h); borrowed. NULL: no entry says anything. */
const json_t *rb_ledger_compatibility(const rb_ledger *ledger, const char *object);

#define RB_RUNBOOK_ATTACHED "runbook.md"

bool rb_entry_has_runbook(const rb_entry *entry);
/* The newest entry about this tag object, signed by an allowed signer, that has its runbook, or
 * NULL; borrowed. rb_ledger_attachment() reads it. */
const rb_entry *rb_ledger_runbook(const rb_ledger *ledger, const char *object);

typedef struct rb_seen {         /* what the entry says besides the tag; all may be NULL */
    const json_t *catalogs;      /* of each database by name */
    const json_t *compatibility; /* what was tested */
    const rb_buf *runbook;
    bool witness; /* it arrived at a server */
} rb_seen;

/* Writes the entry. key: as for rb_trust_sign(); at: the time, 0 for now. */
enum rb_code rb_ledger_see(rb_oid *out, rb_repo *repo, const rb_release *release,
                           const rb_seen *seen, const char *key, int64_t at, rb_err *err);

#endif
