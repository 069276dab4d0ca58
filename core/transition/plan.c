#include "transition/plan.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/text.h"
#include "database/backup.h"

static const struct {
    const char *name;
    const char *inverse; /* NULL: the step has no inverse */
} kinds[] = {[RB_DO_STAGE] = {"stage", "remove it"},
             [RB_DO_FLAGS] = {"flags", "restore the previous file"},
             [RB_DO_STOP] = {"stop", "start the service"},
             [RB_DO_DATABASE] = {"database", "roll back"},
             [RB_DO_SWITCH] = {"switch", "switch back"},
             [RB_DO_CONFIG] = {"config", "restore the previous files"},
             [RB_DO_SECRETS] = {"secrets", "restore the previous versions"},
             [RB_DO_COMMIT] = {"commit", NULL},
             [RB_DO_START] = {"start", NULL},
             [RB_DO_CHECKS] = {"checks", NULL},
             [RB_DO_RECORD] = {"record", NULL}};

_Static_assert(sizeof kinds / sizeof *kinds == RB_STEP_KINDS, "a kind of step is missing");

const char *rb_step_kind_name(enum rb_step_kind kind)
{
    return kinds[kind].name;
}

const char *rb_step_kind_inverse(enum rb_step_kind kind)
{
    return kinds[kind].inverse;
}

enum rb_step_kind rb_step_kind_of(const char *name)
{
    for (int kind = 0; kind < RB_STEP_KINDS; kind++)
        if (rb_text_same(name, rb_step_kind_name((enum rb_step_kind)kind)))
            return (enum rb_step_kind)kind;
    return RB_STEP_KINDS;
}

char *rb_transition_id(void)
{
    unsigned char random[4] = {0};
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        abort();
    char hex[9];
    rb_hex_encode(random, sizeof random, hex);
    char when[32];
    time_t now = time(NULL);
    struct tm tm;
    strftime(when, sizeof when, "%Y%m%dT%H%M%SZ", gmtime_r(&now, &tm));
    return rb_format("%s-%s", when, hex);
}

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

void rb_plan_free(rb_plan *plan)
{
    if (!plan)
        return;
    free(plan->kind);
    free(plan->id);
    free(plan->command);
    free(plan->backups);
    free(plan->current_before);
    for (size_t i = 0; i < plan->database_count; i++)
        rb_plan_database_clear(&plan->databases[i]);
    free(plan->databases);
    for (size_t i = 0; i < plan->file_count; i++) {
        free(plan->files[i].path);
        free(plan->files[i].had);
        free(plan->files[i].held);
        free(plan->files[i].brings);
        free(plan->files[i].source);
    }
    free(plan->files);
    json_decref(plan->drift);
    json_decref(plan->json);
    free(plan);
}

void rb_plan_decide(rb_plan *plan, const char *code, enum rb_code worst, const char *fmt, ...)
{
    rb_err decision = {0};
    va_list args;
    va_start(args, fmt);
    (void)rb_vfail(&decision, worst, fmt, args);
    va_end(args);
    json_t *item = rb_err_json(&decision);
    rb_json_set_str(item, "code", code);
    json_array_append_new(json_object_get(plan->json, "decisions"), item);
    plan->refusals += worst != RB_OK;
    if (worst != RB_OK && plan->worst == RB_OK) {
        plan->worst = worst;
        plan->refusal = decision;
    }
}

void rb_plan_note(rb_plan *plan, const char *fmt, ...)
{
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    va_list args;
    va_start(args, fmt);
    rb_buf_vprintf(&text, fmt, args);
    va_end(args);
    RB_AUTO(rb_free_str) char *safe = rb_safe(rb_buf_str(&text));
    json_array_append_new(json_object_get(plan->json, "notes"), json_string(safe));
}

void rb_plan_database_names(rb_strs *out, const rb_release *from, const rb_release *to)
{
    const rb_release *sides[] = {from, to};
    for (size_t s = 0; s < 2; s++)
        for (size_t i = 0; sides[s] && i < sides[s]->manifest->database_count; i++)
            if (!rb_strs_has(out, sides[s]->manifest->databases[i].name))
                rb_strs_add(out, sides[s]->manifest->databases[i].name);
    rb_strs_sort(out);
}

char *rb_plan_backup_of(const char *transition, const char *database, const char *url)
{
    return rb_format(".rbtool/backups/%s/%s%s", transition, database, rb_db_backup_suffix(url));
}

char *rb_plan_backup(const rb_plan *plan, const rb_plan_database *d)
{
    return rb_plan_backup_of(plan->id, d->name, d->url);
}

const json_t *rb_plan_before(const json_t *plan, const char *key)
{
    return json_object_get(json_object_get(plan, "before"), key);
}

const json_t *rb_plan_before_database(const json_t *plan, const char *name)
{
    rb_json_each (item, rb_plan_before(plan, "databases"))
        if (rb_text_same(rb_json_str(item, "name"), name))
            return item;
    return NULL;
}
