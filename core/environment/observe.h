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

/* Computes a file's content hash; "missing" if it does not exist. */
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
 * was last live in it, else the result of the release's own ups in a scratch database, checked
 * against the manifest's fingerprint. now: shared if it is as promised, or NULL. */
enum rb_code rb_promised_catalog(json_t **out, rb_db *db, const rb_release *release, rb_repo *repo,
                                 const rb_manifest_database *database, const rb_catalog_now *now,
                                 rb_err *err);

/*
 * Corrects `promised` where accepted drift was removed since, which is not drift: where `found`
 * equals the result of the release's own ups again, promised gets that. Changes nothing if no
 * drift was accepted, or if the ups do not run by themselves.
 */
void rb_promise_without_undone(json_t **promised, const rb_catalog_now *now,
                               const rb_release *release, rb_repo *repo,
                               const rb_manifest_database *database);

/* Returns the result of the release's own ups in a scratch database. */
enum rb_code rb_rebuilt_catalog(json_t **out, const rb_release *release, rb_repo *repo,
                                const rb_manifest_database *database, rb_err *err);
/* Returns the result of the ups of set, or of those that `only` names, in a scratch database. tag
 * is for messages. */
enum rb_code rb_scratch_catalog(json_t **out, const rb_migrations *set, const rb_strs *only,
                                const char *engine, const char *tag, rb_err *err);

/* Compares applied migrations with those of a release's database. also: others that may be applied,
 * or NULL. all: each of the release's has to be. */
void rb_observe_applied(json_t *drift, const rb_applied *applied,
                        const rb_manifest_database *database, const rb_migrations *also, bool all);

/*
 * Compares applied migrations and catalog with the release's. drift: changes since it went live
 * in this environment. accepted: differences to the manifest at that time: known residuals and
 * accepted drift.
 */
enum rb_code rb_observe_database(json_t *drift, json_t *accepted, rb_db *db,
                                 const rb_release *release, rb_repo *repo,
                                 const rb_manifest_database *database, rb_err *err);

#endif
