/* Decodes manifests: checks the shape, then the other rules, then the exact bytes. */
#include <stdlib.h>
#include <string.h>

#include "base/embed.h"
#include "base/shape.h"
#include "release/manifest.h"
#include "release/manifest_json.h"

RB_EMBED(rb_manifest_schema, "schemas/manifest.schema.json");

static rb_schema schema = {.text = rb_manifest_schema};

static bool fault_at(rb_shape_fault *fault, char *path, char *expected, const char *found)
{
    *fault = (rb_shape_fault){.path = path, .expected = expected, .found = rb_strdup(found)};
    return false;
}

/* Checks that an array is sorted by the member `key` (NULL: an array of strings) without
 * duplicates. */
static bool is_sorted(const json_t *array, const char *key, const char *where,
                      rb_shape_fault *fault)
{
    for (size_t i = 1; i < json_array_size(array); i++) {
        const char *before = rb_json_str(json_array_get(array, i - 1), key);
        const char *after = rb_json_str(json_array_get(array, i), key);
        if (strcmp(before, after) >= 0)
            return fault_at(fault, rb_format("%s[%zu].%s", where, i, key),
                            rb_format("a %s after \"%s\" in byte order", key, before), after);
    }
    return true;
}

/* Checks that `key` is unique in an array, which may have thousands of items. */
static bool is_unique(const json_t *array, const char *key, const char *where,
                      rb_shape_fault *fault)
{
    RB_AUTO(rb_json_freep) json_t *seen = json_object();
    for (size_t i = 0; i < json_array_size(array); i++) {
        const char *text = rb_json_str(json_array_get(array, i), key);
        if (json_object_get(seen, text))
            return fault_at(fault, rb_format("%s[%zu].%s", where, i, key),
                            rb_format("each %s once", key), text);
        rb_json_set_str(seen, text, NULL);
    }
    return true;
}

static bool subjects_agree(const json_t *json, rb_shape_fault *fault)
{
    const json_t *predicate = json_object_get(json, "predicate");
    const json_t *subjects = json_object_get(json, "subject");
    const json_t *artifacts = json_object_get(predicate, "artifacts");
    const char *app = rb_json_str(json_object_get(predicate, "app"), "name");
    size_t n = json_array_size(artifacts);
    if (json_array_size(subjects) != n) {
        RB_AUTO(rb_free_str) char *found = rb_format("%zu", json_array_size(subjects));
        return fault_at(fault, rb_strdup("subject"), rb_format("one for each of %zu artifacts", n),
                        found);
    }
    for (size_t i = 0; i < n; i++) {
        const char *name = rb_json_str(json_array_get(artifacts, i), "name");
        const char *found = rb_json_str(json_array_get(subjects, i), "name");
        RB_AUTO(rb_free_str) char *expected = rb_format("%s/%s", app, name);
        if (strcmp(expected, found) != 0)
            return fault_at(fault, rb_format("subject[%zu].name", i), rb_strdup(expected), found);
    }
    return true;
}

/* Checks the rules that a shape cannot express. */
static bool rules_hold(const json_t *json, rb_shape_fault *fault)
{
    const json_t *predicate = json_object_get(json, "predicate");
    const json_t *databases = json_object_get(predicate, "databases");
    const json_t *flags = json_object_get(predicate, "flags");
    if (!subjects_agree(json, fault) ||
        !is_unique(json_object_get(predicate, "artifacts"), "name", "predicate.artifacts", fault) ||
        !is_sorted(json_object_get(predicate, "heads"), "tag", "predicate.heads", fault) ||
        !is_sorted(databases, "name", "predicate.databases", fault) ||
        !is_sorted(json_object_get(flags, "values"), "name", "predicate.flags.values", fault) ||
        !is_sorted(json_object_get(predicate, "config"), "path", "predicate.config", fault) ||
        !is_sorted(json_object_get(predicate, "checks"), "path", "predicate.checks", fault))
        return false;
    for (size_t i = 0; i < json_array_size(databases); i++) {
        RB_AUTO(rb_free_str) char *where = rb_format("predicate.databases[%zu].migrations", i);
        if (!is_unique(json_object_get(json_array_get(databases, i), "migrations"), "id", where,
                       fault))
            return false;
    }
    return true;
}

/* Returns the line, counted from 1, in which two texts first differ. */
static size_t first_difference(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t line = 1;
    for (size_t i = 0; i < a_len && i < b_len && a[i] == b[i]; i++)
        line += a[i] == '\n';
    return line;
}

