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
#include "transition/kept.h"

#define THREADS 2

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
        const rb_artifact_spec spec = {a->name, &a->paths, a->format, a->tree};
        RB_AUTO(rb_artifact_clear) rb_artifact made = {0};
        RB_TRY(
            rb_artifact_write(&made, run->request->repo, &to->tree, &spec, staging, THREADS, err));
        RB_TRY(verify_artifact(&made, a, to->tag, err));
    }
    return RB_OK;
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
        if (rename(final, old) != 0) /* synced with the next */
            return rb_fail_errno(err, RB_ERROR, "cannot rename %s to %s", final, old);
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

/* What was there is kept, then text takes its place; NULL: nothing does. */
static enum rb_code place_file(const rb_run *run, const char *part, const char *path,
                               const rb_buf *text, rb_err *err)
{
    const rb_env *env = run->request->env;
    if (text)
        RB_TRY(make_parent(env, path, err));
    RB_TRY(rb_kept_save(env->root, run->plan->id, part, path, err));
    if (text)
        return rb_file_replace(path, rb_buf_str(text), text->len, err);
    if (unlink(path) != 0 && errno != ENOENT)
        return rb_fail_errno(err, RB_ERROR, "cannot remove %s", path);
    return RB_OK;
}

/* A release without flags, after one with them, has no flag file. A file that a resumed plan has
 * and the settings no longer name is not ours any more. */
static enum rb_code do_flags(rb_run *run, rb_err *err)
{
    const rb_release *to = run->request->to;
    const char *path = run->request->env->flags;
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    if (!path)
        return RB_OK;
    if (!to->manifest->flags_path)
        return place_file(run, "flags", path, NULL, err);
    RB_TRY(rb_release_file(&text, to, run->request->repo, to->manifest->flags_path,
                           to->manifest->flags_sha256, err));
    return place_file(run, "flags", path, &text, err);
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
    return place_file(run, "config", pair->value, there ? &text : NULL, err);
}

static enum rb_code do_config(rb_run *run, rb_err *err)
{
    for (size_t i = 0; i < run->request->env->config_count; i++)
        RB_TRY(place_config(run, i, err));
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
    RB_AUTO(rb_free_str) char *found = NULL;
    RB_TRY(rb_link_read(&found, link, err));
    if (found && undo->current_before && strcmp(found, undo->current_before) == 0)
        return RB_OK;
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

/* A command that a resumed plan has and the settings no longer do is no command. */
static enum rb_code do_stop(rb_run *run, rb_err *err)
{
    const rb_env *env = run->request->env;
    return env->stop.n == 0
               ? RB_OK
               : rb_command_run(env, &env->stop, RB_SERVICE_TIMEOUT, "stopping the service",
                                from_tag(run), run->request->to->tag, err);
}

/* A service that cannot be started is found wanting, as one whose checks fail. */
static enum rb_code do_start(rb_run *run, rb_err *err)
{
    const rb_env *env = run->request->env;
    if (env->start.n == 0)
        return RB_OK;
    enum rb_code code = rb_command_run(env, &env->start, RB_SERVICE_TIMEOUT, "starting the service",
                                       from_tag(run), run->request->to->tag, err);
    if (code != RB_OK)
        err->code = RB_FOUND;
    return code == RB_OK ? RB_OK : RB_FOUND;
}

static enum rb_code undo_stop(const rb_undo *undo, rb_err *err)
{
    const rb_strs *start = &undo->env->start;
    if (start->n == 0)
        return RB_OK;
    enum rb_code code =
        rb_command_run(undo->env, start, RB_SERVICE_TIMEOUT, "starting the service again", undo->to,
                       undo->from ? undo->from : "", err);
    /* Before the first release there may be nothing that can be started. */
    return undo->from ? code : RB_OK;
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
        return do_stop(run, err);
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
        return do_start(run, err);
    case RB_DO_CHECKS:
        return do_checks(run, err);
    case RB_DO_RECORD:
    case RB_STEP_KINDS:
        break;
    }
    return RB_OK;
}

/* Whether there is nothing in the file but what an unfinished transaction left. */
static enum rb_code is_unused(bool *out, const char *path, rb_err *err)
{
    RB_AUTO(rb_free_str) char *url = rb_format("sqlite:%s", path);
    RB_AUTO(rb_db_closep) rb_db *db = NULL;
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    *out = !rb_file_exists(path);
    if (*out)
        return RB_OK;
    RB_TRY(rb_db_open(&db, url, RB_DB_WRITE, err));
    RB_TRY(rb_db_query(&rows, db, "SELECT 1 FROM sqlite_schema LIMIT 1", NULL, err));
    *out = json_array_size(rows) == 0;
    return RB_OK;
}

/* A database file that this transition made, and never committed to. Somebody else may have used
 * it since. */
static enum rb_code undo_database(const rb_undo *undo, rb_err *err)
{
    static const char *const suffixes[] = {"", "-journal", "-wal", "-shm"};
    for (size_t i = 0; i < undo->creates.n; i++) {
        bool unused;
        RB_TRY(is_unused(&unused, undo->creates.items[i], err));
        for (size_t j = 0; unused && j < sizeof suffixes / sizeof *suffixes; j++) {
            RB_AUTO(rb_free_str)
            char *path = rb_format("%s%s", undo->creates.items[i], suffixes[j]);
            if (unlink(path) != 0 && errno != ENOENT)
                return rb_fail_errno(err, RB_ERROR, "cannot remove %s", path);
        }
    }
    return RB_OK;
}

enum rb_code rb_step_undo(const rb_undo *undo, enum rb_step_kind kind, rb_err *err)
{
    switch (kind) {
    case RB_DO_STAGE:
        return undo_stage(undo, err);
    case RB_DO_FLAGS:
        return rb_kept_restore(undo->env->root, undo->transition, "flags", err);
    case RB_DO_CONFIG:
        return rb_kept_restore(undo->env->root, undo->transition, "config", err);
    case RB_DO_SWITCH:
        return undo_switch(undo, err);
    case RB_DO_STOP:
        return undo_stop(undo, err);
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
