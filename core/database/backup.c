/* Writes a backup before the scripts run, and completes it after them. */
#include "database/backup.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "database/backup_rows.h"
#include "database/loss.h"

#define SAMPLE_ROWS 500
#define ROW_OVERHEAD                                                                               \
    120 /* bytes of a row in addition to its values: its number, state and hash                    \
         */

char *rb_backup_names(const json_t *items)
{
    rb_buf out = {0};
    rb_json_each (item, items) {
        const char *column = rb_json_str(item, "column");
        rb_buf_printf(&out, "%s%s%s%s", item_at ? ", " : "", rb_json_str(item, "table"),
                      column ? "." : "", column ? column : "");
    }
    return rb_buf_detach(&out);
}

typedef struct writer {
    const rb_backup_spec *spec;
    json_t *wanted; /* [{"name","whole","atRisk","columns","automatic","fresh","rows","values"}] */
    json_t *left_out;
    json_t *keyless;    /* names of tables */
    rb_backup_rows out; /* without a file, only the size is estimated */
} writer;

/* What to back up: */

static json_t *find_wanted(const writer *w, const char *table)
{
    rb_json_each (item, w->wanted)
        if (strcmp(rb_json_str(item, "name"), table) == 0)
            return item;
    return NULL;
}

static json_t *wanted_of(writer *w, const char *table)
{
    json_t *item = find_wanted(w, table);
    if (item)
        return item;
    item = rb_json_make("name:s whole:b atRisk:b columns:j automatic:j fresh:j rows:d values:d",
                        table, false, false, json_array(), json_array(), json_object(), -1, 0);
    json_array_append_new(w->wanted, item);
    return item;
}

static void set_number(json_t *object, const char *key, int64_t value)
{
    json_object_set_new(object, key, json_integer(value));
}

static void add_item(writer *w, const json_t *item, bool at_risk)
{
    const char *table = rb_json_str(item, "table");
    const char *column = rb_json_str(item, "column");
    const char *fresh = rb_json_str(item, "fresh");
    if (!table)
        return;
    json_t *t = wanted_of(w, table);
    json_t *columns = json_object_get(t, "columns");
    int64_t rows = rb_json_int(item, "rows", -1);
    if (rows > rb_json_int(t, "rows", -1))
        set_number(t, "rows", rows);
    if (at_risk) {
        json_object_set_new(t, "atRisk", json_true());
        json_array_append_new(json_object_get(t, "automatic"), json_string(column ? column : ""));
    }
    if (!column)
        json_object_set_new(t, "whole", json_true());
    else if (!rb_names_have(columns, column)) {
        json_array_append_new(columns, json_string(column));
        set_number(t, "values", rb_json_int(t, "values", 0) + rb_json_int(item, "values", 0));
    }
    if (column && fresh) {
        RB_AUTO(rb_free_str) char *value = w->out.db->driver->default_value(fresh);
        rb_json_set_str(json_object_get(t, "fresh"), column, value);
    }
}

static void writer_init(writer *w, rb_db *db, const rb_backup_spec *spec)
{
    const json_t *lists[] = {spec->at_risk,
                             spec->items}; /* first, since the limit does not apply to them */
    *w = (writer){.spec = spec,
                  .wanted = json_array(),
                  .left_out = json_array(),
                  .keyless = json_array(),
                  .out = {.db = db, .tables = json_array(), .references = json_array()}};
    for (size_t k = 0; k < 2; k++) {
        rb_json_each (item, lists[k])
            add_item(w, item, k == 0);
    }
}

static void writer_clear(writer *w)
{
    json_decref(w->wanted);
    json_decref(w->left_out);
    json_decref(w->keyless);
    json_decref(w->out.tables);
    json_decref(w->out.references);
}

static bool is_whole(const json_t *wanted)
{
    return json_is_true(json_object_get(wanted, "whole"));
}

/* True if nothing says which row of the table a value belongs to. */
static bool is_keyless(const json_t *shape)
{
    return json_array_size(json_object_get(shape, "key")) == 0 && !rb_json_str(shape, "rowid") &&
           !json_is_true(json_object_get(shape, "sequence"));
}

enum rb_code rb_db_is_keyless(bool *out, rb_db *db, const char *table, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *shape = NULL;
    RB_TRY(db->driver->table(&shape, db, table, err));
    *out = shape && is_keyless(shape);
    return RB_OK;
}

/* Returns a condition for the rows whose columns differ from the value that the inverse scripts
 * give them, or NULL if all rows are needed. */
