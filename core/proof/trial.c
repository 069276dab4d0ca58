#include "proof/trial.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "catalog/catalog.h"
#include "catalog/name.h"
#include "database/driver.h"
#include "database/loss.h"
#include "database/run.h"
#include "migration/destroys.h"

typedef struct trial {
    rb_proving *p;
    const rb_migration *m;
    json_t *out;
    json_t *catalog[3]; /* catalogs before the up, after the up, after the down */
    json_t *up;         /* effects of the up */
    json_t *down;
    json_t *bound;      /* bound of the up (loss.h) */
    json_t *hit;        /* what the state before had and the up removed */
    json_t *lost;       /* what is still missing after the down; without a down, after the up */
    json_t *violations; /* broken references after the up */
    json_t *settings;   /* settings before the up */
    bool apart;         /* up, down and up again run in transactions of their own */
    bool clean;         /* up, down and up again gave the right schema and rows */
    enum rb_trial_end end;
    rb_err why; /* error of a failure */
} trial;

static void trial_clear(trial *t)
{
    for (size_t i = 0; i < sizeof t->catalog / sizeof *t->catalog; i++)
        json_decref(t->catalog[i]);
    json_decref(t->up);
    json_decref(t->down);
    json_decref(t->bound);
    json_decref(t->hit);
    json_decref(t->lost);
    json_decref(t->violations);
    json_decref(t->settings);
}

/* Running: */

static enum rb_code run_with_effects(json_t *effects, trial *t, bool up, rb_err *err)
{
    t->p->effects = effects;
    enum rb_code code = up ? rb_proving_run_locked(t->out, t->p, t->m, true, err)
                           : rb_proving_run(t->p, t->m, false, err);
    t->p->effects = NULL;
    return code;
}

/* True if the scripts cannot all run in one transaction, such as a down that uses an enum value
 * which its up adds. A deploy commits before a revert begins. */
static bool need_commits(const trial *t)
{
    rb_db_step ways[] = {
        {.migration = t->m, .up = true}, {.migration = t->m}, {.migration = t->m, .up = true}};
    rb_db_segments(ways, 3, t->p->engine);
    return ways[1].border || ways[2].border;
}

/* Compares with the state before, in tables that the up or the down may write. */
static enum rb_code compare(json_t **out, trial *t, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *tables = rb_loss_touched(t->catalog[0], t->up, t->down);
    return t->p->db->driver->compare(out, t->p->db, tables, err);
}

static bool is_touched(const trial *t, const char *table)
{
    RB_AUTO(rb_free_str) char *key = rb_loss_key(table);
    return json_object_get(t->up, key) || json_object_get(t->down, key);
}

/* Results: */

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
    rb_json_each (other, list) {
        if (json_equal(other, place)) {
            json_decref(place);
            return;
        }
    }
    json_array_append_new(list, place);
}

static bool has_table(const json_t *catalog, const char *name)
{
    RB_AUTO(rb_free_str) char *key = rb_catalog_key("table", NULL, name);
    return json_object_get(catalog, key) != NULL;
}

static bool has_changed_rows(trial *t, const char *table)
{
    RB_AUTO(rb_free_str) char *object = rb_catalog_key("rows", NULL, table);
    rb_json_each (item, list_of(t, "differences")) {
        if (strcmp(rb_json_str(item, "object"), object) == 0)
            return true;
    }
    return false;
}

static bool has_place(const json_t *catalog, const json_t *place)
{
    RB_AUTO(rb_free_str)
    char *key = rb_catalog_place_key(rb_json_str(place, "table"), rb_json_str(place, "column"));
    return json_object_get(catalog, key) != NULL;
}

/* Adds what the down discards: what it drops and the up does not rename back, and rows that it
 * deletes, other than those that the up made. */
static void add_discards(trial *t)
{
    RB_AUTO(rb_json_freep)
    json_t *bound = rb_loss_bound(t->catalog[1], t->catalog[2], t->down);
    rb_json_each (place, bound) {
        bool dropped = !has_place(t->catalog[2], place) &&
                       !rb_loss_is_moved(place, t->down, t->up, t->catalog[1]);
        if (dropped ||
            (!rb_json_str(place, "column") && has_changed_rows(t, rb_json_str(place, "table"))))
            add_place(list_of(t, "discards"), place);
    }
}

