/* Transitions and their steps in the journal, and the ledger entries that are missing. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/members.h"
#include "environment/state_internal.h"

#define TIMES_LIMIT 500 /* rows of steps that are read */

static const char *const step_states[] = {"none", "intent", "done", "failed", "undone"};

const char *rb_step_state_name(enum rb_step_state state)
{
    return step_states[state];
}

static const rb_member members[] = {
    RB_MEMBER(TEXT, rb_transition_row, id, "id"),
    RB_MEMBER(TEXT, rb_transition_row, kind, "kind"),
    RB_MEMBER(TEXT, rb_transition_row, from, "from"),
    RB_MEMBER(TEXT, rb_transition_row, from_object, "fromObject"),
    RB_MEMBER(TEXT, rb_transition_row, to, "to"),
    RB_MEMBER(TEXT, rb_transition_row, to_object, "toObject"),
    RB_MEMBER(TEXT, rb_transition_row, outcome, "outcome"),
    RB_MEMBER(TEXT, rb_transition_row, error, "error"),
    RB_MEMBER(UINT64, rb_transition_row, started, "started"),
    RB_MEMBER(UINT64, rb_transition_row, finished, "finished"),
    RB_MEMBER(TEXT, rb_transition_row, entry, "entry"),
    RB_MEMBER(BOOL, rb_transition_row, checked, "checked"),
    RB_MEMBER(BOOL, rb_transition_row, lacks_verdict, "lacksVerdict"),
    RB_MEMBER_END};

/* Reads the rows t of the log that fulfil a condition. plan: SQL for what is read of the plan.
 * verdict: SQL for lacks_verdict. */
static enum rb_code read_rows(rb_transition_rows *out, const rb_state *state, const char *plan,
                              const char *verdict, const char *where, const char *order,
                              rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *list = NULL;
    RB_AUTO(rb_free_str)
    char *sql = rb_format(
        "SELECT json_object('id', id, 'kind', kind, 'from', from_tag, 'fromObject', from_object, "
        "'to', to_tag, 'toObject', to_object, 'plan', %s, 'outcome', outcome, 'error', error, "
        "'started', started, 'finished', finished, 'entry', (SELECT e.id FROM entry e WHERE "
        "e.transition_id = t.id AND e.kind = 'transition'), 'checked', json(iif(EXISTS (SELECT 1 "
        "FROM step s WHERE s.transition_id = t.id AND s.step = 'checks' AND s.state = 'done'), "
        "'true', 'false')), 'lacksVerdict', json(iif(%s, 'true', 'false'))) FROM transition_log AS "
        "t WHERE %s ORDER BY sequence %s",
        plan, verdict, where, order);
    *out = (rb_transition_rows){0};
    RB_TRY(rb_state_list(&list, state, &rb_state_row_shape, "a transition", err, sql, NULL));
    out->items = rb_calloc(json_array_size(list) + 1, sizeof *out->items);
    rb_json_each (item, list) {
        rb_members_read(members, &out->items[out->n], item);
        json_t *of = json_object_get(item, "plan");
        out->items[out->n++].plan = json_is_null(of) ? NULL : json_incref(of);
    }
    return RB_OK;
}

enum rb_code rb_state_pending(rb_transition_row **out, rb_state *state, rb_err *err)
{
    RB_AUTO(rb_transition_rows_clear) rb_transition_rows rows = {0};
    RB_TRY(read_rows(&rows, state, "json(plan)", "0", "outcome IS NULL", "DESC LIMIT 1", err));
    *out = rows.n > 0 ? rb_transition_rows_take(&rows, 0) : NULL;
    return RB_OK;
}

enum rb_code rb_state_history(rb_transition_rows *out, rb_state *state, bool parts, rb_err *err)
{
    const char *plan =
        parts ? "json_object('only', json_extract(plan, '$.only'), 'environment', "
                "json_extract(plan, '$.environment'), 'marksBad', plan -> '$.marksBad', 'before', "
                "json_object('by', json_extract(plan, '$.before.by')))"
              : "NULL";
    return read_rows(out, state, plan, "0", "outcome IS NOT NULL", "DESC", err);
}

