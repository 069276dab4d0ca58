/* Compares a backup with the database before the scripts run, and decides what can be restored
 * after them. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "database/restore_rows.h"

/* Comparing: */

static enum rb_code read_table(json_t **out, const rb_restore *r, const char *name, rb_err *err)
{
    json_decref(*out);
    *out = NULL;
    return name ? r->db->driver->table(out, r->db, name, err) : RB_OK;
}

/* Sets the state of each row, as far as it is known before the scripts. */
static enum rb_code compare(rb_restore *r, rb_restored *one, rb_err *err)
{
    const json_t *compared = json_object_get(one->t, "compared");
    RB_AUTO(rb_json_freep) json_t *own = NULL;
    RB_AUTO(rb_json_freep) json_t *moved = NULL;
    RB_AUTO(rb_json_freep) json_t *needed = rb_names_of(compared, r->ignored, false);
    RB_TRY(read_table(&own, r, rb_json_str(one->t, "name"), err));
    RB_TRY(read_table(&moved, r, rb_json_str(one->t, "moved"), err));
    const json_t *table = moved ? moved : own;
    bool comparable = table && json_array_size(compared) > 0 && rb_backup_same_key(one->t, table) &&
                      rb_names_have_all(json_object_get(table, "columns"), needed);
    bool gone = json_is_true(json_object_get(one->t, "gone")) || json_array_size(compared) > 0;
    rb_buf matches = {0};
    one->compared = comparable || json_array_size(compared) == 0;
    rb_sql_set_table(one->parts, r->file, one->t, table);
    r->db->driver->matches(&matches, compared, r->ignored);
    rb_sql_put(one->parts, "matches", rb_buf_detach(&matches));
    rb_json_set_str(one->parts, "gone", gone ? "gone" : "unknown");
    rb_sql_set(one->parts, "there",
               comparable
                   ? "CASE WHEN NOT {exists} THEN 'deleted' WHEN {matches} THEN 'same' ELSE"
                     " 'changed' END END, NULL FROM {data} AS d LEFT JOIN {live} AS n ON {on}"
                   : "'unknown' END, NULL FROM {data} AS d");
    return rb_sql_run(r->db, one->parts,
                      "DELETE FROM {rows}; INSERT INTO {rows} SELECT d.rbtool_row, CASE WHEN"
                      " d.rbtool_state IS NULL THEN '{gone}' WHEN d.rbtool_state = 'moved' OR"
                      " d.rbtool_hash IS NULL THEN 'moved' ELSE {there}",
                      err);
}

static enum rb_code attach(rb_restore *r, rb_err *err)
{
    RB_TRY(r->db->driver->backup_attach(r->file, err));
    for (size_t i = 0; i < r->n; i++) {
        rb_restored *one = &r->list[i];
        rb_sql_put(one->parts, "rows", rb_format("\"rbtool rows %d.%zu\"", r->file->number, i + 1));
        RB_TRY(rb_sql_run(r->db, one->parts,
                          "CREATE TEMPORARY TABLE {rows}(rbtool_row INTEGER PRIMARY KEY, state TEXT"
                          " NOT NULL, act TEXT)",
                          err));
        RB_TRY(compare(r, one, err));
    }
    return RB_OK;
}

/* What is restored: */

static bool has_list(const json_t *list, const char *table, const char *column)
{
    rb_json_each (item, list) {
        const char *name = rb_json_str(item, "table");
        const char *part = rb_json_str(item, "column");
        bool same = part && column ? strcmp(part, column) == 0 : !part && !column;
        if (name && strcmp(name, table) == 0 && same)
            return true;
    }
    return false;
}

/* True if rows (column NULL) or values of a column are restored. undone: all scripts of the backup
 * are undone. A table or column that they dropped is restored if `before` does not have it. */
static bool comes_back(const rb_restore *r, const rb_restored *one, const char *column, bool undone,
                       const json_t *before)
{
    const char *name = rb_json_str(one->t, "name");
    const char *only = r->options->table;
    const json_t *automatic = json_object_get(one->t, "automatic");
    bool dropped = column && !rb_names_have(json_object_get(one->t, "compared"), column);
    bool existed =
        column ? rb_names_have(json_object_get(before, "columns"), column) : before != NULL;
    if (r->options->manual)
        return !only || strcmp(only, name) == 0;
    return !has_list(r->options->restored, name, column) &&
           (column ? rb_names_have(automatic, column) : json_array_size(automatic) > 0) &&
           ((column ? dropped : json_is_true(json_object_get(one->t, "gone"))) ? !existed : undone);
}

