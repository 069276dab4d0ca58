#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/template.h"
#include "environment/compatibility.h"
#include "ledger/history.h"
#include "ledger/release_entry.h"
#include "ledger_write.h"
#include "release/make.h"
#include "release_status.h"
#include "report/runbook.h"
#include "ui.h"

#define NOTES_SHOWN 20

static const rb_opt opts[] = {
    RB_FLAG("dry-run", 'n',
            "print the message of the tag, in a pipe also the manifest; create nothing", dry_run),
    RB_TEXT("message", 'm', "TEXT", "text to add to the tag's message", message),
    RB_OPTION_KEY,
    RB_TEXT("previous", 0, "TAG", "the release that this one follows", previous),
    RB_LIST("accept", 0, "RULE", "release although this rule (RB002) has findings", accept),
    RB_FLAG("compatibility", 0, "test whether the previous application runs on the new schema",
            compatibility),
    RB_OPTION_TRUST_CODE,
    RB_FLAG("record", 0, "only write the ledger entry that an existing release lacks", record),
    RB_OPTION_JSON,
    RB_OPTIONS_END};

static enum rb_code check_rules(const rb_strs *accept, rb_err *err)
{
    for (size_t i = 0; i < accept->n; i++)
        if (!rb_rule_find(accept->items[i]))
            return rb_fail(
                err, RB_ERROR,
                "--accept %s: the rule does not exist\n`rbtool help release` lists the rules",
                accept->items[i]);
    return RB_OK;
}

static void tell(void *context, const char *what)
{
    rb_ui_progress(context, "%s", what);
}

/* Returns the findings in the form of `lint`, and whether each was accepted. */
static json_t *findings_json(const rb_make *make, const rb_findings *findings)
{
    json_t *array = rb_findings_json(findings);
    rb_json_each (finding, array)
        rb_json_set(finding, "accepted:b", rb_make_accepts(make, findings->items[finding_at].rule));
    return array;
}

static void print_findings(const rb_cli *cli, const rb_make *make, const rb_made *made)
{
    RB_AUTO(rb_json_freep) json_t *findings = findings_json(make, &made->findings);
    rb_json_each (finding, findings) {
        RB_AUTO(rb_free_str)
        char *text = rb_template(json_is_true(json_object_get(finding, "warning"))
                                     ? "[{file}:{line}: ]{rule} migration {migration}: {message} "
                                       "(a warning)"
                                 : json_is_true(json_object_get(finding, "accepted"))
                                     ? "[{file}:{line}: ]{rule} migration {migration}: {message} "
                                       "(accepted)"
                                     : "[{file}:{line}: ]{rule} migration {migration}: {message} "
                                       "(fix it, or --accept {rule})",
                                 finding);
        rb_ui_note(cli, "%s", text);
    }
    for (size_t i = 0; i < made->notes.n && i < NOTES_SHOWN; i++)
        rb_ui_note(cli, "note: %s", made->notes.items[i]);
    if (made->notes.n > NOTES_SHOWN)
        rb_ui_note(cli, "note: and %zu more; --json lists them", made->notes.n - NOTES_SHOWN);
}

/* Prints what the proof could not test. This is not a finding, but explains the class. */
static void print_untested(const rb_cli *cli, const rb_manifest *manifest)
{
    for (size_t i = 0; i < manifest->database_count; i++) {
        rb_json_each (item, json_object_get(manifest->databases[i].proof, "migrations"))
            if (strcmp(rb_json_str(item, "restores"), "untested") == 0)
                rb_ui_note(cli,
                           "migration %s: its way back could not be tried on every row (%s); name "
                           "rows that fit in databases.%s.seed of rbtool.json",
                           rb_json_str(item, "id"), rb_json_str(item, "error"),
                           manifest->databases[i].name);
    }
}

/* Prints the document of a refusal: the findings and the error. */
static void refuse(rb_cli *cli, const rb_make *make, const rb_made *made, const rb_err *err)
{
    print_findings(cli, make, made);
    if (!cli->json)
        return;
    rb_ui_document(cli, rb_json_make("error:j findings:j", rb_err_json(err),
                                     findings_json(make, &made->findings)));
}

/* Prints the readable part of the tag's message: the lines before the manifest. */
static void preview(const rb_cli *cli, const rb_made *made)
{
    const char *text = strstr(rb_buf_str(&made->payload), "\n\n"); /* after the tag's headers */
    const char *end = text ? strstr(text, "\n-----BEGIN") : NULL;
    rb_ui_note(cli, "no tag was created; its message would be:");
    for (const char *line = text ? text + 2 : NULL; line && line < end;) {
        const int len = (int)strcspn(line, "\n");
        rb_ui_note(cli, "%s%.*s", len ? "  " : "", len, line);
        line += len + 1;
    }
}

