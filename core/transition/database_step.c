#include "transition/database_step.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "catalog/name.h"
#include "environment/checks.h"
#include "transition/parts.h"

struct progress {
    rb_run *run;
    const rb_plan_database *database;
};

static bool proceed(void *context, size_t step)
{
    struct progress *p = context;
    if (p->run->control && p->run->control->cancelled)
        return false;
    if (p->run->progress) {
        const rb_db_step *s = &p->database->steps[step];
        RB_AUTO(rb_free_str)
        char *text = rb_format("%s: %s %s (%zu of %zu)", p->database->name, s->up ? "up" : "down",
                               s->migration->id, step + 1, p->database->step_count);
        p->run->progress(p->run->context, "database", text);
    }
    return true;
}

char *rb_plan_backup(const rb_plan *plan, const rb_plan_database *d)
{
    return rb_format(".rbtool/backups/%s/%s.sqlite", plan->id, d->name);
}

/* What the plan says is lost is copied under lock before the first script runs. */
static enum rb_code back_out(rb_run *run, const rb_plan_database *d, rb_db *db, rb_err *err)
{
    if (json_array_size(d->at_risk) == 0)
        return RB_OK;
    RB_AUTO(rb_free_str) char *file = rb_plan_backup(run->plan, d);
    RB_AUTO(rb_free_str) char *path = rb_path_join(run->request->env->root, file);
    RB_AUTO(rb_free_str) char *dir = rb_path_dir(path);
    char sha256[RB_SHA256_HEX];
    RB_TRY(rb_dir_make_as(dir, 0700, err));
    RB_TRY(rb_dir_remove(path, err));
    RB_TRY(rb_db_copy(db, path, sha256, err));
    return rb_state_backout_add(run->state, run->plan->id, d->name, file, sha256, d->at_risk, err);
}

/* What of it the scripts deleted is known after them only. */
static enum rb_code complete_back_out(rb_run *run, const rb_plan_database *d, rb_db *db,
                                      rb_err *err)
{
    if (json_array_size(d->at_risk) == 0)
        return RB_OK;
    RB_AUTO(rb_free_str) char *file = rb_plan_backup(run->plan, d);
    RB_AUTO(rb_free_str) char *path = rb_path_join(run->request->env->root, file);
    RB_AUTO(rb_json_freep) json_t *items = json_deep_copy(d->at_risk);
    char sha256[RB_SHA256_HEX];
    RB_TRY(rb_db_note_gone(items, db, path, err));
    if (json_equal(items, d->at_risk))
        return RB_OK;
    RB_TRY(rb_sha256_file(sha256, path, err));
    return rb_state_backout_add(run->state, run->plan->id, d->name, file, sha256, items, err);
}

/* Ids, and the hashes of the up scripts, since an id may have changed. */
static enum rb_code read_applied(rb_strs *out, rb_db *db, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    RB_TRY(rb_db_query(&rows, db,
                       "SELECT id FROM rbtool_applied UNION ALL SELECT up_sha256 FROM"
                       " rbtool_applied WHERE up_sha256 IS NOT NULL",
                       NULL, err));
    size_t i;
    json_t *row;
    json_array_foreach (rows, i, row)
        rb_strs_add(out, json_string_value(json_array_get(row, 0)));
    return RB_OK;
}

/* Whether every script of the transition that made a back-out is undone. */
static bool is_undone(const rb_backout *backout, const rb_strs *applied)
{
    size_t i;
    json_t *item;
    json_array_foreach (backout->scripts, i, item) {
        const char *id = rb_json_str(item, "id");
        const char *direction = rb_json_str(item, "direction");
        bool up = direction && strcmp(direction, "up") == 0;
        const char *sha256 = rb_json_str(item, "sha256");
        bool there =
            (id && rb_strs_has(applied, id)) || (up && sha256 && rb_strs_has(applied, sha256));
        if (there == up)
            return false;
    }
    return json_array_size(backout->scripts) > 0;
}