static char *filter(const writer *w, const json_t *wanted)
{
    RB_AUTO(rb_buf_clear) rb_buf where = {0};
    const json_t *columns = json_object_get(wanted, "columns");
    const json_t *fresh = json_object_get(wanted, "fresh");
    if (is_whole(wanted) || json_object_size(fresh) < json_array_size(columns))
        return NULL;
    rb_json_each (name, columns) {
        RB_AUTO(rb_free_str) char *quoted = rb_sql_name(json_string_value(name));
        RB_AUTO(rb_free_str) char *column = rb_format("n.%s", quoted);
        RB_AUTO(rb_free_str)
        char *value = rb_format("(%s)", rb_json_str(fresh, json_string_value(name)));
        rb_buf_puts(&where, where.len ? " OR NOT " : "NOT ");
        w->out.db->driver->same(&where, column, value);
    }
    return rb_buf_detach(&where);
}

static json_t *describe_wanted(const json_t *wanted, const json_t *shape)
{
    const json_t *all = json_object_get(shape, "columns");
    const json_t *key = json_object_get(shape, "key");
    const json_t *automatic = json_object_get(wanted, "automatic");
    const char *name = rb_json_str(wanted, "name");
    bool whole = is_whole(wanted) || is_keyless(shape); /* a value alone would be of no use */
    RB_AUTO(rb_json_freep)
    json_t *named = whole ? json_copy((json_t *)all)
                          : rb_names_of(all, json_object_get(wanted, "columns"), true);
    RB_AUTO(rb_json_freep) json_t *columns = rb_names_of(named, key, false);
    json_t *t = rb_backup_describe(name, whole ? "rows" : "values", key, columns, shape);
    json_object_set_new(t, "automatic",
                        rb_names_have(automatic, "") ? json_copy((json_t *)all)
                                                     : rb_names_of(all, automatic, true));
    return t;
}

static enum rb_code estimate(int64_t *out, const writer *w, const json_t *wanted, const json_t *t,
                             const json_t *shape, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *parts = json_object();
    RB_AUTO(rb_json_freep) json_t *stored = json_copy(json_object_get(t, "key"));
    RB_AUTO(rb_free_str) char *where = filter(w, wanted);
    int64_t rows = rb_json_int(wanted, "rows", -1);
    int64_t values = rb_json_int(wanted, "values", 0);
    int64_t average;
    json_array_extend(stored, json_object_get(t, "columns"));
    rb_sql_set_table(parts, NULL, t, shape);
    rb_sql_put(parts, "bytes", rb_sql_list(stored, w->out.db->driver->length, " + "));
    rb_sql_put(parts, "limit", rb_format("%d", SAMPLE_ROWS));
    if (rows < 0)
        RB_TRY(rb_sql_number(&rows, w->out.db, parts, "SELECT count(*) FROM {live}", err));
    RB_TRY(rb_sql_number(&average, w->out.db, parts,
                         "SELECT CAST(coalesce(avg(bytes), 0) AS INTEGER) FROM (SELECT {bytes} AS"
                         " bytes FROM {live} LIMIT {limit}) AS sample",
                         err));
    *out = (where && values < rows ? values : rows) * (average + ROW_OVERHEAD);
    return RB_OK;
}

static void leave_out(writer *w, const json_t *wanted)
{
    const json_t *columns = json_object_get(wanted, "columns");
    for (size_t i = 0; i < (is_whole(wanted) ? 1 : json_array_size(columns)); i++)
        json_array_append_new(
            w->left_out,
            json_pack("{s:O,s:o}", "table", json_object_get(wanted, "name"), "column",
                      is_whole(wanted) ? json_null() : json_incref(json_array_get(columns, i))));
}

/* Copying: */

static enum rb_code copy_table(writer *w, const json_t *wanted, json_t *t, const json_t *shape,
                               rb_err *err)
{
    RB_AUTO(rb_free_str) char *where = filter(w, wanted);
    RB_AUTO(rb_free_str)
    char *from = rb_format("%s AS n%s%s", rb_json_str(shape, "sql"), where ? " WHERE " : "",
                           where ? where : "");
    RB_AUTO(rb_json_freep) json_t *counter = NULL;
    RB_TRY(w->out.db->driver->counter(&counter, w->out.db, rb_json_str(t, "name"), err));
    if (counter)
        json_object_set(t, "counter", counter);
    rb_json_set_str(t, "where", where);
    json_array_append(w->out.tables, t);
    return rb_backup_copy_rows(&w->out, t, shape, from, err);
}

/* Copies the tables that store the rows of one that cannot be read, such as a full-text index
 * without content. */
static enum rb_code copy_instead(writer *w, const json_t *names, rb_err *err)
{
    rb_json_each (name, names) {
        RB_AUTO(rb_json_freep) json_t *shape = NULL;
        RB_AUTO(rb_json_freep)
        json_t *wanted = rb_json_make("name:J whole:b automatic:j", name, true, json_array());
        RB_TRY(w->out.db->driver->table(&shape, w->out.db, json_string_value(name), err));
        RB_AUTO(rb_json_freep) json_t *t = shape ? describe_wanted(wanted, shape) : NULL;
        if (t)
            RB_TRY(copy_table(w, wanted, t, shape, err));
    }
    return RB_OK;
}

/* Copies the wanted tables in order, and leaves out those that would exceed the limit. Without a
 * file only adds up their sizes. */
