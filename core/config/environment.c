#include "config/environment.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "config/config_shape.h"
#include "config/overlap.h"
#include "database/url.h"

#define DEFAULT_KEEP 5
#define DEFAULT_BACKUP_LIMIT 1024 /* MiB */
#define DEFAULT_KEEP_BACKUPS 90
#define DEFAULT_LOCK_TIMEOUT 30
#define LOCK_MS 800 /* less than PostgreSQL's deadlock_timeout: rbtool gives way, not others */
#define DEFAULT_TIMEOUT 30
#define DEFAULT_ATTEMPT 10
#define DEFAULT_FAILURES 3
#define DEFAULT_INTERVAL 5
#define DEFAULT_ESCALATE 600

/* How to read an environment. lenient: omit databases whose url is a variable that is not set.
 */
typedef struct reading {
    const char *base;
    const char *(*lookup)(const char *name);
    bool lenient;
} reading;

static void pairs_clear(rb_env_pair *pairs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(pairs[i].name);
        free(pairs[i].value);
    }
}

static void pairs_free(rb_env_pair *pairs, size_t count)
{
    pairs_clear(pairs, count);
    free(pairs);
}

void rb_env_drop_commands(rb_env *env)
{
    env->is_copy = true;
    rb_strs_clear(&env->stop);
    rb_strs_clear(&env->start);
    for (size_t i = 0; i < env->check_count; i++) {
        free(env->checks[i].name);
        free(env->checks[i].after);
        pairs_clear(env->checks[i].compare, 2);
        rb_strs_clear(&env->checks[i].command);
    }
    env->check_count = 0;
    for (size_t i = 0; i < env->notify_count; i++)
        rb_strs_clear(&env->notify[i]);
    env->notify_count = 0;
    for (size_t i = 0; i < env->secret_count; i++) {
        free(env->secrets[i].name);
        rb_strs_clear(&env->secrets[i].version);
        rb_strs_clear(&env->secrets[i].restore);
    }
    env->secret_count = 0;
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
    rb_env_drop_commands(env);
    free(env->checks);
    free(env->notify);
    free(env->secrets);
    rb_strs_clear(&env->owners);
    rb_strs_clear(&env->escalation);
    free(env);
}

/* Returns the path without empty, "." and ".." components, for comparisons of paths and for
 * messages. ".." after a symlink leads to the folder above its target, as in the kernel. Other
 * symlinks stay, because files are replaced at their targets. */
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

/* Returns a database's url. "$NAME" is replaced by an environment variable, so that a file need not
 * contain a password. If that is not set, *out is NULL in a lenient reading. */
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
    if (!rb_url_engine(url, NULL)) /* the variable's value may be invalid, too */
        return rb_fail(err, RB_ERROR, "environments.%s.databases.%s must be " RB_URL_WORDS, env,
                       name);
    const char *file = rb_url_file(url);
    RB_AUTO(rb_free_str) char *path = file ? absolute(how->base, file) : NULL;
    *out = path ? rb_url_with_file(url, path) : rb_strdup(url);
    return RB_OK;
}

static enum rb_code read_databases(rb_env *env, const json_t *map, const reading *how, rb_err *err)
{
    env->databases = rb_calloc(json_object_size(map), sizeof *env->databases);
    rb_json_each_member (key, value, map) {
        rb_env_pair *pair = &env->databases[env->database_count];
        RB_TRY(read_url(&pair->value, env->name, key, json_string_value(value), how, err));
        if (!pair->value)
            continue;
        pair->name = rb_strdup(key);
        env->database_count++;
    }
    return RB_OK;
}

static void read_config(rb_env *env, const json_t *map, const char *base)
{
    env->config = rb_calloc(json_object_size(map), sizeof *env->config);
    rb_json_each_member (key, value, map) {
        const char *path = rb_json_str(value, "path");
        const char *mode = rb_json_str(value, "mode");
        env->config[env->config_count++] =
            (rb_env_pair){.name = rb_strdup(key),
                          .value = absolute(base, path ? path : json_string_value(value)),
                          .mode = mode ? (int)strtol(mode, NULL, 8) : 0};
    }
}

static int read_number(const json_t *json, const char *key, int otherwise)
{
    return (int)rb_json_int(json, key, otherwise);
}

static void read_strings(rb_strs *out, const json_t *list)
{
    rb_json_each (item, list)
        rb_strs_add(out, json_string_value(item));
}

static enum rb_code read_command(rb_strs *out, const json_t *list, const char *where,
                                 const char *key, rb_err *err)
{
    read_strings(out, list);
    if (out->n > 0 && !*out->items[0])
        return rb_fail(err, RB_ERROR,
                       "%s.%s must be a command: a list of strings, the program first", where, key);
    return RB_OK;
}

static double read_real(const json_t *json, const char *key, double otherwise)
{
    const json_t *value = json_object_get(json, key);
    return value ? json_number_value(value) : otherwise;
}

static enum rb_code read_check(rb_env_check *check, const json_t *json, const char *where,
                               rb_err *err)
{
    check->name = rb_strdup(rb_json_str(json, "name"));
    check->after = rb_strdup(rb_json_str(json, "after"));
    check->retry = !json_is_false(json_object_get(json, "retry"));
    check->timeout = read_number(json, "timeout", DEFAULT_TIMEOUT);
    check->stable_for = read_number(json, "stableFor", 0);
    check->attempt = read_number(json, "attempt",
                                 check->retry && check->timeout > DEFAULT_ATTEMPT ? DEFAULT_ATTEMPT
                                                                                  : check->timeout);
    rb_json_each (side, json_object_get(json, "compare"))
        check->compare[side_at] = (rb_env_pair){.name = rb_strdup(rb_json_str(side, "database")),
                                                .value = rb_strdup(rb_json_str(side, "query"))};
    check->tolerance = read_real(json, "tolerance", 0);
    check->max = read_real(json, "max", NAN);
    check->min = read_real(json, "min", NAN);
    check->max_change = read_real(json, "maxChange", NAN);
    return read_command(&check->command, json_object_get(json, "command"), where, check->name, err);
}

