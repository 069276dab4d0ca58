/* Writes a backup before the scripts run, and completes it after them. */
#include "database/sqlite/backup_file.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "database/backup.h"
#include "database/sqlite/table_read.h"

#define SAMPLE_ROWS 500
#define ROW_OVERHEAD 80 /* bytes of a row beside its values: digests, headers */
#define REPORT_ROWS 8192

typedef struct wanted { /* of one table */
    const char *table;
    bool whole;
    bool at_risk;
    rb_strs columns;
    rb_strs automatic;
    rb_strs fresh;  /* for each column the value, as SQL, that needs no backup; or "" */
    int64_t rows;   /* as the item says; -1: it does not */
    int64_t values; /* of all columns, the same */
} wanted;

typedef struct writer {
    rb_sqlite *db;
    const rb_backup_spec *spec;
    wanted *wanted;
    size_t n;
    json_t *left_out;
    rb_backup_file file;
} writer;

/* What to back up */

static wanted *wanted_of(writer *w, const char *table)
{
    for (size_t i = 0; i < w->n; i++)
        if (strcasecmp(w->wanted[i].table, table) == 0)
            return &w->wanted[i];
    w->wanted = rb_realloc(w->wanted, w->n + 1, sizeof *w->wanted);
    w->wanted[w->n] = (wanted){.table = table, .rows = -1};
    return &w->wanted[w->n++];
}

static void add_column(wanted *t, const json_t *item, const char *column)
{
    RB_AUTO(rb_free_str) char *fresh = NULL;
    const char *text = rb_json_str(item, "fresh");
    if (text)
        fresh = rb_sqlite_default_value(text);
    for (size_t i = 0; i < t->columns.n; i++)
        if (strcasecmp(t->columns.items[i], column) == 0) {
            if (fresh && !t->fresh.items[i][0]) {
                free(t->fresh.items[i]);
                t->fresh.items[i] = rb_strdup(fresh);
            }
            return;
        }
    rb_strs_add(&t->columns, column);
    rb_strs_add(&t->fresh, fresh ? fresh : "");
    t->values += rb_json_int(item, "values", 0);
}

static void add_items(writer *w, const json_t *items, bool at_risk)
{
    size_t i;
    json_t *item;
    json_array_foreach ((json_t *)items, i, item) {
        const char *table = rb_json_str(item, "table");
        const char *column = rb_json_str(item, "column");
        if (!table)
            continue;
        wanted *t = wanted_of(w, table);
        int64_t rows = rb_json_int(item, "rows", -1);
        t->rows = rows > t->rows ? rows : t->rows;
        t->at_risk |= at_risk;
        t->whole |= !column;
        if (column)
            add_column(t, item, column);
        if (at_risk)
            rb_strs_add(&t->automatic, column ? column : "");
    }
}

static void writer_init(writer *w, rb_db *db, const rb_backup_spec *spec)
{
    *w = (writer){.db = rb_sqlite_of(db), .spec = spec, .left_out = json_array()};
    add_items(w, spec->at_risk, true); /* first, whatever the limit */
    add_items(w, spec->items, false);
    rb_sqlite_clock_stop(w->db);
}

static void writer_clear(writer *w)
{
    for (size_t i = 0; i < w->n; i++) {
        rb_strs_clear(&w->wanted[i].columns);
        rb_strs_clear(&w->wanted[i].fresh);
        rb_strs_clear(&w->wanted[i].automatic);
    }
    free(w->wanted);
    json_decref(w->left_out);
    rb_backup_clear(&w->file);
}

static enum rb_code proceed(const writer *w, const char *table, int64_t rows, rb_err *err)
{
    if (rows % REPORT_ROWS != 0 || !w->spec->proceed ||
        w->spec->proceed(w->spec->context, table, rows))
        return RB_OK;
    return rb_fail(err, RB_ERROR, "stopped on request while %s was being backed up", table);
}

/*
 * The rows in which a column has another value than it gets when it is created again; NULL where
 * each row is needed. A new string.
 */
