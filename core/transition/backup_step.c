#include "transition/backup_step.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/anchor.h"
#include "base/file.h"
#include "base/text.h"

struct progress {
    rb_run *run;
    const rb_plan_database *database;
};

static bool proceed(void *context, const char *table, int64_t rows)
{
    const struct progress *p = context;
    if (p->run->control && p->run->control->cancelled)
        return false;
    if (p->run->progress && rows > 0) {
        RB_AUTO(rb_free_str)
        char *text =
            rb_format("%s: backing up %s, %lld rows", p->database->name, table, (long long)rows);
        p->run->progress(p->run->context, "database", text);
    }
    return true;
}

/* Sets the items to back up: what the plan says can be lost, and which of it is at risk. */
static json_t *items_of(const rb_plan_database *d)
{
    json_t *items = json_array();
    rb_json_each (item, d->backed_up) {
        json_t *copy = json_copy(item);
        bool at_risk = false;
        rb_json_each (risk, d->at_risk)
            at_risk |= rb_text_same(rb_json_str(item, "table"), rb_json_str(risk, "table")) &&
                       !rb_json_str(item, "column");
        at_risk |= rb_loss_find(d->at_risk, item) != NULL;
        json_object_set_new(copy, "atRisk", json_boolean(at_risk));
        json_array_append_new(items, copy);
    }
    return items;
}

static json_t *about(const rb_run *run, const rb_plan_database *d)
{
    const rb_plan_request *rq = run->request;
    return rb_json_make("transition:s kind:s environment:s database:s from:s to:s", run->plan->id,
                        run->plan->kind, rq->env->name, d->name, rq->from ? rq->from->tag : NULL,
                        rq->to->tag);
}

bool rb_backup_is_resumed(const rb_plan_database *d)
{
    return d->done > 0 || (d->step_count > 0 && d->steps[0].alone && d->steps[0].noted);
}

void rb_backup_step_positions(const rb_env *env, const char *transition, const char *database,
                              const char *url)
{
    RB_AUTO(rb_free_str) char *file = rb_plan_backup_of(transition, database, url);
    RB_AUTO(rb_free_str) char *path = rb_path_join(env->root, file);
    RB_AUTO(rb_db_closep) rb_db *db = NULL;
    if (rb_file_exists(path) && rb_db_open(&db, url, RB_DB_WRITE, RB_IGNORED) == RB_OK)
        (void)!rb_db_backup_positions(db, path, RB_IGNORED);
}

enum rb_code rb_backup_step_write(rb_run *run, const rb_plan_database *d, rb_db *db, rb_err *err)
{
    if (json_array_size(d->backed_up) == 0 || run->request->no_backup)
        return RB_OK;
    RB_AUTO(rb_free_str) char *file = rb_plan_backup(run->plan, d);
    RB_AUTO(rb_free_str) char *path = rb_path_join(run->request->env->root, file);
    RB_AUTO(rb_free_str) char *dir = rb_path_dir(path);
    RB_AUTO(rb_json_freep) json_t *about_it = about(run, d);
    RB_AUTO(rb_json_freep) json_t *left_out = NULL;
    struct progress progress = {run, d};
    const rb_backup_spec spec = {.path = path,
                                 .items = d->backed_up,
                                 .at_risk = d->at_risk,
                                 .limit = run->request->env->backup_limit,
                                 .about = about_it,
                                 .proceed = proceed,
                                 .context = &progress};
    if (rb_backup_is_resumed(d) &&
        rb_file_exists(
            path)) /* written before scripts were committed: it has what they destroyed */
        return RB_OK;
    RB_TRY(rb_dir_make_as(dir, 0700, err));
    RB_TRY(rb_dir_remove(path, err)); /* left by a run that was killed */
    return rb_db_backup(&left_out, db, &spec, err);
}

static enum rb_code finish(const rb_env *env, rb_state *state, const rb_plan *plan,
                           const rb_plan_database *d, rb_db *db, const rb_db_outcome *outcome,
                           rb_err *err)
{
    RB_AUTO(rb_free_str) char *file = rb_plan_backup(plan, d);
    RB_AUTO(rb_free_str) char *path = rb_path_join(env->root, file);
    RB_AUTO(rb_json_freep) json_t *items = items_of(d);
    char sha256[RB_SHA256_HEX];
    struct stat st;
    const rb_backup_spec spec = {.path = path, .items = items, .outcome = outcome};
    if (!rb_file_exists(path))
        return RB_OK;
    RB_TRY(rb_db_backup_finish(db, &spec, err));
    RB_TRY(rb_sha256_file(sha256, path, err));
    if (rb_at_look(&st, path) != 0)
        return rb_fail_errno(err, RB_ERROR, "the backup %s cannot be read", path);
    const rb_backup_row row = {.transition = plan->id,
                               .database = d->name,
                               .file = file,
                               .sha256 = sha256,
                               .items = items,
                               .bytes = st.st_size};
    return rb_state_backup_add(state, &row, err);
}

enum rb_code rb_backup_step_finish(rb_run *run, const rb_plan_database *d, rb_db *db,
                                   const rb_db_outcome *outcome, rb_err *err)
{
    return finish(run->request->env, run->state, run->plan, d, db, outcome, err);
}

enum rb_code rb_backup_step_undo(const rb_undo *undo, const rb_plan_database *d, rb_db *db,
                                 rb_err *err)
{
    RB_TRY(rb_db_begin(db, err));
    enum rb_code code = finish(undo->env, undo->state, undo->plan, d, db, NULL, err);
    rb_db_rollback(db);
    return code;
}

/* Restoring: */

