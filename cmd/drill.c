/* `rbtool drill`: a revert for practice, on copies. */
#include <stdlib.h>
#include <string.h>

#include "base/template.h"
#include "base/text.h"
#include "drill_tabletop.h"
#include "env_session.h"
#include "ledger_write.h"
#include "transition/drill.h"
#include "ui.h"

static const rb_opt opts[] = {
    RB_OPTION_ENV,
    RB_OPTION_TO,
    RB_LIST("from", 0, "[NAME=]FILE",
            "take the rows of a database from this dump, for example an anonymised one", from),
    RB_TEXT("fail-at", 0, "STEP", "let this step fail", fail_at),
    RB_TEXT("kill-at", 0, "STEP", "kill the transition at the end of this step, then resume it",
            kill_at),
    RB_FLAG("backup", 0, "restore the newest backup instead, and compare what comes back", backup),
    RB_FLAG("undo", 0, "with --kill-at: abort the transition instead of resuming it", undo),
    RB_FLAG("tabletop", 0, "walk through the runbook with a person, and move nothing", tabletop),
    RB_TEXT("answers", 0, "FILE", "of --tabletop: the answers, one a line", answers),
    RB_OPTION_JSON,
    RB_OPTIONS_END};

static enum rb_code check_options(const rb_options *o, rb_err *err)
{
    const char *step = o->fail_at ? o->fail_at : o->kill_at;
    if (o->fail_at && o->kill_at)
        return rb_fail(err, RB_ERROR, "--fail-at and --kill-at cannot be given together");
    if (o->backup && (o->to || o->argc > 0))
        return rb_fail(err, RB_ERROR, "--backup takes the newest backup: leave TAG and --to out");
    if (o->undo && !o->kill_at)
        return rb_fail(err, RB_ERROR,
                       "--undo aborts what --kill-at interrupted, and --kill-at is not given");
    if (o->tabletop && (step || o->backup || o->from.n > 0))
        return rb_fail(err, RB_ERROR,
                       "--tabletop moves nothing: leave --from, --fail-at, --kill-at and --backup "
                       "out");
    if (o->answers && !o->tabletop)
        return rb_fail(err, RB_ERROR, "--answers is for --tabletop");
    if (!step || rb_step_kind_of(step) < RB_DO_RECORD)
        return RB_OK;
    RB_AUTO(rb_strs_clear) rb_strs names = {0};
    for (int kind = 0; kind < RB_DO_RECORD; kind++)
        rb_strs_add(&names, rb_step_kind_name((enum rb_step_kind)kind));
    RB_AUTO(rb_free_str) char *list = rb_strs_join(&names, 0);
    return rb_fail(err, RB_ERROR, "'%s' is not a step of a transition\nthe steps are %s", step,
                   list);
}

static void progress(void *context, const char *step, const char *text)
{
    rb_ui_progress(context, "%s %s", step, text);
}

static double part(const json_t *doc, const char *of)
{
    return json_number_value(json_object_get(json_object_get(doc, "seconds"), of));
}

static void show_times(const json_t *doc)
{
    const json_t *rto = json_object_get(json_object_get(doc, "objectives"), "rto");
    RB_AUTO(rb_free_str) char *wanted = rb_template("[ (objective {objective} s)]", rto);
    RB_AUTO(rb_free_str) char *recovery = rb_format(", recovery %.2f s", part(doc, "recovery"));
    rb_ui_line("  restored in %.2f s%s: plan %.2f s, transition %.2f s%s; copied in %.2f s",
               part(doc, "restore"), wanted, part(doc, "plan"), part(doc, "transition"),
               rb_json_str(doc, "then") ? recovery : "", part(doc, "copy"));
}

static void show_loss(const json_t *doc)
{
    const json_t *rpo = json_object_get(json_object_get(doc, "objectives"), "rpo");
    if (rb_json_int(rpo, "measured", 0) > 0)
        rb_ui_item(rb_json_str(doc, "backup")
                       ? "  the backup is {measured} s old: what was entered since is not in it"
                         "[ (objective {objective} s)]"
                       : "  what is at risk was entered within {measured} s, and is lost until it "
                         "is restored from its backup[ (objective {objective} s)]",
                   rpo);
}

static void show(const json_t *doc)
{
    if (json_object_get(doc, "answers")) {
        rb_ui_item("{environment}: the runbook of the revert of {from} to {to} {ok?is clear:is not "
                   "clear}",
                   doc);
        rb_ui_line("  %zu questions, in %.0f s", json_array_size(json_object_get(doc, "answers")),
                   part(doc, "restore"));
        return;
    }
    if (rb_json_str(doc, "backup"))
        rb_ui_item("{environment}: backup {backup} {ok?comes back:has a problem} with {to} on "
                   "copies[: {problem}]",
                   doc);
    else
        rb_ui_item("{environment}: the revert of {from} to {to} {ok?works:has a problem} on copies"
                   "[: {problem}]",
                   doc);
    show_times(doc);
    show_loss(doc);
    if (rb_json_str(doc, "faultStep"))
        rb_ui_item("  step {faultStep} {then?was killed:failed}[, then {then}]: {live} is live at "
                   "the end, the transition is {outcome}",
                   doc);
    rb_json_each (item, json_object_get(doc, "drift"))
        rb_ui_item("  found at the end: {part} {path}: expected {expected}, found {found}", item);
    rb_json_each (risk, json_object_get(doc, "dataAtRisk"))
        rb_ui_item("  does not come back by redeploying: {database}: {table}[.{column}], {rows} "
                   "rows, {values} values",
                   risk);
    rb_json_each (back, json_object_get(doc, "putBack"))
        rb_ui_item(rb_json_int(back, "missingCount", 0) > 0
                       ? "  restored: {database}: {table}[.{column}]: {restored:count}, "
                         "{missingCount:count} not"
                       : "  restored: {database}: {table}[.{column}]: {restored:count}",
                   back);
    rb_json_each (need, json_object_get(doc, "needs"))
        rb_ui_item("  a real transition waits for: {.}", need);
    rb_json_each (command, json_object_get(doc, "notTried"))
        rb_ui_item("  not tried: {.}", command);
}

