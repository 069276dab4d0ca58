#include "transition/service.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/text.h"
#include "environment/checks.h"

static const char *from_tag(const rb_run *run)
{
    return run->request->from ? run->request->from->tag : NULL;
}

/* Does nothing if the settings no longer have the command that the plan had. */
enum rb_code rb_service_stop(rb_run *run, rb_err *err)
{
    const rb_env *env = run->request->env;
    return env->stop.n == 0
               ? RB_OK
               : rb_command_run(&run->output, env, &env->stop, RB_SERVICE_TIMEOUT,
                                "stopping the service", from_tag(run), run->request->to->tag, err);
}

enum rb_code rb_service_start(rb_run *run, rb_err *err)
{
    const rb_env *env = run->request->env;
    if (env->start.n == 0)
        return RB_OK;
    enum rb_code code =
        rb_command_run(&run->output, env, &env->start, RB_SERVICE_TIMEOUT, "starting the service",
                       from_tag(run), run->request->to->tag, err);
    if (code != RB_OK)
        err->code = RB_FOUND;
    return code == RB_OK ? RB_OK : RB_FOUND;
}

static void progress(void *context, const char *text)
{
    const rb_run *run = context;
    run->progress(run->context, rb_step_kind_name(RB_DO_CHECKS), text);
}

/* If the service could not be started, only checks whether it runs nevertheless. */
enum rb_code rb_service_checks(rb_run *run, rb_err *err)
{
    const rb_env *env = run->request->env;
    const rb_checking checking = {.env = env,
                                  .from = from_tag(run),
                                  .to = run->request->to->tag,
                                  .kind = run->request->kind,
                                  .once = run->down,
                                  .values = run->values,
                                  .before = rb_plan_before(run->plan->json, "values"),
                                  .progress = run->progress ? progress : NULL,
                                  .context = run};
    rb_checks_run(run->failures, &checking);
    size_t failed = json_array_size(run->failures);
    if (failed == 0)
        return RB_OK;
    const char *first = rb_json_str(json_array_get(run->failures, 0), "message");
    return failed == 1 ? rb_fail(err, RB_FOUND, "%s", first)
                       : rb_fail(err, RB_FOUND, "%zu of %zu checks fail, the first: %s", failed,
                                 rb_checks_count(env, checking.kind), first);
}

/* Runs an inverse's command in the same way as a step's command. */
static enum rb_code run_inverse(const rb_undo *undo, const rb_strs *command, const char *what,
                                enum rb_step_kind step, rb_err *err)
{
    RB_AUTO(rb_free_str) char *output = NULL;
    enum rb_code code = rb_command_run(&output, undo->env, command, RB_SERVICE_TIMEOUT, what,
                                       undo->row->to, undo->row->from ? undo->row->from : "", err);
    if (code != RB_OK)
        (void)!rb_state_said_set(undo->state, undo->row->id, rb_step_kind_name(step), err->message,
                                 output, RB_IGNORED);
    return code;
}

enum rb_code rb_service_start_again(const rb_undo *undo, rb_err *err)
{
    const rb_strs *start = &undo->env->start;
    if (start->n == 0)
        return RB_OK;
    enum rb_code code = run_inverse(undo, start, "starting the service again", RB_DO_STOP, err);
    /* Before the first release the service may not exist yet. */
    return undo->row->from ? code : RB_OK;
}

/* Undoes the start: stops the service, which uses TO's files. The inverse of the stop then starts
 * it with FROM's. If the start failed, the stop may fail. */
enum rb_code rb_service_undo_start(const rb_undo *undo, enum rb_step_state state, rb_err *err)
{
    if (json_is_true(rb_plan_before(undo->row->plan, "again")))
        return RB_OK;
    if (undo->env->stop.n == 0)
        return rb_service_start_again(undo, err);
    enum rb_code code =
        run_inverse(undo, &undo->env->stop, "stopping the service again", RB_DO_START, err);
    return state == RB_STEP_DONE ? code : RB_OK;
}

/* Returns the path below ROOT/current of a program that a release delivers, or NULL. */
static const char *below_current(const rb_env *env, const char *program)
{
    RB_AUTO(rb_free_str) char *current = rb_format("%s/current/", env->root);
    size_t len = strlen(current);
    return strncmp(program, current, len) == 0 ? program + len : NULL;
}

