#include "proof/proving.h"

#include <stdint.h>
#include <string.h>

#include "base/hash.h"
#include "catalog/name.h"
#include "database/run.h"
#include "database/tracking.h"

static rb_db_step step_of(const rb_proving *p, const rb_migration *m, bool up)
{
    rb_db_step step = {.migration = m, .up = up};
    rb_db_segments(&step, 1, p->engine);
    return step;
}

bool rb_proving_commits(const rb_proving *p, const rb_migration *m)
{
    return step_of(p, m, false).commits;
}

enum rb_code rb_proving_run(rb_proving *p, const rb_migration *m, bool up, rb_err *err)
{
    const rb_db_step step = step_of(p, m, up);
    return rb_run_script(p->effects, p->db, &step, err);
}

static bool has_tables(const json_t *catalog)
{
    const char *name;
    json_t *value;
    json_object_foreach ((json_t *)catalog, name, value)
        if (rb_catalog_is(name, "table"))
            return true;
    return false;
}

/* True if a lock blocks writers of a table that existed before. If that is unknown, any table
 * counts. */
static bool blocks(const rb_proving *p, const json_t *lock)
{
    static const char *const modes[] = {"SHARE", "SHARE ROW EXCLUSIVE", "EXCLUSIVE",
                                        "ACCESS EXCLUSIVE"};
    RB_AUTO(rb_free_str)
    char *key = rb_catalog_key("table", NULL, rb_json_str(lock, "table"));
    const bool whole = json_is_true(json_object_get(lock, "rewrites")) ||
                       json_is_true(json_object_get(lock, "scans"));
    if (!whole || (has_tables(p->base) && !json_object_get(p->base, key)))
        return false;
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        if (strcmp(modes[i], rb_json_str(lock, "mode")) == 0)
            return true;
    return false;
}

