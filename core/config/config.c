#include "config/config.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/shape.h"
#include "config/config_shape.h"
#include "database/database.h"
#include "git/tree.h"

static char *copy(const json_t *object, const char *key, const char *otherwise)
{
    const char *text = rb_json_str(object, key);
    return rb_strdup(text ? text : otherwise);
}

static void copy_list(rb_strs *out, const json_t *array)
{
    rb_json_each (value, array)
        rb_strs_add(out, json_string_value(value));
}

static void read_artifacts(rb_config *config, const json_t *array)
{
    size_t n = json_array_size(array);
    config->artifact_count = n ? n : 1;
    config->artifacts = rb_calloc(config->artifact_count, sizeof *config->artifacts);
    for (size_t i = 0; i < n; i++) {
        const json_t *item = json_array_get(array, i);
        rb_config_artifact *artifact = &config->artifacts[i];
        artifact->name = copy(item, "name", NULL);
        artifact->format = copy(item, "format", "dir");
        copy_list(&artifact->paths, json_object_get(item, "paths"));
        copy_list(&artifact->ignore, json_object_get(item, "ignore"));
    }
    if (n == 0) {
        config->artifacts[0].name = rb_strdup("source");
        config->artifacts[0].format = rb_strdup("dir");
    }
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const rb_config_database *)a)->name, ((const rb_config_database *)b)->name);
}

/* Reads the databases, sorted by name: the manifest must not depend on the order of members in a
 * file. */
static void read_databases(rb_config *config, const json_t *object)
{
    config->databases = rb_calloc(json_object_size(object), sizeof *config->databases);
    rb_json_each_member (name, item, object) {
        const json_t *limits = json_object_get(item, "limits");
        config->databases[config->database_count++] = (rb_config_database){
            .name = rb_strdup(name),
            .engine = copy(item, "engine", NULL),
            .migrations = copy(item, "migrations", NULL),
            .layout = copy(item, "layout", "auto"),
            .tracking = copy(item, "tracking", "auto"),
            .seed = copy(item, "seed", NULL),
            .seconds = (int)rb_json_int(limits, "seconds", RB_DB_LIMITS_SECONDS),
            .memory = (int)rb_json_int(limits, "memory", RB_DB_LIMITS_MEMORY),
            .size = (int)rb_json_int(limits, "size", RB_DB_LIMITS_SIZE),
        };
    }
    if (config->database_count)
        qsort(config->databases, config->database_count, sizeof *config->databases, by_name);
}

static rb_config *from_json(const json_t *json, const char *source)
{
    rb_config *config = rb_calloc(1, sizeof *config);
    const json_t *app = json_object_get(json, "app");
    const json_t *version = json_object_get(app, "version");
    const json_t *flags = json_object_get(json, "flags");
    config->source = rb_strdup(source);
    config->app_name = copy(app, "name", NULL);
    config->version_file = copy(version, "file", NULL);
    config->version_json = copy(version, "json", NULL);
    config->version_key = config->version_json ? copy(version, "key", "version") : NULL;
    config->tags = copy(json, "tags", RB_CONFIG_TAGS);
    read_artifacts(config, json_object_get(json, "artifacts"));
    read_databases(config, json_object_get(json, "databases"));
    config->flags_file = copy(flags, "file", NULL);
    config->flags_format = copy(flags, "format", "flagd");
    const json_t *features = json_object_get(flags, "features");
    config->features = features ? json_deep_copy(features) : json_object();
    copy_list(&config->config, json_object_get(json, "config"));
    copy_list(&config->sql_checks, json_object_get(json_object_get(json, "checks"), "sql"));
    const json_t *compatibility = json_object_get(json, "compatibility");
    copy_list(&config->compatibility, json_object_get(compatibility, "command"));
    config->compatibility_timeout =
        (int)rb_json_int(compatibility, "timeout", RB_COMPATIBILITY_SECONDS);
    config->requires = json_incref(json_object_get(json, "requires"));
    config->secrets = json_incref(json_object_get(json, "secrets"));
    config->known_good = copy(json, "knownGood", "verdict");
    json_t *environments = json_object_get(json, "environments");
    config->environments = environments ? json_incref(environments) : json_object();
    return config;
}

/* Checks constraints that a shape cannot express. */
static enum rb_code check_names(const json_t *json, const char *source, rb_err *err)
{
    const json_t *artifacts = json_object_get(json, "artifacts");
    for (size_t i = 0; i < json_array_size(artifacts); i++) {
        const char *format = rb_json_str(json_array_get(artifacts, i), "format");
        if (json_object_get(json_array_get(artifacts, i), "ignore") && format &&
            strcmp(format, "dir") != 0)
            return rb_fail(
                err, RB_ERROR,
                "%s: artifacts[%zu].ignore: only an artifact of format dir has files that "
                "are compared one by one, found format \"%s\"\nremove \"ignore\"",
                source, i, format);
        for (size_t j = 0; j < i; j++) {
            const char *name = rb_json_str(json_array_get(artifacts, i), "name");
            if (strcmp(name, rb_json_str(json_array_get(artifacts, j), "name")) == 0)
                return rb_fail(err, RB_ERROR,
                               "%s: artifacts[%zu].name: expected a name of its own, found \"%s\" "
                               "as in artifacts[%zu]\nrename one",
                               source, i, name, j);
        }
    }
    return RB_OK;
}

