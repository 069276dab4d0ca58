/*
 * Checks migrations without a database.
 *
 * RB001 no down; RB003 up destroys data; RB004 released migration changed; RB005 random values;
 * RB006 not transactional; RB008 id out of order, changed or duplicate; RB009 transaction control
 * inside a script; RB011 a function that acts outside the transaction or the database.
 */
#ifndef RB_MIGRATION_LINT_H
#define RB_MIGRATION_LINT_H

#include "base/json.h"
#include "migration/migration.h"

typedef struct rb_finding {
    const char *rule; /* such as "RB001"; a static string */
    char *migration;
    char *file;
    size_t line; /* line in the file, from 1 */
    char *message;
    bool warning; /* does not refuse a release */
} rb_finding;

typedef struct rb_findings {
    rb_finding *items;
    size_t n;
} rb_findings;

void rb_findings_clear(rb_findings *findings);
void rb_findings_add(rb_findings *findings, const char *rule, const char *migration,
                     const char *file, size_t line, const char *fmt, ...) RB_PRINTF(6, 7);
/* Returns the number of findings that are not warnings. */
size_t rb_findings_refusing(const rb_findings *findings);
/* Moves all findings of `from` to the end of findings. */
void rb_findings_move(rb_findings *findings, rb_findings *from);

/* Returns [{"rule","migration","file","line","message","warning"}], as in `lint --json`. */
json_t *rb_findings_json(const rb_findings *findings);
/* Returns a SARIF 2.1.0 log (OASIS, 2020) for code scanning, with descriptions of the rules.
 * version: rbtool's. */
json_t *rb_findings_sarif(const rb_findings *findings, const char *version);

typedef struct rb_rule {
    const char *id;
    const char *name;    /* such as "NoDown" */
    const char *summary; /* one sentence */
    bool error;          /* an error, not a warning */
} rb_rule;

const rb_rule *rb_rule_find(const char *id); /* returns NULL for an unknown id */

/* A migration of an earlier release, with the hashes of its scripts. */
typedef struct rb_released {
    const char *id;
    const char *up;      /* SHA-256 of the up, in hexadecimal */
    const char *down;    /* SHA-256 of the down; NULL: it had none */
    const char *release; /* first tag that contained it */
    const char *file;    /* file of the up, if the set lacks the migration; NULL: unknown */
} rb_released;
/* True if m has exactly the scripts of `was`, under any id. False for migrations in a programming
 * language. */
bool rb_released_has_scripts(const rb_migration *m, const rb_released *was);

/* Calls found() for functions whose effects are outside the transaction, see
 * rb_engine_outside(). */
typedef void rb_lint_outside(const char *engine, const char *sql, size_t len,
                             void (*found)(void *context, size_t offset, const char *message),
                             void *context);

/*
 * Checks a set. engine: "sqlite" or "postgresql". Rules about content only apply to migrations that
 * are not in released[]; RB004 and RB008 compare with it. Findings are in the set's order. outside
 * NULL: RB011 is not checked.
 */
void rb_lint(rb_findings *out, const rb_migrations *set, const char *engine,
             const rb_released *released, size_t count, rb_lint_outside *outside);

#endif
