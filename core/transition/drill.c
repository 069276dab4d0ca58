#include "transition/drill_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "base/version.h"
#include "environment/lock.h"
#include "environment/observe.h"
#include "transition/plan_make.h"

#define REPORT_LIMIT (64u << 20) /* bytes of a report of the drill's process */

enum phase { BEGIN, RESUME, ABORT };

/* Reports are files, from the process that carries out the transition to the one that waits. */

static enum rb_code put(const rb_drill *drill, const char *name, const json_t *json, rb_err *err)
{
    RB_AUTO(rb_free_str) char *path = rb_path_join(drill->dir, name);
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    rb_json_canonical(&text, json);
    return rb_file_write(path, rb_buf_str(&text), text.len, 0600, err);
}

/* Reads a report. *out is NULL if the process ended before it wrote it. */
static enum rb_code take(json_t **out, const rb_drill *drill, const char *name, rb_err *err)
{
    RB_AUTO(rb_free_str) char *path = rb_path_join(drill->dir, name);
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    *out = NULL;
    if (!rb_file_exists(path))
        return RB_OK;
    RB_TRY(rb_file_read(&text, path, REPORT_LIMIT, err));
    return rb_json_read(out, rb_buf_str(&text), text.len, name, err);
}

/* The process: */

static enum rb_code fault(void *context, const char *step, bool done, rb_err *err)
{
    const rb_drill *drill = context;
    if (!drill->fault)
        return RB_OK;
    if (!done && rb_text_same(step, drill->fail_at))
        return rb_fail(err, RB_FOUND, "step %s fails, as the drill wants it to", step);
    if (done && rb_text_same(step, drill->kill_at))
        raise(SIGKILL);
    return RB_OK;
}

static void progress(void *context, const char *step, const char *text)
{
    const rb_drill *drill = context;
    if (drill->progress)
        drill->progress(drill->context, step, text);
}

static enum rb_code check_step(const rb_drill *drill, const rb_plan *plan, rb_err *err)
{
    const char *wanted = drill->fail_at ? drill->fail_at : drill->kill_at;
    RB_AUTO(rb_buf_clear) rb_buf names = {0};
    if (!wanted)
        return RB_OK;
    for (size_t i = 0; i < plan->order_count; i++) {
        const char *name = rb_step_kind_name(plan->order[i]);
        if (plan->order[i] != RB_DO_RECORD && strcmp(name, wanted) == 0)
            return RB_OK;
        if (plan->order[i] != RB_DO_RECORD)
            rb_buf_printf(&names, "%s%s", names.len ? ", " : "", name);
    }
    return rb_fail(err, RB_ERROR, "the transition has no step %s\nits steps are: %s", wanted,
                   rb_buf_str(&names));
}

/* Reports what is known before the first step, since a drill may kill the process in any step. */
static enum rb_code report_plan(const rb_drill *drill, const rb_transition *t, double took,
                                rb_err *err)
{
    const json_t *plan = t->plan->json;
    RB_AUTO(rb_json_freep) json_t *needs = json_array();
    for (size_t i = 0; i < t->needs.n; i++) {
        RB_AUTO(rb_free_str)
        char *text = rb_format("%d approval%s of %s missing", t->needs.items[i].missing,
                               t->needs.items[i].missing == 1 ? " is" : "s are",
                               t->needs.items[i].release->tag);
        json_array_append_new(needs, rb_json_text(text));
    }
    if (t->plan->consent)
        json_array_append_new(needs, json_string("consent to the data at risk "
                                                 "(--accept-data-loss)"));
    if (json_array_size(t->plan->drift) > 0)
        json_array_append_new(needs, json_string("consent to the drift (--accept-drift)"));
    RB_AUTO(rb_json_freep)
    json_t *json =
        rb_json_make("from:s fromObject:s to:s toObject:s rule:s digest:s seconds:j dataAtRisk:J "
                     "notes:J needs:J drifted:b consent:b noBackup:b",
                     t->from->tag, t->from->object, t->to->tag, t->to->object,
                     rb_json_str(plan, "rule"), t->plan->digest, rb_drill_seconds(took),
                     json_object_get(plan, "dataAtRisk"), json_object_get(plan, "notes"), needs,
                     json_array_size(t->plan->drift) > 0, t->plan->consent, false);
    return put(drill, "plan.json", json, err);
}

static enum rb_code execute(json_t **document, rb_drill *drill, rb_transition *t, rb_state *state,
                            bool begin, rb_err *err)
{
    rb_run run = {.plan = t->plan,
                  .request = &t->request,
                  .state = state,
                  .agreed = json_object_get(t->plan->json, "dataAtRisk"),
                  .accepted_loss = true,
                  .accepted_drift = true,
                  .accepted_reverted = true,
                  .version = RB_VERSION,
                  .control = drill->control,
                  .progress = progress,
                  .fault = fault,
                  .context = drill};
    enum rb_code code =
        begin ? rb_execute(document, &run, err) : rb_execute_on(document, &run, err);
    rb_run_clear(&run);
    return code;
}