bool rb_outcome_reached(const char *outcome)
{
    return outcome && (strcmp(outcome, "done") == 0 || strcmp(outcome, "unhealthy") == 0 ||
                       strcmp(outcome, "down") == 0);
}

static void row_clear(rb_transition_row *row)
{
    rb_members_clear(members, row);
    json_decref(row->plan);
}

void rb_transition_row_free(rb_transition_row *row)
{
    if (row)
        row_clear(row);
    free(row);
}

void rb_transition_rows_clear(rb_transition_rows *rows)
{
    for (size_t i = 0; i < rows->n; i++)
        row_clear(&rows->items[i]);
    free(rows->items);
    *rows = (rb_transition_rows){0};
}

rb_transition_row *rb_transition_rows_take(rb_transition_rows *rows, size_t index)
{
    rb_transition_row *row = rb_malloc(sizeof *row);
    *row = rows->items[index];
    rows->items[index] = (rb_transition_row){0};
    return row;
}

enum rb_code rb_state_begin(rb_state *state, const rb_transition_row *row, rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf plan = {0};
    RB_AUTO(rb_buf_clear) rb_buf data = {0};
    rb_json_canonical(&plan, row->plan);
    if (row->data)
        rb_json_canonical(&data, row->data);
    RB_TRY(rb_state_hold(state, err));
    enum rb_code code = rb_state_change(
        state, err,
        "INSERT INTO transition_log(id, kind, from_tag, from_object, to_tag, to_object, plan, "
        "data, started, host) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        "[s,s,o,o,o,o,s,s?,I,s]", row->id, row->kind, rb_json_text(row->from),
        rb_json_text(row->from_object), rb_json_text(row->to), rb_json_text(row->to_object),
        plan.data, data.data, (json_int_t)time(NULL), state->host);
    return rb_state_held(state, code, false, err);
}

enum rb_code rb_state_data(json_t **out, rb_state *state, const char *transition, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    RB_TRY(rb_state_query(&rows, state, err, "SELECT data FROM transition_log WHERE id = ?", "[s]",
                          transition));
    const json_t *cell = json_array_get(json_array_get(rows, 0), 0);
    if (!json_is_null(cell))
        return rb_state_read_json(out, state, cell, &rb_state_data_shape,
                                  "the plan of a transition", err);
    return rb_fail(err, RB_HALFWAY,
                   "transition %s was begun on another host, so that its plan is not carried out "
                   "here\ngo back with `rbtool abort`",
                   transition);
}

enum rb_code rb_state_plan_set(rb_state *state, const char *transition, const char *key,
                               const json_t *value, rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    rb_json_canonical(&text, value);
    RB_TRY(rb_state_hold(state, err));
    return rb_state_change(
        state, err,
        "UPDATE transition_log SET plan = json_set(plan, '$.' || ?, json(?)) WHERE id = ?",
        "[s,s,s]", key, rb_buf_str(&text), transition);
}

/* A commit that reports an error may have happened: SQLite may have deleted its journal file before
 * the sync of the folder failed. So the file's content decides. */
static bool has_ended(rb_state *state, const char *transition, const char *outcome)
{
    rb_err ignored;
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    if (rb_state_query(&rows, state, &ignored, "SELECT outcome FROM transition_log WHERE id = ?",
                       "[s]", transition) != RB_OK)
        return false;
    const char *stored = rb_state_cell(json_array_get(rows, 0), 0);
    return stored && strcmp(stored, outcome) == 0;
}

