/*
 * What a manifest may hold; schemas/manifest.schema.json says the same for other tools.
 */
#ifndef RB_RELEASE_MANIFEST_SHAPE_H
#define RB_RELEASE_MANIFEST_SHAPE_H

#include "config/config_shape.h"
#include "release/manifest.h"

#define RB_STATEMENT_TYPE "https://in-toto.io/Statement/v1"
#define RB_PREDICATE_TYPE "urn:rbtool:release:v1"

extern const rb_shape rb_manifest_shape;

/* Reads a document of that shape. */
rb_manifest *rb_manifest_from_json(const json_t *json);

#endif
