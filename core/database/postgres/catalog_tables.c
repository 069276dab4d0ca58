/* Tables, columns, indexes, constraints and sequences of a catalog, joined by oid. */
#include <stdlib.h>
#include <string.h>

#include "catalog/name.h"
#include "database/postgres/catalog_read.h"
#include "database/tracking.h"

#define COLUMNS_LIMIT 1600 /* of a table, dropped ones included: PostgreSQL's own */

typedef struct column {
    char *name;    /* NULL: a dropped column */
    char *quoted;  /* quoted for SQL if necessary */
    json_t *entry; /* the column's entry; NULL if the catalog lacks it */
} column;

typedef struct relation {
    unsigned long oid;
    char *schema;
    char *name;
    char *qualified;
    char kind; /* pg_class.relkind */
    bool partition;
    bool listed;  /* the catalog has it as a table */
    bool renamed; /* an index or sequence whose name the server generated */
    column *columns;
    size_t column_count; /* columns; the first has number 1 */
} relation;

/* An index or sequence. If its name was generated, the name in the catalog depends on others. */
typedef struct named {
    relation *self;
    relation *table; /* NULL: a sequence of no table */
    const char *kind;
    json_t *entry;
    char *bare;       /* the generated name without its number; NULL if a user chose the name */
    char *definition; /* definition of an index */
    char *literal;    /* of a sequence: its name as the column's default contains it */
    size_t column;    /* the number of the column with that default; 0: none */
} named;

struct rb_pg_tables {
    json_t *catalog;
    json_t *keys;
    relation *relations; /* sorted by oid */
    size_t n;
    named *names;
    size_t name_count;
};

rb_pg_tables *rb_pg_tables_new(json_t *catalog, json_t *keys)
{
    rb_pg_tables *tables = rb_calloc(1, sizeof *tables);
    tables->catalog = catalog;
    tables->keys = keys;
    return tables;
}

void rb_pg_tables_free(rb_pg_tables *tables)
{
    for (size_t i = 0; tables && i < tables->n; i++) {
        relation *r = &tables->relations[i];
        for (size_t c = 0; c < r->column_count; c++) {
            free(r->columns[c].name);
            free(r->columns[c].quoted);
            json_decref(r->columns[c].entry);
        }
        free(r->columns);
        free(r->schema);
        free(r->name);
        free(r->qualified);
    }
    for (size_t i = 0; tables && i < tables->name_count; i++) {
        named *name = &tables->names[i];
        json_decref(name->entry);
        free(name->bare);
        free(name->definition);
        free(name->literal);
    }
    if (tables) {
        free(tables->relations);
        free(tables->names);
    }
    free(tables);
}

static bool is_true(const PGresult *row, int field)
{
    return PQgetvalue(row, 0, field)[0] == 't';
}

static unsigned long number(const PGresult *row, int field)
{
    return strtoul(PQgetvalue(row, 0, field), NULL, 10);
}

static int by_oid(const void *a, const void *b)
{
    const unsigned long x = ((const relation *)a)->oid;
    const unsigned long y = ((const relation *)b)->oid;
    return (x > y) - (x < y);
}

static relation *find(const rb_pg_tables *tables, unsigned long oid)
{
    const relation key = {.oid = oid};
    return tables->n == 0 ? NULL : bsearch(&key, tables->relations, tables->n, sizeof key, by_oid);
}

/* Finds a table that the catalog has, by oid. */
static relation *find_table(const rb_pg_tables *tables, unsigned long oid)
{
    relation *found = find(tables, oid);
    return found && found->listed ? found : NULL;
}

static column *column_of(const relation *table, unsigned long attnum)
{
    return attnum >= 1 && attnum <= table->column_count && table->columns[attnum - 1].name
               ? &table->columns[attnum - 1]
               : NULL;
}

void rb_pg_tables_put(rb_pg_tables *tables, unsigned long unit, const char *key, json_t *entry)
{
    char oid[24];
    snprintf(oid, sizeof oid, "%lu", unit);
    json_t *keys = json_object_get(tables->keys, oid);
    if (!keys)
        json_object_set_new_nocheck(tables->keys, oid, keys = json_array());
    json_array_append_new(keys, json_string_nocheck(key));
    json_object_set_new_nocheck(tables->catalog, key, entry);
}

