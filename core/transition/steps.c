#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "artifact/artifact.h"
#include "base/file.h"
#include "base/parallel.h"
#include "base/text.h"
#include "database/url.h"
#include "environment/delivered.h"
#include "transition/backup_step.h"
#include "transition/database_step.h"
#include "transition/execute.h"
#include "transition/host_file_backup.h"
#include "transition/host_files.h"
#include "transition/parts.h"
#include "transition/secrets.h"
#include "transition/segments.h"
#include "transition/service.h"

static enum rb_code fill_staging(const rb_run *run, const char *staging, rb_err *err)
{
    const rb_release *to = run->request->to;
    for (size_t i = 0; i < to->manifest->artifact_count; i++) {
        const rb_manifest_artifact *a = &to->manifest->artifacts[i];
        const rb_artifact_spec spec = {a->name, &a->paths, a->format, a->tree};
        RB_AUTO(rb_artifact_clear) rb_artifact made = {0};
        RB_TRY(rb_artifact_write(&made, run->request->session->repo, &to->tree, &spec, staging,
                                 rb_parallel_threads(), err));
        bool tree = strcmp(made.tree, a->tree) != 0;
        if (tree || strcmp(made.digest, a->digest) != 0)
            return rb_fail(err, RB_FOUND, "artifact %s of %s: its %s is %s, the manifest says %s",
                           a->name, to->tag, tree ? "tree" : "digest",
                           tree ? made.tree : made.digest, tree ? a->tree : a->digest);
    }
    return RB_OK;
}

/* Sets *out if ROOT/current points to this release and its files are unmodified. A repeated step
 * then leaves it in place. */
static enum rb_code is_in_use(bool *out, const char *root, const char *tag, rb_err *err)
{
    RB_AUTO(rb_free_str) char *link = rb_format("%s/current", root);
    RB_AUTO(rb_free_str) char *wanted = rb_format("releases/%s", tag);
    RB_AUTO(rb_free_str) char *found = NULL;
    RB_AUTO(rb_json_freep) json_t *drift = json_array();
    *out = false;
    RB_TRY(rb_link_read(&found, link, err));
    if (!rb_text_same(found, wanted))
        return RB_OK;
    *out = rb_delivered_check(drift, root, tag, RB_IGNORED) == RB_OK && json_array_size(drift) == 0;
    return RB_OK;
}

static enum rb_code do_stage(rb_run *run, rb_err *err)
{
    const char *root = run->request->env->root;
    const char *tag = run->request->to->tag;
    bool in_use;
    RB_TRY(is_in_use(&in_use, root, tag, err));
    if (in_use)
        return RB_OK;
    RB_AUTO(rb_free_str) char *final = rb_format("%s/releases/%s", root, tag);
    RB_AUTO(rb_free_str) char *staging = rb_format("%s/releases/.staging-%s", root, run->plan->id);
    RB_AUTO(rb_free_str) char *old = rb_format("%s/releases/.old-%s", root, run->plan->id);
    RB_AUTO(rb_free_str) char *parent = rb_path_dir(final);
    RB_TRY(rb_dir_make_as(parent, 0755, err));
    RB_TRY(rb_dir_remove(staging, err));
    RB_TRY(rb_dir_make_as(staging, 0755, err));
    RB_TRY(fill_staging(run, staging, err));
    /* A repeated step must not replace `old`, the folder from before the transition: the inverse
     * restores it, and rb_step_stage_end() removes it. */
    if (rb_file_exists(final) && rb_file_exists(old))
        RB_TRY(rb_dir_remove(final, err));
    if (rb_file_exists(final))
        RB_TRY(rb_file_rename(final, old, err));
    RB_TRY(rb_file_rename(staging, final, err));
    RB_TRY(rb_service_can_start(run, err));
    return rb_delivered_note(root, tag, run->request->to->manifest, err);
}

