#include "proof/proving.h"

#include <string.h>

#include "catalog/name.h"
#include "database/run.h"

enum rb_code rb_proving_run(rb_proving *p, const rb_migration *m, bool up, rb_err *err)
{
    const rb_db_step step = {.migration = m, .up = up};
    return rb_run_script(p->effects, p->db, &step, err);
}

enum rb_code rb_proving_within(const rb_proving *p, const rb_err *why, rb_err *err)
{
    if (!rb_db_limited(p->db))
        return RB_OK;
    *err = *why;
    return RB_FOUND;
}

enum rb_code rb_proving_mark(rb_proving *p, rb_err *err)
{
    RB_TRY(rb_db_commit(p->db, err));
    return rb_db_begin(p->db, err);
}

enum rb_code rb_proving_back(rb_proving *p, rb_err *err)
{
    rb_db_rollback(p->db);
    return rb_db_begin(p->db, err);
}

static enum rb_code apply_old(rb_proving *p, rb_err *err)
{
    for (size_t i = 0; i < p->set->n; i++) {
        if (p->is_new[i] || rb_proving_run(p, &p->set->items[i], true, err) == RB_OK)
            continue;
        err->code = RB_FOUND;
        return rb_err_prefix(err, "the migrations of earlier releases do not apply");
    }
    return RB_OK;
}

static void keep_fitted(rb_proving *p)
{
    size_t i;
    json_t *ran;
    json_array_foreach (p->seeded, i, ran) {
        if (i >= json_array_size(p->fitted))
            json_array_append(p->fitted, ran);
        else if (json_is_true(ran))
            json_array_set(p->fitted, i, ran);
    }
}

enum rb_code rb_proving_start(rb_proving *p, size_t count, rb_err *err)
{
    rb_db_close(p->db);
    p->db = NULL;
    keep_fitted(p);
    json_array_clear(p->seeded);
    json_object_clear(p->filled);
    json_object_clear(p->kept);
    RB_TRY(rb_db_scratch(&p->db, p->engine, p->clock, err));
    RB_TRY(rb_db_limit(p->db, p->limits, err));
    RB_TRY(rb_db_begin(p->db, err));
    RB_TRY(apply_old(p, err));
    for (size_t i = 0; i < p->set->n && count > 0; i++) {
        if (!p->is_new[i])
            continue;
        count--;
        RB_TRY(rb_proving_run(p, &p->set->items[i], true, err));
    }
    json_decref(p->catalog);
    p->catalog = NULL;
    return rb_db_catalog(&p->catalog, p->db, err);
}

/* Tables that filling changed; triggers may have changed any. */
static void forget_filled(rb_proving *p, const json_t *before)
{
    const char *name;
    json_t *value;
    bool any = false;
    json_object_foreach (p->filled, name, value) {
        if (!json_is_true(value) || json_is_true(json_object_get(before, name)))
            continue;
        json_object_del(p->kept, name);
        any = true;
    }
    json_object_foreach (p->catalog, name, value) {
        if (any && rb_catalog_is(name, "trigger")) {
            json_object_clear(p->kept);
            return;
        }
    }
}

enum rb_code rb_proving_add_rows(rb_proving *p, rb_err *err)
{
    const rb_db_text seed = {
        .text = p->seed ? p->seed : "",
        .line = 1,
        .file = p->seed_file ? p->seed_file : "",
        .what = "the seed",
    };
    size_t i;
    json_t *ran;
    bool left = json_array_size(p->seeded) == 0;
    json_array_foreach (p->seeded, i, ran)
        left |= json_is_false(ran);
    if (left && p->seed) {
        RB_TRY(p->db->driver->seed(p->db, &seed, p->seeded, &p->seed_error, err));
        json_object_clear(p->kept);
        json_object_clear(p->filled);
    }
    RB_AUTO(rb_json_freep) json_t *before = json_copy(p->filled);
    RB_TRY(p->db->driver->fill(p->filled, p->db, &p->samples, err));
    forget_filled(p, before);
    return RB_OK;
}

bool rb_proving_comes_back(const json_t *result)
{
    const char *restores = rb_json_str(result, "restores");
    return strcmp(restores, "identical") == 0 || strcmp(restores, "order") == 0;
}

void rb_proving_fails(json_t *result, bool failed, const char *why)
{
    if (!failed && !rb_proving_comes_back(result))
        return;
    rb_json_set_str(result, "restores", failed ? "fails" : "untested");
    rb_json_set_str(result, "error", why);
}
