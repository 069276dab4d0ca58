#include "database/proof.h"

#include <stdlib.h>
#include <string.h>

#include "database/driver.h"
#include "database/run.h"
#include "migration/lint.h"

/*
 * Two scratch databases go through the set side by side: one holds what the migrations themselves
 * put there, the other also the seed's and made-up rows. Where made-up rows make an up fail, the
 * second is made anew from the first.
 */
typedef struct proving {
    const char *engine;
    const rb_migrations *set;
    rb_db *plain;
    rb_db *filled;
    const char *seed;
    json_t *seeded;   /* statements of the seed that have run */
    char *seed_error; /* why the last one of the others did not */
    json_t *unfilled; /* after the last filling */
    json_t *results;  /* an object each new migration */
    json_t *base;     /* catalog before the first of them */
} proving;

/* One migration being proven. */
typedef struct trial {
    proving *p;
    const rb_migration *m;
    json_t *out;
    json_t *catalog[3]; /* before, after the up, after the down */
    rb_losses up;
    rb_losses down;
    json_t *touched; /* names of tables, as keys */
    json_t *rows;    /* their contents after the down, by table */
} trial;

static void losses_clear(rb_losses *losses)
{
    json_decref(losses->at_risk);
    json_decref(losses->emptied);
    *losses = (rb_losses){0};
}

static void trial_clear(trial *t)
{
    for (size_t i = 0; i < sizeof t->catalog / sizeof *t->catalog; i++)
        json_decref(t->catalog[i]);
    losses_clear(&t->up);
    losses_clear(&t->down);
    json_decref(t->touched);
    json_decref(t->rows);
}

static enum rb_code say(rb_db *db, const char *sql, rb_err *err)
{
    return rb_db_exec(db, sql, NULL, err);
}

static enum rb_code run(rb_db *db, const rb_migration *m, bool up, rb_err *err)
{
    const rb_db_step step = {m, up, NULL};
    return rb_run_script(db, &step, err);
}

/* Rows */

static enum rb_code add_rows(proving *p, rb_err *err)
{
    const rb_sql seed = {.text = p->seed ? p->seed : "", .line = 1, .file = "", .what = "the seed"};
    RB_TRY(p->filled->driver->seed(p->filled, &seed, p->seeded, &p->seed_error, err));
    json_decref(p->unfilled);
    p->unfilled = NULL;
    return p->filled->driver->fill(&p->unfilled, p->filled, err);
}

/* A database like plain, without the rows that were added. */
static enum rb_code start_again(proving *p, rb_err *err)
{
    rb_db_close(p->filled);
    p->filled = NULL;
    RB_TRY(rb_db_commit(p->plain, err));
    RB_TRY(p->plain->driver->twin(&p->filled, p->plain, err));
    RB_TRY(rb_db_begin(p->plain, err));
    RB_TRY(rb_db_begin(p->filled, err));
    json_array_clear(p->seeded);
    return RB_OK;
}

static enum rb_code watched(rb_losses *losses, trial *t, bool up, rb_err *err)
{
    rb_db *db = t->p->filled;
    size_t i;
    json_t *name;
    RB_TRY(db->driver->watch_begin(db, err));
    RB_TRY(run(db, t->m, up, err));
    RB_TRY(db->driver->watch_end(losses, db, err));
    RB_AUTO(rb_json_freep) json_t *names = db->driver->watch_touched(db);
    json_array_foreach(names, i, name)
        json_object_set_new_nocheck(t->touched, json_string_value(name), json_true());
    return RB_OK;
}

