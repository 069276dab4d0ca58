#include "transition/execute.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/process.h"
#include "base/text.h"
#include "database/url.h"
#include "transition/backups.h"
#include "transition/host_file_backup.h"
#include "transition/host_files.h"
#include "transition/known_good.h"
#include "transition/ledger_outbox.h"
#include "transition/parts.h"
#include "transition/pause.h"
#include "transition/plan_make.h"
#include "transition/prune_releases.h"
#include "transition/segments.h"
#include "transition/service.h"
#include "transition/watched.h"

void rb_run_clear(rb_run *run)
{
    for (size_t i = 0; run->dbs && i < run->plan->database_count; i++) {
        rb_db_close(run->dbs[i]);
        rb_db_outcome_clear(&run->outcomes[i]);
    }
    free(run->dbs);
    free(run->outcomes);
    free(run->committed);
    json_decref(run->results);
    json_decref(run->failures);
    json_decref(run->values);
    json_decref(run->put_back);
    rb_free_str(&run->output);
    rb_free_str(&run->start_output);
    run->dbs = NULL;
    run->outcomes = NULL;
    run->committed = NULL;
    run->results = NULL;
    run->failures = NULL;
    run->values = NULL;
    run->put_back = NULL;
}

static void prepare(rb_run *run)
{
    size_t n = run->plan->database_count;
    run->dbs = rb_calloc(n, sizeof *run->dbs);
    run->outcomes = rb_calloc(n, sizeof *run->outcomes);
    run->committed = rb_calloc(n, sizeof *run->committed);
    run->results = json_array();
    run->failures = json_array();
    run->values = json_object();
    run->put_back = json_array();
    run->began = rb_clock_seconds();
    run->past = run->request->again != RB_AGAIN_NOT;
    run->down = false;
}

/* Returns seconds with three decimals. The document has no other fractions. */
static json_t *seconds(double value)
{
    return json_real((double)(int64_t)(value * 1000 + 0.5) / 1000);
}

static void add_result(rb_run *run, enum rb_step_kind kind, const char *outcome, double took,
                       const char *error)
{
    json_t *item = rb_json_make("id:s kind:s outcome:s seconds:j", rb_step_kind_name(kind),
                                rb_step_kind_name(kind), outcome, seconds(took));
    if (error)
        rb_json_set_str(item, "error", error);
    if (error && run->output)
        rb_json_set_str(item, "output", run->output);
    json_array_append_new(run->results, item);
}

/* Returns [{"database","path"}]: the transition's backups. */
static json_t *backups(const rb_run *run)
{
    json_t *list = json_array();
    for (size_t i = 0; i < run->plan->database_count; i++) {
        const rb_plan_database *d = &run->plan->databases[i];
        RB_AUTO(rb_free_str) char *file = rb_plan_backup(run->plan, d);
        RB_AUTO(rb_free_str) char *path = rb_path_join(run->request->env->root, file);
        if (run->committed[i] && rb_file_exists(path))
            json_array_append_new(list, rb_json_make("database:s path:t", d->name, path));
    }
    return list;
}

/* Returns the plan's recovery points that were created. */
static json_t *recovery(const rb_run *run)
{
    json_t *list = json_array();
    rb_json_each (item, json_object_get(run->plan->json, "recovery"))
        if (json_object_get(item, "lsn"))
            json_array_append(list, item);
    return list;
}

static json_t *document(rb_run *run, const char *outcome, const rb_err *err)
{
    const rb_plan_request *rq = run->request;
    json_t *doc =
        rb_json_make("from:s to:s environment:s transition:s outcome:s seconds:j steps:J "
                     "failures:J putBack:J kept:j backups:j recovery:j",
                     rq->from ? rq->from->tag : NULL, rq->to->tag, rq->env->name, run->plan->id,
                     outcome, seconds(rb_clock_seconds() - run->began), run->results, run->failures,
                     run->put_back, rb_host_files_kept(run), backups(run), recovery(run));
    if (run->digest[0])
        rb_json_set_str(doc, "digest", run->digest);
    json_object_set_new(doc, "error", rb_err_json(err));
    return doc;
}