static void put(rb_pg_tables *tables, const relation *unit, const char *kind, const char *table,
                const char *name, json_t *entry)
{
    RB_AUTO(rb_free_str) char *key = rb_catalog_key(kind, table, name);
    rb_pg_tables_put(tables, unit->oid, key, entry);
}

enum rb_code rb_pg_add_relation(rb_pg_tables *tables, const PGresult *row, rb_err *err)
{
    enum { OID, SCHEMA, NAME, KIND, PARTITION, DEFINITION };
    json_t *entry;
    tables->relations = rb_grow(tables->relations, tables->n, sizeof *tables->relations);
    relation *r = &tables->relations[tables->n++];
    *r = (relation){.oid = number(row, OID),
                    .schema = rb_strdup(PQgetvalue(row, 0, SCHEMA)),
                    .name = rb_strdup(PQgetvalue(row, 0, NAME)),
                    .kind = PQgetvalue(row, 0, KIND)[0],
                    .partition = is_true(row, PARTITION)};
    r->qualified = rb_pg_qualified(r->schema, r->name);
    r->listed = rb_pg_field(row, DEFINITION) && !rb_tracking_owns(r->name);
    if (!r->listed)
        return RB_OK;
    RB_TRY(rb_pg_read_object(&entry, PQgetvalue(row, 0, DEFINITION), err));
    put(tables, r, "table", NULL, r->qualified, entry);
    return RB_OK;
}

static void add_column_name(relation *table, size_t attnum, const PGresult *row, int name)
{
    if (attnum > table->column_count) {
        table->columns = rb_realloc(table->columns, attnum, sizeof *table->columns);
        memset(&table->columns[table->column_count], 0,
               (attnum - table->column_count) * sizeof *table->columns);
        table->column_count = attnum;
    }
    table->columns[attnum - 1].name = rb_strdup(PQgetvalue(row, 0, name));
    table->columns[attnum - 1].quoted = rb_strdup(PQgetvalue(row, 0, name + 1));
}

enum rb_code rb_pg_add_column(rb_pg_tables *tables, const PGresult *row, rb_err *err)
{
    enum { TABLE, ATTNUM, NAME, QUOTED, TYPE, NOT_NULL, VALUE, GENERATED, DEFINITION };
    const size_t attnum = number(row, ATTNUM);
    relation *table = find(tables, number(row, TABLE));
    json_t *entry;
    if (!table || attnum < 1 || column_of(table, attnum))
        return RB_OK;
    if (attnum > COLUMNS_LIMIT)
        return rb_fail(err, RB_ERROR, "table %s has more than %d columns", table->name,
                       COLUMNS_LIMIT);
    add_column_name(table, attnum, row, NAME);
    if (!table->listed)
        return RB_OK;
    RB_TRY(rb_pg_read_object(&entry, rb_pg_field(row, DEFINITION), err));
    rb_json_set_str(entry, "type", PQgetvalue(row, 0, TYPE));
    if (is_true(row, NOT_NULL))
        json_object_set_new_nocheck(entry, "notNull", json_true());
    if (rb_pg_field(row, VALUE)) {
        RB_AUTO(rb_free_str) char *value = rb_pg_without_casts(PQgetvalue(row, 0, VALUE));
        rb_json_set_str(entry, is_true(row, GENERATED) ? "generated" : "default", value);
    }
    const json_t *type = json_object_get(entry, "typeOf");
    if (type) {
        RB_AUTO(rb_free_str)
        char *of = rb_pg_qualified(json_string_value(json_array_get(type, 0)),
                                   json_string_value(json_array_get(type, 1)));
        rb_json_set_str(entry, "typeOf", of);
    }
    table->columns[attnum - 1].entry = json_incref(entry);
    put(tables, table, "column", table->qualified, table->columns[attnum - 1].name, entry);
    return RB_OK;
}

/* Joins the names of the columns with these numbers ("1 2" or "{1,2}"). Number 0 is an expression,
 * whose name is in index_names (or NULL). Returns NULL if a name is unknown or none is given. */
