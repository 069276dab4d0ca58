#include <stdlib.h>
#include <string.h>

#include "base/template.h"
#include "cli.h"
#include "commands.h"
#include "database/database.h"
#include "git/tree.h"
#include "migration/lint.h"
#include "release/released.h"
#include "release_status.h"
#include "ui.h"

#define UNREAD_SHOWN 20

/* What the linted tree is compared with: a release's manifest, a commit's own files, or nothing. */
struct base {
    const char *name;
    const rb_release *release; /* borrowed */
    rb_release *opened;
    rb_chain *chain;
    bool has_tree;
    rb_oid tree;
};

struct job {
    rb_cli *cli;
    rb_repo *repo;
    rb_oid commit;
    rb_oid tree;
    struct base base;
    rb_findings findings;
    size_t migrations;
    rb_strs
        ignored;    /* files that no migration uses; with the reason if they look like migrations */
    json_t *unread; /* the files of `ignored` that look like migrations: [{"file","message"}] */
    char *from;     /* the start of the range A..B, or NULL */
    char *to;
};

static void job_clear(struct job *job)
{
    rb_release_free(job->base.opened);
    rb_chain_free(job->base.chain);
    rb_findings_clear(&job->findings);
    rb_strs_clear(&job->ignored);
    rb_json_free(job->unread);
    free(job->from);
    free(job->to);
}

static bool carries_manifest(rb_repo *repo, const char *name)
{
    RB_AUTO(rb_tag_freep) rb_tag *tag = NULL;
    return rb_tag_read(&tag, repo, name, RB_IGNORED) == RB_OK && rb_manifest_is_in(tag);
}

/* Finds the newest release to compare with. Signers are loaded only if a release exists: linting a
 * new repository needs none. */
static enum rb_code find_previous(struct job *job, const rb_config *config, rb_err *err)
{
    RB_AUTO(rb_strs_clear) rb_strs tags = {0};
    RB_TRY(rb_tag_names(&tags, job->repo, config->tags, err));
    bool any = false;
    for (size_t i = 0; i < tags.n && !any; i++)
        any = carries_manifest(job->repo, tags.items[i]);
    if (!any)
        return RB_OK;
    RB_TRY(rb_session_signers(&job->cli->session, err));
    const rb_signers *signers = job->cli->session.signers;
    const rb_chain_more more = {.glob = config->tags};
    RB_TRY(rb_chain_load(&job->base.chain, job->repo, signers, &more, err));
    const rb_chain_item *passed_over;
    RB_TRY(rb_session_ledger(&job->cli->session, err));
    rb_chain_mark_bad(job->base.chain, rb_known_bad, &job->cli->session);
    RB_TRY(rb_chain_previous(&job->base.release, &passed_over, job->base.chain, job->repo,
                             &job->commit, err));
    if (job->base.release)
        job->base.name = job->base.release->tag;
    return RB_OK;
}

static enum rb_code use_base(struct job *job, const char *name, rb_err *err)
{
    job->base.name = name;
    if (carries_manifest(job->repo, name)) {
        RB_TRY(rb_session_release(&job->base.opened, &job->cli->session, name, NULL, err));
        job->base.release = job->base.opened;
        return RB_OK;
    }
    rb_oid commit;
    RB_TRY(rb_repo_commit(&commit, job->repo, name, err));
    RB_TRY(rb_commit_tree(&job->base.tree, job->repo, &commit, err));
    job->base.has_tree = true;
    return RB_OK;
}

static bool is_unread(const rb_migrations *set, const char *path)
{
    for (size_t i = 0; i < set->unread_count; i++)
        if (strcmp(set->unread[i].path, path) == 0)
            return true;
    return false;
}

static enum rb_code lint_database(struct job *job, const rb_config_database *d, rb_err *err)
{
    RB_AUTO(rb_migrations_freep) rb_migrations *set = NULL, *old = NULL;
    enum rb_code code =
        rb_migrations_read(&set, job->repo, &job->tree, d->migrations, d->layout, d->engine, err);
    /* Exit code 1 means findings; a missing folder is an error in the settings. */
    if (code == RB_FOUND)
        err->code = code = RB_ERROR;
    if (code != RB_OK)
        return code;
    if (job->base.has_tree) {
        code = rb_migrations_read(&old, job->repo, &job->base.tree, d->migrations, d->layout,
                                  d->engine, err);
        if (code != RB_OK && code != RB_FOUND)
            return code;
    }
    RB_AUTO(rb_carried_clear) rb_carried carried = {0};
    if (job->base.release)
        rb_carried_find(&carried, job->base.release, job->base.chain, job->repo, d->name, set);
    else if (old)
        carried.items = rb_released_of(&carried.n, old, job->base.name);
    rb_lint(&job->findings, set, d->engine, carried.items, carried.n, rb_engine_outside);
    job->migrations += set->n;
    for (size_t i = 0; i < set->ignored.n; i++)
        if (!is_unread(set, set->ignored.items[i]))
            rb_strs_add(&job->ignored, set->ignored.items[i]);
    for (size_t i = 0; i < set->unread_count; i++) {
        const rb_unread_file *file = &set->unread[i];
        rb_strs_take(&job->ignored, rb_format("%s: %s", file->path, file->why));
        json_array_append_new(job->unread, rb_json_make("file:t message:s", file->path, file->why));
    }
    return RB_OK;
}