static void print_made(rb_cli *cli, const rb_make *make, const rb_made *made, const char *object,
                       const char *entry, json_t *compatibility)
{
    RB_AUTO(rb_json_freep) json_t *manifest = rb_manifest_encode(made->manifest);
    print_untested(cli, made->manifest);
    if (cli->json) {
        rb_ui_document(cli, rb_json_make("tag:s object:s entry:s manifest:J findings:j notes:j "
                                         "compatibility:J",
                                         make->tag, object, entry, manifest,
                                         findings_json(make, &made->findings),
                                         rb_json_strs(&made->notes), compatibility));
    } else if (!object) {
        RB_AUTO(rb_buf_clear) rb_buf text = {0};
        rb_json_pretty(&text, manifest);
        if (!isatty(STDOUT_FILENO)) /* scripts read the tag's text, a person the lines below */
            fwrite(text.data, 1, text.len, stdout);
        preview(cli, made);
    } else {
        rb_ui_line("%s  %s  %s, %s", make->tag, object, made->manifest->class_,
                   made->manifest->previous ? made->manifest->previous->tag : "the first release");
        rb_ui_note(cli, "push it with: git push origin %s, and the ledger with: rbtool sync",
                   make->tag);
    }
}

static enum rb_code see(rb_oid *id, rb_repo *repo, const rb_release *release,
                        const json_t *catalogs, const json_t *compatibility, const char *key,
                        rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf runbook = {0};
    rb_runbook_write_release(&runbook, release);
    const rb_seen seen = {
        .catalogs = catalogs, .compatibility = compatibility, .runbook = &runbook};
    return rb_ledger_see(id, repo, release, &seen, key, 0, err);
}

/* Records the release in the ledger. A failure is only reported: the tag alone can be verified. */
static void record(char entry[RB_OID_HEX], rb_cli *cli, rb_repo *repo, const rb_options *o,
                   const rb_make *make, const rb_made *made, json_t *compatibility)
{
    rb_err why;
    rb_oid id;
    RB_AUTO(rb_release_freep) rb_release *release = NULL;
    enum rb_code code = rb_session_release(&release, &cli->session, make->tag, NULL, &why);
    if (code == RB_OK)
        code = see(&id, repo, release, made->catalogs, compatibility, o->key, &why);
    if (code == RB_OK)
        rb_oid_hex(&id, entry);
    else
        rb_ui_note(cli,
                   "release %s is made, but the ledger has no entry about it: %s; when that is "
                   "fixed, `rbtool release %s --record` writes it",
                   make->tag, rb_err_line(&why), make->tag);
}

/* Tests whether FROM runs on the new schema. *out is NULL if no test is configured. A failed test
 * is recorded and refuses nothing. */
static enum rb_code test_compatibility(json_t **out, rb_cli *cli, rb_repo *repo,
                                       const rb_options *o, const rb_make *make,
                                       const rb_made *made, rb_err *err)
{
    RB_AUTO(rb_release_freep) rb_release *previous = NULL;
    const rb_link *link = made->manifest->previous;
    *out = NULL;
    if (json_object_size(made->lent) == 0) {
        if (o->compatibility)
            rb_ui_note(cli, "compatibility is not tested: %s",
                       link ? "the release has no database" : "there is no previous release");
        return RB_OK;
    }
    RB_AUTO(rb_free_str) char *output = NULL;
    rb_ui_progress(cli, "testing %s on the new schema", link->tag);
    RB_TRY(rb_session_release(&previous, &cli->session, link->tag, link->object, err));
    RB_TRY(rb_compatibility_test(out, &output, repo, previous, made, make->config, err));
    RB_AUTO(rb_free_str)
    char *line = rb_template("compatibility: {previous} on the new schema: {result}[: {why}], "
                             "{checks} SQL check{checks:s}[ and `{commandLine}`] over {rows:count} "
                             "row{rows:s}",
                             *out);
    rb_ui_note(cli, "%s", line);
    if (rb_json_int(*out, "exit", -1) != 0)
        rb_ui_output(cli, "    ", output);
    if (rb_json_str(*out, "commandLine") && json_is_false(json_object_get(*out, "offline")))
        rb_ui_note(cli, "note: the command could not be cut off from the network");
    return RB_OK;
}

static enum rb_code finish(rb_cli *cli, rb_repo *repo, const rb_signers *signers,
                           const rb_options *o, const rb_make *make, const rb_made *made,
                           rb_err *err)
{
    char hex[RB_OID_HEX] = "";
    char entry[RB_OID_HEX] = "";
    RB_AUTO(rb_json_freep) json_t *compatibility = NULL;
    RB_TRY(test_compatibility(&compatibility, cli, repo, o, make, made, err));
    if (!o->dry_run) {
        rb_oid object;
        rb_ui_progress(cli, "signing %s", make->tag);
        RB_TRY(rb_make_finish(&object, repo, signers, make, made, err));
        rb_oid_hex(&object, hex);
    }
    if (!o->dry_run)
        record(entry, cli, repo, o, make, made, compatibility);
    print_findings(cli, make, made);
    print_made(cli, make, made, o->dry_run ? NULL : hex, *entry ? entry : NULL, compatibility);
    return RB_OK;
}

