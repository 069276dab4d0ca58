#include "transition/recovery_point.h"

#include <string.h>
#include <time.h>

/* Adds what a person needs for a restore to that point. name: of the restore point, or NULL. */
static void add_ways(json_t *item, const json_t *at, const char *name, const char *lsn)
{
    const char *stanza = rb_json_str(at, "stanza");
    const char *kind = name ? "name" : "lsn";
    const char *target = name ? name : lsn;
    if (!target) {
        rb_json_set(item, "setting:s pgbackrest:s", (char *)NULL, (char *)NULL);
        return;
    }
    RB_AUTO(rb_free_str)
    char *setting = rb_format("recovery_target_%s = '%s'%s", kind, target,
                              name ? "" : " with recovery_target_inclusive = off");
    RB_AUTO(rb_free_str)
    char *command =
        stanza ? rb_format("pgbackrest --stanza=%s --delta --type=%s --target=%s%s restore", stanza,
                           kind, target, name ? "" : " --target-exclusive")
               : NULL;
    rb_json_set(item, "setting:s pgbackrest:s", setting, command);
}

static void note_missing(rb_plan *plan, const char *database, const json_t *at)
{
    const char *role = rb_json_str(at, "role");
    if (json_is_true(json_object_get(at, "logged")))
        rb_plan_note(plan,
                     "database %s: no restore point is created before the commit, since the role "
                     "may not: GRANT EXECUTE ON FUNCTION pg_create_restore_point(text) TO %s "
                     "changes that",
                     database, role);
    else
        rb_plan_note(plan,
                     "database %s: no restore point is created before the commit, since the "
                     "server's wal_level is minimal",
                     database);
}

static enum rb_code number_of(size_t *out, const rb_plan_request *rq, rb_err *err)
{
    RB_AUTO(rb_transition_rows_clear) rb_transition_rows rows = {0};
    if (rq->state)
        RB_TRY(rb_state_history(&rows, rq->state, false, err));
    *out = rows.n;
    return RB_OK;
}

/* The points are named after the plan's digest and the number of earlier transitions. Both are
 * known when the plan is made, and together unique. */
enum rb_code rb_recovery_points_plan(rb_plan *plan, const rb_plan_request *rq, rb_err *err)
{
    json_t *list = json_array();
    size_t number = 0;
    json_object_set_new(plan->json, "recovery", list);
    RB_TRY(number_of(&number, rq, err));
    RB_AUTO(rb_free_str) char *name = rb_format("rbtool-%.12s-%zu", plan->digest, number + 1);
    for (size_t i = 0; i < plan->database_count; i++) {
        const rb_plan_database *d = &plan->databases[i];
        RB_AUTO(rb_json_freep) json_t *at = NULL;
        if (d->seen && d->step_count > 0)
            RB_TRY(rb_db_recovery_point(&at, d->seen, NULL, err));
        if (!at)
            continue;
        const char *given = json_is_true(json_object_get(at, "may")) ? name : NULL;
        json_t *item = rb_json_make("database:s restorePoint:s", d->name, given);
        add_ways(item, at, given, NULL);
        json_array_append_new(list, item);
        if (!given)
            note_missing(plan, d->name, at);
    }
    return RB_OK;
}

static enum rb_code create_one(json_t *item, rb_run *run, size_t index, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *at = NULL;
    const char *name = rb_json_str(item, "restorePoint");
    RB_AUTO(rb_free_str)
    char *again = name && json_object_get(item, "lsn")
                      ? rb_format("rbtool-%.12s-%lld", run->plan->digest, (long long)time(NULL))
                      : NULL;
    name = again ? again : name;
    RB_TRY(rb_db_recovery_point(&at, run->dbs[index], name, err));
    if (!at)
        return RB_OK;
    const char *made = json_is_true(json_object_get(at, "may")) ? name : NULL;
    add_ways(item, at, made, rb_json_str(at, "lsn"));
    rb_json_set(item, "lsn:s timeline:i system:s", rb_json_str(at, "lsn"),
                rb_json_int(at, "timeline", 0), rb_json_str(at, "system"));
    RB_AUTO(rb_free_str) char *kept = rb_strdup(made); /* name may belong to the item */
    rb_json_set(item, "restorePoint:s", kept);
    return RB_OK;
}

enum rb_code rb_recovery_points_create(rb_run *run, rb_err *err)
{
    json_t *list = json_object_get(run->plan->json, "recovery");
    bool any = false;
    for (size_t i = 0; i < run->plan->database_count; i++)
        rb_json_each (item, list)
            if (!run->committed[i] &&
                strcmp(rb_json_str(item, "database"), run->plan->databases[i].name) == 0) {
                RB_TRY(create_one(item, run, i, err));
                any = true;
            }
    if (!any)
        return RB_OK;
    RB_TRY(rb_state_plan_set(run->state, run->plan->id, "recovery", list, err));
    return rb_state_flush(run->state, err);
}
