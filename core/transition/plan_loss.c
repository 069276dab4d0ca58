/* Lists what a transition loses, computes the plan's digest, and stores losses that were found only
 * under lock. */
#include <stdlib.h>
#include <string.h>

#include "base/template.h"
#include "base/text.h"
#include "transition/plan_make.h"

#define FOUND "underLock" /* name of the pin that stores what a run found */

void rb_plan_take_losses(rb_plan_database *d, const rb_db_outcome *outcome, rb_db_losses *losses)
{
    rb_json_replace(&d->places, outcome->bound);
    rb_json_replace(&d->effects, outcome->effects);
    rb_json_replace(&d->bound, losses->bound);
    rb_json_replace(&d->at_risk, losses->at_risk);
    rb_json_replace(&d->generated, losses->generated);
    RB_AUTO(rb_json_freep) json_t *backed_up = json_array();
    rb_json_each (item, d->bound)
        if (!rb_loss_find(losses->renamed, item))
            json_array_append(backed_up, item);
    rb_json_replace(&d->backed_up, backed_up);
    free(d->no_way_back);
    d->no_way_back = losses->no_way_back;
    losses->no_way_back = NULL;
}

bool rb_risk_within(const json_t *lost, const char *database, const json_t *agreed)
{
    RB_AUTO(rb_json_freep) json_t *here = json_array();
    rb_json_each (item, agreed)
        if (rb_text_same(rb_json_str(item, "database"), database))
            json_array_append(here, item);
    return rb_loss_within(lost, here);
}

/* Computes a digest of what a plan does, without its losses. Losses found under lock apply to later
 * plans with the same digest: the same scripts between the same releases. */
static void subject_of(char out[RB_SHA256_HEX], const rb_plan *plan, const rb_plan_request *rq)
{
    RB_AUTO(rb_json_freep)
    json_t *subject =
        rb_json_make("kind:s from:s to:s scripts:J", plan->kind, rq->from ? rq->from->object : NULL,
                     rq->to->object, json_object_get(plan->json, "databases"));
    rb_json_hash(subject, out);
}

/* Reads the losses that an earlier run of the same plan found under lock: [{"database","table",
 * "column","rows","values","exact"}], or an empty array. A new reference. */
