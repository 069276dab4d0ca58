#include "env_session.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "environment/state_watch.h"
#include "environment/tidy.h"
#include "release_status.h"
#include "transition/backups.h"
#include "transition/host_files.h"
#include "transition/ledger_outbox.h"
#include "ui.h"

#define ENVIRONMENTS_LIMIT                                                                         \
    (1u << 20) /* bytes of the file that git config rbtool.environments names */

static const char *lookup(const char *name)
{
    return getenv(name);
}

static char *folder_of(const char *path)
{
    char *real = realpath(path, NULL);
    char *dir = real ? rb_path_dir(real) : rb_path_dir(path);
    free(real);
    return dir;
}

typedef struct found {
    json_t *environments;
    char *base; /* folder that relative paths start from */
    char *file;
    enum rb_settings_source source;
} found;

static void found_clear(found *f)
{
    json_decref(f->environments);
    free(f->base);
    free(f->file);
}

/* Finds the environments' settings. In this order: --config FILE, the file that git config
 * rbtool.environments names, rbtool.json of the work tree. */
static enum rb_code find_environments(found *out, rb_cli *cli, rb_err *err)
{
    RB_AUTO(rb_free_str) char *named = NULL;
    RB_TRY(rb_session_repo(&cli->session, err));
    rb_repo *repo = cli->session.repo;
    if (!cli->session.config)
        RB_TRY(rb_repo_setting_path(&named, repo, "rbtool.environments", err));
    if (!named) {
        RB_TRY(rb_session_settings(&cli->session, err));
        const rb_config *settings = cli->session.settings;
        *out = (found){.environments = json_incref(settings->environments),
                       .base = folder_of(settings->source),
                       .file = rb_strdup(settings->source),
                       .source = cli->session.config ? RB_SETTINGS_OPERATOR : RB_SETTINGS_WORKTREE};
        return RB_OK;
    }
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    RB_TRY(rb_file_read(&text, named, ENVIRONMENTS_LIMIT, err));
    RB_AUTO(rb_json_freep) json_t *json = NULL;
    RB_TRY(rb_config_environments(&json, rb_buf_str(&text), text.len, named, err));
    RB_AUTO(rb_free_str)
    char *top = NULL; /* set if the file is in a work tree, where a commit can change it */
    rb_repo_work_tree_of(&top, NULL, repo, named);
    *out = (found){.environments = json_incref(json),
                   .base = folder_of(named),
                   .file = rb_strdup(named),
                   .source = top ? RB_SETTINGS_WORKTREE : RB_SETTINGS_OPERATOR};
    return RB_OK;
}

enum rb_code rb_env_session_configured(bool *out, rb_cli *cli, rb_err *err)
{
    RB_AUTO(found_clear) found f = {0};
    enum rb_code code = find_environments(&f, cli, err);
    *out = code == RB_OK && json_object_size(f.environments) > 0;
    return cli->session.config || *out ? code : RB_OK;
}

static enum rb_code find_names(rb_strs *names, rb_strs *roots, rb_cli *cli, bool note, rb_err *err)
{
    RB_AUTO(found_clear) found f = {0};
    RB_TRY(find_environments(&f, cli, err));
    rb_json_each_member (name, value, f.environments) {
        RB_AUTO(rb_env_freep) rb_env *env = NULL;
        rb_err why;
        if (rb_env_look(&env, f.environments, name, f.base, lookup, &why) != RB_OK)
            continue;
        if (rb_env_session_check_root(cli, name, env->root, &why) != RB_OK) {
            if (note)
                rb_ui_note(cli, "%s", rb_err_line(&why));
            continue;
        }
        rb_strs_add(names, name);
        rb_strs_add(roots, env->root);
    }
    return RB_OK;
}

enum rb_code rb_env_session_names(rb_strs *names, rb_strs *roots, rb_cli *cli, rb_err *err)
{
    return find_names(names, roots, cli, false, err);
}

json_t *rb_env_session_objectives(rb_cli *cli)
{
    RB_AUTO(found_clear) found f = {0};
    json_t *out = json_object();
    if (find_environments(&f, cli, RB_IGNORED) == RB_OK)
        rb_json_each_member (name, value, f.environments)
            if (json_object_get(value, "objectives"))
                json_object_set(out, name, json_object_get(value, "objectives"));
    return out;
}