/* Returns the columns of a backup of values: also those of the key that scripts wrote. */
static json_t *value_columns(const rb_restored *one)
{
    json_t *columns = json_copy(json_object_get(one->t, "columns"));
    RB_AUTO(rb_json_freep)
    json_t *written =
        rb_names_of(json_object_get(one->t, "key"), json_object_get(one->t, "automatic"), true);
    json_array_extend(columns, written);
    return columns;
}

/* Sets *out if something can be restored. after: checks the database after the scripts. */
static enum rb_code can_come_back(bool *out, rb_restore *r, bool undone, bool after, rb_err *err)
{
    *out = false;
    for (size_t i = 0; i < r->n; i++) {
        rb_restored *one = &r->list[i];
        RB_AUTO(rb_json_freep) json_t *columns = value_columns(one);
        if (after)
            RB_TRY(read_table(&one->now, r, rb_json_str(one->t, "name"), err));
        if (after && !one->now)
            continue;
        *out |= rb_backup_is(one->t, "rows") && comes_back(r, one, NULL, undone, one->before);
        for (size_t k = 0; rb_backup_is(one->t, "values") && k < json_array_size(columns); k++) {
            const char *name = json_string_value(json_array_get(columns, k));
            *out |= comes_back(r, one, name, undone, one->before) &&
                    (!after || rb_names_have(json_object_get(one->now, "columns"), name));
        }
    }
    return RB_OK;
}

/* Adds an entry of what is in the backup and is not restored. reason: as restore_rows.c lists them.
 */
static enum rb_code refuse(json_t **out, rb_restore *r, rb_restored *one, const char *column,
                           const char *reason, rb_err *err)
{
    *out = rb_restore_entry(r, one, column);
    rb_sql_put(one->parts, "column", column ? rb_sql_name(column) : rb_strdup("rbtool_row"));
    return rb_restore_missing(*out, r, one, "{data} AS d", "d.{column} IS NOT NULL", reason, err);
}

/* The table or column of that name is not the one of the backup. */
static enum rb_code refuse_unrelated(rb_restore *r, rb_restored *one, const char *column,
                                     rb_err *err)
{
    json_t *entry;
    RB_TRY(refuse(&entry, r, one, column, "'unrelated'", err));
    json_object_set_new(entry, "waits", json_true());
    return RB_OK;
}

/* Names what a person asks for and the database has no place for. */
static enum rb_code refuse_absent(rb_restore *r, rb_restored *one, const char *column, rb_err *err)
{
    json_t *entry;
    if (!r->options->manual || !comes_back(r, one, column, r->undone, one->before))
        return RB_OK;
    RB_TRY(refuse(&entry, r, one, column, one->now ? "'no column'" : "'no table'", err));
    if (rb_json_int(entry, "missingCount", 0) == 0)
        json_array_remove(r->report, json_array_size(r->report) - 1);
    return RB_OK;
}

/* All tables: */

static enum rb_code choose_rows(rb_restore *r, rb_restored *one, rb_err *err)
{
    if (!rb_backup_is(one->t, "rows"))
        return RB_OK;
    if (!one->now)
        return refuse_absent(r, one, NULL, err);
    if (!comes_back(r, one, NULL, r->undone, one->before))
        return RB_OK;
    if (!r->options->manual && json_is_true(json_object_get(one->t, "gone")) &&
        r->known == RB_SCRIPTS_OTHER)
        return refuse_unrelated(r, one, NULL, err);
    one->entry = json_incref(rb_restore_entry(r, one, NULL));
    one->columns =
        rb_names_of(json_object_get(one->t, "columns"), json_object_get(one->now, "columns"), true);
    return RB_OK;
}

static enum rb_code choose_values(rb_restore *r, rb_restored *one, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *columns = value_columns(one);
    if (!rb_backup_is(one->t, "values"))
        return RB_OK;
    one->columns = json_array();
    rb_json_each (item, columns) {
        const char *name = json_string_value(item);
        bool dropped = !rb_names_have(json_object_get(one->t, "compared"), name);
        if (!rb_names_have(json_object_get(one->now, "columns"), name))
            RB_TRY(refuse_absent(r, one, name, err));
        else if (!comes_back(r, one, name, r->undone, one->before))
            continue;
        else if (!r->options->manual && dropped && r->known == RB_SCRIPTS_OTHER)
            RB_TRY(refuse_unrelated(r, one, name, err));
        else
            json_array_append(one->columns, item);
    }
    return json_array_size(one->columns) > 0 ? rb_restore_values(r, one, err) : RB_OK;
}

