/*
 * A manifest as JSON, between its reading and its decoding.
 */
#ifndef RB_RELEASE_MANIFEST_JSON_H
#define RB_RELEASE_MANIFEST_JSON_H

#include "release/manifest.h"

#define RB_STATEMENT_TYPE "https://in-toto.io/Statement/v1"
#define RB_PREDICATE_TYPE "urn:rbtool:release:v1"

/* Reads a document that fits schemas/manifest.schema.json. */
rb_manifest *rb_manifest_from_json(const json_t *json);

#endif