/* Lists the tables that the migration touches and that have no made-up row. */
static void add_unfilled(trial *t)
{
    RB_AUTO(rb_strs_clear) rb_strs names = {0};
    rb_json_each_member (name, filled, t->p->filled) {
        if (json_is_false(filled) && is_touched(t, name) && has_table(t->catalog[0], name))
            rb_strs_take(&names, rb_safe(name));
    }
    rb_strs_sort(&names);
    for (size_t i = 0; i < names.n; i++)
        json_array_append_new(list_of(t, "unfilled"), rb_json_text(names.items[i]));
}

/* Rows: */

/* True if the up itself destroyed this. column NULL: the table's rows. */
static bool is_destroyed(trial *t, const char *table, const char *column)
{
    rb_json_each (item, list_of(t, "destroys")) {
        const char *its = rb_json_str(item, "column");
        if (strcmp(rb_json_str(item, "table"), table) == 0 &&
            (!its || (column && strcmp(its, column) == 0)))
            return true;
    }
    return false;
}

/* True if a list of places has this one. A place without a column stands for the whole table. */
static bool covers(const json_t *list, const json_t *item)
{
    const char *column = rb_json_str(item, "column");
    rb_json_each (place, list) {
        const char *its = rb_json_str(place, "column");
        if (strcmp(rb_json_str(place, "table"), rb_json_str(item, "table")) == 0 &&
            (!its || (column && strcmp(its, column) == 0)))
            return true;
    }
    return false;
}

/* True if what the up removed came back with the down, as rows that had it show. */
static bool came_back(const trial *t, const json_t *place)
{
    const bool whole = !rb_json_str(place, "column");
    const json_t *lists[] = {t->hit, t->lost};
    bool found[2] = {false, false};
    for (size_t l = 0; l < 2; l++) {
        rb_json_each (item, lists[l])
            found[l] =
                found[l] ||
                (!json_object_get(item, "added") &&
                 json_equal(json_object_get(item, "table"), json_object_get(place, "table")) &&
                 (whole || !rb_json_str(item, "column") ||
                  json_equal(json_object_get(item, "column"), json_object_get(place, "column"))));
    }
    return found[0] && !found[1];
}

/* Adds what the migration destroys: what did not come back, and what was dropped without any row to
 * show that it comes back. */
static void add_destroys(trial *t)
{
    rb_json_each (item, t->lost)
        if (!json_object_get(item, "added") && covers(t->bound, item))
            add_place(list_of(t, "destroys"), item);
    rb_json_each (item, t->bound)
        if (!has_place(t->catalog[1], item) && !came_back(t, item) &&
            !covers(list_of(t, "destroys"), item) &&
            !rb_loss_is_moved(item, t->up, t->down, t->catalog[2]))
            add_place(list_of(t, "destroys"), item);
}

/* Adds rows that differ after the down, unless the up had destroyed them. */
static void compare_rows(trial *t)
{
    rb_json_each (item, t->lost) {
        const char *table = rb_json_str(item, "table");
        bool left = json_object_get(item, "added") != NULL;
        if (has_changed_rows(t, table) || !has_table(t->catalog[2], table) ||
            (left ? is_destroyed(t, table, NULL) : covers(list_of(t, "destroys"), item)))
            continue;
        RB_AUTO(rb_free_str) char *object = rb_catalog_key("rows", NULL, table);
        add_difference(t, object, "changed");
        if (rb_proving_comes_back(t->out))
            t->end = RB_TRIAL_ROWS;
        rb_json_set_str(t->out, "restores", "differs");
    }
}

static void forget_names(const trial *t, json_t *names)
{
    const char *name;
    json_t *value;
    void *next;
    json_object_foreach_safe(names, next, name, value) if (is_touched(t, name))
        json_object_del(names, name);
}

static void forget_touched(trial *t)
{
    forget_names(t, t->p->kept);
    forget_names(t, t->p->filled);
}

/* What the up's text shows that it destroys, even without matching rows: */

/* Returns the name as the catalog writes it, or unchanged if the catalog does not have it. */
static char *name_in(const json_t *catalog, const char *table, const char *column)
{
    RB_AUTO(rb_free_str) char *wanted = rb_catalog_place_key(table, column);
    RB_AUTO(rb_catalog_name_clear) rb_catalog_name found = {0};
    const bool exact = json_object_get(catalog, wanted) != NULL;
    rb_json_each_member (key, value, catalog)
        if ((exact ? strcmp : strcasecmp)(key, wanted) == 0 && rb_catalog_name_parse(&found, key))
            return rb_strdup(found.name);
    return rb_safe(column ? column : table);
}