static enum rb_code undo_stage(const rb_undo *undo, rb_err *err)
{
    const char *root = undo->env->root;
    const char *to = undo->row->to;
    RB_AUTO(rb_free_str) char *final = rb_format("%s/releases/%s", root, to);
    RB_AUTO(rb_free_str) char *staging = rb_format("%s/releases/.staging-%s", root, undo->row->id);
    RB_AUTO(rb_free_str) char *old = rb_format("%s/releases/.old-%s", root, undo->row->id);
    RB_AUTO(rb_free_str) char *listing = rb_delivered_path(root, to);
    RB_TRY(rb_dir_remove(staging, err));
    if (rb_file_exists(old)) {
        RB_TRY(rb_dir_remove(final, err));
        RB_TRY(rb_file_rename(old, final, err));
    }
    if (json_is_true(rb_plan_before(undo->row->plan, "staged")))
        return RB_OK;
    RB_TRY(rb_dir_remove(listing, err));
    return rb_dir_remove(final, err);
}

/* True if the folder of the live release is replaced and has drift that the plan shows. */
static bool has_drifted(const rb_run *run)
{
    const rb_release *from = rb_parts_from(run->request, RB_PART_APP);
    if (!from || strcmp(from->tag, run->request->to->tag) != 0)
        return false; /* the live release is in another folder, which stays */
    rb_json_each (item, json_object_get(run->plan->json, "drift"))
        if (rb_text_same(rb_json_str(item, "part"), "app"))
            return true;
    return false;
}

/* A folder that cannot be moved or removed stays, which is harmless. */
void rb_step_stage_end(const rb_run *run)
{
    RB_AUTO(rb_free_str)
    char *old = rb_format("%s/releases/.old-%s", run->request->env->root, run->plan->id);
    RB_AUTO(rb_free_str) char *kept = rb_host_backup_app(run->request->env->root, run->plan->id);
    RB_AUTO(rb_free_str) char *parent = rb_path_dir(kept);
    if (!rb_file_exists(old))
        return;
    if (!has_drifted(run))
        (void)!rb_dir_remove(old, RB_IGNORED);
    else if (rb_dir_make_as(parent, 0700, RB_IGNORED) == RB_OK)
        (void)!rb_file_rename(old, kept, RB_IGNORED);
}

static enum rb_code undo_switch(const rb_undo *undo, rb_err *err)
{
    RB_AUTO(rb_free_str) char *link = rb_format("%s/current", undo->env->root);
    RB_AUTO(rb_free_str)
    char *before = rb_json_bytes(json_object_get(undo->row->plan, "before"), "current");
    RB_AUTO(rb_free_str) char *found = NULL;
    RB_TRY(rb_link_read(&found, link, err));
    if (rb_text_same(found, before))
        return RB_OK;
    if (before)
        return rb_link_switch(link, before, err);
    if (unlink(link) != 0 && errno != ENOENT)
        return rb_fail_errno(err, RB_ERROR, "cannot remove %s", link);
    return RB_OK;
}

enum rb_code rb_step_do(rb_run *run, enum rb_step_kind kind, rb_err *err)
{
    const rb_env *env = run->request->env;
    RB_AUTO(rb_free_str) char *link = rb_format("%s/current", env->root);
    RB_AUTO(rb_free_str) char *target = rb_format("releases/%s", run->request->to->tag);
    switch (kind) {
    case RB_DO_STAGE:
        return do_stage(run, err);
    case RB_DO_FLAGS:
        return rb_host_files_fill(run, RB_PART_FLAGS, err);
    case RB_DO_STOP:
        return rb_service_stop(run, err);
    case RB_DO_DATABASE:
        for (size_t i = 0; i < run->plan->database_count; i++)
            if (run->plan->databases[i].create)
                RB_TRY(rb_host_file_folder(env, rb_url_file(run->plan->databases[i].url), err));
        return rb_databases_run(run, err);
    case RB_DO_SWITCH:
        RB_TRY(rb_link_switch(link, target, err));
        run->past = run->past || run->plan->database_count == 0;
        return RB_OK;
    case RB_DO_CONFIG:
        return rb_host_files_fill(run, RB_PART_CONFIG, err);
    case RB_DO_SECRETS:
        return rb_secrets_restore(run, err);
    case RB_DO_COMMIT:
        return rb_databases_commit(run, err);
    case RB_DO_START:
        return rb_service_start(run, err);
    case RB_DO_CHECKS:
        return rb_service_checks(run, err);
    case RB_DO_RECORD:
    case RB_STEP_KINDS:
        break;
    }
    return RB_OK;
}

