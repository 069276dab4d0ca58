#include "database/sqlite/sqlite.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/anchor.h"
#include "base/file.h"
#include "database/sqlite/watch.h"

#define EPOCH 210866760000000 /* 1970-01-01 00:00 UTC, in ms since the Julian epoch */
#define BACKUP_PAGES 1024

/* Causes of failures */

enum rb_sqlite_cause rb_sqlite_cause(const rb_sqlite *db)
{
    switch (sqlite3_errcode(db->handle) & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return RB_CAUSE_BUSY;
    case SQLITE_FULL:
        return RB_CAUSE_FULL;
    case SQLITE_IOERR:
        return RB_CAUSE_IO;
    case SQLITE_CORRUPT:
        return RB_CAUSE_DAMAGED;
    case SQLITE_NOTADB:
        return RB_CAUSE_NO_DATABASE;
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return RB_CAUSE_READONLY;
    case SQLITE_CANTOPEN:
        return RB_CAUSE_CANNOT_OPEN;
    case SQLITE_INTERRUPT:
        return RB_CAUSE_INTERRUPTED;
    case SQLITE_CONSTRAINT:
        return RB_CAUSE_CONSTRAINT;
    default:
        return RB_CAUSE_OTHER;
    }
}

const char *rb_sqlite_message(const rb_sqlite *db)
{
    return sqlite3_errmsg(db->handle);
}

int rb_sqlite_errno(const rb_sqlite *db)
{
    return sqlite3_system_errno(db->handle);
}

/* Limits */

#define TICK 1000 /* instructions between two looks at the clock, some 50 us or one large row */

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int tick(void *context)
{
    const rb_sqlite *db = context;
    return db->deadline && now_ms() >= db->deadline;
}

void rb_sqlite_clock_start(rb_sqlite *db, const rb_db_text *sql)
{
    if (sql) {
        RB_AUTO(rb_free_str) char *script = rb_format("%s: %s", sql->what, sql->file);
        free(db->script);
        db->script = rb_safe(script);
    }
    const char *place = sql ? "" : "in a table, view or trigger, after ";
    RB_AUTO(rb_free_str) char *what = rb_format("%s%s", place, db->script ? db->script : "nothing");
    if (db->limits.watch)
        db->limits.watch(&db->limits, what);
    db->deadline = db->limits.seconds ? now_ms() + (int64_t)db->limits.seconds * 1000 : 0;
}

void rb_sqlite_clock_stop(rb_sqlite *db)
{
    if (db->limits.statements)
        db->deadline = 0;
    else
        rb_sqlite_clock_start(db, NULL);
}

enum rb_sqlite_limit rb_sqlite_limit_hit(rb_sqlite *db)
{
    int rc = sqlite3_errcode(db->handle) & 0xff;
    enum rb_sqlite_limit hit = RB_LIMIT_NONE;
    if (rc == SQLITE_INTERRUPT && tick(db))
        hit = RB_LIMIT_SECONDS;
    else if (rc == SQLITE_NOMEM && db->limits.memory)
        hit = RB_LIMIT_MEMORY;
    else if (rc == SQLITE_FULL && db->limits.size)
        hit = RB_LIMIT_SIZE;
    db->limited |= hit != RB_LIMIT_NONE;
    return hit;
}

void rb_db_temporary_folder(const char *dir)
{
    sqlite3_free(sqlite3_temp_directory);
    sqlite3_temp_directory = sqlite3_mprintf("%s", dir);
}

