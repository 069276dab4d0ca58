/* Inserts made-up rows into empty tables, so that a proof runs scripts on rows. The same tables
 * always get the same rows. */
#include "database/sqlite/sample.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "database/tracking.h"

#define ROWS 8 /* of one table, at most */

typedef struct table {
    char *name;
    char *sql;
    bool is_virtual;
    bool filled;
    bool tried;
    bool waits; /* a table that it refers to has no rows yet */
} table;

typedef struct list {
    table *items;
    size_t n;
    rb_strs shadows;
    const json_t *known; /* {name of a table: it has rows} */
    const rb_samples *samples;
} list;

typedef struct reference {
    char *parent;
    char *from;
    char *to; /* the parent's column; NULL: the one of its key with the same number */
    int64_t number;
} reference;

typedef struct references {
    reference *items;
    size_t n;
} references;

static bool add_reference(void *context, const rb_cell *cells, size_t n)
{
    references *all = context;
    (void)n;
    all->items = rb_realloc(all->items, all->n + 1, sizeof *all->items);
    all->items[all->n++] = (reference){
        .parent = rb_strdup(cells[0].data),
        .from = rb_strdup(cells[1].data),
        .to = cells[2].kind == RB_CELL_TEXT ? rb_strdup(cells[2].data) : NULL,
        .number = cells[3].integer,
    };
    return true;
}

static void references_clear(references *all)
{
    for (size_t i = 0; i < all->n; i++) {
        free(all->items[i].parent);
        free(all->items[i].from);
        free(all->items[i].to);
    }
    free(all->items);
    *all = (references){0};
}

static bool first_text(void *context, const rb_cell *cells, size_t n)
{
    char **out = context;
    (void)n;
    if (cells[0].kind == RB_CELL_TEXT && !*out)
        *out = rb_strdup(cells[0].data);
    return false;
}

/* Returns the value in the parent's first row, or NULL. */
static enum rb_code parent_value(char **out, rb_sqlite *db, const reference *ref, rb_err *err)
{
    RB_AUTO(rb_free_str) char *to = rb_strdup(ref->to);
    RB_AUTO(rb_free_str) char *literal = rb_sqlite_text(ref->parent);
    *out = NULL;
    if (!to)
        RB_TRY(rb_sqlite_run(db,
                             rb_format("SELECT name FROM pragma_table_info(%s) WHERE pk = %lld",
                                       literal, (long long)ref->number + 1),
                             first_text, &to, err));
    if (!to)
        return RB_OK;
    RB_AUTO(rb_free_str) char *column_name = rb_sqlite_name(to);
    RB_AUTO(rb_free_str) char *parent = rb_sqlite_name(ref->parent);
    rb_err ignored; /* the parent or its column does not exist */
    (void)!rb_sqlite_run(db,
                         rb_format("SELECT quote(%s) FROM main.%s WHERE %s IS NOT NULL LIMIT 1",
                                   column_name, parent, column_name),
                         first_text, out, &ignored);
    return RB_OK;
}

/* Sets the references of a row. *waits: a parent is empty, and the column must have a value. */
static enum rb_code set_references(bool *waits, rb_sample_row *r, rb_sqlite *db, const char *name,
                                   bool last, rb_err *err)
{
    references all = {0};
    RB_AUTO(rb_free_str) char *literal = rb_sqlite_text(name);
    enum rb_code code = rb_sqlite_run(
        db,
        rb_format("SELECT \"table\", \"from\", \"to\", seq FROM pragma_foreign_key_list(%s)",
                  literal),
        add_reference, &all, err);
    for (size_t i = 0; code == RB_OK && i < all.n; i++) {
        rb_sample_column *c = rb_sample_find(r, all.items[i].from);
        bool is_self = strcasecmp(all.items[i].parent, name) == 0;
        char *value = NULL;
        if (!c)
            continue;
        if (!is_self)
            code = parent_value(&value, db, &all.items[i], err);
        if (!value && !is_self && !last)
            *waits = true;
        if (!value && c->nullable)
            value = rb_strdup("NULL");
        if (value) {
            free(c->value);
            c->value = value;
        }
    }
    references_clear(&all);
    return code;
}

/* Inserting: */

static char *insert_sql(const char *name, const rb_sample_row *r, bool sparse)
{
    rb_buf names = {0};
    rb_buf values = {0};
    RB_AUTO(rb_free_str) char *quoted = rb_sqlite_name(name);
    for (size_t i = 0; i < r->n; i++) {
        const rb_sample_column *c = &r->items[i];
        if (sparse && !c->is_key && (c->nullable || c->has_default))
            continue;
        RB_AUTO(rb_free_str) char *column_name = rb_sqlite_name(c->name);
        rb_buf_printf(&names, "%s%s", names.len ? ", " : "", column_name);
        rb_buf_printf(&values, "%s%s", values.len ? ", " : "", c->value);
    }
    char *sql = names.len ? rb_format("INSERT INTO main.%s (%s) VALUES (%s)", quoted,
                                      rb_buf_str(&names), rb_buf_str(&values))
                          : rb_format("INSERT INTO main.%s DEFAULT VALUES", quoted);
    rb_buf_clear(&names);
    rb_buf_clear(&values);
    return sql;
}

