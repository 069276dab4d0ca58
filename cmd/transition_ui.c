#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/process.h"
#include "base/template.h"
#include "base/text.h"
#include "commands.h"
#include "env_session.h"
#include "environment/state_watch.h"
#include "release_status.h"
#include "transition/parts.h"
#include "transition/pause.h"
#include "transition/plan_make.h"
#include "transition/policy_pins.h"
#include "ui.h"

/* the signal handler can only reach a global variable */
static rb_control *caught;

static void on_signal(int signal_number)
{
    (void)signal_number;
    caught->cancelled++;
    rb_db *db = atomic_load(&caught->active);
    if (db)
        rb_db_interrupt(db);
}

static void progress(void *context, const char *step, const char *text)
{
    rb_ui_progress(((rb_env_session *)context)->cli, "%s %s", step, text);
}

static void begins(void *context)
{
    rb_env_session *site = context;
    rb_env_session_notify(site->cli, site, true);
}

static void show_end(const json_t *document, const json_t *plan)
{
    const char *from = rb_json_str(document, "from");
    const char *outcome = rb_json_str(document, "outcome");
    RB_AUTO(rb_free_str) char *what = rb_parts_subject(plan);
    RB_AUTO(rb_free_str) char *now = rb_parts_now(plan);
    RB_AUTO(rb_free_str) char *was = rb_parts_before(plan);
    RB_AUTO(rb_free_str) char *rest = rb_parts_rest(plan);
    if (strcmp(outcome, "done") == 0)
        rb_ui_line("<green>%s</>: %s (%s), in %.1f s%s", outcome, now, was,
                   json_number_value(json_object_get(document, "seconds")), rest);
    else if (strcmp(outcome, "aborted") == 0)
        rb_ui_line("aborted: %s is back at %s", what, from ? from : "nothing");
}

static void note_list(const rb_cli *cli, const char *template, const json_t *list)
{
    rb_json_each (item, list) {
        RB_AUTO(rb_free_str) char *line = rb_template(template, item);
        rb_ui_note(cli, "%s", line);
        rb_ui_output(cli, "    ", rb_json_str(item, "output"));
    }
}

/* What could not be restored is a result, which --quiet does not hide. */
static void show_restored(const rb_cli *cli, const json_t *document)
{
    rb_json_each (item, json_object_get(document, "putBack")) {
        const bool missing = rb_json_int(item, "missingCount", 0) > 0;
        RB_AUTO(rb_free_str)
        char *line =
            rb_template(missing ? "  from backup {from}: {table}[.{column}]: {restored} "
                                  "restored, {missingCount} could not be[: {reason}][; they "
                                  "are in {copy}]"
                                : "  from backup {from}: {table}[.{column}]: {restored} restored",
                        item);
        RB_AUTO(rb_free_str)
        char *next =
            rb_format("%s; `rbtool restore %s --env %s -n` shows what can be restored", line,
                      rb_json_str(item, "from"), rb_json_str(document, "environment"));
        if (missing)
            rb_ui_line("%s", next);
        else
            rb_ui_note(cli, "%s", line);
    }
}

static void show_outcome(const rb_cli *cli, const json_t *document, const json_t *plan)
{
    rb_json_each (item, json_object_get(document, "steps")) {
        rb_ui_note(cli, "  %-9s %-6s %8.3f s", rb_json_str(item, "id"),
                   rb_json_str(item, "outcome"),
                   json_number_value(json_object_get(item, "seconds")));
        rb_ui_output(cli, "    ", rb_json_str(item, "output"));
    }
    note_list(cli, "  failed: {message}", json_object_get(document, "failures"));
    show_restored(cli, document);
    note_list(cli, "  backup: what database {database} lost is in {path}",
              json_object_get(document, "backups"));
    RB_AUTO(rb_json_freep) json_t *points = json_array();
    rb_json_each (item, json_object_get(document, "recovery"))
        if (rb_json_str(item, "setting"))
            json_array_append(points, item);
    note_list(cli,
              "  recovery: the moment before the commit of {database}: {setting}[, "
              "`{pgbackrest}`][ (LSN {lsn}, timeline {timeline}, system {system})]",
              points);
    note_list(cli, "  kept: what was in {path} is in {copy}", json_object_get(document, "kept"));
    show_end(document, plan);
}

