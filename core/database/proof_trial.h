/* The parts of a proof: proof.c goes through the set, proof_trial.c tries one migration. */
#ifndef RB_DATABASE_PROOF_TRIAL_H
#define RB_DATABASE_PROOF_TRIAL_H

#include "database/proof.h"

/*
 * One scratch database goes through the set, holding what the migrations put there, the seed's and
 * made-up rows. Where made-up rows make an up fail, it is made anew without them.
 */
typedef struct rb_proving {
    const char *engine;
    const rb_migrations *set;
    const bool *is_new;
    rb_db *db;
    const char *seed;
    const char *seed_file;
    int64_t clock; /* as for rb_db_scratch() */
    const rb_db_limits *limits;
    json_t *seeded;   /* statements of the seed that have run */
    char *seed_error; /* why the last one of the others did not */
    json_t *filled;   /* table -> has it rows */
    json_t *contents; /* table -> its rows, where they are known */
    json_t *catalog;  /* as the schema is now */
    json_t *base;     /* catalog before the first new migration */
    json_t *results;  /* an object each new migration */
    json_t *notes;
    json_t *mismatches; /* foreign keys that the engine cannot check, as keys */
} rb_proving;

/* The ups of what is not new, then the first `count` new ones; no rows added. */
enum rb_code rb_proving_start(rb_proving *p, size_t count, rb_err *err) RB_MUST_USE;
/* The seed's rows and made-up ones. */
enum rb_code rb_proving_add_rows(rb_proving *p, rb_err *err) RB_MUST_USE;
enum rb_code rb_proving_run(rb_proving *p, const rb_migration *m, bool up, rb_err *err) RB_MUST_USE;
/* A state to come back to, once or never. Transactions of their own, no savepoints: SQLite fails
 * after ROLLBACK TO where a virtual table was created or dropped since. */
enum rb_code rb_proving_mark(rb_proving *p, rb_err *err) RB_MUST_USE;
enum rb_code rb_proving_back(rb_proving *p, rb_err *err) RB_MUST_USE;
/* RB_FOUND with *why if the script hit a limit: what it would have done is not known. */
enum rb_code rb_proving_within(const rb_proving *p, const rb_err *why, rb_err *err) RB_MUST_USE;

/* Proves m and leaves the schema with it applied; adds to p->results. */
enum rb_code rb_proof_try(rb_proving *p, const rb_migration *m, rb_err *err) RB_MUST_USE;

#endif
