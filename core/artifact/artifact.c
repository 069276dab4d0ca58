#include "artifact/artifact.h"

#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "artifact/archive.h"
#include "artifact/folder.h"
#include "artifact/lfs.h"
#include "artifact/tar.h"
#include "base/file.h"
#include "git/blobs.h"
#include "git/treeid.h"

struct making {
    rb_artifact *out;
    rb_repo *repo;
    rb_tree_entries entries;
    rb_lfs *lfs;
    rb_sha256 *digest;
    rb_folder *folder;   /* NULL: files are not written */
    rb_archive *archive; /* NULL: no archive is written */
};

struct file {
    int fd;
    const char *path;
};

static void making_clear(struct making *making)
{
    rb_tree_entries_clear(&making->entries);
    rb_lfs_free(making->lfs);
    rb_sha256_free(making->digest);
    rb_folder_close(making->folder);
    rb_archive_close(making->archive);
}

void rb_artifact_clear(rb_artifact *artifact)
{
    rb_strs_clear(&artifact->submodules);
    *artifact = (rb_artifact){0};
}

bool rb_artifact_format_known(const char *format)
{
    return strcmp(format, "dir") == 0 || rb_archive_format_known(format);
}

/* Returns the target of a symlink as a string; refuses one that no file system could store. */
static enum rb_code link_target(char **out, const rb_blob *blob, rb_err *err)
{
    RB_AUTO(rb_free_str) char *safe = rb_safe(blob->entry->path);
    if (blob->len == 0 || blob->len >= PATH_MAX || memchr(blob->data, '\0', blob->len))
        return rb_fail(err, RB_FOUND,
                       "cannot rebuild symlink %s: its target is empty, longer than %d bytes, or "
                       "holds a NUL byte",
                       safe, PATH_MAX - 1);
    *out = rb_strndup(blob->data, blob->len);
    return RB_OK;
}

static enum rb_code write_piece(void *context, const void *data, size_t len, rb_err *err)
{
    const struct file *file = context;
    return rb_folder_write(file->fd, file->path, data, len, err);
}

static enum rb_code write_file(struct making *making, const rb_blob *blob, rb_err *err)
{
    struct file file = {.fd = -1, .path = blob->entry->path};
    rb_lfs_pointer pointer;
    bool lfs = false;
    RB_TRY(rb_lfs_is(&lfs, &pointer, making->lfs, file.path, blob->data, blob->len, err));
    RB_TRY(rb_folder_create(&file.fd, making->folder, file.path, blob->entry->mode == RB_MODE_EXEC,
                            err));
    enum rb_code code =
        lfs ? rb_lfs_content(making->lfs, &pointer, file.path, write_piece, &file, err)
            : write_piece(&file, blob->data, blob->len, err);
    if (close(file.fd) != 0 && code == RB_OK)
        code = rb_fail_errno(err, RB_ERROR, "cannot write %s", file.path);
    return code;
}

/* Writes a file to disk; called in parallel. */
static enum rb_code on_each(void *context, const rb_blob *blob, rb_err *err)
{
    struct making *making = context;
    if (blob->entry->mode != RB_MODE_LINK)
        return write_file(making, blob, err);
    RB_AUTO(rb_free_str) char *target = NULL;
    RB_TRY(link_target(&target, blob, err));
    return rb_folder_link(making->folder, blob->entry->path, target, err);
}

static enum rb_code add_content(void *context, const void *data, size_t len, rb_err *err)
{
    struct making *making = context;
    rb_sha256_add(making->digest, data, len);
    making->out->bytes += len;
    return making->archive ? rb_archive_data(making->archive, data, len, err) : RB_OK;
}

static enum rb_code add_tar(struct making *making, const void *data, size_t len, rb_err *err)
{
    rb_sha256_add(making->digest, data, len);
    return making->archive ? rb_archive_tar(making->archive, data, len, err) : RB_OK;
}

static enum rb_code add_entry(struct making *making, const rb_tar_entry *entry, rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf head = {0};
    rb_tar_head(&head, entry);
    rb_sha256_add(making->digest, head.data, head.len);
    making->out->files++;
    return making->archive ? rb_archive_entry(making->archive, entry, &head, err) : RB_OK;
}

static const char zeros[2 * RB_TAR_BLOCK];

/* Writes an entry of the tar; called in order. */
static enum rb_code on_next(void *context, const rb_blob *blob, rb_err *err)
{
    struct making *making = context;
    rb_tar_entry entry = {.path = blob->entry->path, .mode = blob->entry->mode, .size = blob->len};
    if (entry.mode == RB_MODE_LINK) {
        RB_AUTO(rb_free_str) char *target = NULL;
        RB_TRY(link_target(&target, blob, err));
        entry.size = 0;
        entry.target = target;
        making->out->bytes += blob->len;
        return add_entry(making, &entry, err);
    }
    rb_lfs_pointer pointer;
    bool lfs = false;
    RB_TRY(rb_lfs_is(&lfs, &pointer, making->lfs, entry.path, blob->data, blob->len, err));
    if (lfs)
        entry.size = pointer.size;
    RB_TRY(add_entry(making, &entry, err));
    RB_TRY(lfs ? rb_lfs_content(making->lfs, &pointer, entry.path, add_content, making, err)
               : add_content(making, blob->data, blob->len, err));
    return add_tar(making, zeros, rb_tar_padding(entry.size), err);
}

static enum rb_code check_paths(const rb_tree_entries *entries, rb_err *err)
{
    for (size_t i = 0; i < entries->n; i++) {
        const char *path = entries->items[i].path;
        if (rb_path_is_safe(path, strlen(path)))
            continue;
        RB_AUTO(rb_free_str) char *safe = rb_safe(path);
        return rb_fail(err, RB_FOUND,
                       "refused: the path %s is not safe to write (.., .git, or an empty part)",
                       safe);
    }
    return RB_OK;
}

