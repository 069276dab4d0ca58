/*
 * Virtual tables, whose rows no hook sees change, and tables that are dropped and made again with
 * nothing to compare in between: their rows are held from before, and looked for after.
 */
#include "database/sqlite/watch.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* content=TABLE of a full-text index: the rows are that table's. */
static bool is_external(const char *sql)
{
    rb_tokens tokens;
    bool found = false;
    rb_tokens_read(&tokens, sql, strlen(sql));
    for (size_t i = 0; i + 2 < tokens.n && !found; i++) {
        if (!rb_token_is(&tokens.items[i], "CONTENT") || !rb_token_is(&tokens.items[i + 1], "="))
            continue;
        RB_AUTO(rb_free_str) char *name = rb_token_name(&tokens.items[i + 2]);
        found = name[0] != '\0';
    }
    rb_tokens_clear(&tokens);
    return found;
}

static enum rb_code shadows_of(rb_strs *out, rb_sqlite *db, const char *table, rb_err *err)
{
    RB_AUTO(rb_free_str) char *name = rb_sqlite_text(table);
    return rb_sqlite_run(db,
                         rb_format("SELECT name FROM pragma_table_list WHERE schema = 'main' AND"
                                   " type = 'shadow' AND substr(name, 1, length(%s) + 1) = %s ||"
                                   " '_' COLLATE NOCASE",
                                   name, name),
                         rb_sqlite_add_text, out, err);
}

enum rb_code rb_watch_find_store(bool *out, rb_sqlite *db, const char *table, rb_err *err)
{
    RB_AUTO(rb_free_str) char *name = rb_sqlite_text(table);
    RB_AUTO(rb_free_str) char *sql = NULL;
    RB_AUTO(rb_strs_clear) rb_strs shadows = {0};
    *out = false;
    RB_TRY(rb_sqlite_string(&sql, db,
                            rb_format("SELECT sql FROM main.sqlite_schema WHERE type = 'table' AND"
                                      " name = %s COLLATE NOCASE",
                                      name),
                            err));
    if (!sql || is_external(sql))
        return RB_OK;
    RB_TRY(shadows_of(&shadows, db, table, err));
    *out = shadows.n > 0;
    return RB_OK;
}

/* Some modules cannot tell their rows (fts4 without contents): then as many as one of its tables
 * has. */
enum rb_code rb_watch_virtual_rows(int64_t *rows, rb_sqlite *db, rb_watch_table *table,
                                   const char *name, rb_err *err)
{
    RB_AUTO(rb_free_str) char *quoted = rb_sqlite_name(name);
    RB_AUTO(rb_strs_clear) rb_strs shadows = {0};
    enum rb_code code =
        rb_sqlite_int(rows, db, rb_format("SELECT count(*) FROM main.%s", quoted), err);
    if (code == RB_OK || !rb_sqlite_active(db))
        return code;
    RB_TRY(shadows_of(&shadows, db, name, err));
    for (size_t i = 0; i < shadows.n; i++) {
        RB_AUTO(rb_free_str) char *shadow = rb_sqlite_name(shadows.items[i]);
        int64_t n;
        RB_TRY(rb_sqlite_int(&n, db, rb_format("SELECT count(*) FROM main.%s", shadow), err));
        *rows = n > *rows ? n : *rows;
    }
    table->over++;
    return RB_OK;
}

static bool add_column(void *context, const rb_cell *cells, size_t n)
{
    (void)n;
    rb_held_columns_add(context, cells[0].data, strcmp(cells[0].data, "rowid") == 0 ? NULL : "NULL",
                        false);
    return true;
}

/* The rowid says which row it is; SQLite finds none in what has no rowid. */
static enum rb_code columns_of(rb_held_columns *out, rb_sqlite *db, const char *table, rb_err *err)
{
    RB_AUTO(rb_free_str) char *name = rb_sqlite_text(table);
    RB_TRY(rb_sqlite_run(db,
                         rb_format("SELECT 'rowid' FROM pragma_table_list(%s) WHERE schema ="
                                   " 'main' AND NOT wr",
                                   name),
                         add_column, out, err));
    return rb_sqlite_run(db,
                         rb_format("SELECT name FROM pragma_table_xinfo(%s, 'main') WHERE hidden ="
                                   " 0 AND name <> 'rowid' COLLATE NOCASE",
                                   name),
                         add_column, out, err);
}

/* A module may not let all rows be read, or a column of them: then their number has to do. */
static enum rb_code read_rows(rb_held *out, rb_sqlite *db, const rb_watch_table *table,
                              const char *name, const rb_held_columns *columns, rb_err *err)
{
    enum rb_code code = rb_held_read(out, db, name, columns, err);
    if (code == RB_OK || !table->is_virtual || !rb_sqlite_active(db))
        return code;
    out->over = true;
    return RB_OK;
}

