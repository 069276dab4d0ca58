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

static int tick(void *context)
{
    const rb_sqlite_state *state = context;
    return state->deadline && rb_clock_ms() >= state->deadline;
}

void rb_sqlite_clock_start(rb_sqlite *db, const rb_db_text *sql)
{
    rb_sqlite_state *state = rb_sqlite_state_of(db);
    if (sql) {
        RB_AUTO(rb_free_str) char *script = rb_format("%s: %s", sql->what, sql->file);
        free(state->script);
        state->script = rb_safe(script);
    }
    const char *place = sql ? "" : "in a table, view or trigger, after ";
    RB_AUTO(rb_free_str)
    char *what = rb_format("%s%s", place, state->script ? state->script : "nothing");
    if (state->limits.watch)
        state->limits.watch(&state->limits, what);
    state->deadline =
        state->limits.seconds ? rb_clock_ms() + (int64_t)state->limits.seconds * 1000 : 0;
}

void rb_sqlite_clock_stop(rb_sqlite *db)
{
    rb_sqlite_state *state = rb_sqlite_state_of(db);
    if (state->limits.statements)
        state->deadline = 0;
    else
        rb_sqlite_clock_start(db, NULL);
}

enum rb_sqlite_limit rb_sqlite_limit_hit(rb_sqlite *db)
{
    rb_sqlite_state *state = rb_sqlite_state_of(db);
    int rc = sqlite3_errcode(db->handle) & 0xff;
    enum rb_sqlite_limit hit = RB_LIMIT_NONE;
    if (rc == SQLITE_INTERRUPT && tick(state))
        hit = RB_LIMIT_SECONDS;
    else if (rc == SQLITE_NOMEM && state->limits.memory)
        hit = RB_LIMIT_MEMORY;
    else if (rc == SQLITE_FULL && state->limits.size)
        hit = RB_LIMIT_SIZE;
    state->limited |= hit != RB_LIMIT_NONE;
    return hit;
}

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

rb_sqlite *rb_sqlite_of(const rb_db *db)
{
    return ((const rb_sqlite_state *)db)->db; /* the rb_db is the first member of the state */
}

rb_sqlite_state *rb_sqlite_state_of(const rb_sqlite *db)
{
    return db->owner;
}

rb_db *rb_sqlite_base(const rb_sqlite *db)
{
    return &rb_sqlite_state_of(db)->base;
}

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
    sqlite3_progress_handler(db->handle, TICK, tick, state);
    return load_extensions(db, err);
}

static enum rb_code connect_at(rb_sqlite **out, const char *path, enum rb_sqlite_how how,
                               enum rb_sqlite_use use, int64_t clock, rb_err *err)
{
    rb_sqlite_state *state = rb_calloc(1, sizeof *state);
    state->base.driver = &rb_sqlite_driver;
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