enum rb_code rb_sqlite_limit(rb_db *base, const rb_db_limits *limits, rb_err *err)
{
    rb_sqlite *db = (rb_sqlite *)base;
    db->limits = *limits;
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

/* A clock that stands still: the same scripts give the same rows. SQLite asks the VFS of a
 * connection for the time, so there is one VFS for each time. */

typedef struct standing {
    sqlite3_vfs vfs;
    sqlite3_int64 now; /* ms since the Julian epoch */
    char name[40];
} standing;

static int standing_clock(sqlite3_vfs *vfs, sqlite3_int64 *out)
{
    *out = ((const standing *)vfs)->now; /* the VFS is its first member */
    return SQLITE_OK;
}

/*
 * SQLite resolves every symlink of a name as text before it opens it, and would turn the name of
 * an anchor (/proc/self/fd/N, see base/anchor.h) back into a path that another user may exchange.
 * For SQLite such a name is therefore the folder that it leads to. Comparing fstat() after the
 * open would be no substitute: SQLite opens, syncs and removes its journals by name later, too.
 */
static int look(const char *path, struct stat *st)
{
    static const char prefix[] = "/proc/self/fd/";
    bool is_anchor =
        strncmp(path, prefix, sizeof prefix - 1) == 0 && !strchr(path + sizeof prefix - 1, '/');
    return is_anchor ? stat(path, st) : lstat(path, st);
}

static void register_look(void)
{
    static bool done;
    if (done)
        return;
    done = true;
    sqlite3_vfs *vfs = sqlite3_vfs_find("unix");
    if (vfs && vfs->iVersion >= 3)
        vfs->xSetSystemCall(vfs, "lstat", (sqlite3_syscall_ptr)look);
}

/* Name of the VFS, registered once and for the life of the process. NULL: the host's clock. */
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

static int authorize(void *context, int action, const char *one, const char *two,
                     const char *schema, const char *trigger)
{
    rb_sqlite *db = context;
    bool allowed = true;
    /* A trigger or a view is the user's code, even if a statement of rbtool's own runs it. */
    if (action == SQLITE_FUNCTION && (trigger || db->guard != RB_GUARD_NONE))
        return rb_sqlite_allowed(db, RB_ACTION_FUNCTION, two, NULL) ? SQLITE_OK : SQLITE_DENY;
    if (db->guard == RB_GUARD_NONE)
        return SQLITE_OK;
    db->virtual_changed |= action == SQLITE_CREATE_VTABLE || action == SQLITE_DROP_VTABLE;
    db->renamed |= action == SQLITE_ALTER_TABLE;
    db->untidy |= action == SQLITE_PRAGMA || (schema && strcmp(schema, "temp") == 0);
    if (action == SQLITE_ATTACH || action == SQLITE_DETACH)
        allowed = rb_sqlite_allowed(db, RB_ACTION_ATTACH, one, NULL);
    else if (action == SQLITE_TRANSACTION || action == SQLITE_SAVEPOINT)
        allowed = rb_sqlite_allowed(db, RB_ACTION_TRANSACTION, one, two);
    else if (action == SQLITE_PRAGMA)
        allowed = rb_sqlite_allowed(db, RB_ACTION_PRAGMA, one, two);
    else if (action == SQLITE_CREATE_VTABLE)
        allowed = rb_sqlite_allowed(db, RB_ACTION_MODULE, one, two);
    else if (action == SQLITE_CREATE_TRIGGER || action == SQLITE_CREATE_TEMP_TRIGGER ||
             action == SQLITE_CREATE_INDEX || action == SQLITE_CREATE_TEMP_TABLE ||
             action == SQLITE_CREATE_TEMP_VIEW)
        allowed = rb_sqlite_allowed(db, RB_ACTION_ATTACHED_TO, two, NULL) &&
                  rb_sqlite_allowed(db, RB_ACTION_ATTACHED_TO, one, NULL);
    else if (action == SQLITE_READ && db->watch)
        rb_watch_read(db->watch, one, two);
    else if (action == SQLITE_SELECT && db->watch)
        db->watch->selects = true;
    else if (action == SQLITE_INSERT || action == SQLITE_UPDATE || action == SQLITE_DELETE ||
             action == SQLITE_CREATE_TABLE || action == SQLITE_CREATE_VIEW)
        allowed = rb_sqlite_allowed(db, RB_ACTION_WRITE, one, NULL);
    else if (action == SQLITE_DROP_TABLE || action == SQLITE_DROP_VTABLE)
        allowed = rb_sqlite_allowed(db, RB_ACTION_DROP, one, schema);
    else if (action == SQLITE_ALTER_TABLE)
        allowed = rb_sqlite_allowed(db, RB_ACTION_ALTER, two, one);
    return allowed ? SQLITE_OK : SQLITE_DENY;
}

/* Connections */

void rb_sqlite_close(rb_sqlite *db)
{
    if (!db)
        return;
    rb_stmt_free(db->lasting);
    if (db->limits.memory)
        sqlite3_hard_heap_limit64(0);
    sqlite3_close_v2(db->handle);
    rb_watch_free(db->watch);
    json_decref(db->mismatches);
    rb_buf_clear(&db->denied);
    free(db->path);
    free(db->script);
    free(db);
}

static rb_strs extensions;
static rb_err extensions_fault; /* code RB_OK: none */

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

/* Allowed for the time of loading, and to us only: load_extension() in a script stays refused. */
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

/* TRUSTED_SCHEMA stays on: without it SQLite 3.40 refuses FTS and R-Tree tables in triggers. */
static enum rb_code set_up(rb_sqlite *db, enum rb_sqlite_how how, enum rb_sqlite_use use,
                           rb_err *err)
{
    sqlite3 *handle = db->handle;
    sqlite3_busy_timeout(handle, RB_SQLITE_BUSY_MS);
    sqlite3_extended_result_codes(handle, 1);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, 0, NULL);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_VIEW, use != RB_SQLITE_OWN, NULL);
    rb_sqlite_triggers(db, use != RB_SQLITE_OWN); /* a journal has neither, unless planted */
    if (use != RB_SQLITE_OWN) {
        sqlite3_set_authorizer(handle, authorize, db);
        sqlite3_progress_handler(handle, TICK, tick, db);
        rb_sqlite_note_changes(db);
        RB_TRY(load_extensions(db, err));
    }
    /* EXTRA syncs the folder too when the journal goes, so that a commit outlives a power cut. */
    const char *sql = how >= RB_SQLITE_WRITE ? "PRAGMA synchronous=EXTRA" : "PRAGMA query_only=ON";
    if (use == RB_SQLITE_SCRATCH)
        sql = "PRAGMA synchronous=OFF; PRAGMA secure_delete=OFF; PRAGMA cache_size=-65536";
    RB_TRY(rb_sqlite_each(db, sql, NULL, NULL, NULL, err));
    return rb_sqlite_each(db, "SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL, err);
}