static void all_columns(rb_held_columns *out, const rb_watch_table *table)
{
    for (size_t i = 0; i < table->n; i++)
        if (!table->columns[i].generated)
            rb_held_columns_add(out, table->columns[i].was, table->columns[i].fallback, true);
}

enum rb_code rb_watch_hold(rb_sqlite *db, rb_watch_table *table, rb_err *err)
{
    rb_held_columns columns = {0};
    enum rb_code code = RB_OK;
    if (table->is_virtual)
        code = columns_of(&columns, db, table->now, err);
    else
        all_columns(&columns, table);
    if (code == RB_OK)
        code = read_rows(&table->held, db, table, table->now, &columns, err);
    rb_held_columns_clear(&columns);
    RB_TRY(code);
    table->is_held = true;
    table->over += table->held.over;
    return RB_OK;
}

enum rb_code rb_watch_before_write(rb_sqlite *db, rb_watch_table *table, rb_err *err)
{
    if (table->is_held || table->asked)
        return RB_OK;
    table->asked = true;
    RB_TRY(rb_watch_find_store(&table->is_store, db, table->now, err));
    if (!table->is_store)
        return RB_OK;
    if (!table->counted)
        RB_TRY(rb_watch_virtual_rows(&table->rows, db, table, table->now, err));
    table->counted = true;
    return rb_watch_hold(db, table, err);
}

static const char *fallback_of(const rb_watch_table *table, const char *column)
{
    for (size_t i = 0; i < table->n; i++)
        if (strcasecmp(table->columns[i].was, column) == 0)
            return table->columns[i].fallback;
    return NULL;
}

/* The held columns that the table of that name has. A rowid of a table made again is another. */
static enum rb_code find_again(rb_held_columns *out, rb_strs *gone, rb_sqlite *db,
                               const rb_watch_table *table, const char *name, rb_err *err)
{
    RB_AUTO(rb_strs_clear) rb_strs names = {0};
    RB_AUTO(rb_free_str) char *text = rb_sqlite_text(name);
    RB_TRY(rb_sqlite_run(
        db, rb_format("SELECT name FROM pragma_table_xinfo(%s, 'main') WHERE hidden <> 1", text),
        rb_sqlite_add_text, &names, err));
    for (size_t i = 0; i < table->held.names.n; i++) {
        const char *column = table->held.names.items[i];
        bool is_rowid = table->is_virtual && strcmp(column, "rowid") == 0;
        if (is_rowid ? table->now != NULL : rb_strs_has_name(&names, column))
            rb_held_columns_add(
                out, column, table->is_virtual && !is_rowid ? "NULL" : fallback_of(table, column),
                !table->is_virtual);
        else if (!is_rowid)
            rb_strs_add(gone, column);
    }
    return RB_OK;
}

static enum rb_code count_lost(int64_t *lost, rb_sqlite *db, rb_watch_table *table,
                               const char *name, const rb_held_columns *columns, rb_err *err)
{
    RB_AUTO(rb_held_clear) rb_held now = {0};
    int64_t rows;
    RB_TRY(read_rows(&now, db, table, name, columns, err));
    *lost = rb_held_lost(&table->held, &now);
    table->over += now.over;
    if (!table->held.over && !now.over)
        return RB_OK;
    RB_TRY(rb_watch_virtual_rows(&rows, db, table, name, err));
    *lost = table->rows > rows ? table->rows - rows : 0;
    return RB_OK;
}

static enum rb_code is_index(bool *out, rb_sqlite *db, const char *table, rb_err *err)
{
    RB_AUTO(rb_free_str) char *name = rb_sqlite_text(table);
    int64_t is_virtual;
    bool is_store;
    RB_TRY(rb_watch_find_store(&is_store, db, table, err));
    RB_TRY(rb_sqlite_int(&is_virtual, db,
                         rb_format("SELECT type = 'virtual' FROM pragma_table_list(%s) WHERE schema"
                                   " = 'main'",
                                   name),
                         err));
    *out = is_virtual && !is_store;
    return RB_OK;
}

enum rb_code rb_watch_held_lost(int64_t *lost, rb_strs *gone, rb_sqlite *db, rb_watch_table *table,
                                const char *name, rb_err *err)
{
    rb_held_columns columns = {0};
    bool only_index;
    *lost = 0;
    RB_TRY(is_index(&only_index, db, name, err));
    if (only_index)
        return RB_OK;
    enum rb_code code = find_again(&columns, gone, db, table, name, err);
    if (code == RB_OK)
        code = count_lost(lost, db, table, name, &columns, err);
    rb_held_columns_clear(&columns);
    return code;
}
