#include "prove.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "commands.h"
#include "git/remote.h"
#include "init.h"
#include "release/prove.h"
#include "release/released.h"
#include "ui.h"

struct job {
    rb_cli *cli;
    rb_repo *repo;
    rb_oid commit;
    rb_oid tree;
    bool has_base;
    rb_oid base_tree;
    char *base;              /* revision to compare with, as the user or git names it */
    rb_config *own;          /* settings that this command read itself, or NULL */
    const rb_config *config; /* `own` or the session's settings */
    rb_findings findings;
    rb_strs notes;
    json_t *document; /* what --json prints */
    rb_err failed;    /* error of the first database without a proof; code RB_OK: all were proven */
};

static void job_clear(struct job *job)
{
    free(job->base);
    rb_config_free(job->own);
    rb_findings_clear(&job->findings);
    rb_strs_clear(&job->notes);
    rb_json_free(job->document);
}

/* Detects databases as `rbtool init` does, if the repository has no rbtool.json. */
static enum rb_code detect(struct job *job, rb_err *err)
{
    RB_AUTO(rb_found_clear) rb_found found = {0};
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    RB_TRY(rb_init_databases(&found, job->repo, err));
    const bool any = json_object_get(found.config, "databases") != NULL;
    for (size_t i = 0; i < found.said.n; i++)
        if (any)
            rb_strs_add(&job->notes, found.said.items[i]);
        else if (!rb_strs_has(&found.broken, found.said.items[i]))
            rb_ui_note(job->cli, "%s", found.said.items[i]);
    if (found.broken.n >
        0) /* more likely that a script fails than that the engine is another one */
        (void)rb_fail(
            &job->failed, RB_FOUND,
            "%s\nfix the script, or name the folder and its engine under \"databases\" in "
            "%s",
            found.broken.items[0], RB_CONFIG_FILE);
    if (!any && found.broken.n > 0)
        *err = job->failed;
    if (!any)
        return found.broken.n > 0
                   ? RB_FOUND
                   : rb_fail(err, RB_ERROR,
                             "HEAD has no migrations that rbtool can prove\nname their folder and "
                             "engine under \"databases\" in %s; `rbtool init` writes it",
                             RB_CONFIG_FILE);
    rb_json_canonical(&text, found.config);
    RB_TRY(rb_config_parse(&job->own, text.data, text.len, "what was found", err));
    job->config = job->own;
    return RB_OK;
}

/* Finds the settings. In this order: --config, rbtool.json of HEAD, rbtool.json of the work tree,
 * detection. */
static enum rb_code find_settings(struct job *job, rb_err *err)
{
    rb_session *session = &job->cli->session;
    const char *top = rb_repo_workdir(job->repo);
    RB_AUTO(rb_free_str) char *path = top ? rb_path_join(top, RB_CONFIG_FILE) : NULL;
    if (!session->config) {
        enum rb_code code = rb_config_at(&job->own, job->repo, &job->commit, err);
        job->config = job->own;
        if (code == RB_FOUND && !(path && rb_file_exists(path)))
            return detect(job, err);
        if (code != RB_FOUND)
            return code;
    }
    RB_TRY(rb_session_settings(session, err));
    job->config = session->settings;
    return RB_OK;
}

/* Returns the remote's default branch: origin/HEAD if this clone has it, else main or master; NULL
 * if none exists. */
static char *default_branch(struct job *job)
{
    static const char *const names[] = {"HEAD", "main", "master"};
    RB_AUTO(rb_free_str) char *remote = NULL;
    rb_oid commit;
    if (rb_remote_find(&remote, job->repo, NULL, RB_IGNORED) != RB_OK)
        return NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        RB_AUTO(rb_free_str) char *name = rb_format("refs/remotes/%s/%s", remote, names[i]);
        if (rb_repo_commit(&commit, job->repo, name, RB_IGNORED) == RB_OK)
            return rb_format("%s/%s", remote, names[i]);
    }
    return NULL;
}

/* Finds the commit where HEAD branched off the base. Later migrations of the base are not taken for
 * missing ones. */
static enum rb_code find_base(struct job *job, const char *named, rb_err *err)
{
    rb_oid tip, base;
    char hex[RB_OID_HEX];
    job->base = named ? rb_strdup(named) : default_branch(job);
    json_object_set_new(job->document, "base", json_null());
    if (!job->base) {
        rb_ui_note(job->cli, "the default branch of a remote is not known here, so that all "
                             "migrations are proven; --base REV proves what REV has not");
        return RB_OK;
    }
    RB_TRY(rb_repo_commit(&tip, job->repo, job->base, err));
    enum rb_code code = rb_commit_merge_base(&base, job->repo, &job->commit, &tip, err);
    if (code != RB_OK && code != RB_FOUND)
        return code;
    if (code == RB_FOUND) {
        rb_ui_note(job->cli, "%s, so that %s%s", err->message,
                   named ? "HEAD is compared with the tip of " : "all migrations are proven",
                   named ? named : "");
        if (!named)
            return RB_OK;
        base = tip;
    }
    rb_oid_hex(&base, hex);
    rb_json_set_str(job->document, "base", hex);
    job->has_base = true;
    return rb_commit_tree(&job->base_tree, job->repo, &base, err);
}

