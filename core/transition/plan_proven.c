/*
 * Uses the proofs in manifests instead of a rehearsal, if a rehearsal would need a server. A proof
 * has measured what scripts write and lock on the same schema, and that the inverse restores it, so
 * that nothing needs to be copied. The transaction measures the same again, and is rolled back if
 * it finds more.
 */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "database/loss.h"
#include "database/url.h"
#include "transition/plan_make.h"

/* Returns the proofs in a manifest by id; the first one for each id. */
static json_t *proofs_by_id(const rb_manifest *manifest, const char *database)
{
    const rb_manifest_database *d = rb_manifest_database_find(manifest, database);
    json_t *proofs = json_object();
    rb_json_each (item, json_object_get(d ? d->proof : NULL, "migrations")) {
        const char *id = rb_json_str(item, "id");
        if (id && !json_object_get(proofs, id))
            json_object_set(proofs, id, item);
    }
    return proofs;
}

/* Takes from a proof what a down script leaves, and whether it fails. */
static void use_proof(rb_plan *plan, rb_plan_database *d, const rb_plan_request *rq,
                      const json_t *proof, const char *id)
{
    RB_AUTO(rb_free_str) char *scripts = rb_plan_with_value(rq, "--scripts-from", "TAG");
    const char *restores = rb_json_str(proof, "restores");
    rb_json_each (item, json_object_get(proof, "differences"))
        json_array_append(d->residual, item);
    json_array_extend(d->unproven, json_object_get(proof, "discards"));
    if (restores && strcmp(restores, "untested") == 0) {
        d->untested = true;
        rb_plan_note(plan,
                     "database %s: the down of migration %s could not be tried on every "
                     "row when its release was made: %s",
                     d->name, id, rb_json_str(proof, "error"));
    }
    if (restores && strcmp(restores, "fails") == 0)
        rb_plan_decide(plan, "irreversible", RB_DECIDE,
                       "database %s: the down of migration %s failed when its release was made\n"
                       "name a release that has an override script with %s",
                       d->name, id, scripts);
}

typedef struct gathering {
    rb_plan *plan;
    rb_plan_database *d;
    const rb_plan_request *rq;
    bool up;    /* looks for proofs of up scripts; otherwise of down scripts */
    bool *seen; /* for each step: it has a proof, or needs none */
    size_t open;
} gathering;

/* True if a release has a migration with the same scripts, so that its proof applies. */
static bool is_of(const rb_manifest_database *of, const rb_migration *m)
{
    for (size_t i = 0; of && i < of->migration_count; i++)
        if (strcmp(of->migrations[i].id, m->id) == 0)
            return strcmp(of->migrations[i].up, m->up.sha256) == 0 &&
                   strcmp(of->migrations[i].down, m->down.present ? m->down.sha256 : "") == 0;
    return false;
}

/* Takes proofs from a release for the steps that lack one. Returns true while any step lacks one.
 */
static bool take_proofs(void *context, const rb_release *release)
{
    gathering *g = context;
    RB_AUTO(rb_json_freep) json_t *proofs = proofs_by_id(release->manifest, g->d->name);
    for (size_t i = 0; i < g->d->step_count; i++) {
        const char *id = g->d->steps[i].migration->id;
        const json_t *proof = g->seen[i] ? NULL : json_object_get(proofs, id);
        if (!proof)
            continue;
        if (is_of(rb_manifest_database_find(release->manifest, g->d->name),
                  g->d->steps[i].migration))
            json_array_set_new(g->d->step_proofs, i,
                               rb_json_make("restores:s reapplies:b effects:J locks:J",
                                            rb_json_str(proof, "restores"),
                                            json_is_true(json_object_get(proof, "reapplies")),
                                            json_object_get(proof, "effects"),
                                            json_object_get(proof, "locks")));
        if (g->up)
            json_array_extend(g->d->unproven, json_object_get(proof, "destroys"));
        else
            use_proof(g->plan, g->d, g->rq, proof, id);
        g->seen[i] = true;
        g->open--;
    }
    return g->open > 0;
}

/* The proof of a migration is in the release that brought it: follows the chain back. */
void rb_plan_gather_proofs(rb_plan *plan, rb_plan_database *d, const rb_plan_request *rq)
{
    d->step_proofs = json_array();
    for (size_t i = 0; i < d->step_count; i++)
        json_array_append_new(d->step_proofs, json_null());
    for (int up = 0; up < 2; up++) {
        gathering g = {plan, d, rq, up, rb_calloc(d->step_count, sizeof *g.seen), 0};
        const rb_release *at = up ? rq->to : rq->from;
        for (size_t i = 0; i < d->step_count; i++) {
            const rb_migration *m = d->steps[i].migration;
            bool overrides =
                !up && d->override_set && rb_migrations_find(d->override_set, m->id) == m;
            g.seen[i] = d->steps[i].up != up || d->steps[i].was || overrides;
            g.open += !g.seen[i];
            d->unproven_steps += overrides;
        }
        if (at && g.open > 0 && take_proofs(&g, at))
            rb_session_walk(rq->session, at, take_proofs, &g);
        d->unproven_steps += g.open;
        free(g.seen);
    }
}

/* Effects: */

static bool comes_back(const json_t *proof)
{
    const char *restores = rb_json_str(proof, "restores");
    return (rb_text_same(restores, "identical") || rb_text_same(restores, "order")) &&
           json_is_true(json_object_get(proof, "reapplies"));
}

