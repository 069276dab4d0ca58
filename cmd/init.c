#include "init.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "ui.h"

#define CONFIG_LIMIT (1u << 20) /* bytes of rbtool.json */

static const rb_opt opts[] = {
    RB_FLAG("dry-run", 'n', "print rbtool.json, change nothing", dry_run),
    RB_FLAG("detect", 0, "show what rbtool.json lacks; change nothing", detect),
    RB_FLAG("uninstall", 0, "remove the hooks, and rbtool's settings and cache from git's folder",
            uninstall),
    RB_OPTIONS_END};

static enum rb_code git(rb_repo *repo, const char *const *args, rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf out = {0};
    return rb_repo_git(&out, repo, args, err);
}

/* Removes the hooks. rbtool.json, releases and ledger belong to the project and are not removed. */
static enum rb_code uninstall(rb_cli *cli, rb_repo *repo, rb_err *err)
{
    const char *pinned;
    size_t count;
    RB_TRY(rb_hooks_remove(&count, cli, repo, err));
    rb_ui_line("removed %zu hook%s", count, count == 1 ? "" : "s");
    RB_AUTO(rb_free_str) char *cache = rb_path_join(rb_repo_common_dir(repo), "rbtool");
    RB_TRY(rb_dir_remove(cache, err));
    RB_TRY(rb_repo_setting(&pinned, repo, "rbtool.app", err));
    const char *const args[] = {"config", "--local", "--remove-section", "rbtool", NULL};
    bool removed = git(repo, args, RB_IGNORED) == RB_OK;
    if (!removed && pinned)
        return rb_fail(err, RB_ERROR,
                       "rbtool.app is set outside this repository's own config\nremove it there "
                       "(git config --show-origin --get rbtool.app)");
    rb_ui_line("%s", removed ? "removed the section rbtool from this repository's git config"
                             : "this repository's git config has no section rbtool");
    rb_ui_note(cli, "%s and the releases stay; remove them with git if you want to",
               RB_CONFIG_FILE);
    return RB_OK;
}

/* Sets rbtool.app from rbtool.json of HEAD: a server that has no release yet needs the name for its
 * checks. */
static enum rb_code pin(rb_repo *repo, rb_err *err)
{
    const char *pinned;
    rb_oid head;
    RB_AUTO(rb_config_freep) rb_config *settings = NULL;
    RB_TRY(rb_repo_setting(&pinned, repo, "rbtool.app", err));
    if (pinned || rb_repo_commit(&head, repo, "HEAD", RB_IGNORED) != RB_OK ||
        rb_config_at(&settings, repo, &head, RB_IGNORED) != RB_OK)
        return RB_OK;
    const char *const args[] = {"config", "--local", "rbtool.app", settings->app_name, NULL};
    RB_TRY(git(repo, args, err));
    rb_ui_line("pinned this repository to the application %s (git config rbtool.app)",
               settings->app_name);
    return RB_OK;
}

/* Sets up a bare repository. It needs no rbtool.json: settings come with what is pushed. */
static enum rb_code init_server(rb_cli *cli, rb_repo *repo, bool dry_run, rb_err *err)
{
    if (!dry_run)
        RB_TRY(pin(repo, err));
    rb_ui_line("this repository is bare: %s the hooks of a server",
               dry_run ? "would install" : "installing");
    RB_TRY(rb_hooks_install(cli, repo, dry_run, err));
    return dry_run ? RB_OK : rb_init_signing(cli, repo, err);
}

static char *place(const rb_cli *cli, rb_repo *repo)
{
    return cli->session.config ? rb_strdup(cli->session.config)
                               : rb_path_join(rb_repo_workdir(repo), RB_CONFIG_FILE);
}

/* Checks an rbtool.json that exists, and leaves it as it is: the clone needs only the hooks. */
static enum rb_code keep_config(const char *path, rb_err *err)
{
    RB_AUTO(rb_config_freep) rb_config *config = NULL;
    if (rb_config_read(&config, path, err) != RB_OK) {
        err->code = RB_ERROR;
        return rb_err_prefix(err,
                             "%s exists and is not overwritten; fix it, or see what `rbtool init "
                             "--dry-run` prints",
                             path);
    }
    rb_ui_line("%s exists and is not overwritten; `rbtool init --detect` shows what it lacks",
               path);
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

/* Prints the members of `found` that `mine` lacks, or that have another value there. Members that
 * only `mine` has are intended. */
static size_t print_missing(const json_t *found, const json_t *mine, const char *at)
{
    size_t n = 0;
    rb_json_each_member (key, value, found) {
        const json_t *own = json_object_get(mine, key);
        RB_AUTO(rb_free_str) char *path = rb_format("%s%s%s", at, *at ? "." : "", key);
        RB_AUTO(rb_buf_clear) rb_buf text = {0};
        RB_AUTO(rb_buf_clear) rb_buf own_text = {0};
        if (json_is_object(value) && json_is_object(own)) {
            n += print_missing(value, own, path);
            continue;
        }
        if (json_equal(value, own))
            continue;
        rb_json_canonical(&text, value);
        if (own)
            rb_json_canonical(&own_text, own);
        rb_ui_line("%s %s: %s%s%s%s", own ? "~" : "+", path, rb_buf_str(&text),
                   own ? " (rbtool.json has " : "", rb_buf_str(&own_text), own ? ")" : "");
        n++;
    }
    return n;
}

/* Prints how detected settings differ from rbtool.json, except artifacts and environments, which a
 * user chose. */
static enum rb_code detect(rb_cli *cli, rb_repo *repo, rb_err *err)
{
    RB_AUTO(rb_found_clear) rb_found found = {0};
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    RB_AUTO(rb_json_freep) json_t *mine = NULL;
    RB_AUTO(rb_free_str) char *path = place(cli, repo);
    RB_TRY(rb_file_read(&text, path, CONFIG_LIMIT, err));
    RB_TRY(rb_json_read(&mine, rb_buf_str(&text), text.len, path, err));
    RB_TRY(rb_init_detect(&found, repo, err));
    if (json_object_get(mine, "artifacts"))
        json_object_del(found.config, "artifacts");
    if (json_object_size(json_object_get(mine, "environments")) > 0)
        json_object_del(found.config, "environments");
    if (print_missing(found.config, mine, "") == 0)
        rb_ui_line("%s says all that init finds", path);
    for (size_t i = 0; i < found.said.n; i++)
        rb_ui_note(cli, "%s", found.said.items[i]);
    return RB_OK;
}

static enum rb_code run(rb_cli *cli, rb_options *o, rb_err *err)
{
    RB_TRY(rb_session_repo(&cli->session, err));
    rb_repo *repo = cli->session.repo;
    if (o->uninstall)
        return uninstall(cli, repo, err);
    if (o->detect)
        return detect(cli, repo, err);
    if (!rb_repo_workdir(repo) && !cli->session.config)
        return init_server(cli, repo, o->dry_run, err);
    RB_AUTO(rb_free_str) char *path = o->dry_run ? NULL : place(cli, repo);
    if (path && rb_file_exists(path))
        RB_TRY(keep_config(path, err));
    else
        RB_TRY(write_config(cli, repo, path, err));
    RB_TRY(rb_hooks_install(cli, repo, o->dry_run, err));
    return o->dry_run ? RB_OK : rb_init_signing(cli, repo, err);
}

RB_COMMAND(init, "", "write rbtool.json from what the repository contains, install the hooks",
           RB_GROUP_SETUP, 0, 0, RB_CHANGES);
