/* From what the watch saw to data at risk. */
#include "database/sqlite/watch.h"

#include <stdlib.h>
#include <string.h>

#define COLUMNS_AT_ONCE 60 /* a query of ours has at most 64 */

static void keep_counts(int64_t *rows, int64_t *values, const size_t *at, const rb_cell *cells,
                        size_t n)
{
    *rows = cells[0].integer;
    for (size_t i = 1; i < n; i++)
        values[at[i - 1]] = cells[i].kind == RB_CELL_INTEGER ? cells[i].integer : 0;
}

typedef struct counting {
    int64_t *rows;
    int64_t *values;
    size_t at[COLUMNS_AT_ONCE];
} counting;

static bool add_counts(void *context, const rb_cell *cells, size_t n)
{
    const counting *c = context;
    keep_counts(c->rows, c->values, c->at, cells, n);
    return false;
}

/* A default that is a name, quoted or not, is a string; in a query it might be taken for a column.
 */
char *rb_watch_fallback(const char *fallback)
{
    static const char *const values[] = {"NULL",         "TRUE",         "FALSE",
                                         "CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP"};
    rb_token token;
    rb_token more;
    const char *at = fallback;
    const char *end = fallback + strlen(fallback);
    if (!rb_token_next(&token, &at, end) || rb_token_next(&more, &at, end) ||
        (token.kind != RB_TOKEN_WORD && token.kind != RB_TOKEN_QUOTED))
        return rb_strdup(fallback);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        if (rb_token_is(&token, values[i]))
            return rb_strdup(fallback);
    RB_AUTO(rb_free_str) char *inside = rb_token_name(&token);
    return rb_sqlite_text(inside);
}

enum rb_code rb_watch_count(int64_t *rows, int64_t *values, rb_sqlite *db, const char *table,
                            const char *const *names, const char *const *fallbacks, size_t n,
                            rb_err *err)
{
    RB_AUTO(rb_free_str) char *from = rb_sqlite_name(table);
    size_t i = 0;
    do {
        counting c = {.rows = rows, .values = values};
        size_t taken = 0;
        rb_buf sql = {0};
        rb_buf_puts(&sql, "SELECT count(*)");
        for (; i < n && taken < COLUMNS_AT_ONCE; i++) {
            if (!names[i])
                continue;
            RB_AUTO(rb_free_str) char *name = rb_sqlite_name(names[i]);
            RB_AUTO(rb_free_str) char *fallback = rb_watch_fallback(fallbacks[i]);
            rb_buf_printf(&sql, ", sum(%s IS NOT (%s))", name, fallback);
            c.at[taken++] = i;
        }
        rb_buf_printf(&sql, " FROM main.%s", from);
        RB_TRY(rb_sqlite_run(db, rb_buf_detach(&sql), add_counts, &c, err));
    } while (i < n);
    return RB_OK;
}

/* Items */

static void put_name(json_t *item, const char *key, const char *name)
{
    const rb_cell cell = {
        .kind = name ? RB_CELL_TEXT : RB_CELL_NULL, .data = name, .len = name ? strlen(name) : 0};
    json_object_set_new(item, key, rb_sqlite_json(&cell));
}

static void add_item(rb_losses *out, const rb_watch_table *table, const char *column, int64_t rows,
                     int64_t values, bool full)
{
    json_t *item = json_object();
    put_name(item, "table", table->was);
    put_name(item, "column", column);
    json_object_set_new(item, "rows", json_integer(rows));
    json_object_set_new(item, "values", json_integer(values));
    json_object_set_new(item, "exact", json_boolean(table->over == 0));
    json_array_append_new(full ? out->at_risk : out->emptied, item);
}

static int by_place(const void *a, const void *b)
{
    const json_t *x = *(json_t *const *)a;
    const json_t *y = *(json_t *const *)b;
    int order = strcmp(rb_json_str(x, "table"), rb_json_str(y, "table"));
    const char *left = rb_json_str(x, "column");
    const char *right = rb_json_str(y, "column");
    return order ? order : strcmp(left ? left : "", right ? right : "");
}

static json_t *sorted(json_t *list)
{
    size_t n = json_array_size(list);
    json_t **items = rb_calloc(n, sizeof(json_t *));
    for (size_t i = 0; i < n; i++)
        items[i] = json_array_get(list, i);
    if (n)
        qsort(items, n, sizeof(json_t *), by_place);
    json_t *out = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append(out, items[i]);
    free(items);
    json_decref(list);
    return out;
}

/* Rows of the beginning that were deleted, or changed in a column that is still there. */
static int64_t rows_hit(rb_watch_table *table)
{
    rb_keyset all = {0};
    if (!rb_keyset_join(&all, &table->deleted))
        table->over++;
    for (size_t i = 0; i < table->n; i++)
        if (table->columns[i].now && !rb_keyset_join(&all, &table->columns[i].changed))
            table->over++;
    int64_t n = (int64_t)all.n;
    rb_keyset_clear(&all);
    return n;
}

static bool add_name(void *context, const rb_cell *cells, size_t n)
{
    (void)n;
    rb_strs_add(context, cells[1].data);
    return true;
}

static enum rb_code columns_of(rb_strs *out, rb_sqlite *db, const char *table, rb_err *err)
{
    RB_AUTO(rb_free_str) char *name = rb_sqlite_name(table);
    return rb_sqlite_run(db, rb_format("PRAGMA main.table_xinfo(%s)", name), add_name, out, err);
}

