/*
 * Which rows scripts deleted from tables that stay, and which values they made into others. Noted
 * in the copy that still has them: later, what somebody else did since could not be told from it.
 */
#include "database/sqlite_copy.h"
#include "database/sqlite_watch.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define GONE_LIMIT 1000000 /* rows of a table that are noted one by one */

typedef struct noting {
    rb_twin twin;
    rb_buf sql; /* what the copy gets */
    char *list; /* name of the table that lists them, quoted */
    size_t n;
} noting;

static bool add_row(void *context, const rb_cell *cells, size_t n)
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

/* A table of that name and columns gets what the query finds; more than the limit is as none.
 * Takes table and query. note->n: rows that were found. */
static enum rb_code list_rows(noting *note, char *table, const char *columns, char *query,
                              rb_err *err)
{
    size_t before = note->sql.len;
    RB_AUTO(rb_free_str) char *name = rb_sqlite_name(table);
    free(table);
    note->list = name;
    note->n = 0;
    rb_buf_printf(&note->sql, "CREATE TABLE %s(%s);\n", name, columns);
    enum rb_code code = rb_sqlite_run(note->twin.db, query, add_row, note, err);
    if (note->n == 0 || note->n > GONE_LIMIT) {
        note->sql.len = before;
        note->sql.data[before] = '\0';
    }
    note->list = NULL;
    return code;
}

/* Rows of the copy whose key is not here. */
static enum rb_code list_gone(noting *note, const char *was, rb_err *err)
{
    const rb_twin *twin = &note->twin;
    RB_AUTO(rb_free_str) char *columns = rb_twin_spread(&twin->key, "@", ", ");
    RB_AUTO(rb_free_str) char *values = rb_twin_spread(&twin->key, "quote(t.@)", ", ");
    RB_AUTO(rb_free_str) char *same = rb_twin_spread(&twin->key, "h.@ IS t.@", " AND ");
    return list_rows(note, rb_gone_table(was), columns,
                     rb_format("SELECT %s FROM %s t WHERE NOT EXISTS (SELECT 1 FROM %s h WHERE %s)",
                               values, twin->there, twin->here, same),
                     err);
}

/* Rows of both whose value is another here, with that one. */
static enum rb_code list_changed(noting *note, const char *was, const char *column, rb_err *err)
{
    const rb_twin *twin = &note->twin;
    RB_AUTO(rb_free_str) char *name = rb_sqlite_name(column);
    RB_AUTO(rb_free_str) char *keys = rb_twin_spread(&twin->key, "@, ", "");
    RB_AUTO(rb_free_str) char *columns = rb_format("%s%s", keys, name);
    RB_AUTO(rb_free_str) char *values = rb_twin_spread(&twin->key, "quote(t.@), ", "");
    RB_AUTO(rb_free_str) char *same = rb_twin_spread(&twin->key, "h.@ IS t.@", " AND ");
    return list_rows(note, rb_changed_table(was, column), columns,
                     rb_format("SELECT %squote(h.%s) FROM %s t JOIN %s h ON %s WHERE t.%s IS NOT"
                               " NULL AND h.%s IS NOT t.%s COLLATE BINARY",
                               values, name, twin->there, twin->here, same, name, name, name),
                     err);
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
    const char *column = rb_json_str(item, "column");
    int64_t fewer = 0;
    if (!was)
        return RB_OK;
    const char *now = rb_watch_name_now(note->twin.db->watch, was);
    RB_TRY(rb_twin_find(&note->twin, now ? now : was, was, err));
    if (column ? !rb_twin_has(&note->twin, column) : note->twin.columns.n == 0)
        return RB_OK; /* dropped */
    note->n = 0;
    if (note->twin.key.n == 0 && column)
        fewer = 1; /* which rows cannot be told, but that there are some can */
    else if (note->twin.key.n == 0)
        RB_TRY(count_gone(&fewer, &note->twin, err));
    else if (column)
        RB_TRY(list_changed(note, was, column, err));
    else
        RB_TRY(list_gone(note, was, err));
    if (note->n > 0 || fewer > 0)
        json_object_set_new(item, "stays", json_true());
    return RB_OK;
}

static bool has_item(const json_t *items, const char *table, const char *column)
{
    size_t i;
    json_t *item;
    json_array_foreach ((json_t *)items, i, item) {
        const char *its = rb_json_str(item, "table");
        const char *name = rb_json_str(item, "column");
        if (its && name && strcmp(its, table) == 0 && strcasecmp(name, column) == 0)
            return true;
    }
    return false;
}

static bool add_name(void *context, const rb_cell *cells, size_t n)
{
    (void)n;
    rb_strs_add(context, cells[0].data);
    return true;
}

/* Rows that were deleted and made again (REPLACE) may hold other values under the same key. */
static enum rb_code note_replaced(noting *note, json_t *items, const char *was, rb_err *err)
{
    RB_AUTO(rb_strs_clear) rb_strs names = {0};
    RB_AUTO(rb_free_str) char *text = rb_sqlite_text(was);
    if (note->twin.key.n == 0)
        return RB_OK;
    RB_TRY(rb_sqlite_run(note->twin.db,
                         rb_format("SELECT name FROM pragma_table_xinfo(%s, '%s') WHERE pk = 0",
                                   text, note->twin.copy),
                         add_name, &names, err));
    for (size_t i = 0; i < names.n; i++) {
        const char *column = names.items[i];
        if (!rb_twin_has(&note->twin, column) || has_item(items, was, column))
            continue;
        RB_TRY(list_changed(note, was, column, err));
        json_int_t n = (json_int_t)note->n;
        if (n > 0)
            json_array_append_new(items, json_pack("{s:s,s:s,s:I,s:I,s:b,s:b}", "table", was,
                                                   "column", column, "rows", n, "values", n,
                                                   "exact", n <= GONE_LIMIT, "stays", 1));
    }
    return RB_OK;
}

static enum rb_code write_list(const char *copy, const rb_buf *sql, rb_err *err)
{
    RB_AUTO(rb_sqlite_closep) rb_sqlite *db = NULL;
    if (sql->len == 0)
        return RB_OK;
    RB_TRY(rb_sqlite_connect(&db, copy, RB_SQLITE_WRITE, false, err));
    RB_TRY(rb_sqlite_each(db, "BEGIN IMMEDIATE", NULL, NULL, NULL, err));
    RB_TRY(rb_sqlite_each(db, sql->data, NULL, NULL, NULL, err));
    return rb_sqlite_each(db, "COMMIT", NULL, NULL, NULL, err);
}

enum rb_code rb_sqlite_note_gone(json_t *items, rb_db *base, const char *copy, rb_err *err)
{
    rb_sqlite *db = (rb_sqlite *)base;
    RB_AUTO(rb_free_str) char *name = NULL;
    RB_TRY(rb_sqlite_attach(&name, db, copy, err));
    noting note = {.twin = {.db = db, .copy = name}};
    enum rb_code code = RB_OK;
    size_t n = json_array_size(items);
    for (size_t i = 0; i < n && code == RB_OK; i++) {
        json_t *item = json_array_get(items, i);
        code = note_item(&note, item, err);
        if (code == RB_OK && rb_json_str(item, "table") && !rb_json_str(item, "column"))
            code = note_replaced(&note, items, rb_json_str(item, "table"), err);
        rb_twin_clear(&note.twin);
    }
    if (code == RB_OK)
        code = write_list(copy, &note.sql, err);
    rb_buf_clear(&note.sql);
    return code;
}