/* Did a newer back-out of this transition give the same table or column back? */
static bool is_back(const rb_run *run, const char *database, const json_t *item)
{
    size_t i;
    json_t *entry;
    json_array_foreach (run->put_back, i, entry) {
        if (strcmp(rb_json_str(entry, "database"), database) == 0 &&
            json_equal(json_object_get(entry, "table"), json_object_get(item, "table")) &&
            json_equal(json_object_get(entry, "column"), json_object_get(item, "column")))
            return true;
    }
    return false;
}

/* Of what an earlier transition deleted: tables and columns that this one made again, and rows of
 * tables that stayed, when the scripts that deleted them are undone. */
static json_t *wanted_again(const rb_run *run, const rb_backout *backout,
                            const rb_db_outcome *outcome, const rb_strs *applied)
{
    json_t *list = json_array();
    bool undone = is_undone(backout, applied);
    size_t i;
    json_t *item;
    json_array_foreach (backout->items, i, item) {
        const char *column = rb_json_str(item, "column");
        const char *table = rb_json_str(item, "table");
        RB_AUTO(rb_free_str) char *object = rb_catalog_place_key(table, column);
        bool stays = !column && json_is_true(json_object_get(item, "stays"));
        bool again = json_object_get(outcome->after, object) &&
                     (stays ? undone : !json_object_get(outcome->before, object));
        if (!again)
            continue;
        json_t *wanted = json_copy(item);
        if (!stays && !is_back(run, backout->database, item))
            json_object_set_new(wanted, "made", json_true());
        json_array_append_new(list, wanted);
    }
    return list;
}

static void add_report(rb_run *run, const rb_backout *backout, json_t *entry, const char *copy)
{
    rb_json_set_str(entry, "database", backout->database);
    rb_json_set_str(entry, "from", backout->transition);
    rb_json_set_str(entry, "copy", copy);
    json_array_append(run->put_back, entry);
}

/* copy: where they are, or NULL. */
static void tell_none(rb_run *run, const rb_backout *backout, const json_t *items,
                      const char *reason, const char *copy)
{
    size_t i;
    json_t *item;
    json_array_foreach ((json_t *)items, i, item) {
        const char *count = rb_json_str(item, "column") ? "values" : "rows";
        RB_AUTO(rb_json_freep)
        json_t *entry =
            json_pack("{s:O?,s:O?,s:i,s:[],s:I,s:s}", "table", json_object_get(item, "table"),
                      "column", json_object_get(item, "column"), "restored", 0, "missing",
                      "missingCount", (json_int_t)rb_json_int(item, count, 0), "reason", reason);
        add_report(run, backout, entry, copy);
    }
}

/* That the copy is gone is no reason to stay where one is: what it held is lost either way. */
static enum rb_code tell_gone(rb_run *run, const rb_backout *backout, const json_t *items,
                              const char *shown, rb_err *err)
{
    RB_AUTO(rb_free_str)
    char *reason = rb_format("the copy that had them, %s, is not there", shown);
    tell_none(run, backout, items, reason, NULL);
    return rb_state_backout_used(run->state, backout->id, run->plan->id, items, err);
}

static enum rb_code put_one_back(rb_run *run, rb_db *db, const rb_db_work *work,
                                 const rb_backout *backout, const json_t *items, rb_err *err)
{
    RB_AUTO(rb_free_str) char *path = rb_path_join(run->request->env->root, backout->file);
    RB_AUTO(rb_free_str) char *shown = rb_safe(path);
    char sha256[RB_SHA256_HEX];
    if (!rb_file_exists(path))
        return tell_gone(run, backout, items, shown, err);
    RB_TRY(rb_sha256_file(sha256, path, err));
    if (strcmp(sha256, backout->sha256) != 0)
        return rb_fail(err, RB_FOUND,
                       "back-out %s of transition %s has changed on disk: its SHA-256 is %s, the "
                       "journal says %s\nput the file back or move it away",
                       path, backout->transition, sha256, backout->sha256);
    RB_AUTO(rb_json_freep) json_t *report = NULL;
    RB_AUTO(rb_json_freep) json_t *left = json_array();
    RB_TRY(rb_db_put_back(&report, left, db, path, items, work, err));
    if (!report) { /* the data stays for the release that it belongs to */
        tell_none(run, backout, items, "another migration than the one that was undone made it",
                  shown);
        return RB_OK;
    }
    size_t i;
    json_t *entry;
    json_array_foreach (report, i, entry)
        add_report(run, backout, entry, shown);
    RB_TRY(rb_state_backout_left(run->state, backout->id, run->plan->id, left, err));
    return rb_state_backout_used(run->state, backout->id, run->plan->id, items, err);
}

