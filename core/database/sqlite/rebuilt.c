/*
 * Tables that a script rebuilds: made anew under another name and filled from the old one, which is
 * then dropped and gives its name. What the filling changed is seen when the old one is about to
 * go, the last moment that both are there.
 */
#include "database/sqlite/watch.h"
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
                          NULL, rb_sqlite_add_text, &all, err));
    for (size_t i = 0; i < all.n && out->n < HEIRS_LIMIT; i++)
        if (!is_watched(rb_sqlite_state_of(db)->watch, all.items[i]) &&
            !rb_tracking_owns(all.items[i]))
            rb_strs_add(out, all.items[i]);
    return RB_OK;
}

/* What an heir and the table have in common. */
typedef struct shared {
    const rb_watch_table *table;
    rb_held_columns columns;
    rb_strs key;   /* the heir's */
    bool joinable; /* the table's rows can be looked up by it */
    size_t at[COLUMNS_AT_ONCE];
    int64_t *replaced;
    int64_t missing;
} shared;

/* SQLite's rules, https://www.sqlite.org/datatype3.html section 3.1: a letter for each affinity. */
static char affinity_of(const char *type)
{
    static const struct {
        const char *part;
        char affinity;
    } rules[] = {{"INT", 'i'},  {"CHAR", 't'}, {"CLOB", 't'}, {"TEXT", 't'},
                 {"BLOB", 'b'}, {"REAL", 'r'}, {"FLOA", 'r'}, {"DOUB", 'r'}};
    if (!type || !*type)
        return 'b';
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (strcasestr(type, rules[i].part))
            return rules[i].affinity;
    return 'n';
}

static const rb_watch_column *column_now(const rb_watch_table *table, const char *name)
{
    for (size_t i = 0; i < table->n; i++)
        if (table->columns[i].now && strcasecmp(table->columns[i].now, name) == 0)
            return &table->columns[i];
    return NULL;
}

/* A row: name, type in the heir, type in the table, place in the heir's key. An index of another
 * affinity cannot be used, and a search without one would be quadratic. */
static bool add_shared(void *context, const rb_cell *cells, size_t n)
{
    shared *s = context;
    const char *name = cells[0].data;
    const rb_watch_column *column = column_now(s->table, name);
    char here = affinity_of(cells[1].data);
    char there = affinity_of(cells[2].data);
    bool known = column && cells[2].kind == RB_CELL_TEXT;
    (void)n;
    if (cells[3].integer > 0) {
        rb_strs_add(&s->key, name);
        s->joinable = s->joinable && known && (here == there || strchr("inr", here));
    }
    if (known && !column->generated)
        rb_held_columns_add(&s->columns, name, column->fallback, here != there);
    return true;
}

static enum rb_code find_shared(shared *out, rb_sqlite *db, const char *heir, rb_err *err)
{
    RB_AUTO(rb_free_str) char *old = rb_sqlite_text(out->table->now);
    RB_AUTO(rb_free_str) char *new = rb_sqlite_text(heir);
    out->joinable = true;
    RB_TRY(rb_sqlite_run(
        db,
        rb_format("SELECT n.name, n.type, o.type, n.pk FROM pragma_table_xinfo(%s, 'main') n LEFT"
                  " JOIN pragma_table_xinfo(%s, 'main') o ON o.name = n.name COLLATE NOCASE AND"
                  " o.hidden <> 1 WHERE n.hidden = 0 ORDER BY n.pk, n.cid",
                  new, old),
        add_shared, out, err));
    out->joinable = out->joinable && out->key.n > 0;
    return RB_OK;
}

/* "... main.old o LEFT JOIN main.heir n ON o.k = n.k AND ..." */
static char *joined(const shared *s, const char *heir)
{
    RB_AUTO(rb_free_str) char *old = rb_sqlite_name(s->table->now);
    RB_AUTO(rb_free_str) char *new = rb_sqlite_name(heir);
    rb_buf out = {0};
    rb_buf_printf(&out, " FROM main.%s o LEFT JOIN main.%s n ON ", old, new);
    for (size_t i = 0; i < s->key.n; i++) {
        RB_AUTO(rb_free_str) char *name = rb_sqlite_name(s->key.items[i]);
        rb_buf_printf(&out, "%sn.%s = o.%s AND o.%s = n.%s", i ? " AND " : "", name, name, name,
                      name);
    }
    return rb_buf_detach(&out);
}

/* A key with a NULL in it is equal to none, and says nothing. */
static char *is_missing(const shared *s)
{
    rb_buf out = {0};
    RB_AUTO(rb_free_str) char *first = rb_sqlite_name(s->key.items[0]);
    rb_buf_printf(&out, "n.%s IS NULL", first);
    for (size_t i = 0; i < s->key.n; i++) {
        RB_AUTO(rb_free_str) char *name = rb_sqlite_name(s->key.items[i]);
        rb_buf_printf(&out, " AND o.%s IS NOT NULL", name);
    }
    return rb_buf_detach(&out);
}

static bool add_counts(void *context, const rb_cell *cells, size_t n)
{
    shared *s = context;
    s->missing = cells[0].integer;
    for (size_t i = 1; i < n; i++)
        s->replaced[s->at[i - 1]] = cells[i].kind == RB_CELL_INTEGER ? cells[i].integer : 0;
    return false;
}