static enum rb_code look(rb_run *run, rb_err *err)
{
    for (size_t i = 0; i < run->plan->database_count; i++) {
        run->committed[i] = run->plan->databases[i].committed;
        run->past = run->past || run->committed[i];
        rb_json_each (item, json_object_get(run->plan->json, "putBack"))
            if (run->committed[i] &&
                rb_text_same(rb_json_str(item, "database"), run->plan->databases[i].name))
                json_array_append(run->put_back, item);
    }
    enum rb_step_state switched;
    RB_TRY(rb_state_step_get(&switched, run->state, run->plan->id, rb_step_kind_name(RB_DO_SWITCH),
                             err));
    if (run->plan->database_count == 0 && switched == RB_STEP_DONE)
        run->past = true;
    run->past = run->past || json_is_true(rb_plan_before(run->plan->json, "again"));
    return RB_OK;
}

/* True if a step needs no repetition when a transition is continued. After an interruption, open
 * transactions are lost, files may have changed, and a reboot may have started the service. So
 * steps that the journal calls done are repeated, except a commit that the database's own row
 * records. */
static bool already_done(const rb_run *run, enum rb_step_kind kind, enum rb_step_state state)
{
    if (kind == RB_DO_STOP)
        return run->past; /* if it runs, it is the new release */
    if (kind == RB_DO_STAGE)
        return run->past &&
               state == RB_STEP_DONE; /* the release is live: its folder must not be replaced, since
                                         it may have written files there */
    if (kind != RB_DO_DATABASE && kind != RB_DO_COMMIT)
        return false;
    for (size_t i = 0; i < run->plan->database_count; i++)
        if (!run->committed[i])
            return false;
    return true;
}

static enum rb_code one_step(rb_run *run, enum rb_step_kind kind, rb_err *err)
{
    const char *name = rb_step_kind_name(kind);
    enum rb_step_state state;
    RB_TRY(rb_state_step_get(&state, run->state, run->plan->id, name, err));
    if (already_done(run, kind, state)) {
        add_result(run, kind, "done", 0, NULL);
        return RB_OK;
    }
    if (run->progress)
        run->progress(run->context, name, "");
    if (state != RB_STEP_DONE) /* a done step stays recorded as done, which decides whether it can
                                  be undone */
        RB_TRY(rb_state_step(run->state, run->plan->id, name, RB_STEP_INTENT, err));
    if (!run->begun && run->begins)
        run->begins(run->context);
    run->begun = true;
    double began = rb_clock_seconds();
    rb_free_str(&run->output);
    enum rb_code code = run->fault ? run->fault(run->context, name, false, err) : RB_OK;
    if (code == RB_OK)
        code = rb_step_do(run, kind, err);
    if (code == RB_OK && run->fault)
        code = run->fault(run->context, name, true, err);
    double took = rb_clock_seconds() - began;
    add_result(run, kind, code == RB_OK ? "done" : "failed", took,
               code == RB_OK ? NULL : err->message);
    rb_err why;
    if (code != RB_OK) /* if that cannot be written, the terminal has it */
        (void)!rb_state_said_set(run->state, run->plan->id, name, err->message, run->output, &why);
    enum rb_code noted = rb_state_step_ended(run->state, run->plan->id, name,
                                             code == RB_OK ? RB_STEP_DONE : RB_STEP_FAILED,
                                             (int64_t)(took * 1000 + 0.5), &why);
    if (code == RB_OK && noted != RB_OK)
        *err = why;
    return code == RB_OK ? noted : code;
}

static bool ends_unhealthy(const rb_run *run, enum rb_step_kind kind, enum rb_code code)
{
    if (code == RB_FOUND && kind == RB_DO_CHECKS && rb_failing_still(run))
        return true;
    return run->past && code == RB_FOUND && (kind == RB_DO_START || kind == RB_DO_CHECKS);
}

/* Returns a hint about a release that is live and does not work. */
static char *way_out(const rb_run *run)
{
    const rb_plan_request *rq = run->request;
    const char *env = rq->env->name;
    const char *to = rq->to->tag;
    const bool leaves = rq->from && strcmp(rq->from->tag, to) != 0;
    RB_AUTO(rb_free_str)
    char *way = leaves && strcmp(rq->kind, "deploy") == 0
                    ? rb_known_way_back(rq->session, run->journals, run->state, rq->to, env)
                    : NULL;
    RB_AUTO(rb_free_str)
    char *back = way ? rb_format("%s, or ", way)
                 : rq->from && json_array_size(json_object_get(run->plan->json, "only")) < RB_PARTS
                     ? rb_format("see the other ways back with `rbtool plan %s --env %s`, or ",
                                 rq->from->tag, env)
                     : rb_strdup("");
    return run->down ? rb_format("%stry again with `rbtool deploy %s --env %s`", back, to, env)
                     : rb_format("%scheck again with `rbtool check --env %s`", back, env);
}

