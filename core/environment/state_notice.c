#include "environment/state_notice.h"

#include "environment/state_internal.h"

enum rb_code rb_state_happened(json_t **out, rb_state *state, rb_err *err)
{
    static const char sql[] =
        "SELECT json_object('id', t.id, 'kind', t.kind, 'from', t.from_tag, 'to', t.to_tag, "
        "'object', t.to_object, 'outcome', t.outcome, 'error', t.error, 'started', t.started, "
        "'finished', t.finished, 'app', t.plan ->> '$.app', 'only', json(t.plan -> '$.only'), "
        "'step', (SELECT s.step FROM step s WHERE s.transition_id = t.id ORDER BY s.at DESC, "
        "s.rowid DESC LIMIT 1), 'at', (SELECT max(s.at) FROM step s WHERE s.transition_id = t.id), "
        "'said', (SELECT d.message FROM said d WHERE d.transition_id = t.id ORDER BY d.rowid DESC "
        "LIMIT 1), 'begun', json(iif(EXISTS (SELECT 1 FROM notice n WHERE n.id = t.id || "
        "'-begun'), 'true', 'false')), 'paused', json(t.plan -> '$.paused'), 'watch', (SELECT "
        "json(w.detail) FROM watch w WHERE w.transition_id = t.id)) FROM (SELECT * FROM "
        "transition_log WHERE host = ? ORDER BY sequence DESC LIMIT 8) AS t ORDER BY t.sequence";
    return rb_state_list(out, state, &rb_state_happened_shape, "a transition", err, sql, "[s]",
                         state->host);
}

enum rb_code rb_state_notice_add(rb_state *state, const char *id, const char *command,
                                 const json_t *event, rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    rb_json_canonical(&text, event);
    RB_TRY(rb_state_hold(state, err));
    RB_TRY(rb_state_change(state, err,
                           "INSERT OR IGNORE INTO notice(id, command, event) VALUES (?, ?, ?)",
                           "[s,s,s]", id, command, rb_buf_str(&text)));
    return rb_state_change(
        state, err,
        "DELETE FROM notice WHERE sequence <= (SELECT max(sequence) FROM notice) - 1000", NULL);
}

enum rb_code rb_state_notices(json_t **out, rb_state *state, rb_err *err)
{
    return rb_state_list(out, state, &rb_state_notice_shape, "an event", err,
                         "SELECT json_object('sequence', sequence, 'id', id, 'command', command, "
                         "'event', json(event), 'attempts', attempts, 'error', error) FROM notice "
                         "WHERE NOT delivered ORDER BY attempts, sequence",
                         NULL);
}

enum rb_code rb_state_notice_tried(rb_state *state, int64_t sequence, const char *error,
                                   rb_err *err)
{
    RB_TRY(rb_state_hold(state, err));
    return rb_state_change(
        state, err,
        "UPDATE notice SET attempts = attempts + 1, error = ?, delivered = ? WHERE sequence = ?",
        "[s?,i,I]", error, error == NULL, (json_int_t)sequence);
}
