/* Compares artifacts blob by blob, and flag files flag by flag. */
#include <stdlib.h>
#include <string.h>

#include "git/lines.h"
#include "git/tree.h"
#include "release/flags.h"
#include "report/diff.h"
#include "report/diff_parts.h"

static const rb_manifest_artifact *find_artifact(const rb_manifest *manifest, const char *name)
{
    for (size_t i = 0; i < manifest->artifact_count; i++)
        if (strcmp(manifest->artifacts[i].name, name) == 0)
            return &manifest->artifacts[i];
    return NULL;
}

/* Lists an artifact's entries, or only those that its counterpart in the other release lacks, if it
 * has the same paths. The list is empty if the release does not have the artifact. */
static enum rb_code list(rb_tree_entries *out, rb_repo *repo, const rb_release *release,
                         const rb_manifest_artifact *artifact, const rb_release *other,
                         const rb_manifest_artifact *counterpart, rb_err *err)
{
    if (!artifact)
        return RB_OK;
    const rb_strs *paths = &artifact->paths;
    bool same = counterpart && paths->n == counterpart->paths.n;
    for (size_t i = 0; same && i < paths->n; i++)
        same = strcmp(paths->items[i], counterpart->paths.items[i]) == 0;
    return rb_tree_list_changed(out, repo, &release->tree, same ? &other->tree : NULL, paths, err);
}

static void compare_entries(json_t *out, const rb_tree_entries *a, const rb_tree_entries *b)
{
    json_t *added = json_object_get(out, "added"), *removed = json_object_get(out, "removed");
    json_t *changed = json_object_get(out, "changed");
    size_t i = 0, j = 0;
    while (i < a->n || j < b->n) {
        const rb_tree_entry *x = i < a->n ? &a->items[i] : NULL,
                            *y = j < b->n ? &b->items[j] : NULL;
        int order = !x ? 1 : !y ? -1 : strcmp(x->path, y->path);
        if (order < 0)
            json_array_append_new(removed, rb_json_text(x->path));
        else if (order > 0)
            json_array_append_new(added, rb_json_text(y->path));
        else if (!rb_oid_equal(&x->oid, &y->oid) || x->mode != y->mode)
            json_array_append_new(changed, rb_json_text(x->path));
        i += order <= 0;
        j += order >= 0;
    }
}

/* Returns the globs that only the first list has. */
static json_t *left_over(const rb_strs *globs, const rb_strs *without)
{
    json_t *out = json_array();
    for (size_t i = 0; i < globs->n; i++)
        if (!rb_strs_has(without, globs->items[i]))
            json_array_append_new(out, rb_json_text(globs->items[i]));
    return out;
}

static enum rb_code diff_artifact(json_t *out, const rb_diff_sides *sides, const char *name,
                                  rb_err *err)
{
    const rb_manifest_artifact *a = find_artifact(sides->from->manifest, name);
    const rb_manifest_artifact *b = find_artifact(sides->to->manifest, name);
    json_t *item = json_pack("{s:o,s:[],s:[],s:[]}", "name", rb_json_text(name), "added", "removed",
                             "changed");
    json_array_append_new(out, item);
    static const rb_strs none = {0};
    const rb_strs *x_globs = a ? &a->ignore : &none, *y_globs = b ? &b->ignore : &none;
    if (x_globs->n > 0 || y_globs->n > 0)
        json_object_set_new(item, "ignore",
                            json_pack("{s:o,s:o}", "added", left_over(y_globs, x_globs), "removed",
                                      left_over(x_globs, y_globs)));
    /* The tree id does not cover submodules, so that equal ids prove equal content only without
     * them. */
    bool bare = a && b && a->submodules.n == 0 && b->submodules.n == 0;
    if (bare && strcmp(a->tree, b->tree) == 0)
        return RB_OK;
    RB_AUTO(rb_tree_entries_clear) rb_tree_entries x = {0};
    RB_AUTO(rb_tree_entries_clear) rb_tree_entries y = {0};
    RB_TRY(list(&x, sides->repo, sides->from, a, sides->to, b, err));
    RB_TRY(list(&y, sides->repo, sides->to, b, sides->from, a, err));
    compare_entries(item, &x, &y);
    return RB_OK;
}

