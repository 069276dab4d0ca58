/*
 * Writes a bundle: the files of TO and the scripts that lead to it, verified, for other tools to
 * apply or a person without rbtool.
 *
 *   DIR/artifacts, flags, config, checks, manifest.json
 *                                          TO, as release/reconstruct writes it
 *   DIR/scripts/DATABASE/001-down-ID.sql   the scripts from FROM's schema to TO's, in order
 *   DIR/plan.json                          FROM, TO, the scripts and their SHA-256
 *   DIR/revert.sh, README.md, SHA256SUMS   carry it out with the engine's own client
 *   DIR/manual/DATABASE                    what revert.sh runs: all scripts in one file, and
 *                                          what is applied
 *
 * No environment is read, so that it is not known which migrations are applied: the scripts are the
 * difference between the two manifests.
 */
#ifndef RB_TRANSITION_BUNDLE_H
#define RB_TRANSITION_BUNDLE_H

#include "config/environment.h"
#include "release/release.h"

/* Writes the bundle into a new folder. overrides: a release whose down scripts come first; NULL:
 * none. env: gives revert.sh its defaults; or NULL. *document: the content of plan.json. */
enum rb_code rb_bundle_write(json_t **document, const rb_release *from, const rb_release *to,
                             const rb_release *overrides, const char *rule, const rb_env *env,
                             rb_repo *repo, const char *dir, rb_err *err);

/* Functions of bundle_manual.c: */

/* The SQL of a database for revert.sh. */
typedef struct rb_manual_sql {
    const char *engine;
    const char *layout;
    const char *release; /* the release whose scripts are applied */
    const char *table;   /* the migration tool's table; NULL: unknown */
    rb_buf scripts;
    rb_buf applied; /* SQL for rbtool_applied */
    rb_buf tool;    /* SQL for `table` */
    bool apart;     /* the scripts need several commits, and have their own BEGIN and COMMIT */
} rb_manual_sql;
/* Adds the script of a migration. last: the migration that is the last applied one afterwards;
 * NULL: none. */
enum rb_code rb_manual_add(rb_manual_sql *sql, const rb_migration *migration, bool up,
                           const char *last, rb_err *err);
enum rb_code rb_manual_write(const rb_manual_sql *sql, const char *root, const char *database,
                             rb_err *err);
void rb_manual_clear(rb_manual_sql *sql);
/* Writes revert.sh, README.md and SHA256SUMS. databases: [{"name","engine","table","apart"}]. */
enum rb_code rb_manual_finish(const char *root, const rb_release *from, const rb_release *to,
                              const json_t *databases, const rb_env *env, rb_err *err);

#endif
