/*
 * Tries all new downs of a release together, as a revert runs them. A down that came back alone may
 * fail after other downs, or leave another schema there: then the one that caused it is found.
 */
#include <stdlib.h>
#include <string.h>

#include "catalog/catalog.h"
#include "database/driver.h"
#include "proof/script_verbs.h"
#include "proof/trial.h"

/* A down that fails only after other downs, or only with rows that were added later. */
typedef struct stuck {
    json_t *result; /* result of the down that fails; NULL: all ran */
    json_t *cause;  /* result of the down that caused the failure: the failed one, or one that ran
                       before it */
    rb_err why;
    bool committed; /* downs ran in several transactions */
    json_t *blamed; /* result of the first down whose schema differs from the one when it ran alone,
                       or NULL */
    json_t *differences; /* how that schema differs */
} stuck;

static void stuck_clear(stuck *s)
{
    json_decref(s->differences);
    s->differences = NULL;
}

/* Returns the catalog before the new migration with this index. */
static json_t *catalog_before(const rb_proving *p, size_t index)
{
    json_t *catalog = json_copy(p->before);
    for (size_t i = json_array_size(p->undo) - 1; i > index; i--) {
        rb_json_each_member (key, entry, json_array_get(p->undo, i)) {
            if (json_is_null(entry))
                json_object_del(catalog, key);
            else
                json_object_set_nocheck(catalog, key, entry);
        }
    }
    return catalog;
}

static enum rb_code look_behind(stuck *out, rb_proving *p, size_t index, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *before = NULL;
    RB_AUTO(rb_json_freep) json_t *now = NULL;
    RB_AUTO(rb_json_freep) json_t *order = NULL;
    json_t *result = json_array_get(p->results, index);
    if (out->blamed || !rb_proving_comes_back(result))
        return RB_OK;
    RB_TRY(rb_db_catalog(&now, p->db, err));
    before = catalog_before(p, index);
    rb_catalog_compare(&out->differences, &order, before, now);
    if (json_array_size(out->differences) > 0)
        out->blamed = result;
    else
        stuck_clear(out);
    return RB_OK;
}

/* Finds the cause for the failed down of out->result. The down succeeds when it runs alone, so that
 * a down that ran before it must have left another state. */
static void find_cause(stuck *out, json_t *behind)
{
    const char *id = rb_json_str(out->result, "id");
    out->cause = behind ? behind : out->result;
    if (!behind)
        return;
    RB_AUTO(rb_free_str) char *why = rb_strdup(rb_err_line(&out->why));
    (void)rb_fail(&out->why, RB_FOUND, "what it leaves makes the down of migration %s fail: %s", id,
                  why);
}

static void free_steps(rb_db_step **steps)
{
    free(*steps);
}

/* Runs the downs of all results but the first `least`, in the segments of a revert. look: finds the
 * one whose schema differs. */
static enum rb_code run_downs(stuck *out, rb_proving *p, size_t least, bool look, rb_err *err)
{
    const size_t n = json_array_size(p->results);
    RB_AUTO(free_steps) rb_db_step *downs = rb_calloc(n + 1, sizeof *downs);
    json_t *behind = NULL;
    *out = (stuck){0};
    for (size_t i = 0; i < n; i++) {
        const json_t *result = json_array_get(p->results, n - 1 - i);
        downs[i].migration = rb_migrations_find(p->set, rb_json_str(result, "id"));
    }
    rb_db_segments(downs, n, p->engine);
    for (size_t i = n; i > least; i--) {
        json_t *result = json_array_get(p->results, i - 1);
        const rb_db_step *down = &downs[n - i];
        if (!rb_proving_goes_back(result))
            return RB_OK;
        if (down->border && i < n) {
            RB_TRY(rb_proving_mark(p, err));
            out->committed = true;
        }
        if (rb_proving_run(p, down->migration, false, &out->why) != RB_OK) {
            RB_TRY(rb_proving_within(p, &out->why, err));
            out->result = result;
            find_cause(out, behind);
            return RB_OK;
        }
        if (look)
            RB_TRY(look_behind(out, p, i - 1, err));
        if (rb_proving_is(result, "differs") || (!behind && out->blamed == result))
            behind = result;
    }
    return RB_OK;
}

/* Starts again, and runs all ups with made-up rows of a kind before each of them and after the
 * last. *fits: they succeeded. */
