#include "transition/plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "catalog/name.h"
#include "database/tracking.h"
#include "environment/checks.h"
#include "environment/drift.h"
#include "environment/observe.h"

#define MAX_SETTINGS 10 /* of a database that a note lists */

void rb_plan_database_clear(rb_plan_database *d)
{
    free(d->name);
    free(d->url);
    free(d->tracking);
    rb_migrations_free(d->from_set);
    rb_migrations_free(d->to_set);
    rb_migrations_free(d->override_set);
    free(d->steps);
    json_decref(d->expected);
    json_decref(d->leaving);
    json_decref(d->drifted);
    json_decref(d->residual);
    rb_strs_clear(&d->edited);
    free(d->inverse);
    free(d->no_way_back);
    json_decref(d->unproven);
    json_decref(d->places);
    json_decref(d->bound);
    json_decref(d->backed_up);
    json_decref(d->at_risk);
    json_decref(d->generated);
    json_decref(d->effects);
    json_decref(d->locks);
    json_decref(d->step_proofs);
    json_decref(d->found);
    rb_db_close(d->seen);
    *d = (rb_plan_database){0};
}

static bool in_list(const json_t *list, const char *object, const char *change)
{
    rb_json_each (item, list) {
        const char *o = rb_json_str(item, "object");
        const char *c = rb_json_str(item, "change");
        if (o && strcmp(o, object) == 0 && (!change || (c && strcmp(c, change) == 0)))
            return true;
    }
    return false;
}

void rb_plan_database_judge(json_t **wrong, json_t **left, const rb_plan_database *database,
                            const json_t *catalog)
{
    RB_AUTO(rb_json_freep) json_t *differences = NULL;
    RB_AUTO(rb_json_freep) json_t *order = NULL;
    *wrong = json_array();
    *left = json_array();
    if (!database->expected) {
        if (!rb_plan_is_promised(database, catalog))
            json_array_append_new(
                *wrong, rb_json_make("object:s change:s", "the schema's fingerprint", "changed"));
        return;
    }
    rb_catalog_compare(&differences, &order, database->expected, catalog);
    rb_json_each (item, differences) {
        bool known =
            in_list(database->residual, rb_json_str(item, "object"), rb_json_str(item, "change"));
        json_array_append(known ? *left : *wrong, item);
    }
    rb_json_each (item, database->residual) {
        const char *object = rb_json_str(item, "object");
        if (object && rb_catalog_is(object, "setting") && !in_list(*left, object, NULL))
            json_array_append(*left, item);
    }
}

enum rb_code rb_plan_database_sets(rb_plan_database *d, const rb_manifest_database **from,
                                   const rb_plan_request *rq, rb_err *err)
{
    *from = rq->from ? rb_manifest_database_find(rq->from->manifest, d->name) : NULL;
    d->to = rb_manifest_database_find(rq->to->manifest, d->name);
    if (*from)
        RB_TRY(rb_release_migrations(&d->from_set, rq->from, rq->session->repo, *from, err));
    if (d->to)
        RB_TRY(rb_release_migrations(&d->to_set, rq->to, rq->session->repo, d->to, err));
    else
        d->to_set = rb_calloc(1, sizeof *d->to_set);
    const rb_manifest_database *overrides =
        rq->overrides ? rb_manifest_database_find(rq->overrides->manifest, d->name) : NULL;
    if (overrides)
        RB_TRY(rb_release_migrations(&d->override_set, rq->overrides, rq->session->repo, overrides,
                                     err));
    return RB_OK;
}

/* Adds a down script: from the override scripts if they have it, else from FROM. */
static void add_down(rb_plan *plan, rb_plan_database *d, const rb_plan_request *rq, const char *id)
{
    const rb_migration *m = d->override_set ? rb_migrations_find(d->override_set, id) : NULL;
    if ((!m || !m->down.present) && d->from_set && rb_migrations_find(d->from_set, id))
        m = rb_migrations_find(d->from_set, id);
    const char *from = rq->from ? rq->from->tag : "nothing";
    RB_AUTO(rb_free_str)
    char *who = rq->from ? rb_format("neither %s nor %s has it", from, rq->to->tag)
                         : rb_format("%s does not have it", rq->to->tag);
    RB_AUTO(rb_free_str) char *scripts = rb_plan_with_scripts(rq);
    RB_AUTO(rb_free_str) char *rest = rb_plan_with(rq, "--only app,flags,config");
    if (!m)
        rb_plan_decide(plan, "irreversible", RB_DECIDE,
                       "database %s: migration %s is applied, but %s\napply its way back by hand, "
                       "or name a release that has it with %s",
                       d->name, id, who, scripts);
    else if (m->code || !m->down.present)
        rb_plan_decide(
            plan, "irreversible", RB_DECIDE,
            "database %s: migration %s of %s %s\nname a release that has an override script with "
            "%s, or move the rest with %s",
            d->name, id, from,
            m->code ? "is program code that rbtool cannot run" : "has no down script", scripts,
            rest);
    else
        d->steps[d->step_count++] = (rb_db_step){.migration = m, .release = rq->to->tag};
}

