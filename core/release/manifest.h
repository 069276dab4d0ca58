/*
 * The release manifest: an in-toto Statement v1 with predicate urn:rbtool:release:v1
 * (schemas/manifest.schema.json; design section 6). One struct, one encoder, one decoder. The
 * encoder writes sorted ASCII keys, an indent of two spaces, integers only; the decoder takes
 * nothing but an rb_verified and refuses bytes that differ from what the encoder would write.
 */
#ifndef RB_RELEASE_MANIFEST_H
#define RB_RELEASE_MANIFEST_H

#include "base/hash.h"
#include "base/json.h"
#include "trust/trust.h"

#define RB_MANIFEST_BEGIN "-----BEGIN RELEASE MANIFEST-----"
#define RB_MANIFEST_END "-----END RELEASE MANIFEST-----"

typedef struct rb_link { /* of the chain */
    char *tag;
    char object[RB_OID_HEX];
    char sha256[RB_SHA256_HEX]; /* of the signed bytes (headers and message, no signature) */
} rb_link;

typedef struct rb_manifest_artifact {
    char *name;
    rb_strs paths;
    char *format;
    uint64_t files;
    uint64_t bytes;
    char tree[RB_SHA256_HEX];
    char digest[RB_SHA256_HEX]; /* the subject's */
    rb_strs submodules;
    rb_strs ignore; /* globs; empty: not in the JSON */
} rb_manifest_artifact;

typedef struct rb_manifest_migration {
    char *id;
    char *name;
    char up[RB_SHA256_HEX];
    char down[RB_SHA256_HEX]; /* "" when there is none */
    bool up_transactional;
    bool down_transactional;
    bool code;
} rb_manifest_migration;

typedef struct rb_manifest_database {
    char *name;
    char *engine;
    char *directory;
    char *layout;   /* resolved, never "auto" */
    char *tracking; /* "auto" or a name */
    rb_manifest_migration *migrations;
    size_t migration_count;
    char fingerprint[RB_SHA256_HEX];
    json_t *proof; /* as proof.h says */
} rb_manifest_database;

typedef struct rb_manifest_flag {
    char *name;
    char *state;    /* ENABLED, DISABLED */
    char *default_; /* variant */
} rb_manifest_flag;

typedef struct rb_manifest_file {
    char *path;
    char sha256[RB_SHA256_HEX];
    char mode[8]; /* "100644" */
} rb_manifest_file;

typedef struct rb_manifest {
    char *app_name;
    char *app_version;
    char commit[RB_OID_HEX];
    char tree[RB_OID_HEX];
    rb_link *previous; /* NULL for the first */
    rb_link *heads;
    size_t head_count;
    rb_manifest_artifact *artifacts;
    size_t artifact_count;
    rb_manifest_database *databases;
    size_t database_count;
    char *flags_path; /* NULL: none */
    char *flags_format;
    char flags_sha256[RB_SHA256_HEX];
    rb_manifest_flag *flags; /* sorted by name */
    size_t flag_count;
    rb_manifest_file *config; /* sorted by path */
    size_t config_count;
    json_t *secrets; /* {NAME: version}; NULL: none, and not in the JSON */
    rb_manifest_file *checks;
    size_t check_count;
    char *class_; /* reversible, lossy, irreversible */
    bool schema_compatible;
    char *known_good; /* "verdict" or "verified" */
    rb_strs notes;    /* Rollback: trailers since the previous release, oldest first */
} rb_manifest;

json_t *rb_manifest_encode(const rb_manifest *manifest); /* a new reference */
/* Returns a copy of a proof in which each() has changed every difference: in a manifest it names
 * its object by parts (rb_catalog_item_store), in memory by its key (rb_catalog_item_load). */
json_t *rb_manifest_copy_proof(const json_t *from, void (*each)(json_t *difference));

/* The manifest in a verified tag's message: exactly one, nothing after its END line. RB_FOUND
 * with a problem when there is none or it is malformed. */
enum rb_code rb_manifest_decode(rb_manifest **out, const rb_verified *verified,
                                rb_problems *problems, rb_err *err);
/* For the fuzzer and tests: the JSON between the markers. */
enum rb_code rb_manifest_parse(rb_manifest **out, const char *json, size_t len, rb_err *err);
void rb_manifest_free(rb_manifest *manifest);
RB_DEFINE_AUTO(rb_manifest, rb_manifest_free)

/* Whether a tag's raw bytes seem to hold a manifest (unverified; only to tell apart old tags). */
bool rb_manifest_is_in(const rb_tag *tag);

const rb_manifest_database *rb_manifest_database_find(const rb_manifest *manifest,
                                                      const char *name);
const rb_manifest_file *rb_manifest_config_find(const rb_manifest *manifest, const char *path);

#endif