/* Adds the effects of a step's script, or of its inverse. False if they are unknown. */
static bool add_effects(json_t *effects, const rb_plan_database *d, size_t step, bool inverse)
{
    const rb_db_step *s = &d->steps[step];
    const json_t *proof = json_array_get(d->step_proofs, step);
    const json_t *of =
        json_object_get(json_object_get(proof, "effects"), s->up != inverse ? "up" : "down");
    if (s->was || s->noted)
        return true;
    if (!of || (inverse && !comes_back(proof)))
        return false;
    rb_loss_add(effects, of);
    return true;
}

static void add_locks(json_t *locks, const rb_plan_database *d, size_t step)
{
    const char *direction = d->steps[step].up ? "up" : "down";
    rb_json_each (lock, json_object_get(json_array_get(d->step_proofs, step), "locks"))
        if (rb_text_same(rb_json_str(lock, "direction"), direction))
            json_array_append_new(locks, rb_json_make("table:s mode:s", rb_json_str(lock, "table"),
                                                      rb_json_str(lock, "mode")));
}

/* Returns what the remaining steps write and lock, and what their inverse writes: {"scripts",
 * "locks","inverse"}; without "inverse" if none exists. NULL if a proof is missing. */
static json_t *combine(const rb_plan_database *d)
{
    RB_AUTO(rb_json_freep) json_t *scripts = json_object();
    RB_AUTO(rb_json_freep) json_t *inverse = d->inverse_count > 0 ? json_object() : NULL;
    RB_AUTO(rb_json_freep) json_t *locks = json_array();
    rb_db_segment next;
    bool in_transactions = true; /* the locks of a proof are taken in transactions */
    (void)rb_db_segment_at(&next, d->steps, d->step_count, d->done);
    for (size_t i = next.from; i < d->step_count; i++) {
        if (!add_effects(scripts, d, i, false))
            return NULL;
        add_locks(locks, d, i);
        in_transactions = in_transactions && !d->steps[i].alone;
    }
    for (size_t i = d->step_count; i > next.from && inverse; i--)
        if (!add_effects(inverse, d, i - 1, true))
            return NULL;
    if (!in_transactions)
        json_array_clear(locks);
    json_t *all = rb_json_make("scripts:J locks:J", scripts, locks);
    if (inverse)
        json_object_set(all, "inverse", inverse);
    return all;
}

/* True if the proofs of all steps begin with this schema: all migrations are to be applied, and the
 * database has at most what a server gives to a new one, a schema and a language. */
static bool is_new(const rb_plan_database *d, const json_t *catalog)
{
    rb_json_each_member (key, value, catalog)
        if (!value || (strncmp(key, "schema ", 7) != 0 && strncmp(key, "extension ", 10) != 0))
            return false;
    return d->to && d->step_count == d->to->migration_count && json_object_size(catalog) <= 2;
}

enum rb_code rb_plan_use_proofs(rb_plan_database *d, const rb_plan_request *rq, rb_db *db,
                                const rb_manifest_database *from, const rb_catalog_now *now,
                                rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *target = NULL;
    if (rb_db_scratch_place(rb_db_engine(db)) == RB_SCRATCH_HERE || rq->rehearse || d->create ||
        d->override_set || json_array_size(d->residual) > 0 || d->edited.n > 0 ||
        !(from ? rb_plan_has_schema_of(from, now->catalog) : is_new(d, now->catalog)))
        return RB_OK; /* with edited scripts, the proofs do not lead from FROM's schema to TO's */
    RB_TRY(rb_db_journal_catalog(&target, db, rq->to->tag, now, err));
    if (target && !rb_plan_is_promised(d, target)) /* it went live with accepted drift */
        return RB_OK;
    rb_plan_inverse(d, rq);
    RB_AUTO(rb_json_freep) json_t *effects = combine(d);
    d->proven = effects != NULL;
    if (!d->proven)
        return RB_OK;
    d->expected = json_copy(target);
    d->leaving = json_incref(now->catalog);
    d->found = json_incref(now->catalog);
    return RB_OK;
}

enum rb_code rb_plan_count_proven(rb_plan_database *d, rb_db *db, rb_err *err)
{
    RB_AUTO(rb_db_losses_clear) rb_db_losses losses = {0};
    RB_AUTO(rb_db_outcome_clear) rb_db_outcome outcome = {0};
    RB_AUTO(rb_json_freep) json_t *effects = combine(d);
    if (!effects)
        return rb_fail(err, RB_ERROR, "database %s: the proofs of its migrations are missing",
                       d->name);
    if (!d->found)
        RB_TRY(rb_db_catalog(&d->found, db, err));
    outcome.before = json_incref(d->found);
    outcome.effects = json_incref(json_object_get(effects, "scripts"));
    outcome.after = rb_loss_left(outcome.before, outcome.effects);
    outcome.bound = rb_loss_bound(outcome.before, outcome.after, outcome.effects);
    RB_TRY(rb_db_losses_derived(&losses, db, &outcome, json_object_get(effects, "inverse"),
                                d->unproven, err));
    rb_json_replace(&d->locks, json_object_get(effects, "locks"));
    rb_plan_take_losses(d, &outcome, &losses);
    return RB_OK;
}
