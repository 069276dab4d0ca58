#include "transition/segments.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "database/tracking.h"
#include "transition/backup_step.h"
#include "transition/parts.h"
#include "transition/plan_make.h"

#define NO_STEP (-1)
#define BEGUN                                                                                      \
    "outside" /* name of the pin that records a script before it runs outside a transaction */

static bool has_segments(const rb_plan_database *d)
{
    rb_db_segment first;
    (void)rb_db_segment_at(&first, d->steps, d->step_count, 0);
    return first.alone || !first.last;
}

bool rb_segments_in(const json_t *plan)
{
    rb_json_each (database, json_object_get(plan, "databases")) {
        if (rb_json_int(database, "commits", 1) > 1)
            return true;
        rb_json_each (script, json_object_get(database, "scripts"))
            if (json_is_true(json_object_get(script, "outside")))
                return true;
    }
    return false;
}

char *rb_segment_id(const char *transition, const rb_plan_database *d, size_t number)
{
    rb_db_segment segment;
    if (!rb_db_segment_at(&segment, d->steps, d->step_count, number) || segment.last)
        return rb_strdup(transition);
    return rb_format("%s.%zu", transition, number + 1);
}

enum rb_code rb_segments_look(rb_plan_database *d, rb_db *db, const char *transition, rb_err *err)
{
    const size_t count = rb_db_segment_count(d->steps, d->step_count);
    bool has = true;
    for (d->done = 0; d->done + 1 < count; d->done++) {
        RB_AUTO(rb_free_str) char *id = rb_segment_id(transition, d, d->done);
        RB_TRY(rb_db_journal_has(&has, db, id, err));
        if (!has)
            break;
    }
    return RB_OK;
}

/* Scripts outside transactions: */

/* Reads the record {"transition","database","step","undo","had"}. NULL if this transition has none.
 */
static enum rb_code noted(json_t **out, const rb_segments *s, const rb_plan_database *d,
                          rb_err *err)
{
    RB_AUTO(rb_free_str) char *text = NULL;
    RB_AUTO(rb_json_freep) json_t *json = NULL;
    *out = NULL;
    RB_TRY(rb_state_pin(&text, s->state, BEGUN, err));
    if (!text || !*text)
        return RB_OK;
    RB_TRY(rb_json_read(&json, text, strlen(text), "a script that was begun", err));
    if (rb_text_same(rb_json_str(json, "transition"), s->transition) &&
        rb_text_same(rb_json_str(json, "database"), d->name))
        *out = json_incref(json);
    return RB_OK;
}

static bool is_noted(const json_t *note, size_t step, bool undo)
{
    return note && rb_json_int(note, "step", -1) == (int64_t)step &&
           json_is_true(json_object_get(note, "undo")) == undo;
}

static enum rb_code forget(const rb_segments *s, rb_err *err)
{
    return rb_state_pin_set(s->state, BEGUN, "", err);
}

enum rb_code rb_segment_begun(bool *out, const rb_segments *s, const rb_plan_database *d,
                              size_t step, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *note = NULL;
    RB_TRY(noted(&note, s, d, err));
    *out = is_noted(note, step, false);
    return RB_OK;
}

/* Writes the record to disk. */
static enum rb_code write_note(const rb_segments *s, const rb_plan_database *d, int64_t step,
                               bool undo, json_t *had, rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    RB_AUTO(rb_json_freep)
    json_t *note = rb_json_make("transition:s database:s step:i undo:b had:J", s->transition,
                                d->name, step, undo, had);
    rb_json_canonical(&text, note);
    return rb_state_pin_set(s->state, BEGUN, rb_buf_str(&text), err);
}

/* Sets the lock timeout. Waiting here blocks no other session, so that it may take as long as all
 * attempts of a transition together. */
static enum rb_code wait_for_locks(const rb_segments *s, rb_db *db, bool longer, rb_err *err)
{
    rb_db_limits limits = rb_env_limits(s->env);
    if (longer)
        limits.lock_ms = s->env->lock_timeout * 1000;
    return rb_db_limit(db, &limits, err);
}

static enum rb_code ask_person(const rb_segments *s, rb_err *err)
{
    RB_AUTO(rb_free_str) char *why = rb_strdup(err->message);
    return rb_fail(err, RB_HALFWAY,
                   "%s; complete the script by hand and go on with `rbtool resume --env %s "
                   "--step-done`, or undo what it did and go on with `--step-retry`",
                   why, s->env->name);
}