/* Marks the migrations that differ from the base, and those after a changed one, which depend on
 * it. */
static bool *mark_new(const rb_migrations *set, const rb_released *before, size_t n)
{
    RB_AUTO(rb_json_freep) json_t *index = json_object();
    for (size_t i = 0; i < n; i++)
        json_object_set_new_nocheck(index, before[i].id, json_integer((json_int_t)i));
    bool *is_new = rb_calloc(set->n + 1, sizeof *is_new);
    bool changed = false;
    for (size_t i = 0; i < set->n; i++) {
        const rb_migration *m = &set->items[i];
        const json_t *at = json_object_get(index, m->id);
        bool same = at && (m->code || rb_released_has_scripts(m, &before[json_integer_value(at)]));
        changed |= at && !same;
        is_new[i] = !same || changed;
    }
    return is_new;
}

/* Notes files that are not committed: a user might believe that they were proven. */
static void note_uncommitted(const struct job *job, const rb_config_database *database)
{
    RB_AUTO(rb_free_str) char *spec = rb_repo_pathspec(database->migrations);
    const char *const args[] = {"-c",
                                "core.fsmonitor=false",
                                "--no-optional-locks",
                                "status",
                                "--porcelain",
                                "--untracked-files=all",
                                "--",
                                spec,
                                NULL};
    RB_AUTO(rb_buf_clear) rb_buf out = {0};
    size_t n = 0;
    if (!rb_repo_workdir(job->repo) || rb_repo_git(&out, job->repo, args, RB_IGNORED) != RB_OK)
        return;
    for (size_t i = 0; i < out.len; i++)
        n += out.data[i] == '\n';
    if (n > 0)
        rb_ui_note(job->cli, "%zu file%s in %s %s not committed as %s; HEAD is what is proven", n,
                   rb_text_s(n), database->migrations, n == 1 ? "is" : "are",
                   n == 1 ? "it is" : "they are");
}

/* Adds a migration's entry to the document: its result, or NULL, and a list for its findings. */
static json_t *add_entry(json_t *entries, const rb_config_database *database, const char *id,
                         const json_t *result)
{
    json_t *entry = result ? json_deep_copy(result) : json_object();
    static const char *const lists[] = {"destroys", "discards", "locks"};
    rb_json_set(entry, "database:s id:s findings:j", database->name, id, json_array());
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        if (!json_object_get(entry, lists[i]))
            json_object_set_new(entry, lists[i], json_array());
    if (!result) {
        rb_json_set(entry, "restores:0 reapplies:0");
    }
    json_array_append_new(entries, entry);
    return entry;
}

static json_t *find_entry(const json_t *entries, const char *id)
{
    rb_json_each (entry, entries)
        if (rb_text_same(rb_json_str(entry, "id"), id))
            return entry;
    return NULL;
}

/* Adds the findings from number `first` on. A migration that was deleted or is not to be proven
 * gets an entry without a result. */
static void add_findings(json_t *entries, const struct job *job, size_t first,
                         const rb_config_database *database)
{
    RB_AUTO(rb_json_freep) json_t *findings = rb_findings_json(&job->findings);
    for (size_t i = first; i < job->findings.n; i++) {
        json_t *finding = json_array_get(findings, i);
        const char *id = rb_json_str(finding, "migration");
        json_t *entry = find_entry(entries, id);
        if (!entry)
            entry = add_entry(entries, database, id, NULL);
        json_array_append(json_object_get(entry, "findings"), finding);
    }
}

