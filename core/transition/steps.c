#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "artifact/artifact.h"
#include "base/file.h"
#include "environment/checks.h"
#include "environment/delivered.h"
#include "release/flags.h"
#include "transition/database_step.h"
#include "transition/execute.h"

#define CONFIG_LIMIT (64u << 20) /* bytes of a flag or config file that is kept */
#define THREADS 2

static char *backup_path(const rb_env *env, const char *transition, const char *name)
{
    return rb_format("%s/.rbtool/backups/%s/%s", env->root, transition, name);
}

/* Keeps what a file held before this transition, once: a second try must not overwrite it. */
static enum rb_code keep_file(const rb_env *env, const char *transition, const char *name,
                              const char *path, rb_err *err)
{
    RB_AUTO(rb_free_str) char *kept = backup_path(env, transition, name);
    RB_AUTO(rb_free_str) char *absent = rb_format("%s.absent", kept);
    RB_AUTO(rb_free_str) char *dir = rb_path_dir(kept);
    if (rb_file_exists(kept) || rb_file_exists(absent))
        return RB_OK;
    RB_TRY(rb_dir_make(dir, err));
    struct stat st;
    if (stat(path, &st) != 0 && errno == ENOENT)
        return rb_file_write(absent, "", 0, 0600, err);
    RB_AUTO(rb_buf_clear) rb_buf content = {0};
    RB_TRY(rb_file_read(&content, path, CONFIG_LIMIT, err));
    return rb_file_write(kept, rb_buf_str(&content), content.len, 0600, err);
}

/* A missing folder is made below the environment's own root; elsewhere it is a mistyped path. */
static enum rb_code make_parent(const rb_env *env, const char *path, rb_err *err)
{
    RB_AUTO(rb_free_str) char *dir = rb_path_dir(path);
    size_t len = strlen(env->root);
    if (rb_file_exists(dir))
        return RB_OK;
    if (strncmp(dir, env->root, len) != 0 || dir[len] != '/')
        return rb_fail(err, RB_ERROR, "cannot write %s: its folder does not exist; make it first",
                       path);
    return rb_dir_make(dir, err);
}

static enum rb_code restore_file(const rb_env *env, const char *transition, const char *name,
                                 const char *path, rb_err *err)
{
    RB_AUTO(rb_free_str) char *kept = backup_path(env, transition, name);
    RB_AUTO(rb_free_str) char *absent = rb_format("%s.absent", kept);
    if (rb_file_exists(absent)) {
        if (unlink(path) != 0 && errno != ENOENT)
            return rb_fail_errno(err, RB_ERROR, "cannot remove %s", path);
        return RB_OK;
    }
    if (!rb_file_exists(kept))
        return RB_OK;
    RB_AUTO(rb_buf_clear) rb_buf content = {0};
    RB_TRY(rb_file_read(&content, kept, CONFIG_LIMIT, err));
    return rb_file_replace(path, rb_buf_str(&content), content.len, err);
}

static enum rb_code verify_artifact(const rb_artifact *made, const rb_manifest_artifact *promised,
                                    const char *tag, rb_err *err)
{
    if (strcmp(made->tree, promised->tree) != 0)
        return rb_fail(err, RB_FOUND, "artifact %s of %s: its tree is %s, the manifest says %s",
                       promised->name, tag, made->tree, promised->tree);
    if (strcmp(made->digest, promised->digest) != 0)
        return rb_fail(err, RB_FOUND, "artifact %s of %s: its digest is %s, the manifest says %s",
                       promised->name, tag, made->digest, promised->digest);
    return RB_OK;
}

static enum rb_code fill_staging(const rb_run *run, const char *staging, rb_err *err)
{
    const rb_release *to = run->request->to;
    for (size_t i = 0; i < to->manifest->artifact_count; i++) {
        const rb_manifest_artifact *a = &to->manifest->artifacts[i];
        rb_artifact_spec spec = {a->name, &a->paths, a->format};
        RB_AUTO(rb_artifact_clear) rb_artifact made = {0};
        RB_TRY(
            rb_artifact_write(&made, run->request->repo, &to->tree, &spec, staging, THREADS, err));
        RB_TRY(verify_artifact(&made, a, to->tag, err));
    }
    return rb_dir_sync(staging, err);
}

