#include "watch/watch.h"
#include "transition/plan_make.h"

#define BITS (sizeof((rb_watch_window *)NULL)->rounds * 8)

bool rb_watch_add(rb_watch_window *window, const rb_env_watch *settings, bool failed)
{
    int count = 0;
    size_t at = window->n++ % BITS;
    unsigned char bit = (unsigned char)(1u << (at % 8));
    window->rounds[at / 8] =
        (unsigned char)(failed ? window->rounds[at / 8] | bit : window->rounds[at / 8] & ~bit);
    for (size_t i = 1; i <= window->n && i <= BITS && i <= (size_t)settings->of; i++) {
        at = (window->n - i) % BITS;
        count += window->rounds[at / 8] >> (at % 8) & 1;
    }
    return count >= settings->failures;
}

/* Adds a point to a series. When the series is full, first removes every second point. */
static void add_point(json_t *series, int64_t count, int64_t at, json_t *value)
{
    json_t *points = json_object_get(series, "points");
    int64_t step = rb_json_int(series, "step", 1);
    if (json_array_size(points) == RB_WATCH_POINTS && count % step == 0) {
        for (size_t i = RB_WATCH_POINTS; i > 0; i--)
            if (i % 2 == 0)
                json_array_remove(points, i - 1);
        step *= 2;
        rb_json_set(series, "step:i", step);
    }
    if (count % step == 0)
        json_array_append_new(points, json_pack("[I,O]", (json_int_t)at, value));
}

void rb_watch_add_values(json_t *values, const json_t *round, int64_t at)
{
    rb_json_each_member (name, number, round) {
        const double value = json_number_value(number);
        json_t *series = json_object_get(values, name);
        if (!series) {
            series = rb_json_make("first:J min:J max:J count:d step:d points:j", number, number,
                                  number, 0, 1, json_array());
            json_object_set_new(values, name, series);
        }
        const int64_t count = rb_json_int(series, "count", 0);
        if (value < json_number_value(json_object_get(series, "min")))
            json_object_set(series, "min", number);
        if (value > json_number_value(json_object_get(series, "max")))
            json_object_set(series, "max", number);
        rb_json_set(series, "last:J count:i", number, count + 1);
        add_point(series, count, at, number);
    }
}

static enum rb_code check_database(const rb_plan_database *d, rb_err *err)
{
    RB_AUTO(rb_free_str) char *lost = rb_plan_list_losses(d->rehearsed ? d->at_risk : d->bound);
    if (*lost)
        return rb_fail(err, RB_DECIDE, "data is at risk in database %s: %s", d->name, lost);
    if (d->step_count == 0)
        return RB_OK;
    if (d->unproven_steps > 0 || d->untested)
        return rb_fail(err, RB_DECIDE, "the way back of database %s is not proven", d->name);
    if (json_array_size(d->residual) > 0)
        return rb_fail(err, RB_DECIDE, "the way back leaves a known residual in database %s",
                       d->name);
    return RB_OK;
}

enum rb_code rb_watch_may_revert(const rb_transition *t, rb_err *err)
{
    const rb_plan *plan = t->plan;
    if (!plan)
        return rb_fail(err, RB_DECIDE, "%s", t->nothing ? t->nothing : "nothing would move");
    for (size_t i = 0; i < plan->database_count; i++)
        RB_TRY(check_database(&plan->databases[i], err));
    const json_t *losses = json_object_get(plan->json, "dataAtRisk");
    RB_AUTO(rb_free_str) char *lost = rb_plan_list_losses(losses);
    if (json_array_size(losses) > 0)
        return rb_fail(err, RB_DECIDE, "data is at risk: %s", lost);
    if (t->needs.n > 0)
        return rb_fail(err, RB_DECIDE, "approvals are missing");
    enum rb_code code = rb_plan_allowed(plan, false, NULL, err);
    if (code != RB_OK)
        err->code = RB_DECIDE;
    return code == RB_OK ? RB_OK : RB_DECIDE;
}
