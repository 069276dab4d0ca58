/* The database engines, and what finds one by its name or by a url. */
#include <string.h>

#include "database/driver.h"
#include "database/url.h"

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

const char *rb_engine_between(const char *engine)
{
    const rb_db_driver *driver = find(engine, strlen(engine));
    return driver ? driver->between : "";
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

/* Names the driver in a connection that it has opened, if any. Returns `code`. */
static enum rb_code opened(rb_db **db, const rb_db_driver *driver, enum rb_code code)
{
    if (code == RB_OK && *db)
        (*db)->driver = driver;
    return code;
}

enum rb_code rb_db_open(rb_db **out, const char *url, enum rb_db_mode mode, rb_err *err)
{
    const rb_db_driver *driver;
    const char *rest;
    RB_TRY(driver_of(&driver, &rest, url, err));
    return opened(out, driver, driver->open(out, rest, mode, err));
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
        RB_TRY(opened(&db, driver, driver->open(&db, rest, RB_DB_READ, err)));
    return driver->copy(url, db, dump, into, err);
}

enum rb_code rb_db_scratch(rb_db **out, const char *engine, int64_t clock, rb_err *err)
{
    const rb_db_driver *driver = find(engine, strlen(engine));
    if (!driver)
        return rb_fail(err, RB_ERROR,
                       "database engine \"%s\" is not known\nknown: sqlite, postgresql", engine);
    return opened(out, driver, driver->scratch(out, clock, err));
}

enum rb_code rb_db_scratch_at(rb_db **out, size_t *which, const char *engine, const rb_strs *keys,
                              rb_err *err)
{
    const rb_db_driver *driver = find(engine, strlen(engine));
    *out = NULL;
    return driver && driver->scratch_at
               ? opened(out, driver, driver->scratch_at(out, which, keys, err))
               : RB_OK;
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