static enum rb_code put_back(rb_run *run, const rb_plan_database *d, rb_db *db,
                             const rb_db_work *work, const rb_db_outcome *outcome, rb_err *err)
{
    rb_backout *backouts = NULL;
    size_t count = 0;
    RB_AUTO(rb_json_freep) json_t *before = NULL;
    RB_TRY(rb_state_backouts(&backouts, &count, run->state, d->name, run->plan->id, err));
    RB_AUTO(rb_strs_clear) rb_strs applied = {0};
    enum rb_code code = count > 0 ? read_applied(&applied, db, err) : RB_OK;
    for (size_t i = 0; i < count && code == RB_OK; i++) {
        RB_AUTO(rb_json_freep) json_t *items = wanted_again(run, &backouts[i], outcome, &applied);
        if (json_array_size(items) == 0)
            continue;
        if (!before)
            code = rb_db_references(&before, db, err);
        if (code == RB_OK)
            code = put_one_back(run, db, work, &backouts[i], items, err);
    }
    rb_backouts_free(backouts, count);
    if (code != RB_OK || !before || rb_db_references_kept(db, before, err) == RB_OK)
        return code;
    return rb_err_prefix(err, "database %s", d->name);
}

/* Data changed since the plan was made, or a script does not do the same each time. */
static enum rb_code refuse_loss(rb_run *run, const rb_plan_database *d, const json_t *at_risk,
                                rb_err *err)
{
    RB_AUTO(rb_free_str) char *list = rb_plan_list_losses(at_risk);
    RB_TRY(rb_plan_found(run->digest, run->plan, run->request, d->name, at_risk, err));
    RB_AUTO(rb_free_str)
    char *option = rb_format("--accept-data-loss %.*s", RB_DIGEST_PREFIX, run->digest);
    RB_AUTO(rb_free_str) char *next = rb_plan_with(run->request, option);
    return rb_fail(err, RB_DECIDE,
                   "database %s: under lock more data is at risk than the plan said: %s\nto agree "
                   "to this: %s",
                   d->name, list, next);
}

static enum rb_code verify(rb_run *run, const rb_plan_database *d, rb_db *db,
                           const rb_db_outcome *outcome, rb_err *err)
{
    if (!rb_risk_within(outcome->at_risk, d->name, run->agreed))
        return refuse_loss(run, d, outcome->at_risk, err);
    RB_AUTO(rb_json_freep) json_t *wrong = NULL;
    RB_AUTO(rb_json_freep) json_t *left = NULL;
    rb_plan_database_judge(&wrong, &left, d, outcome->after);
    if (json_array_size(wrong) > 0) {
        RB_AUTO(rb_buf_clear) rb_buf list = {0};
        size_t i;
        json_t *item;
        json_array_foreach (wrong, i, item)
            rb_buf_printf(&list, "%s%s %s", i ? ", " : "", rb_json_str(item, "object"),
                          rb_json_str(item, "change"));
        return rb_fail(err, RB_FOUND, "database %s did not come out at the schema of %s: %s",
                       d->name, run->request->to->tag, list.data);
    }
    RB_AUTO(rb_json_freep) json_t *failures = json_array();
    if (d->to)
        RB_TRY(rb_sql_checks_run(failures, run->request->to, run->request->session->repo, d->name,
                                 db, err));
    if (json_array_size(failures) > 0)
        return rb_fail(err, RB_FOUND, "database %s: %s", d->name,
                       rb_json_str(json_array_get(failures, 0), "message"));
    return RB_OK;
}

