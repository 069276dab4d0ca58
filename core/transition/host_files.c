#include "transition/host_files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/staged.h"
#include "base/text.h"
#include "environment/drift.h"
#include "environment/observe.h"
#include "transition/host_file_backup.h"
#include "transition/parts.h"

/* Adds a file to the plan, which gets copies of its strings. Ignores a path at which neither
 * release has a file. */
static void add(rb_plan *plan, rb_host_file file)
{
    if (!file.had && !file.brings)
        return;
    char **const texts[] = {&file.path, &file.had, &file.held, &file.brings, &file.source};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        *texts[i] = rb_strdup(*texts[i]);
    plan->files = rb_realloc(plan->files, plan->file_count + 1, sizeof *plan->files);
    plan->files[plan->file_count++] = file;
}

static const rb_manifest *from_of(const rb_plan_request *rq, enum rb_part part)
{
    const rb_release *release = rq->unused[part] ? NULL : rb_parts_from(rq, part);
    return release ? release->manifest : NULL;
}

void rb_host_files_find(rb_plan *plan, const rb_plan_request *rq)
{
    const rb_env *env = rq->env;
    const rb_manifest *to = rq->to->manifest;
    const rb_manifest *from = from_of(rq, RB_PART_FLAGS);
    if (plan->parts[RB_PART_FLAGS] && env->flags)
        add(plan,
            (rb_host_file){.part = RB_PART_FLAGS,
                           .path = env->flags,
                           .had = from && from->flags_path ? (char *)from->flags_sha256 : NULL,
                           .held = from ? from->flags_path : NULL,
                           .brings = to->flags_path ? (char *)to->flags_sha256 : NULL,
                           .source = to->flags_path,
                           .fresh = 0644});
    from = from_of(rq, RB_PART_CONFIG);
    for (size_t i = 0; plan->parts[RB_PART_CONFIG] && i < env->config_count; i++) {
        const rb_manifest_file *had =
            from ? rb_manifest_config_find(from, env->config[i].name) : NULL;
        const rb_manifest_file *brings = rb_manifest_config_find(to, env->config[i].name);
        add(plan, (rb_host_file){.part = RB_PART_CONFIG,
                                 .path = env->config[i].value,
                                 .had = had ? (char *)had->sha256 : NULL,
                                 .held = had ? had->path : NULL,
                                 .brings = brings ? (char *)brings->sha256 : NULL,
                                 .source = brings ? brings->path : NULL,
                                 .fresh = 0600,
                                 .mode = env->config[i].mode});
    }
}

/* Checks that no other user owns a symlink on the way to a path, as far as it exists. */
static enum rb_code look_at_way(const char *path, rb_err *err)
{
    RB_AUTO(rb_free_str) char *standing = rb_strdup(path);
    RB_AUTO(rb_free_str) char *above = rb_path_dir(path);
    RB_AUTO(rb_free_str) char *name = NULL;
    RB_AUTO(rb_close) int dir = -1;
    while (!rb_file_exists(above)) {
        free(standing);
        standing = above;
        above = rb_path_dir(standing);
    }
    return rb_file_folder(&dir, &name, standing, true, err);
}

enum rb_code rb_host_files_observe(rb_plan *plan, json_t *taken, const rb_plan_request *rq,
                                   enum rb_part part, rb_err *err)
{
    for (size_t i = 0; i < plan->file_count; i++) {
        const rb_host_file *place = &plan->files[i];
        if (place->part != part)
            continue;
        char found[RB_SHA256_HEX];
        RB_TRY(look_at_way(place->path, err));
        if (!place->had && access(place->path, F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR))
            continue;
        RB_TRY(rb_observe_file(found, place->path, err));
        /* The operator's own file was restored and has not changed since: a copy exists already. */
        if (rq->from && !place->had &&
            rb_host_backup_own_restored(rq->env->root, rb_part_name(part), place->path, found))
            continue;
        if (strcmp(found, place->had ? place->had : place->brings) == 0)
            continue;
        rb_drift_add(rq->from ? plan->drift : taken, rb_part_name(part),
                     place->had ? place->had : RB_DRIFT_NO_FILE, found, "%s", place->path);
        if (rq->from && place->had)
            rb_drift_compare(plan->drift,
                             &(rb_drift_file){rb_parts_from(rq, part), rq->session->repo,
                                              place->held, place->had, place->path,
                                              part == RB_PART_FLAGS});
    }
    return RB_OK;
}

char *rb_host_files_describe(const rb_plan *plan, const rb_plan_request *rq, enum rb_part part)
{
    const char *to = rq->to->tag;
    rb_buf out = {0};
    size_t counts[3] = {0}; /* number of files written, removed, restored */
    for (size_t i = 0; i < plan->file_count; i++) {
        const rb_host_file *file = &plan->files[i];
        if (file->part != part)
            continue;
        bool restored =
            !file->brings && rb_host_backup_has_own(rq->env->root, rb_part_name(part), file->path);
        counts[file->brings ? 0 : restored ? 2 : 1]++;
        if (part == RB_PART_FLAGS)
            return file->brings ? rb_format("write the flags of %s to %s", to, file->path)
                                : rb_format("%s the flag file %s%s, since %s has none",
                                            restored ? "restore" : "remove", file->path,
                                            restored ? " that existed before" : "", to);
    }
    if (counts[0] > 0)
        rb_buf_printf(&out, "write %zu config file%s of %s", counts[0], rb_text_s(counts[0]), to);
    if (counts[1] > 0)
        rb_buf_printf(&out, "%sremove %zu config file%s that %s does not have", out.len ? ", " : "",
                      counts[1], rb_text_s(counts[1]), to);
    if (counts[2] > 0)
        rb_buf_printf(&out, "%srestore %zu config file%s from before the first release",
                      out.len ? ", " : "", counts[2], rb_text_s(counts[2]));
    return rb_buf_detach(&out);
}

