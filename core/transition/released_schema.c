#include "transition/released_schema.h"

#include <string.h>
#include <strings.h>

#include "catalog/name.h"
#include "environment/observe.h"
#include "sql/token.h"

/* A comment or a string that has the name in it does not name the object. */
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
    rb_err unknown;
    if (!database->to || rb_rebuilt_catalog(&released, request->to, request->session->repo,
                                            database->to, &unknown) != RB_OK)
        return;
    size_t i;
    json_t *item;
    json_array_foreach ((json_t *)wrong, i, item) {
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
