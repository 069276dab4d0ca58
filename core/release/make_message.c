/* Builds the tag object: headers, a summary for people, and the manifest. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "release/make_internal.h"

static const rb_manifest *before(const rb_making *making)
{
    return making->previous ? making->previous->manifest : NULL;
}

static void add_artifacts(rb_buf *out, const rb_manifest *manifest)
{
    uint64_t files = 0;
    uint64_t bytes = 0;
    for (size_t i = 0; i < manifest->artifact_count; i++) {
        files += manifest->artifacts[i].files;
        bytes += manifest->artifacts[i].bytes;
    }
    RB_AUTO(rb_free_str) char *count = rb_text_count(files);
    RB_AUTO(rb_free_str) char *size = rb_text_bytes(bytes);
    rb_buf_printf(out, "Artifacts: %zu (%s file%s, %s)\n", manifest->artifact_count, count,
                  files == 1 ? "" : "s", size);
}

static void add_databases(rb_buf *out, const rb_making *making)
{
    const rb_manifest *manifest = making->made->manifest;
    for (size_t i = 0; i < manifest->database_count; i++) {
        const rb_manifest_database *database = &manifest->databases[i];
        const json_t *proven = json_object_get(database->proof, "migrations");
        size_t fresh = json_array_size(proven);
        rb_buf_printf(out, "%s%s %zu (%zu new%s%s)", i == 0 ? "Migrations: " : ", ", database->name,
                      database->migration_count, fresh, fresh ? ", " : "",
                      fresh ? making->classes[i] : "");
    }
    if (manifest->database_count)
        rb_buf_addc(out, '\n');
}

/* Compares item i of one release with item j of the other by name. *same: their other members are
 * equal. */
typedef int compare_item(const rb_manifest *now, size_t i, const rb_manifest *then, size_t j,
                         bool *same);

static int compare_flag(const rb_manifest *now, size_t i, const rb_manifest *then, size_t j,
                        bool *same)
{
    const rb_manifest_flag *a = &now->flags[i];
    const rb_manifest_flag *b = &then->flags[j];
    bool has_default = a->default_ && b->default_;
    *same = strcmp(a->state, b->state) == 0 &&
            (has_default ? strcmp(a->default_, b->default_) == 0 : a->default_ == b->default_);
    return strcmp(a->name, b->name);
}

static int compare_config(const rb_manifest *now, size_t i, const rb_manifest *then, size_t j,
                          bool *same)
{
    const rb_manifest_file *a = &now->config[i];
    const rb_manifest_file *b = &then->config[j];
    *same = strcmp(a->sha256, b->sha256) == 0 && strcmp(a->mode, b->mode) == 0;
    return strcmp(a->path, b->path);
}

/* Counts items that were added, removed or changed, in one pass: both lists are sorted. */
static size_t count_changed(const rb_manifest *now, size_t n, const rb_manifest *then, size_t m,
                            compare_item *compare)
{
    size_t changed = 0;
    for (size_t i = 0, j = 0; i < n || j < m;) {
        bool same = false;
        int order = i == n ? 1 : j == m ? -1 : compare(now, i, then, j, &same);
        changed += order != 0 || !same;
        i += order <= 0;
        j += order >= 0;
    }
    return changed;
}

static void add_summary(rb_buf *out, const rb_making *making)
{
    const rb_manifest *manifest = making->made->manifest;
    const rb_manifest *then = before(making);
    rb_buf_printf(out, "Previous: %s\n", manifest->previous ? manifest->previous->tag : "none");
    add_artifacts(out, manifest);
    add_databases(out, making);
    if (manifest->flags_path)
        rb_buf_printf(out, "Flags: %zu (%zu changed)\n", manifest->flag_count,
                      then ? count_changed(manifest, manifest->flag_count, then, then->flag_count,
                                           compare_flag)
                           : 0);
    if (manifest->config_count)
        rb_buf_printf(out, "Config: %zu file%s (%zu changed)\n", manifest->config_count,
                      manifest->config_count == 1 ? "" : "s",
                      then ? count_changed(manifest, manifest->config_count, then,
                                           then->config_count, compare_config)
                           : 0);
}

/* Appends the user's text. Fails if a line of it could be taken for the first or last line of a
 * manifest or signature. */
static enum rb_code add_text(rb_buf *out, const char *text, rb_err *err)
{
    size_t len = text ? strlen(text) : 0;
    while (len > 0 && strchr("\n\r\t ", text[len - 1]))
        len--;
    if (len == 0)
        return RB_OK;
    if (!rb_text_is_utf8(text, len))
        return rb_fail(err, RB_ERROR, "the text of -m is not UTF-8\nwrite it again");
    for (size_t i = 0; i < len; i++) {
        bool control = (unsigned char)text[i] < 0x20 && text[i] != '\n' && text[i] != '\t';
        bool starts = i == 0 || text[i - 1] == '\n';
        if (control || (starts && strncmp(text + i, "-----", 5) == 0))
            return rb_fail(err, RB_ERROR, "the text of -m holds %s\nleave it out",
                           control ? "control characters" : "a line that begins with -----");
    }
    rb_buf_add(out, text, len);
    rb_buf_puts(out, "\n\n");
    return RB_OK;
}

static enum rb_code add_headers(rb_buf *out, const rb_making *making, rb_err *err)
{
    RB_AUTO(rb_free_str) char *who = NULL;
    if (rb_repo_committer(&who, making->repo, err) != RB_OK)
        return rb_err_prefix(err, "git does not know who you are (user.name, user.email)");
    rb_buf_printf(out, "object %s\ntype commit\ntag %s\ntagger %s\n\n",
                  making->made->manifest->commit, making->make->tag, who);
    return RB_OK;
}

enum rb_code rb_making_payload(rb_making *making, rb_err *err)
{
    const rb_manifest *manifest = making->made->manifest;
    RB_AUTO(rb_buf_clear) rb_buf out = {0};
    RB_TRY(add_headers(&out, making, err));
    rb_buf_printf(&out, "%s %s\n\n", manifest->app_name, manifest->app_version);
    RB_TRY(add_text(&out, making->make->message, err));
    add_summary(&out, making);
    RB_AUTO(rb_json_freep) json_t *json = rb_manifest_encode(manifest);
    rb_buf_puts(&out, "\n" RB_MANIFEST_BEGIN "\n");
    rb_json_pretty(&out, json);
    rb_buf_puts(&out, RB_MANIFEST_END "\n");
    if (out.len + 65536 > RB_TAG_LIMIT)
        return rb_fail(err, RB_ERROR, "the manifest of %s has %zu bytes, the limit of a tag is %u",
                       making->make->tag, out.len, RB_TAG_LIMIT);
    making->made->payload = out;
    out = (rb_buf){0};
    return RB_OK;
}