static enum rb_code restore_all(rb_restore *r, rb_err *err)
{
    for (size_t i = 0; i < r->n; i++) {
        rb_restored *one = &r->list[i];
        if (!one->compared) /* a newer backup had to be restored first */
            RB_TRY(compare(r, one, err));
        RB_TRY(read_table(&one->now, r, rb_json_str(one->t, "name"), err));
        one->keyed = one->now && rb_backup_same_key(one->t, one->now);
        rb_sql_set_table(one->parts, r->file, one->t, one->now);
        RB_TRY(choose_rows(r, one, err));
    }
    RB_TRY(rb_restore_all_rows(r, err));
    for (size_t i = 0; i < r->n; i++)
        RB_TRY(choose_values(r, &r->list[i], err));
    return RB_OK;
}

/* What is applied: */

/* Reads the ids of applied migrations and the hashes of their up scripts, since an id may change.
 */
static enum rb_code read_applied(rb_strs *out, rb_db *db, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    RB_TRY(rb_db_query(&rows, db,
                       "SELECT id FROM rbtool_applied UNION ALL SELECT up_sha256 FROM"
                       " rbtool_applied WHERE up_sha256 IS NOT NULL",
                       NULL, err));
    rb_json_each (row, rows)
        if (json_is_string(json_array_get(row, 0)))
            rb_strs_add(out, json_string_value(json_array_get(row, 0)));
    return RB_OK;
}

