#include "release/reconstruct.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "artifact/artifact.h"
#include "artifact/folder.h"
#include "base/file.h"
#include "base/parallel.h"
#include "git/tree.h"

struct rb_reconstruct {
    char *dir;
    char *beside; /* folder that contains staging, so that no other process uses its name */
    char *staging;
    rb_folder *folder;
};

/* Files to write besides artifacts. */
struct part {
    char *path;
    bool executable;
    rb_buf data;
};

struct parts {
    struct part *items;
    size_t n;
};

static void parts_clear(struct parts *parts)
{
    for (size_t i = 0; i < parts->n; i++) {
        free(parts->items[i].path);
        rb_buf_clear(&parts->items[i].data);
    }
    free(parts->items);
}

/* Adds a file; takes its data. Does nothing if the path was added before, because two sections of
 * the manifest may name one file. */
static enum rb_code add_part(struct parts *parts, const char *folder, const char *path,
                             bool executable, rb_buf *data, rb_err *err)
{
    if (!rb_path_is_safe(path, strlen(path))) {
        RB_AUTO(rb_free_str) char *safe = rb_safe(path);
        return rb_fail(err, RB_FOUND, "refused: the path %s is not safe to write", safe);
    }
    RB_AUTO(rb_free_str) char *full = rb_format("%s%s", folder, path);
    for (size_t i = parts->n; i > 0; i--)
        if (strcmp(parts->items[i - 1].path, full) == 0)
            return RB_OK;
    parts->items = rb_grow(parts->items, parts->n, sizeof *parts->items);
    parts->items[parts->n++] = (struct part){.path = full, .executable = executable, .data = *data};
    full = NULL;
    *data = (rb_buf){0};
    return RB_OK;
}

static enum rb_code add_script(struct parts *parts, const char *folder, rb_repo *repo,
                               const rb_release *release, const rb_script *script, rb_err *err)
{
    if (!script->present)
        return RB_OK;
    RB_AUTO(rb_buf_clear) rb_buf data = {0};
    RB_TRY(rb_tree_read(&data, repo, &release->tree, script->path, RB_SCRIPT_LIMIT, err));
    if (script->len > 0 && !memmem(rb_buf_str(&data), data.len, script->text, script->len)) {
        RB_AUTO(rb_free_str) char *safe = rb_safe(script->path);
        return rb_fail(err, RB_FOUND, "%s does not hold the script that was verified", safe);
    }
    return add_part(parts, folder, script->path, false, &data, err);
}

static enum rb_code add_migrations(struct parts *parts, rb_repo *repo, const rb_release *release,
                                   rb_err *err)
{
    const rb_manifest *manifest = release->manifest;
    for (size_t i = 0; i < manifest->database_count; i++) {
        const rb_manifest_database *database = &manifest->databases[i];
        RB_AUTO(rb_migrations_freep) rb_migrations *set = NULL;
        RB_TRY(rb_release_migrations(&set, release, repo, database, err));
        if (!rb_path_is_safe(database->name, strlen(database->name)) ||
            strchr(database->name, '/')) {
            RB_AUTO(rb_free_str) char *safe = rb_safe(database->name);
            return rb_fail(err, RB_FOUND, "refused: database %s cannot be a folder's name", safe);
        }
        RB_AUTO(rb_free_str) char *folder = rb_format("migrations/%s/", database->name);
        for (size_t j = 0; j < set->n; j++) {
            RB_TRY(add_script(parts, folder, repo, release, &set->items[j].up, err));
            RB_TRY(add_script(parts, folder, repo, release, &set->items[j].down, err));
        }
    }
    return RB_OK;
}

static enum rb_code add_files(struct parts *parts, const char *folder, rb_repo *repo,
                              const rb_release *release, const rb_manifest_file *files,
                              size_t count, rb_err *err)
{
    for (size_t i = 0; i < count; i++) {
        RB_AUTO(rb_buf_clear) rb_buf data = {0};
        RB_TRY(rb_release_file(&data, release, repo, files[i].path, files[i].sha256, err));
        RB_TRY(add_part(parts, folder, files[i].path, strcmp(files[i].mode, "100755") == 0, &data,
                        err));
    }
    return RB_OK;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct part *)a)->path, ((const struct part *)b)->path);
}

