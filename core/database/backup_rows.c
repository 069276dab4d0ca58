#include "database/backup_rows.h"

#include <stdlib.h>
#include <string.h>

json_t *rb_backup_describe(const char *name, const char *kind, const json_t *key,
                           const json_t *columns, const json_t *shape)
{
    json_t *t = rb_json_make("name:s data:s kind:s key:J columns:J automatic:j compared:j "
                             "counter:0 definition:J gone:b moved:0 where:0",
                             name, name, kind, key, columns, json_array(), json_array(),
                             json_object_get(shape, "definition"), false);
    json_object_set(t, "sql", json_object_get(shape, "sql"));
    json_object_set(t, "types", json_object_get(shape, "types"));
    json_object_set(t, "sequence", json_object_get(shape, "sequence"));
    return t;
}

/* Returns the columns whose hash shows later whether a row was changed, if scripts write nothing
 * outside the backup; rb_db_backup_finish() checks that. Empty if the rows have to be compared
 * anyway. */
static json_t *rest_of(const json_t *t, const json_t *all)
{
    const char *kind = rb_json_str(t, "kind");
    if (strcmp(kind, "rows") == 0 || json_array_size(json_object_get(t, "key")) == 0)
        return json_array();
    return strcmp(kind, "values") == 0 ? rb_names_of(all, json_object_get(t, "columns"), false)
                                       : json_copy((json_t *)all);
}

enum rb_code rb_backup_copy_rows(rb_backup_rows *w, json_t *t, const json_t *shape,
                                 const char *from, rb_err *err)
{
    const json_t *columns = json_object_get(t, "columns");
    const char *rowid = rb_json_str(shape, "rowid");
    size_t place = 0;
    RB_AUTO(rb_json_freep) json_t *parts = json_object();
    RB_AUTO(rb_json_freep) json_t *rest = rest_of(t, json_object_get(shape, "columns"));
    while (json_array_get(w->tables, place) != t)
        place++;
    RB_AUTO(rb_free_str)
    char *data = rb_backup_is(t, "referenced")
                     ? rb_format("%s (referenced %zu)", rb_json_str(t, "name"), place + 1)
                     : rb_format("%s (%s)", rb_json_str(t, "name"), rb_json_str(t, "kind"));
    rb_json_set_str(t, "data", data);
    json_object_set(t, "compared", rest);
    if (json_array_size(json_object_get(t, "key")) > 0)
        rb_sql_put(parts, "key", rb_sql_list(json_object_get(t, "key"), "n.@", ", "));
    else if (rowid)
        rb_sql_put(parts, "key", rb_format("n.%s", rowid));
    rb_sql_put(parts, "null", rb_sql_list(json_object_get(t, "key"), "n.@ IS NULL", " OR "));
    rb_sql_put(parts, "columns", rb_sql_list(columns, ", n.@", ""));
    rb_sql_put(parts, "hash", rb_sql_hash(w->db, "n", rest));
    rb_json_set_str(parts, "from", from);
    RB_AUTO(rb_free_str)
    char *select =
        rb_sql_fill(parts, json_array_size(rest) == 0
                               ? "SELECT {key}{columns}, NULL, NULL FROM {from}"
                               : "SELECT {key}{columns}, CASE WHEN {null} THEN 'moved' ELSE 'kept'"
                                 " END, CASE WHEN NOT {null} THEN {hash} END FROM {from}");
    return w->db->driver->backup_copy(w->file, t, select, err);
}

/* Rows that others refer to are collected in temporary tables, until no more are found. */

/* Sets {parents}, the temporary table for the parent rows of t, and {index}, its index. */
static void set_parents(json_t *parts, const rb_backup_rows *w, const json_t *t)
{
    size_t i = 0;
    while (json_array_get(w->tables, i) != t)
        i++;
    rb_sql_put(parts, "parents", rb_format("\"rbtool parents %zu\"", i + 1));
    rb_sql_put(parts, "index", rb_format("\"rbtool parent keys %zu\"", i + 1));
    rb_sql_put(parts, "to", rb_sql_list(json_object_get(t, "key"), "@", ", "));
    rb_sql_put(parts, "rest", rb_sql_list(json_object_get(t, "columns"), ", @", ""));
}

