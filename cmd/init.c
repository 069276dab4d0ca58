#include "init.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "init_hooks.h"
#include "ui.h"

struct options {
    bool dry_run;
    bool uninstall;
};

static const rb_opt opts[] = {
    {RB_OPT_FLAG, "dry-run", 'n', NULL, "print rbtool.json, change nothing",
     offsetof(struct options, dry_run)},
    {RB_OPT_FLAG, "uninstall", 0, NULL,
     "remove the hooks, and rbtool's settings and cache from git's folder",
     offsetof(struct options, uninstall)},
    {.kind = RB_OPT_END}};

static enum rb_code git(rb_repo *repo, const char *const *args, rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf out = {0};
    return rb_repo_git(&out, repo, args, err);
}

/* rbtool.json, releases and ledger are the project's own and stay. */
static enum rb_code uninstall(rb_cli *cli, rb_repo *repo, rb_err *err)
{
    const char *pinned;
    size_t count;
    RB_TRY(rb_hooks_remove(&count, cli, repo, err));
    rb_ui_line("removed %zu hook%s", count, count == 1 ? "" : "s");
    RB_AUTO(rb_free_str) char *cache = rb_path_join(rb_repo_common_dir(repo), "rbtool");
    RB_TRY(rb_dir_remove(cache, err));
    RB_TRY(rb_repo_setting(&pinned, repo, "rbtool.app", err));
    rb_err absent;
    const char *const args[] = {"config", "--local", "--remove-section", "rbtool", NULL};
    bool removed = git(repo, args, &absent) == RB_OK;
    if (!removed && pinned)
        return rb_fail(err, RB_ERROR,
                       "rbtool.app is set outside this repository's own config; remove it there "
                       "(git config --show-origin --get rbtool.app)");
    rb_ui_line("%s", removed ? "removed the section rbtool from this repository's git config"
                             : "this repository's git config has no section rbtool");
    rb_ui_note(cli, "%s and the releases stay; remove them with git if you want to",
               RB_CONFIG_FILE);
    return RB_OK;
}

/* Signing is git's: say what of it is not set up yet. */
static enum rb_code tell_signing(rb_cli *cli, rb_repo *repo, rb_err *err)
{
    static const struct {
        const char *key;
        const char *spelled;
        const char *example;
    } settings[] = {
        {"user.signingkey", "user.signingKey", "~/.ssh/id_ed25519"},
        {"gpg.format", "gpg.format", "ssh"},
        {"gpg.ssh.allowedsignersfile", "gpg.ssh.allowedSignersFile", "~/.ssh/allowed_signers"}};
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        const char *value;
        RB_TRY(rb_repo_setting(&value, repo, settings[i].key, err));
        if (!value)
            rb_ui_note(cli, "to sign and verify, set: git config --global %s %s",
                       settings[i].spelled, settings[i].example);
    }
    return RB_OK;
}

/* A server's own checks need the application's name where it has no release yet. */
static enum rb_code pin(rb_repo *repo, rb_err *err)
{
    const char *pinned;
    rb_oid head;
    rb_err absent;
    RB_AUTO(rb_config_freep) rb_config *settings = NULL;
    RB_TRY(rb_repo_setting(&pinned, repo, "rbtool.app", err));
    if (pinned || rb_repo_commit(&head, repo, "HEAD", &absent) != RB_OK ||
        rb_config_at(&settings, repo, &head, &absent) != RB_OK)
        return RB_OK;
    const char *const args[] = {"config", "--local", "rbtool.app", settings->app_name, NULL};
    RB_TRY(git(repo, args, err));
    rb_ui_line("pinned this repository to the application %s (git config rbtool.app)",
               settings->app_name);
    return RB_OK;
}

/* Its settings come with what is pushed. */
static enum rb_code init_server(rb_cli *cli, rb_repo *repo, bool dry_run, rb_err *err)
{
    if (!dry_run)
        RB_TRY(pin(repo, err));
    rb_ui_line("this repository is bare: %s the hooks of a server",
               dry_run ? "would install" : "installing");
    RB_TRY(rb_hooks_install(cli, repo, dry_run, err));
    return dry_run ? RB_OK : tell_signing(cli, repo, err);
}

