#include "config/environment.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "config/config.h"
#include "config/overlap.h"
#include "database/url.h"

#define DEFAULT_KEEP 5
#define DEFAULT_BACKUP_LIMIT 1024 /* MiB */
#define DEFAULT_KEEP_BACKUPS 90
#define DEFAULT_LOCK_TIMEOUT 30
#define LOCK_MS                                                                                    \
    800 /* less than PostgreSQL's deadlock_timeout, so that rbtool is the one to give way */
#define DEFAULT_TIMEOUT 30
#define DEFAULT_ATTEMPT 10
#define MAX_SECONDS 86400

/* How an environment is read. lenient: without the databases whose url is not set here. */
typedef struct reading {
    const char *base;
    const char *(*lookup)(const char *name);
    bool lenient;
} reading;

static void pairs_free(rb_env_pair *pairs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(pairs[i].name);
        free(pairs[i].value);
    }
    free(pairs);
}

void rb_env_free(rb_env *env)
{
    if (!env)
        return;
    free(env->name);
    free(env->root);
    free(env->timeout_key);
    free(env->flags);
    pairs_free(env->databases, env->database_count);
    pairs_free(env->config, env->config_count);
    rb_strs_clear(&env->stop);
    rb_strs_clear(&env->start);
    for (size_t i = 0; i < env->check_count; i++) {
        free(env->checks[i].name);
        rb_strs_clear(&env->checks[i].command);
    }
    free(env->checks);
    rb_strs_clear(&env->owners);
    rb_strs_clear(&env->escalation);
    free(env);
}

static enum rb_code wrong(rb_err *err, const char *env, const char *key, const char *expected)
{
    return rb_fail(err, RB_ERROR, "environments.%s.%s must be %s", env, key, expected);
}

static enum rb_code read_strings(rb_strs *out, const json_t *list, const char *env, const char *key,
                                 rb_err *err)
{
    size_t i;
    json_t *item;
    if (list && !json_is_array(list))
        return wrong(err, env, key, "a list of strings");
    json_array_foreach ((json_t *)list, i, item) {
        if (!json_is_string(item))
            return wrong(err, env, key, "a list of strings");
        rb_strs_add(out, json_string_value(item));
    }
    return RB_OK;
}

static enum rb_code read_argv(rb_strs *out, const json_t *list, const char *env, const char *key,
                              rb_err *err)
{
    RB_TRY(read_strings(out, list, env, key, err));
    if (list && (out->n == 0 || out->items[0][0] == '\0'))
        return wrong(err, env, key, "a command: a list of strings, the program first");
    return RB_OK;
}

static enum rb_code read_seconds(int *out, const json_t *value, int otherwise, const char *env,
                                 const char *key, rb_err *err)
{
    *out = otherwise;
    if (!value)
        return RB_OK;
    if (!json_is_integer(value) || json_integer_value(value) < 0 ||
        json_integer_value(value) > MAX_SECONDS)
        return wrong(err, env, key, "a whole number of seconds, at most 86400");
    *out = (int)json_integer_value(value);
    return RB_OK;
}

/* Returns the path without empty, "." and ".." components, so that the test whether one path lies
 * below another works and messages show it as a person would write it. ".." leads to the folder
 * above a symlink's target, as in the kernel; other symlinks stay, because files are replaced
 * behind them. */
static char *absolute(const char *base, const char *path)
{
    RB_AUTO(rb_free_str)
    char *full = rb_format("%s/%s", path[0] == '/' ? "" : base, path);
    rb_buf out = {0};
    for (const char *p = full + strspn(full, "/"); *p;) {
        size_t len = strcspn(p, "/");
        if (len == 2 && strncmp(p, "..", 2) == 0) {
            RB_AUTO(rb_free_str) char *here = rb_path_resolve(rb_buf_str(&out), NULL, NULL);
            const char *slash = strrchr(here, '/');
            rb_buf_clear(&out);
            rb_buf_add(&out, here, slash ? (size_t)(slash - here) : 0);
        } else if (len != 1 || *p != '.') {
            rb_buf_addc(&out, '/');
            rb_buf_add(&out, p, len);
        }
        p += len;
        p += strspn(p, "/");
    }
    if (out.len == 0)
        rb_buf_addc(&out, '/');
    return rb_buf_detach(&out);
}

/* "$NAME" from the process environment, so that a password need not stand in a file. *out is NULL
 * if it is not set and lenient. */
