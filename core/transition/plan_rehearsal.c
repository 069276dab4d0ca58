/* Rehearses the scripts of a plan on a copy, and then their inverse (design section 9.6). */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "database/loss.h"
#include "database/url.h"
#include "environment/checks.h"
#include "transition/backup_step.h"
#include "transition/plan_make.h"

#define REHEARSED_BYTES (64 << 20) /* larger databases are copied only with --rehearse */

static void judge_rehearsal(rb_plan *plan, rb_plan_database *d, const rb_plan_request *rq,
                            const rb_db_outcome *outcome)
{
    RB_AUTO(rb_json_freep) json_t *wrong = NULL;
    RB_AUTO(rb_json_freep) json_t *left = NULL;
    rb_plan_database_judge(&wrong, &left, d, outcome->after);
    if (json_array_size(wrong) > 0) {
        rb_plan_take_released(d, rq, wrong, outcome->before, outcome->after);
        json_decref(wrong);
        json_decref(left);
        rb_plan_database_judge(&wrong, &left, d, outcome->after);
    }
    if (json_array_size(wrong) > 0) {
        RB_AUTO(rb_free_str) char *list = rb_plan_list_differences(wrong);
        RB_AUTO(rb_free_str) char *drift = rb_plan_drift_advice(d, rq, list, false);
        RB_AUTO(rb_free_str) char *fix = rb_plan_scripts_hint(d, rq);
        rb_plan_decide(plan, "schema", RB_FOUND,
                       "database %s would not come out at the schema of %s: %s%s\n%s", d->name,
                       rq->to->tag, list, drift, drift[0] ? "" : fix);
    }
    if (json_array_size(left) == 0)
        return;
    RB_AUTO(rb_free_str) char *list = rb_plan_list_differences(left);
    RB_AUTO(rb_free_str) char *ids = rb_strs_join(&d->edited, 8);
    plan->consent = true;
    if (*ids)
        rb_plan_decide(plan, "residual", RB_OK,
                       "database %s: migration %s was edited after it had been released (RB004), "
                       "so this database gets another schema than a new one would: %s\na new "
                       "migration can make up for it",
                       d->name, ids, list);
    else
        rb_plan_decide(plan, "residual", RB_OK,
                       "database %s: known residual, accepted when the release was made, will "
                       "stay: %s",
                       d->name, list);
}

/* Returns the work that is left to do. */
static rb_db_work work_of(const rb_plan_database *d)
{
    rb_db_segment next;
    (void)rb_db_segment_at(&next, d->steps, d->step_count, d->done);
    return (rb_db_work){.steps = d->steps + next.from,
                        .n = d->step_count - next.from,
                        .tracking = d->tracking,
                        .order = d->to_set};
}

/* Opens a scratch database, or a copy of one, with limits for scripts, and begins a transaction. */
static enum rb_code open_copy(rb_db **out, rb_plan_database *d, const rb_plan_request *rq,
                              rb_db *db, const char *engine, bool rows, rb_err *err)
{
    RB_AUTO(rb_free_str) char *dir = rb_format("%s/.rbtool", rq->env->root);
    const rb_db_limits limits = rb_env_limits(rq->env);
    RB_AUTO(rb_db_closep) rb_db *copy = NULL;
    if (d->create)
        RB_TRY(rb_db_scratch(&copy, engine, RB_DB_CLOCK_REAL, err));
    else
        RB_TRY(rb_db_rehearse(&copy, db, dir, rows, err));
    RB_TRY(rb_db_limit(copy, &limits, err));
    RB_TRY(rb_db_begin(copy, err));
    *out = copy;
    copy = NULL;
    return RB_OK;
}

/* Runs the inverse on the copy after the scripts, and finds losses. */
static enum rb_code find_losses(rb_plan_database *d, rb_db *copy, rb_db *db, bool rows,
                                const rb_db_outcome *outcome, rb_err *err)
{
    RB_AUTO(rb_db_losses_clear) rb_db_losses losses = {0};
    const rb_db_work work = work_of(d);
    const rb_db_work back = {.steps = d->inverse,
                             .n = d->inverse_count > 0 ? work.n : 0,
                             .tracking = "",
                             .order = d->from_set ? d->from_set : d->to_set};
    const rb_db_work *inverse = d->inverse_count > 0 ? &back : NULL;
    if (d->create || d->step_count == 0)
        losses = (rb_db_losses){
            .bound = json_array(), .at_risk = json_array(), .generated = json_array()};
    else if (rows)
        RB_TRY(rb_db_losses_rehearsed(&losses, copy, outcome, &work, inverse, err));
    else
        RB_TRY(rb_db_losses_counted(&losses, copy, db, outcome, inverse,
                                    d->unproven_steps == 0 ? d->unproven : NULL, err));
    rb_plan_take_losses(d, outcome, &losses);
    return RB_OK;
}

/* Runs the scripts on the copy, restores what the transition will restore from backups, and records
 * the scripts' locks. Locks of scripts that run outside transactions are left out, since they take
 * others in this transaction. */
