/* Computes positions on the page. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "environment/state.h"
#include "ledger/judge.h"
#include "report/page.h"

#define SHOWN 200     /* releases and transitions on the time line */
#define DETAILED 1000 /* transitions whose steps are drawn */
#define OPEN 20       /* transitions whose steps are unfolded, unless there are more */
#define LEFT 120      /* where the time line begins, after the names */
#define WIDTH 800
#define LANE 34 /* height of a line */
#define TICKS 6
#define LETTER 8 /* width of a letter of the time line's labels, at most */
#define MARGIN 4
#define CHART_WIDTH 600 /* width of a chart of a check's values */
#define CHART_HEIGHT 90
#define CHART_EDGE 10
#define CHART_BEGIN 60 /* where the transition begins, after the scale */
#define CHART_END 130  /* where the transition ends, and a watch begins */

static int64_t seconds_of(const json_t *item, const char *key)
{
    const char *text = rb_json_str(item, key);
    struct tm tm = {0};
    return text && strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm) ? (int64_t)timegm(&tm) : 0;
}

/* Returns the widths of the steps, which add up to 1000. */
static json_t *bars_of(const json_t *item)
{
    int64_t sum = 0, x = 0;
    json_t *bars = json_array();
    rb_json_each (step, json_object_get(item, "steps"))
        sum += rb_json_int(step, "milliseconds", 0) +
               1; /* one more, so that quick steps are visible */
    rb_json_each (step, json_object_get(item, "steps")) {
        const int64_t ms = rb_json_int(step, "milliseconds", 0);
        const int64_t width = sum > 0 ? (ms + 1) * 1000 / sum : 0;
        json_array_append_new(bars, rb_json_make("x:i width:i id:J outcome:J", x, width,
                                                 json_object_get(step, "id"),
                                                 json_object_get(step, "outcome")));
        x += width;
    }
    return bars;
}

typedef struct scale {
    double low;
    double high;
} scale;

static void widen_scale(scale *s, const json_t *number)
{
    if (!json_is_number(number))
        return;
    const double value = json_number_value(number);
    s->low = value < s->low ? value : s->low;
    s->high = value > s->high ? value : s->high;
}

/* Adds a point of the chart: its mark, and the next part of the line. */
static void add_point(json_t *marks, rb_buf *line, const scale *s, int64_t x, const json_t *number,
                      const char *label)
{
    if (!json_is_number(number))
        return;
    const double part =
        s->high > s->low ? (json_number_value(number) - s->low) / (s->high - s->low) : 0.5;
    const int64_t y =
        CHART_HEIGHT - CHART_EDGE - (int64_t)(part * (double)(CHART_HEIGHT - 2 * CHART_EDGE));
    rb_buf_printf(line, "%s%lld,%lld", line->len > 0 ? " " : "", (long long)x, (long long)y);
    json_array_append_new(marks,
                          rb_json_make("x:i y:i value:J label:s", x, y, (json_t *)number, label));
}

/* Returns the chart of a value: from before the transition to its end, and to the end of its watch.
 * watched: values of the watch, or NULL. */
static json_t *chart_of(const char *name, const json_t *value, const json_t *watched)
{
    static const char *const ends[] = {"min", "max"};
    const json_t *before = json_object_get(value, "before");
    const json_t *after = json_object_get(value, "after");
    const json_t *points = json_object_get(watched, "points");
    scale s = {HUGE_VAL, -HUGE_VAL};
    RB_AUTO(rb_buf_clear) rb_buf line = {0};
    json_t *marks = json_array();
    widen_scale(&s, before);
    widen_scale(&s, after);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        widen_scale(&s, json_object_get(watched, ends[i]));
    const int64_t end = points ? CHART_END : CHART_WIDTH - CHART_EDGE;
    const int64_t last =
        rb_json_int(json_array_get(points, json_array_size(points) - 1), "milliseconds", 0);
    add_point(marks, &line, &s, CHART_BEGIN, before, "before");
    add_point(marks, &line, &s, end, after, "after");
    rb_json_each (point, points)
        add_point(marks, &line, &s,
                  end + 10 +
                      rb_json_int(point, "milliseconds", 0) *
                          (CHART_WIDTH - CHART_EDGE - end - 10) / (last > 0 ? last : 1),
                  json_object_get(point, "value"), "watched");
    json_t *out = rb_json_make("name:s before:J after:J line:s end:i marks:j width:i height:i",
                               name, before, after, rb_buf_str(&line), end, marks,
                               (int64_t)CHART_WIDTH, (int64_t)CHART_HEIGHT);
    if (watched)
        rb_json_set(out, "min:J max:J last:J count:J", json_object_get(watched, "min"),
                    json_object_get(watched, "max"), json_object_get(watched, "last"),
                    json_object_get(watched, "count"));
    return out;
}

