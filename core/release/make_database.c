/* Reads the databases of a release, lints their migrations against what was released before, and
 * proves them in scratch databases. A finding refuses the release unless its rule is accepted. */
#include <stdlib.h>
#include <string.h>

#include "release/make_internal.h"
#include "release/prove.h"
#include "release/released.h"

/* Marks the new migrations: those whose id the previous release did not have, whatever their
 * text. */
static bool *mark_new(const rb_migrations *set, const rb_carried *carried)
{
    RB_AUTO(rb_json_freep) json_t *known = json_object();
    for (size_t i = 0; i < carried->n; i++)
        rb_json_set_str(known, carried->items[i].id, NULL);
    bool *is_new = rb_calloc(set->n, sizeof *is_new);
    for (size_t i = 0; i < set->n; i++)
        is_new[i] = json_object_get(known, set->items[i].id) == NULL;
    return is_new;
}

static enum rb_code add_database(rb_making *making, size_t index, rb_err *err)
{
    const rb_config_database *config = &making->config->databases[index];
    rb_manifest_database *out = &making->made->manifest->databases[index];
    RB_AUTO(rb_migrations_freep) rb_migrations *set = NULL;
    RB_AUTO(rb_carried_clear) rb_carried carried = {0};
    RB_AUTO(rb_proof_clear) rb_proof proof = {0};
    enum rb_code code = rb_migrations_read(&set, making->repo, &making->tree, config->migrations,
                                           config->layout, config->engine, err);
    if (code != RB_OK)
        return rb_err_prefix(err, "database %s", config->name);
    out->name = rb_strdup(config->name);
    out->engine = rb_strdup(config->engine);
    out->directory = rb_strdup(config->migrations);
    out->layout = rb_strdup(set->layout);
    out->tracking = rb_strdup(config->tracking);
    out->migrations = rb_release_describe(&out->migration_count, set);
    if (making->previous)
        rb_carried_find(&carried, making->previous, making->chain, making->repo, config->name, set);
    rb_making_tell(making, "proving database", config->name);
    bool *is_new = mark_new(set, &carried);
    const rb_prove prove = {.repo = making->repo,
                            .commit = making->commit,
                            .database = config,
                            .set = set,
                            .is_new = is_new,
                            .released = carried.items,
                            .released_count = carried.n,
                            .lend = making->lend};
    code = rb_prove_database(&proof, &making->made->findings, &making->made->notes, &prove, err);
    free(is_new);
    RB_TRY(code);
    if (proof.lent)
        json_object_set_new(making->made->lent, config->name,
                            rb_json_make("url:s folder:s seed:s", proof.lent, proof.lent_folder,
                                         *proof.seed ? proof.seed : NULL));
    out->proof = json_incref(proof.json);
    json_object_set(making->made->catalogs, config->name, proof.catalog);
    memcpy(out->fingerprint, proof.fingerprint, sizeof out->fingerprint);
    making->classes[index] = proof.class_;
    return RB_OK;
}

static const char *worse(const char *a, const char *b)
{
    static const char *const order[] = {"irreversible", "lossy"};
    for (size_t i = 0; i < 2; i++)
        if (strcmp(a, order[i]) == 0 || strcmp(b, order[i]) == 0)
            return order[i];
    return "reversible";
}

enum rb_code rb_making_databases(rb_making *making, rb_err *err)
{
    rb_manifest *manifest = making->made->manifest;
    size_t n = making->config->database_count;
    const char *class_ = "reversible";
    manifest->databases = rb_calloc(n, sizeof *manifest->databases);
    manifest->database_count = n;
    making->classes = rb_calloc(n, sizeof *making->classes);
    for (size_t i = 0; i < n; i++) {
        RB_TRY(add_database(making, i, err));
        class_ = worse(class_, making->classes[i]);
    }
    manifest->class_ = rb_strdup(class_);
    return RB_OK;
}