/* Adds a table to the backup for referenced rows of `name`. to: the columns that identify them. */
static enum rb_code add_referenced(json_t **out, rb_backup_rows *w, const char *name,
                                   const json_t *to, const json_t *shape, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *keys = NULL;
    RB_AUTO(rb_json_freep) json_t *parts = json_object();
    RB_AUTO(rb_json_freep) json_t *all = json_array();
    RB_TRY(w->db->driver->foreign_keys(&keys, w->db, name, err));
    rb_json_each (key, keys)
        json_array_extend(all, json_object_get(key, "columns"));
    RB_AUTO(rb_json_freep)
    json_t *named = rb_names_of(json_object_get(shape, "columns"), all, true);
    RB_AUTO(rb_json_freep) json_t *columns = rb_names_of(named, to, false);
    *out = rb_backup_describe(name, "referenced", to, columns, shape);
    json_array_append_new(w->tables, *out);
    rb_sql_set_table(parts, NULL, *out, shape);
    set_parents(parts, w, *out);
    RB_TRY(rb_sql_run(w->db, parts,
                      "CREATE TEMPORARY TABLE {parents} AS SELECT {to}{rest} FROM {live} WHERE 1 ="
                      " 0",
                      err));
    return rb_sql_run(w->db, parts, "CREATE UNIQUE INDEX {index} ON {parents}({to})", err);
}

/* Returns the backup's table that has the referenced rows: all rows, or those with the same key.
 * NULL if none. */
static json_t *find_parent(const rb_backup_rows *w, const char *name, const json_t *to)
{
    rb_json_each (t, w->tables) {
        const json_t *key = json_object_get(t, "key");
        bool same = json_array_size(key) == json_array_size(to) && rb_names_have_all(key, to);
        if (strcmp(rb_json_str(t, "name"), name) == 0 &&
            (rb_backup_is(t, "rows") || (rb_backup_is(t, "referenced") && same)))
            return t;
    }
    return NULL;
}

static enum rb_code add_reference(rb_backup_rows *w, size_t child, const json_t *key, rb_err *err)
{
    const json_t *t = json_array_get(w->tables, child);
    const char *name = rb_json_str(key, "table");
    const json_t *columns = json_object_get(key, "columns");
    RB_AUTO(rb_json_freep) json_t *shape = NULL;
    RB_AUTO(rb_json_freep) json_t *stored = json_copy(json_object_get(t, "key"));
    json_array_extend(stored, json_object_get(t, "columns"));
    RB_TRY(w->db->driver->table(&shape, w->db, name, err));
    const json_t *to = json_object_get(key, "to");
    if (json_array_size(to) == 0)
        to = json_object_get(shape, "key");
    if (!shape || json_array_size(to) != json_array_size(columns) ||
        !rb_names_have_all(stored, columns) ||
        !rb_names_have_all(json_object_get(shape, "columns"), to))
        return RB_OK;
    json_t *parent = find_parent(w, name, to);
    if (!parent)
        RB_TRY(add_referenced(&parent, w, name, to, shape, err));
    size_t place = 0;
    while (json_array_get(w->tables, place) != parent)
        place++;
    json_array_append_new(w->references, rb_json_make("child:i columns:J parent:i parentColumns:J",
                                                      (int64_t)child, columns, (int64_t)place, to));
    return RB_OK;
}

