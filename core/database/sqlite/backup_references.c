/* The rows that the rows of a backup refer to, by foreign keys, and those that these refer to. */
#include <stdlib.h>
#include <string.h>

#include "database/sqlite/backup_file.h"

typedef struct foreign_key { /* of one table of the file */
    size_t child;
    char *table;
    rb_strs from;
    rb_strs to;
    bool usable;
    size_t parent;  /* of the file */
    int64_t copied; /* the parents of rows up to this one are in the file */
} foreign_key;

typedef struct collecting {
    rb_backup_file *file;
    rb_sqlite *db;
    foreign_key *keys;
    size_t n;
    size_t child;
    int64_t last; /* id of the foreign key that is being read */
} collecting;

static bool add_column(void *context, const rb_cell *cells, size_t n)
{
    collecting *c = context;
    (void)n;
    if (cells[0].integer != c->last) {
        c->keys = rb_realloc(c->keys, c->n + 1, sizeof *c->keys);
        c->keys[c->n++] = (foreign_key){.child = c->child, .table = rb_strdup(cells[1].data)};
        c->last = cells[0].integer;
    }
    foreign_key *key = &c->keys[c->n - 1];
    rb_strs_add(&key->from, cells[2].data);
    if (cells[3].kind == RB_CELL_TEXT)
        rb_strs_add(&key->to, cells[3].data);
    return true;
}

static bool has_all(const rb_backup_table *t, const rb_strs *names)
{
    for (size_t i = 0; i < names->n; i++)
        if (!rb_strs_has_name(&t->key, names->items[i]) &&
            !rb_strs_has_name(&t->columns, names->items[i]))
            return false;
    return true;
}

static void copy_names(rb_strs *out, const rb_strs *names)
{
    for (size_t i = 0; i < names->n; i++)
        rb_strs_add(out, names->items[i]);
}

static bool same_names(const rb_strs *a, const rb_strs *b)
{
    for (size_t i = 0; i < a->n; i++)
        if (a->n != b->n || strcasecmp(a->items[i], b->items[i]) != 0)
            return false;
    return a->n == b->n;
}

/* The columns of a table that are in foreign keys of its own, so that its parents can be found. */
static enum rb_code add_child_columns(rb_backup_table *out, rb_sqlite *db, rb_err *err)
{
    RB_AUTO(rb_strs_clear) rb_strs names = {0};
    RB_AUTO(rb_free_str) char *table = rb_sqlite_text(out->name);
    RB_TRY(rb_sqlite_run(
        db, rb_format("SELECT DISTINCT \"from\" FROM pragma_foreign_key_list(%s, 'main')", table),
        rb_sqlite_add_text, &names, err));
    for (size_t i = 0; i < names.n; i++)
        if (!rb_strs_has_name(&out->key, names.items[i]))
            rb_strs_add(&out->columns, names.items[i]);
    return RB_OK;
}

static enum rb_code add_referenced(collecting *c, foreign_key *key, rb_err *err)
{
    rb_backup_table t = {
        .name = rb_strdup(key->table), .kind = RB_BACKUP_REFERENCED, .counter = -1};
    copy_names(&t.key, &key->to);
    enum rb_code code = add_child_columns(&t, c->db, err);
    if (code != RB_OK) {
        rb_backup_table_clear(&t);
        return code;
    }
    RB_TRY(rb_backup_add_table(c->file, c->db, &t, err));
    key->parent = c->file->n - 1;
    return RB_OK;
}

/* Which table of the file has the parents: one with all its rows, or one that is made for them. */
static enum rb_code find_parent(collecting *c, foreign_key *key, rb_err *err)
{
    RB_AUTO(rb_table_shape_clear) rb_table_shape shape = {0};
    RB_TRY(rb_table_shape_read(&shape, c->db, key->table, err));
    if (key->to.n == 0)
        copy_names(&key->to, &shape.key);
    key->usable = shape.exists && key->to.n == key->from.n &&
                  has_all(&c->file->tables[key->child], &key->from);
    for (size_t i = 0; i < key->to.n; i++)
        key->usable = key->usable && rb_strs_has_name(&shape.columns, key->to.items[i]);
    if (!key->usable)
        return RB_OK;
    for (key->parent = 0; key->parent < c->file->n; key->parent++) {
        const rb_backup_table *t = &c->file->tables[key->parent];
        if (strcasecmp(t->name, key->table) == 0 &&
            (t->kind == RB_BACKUP_ROWS ||
             (t->kind == RB_BACKUP_REFERENCED && same_names(&t->key, &key->to))))
            break;
    }
    if (key->parent == c->file->n)
        RB_TRY(add_referenced(c, key, err));
    const rb_backup_table *parent = &c->file->tables[key->parent];
    RB_AUTO(rb_free_str) char *data = rb_sqlite_name(parent->data);
    RB_AUTO(rb_free_str) char *columns = rb_sqlite_spread(&key->to, "@", ", ");
    RB_AUTO(rb_free_str) char *raw = rb_format("parents %s %s", parent->data, columns);
    RB_AUTO(rb_free_str) char *index = rb_sqlite_name(raw);
    const char *unique = parent->kind == RB_BACKUP_REFERENCED ? "UNIQUE " : "";
    RB_TRY(rb_sqlite_run(
        c->file->db,
        rb_format("CREATE %sINDEX IF NOT EXISTS %s ON %s(%s)", unique, index, data, columns), NULL,
        NULL, err));
    RB_AUTO(rb_buf_clear) rb_buf from = {0};
    RB_AUTO(rb_buf_clear) rb_buf to = {0};
    RB_AUTO(rb_json_freep) json_t *from_names = rb_json_strs(&key->from);
    RB_AUTO(rb_json_freep) json_t *to_names = rb_json_strs(&key->to);
    rb_json_canonical(&from, from_names);
    rb_json_canonical(&to, to_names);
    RB_AUTO(rb_json_freep)
    json_t *params = json_pack("[I,s,I,s]", (json_int_t)c->file->tables[key->child].id,
                               rb_buf_str(&from), (json_int_t)parent->id, rb_buf_str(&to));
    return rb_sqlite_each(c->file->db, "INSERT INTO rbtool_reference VALUES(?, ?, ?, ?)", params,
                          NULL, NULL, err);
}