static enum rb_code do_stage(rb_run *run, rb_err *err)
{
    const char *root = run->request->env->root;
    const char *tag = run->request->to->tag;
    RB_AUTO(rb_free_str) char *final = rb_format("%s/releases/%s", root, tag);
    RB_AUTO(rb_free_str) char *staging = rb_format("%s/releases/.staging-%s", root, run->plan->id);
    RB_AUTO(rb_free_str) char *old = rb_format("%s/releases/.old-%s", root, run->plan->id);
    RB_AUTO(rb_free_str) char *parent = rb_path_dir(final);
    RB_TRY(rb_dir_make(parent, err));
    RB_TRY(rb_dir_remove(staging, err));
    RB_TRY(rb_dir_make(staging, err));
    RB_TRY(fill_staging(run, staging, err));
    if (rb_file_exists(final)) {
        RB_TRY(rb_dir_remove(old, err));
        RB_TRY(rb_file_rename(final, old, err));
    }
    RB_TRY(rb_file_rename(staging, final, err));
    RB_TRY(rb_dir_remove(old, err));
    return rb_delivered_note(root, tag, err);
}

static enum rb_code undo_stage(const rb_undo *undo, rb_err *err)
{
    const char *root = undo->env->root;
    RB_AUTO(rb_free_str) char *final = rb_format("%s/releases/%s", root, undo->to);
    RB_AUTO(rb_free_str)
    char *staging = rb_format("%s/releases/.staging-%s", root, undo->transition);
    RB_AUTO(rb_free_str) char *old = rb_format("%s/releases/.old-%s", root, undo->transition);
    RB_AUTO(rb_free_str) char *listing = rb_format("%s/.rbtool/delivered/%s.json", root, undo->to);
    RB_TRY(rb_dir_remove(staging, err));
    if (rb_file_exists(old) && !rb_file_exists(final))
        RB_TRY(rb_file_rename(old, final, err));
    RB_TRY(rb_dir_remove(old, err));
    if (undo->staged_before)
        return RB_OK;
    RB_TRY(rb_dir_remove(listing, err));
    return rb_dir_remove(final, err);
}

static enum rb_code do_flags(rb_run *run, rb_err *err)
{
    const rb_env *env = run->request->env;
    const rb_release *to = run->request->to;
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    RB_TRY(rb_release_file(&text, to, run->request->repo, to->manifest->flags_path,
                           to->manifest->flags_sha256, err));
    RB_TRY(make_parent(env, env->flags, err));
    RB_TRY(keep_file(env, run->plan->id, "flags", env->flags, err));
    return rb_file_replace(env->flags, rb_buf_str(&text), text.len, err);
}

static const rb_manifest_file *find_config(const rb_manifest *manifest, const char *path)
{
    for (size_t i = 0; manifest && i < manifest->config_count; i++)
        if (strcmp(manifest->config[i].path, path) == 0)
            return &manifest->config[i];
    return NULL;
}

/* A file that TO lacks and FROM had goes; one that neither knows is not ours. */
static enum rb_code place_config(rb_run *run, size_t index, rb_err *err)
{
    const rb_plan_request *rq = run->request;
    const rb_env_pair *pair = &rq->env->config[index];
    const rb_manifest_file *there = find_config(rq->to->manifest, pair->name);
    if (!there && !find_config(rq->from ? rq->from->manifest : NULL, pair->name))
        return RB_OK;
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    if (there)
        RB_TRY(rb_release_file(&text, rq->to, rq->repo, there->path, there->sha256, err));
    RB_AUTO(rb_free_str) char *name = rb_format("config-%zu", index);
    RB_TRY(make_parent(rq->env, pair->value, err));
    RB_TRY(keep_file(rq->env, run->plan->id, name, pair->value, err));
    if (there)
        return rb_file_replace(pair->value, rb_buf_str(&text), text.len, err);
    if (unlink(pair->value) != 0 && errno != ENOENT)
        return rb_fail_errno(err, RB_ERROR, "cannot remove %s", pair->value);
    return RB_OK;
}

static enum rb_code do_config(rb_run *run, rb_err *err)
{
    for (size_t i = 0; i < run->request->env->config_count; i++)
        RB_TRY(place_config(run, i, err));
    return RB_OK;
}

static enum rb_code undo_config(const rb_undo *undo, rb_err *err)
{
    for (size_t i = undo->env->config_count; i > 0; i--) {
        RB_AUTO(rb_free_str) char *name = rb_format("config-%zu", i - 1);
        RB_TRY(
            restore_file(undo->env, undo->transition, name, undo->env->config[i - 1].value, err));
    }
    return RB_OK;
}