static enum rb_code interrupted(json_t **out, rb_run *run, rb_err *err)
{
    rb_err ignored; /* if this fails, `resume` does it */
    (void)!rb_state_flush(run->state, &ignored);
    err->code = RB_HALFWAY;
    *out = document(run, "interrupted", err);
    const rb_plan_request *rq = run->request;
    const char *env = rq->env->name;
    rb_err why = *err;
    const bool names = why.hint[0] && !strstr(why.hint, "`rbtool "); /* how to fix the cause */
    return rb_fail(err, RB_HALFWAY,
                   "the %s of %s from %s to %s stopped half-way: %s\n%s, and continue with `rbtool "
                   "resume --env %s`, or go back with `rbtool abort --env %s`",
                   run->plan->kind, env, rq->from ? rq->from->tag : "nothing", rq->to->tag,
                   why.message, names ? why.hint : "fix the cause", env, env);
}

static enum rb_code finish(json_t **out, rb_run *run, const rb_err *unhealthy, rb_err *err)
{
    rb_live live = {0}; /* its texts are borrowed */
    for (int part = 0; part < RB_PARTS; part++)
        if (run->plan->parts[part]) {
            live.tag[part] = run->request->to->tag;
            live.object[part] = (char *)run->request->to->object;
        }
    rb_step_stage_end(run);
    const char *outcome = run->down ? "down" : unhealthy ? "unhealthy" : "done";
    RB_AUTO(rb_json_freep) json_t *health = rb_service_health(run, unhealthy);
    enum rb_code code = rb_state_health_set(run->state, health, err);
    if (code == RB_OK)
        code = rb_plan_found_end(run->state, err);
    if (code == RB_OK && json_object_size(run->values) > 0)
        code = rb_state_plan_set(run->state, run->plan->id, "values", run->values, err);
    if (code == RB_OK)
        code = rb_watched_end(run, unhealthy, err);
    if (code == RB_OK)
        code = rb_state_end(run->state, run->plan->id, outcome,
                            unhealthy ? unhealthy->message : NULL, &live, err);
    if (code != RB_OK)
        return interrupted(out, run, err);
    /* Removes backups of host files, except those of files that had drifted, which no release has.
     */
    rb_err ignored;
    RB_AUTO(rb_json_freep) json_t *kept = rb_host_files_kept(run);
    RB_AUTO(rb_free_str) char *app = rb_host_backup_app(run->request->env->root, run->plan->id);
    if (json_array_size(kept) == (size_t)rb_file_exists(app))
        (void)!rb_host_backup_remove(run->request->env->root, run->plan->id, false, &ignored);
    rb_host_files_unstage(run->request->env);
    rb_prune(run->request->env, run->state);
    if (!unhealthy) {
        *out = document(run, outcome, NULL);
        return RB_OK;
    }
    RB_AUTO(rb_free_str) char *now_live = rb_parts_live(run->plan->json);
    RB_AUTO(rb_free_str) char *next = way_out(run);
    RB_AUTO(rb_free_str) char *only = rb_parts_option(run->plan->json);
    RB_AUTO(rb_free_str)
    char *which = *only ? rb_format(", and %s is", run->request->env->name) : rb_strdup(" and");
    code = run->down ? rb_fail(err, RB_FOUND, "%s and the service is DOWN: %s\n%s", now_live,
                               unhealthy->message, next)
                     : rb_fail(err, RB_FOUND, "%s%s unhealthy: %s\n%s", now_live, which,
                               unhealthy->message, next);
    *out = document(run, outcome, err);
    return code;
}

/* Returns the run as a row of the journal. Borrows from it. */
static rb_transition_row row_of(const rb_run *run)
{
    const rb_plan_request *rq = run->request;
    return (rb_transition_row){
        .id = run->plan->id,
        .kind = run->plan->kind,
        .from = rq->from ? rq->from->tag : NULL,
        .from_object = rq->from ? (char *)rq->from->object : NULL,
        .to = rq->to->tag,
        .to_object = (char *)rq->to->object,
        .plan = run->plan->json,
    };
}