static enum rb_code prove_database(struct job *job, const rb_config_database *database, rb_err *err)
{
    RB_AUTO(rb_migrations_freep) rb_migrations *set = NULL, *old = NULL;
    RB_AUTO(rb_proof_clear) rb_proof proof = {0};
    enum rb_code code = rb_migrations_read(&set, job->repo, &job->tree, database->migrations,
                                           database->layout, database->engine, err);
    if (code == RB_OK && job->has_base)
        code = rb_migrations_read(&old, job->repo, &job->base_tree, database->migrations,
                                  database->layout, database->engine, err);
    if (code != RB_OK && !(code == RB_FOUND && set)) { /* the base may lack the folder */
        err->code = RB_ERROR;
        return rb_err_prefix(err, "database %s", database->name);
    }
    note_uncommitted(job, database);
    rb_ui_progress(job->cli, "proving database %s", database->name);
    const size_t first = job->findings.n;
    size_t n = 0;
    rb_released *before = old ? rb_released_of(&n, old, job->base) : NULL;
    bool *is_new = mark_new(set, before, n);
    const rb_prove prove = {.repo = job->repo,
                            .commit = job->commit,
                            .database = database,
                            .set = set,
                            .is_new = is_new,
                            .released = before,
                            .released_count = n};
    code = rb_prove_database(&proof, &job->findings, &job->notes, &prove, err);
    RB_AUTO(rb_json_freep) json_t *entries = json_array();
    const json_t *results = json_object_get(proof.json, "migrations");
    for (size_t i = 0, next = 0; i < set->n; i++) {
        if (!is_new[i])
            continue;
        json_t *entry =
            add_entry(entries, database, set->items[i].id, json_array_get(results, next++));
        rb_json_set(entry, "name:s file:s", set->items[i].name, set->items[i].up.path);
    }
    add_findings(entries, job, first, database);
    json_array_extend(json_object_get(job->document, "migrations"), entries);
    json_t *described =
        json_pack("{s:s,s:s,s:s,s:s,s:s?,s:o}", "name", database->name, "engine", database->engine,
                  "layout", set->layout, "directory", database->migrations, "class", proof.class_,
                  "error", code == RB_OK ? json_null() : rb_json_text(err->message));
    json_array_append_new(json_object_get(job->document, "databases"), described);
    free(is_new);
    free(before);
    return code;
}

/* Proves all databases. If one cannot be proven, the results of the others are still reported. */
static enum rb_code prove_all(struct job *job, rb_err *err)
{
    const rb_config *config = job->config;
    const char *engine = config->database_count > 0 ? config->databases[0].engine : NULL;
    for (size_t i = 0; i < config->database_count; i++) {
        enum rb_code code = prove_database(job, &config->databases[i], err);
        if (code != RB_OK && code != RB_FOUND)
            return code;
        if (code == RB_FOUND && job->failed.code == RB_OK)
            job->failed = *err;
        if (!rb_text_same(engine, config->databases[i].engine))
            engine = NULL;
    }
    rb_json_set_str(job->document, "engine", engine);
    json_object_set_new(job->document, "notes", rb_json_strs(&job->notes));
    return RB_OK;
}

static enum rb_code prove(struct job *job, const char *base, rb_err *err)
{
    RB_TRY(rb_session_repo(&job->cli->session, err));
    job->repo = job->cli->session.repo;
    RB_TRY(rb_repo_commit(&job->commit, job->repo, "HEAD", err));
    RB_TRY(rb_commit_tree(&job->tree, job->repo, &job->commit, err));
    rb_session_extensions(&job->cli->session);
    RB_TRY(find_settings(job, err));
    RB_TRY(find_base(job, base, err));
    return prove_all(job, err);
}

static void print(struct job *job, const char *format)
{
    if (strcmp(format, "json") == 0)
        rb_ui_json(job->cli, job->document);
    else if (strcmp(format, "sarif") == 0)
        rb_ui_document(job->cli, rb_findings_sarif(&job->findings, RB_VERSION));
    else
        rb_prove_print(job->cli, job->document, format);
}

static enum rb_code run(rb_cli *cli, rb_options *o, rb_err *err)
{
    static const char *const formats[] = {"text", "markdown", "json", "sarif", "junit", NULL};
    const char *format = o->format ? o->format : cli->json ? "json" : "text";
    size_t known = 0;
    while (formats[known] && strcmp(formats[known], format) != 0)
        known++;
    if (!formats[known])
        return rb_fail(err, RB_ERROR,
                       "--format takes text, markdown, json, sarif or junit, not '%s'", format);
    cli->json = cli->json || strcmp(format, "json") == 0;
    RB_AUTO(job_clear)
    struct job job = {.cli = cli, .document = json_pack("{s:[],s:[]}", "databases", "migrations")};
    RB_TRY(prove(&job, o->base, err));
    print(&job, format);
    *err = job.failed;
    return err->code == RB_OK && rb_findings_refusing(&job.findings) > 0 ? RB_FOUND : err->code;
}

static const rb_opt opts[] = {
    RB_TEXT("base", 0, "REV",
            "prove what HEAD has and REV has not (default: the upstream's default branch)", base),
    RB_TEXT("format", 0, "FORMAT", "text (the default), markdown, json, sarif or junit", format),
    RB_OPTION_TRUST_CODE, RB_OPTION_JSON, RB_OPTIONS_END};

RB_COMMAND(prove, "", "prove that migrations come back, without a release", RB_GROUP_RELEASE, 0, 0,
           0);
