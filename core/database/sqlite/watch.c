#include "database/sqlite/watch.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "database/tracking.h"
#include "sql/token.h"

static void clear_table(rb_watch_table *table)
{
    for (size_t i = 0; i < table->n; i++) {
        free(table->columns[i].was);
        free(table->columns[i].now);
        free(table->columns[i].fallback);
        rb_keyset_clear(&table->columns[i].changed);
    }
    rb_watch_heirs_clear(table);
    rb_held_clear(&table->held);
    free(table->columns);
    free(table->was);
    free(table->now);
    rb_strs_clear(&table->stored);
    rb_keyset_clear(&table->inserted);
    rb_keyset_clear(&table->deleted);
}

static void forget(rb_watch *watch)
{
    for (size_t i = 0; i < watch->n; i++)
        clear_table(&watch->tables[i]);
    free(watch->tables);
    watch->tables = NULL;
    watch->last = NULL;
    watch->n = 0;
    watch->made = false;
    rb_strs_clear(&watch->noted);
    rb_watch_forget_sources(watch);
    rb_free_str(&watch->drops);
    watch->alters = false;
    watch->elsewhere = false;
    rb_ddl_clear(&watch->ddl);
}

void rb_watch_free(rb_watch *watch)
{
    if (!watch)
        return;
    forget(watch);
    rb_strs_clear(&watch->expected);
    rb_strs_clear(&watch->again);
    free(watch);
}

static rb_watch_table *find_now(const rb_watch *watch, const char *name)
{
    for (size_t i = 0; name && i < watch->n; i++)
        if (watch->tables[i].now && strcasecmp(watch->tables[i].now, name) == 0)
            return &watch->tables[i];
    return NULL;
}

const char *rb_watch_name_now(const rb_watch *watch, const char *was)
{
    for (size_t i = 0; watch && i < watch->n; i++)
        if (strcasecmp(watch->tables[i].was, was) == 0)
            return watch->tables[i].now;
    return NULL;
}

static rb_watch_column *find_column(rb_watch_table *table, const char *name)
{
    for (size_t i = 0; i < table->n; i++)
        if (table->columns[i].now && strcasecmp(table->columns[i].now, name) == 0)
            return &table->columns[i];
    return NULL;
}

static bool add_table(void *context, const rb_cell *cells, size_t n)
{
    rb_watch *watch = context;
    const char *kind = cells[1].data;
    (void)n;
    if (rb_tracking_owns(cells[0].data))
        return true;
    if ((watch->n & (watch->n + 1)) == 0) /* full at 0, 1, 3, 7, ... */
        watch->tables = rb_realloc(watch->tables, watch->n * 2 + 1, sizeof *watch->tables);
    watch->tables[watch->n] = (rb_watch_table){.was = rb_strdup(cells[0].data),
                                               .now = rb_strdup(cells[0].data),
                                               .is_virtual = strcmp(kind, "virtual") == 0,
                                               .ignored = strcmp(kind, "shadow") == 0,
                                               .keyless = cells[2].integer != 0};
    watch->n++;
    return true;
}

static void add_column(rb_watch_table *table, const char *name, const rb_cell *fallback, bool made)
{
    if ((table->n & (table->n + 1)) == 0)
        table->columns = rb_realloc(table->columns, table->n * 2 + 1, sizeof *table->columns);
    table->columns[table->n] = (rb_watch_column){
        .was = rb_strdup(name),
        .now = rb_strdup(name),
        .fallback = rb_strdup(fallback->kind == RB_CELL_TEXT ? fallback->data : "NULL"),
        .generated = made,
    };
    table->n++;
}

typedef struct loading {
    rb_watch_table *table;
    rb_strs *computed; /* virtual generated columns: behind the others in what the hook sees */
} loading;

/* A row of PRAGMA table_xinfo: cid, name, type, notnull, dflt_value, pk, hidden. */
static bool add_info(void *context, const rb_cell *cells, size_t n)
{
    loading *l = context;
    int64_t hidden = cells[6].integer;
    (void)n;
    if (!l->table->loaded)
        add_column(l->table, cells[1].data, &cells[4], hidden >= 2);
    rb_strs_add(hidden == 2 ? l->computed : &l->table->stored, cells[1].data);
    return true;
}

