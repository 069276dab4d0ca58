/*
 * A revert without an environment: a complete, verified bundle of TO for other tools to apply.
 *
 *   DIR/artifacts, flags, config, checks, manifest.json   of TO, as release/reconstruct writes them
 *   DIR/scripts/DATABASE/001-down-ID.sql ...               what takes FROM's schema to TO's, in
 * order
 *   DIR/plan.json                          FROM, TO, scripts and their SHA-256
 *   DIR/revert.sh, README.md, SHA256SUMS   carry it out with the engine's own program alone
 *   DIR/manual/DATABASE...                 what revert.sh runs: the scripts as one, and what is
 * applied
 *
 * Which migrations are applied is not known here: the scripts are the difference between the two
 * manifests.
 */
#ifndef RB_TRANSITION_BUNDLE_H
#define RB_TRANSITION_BUNDLE_H

#include "config/environment.h"
#include "release/release.h"

/* overrides: down scripts come from it first; NULL: none. env: gives revert.sh its defaults; or
 * NULL. *document is plan.json. */
enum rb_code rb_bundle_write(json_t **document, const rb_release *from, const rb_release *to,
                             const rb_release *overrides, const char *rule, const rb_env *env,
                             rb_repo *repo, const char *dir, rb_err *err);

/* bundle_manual.c */

/* The scripts of a database for revert.sh. */
typedef struct rb_manual_sql {
    const char *engine;
    const char *layout;
    const char *release; /* whose scripts are applied */
    const char *table;   /* of the migration tool; NULL: none is known */
    rb_buf scripts;
    rb_buf applied; /* for rbtool_applied */
    rb_buf tool;    /* for table */
    bool apart;     /* a script cannot run in a transaction */
} rb_manual_sql;
/* last: the migration that is applied last after it; NULL: none. */
enum rb_code rb_manual_add(rb_manual_sql *sql, const rb_migration *migration, bool up,
                           const char *last, rb_err *err);
enum rb_code rb_manual_write(const rb_manual_sql *sql, const char *root, const char *database,
                             rb_err *err);
void rb_manual_clear(rb_manual_sql *sql);
/* Writes revert.sh, README.md and SHA256SUMS. databases: [{"name","engine","table","apart"}]. */
enum rb_code rb_manual_finish(const char *root, const rb_release *from, const rb_release *to,
                              const json_t *databases, const rb_env *env, rb_err *err);

#endif