static enum rb_code run_on_copy(rb_db_outcome *outcome, rb_plan_database *d,
                                const rb_plan_request *rq, rb_db *copy, bool rows, rb_err *err)
{
    RB_AUTO(rb_undone_backups_clear) rb_undone_backups backups = {0};
    RB_AUTO(rb_json_freep) json_t *before = NULL;
    RB_AUTO(rb_json_freep) json_t *locks = NULL;
    const rb_db_work work = work_of(d);
    bool measured = !d->create;
    for (size_t i = 0; i < d->step_count; i++)
        measured = measured && !d->steps[i].alone;
    if (rows && !d->create && rq->state)
        RB_TRY(rb_backup_step_compare(&backups, rq->env, rq->state, NULL, d, copy, &work, err));
    if (measured)
        RB_TRY(rb_db_locks(&before, copy, NULL, err));
    RB_TRY(rb_db_run(outcome, copy, &work, err));
    if (before)
        RB_TRY(rb_db_locks(&locks, copy, before, err));
    rb_json_replace(&d->locks, locks);
    return rb_backup_step_rehearse(&backups, copy, err);
}

/* *ran is false if a script failed on a copy of the schema only: missing rows may be the reason. */
static enum rb_code rehearse_on(bool *ran, rb_plan *plan, rb_plan_database *d,
                                const rb_plan_request *rq, rb_db *db, const char *engine, bool rows,
                                rb_err *err)
{
    RB_AUTO(rb_db_closep) rb_db *copy = NULL;
    RB_AUTO(rb_db_outcome_clear) rb_db_outcome outcome = {0};
    rb_err why;
    *ran = true;
    RB_TRY(open_copy(&copy, d, rq, db, engine, rows, err));
    enum rb_code code = run_on_copy(&outcome, d, rq, copy, rows, &why);
    *ran = code == RB_OK || rows;
    if (!*ran)
        return RB_OK;
    d->rehearsed = rows;
    if (code != RB_OK) {
        RB_AUTO(rb_free_str) char *drift = rb_plan_drift_advice(d, rq, why.message, true);
        bool exists = rb_plan_meets_existing(d, rq, why.message);
        RB_AUTO(rb_free_str) char *fix = rb_plan_scripts_hint(d, rq);
        rb_plan_decide(plan, exists ? "tracking" : "script", exists ? RB_DECIDE : RB_FOUND,
                       "database %s: %s%s\n%s", d->name, why.message, drift,
                       why.hint[0] || drift[0] ? why.hint : fix);
        return RB_OK;
    }
    judge_rehearsal(plan, d, rq, &outcome);
    RB_AUTO(rb_json_freep) json_t *failures = json_array();
    if (d->to && rows)
        RB_TRY(rb_sql_checks_run(failures, rq->to, rq->session->repo, d->name, copy, err));
    if (json_array_size(failures) > 0)
        rb_plan_decide(plan, "check", RB_FOUND, "database %s: %s", d->name,
                       rb_json_str(json_array_get(failures, 0), "message"));
    return find_losses(d, copy, db, rows, &outcome, err);
}

enum rb_code rb_plan_rehearse(rb_plan *plan, rb_plan_database *d, const rb_plan_request *rq,
                              rb_db *db, const char *engine, rb_err *err)
{
    int64_t bytes = 0;
    bool ran = false;
    rb_plan_inverse(d, rq);
    if (!d->create)
        RB_TRY(rb_db_size(&bytes, db, err));
    if (bytes <= REHEARSED_BYTES)
        return rehearse_on(&ran, plan, d, rq, db, engine, true, err);
    RB_TRY(rehearse_on(&ran, plan, d, rq, db, engine, false, err));
    bool takes =
        json_array_size(d->bound) + json_array_size(d->at_risk) + json_array_size(d->generated) > 0;
    if (!ran || (takes && rq->rehearse))
        return rehearse_on(&ran, plan, d, rq, db, engine, true, err);
    rb_plan_note(plan,
                 "database %s: its %" PRId64 " MiB were not copied to try the scripts: the "
                 "transaction is their first run, and what is at risk is counted from the "
                 "schema and the proofs; --rehearse tries them on a copy",
                 d->name, bytes >> 20);
    return RB_OK;
}

enum rb_code rb_plan_rehearse_again(rb_plan_database *d, const rb_plan_request *rq, rb_err *err)
{
    RB_AUTO(rb_db_closep) rb_db *db = NULL;
    RB_AUTO(rb_db_closep) rb_db *copy = NULL;
    RB_AUTO(rb_db_outcome_clear) rb_db_outcome outcome = {0};
    rb_plan_inverse(d, rq);
    RB_TRY(rb_db_open(&db, d->url, RB_DB_READ, err));
    RB_TRY(open_copy(&copy, d, rq, db, NULL, d->rehearsed, err));
    RB_TRY(run_on_copy(&outcome, d, rq, copy, d->rehearsed, err));
    return find_losses(d, copy, db, d->rehearsed, &outcome, err);
}
