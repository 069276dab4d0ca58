#include <stdio.h>
#include <unistd.h>

#include "base/text.h"
#include "ledger/release_entry.h"
#include "release_status.h"
#include "status.h"
#include "ui.h"

static const rb_opt opts[] = {
    RB_FLAG("runbook", 0, "print the runbook that was attached when it was made", runbook),
    RB_OPTION_JSON, RB_OPTIONS_END};

static void show_artifacts(const rb_manifest *manifest)
{
    for (size_t i = 0; i < manifest->artifact_count; i++) {
        const rb_manifest_artifact *artifact = &manifest->artifacts[i];
        RB_AUTO(rb_free_str) char *files = rb_text_count(artifact->files);
        RB_AUTO(rb_free_str) char *bytes = rb_text_bytes(artifact->bytes);
        RB_AUTO(rb_buf_clear) rb_buf paths = {0};
        for (size_t j = 0; j < artifact->paths.n; j++)
            rb_buf_printf(&paths, "%s%s", j ? ", " : "", artifact->paths.items[j]);
        rb_ui_line("artifact    %s: %s (%s, %s files, %s)", artifact->name,
                   paths.len ? paths.data : "the whole tree", artifact->format, files, bytes);
        rb_ui_line("            tree    %s", artifact->tree);
        rb_ui_line("            archive %s", artifact->digest);
        for (size_t j = 0; j < artifact->submodules.n; j++)
            rb_ui_line("            without submodule %s", artifact->submodules.items[j]);
        for (size_t j = 0; j < artifact->ignore.n; j++)
            rb_ui_line("            ignores %s", artifact->ignore.items[j]);
    }
}

static void show_databases(const rb_manifest *manifest)
{
    for (size_t i = 0; i < manifest->database_count; i++) {
        const rb_manifest_database *database = &manifest->databases[i];
        const json_t *proven = json_object_get(database->proof, "migrations");
        rb_ui_line("database    %s: %s, %zu migrations in %s (%s), %zu new", database->name,
                   database->engine, database->migration_count, database->directory,
                   *database->layout ? database->layout : "none yet", json_array_size(proven));
        rb_json_each (item, proven)
            rb_ui_item("            {id}: down {restores|unproven}[: {error}]", item);
        rb_ui_line("            schema  %s", database->fingerprint);
    }
}

static void show_files(const char *what, const rb_manifest_file *files, size_t count)
{
    for (size_t i = 0; i < count; i++)
        rb_ui_line("%-11s %s  %s", i == 0 ? what : "", files[i].sha256, files[i].path);
}

static void show(const rb_release *release)
{
    const rb_manifest *manifest = release->manifest;
    RB_AUTO(rb_free_str) char *date = rb_status_time(rb_verified_time(release->verified));
    rb_ui_line("release     %s (%s %s)", release->tag, manifest->app_name, manifest->app_version);
    rb_ui_line("object      %s", release->object);
    rb_ui_line("commit      %s", manifest->commit);
    rb_ui_line("signer      %s  %s", rb_verified_principal(release->verified),
               rb_verified_fingerprint(release->verified));
    rb_ui_line("tagger      %s  %s", rb_verified_tagger(release->verified), date);
    rb_ui_line("previous    %s", manifest->previous ? manifest->previous->tag : "none, the first");
    for (size_t i = 0; i < manifest->head_count; i++)
        rb_ui_line("head        %s", manifest->heads[i].tag);
    show_artifacts(manifest);
    show_databases(manifest);
    if (manifest->flags_path)
        rb_ui_line("flags       %s (%s), %zu", manifest->flags_path, manifest->flags_format,
                   manifest->flag_count);
    for (size_t i = 0; i < manifest->flag_count; i++)
        rb_ui_line("            %s %s %s", manifest->flags[i].name, manifest->flags[i].state,
                   manifest->flags[i].default_ ? manifest->flags[i].default_ : "-");
    show_files("config", manifest->config, manifest->config_count);
    show_files("checks", manifest->checks, manifest->check_count);
    rb_json_each_member (name, version, manifest->secrets)
        rb_ui_line("secret      %s %s", name, json_string_value(version));
    rb_ui_line("rollback    %s", manifest->class_);
    for (size_t i = 0; i < manifest->notes.n; i++)
        rb_ui_line("            trailer Rollback: %s", manifest->notes.items[i]);
}

/* Prints the runbook that was attached to the release's ledger entry. */
static enum rb_code print_runbook(rb_cli *cli, const rb_release *release, rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    const rb_entry *entry = rb_ledger_runbook(cli->session.ledger, release->object);
    if (!entry)
        return rb_fail(
            err, RB_FOUND,
            "the ledger here has no runbook of %s that an allowed signer signed\nfetch "
            "the ledger with `rbtool sync --fetch`, or write one for an environment with "
            "`rbtool plan %s --format markdown`",
            release->tag, release->tag);
    RB_TRY(rb_ledger_attachment(&text, cli->session.repo, entry, RB_RUNBOOK_ATTACHED, err));
    fwrite(rb_buf_str(&text), 1, text.len, stdout);
    cli->answered = true;
    return RB_OK;
}

static enum rb_code run(rb_cli *cli, rb_options *o, rb_err *err)
{
    RB_AUTO(rb_release_freep) rb_release *release = NULL;
    RB_TRY(rb_session_release(&release, &cli->session, o->argv[0], NULL, err));
    if (o->runbook || !cli->json)
        RB_TRY(rb_session_ledger(&cli->session, err));
    if (o->runbook)
        return print_runbook(cli, release, err);
    if (!cli->json) {
        show(release);
        rb_release_show(cli, release, NULL);
        if (rb_ledger_runbook(cli->session.ledger, release->object))
            rb_ui_line("runbook     `rbtool show %s --runbook`", release->tag);
        return RB_OK;
    }
    RB_AUTO(rb_json_freep) json_t *json = rb_manifest_encode(release->manifest);
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    rb_json_pretty(&text, json);
    RB_AUTO(rb_buf_clear) rb_buf shown = {0};
    rb_json_screen(&shown, &text);
    const rb_buf *out =
        isatty(STDOUT_FILENO)
            ? &shown
            : &text; /* escaped for a terminal, unchanged for a program that hashes it */
    fwrite(out->data, 1, out->len, stdout);
    cli->answered = true;
    return RB_OK;
}

RB_COMMAND(show, "TAG", "show one release", RB_GROUP_RELEASE, 1, 1, RB_PAGES);
