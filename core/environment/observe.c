#include "environment/observe.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "database/tracking.h"
#include "environment/delivered.h"
#include "environment/drift.h"
#include "proof/rebuild.h"

enum rb_code rb_observe_file(char out[RB_SHA256_HEX], const char *path, rb_err *err)
{
    if (!rb_file_exists(path)) {
        memcpy(out, "missing", sizeof "missing");
        return RB_OK;
    }
    return rb_sha256_file(out, path, err);
}

enum rb_code rb_observe_app(json_t *drift, const rb_env *env, const char *tag, rb_err *err)
{
    RB_AUTO(rb_free_str) char *link = rb_format("%s/current", env->root);
    RB_AUTO(rb_free_str) char *expected = rb_format("releases/%s", tag);
    RB_AUTO(rb_free_str) char *found = NULL;
    RB_TRY(rb_link_read(&found, link, err));
    if (!found || strcmp(found, expected) != 0)
        rb_drift_add(drift, "app", expected,
                     found                  ? found
                     : rb_file_exists(link) ? "something that is not a symlink"
                                            : "missing",
                     "current");
    return rb_delivered_check(drift, env->root, tag, err);
}

static enum rb_code compare_file(json_t *drift, const char *part, const rb_drift_file *file,
                                 rb_err *err)
{
    char found[RB_SHA256_HEX];
    RB_TRY(rb_observe_file(found, file->path, err));
    if (strcmp(found, file->sha256) == 0)
        return RB_OK;
    rb_drift_add(drift, part, file->sha256, found, "%s", file->path);
    rb_drift_compare(drift, file);
    return RB_OK;
}

enum rb_code rb_observe_flags(json_t *drift, const rb_env *env, const rb_release *release,
                              rb_repo *repo, rb_err *err)
{
    const rb_manifest *m = release->manifest;
    if (!env->flags || !m->flags_path)
        return RB_OK;
    const rb_drift_file file = {release, repo, m->flags_path, m->flags_sha256, env->flags, true};
    return compare_file(drift, "flags", &file, err);
}

enum rb_code rb_observe_config(json_t *drift, const rb_env *env, const rb_release *release,
                               rb_repo *repo, rb_err *err)
{
    for (size_t i = 0; i < env->config_count; i++) {
        const rb_manifest_file *from =
            rb_manifest_config_find(release->manifest, env->config[i].name);
        if (!from)
            continue;
        const rb_drift_file file = {release, repo, from->path, from->sha256, env->config[i].value,
                                    false};
        RB_TRY(compare_file(drift, "config", &file, err));
    }
    return RB_OK;
}

enum rb_code rb_scratch_catalog(json_t **out, const rb_migrations *set, const rb_strs *only,
                                const char *engine, const char *tag, rb_err *err)
{
    rb_db_step *steps = rb_calloc(set->n + 1, sizeof *steps);
    size_t n = 0;
    for (size_t i = 0; i < set->n; i++)
        if (!only || rb_strs_has(only, set->items[i].id))
            steps[n++] = (rb_db_step){.migration = &set->items[i], .up = true, .release = tag};
    enum rb_code code = rb_db_rebuild(out, engine, steps, n, set, err);
    free(steps);
    if (code != RB_OK)
        return rb_err_prefix(err, "rebuilding the schema of %s", tag);
    return RB_OK;
}

/* Looks for the catalog among those that are kept, by the scripts' digests in the manifest. */
static bool find_kept(json_t **out, const rb_manifest_database *database)
{
    const size_t n = database->migration_count;
    rb_migration *items = rb_calloc(n + 1, sizeof *items);
    rb_db_step *steps = rb_calloc(n + 1, sizeof *steps);
    for (size_t i = 0; i < n; i++) {
        memcpy(items[i].up.sha256, database->migrations[i].up, RB_SHA256_HEX);
        steps[i] = (rb_db_step){.migration = &items[i], .up = true};
    }
    const bool found = rb_db_rebuild_find(out, database->engine, steps, n);
    free(steps);
    free(items);
    return found;
}

enum rb_code rb_rebuilt_catalog(json_t **out, const rb_release *release, rb_repo *repo,
                                const rb_manifest_database *database, rb_err *err)
{
    RB_AUTO(rb_migrations_freep) rb_migrations *set = NULL;
    if (find_kept(out, database))
        return RB_OK;
    RB_TRY(rb_release_migrations(&set, release, repo, database, err));
    return rb_scratch_catalog(out, set, NULL, database->engine, release->tag, err);
}

enum rb_code rb_promised_catalog(json_t **out, rb_db *db, const rb_release *release, rb_repo *repo,
                                 const rb_manifest_database *database, const rb_catalog_now *now,
                                 rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *catalog = NULL;
    RB_TRY(rb_db_journal_catalog(&catalog, db, release->tag, now, err));
    if (!catalog) {
        RB_TRY(rb_rebuilt_catalog(&catalog, release, repo, database, err));
        char fingerprint[RB_SHA256_HEX];
        rb_catalog_fingerprint(catalog, fingerprint);
        if (strcmp(fingerprint, database->fingerprint) != 0)
            return rb_fail(err, RB_FOUND,
                           "database %s of release %s: its own migrations give schema %.12s, its "
                           "manifest says %.12s\nmake the release again with this version of %s",
                           database->name, release->tag, fingerprint, database->fingerprint,
                           database->engine);
    }
    *out = RB_TAKE(catalog);
    return RB_OK;
}

