/*
 * The conformance suite of database drivers: tests/driver/NAME/{before,script,inverse}.sql on a
 * scratch database of the engine, compared with expected.json. Files of one engine only are called
 * before.ENGINE.sql, expected.ENGINE.json and so on, and take the place of the general ones.
 * Without a before.sql the case is one of the engines that have their own. inverse.sql may be
 * missing: there is no way back.
 *
 * expected.json: {"bound": [...], "atRisk": [...], "generated": [...]}, places as "TABLE N rows"
 * and "TABLE.COLUMN N of ROWS values", with "about" before N where it is not exact; and
 * "noWayBack": true where the inverse fails. unproven.json: the places that a proof with such rows
 * names as not restored, where there are any; only a proof can know what a DELETE will find.
 */
#include "database_help.h"

#include <dirent.h>

#include "database/loss.h"

#define CASES "tests/driver"

static const char *const engines[] = {"sqlite", "postgresql"};

/* The text of a case's file, or NULL where there is none. */
static char *read_part(const char *name, const char *part, const char *engine)
{
    rb_err err;
    for (size_t i = 0; i < 2; i++) {
        char path[512];
        RB_AUTO(rb_buf_clear) rb_buf text = {0};
        if (i == 0)
            snprintf(path, sizeof path, CASES "/%s/%s.%s.sql", name, part, engine);
        else
            snprintf(path, sizeof path, CASES "/%s/%s.sql", name, part);
        if (!rb_file_exists(path))
            continue;
        help_ok(rb_file_read(&text, path, 1 << 20, &err), &err);
        return rb_strdup(rb_buf_str(&text));
    }
    return NULL;
}

static json_t *shown(const json_t *items)
{
    json_t *out = json_array();
    size_t i;
    json_t *item;
    json_array_foreach ((json_t *)items, i, item) {
        const char *table = rb_json_str(item, "table");
        const char *column = rb_json_str(item, "column");
        const char *about = json_is_false(json_object_get(item, "exact")) ? "about " : "";
        long long rows = (long long)rb_json_int(item, "rows", -1);
        long long values = (long long)rb_json_int(item, "values", -1);
        char *text =
            column ? rb_format("%s.%s %s%lld of %lld values", table, column, about, values, rows)
                   : rb_format("%s %s%lld rows", table, about, rows);
        json_array_append_new(out, json_string(text));
        free(text);
    }
    return out;
}

struct run {
    const char *name; /* of the case */
    rb_db *db;
    rb_migrations *set;
    char *before;
    char *script;
    char *inverse; /* or NULL */
    rb_db_step step;
    rb_db_step back;
    rb_db_work work;
    rb_db_work undo;
};

static void open_case(struct run *r, const char *engine, const char *name)
{
    rb_err err;
    *r = (struct run){.name = name,
                      .before = read_part(name, "before", engine),
                      .script = read_part(name, "script", engine),
                      .inverse = read_part(name, "inverse", engine)};
    const script_pair pair = {"1", r->script, r->inverse};
    r->set = help_set(&pair, 1);
    r->step = (rb_db_step){.migration = &r->set->items[0], .up = true, .release = "v1"};
    r->back = (rb_db_step){.migration = &r->set->items[0], .release = "v0"};
    r->work = (rb_db_work){.steps = &r->step, .n = 1, .tracking = "", .order = r->set};
    r->undo = (rb_db_work){.steps = &r->back, .n = 1, .tracking = "", .order = r->set};
    help_ok(rb_db_scratch(&r->db, engine, RB_DB_CLOCK_REAL, &err), &err);
    help_ok(rb_db_exec(r->db, r->before, NULL, &err), &err);
}

static void close_case(struct run *r)
{
    rb_db_close(r->db);
    rb_migrations_free(r->set);
    free(r->before);
    free(r->script);
    free(r->inverse);
}

/* What the engine finds, in the form of expected.json. */
static json_t *run_case(struct run *r)
{
    rb_err err;
    rb_db *copy = NULL;
    rb_db_outcome outcome;
    rb_db_losses losses;
    const char *dir = getenv("TMPDIR");
    help_ok(rb_db_rehearse(&copy, r->db, dir ? dir : "/tmp", true, &err), &err);
    help_ok(rb_db_begin(copy, &err), &err);
    help_ok(rb_db_run(&outcome, copy, &r->work, &err), &err);
    help_ok(rb_db_losses_rehearsed(&losses, copy, &outcome, &r->work, r->inverse ? &r->undo : NULL,
                                   &err),
            &err);
    json_t *found = json_pack("{s:o,s:o,s:o}", "bound", shown(losses.bound), "atRisk",
                              shown(losses.at_risk), "generated", shown(losses.generated));
    if (losses.no_way_back)
        json_object_set_new(found, "noWayBack", json_true());
    rb_db_losses_clear(&losses);
    rb_db_outcome_clear(&outcome);
    rb_db_close(copy);
    return found;
}

/* Whether an item of expected.json is of a table that items name. */
static bool names_table(const json_t *items, const char *expected)
{
    size_t i;
    json_t *item;
    json_array_foreach ((json_t *)items, i, item) {
        const char *table = rb_json_str(item, "table");
        size_t len = strlen(table);
        if (strncmp(expected, table, len) == 0 && (expected[len] == '.' || expected[len] == ' '))
            return true;
    }
    return false;
}

/* The places that a proof of the case names as not restored: unproven.json, or none. */
static json_t *unproven_of(const struct run *r)
{
    rb_err err;
    json_t *out = NULL;
    RB_AUTO(rb_free_str) char *path = rb_format(CASES "/%s/unproven.json", r->name);
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    if (!rb_file_exists(path))
        return json_array();
    help_ok(rb_file_read(&text, path, 1 << 20, &err), &err);
    help_ok(rb_json_read(&out, rb_buf_str(&text), text.len, path, &err), &err);
    return out;
}