static enum rb_code do_switch(rb_run *run, rb_err *err)
{
    RB_AUTO(rb_free_str) char *link = rb_format("%s/current", run->request->env->root);
    RB_AUTO(rb_free_str) char *target = rb_format("releases/%s", run->request->to->tag);
    RB_TRY(rb_link_switch(link, target, err));
    if (run->plan->database_count == 0)
        run->past = true;
    return RB_OK;
}

static enum rb_code undo_switch(const rb_undo *undo, rb_err *err)
{
    RB_AUTO(rb_free_str) char *link = rb_format("%s/current", undo->env->root);
    if (undo->current_before)
        return rb_link_switch(link, undo->current_before, err);
    if (unlink(link) != 0 && errno != ENOENT)
        return rb_fail_errno(err, RB_ERROR, "cannot remove %s", link);
    return RB_OK;
}

static const char *from_tag(const rb_run *run)
{
    return run->request->from ? run->request->from->tag : NULL;
}

static enum rb_code do_checks(rb_run *run, rb_err *err)
{
    rb_checks_run(run->failures, run->request->env, from_tag(run), run->request->to->tag);
    if (json_array_size(run->failures) == 0)
        return RB_OK;
    return rb_fail(err, RB_FOUND, "%zu of %zu checks failed: %s", json_array_size(run->failures),
                   run->request->env->check_count,
                   rb_json_str(json_array_get(run->failures, 0), "message"));
}

enum rb_code rb_step_do(rb_run *run, enum rb_step_kind kind, rb_err *err)
{
    const rb_env *env = run->request->env;
    switch (kind) {
    case RB_DO_STAGE:
        return do_stage(run, err);
    case RB_DO_FLAGS:
        return do_flags(run, err);
    case RB_DO_STOP:
        return rb_command_run(env, &env->stop, RB_SERVICE_TIMEOUT, "stopping the service",
                              from_tag(run), run->request->to->tag, err);
    case RB_DO_DATABASE:
        for (size_t i = 0; i < run->plan->database_count; i++)
            if (run->plan->databases[i].create)
                RB_TRY(make_parent(env, run->plan->databases[i].url + strlen("sqlite:"), err));
        return rb_databases_run(run, err);
    case RB_DO_SWITCH:
        return do_switch(run, err);
    case RB_DO_CONFIG:
        return do_config(run, err);
    case RB_DO_COMMIT:
        return rb_databases_commit(run, err);
    case RB_DO_START:
        return rb_command_run(env, &env->start, RB_SERVICE_TIMEOUT, "starting the service",
                              from_tag(run), run->request->to->tag, err);
    case RB_DO_CHECKS:
        return do_checks(run, err);
    case RB_DO_RECORD:
    case RB_STEP_KINDS:
        break;
    }
    return RB_OK;
}

/* A database file that this transition made, and never committed to. */
static enum rb_code undo_database(const rb_undo *undo, rb_err *err)
{
    static const char *const suffixes[] = {"", "-journal", "-wal", "-shm"};
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)undo->creates, i,
                       item) for (size_t j = 0; j < sizeof suffixes / sizeof *suffixes; j++)
    {
        RB_AUTO(rb_free_str) char *path = rb_format("%s%s", json_string_value(item), suffixes[j]);
        if (unlink(path) != 0 && errno != ENOENT)
            return rb_fail_errno(err, RB_ERROR, "cannot remove %s", path);
    }
    return RB_OK;
}

enum rb_code rb_step_undo(const rb_undo *undo, enum rb_step_kind kind, rb_err *err)
{
    switch (kind) {
    case RB_DO_STAGE:
        return undo_stage(undo, err);
    case RB_DO_FLAGS:
        return undo->env->flags
                   ? restore_file(undo->env, undo->transition, "flags", undo->env->flags, err)
                   : RB_OK;
    case RB_DO_CONFIG:
        return undo_config(undo, err);
    case RB_DO_SWITCH:
        return undo_switch(undo, err);
    case RB_DO_STOP:
        return undo->env->start.n == 0
                   ? RB_OK
                   : rb_command_run(undo->env, &undo->env->start, RB_SERVICE_TIMEOUT,
                                    "starting the service again", undo->to,
                                    undo->from ? undo->from : "", err);
    case RB_DO_DATABASE:
        return undo_database(undo, err);
    case RB_DO_COMMIT:
    case RB_DO_START:
    case RB_DO_CHECKS:
    case RB_DO_RECORD:
    case RB_STEP_KINDS:
        break;
    }
    return RB_OK;
}
