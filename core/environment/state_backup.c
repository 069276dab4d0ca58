/* Backups in the journal: which file has the rows of which transition, and what was restored. */
#include <stdlib.h>
#include <string.h>

#include "environment/state_internal.h"

/* Transitions that committed. Of others than the one that asks, those without an outcome are
 * committed and half-way, and it goes back from them. */
#define REACHED "(t.outcome IS NULL OR t.outcome IN ('done', 'unhealthy', 'down', 'interrupted'))"

static const char tables[] =
    "CREATE TABLE IF NOT EXISTS backup(id INTEGER PRIMARY KEY, transition_id TEXT NOT NULL, "
    "database_name TEXT NOT NULL, file TEXT NOT NULL, sha256 TEXT NOT NULL, items TEXT NOT NULL, "
    "bytes INTEGER NOT NULL DEFAULT 0, pruned INTEGER, UNIQUE(transition_id, database_name));"
    "CREATE TABLE IF NOT EXISTS restored(backup_id INTEGER NOT NULL, item TEXT NOT NULL, "
    "transition_id TEXT NOT NULL, PRIMARY KEY(backup_id, item, transition_id));";

/* An older rbtool called them back-outs, and copied whole databases. */
static const char older[] =
    "BEGIN IMMEDIATE;"
    "INSERT OR IGNORE INTO backup(id, transition_id, database_name, file, sha256, items) SELECT "
    "id, transition_id, database_name, file, sha256, items FROM backout;"
    "INSERT OR IGNORE INTO restored SELECT backout_id, item, transition_id FROM put_back;"
    "DROP TABLE backout; DROP TABLE put_back; DROP TABLE IF EXISTS left_over;"
    "COMMIT";

static enum rb_code has_table(bool *out, rb_state *state, const char *name, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *params = json_pack("[s]", name);
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    RB_TRY(rb_sqlite_query(&rows, state->db, "SELECT 1 FROM sqlite_schema WHERE name = ?1", params,
                           err));
    *out = json_array_size(rows) > 0;
    return RB_OK;
}

enum rb_code rb_state_backup_tables(rb_state *state, rb_err *err)
{
    bool has_older;
    RB_TRY(rb_sqlite_query(NULL, state->db, tables, NULL, err));
    RB_TRY(has_table(&has_older, state, "backout", err));
    return has_older ? rb_sqlite_query(NULL, state->db, older, NULL, err) : RB_OK;
}

enum rb_code rb_state_backup_add(rb_state *state, const rb_backup_row *backup, rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf items = {0};
    rb_json_canonical(&items, backup->items);
    return rb_state_change(
        state,
        "REPLACE INTO backup(transition_id, database_name, file, sha256, items, bytes) VALUES "
        "(?, ?, ?, ?, ?, ?)",
        json_pack("[s,s,s,s,s,I]", backup->transition, backup->database, backup->file,
                  backup->sha256, rb_buf_str(&items), (json_int_t)backup->bytes),
        err);
}

/* [{"table","column"}] that transitions other than the one that asks restored, and ended well. */
static enum rb_code read_restored(json_t **out, rb_state *state, int64_t id, const char *asking,
                                  rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *params = json_pack("[I,s?]", (json_int_t)id, asking);
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    RB_TRY(rb_sqlite_query(
        &rows, state->db,
        "SELECT json_extract(r.item, '$[0]'), json_extract(r.item, '$[1]') FROM "
        "restored r JOIN transition_log t ON t.id = r.transition_id WHERE "
        "r.backup_id = ?1 AND r.transition_id IS NOT ?2 AND json_valid(r.item) AND " REACHED
        " ORDER BY r.rowid",
        params, err));
    size_t i;
    json_t *row;
    *out = json_array();
    json_array_foreach (rows, i, row) {
        json_t *item = json_object();
        rb_json_set_str(item, "table", rb_state_cell(row, 0));
        rb_json_set_str(item, "column", rb_state_cell(row, 1));
        json_array_append_new(*out, item);
    }
    return RB_OK;
}

/* What a stored plan ran in a database. */
static enum rb_code scripts_of(json_t **out, const rb_state *state, const json_t *plan,
                               const char *database, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *json = NULL;
    RB_TRY(rb_state_read_plan(&json, state, plan, err));
    size_t i;
    json_t *item;
    *out = NULL;
    json_array_foreach (json_object_get(json, "databases"), i, item) {
        const char *name = rb_json_str(item, "name");
        if (name && strcmp(name, database) == 0 && !*out)
            *out = json_incref(json_object_get(item, "scripts"));
    }
    return RB_OK;
}

