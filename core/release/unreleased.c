#include "release/unreleased.h"

#include <stdlib.h>
#include <string.h>

#include "release/make_internal.h"

static void describe_artifacts(rb_manifest *manifest, const rb_config *config)
{
    manifest->artifact_count = config->artifact_count;
    manifest->artifacts = rb_calloc(config->artifact_count, sizeof *manifest->artifacts);
    for (size_t i = 0; i < config->artifact_count; i++) {
        const rb_config_artifact *from = &config->artifacts[i];
        rb_manifest_artifact *to = &manifest->artifacts[i];
        to->name = rb_strdup(from->name);
        to->format = rb_strdup(from->format);
        for (size_t k = 0; k < from->paths.n; k++)
            rb_strs_add(&to->paths, from->paths.items[k]);
        for (size_t k = 0; k < from->ignore.n; k++)
            rb_strs_add(&to->ignore, from->ignore.items[k]);
    }
}

static enum rb_code describe(rb_made *made, rb_making *making, const char *name, rb_err *err)
{
    const rb_config *config = making->config;
    rb_manifest *manifest = rb_calloc(1, sizeof *manifest);
    made->manifest = manifest;
    made->catalogs = json_object();
    made->lent = json_object();
    manifest->app_name = rb_strdup(config->app_name);
    rb_oid_hex(&making->commit, manifest->commit);
    rb_oid_hex(&making->tree, manifest->tree);
    if (config->version_file || config->version_json)
        RB_TRY(rb_making_read_version(&manifest->app_version, making, err));
    else
        manifest->app_version = rb_strdup(name);
    describe_artifacts(manifest, config);
    RB_TRY(rb_making_files(making, err));
    return rb_making_databases(making, err);
}

enum rb_code rb_unreleased(rb_release **out, rb_repo *repo, const rb_oid *commit, const char *name,
                           const rb_release *base, rb_err *err)
{
    RB_AUTO(rb_config_freep) rb_config *config = NULL;
    RB_AUTO(rb_made_clear) rb_made made = {0};
    const rb_make make = {.tag = name};
    RB_AUTO(rb_making_clear)
    rb_making making = {
        .make = &make, .repo = repo, .previous = base, .commit = *commit, .made = &made};
    if (rb_config_at(&config, repo, commit, err) != RB_OK)
        return err->code = RB_ERROR; /* a mistake in the settings is an error, not a finding */
    making.config = config;
    RB_TRY(rb_commit_tree(&making.tree, repo, commit, err));
    making.lfs = rb_lfs_new(repo, &making.tree);
    RB_TRY(describe(&made, &making, name, err));
    rb_release *release = rb_calloc(1, sizeof *release);
    release->tag = rb_strdup(name);
    release->commit = *commit;
    release->tree = making.tree;
    release->manifest = RB_TAKE(made.manifest);
    *out = release;
    return RB_OK;
}
