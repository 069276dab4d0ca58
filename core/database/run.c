#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "catalog/catalog.h"
#include "database/applied.h"
#include "database/driver.h"
#include "database/loss.h"
#include "database/run.h"
#include "database/tracking.h"
#include "migration/unwrap.h"

void rb_db_outcome_clear(rb_db_outcome *outcome)
{
    json_decref(outcome->before);
    json_decref(outcome->after);
    json_decref(outcome->effects);
    json_decref(outcome->bound);
    *outcome = (rb_db_outcome){0};
}

/* Returns a title for messages, such as "migration 7 add_discount (down)". */
static char *title(const rb_db_step *step)
{
    const rb_migration *m = step->migration;
    return rb_format("migration %s%s%s (%s)", m->id, m->name && m->name[0] ? " " : "",
                     m->name ? m->name : "", step->up ? "up" : "down");
}

static enum rb_code find_script(const rb_script **out, const rb_db_step *step, rb_err *err)
{
    const rb_script *script = step->up ? &step->migration->up : &step->migration->down;
    RB_AUTO(rb_free_str) char *raw = title(step);
    RB_AUTO(rb_free_str) char *what = rb_safe(raw);
    if (step->migration->code)
        return rb_fail(
            err, RB_ERROR,
            "%s is written in a programming language\nrbtool cannot run it, its own tool "
            "must",
            what);
    if (!script->present)
        return rb_fail(err, RB_ERROR,
                       "%s: the script does not exist\nwrite one, or take --to another "
                       "release",
                       what);
    *out = script;
    return RB_OK;
}

/* Reads the script of a step. *text and *what own the strings that *sql points to. */
static enum rb_code read_script(rb_db_text *sql, char **text, char **what, rb_db *db,
                                const rb_db_step *step, rb_err *err)
{
    const rb_script *script = NULL;
    RB_TRY(find_script(&script, step, err));
    RB_TRY(rb_script_unwrap(text, script, rb_db_engine(db), err));
    *what = title(step);
    *sql = (rb_db_text){
        .text = *text,
        .line = script->line ? script->line : 1,
        .file = script->path ? script->path : "",
        .what = *what,
        .commits = step->commits,
    };
    return RB_OK;
}

enum rb_code rb_run_script(json_t *effects, rb_db *db, const rb_db_step *step, rb_err *err)
{
    RB_AUTO(rb_free_str) char *text = NULL;
    RB_AUTO(rb_free_str) char *what = NULL;
    rb_db_text sql;
    RB_TRY(read_script(&sql, &text, &what, db, step, err));
    return db->driver->script(effects, db, &sql, err);
}

enum rb_code rb_db_alone(bool *happened, rb_db *db, const rb_db_step *step, enum rb_alone act,
                         json_t *had, rb_err *err)
{
    RB_AUTO(rb_free_str) char *text = NULL;
    RB_AUTO(rb_free_str) char *what = NULL;
    rb_db_text sql;
    *happened = false;
    RB_TRY(read_script(&sql, &text, &what, db, step, err));
    return db->driver->alone(happened, db, &sql, act, had, err);
}

void rb_db_segments(rb_db_step *steps, size_t n, const char *engine)
{
    const rb_db_driver *driver = rb_engine_driver(engine);
    if (driver && driver->segments)
        driver->segments(steps, n);
}

bool rb_db_segment_at(rb_db_segment *out, const rb_db_step *steps, size_t n, size_t number)
{
    *out = (rb_db_segment){0};
    for (size_t i = 0; i <= number; i++) {
        if (i > 0 && out->to == n)
            return false;
        out->from = out->to;
        out->to += out->to < n;
        while (out->to < n && !steps[out->to].border)
            out->to++;
    }
    out->alone = out->from < out->to && steps[out->from].alone;
    out->last = out->to == n;
    return true;
}

size_t rb_db_segment_count(const rb_db_step *steps, size_t n)
{
    rb_db_segment segment;
    size_t count = 0;
    while (rb_db_segment_at(&segment, steps, n, count))
        count++;
    return count;
}

enum rb_code rb_db_hold(rb_db *db, rb_err *err)
{
    return db->driver->hold ? db->driver->hold(db, err) : RB_OK;
}