void rb_promise_without_undone(json_t **promised, const rb_catalog_now *now,
                               const rb_release *release, rb_repo *repo,
                               const rb_manifest_database *database)
{
    RB_AUTO(rb_json_freep) json_t *differences = NULL;
    RB_AUTO(rb_json_freep) json_t *order = NULL;
    RB_AUTO(rb_json_freep) json_t *released = NULL;
    char fingerprint[RB_SHA256_HEX];
    rb_catalog_compare(&differences, &order, *promised, now->catalog);
    if (json_array_size(differences) == 0)
        return;
    rb_catalog_fingerprint(*promised, fingerprint);
    if (strcmp(fingerprint, database->fingerprint) == 0 ||
        rb_rebuilt_catalog(&released, release, repo, database, RB_IGNORED) != RB_OK)
        return;
    json_t *without = json_copy(*promised);
    rb_json_each (item, differences) {
        const char *object = rb_json_str(item, "object");
        json_t *found = json_object_get(now->catalog, object);
        if (!rb_json_same(found, json_object_get(released, object)))
            continue;
        if (found)
            json_object_set(without, object, found);
        else
            json_object_del(without, object);
    }
    json_decref(*promised);
    *promised = without;
}

static const void *id_at(const void *list, size_t index)
{
    return ((const rb_manifest_migration *)list)[index].id;
}

void rb_observe_applied(json_t *drift, const rb_applied *applied,
                        const rb_manifest_database *database, const rb_migrations *also, bool all)
{
    rb_keys known = {.key = id_at, .list = database->migrations, .names = true};
    for (size_t i = 0; i < database->migration_count; i++)
        rb_keys_add(&known, i);
    for (size_t i = 0; all && i < database->migration_count; i++)
        if (!rb_keys_has(&applied->index, database->migrations[i].id))
            rb_drift_add(drift, "db", "applied", "not applied", "%s: migration %s", database->name,
                         database->migrations[i].id);
    for (size_t i = 0; i < applied->ids.n; i++) {
        const char *id = applied->ids.items[i];
        if (!rb_keys_has(&known, id) && !(also && rb_migrations_find(also, id)))
            rb_drift_add(drift, "db", "not applied", "applied", "%s: migration %s", database->name,
                         id);
    }
    rb_keys_clear(&known);
}

/* Adds differences. known: adds only those that it also has, with the same values; NULL: all. */
static void add_differences(json_t *out, const char *database, const json_t *from,
                            const json_t *found, const json_t *known)
{
    RB_AUTO(rb_json_freep) json_t *differences = NULL;
    RB_AUTO(rb_json_freep) json_t *order = NULL;
    rb_catalog_compare(&differences, &order, from, found);
    rb_json_each (item, differences) {
        const char *object = rb_json_str(item, "object");
        if (known && !rb_json_same(json_object_get(known, object), json_object_get(found, object)))
            continue;
        rb_drift_add(out, "db", "as released", rb_json_str(item, "change"), "%s: %s", database,
                     object);
    }
}

/* Adds what differed from the manifest when the release went live. */
static void add_accepted(json_t *accepted, const rb_release *release, rb_repo *repo,
                         const rb_manifest_database *database, const json_t *promised,
                         const rb_catalog_now *now)
{
    char fingerprint[RB_SHA256_HEX];
    rb_err why;
    RB_AUTO(rb_json_freep) json_t *made = NULL;
    rb_catalog_fingerprint(promised, fingerprint);
    if (strcmp(fingerprint, database->fingerprint) == 0)
        return;
    if (rb_rebuilt_catalog(&made, release, repo, database, &why) == RB_OK) {
        add_differences(accepted, database->name, made, now->catalog, promised);
        return;
    }
    RB_AUTO(rb_free_str) char *expected = rb_format("schema %.12s", database->fingerprint);
    RB_AUTO(rb_free_str) char *is = rb_format("schema %.12s (%s)", fingerprint, rb_err_line(&why));
    rb_drift_add(accepted, "db", expected, is, "%s", database->name);
}

/* Reads what is applied. The ids in the manifest are usually enough, so that no scripts are read.
 */
static enum rb_code read_applied(rb_applied *out, rb_db *db, const rb_release *release,
                                 rb_repo *repo, const rb_manifest_database *database, rb_err *err)
{
    if (rb_tracking_reads_records(database->layout)) {
        RB_AUTO(rb_migrations_freep) rb_migrations *read = NULL;
        RB_TRY(rb_release_migrations(&read, release, repo, database, err));
        return rb_db_applied(out, db, read, database->tracking, err);
    }
    rb_migrations set = {.layout = database->layout, .n = database->migration_count};
    set.items = rb_calloc(set.n, sizeof *set.items);
    for (size_t i = 0; i < set.n; i++)
        set.items[i].id = database->migrations[i].id;
    enum rb_code code = rb_db_applied(out, db, &set, database->tracking, err);
    free(set.items);
    return code;
}

enum rb_code rb_observe_database(json_t *drift, json_t *accepted, rb_db *db,
                                 const rb_release *release, rb_repo *repo,
                                 const rb_manifest_database *database, rb_err *err)
{
    RB_AUTO(rb_applied_clear) rb_applied applied = {0};
    RB_TRY(read_applied(&applied, db, release, repo, database, err));
    rb_observe_applied(drift, &applied, database, NULL, true);
    if (applied.dirty)
        rb_drift_add(drift, "db", "clean", "dirty, says the migration tool", "%s", database->name);
    RB_AUTO(rb_json_freep) json_t *promised = NULL;
    RB_AUTO(rb_catalog_now_clear) rb_catalog_now now = {0};
    RB_TRY(rb_catalog_now_read(&now, db, err));
    RB_TRY(rb_promised_catalog(&promised, db, release, repo, database, &now, err));
    rb_promise_without_undone(&promised, &now, release, repo, database);
    add_differences(drift, database->name, promised, now.catalog, NULL);
    add_accepted(accepted, release, repo, database, promised, &now);
    return RB_OK;
}
