/*
 * Installs the hooks of hooks/ beside those that a repository has. A user's hook is renamed to
 * NAME.before-rbtool, unchanged, and runs first. If husky, lefthook, pre-commit or a core.hooksPath
 * from outside the repository manage the hooks, their files are not written: git 2.54 and later run
 * the hook from git's settings (hook.NAME.command); for an older git the line to add is printed. A
 * bare repository gets the hooks of a server.
 */
#include "init.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/embed.h"
#include "base/file.h"
#include "base/text.h"
#include "ui.h"

#define HOOK_LIMIT (16u << 20) /* bytes of an existing hook; a larger file is not a script */
#define MARK "\n# rbtool's hook: "
#define BEFORE ".before-rbtool"

/* The files of hooks/, compiled into the program. */
RB_EMBED(rb_hook_pre_push, "hooks/pre-push");
RB_EMBED(rb_hook_reference_transaction, "hooks/reference-transaction");
RB_EMBED(rb_hook_commit_msg, "hooks/commit-msg");
RB_EMBED(rb_hook_pre_receive, "hooks/pre-receive");
RB_EMBED(rb_hook_post_receive, "hooks/post-receive");

static const struct hook {
    const char *name;
    const char *text;
    bool work;   /* installed in a clone with a work tree */
    bool server; /* installed in a bare repository, which others push to */
} hooks[] = {{"pre-push", rb_hook_pre_push, true, false},
             {"reference-transaction", rb_hook_reference_transaction, true, true},
             {"commit-msg", rb_hook_commit_msg, true, false},
             {"pre-receive", rb_hook_pre_receive, false, true},
             {"post-receive", rb_hook_post_receive, false, true}};

#define HOOKS (sizeof hooks / sizeof *hooks)

enum action { WRITE, CHAIN, RENEW, CONFIGURE, TELL, NOTHING };

/* What to do about one hook: install it, or print the line to add to another tool's file. */
struct plan {
    enum action action;
    char *path;
    char *before;
    char *tell; /* the file to add the line to; `line` is the line */
    char *line;
};

static void plan_clear(struct plan *plan)
{
    free(plan->path);
    free(plan->before);
    free(plan->tell);
    free(plan->line);
}

static enum rb_code ask_git(char **out, rb_repo *repo, const char *const *args, rb_err *err)
{
    rb_buf text = {0};
    enum rb_code code = rb_repo_git(&text, repo, args, err);
    if (code == RB_OK) {
        rb_buf_truncate(&text, text.len > 0 ? text.len - 1 : 0);
        *out = rb_buf_detach(&text);
    }
    rb_buf_clear(&text);
    return code;
}

/* Finds the folder that git runs hooks from: core.hooksPath, else the repository's own. */
static enum rb_code find_folder(char **out, rb_repo *repo, rb_err *err)
{
    static const char *const args[] = {"rev-parse", "--path-format=absolute", "--git-path", "hooks",
                                       NULL};
    return ask_git(out, repo, args, err);
}

/* Sets *out if other repositories use the folder of hooks, too: core.hooksPath is then set in the
 * user's or the system's git settings. */
static enum rb_code is_shared(bool *out, rb_repo *repo, rb_err *err)
{
    static const char *const args[] = {"config", "--show-scope", "--get", "core.hooksPath", NULL};
    const char *path;
    RB_AUTO(rb_free_str) char *scope = NULL;
    *out = false;
    RB_TRY(rb_repo_setting(&path, repo, "core.hookspath", err));
    if (!path)
        return RB_OK;
    RB_TRY(ask_git(&scope, repo, args, err));
    *out = strncmp(scope, "global", 6) == 0 || strncmp(scope, "system", 6) == 0;
    return RB_OK;
}

static char *read_text(const char *path)
{
    rb_buf text = {0};
    if (rb_file_read(&text, path, HOOK_LIMIT, RB_IGNORED) != RB_OK)
        rb_buf_clear(&text);
    return rb_buf_detach(&text); /* up to the first NUL byte */
}