static void add_stated(void *context, const rb_destroyed *what)
{
    trial *t = context;
    RB_AUTO(rb_free_str) char *table = name_in(t->catalog[0], what->table, NULL);
    RB_AUTO(rb_free_str)
    char *column = what->column ? name_in(t->catalog[0], table, what->column) : NULL;
    RB_AUTO(rb_json_freep)
    json_t *item =
        json_pack("{s:o,s:o}", "table", rb_json_text(table), "column", rb_json_text(column));
    if (!is_destroyed(t, table, column) && !came_back(t, item))
        add_place(list_of(t, "destroys"), item);
}

/* The way back: */

static void fail_down(trial *t, const char *why)
{
    t->end = RB_TRIAL_DOWN;
    rb_json_set_str(t->out, "restores", "fails");
    rb_json_set_str(t->out, "error", why);
}

/* Finds rows that the down leaves without their parent, which would make a revert fail. */
static enum rb_code check_references(trial *t, rb_err *err)
{
    rb_db *db = t->p->db;
    RB_AUTO(rb_json_freep) json_t *after = NULL;
    RB_TRY(rb_run_violations(&after, db, NULL, err));
    rb_json_each_member (key, entry, after) {
        const json_t *example;
        if (rb_run_new_references(&example, json_object_get(t->violations, key), entry) == 0)
            continue;
        (void)!rb_fail(&t->why, RB_FOUND, "it leaves rows without their parent: %s", key);
        fail_down(t, rb_err_line(&t->why));
        return RB_OK;
    }
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
    t->end = same ? RB_TRIAL_CLEAN : RB_TRIAL_SCHEMA;
    rb_json_set_str(t->out, "restores",
                    !same                    ? "differs"
                    : json_array_size(order) ? "order"
                                             : "identical");
}

/* Compares settings such as PRAGMA user_version: an application may use one as the version of its
 * schema, and refuse to start. */
static enum rb_code compare_settings(trial *t, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *after = NULL;
    RB_TRY(t->p->db->driver->settings(&after, t->p->db, err));
    rb_json_each_member (name, value, after) {
        if (json_equal(value, json_object_get(t->settings, name)))
            continue;
        RB_AUTO(rb_free_str) char *object = rb_catalog_key("setting", NULL, name);
        add_difference(t, object, "changed");
        t->end = RB_TRIAL_SCHEMA;
        rb_json_set_str(t->out, "restores", "differs");
    }
    return RB_OK;
}

static enum rb_code apply_again(trial *t, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *catalog = NULL;
    RB_AUTO(rb_json_freep) json_t *differences = NULL;
    RB_AUTO(rb_json_freep) json_t *order = NULL;
    if (t->apart)
        RB_TRY(rb_proving_mark(t->p, err));
    if (rb_proving_run(t->p, t->m, true, &t->why) != RB_OK) {
        RB_TRY(rb_proving_within(t->p, &t->why, err));
        t->end = t->end == RB_TRIAL_CLEAN ? RB_TRIAL_AGAIN : t->end;
        return RB_OK;
    }
    RB_TRY(rb_db_catalog(&catalog, t->p->db, err));
    rb_catalog_compare(&differences, &order, t->catalog[1], catalog);
    bool same = json_array_size(differences) == 0;
    if (!same && t->end == RB_TRIAL_CLEAN) {
        t->end = RB_TRIAL_AGAIN;
        (void)!rb_fail(&t->why, RB_FOUND, "the up gives another schema after the down");
    }
    json_object_set_new(t->out, "reapplies", json_boolean(same));
    t->clean = same && strcmp(rb_json_str(t->out, "restores"), "identical") == 0;
    return RB_OK;
}

static enum rb_code go_back(trial *t, rb_err *err)
{
    if (t->apart)
        RB_TRY(rb_proving_mark(t->p, err));
    if (run_with_effects(t->down, t, false, &t->why) != RB_OK) {
        RB_TRY(rb_proving_within(t->p, &t->why, err));
        fail_down(t, rb_err_line(&t->why));
        return RB_OK;
    }
    RB_TRY(check_references(t, err));
    if (rb_json_str(t->out, "restores"))
        return RB_OK;
    RB_TRY(rb_db_catalog(&t->catalog[2], t->p->db, err));
    compare_catalogs(t);
    RB_TRY(compare_settings(t, err));
    json_decref(t->lost);
    t->lost = NULL;
    RB_TRY(compare(&t->lost, t, err));
    add_destroys(t);
    compare_rows(t);
    add_discards(t);
    return apply_again(t, err);
}

