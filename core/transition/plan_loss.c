/* What a transition loses: the list of a plan, its digest, and what is found under lock only. */
#include <stdlib.h>
#include <string.h>

#include "transition/plan.h"

#define FOUND "underLock" /* the pin that keeps what a run found */

static bool same_text(const json_t *a, const json_t *b, const char *key)
{
    const char *x = rb_json_str(a, key);
    const char *y = rb_json_str(b, key);
    return (x == NULL) == (y == NULL) && (!x || strcmp(x, y) == 0);
}

static bool same_place(const json_t *a, const json_t *b)
{
    return same_text(a, b, "table") && same_text(a, b, "column");
}

bool rb_risk_within(const json_t *lost, const char *database, const json_t *agreed)
{
    size_t i;
    size_t j;
    json_t *item;
    json_t *known;
    json_array_foreach ((json_t *)lost, i, item) {
        bool found = false;
        json_array_foreach ((json_t *)agreed, j, known) {
            const char *where = rb_json_str(known, "database");
            found = found || (where && strcmp(where, database) == 0 && same_place(item, known));
        }
        if (!found)
            return false;
    }
    return true;
}

/* What a plan does, whatever it loses: two plans with the same scripts between the same releases
 * are the same to what was found under lock. */
static void subject_of(char out[RB_SHA256_HEX], const rb_plan *plan, const rb_plan_request *rq)
{
    RB_AUTO(rb_json_freep)
    json_t *subject = json_pack("{s:s,s:s?,s:s,s:O}", "kind", plan->kind, "from",
                                rq->from ? rq->from->object : NULL, "to", rq->to->object, "scripts",
                                json_object_get(plan->json, "databases"));
    rb_json_hash(subject, out);
}

/* [{"database","table","column","rows","values","exact"}] that an earlier run of the same plan
 * found under lock; an empty array where none did. A new reference. */
static enum rb_code found_before(json_t **out, const rb_plan *plan, const rb_plan_request *rq,
                                 rb_err *err)
{
    RB_AUTO(rb_free_str) char *text = NULL;
    char subject[RB_SHA256_HEX];
    *out = NULL;
    if (rq->state)
        RB_TRY(rb_state_pin(&text, rq->state, FOUND, err));
    rb_err unreadable; /* an empty text, too */
    RB_AUTO(rb_json_freep) json_t *pinned = NULL;
    if (text && *text &&
        rb_json_read(&pinned, text, strlen(text), "what was found under lock", &unreadable) !=
            RB_OK)
        pinned = NULL;
    subject_of(subject, plan, rq);
    const char *about = rb_json_str(pinned, "subject");
    json_t *items = json_object_get(pinned, "items");
    *out = about && strcmp(about, subject) == 0 && json_is_array(items) ? json_incref(items)
                                                                        : json_array();
    return RB_OK;
}

/* Into the database's own list: what is on it is backed up. */
static void add_found(rb_plan_database *d, const json_t *found)
{
    size_t i;
    json_t *item;
    json_array_foreach ((json_t *)found, i, item) {
        RB_AUTO(rb_json_freep) json_t *one = json_pack("[O]", item);
        const char *where = rb_json_str(item, "database");
        RB_AUTO(rb_json_freep) json_t *known = json_array();
        size_t j;
        json_t *other;
        if (!d->at_risk || !where || strcmp(where, d->name) != 0)
            continue;
        json_array_foreach (d->at_risk, j, other) {
            json_t *named = json_copy(other);
            rb_json_set_str(named, "database", d->name);
            json_array_append_new(known, named);
        }
        if (rb_risk_within(one, d->name, known))
            continue;
        json_t *longer = json_copy(d->at_risk); /* the rehearsal's outcome shares it */
        json_t *copy = json_copy(item);
        json_object_del(copy, "database");
        json_array_append_new(longer, copy);
        json_decref(d->at_risk);
        d->at_risk = longer;
    }
}

/* Into a list of the plan's document, whose items name their database. */
static void add_named(json_t *list, const rb_plan_database *d, const json_t *items)
{
    size_t i;
    json_t *item;
    json_array_foreach ((json_t *)items, i, item) {
        json_t *copy = json_copy(item);
        rb_json_set_str(copy, "database", d->name);
        json_object_del(copy, "fresh");
        json_array_append_new(list, copy);
    }
}

static void note_recreated(rb_plan *plan, const rb_plan_database *d)
{
    RB_AUTO(rb_free_str) char *list = rb_plan_list_losses(d->generated);
    RB_AUTO(rb_free_str)
    char *note = rb_format("database %s: generated again on the way back, and not at risk: %s",
                           d->name, list);
    if (json_array_size(d->generated) > 0)
        rb_plan_note(plan, note);
    if (!d->no_way_back)
        return;
    RB_AUTO(rb_free_str)
    char *failed = rb_format("database %s: the way back fails on the copy, so everything that the "
                             "scripts change is at risk: %s",
                             d->name, d->no_way_back);
    rb_plan_note(plan, failed);
}

