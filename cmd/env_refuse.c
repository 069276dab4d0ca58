/* Refuses environments that are half-way, held by another run, or bound to another host, and names
 * the command to run next. */
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "commands.h"
#include "env_session.h"
#include "environment/checks.h"
#include "transition/pause.h"

/* Returns what the folder is used for if it must not be an environment's root, else NULL. Both
 * paths are resolved. */
static const char *purpose_of(const char *path, const char *git)
{
    const struct passwd *user = getpwuid(geteuid());
    const char *homes[] = {getenv("HOME"), user ? user->pw_dir : NULL};
    size_t len = git ? strlen(git) : 0;
    if (strcmp(path, "/") == 0)
        return "the root of the file system";
    for (size_t i = 0; i < sizeof homes / sizeof *homes; i++) {
        RB_AUTO(rb_free_str) char *home = rb_path_resolve(homes[i] ? homes[i] : "/", NULL, NULL);
        if (strcmp(path, home) == 0)
            return "a home folder";
    }
    if (len > 0 && strncmp(path, git, len) == 0 && (path[len] == '/' || !path[len]))
        return "git's own";
    return NULL;
}

/* A root in the work tree could be filled by a commit, with a forged journal or forged releases. */
enum rb_code rb_env_session_check_root(rb_cli *cli, const char *name, const char *root, rb_err *err)
{
    RB_AUTO(rb_free_str) char *top = NULL;
    RB_AUTO(rb_free_str) char *real = NULL;
    rb_repo_work_tree_of(&top, &real, cli->session.repo, root);
    RB_AUTO(rb_free_str) char *git = realpath(rb_repo_common_dir(cli->session.repo), NULL);
    const char *purpose = purpose_of(real, git);
    if (purpose)
        return rb_fail(err, RB_ERROR,
                       "environment %s is refused: its root %s is %s\nset environments.%s.root to "
                       "a folder of its own",
                       name, root, purpose, name);
    if (!top)
        return RB_OK;
    return rb_fail(
        err, RB_ERROR,
        "environment %s is refused: its root %s lies in the work tree %s, where a commit "
        "can bring a journal that never happened here\nmove it to a folder outside and "
        "set environments.%s.root to that",
        name, root, top, name);
}

enum rb_code rb_env_session_check_journal(const char *name, const char *root, const rb_state *state,
                                          rb_err *err)
{
    if (!rb_state_is_copy(state))
        return RB_OK;
    return rb_fail(
        err, RB_ERROR,
        "the journal of environment %s, %s/.rbtool/state.db, was made on another host or "
        "in another folder: what it records may never have happened here; nothing was "
        "changed\nif you restored or moved it, take it over with `rbtool env trust --env "
        "%s --yes -m WHY`, else move %s/.rbtool away",
        name, root, name, root);
}

enum rb_code rb_env_session_pending(rb_transition_row **out, char **holder,
                                    const rb_env_session *site, rb_err *err)
{
    *out = NULL;
    *holder = NULL;
    if (site->state)
        RB_TRY(rb_state_pending(out, site->state, err));
    if (site->lock)
        return RB_OK;
    *holder = rb_lock_holder(site->env->root);
    if (!*out || *holder)
        return RB_OK;
    rb_transition_row_free(*out); /* it may have ended before the lock was looked at: read again */
    *out = NULL;
    return rb_state_pending(out, site->state, err);
}

enum rb_code rb_env_session_settled(const rb_env_session *site, rb_err *err)
{
    RB_AUTO(rb_transition_row_freep) rb_transition_row *row = NULL;
    RB_AUTO(rb_free_str) char *holder = NULL;
    RB_TRY(rb_env_session_pending(&row, &holder, site, err));
    if (!row)
        return RB_OK;
    if (holder)
        return rb_fail(err, RB_BUSY,
                       "another run holds the environment (%s): the %s of %s from %s to %s is at "
                       "work (transition %s)\nwait for it, and see its step with `rbtool status "
                       "--env %s`",
                       holder, row->kind, site->env->name, row->from ? row->from : "nothing",
                       row->to, row->id, site->env->name);
    return rb_fail(err, RB_HALFWAY,
                   "the %s of %s from %s to %s %s (transition %s)\ncontinue it with `rbtool "
                   "resume --env %s`, or go back with `rbtool abort --env %s`",
                   row->kind, site->env->name, row->from ? row->from : "nothing", row->to,
                   rb_paused(row->plan) ? "is paused" : "stopped half-way", row->id,
                   site->env->name, site->env->name);
}

enum rb_code rb_env_session_halfway(const rb_env_session *site, enum rb_code code, rb_err *err)
{
    RB_AUTO(rb_transition_row_freep) rb_transition_row *row = NULL;
    if (code == RB_FOUND && site->state &&
        rb_state_pending(&row, site->state, RB_IGNORED) == RB_OK && row)
        code = err->code = RB_HALFWAY;
    return code;
}

