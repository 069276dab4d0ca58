/* Back-outs in the journal: what transitions deleted, and what of it was put back. */
#include <stdlib.h>
#include <string.h>

#include "environment/state_internal.h"

/* Transitions that committed. Of others than the one that asks, those without an outcome are
 * committed and half-way, and it goes back from them. */
#define REACHED "(t.outcome IS NULL OR t.outcome IN ('done', 'unhealthy', 'down', 'interrupted'))"

/* Which table or column it is, whatever the counts. */
static char *item_key(const json_t *item)
{
    rb_buf out = {0};
    RB_AUTO(rb_json_freep)
    json_t *key = json_pack("[s?,s?]", rb_json_str(item, "table"), rb_json_str(item, "column"));
    rb_json_canonical(&out, key);
    return rb_buf_detach(&out);
}

enum rb_code rb_state_backout_add(rb_state *state, const char *transition, const char *database,
                                  const char *file, const char *sha256, const json_t *items,
                                  rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf json = {0};
    rb_json_canonical(&json, items);
    return rb_state_change(
        state,
        "REPLACE INTO backout(transition_id, database_name, file, sha256, items) VALUES "
        "(?, ?, ?, ?, ?)",
        json_pack("[s,s,s,s,s]", transition, database, file, sha256, json.data), err);
}

static bool has_item(const json_t *items, const char *key)
{
    size_t i;
    json_t *item;
    json_array_foreach ((json_t *)items, i, item) {
        RB_AUTO(rb_free_str) char *other = item_key(item);
        if (strcmp(other, key) == 0)
            return true;
    }
    return false;
}

/* What transitions that ended well, other than the one that asks, noted of a back-out. */
static enum rb_code noted_items(json_t **out, rb_state *state, const char *table, int64_t backout,
                                const char *transition, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *params = json_pack("[I,s]", (json_int_t)backout, transition);
    RB_AUTO(rb_free_str)
    char *sql =
        rb_format("SELECT p.item FROM %s p JOIN transition_log t ON t.id = "
                  "p.transition_id WHERE p.backout_id = ?1 AND p.transition_id <> ?2 AND " REACHED
                  " ORDER BY p.rowid",
                  table);
    return rb_sqlite_query(out, state->db, sql, params, err);
}

/* All items of a back-out, those too that were left over when others were put back. */
static enum rb_code all_items(json_t **out, rb_state *state, int64_t backout, const json_t *cell,
                              const char *transition, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    RB_AUTO(rb_json_freep) json_t *all = NULL;
    RB_TRY(rb_state_read_items(&all, state, cell, err));
    RB_TRY(noted_items(&rows, state, "left_over", backout, transition, err));
    size_t i;
    json_t *row;
    json_array_foreach (rows, i, row) {
        RB_AUTO(rb_json_freep) json_t *item = NULL;
        RB_TRY(rb_state_read_item(&item, state, json_array_get(row, 0), err));
        RB_AUTO(rb_free_str) char *key = item_key(item);
        if (!has_item(all, key))
            json_array_append(all, item);
    }
    *out = all;
    all = NULL;
    return RB_OK;
}

/* Those of them that were not put back. */
static enum rb_code open_items(json_t **out, rb_state *state, int64_t backout, const json_t *cell,
                               const char *transition, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    RB_AUTO(rb_json_freep) json_t *all = NULL;
    RB_TRY(all_items(&all, state, backout, cell, transition, err));
    RB_TRY(noted_items(&rows, state, "put_back", backout, transition, err));
    *out = json_array();
    size_t i;
    size_t j;
    json_t *item;
    json_t *row;
    json_array_foreach (all, i, item) {
        RB_AUTO(rb_free_str) char *key = item_key(item);
        bool used = false;
        json_array_foreach (rows, j, row) {
            const char *done = rb_state_cell(row, 0);
            used = used || (done && strcmp(done, key) == 0);
        }
        if (!used)
            json_array_append(*out, item);
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

/* Nothing is in items where all has been put back. */
static enum rb_code read_backout(rb_backout *out, rb_state *state, const json_t *row,
                                 const char *database, const char *transition, rb_err *err)
{
    out->id = json_integer_value(json_array_get(row, 0));
    RB_TRY(rb_state_id(&out->transition, state, row, 1, "transition_id", true, err));
    RB_TRY(rb_state_id(&out->database, state, row, 2, "database_name", true, err));
    RB_TRY(rb_state_text(&out->file, state, row, 3, "file", true, err));
    RB_AUTO(rb_free_str)
    char *own = rb_format(".rbtool/backups/%s/%s.sqlite", out->transition, out->database);
    if (strcmp(out->file, own) != 0)
        return rb_state_damaged(state, "a row names the file of another back-out", err);
    RB_TRY(rb_state_text(&out->sha256, state, row, 4, "sha256", true, err));
    RB_TRY(open_items(&out->items, state, out->id, json_array_get(row, 5), transition, err));
    return scripts_of(&out->scripts, state, json_array_get(row, 6), database, err);
}

static void clear(rb_backout *backout)
{
    free(backout->transition);
    free(backout->database);
    free(backout->file);
    free(backout->sha256);
    json_decref(backout->items);
    json_decref(backout->scripts);
    *backout = (rb_backout){0};
}

enum rb_code rb_state_backouts(rb_backout **out, size_t *count, rb_state *state,
                               const char *database, const char *transition, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *params = json_pack("[s,s]", database, transition);
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    RB_TRY(rb_sqlite_query(
        &rows, state->db,
        "SELECT b.id, b.transition_id, b.database_name, b.file, b.sha256, b.items, t.plan "
        "FROM backout b JOIN transition_log t ON t.id = "
        "b.transition_id WHERE b.database_name = ?1 AND t.id <> ?2 AND " REACHED
        " ORDER BY b.id DESC",
        params, err));
    rb_backout *list = rb_calloc(json_array_size(rows) + 1, sizeof *list);
    size_t n = 0;
    size_t i;
    json_t *row;
    json_array_foreach (rows, i, row) {
        enum rb_code code = read_backout(&list[n], state, row, database, transition, err);
        if (code != RB_OK) {
            rb_backouts_free(list, n + 1);
            return code;
        }
        if (json_array_size(list[n].items) > 0)
            n++;
        else
            clear(&list[n]);
    }
    *out = list;
    *count = n;
    return RB_OK;
}

void rb_backouts_free(rb_backout *backouts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        clear(&backouts[i]);
    free(backouts);
}

enum rb_code rb_state_backout_used(rb_state *state, int64_t id, const char *transition,
                                   const json_t *items, rb_err *err)
{
    size_t i;
    json_t *item;
    json_array_foreach ((json_t *)items, i, item) {
        RB_AUTO(rb_free_str) char *key = item_key(item);
        RB_TRY(rb_state_change(
            state, "REPLACE INTO put_back(backout_id, item, transition_id) VALUES (?, ?, ?)",
            json_pack("[I,s,s]", (json_int_t)id, key, transition), err));
    }
    return RB_OK;
}

enum rb_code rb_state_backout_left(rb_state *state, int64_t id, const char *transition,
                                   const json_t *items, rb_err *err)
{
    size_t i;
    json_t *item;
    json_array_foreach ((json_t *)items, i, item) {
        RB_AUTO(rb_buf_clear) rb_buf json = {0};
        rb_json_canonical(&json, item);
        RB_TRY(rb_state_change(
            state, "REPLACE INTO left_over(backout_id, item, transition_id) VALUES (?, ?, ?)",
            json_pack("[I,s,s]", (json_int_t)id, json.data, transition), err));
    }
    return RB_OK;
}
