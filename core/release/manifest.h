/*
 * The release manifest: an in-toto Statement v1 with predicate urn:rbtool:release:v1
 * (schemas/manifest.schema.json; design section 6).
 *
 * The encoder writes sorted ASCII keys, an indent of two spaces, and integers only. The decoder
 * accepts only an rb_verified, and refuses bytes that differ from what the encoder would write.
 */
#ifndef RB_RELEASE_MANIFEST_H
#define RB_RELEASE_MANIFEST_H

#include "base/hash.h"
#include "base/json.h"
#include "trust/trust.h"

#define RB_MANIFEST_BEGIN "-----BEGIN RELEASE MANIFEST-----"
#define RB_MANIFEST_END "-----END RELEASE MANIFEST-----"

typedef struct rb_link { /* a link of the chain to another release */
    char *tag;
    char object[RB_OID_HEX];
    /* SHA-256 of the signed bytes (headers and message, without the signature) */
    char sha256[RB_SHA256_HEX];
} rb_link;

typedef struct rb_manifest_artifact {
    char *name;
    rb_strs paths;
    char *format;
    uint64_t files;
    uint64_t bytes;
    char tree[RB_SHA256_HEX];
    char digest[RB_SHA256_HEX]; /* digest of the in-toto subject */
    rb_strs submodules;
    rb_strs ignore; /* globs; not in the JSON if empty */
} rb_manifest_artifact;

typedef struct rb_manifest_migration {
    char *id;
    char *name;
    char up[RB_SHA256_HEX];
    char down[RB_SHA256_HEX]; /* "" if the migration has no down */
    bool up_transactional;
    bool down_transactional;
    bool code;
} rb_manifest_migration;

typedef struct rb_manifest_database {
    char *name;
    char *engine;
    char *directory;
    char *layout;   /* a layout's name, never "auto" */
    char *tracking; /* "auto" or a tool's name */
    rb_manifest_migration *migrations;
    size_t migration_count;
    char fingerprint[RB_SHA256_HEX];
    json_t *proof; /* JSON of the proof, see proof.h */
} rb_manifest_database;

typedef struct rb_manifest_flag {
    char *name;
    char *state;    /* ENABLED or DISABLED */
    char *default_; /* default variant */
} rb_manifest_flag;

typedef struct rb_manifest_file {
    char *path;
    char sha256[RB_SHA256_HEX];
    char mode[8]; /* such as "100644" */
} rb_manifest_file;

typedef struct rb_manifest {
    char *app_name;
    char *app_version;
    char commit[RB_OID_HEX];
    char tree[RB_OID_HEX];
    rb_link *previous; /* link to the predecessor; NULL for the first release */
    rb_link *heads;
    size_t head_count;
    rb_manifest_artifact *artifacts;
    size_t artifact_count;
    rb_manifest_database *databases;
    size_t database_count;
    char *flags_path; /* path of the flag file; NULL: none */
    char *flags_format;
    char flags_sha256[RB_SHA256_HEX];
    rb_manifest_flag *flags; /* flags sorted by name */
    size_t flag_count;
    rb_manifest_file *config; /* config files sorted by path */
    size_t config_count;
    json_t *secrets; /* {NAME: version}; NULL: none, and not in the JSON */
    rb_manifest_file *checks;
    size_t check_count;
    char *class_; /* reversible, lossy or irreversible */
    bool schema_compatible;
    char *known_good; /* "verdict" or "verified" */
    rb_strs notes;    /* Rollback: trailers of commits since the previous release, oldest first */
} rb_manifest;

json_t *rb_manifest_encode(const rb_manifest *manifest); /* returns a new reference */
/* Returns a copy of a proof for which each() has converted every difference: in a manifest, an
 * object is named in parts (rb_catalog_item_store()), in memory by its key
 * (rb_catalog_item_load()). The copy shares the other values, so that neither may be changed. */
json_t *rb_manifest_copy_proof(const json_t *from, void (*each)(json_t *difference));

/* Decodes the manifest in the message of a verified tag. RB_FOUND with a problem if the message
 * does not end with exactly one manifest, or the manifest is malformed. */
enum rb_code rb_manifest_decode(rb_manifest **out, const rb_verified *verified,
                                rb_problems *problems, rb_err *err);
/* Parses the JSON between the markers. For tests and the fuzzer. */
enum rb_code rb_manifest_parse(rb_manifest **out, const char *json, size_t len, rb_err *err);
void rb_manifest_free(rb_manifest *manifest);
RB_DEFINE_AUTO(rb_manifest, rb_manifest_free)

/* True if the bytes of a tag contain the first line of a manifest. Nothing is verified: this only
 * separates releases from other tags. */
bool rb_manifest_is_in(const rb_tag *tag);

const rb_manifest_database *rb_manifest_database_find(const rb_manifest *manifest,
                                                      const char *name);
const rb_manifest_file *rb_manifest_config_find(const rb_manifest *manifest, const char *path);

#endif
