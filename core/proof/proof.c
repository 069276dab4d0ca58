#include <stdlib.h>
#include <string.h>

#include "database/driver.h"
#include "database/run.h"
#include "migration/unwrap.h"
#include "proof/proof.h"
#include "proof/script_verbs.h"
#include "proof/trial.h"

/* Tries the down on tables without made-up rows, as in a new installation: a down that fails there
 * fails. */
static enum rb_code try_empty_down(rb_proving *p, const rb_migration *m, rb_err *err)
{
    rb_err why;
    /* Commits in any case: a later up may use an enum value that this one has added. */
    RB_TRY(rb_proving_mark(p, err));
    if (m->code || !m->down.present || rb_script_only_defines(&m->down, p->engine) ||
        rb_proving_commits(p, m))
        return RB_OK;
    if (rb_proving_run(p, m, false, &why) != RB_OK) {
        RB_TRY(rb_proving_within(p, &why, err));
        RB_AUTO(rb_free_str) char *text = rb_format("on empty tables: %s", rb_err_line(&why));
        rb_json_set_str(p->on_empty, m->id, text);
    }
    return rb_proving_back(p, err);
}

/* Runs all ups in a database without made-up rows, as a deploy to a new installation does. Made-up
 * rows could be parents that rows of the migrations lack. */
static enum rb_code run_ups(rb_proving *p, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *before = NULL;
    RB_AUTO(rb_json_freep) json_t *after = NULL;
    RB_TRY(rb_run_violations(&before, p->db, NULL, err));
    p->mismatches = rb_run_mismatches(p->db);
    size_t count = 0;
    for (size_t i = 0; i < p->set->n; i++) {
        if (!p->is_new[i])
            continue;
        count++;
        if (rb_proving_run(p, &p->set->items[i], true, err) != RB_OK) {
            err->code = RB_FOUND;
            return rb_err_prefix(err, "the new migrations, in an empty database");
        }
        RB_TRY(try_empty_down(p, &p->set->items[i], err));
    }
    RB_TRY(rb_run_violations(&after, p->db, NULL, err));
    if (rb_run_compare_references(before, after, err) != RB_OK)
        return rb_err_prefix(err, "the new migrations, in an empty database");
    return count > 0 ? rb_proving_save(p, count, err) : RB_OK;
}

/* The catalog is that of the empty tables: a trigger of a made-up row may create a table. */
static enum rb_code try_ups(rb_proof *out, rb_proving *p, rb_err *err)
{
    RB_TRY(run_ups(p, err));
    RB_TRY(rb_db_catalog(&out->catalog, p->db, err));
    return rb_proving_start(p, 0, err);
}

static const char *class_of(const rb_proving *p)
{
    const char *class_ = "reversible";
    rb_json_each (result, p->results) {
        const rb_migration *m = rb_migrations_find(p->set, rb_json_str(result, "id"));
        bool untested = rb_proving_is(result, "untested");
        bool comes_back = rb_proving_comes_back(result);
        bool blank = !comes_back && !untested && rb_script_is_blank(&m->down, p->engine);
        if (blank || !rb_proving_goes_back(result))
            return "irreversible";
        if (!comes_back || json_array_size(json_object_get(result, "destroys")) > 0)
            class_ = "lossy";
    }
    return class_;
}

/* Reports statements of the seed that failed in every state of the schema. */
static enum rb_code check_seed(const rb_proving *p, rb_err *err)
{
    rb_json_each (ran, p->seeded) {
        if (json_is_false(ran) && !json_is_true(json_array_get(p->fitted, ran_at)) && p->seed_error)
            return rb_fail(err, RB_FOUND, "statement %zu of the seed never runs: %s", ran_at + 1,
                           p->seed_error);
    }
    return RB_OK;
}