static enum rb_code check_step(const rb_db_step *step, const rb_strs *now, rb_err *err)
{
    bool is_applied = rb_strs_has(now, step->migration->id);
    if (step->was && !rb_strs_has(now, step->was->id))
        return rb_fail(err, RB_ERROR,
                       "migration %s should be applied, to become %s, and is not\ncompare with "
                       "rbtool status",
                       step->was->id, step->migration->id);
    if (is_applied != step->up)
        return RB_OK;
    RB_AUTO(rb_free_str) char *raw = title(step);
    RB_AUTO(rb_free_str) char *what = rb_safe(raw);
    return rb_fail(err, RB_ERROR, "%s: this database has it %s\ncompare with rbtool status", what,
                   step->up ? "applied already" : "not applied");
}

static int64_t now_in_nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Commits between segments, in a scratch database. */
static enum rb_code commit_between(rb_db *db, rb_strs *undone, rb_err *err)
{
    RB_TRY(rb_applied_flush(db, undone, err));
    RB_TRY(rb_db_commit(db, err));
    return rb_db_begin(db, err);
}

static enum rb_code run_steps(json_t *effects, rb_db *db, const rb_db_work *work, rb_err *err)
{
    RB_AUTO(rb_strs_clear) rb_strs now = {0};
    RB_AUTO(rb_strs_clear) rb_strs undone = {0};
    bool tracked = work->tracking && work->tracking[0];
    bool last_only = tracked && rb_tracking_last_only(work->tracking);
    RB_TRY(rb_applied_prepare(&now, db, work, err));
    for (size_t i = 0; i < work->n; i++) {
        const rb_db_step *step = &work->steps[i];
        RB_TRY(check_step(step, &now, err));
        if (step->border && i > 0)
            RB_TRY(commit_between(db, &undone, err));
        if (work->proceed && !work->proceed(work->context, step))
            return rb_fail(
                err, RB_ERROR,
                "stopped on request before migration %s; its transaction was rolled back",
                step->migration->id);
        int64_t began = now_in_nanoseconds();
        if (!step->noted && !step->was)
            RB_TRY(rb_run_script(effects, db, step, err));
        int64_t took = step->noted || step->was ? -1 : now_in_nanoseconds() - began;
        RB_TRY(rb_applied_note(db, step, &now, &undone, err));
        if (tracked && !last_only && step->was)
            RB_TRY(rb_tracking_note(db, work->tracking, step->was, false, &now, -1, err));
        if (tracked && (!last_only || i + 1 == work->n))
            RB_TRY(
                rb_tracking_note(db, work->tracking, step->migration, step->up, &now, took, err));
    }
    return rb_db_segment_count(work->steps, work->n) > 1 ? commit_between(db, &undone, err)
                                                         : rb_applied_flush(db, &undone, err);
}

static enum rb_code run_all(rb_db_outcome *out, rb_db *db, const rb_db_work *work, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *before = NULL;
    RB_AUTO(rb_json_freep) json_t *after = NULL;
    if (work->before)
        out->before = json_incref(work->before);
    else
        RB_TRY(rb_db_catalog(&out->before, db, err));
    RB_TRY(rb_run_violations(&before, db, work->effects, err));
    out->effects = json_object();
    RB_TRY(run_steps(out->effects, db, work, err));
    RB_TRY(rb_run_violations(&after, db, work->effects ? out->effects : NULL, err));
    RB_TRY(rb_run_compare_references(before, after, err));
    RB_TRY(rb_db_catalog(&out->after, db, err));
    out->bound = rb_loss_bound(out->before, out->after, out->effects);
    return RB_OK;
}

enum rb_code rb_db_run(rb_db_outcome *out, rb_db *db, const rb_db_work *work, rb_err *err)
{
    *out = (rb_db_outcome){0};
    if (!db->driver->in_transaction(db))
        return rb_fail(err, RB_ERROR, "scripts run inside a transaction only: begin first");
    enum rb_code code = run_all(out, db, work, err);
    if (code != RB_OK)
        rb_db_outcome_clear(out);
    return code;
}
