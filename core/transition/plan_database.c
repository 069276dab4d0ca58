#include "transition/plan_make.h"

#include <stdlib.h>
#include <string.h>

#include "database/tracking.h"
#include "environment/observe.h"

#define MAX_SETTINGS 10 /* of a database that a note lists */

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

/* Notes what uses the database and would block the transition, or be blocked by it. */
static enum rb_code note_obstacles(rb_plan *plan, const rb_plan_database *d, rb_db *db, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *lines = NULL;
    RB_AUTO(rb_json_freep) json_t *none = json_object();
    if (d->create || d->step_count == 0)
        return RB_OK;
    RB_TRY(rb_db_obstacles(&lines, db, d->effects ? d->effects : none, err));
    rb_json_each (line, lines)
        rb_plan_note(plan, "database %s: %s", d->name, json_string_value(line));
    return RB_OK;
}

/* Finds what the scripts lose: by their proofs, or in a rehearsal. */
static enum rb_code find_losses(rb_plan *plan, rb_plan_database *d, const rb_plan_request *rq,
                                rb_db *db, const char *engine, rb_err *err)
{
    if (d->proven && d->step_count > 0)
        rb_plan_note(plan,
                     "database %s: its scripts were not tried on a copy: what is at risk is "
                     "judged by their proofs, and the transaction is their first run here; "
                     "--rehearse tries them on a copy",
                     d->name);
    RB_TRY(d->proven ? rb_plan_count_proven(d, db, err)
                     : rb_plan_rehearse(plan, d, rq, db, engine, err));
    return note_obstacles(plan, d, db, err);
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
    RB_AUTO(rb_catalog_now_clear) rb_catalog_now now = {0};
    RB_TRY(rb_db_applied(&applied, db, d->from_set ? d->from_set : d->to_set, any->tracking, err));
    const char *tracking;
    RB_TRY(rb_tracking_find(&tracking, db, any->tracking, any->layout, err));
    d->tracking = rb_strdup(tracking);
    rb_plan_scripts(plan, d, rq, &applied);
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
    RB_TRY(rb_catalog_now_read(&now, db, err));
    RB_TRY(rb_plan_use_proofs(d, rq, db, from, &now, err));
    if (!d->proven)
        RB_TRY(rb_plan_expect(plan, d, rq, db, &now, from, &applied, err));
    bool stands = rq->partial ? plan->refusals == refusals : plan->worst == RB_OK;
    if (!stands || rq->only_drift)
        return RB_OK;
    RB_TRY(find_losses(plan, d, rq, db, any->engine, err));
    if (!d->create) { /* stays open, since rb_db_data_version() is specific to a connection */
        d->seen = RB_TAKE(db);
    }
    return RB_OK;
}

enum rb_code rb_plan_database_again(rb_plan_database *d, const rb_plan_request *rq, rb_db *locked,
                                    rb_err *err)
{
    int64_t version = d->version;
    if (d->create || d->step_count == 0)
        return RB_OK;
    rb_db *seen = d->runs_on_seen ? locked : d->seen;
    if (seen)
        RB_TRY(rb_db_data_version(&version, seen, err));
    if (seen && version == d->version)
        return RB_OK;
    if (!d->proven)
        return rb_plan_rehearse_again(d, rq, err);
    json_decref(d->found);
    d->found = NULL;
    return rb_plan_count_proven(d, locked, err);
}
