/*
 * Tables that a script rebuilds: made anew under another name and filled from the old one, which is
 * then dropped and gives its name. What the filling changed is seen when the old one is about to
 * go, the last moment that both are there.
 */
#include "database/sqlite_watch.h"
#include "database/tracking.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define COLUMNS_AT_ONCE 60 /* a query of ours has at most 64 */
#define HEIRS_LIMIT 16     /* tables that the run made */

void rb_watch_heirs_clear(rb_watch_table *table)
{
    for (size_t i = 0; i < table->heir_count; i++) {
        free(table->heirs[i].name);
        free(table->heirs[i].replaced);
    }
    free(table->heirs);
    table->heirs = NULL;
    table->heir_count = 0;
}

static bool add_name(void *context, const rb_cell *cells, size_t n)
{
    (void)n;
    rb_strs_add(context, cells[0].data);
    return true;
}

static bool has_name(const rb_strs *names, const char *name)
{
    for (size_t i = 0; i < names->n; i++)
        if (strcasecmp(names->items[i], name) == 0)
            return true;
    return false;
}

static bool is_watched(const rb_watch *watch, const char *name)
{
    for (size_t i = 0; i < watch->n; i++)
        if (watch->tables[i].now && strcasecmp(watch->tables[i].now, name) == 0)
            return true;
    return false;
}

/* Tables that were not there at the beginning. */
static enum rb_code find_new(rb_strs *out, rb_sqlite *db, rb_err *err)
{
    RB_AUTO(rb_strs_clear) rb_strs all = {0};
    RB_TRY(rb_sqlite_each(db,
                          "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type ="
                          " 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
                          NULL, add_name, &all, err));
    for (size_t i = 0; i < all.n && out->n < HEIRS_LIMIT; i++)
        if (!is_watched(db->watch, all.items[i]) && !rb_tracking_owns(all.items[i]))
            rb_strs_add(out, all.items[i]);
    return RB_OK;
}

static enum rb_code names_of(rb_strs *out, rb_sqlite *db, const char *table, const char *where,
                             rb_err *err)
{
    RB_AUTO(rb_free_str) char *text = rb_sqlite_text(table);
    return rb_sqlite_run(
        db, rb_format("SELECT name FROM pragma_table_xinfo(%s, 'main') WHERE %s", text, where),
        add_name, out, err);
}

/* "o.k = n.k AND ..." by the new table's key; NULL when the old one has not got its columns. */
static char *same_row(const rb_watch_table *table, const rb_strs *key)
{
    rb_buf out = {0};
    for (size_t i = 0; i < key->n; i++) {
        bool known = false;
        for (size_t j = 0; j < table->n; j++)
            known = known || (table->columns[j].now &&
                              strcasecmp(table->columns[j].now, key->items[i]) == 0);
        if (!known) {
            rb_buf_clear(&out);
            return NULL;
        }
        RB_AUTO(rb_free_str) char *name = rb_sqlite_name(key->items[i]);
        rb_buf_printf(&out, "%so.%s = n.%s", i ? " AND " : "", name, name);
    }
    return key->n > 0 ? rb_buf_detach(&out) : NULL;
}

typedef struct comparing {
    int64_t *replaced;
    size_t at[COLUMNS_AT_ONCE];
} comparing;

static bool add_counts(void *context, const rb_cell *cells, size_t n)
{
    const comparing *c = context;
    for (size_t i = 0; i < n; i++)
        c->replaced[c->at[i]] = cells[i].kind == RB_CELL_INTEGER ? cells[i].integer : 0;
    return false;
}

/* Of each column that both have: values other than the default that are others now. */
static enum rb_code compare(int64_t *replaced, rb_sqlite *db, const rb_watch_table *table,
                            const char *heir, const rb_strs *columns, const char *same, rb_err *err)
{
    RB_AUTO(rb_free_str) char *old = rb_sqlite_name(table->now);
    RB_AUTO(rb_free_str) char *new = rb_sqlite_name(heir);
    size_t i = 0;
    while (i < table->n) {
        comparing c = {.replaced = replaced};
        size_t taken = 0;
        rb_buf sql = {0};
        for (; i < table->n && taken < COLUMNS_AT_ONCE; i++) {
            const rb_watch_column *column = &table->columns[i];
            if (column->generated || !column->now || !has_name(columns, column->now))
                continue;
            RB_AUTO(rb_free_str) char *name = rb_sqlite_name(column->now);
            RB_AUTO(rb_free_str) char *fallback = rb_watch_fallback(column->fallback);
            rb_buf_printf(&sql, "%s sum(o.%s IS NOT (%s) AND o.%s IS NOT n.%s)",
                          taken ? "," : "SELECT", name, fallback, name, name);
            c.at[taken++] = i;
        }
        rb_buf_printf(&sql, " FROM main.%s o CROSS JOIN main.%s n ON %s", old, new, same);
        if (taken > 0)
            RB_TRY(rb_sqlite_run(db, rb_buf_detach(&sql), add_counts, &c, err));
        rb_buf_clear(&sql);
    }
    return RB_OK;
}

static enum rb_code add_heir(rb_sqlite *db, rb_watch_table *table, const char *name, rb_err *err)
{
    RB_AUTO(rb_strs_clear) rb_strs columns = {0};
    RB_AUTO(rb_strs_clear) rb_strs key = {0};
    RB_TRY(names_of(&key, db, name, "pk > 0 ORDER BY pk", err));
    RB_AUTO(rb_free_str) char *same = same_row(table, &key);
    if (!same)
        return RB_OK;
    RB_TRY(names_of(&columns, db, name, "hidden = 0", err));
    rb_watch_heir *heir = &table->heirs[table->heir_count++];
    *heir = (rb_watch_heir){rb_strdup(name), rb_calloc(table->n + 1, sizeof *heir->replaced)};
    return compare(heir->replaced, db, table, name, &columns, same, err);
}

static void inherit(rb_watch_table *table, const char *name)
{
    for (size_t i = 0; i < table->heir_count; i++)
        if (strcasecmp(table->heirs[i].name, name) == 0)
            for (size_t j = 0; j < table->n; j++)
                table->columns[j].replaced = table->heirs[i].replaced[j];
}

enum rb_code rb_watch_before_drop(rb_sqlite *db, rb_watch_table *table, rb_err *err)
{
    RB_AUTO(rb_strs_clear) rb_strs made = {0};
    if (!db->watch->made || table->is_virtual || table->ignored || table->n == 0)
        return RB_OK;
    RB_TRY(find_new(&made, db, err));
    if (made.n == 0)
        return RB_OK;
    rb_watch_heirs_clear(table);
    table->heirs = rb_calloc(made.n, sizeof *table->heirs);
    for (size_t i = 0; i < made.n; i++)
        RB_TRY(add_heir(db, table, made.items[i], err));
    inherit(table, table->was); /* the old one had been renamed away */
    return RB_OK;
}

void rb_watch_renamed(rb_watch *watch, const char *from, const char *to)
{
    for (size_t i = 0; i < watch->n; i++)
        if (!watch->tables[i].now && strcasecmp(watch->tables[i].was, to) == 0)
            inherit(&watch->tables[i], from);
}