static enum rb_code read_secrets(rb_env *env, const json_t *map, const char *where, rb_err *err)
{
    env->secrets = rb_calloc(json_object_size(map), sizeof *env->secrets);
    rb_json_each_member (name, value, map) {
        rb_env_secret *secret = &env->secrets[env->secret_count++];
        secret->name = rb_strdup(name);
        RB_TRY(read_command(&secret->version, json_object_get(value, "version"), where, "secrets",
                            err));
        RB_TRY(read_command(&secret->restore, json_object_get(value, "restore"), where, "secrets",
                            err));
    }
    return RB_OK;
}

bool rb_env_check_measures(const rb_env_check *check)
{
    return !isnan(check->max) || !isnan(check->min) || !isnan(check->max_change);
}

static enum rb_code read_watch(rb_env_watch *watch, const json_t *json, const char *where,
                               rb_err *err)
{
    const char *action = rb_json_str(json, "onFailure");
    watch->failures = read_number(json, "failures", DEFAULT_FAILURES);
    watch->of = read_number(json, "of", watch->failures);
    watch->interval = read_real(json, "interval", DEFAULT_INTERVAL);
    watch->reverts = action && strcmp(action, "revert") == 0;
    watch->escalate = read_real(json, "escalateAfter", DEFAULT_ESCALATE);
    if (watch->of < watch->failures)
        return rb_fail(err, RB_ERROR, "%s.watch.of must not be less than failures, which is %d",
                       where, watch->failures);
    return RB_OK;
}

static enum rb_code read_all(rb_env *env, const json_t *json, const reading *how, rb_err *err)
{
    RB_AUTO(rb_free_str) char *where = rb_format("environments.%s", env->name);
    const json_t *service = json_object_get(json, "service");
    const json_t *objectives = json_object_get(json, "objectives");
    const json_t *checks = json_object_get(json, "checks");
    const json_t *notify = json_object_get(json, "notify");
    const char *flags = rb_json_str(json, "flags");
    RB_TRY(rb_shape_check(rb_environment_shape(), json, where, err));
    env->root = absolute(how->base, rb_json_str(json, "root"));
    env->flags = flags ? absolute(how->base, flags) : NULL;
    RB_TRY(read_databases(env, json_object_get(json, "databases"), how, err));
    read_config(env, json_object_get(json, "config"), how->base);
    RB_TRY(read_command(&env->stop, json_object_get(service, "stop"), where, "service.stop", err));
    RB_TRY(
        read_command(&env->start, json_object_get(service, "start"), where, "service.start", err));
    env->checks = rb_calloc(json_array_size(checks), sizeof *env->checks);
    rb_json_each (item, checks)
        RB_TRY(read_check(&env->checks[env->check_count++], item, where, err));
    RB_TRY(read_watch(&env->watch, json_object_get(json, "watch"), where, err));
    RB_TRY(read_secrets(env, json_object_get(json, "secrets"), where, err));
    env->notify = rb_calloc(json_array_size(notify), sizeof *env->notify);
    rb_json_each (item, notify)
        RB_TRY(read_command(&env->notify[env->notify_count++], item, where, "notify", err));
    env->rto = read_number(objectives, "rto", -1);
    env->rpo = read_number(objectives, "rpo", -1);
    read_strings(&env->owners, json_object_get(json, "owners"));
    read_strings(&env->escalation, json_object_get(json, "escalation"));
    env->backup_limit = rb_json_int(json, "backupLimit", DEFAULT_BACKUP_LIMIT) << 20;
    env->keep_backups = read_number(json, "keepBackups", DEFAULT_KEEP_BACKUPS);
    env->timeout_key = rb_format("--statement-timeout, or %s.statementTimeout", where);
    env->statement_timeout = read_number(json, "statementTimeout", 0);
    env->lock_timeout = read_number(json, "lockTimeout", DEFAULT_LOCK_TIMEOUT);
    env->keep = read_number(json, "keep", DEFAULT_KEEP);
    return RB_OK;
}

static enum rb_code pick(const char **name, const json_t *environments, rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf names = {0};
    rb_json_each_member (key, value, environments)
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
    *out = RB_TAKE(env);
    return RB_OK;
}

enum rb_code rb_env_look(rb_env **out, const json_t *environments, const char *name,
                         const char *base, const char *(*lookup)(const char *name), rb_err *err)
{
    return define(out, environments, name, &(reading){base, lookup, true}, err);
}

/* Checks that no other environment shares a file with this one. Skips environments that cannot be
 * read, because they cannot be used either. */
static enum rb_code check_others(const rb_env *env, const json_t *environments, const reading *how,
                                 rb_err *err)
{
    rb_json_each_member (name, value, environments) {
        RB_AUTO(rb_env_freep) rb_env *other = NULL;
        if (strcmp(name, env->name) != 0 &&
            rb_env_look(&other, environments, name, how->base, how->lookup, RB_IGNORED) == RB_OK)
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
    *out = RB_TAKE(env);
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