/* Records ended transitions in the ledger. Returns NULL if all are recorded, else the reason. */
static char *record(rb_cli *cli, const char *environment, rb_state *state)
{
    rb_recording done;
    rb_err why;
    enum rb_code code = rb_record(&done, &cli->session, environment, state, &why);
    if (done.written > 0 && done.begins)
        rb_ui_note(cli,
                   "neither this clone nor its remote had a ledger: the transition begins one; "
                   "`rbtool sync` sends it");
    if (code == RB_OK)
        return NULL;
    if (done.left == 0)
        return rb_format("what the ledger lacks of %s cannot be looked up: %s", environment,
                         rb_err_line(&why));
    return rb_format(
        "the ledger lacks %zu transition%s of %s: %s; the next deploy, revert, resume, "
        "abort or sync writes what is missing",
        done.left, rb_text_s(done.left), environment, rb_err_line(&why));
}

void rb_env_session_record(rb_cli *cli, rb_env_session *site)
{
    rb_err ignored; /* a database that cannot be read now is tried again by the next command */
    (void)!rb_backups_settle(site->env, site->state, &ignored);
    (void)!rb_state_watch_settle(site->state, site->env->root, &ignored);
    free(site->untold);
    site->untold = record(cli, site->env->name, site->state);
}

/* Records the ended transitions of one environment. Skips an environment that is not on this host,
 * or that another run holds: that run records its own. */
static enum rb_code catch_up(rb_cli *cli, const char *name, const char *root, rb_err *err)
{
    RB_AUTO(rb_lock_releasep) rb_lock *lock = NULL;
    RB_AUTO(rb_state_closep) rb_state *state = NULL;
    RB_TRY(rb_state_open(&state, root, false, err));
    if (!state)
        return RB_OK;
    rb_state_close(state);
    state = NULL;
    RB_TRY(rb_lock_take(&lock, root, err));
    RB_TRY(rb_state_open(&state, root, true, err));
    RB_TRY(rb_env_session_check_journal(name, root, state, err));
    RB_AUTO(rb_free_str) char *recorded = NULL;
    RB_TRY(rb_state_pin(&recorded, state, "environment", err));
    if (recorded && strcmp(recorded, name) != 0)
        return RB_OK; /* would be recorded under a wrong name */
    RB_TRY(rb_state_watch_settle(state, root, err));
    RB_AUTO(rb_free_str) char *untold = record(cli, name, state);
    if (untold)
        rb_ui_note(cli, "%s", untold);
    return RB_OK;
}

void rb_env_session_catch_up(rb_cli *cli)
{
    RB_AUTO(rb_strs_clear) rb_strs names = {0};
    RB_AUTO(rb_strs_clear) rb_strs roots = {0};
    rb_err ignored;
    if (find_names(&names, &roots, cli, true, &ignored) != RB_OK)
        return;
    for (size_t i = 0; i < names.n; i++)
        if (catch_up(cli, names.items[i], roots.items[i], &ignored) == RB_ERROR)
            rb_ui_note(cli, "%s", rb_err_line(&ignored));
}

/* Adds to the error the command that names an environment: core does not know it. */
static enum rb_code refuse_several(const rb_cli *cli, const json_t *environments, rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf names = {0};
    const char *first = NULL;
    rb_json_each_member (name, value, environments) {
        rb_buf_printf(&names, "%s%s", names.len ? ", " : "", name);
        first = first ? first : name;
    }
    return rb_fail(err, RB_ERROR,
                   "there are several environments (%s)\nname one of them, for example `%s --env "
                   "%s`",
                   names.data, cli->typed, first);
}

/* Removes the files of a run that was killed after staging them and before its journal row was
 * durable. */
static enum rb_code drop_staged(const rb_env_session *site, rb_err *err)
{
    RB_AUTO(rb_transition_row_freep) rb_transition_row *row = NULL;
    RB_TRY(rb_state_pending(&row, site->state, err));
    if (!row)
        rb_host_files_unstage(site->env);
    return RB_OK;
}

