/* Functions of an open database: they call its driver. */
#include "catalog/name.h"
#include "database/driver.h"

#include <string.h>

enum rb_code rb_db_make_writable(bool *done, rb_db *db, rb_err *err)
{
    *done = db->driver->make_writable != NULL;
    return *done ? db->driver->make_writable(db, err) : RB_OK;
}

enum rb_code rb_db_size(int64_t *bytes, rb_db *db, rb_err *err)
{
    return db->driver->size(bytes, db, err);
}

enum rb_code rb_db_data_version(int64_t *out, rb_db *db, rb_err *err)
{
    return db->driver->data_version(out, db, err);
}

enum rb_code rb_db_rehearse(rb_db **out, rb_db *db, const char *dir, bool rows, rb_err *err)
{
    RB_TRY(db->driver->rehearse(out, db, dir, rows, err));
    (*out)->driver = db->driver;
    return RB_OK;
}

void rb_db_close(rb_db *db)
{
    if (db)
        db->driver->close(db);
}

const char *rb_db_engine(const rb_db *db)
{
    return db->driver->engine;
}

enum rb_code rb_db_identity(char **out, rb_db *db, rb_err *err)
{
    return db->driver->identity(out, db, err);
}

enum rb_code rb_db_label(rb_db *db, const char *transition, rb_err *err)
{
    RB_AUTO(rb_free_str) char *label = rb_format(RB_DB_LABEL, transition);
    return db->driver->label ? db->driver->label(db, label, err) : RB_OK;
}

const char *rb_db_version(const rb_db *db)
{
    return db->driver->version(db);
}

void rb_db_interrupt(rb_db *db)
{
    db->driver->interrupt(db);
}

enum rb_code rb_db_limit(rb_db *db, const rb_db_limits *limits, rb_err *err)
{
    return db->driver->limit(db, limits, err);
}

bool rb_db_limited(const rb_db *db)
{
    return db->driver->limited(db);
}

enum rb_code rb_db_exec(rb_db *db, const char *sql, const json_t *params, rb_err *err)
{
    return db->driver->query(NULL, db, 0, sql, params, err);
}

enum rb_code rb_db_query(json_t **rows, rb_db *db, const char *sql, const json_t *params,
                         rb_err *err)
{
    return rb_db_query_within(rows, db, RB_DB_QUERY_LIMIT, sql, params, err);
}

enum rb_code rb_db_query_within(json_t **rows, rb_db *db, size_t limit, const char *sql,
                                const json_t *params, rb_err *err)
{
    return db->driver->query(rows, db, limit, sql, params, err);
}

enum rb_code rb_db_columns(rb_strs *names, rb_db *db, const char *table, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *params = json_pack("[s]", table);
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    RB_TRY(rb_db_query(&rows, db, db->driver->columns_sql, params, err));
    rb_json_each (row, rows)
        if (json_is_string(json_array_get(row, 0)))
            rb_strs_add(names, json_string_value(json_array_get(row, 0)));
    return RB_OK;
}

enum rb_code rb_db_has_table(bool *out, rb_db *db, const char *table, rb_err *err)
{
    RB_AUTO(rb_strs_clear) rb_strs columns = {0};
    RB_TRY(rb_db_columns(&columns, db, table, err));
    *out = columns.n > 0;
    return RB_OK;
}

enum rb_code rb_db_make_table(rb_db *db, const char *table, const char *sql, rb_err *err)
{
    bool exists;
    RB_TRY(rb_db_has_table(&exists, db, table, err));
    return exists ? RB_OK : rb_db_exec(db, sql, NULL, err);
}

enum rb_code rb_db_check(json_t **rows, rb_db *db, const char *sql, size_t limit, rb_err *err)
{
    return db->driver->check(rows, db, sql, limit, err);
}

enum rb_code rb_db_begin(rb_db *db, rb_err *err)
{
    return db->driver->begin(db, err);
}

enum rb_code rb_db_commit(rb_db *db, rb_err *err)
{
    return db->driver->commit(db, err);
}

void rb_db_rollback(rb_db *db)
{
    db->driver->rollback(db);
}

enum rb_code rb_db_locks(json_t **out, rb_db *db, const json_t *before, rb_err *err)
{
    *out = NULL;
    return db->driver->locks ? db->driver->locks(out, db, before, err) : RB_OK;
}

enum rb_code rb_db_lock_tables(rb_db *db, const json_t *locks, rb_err *err)
{
    if (!db->driver->lock_tables || json_array_size(locks) == 0)
        return RB_OK;
    return db->driver->lock_tables(db, locks, err);
}

enum rb_code rb_db_recovery_point(json_t **out, rb_db *db, const char *name, rb_err *err)
{
    *out = NULL;
    return db->driver->recovery_point ? db->driver->recovery_point(out, db, name, err) : RB_OK;
}

enum rb_code rb_db_obstacles(json_t **out, rb_db *db, const json_t *effects, rb_err *err)
{
    if (db->driver->obstacles)
        return db->driver->obstacles(out, db, effects, err);
    *out = json_array();
    return RB_OK;
}

enum rb_code rb_db_catalog(json_t **out, rb_db *db, rb_err *err)
{
    return db->driver->catalog(out, db, err);
}

enum rb_code rb_catalog_now_read(rb_catalog_now *out, rb_db *db, rb_err *err)
{
    *out = (rb_catalog_now){0};
    RB_TRY(rb_db_catalog(&out->catalog, db, err));
    rb_json_canonical(&out->text, out->catalog);
    return RB_OK;
}

void rb_catalog_now_clear(rb_catalog_now *now)
{
    json_decref(now->catalog);
    rb_buf_clear(&now->text);
    *now = (rb_catalog_now){0};
}

enum rb_code rb_db_count_rows(int64_t *out, rb_db *db, const json_t *catalog, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *places = json_array();
    RB_AUTO(rb_json_freep) json_t *counted = NULL;
    rb_json_each_member (key, value, catalog) {
        RB_AUTO(rb_catalog_name_clear) rb_catalog_name name = {0};
        if (rb_catalog_is(key, "table") && rb_catalog_name_parse(&name, key))
            json_array_append_new(places, rb_json_make("table:s column:0", name.name));
    }
    *out = 0;
    RB_TRY(db->driver->count(&counted, db, places, err));
    rb_json_each (item, counted)
        *out += rb_json_int(item, "rows", 0);
    return RB_OK;
}

enum rb_code rb_db_facts(json_t **out, rb_db *db, rb_err *err)
{
    const rb_db_driver *driver = db->driver;
    return (driver->facts ? driver->facts : driver->settings)(out, db, err);
}