/* A failure with rows only is no fault of the up: it may rely on what its data are like. */
static enum rb_code apply(trial *t, rb_err *err)
{
    proving *p = t->p;
    rb_err with_rows;
    if (watched(&t->up, t, true, &with_rows) == RB_OK)
        return RB_OK;
    RB_TRY(say(p->plain, "SAVEPOINT rbtool_try", err));
    if (run(p->plain, t->m, true, err) != RB_OK) {
        err->code = RB_FOUND;
        return RB_FOUND;
    }
    RB_TRY(say(p->plain, "ROLLBACK TO rbtool_try", err));
    RB_TRY(say(p->plain, "RELEASE rbtool_try", err));
    RB_TRY(start_again(p, err));
    json_object_clear(t->touched);
    json_decref(p->unfilled);
    p->unfilled = json_array();
    const char *key;
    json_t *value;
    json_object_foreach(t->catalog[0], key, value)
    {
        if (strncmp(key, "table ", 6) == 0)
            json_array_append_new(p->unfilled, json_string(key + 6));
    }
    RB_TRY(say(p->filled, "SAVEPOINT rbtool_trial", err));
    return watched(&t->up, t, true, err);
}

/* Results */

static json_t *list_of(trial *t, const char *key)
{
    return json_object_get(t->out, key);
}

static void add_difference(trial *t, const char *object, const char *change)
{
    json_t *item = json_object();
    rb_json_set_str(item, "object", object);
    rb_json_set_str(item, "change", change);
    json_array_append_new(list_of(t, "differences"), item);
}

static void add_place(json_t *list, const json_t *item)
{
    json_t *place = json_object();
    json_object_set(place, "table", json_object_get(item, "table"));
    json_object_set(place, "column", json_object_get(item, "column"));
    size_t i;
    json_t *other;
    json_array_foreach(list, i, other)
    {
        if (json_equal(other, place)) {
            json_decref(place);
            return;
        }
    }
    json_array_append_new(list, place);
}

static bool has_table(const json_t *catalog, const char *name)
{
    RB_AUTO(rb_free_str) char *raw = rb_format("table %s", name);
    RB_AUTO(rb_free_str) char *key = rb_safe(raw);
    return json_object_get(catalog, key) != NULL;
}

/* Did the up itself destroy this? column NULL: the table's rows. */
static bool is_destroyed(trial *t, const char *table, const char *column)
{
    size_t i;
    json_t *item;
    json_array_foreach(list_of(t, "destroys"), i, item)
    {
        const char *its = rb_json_str(item, "column");
        if (strcmp(rb_json_str(item, "table"), table) == 0 &&
            (!its || (column && strcmp(its, column) == 0)))
            return true;
    }
    return false;
}

static bool same_rows(trial *t, const char *table, const json_t *before, const json_t *after)
{
    const char *column;
    json_t *value;
    json_object_foreach((json_t *)before, column, value)
    {
        const json_t *other = json_object_get(after, column);
        if (other && !is_destroyed(t, table, column) && !json_equal(value, other))
            return false;
    }
    return true;
}

static enum rb_code contents_of(json_t *out, trial *t, rb_err *err)
{
    const char *table;
    json_t *value;
    json_object_foreach(t->touched, table, value)
    {
        json_t *rows = NULL;
        RB_TRY(t->p->filled->driver->contents(&rows, t->p->filled, table, err));
        if (rows)
            json_object_set_new_nocheck(out, table, rows);
    }
    return RB_OK;
}

static enum rb_code compare_rows(trial *t, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *before = json_object();
    RB_AUTO(rb_strs_clear) rb_strs names = {0};
    const char *table;
    json_t *rows;
    RB_TRY(contents_of(before, t, err));
    json_object_foreach(before, table, rows) rb_strs_add(&names, table);
    rb_strs_sort(&names);
    for (size_t i = 0; i < names.n; i++) {
        const char *name = names.items[i];
        const json_t *after = json_object_get(t->rows, name);
        if (!after || same_rows(t, name, json_object_get(before, name), after))
            continue;
        RB_AUTO(rb_free_str) char *raw = rb_format("rows %s", name);
        RB_AUTO(rb_free_str) char *object = rb_safe(raw);
        add_difference(t, object, "changed");
    }
    return RB_OK;
}

static bool has_difference(trial *t, const char *kind, const char *table)
{
    RB_AUTO(rb_free_str) char *object = rb_format("%s %s", kind, table);
    size_t i;
    json_t *item;
    json_array_foreach(list_of(t, "differences"), i, item)
    {
        if (strcmp(rb_json_str(item, "object"), object) == 0)
            return true;
    }
    return false;
}