/* columns[] the first time, stored[] when it no longer holds. */
static enum rb_code load(rb_sqlite *db, rb_watch_table *table, rb_err *err)
{
    RB_AUTO(rb_strs_clear) rb_strs computed = {0};
    loading l = {table, &computed};
    if (table->loaded && !table->stale)
        return RB_OK;
    rb_strs_clear(&table->stored);
    if (!table->is_virtual) {
        RB_AUTO(rb_free_str) char *name = rb_sqlite_name(table->now);
        RB_TRY(
            rb_sqlite_run(db, rb_format("PRAGMA main.table_xinfo(%s)", name), add_info, &l, err));
    }
    for (size_t i = 0; i < computed.n; i++)
        rb_strs_add(&table->stored, computed.items[i]);
    table->loaded = true;
    table->stale = false;
    return RB_OK;
}

/* Rows are exact even after changes, values are not: the changed ones cannot be told any more. */
static enum rb_code count(rb_sqlite *db, rb_watch_table *table, const rb_watch_column *only,
                          rb_err *err)
{
    if (table->counted)
        return RB_OK;
    if (table->is_virtual)
        return rb_watch_virtual_rows(&table->rows, db, table, table->now, err);
    const char **names = rb_calloc(table->n + 1, sizeof *names);
    const char **fallbacks = rb_calloc(table->n + 1, sizeof *fallbacks);
    int64_t *values = rb_calloc(table->n + 1, sizeof *values);
    for (size_t i = 0; i < table->n; i++) {
        rb_watch_column *column = &table->columns[i];
        names[i] = column->generated || (only && only != column) ? NULL : column->now;
        fallbacks[i] = column->fallback;
        table->uncertain |= names[i] && column->changed.n > 0;
    }
    table->uncertain |= table->inserted.n > 0 || table->deleted.n > 0 || table->over > 0;
    enum rb_code code =
        rb_watch_count(&table->rows, values, db, table->now, names, fallbacks, table->n, err);
    table->rows += (int64_t)table->deleted.n - (int64_t)table->inserted.n;
    for (size_t i = 0; i < table->n; i++)
        if (names[i])
            table->columns[i].values = values[i];
    free(names);
    free(fallbacks);
    free(values);
    return code;
}

enum rb_code rb_watch_begin(rb_db *base, rb_err *err)
{
    rb_sqlite *db = rb_sqlite_of(base);
    if (!rb_sqlite_state_of(db)->watch)
        rb_sqlite_state_of(db)->watch = rb_calloc(1, sizeof *rb_sqlite_state_of(db)->watch);
    rb_watch *watch = rb_sqlite_state_of(db)->watch;
    forget(watch);
    RB_TRY(rb_sqlite_each(db,
                          "SELECT name, type, wr FROM pragma_table_list WHERE schema = 'main' AND"
                          " type <> 'view' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY"
                          " name",
                          NULL, add_table, watch, err));
    for (size_t i = 0; i < watch->expected.n; i++) {
        rb_watch_table *table = find_now(watch, watch->expected.items[i]);
        if (!table)
            continue;
        RB_TRY(load(db, table, err));
        RB_TRY(count(db, table, NULL, err));
        table->counted = true;
        if (rb_strs_has(&watch->again, table->was))
            RB_TRY(rb_watch_hold(db, table, err));
    }
    watch->active = true;
    return RB_OK;
}

void rb_watch_expect(rb_db *base, const char *table)
{
    rb_sqlite *db = rb_sqlite_of(base);
    if (!rb_sqlite_state_of(db)->watch)
        rb_sqlite_state_of(db)->watch = rb_calloc(1, sizeof *rb_sqlite_state_of(db)->watch);
    if (!rb_strs_has(&rb_sqlite_state_of(db)->watch->expected, table))
        rb_strs_add(&rb_sqlite_state_of(db)->watch->expected, table);
}