enum rb_code rb_plan_losses(rb_plan *plan, const rb_plan_request *rq, rb_err *err)
{
    json_t *all = json_object_get(plan->json, "dataAtRisk");
    RB_AUTO(rb_json_freep) json_t *found = NULL;
    RB_TRY(found_before(&found, plan, rq, err));
    for (size_t i = 0; i < plan->database_count; i++) {
        size_t j;
        json_t *item;
        add_found(&plan->databases[i], found);
        add_named(all, &plan->databases[i], plan->databases[i].at_risk);
        add_named(json_object_get(plan->json, "bound"), &plan->databases[i],
                  plan->databases[i].bound);
        note_recreated(plan, &plan->databases[i]);
        json_array_foreach (plan->databases[i].at_risk, j, item) {
            const char *column = rb_json_str(item, "column");
            rb_plan_decide(plan, "data-loss", RB_OK,
                           "%s%s%s: %" JSON_INTEGER_FORMAT " %s will not come back",
                           rb_json_str(item, "table"), column ? "." : "", column ? column : "",
                           json_integer_value(json_object_get(item, column ? "values" : "rows")),
                           column ? "values" : "rows");
        }
    }
    plan->consent = plan->consent || json_array_size(all) > 0;
    return RB_OK;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Each place once and in one order, wherever it was found. */
static json_t *places_of(const json_t *lost, const json_t *also)
{
    RB_AUTO(rb_strs_clear) rb_strs texts = {0};
    const json_t *lists[] = {lost, also};
    for (size_t l = 0; l < 2; l++) {
        size_t i;
        json_t *item;
        json_array_foreach ((json_t *)lists[l], i, item) {
            RB_AUTO(rb_buf_clear) rb_buf text = {0};
            RB_AUTO(rb_json_freep)
            json_t *place = json_pack("[s,s,s?]", rb_json_str(item, "database"),
                                      rb_json_str(item, "table"), rb_json_str(item, "column"));
            rb_json_canonical(&text, place);
            rb_strs_add(&texts, rb_buf_str(&text));
        }
    }
    if (texts.n > 0)
        qsort(texts.items, texts.n, sizeof *texts.items, by_text);
    json_t *places = json_array();
    for (size_t i = 0; i < texts.n; i++)
        if (i == 0 || strcmp(texts.items[i], texts.items[i - 1]) != 0)
            json_array_append_new(places, json_string(texts.items[i]));
    return places;
}

/* Those of the bound that are empty now, too: rows may come. */
static json_t *bound_of(const rb_plan *plan)
{
    RB_AUTO(rb_json_freep) json_t *all = json_array();
    for (size_t i = 0; i < plan->database_count; i++)
        add_named(all, &plan->databases[i], plan->databases[i].places);
    return places_of(all, NULL);
}

/* Counts may move between looking and doing; which tables and columns lose data may not. */
void rb_plan_digest(char out[RB_SHA256_HEX], const rb_plan *plan, const rb_plan_request *rq,
                    const json_t *also)
{
    json_t *kinds = json_array();
    for (size_t k = 0; k < plan->order_count; k++)
        json_array_append_new(kinds, json_string(rb_step_kind_name(plan->order[k])));
    json_t *left = json_array();
    size_t i;
    json_t *item;
    json_array_foreach (json_object_get(plan->json, "decisions"), i, item)
        if (strcmp(rb_json_str(item, "code"), "residual") == 0)
            json_array_append(left, json_object_get(item, "message"));
    RB_AUTO(rb_json_freep)
    json_t *all = json_pack("{s:s?,s:s,s:o,s:O,s:o,s:o,s:o}", "from",
                            rq->from ? rq->from->object : NULL, "to", rq->to->object, "steps",
                            kinds, "scripts", json_object_get(plan->json, "databases"), "lost",
                            places_of(json_object_get(plan->json, "dataAtRisk"), also), "residual",
                            left, "bound", bound_of(plan));
    if (rq->no_backup) /* consent of its own */
        json_object_set_new(all, "noBackup", json_true());
    rb_json_hash(all, out);
}

enum rb_code rb_plan_found(char digest[RB_SHA256_HEX], const rb_plan *plan,
                           const rb_plan_request *rq, const char *database, const json_t *lost,
                           rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *items = json_copy(json_object_get(plan->json, "dataAtRisk"));
    char subject[RB_SHA256_HEX];
    size_t i;
    json_t *item;
    json_array_foreach ((json_t *)lost, i, item) {
        json_t *named = json_copy(item);
        rb_json_set_str(named, "database", database);
        json_array_append_new(items, named);
    }
    rb_plan_digest(digest, plan, rq, items);
    subject_of(subject, plan, rq);
    RB_AUTO(rb_json_freep)
    json_t *pinned = json_pack("{s:s,s:O}", "subject", subject, "items", items);
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    rb_json_canonical(&text, pinned);
    return rb_state_pin_set(rq->state, FOUND, rb_buf_str(&text), err);
}

enum rb_code rb_plan_found_end(rb_state *state, rb_err *err)
{
    RB_AUTO(rb_free_str) char *text = NULL;
    RB_TRY(rb_state_pin(&text, state, FOUND, err));
    return text && *text ? rb_state_pin_set(state, FOUND, "", err) : RB_OK;
}
