/*
 * The proof that a migration's way back works, made at release time in a scratch database: all
 * earlier ups; each new migration up, down, compare, up again, compare; at last all new downs in
 * one transaction, as a revert will run them. Rows come from the seed, and for tables that are
 * still empty from a synthetic row where one can be made; table contents are compared too.
 */
#ifndef RB_PROOF_PROOF_H
#define RB_PROOF_PROOF_H

#include "catalog/catalog.h"
#include "database/database.h"

typedef struct rb_proof {
    json_t *json; /* the manifest's "proof": engine, major version, migrations[] with id, restores,
                     differences[], reapplies, destroys[], discards[], unfilled[] (tables no row
                     could be made for) */
    json_t *catalog;                 /* after all ups, before any row was added */
    char fingerprint[RB_SHA256_HEX]; /* of catalog */
    json_t *notes;                   /* [{"migration","message"}]: nothing to refuse */
    rb_strs missing;                 /* what the kernel did not keep out of the proof's reach */
    char *lent;                      /* url of the database with seed and sample rows, or NULL */
    char seed[RB_SHA256_HEX];        /* of the seed that is in it; "" none */
    char *lent_folder;               /* that it is in, or NULL; the caller removes it */
    const char *class_; /* reversible, lossy, irreversible (design section 2); static */
} rb_proof;

typedef struct rb_proof_request {
    const char *engine;
    const rb_migrations *set; /* the whole set of the release */
    const bool *is_new;       /* of each migration: it is new in the release */
    const char *seed;         /* SQL text, or NULL */
    const char *seed_file;    /* shown */
    int64_t clock;       /* as for rb_db_scratch(): the time of the released commit, so that the
                            same commit gives the same proof */
    rb_db_limits limits; /* of each script and of the seed */
    bool lend;           /* keep the database at the new schema, with its rows, for others */
    const char *folder;  /* where; only of rb_proof_make_here() */
} rb_proof_request;

/*
 * The ups of the set have to run in an empty database and leave no broken reference there.
 * Migrations that the previous release had and this one lacks are not part of the proof. A failing
 * up is an error (RB_FOUND) with script, line and message; a failing down is a result. A script
 * that hits a limit is RB_FOUND, a down too.
 *
 * All that runs in a process of its own, base/sandbox.h, and only the result comes back.
 */
enum rb_code rb_proof_make(rb_proof *out, const rb_proof_request *request, rb_err *err);
/* The same in this process: for tests. */
enum rb_code rb_proof_make_here(rb_proof *out, const rb_proof_request *request, rb_err *err);
void rb_proof_clear(rb_proof *proof);

#endif
