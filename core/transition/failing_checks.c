#include "transition/failing_checks.h"

#include "base/text.h"
#include "environment/checks.h"

json_t *rb_failing_now(const rb_run *run)
{
    const rb_plan_request *rq = run->request;
    json_t *names = json_array();
    if (run->plan->parts[RB_PART_APP] || run->plan->database_count > 0 || !rq->from)
        return names;
    if (run->progress && rq->env->check_count > 0)
        run->progress(run->context, rb_step_kind_name(RB_DO_CHECKS), "as it is now");
    RB_AUTO(rb_json_freep) json_t *failures = json_array();
    const rb_checking checking = {
        .env = rq->env, .from = rq->from->tag, .to = rq->from->tag, .once = true};
    rb_checks_run(failures, &checking);
    size_t i;
    json_t *item;
    json_array_foreach (failures, i, item)
        json_array_append(names, json_object_get(item, "name"));
    return names;
}

bool rb_failing_still(const rb_run *run)
{
    const json_t *before = json_object_get(json_object_get(run->plan->json, "before"), "failing");
    size_t failed = json_array_size(run->failures);
    size_t known = 0;
    size_t i;
    size_t j;
    json_t *item;
    json_t *name;
    json_array_foreach (run->failures, i, item) {
        bool found = false;
        json_array_foreach ((json_t *)before, j, name)
            found = found || rb_text_same(json_string_value(name), rb_json_str(item, "name"));
        known += found;
    }
    return failed > 0 && known == failed;
}