/* SIGHUP means that the operator's connection was lost: the transition is then undone or completed,
 * instead of being killed. */
static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
#define SIGNALS (sizeof signals / sizeof *signals)
static struct sigaction old_actions[SIGNALS];

/* Signals that are ignored (nohup, a background job of a shell) stay ignored. */
void rb_env_session_catch(rb_control *control)
{
    struct sigaction action = {.sa_handler = on_signal};
    caught = control;
    rb_process_watch(&control->cancelled);
    for (size_t i = 0; i < SIGNALS; i++) {
        sigaction(signals[i], NULL, &old_actions[i]);
        if (old_actions[i].sa_handler != SIG_IGN)
            sigaction(signals[i], &action, NULL);
    }
}

void rb_env_session_uncatch(void)
{
    for (size_t i = 0; i < SIGNALS; i++)
        sigaction(signals[i], &old_actions[i], NULL);
    rb_process_watch(NULL);
}

enum rb_code rb_env_session_bound(rb_cli *cli, const rb_env_session *site, rb_err *err)
{
    RB_TRY(rb_session_ledger(&cli->session, err));
    return rb_policy_bound(site->env, site->state, &cli->session, site->binding.pins, err);
}

/* Sets the pins (ledger, policy, root key) that every database's journal row is bound to. A
 * transition that is continued keeps the pins that it began with. */
static enum rb_code pin(json_t *pins, rb_cli *cli, const rb_env_session *site, bool begin,
                        rb_err *err)
{
    RB_TRY(rb_session_ledger(&cli->session, err));
    return begin ? rb_policy_pin(pins, site->state, &cli->session, err)
                 : rb_policy_pinned(pins, site->state, err);
}

void rb_env_session_who(char **host, char **user)
{
    char name[HOST_NAME_MAX + 1] = "";
    const struct passwd *entry = getpwuid(geteuid());
    gethostname(name, sizeof name - 1);
    *host = rb_safe(name);
    *user = entry ? rb_safe(entry->pw_name) : NULL;
}

enum rb_code rb_env_session_run(rb_cli *cli, rb_env_session *site, rb_run *run, bool begin,
                                rb_err *err)
{
    RB_AUTO(rb_free_str) char *host = NULL;
    RB_AUTO(rb_free_str) char *user = NULL;
    rb_control control = {0};
    RB_TRY(pin(site->pins, cli, site, begin, err));
    run->progress = progress;
    run->begins = begins;
    run->context = site;
    rb_env_session_who(&host, &user);
    run->host = host;
    run->user = user;
    run->version = RB_VERSION;
    run->pins = site->pins;
    run->journals = rb_release_journals(cli);
    run->watch = site->watch;
    run->watch_of = site->undoes;
    RB_TRY(rb_env_session_bind(cli, site, err));
    run->control = &control;
    rb_env_session_catch(&control);
    RB_AUTO(rb_json_freep) json_t *document = NULL;
    enum rb_code code =
        begin ? rb_execute(&document, run, err) : rb_execute_on(&document, run, err);
    rb_env_session_uncatch();
    run->control = NULL;
    const json_t *plan = run->plan->json;
    if (json_object_get(plan, "parts"))
        json_object_set(document, "parts", json_object_get(plan, "parts"));
    if (cli->json && (site->undoes || rb_state_watch_is_open(site->state)))
        rb_json_replace(&site->document, document);
    else if (cli->json)
        rb_ui_json(cli, document);
    else
        show_outcome(cli, document, plan);
    rb_run_clear(run);
    fflush(stdout); /* the result must appear even if recording it in the ledger fails */
    rb_env_session_record(cli, site);
    rb_env_session_notify(cli, site, false);
    rb_err why; /* if this transition began the ledger, the environment is bound to it now */
    if (!rb_json_str(site->pins, "ledger") && pin(site->pins, cli, site, true, &why) != RB_OK)
        rb_ui_note(cli, "%s is not bound to its ledger yet: %s", site->env->name,
                   rb_err_line(&why));
    return code;
}

void rb_env_session_set_timeouts(rb_env *env, const rb_options *o, const json_t *began)
{
    const json_t *before = json_object_get(began, "before");
    const int64_t lock = rb_json_int(before, "lockTimeout", env->lock_timeout);
    const int64_t statement = rb_json_int(before, "statementTimeout", env->statement_timeout);
    env->lock_timeout = (int)(o->lock_timeout ? o->lock_timeout : lock);
    env->statement_timeout = (int)(o->statement_timeout ? o->statement_timeout : statement);
    env->terminate = o->terminate;
}

