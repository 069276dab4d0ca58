/* Backups in the journal: the file with the rows of each transition, and what was restored from it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "environment/state_internal.h"

/* SQL: the transition has committed. A transition other than the one that asks and without an
 * outcome is committed and half-way: the one that asks undoes it. */
#define COMMITTED "(t.outcome IS NULL OR t.outcome IN ('done', 'unhealthy', 'down', 'interrupted'))"

/* SQL: also transitions whose committed scripts were undone by their inverses. What they destroyed
 * is only in the backup. */
#define DESTROYED                                                                                  \
    "(" COMMITTED " OR EXISTS (SELECT 1 FROM json_each(t.plan, '$.databases') d WHERE "            \
    "d.value ->> '$.commits' > 1 OR d.value -> '$.scripts' LIKE '%\"outside\":true%'))"

enum rb_code rb_state_backup_add(rb_state *state, const rb_backup_row *backup, rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf items = {0};
    rb_json_canonical(&items, backup->items);
    return rb_state_change(
        state, err,
        "REPLACE INTO backup(transition_id, database_name, file, sha256, items, bytes) VALUES "
        "(?, ?, ?, ?, ?, ?)",
        "[s,s,s,s,s,I]", backup->transition, backup->database, backup->file, backup->sha256,
        rb_buf_str(&items), (json_int_t)backup->bytes);
}

/* Reads a row, with the scripts that the transition ran in this database, and what was restored by
 * `rbtool restore` and by transitions other than the one that asks. */
