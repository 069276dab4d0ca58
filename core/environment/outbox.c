#include <stdlib.h>
#include <string.h>

#include "environment/state_internal.h"

/* A revert that reached its TO is a verdict on its FROM if its plan says so. */
#define MISSING_TRANSITION                                                                         \
    "NOT EXISTS (SELECT 1 FROM entry e WHERE e.transition_id = t.id AND e.kind = 'transition')"
#define MISSING_VERDICT                                                                            \
    "(json_extract(t.plan, '$.marksBad') = 1 AND t.outcome IN ('done', 'unhealthy', 'down') AND "  \
    "NOT EXISTS (SELECT 1 "                                                                        \
    "FROM "                                                                                        \
    "entry e WHERE e.transition_id = t.id AND e.kind = 'verdict'))"

enum rb_code rb_state_has_outbox(bool *out, rb_state *state, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    RB_TRY(rb_sqlite_query(&rows, state->db, "SELECT 1 FROM sqlite_schema WHERE name = 'entry'",
                           NULL, err));
    *out = json_array_size(rows) > 0;
    return RB_OK;
}

void rb_outbox_free(rb_outbox_item *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        rb_transition_row_free(items[i].row);
    free(items);
}

static enum rb_code has_entry(bool *out, rb_state *state, const char *transition, const char *kind,
                              rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *params = json_pack("[s,s]", transition, kind);
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    RB_TRY(rb_sqlite_query(
        &rows, state->db, "SELECT 1 FROM entry WHERE transition_id = ? AND kind = ?", params, err));
    *out = json_array_size(rows) > 0;
    return RB_OK;
}

enum rb_code rb_state_outbox(rb_outbox_item **out, size_t *count, rb_state *state, rb_err *err)
{
    bool there;
    rb_transition_row **rows = NULL;
    size_t n = 0;
    *out = NULL;
    *count = 0;
    RB_TRY(rb_state_has_tables(&there, state, err));
    if (there)
        RB_TRY(rb_state_has_outbox(&there, state, err));
    RB_AUTO(rb_free_str)
    char *where = rb_format("t.outcome IS NOT NULL AND t.host = '%s'%s", state->host,
                            there ? " AND (" MISSING_TRANSITION " OR " MISSING_VERDICT ")" : "");
    if (!state->copy)
        RB_TRY(rb_state_rows(&rows, &n, state, "plan", where, err));
    rb_outbox_item *items = rb_calloc(n + 1, sizeof *items);
    enum rb_code code = RB_OK;
    for (size_t i = 0; i < n; i++) {
        rb_outbox_item *item = &items[n - 1 - i];
        item->row = rows[i];
        item->transition = !rows[i]->entry;
        bool reached = json_is_true(json_object_get(rows[i]->plan, "marksBad")) &&
                       rb_outcome_reached(rows[i]->outcome);
        bool has = !reached;
        if (reached && there && code == RB_OK)
            code = has_entry(&has, state, rows[i]->id, "verdict", err);
        item->verdict = !has;
    }
    free(rows);
    if (code != RB_OK) {
        rb_outbox_free(items, n);
        return code;
    }
    *out = items;
    *count = n;
    return RB_OK;
}

enum rb_code rb_state_written(rb_state *state, const char *transition, const char *kind,
                              const char *entry, rb_err *err)
{
    RB_TRY(rb_state_hold(state, err));
    return rb_state_change(state, "REPLACE INTO entry(transition_id, kind, id) VALUES (?, ?, ?)",
                           json_pack("[s,s,s]", transition, kind, entry), err);
}

enum rb_code rb_state_entries(rb_strs *out, rb_state *state, rb_err *err)
{
    bool there;
    RB_TRY(rb_state_has_outbox(&there, state, err));
    if (!there)
        return RB_OK;
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    RB_TRY(rb_sqlite_query(&rows, state->db, "SELECT id FROM entry", NULL, err));
    size_t i;
    json_t *row;
    json_array_foreach (rows, i, row) {
        const char *id = json_string_value(json_array_get(row, 0));
        if (id)
            rb_strs_add(out, id);
    }
    return RB_OK;
}

/* Returns a step's outcome. state: of its journal row; outcome NULL: its end was not recorded. */
static const char *what_became(const char *state, const char *outcome)
{
    if (outcome && strcmp(outcome, rb_step_state_name(RB_STEP_FAILED)) == 0)
        return outcome;
    if (strcmp(state, rb_step_state_name(RB_STEP_UNDONE)) == 0)
        return state;
    return strcmp(state, rb_step_state_name(RB_STEP_DONE)) == 0 ? state : "interrupted";
}

enum rb_code rb_state_steps(json_t **out, rb_state *state, const rb_transition_row *row,
                            rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *params = json_pack("[s]", row->id);
    RB_AUTO(rb_json_freep) json_t *known = NULL;
    RB_TRY(
        rb_sqlite_query(&known, state->db,
                        "SELECT step, state, outcome, milliseconds FROM step WHERE transition_id = "
                        "? AND state <> 'none'",
                        params, err));
    json_t *list = json_array();
    size_t i;
    size_t j;
    json_t *step;
    json_t *cells;
    json_array_foreach (json_object_get(row->plan, "steps"), i, step) {
        const char *id = rb_json_str(step, "id");
        json_array_foreach (known, j, cells) {
            const char *name = json_string_value(json_array_get(cells, 0));
            const char *now = json_string_value(json_array_get(cells, 1));
            if (!id || !name || !now || strcmp(id, name) != 0)
                continue;
            json_t *item = json_object();
            rb_json_set_str(item, "id", id);
            rb_json_set_str(item, "outcome",
                            what_became(now, json_string_value(json_array_get(cells, 2))));
            json_object_set(item, "milliseconds", json_array_get(cells, 3));
            json_array_append_new(list, item);
        }
    }
    *out = list;
    return RB_OK;
}
