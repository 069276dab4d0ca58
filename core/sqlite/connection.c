#include "sqlite/sqlite.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/anchor.h"
#include "base/file.h"
#include "base/text.h"

#define BACKUP_PAGES 1024

bool rb_sqlite_is_memory(const char *path)
{
    return *path == '\0' || strcmp(path, ":memory:") == 0;
}

/*
 * lstat() for SQLite, which treats the root of an anchor (/proc/self/fd/N, see base/anchor.h) as a
 * folder instead of a symlink.
 *
 * SQLite resolves all symlinks in a name before it opens the file. It would replace the anchor by a
 * path that another user may exchange. Comparing fstat() after the open is not enough: SQLite also
 * opens, syncs and removes its journals by name, later.
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

/* Checks that the database and the files beside it are regular files. SQLite would wait for ever if
 * a journal is a FIFO. */
static enum rb_code check_files(const char *path, enum rb_sqlite_how how, rb_err *err)
{
    static const char *const beside[] = {"", "-journal", "-wal", "-shm"};
    RB_AUTO(rb_free_str) char *safe = rb_safe(path);
    RB_AUTO(rb_free_str) char *real = realpath(path, NULL);
    for (size_t i = 0; i < sizeof beside / sizeof *beside; i++) {
        struct stat st;
        RB_AUTO(rb_free_str) char *file = rb_format("%s%s", real ? real : path, beside[i]);
        if (lstat(file, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode))
            return rb_fail(err, RB_ERROR,
                           "database sqlite:%s cannot be opened: %s%s is not a regular file\ngive "
                           "the path of a database, or move away what stands there",
                           safe, safe, beside[i]);
    }
    if (how == RB_SQLITE_CREATE || rb_file_exists(path))
        return RB_OK;
    return rb_fail(err, RB_ERROR,
                   "database sqlite:%s does not exist\ncheck the environment's url with `rbtool "
                   "env check`, or create the database",
                   safe);
}

void rb_sqlite_close(rb_sqlite *db)
{
    if (!db)
        return;
    rb_stmt_free(db->lasting);
    sqlite3_close_v2(db->handle);
    if (db->options && db->options->closed)
        db->options->closed(db->owner);
    rb_buf_clear(&db->denied);
    free(db->path);
    free(db);
}

/* TRUSTED_SCHEMA stays on: without it SQLite 3.40 refuses FTS and R-Tree tables in triggers. */
static enum rb_code set_up(rb_sqlite *db, bool write, rb_err *err)
{
    const rb_sqlite_options *o = db->options;
    sqlite3_busy_timeout(db->handle, RB_SQLITE_BUSY_MS);
    sqlite3_extended_result_codes(db->handle, 1);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, 0, NULL);
    if (o && o->prepare)
        RB_TRY(o->prepare(db, err));
    /* EXTRA also syncs the folder after the journal is removed, so that a commit survives a power
     * failure. */
    const char *sql = o && o->pragmas ? o->pragmas
                      : write         ? "PRAGMA synchronous=EXTRA"
                                      : "PRAGMA query_only=ON";
    RB_TRY(rb_sqlite_each(db, sql, NULL, NULL, NULL, err));
    if (sqlite3_exec(db->handle, "SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL) ==
        SQLITE_OK)
        return RB_OK;
    return rb_sqlite_fail(db, "opening it", err);
}

static enum rb_code connect(rb_sqlite *db, int flags, bool write, rb_err *err)
{
    register_look();
    RB_AUTO(rb_free_str) char *resolved = rb_anchor_name(db->path);
    /* SQLite would treat a name that begins with "file:" as a URI. */
    bool is_like_uri = strncmp(db->path, "file:", 5) == 0;
    RB_AUTO(rb_free_str) char *name = rb_format("%s%s", is_like_uri ? "./" : "", resolved);
    /* NOMUTEX: only one thread at a time uses a connection, and sqlite3_interrupt() needs no
     * lock. */
    int rc = sqlite3_open_v2(name, &db->handle, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI,
                             db->options ? db->options->vfs : NULL);
    if (!db->handle)
        return rb_fail(err, RB_ERROR, "database sqlite:%s cannot be opened: %s", db->path,
                       sqlite3_errstr(rc));
    if (rc != SQLITE_OK)
        return rb_sqlite_fail(db, "opening it", err);
    return set_up(db, write, err);
}