/* Splits "A..B". An end that is left out is HEAD, as in git. */
static enum rb_code split_range(char **from, char **to, const char *range, rb_err *err)
{
    const char *dots = strstr(range, "..");
    if (!dots || dots[2] == '.')
        return rb_fail(err, RB_ERROR, "lint takes a range A..B, not '%s'", range);
    *from = dots == range ? rb_strdup("HEAD") : rb_strndup(range, (size_t)(dots - range));
    *to = rb_strdup(dots[2] ? dots + 2 : "HEAD");
    return RB_OK;
}

static enum rb_code read_config(rb_config **out, const struct job *job, rb_err *err)
{
    if (job->cli->session.config)
        return rb_config_read(out, job->cli->session.config, err);
    enum rb_code code = rb_config_at(out, job->repo, &job->commit, err);
    return code == RB_FOUND ? rb_fail(err, RB_ERROR,
                                      "the commit to lint has no %s\ncommit one (`rbtool init` "
                                      "writes it) or name one with --config FILE",
                                      RB_CONFIG_FILE)
                            : code;
}

static void print_text(const struct job *job)
{
    const rb_cli *cli = job->cli;
    RB_AUTO(rb_json_freep) json_t *findings = rb_findings_json(&job->findings);
    rb_json_each (finding, findings) {
        const rb_rule *rule = rb_rule_find(rb_json_str(finding, "rule"));
        rb_ui_item(rule && rule->error ? "[{file}:{line}: ]<red>{rule}</> {migration}: {message}"
                                       : "[{file}:{line}: ]<yellow>{rule}</> {migration}: "
                                         "{message}{warning? (a warning):}",
                   finding);
    }
    for (size_t i = 0; i < job->ignored.n && i < UNREAD_SHOWN; i++)
        rb_ui_note(cli, "not read: %s", job->ignored.items[i]);
    if (job->ignored.n > UNREAD_SHOWN)
        rb_ui_note(cli, "and %zu more", job->ignored.n - UNREAD_SHOWN);
    RB_AUTO(rb_json_freep)
    json_t *sums = rb_json_make("migrations:n findings:n base:s", job->migrations, job->findings.n,
                                job->base.name);
    RB_AUTO(rb_free_str)
    char *text = rb_template("{migrations:count} migration{migrations:s}, {findings:count} "
                             "finding{findings:s}; {base?compared with :there is no release to "
                             "compare with}{base}",
                             sums);
    rb_ui_note(cli, "%s", text);
}

static void print(const struct job *job, const char *format)
{
    if (strcmp(format, "text") == 0) {
        print_text(job);
        return;
    }
    RB_AUTO(rb_json_freep) json_t *document = NULL;
    if (strcmp(format, "sarif") == 0)
        document = rb_findings_sarif(&job->findings, RB_VERSION);
    else
        document =
            rb_json_make("findings:j unread:J", rb_findings_json(&job->findings), job->unread);
    rb_ui_json(job->cli, document);
}

static enum rb_code lint(struct job *job, const char *range, rb_err *err)
{
    if (range)
        RB_TRY(split_range(&job->from, &job->to, range, err));
    RB_TRY(rb_session_repo(&job->cli->session, err));
    job->repo = job->cli->session.repo;
    RB_TRY(rb_repo_commit(&job->commit, job->repo, job->to ? job->to : "HEAD", err));
    RB_TRY(rb_commit_tree(&job->tree, job->repo, &job->commit, err));
    RB_AUTO(rb_config_freep) rb_config *config = NULL;
    RB_TRY(read_config(&config, job, err));
    if (job->from)
        RB_TRY(use_base(job, job->from, err));
    else
        RB_TRY(find_previous(job, config, err));
    for (size_t i = 0; i < config->database_count; i++)
        RB_TRY(lint_database(job, &config->databases[i], err));
    return RB_OK;
}

static enum rb_code run(rb_cli *cli, rb_options *o, rb_err *err)
{
    const char *format = o->format ? o->format : cli->json ? "json" : "text";
    if (strcmp(format, "text") != 0 && strcmp(format, "json") != 0 && strcmp(format, "sarif") != 0)
        return rb_fail(err, RB_ERROR, "--format takes text, json or sarif, not '%s'", format);
    cli->json = cli->json || strcmp(format, "json") == 0;
    RB_AUTO(job_clear) struct job job = {.cli = cli, .unread = json_array()};
    RB_TRY(lint(&job, o->argc > 0 ? o->argv[0] : NULL, err));
    print(&job, format);
    return rb_findings_refusing(&job.findings) > 0 ? RB_FOUND : RB_OK;
}

static const rb_opt opts[] = {
    RB_TEXT("format", 0, "FORMAT", "text (the default), json, or sarif for code scanning", format),
    RB_OPTION_JSON, RB_OPTIONS_END};

RB_COMMAND(lint, "[A..B]", "check migrations without a database", RB_GROUP_RELEASE, 0, 1, 0);