enum rb_code rb_env_session_lock(rb_env_session *site, rb_err *err)
{
    RB_AUTO(rb_state_closep) rb_state *state = NULL;
    enum rb_code code = rb_lock_take(&site->lock, site->env->root, err);
    if (code != RB_BUSY || rb_state_open(&state, site->env->root, false, RB_IGNORED) != RB_OK)
        return code;
    rb_err held = *err;
    site->state = state;
    code = rb_env_session_settled(site, err);
    site->state = NULL;
    if (code != RB_BUSY)
        *err = held;
    return RB_BUSY;
}

/* True if the command, which ends at its backquote, would ask: it has --yes, and nothing answers.
 * Of `env`, only `env trust` asks. A name without the arguments that it needs speaks of the command
 * and is not for pasting. */
static bool asks(const rb_cli *cli, const char *text)
{
    static const char *const answers[] = {" --yes", " -n", " --dry-run", " -o "};
    RB_AUTO(rb_free_str) char *words = rb_strndup(text, strcspn(text, "`"));
    RB_AUTO(rb_free_str) char *name = rb_strndup(words, strcspn(words, " "));
    const rb_command *command = rb_command_named(cli->commands, name);
    if (!command || (command->min_args > 0 && strlen(words) == strlen(name)))
        return false;
    bool found = false;
    for (const rb_opt *opt = command->opts; opt->kind; opt++)
        found = found || opt->offset == offsetof(rb_options, yes);
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
        found = found && !strstr(words, answers[i]);
    return found && (strcmp(name, "env") != 0 || strncmp(words, "env trust ", 10) == 0);
}

/* Returns text whose rbtool commands in backquotes can be pasted: with the options -C and --config
 * as they were given, and with --yes where a command asks and there is no terminal. Leaves what a
 * command has already. */
char *rb_env_session_commands(const rb_cli *cli, const char *text)
{
    static const char start[] = "`rbtool ";
    RB_AUTO(rb_free_str) char *program = rb_env_session_program(cli);
    rb_buf out = {0};
    for (const char *at; (at = strstr(text, start)); text = at) {
        at += strlen(start);
        rb_buf_add(&out, text, (size_t)(at - text));
        if (strncmp(at, "-C ", 3) != 0 && strncmp(at, "--config ", 9) != 0 &&
            strlen(program) > strlen("rbtool"))
            rb_buf_printf(&out, "%s ", program + strlen("rbtool "));
        if (cli->interactive || !asks(cli, at))
            continue;
        const size_t len = strcspn(at, "`");
        rb_buf_add(&out, at, len);
        rb_buf_puts(&out, " --yes");
        at += len;
    }
    rb_buf_puts(&out, text);
    return rb_buf_detach(&out);
}

static void add_option(rb_strs *words, const char *name, const char *value)
{
    if (!value)
        return;
    rb_strs_add(words, name);
    rb_strs_add(words, value);
}

static void add_seconds(rb_strs *words, const char *name, long seconds)
{
    RB_AUTO(rb_free_str) char *text = seconds ? rb_format("%lds", seconds) : NULL;
    add_option(words, name, text);
}

static void add_program(rb_strs *words, const rb_cli *cli)
{
    rb_strs_add(words, "rbtool");
    add_option(words, "-C", strcmp(cli->session.dir, ".") != 0 ? cli->session.dir : NULL);
    add_option(words, "--config", cli->session.config);
}

char *rb_env_session_program(const rb_cli *cli)
{
    RB_AUTO(rb_strs_clear) rb_strs words = {0};
    add_program(&words, cli);
    return rb_command_line(&words);
}

const char *rb_env_session_command(rb_env_session *site, const rb_options *o, const char *kind,
                                   const char *tag)
{
    RB_AUTO(rb_strs_clear) rb_strs words = {0};
    RB_AUTO(rb_buf_clear) rb_buf only = {0};
    for (size_t i = 0; i < o->only.n; i++)
        rb_buf_printf(&only, "%s%s", i > 0 ? "," : "", o->only.items[i]);
    /* A runbook is for a person, who is asked at the terminal. */
    const bool runbook = rb_text_same(o->format, "markdown");
    add_program(&words, site->cli);
    rb_strs_add(&words, kind);
    if (tag)
        rb_strs_add(&words, tag);
    add_option(&words, "--to", o->to);
    add_option(&words, "--env", site->env->name);
    add_option(&words, "--only", only.len > 0 ? only.data : NULL);
    add_option(&words, "--scripts-from", o->scripts_from);
    add_seconds(&words, "--lock-timeout", o->lock_timeout);
    add_seconds(&words, "--statement-timeout", o->statement_timeout);
    add_seconds(&words, "--watch", o->watch);
    const struct {
        bool given;
        const char *name;
    } flags[] = {{o->rehearse, "--rehearse"},
                 {o->bad, "--bad"},
                 {o->accept_reverted, "--accept-reverted"},
                 {o->no_backup, "--no-backup"},
                 {o->break_glass, "--break-glass"},
                 {o->yes || !(runbook || site->cli->interactive), "--yes"}};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (flags[i].given)
            rb_strs_add(&words, flags[i].name);
    add_option(&words, "--pause-before", o->pause_before);
    add_option(&words, "-m", o->why);
    free(site->command);
    site->command = rb_command_line(&words);
    return site->command;
}