static enum rb_code read_row(rb_backup_row *out, rb_state *state, const json_t *row,
                             const char *asking, rb_err *err)
{
    out->id = json_integer_value(json_array_get(row, 0));
    RB_TRY(rb_state_id(&out->transition, state, row, 1, "transition_id", true, err));
    RB_TRY(rb_state_id(&out->database, state, row, 2, "database_name", true, err));
    RB_TRY(rb_state_text(&out->file, state, row, 3, "file", true, err));
    RB_AUTO(rb_free_str)
    char *own = rb_format(".rbtool/backups/%s/%s.sqlite", out->transition, out->database);
    if (strcmp(out->file, own) != 0)
        return rb_state_damaged(state, "a row names the file of another backup", err);
    RB_TRY(rb_state_text(&out->sha256, state, row, 4, "sha256", true, err));
    RB_TRY(rb_state_read_items(&out->items, state, json_array_get(row, 5), err));
    out->bytes = json_integer_value(json_array_get(row, 6));
    out->pruned = json_integer_value(json_array_get(row, 7));
    RB_TRY(scripts_of(&out->scripts, state, json_array_get(row, 8), out->database, err));
    RB_TRY(rb_state_text(&out->kind, state, row, 9, "kind", true, err));
    RB_TRY(rb_state_tag(&out->from, state, row, 10, "from_tag", false, err));
    RB_TRY(rb_state_tag(&out->to, state, row, 11, "to_tag", false, err));
    out->at = json_integer_value(json_array_get(row, 12));
    return read_restored(&out->restored, state, out->id, asking, err);
}

static void clear(rb_backup_row *backup)
{
    free(backup->transition);
    free(backup->database);
    free(backup->file);
    free(backup->sha256);
    free(backup->kind);
    free(backup->from);
    free(backup->to);
    json_decref(backup->items);
    json_decref(backup->restored);
    json_decref(backup->scripts);
    *backup = (rb_backup_row){0};
}

enum rb_code rb_state_backups(rb_backup_row **out, size_t *count, rb_state *state,
                              const char *database, const char *asking, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *params = json_pack("[s?,s?]", database, asking);
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    bool there;
    RB_TRY(has_table(&there, state, "backup", err));
    if (there)
        RB_TRY(rb_sqlite_query(
            &rows, state->db,
            "SELECT b.id, b.transition_id, b.database_name, b.file, b.sha256, b.items, b.bytes, "
            "b.pruned, t.plan, t.kind, t.from_tag, t.to_tag, t.started FROM backup b JOIN "
            "transition_log t ON t.id = b.transition_id WHERE (?1 IS NULL OR b.database_name = ?1) "
            "AND t.id IS NOT ?2 AND " REACHED " ORDER BY b.id DESC",
            params, err));
    rb_backup_row *list = rb_calloc(json_array_size(rows) + 1, sizeof *list);
    size_t n = 0;
    size_t i;
    json_t *row;
    json_array_foreach (rows, i, row) {
        enum rb_code code = read_row(&list[n++], state, row, asking, err);
        if (code == RB_OK)
            continue;
        rb_backup_rows_free(list, n);
        return code;
    }
    *out = list;
    *count = n;
    return RB_OK;
}

void rb_backup_rows_free(rb_backup_row *backups, size_t count)
{
    for (size_t i = 0; i < count; i++)
        clear(&backups[i]);
    free(backups);
}

enum rb_code rb_state_backup_restored(rb_state *state, int64_t id, const char *transition,
                                      const json_t *items, rb_err *err)
{
    size_t i;
    json_t *item;
    json_array_foreach ((json_t *)items, i, item) {
        RB_AUTO(rb_buf_clear) rb_buf key = {0};
        RB_AUTO(rb_json_freep)
        json_t *names =
            json_pack("[s?,s?]", rb_json_str(item, "table"), rb_json_str(item, "column"));
        rb_json_canonical(&key, names);
        RB_TRY(rb_state_change(
            state, "REPLACE INTO restored(backup_id, item, transition_id) VALUES (?, ?, ?)",
            json_pack("[I,s,s]", (json_int_t)id, rb_buf_str(&key), transition), err));
    }
    return RB_OK;
}

enum rb_code rb_state_backup_pruned(rb_state *state, int64_t id, int64_t at, rb_err *err)
{
    return rb_state_change(state, "UPDATE backup SET pruned = ? WHERE id = ?",
                           json_pack("[I,I]", (json_int_t)at, (json_int_t)id), err);
}
