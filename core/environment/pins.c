#include "environment/state_internal.h"

/* The journal of an older rbtool has no table of pins until it is opened for writing. */
static enum rb_code has_pins(bool *out, rb_state *state, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    RB_TRY(rb_sqlite_query(&rows, state->db, "SELECT 1 FROM sqlite_schema WHERE name = 'pin'", NULL,
                           err));
    *out = json_array_size(rows) > 0;
    return RB_OK;
}

enum rb_code rb_state_pin(char **out, rb_state *state, const char *name, rb_err *err)
{
    bool there;
    *out = NULL;
    RB_TRY(has_pins(&there, state, err));
    if (!there)
        return RB_OK;
    RB_AUTO(rb_json_freep) json_t *params = json_pack("[s]", name);
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    RB_TRY(rb_sqlite_query(&rows, state->db, "SELECT value FROM pin WHERE name = ?", params, err));
    if (json_array_size(rows) == 0)
        return RB_OK;
    return rb_state_text(out, state, json_array_get(rows, 0), 0, "pin", true, err);
}

enum rb_code rb_state_pin_set(rb_state *state, const char *name, const char *value, rb_err *err)
{
    return rb_state_change(state, "REPLACE INTO pin(name, value) VALUES (?, ?)",
                           json_pack("[s,s]", name, value), err);
}
