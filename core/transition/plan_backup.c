/* Plans the backups of a transition, and what it will restore. */
#include <string.h>

#include "base/file.h"
#include "database/backup.h"
#include "transition/backup_step.h"
#include "transition/plan_make.h"

static enum rb_code add_backup(rb_plan *plan, const rb_plan_database *d, const rb_plan_request *rq,
                               rb_db *db, rb_err *err)
{
    int64_t bytes;
    RB_AUTO(rb_json_freep) json_t *left_out = NULL;
    RB_AUTO(rb_json_freep) json_t *keyless = NULL;
    RB_AUTO(rb_free_str) char *file = rb_plan_backup(plan, d);
    RB_AUTO(rb_free_str) char *path = rb_path_join(rq->env->root, file);
    const rb_backup_spec spec = {
        .items = d->backed_up, .at_risk = d->at_risk, .limit = rq->env->backup_limit};
    RB_TRY(rb_db_backup_size(&bytes, &left_out, &keyless, db, &spec, err));
    if (json_array_size(left_out) > 0) {
        RB_AUTO(rb_free_str) char *names = rb_backup_names(left_out);
        rb_plan_note(plan,
                     "database %s: the backup will not have %s, which exceed backupLimit "
                     "and are not at risk",
                     d->name, names);
    }
    json_array_append_new(json_object_get(plan->json, "backups"),
                          rb_json_make("database:s path:t bytes:i leftOut:J keyless:J", d->name,
                                       path, bytes, left_out, keyless));
    return RB_OK;
}

static enum rb_code add_restores(rb_plan *plan, const rb_plan_database *d, const rb_backup_row *row,
                                 rb_db *db, rb_err *err)
{
    rb_json_each (item, row->items) {
        const char *column = rb_json_str(item, "column");
        const char *table = rb_json_str(item, "table");
        bool keyless = false;
        if (!rb_backup_waits(row, item))
            continue;
        if (column)
            RB_TRY(rb_db_is_keyless(&keyless, db, table, err));
        if (keyless)
            rb_plan_note(plan,
                         "database %s: %s.%s is not restored from backup %s: the table has no key "
                         "to find its rows by",
                         d->name, table, column, row->transition);
        else
            json_array_append_new(json_object_get(plan->json, "restores"),
                                  rb_json_make("database:s backup:s table:s column:s upTo:i",
                                               d->name, row->transition, table, column,
                                               rb_json_int(item, column ? "values" : "rows", 0)));
    }
    return RB_OK;
}

/* Finds what will be restored from the backups of transitions that this one undoes. */
static enum rb_code find_restores(rb_plan *plan, const rb_plan_database *d,
                                  const rb_plan_request *rq, const rb_backup_rows *rows, rb_db *db,
                                  rb_err *err)
{
    for (size_t i = 0; i < rows->n; i++) {
        const rb_backup_row *row = &rows->items[i];
        bool undone = false;
        if (!row->pruned)
            RB_TRY(rb_db_restore_expected(&undone, db, row->scripts, d->steps, d->step_count, err));
        if (!undone)
            continue;
        RB_AUTO(rb_free_str) char *path = rb_path_join(rq->env->root, row->file);
        if (rb_file_exists(path))
            RB_TRY(add_restores(plan, d, row, db, err));
        else
            rb_plan_note(plan,
                         "database %s: nothing is restored from backup %s: its file %s does not "
                         "exist",
                         d->name, row->transition, path);
    }
    return RB_OK;
}

static enum rb_code look_at(rb_plan *plan, const rb_plan_database *d, const rb_plan_request *rq,
                            rb_err *err)
{
    RB_AUTO(rb_backup_rows_clear) rb_backup_rows rows = {0};
    RB_AUTO(rb_db_closep) rb_db *db = NULL;
    bool backs_up = json_array_size(d->backed_up) > 0;
    if (rq->state)
        RB_TRY(rb_state_backups(&rows, rq->state, d->name, NULL, err));
    if (backs_up || rows.n > 0)
        RB_TRY(rb_db_open(&db, d->url, RB_DB_READ, err));
    if (backs_up && !rq->no_backup)
        RB_TRY(add_backup(plan, d, rq, db, err));
    return find_restores(plan, d, rq, &rows, db, err);
}

enum rb_code rb_plan_backups(rb_plan *plan, const rb_plan_request *rq, rb_err *err)
{
    json_object_set_new(plan->json, "backups", json_array());
    json_object_set_new(plan->json, "restores", json_array());
    json_object_set_new(plan->json, "noBackup", json_boolean(rq->no_backup));
    for (size_t i = 0; i < plan->database_count; i++) {
        const rb_plan_database *d = &plan->databases[i];
        if (d->create || d->committed || d->unreadable)
            continue;
        RB_TRY(look_at(plan, d, rq, err));
        if (!rq->no_backup || json_array_size(d->backed_up) == 0)
            continue;
        plan->consent = true;
        rb_plan_decide(plan, "no-backup", RB_OK,
                       "database %s: without a backup, what the scripts destroy cannot be restored",
                       d->name);
    }
    return RB_OK;
}
