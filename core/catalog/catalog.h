/*
 * Catalogs: the schema of a database as data. A catalog is one flat JSON object that maps the key
 * of a database object (catalog/name.h) to its definition:
 *
 *   "table orders"            {"kind": ..., "checks": [...], ...}
 *   "column orders.discount"  {"type","notNull","default","generated","collation",...}; "typeOf":
 *                             the name of its type, if the catalog has an entry for it
 *   "order orders"            ["id","total","discount"]       order of the columns
 *   "type mood"               {"kind": "enum", "labels": [...]}
 *   "constraint orders ...", "index idx_x", "view v", "trigger t", ...
 *
 * Definitions that the engine stores as text are in normal form: comments, white space, case of
 * keywords and quoting of plain names do not matter.
 *
 * The fingerprint of a catalog is the SHA-256 of its canonical form without the order of columns.
 * That order depends on the order of migrations: one that was released later can sort before one
 * that an environment has applied. Several catalogs may share an entry, so an entry is replaced,
 * never modified. A catalog that was read may be cached: it is copied, never modified.
 */
#ifndef RB_CATALOG_CATALOG_H
#define RB_CATALOG_CATALOG_H

#include "base/hash.h"
#include "base/json.h"

void rb_catalog_fingerprint(const json_t *catalog, char out[RB_SHA256_HEX]);

/*
 * Lists the differences between a and b: [{"object","change"}], change being "added", "removed" or
 * "changed", sorted by object. Differences in column order only are in *order instead.
 */
void rb_catalog_compare(json_t **differences, json_t **order, const json_t *a, const json_t *b);

/* Returns the key of the table (or view, for a trigger) with which a column, constraint, index or
 * trigger is dropped; NULL for other objects, and if the catalog does not have the table. A new
 * string. */
char *rb_catalog_table_of(const json_t *catalog, const char *object);

/* True if the column has an enumeration type that loses a label between the catalogs `before` and
 * `after`. */
bool rb_catalog_loses_labels(const json_t *before, const json_t *after, const json_t *column);

#endif