enum rb_code rb_diff_artifacts(json_t **out, const rb_diff_sides *sides, rb_err *err)
{
    const rb_manifest *a = sides->from->manifest, *b = sides->to->manifest;
    RB_AUTO(rb_json_freep) json_t *artifacts = json_array();
    for (size_t i = 0; i < a->artifact_count; i++)
        RB_TRY(diff_artifact(artifacts, sides, a->artifacts[i].name, err));
    for (size_t i = 0; i < b->artifact_count; i++)
        if (!find_artifact(a, b->artifacts[i].name))
            RB_TRY(diff_artifact(artifacts, sides, b->artifacts[i].name, err));
    *out = RB_TAKE(artifacts);
    return RB_OK;
}

/* *text is NULL if the release has no flags. */
static enum rb_code read_flags(const rb_buf **text, rb_buf *into, const rb_diff_sides *sides,
                               const rb_release *release, rb_err *err)
{
    const rb_manifest *m = release->manifest;
    *text = m->flags_path ? into : NULL;
    return m->flags_path
               ? rb_release_file(into, release, sides->repo, m->flags_path, m->flags_sha256, err)
               : RB_OK;
}

enum rb_code rb_diff_flags(json_t **out, const rb_diff_sides *sides, rb_err *err)
{
    const rb_manifest *a = sides->from->manifest, *b = sides->to->manifest;
    RB_AUTO(rb_buf_clear) rb_buf was = {0};
    RB_AUTO(rb_buf_clear) rb_buf is = {0};
    const rb_buf *old, *new;
    if (strcmp(a->flags_sha256, b->flags_sha256) == 0) {
        *out = json_array();
        return RB_OK;
    }
    RB_TRY(read_flags(&old, &was, sides, sides->from, err));
    RB_TRY(read_flags(&new, &is, sides, sides->to, err));
    return rb_flags_compare(out, old, new, "the flags", err);
}

/* Adds the lines that differ. A file that a side lacks counts as empty. If content cannot be read,
 * such as LFS content that is not here, the lines are left out: the digests show that it changed.
 */
static void add_content(json_t *item, const rb_diff_sides *sides, const rb_manifest_file *x,
                        const rb_manifest_file *y)
{
    RB_AUTO(rb_buf_clear) rb_buf was = {0};
    RB_AUTO(rb_buf_clear) rb_buf is = {0};
    RB_AUTO(rb_strs_clear) rb_strs lines = {0};
    if ((x && rb_release_file(&was, sides->from, sides->repo, x->path, x->sha256, RB_IGNORED) !=
                  RB_OK) ||
        (y &&
         rb_release_file(&is, sides->to, sides->repo, y->path, y->sha256, RB_IGNORED) != RB_OK) ||
        rb_lines_compare(&lines, rb_buf_str(&was), was.len, rb_buf_str(&is), is.len, RB_IGNORED) !=
            RB_OK) {
        json_object_set_new(item, "lines", json_array());
        return;
    }
    json_object_set_new(item, "lines", rb_json_strs(&lines));
    json_t *keys = rb_diff_keys(x ? x->path : y->path, &was, &is);
    if (keys)
        json_object_set_new(item, "keys", keys);
}

json_t *rb_diff_config(const rb_diff_sides *sides)
{
    const rb_manifest *a = sides->from->manifest, *b = sides->to->manifest;
    json_t *out = json_array();
    for (size_t i = 0, j = 0; i < a->config_count || j < b->config_count;) {
        const rb_manifest_file *x = i < a->config_count ? &a->config[i] : NULL;
        const rb_manifest_file *y = j < b->config_count ? &b->config[j] : NULL;
        int order = !x ? 1 : !y ? -1 : strcmp(x->path, y->path);
        x = order <= 0 ? x : NULL;
        y = order >= 0 ? y : NULL;
        bool same = x && y && strcmp(x->sha256, y->sha256) == 0 && strcmp(x->mode, y->mode) == 0;
        const rb_manifest_file *named = x ? x : y;
        if (!same && named) {
            json_t *item = rb_json_make("path:s change:s", named->path,
                                        !y   ? "removed"
                                        : !x ? "added"
                                             : "changed");
            add_content(item, sides, x, y);
            json_array_append_new(out, item);
        }
        i += order <= 0;
        j += order >= 0;
    }
    return out;
}

json_t *rb_diff_secrets(const rb_diff_sides *sides)
{
    const json_t *both[] = {sides->from->manifest->secrets, sides->to->manifest->secrets};
    json_t *out = json_array();
    for (size_t side = 0; side < 2; side++)
        rb_json_each_member (name, ignored, both[side]) {
            const json_t *from = json_object_get(both[0], name);
            const json_t *to = json_object_get(both[1], name);
            if (!rb_json_same(from, to) && (side == 0 || !from))
                json_array_append_new(out, rb_json_make("name:s from:J to:J", name, from, to));
        }
    return out;
}