static enum rb_code gather(struct parts *parts, rb_repo *repo, const rb_release *release,
                           rb_err *err)
{
    const rb_manifest *m = release->manifest;
    RB_AUTO(rb_buf_clear) rb_buf data = {0};
    RB_TRY(add_migrations(parts, repo, release, err));
    if (m->flags_path) {
        RB_TRY(rb_release_file(&data, release, repo, m->flags_path, m->flags_sha256, err));
        RB_TRY(add_part(parts, "flags/", m->flags_path, false, &data, err));
    }
    RB_TRY(add_files(parts, "config/", repo, release, m->config, m->config_count, err));
    RB_TRY(add_files(parts, "checks/", repo, release, m->checks, m->check_count, err));
    RB_AUTO(rb_json_freep) json_t *encoded = rb_manifest_encode(m);
    rb_json_pretty(&data, encoded);
    RB_TRY(add_part(parts, "", "manifest.json", false, &data, err));
    if (parts->n > 1)
        qsort(parts->items, parts->n, sizeof *parts->items, by_path);
    return RB_OK;
}

static enum rb_code write_parts(rb_reconstruct *work, const struct parts *parts, rb_err *err)
{
    rb_tree_entries entries = {.items = rb_calloc(parts->n, sizeof *entries.items), .n = parts->n};
    for (size_t i = 0; i < parts->n; i++)
        entries.items[i] = (rb_tree_entry){.path = parts->items[i].path, .mode = RB_MODE_FILE};
    enum rb_code code = rb_folder_make(&work->folder, work->staging, &entries, err);
    free(entries.items);
    for (size_t i = 0; i < parts->n && code == RB_OK; i++) {
        const struct part *part = &parts->items[i];
        int fd = -1;
        code = rb_folder_create(&fd, work->folder, part->path, part->executable, err);
        if (code == RB_OK)
            code = rb_folder_write(fd, part->path, rb_buf_str(&part->data), part->data.len, err);
        if (fd >= 0 && close(fd) != 0 && code == RB_OK)
            code = rb_fail_errno(err, RB_ERROR, "cannot write %s", part->path);
    }
    return code;
}

static bool same_list(const rb_strs *a, const rb_strs *b)
{
    bool same = a->n == b->n;
    for (size_t i = 0; same && i < a->n; i++)
        same = strcmp(a->items[i], b->items[i]) == 0;
    return same;
}

static enum rb_code compare(const rb_artifact *found, const rb_manifest_artifact *expected,
                            const char *tag, rb_err *err)
{
    const char *field = NULL;
    const char *want = "";
    const char *have = "";
    if (strcmp(found->tree, expected->tree) != 0) {
        field = "tree";
        want = expected->tree;
        have = found->tree;
    } else if (strcmp(found->digest, expected->digest) != 0) {
        field = "digest";
        want = expected->digest;
        have = found->digest;
    }
    if (field)
        return rb_fail(err, RB_FOUND,
                       "artifact %s of %s does not verify: its %s should be %s and is %s",
                       expected->name, tag, field, want, have);
    if (found->files != expected->files || found->bytes != expected->bytes)
        return rb_fail(err, RB_FOUND,
                       "artifact %s of %s does not verify: it should have %llu files of %llu bytes "
                       "and has %llu of %llu",
                       expected->name, tag, (unsigned long long)expected->files,
                       (unsigned long long)expected->bytes, (unsigned long long)found->files,
                       (unsigned long long)found->bytes);
    if (!same_list(&found->submodules, &expected->submodules))
        return rb_fail(err, RB_FOUND,
                       "artifact %s of %s does not verify: its submodules are not those of the "
                       "manifest",
                       expected->name, tag);
    return RB_OK;
}

