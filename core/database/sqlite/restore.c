/* Restores from a backup what can be restored, and names the rest. */
#include "database/sqlite/restore.h"

#include <stdlib.h>
#include <string.h>

static const char unrelated[] = "another migration than the one that was undone made it";

bool rb_restore_is_named(const rb_sqlite_restore *r, const rb_backup_table *t)
{
    const char *only = r->options->table;
    return !r->options->manual || !only || strcasecmp(only, t->name) == 0;
}

bool rb_restore_was_done(const rb_sqlite_restore *r, const char *table, const char *column)
{
    size_t i;
    json_t *item;
    json_array_foreach ((json_t *)r->options->restored, i, item) {
        const char *name = rb_json_str(item, "table");
        const char *part = rb_json_str(item, "column");
        bool same = part && column ? strcasecmp(part, column) == 0 : !part && !column;
        if (name && strcasecmp(name, table) == 0 && same)
            return true;
    }
    return false;
}

/* Nothing of it goes there: the same name, made by somebody else. */
enum rb_code rb_restore_refuse(rb_sqlite_restore *r, const rb_backup_table *t, const char *column,
                               rb_err *err)
{
    json_t *entry = rb_restore_entry(r, t->name, column);
    RB_AUTO(rb_free_str) char *data = rb_sqlite_name(t->data);
    RB_AUTO(rb_free_str) char *name = column ? rb_sqlite_name(column) : rb_strdup("*");
    int64_t n;
    RB_TRY(
        rb_sqlite_int(&n, r->file.db, rb_format("SELECT count(%s) FROM main.%s", name, data), err));
    rb_restore_count(entry, "missingCount", n);
    rb_restore_reason(entry, unrelated);
    json_object_set_new(entry, "waits", json_true());
    return RB_OK;
}

static enum rb_code rows_come_back(bool *out, rb_sqlite_restore *r, size_t index, rb_err *err)
{
    const rb_restored_table *restored = &r->tables[index];
    const rb_backup_table *t = restored->table;
    *out = t->kind == RB_BACKUP_ROWS && restored->now.exists && rb_restore_is_named(r, t);
    if (!*out || r->options->manual)
        return RB_OK;
    *out = !rb_restore_was_done(r, t->name, NULL) && t->automatic.n > 0 &&
           (t->gone ? !restored->before.exists : r->undone);
    if (!*out || !t->gone || r->known != RB_SCRIPTS_OTHER)
        return RB_OK;
    *out = false;
    return rb_restore_refuse(r, t, NULL, err);
}

static enum rb_code rows_back(rb_sqlite_restore *r, rb_restored_rows *all, rb_err *err)
{
    for (size_t i = 0; i < r->file.n; i++) {
        bool wanted;
        RB_TRY(rows_come_back(&wanted, r, i, err));
        if (!wanted)
            continue;
        all[i] = (rb_restored_rows){.r = r, .index = i};
        RB_TRY(rb_restored_rows_open(&all[i], err));
        RB_TRY(rb_restored_rows_restore(&all[i], err));
    }
    RB_TRY(rb_restore_remove_orphans(r, err));
    for (size_t i = 0; i < r->file.n; i++) {
        if (all[i].entry)
            RB_TRY(rb_restored_rows_report(&all[i], err));
    }
    return RB_OK;
}

static enum rb_code restore_all(rb_sqlite_restore *r, rb_restored_rows *all, rb_err *err)
{
    for (size_t i = 0; i < r->file.n; i++) {
        if (!r->tables[i].compared) /* what a newer backup had to restore first, too */
            RB_TRY(rb_restore_compare_table(r, i, err));
        rb_table_shape_clear(&r->tables[i].now);
        RB_TRY(rb_table_shape_read(&r->tables[i].now, r->db, r->tables[i].table->name, err));
    }
    RB_TRY(rows_back(r, all, err));
    for (size_t i = 0; i < r->file.n; i++)
        RB_TRY(rb_restore_values(r, i, err));
    return RB_OK;
}

enum rb_code rb_sqlite_restore_rows(json_t **report, void *part, bool undone,
                                    enum rb_scripts_known known, rb_err *err)
{
    rb_sqlite_restore *r = part;
    rb_restored_rows *all = rb_calloc(r->file.n + 1, sizeof *all);
    r->undone = undone;
    r->known = known;
    r->report = json_array();
    rb_sqlite_clock_stop(r->db);
    rb_sqlite_triggers(r->db, false);
    enum rb_code code = restore_all(r, all, err);
    rb_sqlite_triggers(r->db, true);
    for (size_t i = 0; i < r->file.n; i++)
        rb_row_access_clear(&all[i].access);
    free(all);
    if (code == RB_OK)
        *report = json_incref(r->report);
    return code;
}

/* Opening */

static bool add_applied(void *context, const rb_cell *cells, size_t n)
{
    (void)n;
    if (cells[0].kind == RB_CELL_TEXT)
        json_object_set_new(context, cells[0].data,
                            cells[1].kind == RB_CELL_TEXT ? rb_json_text(cells[1].data)
                                                          : json_null());
    return true;
}

static enum rb_code open_file(rb_sqlite_restore *r, json_t *applied, const char *path, rb_err *err)
{
    RB_TRY(rb_backup_open(&r->file, path, false, err));
    RB_TRY(rb_sqlite_each(r->file.db, "SELECT id, up_sha256 FROM rbtool_applied", NULL, add_applied,
                          applied, err));
    r->tables = rb_calloc(r->file.n + 1, sizeof *r->tables);
    for (size_t i = 0; i < r->file.n; i++) {
        r->tables[i].table = &r->file.tables[i];
        r->tables[i].states = rb_calloc((size_t)r->file.tables[i].rows + 1, 1);
    }
    for (size_t i = 0; i < r->file.n; i++)
        RB_TRY(rb_restore_compare_table(r, i, err));
    return RB_OK;
}

void rb_sqlite_restore_free(void *part)
{
    rb_sqlite_restore *r = part;
    for (size_t i = 0; r->tables && i < r->file.n; i++) {
        rb_table_shape_clear(&r->tables[i].before);
        rb_table_shape_clear(&r->tables[i].now);
        free(r->tables[i].states);
    }
    free(r->tables);
    rb_row_digest_clear(&r->digest);
    rb_backup_clear(&r->file);
    json_decref(r->report);
    free(r);
}

enum rb_code rb_sqlite_restore_compare(void **out, json_t *applied, rb_db *db, const char *path,
                                       const rb_restore_options *options, rb_err *err)
{
    rb_sqlite_restore *r = rb_calloc(1, sizeof *r);
    r->db = rb_sqlite_of(db);
    r->options = options;
    rb_sqlite_clock_stop(r->db);
    enum rb_code code = open_file(r, applied, path, err);
    if (code != RB_OK)
        rb_sqlite_restore_free(r);
    else
        *out = r;
    return code;
}
