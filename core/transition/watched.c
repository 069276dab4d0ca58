#include "transition/watched.h"

#include <string.h>

#include "base/text.h"
#include "environment/state_watch.h"
#include "transition/parts.h"

/* Returns why the deploy cannot be undone without a person's decision, as a new string, or NULL. */
static char *blocked(const rb_run *run)
{
    const rb_plan_request *rq = run->request;
    const json_t *failing = rb_plan_before(run->plan->json, "failing");
    if (!rq->from)
        return rb_strdup("nothing was live before");
    for (int part = 0; part < RB_PARTS; part++)
        if (rq->part_from[part])
            return rb_strdup("its parts came from several releases");
    if (strcmp(rq->from->tag, rq->to->tag) == 0)
        return rb_format("%s was live before", rq->to->tag);
    if (json_array_size(failing) > 0)
        return rb_format("\"%s\" failed on %s already, before the deploy",
                         json_string_value(json_array_get(failing, 0)), rq->from->tag);
    return NULL;
}

static enum rb_code begin(const rb_run *run, int64_t milliseconds, rb_err *err)
{
    const rb_plan_request *rq = run->request;
    const int64_t now = rb_watch_now();
    RB_AUTO(rb_free_str) char *why = blocked(run);
    RB_AUTO(rb_free_str) char *only = rb_parts_option(run->plan->json);
    json_t *parts = json_array();
    for (int part = 0; *only && part < RB_PARTS; part++)
        if (run->plan->parts[part])
            json_array_append_new(parts, json_string(rb_part_name((enum rb_part)part)));
    RB_AUTO(rb_json_freep)
    json_t *watch = rb_json_make(
        "transition:s release:s object:s from:s only:j began:i deadline:i rounds:d "
        "failed:d firstFailed:0 "
        "detected:0 restored:0 blocked:s message:0 held:0 outcome:0 valuesBefore:J "
        "values:j",
        run->plan->id, rq->to->tag, rq->to->object, rq->from ? rq->from->tag : NULL, parts, now,
        now + milliseconds, 0, 0, why, rb_plan_before(run->plan->json, "values"), json_object());
    return rb_state_watch_set(run->state, watch, err);
}

/* Ends the watch after its automatic revert. If the target is unhealthy, too, TAG is not the cause
 * and is not marked bad. */
static enum rb_code end(const rb_run *run, const rb_err *unhealthy, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *watch = NULL;
    bool over;
    RB_TRY(rb_state_watch(&watch, &over, run->state, err));
    if (watch && !unhealthy) {
        rb_json_set(watch, "restored:i outcome:s", rb_watch_now(), "reverted");
        return rb_state_watch_set(run->state, watch, err);
    }
    return unhealthy ? rb_state_unmark(run->state, run->plan->id, err) : RB_OK;
}

enum rb_code rb_watched_end(const rb_run *run, const rb_err *unhealthy, rb_err *err)
{
    const json_t *watch = rb_plan_before(run->plan->json, "watch");
    if (rb_plan_before(run->plan->json, "watchOf"))
        return end(run, unhealthy, err);
    return watch && !unhealthy ? begin(run, json_integer_value(watch), err) : RB_OK;
}
