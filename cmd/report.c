#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/shape.h"
#include "env_session.h"
#include "release_status.h"
#include "report/diff.h"
#include "report/report.h"
#include "ui.h"

#define SIGNERS_LIMIT (64u << 10) /* bytes of the allowed signers file that the page shows */

static const rb_opt opts[] = {
    RB_TEXT("output", 'o', "FILE", "write to FILE (default: stdout)", output),
    RB_TEXT("since", 0, "DATE", "only since then, as in `git log --since`", since),
    RB_TEXT("env", 'e', "NAME", "only of this environment", env),
    RB_TEXT("format", 0, "FORMAT", "html (the default), csv or json", format),
    RB_OPTION_JSON,
    RB_OPTIONS_END};

/* Returns the changes between the tag and the release before it. NULL if it is the first, or if
 * either does not verify. */
static json_t *find_changes(rb_cli *cli, const json_t *document)
{
    RB_AUTO(rb_release_freep) rb_release *from = NULL;
    RB_AUTO(rb_release_freep) rb_release *to = NULL;
    json_t *out = NULL;
    rb_err none;
    const json_t *release = json_array_get(json_object_get(document, "releases"), 0);
    const char *previous = rb_json_str(release, "previous");
    if (!previous)
        return NULL;
    rb_session_extensions(&cli->session);
    if (rb_session_release(&from, &cli->session, previous, NULL, &none) != RB_OK ||
        rb_session_release(&to, &cli->session, rb_json_str(release, "tag"), NULL, &none) != RB_OK ||
        rb_diff(&out, cli->session.repo, from, to, NULL, 0, &none) != RB_OK) {
        rb_ui_note(cli, "what changed since %s is not shown: %s", previous, rb_err_line(&none));
        return NULL;
    }
    return out;
}

/* Returns the text of the allowed signers file, or NULL. */
static char *find_signers(rb_cli *cli)
{
    RB_AUTO(rb_free_str) char *path = NULL;
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    RB_AUTO(rb_buf_clear) rb_buf safe = {0};
    if (rb_repo_setting_path(&path, cli->session.repo, "gpg.ssh.allowedsignersfile", RB_IGNORED) !=
            RB_OK ||
        !path || rb_file_read(&text, path, SIGNERS_LIMIT, RB_IGNORED) != RB_OK)
        return NULL;
    rb_buf_add_safe_lines(&safe, rb_buf_str(&text), text.len);
    return rb_buf_detach(&safe);
}

static enum rb_code write_text(rb_cli *cli, const char *path, const rb_buf *text, rb_err *err)
{
    cli->answered = true;
    if (path)
        return rb_file_replace(path, rb_buf_str(text), text->len, err);
    if (fwrite(rb_buf_str(text), 1, text->len, stdout) == text->len && fflush(stdout) == 0)
        return RB_OK;
    return rb_fail(err, RB_ERROR, "the report cannot be written to stdout: %s", strerror(errno));
}

static enum rb_code find_format(const char **out, const rb_options *o, rb_err *err)
{
    static const char *const formats[] = {"html", "csv", "json", NULL};
    *out = o->format ? o->format : o->json ? "json" : "html";
    for (size_t i = 0; formats[i]; i++)
        if (strcmp(formats[i], *out) == 0)
            return RB_OK;
    return rb_fail(err, RB_ERROR, "--format takes html, csv or json, not '%s'", *out);
}

static void format_document(rb_buf *out, rb_cli *cli, json_t *document, const char *format,
                            bool dossier)
{
    if (strcmp(format, "json") == 0) {
        rb_json_canonical(out, document);
        rb_buf_addc(out, '\n');
    } else if (strcmp(format, "csv") == 0) {
        rb_report_csv(out, document);
    } else {
        RB_AUTO(rb_json_freep) json_t *changes = dossier ? find_changes(cli, document) : NULL;
        RB_AUTO(rb_free_str) char *signers = find_signers(cli);
        rb_report_html(out, document, changes, signers);
    }
}

static enum rb_code run(rb_cli *cli, rb_options *o, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *document = NULL;
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    const char *format;
    RB_TRY(find_format(&format, o, err));
    cli->json = cli->json || strcmp(format, "json") == 0;
    if (o->env && !rb_shape_is_name(o->env))
        return rb_fail(err, RB_ERROR, "'%s' is not a name of an environment", o->env);
    RB_TRY(rb_session_ledger(&cli->session, err));
    RB_AUTO(rb_json_freep) json_t *objectives = rb_env_session_objectives(cli);
    rb_report_request request = {.session = &cli->session,
                                 .journals = rb_release_journals(cli),
                                 .environment = o->env,
                                 .tag = o->argc > 0 ? o->argv[0] : NULL,
                                 .now = (int64_t)time(NULL),
                                 .objectives = objectives,
                                 .releases = true};
    RB_TRY(rb_repo_since(&request.since, cli->session.repo, o->since, err));
    RB_TRY(rb_report_make(&document, &request, err));
    format_document(&text, cli, document, format, request.tag != NULL);
    RB_TRY(write_text(cli, o->output, &text, err));
    if (o->output)
        rb_ui_note(cli, "written: %s", o->output);
    return RB_OK;
}

RB_COMMAND(report, "[TAG]", "write releases, transitions and their figures as one page",
           RB_GROUP_AUDIT, 0, 1, 0);