/* Inserts a row with triggers, as an application does; if that fails, without them. */
static bool insert(rb_sqlite *db, const char *name, const rb_sample_row *r)
{
    for (int attempt = 0; attempt < 4; attempt++) {
        bool sparse = (attempt % 2 == 1) != (r->samples->kind == RB_SAMPLE_OTHER);
        rb_sqlite_triggers(db, attempt < 2);
        char *sql = insert_sql(name, r, sparse);
        enum rb_code code = rb_sqlite_run(db, sql, NULL, NULL, RB_IGNORED);
        rb_sqlite_triggers(db, true);
        if (code == RB_OK)
            return true;
    }
    return false;
}

static enum rb_code fill_row(rb_sample_row *r, table *t, rb_sqlite *db, bool last, rb_err *err)
{
    RB_AUTO(rb_free_str) char *literal = rb_sqlite_text(t->name);
    t->waits = false;
    RB_TRY(rb_sqlite_run(db,
                         rb_format("SELECT name, type, \"notnull\", dflt_value, pk FROM"
                                   " pragma_table_xinfo(%s) WHERE hidden = 0",
                                   literal),
                         rb_sqlite_sample_add, r, err));
    RB_TRY(set_references(&t->waits, r, db, t->name, last, err));
    if (!t->waits) {
        rb_sqlite_sample_satisfy(db, r, t->name, t->sql);
        t->filled |= insert(db, t->name, r);
    }
    return RB_OK;
}

/* Inserts one row, or one for each value that the scripts name. */
static enum rb_code fill_table(const list *all, table *t, rb_sqlite *db, bool last, rb_err *err)
{
    enum rb_code code = RB_OK;
    size_t rows = 1;
    for (size_t i = 0; i < rows && code == RB_OK; i++) {
        rb_sample_row r = {.samples = all->samples, .row = i};
        code = fill_row(&r, t, db, last, err);
        rows = t->waits ? 0 : r.named > ROWS ? ROWS : r.named;
        rb_sample_clear(&r);
    }
    return code;
}

static bool add_table(void *context, const rb_cell *cells, size_t n)
{
    list *all = context;
    const char *name = cells[0].data;
    (void)n;
    if (rb_tracking_owns(name) || rb_strs_has(&all->shadows, name) ||
        json_is_true(json_object_get(all->known, name)))
        return true;
    if ((all->n & (all->n + 1)) == 0)
        all->items = rb_realloc(all->items, all->n * 2 + 1, sizeof *all->items);
    all->items[all->n++] = (table){
        .name = rb_strdup(name),
        .sql = rb_strdup(cells[1].data),
        .is_virtual = cells[2].integer != 0,
    };
    return true;
}

static void list_clear(list *all)
{
    for (size_t i = 0; i < all->n; i++) {
        free(all->items[i].name);
        free(all->items[i].sql);
    }
    free(all->items);
    rb_strs_clear(&all->shadows);
}

static enum rb_code find_filled(list *all, rb_sqlite *db, rb_err *err)
{
    for (size_t i = 0; i < all->n; i++) {
        table *t = &all->items[i];
        int64_t has_row = 0;
        RB_AUTO(rb_free_str) char *name = rb_sqlite_name(t->name);
        if (t->is_virtual)
            continue;
        RB_TRY(rb_sqlite_int(&has_row, db, rb_format("SELECT EXISTS (SELECT 1 FROM main.%s)", name),
                             err));
        t->filled = has_row != 0;
    }
    return RB_OK;
}

static enum rb_code fill_all(list *all, rb_sqlite *db, rb_err *err)
{
    RB_TRY(rb_sqlite_shadows(&all->shadows, db, err));
    RB_TRY(rb_sqlite_each(db,
                          "SELECT name, sql, sql LIKE 'create virtual%' FROM main.sqlite_schema"
                          " WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
                          " ORDER BY name",
                          NULL, add_table, all, err));
    RB_TRY(find_filled(all, db, err));
    if (all->samples->kind == RB_SAMPLE_NONE)
        return RB_OK;
    /* Tables are filled after those that they refer to. When no more table can be filled, the
     * others are tried without values for references (references in a circle). */
    bool last = false;
    for (;;) {
        bool progress = false;
        for (size_t i = 0; i < all->n; i++) {
            table *t = &all->items[i];
            if (t->filled || t->is_virtual || (t->tried && !t->waits))
                continue;
            t->tried = true;
            RB_TRY(fill_table(all, t, db, last, err));
            progress |= t->filled;
        }
        if (!progress && last)
            return RB_OK;
        last = !progress;
    }
}

enum rb_code rb_sqlite_fill(json_t *filled, rb_db *base, const rb_samples *samples, rb_err *err)
{
    static const rb_db_text rows = {.what = "the proof", .file = "made-up rows"};
    list all = {.known = filled, .samples = samples};
    enum rb_code code = fill_all(&all, rb_sqlite_of(base), err);
    if (code == RB_OK)
        code = rb_sqlite_check_active(rb_sqlite_of(base), &rows, err);
    for (size_t i = 0; i < all.n; i++)
        json_object_set_new_nocheck(filled, all.items[i].name, json_boolean(all.items[i].filled));
    list_clear(&all);
    return code;
}
