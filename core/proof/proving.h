/* The scratch database of a proof, and what is known of it. */
#ifndef RB_PROOF_PROVING_H
#define RB_PROOF_PROVING_H

#include "database/driver.h"

/*
 * One scratch database goes through the set, holding what the migrations put there, the seed's and
 * made-up rows. Where a migration fails on made-up rows, the database is recreated with other ones,
 * and at last without any.
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
    rb_samples samples; /* what made-up rows hold */
    json_t *literals;
    json_t *on_empty; /* id -> why its down fails on tables without rows */
    json_t *seeded;   /* statements of the seed that have run in this database */
    json_t *fitted;   /* those that have run in any */
    char *seed_error; /* why the last one of the others did not */
    json_t *filled;   /* table -> has it rows */
    json_t *kept;     /* table -> its rows are kept, as they are now (rb_db_driver.keep) */
    json_t *effects;  /* where those of the next scripts are added; borrowed, or NULL */
    json_t *catalog;  /* as the schema is now */
    json_t *base;     /* catalog before the first new migration */
    json_t *results;  /* an object each new migration */
    json_t *notes;
    json_t *mismatches; /* foreign keys that the engine cannot check, as keys */
    json_t *befores;    /* the catalog before each of them */
    bool lend;          /* as in rb_proof_request */
    const char *folder;
} rb_proving;

/* The ups of what is not new, then the first `count` new ones; no rows added. */
enum rb_code rb_proving_start(rb_proving *p, size_t count, rb_err *err);
/* The seed's rows and made-up ones. */
enum rb_code rb_proving_add_rows(rb_proving *p, rb_err *err);
/* A value of "restores" that a revert can live with: the down runs. */
bool rb_proving_comes_back(const json_t *result);
/* What a failure with made-up rows says about m's down: it fails (failed), or it could not be tried
 * because that depends on values that nobody has to have (untested). */
void rb_proving_fails(json_t *result, bool failed, const char *why);
enum rb_code rb_proving_run(rb_proving *p, const rb_migration *m, bool up, rb_err *err);
/* Runs a script at the start of a transaction and adds its locks to the result's "locks"
 * [{"direction","table","mode","rewrites","blocks"}]. blocks: writes of others wait until all of a
 * table has been read or written that existed before the new migrations. */
enum rb_code rb_proving_run_locked(json_t *result, rb_proving *p, const rb_migration *m, bool up,
                                   rb_err *err);
/* A state to come back to, once or never. Transactions of their own, no savepoints: SQLite fails
 * after ROLLBACK TO where a virtual table was created or dropped since. */
enum rb_code rb_proving_mark(rb_proving *p, rb_err *err);
enum rb_code rb_proving_back(rb_proving *p, rb_err *err);
/* RB_FOUND with *why if the script hit a limit: what it would have done is not known. */
enum rb_code rb_proving_within(const rb_proving *p, const rb_err *why, rb_err *err);

#endif
