/* Shows settings that differ from those recorded on this host, and the command that accepts them.
 */
#include <stdlib.h>
#include <string.h>

#include "env_session.h"
#include "environment/checks.h"
#include "ui.h"

static bool is_renamed(const rb_env_session *site)
{
    return site->binding.environment && strcmp(site->binding.environment, site->env->name) != 0;
}

/* True if settings that differ stop a transition. Files that only the operator changes do not. */
static bool settings_stop(const rb_env_session *site)
{
    return site->source == RB_SETTINGS_WORKTREE && json_array_size(site->binding.differences) > 0;
}

/* Returns the recorded name if it is another one: a commit can rename the only environment. */
static const char *other_name(const rb_env_session *site)
{
    return site->source == RB_SETTINGS_WORKTREE ? site->binding.other : NULL;
}

static void add_difference(json_t *list, const char *what, const char *key, json_t *recorded,
                           json_t *found)
{
    json_array_append_new(
        list, rb_json_make("what:s key:s recorded:j found:j", what, key, recorded, found));
}

json_t *rb_env_session_distrust(const rb_env_session *site)
{
    json_t *list = json_array();
    const char *name = site->env->name;
    if (is_renamed(site))
        add_difference(list, "environment", "root", rb_json_text(site->binding.environment),
                       rb_json_text(name));
    if (other_name(site))
        add_difference(list, "environment", "name", rb_json_text(other_name(site)),
                       rb_json_text(name));
    rb_json_each (item, site->binding.databases)
        add_difference(list, "database", rb_json_str(item, "database"),
                       json_incref(json_object_get(item, "environment")), rb_json_text(name));
    rb_json_each (item, settings_stop(site) ? site->binding.differences : NULL)
        add_difference(list, "settings", rb_json_str(item, "key"),
                       json_incref(json_object_get(item, "recorded")),
                       json_incref(json_object_get(item, "found")));
    return list;
}

static char *text_of(const json_t *value)
{
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    if (json_is_null(value))
        return rb_strdup("nothing");
    rb_json_canonical(&text, value);
    return rb_strdup(rb_buf_str(&text));
}

void rb_env_session_distrust_text(rb_buf *out, const json_t *item)
{
    RB_AUTO(rb_free_str) char *recorded = text_of(json_object_get(item, "recorded"));
    RB_AUTO(rb_free_str) char *found = text_of(json_object_get(item, "found"));
    rb_buf_printf(out, "%s %s: recorded %s, found %s", rb_json_str(item, "what"),
                  rb_json_str(item, "key"), recorded, found);
}

void rb_env_session_add_distrust(rb_buf *out, const rb_env_session *site, const char *lead)
{
    RB_AUTO(rb_json_freep) json_t *list = rb_env_session_distrust(site);
    rb_json_each (item, list) {
        RB_AUTO(rb_buf_clear) rb_buf line = {0};
        rb_env_session_distrust_text(&line, item);
        rb_ui_add(out, "%s%s", lead, line.data);
    }
}

char *rb_env_session_trust_command(const rb_cli *cli, const rb_env_session *site)
{
    bool why = is_renamed(site) || json_array_size(site->binding.databases) > 0;
    const char *config = cli->session.config;
    return rb_format("rbtool %s%s%senv trust --env %s --yes%s", config ? "--config " : "",
                     config ? config : "", config ? " " : "", site->env->name,
                     why ? " -m WHY" : "");
}

void rb_env_session_show_distrust(const rb_cli *cli, const rb_env_session *site)
{
    RB_AUTO(rb_buf_clear) rb_buf out = {0};
    rb_env_session_add_distrust(&out, site, "differs     ");
    if (out.len == 0)
        return;
    RB_AUTO(rb_free_str) char *command = rb_env_session_trust_command(cli, site);
    rb_ui_add(&out, "            the next transition exits 5 until `%s`", command);
    rb_ui_text(cli, &out, false);
}

