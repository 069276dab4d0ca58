#include "environment/state_watch.h"

#include <time.h>

#include "base/text.h"
#include "environment/lock.h"
#include "environment/state_internal.h"

int64_t rb_watch_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

enum rb_code rb_state_watch_set(rb_state *state, const json_t *watch, rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    rb_json_canonical(&text, watch);
    RB_TRY(rb_state_hold(state, err));
    return rb_state_change(state, err, "REPLACE INTO watch(transition_id, detail) VALUES (?, ?)",
                           "[s,s]", rb_json_str(watch, "transition"), rb_buf_str(&text));
}

enum rb_code rb_state_watch(json_t **out, bool *over, rb_state *state, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    *out = NULL;
    *over = false;
    RB_TRY(rb_state_query(
        &rows, state, err,
        "SELECT w.detail, EXISTS (SELECT 1 FROM transition_log n WHERE n.sequence > t.sequence AND "
        "n.plan ->> '$.before.watchOf' IS NOT t.id) FROM watch w JOIN transition_log t ON t.id = "
        "w.transition_id ORDER BY t.sequence DESC LIMIT 1",
        NULL));
    const json_t *row = json_array_get(rows, 0);
    if (!row)
        return RB_OK;
    *over = json_integer_value(json_array_get(row, 1)) != 0;
    return rb_state_read_json(out, state, json_array_get(row, 0), &rb_state_watch_shape, "a watch",
                              err);
}

enum rb_code rb_state_watch_open(json_t **out, rb_state *state, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *watch = NULL;
    bool over;
    RB_TRY(rb_state_watch(&watch, &over, state, err));
    *out = over || rb_json_str(watch, "outcome") ? NULL : RB_TAKE(watch);
    return RB_OK;
}

bool rb_state_watch_is_open(rb_state *state)
{
    RB_AUTO(rb_json_freep) json_t *watch = NULL;
    return state && rb_state_watch_open(&watch, state, RB_IGNORED) == RB_OK && watch;
}

enum rb_code rb_state_watch_settle(rb_state *state, const char *root, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *watch = NULL;
    RB_AUTO(rb_lock_releasep) rb_lock *lock = NULL;
    bool over;
    RB_TRY(rb_state_watch(&watch, &over, state, err));
    bool failed = rb_json_int(watch, "detected", 0) > 0;
    if (!watch || rb_json_str(watch, "outcome") ||
        (!over && (failed || rb_watch_now() <= rb_json_int(watch, "deadline", 0))))
        return RB_OK;
    if (rb_lock_take_watch(&lock, root, RB_IGNORED) != RB_OK)
        return RB_OK;
    rb_json_set_str(watch, "outcome", failed ? "held" : over ? "superseded" : "unobserved");
    RB_TRY(rb_state_watch_set(state, watch, err));
    return rb_state_flush(state, err);
}

enum rb_code rb_state_watches(json_t **out, rb_state *state, rb_err *err)
{
    return rb_state_list(
        out, state, &rb_state_watch_shape, "a watch", err,
        "SELECT w.detail FROM watch w JOIN transition_log t ON t.id = w.transition_id WHERE NOT ? "
        "AND w.detail ->> '$.outcome' IS NOT NULL AND t.host = ? AND NOT EXISTS (SELECT 1 FROM "
        "entry e WHERE e.transition_id = t.id AND e.kind = 'watch') ORDER BY t.sequence",
        "[i,s]", (int)state->copy, state->host);
}

enum rb_code rb_state_unmark(rb_state *state, const char *transition, rb_err *err)
{
    RB_TRY(rb_state_hold(state, err));
    return rb_state_change(state, err,
                           "UPDATE transition_log SET plan = json_remove(plan, '$.marksBad') WHERE "
                           "id = ?",
                           "[s]", transition);
}