void rb_watch_note(rb_watch *watch, const char *table)
{
    if (watch->active && !rb_strs_has(&watch->noted, table))
        rb_strs_add(&watch->noted, table);
}

void rb_watch_note_ddl(rb_watch *watch, const char *table, bool drops, bool in_main)
{
    if (!watch->active)
        return;
    watch->alters = watch->alters || !drops;
    watch->elsewhere = !in_main;
    if (drops) {
        free(watch->drops);
        watch->drops = rb_strdup(table);
    }
}

/* What SQLite said of it while it was prepared goes before what its text looks like. */
static void read_ddl(rb_watch *watch, const char *sql, size_t len)
{
    rb_token first;
    const char *at = sql;
    rb_ddl_clear(&watch->ddl);
    bool explained = rb_token_next(&first, &at, sql + len) && rb_token_is(&first, "EXPLAIN");
    if (watch->drops && !explained)
        watch->ddl = (rb_ddl){.kind = RB_DDL_DROP_TABLE, .table = rb_strdup(watch->drops)};
    else if (watch->alters)
        rb_ddl_read(&watch->ddl, sql, len);
    rb_free_str(&watch->drops);
    watch->alters = false;
}

/* What a DROP or ALTER is about to take away. */
static enum rb_code before_ddl(rb_sqlite *db, const rb_ddl *ddl, rb_err *err)
{
    rb_watch_table *table = find_now(rb_sqlite_state_of(db)->watch, ddl->table);
    if (!table)
        return RB_OK;
    RB_TRY(load(db, table, err));
    if (ddl->kind == RB_DDL_DROP_TABLE) {
        RB_TRY(count(db, table, NULL, err));
        table->counted = true;
        if (table->is_virtual)
            return rb_watch_find_store(&table->is_store, db, table->now, err);
        return rb_watch_before_drop(db, table, err);
    } else if (ddl->kind == RB_DDL_DROP_COLUMN) {
        const rb_watch_column *column = find_column(table, ddl->column);
        return column ? count(db, table, column, err) : RB_OK;
    }
    return RB_OK;
}

/* Is it what a dropped table became, or may become? Nobody follows its rows. */
static void note_heirs(rb_watch *watch, const char *name)
{
    for (size_t i = 0; i < watch->n; i++) {
        rb_watch_table *table = &watch->tables[i];
        if (table->now || table->is_virtual)
            continue;
        table->since |= table->compared && strcasecmp(table->was, name) == 0;
        for (size_t k = 0; k < table->heir_count; k++)
            table->since |= strcasecmp(table->heirs[k].name, name) == 0;
    }
}

enum rb_code rb_watch_before(rb_sqlite *db, const char *sql, size_t len, rb_err *err)
{
    rb_watch *watch = rb_sqlite_state_of(db)->watch;
    if (!watch->active)
        return RB_OK;
    bool alters = watch->alters || watch->drops;
    rb_watch_keep_sources(watch, sql, len);
    read_ddl(watch, sql, len);
    enum rb_code code = watch->elsewhere ? RB_OK : before_ddl(db, &watch->ddl, err);
    for (size_t i = 0; code == RB_OK && i < watch->noted.n; i++) {
        rb_watch_table *table = find_now(watch, watch->noted.items[i]);
        watch->made = watch->made || (!table && strncmp(watch->noted.items[i], "sqlite_", 7) != 0);
        if (!table && !alters)
            note_heirs(watch, watch->noted.items[i]);
        if (!table)
            continue;
        code = load(db, table, err);
        if (code == RB_OK && table->is_virtual && find_now(watch, watch->ddl.table) != table)
            code = rb_watch_before_write(db, table, err);
    }
    rb_strs_clear(&watch->noted);
    return code;
}

static void replace(char **name, char *with)
{
    free(*name);
    *name = with;
}