static enum rb_code plan_and_execute(json_t **document, rb_drill *drill, rb_state *state,
                                     const char *kind, rb_err *err)
{
    RB_AUTO(rb_transition_clear) rb_transition t = {0};
    RB_AUTO(rb_live_clear) rb_live live = {0};
    const rb_environment environment = {drill->env, state, &live, drill->journals, NULL};
    const bool first = strcmp(kind, "abort") != 0;
    /* Missing approvals do not stop a drill: it practises the steps of a revert. */
    rb_intent intent = {.kind = kind,
                        .tag = !first          ? NULL
                               : drill->backup ? drill->backup_from
                                               : drill->tag,
                        .to = first ? drill->to : NULL,
                        .accept_reverted = true,
                        .parts = {true, true, true, true},
                        .break_glass = true};
    const double began = rb_clock_seconds();
    RB_TRY(rb_state_live(&live, state, err));
    RB_TRY(rb_transition_plan(&t, drill->session, &environment, &intent, err));
    if (t.nothing)
        return rb_fail(err, RB_ERROR, "there is nothing to practise: %s", t.nothing);
    if (first) {
        RB_TRY(report_plan(drill, &t, rb_clock_seconds() - began, err));
        RB_TRY(check_step(drill, t.plan, err));
    }
    if (t.plan->worst != RB_OK)
        return rb_plan_allowed(t.plan, true, t.plan->digest, err);
    return execute(document, drill, &t, state, true, err);
}

static enum rb_code recover(json_t **document, rb_drill *drill, rb_state *state, bool undo,
                            rb_err *err)
{
    RB_AUTO(rb_transition_clear) rb_transition t = {0};
    bool committed = false;
    RB_TRY(rb_transition_load(&t, drill->session, drill->env, state, true, err));
    if (!t.row)
        return rb_fail(err, RB_FOUND, "no transition is half-way after the kill");
    if (undo) {
        RB_TRY(rb_transition_committed(&committed, &t, drill->env, state, err));
        if (!committed)
            return rb_transition_undo(document, &t, drill->env, state, err);
        rb_transition_clear(&t);
        return plan_and_execute(document, drill, state, "abort", err);
    }
    RB_TRY(rb_session_ledger(drill->session, err));
    RB_TRY(rb_transition_read(&t, err));
    return execute(document, drill, &t, state, false, err);
}

static enum rb_code work(json_t **document, rb_drill *drill, enum phase phase, rb_err *err)
{
    RB_AUTO(rb_state_closep) rb_state *state = NULL;
    RB_AUTO(rb_lock_releasep) rb_lock *lock = NULL;
    RB_TRY(rb_lock_take(&lock, drill->env->root, err));
    RB_TRY(rb_state_open(&state, drill->env->root, true, err));
    if (phase == BEGIN)
        return plan_and_execute(document, drill, state, drill->backup ? "deploy" : "revert", err);
    return recover(document, drill, state, phase == ABORT, err);
}

_Noreturn static void process(rb_drill *drill, enum phase phase)
{
    json_t *document = NULL;
    rb_err err = {0};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    drill->fault = phase == BEGIN;
    enum rb_code code = work(&document, drill, phase, &err);
    RB_AUTO(rb_json_freep)
    json_t *report = rb_json_make("code:d document:j error:j", (int)code, document,
                                  code == RB_OK ? NULL : rb_err_json(&err));
    code = put(drill, "report.json", report, RB_IGNORED);
    fflush(NULL);
    _exit(code == RB_OK ? 0 : 1);
}

/* Runs a phase in a process of its own. *report is NULL if the process was killed. */
static enum rb_code run_phase(json_t **report, double *took, rb_drill *drill, enum phase phase,
                              rb_err *err)
{
    RB_AUTO(rb_free_str) char *old = rb_path_join(drill->dir, "report.json");
    const double began = rb_clock_seconds();
    int status = 0;
    RB_TRY(rb_file_remove(old, err));
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0)
        process(drill, phase);
    if (child < 0)
        return rb_fail_errno(err, RB_ERROR, "cannot start a process for the drill");
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    *took = rb_clock_seconds() - began;
    RB_TRY(take(report, drill, "report.json", err));
    const bool wanted =
        drill->kill_at && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && phase == BEGIN;
    if (*report || wanted)
        return RB_OK;
    return rb_fail(err, RB_ERROR, "the process that carried out the drill ended without a result");
}

/* The end state: */

static enum rb_code observe(json_t *drift, const rb_drill *drill, const rb_release *release,
                            rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *accepted = json_array();
    rb_repo *repo = drill->session->repo;
    RB_TRY(rb_observe_app(drift, drill->env, release->tag, err));
    RB_TRY(rb_observe_flags(drift, drill->env, release, repo, err));
    RB_TRY(rb_observe_config(drift, drill->env, release, repo, err));
    for (size_t i = 0; i < release->manifest->database_count; i++) {
        const rb_manifest_database *d = &release->manifest->databases[i];
        const char *url = rb_env_database(drill->env, d->name);
        RB_AUTO(rb_db_closep) rb_db *db = NULL;
        rb_db_target target;
        if (!url)
            continue;
        RB_TRY(rb_db_inspect(&target, url, err));
        if (!target.exists) /* the copy is missing because there was nothing to copy */
            return rb_fail(err, RB_ERROR,
                           "database %s of %s does not exist, so that its revert cannot be "
                           "practised\ncheck its url with `rbtool env check --env %s`",
                           d->name, drill->env->name, drill->env->name);
        RB_TRY(rb_db_open(&db, url, RB_DB_READ, err));
        RB_TRY(rb_observe_database(drift, accepted, db, release, repo, d, err));
    }
    return RB_OK;
}