static enum rb_code read_url(char **out, const char *env, const char *name, const char *url,
                             const reading *how, rb_err *err)
{
    *out = NULL;
    if (url[0] == '$') {
        const char *value = how->lookup ? how->lookup(url + 1) : NULL;
        if (how->lenient && (!value || !*value))
            return RB_OK;
        if (!value || !*value)
            return rb_fail(err, RB_ERROR,
                           "environments.%s.databases.%s takes its url from %s, which is not set",
                           env, name, url);
        url = value;
    }
    if (!rb_url_engine(url, NULL))
        return rb_fail(err, RB_ERROR, "environments.%s.databases.%s must be " RB_URL_WORDS, env,
                       name);
    const char *file = rb_url_file(url);
    RB_AUTO(rb_free_str) char *path = file ? absolute(how->base, file) : NULL;
    *out = path ? rb_url_with_file(url, path) : rb_strdup(url);
    return RB_OK;
}

static enum rb_code read_databases(rb_env *env, const json_t *map, const reading *how, rb_err *err)
{
    const char *key;
    json_t *value;
    if (map && !json_is_object(map))
        return wrong(err, env->name, "databases", "an object of name: url");
    env->databases = rb_calloc(json_object_size(map), sizeof *env->databases);
    json_object_foreach ((json_t *)map, key, value) {
        if (!json_is_string(value))
            return wrong(err, env->name, "databases", "an object of name: url");
        rb_env_pair *pair = &env->databases[env->database_count];
        RB_TRY(read_url(&pair->value, env->name, key, json_string_value(value), how, err));
        if (!pair->value)
            continue;
        pair->name = rb_strdup(key);
        env->database_count++;
    }
    return RB_OK;
}

/* "0640": what chmod(1) takes, without set-id bits. */
static bool read_mode(int *out, const char *text)
{
    if (!text || strlen(text) != 4 || text[0] != '0' || strspn(text, "01234567") != 4)
        return false;
    *out = (int)strtol(text, NULL, 8);
    return *out != 0;
}

static enum rb_code read_config_file(rb_env_pair *out, const rb_env *env, const json_t *value,
                                     const char *base, rb_err *err)
{
    static const char *const known[] = {"path", "mode", NULL};
    const char *path =
        json_is_object(value) ? rb_json_str(value, "path") : json_string_value(value);
    if (!path)
        return wrong(err, env->name, "config",
                     "an object of repository path: host path, or {\"path\", \"mode\"}");
    if (json_is_object(value)) {
        RB_AUTO(rb_free_str) char *where = rb_format("config.%s", out->name);
        RB_TRY(rb_keys_check(value, where, known, err));
        if (json_object_get(value, "mode") && !read_mode(&out->mode, rb_json_str(value, "mode")))
            return wrong(err, env->name, where, "given a mode like \"0640\"");
    }
    out->value = absolute(base, path);
    return RB_OK;
}

static enum rb_code read_config(rb_env *env, const json_t *map, const char *base, rb_err *err)
{
    const char *key;
    json_t *value;
    if (map && !json_is_object(map))
        return wrong(err, env->name, "config", "an object of repository path: host path");
    env->config = rb_calloc(json_object_size(map), sizeof *env->config);
    json_object_foreach ((json_t *)map, key, value) {
        rb_env_pair *pair = &env->config[env->config_count++];
        pair->name = rb_strdup(key);
        RB_TRY(read_config_file(pair, env, value, base, err));
    }
    return RB_OK;
}

static enum rb_code read_checks(rb_env *env, const json_t *list, rb_err *err)
{
    static const char *const known[] = {"name",    "command", "timeout", "stableFor",
                                        "attempt", "retry",   NULL};
    size_t i;
    json_t *item;
    if (list && !json_is_array(list))
        return wrong(err, env->name, "checks", "a list");
    env->checks = rb_calloc(json_array_size(list), sizeof *env->checks);
    json_array_foreach ((json_t *)list, i, item) {
        RB_AUTO(rb_free_str) char *where = rb_format("checks[%zu]", i);
        if (!json_is_object(item) || !rb_json_str(item, "name") ||
            !json_object_get(item, "command"))
            return wrong(err, env->name, where, "an object with name and command");
        RB_TRY(rb_keys_check(item, where, known, err));
        rb_env_check *check = &env->checks[env->check_count++];
        check->name = rb_strdup(rb_json_str(item, "name"));
        RB_TRY(read_argv(&check->command, json_object_get(item, "command"), env->name, where, err));
        RB_TRY(read_seconds(&check->timeout, json_object_get(item, "timeout"), DEFAULT_TIMEOUT,
                            env->name, where, err));
        RB_TRY(read_seconds(&check->stable_for, json_object_get(item, "stableFor"), 0, env->name,
                            where, err));
        const json_t *retry = json_object_get(item, "retry");
        if (retry && !json_is_boolean(retry))
            return wrong(err, env->name, where, "given a retry of true or false");
        check->retry = !json_is_false(retry);
        RB_TRY(read_seconds(&check->attempt, json_object_get(item, "attempt"),
                            check->retry && check->timeout > DEFAULT_ATTEMPT ? DEFAULT_ATTEMPT
                                                                             : check->timeout,
                            env->name, where, err));
        if (check->timeout == 0 || check->attempt == 0)
            return wrong(err, env->name, where, "given a timeout and attempt of at least 1 second");
    }
    return RB_OK;
}