static enum rb_code write_artifact(json_t *list, const char *dir, rb_repo *repo,
                                   const rb_release *release, const rb_manifest_artifact *expected,
                                   rb_err *err)
{
    RB_AUTO(rb_artifact_clear) rb_artifact found = {0};
    const rb_artifact_spec spec = {expected->name, &expected->paths, expected->format,
                                   expected->tree};
    RB_TRY(rb_artifact_write(&found, repo, &release->tree, &spec, dir, rb_parallel_threads(), err));
    RB_TRY(compare(&found, expected, release->tag, err));
    bool folder = strcmp(expected->format, "dir") == 0;
    RB_AUTO(rb_free_str)
    char *path = rb_format("artifacts/%s%s%s", expected->name, folder ? "" : ".",
                           folder ? "" : expected->format);
    json_t *item = json_object();
    rb_json_set_str(item, "name", expected->name);
    rb_json_set_str(item, "tree", found.tree);
    rb_json_set_str(item, "digest", found.digest);
    json_object_set_new(item, "files", json_integer((json_int_t)found.files));
    json_object_set_new(item, "bytes", json_integer((json_int_t)found.bytes));
    rb_json_set_str(item, "path", path);
    json_array_append_new(list, item);
    return RB_OK;
}

enum rb_code rb_reconstruct_begin(rb_reconstruct **out, const char *dir, rb_err *err)
{
    RB_AUTO(rb_reconstruct_freep) rb_reconstruct *work = rb_calloc(1, sizeof *work);
    size_t len = strlen(dir);
    while (len > 1 && dir[len - 1] == '/')
        len--;
    work->dir = rb_strndup(dir, len);
    RB_AUTO(rb_strs_clear) rb_strs names = {0};
    RB_TRY(rb_dir_list(&names, work->dir, err));
    if (names.n > 0)
        return rb_fail(err, RB_ERROR, "%s is not empty\nname a folder that is new or empty", dir);
    RB_AUTO(rb_free_str) char *above = rb_path_dir(work->dir);
    RB_TRY(rb_dir_make(above, err));
    work->beside = rb_format("%s.rbtool-XXXXXX", work->dir);
    if (!mkdtemp(work->beside)) {
        free(work->beside);
        work->beside = NULL;
        return rb_fail_errno(err, RB_ERROR, "cannot create a folder beside %s", dir);
    }
    work->staging = rb_path_join(work->beside, "bundle");
    *out = RB_TAKE(work);
    return RB_OK;
}

void rb_reconstruct_free(rb_reconstruct *work)
{
    if (!work)
        return;
    rb_folder_close(work->folder);
    if (work->beside && rb_dir_remove(work->beside, RB_IGNORED) != RB_OK)
        rmdir(work->beside);
    free(work->beside);
    free(work->staging);
    free(work->dir);
    free(work);
}

enum rb_code rb_reconstruct_release(json_t **document, rb_reconstruct *work,
                                    const rb_release *release, rb_repo *repo, rb_err *err)
{
    const rb_manifest *manifest = release->manifest;
    RB_AUTO(parts_clear) struct parts parts = {0};
    RB_TRY(gather(&parts, repo, release, err));
    RB_TRY(write_parts(work, &parts, err));
    RB_AUTO(rb_free_str) char *dir = rb_path_join(work->staging, "artifacts");
    RB_TRY(rb_dir_make(dir, err));
    RB_AUTO(rb_json_freep) json_t *artifacts = json_array();
    for (size_t i = 0; i < manifest->artifact_count; i++)
        RB_TRY(write_artifact(artifacts, dir, repo, release, &manifest->artifacts[i], err));
    RB_AUTO(rb_strs_clear) rb_strs files = {0};
    for (size_t i = 0; i < parts.n; i++)
        rb_strs_add(&files, parts.items[i].path);
    *document = json_object();
    rb_json_set_str(*document, "tag", release->tag);
    json_object_set(*document, "artifacts", artifacts);
    json_object_set_new(*document, "files", rb_json_strs(&files));
    return RB_OK;
}

const char *rb_reconstruct_path(const rb_reconstruct *work)
{
    return work->staging;
}

enum rb_code rb_reconstruct_finish(rb_reconstruct *work, rb_err *err)
{
    RB_TRY(rb_folder_sync(work->folder, err));
    if (rename(work->staging, work->dir) != 0) {
        if (errno == ENOTEMPTY || errno == EEXIST)
            return rb_fail(err, RB_ERROR, "%s was filled by someone else meanwhile", work->dir);
        return rb_fail_errno(err, RB_ERROR, "cannot rename the bundle to %s", work->dir);
    }
    RB_AUTO(rb_free_str) char *above = rb_path_dir(work->dir);
    return rb_dir_sync(above, err);
}