/* The text that a value was read from, for line numbers in messages. */
typedef struct written {
    const char *text;
    size_t len;
    const char *source;
    const char *within; /* path in text of the value that is checked */
} written;

static enum rb_code check_shape(const rb_shape *shape, const json_t *json, const written *from,
                                rb_err *err)
{
    RB_AUTO(rb_shape_fault_clear) rb_shape_fault fault = {0};
    if (rb_shape_fits(shape, json, &fault))
        return RB_OK;
    RB_AUTO(rb_free_str) char *key = fault.key ? rb_safe(fault.key) : NULL;
    const char *const parts[] = {from->within, fault.path, key};
    /* path of the value, for the message; `at` also has the key at fault */
    RB_AUTO(rb_buf_clear) rb_buf path = {0};
    RB_AUTO(rb_buf_clear) rb_buf at = {0};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (!parts[i] || !*parts[i])
            continue;
        const char *dot = at.len > 0 && parts[i][0] != '[' ? "." : "";
        rb_buf_printf(&at, "%s%s", dot, parts[i]);
        if (parts[i] != key)
            rb_buf_printf(&path, "%s%s", dot, parts[i]);
    }
    return rb_fail(err, RB_ERROR, "%s, line %zu: %s%sexpected %s, found %s", from->source,
                   rb_json_line(from->text, from->len, rb_buf_str(&at)), rb_buf_str(&path),
                   path.len > 0 ? ": " : "", fault.expected, fault.found);
}

enum rb_code rb_config_environments(json_t **out, const char *text, size_t len, const char *source,
                                    rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *json = NULL;
    RB_TRY(rb_json_read(&json, text, len, source, err));
    json_t *inner = json_object_get(json, "environments");
    const written from = {text, len, source, inner ? "environments" : ""};
    RB_TRY(check_shape(rb_environments_shape(), inner ? inner : json, &from, err));
    *out = json_incref(inner ? inner : json);
    return RB_OK;
}

enum rb_code rb_config_parse(rb_config **out, const char *text, size_t len, const char *source,
                             rb_err *err)
{
    if (len > RB_CONFIG_LIMIT)
        return rb_fail(err, RB_ERROR, "%s is larger than the limit of %u bytes", source,
                       RB_CONFIG_LIMIT);
    RB_AUTO(rb_json_freep) json_t *json = NULL;
    RB_TRY(rb_json_read(&json, text, len, source, err));
    RB_TRY(check_shape(rb_config_shape(), json, &(written){text, len, source, ""}, err));
    RB_TRY(check_names(json, source, err));
    *out = from_json(json, source);
    return RB_OK;
}

enum rb_code rb_config_read(rb_config **out, const char *path, rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    RB_TRY(rb_file_read(&text, path, RB_CONFIG_LIMIT, err));
    return rb_config_parse(out, rb_buf_str(&text), text.len, path, err);
}

enum rb_code rb_config_at(rb_config **out, rb_repo *repo, const rb_oid *commit, rb_err *err)
{
    char hex[RB_OID_HEX];
    rb_oid_hex(commit, hex);
    rb_oid tree;
    RB_TRY(rb_commit_tree(&tree, repo, commit, err));
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    enum rb_code code = rb_tree_read(&text, repo, &tree, RB_CONFIG_FILE, RB_CONFIG_LIMIT, err);
    if (code == RB_FOUND)
        return rb_fail(err, RB_FOUND,
                       "commit %.10s has no %s\ncommit one (`rbtool init` writes it) or name one "
                       "with --config FILE",
                       hex, RB_CONFIG_FILE);
    RB_TRY(code);
    RB_AUTO(rb_free_str) char *source = rb_format("%s of commit %.10s", RB_CONFIG_FILE, hex);
    return rb_config_parse(out, rb_buf_str(&text), text.len, source, err);
}

void rb_config_free(rb_config *config)
{
    if (!config)
        return;
    for (size_t i = 0; i < config->artifact_count; i++) {
        free(config->artifacts[i].name);
        free(config->artifacts[i].format);
        rb_strs_clear(&config->artifacts[i].paths);
        rb_strs_clear(&config->artifacts[i].ignore);
    }
    for (size_t i = 0; i < config->database_count; i++) {
        rb_config_database *database = &config->databases[i];
        free(database->name);
        free(database->engine);
        free(database->migrations);
        free(database->layout);
        free(database->tracking);
        free(database->seed);
    }
    free(config->artifacts);
    free(config->databases);
    free(config->source);
    free(config->app_name);
    free(config->version_file);
    free(config->version_json);
    free(config->version_key);
    free(config->tags);
    free(config->flags_file);
    free(config->flags_format);
    rb_json_free(config->features);
    rb_strs_clear(&config->config);
    rb_strs_clear(&config->sql_checks);
    rb_strs_clear(&config->compatibility);
    free(config->known_good);
    rb_json_free(config->requires);
    rb_json_free(config->secrets);
    rb_json_free(config->environments);
    free(config);
}