static enum rb_code found_before(json_t **out, const rb_plan *plan, const rb_plan_request *rq,
                                 rb_err *err)
{
    RB_AUTO(rb_free_str) char *text = NULL;
    char subject[RB_SHA256_HEX];
    *out = NULL;
    if (rq->state)
        RB_TRY(rb_state_pin(&text, rq->state, FOUND, err));
    rb_err unreadable; /* an empty text is unreadable, too */
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

/* Adds items to a list of the plan's document, with the name of their database. */
static void add_named(json_t *list, const char *database, const json_t *items)
{
    rb_json_each (item, items) {
        json_t *copy = json_copy(item);
        rb_json_set_str(copy, "database", database);
        json_object_del(copy, "fresh");
        json_array_append_new(list, copy);
    }
}

/* Adds items to the database's own list, so that they are backed up. */
static void add_found(rb_plan_database *d, const json_t *found)
{
    rb_json_each (item, found) {
        if (!d->at_risk || !rb_text_same(rb_json_str(item, "database"), d->name) ||
            rb_loss_find(d->at_risk, item))
            continue;
        /* a copy, since the rehearsal's outcome shares the list */
        RB_AUTO(rb_json_freep) json_t *longer = json_copy(d->at_risk);
        json_t *copy = json_copy(item);
        json_object_del(copy, "database");
        json_array_append_new(longer, copy);
        rb_json_replace(&d->at_risk, longer);
    }
}

static void note_recreated(rb_plan *plan, const rb_plan_database *d)
{
    RB_AUTO(rb_free_str) char *list = rb_plan_list_losses(d->generated);
    if (json_array_size(d->generated) > 0)
        rb_plan_note(plan, "database %s: generated again on the way back, and not at risk: %s",
                     d->name, list);
    if (d->no_way_back)
        rb_plan_note(plan,
                     "database %s: the way back fails on the copy, so everything that the scripts "
                     "change is at risk: %s",
                     d->name, d->no_way_back);
}

enum rb_code rb_plan_losses(rb_plan *plan, const rb_plan_request *rq, rb_err *err)
{
    json_t *all = json_object_get(plan->json, "dataAtRisk");
    RB_AUTO(rb_json_freep) json_t *found = NULL;
    RB_TRY(found_before(&found, plan, rq, err));
    for (size_t i = 0; i < plan->database_count; i++) {
        rb_plan_database *d = &plan->databases[i];
        add_found(d, found);
        add_named(all, d->name, d->at_risk);
        add_named(json_object_get(plan->json, "bound"), d->name, d->bound);
        note_recreated(plan, d);
        rb_json_each (item, d->at_risk) {
            RB_AUTO(rb_free_str)
            char *text = rb_template(rb_json_str(item, "column")
                                         ? "{table}.{column}: {values} values will not come back"
                                         : "{table}: {rows} rows will not come back",
                                     item);
            rb_plan_decide(plan, "data-loss", RB_OK, "%s", text);
        }
    }
    plan->consent = plan->consent || json_array_size(all) > 0;
    return RB_OK;
}

/* Returns the places of both lists, each once and sorted. */
static json_t *places_of(const json_t *lost, const json_t *also)
{
    RB_AUTO(rb_strs_clear) rb_strs texts = {0};
    const json_t *lists[] = {lost, also};
    json_t *places = json_array();
    for (size_t l = 0; l < 2; l++)
        rb_json_each (item, lists[l]) {
            RB_AUTO(rb_buf_clear) rb_buf text = {0};
            RB_AUTO(rb_json_freep)
            json_t *place = json_pack("[s,s,s?]", rb_json_str(item, "database"),
                                      rb_json_str(item, "table"), rb_json_str(item, "column"));
            rb_json_canonical(&text, place);
            if (!rb_strs_has(&texts, rb_buf_str(&text)))
                rb_strs_add(&texts, rb_buf_str(&text));
        }
    rb_strs_sort(&texts);
    for (size_t i = 0; i < texts.n; i++)
        json_array_append_new(places, json_string(texts.items[i]));
    return places;
}

/* The digest covers tables and columns, not counts: these may change between plan and run. */
void rb_plan_digest(char out[RB_SHA256_HEX], const rb_plan *plan, const rb_plan_request *rq,
                    const json_t *also)
{
    RB_AUTO(rb_json_freep) json_t *bound = json_array();
    json_t *kinds = json_array();
    json_t *left = json_array();
    for (size_t k = 0; k < plan->order_count; k++)
        json_array_append_new(kinds, json_string(rb_step_kind_name(plan->order[k])));
    rb_json_each (item, json_object_get(plan->json, "decisions"))
        if (rb_text_same(rb_json_str(item, "code"), "residual"))
            json_array_append(left, json_object_get(item, "message"));
    /* Empty places of the bound, too, since rows may be added. */
    for (size_t i = 0; i < plan->database_count; i++)
        add_named(bound, plan->databases[i].name, plan->databases[i].places);
    RB_AUTO(rb_json_freep)
    json_t *all = rb_json_make("from:s to:s steps:j scripts:J lost:j residual:j bound:j",
                               rq->from ? rq->from->object : NULL, rq->to->object, kinds,
                               json_object_get(plan->json, "databases"),
                               places_of(json_object_get(plan->json, "dataAtRisk"), also), left,
                               places_of(bound, NULL));
    if (rq->no_backup) /* needs consent of its own */
        json_object_set_new(all, "noBackup", json_true());
    rb_json_hash(all, out);
}

enum rb_code rb_plan_found(char digest[RB_SHA256_HEX], const rb_plan *plan,
                           const rb_plan_request *rq, const char *database, const json_t *lost,
                           rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *items = json_copy(json_object_get(plan->json, "dataAtRisk"));
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    char subject[RB_SHA256_HEX];
    add_named(items, database, lost);
    rb_plan_digest(digest, plan, rq, items);
    subject_of(subject, plan, rq);
    RB_AUTO(rb_json_freep) json_t *pinned = rb_json_make("subject:s items:J", subject, items);
    rb_json_canonical(&text, pinned);
    return rb_state_pin_set(rq->state, FOUND, rb_buf_str(&text), err);
}

enum rb_code rb_plan_found_end(rb_state *state, rb_err *err)
{
    RB_AUTO(rb_free_str) char *text = NULL;
    RB_TRY(rb_state_pin(&text, state, FOUND, err));
    return text && *text ? rb_state_pin_set(state, FOUND, "", err) : RB_OK;
}