/* Parses and checks the JSON. Fills *fault as well if the result is RB_FOUND. */
static enum rb_code parse(rb_manifest **out, const char *text, size_t len, rb_shape_fault *fault,
                          rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *json = NULL;
    if (rb_json_read(&json, text, len, "the manifest", err) != RB_OK) {
        *fault = (rb_shape_fault){.path = rb_strdup(""),
                                  .expected = rb_strdup("valid JSON"),
                                  .found = rb_strdup(rb_err_line(err))};
        return err->code = RB_FOUND;
    }
    if (!rb_shape_fits(rb_schema_shape(&schema), json, fault) || !rules_hold(json, fault))
        return rb_fail(err, RB_FOUND, "the manifest is malformed: %s: expected %s, found %s",
                       fault->path, fault->expected, fault->found);
    RB_AUTO(rb_manifest_freep) rb_manifest *manifest = rb_manifest_from_json(json);
    RB_AUTO(rb_json_freep) json_t *again = rb_manifest_encode(manifest);
    RB_AUTO(rb_buf_clear) rb_buf bytes = {0};
    rb_json_pretty(&bytes, again);
    if (bytes.len != len || memcmp(bytes.data, text, len) != 0) {
        size_t line = first_difference(bytes.data, bytes.len, text, len);
        *fault = (rb_shape_fault){.path = rb_strdup(""),
                                  .expected = rb_strdup("canonical bytes (sorted keys, an indent "
                                                        "of two spaces, integers)"),
                                  .found = rb_format("another spelling in its line %zu", line)};
        return rb_fail(err, RB_FOUND, "the manifest is not written canonically: line %zu differs",
                       line);
    }
    *out = RB_TAKE(manifest);
    return RB_OK;
}

enum rb_code rb_manifest_parse(rb_manifest **out, const char *json, size_t len, rb_err *err)
{
    RB_AUTO(rb_shape_fault_clear) rb_shape_fault fault = {0};
    return parse(out, json, len, &fault, err);
}

/* Returns the start of the first line, from `at` on, that equals `word`; NULL if there is none. */
static const char *find_line(const char *text, const char *at, const char *end, const char *word)
{
    size_t len = strlen(word);
    while ((at = memmem(at, (size_t)(end - at), word, len))) {
        bool starts = at == text || at[-1] == '\n';
        if (starts && at + len < end && at[len] == '\n')
            return at;
        at += len;
    }
    return NULL;
}

bool rb_manifest_is_in(const rb_tag *tag)
{
    const char *text = rb_buf_str(&tag->raw);
    return tag->annotated && find_line(text, text, text + tag->raw.len, RB_MANIFEST_BEGIN);
}

static enum rb_code bad_frame(rb_problems *problems, const char *tag, const char *expected,
                              const char *found, rb_err *err)
{
    rb_problems_add(problems, "manifest", "", expected, found,
                    "%s: its message must hold %s, but has %s; make the release again with "
                    "`rbtool release`",
                    tag, expected, found);
    return rb_fail(err, RB_FOUND, "%s", problems->items[problems->n - 1].message);
}

enum rb_code rb_manifest_decode(rb_manifest **out, const rb_verified *verified,
                                rb_problems *problems, rb_err *err)
{
    const char *tag = rb_verified_tag(verified);
    size_t len;
    const char *text = rb_verified_message(verified, &len);
    const char *end = text + len;
    const char *begin = find_line(text, text, end, RB_MANIFEST_BEGIN);
    if (!begin)
        return bad_frame(problems, tag, "one release manifest", "none", err);
    const char *json = begin + strlen(RB_MANIFEST_BEGIN) + 1;
    const char *stop = find_line(text, json, end, RB_MANIFEST_END);
    if (!stop)
        return bad_frame(problems, tag, "a line " RB_MANIFEST_END " after the manifest", "none",
                         err);
    if (find_line(text, json, end, RB_MANIFEST_BEGIN))
        return bad_frame(problems, tag, "one release manifest", "two", err);
    if (stop + strlen(RB_MANIFEST_END) + 1 != end)
        return bad_frame(problems, tag, "nothing after the manifest's last line", "more text", err);
    RB_AUTO(rb_shape_fault_clear) rb_shape_fault fault = {0};
    enum rb_code code = parse(out, json, (size_t)(stop - json), &fault, err);
    if (code == RB_FOUND) {
        rb_problems_add(problems, "manifest", fault.path, fault.expected, fault.found,
                        "%s: the manifest's %s: expected %s, found %s; it was not written by "
                        "rbtool, make the release again with `rbtool release`",
                        tag, *fault.path ? fault.path : "text", fault.expected, fault.found);
        return rb_fail(err, RB_FOUND, "%s", problems->items[problems->n - 1].message);
    }
    return code;
}
