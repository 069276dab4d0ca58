#include "transition/database_step.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "database/loss.h"
#include "database/tracking.h"
#include "environment/checks.h"
#include "environment/observe.h"
#include "transition/backup_step.h"
#include "transition/parts.h"
#include "transition/plan_make.h"
#include "transition/recovery_point.h"
#include "transition/segments.h"

struct progress {
    rb_run *run;
    const rb_plan_database *database;
};

static bool proceed(void *context, const rb_db_step *s)
{
    struct progress *p = context;
    if (p->run->control && p->run->control->cancelled)
        return false;
    if (p->run->progress) {
        RB_AUTO(rb_free_str)
        char *text = rb_format("%s: %s %s (%zu of %zu)", p->database->name, s->up ? "up" : "down",
                               s->migration->id, (size_t)(s - p->database->steps) + 1,
                               p->database->step_count);
        p->run->progress(p->run->context, "database", text);
    }
    return true;
}

/* Refuses a loss that was not agreed to: data changed since the plan was made, or a script has
 * different effects each time. */
static enum rb_code refuse_loss(rb_run *run, const rb_plan_database *d, const json_t *at_risk,
                                rb_err *err)
{
    RB_AUTO(rb_free_str) char *list = rb_plan_list_losses(at_risk);
    RB_TRY(rb_plan_found(run->digest, run->plan, run->request, d->name, at_risk, err));
    RB_AUTO(rb_free_str)
    char *option = rb_format("--accept-data-loss %.*s", RB_DIGEST_PREFIX, run->digest);
    RB_AUTO(rb_free_str) char *next = rb_plan_with(run->request, option);
    return rb_fail(err, RB_DECIDE,
                   "database %s: under lock more data is at risk than the plan said: %s\nto agree "
                   "to this: %s",
                   d->name, list, next);
}

/* Reports what differs from TO's schema. If only fingerprints were compared, first finds the
 * differences. */
static enum rb_code fail_schema(const rb_run *run, rb_plan_database *d, rb_db *db, json_t *wrong,
                                const json_t *catalog, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *named = json_incref(wrong);
    RB_AUTO(rb_json_freep) json_t *left = NULL;
    rb_err ignored;
    rb_db_rollback(db); /* the error stays the same if this fails */
    if (!d->expected && d->to &&
        rb_rebuilt_catalog(&d->expected, run->request->to, run->request->session->repo, d->to,
                           &ignored) == RB_OK) {
        json_decref(named);
        rb_plan_database_judge(&named, &left, d, catalog);
    }
    RB_AUTO(rb_free_str) char *list = rb_plan_list_differences(named);
    RB_AUTO(rb_free_str) char *fix = rb_plan_scripts_hint(d, run->request);
    return rb_fail(err, RB_FOUND, "database %s did not come out at the schema of %s: %s\n%s",
                   d->name, run->request->to->tag, list, fix);
}

static enum rb_code verify(rb_run *run, rb_plan_database *d, rb_db *db,
                           const rb_db_outcome *outcome, rb_err *err)
{
    if (d->places && !rb_loss_within(outcome->bound, d->places))
        return refuse_loss(run, d, outcome->bound, err);
    RB_AUTO(rb_json_freep) json_t *wrong = NULL;
    RB_AUTO(rb_json_freep) json_t *left = NULL;
    rb_plan_database_judge(&wrong, &left, d, outcome->after);
    if (json_array_size(wrong) > 0)
        return fail_schema(run, d, db, wrong, outcome->after, err);
    RB_AUTO(rb_json_freep) json_t *failures = json_array();
    if (d->to)
        RB_TRY(rb_sql_checks_run(failures, run->request->to, run->request->session->repo, d->name,
                                 db, err));
    if (json_array_size(failures) > 0)
        return rb_fail(err, RB_FOUND, "database %s: %s", d->name,
                       rb_json_str(json_array_get(failures, 0), "message"));
    return RB_OK;
}

/* Returns the pins of the run, with the identity of this database. */
static enum rb_code pins_of(json_t **out, const rb_run *run, rb_db *db, rb_err *err)
{
    RB_AUTO(rb_free_str) char *identity = NULL;
    RB_TRY(rb_db_identity(&identity, db, err));
    *out = run->pins ? json_copy((json_t *)run->pins) : json_object();
    rb_json_set_str(*out, "database", identity);
    return RB_OK;
}

/* Takes the locks that the scripts need, once and before the backup. Raising a lock later would
 * wait while holding the weaker one, and rows that are backed up must not change until the scripts
 * have run. */