/* Writes the drill's result to the ledger. *entry: the entry's id as a new string, or NULL if it
 * cannot be written. */
static void write_entry(char **entry, rb_cli *cli, const char *env, const json_t *doc)
{
    rb_oid id;
    rb_err why;
    const json_t *record = rb_drill_record(doc);
    RB_AUTO(rb_json_freep) json_t *detail = json_deep_copy(record);
    RB_AUTO(rb_free_str) char *host = NULL;
    RB_AUTO(rb_free_str) char *user = NULL;
    rb_env_session_who(&host, &user);
    rb_json_set(detail, "host:s user:s", host, user);
    const bool tabletop = rb_text_same(rb_json_str(record, "mode"), "tabletop");
    RB_AUTO(rb_free_str)
    char *title =
        rb_format("%s the revert to %s in %s: %s", tabletop ? "at the table of" : "of",
                  rb_json_str(record, "to"), env,
                  json_is_true(json_object_get(record, "ok")) ? "works" : "found a problem");
    const rb_draft draft = {.kind = RB_ENTRY_DRILL,
                            .begins = true,
                            .tag = rb_json_str(record, "from"),
                            .object = rb_json_str(record, "fromObject"),
                            .environment = env,
                            .title = title,
                            .detail = detail};
    if (rb_ledger_write_entry(&id, cli, &draft, &why) == RB_OK)
        *entry = rb_strdup(rb_ledger_write_id(&id).hex);
    else
        rb_ui_note(cli, "the drill is not in the ledger: %s", rb_err_line(&why));
}

/* Records the drill and prints its document. */
static void finish(rb_cli *cli, const rb_env_session *site, json_t *doc)
{
    RB_AUTO(rb_free_str) char *entry = NULL;
    write_entry(&entry, cli, site->env->name, doc);
    rb_json_set_str(doc, "entry", entry);
    json_object_del(doc, "record");
    if (cli->json)
        rb_ui_json(cli, doc);
    else
        show(doc);
    cli->answered = cli->json;
}

static enum rb_code carry_out(rb_cli *cli, rb_env_session *site, rb_drill *drill, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *doc = NULL;
    rb_control control = {0};
    drill->control = &control;
    rb_env_session_catch(&control);
    enum rb_code code = rb_drill_copy(drill, site->state, err);
    rb_state_close(site->state); /* the drill itself works on copies only */
    site->state = NULL;
    if (code == RB_OK)
        code = rb_drill_run(&doc, drill, err);
    rb_drill_end(drill);
    rb_env_session_uncatch();
    if (!doc)
        return code;
    if (control.cancelled)
        return rb_fail(err, RB_FOUND, "stopped by a signal; nothing was recorded");
    finish(cli, site, doc);
    return code;
}

static enum rb_code sit_down(rb_cli *cli, rb_env_session *site, const rb_options *o,
                             const char *tag, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *doc = NULL;
    enum rb_code code = rb_drill_tabletop(&doc, cli, site, o, tag, err);
    if (doc)
        finish(cli, site, doc);
    return code;
}

static enum rb_code run(rb_cli *cli, rb_options *o, rb_err *err)
{
    RB_AUTO(rb_env_session_close) rb_env_session site = {0};
    RB_TRY(check_options(o, err));
    RB_TRY(rb_env_session_open(&site, cli, o->env, false, err));
    const char *tag = o->argc > 0 ? o->argv[0] : NULL;
    if (!tag || !site.state)
        RB_TRY(rb_env_session_to_revert(&tag, &site, &o->only, "practise", err));
    RB_TRY(rb_env_session_settled(&site, err));
    RB_TRY(rb_ledger_write_ready(cli, true, err));
    RB_TRY(rb_session_ledger(&cli->session, err));
    if (o->tabletop)
        return sit_down(cli, &site, o, tag, err);
    RB_AUTO(rb_free_str) char *live = rb_strdup(tag);
    rb_drill drill = {.session = &cli->session,
                      .env = site.env,
                      .journals = rb_release_journals(cli),
                      .folder = getenv("TMPDIR"),
                      .tag = live,
                      .to = o->to,
                      .backup = o->backup,
                      .from = &o->from,
                      .fail_at = o->fail_at,
                      .kill_at = o->kill_at,
                      .undo = o->undo,
                      .progress = progress,
                      .context = cli,
                      .lock = -1};
    return carry_out(cli, &site, &drill, err);
}

RB_COMMAND(drill, "[TAG]", "practise a revert on copies, and measure it", RB_GROUP_AUDIT, 0, 1,
           RB_CHANGES);