static char *place(const rb_cli *cli, rb_repo *repo)
{
    return cli->config ? rb_strdup(cli->config)
                       : rb_path_join(rb_repo_workdir(repo), RB_CONFIG_FILE);
}

/* The clone of a project that has its settings needs the hooks only. */
static enum rb_code keep_config(const char *path, rb_err *err)
{
    RB_AUTO(rb_config_freep) rb_config *config = NULL;
    if (rb_config_read(&config, path, err) != RB_OK) {
        err->code = RB_ERROR;
        return rb_err_prefix(err,
                             "%s is there already and is not overwritten; mend it, or see what "
                             "`rbtool init --dry-run` prints",
                             path);
    }
    rb_ui_line("kept %s: it is there already and is not overwritten", path);
    return RB_OK;
}

static enum rb_code write_config(rb_cli *cli, rb_repo *repo, const char *path, rb_err *err)
{
    RB_AUTO(rb_found_clear) rb_found found = {0};
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    RB_TRY(rb_init_detect(&found, repo, err));
    rb_json_pretty(&text, found.config);
    RB_AUTO(rb_config_freep) rb_config *config = NULL;
    RB_TRY(rb_config_parse(&config, text.data, text.len, "what init found", err));
    if (!path) {
        fwrite(text.data, 1, text.len, stdout);
        for (size_t i = 0; i < found.said.n; i++)
            rb_ui_note(cli, "%s", found.said.items[i]);
        return RB_OK;
    }
    RB_TRY(rb_file_write(path, text.data, text.len, 0644, err));
    rb_ui_line("wrote %s", path);
    for (size_t i = 0; i < found.said.n; i++)
        rb_ui_line("  %s", found.said.items[i]);
    rb_ui_note(cli, "look it over and commit it; then `rbtool release TAG`");
    return RB_OK;
}

static enum rb_code run_init(rb_cli *cli, void *options, int argc, char **argv, rb_err *err)
{
    (void)argc;
    (void)argv;
    const struct options *o = options;
    rb_repo *repo;
    RB_TRY(rb_cli_repo(&repo, cli, err));
    if (o->uninstall)
        return uninstall(cli, repo, err);
    if (!rb_repo_workdir(repo) && !cli->config)
        return init_server(cli, repo, o->dry_run, err);
    RB_AUTO(rb_free_str) char *path = o->dry_run ? NULL : place(cli, repo);
    if (path && rb_file_exists(path))
        RB_TRY(keep_config(path, err));
    else
        RB_TRY(write_config(cli, repo, path, err));
    RB_TRY(rb_hooks_install(cli, repo, o->dry_run, err));
    return o->dry_run ? RB_OK : tell_signing(cli, repo, err);
}

const rb_command rb_cmd_init = {
    .name = "init",
    .args = "",
    .summary = "write rbtool.json from what the repository holds, install the hooks",
    .group = RB_GROUP_SETUP,
    .details =
        "Looks at the commit that is checked out: a version file, folders of migrations, a\n"
        "flag file, config files, checks. Nothing that is there already is overwritten: an\n"
        "rbtool.json is kept, and a hook gets \".before-rbtool\" behind its name and runs\n"
        "first. core.hooksPath holds; where husky, lefthook, pre-commit or a core.hooksPath of\n"
        "all repositories rules, git 2.54 and later get the hook as hook.rbtool-NAME.command\n"
        "in git config, and for older ones the line to add is said. A bare repository, as a\n"
        "server has it, gets pre-receive, post-receive and reference-transaction. `rbtool\n"
        "help hook` tells what the hooks refuse.",
    .examples = "rbtool init               # write rbtool.json and install the hooks\n"
                "rbtool init --dry-run     # show what it would write",
    .opts = opts,
    .options_size = sizeof(struct options),
    .min_args = 0,
    .max_args = 0,
    .changes = true,
    .run = run_init,
};