static bool is_ours(const char *path)
{
    RB_AUTO(rb_free_str) char *text = read_text(path);
    const char *mark = strstr(text, MARK);
    return mark && mark == strchr(text, '\n');
}

static void tell(struct plan *plan, const char *name, char *where, const char *file, char *line)
{
    RB_AUTO(rb_free_str) char *call = rb_format("rbtool hook %s", name);
    RB_AUTO(rb_free_str) char *text = read_text(file);
    plan->action = strstr(text, call) ? NOTHING : TELL;
    plan->tell = where;
    plan->line = line;
}

static char *call_of(const char *name)
{
    return rb_format("rbtool hook %s \"$@\"", name);
}

/* Plans a hook under husky. husky 9 keeps the hooks that git runs in .husky/_, which it overwrites,
 * and the user's hooks in .husky. Earlier versions let git run .husky itself. */
static bool plan_husky(struct plan *plan, const char *folder, const char *name)
{
    bool inner = rb_text_ends(folder, "/.husky/_");
    if (!inner && !rb_text_ends(folder, "/.husky"))
        return false;
    if (inner && !rb_file_exists(plan->path))
        return false; /* husky does not know this hook */
    if (inner && is_ours(plan->path))
        return false;
    RB_AUTO(rb_free_str) char *top = inner ? rb_path_dir(folder) : rb_strdup(folder);
    RB_AUTO(rb_free_str) char *file = rb_path_join(top, name);
    tell(plan, name, rb_format("husky: add to .husky/%s", name), file, call_of(name));
    return true;
}

/* Plans a hook under lefthook if a hook file of its own exists, or its settings name the hook so
 * that `lefthook install` will write one. */
static bool plan_lefthook(struct plan *plan, const char *top, const char *name)
{
    static const char *const files[] = {"lefthook.yml",   ".lefthook.yml", "lefthook.yaml",
                                        ".lefthook.yaml", "lefthook.toml", "lefthook.json"};
    RB_AUTO(rb_free_str) char *hook = read_text(plan->path);
    RB_AUTO(rb_free_str) char *config = NULL;
    RB_AUTO(rb_free_str) char *key = rb_format("\n%s:", name);
    bool named = false;
    for (size_t i = 0; top && i < sizeof files / sizeof *files && !config; i++) {
        RB_AUTO(rb_free_str) char *path = rb_path_join(top, files[i]);
        if (!rb_file_exists(path))
            continue;
        RB_AUTO(rb_free_str) char *text = read_text(path);
        named = strstr(text, key) || strncmp(text, key + 1, strlen(key) - 1) == 0;
        config = rb_strdup(path);
    }
    if (!strstr(hook, "lefthook") && !named)
        return false;
    tell(plan, name,
         rb_format("lefthook: add to the commands of %s in %s", name,
                   config ? strrchr(config, '/') + 1 : "lefthook.yml"),
         config ? config : "",
         rb_format("rbtool: { run: 'rbtool hook %s {0}', use_stdin: true }", name));
    return true;
}

/* Plans a hook under pre-commit, which passes no standard input to its hooks, but runs NAME.legacy
 * as git would. */
static bool plan_pre_commit(struct plan *plan, const char *name)
{
    RB_AUTO(rb_free_str) char *hook = read_text(plan->path);
    if (!strstr(hook, "File generated by pre-commit"))
        return false;
    RB_AUTO(rb_free_str) char *legacy = rb_format("%s.legacy", plan->path);
    tell(plan, name, rb_format("pre-commit: add to the executable %s, which it runs first", legacy),
         legacy, call_of(name));
    return true;
}

