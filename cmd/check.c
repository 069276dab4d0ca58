#include <string.h>
#include <time.h>

#include "base/text.h"
#include "env_session.h"
#include "environment/checks.h"
#include "release_status.h"
#include "status.h"
#include "transition/known_good.h"
#include "transition/pause.h"
#include "transition/secrets.h"
#include "transition/service.h"
#include "ui.h"

static const rb_opt opts[] = {RB_OPTION_ENV, RB_OPTION_JSON, RB_OPTIONS_END};

/* Stores the result of the checks, unless another transition started in the meantime: that stores
 * its own. well: the transition that brought the release ended well. down: that transition could
 * not start the service. */
static enum rb_code store(const rb_env_session *site, const json_t *failures, const json_t *values,
                          const char *tag, const rb_transition_row *pending, bool *well, bool *down,
                          rb_err *err)
{
    RB_AUTO(rb_lock_releasep) rb_lock *lock = NULL;
    RB_AUTO(rb_state_closep) rb_state *state = NULL;
    RB_AUTO(rb_live_clear) rb_live live = {0};
    RB_AUTO(rb_transition_row_freep) rb_transition_row *now = NULL;
    RB_AUTO(rb_json_freep) json_t *before = NULL;
    RB_TRY(rb_lock_take(&lock, site->env->root, err));
    RB_TRY(rb_state_open(&state, site->env->root, true, err));
    RB_TRY(rb_state_live(&live, state, err));
    RB_TRY(rb_state_pending(&now, state, err));
    if (pending || now || !rb_text_same(rb_env_session_live_tag(&live), tag))
        return rb_fail(err, RB_BUSY, "a transition has begun and not ended");
    RB_TRY(rb_state_health(&before, state, err));
    *down = json_is_true(json_object_get(before, "down"));
    RB_AUTO(rb_json_freep) json_t *health = rb_health_of_checks(failures, values, tag, *down);
    RB_TRY(rb_state_health_set(state, health, err));
    RB_TRY(rb_known_ended_well(well, state, err));
    return rb_state_flush(state, err);
}

/* Returns the item of that name, or NULL. */
static const json_t *item_of(const json_t *items, const char *name)
{
    rb_json_each (item, items)
        if (rb_text_same(rb_json_str(item, "name"), name))
            return item;
    return NULL;
}

/* Appends one check to the results: [{"name","passed","value","message","output"}]. */
static void add_result(json_t *results, const char *name, const json_t *values,
                       const json_t *failures)
{
    const json_t *failure = item_of(failures, name);
    json_array_append_new(results, rb_json_make("name:s passed:b value:J message:s output:s", name,
                                                !failure, json_object_get(values, name),
                                                rb_json_str(failure, "message"),
                                                rb_json_str(failure, "output")));
}

/* Returns the results of the check commands, and of the SQL checks if release is given. */
static json_t *results_of(const rb_env *env, const rb_release *release, const json_t *failures,
                          const json_t *values)
{
    json_t *results = json_array();
    for (size_t i = 0; i < env->check_count; i++)
        if (!env->checks[i].after)
            add_result(results, env->checks[i].name, values, failures);
    const rb_manifest *manifest = release ? release->manifest : NULL;
    for (size_t i = 0; manifest && i < manifest->check_count; i++) {
        const char *path = manifest->checks[i].path;
        bool named;
        const char *database = rb_sql_check_database(&named, manifest, path);
        RB_AUTO(rb_free_str) char *whole = rb_format("database %s", database ? database : "");
        const bool ran = database && rb_env_database(env, database) && !item_of(failures, whole);
        if (ran || item_of(failures, path))
            add_result(results, path, NULL, failures);
    }
    rb_json_each (failure, failures) /* databases whose checks did not all run */
        if (!item_of(results, rb_json_str(failure, "name")))
            add_result(results, rb_json_str(failure, "name"), NULL, failures);
    return results;
}

static void show(const json_t *results)
{
    rb_json_each (item, results) {
        RB_AUTO(rb_free_str)
        char *shown = rb_format(", value %.10g", json_number_value(json_object_get(item, "value")));
        if (rb_json_str(item, "message"))
            rb_ui_line("<red>failed</>  %s", rb_json_str(item, "message"));
        else
            rb_ui_line("<green>passed</>  check \"%s\"%s", rb_json_str(item, "name"),
                       json_is_null(json_object_get(item, "value")) ? "" : shown);
        rb_ui_output(NULL, "            ", rb_json_str(item, "output"));
    }
}

static void progress(void *context, const char *text)
{
    rb_ui_progress(context, "check %s", text);
}

/* Reads the versions of the secrets and records them for `status` to compare. They are not recorded
 * while another run holds the environment. */
static void look_at_secrets(json_t **seen, rb_cli *cli, const rb_env_session *site)
{
    RB_AUTO(rb_strs_clear) rb_strs problems = {0};
    RB_AUTO(rb_lock_releasep) rb_lock *lock = NULL;
    RB_AUTO(rb_state_closep) rb_state *state = NULL;
    rb_err why;
    rb_secrets_look(seen, &problems, site->env);
    for (size_t i = 0; i < problems.n; i++)
        rb_ui_note(cli, "%s", problems.items[i]);
    if (json_object_size(*seen) > 0 && site->state &&
        (rb_lock_take(&lock, site->env->root, &why) != RB_OK ||
         rb_state_open(&state, site->env->root, true, &why) != RB_OK ||
         rb_secrets_record(state, *seen, &why) != RB_OK))
        rb_ui_note(cli, "the versions of the secrets are not recorded: %s", rb_err_line(&why));
}

