/* Collects the files of the tree that a release delivers: artifacts, flags, config, checks. */
#include <stdlib.h>
#include <string.h>

#include "artifact/artifact.h"
#include "artifact/checkout.h"
#include "base/file.h"
#include "base/parallel.h"
#include "base/text.h"
#include "git/tree.h"
#include "release/flags.h"
#include "release/make_internal.h"

#define FILE_LIMIT (64u << 20) /* bytes of a config or SQL check file */

/* Adds names in a form that JSON can hold: file names need not be UTF-8. */
static void add_names(rb_strs *out, const rb_strs *names)
{
    for (size_t i = 0; i < names->n; i++) {
        const char *name = names->items[i];
        rb_strs_take(out, rb_text_is_utf8(name, strlen(name)) ? rb_strdup(name) : rb_safe(name));
    }
}

static enum rb_code hash_artifact(rb_manifest_artifact *out, rb_making *making,
                                  const rb_config_artifact *from, rb_err *err)
{
    const rb_artifact_spec spec = {from->name, &from->paths, from->format, NULL};
    RB_AUTO(rb_artifact_clear) rb_artifact artifact = {0};
    rb_making_tell(making, "hashing artifact", from->name);
    enum rb_code code =
        rb_artifact_hash(&artifact, making->repo, &making->tree, &spec, rb_parallel_threads(), err);
    if (code != RB_OK)
        return rb_err_prefix(err, "artifact %s", from->name);
    out->name = rb_strdup(from->name);
    out->format = rb_strdup(from->format);
    out->files = artifact.files;
    out->bytes = artifact.bytes;
    memcpy(out->tree, artifact.tree, sizeof out->tree);
    memcpy(out->digest, artifact.digest, sizeof out->digest);
    for (size_t i = 0; i < from->paths.n; i++)
        rb_strs_add(&out->paths, from->paths.items[i]);
    for (size_t i = 0; i < from->ignore.n; i++)
        rb_strs_add(&out->ignore, from->ignore.items[i]);
    add_names(&out->submodules, &artifact.submodules);
    return RB_OK;
}

static enum rb_code list_tree(rb_making *making, rb_err *err)
{
    static const rb_strs everything = {0};
    if (making->listed)
        return RB_OK;
    RB_TRY(rb_tree_list(&making->entries, making->repo, &making->tree, &everything, err));
    making->listed = true;
    return RB_OK;
}

static bool is_below(const rb_strs *paths, const char *path)
{
    for (size_t i = 0; i < paths->n; i++)
        if (rb_text_below(path, paths->items[i]))
            return true;
    return paths->n == 0;
}

/* Adds a note on files that a filter would change in a checkout (decrypt, expand): artifacts have
 * the bytes that git stores. */
static enum rb_code note_filters(rb_making *making, const rb_config_artifact *artifact, rb_err *err)
{
    RB_AUTO(rb_free_str) char *first = NULL;
    size_t count = 0;
    for (size_t i = 0; i < making->entries.n; i++) {
        const rb_tree_entry *entry = &making->entries.items[i];
        const char *filter;
        if (entry->mode == RB_MODE_LINK || entry->mode == RB_MODE_GITLINK ||
            !is_below(&artifact->paths, entry->path))
            continue;
        RB_TRY(
            rb_attributes_get(&filter, rb_lfs_attributes(making->lfs), entry->path, "filter", err));
        if (!filter || strcmp(filter, "set") == 0 || strcmp(filter, "lfs") == 0)
            continue;
        RB_AUTO(rb_free_str) char *path = rb_safe(entry->path);
        RB_AUTO(rb_free_str) char *safe = rb_safe(filter);
        if (count++ == 0)
            first = rb_format("%s (filter=%s)", path, safe);
    }
    if (count > 0)
        rb_strs_take(&making->made->notes,
                     rb_format("artifact %s: %zu %s with a filter in .gitattributes, %s%s, "
                               "delivered as git stores them, not as a checkout has them",
                               artifact->name, count, count == 1 ? "file" : "files",
                               count == 1 ? "" : "first ", first));
    return RB_OK;
}

static enum rb_code note_artifacts(rb_making *making, rb_err *err)
{
    const rb_manifest *manifest = making->made->manifest;
    for (size_t i = 0; i < manifest->artifact_count; i++)
        for (size_t j = 0; j < manifest->artifacts[i].submodules.n; j++)
            rb_strs_take(&making->made->notes,
                         rb_format("artifact %s: the files of submodule %s are not part of it",
                                   manifest->artifacts[i].name,
                                   manifest->artifacts[i].submodules.items[j]));
    RB_TRY(list_tree(making, err));
    for (size_t i = 0; i < making->config->artifact_count; i++)
        RB_TRY(note_filters(making, &making->config->artifacts[i], err));
    return RB_OK;
}