/* What every database of the run is bound to, and which database this one is. */
static enum rb_code pins_of(json_t **out, const rb_run *run, rb_db *db, rb_err *err)
{
    RB_AUTO(rb_free_str) char *identity = NULL;
    RB_TRY(rb_db_identity(&identity, db, err));
    *out = run->pins ? json_copy((json_t *)run->pins) : json_object();
    rb_json_set_str(*out, "database", identity);
    return RB_OK;
}

static enum rb_code run_one(rb_run *run, size_t index, rb_err *err)
{
    const rb_plan_database *d = &run->plan->databases[index];
    rb_db_outcome *outcome = &run->outcomes[index];
    const rb_release *from = rb_parts_from(run->request, RB_PART_DB);
    RB_TRY(rb_db_open(&run->dbs[index], d->url, d->create ? RB_DB_CREATE : RB_DB_WRITE, err));
    rb_db *db = run->dbs[index];
    if (run->control)
        atomic_store(&run->control->active, db);
    const rb_db_limits limits = rb_env_limits(run->request->env);
    RB_TRY(rb_db_limit(db, &limits, err));
    RB_TRY(rb_db_begin(db, err));
    RB_TRY(back_out(run, d, db, err));
    struct progress progress = {run, d};
    rb_db_work work = {.steps = d->steps,
                       .n = d->step_count,
                       .tracking = d->tracking,
                       .order = d->to_set,
                       .expected_risk = d->at_risk,
                       .proceed = proceed,
                       .context = &progress};
    RB_TRY(rb_db_run(outcome, db, &work, err));
    RB_TRY(complete_back_out(run, d, db, err));
    RB_TRY(put_back(run, d, db, &work, outcome, err));
    RB_TRY(verify(run, d, db, outcome, err));
    /* What drifted in objects that this transition touches was never FROM's. */
    rb_db_outcome known = {.before = d->leaving, .after = outcome->after};
    RB_AUTO(rb_json_freep) json_t *pins = NULL;
    RB_TRY(pins_of(&pins, run, db, err));
    return rb_db_journal_add(db, run->plan->id, from ? from->tag : NULL, run->request->to->tag,
                             &known, pins, err);
}

enum rb_code rb_databases_run(rb_run *run, rb_err *err)
{
    for (size_t i = 0; i < run->plan->database_count; i++) {
        if (run->committed[i])
            continue;
        enum rb_code code = run_one(run, i, err);
        if (run->control)
            atomic_store(&run->control->active, NULL);
        if (code != RB_OK)
            return code;
    }
    return RB_OK;
}

/* A commit that reports a failure may have happened: only the database's own row can tell. */
static enum rb_code commit_one(rb_run *run, size_t index, rb_err *err)
{
    const rb_plan_database *d = &run->plan->databases[index];
    enum rb_code code = rb_db_commit(run->dbs[index], err);
    if (code == RB_OK)
        return RB_OK;
    rb_err why;
    bool happened = false;
    RB_AUTO(rb_db_closep) rb_db *db = NULL;
    rb_db_close(run->dbs[index]);
    run->dbs[index] = NULL;
    enum rb_code looked = rb_db_open(&db, d->url, RB_DB_READ, &why);
    if (looked == RB_OK)
        looked = rb_db_journal_has(&happened, db, run->plan->id, &why);
    if (looked == RB_OK && happened)
        return RB_OK;
    if (looked != RB_OK) { /* not known: what was done stays until somebody can look */
        run->past = true;
        return rb_err_prefix(err,
                             "database %s: the commit failed, and whether it happened cannot "
                             "be seen (%s)",
                             d->name, why.message);
    }
    return code;
}

enum rb_code rb_databases_commit(rb_run *run, rb_err *err)
{
    for (size_t i = 0; i < run->plan->database_count; i++) {
        if (run->committed[i])
            continue;
        RB_TRY(commit_one(run, i, err));
        run->committed[i] = true;
        run->past = true;
    }
    return RB_OK;
}