static enum rb_code connect_at(rb_sqlite **out, const char *path, enum rb_sqlite_how how,
                               enum rb_sqlite_use use, int64_t clock, rb_err *err)
{
    static const int flags[] = {
        [RB_SQLITE_READ] = SQLITE_OPEN_READONLY,
        [RB_SQLITE_RECOVER] = SQLITE_OPEN_READWRITE,
        [RB_SQLITE_WRITE] = SQLITE_OPEN_READWRITE,
        [RB_SQLITE_CREATE] = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
    };
    RB_AUTO(rb_sqlite_closep) rb_sqlite *db = rb_calloc(1, sizeof *db);
    sqlite3 *handle = NULL;
    db->base.driver = &rb_sqlite_driver;
    db->path = rb_strdup(path);
    register_look();
    RB_AUTO(rb_free_str) char *resolved = rb_anchor_name(path);
    /* SQLite, as Debian builds it, takes a name that begins so for a URI. */
    bool is_like_uri = strncmp(path, "file:", 5) == 0;
    RB_AUTO(rb_free_str) char *name = rb_format("%s%s", is_like_uri ? "./" : "", resolved);
    /* One thread at a time uses a connection; sqlite3_interrupt() needs no lock. */
    int rc = sqlite3_open_v2(name, &handle, flags[how] | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI,
                             vfs_at(clock));
    if (!handle)
        return rb_fail(err, RB_ERROR, "database sqlite:%s cannot be opened: %s", path,
                       sqlite3_errstr(rc));
    db->handle = handle;
    if (rc != SQLITE_OK)
        return rb_sqlite_fail(db, "opening it", err);
    RB_TRY(set_up(db, how, use, err));
    *out = db;
    db = NULL;
    return RB_OK;
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

bool rb_sqlite_active(const rb_sqlite *db)
{
    return !sqlite3_get_autocommit(db->handle);
}

bool rb_sqlite_readonly(const rb_sqlite *db)
{
    return sqlite3_db_readonly(db->handle, "main") == 1;
}

void rb_sqlite_triggers(rb_sqlite *db, bool on)
{
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_ENABLE_TRIGGER, on ? 1 : 0, NULL);
}

void rb_sqlite_interrupt(rb_db *db)
{
    sqlite3_interrupt(((rb_sqlite *)db)->handle);
}

const char *rb_sqlite_version(const rb_db *db)
{
    (void)db;
    return sqlite3_libversion();
}

