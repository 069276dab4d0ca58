/* The scratch database of a proof, and what is known about it. */
#ifndef RB_PROOF_PROVING_H
#define RB_PROOF_PROVING_H

#include "database/driver.h"

/*
 * One scratch database goes through all migrations. It has the rows of the migrations, of the seed,
 * and made-up ones. If a migration fails on made-up rows, the database is recreated with other
 * ones, and finally without any.
 */
#define RB_PROVING_STATE ((size_t)8 << 20) /* bytes of a saved state, at most */

/* A database after the first `count` ups: those that are not new, then the new ones. */
typedef struct rb_proving_state {
    size_t count;
    rb_buf bytes; /* empty: none */
} rb_proving_state;

typedef struct rb_proving {
    const char *engine;
    const rb_migrations *set;
    const bool *is_new;
    rb_db *db;
    const char *seed;
    const char *seed_file;
    int64_t clock; /* as for rb_db_scratch() */
    const rb_db_limits *limits;
    rb_samples samples; /* kind of the made-up rows */
    json_t *literals;
    json_t *on_empty; /* {id: why its down fails on tables without made-up rows} */
    json_t *seeded;   /* statements of the seed that ran in this database */
    json_t *fitted;   /* statements of the seed that ran in any database */
    char *seed_error; /* why the last statement of the seed that never ran failed */
    json_t *filled;   /* {table: it has rows} */
    json_t *kept;     /* {table: its rows are kept in their current state} (rb_db_driver.keep) */
    json_t *effects;  /* receives the effects of the next scripts; borrowed, or NULL */
    /* without made-up rows: the one before the new migrations, and the last one after it */
    rb_proving_state states[2];
    json_t *catalog; /* catalog of the current schema */
    json_t *base;    /* catalog before the first new migration */
    json_t *results; /* a result for each new migration */
    json_t *notes;
    json_t *mismatches; /* foreign keys that the engine cannot check, as keys of an object */
    json_t *before;     /* catalog before the last new migration that was tried */
    json_t
        *undo; /* for each new migration: what turns the catalog before it back into the one
                  before the previous one, {key: entry, or null}. Whole catalogs are too large. */
    bool lend; /* as in rb_proof_request */
    const char *folder;
} rb_proving;

/* Recreates the database with the migrations that are not new, and the first `count` new ones. Adds
 * no rows. */
enum rb_code rb_proving_start(rb_proving *p, size_t count, rb_err *err);
/* Saves the current state of a database without made-up rows, in which `count` of the new
 * migrations are applied. Does nothing if it is large, or on a server. */
enum rb_code rb_proving_save(rb_proving *p, size_t count, rb_err *err);
/* Adds the seed's rows and made-up ones. */
enum rb_code rb_proving_add_rows(rb_proving *p, rb_err *err);
/* True if the down leads back to the schema before, but for the order of columns. */
bool rb_proving_comes_back(const json_t *result);
bool rb_proving_is(const json_t *result, const char *restores); /* compares "restores" */
/* True if a revert can run the down, although the schema or rows may differ afterwards. */
bool rb_proving_goes_back(const json_t *result);
/* Records a failure with made-up rows in the result: the down fails (failed), or it could not be
 * tried since that depends on values which no application needs to have ("untested"). */
void rb_proving_fails(json_t *result, bool failed, const char *why);
enum rb_code rb_proving_run(rb_proving *p, const rb_migration *m, bool up, rb_err *err);
/* True if the down commits while it runs (database.h), so that rb_proving_back() does not undo it.
 */
bool rb_proving_commits(const rb_proving *p, const rb_migration *m);
/* Runs a migration's up. On a server, commits it too: enum values that it adds can then be used. */
enum rb_code rb_proving_apply(rb_proving *p, const rb_migration *m, rb_err *err);
/* Runs a script at the start of a transaction and adds its locks to the result's "locks":
 * [{"direction","table","mode","rewrites","blocks"}]. blocks: writers have to wait while all of a
 * table is read or written that existed before the new migrations. */
enum rb_code rb_proving_run_locked(json_t *result, rb_proving *p, const rb_migration *m, bool up,
                                   rb_err *err);
/* Marks the current state. rb_proving_back() returns to it, at most once. Uses transactions instead
 * of savepoints: SQLite fails after ROLLBACK TO if a virtual table was created or dropped. */
enum rb_code rb_proving_mark(rb_proving *p, rb_err *err);
enum rb_code rb_proving_back(rb_proving *p, rb_err *err);
/* RB_FOUND with *why if a script exceeded a limit, since its result is then unknown. */
enum rb_code rb_proving_within(const rb_proving *p, const rb_err *why, rb_err *err);

#endif