static enum rb_code start_with(bool *fits, rb_proving *p, enum rb_sample_kind kind, rb_err *err)
{
    rb_err why;
    *fits = true;
    RB_TRY(rb_proving_start(p, 0, err));
    p->samples.kind = kind;
    for (size_t i = 0; i < p->set->n && *fits; i++) {
        if (!p->is_new[i])
            continue;
        RB_TRY(rb_proving_add_rows(p, err));
        *fits = rb_proving_apply(p, &p->set->items[i], &why) == RB_OK;
        if (!*fits)
            RB_TRY(rb_proving_within(p, &why, err));
        json_object_clear(p->filled);
        json_object_clear(p->kept);
    }
    return *fits ? rb_proving_add_rows(p, err) : RB_OK;
}

/* Judges a failure with plain rows in *first as rb_proof_try() does for one migration. */
static enum rb_code judge_stuck(stuck *first, rb_proving *p, rb_err *err)
{
    bool always = false;
    RB_AUTO(stuck_clear) stuck none = {0};
    for (int kind = RB_SAMPLE_NAMED; kind < RB_SAMPLE_KINDS; kind++) {
        RB_AUTO(stuck_clear) stuck next = {0};
        bool fits;
        RB_TRY(start_with(&fits, p, (enum rb_sample_kind)kind, err));
        if (!fits)
            continue;
        RB_TRY(run_downs(kind == RB_SAMPLE_NONE ? &none : &next, p, 0, true, err));
        if (kind == RB_SAMPLE_OTHER)
            always = next.result != NULL;
        if (kind == RB_SAMPLE_NAMED && !next.result) {
            first->result = NULL;
            return RB_OK;
        }
    }
    stuck *what = none.result ? &none : first;
    bool failed = none.result || always;
    rb_proving_fails(what->cause, failed, rb_err_line(&what->why));
    first->result = failed ? what->result : NULL;
    return RB_OK;
}

static bool all_come_back(const rb_proving *p)
{
    rb_json_each (result, p->results)
        if (!rb_proving_comes_back(result) && !rb_proving_is(result, "untested"))
            return false;
    return json_array_size(p->results) > 0;
}

/* Lists how the schema differs from the one before the new migration with this index. */
static enum rb_code compare_end(json_t **differences, rb_proving *p, size_t index, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *before = catalog_before(p, index);
    RB_AUTO(rb_json_freep) json_t *end = NULL;
    RB_AUTO(rb_json_freep) json_t *order = NULL;
    RB_TRY(rb_db_catalog(&end, p->db, err));
    rb_catalog_compare(differences, &order, before, end);
    return RB_OK;
}

/* Counts the first downs that run as they did alone: each down led back to the state before, and
 * these only drop. */
static size_t count_proven(const rb_proving *p)
{
    size_t n = 0;
    bool drops = true;
    rb_json_each (result, p->results) {
        const rb_migration *m = rb_migrations_find(p->set, rb_json_str(result, "id"));
        if (!rb_proving_is(result, "identical") ||
            !json_is_true(json_object_get(result, "reapplies")))
            return 0;
        drops = drops && rb_script_only_drops(&m->down, p->engine);
        n += drops;
    }
    return n;
}

enum rb_code rb_proof_try_downs(rb_proving *p, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *first = NULL;
    RB_AUTO(rb_json_freep) json_t *differences = NULL;
    RB_AUTO(stuck_clear) stuck at = {0};
    const size_t n = json_array_size(p->results);
    size_t proven = count_proven(p);
    if (n == 0)
        return RB_OK;
    if (proven == n) /* the last down runs on rows that were added after its trial */
        proven = n - 1;
    RB_TRY(rb_proving_mark(p, err));
    RB_TRY(run_downs(&at, p, proven, false, err));
    if (!at.result && !all_come_back(p))
        return RB_OK;
    if (!at.result)
        RB_TRY(compare_end(&first, p, proven, err));
    if (first && json_array_size(first) == 0)
        return RB_OK;
    bool fits = true;
    if (at.committed)
        RB_TRY(start_with(&fits, p, RB_SAMPLE_PLAIN, err));
    else
        RB_TRY(rb_proving_back(p, err));
    if (!fits)
        return RB_OK;
    RB_TRY(run_downs(&at, p, 0, true, err));
    if (at.result)
        RB_TRY(judge_stuck(&at, p, err));
    if (at.result || !all_come_back(p))
        return RB_OK;
    RB_TRY(compare_end(&differences, p, 0, err));
    if (json_array_size(differences) == 0)
        return RB_OK;
    json_t *blamed = at.blamed ? at.blamed : json_array_get(p->results, 0);
    json_array_extend(json_object_get(blamed, "differences"),
                      at.blamed ? at.differences : differences);
    rb_json_set_str(blamed, "restores", "differs");
    return RB_OK;
}
