/*
 * Computes the catalog that migrations produce in an empty database, which is what a release
 * promises. They run in a process of its own (base/sandbox.h) and with limits, since anyone may
 * have written them: `rbtool diff v1.0.0 HEAD` runs the scripts of any branch.
 */
#ifndef RB_PROOF_REBUILD_H
#define RB_PROOF_REBUILD_H

#include "database/database.h"

/*
 * Runs steps in a scratch database. *catalog: the resulting catalog. order: as in rb_db_work.
 * RB_FOUND if a script exceeds a limit; RB_ERROR if one fails.
 */
enum rb_code rb_db_rebuild(json_t **catalog, const char *engine, const rb_db_step *steps, size_t n,
                           const rb_migrations *order, rb_err *err);

/*
 * Sets the limits of each script that rb_db_rebuild() runs from now on in this process. Otherwise
 * the defaults apply (RB_DB_LIMITS_SECONDS, ...). limits->where is borrowed.
 */
void rb_db_rebuild_limits(const rb_db_limits *limits);

/*
 * Keeps catalogs in this folder from now on, by the scripts that gave them, rbtool's version and
 * the engine's, so that a schema that was rebuilt or proven once is not rebuilt by later commands.
 * In its folder states are databases that proofs left, each after the SHA-256 of its bytes.
 * The folder may be removed at any time. NULL, as in the beginning: nothing is kept.
 */
void rb_db_rebuild_cache(const char *dir);
/* Looks only for a catalog that is kept; of the steps, only the digests of the scripts are used. */
bool rb_db_rebuild_find(json_t **catalog, const char *engine, const rb_db_step *steps, size_t n);
/* Notes what a proof found that the steps give. */
void rb_db_rebuild_note(const json_t *catalog, const char *engine, const rb_db_step *steps,
                        size_t n);
/* The same for the bytes of the database that the steps give in a proof. Those that are found are
 * as they were kept; *out stays empty if there are none. */
void rb_db_rebuild_keep_state(const rb_buf *bytes, const char *engine, const rb_db_step *steps,
                              size_t n);
void rb_db_rebuild_find_state(rb_buf *out, const char *engine, const rb_db_step *steps, size_t n);

#endif
