/* Copies a database file. */
#include <stdlib.h>
#include <sys/stat.h>

#include "base/process.h"
#include "base/text.h"
#include "database/sqlite/sqlite.h"

#define WHOLE_LIMIT (256ll << 20) /* bytes that are copied while writers wait */

/* True if all content is in the file itself, and no writer waits long while it is copied. */
static bool is_one_file(rb_sqlite *db)
{
    struct stat st;
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    if (rb_sqlite_is_memory(db->path) || stat(db->path, &st) != 0 || st.st_size > WHOLE_LIMIT ||
        rb_sqlite_query(&rows, db, "PRAGMA journal_mode", NULL, RB_IGNORED) != RB_OK)
        return false;
    const char *mode = json_string_value(json_array_get(json_array_get(rows, 0), 0));
    return rb_text_same(mode, "delete") || rb_text_same(mode, "truncate") ||
           rb_text_same(mode, "persist");
}

static enum rb_code run_cp(const char *from, const char *into, rb_err *err)
{
    RB_AUTO(rb_process_result_clear) rb_process_result result = {0};
    const char *const argv[] = {"cp", "--reflink=auto", "--", from, into, NULL};
    const rb_process process = {.argv = argv};
    RB_TRY(rb_process_run(&result, &process, err));
    RB_AUTO(rb_free_str) char *who = rb_format("copying database sqlite:%s", from);
    RB_AUTO(rb_free_str) char *said = rb_safe(rb_buf_str(&result.err));
    RB_AUTO(rb_free_str) char *why = rb_format(": %.500s", said);
    return rb_process_judge(&result, who, 0, why, err);
}

/* The lock of a reader keeps writers from changing the file. It belongs to this process, so that
 * another process has to read the file: closing it here would release the lock. */
static enum rb_code copy_whole(rb_sqlite *db, const char *into, rb_err *err)
{
    RB_TRY(rb_sqlite_each(db, "BEGIN; SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL, err));
    enum rb_code code = run_cp(db->path, into, err);
    (void)rb_sqlite_each(db, "ROLLBACK", NULL, NULL, NULL, RB_IGNORED);
    return code;
}

enum rb_code rb_sqlite_copy(rb_sqlite *db, const char *into, rb_err *err)
{
    RB_AUTO(rb_sqlite_closep) rb_sqlite *to = NULL;
    if (is_one_file(db))
        return copy_whole(db, into, err);
    RB_TRY(rb_sqlite_connect(&to, into, RB_SQLITE_CREATE, RB_SQLITE_SCRATCH, err));
    return rb_sqlite_backup(to, db, err);
}
