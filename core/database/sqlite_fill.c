/* Made-up rows for empty tables, so that a proof meets rows at all. The same tables give the same
 * rows. */
#include "database/sqlite.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "database/catalog.h"
#include "database/sqlentries.h"
#include "database/tracking.h"

#define CANDIDATES 40 /* values tried for a column that a CHECK restricts */
#define LENGTH_LIMIT 64

typedef struct column {
    char *name;
    char *value; /* SQL */
    bool nullable;
    bool has_default;
    bool is_key;
} column;

typedef struct table {
    char *name;
    char *sql;
    bool is_virtual;
    bool filled;
    bool tried;
    bool waits; /* for a row in a table that it refers to */
} table;

typedef struct list {
    table *items;
    size_t n;
    rb_strs shadows;
    const json_t *known; /* name -> filled */
} list;

typedef struct row {
    column *items;
    size_t n;
} row;

static void row_clear(row *r)
{
    for (size_t i = 0; i < r->n; i++) {
        free(r->items[i].name);
        free(r->items[i].value);
    }
    free(r->items);
    *r = (row){0};
}

static bool has_word(const char *type, const char *word)
{
    return strcasestr(type, word) != NULL;
}

/* A value that fits the declared type as an application would fill it. */
static const char *value_for(const char *type, const char *name)
{
    if (has_word(type, "BOOL"))
        return "1";
    if (has_word(type, "DATETIME") || has_word(type, "TIMESTAMP"))
        return "'2001-02-03 04:05:06'";
    if (has_word(type, "DATE") && !has_word(type, "INT"))
        return "'2001-02-03'";
    if (has_word(type, "INT"))
        return "7001";
    if (has_word(type, "JSON"))
        return "'{}'";
    if (has_word(type, "UUID"))
        return "'00000000-0000-4000-8000-000000000001'";
    if (has_word(type, "CHAR") || has_word(type, "CLOB") || has_word(type, "TEXT"))
        return has_word(name, "json") ? "'{}'" : "'rbtool'";
    if (has_word(type, "REAL") || has_word(type, "FLOA") || has_word(type, "DOUB"))
        return "1.5";
    if (has_word(type, "BLOB") || type[0] == '\0')
        return "x'7262'";
    return "7";
}

static bool add_column(void *context, const rb_cell *cells, size_t n)
{
    row *r = context;
    (void)n;
    const char *type = cells[1].kind == RB_CELL_TEXT ? cells[1].data : "";
    r->items = rb_realloc(r->items, r->n + 1, sizeof *r->items);
    r->items[r->n++] = (column){
        .name = rb_strdup(cells[0].data),
        .value = rb_strdup(value_for(type, cells[0].data)),
        .nullable = cells[2].integer == 0 && cells[4].integer == 0,
        .has_default = cells[3].kind == RB_CELL_TEXT,
        .is_key = cells[4].integer > 0,
    };
    return true;
}

static column *find_column(const row *r, const char *name)
{
    for (size_t i = 0; i < r->n; i++)
        if (strcasecmp(r->items[i].name, name) == 0)
            return &r->items[i];
    return NULL;
}

typedef struct reference {
    char *parent;
    char *from;
    char *to; /* NULL: the parent's key, column number */
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

/* The value that the parent's row has, or NULL when it has none. */
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
    rb_err ignored; /* a parent that does not exist, or not as the reference has it */
    (void)!rb_sqlite_run(db,
                         rb_format("SELECT quote(%s) FROM main.%s WHERE %s IS NOT NULL LIMIT 1",
                                   column_name, parent, column_name),
                         first_text, out, &ignored);
    return RB_OK;
}

