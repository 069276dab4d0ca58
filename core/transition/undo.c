/* The inverses of a transition's steps, from the journal alone. */
#include <stdlib.h>
#include <string.h>

#include "transition/execute.h"

bool rb_plan_is_again(const json_t *plan)
{
    return json_is_true(json_object_get(json_object_get(plan, "before"), "again"));
}

void rb_undo_init(rb_undo *undo, const rb_env *env, rb_state *state, const rb_transition_row *row)
{
    const json_t *known = json_object_get(row->plan, "before");
    *undo = (rb_undo){.env = env,
                      .state = state,
                      .transition = row->id,
                      .from = row->from,
                      .to = row->to,
                      .current_before = rb_json_bytes(known, "current"),
                      .staged_before = json_is_true(json_object_get(known, "staged")),
                      .again = rb_plan_is_again(row->plan)};
    size_t i;
    json_t *item;
    json_array_foreach (json_object_get(known, "creates"), i, item) {
        RB_AUTO(rb_free_str) char *path = rb_json_bytes(item, "path");
        if (path)
            rb_strs_add(&undo->creates, path);
    }
}

void rb_undo_clear(rb_undo *undo)
{
    free(undo->current_before);
    rb_strs_clear(&undo->creates);
    undo->current_before = NULL;
}

enum rb_step_kind rb_step_kind_of(const char *name)
{
    for (int kind = 0; kind < RB_STEP_KINDS; kind++)
        if (name && strcmp(name, rb_step_kind_name((enum rb_step_kind)kind)) == 0)
            return (enum rb_step_kind)kind;
    return RB_STEP_KINDS;
}

static enum rb_code undo_one(const rb_undo *undo, const char *name, rb_err *err)
{
    enum rb_step_state state;
    RB_TRY(rb_state_step_get(&state, undo->state, undo->transition, name, err));
    if (state == RB_STEP_NONE || state == RB_STEP_UNDONE)
        return RB_OK;
    /* A step whose inverse was begun is not done, should this be cut off and continued. */
    if (state != RB_STEP_INTENT)
        RB_TRY(rb_state_step(undo->state, undo->transition, name, RB_STEP_INTENT, err));
    RB_TRY(rb_step_undo(undo, rb_step_kind_of(name), state, err));
    return rb_state_step(undo->state, undo->transition, name, RB_STEP_UNDONE, err);
}

enum rb_code rb_undo_all(const rb_undo *undo, const json_t *plan, rb_err *err)
{
    const json_t *steps = json_object_get(plan, "steps");
    const char *started = NULL;
    for (size_t i = json_array_size(steps); i > 0; i--) {
        const char *name = rb_json_str(json_array_get(steps, i - 1), "id");
        if (!name)
            continue;
        if (rb_step_kind_of(name) == RB_DO_START && undo->env->stop.n == 0)
            started = name;
        else
            RB_TRY(undo_one(undo, name, err));
    }
    /* Where nothing stops the service, it is started again once all that it reads is back. */
    return started ? undo_one(undo, started, err) : RB_OK;
}