static enum rb_code lock_tables(const rb_plan_database *d, rb_db *db, rb_err *err)
{
    static const char *const weak[] = {"ROW SHARE", "ROW EXCLUSIVE", "SHARE UPDATE EXCLUSIVE",
                                       "SHARE", NULL};
    RB_AUTO(rb_json_freep) json_t *locks = d->locks ? json_deep_copy(d->locks) : NULL;
    rb_json_each (lock, locks) {
        bool bound = false;
        rb_json_each (item, d->places)
            bound |= rb_text_same(rb_json_str(item, "table"), rb_json_str(lock, "table"));
        for (size_t i = 0; bound && weak[i]; i++)
            if (rb_text_same(rb_json_str(lock, "mode"), weak[i])) {
                rb_json_set_str(lock, "mode", "SHARE ROW EXCLUSIVE");
                break;
            }
    }
    return rb_db_lock_tables(db, locks, err);
}

static rb_segments segments_of(const rb_run *run)
{
    return (rb_segments){.env = run->request->env,
                         .state = run->state,
                         .transition = run->plan->id,
                         .said = run->said};
}

static enum rb_code begin(bool *begun, const rb_plan_database *d, rb_db *db, rb_err *err)
{
    RB_TRY(rb_db_begin(db, err));
    RB_TRY(rb_tracking_lock(db, d->tracking, err));
    *begun = true;
    return RB_OK;
}

/* Does what comes before the first script, under lock: determines data at risk, writes the backup,
 * and compares older backups that will be restored. */
static enum rb_code prepare(rb_undone_backups *restorings, rb_run *run, rb_plan_database *d,
                            rb_db *db, rb_err *err)
{
    const rb_db_work all = {.steps = d->steps, .n = d->step_count};
    /* A rehearsal reads the database in another session, which these locks would block. */
    if (d->proven)
        RB_TRY(lock_tables(d, db, err));
    if (!rb_backup_is_resumed(d))
        RB_TRY(rb_plan_database_again(d, run->request, db, err));
    /* Without a rehearsal it is unknown what comes back. An automatic revert, which nobody agreed
     * to, then counts everything that could be lost. */
    const json_t *lost = run->watch_of && !d->rehearsed ? d->bound : d->at_risk;
    if (!rb_risk_within(lost, d->name, run->agreed))
        return refuse_loss(run, d, lost, err);
    if (!d->proven)
        RB_TRY(lock_tables(d, db, err));
    RB_TRY(rb_backup_step_write(run, d, db, err));
    return rb_backup_step_compare(restorings, run->request->env, run->state, run->plan->id, d, db,
                                  &all, err);
}

/* Runs the script of a segment outside a transaction. */
static enum rb_code run_outside(bool *begun, bool *prepared, rb_undone_backups *restorings,
                                rb_run *run, rb_plan_database *d, rb_db *db, size_t step,
                                rb_err *err)
{
    const rb_segments segments = segments_of(run);
    bool goes_on = false;
    if (d->steps[step].noted)
        return RB_OK;
    RB_TRY(rb_segment_begun(&goes_on, &segments, d, step, err));
    if (!*prepared && !goes_on) {
        RB_TRY(begin(begun, d, db, err));
        RB_TRY(prepare(restorings, run, d, db, err));
        RB_TRY(rb_db_hold(db, err));
        RB_TRY(rb_db_commit(db, err));
        *prepared = true;
    }
    struct progress progress = {run, d};
    if (!proceed(&progress, &d->steps[step]))
        return rb_fail(err, RB_ERROR, "stopped on request before migration %s",
                       d->steps[step].migration->id);
    RB_TRY(rb_segment_run(&segments, d, db, step, err));
    d->steps[step].noted = true;
    return RB_OK;
}

/* Adds the outcome of a segment to that of the segments before it. */
static void add_outcome(rb_db_outcome *all, rb_db_outcome *part)
{
    if (!all->before) {
        *all = *part;
        *part = (rb_db_outcome){0};
        return;
    }
    rb_json_replace(&all->after, part->after);
    (void)json_object_update_recursive(all->effects, part->effects);
    json_decref(all->bound);
    all->bound = rb_loss_bound(all->before, all->after, all->effects);
}

/* True if the plan has the bound of the segments so far. A column that they drop is part of a table
 * that a later one drops: the plan has the table alone. */
static bool segments_within(const rb_plan_database *d, const json_t *bound)
{
    rb_json_each (place, bound) {
        RB_AUTO(rb_json_freep)
        json_t *table = rb_json_make("table:s", rb_json_str(place, "table"));
        RB_AUTO(rb_free_str) char *key = rb_loss_key(rb_json_str(place, "table"));
        const bool dropped =
            json_is_true(json_object_get(json_object_get(d->effects, key), "dropped"));
        if (!rb_loss_find(d->places, place) && !(dropped && rb_loss_find(d->places, table)))
            return false;
    }
    return true;
}