/* *waits: a parent is empty, and the column must have a value. */
static enum rb_code set_references(bool *waits, row *r, rb_sqlite *db, const char *name, bool last,
                                   rb_err *err)
{
    references all = {0};
    RB_AUTO(rb_free_str) char *literal = rb_sqlite_text(name);
    enum rb_code code = rb_sqlite_run(
        db,
        rb_format("SELECT \"table\", \"from\", \"to\", seq FROM pragma_foreign_key_list(%s)",
                  literal),
        add_reference, &all, err);
    for (size_t i = 0; code == RB_OK && i < all.n; i++) {
        column *c = find_column(r, all.items[i].from);
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

/* CHECK constraints: values are looked for that make each of them true. */

static bool is_true(rb_sqlite *db, const row *r, const char *check)
{
    rb_buf sql = {0};
    int64_t out = 0;
    rb_err ignored;
    rb_buf_printf(&sql, "SELECT coalesce((%s), 1) <> 0 FROM (SELECT ", check);
    for (size_t i = 0; i < r->n; i++) {
        RB_AUTO(rb_free_str) char *name = rb_sqlite_name(r->items[i].name);
        rb_buf_printf(&sql, "%s%s AS %s", i ? ", " : "", r->items[i].value, name);
    }
    rb_buf_puts(&sql, ")");
    return rb_sqlite_int(&out, db, rb_buf_detach(&sql), &ignored) == RB_OK && out != 0;
}

static void add_candidates(rb_strs *out, const char *check)
{
    static const char *const usual[] = {"0", "1", "''", "'a'", "NULL", "-1", "'{}'", "'[]'"};
    rb_tokens tokens;
    rb_tokens_read(&tokens, check, strlen(check));
    for (size_t i = 0; i < tokens.n && out->n < CANDIDATES; i++) {
        const rb_token *t = &tokens.items[i];
        RB_AUTO(rb_free_str) char *literal = rb_strndup(t->text, t->len);
        if (t->kind == RB_TOKEN_STRING || t->kind == RB_TOKEN_NUMBER)
            rb_strs_add(out, literal);
        if (t->kind != RB_TOKEN_NUMBER)
            continue;
        long number = strtol(literal, NULL, 10);
        rb_strs_take(out, rb_format("(%s + 1)", literal));
        rb_strs_take(out, rb_format("(%s - 1)", literal));
        if (number > 0 && number <= LENGTH_LIMIT)
            rb_strs_take(out, rb_format("substr(replace(hex(zeroblob(%d)), '00', 'ab'), 1, %ld)",
                                        LENGTH_LIMIT, number));
    }
    rb_tokens_clear(&tokens);
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
        rb_strs_add(out, usual[i]);
}

static bool mentions(const char *check, const char *name)
{
    rb_tokens tokens;
    bool found = false;
    rb_tokens_read(&tokens, check, strlen(check));
    for (size_t i = 0; i < tokens.n && !found; i++) {
        if (tokens.items[i].kind > RB_TOKEN_QUOTED)
            continue;
        RB_AUTO(rb_free_str) char *word = rb_token_name(&tokens.items[i]);
        found = strcasecmp(word, name) == 0;
    }
    rb_tokens_clear(&tokens);
    return found;
}

/* Tries the candidates for one column, and for each of them those of a second one. */
static bool try_column(rb_sqlite *db, row *r, const char *check, const rb_strs *candidates,
                       size_t first, bool deeper)
{
    column *c = &r->items[first];
    char *old = c->value;
    for (size_t i = 0; i < candidates->n; i++) {
        c->value = candidates->items[i];
        if (is_true(db, r, check)) {
            c->value = rb_strdup(candidates->items[i]);
            free(old);
            return true;
        }
        for (size_t j = first + 1; deeper && j < r->n; j++)
            if (mentions(check, r->items[j].name) &&
                try_column(db, r, check, candidates, j, false)) {
                c->value = rb_strdup(candidates->items[i]);
                free(old);
                return true;
            }
    }
    c->value = old;
    return false;
}

static void satisfy(rb_sqlite *db, row *r, const char *check)
{
    RB_AUTO(rb_strs_clear) rb_strs candidates = {0};
    if (is_true(db, r, check))
        return;
    add_candidates(&candidates, check);
    for (int deeper = 0; deeper < 2; deeper++)
        for (size_t i = 0; i < r->n; i++)
            if (mentions(check, r->items[i].name) &&
                try_column(db, r, check, &candidates, i, deeper == 1))
                return;
}

static void satisfy_all(rb_sqlite *db, row *r, const table *t)
{
    RB_AUTO(rb_json_freep)
    json_t *entries = rb_sqlentries("table", t->name, t->name, t->sql, NULL);
    RB_AUTO(rb_free_str) char *raw = rb_format("table %s", t->name);
    RB_AUTO(rb_free_str) char *key = rb_safe(raw);
    size_t i;
    json_t *check;
    json_array_foreach (json_object_get(json_object_get(entries, key), "checks"), i, check)
        satisfy(db, r, json_string_value(check));
}

/* Inserting */

static char *insert_sql(const char *name, const row *r, bool sparse)
{
    rb_buf names = {0};
    rb_buf values = {0};
    RB_AUTO(rb_free_str) char *quoted = rb_sqlite_name(name);
    for (size_t i = 0; i < r->n; i++) {
        const column *c = &r->items[i];
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

/* With the triggers that an application's insert would run, else without them. */
static bool insert(rb_sqlite *db, const char *name, const row *r)
{
    for (int attempt = 0; attempt < 4; attempt++) {
        rb_err ignored;
        rb_sqlite_triggers(db, attempt < 2);
        char *sql = insert_sql(name, r, attempt % 2 == 1);
        enum rb_code code = rb_sqlite_run(db, sql, NULL, NULL, &ignored);
        rb_sqlite_triggers(db, true);
        if (code == RB_OK)
            return true;
    }
    return false;
}

static enum rb_code fill_table(table *t, rb_sqlite *db, bool last, rb_err *err)
{
    row r = {0};
    RB_AUTO(rb_free_str) char *literal = rb_sqlite_text(t->name);
    t->waits = false;
    enum rb_code code =
        rb_sqlite_run(db,
                      rb_format("SELECT name, type, \"notnull\", dflt_value, pk FROM"
                                " pragma_table_xinfo(%s) WHERE hidden = 0",
                                literal),
                      add_column, &r, err);
    if (code == RB_OK)
        code = set_references(&t->waits, &r, db, t->name, last, err);
    if (code == RB_OK && !t->waits) {
        satisfy_all(db, &r, t);
        t->filled = insert(db, t->name, &r);
    }
    row_clear(&r);
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
    /* Tables wait for the ones they refer to; when nothing moves any more, for the last time
     * without (references in a circle). */
    bool last = false;
    for (;;) {
        bool progress = false;
        for (size_t i = 0; i < all->n; i++) {
            table *t = &all->items[i];
            if (t->filled || t->is_virtual || (t->tried && !t->waits))
                continue;
            t->tried = true;
            RB_TRY(fill_table(t, db, last, err));
            progress |= t->filled;
        }
        if (!progress && last)
            return RB_OK;
        last = !progress;
    }
}

enum rb_code rb_sqlite_fill(json_t *filled, rb_db *base, rb_err *err)
{
    list all = {.known = filled};
    enum rb_code code = fill_all(&all, (rb_sqlite *)base, err);
    for (size_t i = 0; i < all.n; i++)
        json_object_set_new_nocheck(filled, all.items[i].name, json_boolean(all.items[i].filled));
    list_clear(&all);
    return code;
}