static char *filter(const wanted *t)
{
    RB_AUTO(rb_buf_clear) rb_buf where = {0};
    if (t->whole || rb_strs_has(&t->fresh, ""))
        return NULL;
    for (size_t i = 0; i < t->columns.n; i++) {
        RB_AUTO(rb_free_str) char *name = rb_sqlite_name(t->columns.items[i]);
        const char *value = t->fresh.items[i];
        rb_buf_printf(&where, "%s%s IS NOT (%s) COLLATE BINARY OR typeof(%s) <> typeof(%s)",
                      where.len ? " OR " : "", name, value, name, value);
    }
    return rb_buf_detach(&where);
}

/* The table of the file for what is wanted: its key, and the columns that exist. */
static void describe(rb_backup_table *out, const wanted *t, const rb_table_shape *shape)
{
    *out = (rb_backup_table){.name = rb_strdup(t->table),
                             .kind = t->whole ? RB_BACKUP_ROWS : RB_BACKUP_VALUES,
                             .counter = -1};
    bool all = rb_strs_has(&t->automatic, "");
    for (size_t i = 0; i < shape->key.n; i++)
        rb_strs_add(&out->key, shape->key.items[i]);
    for (size_t i = 0; i < shape->columns.n; i++) {
        const char *name = shape->columns.items[i];
        bool key = rb_strs_has_name(&shape->key, name);
        if (!key && (t->whole || rb_strs_has_name(&t->columns, name)))
            rb_strs_add(&out->columns, name);
        if (all || rb_strs_has_name(&t->automatic, name))
            rb_strs_add(&out->automatic, name);
    }
}

static enum rb_code estimate(int64_t *out, writer *w, const wanted *t, const rb_backup_table *table,
                             rb_err *err)
{
    RB_AUTO(rb_free_str) char *where = filter(t);
    int64_t rows = where && t->values < t->rows ? t->values : t->rows;
    int64_t average;
    RB_AUTO(rb_free_str) char *name = rb_sqlite_name(table->name);
    static const char length[] = "ifnull(length(CAST(@ AS BLOB)), 0)";
    RB_AUTO(rb_free_str) char *columns = rb_sqlite_spread(&table->columns, length, " + ");
    RB_AUTO(rb_free_str) char *key = rb_sqlite_spread(&table->key, length, " + ");
    if (rows < 0)
        RB_TRY(rb_sqlite_int(&rows, w->db, rb_format("SELECT count(*) FROM main.%s", name), err));
    RB_TRY(rb_sqlite_int(
        &average, w->db,
        rb_format("SELECT CAST(ifnull(avg(bytes), 0) AS INTEGER) FROM (SELECT 0%s%s%s%s AS bytes"
                  " FROM main.%s LIMIT %d)",
                  *key ? " + " : "", key, *columns ? " + " : "", columns, name, SAMPLE_ROWS),
        err));
    *out = rows * (average + ROW_OVERHEAD);
    return RB_OK;
}

static void leave_out(writer *w, const wanted *t)
{
    for (size_t i = 0; i < (t->whole ? 1 : t->columns.n); i++) {
        json_t *item = json_object();
        rb_json_set_str(item, "table", t->table);
        rb_json_set_str(item, "column", t->whole ? NULL : t->columns.items[i]);
        json_array_append_new(w->left_out, item);
    }
}

/* Copying */

/* The columns that the file has, from the database. */
static char *select_from(const rb_backup_table *t, const rb_table_shape *shape, const char *where)
{
    RB_AUTO(rb_free_str) char *name = rb_sqlite_name(t->name);
    RB_AUTO(rb_free_str) char *key = rb_sqlite_spread(&t->key, "@", ", ");
    RB_AUTO(rb_free_str) char *columns = rb_sqlite_spread(&t->columns, "@", ", ");
    const char *rowid = shape->has_rowid_name ? "rowid" : "NULL";
    return rb_format("SELECT %s%s%s FROM main.%s%s%s", t->key.n ? key : rowid,
                     t->columns.n ? ", " : "", columns, name, where ? " WHERE " : "",
                     where ? where : "");
}

