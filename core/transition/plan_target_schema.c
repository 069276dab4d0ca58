/* Determines the schema that a transition must produce, object by object (design section 9). */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "catalog/name.h"
#include "environment/drift.h"
#include "environment/observe.h"
#include "proof/rebuild.h"
#include "sql/token.h"
#include "transition/plan_make.h"

static enum rb_code promised(json_t **out, rb_db *db, const rb_release *release, rb_repo *repo,
                             const rb_manifest_database *database, const rb_catalog_now *now,
                             rb_err *err)
{
    if (database)
        return rb_promised_catalog(out, db, release, repo, database, now, err);
    *out = json_object();
    return RB_OK;
}

/* True if an object belongs to a table that the transition drops. */
static bool loses_table(const char *object, const json_t *base, const json_t *found,
                        const json_t *target)
{
    RB_AUTO(rb_free_str) char *table = rb_catalog_table_of(found, object);
    return table && json_object_get(base, table) && !json_object_get(target, table);
}

/* Adds each object that drifted to the plan's drift, with what the transition does to it. */
static void tell_drift(rb_plan *plan, rb_plan_database *d, const json_t *base, const json_t *found,
                       const json_t *target)
{
    RB_AUTO(rb_json_freep) json_t *order = NULL;
    rb_catalog_compare(&d->drifted, &order, base, found);
    rb_json_each (item, d->drifted) {
        const char *object = rb_json_str(item, "object");
        bool touched =
            !rb_json_same(json_object_get(base, object), json_object_get(target, object));
        rb_drift_add(plan->drift, "db",
                     touched ? "as released; this transition changes it"
                     : loses_table(object, base, found, target)
                         ? "as released; this transition drops its table"
                         : "as released",
                     rb_json_str(item, "change"), "%s: %s", d->name, object);
    }
}

/* Replaces the entry of an object that drifted, and that the transition does not change, by the one
 * that was found. */
static void keep_drifted(json_t *catalog, const char *object, const json_t *base,
                         const json_t *found, const json_t *target)
{
    json_t *was = json_object_get(base, object);
    json_t *now = json_object_get(found, object);
    if (rb_json_same(was, now) || !rb_json_same(was, json_object_get(target, object)) ||
        loses_table(object, base, found, target))
        return;
    if (now)
        json_object_set(catalog, object, now);
    else
        json_object_del(catalog, object);
}

/*
 * Merges three catalogs: base is what FROM promised, found what exists, target what TO promised.
 * The expected catalog is the target, and the catalog to record for FROM is the base, each with the
 * drift of objects that the transition does not change.
 */
static void expect_end(rb_plan_database *d, const json_t *base, const json_t *found,
                       const json_t *target)
{
    /* Objects are replaced as a whole, so that a shallow copy is enough. */
    d->expected = json_copy((json_t *)target);
    d->leaving = json_copy((json_t *)base);
    for (int side = 0; side < 2; side++)
        rb_json_each_member (object, value, (side ? found : base)) {
            keep_drifted(d->expected, object, base, found, target);
            keep_drifted(d->leaving, object, base, found, target);
        }
}

/*
 * Keeps known residuals: differences from FROM's promise that existed when FROM went live, in
 * objects that the transition does not change.
 */
static enum rb_code keep_residual(rb_plan_database *d, const rb_plan_request *rq,
                                  const rb_manifest_database *from, const json_t *lived,
                                  const json_t *target, rb_err *err)
{
    char fingerprint[RB_SHA256_HEX];
    rb_catalog_fingerprint(lived, fingerprint);
    if (strcmp(fingerprint, from->fingerprint) == 0)
        return RB_OK;
    RB_AUTO(rb_json_freep) json_t *promise = NULL;
    RB_TRY(rb_rebuilt_catalog(&promise, rq->from, rq->session->repo, from, err));
    for (int side = 0; side < 2; side++)
        rb_json_each_member (object, value, (side ? lived : promise))
            keep_drifted(d->expected, object, promise, lived, target);
    return RB_OK;
}

/*
 * For the first deploy to a database that another tool migrated, sets *base to what TO's own
 * scripts produce for the applied migrations. If these do not run by themselves, uses the existing
 * schema.
 */
static void adopt(json_t **base, const rb_plan_database *d, const rb_plan_request *rq,
                  const rb_applied *applied, const json_t *found)
{
    if (!d->to || rb_scratch_catalog(base, d->to_set, &applied->ids, d->to->engine, rq->to->tag,
                                     RB_IGNORED) != RB_OK)
        *base = json_deep_copy(found);
}

/* Returns the catalog after running FROM's migrations and the steps. Scripts that TO has, too, are
 * taken from `prefer`. NULL if they do not run. */