/* Adds foreign keys that SQLite accepts but cannot check or enforce. */
static void add_mismatches(trial *t)
{
    json_t *after = rb_run_mismatches(t->p->db);
    rb_json_each_member (name, value, after) {
        if (json_object_get(t->p->mismatches, name))
            continue;
        RB_AUTO(rb_free_str)
        char *message = rb_format("the foreign key %s refers to columns that are not unique; the "
                                  "database cannot enforce it, and rbtool does not check it",
                                  name);
        json_array_append_new(t->p->notes,
                              json_pack("{s:s,s:s}", "migration", t->m->id, "message", message));
    }
    json_decref(t->p->mismatches);
    t->p->mismatches = after;
}

/* Continues from the state before the down: what it left must not affect the next migration. */
static enum rb_code redo_up(trial *t, rb_err *err)
{
    if (t->apart)
        return rb_proving_start(t->p, json_array_size(t->p->results) + 1, err);
    RB_TRY(rb_proving_back(t->p, err));
    return rb_proving_apply(t->p, t->m, err);
}

static enum rb_code try_migration(trial *t, rb_err *err)
{
    rb_proving *p = t->p;
    t->apart = need_commits(t);
    RB_TRY(rb_proving_add_rows(p, err));
    RB_TRY(p->db->driver->keep(p->kept, p->db, err));
    RB_TRY(p->db->driver->settings(&t->settings, p->db, err));
    t->catalog[0] = json_incref(p->catalog);
    RB_TRY(rb_proving_mark(t->p, err));
    if (run_with_effects(t->up, t, true, &t->why) != RB_OK) {
        RB_TRY(rb_proving_within(t->p, &t->why, err));
        t->end = RB_TRIAL_UP;
        return RB_OK;
    }
    RB_TRY(rb_db_catalog(&t->catalog[1], p->db, err));
    RB_TRY(rb_run_violations(&t->violations, p->db, NULL, err));
    add_mismatches(t);
    t->bound = rb_loss_bound(t->catalog[0], t->catalog[1], t->up);
    RB_TRY(compare(&t->hit, t, err));
    t->lost = json_incref(t->hit);
    t->end = RB_TRIAL_SCHEMA;
    if (t->m->code || !t->m->down.present)
        rb_json_set_str(t->out, "restores", t->m->code ? "code" : "missing");
    else
        RB_TRY(go_back(t, err));
    if (!t->catalog[2]) /* no down, or it failed */
        add_destroys(t);
    add_unfilled(t);
    if (!t->clean)
        RB_TRY(redo_up(t, err));
    forget_touched(t);
    json_decref(p->catalog);
    p->catalog = json_incref(t->catalog[1]);
    return RB_OK;
}

/* Adds what up and down write. A transition uses it instead of a rehearsal, if that would need a
 * server. */
static void add_effects(trial *t)
{
    json_t *ways[] = {t->up, t->down};
    if (rb_db_scratch_place(t->p->engine) == RB_SCRATCH_HERE)
        return;
    json_t *effects = json_object();
    for (size_t i = 0; i < 2 && t->catalog[i + 1]; i++) {
        rb_loss_complete(ways[i], t->catalog[i], t->catalog[i + 1]);
        json_object_set(effects, i == 0 ? "up" : "down", ways[i]);
    }
    json_object_set_new(t->out, "effects", effects);
}

enum rb_code rb_proof_trial(rb_tried *out, rb_proving *p, const rb_migration *m, rb_err *err)
{
    static const char *const lists[] = {"differences", "destroys", "discards", "unfilled"};
    trial t = {.p = p, .m = m, .up = json_object(), .down = json_object(), .out = json_object()};
    rb_json_set_str(t.out, "id", m->id);
    json_object_set_new(t.out, "reapplies", json_false());
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        json_object_set_new(t.out, lists[i], json_array());
    enum rb_code code = try_migration(&t, err);
    /* Added last: rows of such a table were compared nevertheless. */
    if (code == RB_OK)
        add_effects(&t);
    if (code == RB_OK && !m->code && t.end != RB_TRIAL_UP)
        rb_sql_destroys(m->up.text, m->up.len, p->engine, add_stated, &t);
    trial_clear(&t);
    *out = (rb_tried){.result = t.out, .end = t.end, .why = t.why};
    return code;
}