static enum rb_code read_row(rb_backup_row *out, rb_state *state, const json_t *row,
                             const char *asking, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *plan = NULL;
    RB_AUTO(rb_json_freep) json_t *restored = NULL;
    const rb_state_text texts[] = {
        {&out->transition, 1, "transition_id", rb_shape_is_name, true},
        {&out->database, 2, "database_name", rb_shape_is_name, true},
        {&out->file, 3, "file", NULL, true},
        {&out->sha256, 4, "sha256", NULL, true},
        {&out->kind, 9, "kind", NULL, true},
        {&out->from, 10, "from_tag", rb_path_is_tag, false},
        {&out->to, 11, "to_tag", rb_path_is_tag, false},
    };
    RB_TRY(rb_state_texts(state, row, texts, sizeof texts / sizeof *texts, err));
    RB_AUTO(rb_free_str)
    char *own = rb_format(".rbtool/backups/%s/%s.", out->transition, out->database);
    if (strncmp(out->file, own, strlen(own)) != 0 || strchr(out->file + strlen(own), '/'))
        return rb_state_damaged(state, "a row names the file of another backup", err);
    RB_TRY(rb_state_read_json(&out->items, state, json_array_get(row, 5), &rb_state_items_shape,
                              "what a backup holds", err));
    RB_TRY(rb_state_read_json(&plan, state, json_array_get(row, 8), &rb_state_plan_shape,
                              "the plan of a transition", err));
    out->id = json_integer_value(json_array_get(row, 0));
    out->bytes = json_integer_value(json_array_get(row, 6));
    out->pruned = json_integer_value(json_array_get(row, 7));
    out->at = json_integer_value(json_array_get(row, 12));
    rb_json_each (item, json_object_get(plan, "databases")) {
        const char *name = rb_json_str(item, "name");
        if (name && strcmp(name, out->database) == 0 && !out->scripts)
            out->scripts = json_incref(json_object_get(item, "scripts"));
    }
    RB_TRY(rb_state_query(
        &restored, state, err,
        "SELECT json_extract(r.item, '$[0]'), json_extract(r.item, '$[1]'), "
        "max(coalesce(json_extract(r.item, '$[2]'), 1)) FROM restored r LEFT JOIN transition_log t "
        "ON t.id = r.transition_id LEFT JOIN restore h ON h.id = "
        "r.transition_id WHERE r.backup_id = ?1 AND r.transition_id IS NOT ?2 AND "
        "json_valid(r.item) AND (h.committed = 1 OR (t.id IS NOT NULL AND " COMMITTED ")) GROUP BY "
        "1, 2 ORDER BY min(r.rowid)",
        "[I,s?]", (json_int_t)out->id, asking));
    out->restored = json_array();
    rb_json_each (item, restored)
        json_array_append_new(out->restored,
                              json_pack("{s:s?,s:s?,s:b}", "table", rb_state_cell(item, 0),
                                        "column", rb_state_cell(item, 1), "any",
                                        json_integer_value(json_array_get(item, 2)) > 0));
    return RB_OK;
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
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    RB_TRY(rb_state_query(
        &rows, state, err,
        "SELECT b.id, b.transition_id, b.database_name, b.file, b.sha256, b.items, b.bytes, "
        "b.pruned, t.plan, t.kind, t.from_tag, t.to_tag, t.started FROM backup b JOIN "
        "transition_log t ON t.id = b.transition_id WHERE (?1 IS NULL OR b.database_name = ?1) "
        "AND t.id IS NOT ?2 AND " DESTROYED " ORDER BY b.id DESC",
        "[s?,s?]", database, asking));
    rb_backup_row *list = rb_calloc(json_array_size(rows) + 1, sizeof *list);
    size_t n = 0;
    rb_json_each (row, rows) {
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
    rb_json_each (item, items) {
        RB_AUTO(rb_buf_clear) rb_buf key = {0};
        RB_AUTO(rb_json_freep)
        json_t *names =
            json_pack("[s?,s?,I]", rb_json_str(item, "table"), rb_json_str(item, "column"),
                      (json_int_t)rb_json_int(item, "restored", 0));
        rb_json_canonical(&key, names);
        RB_TRY(rb_state_change(
            state, err, "REPLACE INTO restored(backup_id, item, transition_id) VALUES (?, ?, ?)",
            "[I,s,s]", (json_int_t)id, rb_buf_str(&key), transition));
    }
    return RB_OK;
}

enum rb_code rb_state_backup_pruned(rb_state *state, int64_t id, int64_t at, rb_err *err)
{
    return rb_state_change(state, err, "UPDATE backup SET pruned = ? WHERE id = ?", "[I,I]",
                           (json_int_t)at, (json_int_t)id);
}

enum rb_code rb_state_restore_begin(rb_state *state, const char *id, int64_t backup,
                                    const json_t *detail, rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    rb_json_canonical(&text, detail);
    RB_TRY(rb_state_hold(state, err));
    return rb_state_change(state, err,
                           "INSERT INTO restore(id, backup_id, detail, host) VALUES (?, ?, ?, ?)",
                           "[s,I,s,s]", id, (json_int_t)backup, rb_buf_str(&text), state->host);
}

enum rb_code rb_state_restore_end(rb_state *state, const char *id, bool committed, rb_err *err)
{
    return rb_state_change(state, err,
                           committed ? "UPDATE restore SET committed = 1 WHERE id = ?"
                                     : "DELETE FROM restore WHERE id = ?",
                           "[s]", id);
}

enum rb_code rb_state_restores(json_t **out, rb_state *state, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    RB_AUTO(rb_json_freep) json_t *list = json_array();
    if (!state->copy)
        RB_TRY(rb_state_query(&rows, state, err,
                              "SELECT r.id, b.database_name, r.committed IS NOT NULL, r.detail FROM"
                              " restore r JOIN backup b ON b.id = r.backup_id WHERE r.host = ?1 AND"
                              " NOT EXISTS (SELECT 1 FROM entry e WHERE e.transition_id = r.id AND"
                              " e.kind = 'restore') ORDER BY r.rowid",
                              "[s]", state->host));
    rb_json_each (row, rows) {
        RB_AUTO(rb_free_str) char *id = NULL;
        RB_AUTO(rb_free_str) char *database = NULL;
        RB_AUTO(rb_free_str) char *text = NULL;
        RB_AUTO(rb_json_freep) json_t *detail = NULL;
        const rb_state_text texts[] = {{&id, 0, "id", rb_shape_is_name, true},
                                       {&database, 1, "database_name", rb_shape_is_name, true},
                                       {&text, 3, "detail", NULL, true}};
        RB_TRY(rb_state_texts(state, row, texts, sizeof texts / sizeof *texts, err));
        if (rb_json_read(&detail, text, strlen(text), "a restore", err) != RB_OK ||
            !json_is_object(detail))
            return rb_state_damaged(state, "what was restored cannot be read", err);
        json_array_append_new(
            list, json_pack("{s:s,s:s,s:b,s:O}", "id", id, "database", database, "committed",
                            json_integer_value(json_array_get(row, 2)) != 0, "detail", detail));
    }
    *out = json_incref(list);
    return RB_OK;
}
