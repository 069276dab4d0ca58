/*
 * Proves at release time, in a scratch database, that a release's migrations can be undone.
 *
 * Runs the earlier ups; then each new migration up, down and up again, with a comparison of schema
 * and rows after each; and last all new downs in one transaction, as a revert does. Rows come from
 * the seed. Tables that are still empty get made-up rows where possible.
 */
#ifndef RB_PROOF_PROOF_H
#define RB_PROOF_PROOF_H

#include "catalog/catalog.h"
#include "database/database.h"

typedef struct rb_proof {
    json_t *json; /* the manifest's "proof": engine, major version, migrations[] with id, restores,
                     differences[], reapplies, destroys[], discards[], unfilled[] (tables for which
                     no row could be made) */
    json_t *catalog;                 /* catalog after all ups */
    char fingerprint[RB_SHA256_HEX]; /* SHA-256 of `catalog` */
    json_t *notes;                   /* [{"migration","message"}]: remarks that refuse nothing */
    rb_strs missing;                 /* parts of the sandbox that the kernel does not support */
    char *lent;                      /* url of the database with seed and made-up rows, or NULL */
    char seed[RB_SHA256_HEX];        /* SHA-256 of the seed in that database; "" if none */
    char *lent_folder;               /* folder of that database, or NULL; the caller removes it */
    rb_buf state; /* bytes of the database after all ups, without made-up rows; may be empty */
    const char *class_; /* reversible, lossy, irreversible (design section 2); static */
} rb_proof;

typedef struct rb_proof_request {
    const char *engine;
    const rb_migrations *set; /* all migrations of the release */
    const bool *is_new;       /* for each migration: it is new in the release */
    const char *seed;         /* SQL text, or NULL */
    const char *seed_file;    /* the seed's path, for messages */
    int64_t clock; /* as for rb_db_scratch(): time of the released commit, so that the proof is
                      reproducible */
    rb_db_limits limits; /* for each script, and for the seed */
    bool lend;           /* keep the database with the new schema and its rows */
    const char *folder;  /* folder for it; only for rb_proof_make_here() */
    const rb_buf *state; /* the same for the migrations that are not new, or NULL; only for
                            rb_proof_make_here() */
} rb_proof_request;

/*
 * Makes a proof. Runs in a process of its own (base/sandbox.h), which returns only the result.
 *
 * The ups of the set must run in an empty database and leave no broken reference: a failing up is
 * RB_FOUND with script, line and message. A failing down is a result. A script that exceeds a limit
 * is RB_FOUND, a down script, too. Migrations that the previous release had and this one lacks are
 * not part of the proof.
 */
enum rb_code rb_proof_make(rb_proof *out, const rb_proof_request *request, rb_err *err);
/* Makes a proof in this process, for tests. */
enum rb_code rb_proof_make_here(rb_proof *out, const rb_proof_request *request, rb_err *err);
void rb_proof_clear(rb_proof *proof);

#endif