void rb_undone_backups_clear(rb_undone_backups *r)
{
    for (size_t i = 0; i < r->n; i++) {
        rb_restore_free(r->list[i].restore);
        free(r->list[i].path);
        free(r->list[i].shown);
        free(r->list[i].why);
    }
    free(r->list);
    rb_backup_rows_clear(&r->rows);
    *r = (rb_undone_backups){0};
}

/* Compares one backup. If it is missing or unreadable, the transition continues: stopping would not
 * bring its data back. */
static enum rb_code compare_one(rb_undone_backup *one, rb_db *db, rb_err *err)
{
    char sha256[RB_SHA256_HEX];
    rb_err why;
    if (one->row->pruned) {
        one->why = rb_strdup("the backup was removed by `rbtool backups --prune`");
        return RB_OK;
    }
    if (!rb_file_exists(one->path)) {
        one->why = rb_format("the backup that had them, %s, does not exist", one->shown);
        return RB_OK;
    }
    RB_TRY(rb_sha256_file(sha256, one->path, err));
    if (strcmp(sha256, one->row->sha256) != 0)
        return rb_fail(err, RB_FOUND,
                       "the backup %s of transition %s was changed: its SHA-256 is %s, the journal "
                       "says %s\nput the file back, or move it away",
                       one->shown, one->row->transition, sha256, one->row->sha256);
    enum rb_code code = rb_db_restore_compare(&one->restore, db, one->path, &one->options, &why);
    if (code == RB_FOUND)
        one->why = rb_format("%s: %s", one->shown, rb_err_line(&why));
    else if (code != RB_OK)
        *err = why;
    return code == RB_FOUND ? RB_OK : code;
}

bool rb_backup_waits(const rb_backup_row *row, const json_t *item)
{
    return !rb_loss_find(row->restored, item) && !json_is_false(json_object_get(item, "atRisk"));
}

static bool has_more(const rb_backup_row *row)
{
    rb_json_each (item, row->items)
        if (rb_backup_waits(row, item))
            return true;
    return false;
}

enum rb_code rb_backup_step_compare(rb_undone_backups *out, const rb_env *env, rb_state *state,
                                    const char *transition, const rb_plan_database *d, rb_db *db,
                                    const rb_db_work *work, rb_err *err)
{
    RB_TRY(rb_state_backups(&out->rows, state, d->name, transition, err));
    out->list = rb_calloc(out->rows.n + 1, sizeof *out->list);
    for (size_t i = 0; i < out->rows.n; i++) {
        rb_undone_backup *one = &out->list[out->n++];
        one->row = &out->rows.items[i];
        if (!has_more(one->row))
            continue;
        one->path = rb_path_join(env->root, one->row->file);
        one->shown = rb_safe(one->path);
        one->options = (rb_restore_options){
            .restored = one->row->restored, .scripts = one->row->scripts, .work = work};
        RB_TRY(compare_one(one, db, err));
    }
    return RB_OK;
}

enum rb_code rb_backup_step_rehearse(const rb_undone_backups *r, rb_db *copy, rb_err *err)
{
    for (size_t i = 0; i < r->n; i++) {
        RB_AUTO(rb_json_freep) json_t *report = NULL;
        if (r->list[i].restore)
            RB_TRY(rb_db_restore(&report, r->list[i].restore, copy, err));
    }
    return RB_OK;
}

static void add_report(rb_run *run, const rb_undone_backup *one, json_t *entry)
{
    rb_json_set_str(entry, "database", one->row->database);
    rb_json_set_str(entry, "from", one->row->transition);
    rb_json_set_str(entry, "copy", one->why ? NULL : one->shown);
    json_array_append(run->put_back, entry);
}

/* Reports the data of an unreadable backup as missing, if this transition undoes its scripts. */
static enum rb_code report_missing(json_t **report, const rb_undone_backup *one, rb_db *db,
                                   rb_err *err)
{
    bool undone;
    *report = json_array();
    RB_TRY(rb_db_restore_undone(&undone, db, one->row->scripts, err));
    rb_json_each (item, one->row->items) {
        const char *count = rb_json_str(item, "column") ? "values" : "rows";
        if (undone && !json_is_false(json_object_get(item, "atRisk")))
            json_array_append_new(
                *report,
                rb_json_make("table:J column:J restored:d missing:j missingCount:i reason:s",
                             json_object_get(item, "table"), json_object_get(item, "column"), 0,
                             json_array(), rb_json_int(item, count, 0), one->why));
    }
    return RB_OK;
}

static enum rb_code restore_one(bool *any, rb_run *run, rb_undone_backup *one, rb_db *db,
                                rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *report = NULL;
    if (one->restore)
        RB_TRY(rb_db_restore(&report, one->restore, db, err));
    else if (one->why)
        RB_TRY(report_missing(&report, one, db, err));
    RB_AUTO(rb_json_freep) json_t *done = json_array();
    rb_json_each (entry, report) {
        *any |= rb_json_int(entry, "restored", 0) > 0;
        if (json_object_del(entry, "waits") != 0)
            json_array_append(done, entry);
        add_report(run, one, entry);
    }
    return rb_state_backup_restored(run->state, one->row->id, run->plan->id, done, err);
}

enum rb_code rb_backup_step_restore(rb_undone_backups *r, rb_run *run, const rb_plan_database *d,
                                    rb_db *db, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *before = NULL;
    bool any = false;
    for (size_t i = 0; i < r->n; i++) {
        if (!before && (r->list[i].restore || r->list[i].why))
            RB_TRY(rb_db_references(&before, db, err));
        RB_TRY(restore_one(&any, run, &r->list[i], db, err));
    }
    if (!any || rb_db_references_kept(db, before, err) == RB_OK)
        return RB_OK;
    return rb_err_prefix(err, "database %s", d->name);
}
