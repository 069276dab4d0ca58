#include "database/sqlite/sqlite.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "database/sqlite/effects.h"

#define EPOCH 210866760000000 /* 1970-01-01 00:00 UTC, in ms since the Julian epoch */

/* Limits: */

#define TICK                                                                                       \
    1000 /* virtual machine instructions between two checks of the clock: about 50 us, or one      \
            large row */

void rb_db_temporary_folder(const char *dir)
{
    sqlite3_free(sqlite3_temp_directory);
    sqlite3_temp_directory = sqlite3_mprintf("%s", dir);
}

enum rb_code rb_sqlite_limit(rb_db *base, const rb_db_limits *limits, rb_err *err)
{
    rb_sqlite *db = rb_sqlite_of(base);
    rb_sqlite_state_of(db)->limits = *limits;
    rb_sqlite_clock_start(db, NULL);
    if (limits->memory)
        sqlite3_hard_heap_limit64((sqlite3_int64)limits->memory << 20);
    if (!limits->size)
        return RB_OK;
    int64_t page;
    RB_TRY(rb_sqlite_int(&page, db, rb_strdup("PRAGMA page_size"), err));
    const long long pages = (long long)(((int64_t)limits->size << 20) / page);
    RB_TRY(
        rb_sqlite_run(db, rb_format("PRAGMA temp.max_page_count = %lld", pages), NULL, NULL, err));
    return rb_sqlite_run(db, rb_format("PRAGMA main.max_page_count = %lld", pages), NULL, NULL,
                         err);
}

/* A VFS whose clock stands still, so that the same scripts give the same rows. SQLite asks a
 * connection's VFS for the time, so that each time needs a VFS. */

typedef struct standing {
    sqlite3_vfs vfs;
    sqlite3_int64 now; /* ms since the Julian epoch */
    char name[40];
} standing;

static int standing_clock(sqlite3_vfs *vfs, sqlite3_int64 *out)
{
    *out = ((const standing *)vfs)->now; /* the VFS is the first member of `standing` */
    return SQLITE_OK;
}

/* Returns the name of the VFS for that time, and registers it for the life of the process. NULL:
 * the host's clock. */
static const char *vfs_at(int64_t clock)
{
    char name[sizeof((standing *)0)->name];
    if (clock == RB_DB_CLOCK_REAL)
        return NULL;
    snprintf(name, sizeof name, "rbtool-%lld", (long long)clock);
    const sqlite3_vfs *known = sqlite3_vfs_find(name);
    if (known)
        return known->zName;
    standing *s = rb_calloc(1, sizeof *s);
    s->vfs = *sqlite3_vfs_find(NULL);
    memcpy(s->name, name, sizeof name);
    s->vfs.pNext = NULL;
    s->vfs.zName = s->name;
    s->vfs.xCurrentTimeInt64 = standing_clock;
    s->now = EPOCH + clock * 1000;
    sqlite3_vfs_register(&s->vfs, 0);
    return s->name;
}

/* Connections: */

static void state_free(void *owner)
{
    rb_sqlite_state *state = owner;
    if (state->limits.memory)
        sqlite3_hard_heap_limit64(0);
    rb_sqlite_close(state->before);
    rb_sqlite_drop_before(state);
    free(state->before_uri);
    rb_effects_forget(state);
    json_decref(state->mismatches);
    free(state->script);
    free(state);
}

static rb_strs extensions;
static rb_err extensions_fault; /* code RB_OK: no fault */

void rb_db_extensions_fail(const rb_err *why)
{
    extensions_fault = *why;
}

void rb_db_extensions(const rb_strs *paths)
{
    rb_strs_clear(&extensions);
    extensions_fault.code = RB_OK;
    for (size_t i = 0; i < paths->n; i++)
        rb_strs_add(&extensions, paths->items[i]);
}

/* Loading is allowed only here: load_extension() in a script is still refused. */
static enum rb_code load_extensions(rb_sqlite *db, rb_err *err)
{
    enum rb_code code = RB_OK;
    if (extensions_fault.code != RB_OK)
        *err = extensions_fault;
    if (extensions_fault.code != RB_OK || extensions.n == 0)
        return extensions_fault.code;
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 1, NULL);
    for (size_t i = 0; i < extensions.n && code == RB_OK; i++) {
        char *why = NULL;
        if (sqlite3_load_extension(db->handle, extensions.items[i], NULL, &why) != SQLITE_OK)
            code = rb_fail(err, RB_ERROR,
                           "SQLite extension %s, which git config rbtool.extension names, does not "
                           "load: %s",
                           extensions.items[i], why ? why : sqlite3_errmsg(db->handle));
        sqlite3_free(why);
    }
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
    return code;
}

static enum rb_code prepare(rb_sqlite *db, rb_err *err)
{
    rb_sqlite_state *state = rb_sqlite_state_of(db);
    state->db = db;
    sqlite3_set_authorizer(db->handle, rb_sqlite_authorize, state);
    sqlite3_progress_handler(db->handle, TICK, rb_sqlite_tick, state);
    return load_extensions(db, err);
}

static enum rb_code connect_at(rb_sqlite **out, const char *path, enum rb_sqlite_how how,
                               enum rb_sqlite_use use, int64_t clock, rb_err *err)
{
    rb_sqlite_state *state = rb_calloc(1, sizeof *state);
    state->options = (rb_sqlite_options){
        .vfs = vfs_at(clock),
        .prepare = prepare,
        .explain = rb_sqlite_explain_limit,
        .closed = state_free,
    };
    if (use == RB_SQLITE_SCRATCH)
        state->options.pragmas =
            "PRAGMA synchronous=OFF; PRAGMA secure_delete=OFF; PRAGMA cache_size=-65536";
    return rb_sqlite_open(out, path, how, &state->options, state, err);
}

enum rb_code rb_sqlite_connect(rb_sqlite **out, const char *path, enum rb_sqlite_how how,
                               enum rb_sqlite_use use, rb_err *err)
{
    return connect_at(out, path, how, use, RB_DB_CLOCK_REAL, err);
}

enum rb_code rb_sqlite_scratch(rb_sqlite **out, int64_t clock, rb_err *err)
{
    return connect_at(out, "", RB_SQLITE_CREATE, RB_SQLITE_SCRATCH, clock, err);
}

void rb_sqlite_interrupt(rb_db *db)
{
    sqlite3_interrupt(rb_sqlite_of(db)->handle);
}