static void plan_hook(struct plan *plan, const char *folder, const char *top, bool shared,
                      const char *name)
{
    plan->path = rb_path_join(folder, name);
    plan->before = rb_format("%s" BEFORE, plan->path);
    if (shared) {
        tell(plan, name,
             rb_format("core.hooksPath is set outside this repository: add to %s", plan->path),
             plan->path, call_of(name));
        return;
    }
    if (plan_husky(plan, folder, name) || plan_lefthook(plan, top, name) ||
        plan_pre_commit(plan, name))
        return;
    if (!rb_file_exists(plan->path)) {
        plan->action = WRITE;
    } else if (is_ours(plan->path)) {
        plan->action = RENEW;
    } else if (rb_file_exists(plan->before)) {
        tell(plan, name,
             rb_format("%s was replaced and %s is there too: add to the first", plan->path,
                       plan->before),
             plan->path, call_of(name));
    } else {
        plan->action = CHAIN;
    }
}

/* Sets *out if git is 2.54 or later, which runs hook.NAME.command of its settings in addition to
 * hook files. *version: git's version, a new string. */
static enum rb_code has_config_hooks(bool *out, char **version, rb_repo *repo, rb_err *err)
{
    static const char *const args[] = {"version", NULL};
    unsigned major = 0;
    unsigned minor = 0;
    RB_TRY(ask_git(version, repo, args, err));
    *out = sscanf(*version, "git version %u.%u", &major, &minor) == 2 &&
           (major > 2 || (major == 2 && minor >= 54));
    return RB_OK;
}

/* Adds the hook to git's settings, if another tool owns the folder of hooks. git appends the hook's
 * arguments to the command. The command does nothing if the repository was moved. */
static enum rb_code configure(rb_repo *repo, const struct hook *hook, rb_err *err)
{
    RB_AUTO(rb_free_str) /* in the repository's git folder */
    char *own = rb_format("%s/rbtool/hooks/%s", rb_repo_common_dir(repo), hook->name);
    RB_AUTO(rb_free_str) char *folder = rb_path_dir(own);
    RB_AUTO(rb_free_str) char *real = NULL;
    RB_TRY(rb_dir_make(folder, err));
    RB_TRY(rb_file_write(own, hook->text, strlen(hook->text), 0755, err));
    real = realpath(own, NULL);
    if (!real)
        return rb_fail_errno(err, RB_ERROR, "cannot find %s", own);
    RB_AUTO(rb_buf_clear) rb_buf command = {0};
    rb_buf_puts(&command, "test ! -x ");
    rb_text_quote(&command, real);
    rb_buf_puts(&command, " || ");
    rb_text_quote(&command, real);
    RB_AUTO(rb_free_str) char *event_key = rb_format("hook.rbtool-%s.event", hook->name);
    RB_AUTO(rb_free_str) char *command_key = rb_format("hook.rbtool-%s.command", hook->name);
    const char *const event[] = {"config", "--local", event_key, hook->name, NULL};
    const char *const run[] = {"config", "--local", command_key, rb_buf_str(&command), NULL};
    RB_TRY(rb_repo_git(NULL, repo, event, err));
    return rb_repo_git(NULL, repo, run, err);
}

/* Installs, or describes, one hook. Renames the user's hook first: if rbtool is killed after that,
 * the next init finds no hook, and installs rbtool's, which runs the user's. */
static enum rb_code carry_out(rb_cli *cli, rb_repo *repo, const struct plan *plan,
                              const struct hook *hook, bool dry_run, rb_err *err)
{
    const char *would = dry_run ? "would install" : "installed";
    if (!dry_run && plan->action == CHAIN)
        RB_TRY(rb_file_rename(plan->path, plan->before, err));
    if (!dry_run && plan->action <= RENEW)
        RB_TRY(rb_file_write(plan->path, hook->text, strlen(hook->text), 0755, err));
    if (!dry_run && plan->action == CONFIGURE)
        RB_TRY(configure(repo, hook, err));
    if (plan->action == TELL)
        rb_ui_note(cli, "hook %s: %s: %s", hook->name, plan->tell, plan->line);
    else if (plan->action == CONFIGURE)
        rb_ui_note(cli, "%s hook %s as hook.rbtool-%s in this repository's git config", would,
                   hook->name, hook->name);
    else if (plan->action == CHAIN)
        rb_ui_note(cli, "%s %s; the hook that was there runs first, as %s" BEFORE, would,
                   plan->path, hook->name);
    else if (plan->action == WRITE)
        rb_ui_note(cli, "%s %s", would, plan->path);
    return RB_OK;
}