static void ending_clear(rb_drill_state *e)
{
    rb_live_clear(&e->live);
    free(e->outcome);
    json_decref(e->steps);
    json_decref(e->drift);
}

/* Reads how the drill's last transition ended, from the copy of the state. */
static enum rb_code read_ending(rb_drill_state *out, rb_state *state,
                                const rb_transition_row *pending, rb_err *err)
{
    RB_AUTO(rb_transition_rows_clear) rb_transition_rows rows = {0};
    RB_TRY(rb_state_outbox(&rows, state, err));
    const rb_transition_row *row = pending ? pending : rows.n > 0 ? &rows.items[rows.n - 1] : NULL;
    out->outcome = rb_strdup(row && row->outcome ? row->outcome : "interrupted");
    return row ? rb_state_steps(&out->steps, state, row, err) : RB_OK;
}

/* Compares the copies with their release. */
static enum rb_code look(rb_drill_state *out, const rb_drill *drill, bool history, rb_err *err)
{
    RB_AUTO(rb_state_closep) rb_state *state = NULL;
    RB_AUTO(rb_release_freep) rb_release *release = NULL;
    RB_AUTO(rb_transition_row_freep) rb_transition_row *pending = NULL;
    out->drift = json_array();
    RB_TRY(rb_state_open(&state, drill->env->root, true, err));
    RB_TRY(rb_state_live(&out->live, state, err));
    RB_TRY(rb_state_pending(&pending, state, err));
    out->release = out->live.tag[RB_PART_APP];
    for (int part = 0; part < RB_PARTS; part++)
        if (out->live.tag[part] && !rb_text_same(out->live.tag[part], out->release))
            out->release = NULL;
    if (history)
        RB_TRY(read_ending(out, state, pending, err));
    if (!out->release)
        return RB_OK;
    RB_TRY(
        rb_live_release(&release, drill->session, drill->env->name, &out->live, out->release, err));
    return observe(out->drift, drill, release, err);
}

/* Carries out the transition, and resumes or aborts it if it stopped half-way. */
static enum rb_code carry_out(json_t **plan, json_t **report, rb_drill_times *t, rb_drill *drill,
                              rb_err *err)
{
    RB_TRY(run_phase(report, &t->transition, drill, BEGIN, err));
    RB_TRY(take(plan, drill, "plan.json", err));
    t->plan = *plan ? json_number_value(json_object_get(*plan, "seconds")) : 0;
    t->transition -= t->plan;
    const int code = (int)rb_json_int(*report, "code", RB_HALFWAY);
    if (code == RB_HALFWAY) {
        json_decref(*report);
        *report = NULL;
        RB_TRY(run_phase(report, &t->recovery, drill, drill->undo ? ABORT : RESUME, err));
    }
    return RB_OK;
}

/* Returns the error of a transition that was refused before its first step. */
static enum rb_code refused(const json_t *report, rb_err *err)
{
    const json_t *error = json_object_get(report, "error");
    const enum rb_code code = (enum rb_code)rb_json_int(report, "code", RB_ERROR);
    return rb_fail(err, code == RB_OK ? RB_ERROR : code, "%s\n%s",
                   rb_json_str(error, "message") ? rb_json_str(error, "message") : "no plan",
                   rb_json_str(error, "hint") ? rb_json_str(error, "hint") : "");
}

enum rb_code rb_drill_run(json_t **out, rb_drill *drill, rb_err *err)
{
    RB_AUTO(ending_clear) rb_drill_state before = {0};
    RB_AUTO(ending_clear) rb_drill_state end = {0};
    RB_AUTO(rb_json_freep) json_t *plan = NULL;
    RB_AUTO(rb_json_freep) json_t *report = NULL;
    rb_drill_times t = {0};
    const time_t began = time(NULL);
    RB_TRY(look(&before, drill, false, err));
    RB_TRY(carry_out(&plan, &report, &t, drill, err));
    if (!plan || (!json_object_get(report, "document") && !drill->kill_at) ||
        json_is_null(json_object_get(report, "document")))
        return refused(report, err);
    RB_TRY(look(&end, drill, true, err));
    const rb_drill_result result = {drill, &before, &end, plan, report, &t, began};
    RB_AUTO(rb_free_str) char *wrong = rb_drill_judge(&result);
    *out = rb_drill_document(&result, wrong);
    if (wrong)
        return rb_fail(err, RB_FOUND, "the drill found a problem: %s", wrong);
    return RB_OK;
}
