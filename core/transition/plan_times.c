/* How long a transition will take, and how long the service will be down, as in earlier ones. */
#include <stdint.h>
#include <stdlib.h>

#include "transition/plan.h"

#define RUNS 5 /* transitions that are looked at */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* The one in the middle: one slow run does not make a forecast. */
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

/* Seconds that the steps from first to last, counted from 1, took in a run. */
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

/* One that began with another step did something else, such as the checks alone. */
static bool is_alike(const rb_plan *plan, const json_t *run)
{
    return plan->order_count > 0 && json_object_get(run, rb_step_kind_name(plan->order[0])) != NULL;
}

/* What users see. */
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

void rb_plan_times(rb_plan *plan, const rb_plan_request *rq)
{
    RB_AUTO(rb_json_freep) json_t *runs = NULL;
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    rb_err ignored; /* a plan without a forecast is a plan */
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