static char *join_columns(const relation *table, const char *numbers, const json_t *index_names,
                          const char *separator, bool quoted)
{
    rb_buf out = {0};
    size_t i = 0;
    for (const char *p = numbers + strcspn(numbers, "0123456789"); *p; i++) {
        char *end;
        const column *c = column_of(table, strtoul(p, &end, 10));
        const char *name =
            c ? (quoted ? c->quoted : c->name) : json_string_value(json_array_get(index_names, i));
        if (!name) {
            rb_buf_clear(&out);
            return NULL;
        }
        rb_buf_printf(&out, "%s%s", i > 0 ? separator : "", name);
        p = end + strcspn(end, "0123456789");
    }
    return i > 0 ? rb_buf_detach(&out) : NULL;
}

static named *add_named(rb_pg_tables *tables, relation *self, relation *table, const char *kind,
                        json_t *entry)
{
    tables->names = rb_grow(tables->names, tables->name_count, sizeof *tables->names);
    named *name = &tables->names[tables->name_count++];
    *name = (named){.self = self, .table = table, .kind = kind, .entry = entry};
    return name;
}

enum rb_code rb_pg_add_index(rb_pg_tables *tables, const PGresult *row, rb_err *err)
{
    enum { OID, TABLE, COLUMNS, UNIQUE, METHOD, TEXT, NAMES, DEFINITION };
    RB_AUTO(rb_json_freep) json_t *names = NULL;
    relation *self = find(tables, number(row, OID));
    relation *table = find(tables, number(row, TABLE));
    const char *text = rb_pg_field(row, TEXT);
    json_t *entry;
    if (!self || !table || rb_tracking_owns(table->name))
        return RB_OK;
    if (rb_pg_field(row, NAMES))
        RB_TRY(rb_json_read(&names, PQgetvalue(row, 0, NAMES), (size_t)PQgetlength(row, 0, NAMES),
                            "names", err));
    RB_AUTO(rb_free_str)
    char *keys = join_columns(table, PQgetvalue(row, 0, COLUMNS), NULL, ", ", true);
    RB_AUTO(rb_free_str)
    char *columns = join_columns(table, PQgetvalue(row, 0, COLUMNS), names, "_", false);
    RB_AUTO(rb_free_str)
    char *simple =
        text ? NULL : rb_format("USING %s (%s)", PQgetvalue(row, 0, METHOD), keys ? keys : "");
    RB_TRY(rb_pg_read_object(&entry, rb_pg_field(row, DEFINITION), err));
    named *name = add_named(tables, self, table, "index", entry);
    name->definition = rb_pg_without_casts(text ? rb_pg_index_text(text) : simple);
    if (columns)
        name->bare = rb_pg_generated_name(self->name, table->name, columns, "idx");
    self->renamed = name->bare != NULL;
    rb_json_set(entry, "definition:s table:s", name->definition, table->qualified);
    if (is_true(row, UNIQUE))
        json_object_set_new_nocheck(entry, "unique", json_true());
    return RB_OK;
}

/* Returns the columns that are part of the constraint's generated name, or NULL. */
static char *constraint_columns(const relation *table, char kind, const char *columns,
                                const char *index_columns, const json_t *names)
{
    const bool single = columns && !strchr(columns, ',');
    if (kind == 'p' || !columns || (kind == 'c' && !single))
        return NULL;
    return join_columns(table, single || !index_columns ? columns : index_columns,
                        single ? NULL : names, "_", false);
}

static const char *constraint_label(char kind)
{
    return kind == 'p'   ? "pkey"
           : kind == 'f' ? "fkey"
           : kind == 'u' ? "key"
           : kind == 'x' ? "excl"
                         : "check";
}

static int compare_canonical(const json_t *a, const json_t *b)
{
    RB_AUTO(rb_buf_clear) rb_buf left = {0};
    RB_AUTO(rb_buf_clear) rb_buf right = {0};
    rb_json_canonical(&left, a);
    rb_json_canonical(&right, b);
    return strcmp(left.data, right.data);
}

/* Adds a constraint. Several constraints with the same text become one entry, {"each": [...]},
 * sorted. */
