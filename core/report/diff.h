/*
 * What changed between two releases, from manifests and git objects alone; schemas are rebuilt in
 * scratch databases.
 */
#ifndef RB_REPORT_DIFF_H
#define RB_REPORT_DIFF_H

#include "release/release.h"

/*
 * The document of `diff --json` (schemas/diff.schema.json):
 *
 *   {"from","to","app":{"from","to"},
 *    "artifacts":[{"name","added","removed","changed"}],   paths; every artifact of either
 *    "databases":[{"name","migrations":{"added","removed","changed"},   ids, in the set's order
 *                  "schema":[{"object","change"}]}],
 *    "flags":[{"name","from","to"}],   {"state","default","definition"} or null; changed ones only;
 *                                      definition: SHA-256 of all the flag's settings
 *    "config":[{"path","change"}],
 *    "risk":{"class","reasons"}}       of going from `to` back to `from`
 *
 * between: releases after from and before to along the chain, in any order; their proofs tell of
 * migrations that are new in neither. A migration whose proof none of them has is irreversible. A
 * schema that cannot be rebuilt here, or not as its manifest says, is named in reasons.
 */
enum rb_code rb_diff(json_t **out, rb_repo *repo, const rb_release *from, const rb_release *to,
                     const rb_release *const *between, size_t count, rb_err *err);

/* True if the document has any difference. */
bool rb_diff_any(const json_t *document);

/* [{"key","from","to"}] of a config file, null where a side has no such key; NULL where its form is
 * not one that is read key by key (diff_keys.c). */
json_t *rb_diff_keys(const char *path, const rb_buf *old, const rb_buf *new);

#endif