/* What the down drops; and rows it deletes beyond those that the up had made. */
static void add_discards(trial *t)
{
    const json_t *lists[] = {t->down.at_risk, t->down.emptied};
    for (size_t l = 0; l < 2; l++) {
        size_t i;
        json_t *item;
        json_array_foreach(lists[l], i, item)
        {
            const char *table = rb_json_str(item, "table");
            bool dropped = rb_json_str(item, "column") || !has_table(t->catalog[2], table);
            if (dropped || has_difference(t, "rows", table))
                add_place(list_of(t, "discards"), item);
        }
    }
}

static void add_destroys(trial *t)
{
    const json_t *lists[] = {t->up.at_risk, t->up.emptied};
    for (size_t l = 0; l < 2; l++) {
        size_t i;
        json_t *item;
        json_array_foreach(lists[l], i, item) add_place(list_of(t, "destroys"), item);
    }
}

/* Tables that stayed empty matter where the migration has to do with them. */
static void add_unfilled(trial *t)
{
    size_t i;
    json_t *name;
    json_array_foreach(t->p->unfilled, i, name)
    {
        if (json_object_get(t->touched, json_string_value(name)) &&
            has_table(t->catalog[0], json_string_value(name)))
            json_array_append(list_of(t, "unfilled"), name);
    }
}

static void fail_down(trial *t, const char *why)
{
    rb_json_set_str(t->out, "restores", "fails");
    rb_json_set_str(t->out, "error", why);
}

/* Broken references that the migration's way there and back leaves. The state before is asked for
 * only when there are some. */
static enum rb_code check_references(bool *broken, trial *t, rb_err *err)
{
    rb_db *db = t->p->filled;
    RB_AUTO(rb_json_freep) json_t *after = NULL;
    RB_AUTO(rb_json_freep) json_t *before = NULL;
    const char *key;
    json_t *entry;
    *broken = false;
    RB_TRY(db->driver->violations(&after, db, err));
    if (json_object_size(after) == 0)
        return RB_OK;
    RB_TRY(say(db, "ROLLBACK TO rbtool_trial", err));
    RB_TRY(db->driver->violations(&before, db, err));
    json_object_foreach(after, key, entry)
    {
        if (rb_json_int(entry, "count", 0) <= rb_json_int(json_object_get(before, key), "count", 0))
            continue;
        RB_AUTO(rb_free_str) char *why = rb_format("it leaves rows without their parent: %s", key);
        fail_down(t, why);
        *broken = true;
        return RB_OK;
    }
    /* None is new: back to where we were. */
    RB_TRY(run(db, t->m, true, err));
    return run(db, t->m, false, err);
}

static enum rb_code apply_again(trial *t, rb_err *err)
{
    rb_db *db = t->p->filled;
    RB_AUTO(rb_json_freep) json_t *catalog = NULL;
    RB_AUTO(rb_json_freep) json_t *differences = NULL;
    RB_AUTO(rb_json_freep) json_t *order = NULL;
    rb_err why;
    if (run(db, t->m, true, &why) != RB_OK)
        return RB_OK;
    RB_TRY(rb_db_catalog(&catalog, db, err));
    rb_catalog_compare(&differences, &order, t->catalog[1], catalog);
    json_object_set_new(t->out, "reapplies", json_boolean(json_array_size(differences) == 0));
    return RB_OK;
}

static void compare_catalogs(trial *t)
{
    RB_AUTO(rb_json_freep) json_t *differences = NULL;
    RB_AUTO(rb_json_freep) json_t *order = NULL;
    rb_catalog_compare(&differences, &order, t->catalog[0], t->catalog[2]);
    bool same = json_array_size(differences) == 0;
    json_array_extend(list_of(t, "differences"), differences);
    json_array_extend(list_of(t, "differences"), order);
    rb_json_set_str(t->out, "restores",
                    !same                    ? "differs"
                    : json_array_size(order) ? "order"
                                             : "identical");
}

