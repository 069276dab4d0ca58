/*
 * What a manifest may hold; schemas/manifest.schema.json says the same for other tools.
 */
#ifndef RB_RELEASE_MANIFEST_SHAPE_H
#define RB_RELEASE_MANIFEST_SHAPE_H

#include "config/config_shape.h"

#define RB_STATEMENT_TYPE "https://in-toto.io/Statement/v1"
#define RB_PREDICATE_TYPE "urn:rbtool:release:v1"

extern const rb_shape rb_manifest_shape;

#endif