/* Runs the script of a step of the plan, or of an inverse. number: the index of the plan's step. */
static enum rb_code run_alone(const rb_segments *s, const rb_plan_database *d, rb_db *db,
                              const rb_db_step *step, size_t number, bool undo, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *note = NULL;
    RB_AUTO(rb_json_freep) json_t *had = NULL;
    bool happened = false;
    rb_err why;
    RB_TRY(rb_db_hold(db, err));
    RB_TRY(noted(&note, s, d, err));
    const bool again = is_noted(note, number, undo);
    if (again && s->said == RB_SAID_DONE)
        return RB_OK;
    had = again ? json_incref(json_object_get(note, "had")) : json_object();
    if (!again) {
        RB_TRY(rb_db_alone(&happened, db, step, RB_ALONE_LOOK, had, err));
        RB_TRY(write_note(s, d, (int64_t)number, undo, had, err));
    }
    RB_TRY(wait_for_locks(s, db, true, err));
    const bool from_start = !again || s->said == RB_SAID_RETRY;
    enum rb_code code =
        rb_db_alone(&happened, db, step, from_start ? RB_ALONE_RUN : RB_ALONE_AGAIN, had, &why);
    if (code == RB_OK)
        return wait_for_locks(s, db, false, err);
    *err = why;
    if (code == RB_BUSY)
        err->code = RB_FOUND; /* the wait for the lock took the whole time allowed */
    if (code == RB_HALFWAY || (again && from_start))
        return ask_person(s, err);
    if (happened)
        return err->code = RB_HALFWAY;
    code = forget(s, &why);
    return code == RB_OK ? err->code : rb_err_prefix(err, "%s", why.message);
}

enum rb_code rb_segment_run(const rb_segments *s, const rb_plan_database *d, rb_db *db, size_t step,
                            rb_err *err)
{
    return run_alone(s, d, db, &d->steps[step], step, false, err);
}

/* Undoing: */

static void find_inverse(rb_plan_database *d, const rb_plan_request *rq)
{
    rb_plan_request at = *rq;
    at.from = rb_parts_from(rq, RB_PART_DB);
    rb_plan_inverse(d, &at);
}

static enum rb_code commit_work(rb_plan_database *d, rb_db *db, const rb_db_step *steps, size_t n,
                                size_t more, const rb_migrations *order, const rb_strs *rows,
                                rb_err *err)
{
    RB_AUTO(rb_db_outcome_clear) rb_db_outcome outcome = {0};
    const rb_db_work work = {
        .steps = steps, .n = n, .more = more, .tracking = d->tracking, .order = order};
    RB_TRY(rb_db_begin(db, err));
    RB_TRY(rb_tracking_lock(db, d->tracking, err));
    RB_TRY(rb_db_run(&outcome, db, &work, err));
    for (size_t i = 0; i < rows->n; i++)
        RB_TRY(rb_db_journal_remove(db, rows->items[i], err));
    return rb_db_commit(db, err);
}

/* Handles a script that was interrupted before it was recorded: either it had no effect, or it is
 * recorded now. */
static enum rb_code settle_begun(const rb_segments *s, rb_plan_database *d, rb_db *db, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *note = NULL;
    RB_AUTO(rb_strs_clear) rb_strs applied = {0};
    const rb_strs none = {0};
    bool happened = false;
    RB_TRY(noted(&note, s, d, err));
    RB_TRY(rb_db_recorded(&applied, db, err));
    const size_t at = (size_t)rb_json_int(note, "step", 0);
    if (!note || json_is_true(json_object_get(note, "undo")) || at >= d->step_count ||
        rb_strs_has(&applied, d->steps[at].migration->id) == d->steps[at].up)
        return RB_OK;
    rb_db_step *step = &d->steps[at];
    RB_TRY(wait_for_locks(s, db, true, err));
    RB_TRY(rb_db_alone(&happened, db, step, RB_ALONE_UNDO, json_object_get(note, "had"), err));
    if (!happened)
        return forget(s, err);
    RB_TRY(run_alone(s, d, db, step, at, false, err));
    step->noted = true;
    return commit_work(d, db, step, 1, d->step_count - at - 1, d->to_set, &none, err);
}

/* Lists the journal rows of the segments that contain one of these steps. */
static void rows_of(rb_strs *rows, const rb_segments *s, const rb_plan_database *d, size_t from,
                    size_t to)
{
    rb_db_segment segment;
    for (size_t k = 0; rb_db_segment_at(&segment, d->steps, d->step_count, k); k++)
        if (!segment.last && segment.from < to && segment.to > from)
            rb_strs_take(rows, rb_segment_id(s->transition, d, k));
}

static enum rb_code undo_steps(const rb_segments *s, rb_plan_database *d, rb_db *db,
                               rb_db_step *steps, const size_t *numbers, size_t n, rb_err *err)
{
    rb_db_segment segment;
    if (n > 0)
        rb_db_segments(steps, n, rb_db_engine(db));
    for (size_t k = 0; n > 0 && rb_db_segment_at(&segment, steps, n, k); k++) {
        RB_AUTO(rb_strs_clear) rb_strs rows = {0};
        if (segment.alone) {
            RB_TRY(run_alone(s, d, db, &steps[segment.from], numbers[segment.from], true, err));
            steps[segment.from].noted = true;
        }
        rows_of(&rows, s, d, numbers[segment.to - 1], numbers[segment.from] + 1);
        RB_TRY(commit_work(d, db, steps + segment.from, segment.to - segment.from, n - segment.to,
                           d->from_set ? d->from_set : d->to_set, &rows, err));
    }
    return RB_OK;
}