enum rb_code rb_making_artifacts(rb_making *making, rb_err *err)
{
    rb_manifest *manifest = making->made->manifest;
    size_t n = making->config->artifact_count;
    manifest->artifacts = rb_calloc(n, sizeof *manifest->artifacts);
    manifest->artifact_count = n;
    for (size_t i = 0; i < n; i++)
        RB_TRY(hash_artifact(&manifest->artifacts[i], making, &making->config->artifacts[i], err));
    return note_artifacts(making, err);
}

static enum rb_code read_flags(rb_making *making, rb_err *err)
{
    rb_manifest *manifest = making->made->manifest;
    const char *path = making->config->flags_file;
    if (!path)
        return RB_OK;
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    RB_AUTO(rb_tree_entry_clear) rb_tree_entry entry = {0};
    if (rb_tree_find(&entry, making->repo, &making->tree, path, err) != RB_OK ||
        rb_checkout_read(&text, making->repo, making->lfs, &entry, RB_FLAGS_LIMIT, err) != RB_OK)
        return rb_err_prefix(err, "flags");
    if (rb_flags_parse(&manifest->flags, &manifest->flag_count, rb_buf_str(&text), text.len, path,
                       err) != RB_OK)
        return rb_err_prefix(err, "flags");
    rb_sha256_hex_of(rb_buf_str(&text), text.len, manifest->flags_sha256);
    manifest->flags_path = rb_strdup(path);
    manifest->flags_format = rb_strdup(making->config->flags_format);
    return RB_OK;
}

static enum rb_code add_file(rb_manifest_file *out, rb_making *making, const rb_tree_entry *entry,
                             const char *what, rb_err *err)
{
    RB_AUTO(rb_free_str) char *safe = rb_safe(entry->path);
    if (entry->mode != RB_MODE_FILE && entry->mode != RB_MODE_EXEC)
        return rb_fail(err, RB_FOUND,
                       "%s: %s is not a regular file (mode %06o)\nnarrow the pattern in %s", what,
                       safe, (unsigned)entry->mode, making->config->source);
    if (!rb_text_is_utf8(entry->path, strlen(entry->path)))
        return rb_fail(err, RB_FOUND, "%s: the name of %s is not UTF-8\nrename the file", what,
                       safe);
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    if (rb_checkout_read(&text, making->repo, making->lfs, entry, FILE_LIMIT, err) != RB_OK)
        return rb_err_prefix(err, "%s", what);
    out->path = rb_strdup(entry->path);
    rb_sha256_hex_of(rb_buf_str(&text), text.len, out->sha256);
    memcpy(out->mode, entry->mode == RB_MODE_EXEC ? "100755" : "100644", 7);
    return RB_OK;
}

/* Lists the files that match a glob. The list is sorted by path, because the entries are. */
static enum rb_code match_files(rb_manifest_file **out, size_t *count, rb_making *making,
                                const rb_strs *globs, const char *what, rb_err *err)
{
    if (globs->n == 0)
        return RB_OK;
    RB_TRY(list_tree(making, err));
    *out = rb_calloc(making->entries.n, sizeof **out);
    bool *used = rb_calloc(globs->n, sizeof *used);
    enum rb_code code = RB_OK;
    for (size_t i = 0; i < making->entries.n && code == RB_OK; i++) {
        bool wanted = false;
        for (size_t j = 0; j < globs->n; j++)
            if (rb_path_match(globs->items[j], making->entries.items[i].path))
                wanted = used[j] = true;
        if (wanted)
            code = add_file(&(*out)[(*count)], making, &making->entries.items[i], what, err);
        *count += wanted && code == RB_OK;
    }
    for (size_t j = 0; j < globs->n && code == RB_OK; j++)
        if (!used[j])
            code = rb_fail(err, RB_FOUND,
                           "%s: \"%s\" matches no file of this commit\ncorrect it in %s", what,
                           globs->items[j], making->config->source);
    free(used);
    return code;
}

enum rb_code rb_making_files(rb_making *making, rb_err *err)
{
    rb_manifest *manifest = making->made->manifest;
    const rb_config *config = making->config;
    RB_TRY(read_flags(making, err));
    RB_TRY(match_files(&manifest->config, &manifest->config_count, making, &config->config,
                       "config", err));
    return match_files(&manifest->checks, &manifest->check_count, making, &config->sql_checks,
                       "checks.sql", err);
}
