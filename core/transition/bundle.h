/*
 * A revert without an environment: a complete, verified bundle of TO for other tools to apply.
 *
 *   DIR/artifacts, flags, config, checks, manifest.json   of TO, as release/reconstruct writes them
 *   DIR/scripts/DATABASE/001-down-ID.sql ...               what takes FROM's schema to TO's, in
 * order DIR/plan.json                                          FROM, TO, scripts and their SHA-256
 *
 * Which migrations are applied is not known here: the scripts are the difference between the two
 * manifests.
 */
#ifndef RB_TRANSITION_BUNDLE_H
#define RB_TRANSITION_BUNDLE_H

#include "release/release.h"

/* overrides: down scripts come from it first; NULL: none. *document is plan.json. */
enum rb_code rb_bundle_write(json_t **document, const rb_release *from, const rb_release *to,
                             const rb_release *overrides, const char *rule, rb_repo *repo,
                             const char *dir, rb_err *err) RB_MUST_USE;

#endif
