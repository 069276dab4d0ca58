#include "transition/as_released.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "environment/observe.h"

static bool is_word(char c)
{
    return c == '_' || isalnum((unsigned char)c) || (unsigned char)c >= 0x80;
}

static bool names(const char *text, const char *word, size_t len)
{
    for (const char *p = text; text && (p = strcasestr(p, word)); p++)
        if ((p == text || !is_word(p[-1])) && !is_word(p[len]))
            return true;
    return false;
}

/* The last name in "column orders.discount", "index hot"; of a constraint, its table's. */
static char *name_of(const char *object)
{
    bool constraint = strncmp(object, "constraint ", strlen("constraint ")) == 0;
    const char *name = strchr(object, ' ');
    name = name ? name + 1 : object;
    if (constraint)
        return rb_strndup(name, strcspn(name, " ."));
    const char *dot = strrchr(name, '.');
    return rb_strdup(dot ? dot + 1 : name);
}

static bool is_named(const rb_plan_database *d, const char *object)
{
    RB_AUTO(rb_free_str) char *name = name_of(object);
    size_t len = strlen(name);
    for (size_t i = 0; len > 0 && i < d->step_count; i++) {
        const rb_db_step *step = &d->steps[i];
        if (names(step->up ? step->migration->up.text : step->migration->down.text, name, len))
            return true;
    }
    return false;
}

static bool same(const json_t *a, const json_t *b)
{
    return a == b || (a && b && json_equal(a, b));
}

void rb_plan_take_released(rb_plan_database *database, const rb_plan_request *request,
                           const json_t *wrong, const json_t *before, const json_t *after)
{
    RB_AUTO(rb_json_freep) json_t *released = NULL;
    rb_err unknown;
    if (!database->to ||
        rb_rebuilt_catalog(&released, request->to, request->repo, database->to, &unknown) != RB_OK)
        return;
    size_t i;
    json_t *item;
    json_array_foreach ((json_t *)wrong, i, item) {
        const char *object = rb_json_str(item, "object");
        json_t *now = json_object_get(after, object);
        if (!same(now, json_object_get(released, object)) ||
            (!same(now, json_object_get(before, object)) && !is_named(database, object)))
            continue;
        if (now)
            json_object_set(database->expected, object, now);
        else
            json_object_del(database->expected, object);
    }
}
