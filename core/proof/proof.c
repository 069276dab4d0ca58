#include <stdlib.h>
#include <string.h>

#include "database/driver.h"
#include "database/run.h"
#include "migration/unwrap.h"
#include "proof/proof.h"
#include "proof/trial.h"

/* True if all statements of a script begin with one of the verbs, and none has one of the words. */
static bool only_has(const rb_script *script, const char *engine, const char *const *verbs,
                     const char *const *words)
{
    rb_sql sql;
    rb_token token;
    bool starts = true;
    rb_sql_init(&sql, script->text, script->len, engine);
    while (rb_sql_next(&token, &sql)) {
        const bool ends = rb_token_is(&token, ";");
        if (rb_sql_one_of(&token, words) || (starts && !ends && !rb_sql_one_of(&token, verbs)))
            return false;
        starts = ends;
    }
    return true;
}

/* True if a script does not fail on empty tables if it does not fail on rows. */
static bool only_defines(const rb_script *script, const char *engine)
{
    static const char *const verbs[] = {"CREATE", "ALTER", "DROP", NULL};
    static const char *const words[] = {"SELECT", NULL};
    return only_has(script, engine, verbs, words);
}

/* True if it does not depend on any rows whether a script fails. */
static bool only_drops(const rb_script *script, const char *engine)
{
    static const char *const verbs[] = {"ALTER", "DROP", NULL};
    static const char *const words[] = {"ADD", "ATTACH", "SELECT", "SET", "TYPE", "VALIDATE", NULL};
    return only_has(script, engine, verbs, words);
}

/* Tries the down on tables without made-up rows, as in a new installation: a down that fails there
 * fails. */
static enum rb_code try_empty_down(rb_proving *p, const rb_migration *m, rb_err *err)
{
    rb_err why;
    /* Commits in any case: a later up may use an enum value that this one has added. */
    RB_TRY(rb_proving_mark(p, err));
    if (m->code || !m->down.present || only_defines(&m->down, p->engine))
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

/* All new downs in one transaction, as a revert runs them: */

static bool is(const json_t *result, const char *restores)
{
    return strcmp(rb_json_str(result, "restores"), restores) == 0;
}

static bool can_go_back(const json_t *result)
{
    return rb_proving_comes_back(result) || is(result, "differs") || is(result, "untested");
}

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
        if (!can_go_back(result))
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
        if (is(result, "differs") || (!behind && out->blamed == result))
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
        if (!rb_proving_comes_back(result) && !is(result, "untested"))
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
        if (!is(result, "identical") || !json_is_true(json_object_get(result, "reapplies")))
            return 0;
        drops = drops && only_drops(&m->down, p->engine);
        n += drops;
    }
    return n;
}

static enum rb_code go_back_all(rb_proving *p, rb_err *err)
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

static const char *class_of(const rb_proving *p)
{
    const char *class_ = "reversible";
    rb_json_each (result, p->results) {
        const rb_migration *m = rb_migrations_find(p->set, rb_json_str(result, "id"));
        bool untested = is(result, "untested");
        bool comes_back = rb_proving_comes_back(result);
        bool blank = !comes_back && !untested && rb_script_is_blank(&m->down, p->engine);
        if (blank || !can_go_back(result))
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
    RB_TRY(go_back_all(p, err));
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