enum rb_code rb_proving_run_locked(json_t *result, rb_proving *p, const rb_migration *m, bool up,
                                   rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *before = NULL;
    RB_AUTO(rb_json_freep) json_t *found = NULL;
    json_t *locks = json_object_get(result, "locks");
    if (!p->db->driver->locks)
        return rb_proving_run(p, m, up, err);
    RB_TRY(p->db->driver->locks(&before, p->db, NULL, err));
    RB_TRY(rb_proving_run(p, m, up, err));
    RB_TRY(p->db->driver->locks(&found, p->db, before, err));
    if (!locks)
        json_object_set_new(result, "locks", locks = json_array());
    rb_json_each (lock, found) {
        if (rb_tracking_owns(rb_json_str(lock, "table")))
            continue;
        json_object_set_new(lock, "direction", json_string(up ? "up" : "down"));
        json_object_set_new(lock, "blocks", json_boolean(blocks(p, lock)));
        json_object_del(lock, "scans");
        json_array_append(locks, lock);
    }
    return RB_OK;
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

enum rb_code rb_proving_apply(rb_proving *p, const rb_migration *m, rb_err *err)
{
    RB_TRY(rb_proving_run(p, m, true, err));
    return p->db->driver->scratch_keep ? rb_proving_mark(p, err) : RB_OK;
}

static enum rb_code apply_old(rb_proving *p, const rb_migration *m, rb_err *err)
{
    if (rb_proving_apply(p, m, err) == RB_OK)
        return RB_OK;
    err->code = RB_FOUND;
    return rb_err_prefix(err, "the migrations of earlier releases do not apply");
}

/* A state is the result of the first N ups, in this order: those that are not new, then the new
 * ones. */

static size_t count_old(const rb_proving *p)
{
    size_t n = 0;
    for (size_t i = 0; i < p->set->n; i++)
        n += !p->is_new[i];
    return n;
}

/* Applies the ups from one state to another. */
static enum rb_code apply_from(rb_proving *p, size_t state, size_t to, rb_err *err)
{
    size_t n = 0;
    for (size_t i = 0; i < p->set->n; i++) {
        if (!p->is_new[i] && n++ >= state)
            RB_TRY(apply_old(p, &p->set->items[i], err));
    }
    for (size_t i = 0; i < p->set->n && n < to; i++)
        if (p->is_new[i] && n++ >= state)
            RB_TRY(rb_proving_apply(p, &p->set->items[i], err));
    return RB_OK;
}

/* Returns the names of the states up to `to`, beginning with that one. A state's name depends on
 * all scripts that lead to it. */
static void state_keys(rb_strs *out, const rb_proving *p, size_t to)
{
    RB_AUTO(rb_strs_clear) rb_strs keys = {0};
    char key[RB_SHA256_HEX] = "";
    for (int new_ones = 0; new_ones < 2; new_ones++) {
        for (size_t i = 0; i < p->set->n && keys.n < to; i++) {
            if (p->is_new[i] != (new_ones == 1))
                continue;
            RB_AUTO(rb_free_str) char *text = rb_format("%s\n%s", key, p->set->items[i].up.sha256);
            rb_sha256_hex_of(text, strlen(text), key);
            rb_strs_add(&keys, key);
        }
    }
    for (size_t i = keys.n; i > 0; i--)
        rb_strs_add(out, keys.items[i - 1]);
}

enum rb_code rb_proving_save(rb_proving *p, size_t count, rb_err *err)
{
    rb_proving_state *state = &p->states[count > 0];
    int64_t size;
    if (!p->db->driver->save)
        return RB_OK;
    RB_TRY(rb_db_size(&size, p->db, err));
    if (size == 0 || size > (int64_t)RB_PROVING_STATE)
        return RB_OK;
    rb_buf_clear(&state->bytes);
    state->count = count_old(p) + count;
    RB_TRY(rb_db_commit(p->db, err));
    RB_TRY(p->db->driver->save(&state->bytes, p->db, err));
    return rb_db_begin(p->db, err);
}

/* Fills an empty database with the saved state that is nearest to `to`; *count: its ups. */
static enum rb_code load_state(size_t *count, rb_proving *p, size_t to, rb_err *err)
{
    const rb_proving_state *best = NULL;
    for (size_t i = 0; i < sizeof p->states / sizeof *p->states; i++)
        if (p->states[i].bytes.len > 0 && p->states[i].count <= to)
            best = &p->states[i];
    if (!best)
        return RB_OK;
    *count = best->count;
    return p->db->driver->load(p->db, &best->bytes, err);
}

/* Opens a scratch database with state `to`, or with the nearest state before it that was kept, or
 * an empty one. Reads its catalog, and keeps the state if a script had to run for it. */
static enum rb_code open_state(rb_proving *p, size_t to, rb_err *err)
{
    RB_AUTO(rb_strs_clear) rb_strs keys = {0};
    size_t which = 0;
    state_keys(&keys, p, to);
    RB_TRY(rb_db_scratch_at(&p->db, &which, p->engine, &keys, err));
    size_t state = p->db ? to - which : 0;
    if (!p->db) {
        RB_TRY(rb_db_scratch(&p->db, p->engine, p->clock, err));
        RB_TRY(load_state(&state, p, to, err));
    }
    RB_TRY(rb_db_limit(p->db, p->limits, err));
    RB_TRY(rb_db_begin(p->db, err));
    RB_TRY(apply_from(p, state, to, err));
    json_decref(p->catalog);
    p->catalog = NULL;
    RB_TRY(rb_db_catalog(&p->catalog, p->db, err));
    if (state == to)
        return RB_OK;
    if (!p->db->driver->scratch_keep)
        return rb_proving_save(p, to - count_old(p), err);
    RB_TRY(rb_db_commit(p->db, err));
    RB_TRY(p->db->driver->scratch_keep(p->db, keys.items[0], err));
    return rb_db_begin(p->db, err);
}

static void keep_fitted(rb_proving *p)
{
    rb_json_each (ran, p->seeded) {
        if (ran_at >= json_array_size(p->fitted))
            json_array_append(p->fitted, ran);
        else if (json_is_true(ran))
            json_array_set(p->fitted, ran_at, ran);
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
    return open_state(p, count_old(p) + count, err);
}

/* Forgets which tables have rows, if filling changed them. Triggers may have changed any table, and
 * the schema too. */
static enum rb_code forget_filled(rb_proving *p, const json_t *before, rb_err *err)
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
            json_decref(p->catalog);
            p->catalog = NULL;
            return rb_db_catalog(&p->catalog, p->db, err);
        }
    }
    return RB_OK;
}

enum rb_code rb_proving_add_rows(rb_proving *p, rb_err *err)
{
    const rb_db_text seed = {
        .text = p->seed ? p->seed : "",
        .line = 1,
        .file = p->seed_file ? p->seed_file : "",
        .what = "the seed",
    };
    bool left = json_array_size(p->seeded) == 0;
    rb_json_each (ran, p->seeded)
        left |= json_is_false(ran);
    if (left && p->seed) {
        RB_TRY(p->db->driver->seed(p->db, &seed, p->seeded, &p->seed_error, err));
        json_object_clear(p->kept);
        json_object_clear(p->filled);
    }
    RB_AUTO(rb_json_freep) json_t *before = json_copy(p->filled);
    RB_TRY(p->db->driver->fill(p->filled, p->db, &p->samples, err));
    return forget_filled(p, before, err);
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

bool rb_proving_is(const json_t *result, const char *restores)
{
    return strcmp(rb_json_str(result, "restores"), restores) == 0;
}

bool rb_proving_goes_back(const json_t *result)
{
    return rb_proving_comes_back(result) || rb_proving_is(result, "differs") ||
           rb_proving_is(result, "untested");
}