/* Undoes the recorded steps, from step `from` to the last one. */
static enum rb_code undo_recorded(const rb_segments *s, rb_plan_database *d, rb_db *db, size_t from,
                                  rb_err *err)
{
    RB_AUTO(rb_strs_clear) rb_strs applied = {0};
    RB_TRY(rb_db_recorded(&applied, db, err));
    rb_db_step *steps = rb_calloc(d->step_count + 1, sizeof *steps);
    size_t *numbers = rb_calloc(d->step_count + 1, sizeof *numbers);
    size_t n = 0;
    for (size_t i = d->step_count; i > from; i--) {
        const rb_db_step *step = &d->steps[i - 1];
        if (rb_strs_has(&applied, step->migration->id) != step->up)
            continue;
        numbers[n] = i - 1;
        if (d->inverse_count == d->step_count)
            steps[n] = d->inverse[d->step_count - i];
        steps[n++].noted = false;
    }
    enum rb_code code = RB_OK;
    if (n > 0 && d->inverse_count != d->step_count)
        code = rb_fail(err, RB_HALFWAY,
                       "%zu script%s committed, and not all have an inverse\nfix the cause and go "
                       "on with `rbtool resume --env %s`",
                       n, n == 1 ? " is" : "s are", s->env->name);
    if (code == RB_OK && n > 0)
        code = undo_steps(s, d, db, steps, numbers, n, err);
    free(steps);
    free(numbers);
    return code;
}

/* Completes an interrupted undo before anything else runs: scripts after the committed segments,
 * and segments in which an inverse was started outside a transaction. */
enum rb_code rb_segments_settle(const rb_segments *s, rb_plan_database *d, rb_db *db,
                                const rb_plan_request *rq, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *note = NULL;
    rb_db_segment segment;
    if (!has_segments(d))
        return RB_OK;
    RB_TRY(noted(&note, s, d, err));
    if (!json_is_true(json_object_get(note, "undo")))
        return RB_OK;
    const int64_t step = rb_json_int(note, "step", 0);
    while (rb_db_segment_at(&segment, d->steps, d->step_count, d->done) && d->done > 0 &&
           step >= 0 && step < (int64_t)segment.from)
        d->done--;
    find_inverse(d, rq);
    RB_TRY(undo_recorded(s, d, db, segment.from, err));
    return forget(s, err);
}

/* Sets *out if the database has the effect of a step of the transition. */
static enum rb_code is_begun(bool *out, const rb_plan_database *d, rb_db *db, rb_err *err)
{
    RB_AUTO(rb_strs_clear) rb_strs applied = {0};
    RB_TRY(rb_db_recorded(&applied, db, err));
    *out = false;
    for (size_t i = 0; i < d->step_count; i++)
        *out |= rb_strs_has(&applied, d->steps[i].migration->id) == d->steps[i].up;
    return RB_OK;
}

static enum rb_code undo_database(const rb_segments *s, const rb_undo *undo, rb_plan_database *d,
                                  rb_db *db, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *note = NULL;
    bool begun;
    RB_TRY(settle_begun(s, d, db, err));
    RB_TRY(noted(&note, s, d, err));
    if (!json_is_true(json_object_get(note, "undo")))
        RB_TRY(write_note(s, d, NO_STEP, true, NULL, err));
    RB_TRY(is_begun(&begun, d, db, err));
    if (begun)
        RB_TRY(rb_backup_step_undo(undo, d, db, err));
    return undo_recorded(s, d, db, 0, err);
}

static enum rb_code undo_one(const rb_segments *s, const rb_undo *undo, rb_plan_database *d,
                             rb_err *err)
{
    RB_AUTO(rb_db_closep) rb_db *db = NULL;
    bool ignored = false;
    find_inverse(d, undo->request);
    RB_TRY(rb_db_open(&db, d->url, RB_DB_WRITE, err));
    /* First waits until the interrupted session has ended. */
    RB_TRY(rb_db_journal_has(&ignored, db, s->transition, err));
    RB_TRY(rb_db_label(db, s->transition, err));
    RB_TRY(wait_for_locks(s, db, false, err));
    return undo_database(s, undo, d, db, err);
}

enum rb_code rb_segments_undo_all(const rb_undo *undo, rb_err *err)
{
    const rb_segments s = {.env = undo->env, .state = undo->state, .transition = undo->row->id};
    if (!undo->plan && rb_segments_in(undo->row->plan))
        return rb_fail(err, RB_HALFWAY,
                       "its releases were not read, which have the scripts to run");
    for (size_t i = undo->plan ? undo->plan->database_count : 0; i > 0; i--) {
        rb_plan_database *d = &undo->plan->databases[i - 1];
        if (!d->unreadable && has_segments(d) && undo_one(&s, undo, d, err) != RB_OK)
            return rb_err_prefix(err, "database %s: its committed scripts are not undone", d->name);
    }
    return RB_OK;
}