enum rb_code rb_service_can_start(const rb_run *run, rb_err *err)
{
    const rb_env *env = run->request->env;
    const char *brought = env->start.n ? below_current(env, env->start.items[0]) : NULL;
    bool starts = false;
    for (size_t i = 0; i < run->plan->order_count; i++)
        starts = starts || run->plan->order[i] == RB_DO_START;
    if (!brought || !starts || !run->plan->parts[RB_PART_APP])
        return RB_OK;
    RB_AUTO(rb_free_str)
    char *program = rb_format("%s/releases/%s/%s", env->root, run->request->to->tag, brought);
    RB_AUTO(rb_strs_clear) rb_strs command = {0};
    rb_strs_add(&command, program);
    if (rb_command_find(&command, "starting the service", err) == RB_OK)
        return RB_OK;
    err->code = RB_FOUND;
    return RB_FOUND;
}

enum rb_code rb_service_look(const rb_plan_request *rq, rb_err *err)
{
    const rb_env *env = rq->env;
    if (env->start.n == 0 || (below_current(env, env->start.items[0]) && rq->parts[RB_PART_APP]))
        return RB_OK;
    return rb_command_find(&env->start, "the service could not be started, nothing was changed",
                           err);
}

bool rb_service_cannot_run_yet(const rb_plan_request *rq)
{
    rb_err why;
    return !rq->from && rq->env->stop.n > 0 &&
           rb_command_find(&rq->env->stop, "stopping the service", &why) != RB_OK;
}

static json_t *health(bool down, const char *release, const char *message, const char *output,
                      const json_t *failures, const json_t *values)
{
    return rb_json_make("health:s down:b at:i release:s message:s output:s failures:J values:J",
                        message ? "unhealthy" : "healthy", down, (int64_t)time(NULL), release,
                        message, output, failures, values);
}

json_t *rb_service_health(const rb_run *run, const rb_err *unhealthy)
{
    if (!unhealthy && rb_checks_count(run->request->env, run->request->kind) == 0)
        return NULL;
    return health(run->down, run->request->to->tag, unhealthy ? unhealthy->message : NULL,
                  run->down ? run->start_output : NULL, run->failures, run->values);
}

json_t *rb_health_of_checks(const json_t *failures, const json_t *values, const char *release,
                            bool down)
{
    const char *message = rb_json_str(json_array_get(failures, 0), "message");
    return health(down && message, release, message, NULL, failures, values);
}

json_t *rb_service_before(const rb_run *run, json_t *values)
{
    const rb_plan_request *rq = run->request;
    json_t *names = json_array();
    bool watched = run->watch > 0;
    bool returns = run->plan->parts[RB_PART_APP] || run->plan->database_count > 0;
    if (!rq->from)
        return names;
    RB_AUTO(rb_json_freep) json_t *last = NULL;
    rb_err ignored; /* if this fails, only checks with thresholds are known to have values */
    if (rb_state_health(&last, run->state, &ignored) != RB_OK)
        last = NULL;
    RB_AUTO(rb_json_freep) json_t *none = json_object();
    const json_t *measured = json_object_get(last, "values");
    measured = measured ? measured : none;
    if (run->progress && rq->env->check_count > 0)
        run->progress(run->context, rb_step_kind_name(RB_DO_CHECKS), "as it is now");
    RB_AUTO(rb_json_freep) json_t *failures = json_array();
    const rb_checking checking = {.env = rq->env,
                                  .from = rq->from->tag,
                                  .to = rq->from->tag,
                                  .once = true,
                                  .values = values,
                                  .measured = returns && !watched ? measured : NULL};
    if (watched)
        rb_checks_round(failures, &checking, rq->from, rq->session->repo);
    else
        rb_checks_run(failures, &checking);
    rb_json_each (item, returns && !watched ? NULL : failures)
        json_array_append(names, json_object_get(item, "name"));
    return names;
}

bool rb_failing_still(const rb_run *run)
{
    const json_t *before = rb_plan_before(run->plan->json, "failing");
    size_t failed = json_array_size(run->failures);
    size_t known = 0;
    rb_json_each (item, run->failures) {
        bool found = false;
        rb_json_each (name, before)
            found = found || rb_text_same(json_string_value(name), rb_json_str(item, "name"));
        known += found;
    }
    return failed > 0 && known == failed;
}
