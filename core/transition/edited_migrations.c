#include "transition/edited_migrations.h"

#include <stdlib.h>
#include <string.h>

#include "catalog/catalog.h"
#include "proof/rebuild.h"

static void find_edited(rb_plan_database *d)
{
    for (size_t i = 0; i < d->from_set->n; i++) {
        const rb_migration *a = &d->from_set->items[i];
        const rb_migration *b = rb_migrations_find(d->to_set, a->id);
        if (b && strcmp(a->up.sha256, b->up.sha256) != 0)
            rb_strs_add(&d->edited, a->id);
    }
}

/* FROM's migrations, those that TO has too with the bytes of prefer, and then the steps. NULL when
 * they do not run. */
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

void rb_plan_edited(rb_plan_database *d, const json_t *target, const char *engine)
{
    if (!d->from_set || d->override_set)
        return;
    find_edited(d);
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
