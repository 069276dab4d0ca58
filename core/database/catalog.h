/*
 * A catalog is one flat JSON object, canonical: object name -> definition.
 *
 *   "table orders"            {"kind": ..., "checks": [...], ...}
 *   "column orders.discount"  {"type","notNull","default","generated","collation",...}
 *   "order orders"            ["id","total","discount"]       column order, classed apart
 *   "constraint orders ...", "index idx_x", "view v", "trigger t"
 *
 * Definitions that the engine keeps as text are normalised tokens: comments, white space, case of
 * keywords and quoting of plain names do not matter. Its fingerprint is the SHA-256 of its
 * canonical form.
 */
#ifndef RB_DATABASE_CATALOG_H
#define RB_DATABASE_CATALOG_H

#include "database/database.h"

enum rb_code rb_db_catalog(json_t **out, rb_db *db, rb_err *err) RB_MUST_USE;

void rb_catalog_fingerprint(const json_t *catalog, char out[RB_SHA256_HEX]);

/*
 * What it takes to get from a to b: [{"object","change"}], change one of added, removed, changed,
 * sorted by object. Differences in column order only are in *order instead.
 */
void rb_catalog_compare(json_t **differences, json_t **order, const json_t *a, const json_t *b);

#endif