enum rb_code rb_sqlite_open(rb_sqlite **out, const char *path, enum rb_sqlite_how how,
                            const rb_sqlite_options *options, void *owner, rb_err *err)
{
    static const int flags[] = {
        [RB_SQLITE_READ] = SQLITE_OPEN_READONLY,
        [RB_SQLITE_WRITE] = SQLITE_OPEN_READWRITE,
        [RB_SQLITE_CREATE] = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
    };
    RB_AUTO(rb_sqlite_closep) rb_sqlite *db = rb_calloc(1, sizeof *db);
    *db = (rb_sqlite){.path = rb_strdup(path), .owner = owner, .options = options};
    if (!rb_sqlite_is_memory(path))
        RB_TRY(check_files(path, how, err));
    enum rb_code code = connect(db, flags[how], how != RB_SQLITE_READ, err);
    if (code != RB_OK && how == RB_SQLITE_READ) {
        /* Retry with write access: a hot journal that a killed process left has to be rolled back,
         * or a missing WAL index has to be built. */
        sqlite3_close_v2(db->handle);
        db->handle = NULL;
        if (connect(db, SQLITE_OPEN_READWRITE, false, RB_IGNORED) == RB_OK)
            code = RB_OK;
    }
    RB_TRY(code);
    if (how != RB_SQLITE_READ && sqlite3_db_readonly(db->handle, "main") == 1) {
        RB_AUTO(rb_free_str) char *safe = rb_safe(path);
        RB_AUTO(rb_buf_clear) rb_buf quoted = {0};
        rb_text_quote(&quoted, path);
        return rb_fail(err, RB_ERROR,
                       "database sqlite:%s cannot be written\ncheck the permissions of the file "
                       "and its folder with `ls -la %s`",
                       safe, quoted.data);
    }
    *out = RB_TAKE(db);
    return RB_OK;
}

static enum rb_code ignore_code(rb_sqlite *db, rb_err *err)
{
    (void)err;
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    rb_sqlite_triggers(db, false);
    return RB_OK;
}

enum rb_code rb_sqlite_open_own(rb_sqlite **out, const char *path, enum rb_sqlite_how how,
                                rb_err *err)
{
    static const rb_sqlite_options own = {.prepare = ignore_code};
    return rb_sqlite_open(out, path, how, &own, NULL, err);
}

void rb_sqlite_triggers(rb_sqlite *db, bool on)
{
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_ENABLE_TRIGGER, on ? 1 : 0, NULL);
}

const char *rb_sqlite_version(void)
{
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

enum rb_code rb_sqlite_save(rb_buf *out, rb_sqlite *db, rb_err *err)
{
    sqlite3_int64 size = 0;
    unsigned char *bytes = sqlite3_serialize(db->handle, "main", &size, 0);
    if (!bytes)
        return rb_sqlite_fail(db, "copying it", err);
    rb_buf_add(out, bytes, (size_t)size);
    sqlite3_free(bytes);
    return RB_OK;
}

enum rb_code rb_sqlite_load(rb_sqlite *to, const rb_buf *bytes, rb_err *err)
{
    RB_AUTO(rb_sqlite_closep) rb_sqlite *from = NULL;
    RB_TRY(rb_sqlite_open(&from, ":memory:", RB_SQLITE_CREATE, NULL, NULL, err));
    if (sqlite3_deserialize(from->handle, "main", (unsigned char *)bytes->data,
                            (sqlite3_int64)bytes->len, (sqlite3_int64)bytes->len,
                            SQLITE_DESERIALIZE_READONLY) != SQLITE_OK)
        return rb_sqlite_fail(from, "copying it", err);
    return rb_sqlite_backup(to, from, err);
}

enum rb_code rb_sqlite_stay(rb_sqlite *db, rb_err *err)
{
    const char *tail;
    long offset;
    if (!rb_stmt_prepare(&db->lasting, &tail, &offset, db, "SELECT 1 FROM sqlite_schema") ||
        rb_stmt_step(db->lasting) != RB_STMT_ROW)
        return rb_sqlite_fail(db, "taking a lock to read it", err);
    return RB_OK;
}

void rb_sqlite_leave(rb_sqlite *db)
{
    rb_stmt_free(db->lasting);
    db->lasting = NULL;
}
