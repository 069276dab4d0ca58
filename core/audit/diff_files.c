/* Artifacts and flags: what is compared blob by blob and flag by flag. */
#include <stdlib.h>
#include <string.h>

#include "audit/diff_parts.h"
#include "git/lines.h"
#include "git/tree.h"
#include "release/flags.h"

static const rb_manifest_artifact *find_artifact(const rb_manifest *manifest, const char *name)
{
    for (size_t i = 0; i < manifest->artifact_count; i++)
        if (strcmp(manifest->artifacts[i].name, name) == 0)
            return &manifest->artifacts[i];
    return NULL;
}

/* An artifact that a release does not have is empty. */
static enum rb_code list(rb_tree_entries *out, rb_repo *repo, const rb_release *release,
                         const rb_manifest_artifact *artifact, rb_err *err)
{
    return artifact ? rb_tree_list(out, repo, &release->tree, &artifact->paths, err) : RB_OK;
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

/* The globs that only the first list has. */
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
    /* Submodules are no part of the tree id, so equal ids alone do not mean equal content. */
    bool bare = a && b && a->submodules.n == 0 && b->submodules.n == 0;
    if (bare && strcmp(a->tree, b->tree) == 0)
        return RB_OK;
    RB_AUTO(rb_tree_entries_clear) rb_tree_entries x = {0};
    RB_AUTO(rb_tree_entries_clear) rb_tree_entries y = {0};
    RB_TRY(list(&x, sides->repo, sides->from, a, err));
    RB_TRY(list(&y, sides->repo, sides->to, b, err));
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
    *out = artifacts;
    artifacts = NULL;
    return RB_OK;
}

/* The flags' own objects, by name; *out is NULL when the release has none. */
static enum rb_code read_definitions(json_t **out, const rb_diff_sides *sides,
                                     const rb_release *release, rb_err *err)
{
    *out = NULL;
    const rb_manifest *m = release->manifest;
    if (!m->flags_path)
        return RB_OK;
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    RB_TRY(rb_release_file(&text, release, sides->repo, m->flags_path, m->flags_sha256, err));
    RB_AUTO(rb_json_freep) json_t *file = NULL;
    RB_TRY(rb_json_read(&file, rb_buf_str(&text), text.len, m->flags_path, err));
    *out = json_incref(json_object_get(file, "flags"));
    return RB_OK;
}

/* Definitions may hold fractions, which RFC 8785 needs number formatting for: jansson's own sorted
 * form is as good to tell two of them apart. */
static json_t *describe(const rb_manifest_flag *flag, const json_t *definitions)
{
    if (!flag)
        return json_null();
    const json_t *definition = json_object_get(definitions, flag->name);
    char *text = definition ? json_dumps(definition, JSON_SORT_KEYS | JSON_COMPACT) : NULL;
    char hex[RB_SHA256_HEX];
    rb_sha256_hex_of(text ? text : "", text ? strlen(text) : 0, hex);
    free(text);
    return json_pack("{s:s,s:s,s:s}", "state", flag->state, "default", flag->default_, "definition",
                     hex);
}

/* One definition over several lines, so that it can be compared line by line. */
static char *spell(const rb_manifest_flag *flag, const json_t *definitions)
{
    const json_t *definition = flag ? json_object_get(definitions, flag->name) : NULL;
    char *text = definition ? json_dumps(definition, JSON_SORT_KEYS | JSON_INDENT(1)) : NULL;
    char *owned = rb_strdup(text ? text : "");
    free(text);
    return owned;
}

static enum rb_code flag_lines(json_t **out, const rb_manifest_flag *x, const json_t *x_all,
                               const rb_manifest_flag *y, const json_t *y_all, rb_err *err)
{
    RB_AUTO(rb_free_str) char *was = spell(x, x_all);
    RB_AUTO(rb_free_str) char *is = spell(y, y_all);
    RB_AUTO(rb_strs_clear) rb_strs lines = {0};
    RB_TRY(rb_lines_compare(&lines, was, strlen(was), is, strlen(is), err));
    *out = rb_json_strs(&lines);
    return RB_OK;
}

enum rb_code rb_diff_flags(json_t **out, const rb_diff_sides *sides, rb_err *err)
{
    const rb_manifest *a = sides->from->manifest, *b = sides->to->manifest;
    RB_AUTO(rb_json_freep) json_t *flags = json_array();
    RB_AUTO(rb_json_freep) json_t *x_all = NULL;
    RB_AUTO(rb_json_freep) json_t *y_all = NULL;
    bool same = strcmp(a->flags_sha256, b->flags_sha256) == 0;
    if (!same) {
        RB_TRY(read_definitions(&x_all, sides, sides->from, err));
        RB_TRY(read_definitions(&y_all, sides, sides->to, err));
    }
    size_t i = 0, j = 0;
    while (!same && (i < a->flag_count || j < b->flag_count)) {
        const rb_manifest_flag *x = i < a->flag_count ? &a->flags[i] : NULL;
        const rb_manifest_flag *y = j < b->flag_count ? &b->flags[j] : NULL;
        int order = !x ? 1 : !y ? -1 : strcmp(x->name, y->name);
        RB_AUTO(rb_json_freep) json_t *was = describe(order <= 0 ? x : NULL, x_all);
        RB_AUTO(rb_json_freep) json_t *is = describe(order >= 0 ? y : NULL, y_all);
        if (!json_equal(was, is)) {
            json_t *lines = NULL;
            RB_TRY(flag_lines(&lines, order <= 0 ? x : NULL, x_all, order >= 0 ? y : NULL, y_all,
                              err));
            json_array_append_new(flags, json_pack("{s:s,s:O,s:O,s:o}", "name",
                                                   order <= 0 ? x->name : y->name, "from", was,
                                                   "to", is, "lines", lines));
        }
        i += order <= 0;
        j += order >= 0;
    }
    *out = flags;
    flags = NULL;
    return RB_OK;
}

/* A file that a side does not have is empty. Content that cannot be read (LFS content that is not
 * here) leaves the lines out: the digests say that it changed. */
static json_t *config_lines(const rb_diff_sides *sides, const rb_manifest_file *x,
                            const rb_manifest_file *y)
{
    RB_AUTO(rb_buf_clear) rb_buf was = {0};
    RB_AUTO(rb_buf_clear) rb_buf is = {0};
    RB_AUTO(rb_strs_clear) rb_strs lines = {0};
    rb_err unreadable;
    if ((x && rb_release_file(&was, sides->from, sides->repo, x->path, x->sha256, &unreadable) !=
                  RB_OK) ||
        (y &&
         rb_release_file(&is, sides->to, sides->repo, y->path, y->sha256, &unreadable) != RB_OK) ||
        rb_lines_compare(&lines, rb_buf_str(&was), was.len, rb_buf_str(&is), is.len, &unreadable) !=
            RB_OK)
        return json_array();
    return rb_json_strs(&lines);
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
        if (!same)
            json_array_append_new(out, json_pack("{s:o,s:s,s:o}", "path",
                                                 rb_json_text(x ? x->path : y->path), "change",
                                                 !y   ? "removed"
                                                 : !x ? "added"
                                                      : "changed",
                                                 "lines", config_lines(sides, x, y)));
        i += order <= 0;
        j += order >= 0;
    }
    return out;
}