static enum rb_code copy_rows(writer *w, rb_backup_table *t, const rb_table_shape *shape,
                              const char *where, rb_err *err)
{
    RB_AUTO(rb_repeated_clear) rb_repeated from = {0};
    RB_AUTO(rb_repeated_clear) rb_repeated to = {0};
    RB_AUTO(rb_free_str) char *doing = rb_format("writing backup %s", w->file.path);
    size_t n = (t->key.n ? t->key.n : 1) + t->columns.n;
    bool row;
    bool none;
    RB_TRY(rb_repeated_prepare(&from, w->db, select_from(t, shape, where),
                               "reading the rows to"
                               " back up",
                               err));
    RB_TRY(rb_repeated_prepare(&to, w->file.db, rb_backup_insert(t, "INSERT"), doing, err));
    RB_TRY(rb_repeated_step(&row, &from, err));
    for (; row; t->rows++) {
        RB_TRY(proceed(w, t->name, t->rows, err));
        RB_TRY(rb_repeated_bind(&to, 1, from.stmt, 0, n, err));
        RB_TRY(rb_repeated_step(&none, &to, err));
        RB_TRY(rb_repeated_step(&row, &from, err));
    }
    return RB_OK;
}

/* A virtual table that cannot be read, such as an index without content: what it is stored in. */
static enum rb_code copy_shadows(writer *w, const char *table, rb_err *err)
{
    RB_AUTO(rb_strs_clear) rb_strs shadows = {0};
    size_t len = strlen(table);
    RB_TRY(rb_sqlite_shadows(&shadows, w->db, err));
    for (size_t i = 0; i < shadows.n; i++) {
        const char *name = shadows.items[i];
        if (strncasecmp(name, table, len) != 0 || name[len] != '_')
            continue;
        RB_AUTO(rb_table_shape_clear) rb_table_shape shape = {0};
        wanted t = {.table = name, .whole = true};
        rb_backup_table described;
        RB_TRY(rb_table_shape_read(&shape, w->db, name, err));
        describe(&described, &t, &shape);
        RB_TRY(rb_backup_add_table(&w->file, w->db, &described, err));
        RB_TRY(copy_rows(w, &w->file.tables[w->file.n - 1], &shape, NULL, err));
    }
    return RB_OK;
}

static enum rb_code copy_table(writer *w, const wanted *t, rb_backup_table *described,
                               const rb_table_shape *shape, rb_err *err)
{
    rb_err why;
    int64_t ignored;
    RB_AUTO(rb_free_str) char *name = rb_sqlite_name(t->table);
    if (shape->is_virtual &&
        rb_sqlite_int(&ignored, w->db, rb_format("SELECT * FROM main.%s LIMIT 1", name), &why) !=
            RB_OK) {
        rb_backup_table_clear(described);
        return copy_shadows(w, t->table, err);
    }
    RB_AUTO(rb_free_str) char *where = filter(t);
    RB_TRY(rb_backup_add_table(&w->file, w->db, described, err));
    return copy_rows(w, &w->file.tables[w->file.n - 1], shape, where, err);
}

/* What the limit leaves, in order; only counted where there is no file. */
static enum rb_code each_table(int64_t *bytes, writer *w, rb_err *err)
{
    *bytes = 0;
    for (size_t i = 0; i < w->n; i++) {
        const wanted *t = &w->wanted[i];
        RB_AUTO(rb_table_shape_clear) rb_table_shape shape = {0};
        RB_TRY(rb_table_shape_read(&shape, w->db, t->table, err));
        if (!shape.exists)
            continue;
        int64_t size;
        rb_backup_table described;
        describe(&described, t, &shape);
        enum rb_code code = estimate(&size, w, t, &described, err);
        if (code == RB_OK && !t->at_risk && *bytes + size > w->spec->limit) {
            leave_out(w, t);
            rb_backup_table_clear(&described);
            continue;
        }
        if (code != RB_OK || !w->file.db)
            rb_backup_table_clear(&described);
        else
            code = copy_table(w, t, &described, &shape, err);
        RB_TRY(code);
        *bytes += size;
    }
    return RB_OK;
}