static enum rb_code go_back(trial *t, rb_err *err)
{
    rb_db *db = t->p->filled;
    rb_err why;
    bool broken;
    if (watched(&t->down, t, false, &why) != RB_OK) {
        fail_down(t, why.message);
        return say(db, "ROLLBACK TO rbtool_trial", err);
    }
    RB_TRY(check_references(&broken, t, err));
    if (broken)
        return RB_OK;
    RB_TRY(rb_db_catalog(&t->catalog[2], db, err));
    compare_catalogs(t);
    RB_TRY(contents_of(t->rows, t, err));
    RB_TRY(apply_again(t, err));
    RB_TRY(say(db, "ROLLBACK TO rbtool_trial", err));
    size_t before = json_array_size(list_of(t, "differences"));
    RB_TRY(compare_rows(t, err));
    if (json_array_size(list_of(t, "differences")) > before)
        rb_json_set_str(t->out, "restores", "differs");
    add_discards(t);
    return RB_OK;
}

static enum rb_code try_migration(trial *t, rb_err *err)
{
    proving *p = t->p;
    RB_TRY(add_rows(p, err));
    RB_TRY(rb_db_catalog(&t->catalog[0], p->filled, err));
    RB_TRY(say(p->filled, "SAVEPOINT rbtool_trial", err));
    RB_TRY(apply(t, err));
    RB_TRY(rb_db_catalog(&t->catalog[1], p->filled, err));
    add_destroys(t);
    add_unfilled(t);
    if (t->m->code || !t->m->down.present)
        rb_json_set_str(t->out, "restores", t->m->code ? "code" : "missing");
    else
        RB_TRY(go_back(t, err));
    /* On from the state before: a down's leavings are not the next migration's fault. */
    RB_TRY(say(p->filled, "ROLLBACK TO rbtool_trial", err));
    RB_TRY(run(p->filled, t->m, true, err));
    RB_TRY(say(p->filled, "RELEASE rbtool_trial", err));
    return run(p->plain, t->m, true, err);
}

static enum rb_code prove_one(proving *p, const rb_migration *m, rb_err *err)
{
    static const char *const lists[] = {"differences", "destroys", "discards", "unfilled"};
    trial t = {.p = p, .m = m, .touched = json_object(), .rows = json_object()};
    t.out = json_object();
    json_array_append_new(p->results, t.out);
    rb_json_set_str(t.out, "id", m->id);
    json_object_set_new(t.out, "reapplies", json_false());
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        json_object_set_new(t.out, lists[i], json_array());
    enum rb_code code = try_migration(&t, err);
    trial_clear(&t);
    return code;
}

/* All new downs in one go */

static bool comes_back(const json_t *result)
{
    const char *restores = rb_json_str(result, "restores");
    return strcmp(restores, "identical") == 0 || strcmp(restores, "order") == 0;
}

/* A result for the migration whose down fails only in company, or with rows added later. */
static enum rb_code go_back_all(proving *p, rb_err *err)
{
    bool all_identical = true;
    size_t n = json_array_size(p->results);
    for (size_t i = n; i > 0; i--) {
        json_t *result = json_array_get(p->results, i - 1);
        const rb_migration *m = rb_migrations_find(p->set, rb_json_str(result, "id"));
        const char *restores = rb_json_str(result, "restores");
        rb_err why;
        if (strcmp(restores, "identical") != 0 && strcmp(restores, "order") != 0 &&
            strcmp(restores, "differs") != 0)
            return RB_OK;
        all_identical &= comes_back(result);
        if (run(p->filled, m, false, &why) != RB_OK) {
            rb_json_set_str(result, "restores", "fails");
            rb_json_set_str(result, "error", why.message);
            return RB_OK;
        }
    }
    RB_AUTO(rb_json_freep) json_t *end = NULL;
    RB_AUTO(rb_json_freep) json_t *differences = NULL;
    RB_AUTO(rb_json_freep) json_t *order = NULL;
    RB_TRY(rb_db_catalog(&end, p->filled, err));
    rb_catalog_compare(&differences, &order, p->base, end);
    json_t *first = json_array_get(p->results, 0);
    if (!first || !all_identical || json_array_size(differences) == 0)
        return RB_OK;
    json_array_extend(json_object_get(first, "differences"), differences);
    rb_json_set_str(first, "restores", "differs");
    return RB_OK;
}