/* `--record`: writes the ledger entry of a release that was made elsewhere, or whose entry could
 * not be written when it was made. */
static enum rb_code run_record(rb_cli *cli, rb_repo *repo, const rb_signers *signers,
                               const rb_options *o, const char *tag, rb_err *err)
{
    RB_AUTO(rb_release_freep) rb_release *release = NULL;
    RB_AUTO(rb_ledger_freep) rb_ledger *ledger = NULL;
    char hex[RB_OID_HEX] = "";
    RB_TRY(rb_session_release(&release, &cli->session, tag, NULL, err));
    RB_TRY(rb_ledger_load(&ledger, repo, signers, NULL, 0, err));
    if (rb_ledger_has_seen(ledger, release->object, false)) {
        rb_ui_note(cli, "the ledger has an entry about release %s already", tag);
    } else {
        rb_oid id;
        RB_TRY(see(&id, repo, release, NULL, NULL, o->key, err));
        rb_oid_hex(&id, hex);
    }
    if (cli->json) {
        rb_ui_document(cli, rb_json_make("tag:s object:s entry:s manifest:j findings:j", tag,
                                         release->object, *hex ? hex : NULL,
                                         rb_manifest_encode(release->manifest), json_array()));
    } else if (*hex) {
        rb_ui_line("%s  %s", tag, hex);
    }
    return RB_OK;
}

/* Checks that the caller may release before the tag is made, because a rejected tag would use up
 * its name. Does nothing without a policy or a key. */
static enum rb_code may_release(rb_cli *cli, rb_repo *repo, const rb_signers *signers,
                                const rb_policy *policy, const rb_options *o, rb_err *err)
{
    if (!rb_policy_entry(policy))
        return RB_OK;
    RB_AUTO(rb_caller_clear) rb_caller caller = {0};
    RB_TRY(rb_caller_find(&caller, repo, signers, o->key, !o->dry_run, err));
    if (!caller.principal ||
        rb_policy_allows(policy, RB_ROLE_RELEASE, caller.principal, caller.fingerprint))
        return RB_OK;
    RB_AUTO(rb_free_str)
    char *why = rb_policy_refusal(policy, RB_ROLE_RELEASE, caller.fingerprint);
    if (!o->dry_run)
        return rb_fail(err, RB_FOUND, "%s (key %s) may not release: %s; nothing was made",
                       caller.principal, caller.fingerprint, why);
    rb_ui_note(cli, "%s (key %s) may not release: %s", caller.principal, caller.fingerprint, why);
    return RB_OK;
}

/* Checks that --previous names a release that verifies. The chain check decides whether it is one
 * of this repository's. */
static enum rb_code check_previous(rb_cli *cli, const char *tag, rb_err *err)
{
    RB_AUTO(rb_release_freep) rb_release *release = NULL;
    if (tag && rb_session_release(&release, &cli->session, tag, NULL, err) != RB_OK)
        return rb_err_prefix(err, "--previous %s", tag);
    return RB_OK;
}

static enum rb_code run(rb_cli *cli, rb_options *o, rb_err *err)
{
    RB_TRY(check_rules(&o->accept, err));
    RB_TRY(rb_session_signers(&cli->session, err));
    rb_repo *repo = cli->session.repo;
    const rb_signers *signers = cli->session.signers;
    if (!o->dry_run)
        RB_TRY(rb_ledger_write_ready(cli, true, err));
    if (o->record)
        return run_record(cli, repo, signers, o, o->argv[0], err);
    rb_session_extensions(&cli->session);
    if (cli->session.config)
        RB_TRY(rb_session_settings(&cli->session, err));
    RB_TRY(rb_session_ledger(&cli->session, err));
    RB_TRY(may_release(cli, repo, signers, cli->session.policy, o, err));
    RB_TRY(check_previous(cli, o->previous, err));
    rb_chain_more more = {0};
    rb_history_more(&more, cli->session.policy);
    const rb_make make = {.tag = o->argv[0],
                          .commit = o->argc > 1 ? o->argv[1] : NULL,
                          .config = cli->session.config ? cli->session.settings : NULL,
                          .message = o->message,
                          .key = o->key,
                          .previous = o->previous,
                          .accept = &o->accept,
                          .command = cli->typed,
                          .more = &more,
                          .lend = o->compatibility,
                          .bad = rb_known_bad,
                          .bad_context = &cli->session,
                          .progress = tell,
                          .context = cli};
    RB_AUTO(rb_made_clear) rb_made made = {0};
    enum rb_code code = rb_make_prepare(&made, repo, signers, &make, err);
    if (code == RB_OK)
        code = finish(cli, repo, signers, o, &make, &made, err);
    else if (code == RB_FOUND && made.payload.len > 0)
        refuse(cli, &make, &made, err);
    return code;
}

RB_COMMAND(release, "TAG [COMMIT]", "make a signed release of a commit (default: HEAD)",
           RB_GROUP_RELEASE, 1, 2, RB_CHANGES);
