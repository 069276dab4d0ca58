#include "cli.h"

#include <string.h>

enum rb_code rb_cli_repo(rb_repo **out, rb_cli *cli, rb_err *err)
{
    if (!cli->repo)
        RB_TRY(rb_repo_open(&cli->repo, cli->dir, err));
    *out = cli->repo;
    return RB_OK;
}

enum rb_code rb_cli_signers(const rb_signers **out, rb_cli *cli, rb_err *err)
{
    rb_repo *repo;
    RB_TRY(rb_cli_repo(&repo, cli, err));
    if (!cli->signers)
        RB_TRY(rb_signers_load(&cli->signers, repo, err));
    *out = cli->signers;
    return RB_OK;
}

enum rb_code rb_cli_settings(const rb_config **out, rb_cli *cli, rb_err *err)
{
    if (!cli->settings) {
        RB_AUTO(rb_free_str) char *path = NULL;
        if (cli->config) {
            path = rb_strdup(cli->config);
        } else {
            rb_repo *repo;
            RB_TRY(rb_cli_repo(&repo, cli, err));
            const char *top = rb_repo_workdir(repo);
            if (!top)
                return rb_fail(err, RB_ERROR,
                               "a bare repository has no rbtool.json; name one with --config FILE");
            path = rb_format("%s/%s", top, RB_CONFIG_FILE);
        }
        RB_TRY(rb_config_read(&cli->settings, path, err));
    }
    *out = cli->settings;
    return RB_OK;
}

enum rb_code rb_cli_release(rb_release **out, rb_cli *cli, const char *tag, rb_err *err)
{
    rb_repo *repo;
    const rb_signers *signers;
    RB_TRY(rb_cli_repo(&repo, cli, err));
    RB_TRY(rb_cli_signers(&signers, cli, err));
    rb_problems problems = {0};
    enum rb_code code = rb_release_open(out, repo, signers, tag, &problems, err);
    if (code == RB_FOUND && problems.n > 0)
        code = rb_fail(err, RB_FOUND, "release %s does not verify: %s", tag,
                       problems.items[0].message);
    rb_problems_clear(&problems);
    return code;
}
