/* Decides the result of a migration from trials with different rows. */
#include <string.h>

#include "proof/trial.h"

typedef struct trials {
    rb_tried of[RB_SAMPLE_KINDS];
    size_t count;
    size_t index; /* index of the migration among the new ones */
} trials;

static void trials_clear(trials *all)
{
    for (size_t i = 0; i < RB_SAMPLE_KINDS; i++)
        json_decref(all->of[i].result);
}

static bool failed(const rb_tried *tried)
{
    return tried->end == RB_TRIAL_UP || tried->end == RB_TRIAL_DOWN || tried->end == RB_TRIAL_AGAIN;
}

static enum rb_code try_with(trials *all, rb_proving *p, const rb_migration *m,
                             enum rb_sample_kind kind, rb_err *err)
{
    if (all->count > 0)
        RB_TRY(rb_proving_start(p, all->index, err));
    p->samples.kind = kind;
    all->count++;
    return rb_proof_trial(&all->of[kind], p, m, err);
}

static bool failed_later(const rb_tried *tried)
{
    return tried->result && failed(tried) && tried->end != RB_TRIAL_UP;
}

/* True if the trials with different rows all failed. Values that scripts name may not occur in any
 * column of these tables. */
static bool failed_always(const trials *all)
{
    return failed_later(&all->of[RB_SAMPLE_OTHER]) &&
           (failed_later(&all->of[RB_SAMPLE_PLAIN]) || failed_later(&all->of[RB_SAMPLE_NAMED]));
}

/* Chooses the trial whose result counts, after a failure with plain rows. */
static enum rb_code judge_failure(rb_tried **out, trials *all, rb_proving *p, const rb_migration *m,
                                  rb_err *err)
{
    rb_tried *plain = &all->of[RB_SAMPLE_PLAIN];
    rb_tried *other = &all->of[RB_SAMPLE_OTHER];
    rb_tried *none = &all->of[RB_SAMPLE_NONE];
    if (plain->end == RB_TRIAL_UP)
        RB_TRY(try_with(all, p, m, RB_SAMPLE_OTHER, err));
    RB_TRY(try_with(all, p, m, RB_SAMPLE_NONE, err));
    if (none->end == RB_TRIAL_UP) {
        *err = none->why;
        return err->code = RB_FOUND;
    }
    *out = none;
    if (failed(none))
        return RB_OK;
    if (!other->result)
        RB_TRY(try_with(all, p, m, RB_SAMPLE_OTHER, err));
    *out = failed(other) ? none : other;
    if (failed_always(all))
        *out = plain->end != RB_TRIAL_UP ? plain : other;
    else if ((*out)->end == RB_TRIAL_CLEAN)
        rb_proving_fails((*out)->result, false, rb_err_line(&plain->why));
    return RB_OK;
}

static enum rb_code try_all(rb_tried **out, trials *all, rb_proving *p, const rb_migration *m,
                            rb_err *err)
{
    rb_tried *plain = &all->of[RB_SAMPLE_PLAIN];
    rb_tried *named = &all->of[RB_SAMPLE_NAMED];
    RB_TRY(try_with(all, p, m, RB_SAMPLE_PLAIN, err));
    *out = plain;
    if (plain->end == RB_TRIAL_CLEAN || plain->end == RB_TRIAL_SCHEMA)
        return RB_OK;
    if (json_object_size(p->literals) > 0 && !rb_json_str(p->on_empty, m->id))
        RB_TRY(try_with(all, p, m, RB_SAMPLE_NAMED, err));
    if (named->result && named->end == RB_TRIAL_CLEAN)
        *out = named;
    else if (failed(plain))
        return judge_failure(out, all, p, m, err);
    return RB_OK;
}

/* Records the locks of the down in a transaction of its own: in the trial's transaction, the up has
 * taken locks, too. */
static enum rb_code try_locks(json_t *result, rb_proving *p, const rb_migration *m, rb_err *err)
{
    rb_err why;
    if (!p->db->driver->locks || m->code || !m->down.present || rb_proving_commits(p, m))
        return RB_OK;
    RB_TRY(rb_proving_mark(p, err));
    if (rb_proving_run_locked(result, p, m, false, &why) != RB_OK)
        RB_TRY(rb_proving_within(p, &why, err));
    return rb_proving_back(p, err);
}

/* Records the catalog before the next migration. */
static void note_catalog(rb_proving *p)
{
    json_t *undo = json_object();
    rb_json_each_member (key, entry, p->before)
        if (!json_equal(entry, json_object_get(p->catalog, key)))
            json_object_set_nocheck(undo, key, entry);
    rb_json_each_member (key, entry, p->catalog)
        if (!json_object_get(p->before, key))
            json_object_set_new_nocheck(undo, key, json_null());
    json_array_append_new(p->undo, undo);
    json_decref(p->before);
    p->before = json_incref(p->catalog);
}

enum rb_code rb_proof_try(rb_proving *p, const rb_migration *m, rb_err *err)
{
    trials all = {.index = json_array_size(p->results)};
    rb_tried *chosen = NULL;
    note_catalog(p);
    enum rb_code code = try_all(&chosen, &all, p, m, err);
    if (code == RB_OK) {
        const char *why = rb_json_str(p->on_empty, m->id);
        if (why)
            rb_proving_fails(chosen->result, true, why);
        json_array_append(p->results, chosen->result);
        /* A trial without made-up rows leaves the database as a new one would be. */
        if (all.count > 1 && p->samples.kind != RB_SAMPLE_NONE)
            code = rb_proving_start(p, all.index + 1, err);
        if (code == RB_OK)
            code = try_locks(chosen->result, p, m, err);
        p->samples.kind = RB_SAMPLE_PLAIN;
    }
    trials_clear(&all);
    return code;
}
