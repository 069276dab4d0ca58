#include "release/manifest.h"

#include <stdlib.h>
#include <string.h>

#include "base/members.h"
#include "catalog/name.h"
#include "release/manifest_json.h"

static const rb_member link_members[] = {
    RB_MEMBER(TEXT, rb_link, tag, "tag"), RB_MEMBER(CHARS, rb_link, object, "object"),
    RB_MEMBER(CHARS, rb_link, sha256, "sha256"), RB_MEMBER_END};

#define ARTIFACT(KIND, M) RB_MEMBER(KIND, rb_manifest_artifact, M, #M)
static const rb_member artifact_members[] = {
    ARTIFACT(TEXT, name),        ARTIFACT(TEXTS, paths),     ARTIFACT(TEXT, format),
    ARTIFACT(UINT64, files),     ARTIFACT(UINT64, bytes),    ARTIFACT(CHARS, tree),
    ARTIFACT(TEXTS, submodules), ARTIFACT(NONEMPTY, ignore), RB_MEMBER_END};

#define MIGRATION(KIND, M, KEY) RB_MEMBER(KIND, rb_manifest_migration, M, KEY)
static const rb_member transaction_members[] = {MIGRATION(BOOL, up_transactional, "up"),
                                                MIGRATION(BOOL, down_transactional, "down"),
                                                RB_MEMBER_END};
static const rb_member migration_members[] = {
    MIGRATION(TEXT, id, "id"),
    MIGRATION(TEXT, name, "name"),
    MIGRATION(CHARS, up, "up"),
    MIGRATION(CHARS, down, "down"),
    MIGRATION(BOOL, code, "code"),
    RB_MEMBER_IN(OBJECT, "transaction", transaction_members),
    RB_MEMBER_END};

/* Members of a database, except the proof: it stores names of objects in parts. */
#define DATABASE(KIND, M) RB_MEMBER(KIND, rb_manifest_database, M, #M)
static const rb_member database_members[] = {DATABASE(TEXT, name),
                                             DATABASE(TEXT, engine),
                                             DATABASE(TEXT, directory),
                                             DATABASE(TEXT, layout),
                                             DATABASE(TEXT, tracking),
                                             DATABASE(CHARS, fingerprint),
                                             RB_MEMBER_LIST(rb_manifest_database, migrations,
                                                            migration_count, "migrations",
                                                            migration_members),
                                             RB_MEMBER_END};

static const rb_member flag_members[] = {RB_MEMBER(TEXT, rb_manifest_flag, name, "name"),
                                         RB_MEMBER(TEXT, rb_manifest_flag, state, "state"),
                                         RB_MEMBER(TEXT, rb_manifest_flag, default_, "default"),
                                         RB_MEMBER_END};

static const rb_member file_members[] = {RB_MEMBER(TEXT, rb_manifest_file, path, "path"),
                                         RB_MEMBER(CHARS, rb_manifest_file, sha256, "sha256"),
                                         RB_MEMBER(CHARS, rb_manifest_file, mode, "mode"),
                                         RB_MEMBER_END};

#define MANIFEST(KIND, M, KEY) RB_MEMBER(KIND, rb_manifest, M, KEY)
#define MANIFEST_LIST(M, COUNT, KEY, OF) RB_MEMBER_LIST(rb_manifest, M, COUNT, KEY, OF)
static const rb_member app_members[] = {MANIFEST(TEXT, app_name, "name"),
                                        MANIFEST(TEXT, app_version, "version"), RB_MEMBER_END};
static const rb_member source_members[] = {MANIFEST(CHARS, commit, "commit"),
                                           MANIFEST(CHARS, tree, "tree"), RB_MEMBER_END};
static const rb_member flags_members[] = {
    MANIFEST(TEXT, flags_path, "path"), MANIFEST(TEXT, flags_format, "format"),
    MANIFEST(CHARS, flags_sha256, "sha256"),
    MANIFEST_LIST(flags, flag_count, "values", flag_members), RB_MEMBER_END};
static const rb_member rollback_members[] = {MANIFEST(TEXT, class_, "class"),
                                             MANIFEST(BOOL, schema_compatible, "schemaCompatible"),
                                             MANIFEST(TEXTS, notes, "notes"), RB_MEMBER_END};
static const rb_member predicate_members[] = {
    RB_MEMBER_IN(OBJECT, "app", app_members),
    RB_MEMBER_IN(OBJECT, "source", source_members),
    RB_MEMBER_TO(rb_manifest, previous, "previous", link_members),
    MANIFEST_LIST(heads, head_count, "heads", link_members),
    MANIFEST_LIST(artifacts, artifact_count, "artifacts", artifact_members),
    MANIFEST_LIST(databases, database_count, "databases", database_members),
    RB_MEMBER_IN(OR_NULL, "flags", flags_members),
    MANIFEST_LIST(config, config_count, "config", file_members),
    MANIFEST_LIST(checks, check_count, "checks", file_members),
    RB_MEMBER_IN(OBJECT, "rollback", rollback_members),
    MANIFEST(TEXT, known_good, "knownGood"),
    RB_MEMBER_END};