/* Rows without a partner; and of each column that both have, values other than the default that are
 * others now. */
static enum rb_code compare_keyed(shared *s, rb_sqlite *db, const char *heir, rb_err *err)
{
    RB_AUTO(rb_free_str) char *from = joined(s, heir);
    RB_AUTO(rb_free_str) char *missing = is_missing(s);
    RB_AUTO(rb_free_str) char *key = rb_sqlite_name(s->key.items[0]);
    size_t i = 0;
    do {
        size_t taken = 0;
        rb_buf sql = {0};
        rb_buf_printf(&sql, "SELECT sum(%s)", missing);
        for (; i < s->columns.n && taken < COLUMNS_AT_ONCE; i++) {
            const rb_held_column *column = &s->columns.items[i];
            RB_AUTO(rb_free_str) char *name = rb_sqlite_name(column->name);
            RB_AUTO(rb_free_str) char *fallback = rb_watch_fallback(column->fallback);
            rb_buf_printf(&sql, ", sum(n.%s IS NOT NULL AND o.%s IS NOT (%s) AND o.%s IS NOT n.%s)",
                          key, name, fallback, name, name);
            s->at[taken++] = (size_t)(column_now(s->table, column->name) - s->table->columns);
        }
        rb_buf_puts(&sql, from);
        RB_TRY(rb_sqlite_run(db, rb_buf_detach(&sql), add_counts, s, err));
    } while (i < s->columns.n);
    return RB_OK;
}

static bool add_missing(void *context, const rb_cell *cells, size_t n)
{
    shared *s = context;
    (void)n;
    s->missing += !rb_keyset_has(&s->table->inserted, (uint64_t)cells[0].integer);
    return true;
}

/* Of rows that the run made nothing is lost. */
static enum rb_code leave_out_inserted(shared *s, rb_sqlite *db, const char *heir, rb_err *err)
{
    int64_t inserted = (int64_t)s->table->inserted.n;
    if (s->missing == 0 || inserted == 0)
        return RB_OK;
    if (s->table->keyless || !s->joinable) {
        s->missing -= inserted < s->missing ? inserted : s->missing;
        return RB_OK;
    }
    RB_AUTO(rb_free_str) char *from = joined(s, heir);
    RB_AUTO(rb_free_str) char *missing = is_missing(s);
    s->missing = 0;
    return rb_sqlite_run(db, rb_format("SELECT o.rowid%s WHERE %s", from, missing), add_missing, s,
                         err);
}

static enum rb_code compare_held(shared *s, rb_sqlite *db, rb_watch_table *table, const char *heir,
                                 rb_err *err)
{
    RB_AUTO(rb_held_clear) rb_held was = {0};
    RB_AUTO(rb_held_clear) rb_held now = {0};
    RB_TRY(rb_held_read(&was, db, table->now, &s->columns, err));
    RB_TRY(rb_held_read(&now, db, heir, &s->columns, err));
    table->over += was.over || now.over;
    s->missing = rb_held_lost(&was, &now);
    return RB_OK;
}

static enum rb_code compare(shared *s, rb_sqlite *db, rb_watch_table *table, const char *name,
                            rb_err *err)
{
    RB_AUTO(rb_free_str) char *quoted = rb_sqlite_name(name);
    int64_t filled;
    RB_TRY(rb_sqlite_int(&filled, db, rb_format("SELECT EXISTS (SELECT 1 FROM main.%s)", quoted),
                         err));
    if (!filled) /* perhaps later, from somewhere else */
        return RB_OK;
    RB_TRY(find_shared(s, db, name, err));
    /* One that is hardly like it, and cannot be joined, is compared when it did take over. */
    if (s->columns.n == 0 || (!s->joinable && s->columns.n * 2 < table->n))
        return RB_OK;
    rb_watch_heir *heir = &table->heirs[table->heir_count++];
    *heir = (rb_watch_heir){.name = rb_strdup(name),
                            .replaced = rb_calloc(table->n + 1, sizeof *heir->replaced)};
    s->replaced = heir->replaced;
    RB_TRY(s->joinable ? compare_keyed(s, db, name, err) : compare_held(s, db, table, name, err));
    RB_TRY(leave_out_inserted(s, db, name, err));
    heir->missing = s->missing;
    return RB_OK;
}

static enum rb_code add_heir(rb_sqlite *db, rb_watch_table *table, const char *name, rb_err *err)
{
    shared s = {.table = table};
    enum rb_code code = compare(&s, db, table, name, err);
    rb_held_columns_clear(&s.columns);
    rb_strs_clear(&s.key);
    return code;
}

static void inherit(rb_watch_table *table, const char *name)
{
    for (size_t i = 0; i < table->heir_count; i++) {
        const rb_watch_heir *heir = &table->heirs[i];
        if (strcasecmp(heir->name, name) != 0)
            continue;
        table->compared = true;
        table->missing = heir->missing;
        for (size_t j = 0; j < table->n; j++)
            table->columns[j].replaced = heir->replaced[j];
    }
}

enum rb_code rb_watch_before_drop(rb_sqlite *db, rb_watch_table *table, rb_err *err)
{
    RB_AUTO(rb_strs_clear) rb_strs made = {0};
    if (!rb_sqlite_state_of(db)->watch->made || table->is_virtual || table->ignored ||
        table->rows == 0)
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