enum rb_code rb_env_session_continue(rb_cli *cli, rb_env_session *site, rb_transition *t,
                                     const rb_options *options, rb_err *err)
{
    rb_env_session_set_timeouts(site->env, options, t->row->plan);
    RB_TRY(rb_session_ledger(&cli->session, err));
    RB_TRY(rb_transition_read(t, err));
    rb_run run = {.plan = t->plan,
                  .request = &t->request,
                  .state = site->state,
                  .said = options->step_done    ? RB_SAID_DONE
                          : options->step_retry ? RB_SAID_RETRY
                                                : RB_SAID_NOTHING,
                  .agreed = json_object_get(t->plan->json, "dataAtRisk")};
    return rb_env_session_run(cli, site, &run, false, err);
}

enum rb_code rb_env_session_intent(rb_intent *out, rb_env_session *site, const rb_options *o,
                                   const char *kind, const char *tag, rb_err *err)
{
    *out = (rb_intent){.kind = kind,
                       .tag = tag,
                       .to = o->to,
                       .scripts_from = o->scripts_from,
                       .only = o->only.n > 0,
                       .marks_bad = o->bad,
                       .accept_reverted = o->accept_reverted,
                       .break_glass = o->break_glass,
                       .no_backup = o->no_backup,
                       .rehearse = o->rehearse,
                       .partial = o->dry_run,
                       .command = rb_env_session_command(site, o, kind, tag)};
    return rb_env_session_parts(out->parts, &o->only, err);
}

enum rb_code rb_env_session_plan(rb_transition *out, rb_cli *cli, const rb_env_session *site,
                                 const rb_intent *intent, rb_err *err)
{
    RB_TRY(rb_session_ledger(&cli->session, err));
    const rb_environment environment = {site->env, site->state, &site->live,
                                        rb_release_journals(cli), site->binding.pins};
    rb_note_policy(cli);
    rb_ui_progress(cli, "planning");
    enum rb_code code = rb_transition_plan(out, &cli->session, &environment, intent, err);
    if (code == RB_OK && out->plan)
        rb_release_note_verdicts(cli, out->plan, &out->request);
    return code;
}

/* Asks at the terminal for the number of values and rows at risk, and returns true if it was typed:
 * the user has then read the number. */
static bool typed(const rb_cli *cli, const rb_plan *plan, const rb_options *options)
{
    int64_t stake = rb_plan_at_stake(plan);
    bool back = strcmp(plan->kind, "abort") == 0; /* an abort goes back although there is drift */
    bool drifted = json_array_size(plan->drift) > 0 && !options->accept_drift && !back;
    if (options->dry_run || options->accept_loss || options->yes || !plan->consent || stake == 0 ||
        drifted || plan->worst != RB_OK || !cli->interactive)
        return false;
    return rb_ui_ask_number(cli, stake,
                            "to agree to the loss, type the number of values and rows at risk: ");
}

static enum rb_code check_reason(const rb_cli *cli, const rb_options *o, rb_err *err)
{
    if ((o->break_glass || o->pause_before) && !(o->why && *o->why))
        return rb_fail(err, RB_ERROR,
                       "%s needs a reason, which is recorded\ngive one with `%s -m WHY`",
                       o->break_glass ? "--break-glass" : "--pause-before", cli->typed);
    if (o->why && !o->break_glass && !o->pause_before)
        return rb_fail(err, RB_ERROR,
                       "-m is the reason for --break-glass or --pause-before, and neither is "
                       "given\nto stop before a step, add its name with `%s --pause-before STEP`; "
                       "otherwise leave -m out",
                       cli->typed);
    return RB_OK;
}

/* Checks that the user agreed to the plan, by an option or, if *by_number, by typing the number at
 * risk. */
static enum rb_code agree(rb_run *run, bool *loss_passed, bool *by_number, rb_cli *cli,
                          const rb_transition *t, const rb_options *o, rb_err *err)
{
    *by_number = typed(cli, t->plan, o);
    const char *given = *by_number ? t->plan->digest : o->accept_loss;
    RB_TRY(rb_transition_agree(loss_passed, t, o->accept_drift, given, o->break_glass, err));
    run->accepted_loss = given != NULL;
    run->accepted_drift = o->accept_drift;
    return RB_OK;
}