/* release NULL: SQL checks do not run. */
static enum rb_code run_all(json_t *failures, json_t *values, json_t **secrets, rb_cli *cli,
                            const rb_env_session *site, const char *tag, const rb_release *release,
                            rb_err *err)
{
    rb_control control = {0};
    const rb_checking checking = {.env = site->env,
                                  .from = tag,
                                  .to = tag ? tag : "",
                                  .values = values,
                                  .active = &control.active,
                                  .progress = progress,
                                  .context = cli};
    rb_env_session_catch(&control);
    rb_checks_run(failures, &checking);
    if (release)
        rb_sql_checks_round(failures, &checking, release, cli->session.repo);
    look_at_secrets(secrets, cli, site);
    rb_env_session_uncatch();
    return control.cancelled ? rb_fail(err, RB_FOUND, "stopped by a signal; nothing was recorded")
                             : RB_OK;
}

/* Returns the release whose SQL checks run: the one that is live in the databases, or NULL. */
static rb_release *release_of(rb_cli *cli, const rb_env_session *site)
{
    const char *tag = site->live.tag[RB_PART_DB];
    rb_err why;
    rb_release *release = NULL;
    if (tag && rb_session_release(&release, &cli->session, tag, site->live.object[RB_PART_DB],
                                  &why) != RB_OK)
        rb_ui_note(cli, "the SQL checks of %s do not run: %s", tag, rb_err_line(&why));
    return release;
}

static enum rb_code check(rb_cli *cli, const rb_env_session *site, rb_err *err)
{
    RB_AUTO(rb_transition_row_freep) rb_transition_row *row = NULL;
    RB_AUTO(rb_free_str) char *holder = NULL;
    RB_AUTO(rb_json_freep) json_t *failures = json_array();
    RB_AUTO(rb_json_freep) json_t *values = json_object();
    const rb_env *env = site->env;
    const char *tag = rb_env_session_live_tag(&site->live);
    RB_TRY(rb_env_session_pending(&row, &holder, site, err));
    if (holder)
        rb_ui_note(cli,
                   "another run holds the environment (%s): the checks run in the middle of it",
                   holder);
    else if (row)
        rb_ui_note(cli, "the %s of %s to %s %s (transition %s)", row->kind, env->name, row->to,
                   rb_paused(row->plan) ? "is paused" : "stopped half-way", row->id);
    RB_AUTO(rb_json_freep) json_t *secrets = NULL;
    RB_AUTO(rb_release_freep) rb_release *release = row ? NULL : release_of(cli, site);
    RB_TRY(run_all(failures, values, &secrets, cli, site, tag, release, err));
    RB_AUTO(rb_json_freep) json_t *results = results_of(env, release, failures, values);
    const size_t failed = json_array_size(failures);
    const size_t count = json_array_size(results);
    const char *health = count == 0 ? "unchecked" : failed ? "unhealthy" : "healthy";
    rb_err why = {0};
    bool well = true;
    bool down = false;
    bool stored =
        count > 0 && tag && store(site, failures, values, tag, row, &well, &down, &why) == RB_OK;
    if (cli->json) {
        RB_AUTO(rb_free_str) char *at = rb_status_iso(time(NULL));
        rb_ui_document(
            cli, rb_json_make("environment:s release:s health:s at:s stored:b checks:J secrets:J",
                              env->name, tag, health, at, stored, results, secrets));
    } else {
        show(results);
        rb_json_each_member (name, version, secrets)
            rb_ui_line("secret  %s is at version %s", name, json_string_value(version));
        rb_ui_line("%s: %s, %s%s", env->name, tag ? tag : "nothing is live", health,
                   count > 0               ? ""
                   : env->check_count == 0 ? ": no check is configured"
                                           : ": its checks run only after a transition");
    }
    if (why.message[0])
        rb_ui_note(cli, "the result is not recorded: %s", rb_err_line(&why));
    if (stored && failed == 0 && !well)
        rb_ui_note(cli,
                   "%s did not pass its checks when it went live, and a revert does not go back to "
                   "it; record that it is well now with `rbtool deploy %s --env %s`",
                   tag, tag, env->name);
    if (failed == 0)
        return RB_OK;
    RB_AUTO(rb_free_str)
    char *next = row   ? rb_format("continue the %s with `rbtool resume --env %s`, or go back with "
                                     "`rbtool abort --env %s`",
                                   row->kind, env->name, env->name)
                 : tag ? rb_release_way_back(cli, env, tag, down)
                       : rb_format("see what is live with `rbtool status --env %s`", env->name);
    return rb_fail(err, RB_FOUND, "%zu of %zu checks of %s failed\n%s", failed, count, env->name,
                   next);
}

static enum rb_code run(rb_cli *cli, rb_options *o, rb_err *err)
{
    RB_AUTO(rb_env_session_close) rb_env_session site = {0};
    RB_TRY(rb_env_session_open(&site, cli, o->env, false, err));
    RB_TRY(rb_env_session_trusted(cli, &site, err)); /* the checks are commands of the settings */
    enum rb_code code = check(cli, &site, err);
    if (site.state)
        rb_env_session_notify_unheld(cli, &site);
    return code;
}

RB_COMMAND(check, "", "run an environment's checks now", RB_GROUP_DAILY, 0, 0, 0);