/* Sets {children}: an expression for the database's rows that a table of the backup has, as d. */
static enum rb_code set_children(json_t *parts, const rb_backup_rows *w, const json_t *t,
                                 rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *shape = NULL;
    RB_AUTO(rb_json_freep) json_t *own = json_object();
    const char *where = rb_json_str(t, "where");
    RB_TRY(w->db->driver->table(&shape, w->db, rb_json_str(t, "name"), err));
    rb_sql_set_table(own, NULL, t, shape);
    set_parents(own, w, t);
    rb_json_set_str(own, "where", where ? where : "1 = 1");
    rb_sql_put(parts, "children",
               rb_sql_fill(own, rb_backup_is(t, "referenced")
                                    ? "{parents} AS d"
                                    : "(SELECT * FROM {live} AS n WHERE {where}) AS d"));
    return RB_OK;
}

/* Adds the rows that one reference points to and that are not in the temporary table yet. */
static enum rb_code add_parents(bool *more, const rb_backup_rows *w, const json_t *reference,
                                rb_err *err)
{
    const json_t *child = json_array_get(w->tables, (size_t)rb_json_int(reference, "child", 0));
    const json_t *parent = json_array_get(w->tables, (size_t)rb_json_int(reference, "parent", 0));
    RB_AUTO(rb_json_freep) json_t *shape = NULL;
    RB_AUTO(rb_json_freep) json_t *parts = json_object();
    int64_t before;
    int64_t after;
    if (!rb_backup_is(parent, "referenced"))
        return RB_OK;
    RB_TRY(w->db->driver->table(&shape, w->db, rb_json_str(parent, "name"), err));
    rb_sql_set_table(parts, NULL, parent, shape);
    set_parents(parts, w, parent);
    RB_TRY(set_children(parts, w, child, err));
    rb_sql_put(parts, "own", rb_sql_list(json_object_get(parent, "key"), "n.@", ", "));
    rb_sql_put(parts, "more", rb_sql_list(json_object_get(parent, "columns"), ", n.@", ""));
    rb_sql_put(parts, "refers",
               rb_sql_refers(shape, json_object_get(reference, "parentColumns"), "d",
                             json_object_get(reference, "columns")));
    RB_TRY(rb_sql_number(&before, w->db, parts, "SELECT count(*) FROM {parents}", err));
    RB_TRY(rb_sql_run(w->db, parts,
                      "INSERT INTO {parents} SELECT {own}{more} FROM {children} JOIN {live} AS n ON"
                      " {refers} WHERE 1 = 1 ON CONFLICT DO NOTHING",
                      err));
    RB_TRY(rb_sql_number(&after, w->db, parts, "SELECT count(*) FROM {parents}", err));
    *more |= after > before;
    return RB_OK;
}

static enum rb_code copy_parents(rb_backup_rows *w, json_t *t, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *shape = NULL;
    RB_AUTO(rb_json_freep) json_t *parts = json_object();
    RB_TRY(w->db->driver->table(&shape, w->db, rb_json_str(t, "name"), err));
    rb_sql_set_table(parts, NULL, t, shape);
    set_parents(parts, w, t);
    RB_AUTO(rb_free_str) char *from = rb_sql_fill(parts, "{parents} AS d JOIN {live} AS n ON {on}");
    RB_TRY(rb_backup_copy_rows(w, t, shape, from, err));
    return rb_sql_run(w->db, parts, "DROP TABLE {parents}", err);
}

enum rb_code rb_backup_add_references(rb_backup_rows *w, rb_err *err)
{
    size_t own = json_array_size(w->tables);
    for (size_t child = 0; child < json_array_size(w->tables); child++) {
        RB_AUTO(rb_json_freep) json_t *keys = NULL;
        const char *name = rb_json_str(json_array_get(w->tables, child), "name");
        RB_TRY(w->db->driver->foreign_keys(&keys, w->db, name, err));
        rb_json_each (item, keys)
            RB_TRY(add_reference(w, child, item, err)); /* may append to w->tables */
    }
    for (bool more = true; more;) {
        more = false;
        rb_json_each (item, w->references)
            RB_TRY(add_parents(&more, w, item, err));
    }
    rb_json_each (item, w->tables)
        if (item_at >= own)
            RB_TRY(copy_parents(w, item, err));
    return RB_OK;
}