static void add_dropped_columns(rb_losses *out, const rb_watch_table *table)
{
    for (size_t i = 0; i < table->n; i++) {
        const rb_watch_column *column = &table->columns[i];
        if (column->now || column->generated)
            continue;
        add_item(out, table, column->was, table->rows, column->values, column->values > 0);
        out->uncertain |= table->uncertain;
    }
}

/* A table of the same name is there again: what of it came over? */
static enum rb_code compare_rebuilt(rb_losses *out, rb_sqlite *db, rb_watch_table *table,
                                    const rb_strs *now, rb_err *err)
{
    int64_t rows = 0;
    const char **names = rb_calloc(table->n + 1, sizeof *names);
    const char **fallbacks = rb_calloc(table->n + 1, sizeof *fallbacks);
    int64_t *values = rb_calloc(table->n + 1, sizeof *values);
    for (size_t i = 0; i < table->n; i++) {
        rb_watch_column *column = &table->columns[i];
        bool kept = !column->generated && column->now && rb_strs_has_name(now, column->now);
        names[i] = kept ? column->now : NULL;
        fallbacks[i] = column->fallback;
        if (!kept)
            rb_free_str(&column->now);
    }
    enum rb_code code =
        rb_watch_count(&rows, values, db, table->was, names, fallbacks, table->n, err);
    int64_t gone = table->rows > rows ? table->rows - rows : 0;
    int64_t hit = rows_hit(table);
    int64_t alone = table->missing + (table->is_held ? 0 : (int64_t)table->deleted.n);
    if (table->compared && alone > gone)
        gone = alone;
    if (gone > 0 || hit > 0)
        add_item(out, table, NULL, gone > hit ? gone : hit, 0, true);
    for (size_t i = 0; i < table->n; i++) {
        int64_t missing = table->columns[i].values - values[i];
        int64_t lost = missing > gone ? missing : 0;
        if (table->columns[i].replaced > lost)
            lost = table->columns[i].replaced;
        if (names[i] && lost > 0)
            add_item(out, table, table->columns[i].was, table->rows, lost, true);
    }
    add_dropped_columns(out, table);
    out->uncertain |= table->uncertain;
    free(names);
    free(fallbacks);
    free(values);
    return code;
}

/* Only a look from before can tell: the run is made once more. */
static void look_again(rb_losses *out, rb_sqlite *db, const rb_watch_table *table)
{
    out->uncertain = true;
    if (!rb_strs_has(&rb_sqlite_state_of(db)->watch->again, table->was))
        rb_strs_add(&rb_sqlite_state_of(db)->watch->again, table->was);
}

static enum rb_code compare_virtual(rb_losses *out, rb_sqlite *db, rb_watch_table *table,
                                    rb_err *err)
{
    RB_AUTO(rb_strs_clear) rb_strs gone = {0};
    int64_t lost;
    if (!table->is_held) {
        if (!table->now && table->is_store && table->rows > 0)
            look_again(out, db, table);
        return RB_OK;
    }
    RB_TRY(rb_watch_held_lost(&lost, &gone, db, table, table->now ? table->now : table->was, err));
    if (lost > 0)
        add_item(out, table, NULL, lost, 0, true);
    for (size_t i = 0; i < gone.n; i++)
        add_item(out, table, gone.items[i], table->rows, table->rows, table->rows > 0);
    return RB_OK;
}

/* Dropped and made again, with or without a table that took its rows over. */
static enum rb_code compare_made_again(rb_losses *out, rb_sqlite *db, rb_watch_table *table,
                                       const rb_strs *now, rb_err *err)
{
    RB_AUTO(rb_strs_clear) rb_strs gone = {0};
    if (table->is_held) {
        table->compared = true;
        RB_TRY(rb_watch_held_lost(&table->missing, &gone, db, table, table->was, err));
    }
    if ((!table->compared || table->since) && !table->is_held && table->rows > 0)
        look_again(out, db, table);
    return compare_rebuilt(out, db, table, now, err);
}

static enum rb_code add_losses(rb_losses *out, rb_sqlite *db, rb_watch_table *table, rb_err *err)
{
    RB_AUTO(rb_strs_clear) rb_strs now = {0};
    if (!table->loaded || table->ignored)
        return RB_OK;
    if (table->now && table->is_virtual)
        return compare_virtual(out, db, table, err);
    if (table->now) {
        int64_t hit = rows_hit(table);
        if (hit > 0)
            add_item(out, table, NULL, hit, 0, true);
        add_dropped_columns(out, table);
        return RB_OK;
    }
    RB_TRY(columns_of(&now, db, table->was, err));
    if (now.n > 0)
        return table->is_virtual ? compare_virtual(out, db, table, err)
                                 : compare_made_again(out, db, table, &now, err);
    add_item(out, table, NULL, table->rows, 0, table->rows > 0);
    return RB_OK;
}

enum rb_code rb_watch_losses(rb_losses *out, rb_sqlite *db, rb_err *err)
{
    for (size_t i = 0; i < rb_sqlite_state_of(db)->watch->n; i++) {
        rb_watch_table *table = &rb_sqlite_state_of(db)->watch->tables[i];
        bool was_uncertain = out->uncertain;
        out->uncertain = false;
        RB_TRY(add_losses(out, db, table, err));
        if (out->uncertain)
            rb_watch_expect(rb_sqlite_base(db), table->was);
        out->uncertain |= was_uncertain;
    }
    out->at_risk = sorted(out->at_risk);
    out->emptied = sorted(out->emptied);
    return RB_OK;
}