/* Records which rules --break-glass overrides, before the transition begins. */
static enum rb_code override(rb_cli *cli, const rb_transition *t, bool loss, const char *why,
                             rb_err *err)
{
    RB_AUTO(rb_strs_clear) rb_strs passed = {0};
    RB_TRY(rb_transition_override(t, loss, why, err));
    if (t->needs.n > 0)
        rb_strs_add(&passed, "its approvals");
    for (size_t i = 0; i < t->needs.rules.n; i++)
        rb_strs_take(&passed, rb_format("rule %s", t->needs.rules.items[i]));
    if (loss)
        rb_strs_add(&passed, "role accept-loss");
    RB_AUTO(rb_free_str) char *list = rb_strs_join(&passed, 0);
    rb_ui_note(cli, "<red>BREAK-GLASS</>: %s goes to %s without %s: %s", t->request.env->name,
               t->request.to->tag, list, why);
    return RB_OK;
}

static enum rb_code confirm(rb_cli *cli, const rb_transition *t, bool loss_passed, bool by_number,
                            const rb_options *o, rb_err *err)
{
    RB_AUTO(rb_free_str) char *parts = rb_parts_subject(t->plan->json);
    RB_AUTO(rb_free_str)
    char *what = rb_format("%s %s from %s to %s", t->plan->kind, parts,
                           t->request.from ? t->request.from->tag : "nothing", t->request.to->tag);
    enum rb_code code = RB_OK;
    if (!by_number) /* the user who typed the number has agreed already */
        code = rb_env_session_confirm(cli, o, what, err);
    bool passes = t->needs.n > 0 || t->needs.rules.n > 0 || loss_passed;
    if (o->break_glass && !passes)
        rb_ui_note(cli, "nothing is missing: --break-glass was not needed and is not recorded");
    return code == RB_OK && passes ? override(cli, t, loss_passed, o->why, err) : code;
}

enum rb_code rb_env_session_carry_out(rb_cli *cli, rb_env_session *site, const rb_options *options,
                                      const char *kind, const char *tag, rb_err *err)
{
    RB_AUTO(rb_transition_clear) rb_transition t = {0};
    rb_intent intent;
    bool loss_passed = false;
    bool by_number = false;
    if (strcmp(kind, "abort") != 0)
        RB_TRY(rb_env_session_settled(site, err));
    rb_env_session_set_timeouts(site->env, options, NULL);
    RB_TRY(rb_env_session_intent(&intent, site, options, kind, tag, err));
    RB_TRY(check_reason(cli, options, err));
    RB_TRY(rb_env_session_plan(&t, cli, site, &intent, err));
    if (t.nothing)
        return rb_env_session_nothing(cli, site, tag, strcmp(kind, "deploy") == 0 ? tag : NULL,
                                      t.nothing);
    const rb_plan *plan = t.plan;
    if (options->pause_before)
        RB_TRY(rb_pause_ask(plan, options->pause_before, options->why, &t.request, err));
    bool seen =
        !options->dry_run && plan->worst == RB_OK && rb_plan_agrees(plan, options->accept_loss);
    rb_env_session_show_first(cli, site);
    if (!cli->json || !options->dry_run)
        rb_env_session_show_plan(cli, plan, seen, !options->dry_run);
    if (options->dry_run && cli->json)
        rb_ui_json(cli, plan->json);
    rb_run run = {.plan = plan,
                  .request = &t.request,
                  .state = site->state,
                  .agreed = json_object_get(plan->json, "dataAtRisk"),
                  .accepted_reverted = t.reverted};
    enum rb_code code = agree(&run, &loss_passed, &by_number, cli, &t, options, err);
    if (options->dry_run)
        return code;
    if (code != RB_OK)
        return rb_env_session_refused(cli, site, plan, code == RB_FOUND ? "failed" : "refused",
                                      err);
    code = confirm(cli, &t, loss_passed, by_number, options, err);
    if (code != RB_OK)
        return rb_env_session_refused(cli, site, plan, "refused", err);
    return rb_env_session_run(cli, site, &run, true, err);
}
