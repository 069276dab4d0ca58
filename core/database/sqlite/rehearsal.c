/* Throw-away copies of a database, for rehearsals. */
#include "database/sqlite/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/anchor.h"
#include "base/file.h"

#define IN_MEMORY (64 << 20) /* bytes of a database that is rehearsed in memory */

/* A small database is rehearsed in memory. */
static enum rb_code rehearse_in_memory(rb_sqlite **out, rb_sqlite *from, rb_err *err)
{
    RB_AUTO(rb_sqlite_closep) rb_sqlite *db = NULL;
    RB_TRY(rb_sqlite_connect(&db, ":memory:", RB_SQLITE_CREATE, RB_SQLITE_SCRATCH, err));
    RB_TRY(rb_sqlite_backup(db, from, err));
    *out = db;
    db = NULL;
    return RB_OK;
}

static enum rb_code copy_to(rb_sqlite **out, const char *name, rb_sqlite *from, rb_err *err)
{
    RB_AUTO(rb_sqlite_closep) rb_sqlite *db = NULL;
    RB_TRY(rb_sqlite_connect(&db, name, RB_SQLITE_WRITE, RB_SQLITE_SCRATCH, err));
    RB_TRY(rb_sqlite_each(db, "PRAGMA journal_mode=MEMORY", NULL, NULL, NULL, err));
    RB_TRY(rb_sqlite_backup(db, from, err));
    /* The copy of a database in WAL mode is in it, too. */
    RB_TRY(rb_sqlite_each(db, "PRAGMA journal_mode=MEMORY", NULL, NULL, NULL, err));
    *out = db;
    db = NULL;
    return RB_OK;
}

/* The file loses its name when it is complete: SQLite writes to such a one as long as it needs no
 * other beside it. */
static enum rb_code rehearse_in_file(rb_sqlite **out, rb_sqlite *from, const char *dir, rb_err *err)
{
    RB_TRY(rb_dir_make(dir, err));
    RB_AUTO(rb_free_str) char *name = NULL;
    int fd = rb_file_temporary(&name, dir);
    if (fd < 0)
        return rb_fail_errno(err, RB_ERROR, "a rehearsal's copy cannot be written in %s", dir);
    enum rb_code code = copy_to(out, name, from, err);
    rb_err ignored;
    (void)!rb_file_remove(name, &ignored);
    close(fd);
    return code;
}

enum rb_code rb_sqlite_rehearse(rb_db **out, rb_db *of, const char *dir, rb_err *err)
{
    rb_sqlite *db = NULL;
    rb_sqlite *from = rb_sqlite_of(of);
    int64_t size;
    RB_TRY(rb_sqlite_int(
        &size, from,
        rb_strdup("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"), err));
    if (size <= IN_MEMORY)
        RB_TRY(rehearse_in_memory(&db, from, err));
    else
        RB_TRY(rehearse_in_file(&db, from, dir, err));
    *out = rb_sqlite_base(db);
    return RB_OK;
}