static const json_t *named(const json_t *list, const char *name)
{
    rb_json_each (item, list)
        if (rb_text_same(rb_json_str(item, "name"), name))
            return item;
    return NULL;
}

/* Adds the watch of a transition, and a chart for each check with values. */
static void view_values(json_t *item, json_t *watch)
{
    const json_t *values = json_object_get(item, "values");
    const json_t *watched = json_object_get(watch, "values");
    json_t *charts = json_array();
    rb_json_each (value, values) {
        const char *name = rb_json_str(value, "name");
        json_array_append_new(charts, chart_of(name, value, named(watched, name)));
    }
    rb_json_each (value, watched) { /* checks that have values only in the watch */
        const char *name = rb_json_str(value, "name");
        if (!named(values, name))
            json_array_append_new(charts, chart_of(name, NULL, value));
    }
    rb_json_set(item, "charts:j watch:J", charts, watch);
}

/* Adds positions, and "lost": how many values, and rows of whole tables, were lost. */
static void view_transition(json_t *item, size_t at, bool open)
{
    const bool well = rb_text_same(rb_json_str(item, "outcome"), "done");
    const bool detailed =
        at < DETAILED || !well || json_array_size(json_object_get(item, "notes")) > 0;
    rb_json_set(item, "bars:j lost:i well:b open:b detailed:b", detailed ? bars_of(item) : NULL,
                rb_judge_lost(item), well, open, detailed);
}

typedef struct range {
    int64_t from;
    int64_t until;
} range;

static void widen(range *r, int64_t at)
{
    if (at > 0 && (r->from == 0 || at < r->from))
        r->from = at;
    r->until = at > r->until ? at : r->until;
}

static int64_t position(const range *r, int64_t at)
{
    const int64_t length = r->until > r->from ? r->until - r->from : 1;
    at = at < r->from ? r->from : at > r->until ? r->until : at;
    return LEFT + (at - r->from) * WIDTH / length;
}

/* Returns the marks of one environment in the order in which they are drawn: live releases, and
 * over them failures, which are narrow. A release has a label if its mark has room for it. */
static json_t *lane_of(const json_t *transitions, const char *environment, const range *r)
{
    json_t *marks = json_array();
    int64_t right = LEFT + WIDTH;
    rb_json_each (item, transitions) {
        if (item_at >= SHOWN)
            break;
        if (!rb_text_same(rb_json_str(item, "environment"), environment))
            continue;
        const int64_t x = position(r, seconds_of(item, "finished"));
        /* A part that moved alone ends nothing. */
        const bool reached =
            rb_outcome_reached(rb_json_str(item, "outcome")) && !rb_json_str(item, "part");
        const int64_t width = reached && right > x + 2 ? right - x - 1 : 3;
        const char *to = rb_json_str(item, "to");
        const bool fits = reached && to && width >= (int64_t)strlen(to) * LETTER + 2 * MARGIN;
        json_array_insert_new(
            marks, reached ? 0 : json_array_size(marks),
            rb_json_make("x:i width:i reached:b entry:J kind:J from:J to:J outcome:J "
                         "finished:J label:J",
                         x, width, reached, json_object_get(item, "entry"),
                         json_object_get(item, "kind"), json_object_get(item, "from"),
                         json_object_get(item, "to"), json_object_get(item, "outcome"),
                         json_object_get(item, "finished"),
                         fits ? json_object_get(item, "to") : NULL));
        right = reached ? x : right;
    }
    return marks;
}

static json_t *releases_of(const json_t *releases, const range *r)
{
    json_t *marks = json_array();
    rb_json_each (item, releases) {
        if (item_at >= SHOWN)
            break;
        json_array_append_new(
            marks, rb_json_make("x:i tag:J object:J verdict:J signer:J at:J",
                                position(r, seconds_of(item, "at")), json_object_get(item, "tag"),
                                json_object_get(item, "object"), json_object_get(item, "verdict"),
                                json_object_get(item, "signer"), json_object_get(item, "at")));
    }
    return marks;
}

/* y: where their lines end, and the labels begin. */
static json_t *ticks_of(const range *r, int64_t y)
{
    json_t *ticks = json_array();
    const bool hours = r->until - r->from < (int64_t)TICKS * 86400;
    for (int64_t i = 0; i <= TICKS; i++) {
        const int64_t at = r->from + (r->until - r->from) * i / TICKS;
        RB_AUTO(rb_free_str) char *iso = rb_text_iso(at);
        RB_AUTO(rb_free_str)
        char *label =
            iso ? hours ? rb_format("%.5s %.5s", iso + 5, iso + 11) : rb_format("%.10s", iso)
                : NULL;
        json_array_append_new(
            ticks, rb_json_make("x:i y:i textY:i label:s", position(r, at), y, y + 16, label));
    }
    return ticks;
}