/* Undoes a transition before its point of no return, by running the inverses. */
static enum rb_code put_all_back(json_t **out, rb_run *run, rb_err *err)
{
    for (size_t i = 0; i < run->plan->database_count; i++) {
        rb_db_close(run->dbs[i]);
        run->dbs[i] = NULL;
    }
    rb_host_files_unstage(run->request->env);
    rb_process_go_on();              /* the signal that ended a step must not end its inverse */
    json_array_clear(run->put_back); /* the restored rows were rolled back */
    rb_err why = *err;
    if (run->begun &&
        why.code == RB_ERROR) /* a step failed; RB_ERROR would mean that no step began */
        why.code = RB_FOUND;
    rb_err line = why;
    rb_transition_row row = row_of(run);
    const rb_undo undo = {run->request->env, run->state, &row, run->plan, run->request};
    const char *outcome = why.code == RB_DECIDE ? "refused" : "failed";
    enum rb_code code = run->begun ? rb_undo_all(&undo, err) : RB_OK;
    if (code == RB_OK)
        code = rb_state_end(run->state, run->plan->id, outcome, rb_err_line(&line), NULL, err);
    /* If the row could not be written, no step has begun, and nothing is half-way. */
    if (code != RB_OK && run->begun) {
        (void)rb_err_prefix(err, "%s; and undoing the transition of %s failed", why.message,
                            run->request->env->name);
        return interrupted(out, run, err);
    }
    rb_err ignored;
    (void)!rb_host_backup_remove(run->request->env->root, run->plan->id,
                                 !rb_segments_in(run->plan->json), &ignored);
    if (strcmp(run->plan->kind, "abort") == 0) {
        /* The transition that the abort was to undo is still half-way. RB_DECIDE stays: with the
         * decision, the same command succeeds. */
        const rb_plan_request *rq = run->request;
        const char *env = rq->env->name;
        code = rb_fail(err, why.code == RB_DECIDE ? RB_DECIDE : RB_HALFWAY,
                       "%s; the transition of %s from %s to %s is half-way as before\ncontinue it "
                       "with `rbtool resume --env %s`, or go back with `rbtool abort --env %s`",
                       why.message, env, rq->to->tag, rq->from->tag, env, env);
        *out = document(run, code == RB_HALFWAY ? "interrupted" : outcome, err);
        return code;
    }
    *out = document(run, outcome, &why);
    RB_AUTO(rb_free_str) char *what = rb_parts_subject(run->plan->json);
    RB_AUTO(rb_free_str) char *was = rb_parts_was(run->plan->json);
    const char *stays = row.from ? was : "no release";
    if (rb_backups_have(run->state, run->plan->id))
        return rb_fail(err, why.code,
                       "%s; what was committed is undone, %s stays at %s, and the data that it "
                       "destroyed is in backup %s\nrestore it with `rbtool restore %s --env %s`",
                       why.message, what, stays, run->plan->id, run->plan->id,
                       run->request->env->name);
    return rb_fail(err, why.code, "%s; nothing was changed, %s stays at %s\n%s", why.message, what,
                   stays, why.hint);
}

/* Handles a failed step: undoes all steps before the point of no return. After it, or if that is
 * impossible, the transition stays half-way. */
static enum rb_code fail(json_t **out, rb_run *run, rb_err *err)
{
    const bool stays = run->past || err->code == RB_HALFWAY;
    return stays && run->begun ? interrupted(out, run, err) : put_all_back(out, run, err);
}

/* Ends a run that pauses. If the pause could not be recorded, it counts as a failed step. */
static enum rb_code pause_or_fail(json_t **out, rb_run *run, rb_err *err)
{
    if (!rb_paused(run->plan->json) || err->code != RB_HALFWAY)
        return fail(out, run, err);
    run->begun = true;
    *out = document(run, "paused", err);
    json_object_set(*out, "paused", json_object_get(run->plan->json, "paused"));
    return RB_HALFWAY;
}