/* Transitions that an abort undid end together with it. */
enum rb_code rb_state_end(rb_state *state, const char *transition, const char *outcome,
                          const char *error, const rb_live *live, rb_err *err)
{
    enum rb_code code = RB_OK;
    RB_TRY(rb_state_hold(state, err));
    for (int part = 0; live && part < RB_PARTS && code == RB_OK; part++)
        if (live->tag[part])
            code =
                rb_state_change(state, err, "REPLACE INTO live(part, tag, object) VALUES (?, ?, ?)",
                                "[s,s,o]", rb_part_name((enum rb_part)part), live->tag[part],
                                rb_json_text(live->object[part]));
    if (code == RB_OK)
        code = rb_state_change(
            state, err,
            "UPDATE transition_log SET outcome = ?1, error = ?2, finished = ?3 WHERE id = ?4",
            "[s,o,I,s]", outcome, rb_json_text(error), (json_int_t)time(NULL), transition);
    if (code == RB_OK && rb_outcome_reached(outcome))
        code = rb_state_change(
            state, err,
            "UPDATE transition_log SET outcome = 'interrupted', finished = ? WHERE outcome IS NULL",
            "[I]", (json_int_t)time(NULL));
    if (code == RB_OK)
        code = rb_state_change(
            state, err,
            "UPDATE transition_log SET data = NULL WHERE outcome IS NOT NULL AND data IS NOT NULL",
            NULL);
    bool written = code == RB_OK;
    code = rb_state_held(state, code, true, err);
    return code == RB_OK || (written && has_ended(state, transition, outcome)) ? RB_OK : code;
}

/* An inverse does not change how the step's last run is recorded. */
enum rb_code rb_state_step(rb_state *state, const char *transition, const char *step,
                           enum rb_step_state now, rb_err *err)
{
    RB_TRY(rb_state_hold(state, err));
    enum rb_code code = rb_state_change(
        state, err,
        "INSERT INTO step(transition_id, step, state, at) VALUES (?, ?, ?, ?) ON "
        "CONFLICT(transition_id, step) DO UPDATE SET state = excluded.state, at = excluded.at",
        "[s,s,s,I]", transition, step, step_states[now], (json_int_t)time(NULL));
    return rb_state_held(state, code, true, err);
}

enum rb_code rb_state_step_ended(rb_state *state, const char *transition, const char *step,
                                 enum rb_step_state now, int64_t milliseconds, rb_err *err)
{
    RB_TRY(rb_state_hold(state, err));
    enum rb_code code = rb_state_change(state, err,
                                        "UPDATE step SET state = ?1, outcome = ?1, at = ?2, "
                                        "milliseconds = ?3 WHERE transition_id = ?4 AND step = ?5",
                                        "[s,I,I,s,s]", step_states[now], (json_int_t)time(NULL),
                                        (json_int_t)milliseconds, transition, step);
    return rb_state_held(state, code, false, err);
}

enum rb_code rb_state_step_get(enum rb_step_state *out, rb_state *state, const char *transition,
                               const char *step, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    RB_TRY(rb_state_query(&rows, state, err,
                          "SELECT state FROM step WHERE transition_id = ? AND step = ?", "[s,s]",
                          transition, step));
    *out = RB_STEP_NONE;
    const char *name = rb_state_cell(json_array_get(rows, 0), 0);
    for (int i = 0; name && i <= RB_STEP_UNDONE; i++)
        if (strcmp(name, step_states[i]) == 0)
            *out = (enum rb_step_state)i;
    return RB_OK;
}

enum rb_code rb_state_steps(json_t **out, rb_state *state, const rb_transition_row *row,
                            rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *known = NULL;
    RB_TRY(rb_state_list(
        &known, state, &rb_state_step_shape, "a step", err,
        "SELECT json_object('id', step, 'outcome', CASE WHEN outcome = 'failed' THEN outcome WHEN "
        "state IN ('undone', 'done') THEN state ELSE 'interrupted' END, 'milliseconds', "
        "milliseconds) FROM step WHERE transition_id = ? AND state <> 'none'",
        "[s]", row->id));
    *out = json_array();
    rb_json_each (step, json_object_get(row->plan, "steps"))
        rb_json_each (item, known)
            if (rb_json_same(json_object_get(step, "id"), json_object_get(item, "id")))
                json_array_append(*out, item);
    return RB_OK;
}