enum rb_code rb_sqlite_backup(rb_sqlite *to, rb_sqlite *from, rb_err *err)
{
    sqlite3_backup *backup = sqlite3_backup_init(to->handle, "main", from->handle, "main");
    if (!backup)
        return rb_sqlite_fail(to, "copying into it", err);
    int rc;
    int waits = 0;
    do {
        rc = sqlite3_backup_step(backup, BACKUP_PAGES);
        if (rc == SQLITE_BUSY || rc == SQLITE_LOCKED)
            sqlite3_sleep(10);
        else
            waits = 0;
    } while (rc == SQLITE_OK ||
             ((rc == SQLITE_BUSY || rc == SQLITE_LOCKED) && ++waits < RB_SQLITE_BUSY_MS / 10));
    int finished = sqlite3_backup_finish(backup);
    if (rc == SQLITE_DONE && finished == SQLITE_OK)
        return RB_OK;
    if (rc == SQLITE_BUSY || rc == SQLITE_LOCKED)
        return rb_fail(err, RB_ERROR,
                       "database sqlite:%s is locked: it could not be copied in %d s", from->path,
                       RB_SQLITE_BUSY_MS / 1000);
    return rb_sqlite_fail(to, "copying into it", err);
}

/* Statements */

bool rb_stmt_prepare(rb_stmt **out, const char **tail, long *offset, rb_sqlite *db, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    rb_buf_clear(&db->denied);
    if (sqlite3_prepare_v2(db->handle, sql, -1, &stmt, tail) != SQLITE_OK) {
        *offset = sqlite3_error_offset(db->handle);
        return false;
    }
    *out = (rb_stmt *)stmt;
    return true;
}

void rb_stmt_free(rb_stmt *stmt)
{
    sqlite3_finalize((sqlite3_stmt *)stmt);
}

bool rb_stmt_bind(rb_stmt *handle, const json_t *params)
{
    sqlite3_stmt *stmt = (sqlite3_stmt *)handle;
    size_t i;
    json_t *value;
    json_array_foreach (params, i, value) {
        int at = (int)i + 1;
        int rc = json_is_integer(value) ? sqlite3_bind_int64(stmt, at, json_integer_value(value))
                 : json_is_string(value)
                     ? sqlite3_bind_text(stmt, at, json_string_value(value),
                                         (int)json_string_length(value), SQLITE_TRANSIENT)
                     : sqlite3_bind_null(stmt, at);
        if (rc != SQLITE_OK)
            return false;
    }
    return true;
}

bool rb_stmt_reads(const rb_stmt *stmt)
{
    return sqlite3_stmt_readonly((sqlite3_stmt *)stmt) != 0;
}

enum rb_step rb_stmt_step(rb_stmt *stmt)
{
    int rc = sqlite3_step((sqlite3_stmt *)stmt);
    return rc == SQLITE_ROW ? RB_STEP_ROW : rc == SQLITE_DONE ? RB_STEP_DONE : RB_STEP_FAILED;
}

size_t rb_stmt_width(rb_stmt *stmt)
{
    return (size_t)sqlite3_column_count((sqlite3_stmt *)stmt);
}

const char *rb_stmt_column(rb_stmt *stmt, size_t i)
{
    const char *name = sqlite3_column_name((sqlite3_stmt *)stmt, (int)i);
    return name ? name : "";
}

void rb_stmt_cell(rb_cell *out, rb_stmt *handle, size_t i)
{
    sqlite3_stmt *stmt = (sqlite3_stmt *)handle;
    int at = (int)i;
    *out = (rb_cell){.kind = RB_CELL_NULL};
    switch (sqlite3_column_type(stmt, at)) {
    case SQLITE_INTEGER:
        out->kind = RB_CELL_INTEGER;
        out->integer = sqlite3_column_int64(stmt, at);
        return;
    case SQLITE_FLOAT:
        out->kind = RB_CELL_REAL;
        out->real = sqlite3_column_double(stmt, at);
        return;
    case SQLITE_TEXT:
        out->kind = RB_CELL_TEXT;
        out->data = sqlite3_column_text(stmt, at);
        break;
    case SQLITE_BLOB:
        out->kind = RB_CELL_BLOB;
        out->data = sqlite3_column_blob(stmt, at);
        break;
    default:
        return;
    }
    out->len = (size_t)sqlite3_column_bytes(stmt, at);
}

int64_t rb_sqlite_changes(const rb_sqlite *db)
{
    return sqlite3_changes64(db->handle);
}