static const char *class_of(const proving *p)
{
    const char *class_ = "reversible";
    size_t i;
    json_t *result;
    json_array_foreach(p->results, i, result)
    {
        const char *restores = rb_json_str(result, "restores");
        const rb_migration *m = rb_migrations_find(p->set, rb_json_str(result, "id"));
        bool differs = strcmp(restores, "differs") == 0;
        bool blank = differs && rb_script_is_blank(&m->down, p->engine);
        if (blank || (!differs && !comes_back(result)))
            return "irreversible";
        if (differs || json_array_size(json_object_get(result, "destroys")) > 0)
            class_ = "lossy";
    }
    return class_;
}

static enum rb_code apply_plainly(proving *p, const bool *is_new, rb_err *err)
{
    for (size_t i = 0; i < p->set->n; i++) {
        if (is_new[i])
            continue;
        for (int which = 0; which < 2; which++) {
            if (run(which ? p->filled : p->plain, &p->set->items[i], true, err) == RB_OK)
                continue;
            err->code = RB_FOUND;
            return rb_err_prefix(err, "the migrations of earlier releases do not apply");
        }
    }
    return rb_db_catalog(&p->base, p->plain, err);
}

/* A statement of the seed that fits no state of the schema is a mistake in it. */
static enum rb_code check_seed(const proving *p, rb_err *err)
{
    size_t i;
    json_t *ran;
    json_array_foreach(p->seeded, i, ran)
    {
        if (json_is_false(ran) && p->seed_error)
            return rb_fail(err, RB_FOUND, "statement %zu of the seed never runs: %s", i + 1,
                           p->seed_error);
    }
    return RB_OK;
}

static enum rb_code prove_all(rb_proof *out, proving *p, const bool *is_new, rb_err *err)
{
    RB_TRY(rb_db_scratch(&p->plain, p->engine, err));
    RB_TRY(rb_db_scratch(&p->filled, p->engine, err));
    RB_TRY(rb_db_begin(p->plain, err));
    RB_TRY(rb_db_begin(p->filled, err));
    RB_TRY(apply_plainly(p, is_new, err));
    for (size_t i = 0; i < p->set->n; i++)
        if (is_new[i])
            RB_TRY(prove_one(p, &p->set->items[i], err));
    RB_TRY(rb_db_catalog(&out->catalog, p->plain, err));
    RB_TRY(add_rows(p, err));
    RB_TRY(check_seed(p, err));
    RB_TRY(go_back_all(p, err));
    const char *version = rb_db_version(p->plain);
    RB_AUTO(rb_free_str) char *major = rb_strndup(version, strcspn(version, "."));
    out->json = json_object();
    rb_json_set_str(out->json, "engine", p->engine);
    rb_json_set_str(out->json, "version", major);
    json_object_set(out->json, "migrations", p->results);
    rb_catalog_fingerprint(out->catalog, out->fingerprint);
    out->class_ = class_of(p);
    return RB_OK;
}

void rb_proof_clear(rb_proof *proof)
{
    json_decref(proof->json);
    json_decref(proof->catalog);
    *proof = (rb_proof){0};
}

enum rb_code rb_proof_make(rb_proof *out, const char *engine, const rb_migrations *set,
                           const bool *is_new, const char *seed, rb_err *err)
{
    proving p = {.engine = engine,
                 .set = set,
                 .seed = seed,
                 .seeded = json_array(),
                 .results = json_array()};
    *out = (rb_proof){0};
    enum rb_code code = prove_all(out, &p, is_new, err);
    rb_db_close(p.plain);
    rb_db_close(p.filled);
    json_decref(p.seeded);
    json_decref(p.unfilled);
    json_decref(p.results);
    json_decref(p.base);
    free(p.seed_error);
    if (code != RB_OK)
        rb_proof_clear(out);
    return code;
}