static enum rb_code each_table(int64_t *bytes, writer *w, rb_err *err)
{
    *bytes = 0;
    rb_json_each (wanted, w->wanted) {
        RB_AUTO(rb_json_freep) json_t *shape = NULL;
        RB_TRY(w->out.db->driver->table(&shape, w->out.db, rb_json_str(wanted, "name"), err));
        if (!shape)
            continue;
        int64_t size = 0;
        const json_t *instead = json_object_get(shape, "instead");
        RB_AUTO(rb_json_freep) json_t *t = describe_wanted(wanted, shape);
        if (is_keyless(shape) && !is_whole(wanted) &&
            json_is_true(json_object_get(wanted, "atRisk")))
            json_array_append(w->keyless, json_object_get(wanted, "name"));
        if (json_array_size(instead) == 0)
            RB_TRY(estimate(&size, w, wanted, t, shape, err));
        if (!json_is_true(json_object_get(wanted, "atRisk")) && *bytes + size > w->spec->limit) {
            leave_out(w, wanted);
            continue;
        }
        if (w->out.file && json_array_size(instead) > 0)
            RB_TRY(copy_instead(w, instead, err));
        else if (w->out.file)
            RB_TRY(copy_table(w, wanted, t, shape, err));
        *bytes += size;
    }
    return RB_OK;
}

/* The document: */

static enum rb_code read_applied(json_t **out, rb_db *db, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    bool has;
    RB_TRY(rb_db_has_table(&has, db, "rbtool_applied", err));
    if (has)
        RB_TRY(rb_db_query(&rows, db, "SELECT id, up_sha256 FROM rbtool_applied", NULL, err));
    *out = json_object();
    rb_json_each (row, rows)
        json_object_set(*out, json_string_value(json_array_get(row, 0)), json_array_get(row, 1));
    return RB_OK;
}

static enum rb_code write_file(writer *w, rb_err *err)
{
    int64_t bytes;
    RB_AUTO(rb_json_freep) json_t *applied = NULL;
    RB_AUTO(rb_json_freep) json_t *tables = NULL;
    RB_TRY(rb_backup_tables(&tables, w->out.db, err));
    RB_TRY(read_applied(&applied, w->out.db, err));
    RB_TRY(each_table(&bytes, w, err));
    RB_TRY(rb_backup_add_references(&w->out, err));
    rb_backup_file *file = w->out.file;
    RB_AUTO(rb_json_freep)
    json_t *about =
        rb_json_make("format:s about:J applied:J before:J tables:J references:J", RB_BACKUP_FORMAT,
                     w->spec->about, applied, tables, w->out.tables, w->out.references);
    w->out.file = NULL;
    return w->out.db->driver->backup_close(file, about, err);
}

static enum rb_code in_transaction(const rb_db *db, rb_err *err)
{
    if (!db->driver->in_transaction(db))
        return rb_fail(err, RB_ERROR, "internal error: a backup without a transaction");
    return RB_OK;
}

enum rb_code rb_db_backup(json_t **left_out, rb_db *db, const rb_backup_spec *spec, rb_err *err)
{
    writer w;
    RB_TRY(in_transaction(db, err));
    writer_init(&w, db, spec);
    enum rb_code code = db->driver->backup_open(&w.out.file, db, spec->path, RB_BACKUP_CREATE, err);
    bool created = code == RB_OK;
    if (created) {
        w.out.file->proceed = spec->proceed;
        w.out.file->context = spec->context;
        code = write_file(&w, err);
    }
    if (w.out.file)
        (void)!db->driver->backup_close(w.out.file, NULL, RB_IGNORED);
    if (code == RB_OK)
        *left_out = json_incref(w.left_out);
    writer_clear(&w);
    if (code != RB_OK && created)
        (void)!rb_dir_remove(spec->path, RB_IGNORED);
    return code;
}

enum rb_code rb_db_backup_size(int64_t *bytes, json_t **left_out, json_t **keyless, rb_db *db,
                               const rb_backup_spec *spec, rb_err *err)
{
    writer w;
    writer_init(&w, db, spec);
    enum rb_code code = each_table(bytes, &w, err);
    if (code == RB_OK) {
        *left_out = json_incref(w.left_out);
        *keyless = json_incref(w.keyless);
    }
    writer_clear(&w);
    return code;
}

enum rb_code rb_db_backup_positions(rb_db *db, const char *path, rb_err *err)
{
    rb_backup_file *file;
    enum rb_code code = RB_OK;
    RB_TRY(db->driver->backup_open(&file, db, path, RB_BACKUP_RESTORE, err));
    rb_json_each (t, json_object_get(file->about, "tables")) {
        const json_t *counter = json_object_get(t, "counter");
        if (code == RB_OK && json_is_object(counter))
            code = db->driver->set_counter(db, rb_json_str(t, "name"), counter, err);
    }
    (void)!db->driver->backup_close(file, NULL, RB_IGNORED);
    return code;
}