static enum rb_code prepare(struct making *making, const rb_oid *tree, const rb_artifact_spec *spec,
                            rb_err *err)
{
    RB_TRY(rb_tree_list(&making->entries, making->repo, tree, spec->paths, err));
    RB_TRY(check_paths(&making->entries, err));
    making->lfs = rb_lfs_new(making->repo, tree);
    making->digest = rb_sha256_new();
    return RB_OK;
}

/* Called if the tree id differs although blobs were read unchecked. If an object is corrupt,
 * reports that instead. */
static enum rb_code look_for_corrupt(const struct making *making, int threads, enum rb_code code,
                                     rb_err *err)
{
    unsigned char(*ids)[RB_SHA256_SIZE] = rb_calloc(making->entries.n + 1, sizeof *ids);
    rb_blobs job = {.repo = making->repo, .entries = &making->entries, .threads = threads};
    rb_err why;
    enum rb_code found = rb_blobs_read(ids, &job, &why);
    free(ids);
    if (found == RB_OK)
        return code;
    *err = why;
    return found;
}

static void end(struct making *making, const unsigned char (*ids)[RB_SHA256_SIZE])
{
    rb_artifact *out = making->out;
    unsigned char digest[RB_SHA256_SIZE];
    rb_treeid id = {0};
    rb_treeid_from_blobs(&id, &making->entries, ids);
    memcpy(out->tree, id.hex, sizeof out->tree);
    out->submodules = id.submodules;
    rb_sha256_end(making->digest, digest);
    rb_hex_encode(digest, sizeof digest, out->digest);
}

static enum rb_code run(struct making *making, const char *expected, int threads, rb_err *err)
{
    rb_blobs job = {.repo = making->repo,
                    .entries = &making->entries,
                    .threads = threads,
                    .unchecked = expected != NULL,
                    .sparing = making->archive != NULL,
                    .each = making->folder ? on_each : NULL,
                    .next = on_next,
                    .context = making};
    unsigned char(*ids)[RB_SHA256_SIZE] = rb_calloc(making->entries.n + 1, sizeof *ids);
    enum rb_code code = rb_blobs_read(ids, &job, err);
    if (code == RB_OK)
        code = add_tar(making, zeros, sizeof zeros, err);
    if (code == RB_OK)
        end(making, (const unsigned char(*)[RB_SHA256_SIZE])ids);
    free(ids);
    if (expected && (code != RB_OK || strcmp(making->out->tree, expected) != 0))
        code = look_for_corrupt(making, threads, code, err);
    return code;
}

enum rb_code rb_artifact_hash(rb_artifact *out, rb_repo *repo, const rb_oid *tree,
                              const rb_artifact_spec *spec, int threads, rb_err *err)
{
    RB_AUTO(rb_artifact_clear) rb_artifact artifact = {0};
    RB_AUTO(making_clear) struct making making = {.out = &artifact, .repo = repo};
    RB_TRY(prepare(&making, tree, spec, err));
    RB_TRY(run(&making, spec->expected, threads, err));
    rb_artifact_clear(out);
    *out = artifact;
    artifact = (rb_artifact){0};
    return RB_OK;
}

static enum rb_code write_to(struct making *making, const char *path, const rb_artifact_spec *spec,
                             int threads, rb_err *err)
{
    bool folder = strcmp(spec->format, "dir") == 0;
    if (folder)
        RB_TRY(rb_folder_make(&making->folder, path, &making->entries, err));
    else
        RB_TRY(rb_archive_create(&making->archive, path, spec->format, err));
    RB_TRY(run(making, spec->expected, threads, err));
    return folder ? rb_folder_sync(making->folder, err) : rb_archive_finish(making->archive, err);
}

enum rb_code rb_artifact_write(rb_artifact *out, rb_repo *repo, const rb_oid *tree,
                               const rb_artifact_spec *spec, const char *dir, int threads,
                               rb_err *err)
{
    RB_AUTO(rb_artifact_clear) rb_artifact artifact = {0};
    RB_AUTO(making_clear) struct making making = {.out = &artifact, .repo = repo};
    if (!rb_artifact_format_known(spec->format) || strchr(spec->name, '/') ||
        !rb_path_is_safe(spec->name, strlen(spec->name))) {
        RB_AUTO(rb_free_str) char *name = rb_safe(spec->name);
        RB_AUTO(rb_free_str) char *format = rb_safe(spec->format);
        return rb_fail(err, RB_FOUND,
                       "cannot write artifact %s as %s: its name is not a plain file name, or the "
                       "format is not dir, tar, tar.gz, tar.zst or zip",
                       name, format);
    }
    bool folder = strcmp(spec->format, "dir") == 0;
    RB_AUTO(rb_free_str) char *base = rb_path_join(dir, spec->name);
    RB_AUTO(rb_free_str)
    char *path = folder ? rb_strdup(base) : rb_format("%s.%s", base, spec->format);
    if (rb_file_exists(path))
        return rb_fail(err, RB_ERROR, "cannot write %s: it is there already", path);
    RB_TRY(prepare(&making, tree, spec, err));
    enum rb_code code = write_to(&making, path, spec, threads, err);
    if (code != RB_OK) {
        if (rb_dir_remove(path, RB_IGNORED) != RB_OK)
            (void)rb_err_prefix(err, "%s could not be removed", path);
        return code;
    }
    rb_artifact_clear(out);
    *out = artifact;
    artifact = (rb_artifact){0};
    return RB_OK;
}
