#include "transition/pause.h"

#include <time.h>

#include "base/text.h"
#include "transition/ledger_outbox.h"
#include "transition/plan_make.h"

/* Lists the steps that a plan can pause before. */
static void pauses(rb_strs *names, const rb_plan *plan)
{
    bool open = false;
    for (size_t i = 0; i < plan->order_count; i++) {
        const enum rb_step_kind kind = plan->order[i];
        if (!open)
            rb_strs_add(names, rb_step_kind_name(kind));
        open = (open || kind == RB_DO_DATABASE) && kind != RB_DO_COMMIT;
    }
}

enum rb_code rb_pause_ask(const rb_plan *plan, const char *step, const char *why,
                          const rb_plan_request *request, rb_err *err)
{
    RB_AUTO(rb_strs_clear) rb_strs names = {0};
    pauses(&names, plan);
    RB_AUTO(rb_free_str) char *list = rb_strs_join(&names, 0);
    RB_AUTO(rb_free_str) char *by = rb_transition_by(request->session->repo);
    bool exists = false;
    for (size_t i = 0; i < plan->order_count; i++)
        exists = exists || rb_text_same(rb_step_kind_name(plan->order[i]), step);
    RB_AUTO(rb_free_str)
    char *next = rb_plan_with_value(request, "--pause-before",
                                    exists ? rb_step_kind_name(RB_DO_DATABASE) : names.items[0]);
    if (!rb_strs_has(&names, step))
        return rb_fail(
            err, RB_ERROR,
            "the %s of %s to %s cannot pause before step %s: %s\nname one of the steps %s, for "
            "example %s",
            plan->kind, request->env->name, request->to->tag, step,
            exists ? "a database transaction is open there" : "its plan has no such step", list,
            next);
    json_object_set_new(plan->json, "paused",
                        rb_json_make("step:s why:s by:s at:0 resumed:0", step, why, by));
    return RB_OK;
}

const json_t *rb_paused(const json_t *plan)
{
    const json_t *pause = json_object_get(plan, "paused");
    return json_is_integer(json_object_get(pause, "at")) &&
                   !json_is_integer(json_object_get(pause, "resumed"))
               ? pause
               : NULL;
}

static enum rb_code note(const rb_run *run, const char *key, rb_err *err)
{
    json_t *pause = json_object_get(run->plan->json, "paused");
    json_object_set_new(pause, key, json_integer((json_int_t)time(NULL)));
    return rb_state_plan_set(run->state, run->plan->id, "paused", pause, err);
}

enum rb_code rb_pause_before(const rb_run *run, enum rb_step_kind kind, rb_err *err)
{
    const json_t *pause = json_object_get(run->plan->json, "paused");
    if (!rb_text_same(rb_json_str(pause, "step"), rb_step_kind_name(kind)) ||
        json_is_integer(json_object_get(pause, "at")))
        return RB_OK;
    RB_TRY(note(run, "at", err));
    RB_TRY(rb_state_flush(run->state, err));
    const char *env = run->request->env->name;
    return rb_fail(
        err, RB_HALFWAY,
        "the %s of %s to %s is paused before step %s: %s\ncontinue it with `rbtool resume "
        "--env %s`, or go back with `rbtool abort --env %s`",
        run->plan->kind, env, run->request->to->tag, rb_step_kind_name(kind),
        rb_json_str(pause, "why"), env, env);
}

enum rb_code rb_pause_end(const rb_run *run, rb_err *err)
{
    return rb_paused(run->plan->json) ? note(run, "resumed", err) : RB_OK;
}