static json_t *timeline_of(const json_t *document)
{
    const json_t *transitions = json_object_get(document, "transitions");
    const json_t *releases = json_object_get(document, "releases");
    range r = {0};
    rb_json_each (item, transitions)
        if (item_at < SHOWN)
            widen(&r, seconds_of(item, "finished"));
    rb_json_each (item, releases)
        if (item_at < SHOWN)
            widen(&r, seconds_of(item, "at"));
    if (r.from == 0)
        return NULL;
    widen(&r, seconds_of(document, "at"));
    json_t *lanes = json_array();
    int64_t y = LANE;
    rb_json_each (figures, json_object_get(document, "figures")) {
        const char *name = rb_json_str(figures, "environment");
        json_t *marks = lane_of(transitions, name, &r);
        rb_json_each (mark, marks)
            rb_json_set(mark, "y:i textX:i textY:i", y + 4, rb_json_int(mark, "x", 0) + MARGIN,
                        y + 20);
        const bool wide = name && strlen(name) * LETTER > LEFT - 2 * MARGIN;
        json_array_append_new(lanes,
                              rb_json_make("environment:s y:i fit:j marks:j", name, y + 20,
                                           wide ? json_integer(LEFT - 2 * MARGIN) : NULL, marks));
        y += LANE;
    }
    const size_t all = json_array_size(transitions);
    return rb_json_make("lanes:j releases:j ticks:j height:i shown:j", lanes,
                        releases_of(releases, &r), ticks_of(&r, y), y + 24,
                        all > SHOWN || json_array_size(releases) > SHOWN ? json_integer(SHOWN)
                                                                         : NULL);
}

/* Returns every backup with its transition. */
static json_t *backups_of(const json_t *transitions)
{
    json_t *out = json_array();
    rb_json_each (item, transitions)
        rb_json_each (backup, json_object_get(item, "backups"))
            json_array_append_new(
                out,
                rb_json_make("id:J entry:J database:J rows:J tables:J path:J",
                             json_object_get(item, "id"), json_object_get(item, "entry"),
                             json_object_get(backup, "database"), json_object_get(backup, "rows"),
                             json_object_get(backup, "tables"), json_object_get(backup, "path")));
    return out;
}

/* True if any item of the list has the member. */
static bool any(const json_t *document, const char *list, const char *key)
{
    rb_json_each (item, json_object_get(document, list)) {
        const json_t *value = json_object_get(item, key);
        if (json_is_true(value) || json_object_size(value) > 0 || json_array_size(value) > 0)
            return true;
    }
    return false;
}

/* Replaces the seconds of a pause by texts. */
static void view_pause(json_t *transition)
{
    json_t *pause = json_copy(json_object_get(transition, "paused"));
    if (!pause)
        return;
    RB_AUTO(rb_free_str) char *at = rb_text_iso(rb_json_int(pause, "at", 0));
    RB_AUTO(rb_free_str) char *resumed = rb_text_iso(rb_json_int(pause, "resumed", 0));
    bool went_on = json_is_integer(json_object_get(pause, "resumed"));
    rb_json_set(pause, "at:s resumed:s", at, went_on ? resumed : NULL);
    json_object_set_new(transition, "paused", pause);
}

void rb_page_view(json_t *document)
{
    json_t *transitions = json_object_get(document, "transitions");
    const size_t n = json_array_size(transitions);
    const char *lists[] = {"transitions", "drills"};
    RB_AUTO(rb_json_freep) json_t *watches = json_object();
    rb_json_each (watch, json_object_get(document, "watches"))
        json_object_set(watches, rb_json_str(watch, "transition"), watch);
    rb_json_each (transition, transitions) {
        view_values(transition, json_object_get(watches, rb_json_str(transition, "id")));
        view_pause(transition);
    }
    for (size_t i = 0; i < 2; i++)
        rb_json_each (item, json_object_get(document, lists[i]))
            view_transition(item, item_at, n <= OPEN);
    rb_json_each (control, json_object_get(document, "controls"))
        rb_json_set(control, "judged:b", json_is_boolean(json_object_get(control, "ok")));
    json_object_set_new(
        document, "any",
        rb_json_make("failed:b unapproved:b broken:b accepted:b judged:b",
                     any(document, "figures", "failedEntries"),
                     any(document, "transitions", "unapproved"),
                     any(document, "transitions", "broken"),
                     any(document, "transitions", "accepted") ||
                         any(document, "transitions", "acceptedDrift"),
                     json_array_size(json_object_get(document, "approvals")) +
                             json_array_size(json_object_get(document, "verdicts")) >
                         0));
    rb_json_set(document, "timeline:j backups:j count:n releaseCount:n detailed:i many:b",
                timeline_of(document), backups_of(transitions), n,
                json_array_size(json_object_get(document, "releases")), (int64_t)DETAILED,
                n > DETAILED);
}