static void set(json_t *object, const char *key, json_t *value)
{
    if (!value || json_object_set_new(object, key, value) != 0)
        abort();
}

static void append(json_t *array, json_t *value)
{
    if (json_array_append_new(array, value) != 0)
        abort();
}

json_t *rb_manifest_copy_proof(const json_t *from, void (*each)(json_t *difference))
{
    json_t *proof = json_copy((json_t *)from);
    json_t *migrations = json_copy(json_object_get(from, "migrations"));
    rb_json_each (migration, migrations) {
        if (json_array_size(json_object_get(migration, "differences")) == 0)
            continue;
        json_t *copy = json_deep_copy(migration);
        rb_json_each (difference, json_object_get(copy, "differences"))
            each(difference);
        json_array_set_new(migrations, migration_at, copy);
    }
    if (migrations)
        set(proof, "migrations", migrations);
    return proof;
}

static json_t *encode_subjects(const rb_manifest *manifest)
{
    json_t *subjects = json_array();
    for (size_t i = 0; i < manifest->artifact_count; i++) {
        const rb_manifest_artifact *artifact = &manifest->artifacts[i];
        RB_AUTO(rb_free_str) char *name = rb_format("%s/%s", manifest->app_name, artifact->name);
        json_t *subject = json_object();
        json_t *digest = json_object();
        rb_json_set_str(digest, "sha256", artifact->digest);
        rb_json_set_str(subject, "name", name);
        set(subject, "digest", digest);
        append(subjects, subject);
    }
    return subjects;
}

static json_t *encode_predicate(const rb_manifest *manifest)
{
    json_t *predicate = rb_members_write(predicate_members, manifest);
    json_t *databases = json_object_get(predicate, "databases");
    for (size_t i = 0; i < manifest->database_count; i++)
        set(json_array_get(databases, i), "proof",
            rb_manifest_copy_proof(manifest->databases[i].proof, rb_catalog_item_store));
    if (manifest->secrets)
        set(predicate, "secrets", json_deep_copy(manifest->secrets));
    return predicate;
}

json_t *rb_manifest_encode(const rb_manifest *manifest)
{
    json_t *statement = json_object();
    rb_json_set_str(statement, "_type", RB_STATEMENT_TYPE);
    rb_json_set_str(statement, "predicateType", RB_PREDICATE_TYPE);
    set(statement, "subject", encode_subjects(manifest));
    set(statement, "predicate", encode_predicate(manifest));
    return statement;
}

rb_manifest *rb_manifest_from_json(const json_t *json)
{
    const json_t *predicate = json_object_get(json, "predicate");
    const json_t *databases = json_object_get(predicate, "databases");
    const json_t *subjects = json_object_get(json, "subject");
    rb_manifest *out = rb_calloc(1, sizeof *out);
    rb_members_read(predicate_members, out, predicate);
    for (size_t i = 0; i < out->database_count; i++)
        out->databases[i].proof = rb_manifest_copy_proof(
            json_object_get(json_array_get(databases, i), "proof"), rb_catalog_item_load);
    const json_t *secrets = json_object_get(predicate, "secrets");
    out->secrets = secrets ? json_deep_copy(secrets) : NULL;
    for (size_t i = 0; i < out->artifact_count; i++) {
        const json_t *digest = json_object_get(json_array_get(subjects, i), "digest");
        memcpy(out->artifacts[i].digest, rb_json_str(digest, "sha256"), RB_SHA256_HEX);
    }
    return out;
}

void rb_manifest_free(rb_manifest *manifest)
{
    if (!manifest)
        return;
    for (size_t i = 0; i < manifest->database_count; i++)
        rb_json_free(manifest->databases[i].proof);
    rb_json_free(manifest->secrets);
    rb_members_clear(predicate_members, manifest);
    free(manifest);
}

const rb_manifest_database *rb_manifest_database_find(const rb_manifest *manifest, const char *name)
{
    for (size_t i = 0; i < manifest->database_count; i++)
        if (strcmp(manifest->databases[i].name, name) == 0)
            return &manifest->databases[i];
    return NULL;
}

const rb_manifest_file *rb_manifest_config_find(const rb_manifest *manifest, const char *path)
{
    for (size_t i = 0; i < manifest->config_count; i++)
        if (strcmp(manifest->config[i].path, path) == 0)
            return &manifest->config[i];
    return NULL;
}
