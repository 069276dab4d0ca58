/*
 * Finds what changed between two releases, from manifests and git objects. Schemas are rebuilt in
 * scratch databases.
 */
#ifndef RB_REPORT_DIFF_H
#define RB_REPORT_DIFF_H

#include "release/release.h"

/*
 * Makes the document of `diff --json` (schemas/diff.schema.json), without "files":
 *
 *   {"from","to","app":{"from","to"},"commits":[{"id","author","date","subject","rollback"}],
 *    "artifacts":[{"name","added","removed","changed"}],   paths; every artifact of either
 *    "databases":[{"name","migrations":{"added","removed","changed"},   ids, in the set's order
 *                  "schema":[{"object","change"}]}],
 *    "flags":[{"name","from","to"}],   {"state","default","definition"} or null; changed ones only;
 *                                      definition: SHA-256 of all the flag's settings
 *    "config":[{"path","change"}],
 *    "risk":{"class","reasons"}}       of going from `to` back to `from`
 *
 * between: releases after from and before to along the chain, in any order. They have the proofs of
 * migrations that are new in neither side. A migration without a proof counts as irreversible. If a
 * schema cannot be rebuilt, or differs from its manifest, "reasons" contains that.
 */
enum rb_code rb_diff(json_t **out, rb_repo *repo, const rb_release *from, const rb_release *to,
                     const rb_release *const *between, size_t count, rb_err *err);

/* Returns "files" of the document: the changed lines of each file of the whole trees, counted by
 * git. Takes as long as all of rb_diff() or longer. */
enum rb_code rb_diff_lines(json_t **out, rb_repo *repo, const rb_release *from,
                           const rb_release *to, rb_err *err);

/* True if the document has any difference. */
bool rb_diff_any(const json_t *document);

/* Returns [{"key","from","to"}] for a config file, null if a side lacks the key. NULL if the file's
 * form is not supported (diff_keys.c). */
json_t *rb_diff_keys(const char *path, const rb_buf *old, const rb_buf *new);

#endif