static void put_constraint(rb_pg_tables *tables, const relation *table, const char *text,
                           json_t *entry)
{
    RB_AUTO(rb_free_str) char *key = rb_catalog_key("constraint", table->qualified, text);
    json_t *first = json_object_get(tables->catalog, key);
    if (!first) {
        rb_pg_tables_put(tables, table->oid, key, entry);
        return;
    }
    json_t *each = json_object_get(first, "each");
    if (!each) {
        each = json_pack("[O]", first);
        json_object_set_new_nocheck(tables->catalog, key, rb_json_make("each:j", each));
    }
    size_t at = 0;
    while (at < json_array_size(each) && compare_canonical(json_array_get(each, at), entry) <= 0)
        at++;
    json_array_insert_new(each, at, entry);
}

enum rb_code rb_pg_add_constraint(rb_pg_tables *tables, const PGresult *row, rb_err *err)
{
    enum {
        TABLE,
        NAME,
        KIND,
        COLUMNS,
        INDEX_COLUMNS,
        INHERITED,
        DEFERRED,
        VALID,
        NAMES,
        TEXT,
        DEFINITION
    };
    RB_AUTO(rb_json_freep) json_t *names = NULL;
    const relation *table = find_table(tables, number(row, TABLE));
    const char *name = PQgetvalue(row, 0, NAME);
    const char kind = PQgetvalue(row, 0, KIND)[0];
    const char *inherited = rb_pg_field(row, INHERITED);
    json_t *entry;
    if (!table || (inherited && (table->partition || strcmp(inherited, "any") == 0)))
        return RB_OK;
    if (rb_pg_field(row, NAMES))
        RB_TRY(rb_json_read(&names, PQgetvalue(row, 0, NAMES), (size_t)PQgetlength(row, 0, NAMES),
                            "names", err));
    RB_AUTO(rb_free_str)
    char *columns = constraint_columns(table, kind, rb_pg_field(row, COLUMNS),
                                       rb_pg_field(row, INDEX_COLUMNS), names);
    RB_AUTO(rb_free_str)
    char *bare = rb_pg_generated_name(name, table->name, columns, constraint_label(kind));
    RB_AUTO(rb_free_str) char *text = rb_pg_constraint_text(PQgetvalue(row, 0, TEXT), kind);
    RB_TRY(rb_pg_read_object(&entry, rb_pg_field(row, DEFINITION), err));
    if (!bare)
        rb_json_set_str(entry, "name", name);
    if (rb_pg_field(row, DEFERRED))
        rb_json_set_str(entry, "deferrable", PQgetvalue(row, 0, DEFERRED));
    if (!is_true(row, VALID))
        json_object_set_new_nocheck(entry, "notValid", json_true());
    put_constraint(tables, table, text, entry);
    return RB_OK;
}

/* Stores an identity column's sequence as a member of the column. */
static void set_identity(const relation *table, size_t attnum, json_t *sequence)
{
    column *c = table ? column_of(table, attnum) : NULL;
    if (c && c->entry) {
        json_object_del(sequence, "type");
        json_object_del(sequence, "unlogged");
        json_object_del(sequence, "comment");
        json_object_set_nocheck(c->entry, "sequence", sequence);
    }
    json_decref(sequence);
}

enum rb_code rb_pg_add_sequence(rb_pg_tables *tables, const PGresult *row, rb_err *err)
{
    enum { OID, DEPENDS, TABLE, COLUMN, SELF_TEXT, TABLE_TEXT, DEFINITION };
    relation *self = find(tables, number(row, OID));
    relation *table = find(tables, number(row, TABLE));
    json_t *entry;
    if (!self || rb_tracking_owns(table ? table->name : self->name))
        return RB_OK;
    RB_TRY(rb_pg_read_object(&entry, PQgetvalue(row, 0, DEFINITION), err));
    if (PQgetvalue(row, 0, DEPENDS)[0] == 'i') {
        set_identity(table, number(row, COLUMN), entry);
        return RB_OK;
    }
    table = table && table->listed ? table : NULL;
    named *name = add_named(tables, self, table, "sequence", entry);
    const column *c = table ? column_of(table, number(row, COLUMN)) : NULL;
    if (!c)
        return RB_OK;
    RB_AUTO(rb_free_str)
    char *owner = rb_format("%s.%s", PQgetvalue(row, 0, TABLE_TEXT), c->quoted);
    rb_json_set_str(entry, "ownedBy", owner);
    name->bare = rb_pg_generated_name(self->name, table->name, c->name, "seq");
    name->literal = rb_strdup(PQgetvalue(row, 0, SELF_TEXT));
    name->column = number(row, COLUMN);
    self->renamed = name->bare != NULL;
    return RB_OK;
}