enum rb_code rb_host_file_folder(const rb_env *env, const char *path, rb_err *err)
{
    RB_AUTO(rb_free_str) char *dir = rb_path_dir(path);
    const char *below = rb_text_below(dir, env->root);
    if (rb_file_exists(dir))
        return RB_OK;
    if (!below || !*below)
        return rb_fail(err, RB_ERROR, "cannot write %s: its folder does not exist\nmake it first",
                       path);
    RB_TRY(look_at_way(path, err));
    return rb_dir_make(dir, err);
}

static rb_file_access access_of(const rb_host_file *place)
{
    return (rb_file_access){.fresh = (mode_t)place->fresh,
                            .fixed = (mode_t)place->mode,
                            .user = geteuid(),
                            .group = getegid()};
}

/* Writes the new content beside the file, so that only a rename is left. A deploy writes flags when
 * its databases are committed already. */
static enum rb_code stage(const rb_run *run, const rb_host_file *place, rb_err *err)
{
    const rb_plan_request *rq = run->request;
    const char *part = rb_part_name(place->part);
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    if (rq->again != RB_AGAIN_NOT)
        return RB_OK;
    if (place->brings) {
        RB_TRY(
            rb_release_file(&text, rq->to, rq->session->repo, place->source, place->brings, err));
        RB_TRY(rb_host_file_folder(rq->env, place->path, err));
        const rb_file_access access = access_of(place);
        RB_TRY(rb_file_stage(place->path, rb_buf_str(&text), text.len, &access, err));
    } else if (rb_host_backup_has_own(rq->env->root, part, place->path)) {
        RB_TRY(rb_host_file_folder(rq->env, place->path, err));
        RB_TRY(rb_host_backup_stage_own(rq->env->root, part, place->path, err));
    }
    return rb_host_backup_save(rq->env->root, run->plan->id, part, place->path, err);
}

enum rb_code rb_host_files_keep(const rb_run *run, rb_err *err)
{
    const char *root = run->request->env->root;
    for (size_t i = 0; i < run->plan->file_count; i++) {
        const rb_host_file *file = &run->plan->files[i];
        const char *part = rb_part_name(file->part);
        RB_TRY(look_at_way(file->path, err));
        if (!file->had) {
            RB_TRY(rb_host_backup_save(root, run->plan->id, part, file->path, err));
            RB_TRY(rb_host_backup_own(root, run->plan->id, part, file->path, err));
        }
        RB_TRY(stage(run, file, err));
    }
    return RB_OK;
}

void rb_host_files_unstage(const rb_env *env)
{
    if (env->flags)
        rb_file_unstage(env->flags);
    for (size_t i = 0; i < env->config_count; i++)
        rb_file_unstage(env->config[i].value);
}

/* Writes a file, or removes it. If TO has no file there, restores the operator's own one. */
static enum rb_code fill(const rb_run *run, const rb_host_file *place, rb_err *err)
{
    const rb_plan_request *rq = run->request;
    const char *root = rq->env->root;
    const char *name = rb_part_name(place->part);
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    const rb_file_access access = access_of(place);
    if (place->brings) {
        RB_TRY(
            rb_release_file(&text, rq->to, rq->session->repo, place->source, place->brings, err));
        RB_TRY(rb_host_file_folder(rq->env, place->path, err));
    }
    RB_TRY(rb_host_backup_save(root, run->plan->id, name, place->path, err));
    if (place->brings)
        return rb_file_put_staged(place->path, rb_buf_str(&text), text.len, &access, err);
    if (rb_host_backup_has_own(root, name, place->path))
        return rb_host_backup_restore_own(root, name, place->path, err);
    return rb_file_remove(place->path, err);
}

enum rb_code rb_host_files_fill(const rb_run *run, enum rb_part part, rb_err *err)
{
    for (size_t i = 0; i < run->plan->file_count; i++)
        if (run->plan->files[i].part == part)
            RB_TRY(fill(run, &run->plan->files[i], err));
    return RB_OK;
}

static bool lists(const json_t *list, const char *part, const char *path)
{
    RB_AUTO(rb_free_str) char *safe = rb_safe(path);
    rb_json_each (item, list)
        if (strcmp(rb_json_str(item, "part"), part) == 0 &&
            strcmp(rb_json_str(item, "path"), safe) == 0)
            return true;
    return false;
}

/* Lists the copies of files. The last item is the folder of a release that was repaired. */
json_t *rb_host_files_kept(const rb_run *run)
{
    const char *root = run->request->env->root;
    json_t *list = json_array();
    for (size_t i = 0; i < run->plan->file_count; i++) {
        const char *name = rb_part_name(run->plan->files[i].part);
        const char *path = run->plan->files[i].path;
        RB_AUTO(rb_free_str) char *copy = rb_host_backup_path(root, run->plan->id, name, path);
        if ((lists(json_object_get(run->plan->json, "drift"), name, path) ||
             lists(json_object_get(run->plan->json, "takenOver"), name, path)) &&
            rb_file_exists(copy))
            json_array_append_new(list, rb_json_make("path:t copy:t", path, copy));
    }
    RB_AUTO(rb_free_str) char *app = rb_host_backup_app(run->request->env->root, run->plan->id);
    RB_AUTO(rb_free_str) char *path = rb_format("releases/%s", run->request->to->tag);
    if (rb_file_exists(app))
        json_array_append_new(list, rb_json_make("path:s copy:s", path, app));
    return list;
}
