/*
 * Compares an environment with its live releases and reports every drift. Databases are opened
 * read-only.
 */
#ifndef RB_ENVIRONMENT_OBSERVE_H
#define RB_ENVIRONMENT_OBSERVE_H

#include "catalog/catalog.h"
#include "config/environment.h"
#include "database/database.h"
#include "environment/state.h"
#include "release/release.h"

/* Computes the hash of a file's content; "missing" if the file does not exist. */
enum rb_code rb_observe_file(char out[RB_SHA256_HEX], const char *path, rb_err *err);

/* Compares ROOT/current and ROOT/releases with the release that is live in part app. */
enum rb_code rb_observe_app(json_t *drift, const rb_env *env, const char *tag, rb_err *err);
/* Compares the flag file and the config files with a release's, and reports what changed in them.
 * */
enum rb_code rb_observe_flags(json_t *drift, const rb_env *env, const rb_release *release,
                              rb_repo *repo, rb_err *err);
enum rb_code rb_observe_config(json_t *drift, const rb_env *env, const rb_release *release,
                               rb_repo *repo, rb_err *err);

/* Returns the catalog that the release promises for a database: the one recorded when the release
 * was last live in it, else the result of its up scripts in a scratch database, whose fingerprint
 * must be the manifest's. now: shared with *out if it is equal, or NULL. */
enum rb_code rb_promised_catalog(json_t **out, rb_db *db, const rb_release *release, rb_repo *repo,
                                 const rb_manifest_database *database, const rb_catalog_now *now,
                                 rb_err *err);

/*
 * Corrects `promised` where accepted drift was removed since: an object that now is as the
 * release's own up scripts make it has not drifted. Changes nothing if no drift was accepted, or if
 * the up scripts do not run by themselves.
 */
void rb_promise_without_undone(json_t **promised, const rb_catalog_now *now,
                               const rb_release *release, rb_repo *repo,
                               const rb_manifest_database *database);

/* Returns the catalog that the release's up scripts produce in a scratch database. */
enum rb_code rb_rebuilt_catalog(json_t **out, const rb_release *release, rb_repo *repo,
                                const rb_manifest_database *database, rb_err *err);
/* Returns the catalog that the up scripts of set, or of those that `only` names, produce in a
 * scratch database. tag is for messages. */
enum rb_code rb_scratch_catalog(json_t **out, const rb_migrations *set, const rb_strs *only,
                                const char *engine, const char *tag, rb_err *err);

/* Compares applied migrations with those of a release's database. also: other migrations that may
 * be applied, or NULL. all: each migration of the release must be applied. */
void rb_observe_applied(json_t *drift, const rb_applied *applied,
                        const rb_manifest_database *database, const rb_migrations *also, bool all);

/*
 * Compares applied migrations and catalog with the release's. drift: what changed since the release
 * went live in this environment. accepted: what differed from the manifest at that time, as known
 * residuals or accepted drift.
 */
enum rb_code rb_observe_database(json_t *drift, json_t *accepted, rb_db *db,
                                 const rb_release *release, rb_repo *repo,
                                 const rb_manifest_database *database, rb_err *err);

#endif
