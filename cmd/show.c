#include <stdio.h>
#include <unistd.h>

#include "base/embed.h"
#include "base/text.h"
#include "ledger/release_entry.h"
#include "release_status.h"
#include "status.h"
#include "ui.h"

RB_EMBED(rb_show_text, "cmd/text/show.txt");

static const rb_opt opts[] = {
    RB_FLAG("runbook", 0, "print the runbook that was attached when it was made", runbook),
    RB_OPTION_JSON, RB_OPTIONS_END};

/* Prints the manifest, with members for what is counted and for what its tag says. */
static void show(const rb_cli *cli, const rb_release *release)
{
    RB_AUTO(rb_buf_clear) rb_buf out = {0};
    RB_AUTO(rb_json_freep) json_t *statement = rb_manifest_encode(release->manifest);
    RB_AUTO(rb_free_str) char *date = rb_status_time(rb_verified_time(release->verified));
    json_t *shown = json_object_get(statement, "predicate");
    json_t *secrets = json_array();
    rb_json_each (artifact, json_object_get(shown, "artifacts"))
        rb_json_set(artifact, "digest:s", release->manifest->artifacts[artifact_at].digest);
    rb_json_each (database, json_object_get(shown, "databases"))
        rb_json_set(
            database, "count:n new:n", json_array_size(json_object_get(database, "migrations")),
            json_array_size(json_object_get(json_object_get(database, "proof"), "migrations")));
    if (release->manifest->flags_path)
        rb_json_set(json_object_get(shown, "flags"), "count:n", release->manifest->flag_count);
    rb_json_each_member (name, version, json_object_get(shown, "secrets"))
        json_array_append_new(secrets, rb_json_make("name:s version:J", name, version));
    rb_json_set(shown, "secrets:j tag:s object:s signer:s fingerprint:s tagger:s date:s", secrets,
                release->tag, release->object, rb_verified_principal(release->verified),
                rb_verified_fingerprint(release->verified), rb_verified_tagger(release->verified),
                date);
    rb_ui_fill(&out, rb_show_text, shown, NULL);
    rb_ui_text(cli, &out, false);
}

/* Prints the runbook that was attached to the release's ledger entry. */
static enum rb_code print_runbook(rb_cli *cli, const rb_release *release, rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    const rb_entry *entry = rb_ledger_runbook(cli->session.policy, release->object);
    if (!entry)
        return rb_fail(
            err, RB_FOUND,
            "the ledger here has no runbook of %s that a signer in role release signed\nfetch "
            "the ledger with `rbtool sync --fetch`, or write one for an environment with "
            "`rbtool plan %s --format markdown`",
            release->tag, release->tag);
    RB_AUTO(rb_buf_clear) rb_buf shown = {0};
    RB_TRY(rb_ledger_attachment(&text, cli->session.repo, entry, RB_RUNBOOK_ATTACHED, err));
    rb_buf_add_safe_lines(&shown, rb_buf_str(&text), text.len);
    rb_ui_text(cli, &shown, false);
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
        show(cli, release);
        rb_release_show(cli, release, NULL);
        if (rb_ledger_runbook(cli->session.policy, release->object))
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
