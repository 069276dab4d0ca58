/* Finds the scripts that take a database to the target release, and those that undo them. */
#include <stdlib.h>
#include <string.h>

#include "database/url.h"
#include "transition/plan_make.h"

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
    RB_AUTO(rb_free_str) char *scripts = rb_plan_with_value(rq, "--scripts-from", "TAG");
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
        count += other != m && !rb_keys_has(&applied->index, other->id) && same_scripts(other, m);
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
        found[i] = rb_keys_has(&applied->index, m->id) ? NULL : renumbered(d, applied, m);
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

/* Finds the migrations whose scripts were edited after they had been released (RB004, accepted).
 * Override scripts must lead to the exact schema. */
static void find_edited(rb_plan_database *d)
{
    if (!d->from_set || !d->to_set || d->override_set)
        return;
    for (size_t i = 0; i < d->from_set->n; i++) {
        const rb_migration *a = &d->from_set->items[i];
        const rb_migration *b = rb_migrations_find(d->to_set, a->id);
        if (b && strcmp(a->up.sha256, b->up.sha256) != 0)
            rb_strs_add(&d->edited, a->id);
    }
}

void rb_plan_scripts(rb_plan *plan, rb_plan_database *d, const rb_plan_request *rq,
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
        if (rb_keys_has(&applied->index, m->id))
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
    find_edited(d);
}

/* Finds the steps that undo those of the plan, by redeploying the source release or undoing it. If
 * one cannot be undone, finds none: undoing some of them would not lead to the source release. */
void rb_plan_inverse(rb_plan_database *d, const rb_plan_request *rq)
{
    bool all = true;
    free(d->inverse);
    d->inverse = rb_calloc(d->step_count + 1, sizeof *d->inverse);
    d->inverse_count = 0;
    for (size_t i = d->step_count; i > 0 && all; i--) {
        const rb_db_step *step = &d->steps[i - 1];
        const rb_migration *m = step->migration;
        if (!step->up)
            m = d->from_set ? rb_migrations_find(d->from_set, m->id) : NULL;
        rb_db_step back = {.migration = m,
                           .up = !step->up,
                           .release = rq->from ? rq->from->tag : rq->to->tag,
                           .noted = step->noted};
        if (step->was)
            back = (rb_db_step){.migration = step->was,
                                .up = true,
                                .release = back.release,
                                .was = step->migration};
        all = step->was || (m && !m->code && (step->up ? m->down.present : m->up.present));
        d->inverse[d->inverse_count++] = back;
    }
    if (!all)
        d->inverse_count = 0;
    rb_db_segments(d->inverse, d->inverse_count, rb_url_engine(d->url, NULL));
}
