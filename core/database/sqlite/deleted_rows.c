/*
 * Which rows scripts deleted from tables that stay. Noted in the copy that still has them: later,
 * what somebody else deleted could not be told from it.
 */
#include "database/sqlite/table_pair.h"
#include "database/sqlite/watch.h"

#include <stdlib.h>
#include <string.h>

#define GONE_LIMIT 1000000 /* rows of a table that are noted one by one */

typedef struct noting {
    rb_twin twin;
    rb_buf sql; /* what the copy gets */
    char *list; /* name of the table that lists them, quoted */
    size_t n;
} noting;

static bool add_gone(void *context, const rb_cell *cells, size_t n)
{
    noting *note = context;
    if (note->n++ == GONE_LIMIT)
        return false;
    rb_buf_printf(&note->sql, "INSERT INTO %s VALUES(", note->list);
    for (size_t i = 0; i < n; i++)
        rb_buf_printf(&note->sql, "%s%s", i ? "," : "", (const char *)cells[i].data);
    rb_buf_puts(&note->sql, ");\n");
    return true;
}

/* Rows of the copy whose key is not here; more than the limit is as none. */
static enum rb_code list_gone(noting *note, rb_err *err)
{
    size_t before = note->sql.len;
    RB_AUTO(rb_free_str) char *columns = rb_twin_spread(&note->twin.key, "@", ", ");
    RB_AUTO(rb_free_str) char *values = rb_twin_spread(&note->twin.key, "quote(t.@)", ", ");
    RB_AUTO(rb_free_str) char *same = rb_twin_spread(&note->twin.key, "h.@ IS t.@", " AND ");
    rb_buf_printf(&note->sql, "CREATE TABLE %s(%s);\n", note->list, columns);
    RB_TRY(rb_sqlite_run(note->twin.db,
                         rb_format("SELECT %s FROM %s t WHERE NOT EXISTS (SELECT 1 FROM %s h WHERE"
                                   " %s)",
                                   values, note->twin.there, note->twin.here, same),
                         add_gone, note, err));
    if (note->n == 0 || note->n > GONE_LIMIT) {
        note->sql.len = before;
        note->sql.data[before] = '\0';
    }
    return RB_OK;
}

static enum rb_code count_gone(int64_t *out, const rb_twin *twin, rb_err *err)
{
    return rb_sqlite_int(out, twin->db,
                         rb_format("SELECT (SELECT count(*) FROM %s) - (SELECT count(*) FROM %s)",
                                   twin->there, twin->here),
                         err);
}

static enum rb_code note_item(noting *note, json_t *item, rb_err *err)
{
    const char *was = rb_json_str(item, "table");
    int64_t fewer = 0;
    if (!was || rb_json_str(item, "column"))
        return RB_OK;
    const char *now = rb_watch_name_now(rb_sqlite_state_of(note->twin.db)->watch, was);
    RB_TRY(rb_twin_find(&note->twin, now ? now : was, was, err));
    if (note->twin.columns.n == 0)
        return RB_OK; /* dropped */
    RB_AUTO(rb_free_str) char *list = rb_gone_table(was);
    note->list = rb_sqlite_name(list);
    note->n = 0;
    enum rb_code code =
        note->twin.key.n > 0 ? list_gone(note, err) : count_gone(&fewer, &note->twin, err);
    rb_free_str(&note->list);
    if (code != RB_OK)
        return code;
    int64_t gone = note->n > 0 ? (int64_t)note->n : fewer;
    int64_t changed = rb_json_int(item, "rows", 0) - gone;
    if (gone > 0 || changed > 0)
        json_object_set_new(item, "stays", json_true());
    if (changed > 0) /* their values: what else became of them later cannot be told */
        json_object_set_new(item, "changed", json_integer(changed));
    return RB_OK;
}

static enum rb_code write_list(const char *copy, const rb_buf *sql, rb_err *err)
{
    RB_AUTO(rb_sqlite_closep) rb_sqlite *db = NULL;
    if (sql->len == 0)
        return RB_OK;
    RB_TRY(rb_sqlite_connect(&db, copy, RB_SQLITE_WRITE, RB_SQLITE_USER, err));
    RB_TRY(rb_sqlite_each(db, "BEGIN IMMEDIATE", NULL, NULL, NULL, err));
    RB_TRY(rb_sqlite_each(db, sql->data, NULL, NULL, NULL, err));
    return rb_sqlite_each(db, "COMMIT", NULL, NULL, NULL, err);
}

enum rb_code rb_sqlite_note_gone(json_t *items, rb_db *base, const char *copy, rb_err *err)
{
    rb_sqlite *db = rb_sqlite_of(base);
    RB_AUTO(rb_free_str) char *name = NULL;
    RB_TRY(rb_sqlite_attach(&name, db, copy, err));
    noting note = {.twin = {.db = db, .copy = name}};
    enum rb_code code = RB_OK;
    size_t i;
    json_t *item;
    json_array_foreach (items, i, item) {
        if (code == RB_OK)
            code = note_item(&note, item, err);
        rb_twin_clear(&note.twin);
    }
    if (code == RB_OK)
        code = write_list(copy, &note.sql, err);
    rb_buf_clear(&note.sql);
    return code;
}