static enum rb_code bind(rb_env_session *site, const found *f, bool named, rb_err *err)
{
    site->settings_file = rb_strdup(f->file);
    site->source = f->source;
    site->settings = rb_settings_of(f->environments, site->env->name);
    site->pins = json_object();
    rb_json_set_str(site->pins, "environment", site->env->name);
    return rb_binding_look(&site->binding, site->env, site->settings, site->source, site->state,
                           site->session->repo, named, err);
}

/* Adds an error to `unreadable` and returns RB_OK, or returns the error if that is NULL. */
static enum rb_code pass(json_t *unreadable, const char *part, enum rb_code code, rb_err *err)
{
    if (code == RB_OK || !unreadable)
        return code;
    json_array_append_new(unreadable, rb_json_make("part:s message:t", part, rb_err_line(err)));
    return RB_OK;
}

/* Reads the environment's settings. With `unreadable`, uses what can be read of faulty ones. */
static enum rb_code read_environment(rb_env_session *site, json_t *unreadable, const found *f,
                                     const char *name, rb_err *err)
{
    rb_err why;
    enum rb_code code = rb_env_read(&site->env, f->environments, name, f->base, lookup, err);
    if (code == RB_OK || !unreadable)
        return code;
    if (!name && json_object_size(f->environments) == 1)
        name = json_object_iter_key(json_object_iter(f->environments));
    if (!name || rb_env_look(&site->env, f->environments, name, f->base, lookup, &why) != RB_OK)
        return code;
    return pass(unreadable, "settings", code, err);
}

static enum rb_code read_state(rb_env_session *site, bool write, bool check, rb_err *err)
{
    RB_TRY(rb_state_open(&site->state, site->env->root, write, err));
    if (check && site->state)
        RB_TRY(rb_env_session_check_journal(site->env->name, site->env->root, site->state, err));
    return RB_OK;
}

static enum rb_code open_site(rb_env_session *site, json_t *unreadable, rb_cli *cli,
                              const char *env, bool write, rb_err *err)
{
    RB_AUTO(found_clear) found f = {0};
    const char *name = env ? env : getenv("RBTOOL_ENV");
    name = name && *name ? name : NULL;
    site->cli = cli;
    site->session = &cli->session;
    RB_TRY(find_environments(&f, cli, err));
    if (!name && !unreadable && json_object_size(f.environments) > 1)
        return refuse_several(cli, f.environments, err);
    RB_TRY(read_environment(site, unreadable, &f, name, err));
    RB_TRY(rb_env_session_check_root(cli, site->env->name, site->env->root, err));
    RB_TRY(pass(unreadable, "signers", rb_session_signers(site->session, err), err));
    rb_session_extensions(&cli->session);
    if (write) {
        RB_TRY(rb_env_session_lock(site, err));
        rb_env_tidy(site->env);
    }
    bool trusts = write && !site->trusting;
    RB_TRY(pass(unreadable, "state", read_state(site, write, unreadable || trusts, err), err));
    RB_TRY(pass(unreadable, "state", bind(site, &f, name != NULL, err), err));
    if (trusts) {
        RB_TRY(rb_env_session_trusted(cli, site, err));
        RB_TRY(drop_staged(site, err));
        rb_env_session_record(cli, site);
    }
    return site->state
               ? pass(unreadable, "state", rb_state_live(&site->live, site->state, err), err)
               : RB_OK;
}

enum rb_code rb_env_session_open(rb_env_session *site, rb_cli *cli, const char *env, bool write,
                                 rb_err *err)
{
    return open_site(site, NULL, cli, env, write, err);
}

enum rb_code rb_env_session_look(rb_env_session *site, json_t *unreadable, rb_cli *cli,
                                 const char *env, rb_err *err)
{
    return open_site(site, unreadable, cli, env, false, err);
}

enum rb_code rb_env_session_environments(rb_strs *names, rb_cli *cli, rb_err *err)
{
    RB_AUTO(found_clear) found f = {0};
    RB_TRY(find_environments(&f, cli, err));
    rb_json_each_member (name, value, f.environments)
        rb_strs_add(names, name);
    rb_strs_sort(names);
    return RB_OK;
}