static enum rb_code read_service(rb_env *env, const json_t *service, rb_err *err)
{
    static const char *const known[] = {"stop", "start", NULL};
    if (!service)
        return RB_OK;
    if (!json_is_object(service))
        return wrong(err, env->name, "service", "an object with stop and start");
    RB_TRY(rb_keys_check(service, "service", known, err));
    RB_TRY(read_argv(&env->stop, json_object_get(service, "stop"), env->name, "service.stop", err));
    return read_argv(&env->start, json_object_get(service, "start"), env->name, "service.start",
                     err);
}

static enum rb_code read_objectives(rb_env *env, const json_t *objectives, rb_err *err)
{
    static const char *const known[] = {"rto", "rpo", NULL};
    env->rto = -1;
    env->rpo = -1;
    if (!objectives)
        return RB_OK;
    if (!json_is_object(objectives))
        return wrong(err, env->name, "objectives", "an object with rto and rpo in seconds");
    RB_TRY(rb_keys_check(objectives, "objectives", known, err));
    RB_TRY(read_seconds(&env->rto, json_object_get(objectives, "rto"), -1, env->name,
                        "objectives.rto", err));
    return read_seconds(&env->rpo, json_object_get(objectives, "rpo"), -1, env->name,
                        "objectives.rpo", err);
}

static enum rb_code read_whole(int64_t *out, const json_t *json, const char *key, int64_t otherwise,
                               int64_t most, const char *env, rb_err *err)
{
    const json_t *value = json_object_get(json, key);
    *out = value ? json_integer_value(value) : otherwise;
    if (!value || (json_is_integer(value) && *out >= 0 && *out <= most))
        return RB_OK;
    RB_AUTO(rb_free_str) char *wanted = rb_format("a whole number from 0 to %lld", (long long)most);
    return wrong(err, env, key, wanted);
}

static enum rb_code read_all(rb_env *env, const json_t *json, const reading *how, rb_err *err)
{
    static const char *const known[] = {
        "root",        "databases",   "flags",      "config", "service",          "checks",
        "objectives",  "owners",      "escalation", "keep",   "statementTimeout", "backupLimit",
        "keepBackups", "lockTimeout", NULL};
    RB_AUTO(rb_free_str) char *where = rb_format("environments.%s", env->name);
    if (!json_is_object(json))
        return rb_fail(err, RB_ERROR, "%s must be an object", where);
    RB_TRY(rb_keys_check(json, where, known, err));
    const char *root = rb_json_str(json, "root");
    if (!root || !*root)
        return wrong(err, env->name, "root", "the folder that the application lives in");
    env->root = absolute(how->base, root);
    const json_t *flags = json_object_get(json, "flags");
    if (flags && !json_is_string(flags))
        return wrong(err, env->name, "flags", "the path of the flag file on this host");
    env->flags = flags ? absolute(how->base, json_string_value(flags)) : NULL;
    RB_TRY(read_databases(env, json_object_get(json, "databases"), how, err));
    RB_TRY(read_config(env, json_object_get(json, "config"), how->base, err));
    RB_TRY(read_service(env, json_object_get(json, "service"), err));
    RB_TRY(read_checks(env, json_object_get(json, "checks"), err));
    RB_TRY(read_objectives(env, json_object_get(json, "objectives"), err));
    RB_TRY(read_strings(&env->owners, json_object_get(json, "owners"), env->name, "owners", err));
    RB_TRY(read_strings(&env->escalation, json_object_get(json, "escalation"), env->name,
                        "escalation", err));
    const json_t *keep = json_object_get(json, "keep");
    int64_t limit;
    int64_t days;
    if (keep && (!json_is_integer(keep) || json_integer_value(keep) < 2 ||
                 json_integer_value(keep) > 10000))
        return wrong(err, env->name, "keep", "a whole number from 2 to 10000");
    RB_TRY(read_whole(&limit, json, "backupLimit", DEFAULT_BACKUP_LIMIT, 1 << 30, env->name, err));
    RB_TRY(read_whole(&days, json, "keepBackups", DEFAULT_KEEP_BACKUPS, 36500, env->name, err));
    env->backup_limit = limit << 20;
    env->keep_backups = (int)days;
    env->timeout_key = rb_format("%s.statementTimeout", where);
    RB_TRY(read_seconds(&env->statement_timeout, json_object_get(json, "statementTimeout"), 0,
                        env->name, "statementTimeout", err));
    RB_TRY(read_seconds(&env->lock_timeout, json_object_get(json, "lockTimeout"),
                        DEFAULT_LOCK_TIMEOUT, env->name, "lockTimeout", err));
    env->keep = keep ? (int)json_integer_value(keep) : DEFAULT_KEEP;
    return RB_OK;
}

