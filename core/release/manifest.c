#include "release/manifest.h"

#include <stdlib.h>
#include <string.h>

#include "catalog/name.h"
#include "release/flags.h"
#include "release/manifest_shape.h"

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

static json_t *encode_link(const rb_link *from)
{
    if (!from)
        return json_null();
    json_t *object = json_object();
    rb_json_set_str(object, "tag", from->tag);
    rb_json_set_str(object, "object", from->object);
    rb_json_set_str(object, "sha256", from->sha256);
    return object;
}

static json_t *encode_artifact(const rb_manifest_artifact *from)
{
    json_t *object = json_object();
    rb_json_set_str(object, "name", from->name);
    set(object, "paths", rb_json_strs(&from->paths));
    rb_json_set_str(object, "format", from->format);
    set(object, "files", json_integer((json_int_t)from->files));
    set(object, "bytes", json_integer((json_int_t)from->bytes));
    rb_json_set_str(object, "tree", from->tree);
    set(object, "submodules", rb_json_strs(&from->submodules));
    if (from->ignore.n > 0)
        set(object, "ignore", rb_json_strs(&from->ignore));
    return object;
}

static json_t *encode_migration(const rb_manifest_migration *from)
{
    json_t *object = json_object();
    json_t *transaction = json_object();
    rb_json_set_str(object, "id", from->id);
    rb_json_set_str(object, "name", from->name);
    rb_json_set_str(object, "up", from->up);
    rb_json_set_str(object, "down", *from->down ? from->down : NULL);
    set(transaction, "up", json_boolean(from->up_transactional));
    set(transaction, "down", json_boolean(from->down_transactional));
    set(object, "transaction", transaction);
    set(object, "code", json_boolean(from->code));
    return object;
}

json_t *rb_manifest_copy_proof(const json_t *from, void (*each)(json_t *difference))
{
    json_t *proof = json_deep_copy(from);
    size_t i;
    size_t j;
    json_t *migration;
    json_t *difference;
    json_array_foreach (json_object_get(proof, "migrations"), i, migration)
        json_array_foreach (json_object_get(migration, "differences"), j, difference)
            each(difference);
    return proof;
}

static json_t *encode_database(const rb_manifest_database *from)
{
    json_t *object = json_object();
    json_t *migrations = json_array();
    for (size_t i = 0; i < from->migration_count; i++)
        append(migrations, encode_migration(&from->migrations[i]));
    rb_json_set_str(object, "name", from->name);
    rb_json_set_str(object, "engine", from->engine);
    rb_json_set_str(object, "directory", from->directory);
    rb_json_set_str(object, "layout", from->layout);
    rb_json_set_str(object, "tracking", from->tracking);
    set(object, "migrations", migrations);
    rb_json_set_str(object, "fingerprint", from->fingerprint);
    set(object, "proof", rb_manifest_copy_proof(from->proof, rb_catalog_item_store));
    return object;
}

static json_t *encode_flags(const rb_manifest *manifest)
{
    if (!manifest->flags_path)
        return json_null();
    json_t *object = json_object();
    json_t *values = json_array();
    for (size_t i = 0; i < manifest->flag_count; i++) {
        json_t *value = json_object();
        rb_json_set_str(value, "name", manifest->flags[i].name);
        rb_json_set_str(value, "state", manifest->flags[i].state);
        rb_json_set_str(value, "default", manifest->flags[i].default_);
        append(values, value);
    }
    rb_json_set_str(object, "path", manifest->flags_path);
    rb_json_set_str(object, "format", manifest->flags_format);
    rb_json_set_str(object, "sha256", manifest->flags_sha256);
    set(object, "values", values);
    return object;
}

static json_t *encode_files(const rb_manifest_file *files, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *object = json_object();
        rb_json_set_str(object, "path", files[i].path);
        rb_json_set_str(object, "sha256", files[i].sha256);
        rb_json_set_str(object, "mode", files[i].mode);
        append(array, object);
    }
    return array;
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
    json_t *predicate = json_object();
    json_t *app = json_object();
    json_t *source = json_object();
    json_t *rollback = json_object();
    json_t *heads = json_array();
    json_t *artifacts = json_array();
    json_t *databases = json_array();
    for (size_t i = 0; i < manifest->head_count; i++)
        append(heads, encode_link(&manifest->heads[i]));
    for (size_t i = 0; i < manifest->artifact_count; i++)
        append(artifacts, encode_artifact(&manifest->artifacts[i]));
    for (size_t i = 0; i < manifest->database_count; i++)
        append(databases, encode_database(&manifest->databases[i]));
    rb_json_set_str(app, "name", manifest->app_name);
    rb_json_set_str(app, "version", manifest->app_version);
    rb_json_set_str(source, "commit", manifest->commit);
    rb_json_set_str(source, "tree", manifest->tree);
    rb_json_set_str(rollback, "class", manifest->class_);
    set(rollback, "schemaCompatible", json_boolean(manifest->schema_compatible));
    set(rollback, "notes", rb_json_strs(&manifest->notes));
    set(predicate, "app", app);
    set(predicate, "source", source);
    set(predicate, "previous", encode_link(manifest->previous));
    set(predicate, "heads", heads);
    set(predicate, "artifacts", artifacts);
    set(predicate, "databases", databases);
    set(predicate, "flags", encode_flags(manifest));
    set(predicate, "config", encode_files(manifest->config, manifest->config_count));
    set(predicate, "checks", encode_files(manifest->checks, manifest->check_count));
    set(predicate, "rollback", rollback);
    rb_json_set_str(predicate, "knownGood", manifest->known_good);
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

static void free_database(rb_manifest_database *database)
{
    for (size_t i = 0; i < database->migration_count; i++) {
        free(database->migrations[i].id);
        free(database->migrations[i].name);
    }
    free(database->migrations);
    free(database->name);
    free(database->engine);
    free(database->directory);
    free(database->layout);
    free(database->tracking);
    rb_json_free(database->proof);
}

static void free_files(rb_manifest_file *files, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(files[i].path);
    free(files);
}

void rb_manifest_free(rb_manifest *manifest)
{
    if (!manifest)
        return;
    if (manifest->previous)
        free(manifest->previous->tag);
    free(manifest->previous);
    for (size_t i = 0; i < manifest->head_count; i++)
        free(manifest->heads[i].tag);
    free(manifest->heads);
    for (size_t i = 0; i < manifest->artifact_count; i++) {
        rb_manifest_artifact *artifact = &manifest->artifacts[i];
        free(artifact->name);
        free(artifact->format);
        rb_strs_clear(&artifact->paths);
        rb_strs_clear(&artifact->submodules);
        rb_strs_clear(&artifact->ignore);
    }
    free(manifest->artifacts);
    for (size_t i = 0; i < manifest->database_count; i++)
        free_database(&manifest->databases[i]);
    free(manifest->databases);
    rb_flags_free(manifest->flags, manifest->flag_count);
    free_files(manifest->config, manifest->config_count);
    free_files(manifest->checks, manifest->check_count);
    free(manifest->flags_path);
    free(manifest->flags_format);
    free(manifest->app_name);
    free(manifest->app_version);
    free(manifest->class_);
    free(manifest->known_good);
    rb_strs_clear(&manifest->notes);
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