static bool same_scripts(const rb_migration *a, const rb_migration *b)
{
    return !a->code && !b->code && strcmp(a->up.sha256, b->up.sha256) == 0 &&
           a->down.present == b->down.present &&
           (!a->down.present || strcmp(a->down.sha256, b->down.sha256) == 0);
}

/* Returns the applied migration that TO lacks and whose scripts are those of m, under another id.
 * NULL if there is none, or if the match is not unique on both sides. */
static const rb_migration *renumbered(const rb_plan_database *d, const rb_applied *applied,
                                      const rb_migration *m)
{
    const rb_migration *found = NULL;
    size_t count = 0;
    for (size_t i = 0; d->from_set && i < applied->ids.n; i++) {
        const rb_migration *old = rb_migrations_find(d->from_set, applied->ids.items[i]);
        if (!old || rb_migrations_find(d->to_set, old->id) || !same_scripts(old, m))
            continue;
        found = old;
        count++;
    }
    for (size_t i = 0; i < d->to_set->n && count == 1; i++) {
        const rb_migration *other = &d->to_set->items[i];
        count += other != m && !rb_strs_has(&applied->ids, other->id) && same_scripts(other, m);
    }
    return count == 1 ? found : NULL;
}

/* Returns, for each migration of TO, the one that it was applied as, or NULL. The items are
 * borrowed; the caller frees the array. */
static const rb_migration **find_renumbered(rb_plan *plan, const rb_plan_database *d,
                                            const rb_applied *applied, rb_strs *ids)
{
    const rb_migration **found = rb_calloc(d->to_set->n + 1, sizeof *found);
    for (size_t i = 0; i < d->to_set->n; i++) {
        const rb_migration *m = &d->to_set->items[i];
        found[i] = rb_strs_has(&applied->ids, m->id) ? NULL : renumbered(d, applied, m);
        if (!found[i])
            continue;
        rb_strs_add(ids, found[i]->id);
        rb_plan_note(plan,
                     "database %s: migration %s is applied, and has id %s in the release "
                     "to go to; its scripts are the same, so none runs",
                     d->name, found[i]->id, m->id);
    }
    return found;
}

static void add_steps(rb_plan *plan, rb_plan_database *d, const rb_plan_request *rq,
                      const rb_applied *applied)
{
    RB_AUTO(rb_strs_clear) rb_strs kept = {0};
    const rb_migration **was = find_renumbered(plan, d, applied, &kept);
    d->steps = rb_calloc(applied->ids.n + d->to_set->n + 1, sizeof *d->steps);
    for (size_t i = applied->ids.n; i > 0; i--) {
        const char *id = applied->ids.items[i - 1];
        if (!rb_migrations_find(d->to_set, id) && !rb_strs_has(&kept, id))
            add_down(plan, d, rq, id);
    }
    for (size_t i = 0; i < d->to_set->n; i++) {
        const rb_migration *m = &d->to_set->items[i];
        if (rb_strs_has(&applied->ids, m->id))
            continue;
        if (m->code)
            rb_plan_decide(plan, "irreversible", RB_DECIDE,
                           "database %s: migration %s of %s is program code that rbtool cannot "
                           "run\napply it with its own tool first",
                           d->name, m->id, rq->to->tag);
        else
            d->steps[d->step_count++] =
                (rb_db_step){.migration = m, .up = true, .release = rq->to->tag, .was = was[i]};
    }
    free(was);
}

static void applied_drift(rb_plan *plan, rb_plan_database *d, const rb_applied *applied,
                          const rb_manifest_database *from)
{
    const char *settle = rb_tracking_settle_sql(applied->tracking);
    if (applied->dirty)
        rb_plan_decide(plan, "dirty", RB_DECIDE,
                       "database %s: %s records that migration %s stopped half-way\ncomplete by "
                       "hand what it began, then run this SQL in the database: `%s`",
                       d->name, applied->tracking,
                       applied->ids.n ? applied->ids.items[applied->ids.n - 1] : "?",
                       settle ? settle : "");
    if (from)
        rb_observe_applied(plan->drift, applied, from, d->to_set, d->step_count > 0);
}

/* Notes applied migrations whose scripts changed in TO. They are never run again. */
static void changed_notes(rb_plan *plan, const rb_plan_database *d)
{
    for (size_t i = 0; d->from_set && i < d->from_set->n; i++) {
        const rb_migration *a = &d->from_set->items[i];
        const rb_migration *b = rb_migrations_find(d->to_set, a->id);
        if (!b || strcmp(a->up.sha256, b->up.sha256) == 0)
            continue;
        rb_plan_note(
            plan,
            "database %s: migration %s has other bytes in the two releases (RB004); it is not run "
            "again",
            d->name, a->id);
    }
}