/* Commits a segment, except the last one. */
static enum rb_code commit_segment(rb_run *run, rb_plan_database *d, rb_db *db,
                                   const rb_db_outcome *outcome, rb_err *err)
{
    RB_AUTO(rb_free_str) char *id = rb_segment_id(run->plan->id, d, d->done);
    RB_AUTO(rb_json_freep) json_t *pins = NULL;
    if (d->places && !segments_within(d, outcome->bound))
        return refuse_loss(run, d, outcome->bound, err);
    RB_TRY(pins_of(&pins, run, db, err));
    RB_TRY(rb_db_journal_add(db, id, NULL, NULL, outcome, pins, err));
    RB_TRY(rb_db_hold(db, err));
    RB_TRY(rb_db_commit(db, err));
    d->done++;
    return RB_OK;
}

/* Runs all segments, and leaves the transaction of the last one open. */
static enum rb_code run_segments(bool *begun, rb_undone_backups *restorings, rb_run *run,
                                 rb_plan_database *d, rb_db *db, rb_db_outcome *outcome,
                                 rb_err *err)
{
    struct progress progress = {run, d};
    rb_db_segment segment = {0};
    bool prepared = false;
    for (;;) {
        RB_AUTO(rb_db_outcome_clear) rb_db_outcome part = {0};
        (void)rb_db_segment_at(&segment, d->steps, d->step_count, d->done);
        if (segment.alone)
            RB_TRY(run_outside(begun, &prepared, restorings, run, d, db, segment.from, err));
        rb_db_work work = {.steps = d->steps + segment.from,
                           .n = segment.to - segment.from,
                           .more = d->step_count - segment.to,
                           .tracking = d->tracking,
                           .order = d->to_set,
                           .effects = d->effects,
                           .proceed = segment.alone ? NULL : proceed,
                           .context = &progress};
        RB_TRY(begin(begun, d, db, err));
        if (!prepared) {
            RB_TRY(prepare(restorings, run, d, db, err));
            work.before = d->proven ? d->found : NULL;
        }
        prepared = true;
        RB_TRY(rb_db_run(&part, db, &work, err));
        add_outcome(outcome, &part);
        if (segment.last)
            return RB_OK;
        RB_TRY(commit_segment(run, d, db, outcome, err));
    }
}

/* Takes the plan's connection where it may become one that writes. It may have been lost since. */
static enum rb_code open_session(rb_db **out, rb_plan_database *d, rb_err *err)
{
    bool taken = false;
    const bool lost = d->seen && rb_db_make_writable(&taken, d->seen, RB_IGNORED) != RB_OK;
    d->runs_on_seen = taken && !lost;
    if (d->runs_on_seen) {
        *out = RB_TAKE(d->seen);
        return RB_OK;
    }
    if (lost)
        rb_db_close(RB_TAKE(d->seen));
    return rb_db_open(out, d->url, d->create ? RB_DB_CREATE : RB_DB_WRITE, err);
}

/* Runs the scripts of one database. *begun: a transaction began; if it failed for a lock, a retry
 * makes sense. */
static enum rb_code run_one(bool *begun, rb_run *run, size_t index, rb_err *err)
{
    rb_plan_database *d = &run->plan->databases[index];
    rb_db_outcome *outcome = &run->outcomes[index];
    const rb_release *from = rb_parts_from(run->request, RB_PART_DB);
    RB_TRY(open_session(&run->dbs[index], d, err));
    rb_db *db = run->dbs[index];
    if (run->control)
        atomic_store(&run->control->active, db);
    const rb_db_limits limits = rb_env_limits(run->request->env);
    const rb_segments segments = segments_of(run);
    RB_TRY(rb_db_label(db, run->plan->id, err));
    RB_TRY(rb_db_limit(db, &limits, err));
    if (!rb_backup_is_resumed(d))
        rb_backup_step_positions(run->request->env, run->plan->id, d->name, d->url);
    RB_TRY(rb_segments_settle(&segments, d, db, run->request, err));
    RB_AUTO(rb_undone_backups_clear) rb_undone_backups restorings = {0};
    RB_TRY(run_segments(begun, &restorings, run, d, db, outcome, err));
    RB_TRY(rb_backup_step_restore(&restorings, run, d, db, err));
    RB_TRY(rb_backup_step_finish(run, d, db, outcome, err));
    RB_TRY(verify(run, d, db, outcome, err));
    /* Drift in objects that this transition changes was never part of FROM. */
    rb_db_outcome known = {.before = d->leaving, .after = outcome->after};
    RB_AUTO(rb_json_freep) json_t *pins = NULL;
    RB_TRY(pins_of(&pins, run, db, err));
    return rb_db_journal_add(db, run->plan->id, from ? from->tag : NULL, run->request->to->tag,
                             &known, pins, err);
}