static enum rb_code pick(const char **name, const json_t *environments, rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf names = {0};
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)environments, key, value)
        rb_buf_printf(&names, "%s%s", names.len ? ", " : "", key);
    if (json_object_size(environments) == 0)
        return rb_fail(err, RB_ERROR,
                       "no environment is configured\nadd one under \"environments\" in "
                       "rbtool.json, or write a "
                       "bundle for other tools to apply with `rbtool revert TAG -o DIR`");
    if (*name && !json_object_get(environments, *name))
        return rb_fail(err, RB_ERROR, "no environment '%s' is configured\nthere is %s", *name,
                       names.data);
    if (!*name && json_object_size(environments) > 1)
        return rb_fail(err, RB_ERROR, "there are several environments (%s)\nsay which with --env",
                       names.data);
    if (!*name)
        *name = json_object_iter_key(json_object_iter((json_t *)environments));
    return RB_OK;
}

static enum rb_code define(rb_env **out, const json_t *environments, const char *name,
                           const reading *how, rb_err *err)
{
    RB_AUTO(rb_env_freep) rb_env *env = rb_calloc(1, sizeof *env);
    env->name = rb_strdup(name);
    RB_TRY(read_all(env, json_object_get(environments, name), how, err));
    *out = env;
    env = NULL;
    return RB_OK;
}

enum rb_code rb_env_look(rb_env **out, const json_t *environments, const char *name,
                         const char *base, const char *(*lookup)(const char *name), rb_err *err)
{
    return define(out, environments, name, &(reading){base, lookup, true}, err);
}

/* Checks that no other environment shares a file. One that cannot be read cannot be used, so it is
 * skipped. */
static enum rb_code check_others(const rb_env *env, const json_t *environments, const reading *how,
                                 rb_err *err)
{
    const char *name;
    json_t *value;
    json_object_foreach ((json_t *)environments, name, value) {
        RB_AUTO(rb_env_freep) rb_env *other = NULL;
        rb_err ignored;
        if (strcmp(name, env->name) != 0 &&
            rb_env_look(&other, environments, name, how->base, how->lookup, &ignored) == RB_OK)
            RB_TRY(rb_env_check_shared(env, other, err));
    }
    return RB_OK;
}

enum rb_code rb_env_read(rb_env **out, const json_t *environments, const char *name,
                         const char *base, const char *(*lookup)(const char *name), rb_err *err)
{
    const reading how = {base, lookup, false};
    RB_AUTO(rb_env_freep) rb_env *env = NULL;
    RB_TRY(pick(&name, environments, err));
    RB_TRY(define(&env, environments, name, &how, err));
    RB_TRY(rb_env_check_places(env, err));
    RB_TRY(check_others(env, environments, &how, err));
    *out = env;
    env = NULL;
    return RB_OK;
}

const char *rb_env_database(const rb_env *env, const char *name)
{
    for (size_t i = 0; i < env->database_count; i++)
        if (strcmp(env->databases[i].name, name) == 0)
            return env->databases[i].value;
    return NULL;
}

rb_db_limits rb_env_limits(const rb_env *env)
{
    return (rb_db_limits){.seconds = env->statement_timeout,
                          .statements = true,
                          .lock_ms = LOCK_MS,
                          .where = env->timeout_key};
}