enum rb_code rb_state_said_set(rb_state *state, const char *transition, const char *step,
                               const char *message, const char *output, rb_err *err)
{
    RB_TRY(rb_state_hold(state, err));
    return rb_state_change(
        state, err, "REPLACE INTO said(transition_id, step, message, output) VALUES (?, ?, ?, ?)",
        "[s,s,o,o]", transition, step, rb_json_text(message), rb_json_text(output));
}

enum rb_code rb_state_said(json_t **out, rb_state *state, const char *transition, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *list = NULL;
    *out = NULL;
    RB_TRY(rb_state_list(&list, state, &rb_state_said_shape, "a failed step", err,
                         "SELECT json_object('step', step, 'message', message, 'output', output) "
                         "FROM said WHERE transition_id = ? ORDER BY rowid DESC LIMIT 1",
                         "[s]", transition));
    *out = json_incref(json_array_get(list, 0));
    return RB_OK;
}

enum rb_code rb_state_times(json_t **out, rb_state *state, const char *kind, size_t limit,
                            rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    RB_AUTO(rb_json_freep) json_t *list = json_array();
    RB_TRY(rb_state_query(&rows, state, err,
                          "SELECT t.id, s.step, s.milliseconds FROM transition_log AS t JOIN step "
                          "AS s ON s.transition_id = t.id WHERE t.kind = ? AND " RB_STATE_REACHED
                          " AND s.milliseconds IS NOT NULL ORDER BY t.sequence DESC LIMIT ?",
                          "[s,i]", kind, TIMES_LIMIT));
    const char *last = NULL;
    json_t *item = NULL;
    rb_json_each (row, rows) {
        const char *id = rb_state_cell(row, 0);
        const char *step = rb_state_cell(row, 1);
        if (!id || !step)
            continue;
        if (!last || strcmp(last, id) != 0) {
            if (json_array_size(list) == limit)
                break;
            item = json_object();
            json_array_append_new(list, item);
            last = id;
        }
        json_object_set(item, step, json_array_get(row, 2));
    }
    *out = RB_TAKE(list);
    return RB_OK;
}

/* SQL: a revert that reached its target is a verdict on its source, if its plan says so. */
#define MISSING_TRANSITION                                                                         \
    "NOT EXISTS (SELECT 1 FROM entry e WHERE e.transition_id = t.id AND e.kind = 'transition')"
#define MISSING_VERDICT                                                                            \
    "(json_extract(t.plan, '$.marksBad') = 1 AND " RB_STATE_REACHED " AND NOT EXISTS (SELECT 1 "   \
    "FROM entry e WHERE e.transition_id = t.id AND e.kind = 'verdict'))"

enum rb_code rb_state_outbox(rb_transition_rows *out, rb_state *state, rb_err *err)
{
    RB_AUTO(rb_free_str)
    char *where =
        rb_format("%d AND t.outcome IS NOT NULL AND t.host = '%s' AND (" MISSING_TRANSITION
                  " OR " MISSING_VERDICT ")",
                  !state->copy, state->host);
    return read_rows(out, state, "json(plan)", MISSING_VERDICT, where, "", err);
}

enum rb_code rb_state_written(rb_state *state, const char *transition, const char *kind,
                              const char *entry, rb_err *err)
{
    RB_TRY(rb_state_hold(state, err));
    return rb_state_change(state, err,
                           "REPLACE INTO entry(transition_id, kind, id) VALUES (?, ?, ?)",
                           "[s,s,s]", transition, kind, entry);
}

enum rb_code rb_state_entries(rb_strs *out, rb_state *state, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    RB_TRY(rb_state_query(&rows, state, err, "SELECT id FROM entry", NULL));
    rb_json_each (row, rows)
        if (rb_state_cell(row, 0))
            rb_strs_add(out, rb_state_cell(row, 0));
    return RB_OK;
}
