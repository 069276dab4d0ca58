#include "report/figures.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "environment/state.h"

#define DAY 86400

typedef struct samples {
    int64_t *items;
    size_t n;
} samples;

static void samples_clear(samples *s)
{
    free(s->items);
}

static void add(samples *s, int64_t value)
{
    s->items = rb_realloc(s->items, s->n + 1, sizeof *s->items);
    s->items[s->n++] = value > 0 ? value : 0;
}

static int compare(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* Returns the median, or null without samples. */
static json_t *median(samples *s)
{
    if (s->n == 0)
        return json_null();
    qsort(s->items, s->n, sizeof *s->items, compare);
    const int64_t low = s->items[(s->n - 1) / 2], high = s->items[s->n / 2];
    return json_integer(low + (high - low) / 2);
}

/* Returns a percentage with one decimal, or null if `of` is 0. */
static json_t *percent(size_t part, size_t of)
{
    if (of == 0)
        return json_null();
    return json_real((double)(int64_t)((double)part * 1000 / (double)of + 0.5) / 10);
}

static void add_entry(json_t *list, const rb_move *move)
{
    char hex[RB_OID_HEX];
    rb_oid_hex(&move->entry->id, hex);
    json_array_append_new(list, json_string(hex));
}

typedef struct count {
    const rb_figures_request *request;
    rb_moves *moves;
    rb_move *open; /* the last failed deployment, until it is recovered from; or NULL */
    samples leads;
    samples recoveries;
    samples reverts;
    size_t deployments;
    size_t failed;
    size_t rework;
    size_t reverts_ended;
    size_t within;
    json_t *seen; /* tag objects of releases that were live */
    json_t *rework_entries;
} count;

static bool is_deploy(const rb_move *move)
{
    return rb_text_same(move->kind, "deploy");
}

static void fail(count *c, rb_move *move)
{
    move->failed = true;
    if (!c->open)
        c->open = move;
}

/* Marks the deployment that a transition undid as failed. */
static void undo(count *c, size_t at)
{
    const rb_move *by = &c->moves->items[at];
    for (size_t i = at; i > 0; i--) {
        rb_move *move = &c->moves->items[i - 1];
        if (!is_deploy(move) || !rb_outcome_reached(move->outcome) ||
            !rb_text_same(move->to_object, by->from_object))
            continue;
        if (!move->failed)
            fail(c, move);
        return;
    }
}

static void count_deployment(count *c, size_t at, bool wanted)
{
    rb_move *move = &c->moves->items[at];
    const bool done = rb_text_same(move->outcome, "done");
    if (wanted && c->open) {
        c->rework++;
        add_entry(c->rework_entries, move);
    }
    c->deployments += wanted;
    if (!done)
        fail(c, move);
    const int64_t committed = wanted && c->request->committed && move->to_object &&
                                      !json_object_get(c->seen, move->to_object)
                                  ? c->request->committed(c->request->context, move->to_object)
                                  : -1;
    if (committed >= 0)
        add(&c->leads, move->finished - committed);
}

static void count_revert(count *c, const rb_move *move)
{
    const int64_t seconds = move->finished - move->started;
    c->reverts_ended++;
    if (!rb_text_same(move->outcome, "done"))
        return;
    add(&c->reverts, seconds);
    c->within += c->request->rto >= 0 && seconds <= c->request->rto;
}

/* Counts the transition number `at`. Must be called in the order in which transitions ended. */
static void step(count *c, size_t at)
{
    rb_move *move = &c->moves->items[at];
    const bool wanted = move->finished >= c->request->since;
    const bool reached = rb_outcome_reached(move->outcome);
    if (!is_deploy(move) && wanted && !rb_text_same(move->outcome, "refused"))
        count_revert(c, move);
    if (!reached)
        return;
    if (is_deploy(move))
        count_deployment(c, at, wanted);
    else
        undo(c, at);
    if (move->to_object)
        json_object_set_new(c->seen, move->to_object, json_true());
    if (!rb_text_same(move->outcome, "done") || !c->open)
        return;
    if (wanted)
        add(&c->recoveries, move->finished - c->open->finished);
    c->open = NULL;
}

static json_t *reverts_of(count *c)
{
    const int64_t rto = c->request->rto;
    return rb_json_make("ended:n done:n percent:j seconds:j rto:j within:j", c->reverts_ended,
                        c->reverts.n, percent(c->reverts.n, c->reverts_ended), median(&c->reverts),
                        rto >= 0 ? json_integer(rto) : NULL,
                        rto >= 0 ? json_integer((json_int_t)c->within) : NULL);
}

json_t *rb_figures(rb_moves *moves, const char *environment, const rb_figures_request *request)
{
    count c = {
        .request = request, .moves = moves, .seen = json_object(), .rework_entries = json_array()};
    json_t *failed = json_array();
    int64_t first = request->now;
    for (size_t i = 0; i < moves->n; i++)
        step(&c, i);
    for (size_t i = 0; i < moves->n; i++) {
        const rb_move *move = &moves->items[i];
        if (move->finished < request->since)
            continue;
        first = move->finished < first ? move->finished : first;
        if (move->failed)
            add_entry(failed, move);
        c.failed += move->failed;
    }
    if (request->since > 0)
        first = request->since;
    const int64_t days = (request->now - first + DAY - 1) / DAY;
    RB_AUTO(rb_free_str) char *from = rb_text_iso(first);
    RB_AUTO(rb_free_str) char *until = rb_text_iso(request->now);
    json_t *out = rb_json_make(
        "environment:t from:s until:s days:i deployments:n "
        "deploymentsPerDay:j leadSeconds:j leads:n failed:n failedPercent:j "
        "recoverySeconds:j recoveries:n rework:n reworkPercent:j reverts:j "
        "failedEntries:j reworkEntries:j",
        environment, from, until, days > 0 ? days : (int64_t)1, c.deployments,
        json_real(
            (double)(int64_t)((double)c.deployments * 100 / (double)(days > 0 ? days : 1) + 0.5) /
            100),
        median(&c.leads), c.leads.n, c.failed, percent(c.failed, c.deployments),
        median(&c.recoveries), c.recoveries.n, c.rework, percent(c.rework, c.deployments),
        reverts_of(&c), failed, c.rework_entries);
    rb_json_free(c.seen);
    samples_clear(&c.leads);
    samples_clear(&c.recoveries);
    samples_clear(&c.reverts);
    return out;
}