static enum rb_code carry_out(json_t **out, rb_run *run, rb_err *err)
{
    rb_err unhealthy = {0};
    if (rb_host_files_keep(run, err) != RB_OK)
        return fail(out, run, err);
    for (size_t i = 0; i < run->plan->order_count; i++) {
        enum rb_step_kind kind = run->plan->order[i];
        enum rb_code code = RB_OK;
        if (run->control && run->control->cancelled && kind != RB_DO_RECORD)
            code = rb_fail(err, RB_FOUND, "stopped by a signal");
        else if (rb_pause_before(run, kind, err) != RB_OK)
            return pause_or_fail(out, run, err);
        else if (kind != RB_DO_RECORD)
            code = one_step(run, kind, err);
        if (code != RB_OK && run->control && run->control->cancelled && !run->past)
            code = rb_fail(err, RB_FOUND, "stopped by a signal");
        if (ends_unhealthy(run, kind, code) && !(run->control && run->control->cancelled))
            unhealthy = unhealthy.message[0] ? unhealthy
                                             : *err; /* after "down", failed checks add nothing */
        else if (code != RB_OK)
            return fail(out, run, err);
        if (code != RB_OK && kind == RB_DO_START) {
            run->down = true;
            run->start_output = run->output;
            run->output = NULL;
        }
    }
    return finish(out, run, unhealthy.message[0] ? &unhealthy : NULL, err);
}

/* Returns the plan's "before": what continuing or undoing the transition needs. The journal has it,
 * the plan that is shown does not. */
static json_t *before(const rb_run *run)
{
    const rb_plan *plan = run->plan;
    const rb_plan_request *rq = run->request;
    RB_AUTO(rb_free_str) char *staged = rb_format("%s/releases/%s", rq->env->root, rq->to->tag);
    json_t *json = json_object();
    json_t *databases = json_array();
    json_t *values = json_object();
    rb_json_set_bytes(json, "current", plan->current_before);
    rb_json_set(json, "staged:b again:b databases:j", rb_file_exists(staged),
                rq->again != RB_AGAIN_NOT, databases);
    RB_AUTO(rb_free_str) char *who = rb_transition_by(rq->session->repo);
    rb_json_set(json, "lockTimeout:i statementTimeout:i", (int64_t)rq->env->lock_timeout,
                (int64_t)rq->env->statement_timeout);
    rb_json_set(json, "by:s host:s user:s version:s scriptsFrom:s failing:j", who, run->host,
                run->user, run->version, rq->overrides ? rq->overrides->object : NULL,
                rb_service_before(run, values));
    json_object_set_new(json, "values", values);
    if (run->watch > 0)
        rb_json_set(json, "watch:i", run->watch);
    if (run->watch_of)
        rb_json_set_str(json, "watchOf", run->watch_of);
    for (size_t i = 0; i < plan->database_count; i++) {
        const rb_plan_database *d = &plan->databases[i];
        json_t *item = rb_json_make("name:s create:b", d->name, d->create);
        RB_AUTO(rb_free_str) char *url = rb_url_public(d->url);
        rb_json_set_bytes(item, "url", url);
        json_array_append_new(databases, item);
    }
    return json;
}

/* Returns what the user agreed to, for the ledger entry. */
static json_t *accepted(const rb_run *run)
{
    json_t *json = json_object();
    bool loss = run->plan->consent && run->accepted_loss;
    rb_json_set_str(json, "loss", loss ? run->plan->digest : NULL);
    if (loss)
        json_object_set(json, "items", json_object_get(run->plan->json, "dataAtRisk"));
    rb_json_set(json, "drift:b reverted:b",
                run->accepted_drift && json_array_size(run->plan->drift) > 0,
                run->accepted_reverted);
    return json;
}

enum rb_code rb_execute(json_t **out, rb_run *run, rb_err *err)
{
    prepare(run);
    json_object_set_new(run->plan->json, "before", before(run));
    json_object_set_new(run->plan->json, "accepted", accepted(run));
    rb_json_set_str(run->plan->json, "app", run->request->to->manifest->app_name);
    RB_AUTO(rb_json_freep) json_t *data = rb_plan_data(run->plan);
    rb_transition_row row = row_of(run);
    row.data = data;
    if (rb_state_begin(run->state, &row, err) != RB_OK)
        return put_all_back(out, run,
                            err); /* an abort that fails leaves its own transition half-way */
    return carry_out(out, run, err);
}

enum rb_code rb_execute_on(json_t **out, rb_run *run, rb_err *err)
{
    prepare(run);
    run->begun = true;
    enum rb_code code = look(run, err);
    if (code == RB_OK)
        code = rb_pause_end(run, err);
    if (code != RB_OK) {
        err->code = RB_HALFWAY;
        *out = document(run, "interrupted", err);
        return RB_HALFWAY;
    }
    return carry_out(out, run, err);
}