void rb_env_session_close(rb_env_session *site)
{
    if (site->untold)
        rb_ui_note(site->cli, "%s", site->untold);
    free(site->untold);
    rb_live_clear(&site->live);
    rb_binding_clear(&site->binding);
    rb_json_free(site->settings);
    rb_json_free(site->pins);
    rb_json_free(site->document);
    free(site->settings_file);
    free(site->command);
    rb_state_close(site->state);
    rb_lock_release(site->lock);
    rb_env_free(site->env);
    *site = (rb_env_session){0};
}

const char *rb_env_session_live_tag(const rb_live *live)
{
    for (int part = 0; part < RB_PARTS; part++)
        if (live->tag[part])
            return live->tag[part];
    return NULL;
}

enum rb_code rb_env_session_parts(bool parts[RB_PARTS], const rb_strs *only, rb_err *err)
{
    for (int part = 0; part < RB_PARTS; part++)
        parts[part] = only->n == 0 || rb_strs_has(only, rb_part_name((enum rb_part)part));
    for (size_t i = 0; i < only->n; i++) {
        bool known = false;
        for (int part = 0; part < RB_PARTS; part++)
            known = known || strcmp(only->items[i], rb_part_name((enum rb_part)part)) == 0;
        if (!known)
            return rb_fail(err, RB_ERROR, "--only takes app, db, flags and config, not '%s'",
                           only->items[i]);
    }
    return RB_OK;
}

enum rb_code rb_env_session_to_revert(const char **out, const rb_env_session *site,
                                      const rb_strs *only, const char *for_what, rb_err *err)
{
    RB_AUTO(rb_transition_rows_clear) rb_transition_rows rows = {0};
    bool parts[RB_PARTS];
    RB_TRY(rb_env_session_parts(parts, only, err));
    if (site->state)
        RB_TRY(rb_state_history(&rows, site->state, false, err));
    *out = rb_known_to_revert(&site->live, parts, &rows);
    if (*out)
        return RB_OK;
    return rb_fail(err, RB_ERROR,
                   "nothing is live in %s, so there is nothing to %s\nsee what is "
                   "live with `rbtool status --env %s`",
                   site->env->name, for_what, site->env->name);
}

enum rb_code rb_env_session_confirm(const rb_cli *cli, const rb_options *options, const char *what,
                                    rb_err *err)
{
    if (options->yes || options->confirmed)
        return RB_OK;
    if (!cli->interactive)
        return rb_fail(err, RB_ERROR,
                       "%s: there is no terminal to ask on\ngo on without asking with `%s --yes`",
                       what, cli->typed);
    if (!rb_ui_ask(cli, "%s? [y/N] ", what))
        return rb_fail(err, RB_ERROR, "not confirmed; nothing was changed");
    return RB_OK;
}

enum rb_code rb_env_session_nothing(rb_cli *cli, const rb_env_session *site, const char *from,
                                    const char *to, const char *why)
{
    if (cli->json) {
        rb_ui_document(cli, rb_json_make("from:s to:s environment:s outcome:s steps:j error:0",
                                         from, to, site->env->name, "nothing", json_array()));
    } else {
        rb_ui_line("nothing to do: %s", why);
    }
    return RB_OK;
}

enum rb_code rb_env_session_refused(rb_cli *cli, const rb_env_session *site, const rb_plan *plan,
                                    const char *outcome, const rb_err *err)
{
    if (cli->json) {
        rb_ui_document(cli,
                       rb_json_make("from:J to:J environment:s outcome:s steps:j error:j digest:s "
                                    "dataAtRisk:J decisions:J drift:J waysBack:J",
                                    json_object_get(plan->json, "from"),
                                    json_object_get(plan->json, "to"), site->env->name, outcome,
                                    json_array(), rb_err_json(err), plan->digest,
                                    json_object_get(plan->json, "dataAtRisk"),
                                    json_object_get(plan->json, "decisions"), plan->drift,
                                    json_object_get(plan->json, "waysBack")));
    }
    return err->code;
}