/* True if every script of the transition that made the backup is undone. */
static bool is_undone(const json_t *scripts, const rb_strs *applied)
{
    rb_json_each (item, scripts) {
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

/* True if the migration was applied when the backup was made. *edited: its text was another one. */
static bool was_applied(bool *edited, const json_t *applied, const rb_migration *m)
{
    bool by_id = false;
    rb_json_each_member (id, sha256, applied) {
        const char *text = json_string_value(sha256);
        if (text && strcmp(text, m->up.sha256) == 0)
            return true;
        by_id |= strcmp(id, m->id) == 0;
    }
    *edited |= by_id;
    return by_id;
}

static enum rb_scripts_known known_scripts(const rb_restore *r)
{
    const rb_db_work *work = r->options->work;
    const json_t *applied = json_object_get(r->file->about, "applied");
    size_t ran = 0;
    size_t related = 0;
    bool edited = false;
    for (size_t i = 0; work && i < work->n; i++) {
        const rb_db_step *step = &work->steps[i];
        if (step->noted || step->was)
            continue;
        ran++;
        related += was_applied(&edited, applied, step->migration) == step->up;
    }
    return ran > 0 && related == 0   ? RB_SCRIPTS_OTHER
           : related < ran || edited ? RB_SCRIPTS_SOME
                                     : RB_SCRIPTS_ALL;
}

/* Opening: */

/* Checks that the backup has the columns to ignore; otherwise the name is a mistake. Gives them the
 * case that the backup has. */
static enum rb_code check_ignored(rb_restore *r, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *known = json_array();
    size_t i;
    for (i = 0; i < r->n; i++) {
        const char *only = r->options->table;
        if (!only || strcmp(only, rb_json_str(r->list[i].t, "name")) == 0) {
            RB_AUTO(rb_json_freep)
            json_t *more = rb_names_of(json_object_get(r->list[i].t, "compared"), known, false);
            json_array_extend(known, more);
        }
    }
    RB_AUTO(rb_buf_clear) rb_buf names = {0};
    rb_json_each (name, known)
        rb_buf_printf(&names, "%s%s", names.len ? ", " : "", json_string_value(name));
    rb_json_each (name, r->ignored) {
        const json_t *spelled = rb_names_have(known, json_string_value(name)) ? name : NULL;
        rb_json_each (other, known)
            if (!spelled && strcasecmp(json_string_value(other), json_string_value(name)) == 0)
                spelled = other;
        if (!spelled)
            return rb_fail(err, RB_ERROR,
                           "the backup compares no column %s\n--ignore-columns takes some of: %s",
                           json_string_value(name), rb_buf_str(&names));
        json_array_set(r->ignored, name_at, (json_t *)spelled);
    }
    return RB_OK;
}

static enum rb_code open_restore(rb_restore *r, const char *path, rb_err *err)
{
    bool undone = false;
    bool expected = false;
    bool needed = r->options->manual;
    RB_TRY(r->db->driver->backup_open(&r->file, r->db, path, RB_BACKUP_RESTORE, err));
    const json_t *tables = json_object_get(r->file->about, "tables");
    r->references = json_object_get(r->file->about, "references");
    r->n = json_array_size(tables);
    r->list = rb_calloc(r->n + 1, sizeof *r->list);
    for (size_t i = 0; i < r->n; i++) {
        r->list[i] = (rb_restored){.t = json_array_get(tables, i), .parts = json_object()};
        RB_TRY(read_table(&r->list[i].before, r, rb_json_str(r->list[i].t, "name"), err));
    }
    r->ignored = r->options->ignore ? rb_json_strs(r->options->ignore) : json_array();
    RB_TRY(check_ignored(r, err));
    r->known = needed ? RB_SCRIPTS_ALL : known_scripts(r);
    if (!needed) {
        const rb_db_work *work = r->options->work;
        RB_TRY(rb_db_restore_undone(&undone, r->db, r->options->scripts, err));
        RB_TRY(rb_db_restore_expected(&expected, r->db, r->options->scripts, work->steps, work->n,
                                      err));
        /* If only other scripts recreate the table, nothing is restored, and rows need not be
         * compared. */
        if (undone || expected || r->known != RB_SCRIPTS_OTHER)
            RB_TRY(can_come_back(&needed, r, undone || expected, false, err));
    }
    return needed ? attach(r, err) : RB_OK;
}

enum rb_code rb_db_restore_compare(rb_restore **out, rb_db *db, const char *path,
                                   const rb_restore_options *options, rb_err *err)
{
    if (!db->driver->in_transaction(db))
        return rb_fail(err, RB_ERROR, "internal error: a restore without a transaction");
    rb_restore *r = rb_calloc(1, sizeof *r);
    *r = (rb_restore){.db = db, .options = options, .report = json_array()};
    enum rb_code code = open_restore(r, path, err);
    if (code != RB_OK)
        rb_restore_free(r);
    else
        *out = r;
    return code;
}

/* Finds the indexes of tables that are restored to. *out: {table: [SQL that builds one]}. */
static enum rb_code find_indexes(json_t **out, const rb_restore *r, rb_err *err)
{
    *out = json_object();
    for (size_t i = 0; i < r->n && r->db->driver->rebuilds; i++) {
        const char *name = rb_json_str(r->list[i].t, "name");
        json_t *found = NULL;
        if (json_object_get(*out, name))
            continue;
        RB_TRY(r->db->driver->rebuilds(&found, r->db, name, err));
        json_object_set_new(*out, name, found);
    }
    return RB_OK;
}

/* Restores with the user's triggers off, and then rebuilds the indexes that they would have kept.
 */
static enum rb_code restore_without_triggers(rb_restore *r, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *indexes = NULL;
    RB_TRY(find_indexes(&indexes, r, err));
    r->db->driver->triggers(r->db, false);
    enum rb_code code = restore_all(r, err);
    r->db->driver->triggers(r->db, true);
    rb_json_each (entry, r->report) {
        const char *table = rb_json_str(entry, "table");
        if (code != RB_OK || rb_json_int(entry, "restored", 0) == 0)
            continue;
        rb_json_each (sql, json_object_get(indexes, table))
            RB_TRY(rb_db_exec(r->db, json_string_value(sql), NULL, err));
        json_object_del(indexes, table);
    }
    return code;
}

enum rb_code rb_db_restore(json_t **report, rb_restore *r, rb_db *db, rb_err *err)
{
    bool manual = r->options->manual;
    r->undone = manual;
    if (!manual)
        RB_TRY(rb_db_restore_undone(&r->undone, db, r->options->scripts, err));
    bool needed = false;
    if (!r->file->prefix)
        RB_TRY(can_come_back(&needed, r, r->undone, true, err));
    if (needed)
        RB_TRY(attach(r, err));
    enum rb_code code = r->file->prefix ? restore_without_triggers(r, err) : RB_OK;
    if (code == RB_OK)
        *report = json_incref(r->report);
    return code;
}

void rb_restore_free(rb_restore *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->n; i++) {
        json_decref(r->list[i].parts);
        json_decref(r->list[i].before);
        json_decref(r->list[i].now);
        json_decref(r->list[i].columns);
        json_decref(r->list[i].entry);
    }
    free(r->list);
    if (r->file)
        (void)!r->db->driver->backup_close(r->file, NULL, RB_IGNORED);
    json_decref(r->ignored);
    json_decref(r->report);
    free(r);
}