/* Forgets what was restored in a database whose transaction was rolled back. */
static void forget_restored(rb_run *run, const char *database)
{
    for (size_t i = json_array_size(run->put_back); i > 0; i--)
        if (rb_text_same(rb_json_str(json_array_get(run->put_back, i - 1), "database"), database))
            json_array_remove(run->put_back, i - 1);
}

/* Runs the scripts of one database. If another session holds a lock that they need, or waits for
 * one that they hold, rolls back and tries again from the beginning. */
static enum rb_code run_patiently(rb_run *run, size_t index, rb_err *err)
{
    const double end = rb_clock_seconds() + run->request->env->lock_timeout;
    for (int tries = 1;; tries++) {
        bool begun = false;
        enum rb_code code = run_one(&begun, run, index, err);
        if (code != RB_BUSY || !begun)
            return code;
        err->code = RB_FOUND;
        bool cancelled = run->control && run->control->cancelled;
        if (cancelled || rb_clock_seconds() >= end)
            return rb_err_prefix(
                err, "tried %d times in %d s (--lock-timeout, or environments.%s.lockTimeout)",
                tries, run->request->env->lock_timeout, run->request->env->name);
        if (run->control)
            atomic_store(&run->control->active, NULL);
        rb_db_close(run->dbs[index]);
        run->dbs[index] = NULL;
        rb_db_outcome_clear(&run->outcomes[index]);
        forget_restored(run, run->plan->databases[index].name);
        RB_AUTO(rb_free_str) char *text = rb_format("%s; trying again", err->message);
        if (run->progress)
            run->progress(run->context, "database", text);
        const struct timespec pause = {.tv_nsec = 100 * 1000 * 1000 * (tries < 9 ? tries : 9)};
        nanosleep(&pause, NULL);
    }
}

enum rb_code rb_databases_run(rb_run *run, rb_err *err)
{
    for (size_t i = 0; i < run->plan->database_count; i++) {
        if (run->committed[i])
            continue;
        enum rb_code code = run_patiently(run, i, err);
        if (run->control)
            atomic_store(&run->control->active, NULL);
        if (code != RB_OK)
            return code;
    }
    return RB_OK;
}

/* Commits one database. A commit that reports a failure may still have happened: only the row in
 * the database's own journal shows it. */
static enum rb_code commit_one(rb_run *run, size_t index, rb_err *err)
{
    const rb_plan_database *d = &run->plan->databases[index];
    enum rb_code code = rb_db_commit(run->dbs[index], err);
    if (code == RB_OK)
        return RB_OK;
    rb_err why;
    bool happened = false;
    RB_AUTO(rb_db_closep) rb_db *db = NULL;
    rb_db_close(run->dbs[index]);
    run->dbs[index] = NULL;
    /* not for reading alone: a standby may not have the commit yet */
    enum rb_code looked = rb_db_open(&db, d->url, RB_DB_WRITE, &why);
    if (looked == RB_OK)
        looked = rb_db_journal_has(&happened, db, run->plan->id, &why);
    if (looked == RB_OK && happened)
        return RB_OK;
    if (looked != RB_OK) { /* unknown: what was done stays until the database can be read */
        run->past = true;
        RB_AUTO(rb_free_str) char *first = rb_strdup(err->message);
        return rb_fail(err, RB_ERROR,
                       "database %s: its scripts are either all committed or all rolled back, and "
                       "which of the two cannot be seen: %s; %s\n%s",
                       d->name, first, why.message, why.hint);
    }
    return code;
}

enum rb_code rb_databases_commit(rb_run *run, rb_err *err)
{
    RB_TRY(rb_recovery_points_create(run, err));
    if (json_array_size(run->put_back) > 0) { /* `resume` reports it if this process is killed */
        RB_TRY(rb_state_plan_set(run->state, run->plan->id, "putBack", run->put_back, err));
        RB_TRY(rb_state_flush(run->state, err));
    }
    for (size_t i = 0; i < run->plan->database_count; i++) {
        if (run->committed[i])
            continue;
        RB_TRY(commit_one(run, i, err));
        run->committed[i] = true;
        run->past = true;
    }
    return RB_OK;
}

enum rb_code rb_databases_await(rb_db *db, const char *transition, const rb_env *env,
                                const char *command, rb_err *err)
{
    enum rb_code code = rb_db_await(db, transition, env->lock_timeout, env->terminate, err);
    if (code == RB_BUSY)
        snprintf(err->hint, sizeof err->hint,
                 "wait for it, or end it with `rbtool %s --env %s --terminate`: what it has not "
                 "committed by then is rolled back",
                 command, env->name);
    return code;
}
