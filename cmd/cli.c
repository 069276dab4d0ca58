#include "cli.h"

#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "books.h"
#include "proof/rebuild.h"
#include "ui.h"

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
                               "a bare repository has no rbtool.json\nname one with --config FILE");
            path = rb_format("%s/%s", top, RB_CONFIG_FILE);
            if (!rb_file_exists(path))
                return rb_fail(err, RB_ERROR,
                               "this repository has no %s, so rbtool is not set up here\nrun "
                               "`rbtool init`",
                               RB_CONFIG_FILE);
        }
        RB_TRY(rb_config_read(&cli->settings, path, err));
    }
    *out = cli->settings;
    return RB_OK;
}

static enum rb_code find_extensions(rb_cli *cli, rb_err *err)
{
    static const char key[] = "rbtool.extension";
    RB_AUTO(rb_strs_clear) rb_strs paths = {0};
    RB_AUTO(rb_strs_clear) rb_strs real = {0};
    rb_repo *repo;
    RB_TRY(rb_cli_repo(&repo, cli, err));
    RB_TRY(rb_repo_setting_paths(&paths, repo, key, err));
    for (size_t i = 0; i < paths.n; i++) {
        RB_AUTO(rb_free_str) char *top = NULL;
        char *found = NULL;
        rb_repo_work_tree_of(&top, &found, repo, paths.items[i]);
        rb_strs_take(&real, found);
        if (top)
            return rb_fail(err, RB_ERROR,
                           "git config %s names %s, which lies in the work tree %s, where a commit "
                           "can change what rbtool runs\nmove it outside and name it there",
                           key, paths.items[i], top);
        if (!rb_file_exists(found))
            return rb_fail(err, RB_ERROR, "git config %s names %s, which does not exist", key,
                           paths.items[i]);
    }
    rb_db_extensions(&real);
    return RB_OK;
}

/* Schemas are rebuilt with the limits of proofs; of several databases, with the largest. */
static void take_limits(rb_cli *cli)
{
    const rb_config *settings;
    rb_err none;
    if (rb_cli_settings(&settings, cli, &none) != RB_OK || settings->database_count == 0)
        return;
    rb_db_limits most = {.where = "databases.NAME.limits"};
    for (size_t i = 0; i < settings->database_count; i++) {
        const rb_config_database *d = &settings->databases[i];
        most.seconds = d->seconds > most.seconds ? d->seconds : most.seconds;
        most.memory = d->memory > most.memory ? d->memory : most.memory;
        most.size = d->size > most.size ? d->size : most.size;
    }
    rb_db_rebuild_limits(&most);
}

void rb_cli_extensions(rb_cli *cli)
{
    rb_err why;
    if (find_extensions(cli, &why) != RB_OK)
        rb_db_extensions_fail(&why);
    take_limits(cli);
}

/* release: of the ledger. */
static void note_lost(rb_cli *cli, const rb_release *release)
{
    RB_AUTO(rb_tag_freep) rb_tag *other = NULL;
    rb_err none;
    const char *tag = release->tag;
    bool is_replaced = rb_tag_read(&other, cli->repo, tag, &none) != RB_FOUND;
    RB_AUTO(rb_free_str)
    char *cure = is_replaced ? rb_chain_back(cli->repo, tag, release->object)
                             : rb_chain_cure(cli->repo, tag, release->object);
    rb_ui_note(cli,
               "tag %s %s; the release is taken from the ledger, which kept its object %.12s; %s "
               "%s",
               tag, is_replaced ? "does not lead to the release any more" : "is not here",
               release->object, cure, is_replaced ? "puts it back" : "brings the tag");
}

/* A ledger that cannot be read leaves it at what was found here. */
static bool find_lost(rb_release **out, rb_cli *cli, const char *tag, const char *object)
{
    const rb_books *books;
    rb_err ignored;
    if (rb_cli_books(&books, cli, &ignored) != RB_OK)
        return false;
    const rb_keeping keeping = rb_books_keeping(books, cli->repo);
    rb_history_lost(out, &keeping, cli->signers, tag, object);
    if (*out)
        note_lost(cli, *out);
    return *out != NULL;
}

enum rb_code rb_cli_no_tag(const rb_cli *cli, const char *tag, rb_err *err)
{
    RB_AUTO(rb_strs_clear) rb_strs tags = {0};
    RB_AUTO(rb_free_str) char *safe = rb_safe(tag);
    rb_err ignored;
    const char *near = NULL;
    if (rb_tag_names(&tags, cli->repo, "*", &ignored) != RB_OK)
        rb_strs_clear(&tags);
    for (size_t i = 0; i < tags.n && !near; i++) {
        const char *name = tags.items[i];
        if ((name[0] == 'v' && strcmp(name + 1, tag) == 0) ||
            (tag[0] == 'v' && strcmp(name, tag + 1) == 0))
            near = name;
    }
    const char **names = rb_calloc(tags.n + 1, sizeof *names); /* ends with NULL */
    for (size_t i = 0; i < tags.n; i++)
        names[i] = tags.items[i];
    near = near ? near : rb_text_similar(tag, names);
    RB_AUTO(rb_free_str) char *meant = near ? rb_safe(near) : NULL;
    free(names);
    if (meant)
        return rb_fail(err, RB_ERROR, "there is no tag %s in this repository\ndid you mean %s?",
                       safe, meant);
    return rb_fail(err, RB_ERROR,
                   "there is no tag %s in this repository\n`rbtool list` shows the releases, and "
                   "`git fetch --tags` brings those of the remote",
                   safe);
}

enum rb_code rb_cli_tag(rb_tag **out, const rb_cli *cli, const char *tag, rb_err *err)
{
    enum rb_code code = rb_tag_read(out, cli->repo, tag, err);
    return code == RB_FOUND ? rb_cli_no_tag(cli, tag, err) : code;
}

enum rb_code rb_cli_release_of(rb_release **out, rb_cli *cli, const char *tag, const char *object,
                               rb_err *err)
{
    rb_repo *repo;
    const rb_signers *signers;
    RB_TRY(rb_cli_repo(&repo, cli, err));
    RB_TRY(rb_cli_signers(&signers, cli, err));
    RB_AUTO(rb_problems_clear) rb_problems problems = {0};
    enum rb_code code = rb_release_open(out, repo, signers, tag, &problems, err);
    if (code == RB_FOUND && find_lost(out, cli, tag, object))
        return RB_OK;
    if (code == RB_FOUND && problems.n > 0 && strcmp(problems.items[0].code, "unknown") == 0)
        return rb_cli_no_tag(cli, tag, err);
    if (code == RB_FOUND && problems.n > 0)
        code = rb_fail(err, RB_FOUND, "release %s does not verify: %s", tag,
                       problems.items[0].message);
    return code;
}

enum rb_code rb_cli_release(rb_release **out, rb_cli *cli, const char *tag, rb_err *err)
{
    return rb_cli_release_of(out, cli, tag, NULL, err);
}