static json_t *outcome_of(const rb_plan_database *d, const rb_migrations *prefer,
                          const char *engine)
{
    json_t *out = NULL;
    rb_err why;
    size_t n = 0;
    rb_db_step *steps = rb_calloc(d->from_set->n + d->step_count + 1, sizeof *steps);
    for (size_t i = 0; i < d->from_set->n; i++) {
        const rb_migration *own = &d->from_set->items[i];
        const rb_migration *other = rb_migrations_find(prefer, own->id);
        steps[n++] = (rb_db_step){.migration = other ? other : own, .up = true, .release = ""};
    }
    if (d->step_count > 0)
        memcpy(steps + n, d->steps, d->step_count * sizeof *steps);
    n += d->step_count;
    const bool ran = rb_db_rebuild(&out, engine, steps, n, d->to_set, &why) == RB_OK;
    free(steps);
    return ran ? out : NULL;
}

/*
 * Handles releases with edited scripts. A database made by the old scripts differs from a new one,
 * and proofs used other scripts. Runs the steps in scratch databases with the scripts of both
 * releases, and adds the differences from target to d->residual. Adds nothing for a history that
 * does not run in a scratch database.
 */
static void add_edited(rb_plan_database *d, const json_t *target, const char *engine)
{
    const rb_migrations *histories[] = {d->from_set, d->to_set};
    for (size_t i = 0; i < 2 && d->edited.n > 0; i++) {
        RB_AUTO(rb_json_freep) json_t *after = outcome_of(d, histories[i], engine);
        RB_AUTO(rb_json_freep) json_t *differences = NULL;
        RB_AUTO(rb_json_freep) json_t *order = NULL;
        if (!after)
            continue;
        rb_catalog_compare(&differences, &order, target, after);
        json_array_extend(d->residual, differences);
    }
}

enum rb_code rb_plan_expect(rb_plan *plan, rb_plan_database *d, const rb_plan_request *rq,
                            rb_db *db, const rb_catalog_now *now, const rb_manifest_database *from,
                            const rb_applied *applied, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *base = NULL;
    RB_AUTO(rb_json_freep) json_t *target = NULL;
    json_t *found = now->catalog;
    RB_TRY(promised(&target, db, rq->to, rq->session->repo, d->to, now, err));
    bool there = d->step_count == 0 && json_equal(found, target);
    rb_err why;
    if (rq->from && promised(&base, db, rq->from, rq->session->repo, from, now, &why) != RB_OK &&
        !there) {
        *err = why;
        return why.code;
    }
    if (rq->from && base && from)
        rb_promise_without_undone(&base, now, rq->from, rq->session->repo, from);
    if (!rq->from)
        adopt(&base, d, rq, applied, found);
    if (!base)
        base = json_incref(found);
    if (!there)
        tell_drift(plan, d, base, found, target);
    expect_end(d, base, found, target);
    if (!from || !d->to || there)
        return RB_OK;
    RB_TRY(keep_residual(d, rq, from, base, target, err));
    add_edited(d, target, from->engine);
    return RB_OK;
}

/* True if a script names an object, outside comments and strings. */
static bool names(const rb_script *script, const char *engine, const char *name)
{
    rb_token token;
    rb_sql sql;
    if (!script->present)
        return false;
    rb_sql_init(&sql, script->text, script->len, engine);
    while (rb_sql_next(&token, &sql)) {
        if (token.kind != RB_TOKEN_WORD && token.kind != RB_TOKEN_QUOTED)
            continue;
        RB_AUTO(rb_free_str) char *found = rb_token_name(&token);
        if (strcasecmp(found, name) == 0)
            return true;
    }
    return false;
}

static bool is_named(const rb_plan_database *d, const char *object)
{
    RB_AUTO(rb_free_str) char *name = rb_catalog_bare_name(object);
    for (size_t i = 0; i < d->step_count; i++) {
        const rb_db_step *step = &d->steps[i];
        if (names(step->up ? &step->migration->up : &step->migration->down, d->to->engine, name))
            return true;
    }
    return false;
}

void rb_plan_take_released(rb_plan_database *database, const rb_plan_request *request,
                           const json_t *wrong, const json_t *before, const json_t *after)
{
    RB_AUTO(rb_json_freep) json_t *released = NULL;
    if (!database->to || rb_rebuilt_catalog(&released, request->to, request->session->repo,
                                            database->to, RB_IGNORED) != RB_OK)
        return;
    rb_json_each (item, wrong) {
        const char *object = rb_json_str(item, "object");
        json_t *now = json_object_get(after, object);
        if (!rb_json_same(now, json_object_get(released, object)) ||
            (!rb_json_same(now, json_object_get(before, object)) && !is_named(database, object)))
            continue;
        if (now)
            json_object_set(database->expected, object, now);
        else
            json_object_del(database->expected, object);
    }
}

bool rb_plan_has_schema_of(const rb_manifest_database *of, const json_t *catalog)
{
    char fingerprint[RB_SHA256_HEX];
    rb_catalog_fingerprint(catalog, fingerprint);
    return of && strcmp(fingerprint, of->fingerprint) == 0;
}

bool rb_plan_is_promised(const rb_plan_database *d, const json_t *catalog)
{
    return d->to ? rb_plan_has_schema_of(d->to, catalog) : json_object_size(catalog) == 0;
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