/* Runs the inverses of committed scripts, moves sequences on to their positions before, and removes
 * databases that this transition created without committing to them. */
static enum rb_code undo_database(const rb_undo *undo, rb_err *err)
{
    RB_TRY(rb_segments_undo_all(undo, err));
    rb_json_each (item, rb_plan_before(undo->row->plan, "databases")) {
        const char *url = rb_env_database(undo->env, rb_json_str(item, "name"));
        RB_AUTO(rb_free_str) char *now = url ? rb_url_public(url) : NULL;
        RB_AUTO(rb_free_str) char *began = rb_json_bytes(item, "url");
        if (json_is_true(json_object_get(item, "create")) && rb_text_same(now, began))
            RB_TRY(rb_db_discard(url, err));
        else if (url)
            rb_backup_step_positions(undo->env, undo->row->id, rb_json_str(item, "name"), url);
    }
    return RB_OK;
}

/* Runs the inverse of one step. state: how far the step had come. */
static enum rb_code undo_step(const rb_undo *undo, enum rb_step_kind kind, enum rb_step_state state,
                              rb_err *err)
{
    switch (kind) {
    case RB_DO_STAGE:
        return undo_stage(undo, err);
    case RB_DO_FLAGS:
        return rb_host_backup_restore(undo->env->root, undo->row->id, "flags", err);
    case RB_DO_CONFIG:
        return rb_host_backup_restore(undo->env->root, undo->row->id, "config", err);
    case RB_DO_SECRETS:
        return rb_secrets_undo(undo, err);
    case RB_DO_SWITCH:
        return undo_switch(undo, err);
    case RB_DO_STOP:
        return rb_service_start_again(undo, err);
    case RB_DO_START:
        return rb_service_undo_start(undo, state, err);
    case RB_DO_DATABASE:
        return undo_database(undo, err);
    case RB_DO_COMMIT:
    case RB_DO_CHECKS:
    case RB_DO_RECORD:
    case RB_STEP_KINDS:
        break;
    }
    return RB_OK;
}

static enum rb_code undo_one(const rb_undo *undo, const char *name, rb_err *err)
{
    enum rb_step_state state;
    RB_TRY(rb_state_step_get(&state, undo->state, undo->row->id, name, err));
    if (state == RB_STEP_NONE || state == RB_STEP_UNDONE)
        return RB_OK;
    /* If this is interrupted, a step whose inverse was started must not count as done. */
    if (state != RB_STEP_INTENT)
        RB_TRY(rb_state_step(undo->state, undo->row->id, name, RB_STEP_INTENT, err));
    RB_TRY(undo_step(undo, rb_step_kind_of(name), state, err));
    return rb_state_step(undo->state, undo->row->id, name, RB_STEP_UNDONE, err);
}

enum rb_code rb_undo_all(const rb_undo *undo, rb_err *err)
{
    const json_t *steps = json_object_get(undo->row->plan, "steps");
    const char *started = NULL;
    for (size_t i = json_array_size(steps); i > 0; i--) {
        const char *name = rb_json_str(json_array_get(steps, i - 1), "id");
        if (!name)
            continue;
        if (rb_step_kind_of(name) == RB_DO_START && undo->env->stop.n == 0)
            started = name;
        else
            RB_TRY(undo_one(undo, name, err));
    }
    /* Without a stop command, starts the service again after its files are restored. */
    return started ? undo_one(undo, started, err) : RB_OK;
}
