#include "database/backup.h"

#include <stdlib.h>
#include <string.h>

#include "database/driver.h"

struct rb_restore {
    rb_db *db;
    const rb_restore_options *options;
    json_t *applied;
    void *part;
};

static enum rb_code in_transaction(const rb_db *db, rb_err *err)
{
    if (db->driver->in_transaction(db))
        return RB_OK;
    return rb_fail(err, RB_ERROR, "internal error: a backup without a transaction");
}

enum rb_code rb_db_backup(json_t **left_out, rb_db *db, const rb_backup_spec *spec, rb_err *err)
{
    RB_TRY(in_transaction(db, err));
    return db->driver->backup(left_out, db, spec, err);
}

enum rb_code rb_db_backup_finish(rb_db *db, const rb_backup_spec *spec, rb_err *err)
{
    RB_TRY(in_transaction(db, err));
    return db->driver->backup_finish(db, spec, err);
}

enum rb_code rb_db_backup_size(int64_t *bytes, json_t **left_out, rb_db *db,
                               const rb_backup_spec *spec, rb_err *err)
{
    return db->driver->backup_size(bytes, left_out, db, spec, err);
}

enum rb_code rb_db_restore_compare(rb_restore **out, rb_db *db, const char *path,
                                   const rb_restore_options *options, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *applied = json_object();
    void *part = NULL;
    RB_TRY(in_transaction(db, err));
    RB_TRY(db->driver->restore_compare(&part, applied, db, path, options, err));
    *out = rb_malloc(sizeof **out);
    **out = (rb_restore){db, options, json_incref(applied), part};
    return RB_OK;
}

void rb_restore_free(rb_restore *restore)
{
    if (!restore)
        return;
    restore->db->driver->restore_free(restore->part);
    json_decref(restore->applied);
    free(restore);
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
        if (json_is_string(json_array_get(row, 0)))
            rb_strs_add(out, json_string_value(json_array_get(row, 0)));
    return RB_OK;
}

/* Whether every script of the transition that made the backup is undone. */
static bool is_undone(const json_t *scripts, const rb_strs *applied)
{
    size_t i;
    json_t *item;
    json_array_foreach ((json_t *)scripts, i, item) {
        const char *id = rb_json_str(item, "id");
        const char *direction = rb_json_str(item, "direction");
        bool up = direction && strcmp(direction, "up") == 0;
        const char *sha256 = rb_json_str(item, "sha256");
        bool there =
            (id && rb_strs_has(applied, id)) || (up && sha256 && rb_strs_has(applied, sha256));
        if (there == up)
            return false;
    }
    return json_array_size(scripts) > 0;
}

enum rb_code rb_db_restore_undone(bool *out, rb_db *db, const json_t *scripts, rb_err *err)
{
    RB_AUTO(rb_strs_clear) rb_strs applied = {0};
    RB_TRY(read_applied(&applied, db, err));
    *out = is_undone(scripts, &applied);
    return RB_OK;
}

enum rb_code rb_db_restore_expected(bool *out, rb_db *db, const json_t *scripts,
                                    const rb_db_step *steps, size_t n, rb_err *err)
{
    RB_AUTO(rb_strs_clear) rb_strs now = {0};
    RB_AUTO(rb_strs_clear) rb_strs then = {0};
    RB_TRY(read_applied(&now, db, err));
    for (size_t i = 0; i < now.n; i++) {
        bool stays = true;
        for (size_t k = 0; k < n; k++)
            stays = stays &&
                    (steps[k].up || (strcmp(now.items[i], steps[k].migration->id) != 0 &&
                                     strcmp(now.items[i], steps[k].migration->up.sha256) != 0));
        if (stays)
            rb_strs_add(&then, now.items[i]);
    }
    for (size_t k = 0; k < n; k++)
        if (steps[k].up)
            rb_strs_add(&then, steps[k].migration->id);
    *out = !is_undone(scripts, &now) && is_undone(scripts, &then);
    return RB_OK;
}

/* Whether the migration was applied when the backup was made: with this text, or edited. */
static bool was_applied(bool *edited, const json_t *applied, const rb_migration *m)
{
    const char *id;
    json_t *sha256;
    bool by_id = false;
    json_object_foreach ((json_t *)applied, id, sha256) {
        const char *text = json_string_value(sha256);
        if (text && strcmp(text, m->up.sha256) == 0)
            return true;
        by_id |= strcmp(id, m->id) == 0;
    }
    *edited |= by_id;
    return by_id;
}

static enum rb_scripts_known known_scripts(const rb_restore_options *options, const json_t *applied)
{
    size_t ran = 0;
    size_t related = 0;
    bool edited = false;
    for (size_t i = 0; options->work && i < options->work->n; i++) {
        const rb_db_step *step = &options->work->steps[i];
        if (step->noted || step->was)
            continue;
        ran++;
        related += was_applied(&edited, applied, step->migration) == step->up;
    }
    return ran > 0 && related == 0   ? RB_SCRIPTS_OTHER
           : related < ran || edited ? RB_SCRIPTS_SOME
                                     : RB_SCRIPTS_ALL;
}

enum rb_code rb_db_restore(json_t **report, rb_restore *restore, rb_db *db, rb_err *err)
{
    bool manual = restore->options->manual;
    RB_AUTO(rb_strs_clear) rb_strs applied = {0};
    RB_TRY(in_transaction(db, err));
    if (!manual)
        RB_TRY(read_applied(&applied, db, err));
    return db->driver->restore(
        report, restore->part, manual || is_undone(restore->options->scripts, &applied),
        manual ? RB_SCRIPTS_ALL : known_scripts(restore->options, restore->applied), err);
}

char *rb_backup_names(const json_t *items)
{
    rb_buf out = {0};
    size_t i;
    json_t *item;
    json_array_foreach ((json_t *)items, i, item) {
        const char *column = rb_json_str(item, "column");
        rb_buf_printf(&out, "%s%s%s%s", i ? ", " : "", rb_json_str(item, "table"),
                      column ? "." : "", column ? column : "");
    }
    return rb_buf_detach(&out);
}