/* Notes that the engine's major version differs from the proof's, since results may differ. */
static void engine_note(rb_plan *plan, const rb_plan_database *d, const rb_manifest_database *from,
                        const rb_db *db)
{
    const bool down = d->step_count > 0 && !d->steps[0].up;
    const rb_manifest_database *proven = down ? from : d->to;
    const char *proof = proven ? rb_json_str(proven->proof, "version") : NULL;
    const char *version = rb_db_version(db);
    const size_t len = strcspn(version, ".");
    if (!proof || d->step_count == 0 || (strlen(proof) == len && strncmp(proof, version, len) == 0))
        return;
    rb_plan_note(plan,
                 "database %s runs %s %s, and the way back was proven on %s %s: rehearse it there "
                 "first",
                 d->name, rb_db_engine(db), version, proven->engine, proof);
}

/* Notes that the database has settings of its own: scripts run with them, and were proven without.
 */
static enum rb_code settings_note(rb_plan *plan, const rb_plan_database *d, rb_db *db, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *facts = NULL;
    RB_AUTO(rb_strs_clear) rb_strs names = {0};
    if (d->step_count == 0 || d->create)
        return RB_OK;
    RB_TRY(rb_db_facts(&facts, db, err));
    rb_json_each_member (name, value, facts) {
        const char *end = strstr(name, RB_DB_FACT_OF_DATABASE);
        RB_AUTO(rb_free_str)
        char *shown =
            rb_format("%.*s = %s", end ? (int)(end - name) : 0, name, json_string_value(value));
        if (end)
            rb_strs_add(&names, shown);
    }
    if (names.n == 0)
        return RB_OK;
    rb_strs_sort(&names);
    RB_AUTO(rb_free_str) char *list = rb_strs_join(&names, MAX_SETTINGS);
    rb_plan_note(plan,
                 "database %s has settings of its own (%s): its scripts run with them, and were "
                 "proven without them",
                 d->name, list);
    return RB_OK;
}

enum rb_code rb_plan_database_make(rb_plan *plan, rb_plan_database *d, const rb_plan_request *rq,
                                   const char *name, rb_err *err)
{
    const rb_manifest_database *from;
    size_t refusals = plan->refusals; /* refusals of other parts */
    d->name = rb_strdup(name);
    d->residual = json_array();
    d->unproven = json_array();
    const char *url = rb_env_database(rq->env, name);
    if (!url)
        return rb_fail(err, RB_ERROR,
                       "release %s has database %s, but environment %s has no url for it\nadd it "
                       "under environments.%s.databases",
                       rq->to->tag, name, rq->env->name, rq->env->name);
    d->url = rb_strdup(url);
    RB_TRY(rb_plan_database_sets(d, &from, rq, err));
    const rb_manifest_database *any = d->to ? d->to : from;
    RB_AUTO(rb_db_closep) rb_db *db = NULL;
    /* A missing database is created only if the environment has no history. */
    rb_db_target target;
    RB_TRY(rb_db_inspect(&target, d->url, err));
    d->create = !target.exists && !rq->from;
    if (d->create)
        RB_TRY(rb_db_scratch(&db, any->engine, RB_DB_CLOCK_REAL, err));
    else
        RB_TRY(rb_db_open(&db, d->url, RB_DB_READ, err));
    RB_AUTO(rb_applied_clear) rb_applied applied = {0};
    RB_TRY(rb_db_applied(&applied, db, d->from_set ? d->from_set : d->to_set, any->tracking, err));
    const char *tracking;
    RB_TRY(rb_tracking_find(&tracking, db, any->tracking, any->layout, err));
    d->tracking = rb_strdup(tracking);
    add_steps(plan, d, rq, &applied);
    rb_db_segments(d->steps, d->step_count, any->engine);
    bool refused = false;
    if (strcmp(any->tracking, "auto") == 0)
        RB_TRY(rb_plan_refuse_foreign(&refused, plan, d, rq, db, err));
    if (refused)
        return RB_OK;
    applied_drift(plan, d, &applied, from);
    changed_notes(plan, d);
    if (d->step_count > 0 && rb_tracking_is_elsewhere(any->layout, any->engine))
        rb_plan_note(plan,
                     "database %s: %s keeps its record in a file of its own, which stays as it is; "
                     "afterwards run its %s with --log-only",
                     d->name, any->layout, d->steps[0].up ? "deploy" : "revert");
    rb_plan_gather_proofs(plan, d, rq);
    engine_note(plan, d, from, db);
    RB_TRY(settings_note(plan, d, db, err));
    if (!d->create)
        RB_TRY(rb_db_data_version(&d->version, db, err));
    RB_TRY(rb_plan_expect(plan, d, rq, db, from, &applied, err));
    bool stands = rq->partial ? plan->refusals == refusals : plan->worst == RB_OK;
    if (!stands || rq->only_drift)
        return RB_OK;
    RB_TRY(rb_plan_rehearse(plan, d, rq, db, any->engine, err));
    if (!d->create) { /* stays open, since rb_db_data_version() is specific to a connection */
        d->seen = RB_TAKE(db);
    }
    return RB_OK;
}
