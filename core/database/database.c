#include "catalog/name.h"
#include "database/driver.h"
#include "database/url.h"

#include <string.h>

static const rb_db_driver *const drivers[] = {&rb_sqlite_driver, &rb_postgres_driver};

static const rb_db_driver *find(const char *engine, size_t len)
{
    for (size_t i = 0; i < sizeof drivers / sizeof *drivers; i++)
        if (strlen(drivers[i]->engine) == len && memcmp(drivers[i]->engine, engine, len) == 0)
            return drivers[i];
    return NULL;
}

const rb_db_driver *rb_engine_driver(const char *engine)
{
    return find(engine, strlen(engine));
}

bool rb_engine_known(const char *engine)
{
    return find(engine, strlen(engine)) != NULL;
}

const char *rb_engine_shell(const char *engine)
{
    const rb_db_driver *driver = find(engine, strlen(engine));
    return driver ? driver->shell : "";
}

const char *rb_engine_programs(const char *engine)
{
    const rb_db_driver *driver = find(engine, strlen(engine));
    return driver ? driver->programs : "";
}

void rb_engine_outside(const char *engine, const char *sql, size_t len, rb_outside_found *found,
                       void *context)
{
    const rb_db_driver *driver = find(engine, strlen(engine));
    if (driver)
        driver->outside(sql, len, found, context);
}

/* Finds the driver for a url. Errors do not show the url: it may contain a password. */
static enum rb_code driver_of(const rb_db_driver **out, const char **rest, const char *url,
                              rb_err *err)
{
    size_t len = strcspn(url, ":");
    const char *engine = rb_url_engine(url, rest);
    *out = engine ? find(engine, strlen(engine)) : NULL;
    if (*out)
        return RB_OK;
    return rb_fail(err, RB_ERROR,
                   "a database url starting with \"%.*s\" is not understood\nwrite " RB_URL_WORDS,
                   (int)(len > 20 ? 20 : len), url);
}

enum rb_code rb_db_open(rb_db **out, const char *url, enum rb_db_mode mode, rb_err *err)
{
    const rb_db_driver *driver;
    const char *rest;
    RB_TRY(driver_of(&driver, &rest, url, err));
    return driver->open(out, rest, mode, err);
}

enum rb_code rb_db_make_writable(bool *done, rb_db *db, rb_err *err)
{
    *done = db->driver->make_writable != NULL;
    return *done ? db->driver->make_writable(db, err) : RB_OK;
}

enum rb_code rb_db_inspect(rb_db_target *out, const char *url, rb_err *err)
{
    const rb_db_driver *driver;
    const char *rest;
    RB_TRY(driver_of(&driver, &rest, url, err));
    return driver->inspect(out, rest, err);
}

enum rb_code rb_db_discard(const char *url, rb_err *err)
{
    const rb_db_driver *driver;
    const char *rest;
    RB_TRY(driver_of(&driver, &rest, url, err));
    return driver->discard(rest, err);
}

const char *const *rb_db_files_beside(const char *url)
{
    static const char *const none[] = {NULL};
    const char *engine = rb_url_engine(url, NULL);
    const rb_db_driver *driver = engine ? find(engine, strlen(engine)) : NULL;
    return driver && driver->beside ? driver->beside : none;
}

const char *rb_db_backup_suffix(const char *url)
{
    const char *engine = rb_url_engine(url, NULL);
    const rb_db_driver *driver = engine ? find(engine, strlen(engine)) : NULL;
    return driver ? driver->backup_suffix : "";
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
    return db->driver->rehearse(out, db, dir, rows, err);
}

enum rb_code rb_db_copy(char **url, const char *from, const char *dump, const char *into,
                        rb_err *err)
{
    const rb_db_driver *driver;
    const char *rest;
    RB_AUTO(rb_db_closep) rb_db *db = NULL;
    rb_db_target target;
    RB_TRY(driver_of(&driver, &rest, from, err));
    RB_TRY(driver->inspect(&target, rest, err));
    if (!dump && target.exists)
        RB_TRY(driver->open(&db, rest, RB_DB_READ, err));
    return driver->copy(url, db, dump, into, err);
}

enum rb_code rb_db_scratch(rb_db **out, const char *engine, int64_t clock, rb_err *err)
{
    const rb_db_driver *driver = find(engine, strlen(engine));
    if (!driver)
        return rb_fail(err, RB_ERROR,
                       "database engine \"%s\" is not known\nknown: sqlite, postgresql", engine);
    return driver->scratch(out, clock, err);
}

enum rb_code rb_db_scratch_at(rb_db **out, size_t *which, const char *engine, const rb_strs *keys,
                              rb_err *err)
{
    const rb_db_driver *driver = find(engine, strlen(engine));
    *out = NULL;
    return driver && driver->scratch_at ? driver->scratch_at(out, which, keys, err) : RB_OK;
}

enum rb_scratch_place rb_db_scratch_place(const char *engine)
{
    const rb_db_driver *driver = find(engine, strlen(engine));
    if (!driver || !driver->scratch_start)
        return RB_SCRATCH_HERE;
    return driver->scratch_server(NULL) ? RB_SCRATCH_SERVER : RB_SCRATCH_PRIVATE;
}

enum rb_code rb_db_scratch_server(const char *url, rb_err *err)
{
    const char *engine = rb_url_engine(url, NULL);
    const rb_db_driver *driver = engine ? find(engine, strlen(engine)) : NULL;
    if (!driver || !driver->scratch_server)
        return rb_fail(err, RB_ERROR,
                       "RBTOOL_SCRATCH_URL is not the url of a PostgreSQL server\nwrite "
                       "postgresql://USER@HOST/DATABASE with an empty database");
    (void)driver->scratch_server(url);
    return RB_OK;
}

enum rb_code rb_db_scratch_start(const char *engine, const rb_db_limits *limits, rb_err *err)
{
    const rb_db_driver *driver = find(engine, strlen(engine));
    return driver && driver->scratch_start ? driver->scratch_start(limits, err) : RB_OK;
}

void rb_db_scratch_cache(const char *dir)
{
    for (size_t i = 0; i < sizeof drivers / sizeof *drivers; i++)
        if (drivers[i]->scratch_cache)
            drivers[i]->scratch_cache(dir);
}

void rb_db_scratch_allow(const rb_strs *extensions, bool code)
{
    for (size_t i = 0; i < sizeof drivers / sizeof *drivers; i++)
        if (drivers[i]->scratch_allow)
            drivers[i]->scratch_allow(extensions, code);
}

void rb_db_scratch_stop(void)
{
    for (size_t i = 0; i < sizeof drivers / sizeof *drivers; i++)
        if (drivers[i]->scratch_stop)
            drivers[i]->scratch_stop();
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
