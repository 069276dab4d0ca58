#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/shape.h"
#include "base/text.h"
#include "git/tree.h"
#include "release/make_internal.h"

#define VERSION_LIMIT (4u << 20) /* bytes of the file that contains the version */

/* Returns the part of the tag after the fixed beginning of its pattern, without a "v". */
static const char *version_of(const char *tag, const char *pattern)
{
    size_t fixed = strcspn(pattern, "*?[\\");
    if (strncmp(tag, pattern, fixed) == 0 && tag[fixed] != '\0')
        tag += fixed;
    return tag[0] == 'v' && isdigit((unsigned char)tag[1]) ? tag + 1 : tag;
}

static char *trimmed(const rb_buf *text)
{
    const char *start = rb_buf_str(text);
    size_t len = text->len;
    while (len > 0 && isspace((unsigned char)start[len - 1]))
        len--;
    while (len > 0 && isspace((unsigned char)*start)) {
        start++;
        len--;
    }
    return rb_strndup(start, len);
}

/* Finds a member by a path such as "project.version". Tries the whole key as a name first, because
 * names may contain dots. */
static const json_t *member(const json_t *json, const char *key)
{
    const json_t *whole = json_object_get(json, key);
    const char *dot = strchr(key, '.');
    if (whole || !dot)
        return whole;
    RB_AUTO(rb_free_str) char *head = rb_strndup(key, (size_t)(dot - key));
    return member(json_object_get(json, head), dot + 1);
}

static enum rb_code read_file(rb_buf *out, rb_making *making, const char *path, rb_err *err)
{
    if (rb_tree_read(out, making->repo, &making->tree, path, VERSION_LIMIT, err) != RB_OK)
        return rb_err_prefix(err, "%s: app.version", making->config->source);
    return RB_OK;
}

enum rb_code rb_making_read_version(char **out, rb_making *making, rb_err *err)
{
    const rb_config *config = making->config;
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    if (config->version_file) {
        RB_TRY(read_file(&text, making, config->version_file, err));
        *out = trimmed(&text);
        return RB_OK;
    }
    RB_TRY(read_file(&text, making, config->version_json, err));
    RB_AUTO(rb_json_freep) json_t *json = NULL;
    RB_TRY(rb_json_read(&json, rb_buf_str(&text), text.len, config->version_json, err));
    const char *version = json_string_value(member(json, config->version_key));
    if (!version)
        return rb_fail(err, RB_FOUND,
                       "%s has no string \"%s\"; app.version in %s says that the version is there",
                       config->version_json, config->version_key, config->source);
    *out = rb_strdup(version);
    return RB_OK;
}

enum rb_code rb_making_version(char **out, rb_making *making, rb_err *err)
{
    const rb_config *config = making->config;
    const char *path = config->version_file ? config->version_file : config->version_json;
    const char *tag = making->make->tag;
    const char *said = version_of(tag, config->tags);
    if (!path) {
        *out = rb_strdup(said);
        return RB_OK;
    }
    RB_AUTO(rb_free_str) char *found = NULL;
    RB_TRY(rb_making_read_version(&found, making, err));
    if (!found || !rb_shape_is_plain(found)) {
        RB_AUTO(rb_free_str) char *safe = rb_safe(found ? found : "");
        return rb_fail(err, RB_FOUND, "%s: expected one line with a version, found '%.60s'", path,
                       safe);
    }
    if (strcmp(found, said) != 0)
        return rb_fail(err, RB_FOUND,
                       "tag %s says version %s, but %s says %s at this commit\nset one right "
                       "and commit it, or choose the tag %.*s%s",
                       tag, said, path, found, (int)(said - tag), tag, found);
    *out = RB_TAKE(found);
    return RB_OK;
}
