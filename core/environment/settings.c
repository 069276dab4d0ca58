#include "environment/settings.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "database/database.h"
#include "database/url.h"

#define ROOTS "rbtool.environment" /* name in git config: ROOTS.NAME.root */

static const char *const sources[] = {"worktree", "operator"};

json_t *rb_settings_of(const json_t *environments, const char *name)
{
    json_t *settings = json_deep_copy(json_object_get(environments, name));
    json_t *databases = json_object_get(settings, "databases");
    const char *key;
    json_t *value;
    void *next;
    json_object_foreach_safe(databases, next, key, value)
    {
        if (!json_is_string(value))
            continue;
        RB_AUTO(rb_free_str) char *url = rb_url_public(json_string_value(value));
        rb_json_set_str(databases, key, url);
    }
    return settings ? settings : json_object();
}

/* Writes every member that is not an object under its full name: {"service.stop": [...]}. */
static void flatten(json_t *out, const char *prefix, const json_t *value)
{
    if (!json_is_object(value) || json_object_size(value) == 0) {
        json_object_set(out, prefix, (json_t *)value);
        return;
    }
    rb_json_each_member (key, item, value) {
        RB_AUTO(rb_free_str)
        char *path = rb_format("%s%s%s", prefix, *prefix ? "." : "", key);
        flatten(out, path, item);
    }
}

static void add_difference(json_t *list, const char *key, json_t *recorded, json_t *found)
{
    json_array_append_new(list, json_pack("{s:s,s:o,s:o}", "key", key, "recorded",
                                          recorded ? json_incref(recorded) : json_null(), "found",
                                          found ? json_incref(found) : json_null()));
}

static json_t *compare(const json_t *recorded, const json_t *found)
{
    RB_AUTO(rb_json_freep) json_t *was = json_object();
    RB_AUTO(rb_json_freep) json_t *is = json_object();
    json_t *list = json_array();
    if (json_equal(recorded, found))
        return list;
    flatten(was, "", recorded);
    flatten(is, "", found);
    rb_json_each_member (key, value, was)
        if (!json_equal(value, json_object_get(is, key)))
            add_difference(list, key, value, json_object_get(is, key));
    rb_json_each_member (key, value, is)
        if (!json_object_get(was, key))
            add_difference(list, key, NULL, value);
    if (json_array_size(list) == 0) /* different keys can have the same full name */
        add_difference(list, "", (json_t *)recorded, (json_t *)found);
    return list;
}

/* Reads a pin that holds an object. Empty if nothing is recorded. */
static enum rb_code read_pin(json_t **out, rb_state *state, const char *name, rb_err *err)
{
    RB_AUTO(rb_free_str) char *text = NULL;
    if (state)
        RB_TRY(rb_state_pin(&text, state, name, err));
    if (!text) {
        *out = json_object();
        return RB_OK;
    }
    return rb_json_read(out, text, strlen(text), "what the environment's journal recorded", err);
}

static enum rb_code write_pin(rb_state *state, const char *name, const json_t *value, rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    rb_json_canonical(&text, value);
    return rb_state_pin_set(state, name, rb_buf_str(&text), err);
}

/*
 * Reads the pins of a database's newest journal row. *out is NULL if the database has no journal or
 * does not exist. *copy, with *out NULL: the row was written in another database, of which this one
 * is a copy. A database is the same if server and database are.
 */
static enum rb_code read_pins(json_t **out, bool *copy, const char *url, rb_err *err)
{
    RB_AUTO(rb_db_closep) rb_db *db = NULL;
    RB_AUTO(rb_json_freep) json_t *pins = NULL;
    RB_AUTO(rb_free_str) char *identity = NULL;
    *out = NULL;
    *copy = false;
    RB_TRY(rb_db_open(&db, url, RB_DB_READ, err));
    RB_TRY(rb_db_journal_pins(&pins, db, err));
    if (!pins)
        return RB_OK;
    RB_TRY(rb_db_identity(&identity, db, err));
    const char *recorded = rb_json_str(pins, "database");
    *copy = recorded && !rb_text_same(recorded, identity);
    if (!*copy) {
        *out = RB_TAKE(pins);
    }
    return RB_OK;
}

/* Returns the text that a person accepts: this database, for that environment. */
static char *binding_of(const char *environment, const json_t *pins)
{
    const char *identity = rb_json_str(pins, "database");
    return rb_format("%s %s", identity ? identity : "", environment);
}

static void look_at_database(rb_binding *out, const rb_env *env, const rb_env_pair *database,
                             const json_t *accepted)
{
    RB_AUTO(rb_json_freep) json_t *pins = NULL;
    bool copy;
    if (read_pins(&pins, &copy, database->value, RB_IGNORED) != RB_OK)
        return;
    const char *environment = rb_json_str(pins, "environment");
    if (pins)
        json_object_update_missing(out->pins, pins);
    if (copy)
        json_array_append_new(out->copies, rb_json_make("database:s", database->name));
    if (!environment || strcmp(environment, env->name) == 0)
        return;
    RB_AUTO(rb_free_str) char *binding = binding_of(environment, pins);
    if (rb_text_same(rb_json_str(accepted, database->name), binding))
        return;
    json_array_append_new(out->databases, rb_json_make("database:s environment:s binding:s",
                                                       database->name, environment, binding));
}

