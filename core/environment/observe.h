/*
 * What is really there: live releases, and every drift from what they promised. Databases are
 * opened for reading only.
 */
#ifndef RB_ENVIRONMENT_OBSERVE_H
#define RB_ENVIRONMENT_OBSERVE_H

#include "catalog/catalog.h"
#include "config/environment.h"
#include "database/database.h"
#include "environment/state.h"
#include "release/release.h"

/* A file's content hash; "missing" when it is not there. */
enum rb_code rb_observe_file(char out[RB_SHA256_HEX], const char *path, rb_err *err) RB_MUST_USE;

/* ROOT/current and ROOT/releases against the release that is live in part app. */
enum rb_code rb_observe_app(json_t *drift, const rb_env *env, const char *tag,
                            rb_err *err) RB_MUST_USE;
/* The flag file and the config files against a release's, with what changed in them. */
enum rb_code rb_observe_flags(json_t *drift, const rb_env *env, const rb_release *release,
                              rb_repo *repo, rb_err *err) RB_MUST_USE;
enum rb_code rb_observe_config(json_t *drift, const rb_env *env, const rb_release *release,
                               rb_repo *repo, rb_err *err) RB_MUST_USE;

/* The catalog that release promises for a database: what this database had when the release was
 * last live in it, else what the release's own ups give in a scratch database, checked against
 * the manifest's fingerprint. now: shared when it is as promised, or NULL. */
enum rb_code rb_promised_catalog(json_t **out, rb_db *db, const rb_release *release, rb_repo *repo,
                                 const rb_manifest_database *database, const rb_catalog_now *now,
                                 rb_err *err) RB_MUST_USE;

/*
 * Accepted drift that was removed since is not drift: where found is again what the release's own
 * ups give, promised gets that. Leaves promised as it is where nothing was accepted, or where the
 * ups do not run by themselves.
 */
void rb_promise_without_undone(json_t **promised, const rb_catalog_now *now,
                               const rb_release *release, rb_repo *repo,
                               const rb_manifest_database *database);

/* What the release's own ups give in a scratch database. */
enum rb_code rb_rebuilt_catalog(json_t **out, const rb_release *release, rb_repo *repo,
                                const rb_manifest_database *database, rb_err *err) RB_MUST_USE;
/* What the ups of set, or those that only names, give in a scratch database. tag is for messages.
 */
enum rb_code rb_scratch_catalog(json_t **out, const rb_migrations *set, const rb_strs *only,
                                const char *engine, const char *tag, rb_err *err) RB_MUST_USE;

/*
 * Applied migrations and catalog against the release's. drift: what happened since it went live
 * here. accepted: what was there by then and is not in its manifest, known residuals and drift that
 * was accepted.
 */
enum rb_code rb_observe_database(json_t *drift, json_t *accepted, rb_db *db,
                                 const rb_release *release, rb_repo *repo,
                                 const rb_manifest_database *database, rb_err *err) RB_MUST_USE;

#endif
