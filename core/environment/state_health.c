/* The last result of an environment's checks, what steps that failed reported, and how long steps
 * took. */
#include <stdlib.h>
#include <string.h>

#include "base/shape.h"
#include "environment/state_internal.h"

#define TIMES_LIMIT 500 /* rows of steps that are looked at */

#define OBJECT(...)                                                                                \
    {                                                                                              \
        .kind = RB_SHAPE_OBJECT, .open = true, .fields = RB_SHAPE_FIELDS(__VA_ARGS__)              \
    }

static const rb_shape text = {.kind = RB_SHAPE_STRING};
static const rb_shape text_or_null = {.kind = RB_SHAPE_STRING, .nullable = true};
static const rb_shape boolean = {.kind = RB_SHAPE_BOOLEAN};
static const rb_shape time_shape = {.kind = RB_SHAPE_INTEGER, .min = 0, .max = 253402300799};
static const rb_shape failure =
    OBJECT({"name", &text, false}, {"message", &text, false}, {"output", &text_or_null, true});
static const rb_shape failures = {.kind = RB_SHAPE_ARRAY, .item = &failure};
static const rb_shape health_shape =
    OBJECT({"health", &text, false}, {"down", &boolean, false}, {"at", &time_shape, false},
           {"release", &text, false}, {"message", &text_or_null, true},
           {"output", &text_or_null, true}, {"failures", &failures, false});

/* A journal that an older rbtool began may lack it. */
static enum rb_code has_table(bool *out, rb_state *state, const char *name, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *params = json_pack("[s]", name);
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    RB_TRY(rb_sqlite_query(&rows, state->db, "SELECT 1 FROM sqlite_schema WHERE name = ?", params,
                           err));
    *out = json_array_size(rows) > 0;
    return RB_OK;
}

enum rb_code rb_state_health_set(rb_state *state, const json_t *health, rb_err *err)
{
    RB_TRY(rb_state_hold(state, err));
    if (!health)
        return rb_state_change(state, "DELETE FROM health", NULL, err);
    RB_AUTO(rb_buf_clear) rb_buf stored = {0};
    rb_json_canonical(&stored, health);
    return rb_state_change(state, "REPLACE INTO health(one, result) VALUES (1, ?)",
                           json_pack("[s]", rb_buf_str(&stored)), err);
}

enum rb_code rb_state_health(json_t **out, rb_state *state, rb_err *err)
{
    bool there;
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    *out = NULL;
    RB_TRY(has_table(&there, state, "health", err));
    if (!there)
        return RB_OK;
    RB_TRY(rb_sqlite_query(&rows, state->db, "SELECT result FROM health", NULL, err));
    if (json_array_size(rows) == 0)
        return RB_OK;
    return rb_state_read_json(out, state, json_array_get(json_array_get(rows, 0), 0), &health_shape,
                              "the last result of the checks", err);
}

enum rb_code rb_state_said_set(rb_state *state, const char *transition, const char *step,
                               const char *message, const char *output, rb_err *err)
{
    RB_TRY(rb_state_hold(state, err));
    return rb_state_change(
        state, "REPLACE INTO said(transition_id, step, message, output) VALUES (?, ?, ?, ?)",
        json_pack("[s,s,o,o]", transition, step, rb_json_text(message), rb_json_text(output)), err);
}

enum rb_code rb_state_said(json_t **out, rb_state *state, const char *transition, rb_err *err)
{
    bool there;
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    RB_AUTO(rb_json_freep) json_t *params = json_pack("[s]", transition);
    *out = NULL;
    RB_TRY(has_table(&there, state, "said", err));
    if (!there)
        return RB_OK;
    RB_TRY(
        rb_sqlite_query(&rows, state->db,
                        "SELECT step, message, output FROM said WHERE transition_id = ? ORDER BY "
                        "rowid DESC LIMIT 1",
                        params, err));
    const json_t *row = json_array_get(rows, 0);
    if (!row)
        return RB_OK;
    *out = json_object();
    rb_json_set_str(*out, "step", rb_state_cell(row, 0));
    rb_json_set_str(*out, "message", rb_state_cell(row, 1));
    rb_json_set_str(*out, "output", rb_state_cell(row, 2));
    return RB_OK;
}

enum rb_code rb_state_times(json_t **out, rb_state *state, const char *kind, size_t limit,
                            rb_err *err)
{
    bool there;
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    RB_AUTO(rb_json_freep) json_t *list = json_array();
    RB_AUTO(rb_json_freep) json_t *params = json_pack("[s,i]", kind, TIMES_LIMIT);
    RB_TRY(rb_state_has_tables(&there, state, err));
    if (there)
        RB_TRY(rb_sqlite_query(
            &rows, state->db,
            "SELECT t.id, s.step, s.milliseconds FROM transition_log AS t JOIN step "
            "AS s ON s.transition_id = t.id WHERE t.kind = ? AND t.outcome IN "
            "('done', 'unhealthy', 'down') AND s.milliseconds IS NOT NULL ORDER BY "
            "t.sequence DESC LIMIT ?",
            params, err));
    const char *last = NULL;
    json_t *item = NULL;
    size_t i;
    json_t *row;
    json_array_foreach (rows, i, row) {
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
    *out = list;
    list = NULL;
    return RB_OK;
}