/* The foreign keys of tables of the file from the first one on. */
static enum rb_code read_keys(collecting *c, size_t first, rb_err *err)
{
    for (c->child = first; c->child < c->file->n; c->child++) {
        size_t from = c->n;
        RB_AUTO(rb_free_str) char *table = rb_sqlite_text(c->file->tables[c->child].name);
        c->last = -1;
        RB_TRY(rb_sqlite_run(c->db,
                             rb_format("SELECT id, \"table\", \"from\", \"to\" FROM"
                                       " pragma_foreign_key_list(%s, 'main') ORDER BY id, seq",
                                       table),
                             add_column, c, err));
        for (; from < c->n; from++)
            RB_TRY(find_parent(c, &c->keys[from], err)); /* may add a table */
    }
    return RB_OK;
}

/* Copies the parents of the rows that came since the last time. */
static enum rb_code copy_parents(bool *more, collecting *c, foreign_key *key, rb_err *err)
{
    const rb_backup_table *child = &c->file->tables[key->child];
    rb_backup_table *parent = &c->file->tables[key->parent];
    int64_t rows = child->rows;
    if (!key->usable || parent->kind != RB_BACKUP_REFERENCED || key->copied == rows)
        return RB_OK;
    RB_AUTO(rb_table_shape_clear) rb_table_shape shape = {0};
    RB_TRY(rb_table_shape_read(&shape, c->db, key->table, err));
    RB_AUTO(rb_repeated_clear) rb_repeated children = {0};
    RB_AUTO(rb_repeated_clear) rb_repeated lookup = {0};
    RB_AUTO(rb_repeated_clear) rb_repeated insert = {0};
    RB_AUTO(rb_free_str) char *from = rb_sqlite_spread(&key->from, "@", ", ");
    RB_AUTO(rb_free_str) char *not_null = rb_sqlite_spread(&key->from, "@ IS NOT NULL", " AND ");
    RB_AUTO(rb_free_str) char *data = rb_sqlite_name(child->data);
    RB_AUTO(rb_free_str) char *table = rb_sqlite_name(key->table);
    RB_AUTO(rb_free_str) char *columns = rb_sqlite_spread(&parent->key, "@", ", ");
    RB_AUTO(rb_free_str) char *rest = rb_sqlite_spread(&parent->columns, ", @", "");
    RB_AUTO(rb_free_str) char *where = rb_table_where(&shape, &key->to);
    static const char doing[] = "backing up the rows that others refer to";
    RB_TRY(rb_repeated_prepare(&children, c->file->db,
                               rb_format("SELECT DISTINCT %s FROM main.%s WHERE rowid > %lld AND"
                                         " %s",
                                         from, data, (long long)key->copied, not_null),
                               doing, err));
    RB_TRY(rb_repeated_prepare(
        &lookup, c->db, rb_format("SELECT %s%s FROM main.%s WHERE %s", columns, rest, table, where),
        doing, err));
    RB_TRY(rb_repeated_prepare(&insert, c->file->db, rb_backup_insert(parent, "INSERT OR IGNORE"),
                               doing, err));
    bool row;
    bool found;
    RB_TRY(rb_repeated_step(&row, &children, err));
    while (row) {
        RB_TRY(rb_repeated_bind(&lookup, 1, children.stmt, 0, key->from.n, err));
        RB_TRY(rb_repeated_step(&found, &lookup, err));
        if (found) {
            RB_TRY(rb_repeated_bind(&insert, 1, lookup.stmt, 0, parent->key.n + parent->columns.n,
                                    err));
            RB_TRY(rb_repeated_step(&found, &insert, err));
            parent->rows += rb_sqlite_changes(c->file->db);
            *more |= rb_sqlite_changes(c->file->db) > 0;
        }
        RB_TRY(rb_repeated_step(&row, &children, err));
    }
    key->copied = rows;
    return RB_OK;
}

static enum rb_code collect(collecting *c, rb_err *err)
{
    bool more = true;
    RB_TRY(read_keys(c, 0, err));
    while (more) {
        more = false;
        for (size_t i = 0; i < c->n; i++)
            RB_TRY(copy_parents(&more, c, &c->keys[i], err));
    }
    return RB_OK;
}

enum rb_code rb_backup_add_references(rb_backup_file *file, rb_sqlite *db, rb_err *err)
{
    collecting c = {.file = file, .db = db};
    enum rb_code code = collect(&c, err);
    for (size_t i = 0; i < c.n; i++) {
        free(c.keys[i].table);
        rb_strs_clear(&c.keys[i].from);
        rb_strs_clear(&c.keys[i].to);
    }
    free(c.keys);
    return code;
}