/* The file */

static enum rb_code write_about(writer *w, rb_err *err)
{
    const char *name;
    json_t *value;
    json_object_foreach ((json_t *)w->spec->about, name, value) {
        RB_AUTO(rb_json_freep) json_t *params = json_pack("[s,O]", name, value);
        RB_TRY(rb_sqlite_each(w->file.db, "INSERT INTO rbtool_backup VALUES(?1, ?2)", params, NULL,
                              NULL, err));
    }
    RB_AUTO(rb_strs_clear) rb_strs tables = {0};
    RB_TRY(rb_sqlite_each(w->db, "SELECT name FROM main.sqlite_schema WHERE type = 'table'", NULL,
                          rb_sqlite_add_text, &tables, err));
    RB_AUTO(rb_json_freep) json_t *names = rb_json_strs(&tables);
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    rb_json_canonical(&text, names);
    RB_AUTO(rb_json_freep) json_t *params = json_pack("[s]", rb_buf_str(&text));
    return rb_sqlite_each(w->file.db, "INSERT INTO rbtool_backup VALUES('tables', ?1)", params,
                          NULL, NULL, err);
}

static enum rb_code write_applied(writer *w, rb_err *err)
{
    RB_AUTO(rb_repeated_clear) rb_repeated from = {0};
    RB_AUTO(rb_repeated_clear) rb_repeated to = {0};
    int64_t exists;
    bool row;
    bool ignored;
    static const char doing[] = "backing up the list of applied migrations";
    RB_TRY(rb_sqlite_int(&exists, w->db,
                         rb_strdup("SELECT count(*) FROM main.sqlite_schema WHERE name ="
                                   " 'rbtool_applied'"),
                         err));
    if (!exists)
        return RB_OK;
    RB_TRY(rb_repeated_prepare(
        &from, w->db, rb_strdup("SELECT id, up_sha256 FROM main.rbtool_applied"), doing, err));
    RB_TRY(rb_repeated_prepare(
        &to, w->file.db, rb_strdup("INSERT INTO main.rbtool_applied VALUES(?, ?)"), doing, err));
    RB_TRY(rb_repeated_step(&row, &from, err));
    while (row) {
        RB_TRY(rb_repeated_bind(&to, 1, from.stmt, 0, 2, err));
        RB_TRY(rb_repeated_step(&ignored, &to, err));
        RB_TRY(rb_repeated_step(&row, &from, err));
    }
    return RB_OK;
}

static enum rb_code write_file(writer *w, rb_err *err)
{
    int64_t bytes;
    RB_TRY(rb_backup_create(&w->file, w->spec->path, err));
    RB_TRY(write_about(w, err));
    RB_TRY(write_applied(w, err));
    RB_TRY(each_table(&bytes, w, err));
    RB_TRY(rb_backup_add_references(&w->file, w->db, err));
    return rb_backup_complete(&w->file, err);
}

enum rb_code rb_sqlite_backup_write(json_t **left_out, rb_db *db, const rb_backup_spec *spec,
                                    rb_err *err)
{
    writer w;
    rb_err ignored;
    writer_init(&w, db, spec);
    enum rb_code code = write_file(&w, err);
    if (code == RB_OK)
        *left_out = json_incref(w.left_out);
    bool created = w.file.path != NULL;
    writer_clear(&w);
    if (code != RB_OK && created)
        (void)!rb_file_remove(spec->path, &ignored);
    return code;
}

enum rb_code rb_sqlite_backup_size(int64_t *bytes, json_t **left_out, rb_db *db,
                                   const rb_backup_spec *spec, rb_err *err)
{
    writer w;
    writer_init(&w, db, spec);
    enum rb_code code = each_table(bytes, &w, err);
    if (code == RB_OK)
        *left_out = json_incref(w.left_out);
    writer_clear(&w);
    return code;
}