static void find_literals(rb_proving *p)
{
    for (size_t i = 0; i < p->set->n; i++) {
        const rb_script *scripts[] = {&p->set->items[i].up, &p->set->items[i].down};
        for (size_t s = 0; s < 2 && !p->set->items[i].code; s++)
            if (scripts[s]->present)
                p->db->driver->literals(p->literals, scripts[s]->text, scripts[s]->len);
    }
}

static enum rb_code lend(rb_proof *out, rb_proving *p, rb_err *err)
{
    if (!p->lend)
        return RB_OK;
    RB_TRY(rb_db_commit(p->db, err));
    RB_TRY(p->db->driver->lend(&out->lent, p->db, p->folder, err));
    return rb_db_begin(p->db, err);
}

static enum rb_code prove_all(rb_proof *out, rb_proving *p, rb_err *err)
{
    RB_TRY(rb_proving_start(p, 0, err));
    find_literals(p);
    p->base = json_incref(p->catalog);
    RB_TRY(try_ups(out, p, err));
    out->state = p->states[1].bytes;
    p->states[1] = (rb_proving_state){0};
    for (size_t i = 0; i < p->set->n; i++)
        if (p->is_new[i])
            RB_TRY(rb_proof_try(p, &p->set->items[i], err));
    RB_TRY(rb_proving_add_rows(p, err));
    RB_TRY(check_seed(p, err));
    RB_TRY(lend(out, p, err));
    RB_TRY(rb_proof_try_downs(p, err));
    const char *version = rb_db_version(p->db);
    RB_AUTO(rb_free_str) char *major = rb_strndup(version, strcspn(version, "."));
    out->json = json_object();
    rb_json_set_str(out->json, "engine", p->engine);
    rb_json_set_str(out->json, "version", major);
    json_object_set(out->json, "migrations", p->results);
    rb_catalog_fingerprint(out->catalog, out->fingerprint);
    out->class_ = class_of(p);
    out->notes = json_incref(p->notes);
    return RB_OK;
}

void rb_proof_clear(rb_proof *proof)
{
    json_decref(proof->json);
    json_decref(proof->catalog);
    json_decref(proof->notes);
    rb_strs_clear(&proof->missing);
    free(proof->lent);
    free(proof->lent_folder);
    rb_buf_clear(&proof->state);
    *proof = (rb_proof){0};
}

enum rb_code rb_proof_make_here(rb_proof *out, const rb_proof_request *request, rb_err *err)
{
    rb_proving p = {
        .engine = request->engine,
        .set = request->set,
        .is_new = request->is_new,
        .seed = request->seed,
        .seed_file = request->seed_file,
        .clock = request->clock,
        .limits = &request->limits,
        .lend = request->lend,
        .folder = request->folder,
    };
    p.literals = json_object();
    p.samples.literals = p.literals;
    p.on_empty = json_object();
    p.seeded = json_array();
    p.fitted = json_array();
    p.filled = json_object();
    p.kept = json_object();
    p.results = json_array();
    p.notes = json_array();
    p.undo = json_array();
    if (request->state) {
        for (size_t i = 0; i < p.set->n; i++)
            p.states[0].count += !p.is_new[i];
        rb_buf_add(&p.states[0].bytes, request->state->data, request->state->len);
    }
    *out = (rb_proof){0};
    enum rb_code code = prove_all(out, &p, err);
    rb_db_close(p.db);
    json_decref(p.literals);
    json_decref(p.on_empty);
    json_decref(p.seeded);
    json_decref(p.fitted);
    json_decref(p.filled);
    json_decref(p.kept);
    json_decref(p.results);
    json_decref(p.notes);
    json_decref(p.mismatches);
    json_decref(p.before);
    json_decref(p.undo);
    json_decref(p.catalog);
    json_decref(p.base);
    for (size_t i = 0; i < sizeof p.states / sizeof *p.states; i++)
        rb_buf_clear(&p.states[i].bytes);
    free(p.seed_error);
    if (code != RB_OK)
        rb_proof_clear(out);
    return code;
}