/* The same from complete effects alone, as a plan takes them from proofs: the bound, but for places
 * that it may have more of, and what is at risk. */
static bool derives_as_much(struct run *r, rb_db *copy, const rb_db_outcome *ran,
                            const json_t *expected)
{
    rb_err err;
    rb_db_outcome back;
    rb_db_losses losses;
    rb_db_outcome outcome = {.before = ran->before, .effects = json_deep_copy(ran->effects)};
    bool enough = true;
    if (!r->inverse || rb_db_run(&back, copy, &r->undo, &err) != RB_OK)
        back = (rb_db_outcome){0};
    if (back.effects)
        rb_loss_complete(back.effects, back.before, back.after);
    rb_loss_complete(outcome.effects, ran->before, ran->after);
    outcome.after = rb_loss_left(outcome.before, outcome.effects);
    outcome.bound = rb_loss_bound(outcome.before, outcome.after, outcome.effects);
    RB_AUTO(rb_json_freep) json_t *unproven = unproven_of(r);
    help_ok(rb_db_losses_derived(&losses, r->db, &outcome, back.effects, unproven, &err), &err);
    rb_json_each (text, json_object_get(expected, "bound"))
        enough = enough && names_table(losses.bound, json_string_value(text));
    enough = enough && rb_loss_within(ran->bound, outcome.bound);
    rb_json_each (text, json_object_get(expected, "atRisk"))
        enough = enough && names_table(losses.at_risk, json_string_value(text));
    rb_db_losses_clear(&losses);
    rb_db_outcome_clear(&back);
    json_decref(outcome.effects);
    json_decref(outcome.after);
    json_decref(outcome.bound);
    return enough;
}

/* With a copy of the schema alone the bound is the same, and what is at risk is never less. */
static bool counts_as_much(struct run *r, const json_t *expected)
{
    rb_err err;
    rb_db *copy = NULL;
    rb_db_outcome outcome;
    rb_db_losses losses;
    help_ok(rb_db_rehearse(&copy, r->db, "/nowhere", false, &err), &err);
    help_ok(rb_db_begin(copy, &err), &err);
    if (rb_db_run(&outcome, copy, &r->work, &err) != RB_OK) { /* it needs rows */
        rb_db_close(copy);
        return true;
    }
    help_ok(rb_db_losses_counted(&losses, copy, r->db, &outcome, r->inverse ? &r->undo : NULL, NULL,
                                 &err),
            &err);
    json_t *bound = shown(losses.bound);
    bool same = json_equal(bound, json_object_get(expected, "bound"));
    size_t i;
    json_t *text;
    json_array_foreach (json_object_get(expected, "atRisk"), i, text)
        same = same && names_table(losses.at_risk, json_string_value(text));
    json_decref(bound);
    rb_db_losses_clear(&losses);
    rb_db_rollback(copy);
    rb_db_outcome_clear(&outcome);
    if (rb_db_begin(copy, &err) == RB_OK && rb_db_run(&outcome, copy, &r->work, &err) == RB_OK) {
        if (!derives_as_much(r, copy, &outcome, expected)) {
            print_error("from its effects alone:\n");
            same = false;
        }
        rb_db_outcome_clear(&outcome);
    }
    rb_db_close(copy);
    return same;
}

static json_t *expected_of(const char *name, const char *engine)
{
    rb_err err;
    char path[512];
    json_t *expected = NULL;
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    snprintf(path, sizeof path, CASES "/%s/expected.%s.json", name, engine);
    if (!rb_file_exists(path))
        snprintf(path, sizeof path, CASES "/%s/expected.json", name);
    help_ok(rb_file_read(&text, path, 1 << 20, &err), &err);
    help_ok(rb_json_read(&expected, rb_buf_str(&text), text.len, path, &err), &err);
    return expected;
}

static bool is_wrong(const char *engine, const char *name)
{
    struct run r;
    json_t *expected = expected_of(name, engine);
    open_case(&r, engine, name);
    json_t *found = run_case(&r);
    bool wrong = !json_equal(expected, found);
    if (wrong) {
        char *text = help_json(found);
        print_error("%s: %s: found %s\n", engine, name, text);
        free(text);
    }
    if (!counts_as_much(&r, expected)) {
        print_error("%s: %s: counted on the schema alone, it is less\n", engine, name);
        wrong = true;
    }
    close_case(&r);
    json_decref(expected);
    json_decref(found);
    return wrong;
}

static void test_cases(void **state)
{
    (void)state;
    rb_err err;
    rb_strs names = {0};
    size_t wrong = 0;
    const char *one = getenv("DRIVER_CASE"); /* for a person */
    help_ok(rb_dir_list(&names, CASES, &err), &err);
    rb_strs_sort(&names);
    for (size_t e = 0; e < sizeof engines / sizeof *engines; e++) {
        size_t ran = 0;
        for (size_t i = 0; i < names.n; i++) {
            char *before = read_part(names.items[i], "before", engines[e]);
            bool applies = before && (!one || strcmp(one, names.items[i]) == 0);
            free(before);
            if (!applies)
                continue;
            ran++;
            wrong += is_wrong(engines[e], names.items[i]);
        }
        assert_true(ran >= 50 || one);
    }
    rb_strs_clear(&names);
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases)};
    const char *cache = getenv("RBTOOL_SCRATCH_CACHE");
    if (cache)
        rb_db_scratch_cache(cache);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