enum rb_code rb_hooks_install(rb_cli *cli, rb_repo *repo, bool dry_run, rb_err *err)
{
    bool shared;
    bool config;
    bool bare = rb_repo_workdir(repo) == NULL;
    RB_AUTO(rb_free_str) char *folder = NULL;
    RB_AUTO(rb_free_str) char *version = NULL;
    RB_TRY(is_shared(&shared, repo, err));
    RB_TRY(find_folder(&folder, repo, err));
    RB_TRY(has_config_hooks(&config, &version, repo, err));
    if (!dry_run && !shared)
        RB_TRY(rb_dir_make(folder, err));
    for (size_t i = 0; i < HOOKS; i++) {
        RB_AUTO(plan_clear) struct plan plan = {0};
        if (bare ? !hooks[i].server : !hooks[i].work)
            continue;
        plan_hook(&plan, folder, rb_repo_workdir(repo), shared, hooks[i].name);
        if (plan.action == TELL && config)
            plan.action = CONFIGURE;
        RB_TRY(carry_out(cli, repo, &plan, &hooks[i], dry_run, err));
    }
    return RB_OK;
}

/* Removes hook.NAME.command from git's settings. The scripts in GIT_DIR/rbtool/ are removed with
 * it. */
static void remove_settings(size_t *count, const rb_repo *repo)
{
    for (size_t i = 0; i < HOOKS; i++) {
        RB_AUTO(rb_free_str) char *section = rb_format("hook.rbtool-%s", hooks[i].name);
        const char *const args[] = {"config", "--local", "--remove-section", section, NULL};
        *count += rb_repo_git(NULL, repo, args, RB_IGNORED) == RB_OK;
    }
}

static enum rb_code remove_from(size_t *count, rb_cli *cli, const char *folder, rb_err *err)
{
    for (size_t i = 0; i < HOOKS; i++) {
        RB_AUTO(rb_free_str) char *path = rb_path_join(folder, hooks[i].name);
        RB_AUTO(rb_free_str) char *before = rb_format("%s" BEFORE, path);
        bool chained = rb_file_exists(before);
        if (!rb_file_exists(path) && chained) {
            RB_TRY(rb_file_rename(before, path, err));
        } else if (is_ours(path)) {
            if (!chained && unlink(path) != 0)
                return rb_fail_errno(err, RB_ERROR, "cannot remove the hook %s", path);
            if (chained)
                RB_TRY(rb_file_rename(before, path, err));
            ++*count;
        } else if (chained) {
            rb_ui_note(
                cli, "%s is not rbtool's hook any more, so that %s was not restored; merge the two",
                path, before);
        }
    }
    rmdir(folder); /* succeeds only if the folder is empty */
    return RB_OK;
}

enum rb_code rb_hooks_remove(size_t *count, rb_cli *cli, rb_repo *repo, rb_err *err)
{
    bool shared;
    RB_AUTO(rb_free_str) char *folder = NULL;
    RB_AUTO(rb_free_str) char *own = rb_path_join(rb_repo_common_dir(repo), "hooks");
    *count = 0;
    remove_settings(count, repo);
    RB_TRY(is_shared(&shared, repo, err));
    RB_TRY(find_folder(&folder, repo, err));
    if (!shared && strcmp(folder, own) != 0)
        RB_TRY(remove_from(count, cli, folder, err));
    return remove_from(count, cli, own, err); /* hooks installed before core.hooksPath was set */
}