static enum rb_code refuse(const rb_cli *cli, const rb_env_session *site, rb_err *err)
{
    const rb_binding *binding = &site->binding;
    const char *name = site->env->name;
    const json_t *database = json_array_get(binding->databases, 0);
    RB_AUTO(rb_free_str) char *command = rb_env_session_trust_command(cli, site);
    RB_AUTO(rb_buf_clear) rb_buf keys = {0};
    rb_json_each (item, binding->differences)
        rb_buf_printf(&keys, "%s%s", item_at ? ", " : "", rb_json_str(item, "key"));
    if (is_renamed(site))
        return rb_fail(err, RB_DECIDE,
                       "the root %s was recorded on this host as environment %s, and %s names it "
                       "%s, so that the rules for %s would not apply; nothing was changed\nuse "
                       "--env %s with its own settings, or rename it with `%s`",
                       site->env->root, binding->environment, site->settings_file, name,
                       binding->environment, binding->environment, command);
    if (database)
        return rb_fail(err, RB_DECIDE,
                       "database %s of %s was last moved as environment %s, so that the rules for "
                       "%s would not apply; nothing was changed\ngive %s its own database, or "
                       "accept this one with `%s`",
                       rb_json_str(database, "database"), name,
                       rb_json_str(database, "environment"), rb_json_str(database, "environment"),
                       name, command);
    if (other_name(site))
        return rb_fail(err, RB_DECIDE,
                       "this clone has moved environment %s, and %s has only %s; nothing was "
                       "changed and no command was run\nif %s is another environment, name it: "
                       "`%s --env %s`",
                       other_name(site), site->settings_file, name, name, cli->typed, name);
    return rb_fail(err, RB_DECIDE,
                   "the settings of %s in %s differ from those recorded on this host (%s); nothing "
                   "was changed and no command was run\nif the difference is right, accept it with "
                   "`%s`",
                   name, site->settings_file, rb_buf_str(&keys), command);
}

enum rb_code rb_env_session_trusted(rb_cli *cli, const rb_env_session *site, rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf out = {0};
    rb_json_each (item, site->binding.copies)
        rb_ui_note(cli,
                   "database %s is a copy of another one: what its journal was bound to does not "
                   "count here, and is replaced by the next transition",
                   rb_json_str(item, "database"));
    if (!is_renamed(site) && !other_name(site) && !settings_stop(site) &&
        json_array_size(site->binding.databases) == 0)
        return RB_OK;
    rb_ui_add(&out, "%s of %s, recorded on this host and found now:",
              settings_stop(site) ? "settings" : "names", site->env->name);
    rb_env_session_add_distrust(&out, site, "  ");
    rb_ui_text(cli, &out, true);
    return refuse(cli, site, err);
}

static void add_command(rb_buf *out, const char *what, const rb_strs *command)
{
    RB_AUTO(rb_json_freep) json_t *json = rb_json_strs(command);
    RB_AUTO(rb_free_str) char *text = text_of(json);
    if (command->n > 0)
        rb_ui_add(out, "  %s runs %s", what, text);
}

enum rb_code rb_env_session_bind(rb_cli *cli, const rb_env_session *site, rb_err *err)
{
    rb_err why;
    RB_TRY(rb_binding_record(site->state, site->env->name, site->settings, site->source, err));
    if (rb_binding_record_root(site->session->repo, site->env, &why) != RB_OK)
        rb_ui_note(cli, "this clone does not record where %s is: %s", site->env->name,
                   rb_err_line(&why));
    return RB_OK;
}

void rb_env_session_show_first(const rb_cli *cli, const rb_env_session *site)
{
    RB_AUTO(rb_buf_clear) rb_buf out = {0};
    const rb_env *env = site->env;
    char sha256[65];
    if (site->binding.environment)
        return;
    rb_json_hash(site->settings, sha256);
    rb_ui_add(&out, "first transition of environment %s on this host, with the settings in %s",
              env->name, site->settings_file);
    rb_ui_add(&out, "  settings SHA-256 %s", sha256);
    add_command(&out, "service.stop", &env->stop);
    add_command(&out, "service.start", &env->start);
    for (size_t i = 0; i < env->check_count; i++) {
        RB_AUTO(rb_free_str) char *what = rb_format("check %s", env->checks[i].name);
        add_command(&out, what, &env->checks[i].command);
        if (env->checks[i].compare[0].name) {
            RB_AUTO(rb_free_str) char *line = rb_check_line(&env->checks[i]);
            rb_ui_add(&out, "  %s: %s", what, line);
        }
    }
    for (size_t i = 0; i < env->secret_count; i++) {
        RB_AUTO(rb_free_str) char *what = rb_format("secret %s", env->secrets[i].name);
        add_command(&out, what, &env->secrets[i].version);
        add_command(&out, what, &env->secrets[i].restore);
    }
    for (size_t i = 0; i < env->notify_count; i++)
        add_command(&out, "notify", &env->notify[i]);
    rb_ui_text(cli, &out, true);
}
