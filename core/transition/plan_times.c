/* Forecasts the duration of a transition and its downtime, from earlier transitions. */
#include <stdint.h>
#include <stdlib.h>

#include "transition/plan_make.h"

#define RUNS 5 /* earlier transitions that are used */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Returns the median: one slow run must not determine the forecast. */
static double median(double *values, size_t n)
{
    qsort(values, n, sizeof *values, compare);
    return values[n / 2];
}

static size_t position(const rb_plan *plan, enum rb_step_kind kind)
{
    for (size_t i = 0; i < plan->order_count; i++)
        if (plan->order[i] == kind)
            return i + 1;
    return 0;
}

/* Returns the seconds that steps first to last, counted from 1, took in a run. */
static double seconds_of(const rb_plan *plan, const json_t *run, size_t first, size_t last)
{
    double sum = 0;
    for (size_t i = first; i <= last; i++)
        sum += (double)rb_json_int(run, rb_step_kind_name(plan->order[i - 1]), 0) / 1000;
    return sum;
}

static json_t *rounded(double seconds)
{
    return json_real((double)(int64_t)(seconds * 10 + 0.5) / 10);
}

/* True if the run began with the same step. Otherwise it did less, such as only the checks. */
static bool is_alike(const rb_plan *plan, const json_t *run)
{
    return plan->order_count > 0 && json_object_get(run, rb_step_kind_name(plan->order[0])) != NULL;
}

/* Appends the forecast as text. */
static void describe(rb_buf *out, size_t stop, size_t start, size_t runs, double down,
                     const char *kind)
{
    if (stop == 0 || start < stop) {
        rb_buf_puts(out, runs > 0 ? "; the service is not stopped" : "the service is not stopped");
        return;
    }
    rb_buf_printf(out, "%sthe service is down from step %zu (stop) to step %zu (start)",
                  runs > 0 ? "; " : "", stop, start);
    if (runs > 0)
        rb_buf_printf(out, ", about %.1f s", down);
    else
        rb_buf_printf(out, "; how long is not known yet: no %s is recorded here", kind);
}

/* True if a transition that moves only those parts has this step. */
static bool has_step(enum rb_step_kind kind, const bool parts[RB_PARTS])
{
    switch (kind) {
    case RB_DO_STAGE:
    case RB_DO_SWITCH:
        return parts[RB_PART_APP];
    case RB_DO_FLAGS:
        return parts[RB_PART_FLAGS];
    case RB_DO_CONFIG:
    case RB_DO_SECRETS:
        return parts[RB_PART_CONFIG];
    case RB_DO_DATABASE:
    case RB_DO_COMMIT:
        return parts[RB_PART_DB];
    case RB_DO_STOP:
    case RB_DO_START:
        return parts[RB_PART_APP] || parts[RB_PART_CONFIG] || parts[RB_PART_DB];
    case RB_DO_CHECKS:
    case RB_DO_RECORD:
    case RB_STEP_KINDS:
        break;
    }
    return true;
}

/* Returns false if the run moved none of the parts. */
static bool add_run(double *all, double *down, const rb_plan *plan, const json_t *run,
                    const bool parts[RB_PARTS])
{
    bool moved = false;
    size_t stop = position(plan, RB_DO_STOP);
    size_t start = position(plan, RB_DO_START);
    *all = *down = 0;
    for (size_t i = 1; i <= plan->order_count; i++) {
        if (!has_step(plan->order[i - 1], parts))
            continue;
        double seconds = seconds_of(plan, run, i, i);
        const bool any = plan->order[i - 1] == RB_DO_CHECKS || plan->order[i - 1] == RB_DO_RECORD;
        moved |= !any && json_object_get(run, rb_step_kind_name(plan->order[i - 1]));
        *all += seconds;
        if (stop && start > stop && has_step(RB_DO_STOP, parts) && i >= stop && i <= start)
            *down += seconds;
    }
    return moved;
}

/* Without an earlier revert, uses deploys: files take the same time in both directions. */
void rb_plan_time_of(json_t *way, const rb_plan *plan, const rb_plan_request *rq,
                     const bool parts[RB_PARTS])
{
    const char *const kinds[] = {rq->kind, "deploy"};
    double all[RUNS] = {0};
    double down[RUNS] = {0};
    size_t n = 0;
    for (size_t k = 0; k < (parts[RB_PART_DB] ? 1 : 2) && n == 0 && rq->state; k++) {
        RB_AUTO(rb_json_freep) json_t *runs = NULL;
        rb_err ignored; /* the plan then has no forecast */
        (void)!rb_state_times(&runs, rq->state, kinds[k], RUNS, &ignored);
        rb_json_each (run, runs) {
            n += add_run(&all[n], &down[n], plan, run, parts);
        }
    }
    json_object_set_new(way, "seconds", n > 0 ? rounded(median(all, n)) : json_null());
    json_object_set_new(way, "downSeconds", n > 0 ? rounded(median(down, n)) : json_null());
}

void rb_plan_times(rb_plan *plan, const rb_plan_request *rq)
{
    RB_AUTO(rb_json_freep) json_t *runs = NULL;
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    rb_err ignored; /* the plan then has no forecast */
    double all[RUNS] = {0};
    double down[RUNS] = {0};
    size_t stop = position(plan, RB_DO_STOP);
    size_t start = position(plan, RB_DO_START);
    if (rq->state)
        (void)!rb_state_times(&runs, rq->state, rq->kind, RUNS, &ignored);
    size_t n = 0;
    rb_json_each (run, runs) {
        if (!is_alike(plan, run))
            continue;
        all[n] = seconds_of(plan, run, 1, plan->order_count);
        down[n++] = stop && start > stop ? seconds_of(plan, run, stop, start) : 0;
    }
    double in_all = n > 0 ? median(all, n) : 0;
    double without = n > 0 ? median(down, n) : 0;
    if (n > 0)
        rb_buf_printf(&text, "about %.1f s in all", in_all);
    describe(&text, stop, start, n, without, rq->kind);
    if (n == 1)
        rb_buf_printf(&text, " (as in the last %s)", rq->kind);
    else if (n > 1)
        rb_buf_printf(&text, " (as in the last %zu %ss)", n, rq->kind);
    json_t *expected =
        rb_json_make("seconds:j downSeconds:j runs:i text:s", n > 0 ? rounded(in_all) : json_null(),
                     n > 0 ? rounded(without) : json_null(), (int64_t)n, rb_buf_str(&text));
    json_object_set_new(plan->json, "expected", expected);
}