void rb_watch_after(rb_sqlite *db)
{
    rb_watch *watch = rb_sqlite_state_of(db)->watch;
    const rb_ddl *ddl = &watch->ddl;
    rb_watch_table *table = watch->elsewhere ? NULL : find_now(watch, ddl->table);
    if (!watch->active)
        return;
    if (table) {
        table->stale = true;
        rb_watch_column *column = ddl->column ? find_column(table, ddl->column) : NULL;
        if (ddl->kind == RB_DDL_DROP_TABLE)
            replace(&table->now, NULL);
        else if (ddl->kind == RB_DDL_RENAME_TABLE)
            replace(&table->now, rb_strdup(ddl->new_name));
        else if (ddl->kind == RB_DDL_DROP_COLUMN && column)
            replace(&column->now, NULL);
        else if (ddl->kind == RB_DDL_RENAME_COLUMN && column)
            replace(&column->now, rb_strdup(ddl->new_name));
        watch->last = NULL;
    }
    if (ddl->kind == RB_DDL_RENAME_TABLE)
        rb_watch_rename_sources(watch, ddl->table, ddl->new_name);
    if (!table && !watch->elsewhere && ddl->kind == RB_DDL_RENAME_TABLE)
        rb_watch_renamed(watch, ddl->table, ddl->new_name);
    rb_ddl_clear(&watch->ddl);
    /* Virtual tables run statements of their own while one runs. */
    rb_free_str(&watch->drops);
    watch->alters = false;
    watch->elsewhere = false;
    rb_strs_clear(&watch->noted);
    rb_strs_clear(&watch->reads);
    watch->selects = false;
}

bool rb_watch_wants(rb_watch *watch, const char *table, bool *keyless)
{
    if (!watch || !watch->active)
        return false;
    if (!watch->last || strcasecmp(watch->last->now, table) != 0)
        watch->last = find_now(watch, table);
    if (!watch->last || !watch->last->loaded || watch->last->ignored)
        return false;
    *keyless = watch->last->keyless;
    return true;
}

static void note_update(rb_watch_table *table, const rb_sqlite_change *change)
{
    for (size_t i = 0; i < change->n && i < table->stored.n; i++) {
        rb_watch_column *column =
            change->lost[i] ? find_column(table, table->stored.items[i]) : NULL;
        if (column && !column->generated && !rb_keyset_add(&column->changed, change->old_key))
            table->over++;
    }
}

void rb_watch_change(rb_watch *watch, const rb_sqlite_change *change)
{
    rb_watch_table *table = watch->last;
    switch (change->kind) {
    case RB_CHANGE_INSERT:
        if (!rb_keyset_add(&table->inserted, change->new_key))
            table->over++;
        return;
    case RB_CHANGE_DELETE:
        if (!rb_keyset_remove(&table->inserted, change->old_key) &&
            !rb_keyset_add(&table->deleted, change->old_key))
            table->over++;
        return;
    case RB_CHANGE_UPDATE:
        if (!rb_keyset_remove(&table->inserted, change->old_key))
            note_update(table, change);
        else if (!rb_keyset_add(&table->inserted, change->new_key))
            table->over++;
        return;
    }
}

enum rb_code rb_watch_end(rb_losses *out, rb_db *base, rb_err *err)
{
    rb_sqlite *db = rb_sqlite_of(base);
    rb_losses losses = {.at_risk = json_array(), .emptied = json_array()};
    rb_sqlite_state_of(db)->watch->active = false;
    enum rb_code code = rb_watch_losses(&losses, db, err);
    if (code != RB_OK) {
        json_decref(losses.at_risk);
        json_decref(losses.emptied);
        return code;
    }
    *out = losses;
    return RB_OK;
}

json_t *rb_watch_touched(rb_db *base)
{
    rb_sqlite *db = rb_sqlite_of(base);
    json_t *names = json_array();
    for (size_t i = 0; rb_sqlite_state_of(db)->watch && i < rb_sqlite_state_of(db)->watch->n; i++) {
        const rb_watch_table *table = &rb_sqlite_state_of(db)->watch->tables[i];
        if (table->loaded && !table->ignored)
            json_array_append_new(names, rb_json_text(table->was));
    }
    return names;
}