static char *root_key(const rb_env *env)
{
    return rb_format(ROOTS ".%s.root", env->name);
}

/* If the root of env has no record, reads the one in the root that the clone recorded for this
 * environment. If that root no longer exists, only its path is known, and every setting counts as
 * new. */
static enum rb_code look_at_recorded_root(json_t **recorded, rb_binding *out, const rb_env *env,
                                          rb_repo *repo, bool named, rb_err *err)
{
    RB_AUTO(rb_free_str) char *key = root_key(env);
    RB_AUTO(rb_strs_clear) rb_strs names = {0};
    RB_AUTO(rb_state_closep) rb_state *state = NULL;
    RB_AUTO(rb_json_freep) json_t *found = NULL;
    const char *root;
    RB_TRY(rb_repo_setting(&root, repo, key, err));
    if (!root && !named)
        RB_TRY(rb_repo_subsections(&names, repo, ROOTS, "root", err));
    out->other = names.n > 0 ? rb_strdup(names.items[0]) : NULL;
    if (!root || strcmp(root, env->root) == 0)
        return RB_OK;
    if (rb_state_open(&state, root, false, RB_IGNORED) != RB_OK ||
        read_pin(&found, state, "settings", RB_IGNORED) != RB_OK || json_object_size(found) == 0) {
        json_decref(found);
        found = json_pack("{s:{s:o}}", sources[RB_SETTINGS_WORKTREE], "root", rb_json_text(root));
    }
    json_object_update(*recorded, found);
    return RB_OK;
}

enum rb_code rb_binding_look(rb_binding *out, const rb_env *env, const json_t *settings,
                             enum rb_settings_source source, rb_state *state, rb_repo *repo,
                             bool named, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *recorded = NULL;
    RB_AUTO(rb_json_freep) json_t *accepted = NULL;
    *out = (rb_binding){.databases = json_array(), .copies = json_array(), .pins = json_object()};
    if (state)
        RB_TRY(rb_state_pin(&out->environment, state, "environment", err));
    RB_TRY(read_pin(&recorded, state, "settings", err));
    RB_TRY(read_pin(&accepted, state, "databases", err));
    if (!out->environment)
        RB_TRY(look_at_recorded_root(&recorded, out, env, repo, named, err));
    const json_t *ours = json_object_get(recorded, sources[source]);
    const json_t *theirs = json_object_get(
        recorded,
        sources[source == RB_SETTINGS_WORKTREE ? RB_SETTINGS_OPERATOR : RB_SETTINGS_WORKTREE]);
    const json_t *last = ours ? ours : theirs;
    bool same = !last || json_equal(settings, ours) || json_equal(settings, theirs);
    out->differences = same ? json_array() : compare(last, settings);
    for (size_t i = 0; i < env->database_count; i++)
        look_at_database(out, env, &env->databases[i], accepted);
    return RB_OK;
}

void rb_binding_clear(rb_binding *binding)
{
    free(binding->environment);
    free(binding->other);
    rb_json_free(binding->differences);
    rb_json_free(binding->databases);
    rb_json_free(binding->copies);
    rb_json_free(binding->pins);
    *binding = (rb_binding){0};
}

enum rb_code rb_binding_record(rb_state *state, const char *name, const json_t *settings,
                               enum rb_settings_source source, rb_err *err)
{
    RB_AUTO(rb_free_str) char *recorded = NULL;
    RB_AUTO(rb_json_freep) json_t *pin = NULL;
    RB_TRY(rb_state_pin(&recorded, state, "environment", err));
    RB_TRY(read_pin(&pin, state, "settings", err));
    if (!json_equal(json_object_get(pin, sources[source]), settings)) {
        json_object_set(pin, sources[source], (json_t *)settings);
        RB_TRY(write_pin(state, "settings", pin, err));
    }
    return rb_text_same(recorded, name) ? RB_OK : rb_state_pin_set(state, "environment", name, err);
}

enum rb_code rb_binding_record_root(rb_repo *repo, const rb_env *env, rb_err *err)
{
    RB_AUTO(rb_free_str) char *key = root_key(env);
    const char *const args[] = {"config", "--local", key, env->root, NULL};
    const char *recorded;
    RB_TRY(rb_repo_setting(&recorded, repo, key, err));
    return rb_text_same(recorded, env->root) ? RB_OK : rb_repo_git(NULL, repo, args, err);
}

enum rb_code rb_binding_accept(rb_state *state, const rb_binding *binding, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *pin = NULL;
    RB_TRY(read_pin(&pin, state, "databases", err));
    rb_json_each (item, binding->databases)
        json_object_set(pin, rb_json_str(item, "database"), json_object_get(item, "binding"));
    return json_array_size(binding->databases) > 0 ? write_pin(state, "databases", pin, err)
                                                   : RB_OK;
}