/* Orders generated names first, by schema, name without number, and definition. */
static int by_bare(const void *a, const void *b)
{
    const named *x = a;
    const named *y = b;
    int order = (x->bare == NULL) - (y->bare == NULL);
    if (order != 0 || !x->bare)
        return order;
    order = strcmp(x->self->schema, y->self->schema);
    order = order != 0 ? order : strcmp(x->bare, y->bare);
    order = order != 0 ? order : (x->definition == NULL) - (y->definition == NULL);
    if (order == 0 && x->definition)
        order = strcmp(x->definition, y->definition);
    return order != 0 ? order : by_oid(x->self, y->self);
}

/* Orders relations by schema and name. */
static int by_name(const void *a, const void *b)
{
    const relation *x = *(const relation *const *)a;
    const relation *y = *(const relation *const *)b;
    const int order = strcmp(x->schema, y->schema);
    return order != 0 ? order : strcmp(x->name, y->name);
}

/* Replaces the sequence's name in the default of its column. */
static void rename_in_default(const named *name, const char *to)
{
    const column *c = name->column > 0 ? column_of(name->table, name->column) : NULL;
    const char *key = c && json_object_get(c->entry, "generated") ? "generated" : "default";
    const char *value = c ? rb_json_str(c->entry, key) : NULL;
    RB_AUTO(rb_free_str)
    char *renamed = value ? rb_pg_with_sequence(value, name->literal, name->self->name, to) : NULL;
    if (renamed)
        rb_json_set_str(c->entry, key, renamed);
}

/* True if the name belongs to a relation whose name a user chose. */
static bool is_taken(relation **by, size_t n, const relation *self, const char *name)
{
    relation key = {.schema = self->schema, .name = (char *)name};
    relation *at = &key;
    relation **found = n > 0 ? bsearch(&at, by, n, sizeof *by, by_name) : NULL;
    return found && !(*found)->renamed;
}

/* Adds indexes and sequences under their names. Generated names get a number only if the same name
 * occurs more than once, in the order of definitions. So the catalog does not depend on objects
 * that existed before. */
static void put_named(rb_pg_tables *tables)
{
    relation **by = rb_calloc(tables->n + 1, sizeof *by);
    const named *before = NULL;
    size_t number_of = 0; /* how many had the same name before this one */
    for (size_t i = 0; i < tables->n; i++)
        by[i] = &tables->relations[i];
    qsort(by, tables->n, sizeof *by, by_name);
    if (tables->name_count > 0)
        qsort(tables->names, tables->name_count, sizeof *tables->names, by_bare);
    for (size_t i = 0; i < tables->name_count; i++) {
        named *name = &tables->names[i];
        const bool again = before && name->bare && strcmp(before->bare, name->bare) == 0 &&
                           strcmp(before->self->schema, name->self->schema) == 0;
        RB_AUTO(rb_free_str) char *shown = NULL;
        number_of = again ? number_of + 1 : 0;
        before = name->bare ? name : NULL;
        if (name->bare && !is_taken(by, tables->n, name->self, name->bare))
            shown =
                number_of > 0 ? rb_format("%s%zu", name->bare, number_of) : rb_strdup(name->bare);
        if (shown && strcmp(shown, name->self->name) != 0)
            rename_in_default(name, shown);
        RB_AUTO(rb_free_str)
        char *full = rb_pg_qualified(name->self->schema, shown ? shown : name->self->name);
        put(tables, name->self, name->kind, NULL, full, name->entry);
        name->entry = NULL;
    }
    free(by);
}

void rb_pg_tables_finish(rb_pg_tables *tables)
{
    put_named(tables);
    for (size_t i = 0; i < tables->n; i++) {
        const relation *table = &tables->relations[i];
        if (!table->listed)
            continue;
        json_t *order = json_array();
        for (size_t c = 0; c < table->column_count; c++)
            if (table->columns[c].name)
                json_array_append_new(order, rb_json_text(table->columns[c].name));
        put(tables, table, "order", NULL, table->qualified, order);
    }
}
