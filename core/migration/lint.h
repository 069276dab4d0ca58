/*
 * Checks on migrations that need no database: RB001 no down; RB003 up destroys data; RB004
 * released migration changed; RB005 random values; RB006 not transactional; RB008 an id out of
 * order, changed or duplicate; RB009 transaction control inside; RB011 a function that no
 * environment runs.
 */
#ifndef RB_MIGRATION_LINT_H
#define RB_MIGRATION_LINT_H

#include "base/json.h"
#include "migration/migration.h"

typedef struct rb_finding {
    const char *rule; /* "RB001"; static */
    char *migration;
    char *file;
    size_t line; /* from 1 */
    char *message;
    bool warning; /* it refuses no release */
} rb_finding;

typedef struct rb_findings {
    rb_finding *items;
    size_t n;
} rb_findings;

void rb_findings_clear(rb_findings *findings);
void rb_findings_add(rb_findings *findings, const char *rule, const char *migration,
                     const char *file, size_t line, const char *fmt, ...) RB_PRINTF(6, 7);
/* The findings that are not warnings. */
size_t rb_findings_refusing(const rb_findings *findings);
/* Moves all findings of `from` to the end of findings. */
void rb_findings_move(rb_findings *findings, rb_findings *from);

/* [{"rule","migration","file","line","message","warning"}], as `lint --json` prints them. */
json_t *rb_findings_json(const rb_findings *findings);
/* A SARIF 2.1.0 log (OASIS, 2020) for code scanning, rules described; version: rbtool's. */
json_t *rb_findings_sarif(const rb_findings *findings, const char *version);

typedef struct rb_rule {
    const char *id;
    const char *name;    /* "NoDown" */
    const char *summary; /* one sentence */
    bool error;          /* an error, or a warning */
} rb_rule;

const rb_rule *rb_rule_find(const char *id); /* NULL for an unknown one */

/* A migration of an earlier release: id and the hashes it was released with. */
typedef struct rb_released {
    const char *id;
    const char *up;      /* SHA-256, hexadecimal */
    const char *down;    /* NULL: it had none */
    const char *release; /* tag that first carried it */
    const char *file;    /* that its up was in, for one that is gone; NULL: not known */
} rb_released;
/* True if m has the scripts of was, byte for byte, whatever its id. False for code. */
bool rb_released_has_scripts(const rb_migration *m, const rb_released *was);

/* Calls found() for what acts outside the transaction: rb_engine_outside(). */
typedef void rb_lint_outside(const char *engine, const char *sql, size_t len,
                             void (*found)(void *context, size_t offset, const char *message),
                             void *context);

/*
 * Checks a set. engine: "sqlite" or "postgresql". Rules about content apply to migrations that
 * released[] does not have; RB004 and RB008 compare with it. Findings come in the set's order.
 * outside NULL: nothing is looked for.
 */
void rb_lint(rb_findings *out, const rb_migrations *set, const char *engine,
             const rb_released *released, size_t count, rb_lint_outside *outside);

#endif
