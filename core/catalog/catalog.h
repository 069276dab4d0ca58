/*
 * A catalog is one flat JSON object, canonical: key of an object (catalog/name.h) -> definition.
 *
 *   "table orders"            {"kind": ..., "checks": [...], ...}
 *   "column orders.discount"  {"type","notNull","default","generated","collation",...}; "typeOf":
 *                             the name of its type, if that has an entry of its own
 *   "order orders"            ["id","total","discount"]       column order, classed apart
 *   "type mood"               {"kind": "enum", "labels": [...]}
 *   "constraint orders ...", "index idx_x", "view v", "trigger t", ...
 *
 * Definitions that the engine keeps as text are normalised tokens: comments, white space, case of
 * keywords and quoting of plain names do not matter. Its fingerprint is the SHA-256 of its
 * canonical form without the order of columns, which depends on the way to a schema: a migration
 * that was released later can sort before one that an environment has. Catalogs share their
 * entries: an entry is replaced, never changed.
 */
#ifndef RB_CATALOG_CATALOG_H
#define RB_CATALOG_CATALOG_H

#include "base/hash.h"
#include "base/json.h"

void rb_catalog_fingerprint(const json_t *catalog, char out[RB_SHA256_HEX]);

/*
 * What it takes to get from a to b: [{"object","change"}], change one of added, removed, changed,
 * sorted by object. Differences in column order only are in *order instead.
 */
void rb_catalog_compare(json_t **differences, json_t **order, const json_t *a, const json_t *b);

/* The key of the table (of a trigger, perhaps of the view) that a column, constraint, index or
 * trigger goes with when it is dropped; NULL for others, and where the catalog has none. */
char *rb_catalog_table_of(const json_t *catalog, const char *object);

/* Whether an enumeration type that the column of `before` has lacks one of its labels in `after`.
 */
bool rb_catalog_loses_labels(const json_t *before, const json_t *after, const json_t *column);

#endif
