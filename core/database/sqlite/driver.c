/* The rb_db_driver of SQLite, and its short functions. */
#include "database/sqlite/sqlite.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "database/sqlite/backup_file.h"
#include "database/sqlite/table_compare.h"
#include "database/sqlite/table_read.h"

static enum rb_code open_path(rb_db **out, const char *path, enum rb_db_mode mode, rb_err *err)
{
    static const enum rb_sqlite_how how[] = {[RB_DB_READ] = RB_SQLITE_READ,
                                             [RB_DB_WRITE] = RB_SQLITE_WRITE,
                                             [RB_DB_CREATE] = RB_SQLITE_CREATE};
    rb_sqlite *db = NULL;
    RB_TRY(rb_sqlite_connect(&db, path, how[mode],
                             rb_sqlite_is_memory(path) ? RB_SQLITE_SCRATCH : RB_SQLITE_USER, err));
    *out = rb_sqlite_base(db);
    return RB_OK;
}

static enum rb_code copy(char **url, rb_db *db, const char *dump, const char *into, rb_err *err)
{
    RB_AUTO(rb_sqlite_closep) rb_sqlite *from = NULL;
    if (dump)
        RB_TRY(rb_sqlite_connect(&from, dump, RB_SQLITE_READ, RB_SQLITE_USER, err));
    if (dump || db)
        RB_TRY(rb_sqlite_copy(dump ? from : rb_sqlite_of(db), into, err));
    *url = rb_format("sqlite:%s", into);
    return RB_OK;
}

static enum rb_code inspect(rb_db_target *out, const char *path, rb_err *err)
{
    struct stat st = {0};
    const bool memory = rb_sqlite_is_memory(path);
    *out = (rb_db_target){0};
    if (memory || stat(path, &st) == 0) {
        out->exists = true;
        out->writable = memory || access(path, W_OK) == 0;
        out->bytes = (uint64_t)st.st_size;
    } else if (errno != ENOENT && errno != ENOTDIR) {
        return rb_fail_errno(err, RB_ERROR, "cannot look at database %s", path);
    }
    return RB_OK;
}

static enum rb_code lend(char **url, rb_db *db, const char *dir, rb_err *err)
{
    RB_AUTO(rb_sqlite_closep) rb_sqlite *copy = NULL;
    RB_AUTO(rb_free_str) char *path = rb_path_join(dir, "lent.db");
    RB_TRY(rb_sqlite_open_own(&copy, path, RB_SQLITE_CREATE, err));
    RB_TRY(rb_sqlite_backup(copy, rb_sqlite_of(db), err));
    *url = rb_format("sqlite:%s", path);
    return RB_OK;
}

static enum rb_code save(rb_buf *out, rb_db *db, rb_err *err)
{
    return rb_sqlite_save(out, rb_sqlite_of(db), err);
}

static enum rb_code load(rb_db *db, const rb_buf *bytes, rb_err *err)
{
    return rb_sqlite_load(rb_sqlite_of(db), bytes, err);
}

/* Sets *out if the file is empty or does not exist. Opening it rolls back an unfinished
 * transaction. */
static enum rb_code is_unused(bool *out, const char *path, rb_err *err)
{
    RB_AUTO(rb_sqlite_closep) rb_sqlite *db = NULL;
    int64_t objects = 0;
    if (rb_file_exists(path)) {
        RB_TRY(rb_sqlite_open_own(&db, path, RB_SQLITE_WRITE, err));
        RB_TRY(rb_sqlite_int(&objects, db, rb_strdup("SELECT count(*) FROM sqlite_schema"), err));
    }
    *out = objects == 0;
    return RB_OK;
}

static const char *const beside[] = {"-journal", "-wal", "-shm", NULL};

static enum rb_code discard(const char *path, rb_err *err)
{
    bool unused;
    RB_TRY(is_unused(&unused, path, err));
    for (size_t i = 0; unused && i < sizeof beside / sizeof *beside; i++) {
        RB_AUTO(rb_free_str) char *file = rb_format("%s%s", path, beside[i] ? beside[i] : "");
        if (unlink(file) != 0 && errno != ENOENT)
            return rb_fail_errno(err, RB_ERROR, "cannot remove %s", file);
    }
    return RB_OK;
}

static enum rb_code scratch(rb_db **out, int64_t clock, rb_err *err)
{
    rb_sqlite *db;
    /* A temporary file without a name: in memory up to the size of the page cache, then on disk. */
    RB_TRY(rb_sqlite_scratch(&db, clock, err));
    free(db->path);
    db->path = rb_strdup(":memory:");
    *out = rb_sqlite_base(db);
    return RB_OK;
}

static void close_db(rb_db *db)
{
    rb_sqlite_close(rb_sqlite_of(db));
}

typedef struct result {
    json_t *rows;
    size_t left; /* bytes */
    bool large;
} result;

static bool add_row(void *context, const rb_cell *cells, size_t n)
{
    result *r = context;
    json_t *row = json_array();
    for (size_t i = 0; i < n && !r->large; i++) {
        r->large = cells[i].len >= r->left;
        r->left -= r->large ? 0 : cells[i].len + 1;
        json_array_append_new(row, r->large ? json_null() : rb_sqlite_json(&cells[i]));
    }
    json_array_append_new(r->rows, row);
    return !r->large;
}

static enum rb_code query(json_t **out, rb_db *db, size_t limit, const char *sql,
                          const json_t *params, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *rows = json_array();
    result r = {.rows = rows, .left = limit};
    RB_TRY(rb_sqlite_each(rb_sqlite_of(db), sql, params, out ? add_row : NULL, &r, err));
    if (r.large)
        return rb_fail(err, RB_ERROR,
                       "%s has more than %zu bytes for `%s`\nfind out who wrote so much there, and "
                       "remove it",
                       rb_sqlite_of(db)->path, limit, sql);
    if (out)
        *out = json_incref(rows);
    return RB_OK;
}

static const char *version(const rb_db *db)
{
    (void)db;
    return rb_sqlite_version();
}

static char *scratch_maker(void)
{
    return rb_strdup(rb_sqlite_version());
}

static enum rb_code data_version(int64_t *out, rb_db *db, rb_err *err)
{
    return rb_sqlite_int(out, rb_sqlite_of(db), rb_strdup("PRAGMA data_version"), err);
}

static enum rb_code settings(json_t **out, rb_db *base, rb_err *err)
{
    static const char *const names[] = {"user_version", "application_id"};
    RB_AUTO(rb_json_freep) json_t *found = json_object();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        int64_t number;
        RB_TRY(rb_sqlite_int(&number, rb_sqlite_of(base), rb_format("PRAGMA %s", names[i]), err));
        json_object_set_new(found, names[i], json_integer(number));
    }
    *out = RB_TAKE(found);
    return RB_OK;
}

static enum rb_code begin(rb_db *base, rb_err *err)
{
    rb_sqlite *db = rb_sqlite_of(base);
    if (db->begun)
        return rb_fail(err, RB_ERROR, "database sqlite:%s is in a transaction already", db->path);
    /* With foreign keys enforced, rebuilding a table would delete rows of tables that refer to it.
     */
    RB_TRY(rb_sqlite_each(db, "PRAGMA foreign_keys=OFF", NULL, NULL, NULL, err));
    /* Resets PRAGMAs, whose defaults depend on how SQLite was built: Debian turns on recursive
     * triggers. */
    rb_sqlite_state_of(db)->untidy = true;
    RB_TRY(rb_sqlite_tidy(db, err));
    RB_TRY(rb_sqlite_each(db, "BEGIN IMMEDIATE", NULL, NULL, NULL, err));
    db->begun = true;
    return RB_OK;
}

static enum rb_code commit(rb_db *base, rb_err *err)
{
    rb_sqlite *db = rb_sqlite_of(base);
    if (!db->begun)
        return rb_fail(err, RB_ERROR, "database sqlite:%s: nothing was begun", db->path);
    RB_TRY(rb_sqlite_each(db, "COMMIT", NULL, NULL, NULL, err));
    db->begun = false;
    return RB_OK;
}

static void rollback(rb_db *base)
{
    rb_sqlite *db = rb_sqlite_of(base);
    db->begun = false;
    /* ROLLBACK fails only if SQLite has already rolled back. */
    if (rb_sqlite_active(db))
        (void)!rb_sqlite_each(db, "ROLLBACK", NULL, NULL, NULL, RB_IGNORED);
}

static bool in_transaction(const rb_db *db)
{
    return rb_sqlite_of(db)->begun && rb_sqlite_active(rb_sqlite_of(db));
}

static bool limited(const rb_db *db)
{
    return rb_sqlite_state_of(rb_sqlite_of(db))->limited;
}

static enum rb_code identity(char **out, rb_db *base, rb_err *err)
{
    const char *path = rb_sqlite_of(base)->path;
    struct stat st;
    *out = NULL;
    if (rb_sqlite_is_memory(path))
        return RB_OK;
    if (stat(path, &st) != 0)
        return rb_fail_errno(err, RB_ERROR, "cannot look at database %s", path);
    *out = rb_format("%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
    return RB_OK;
}

const rb_db_driver rb_sqlite_driver = {
    .engine = "sqlite",
    .version = version,
    .programs = "sqlite3",
    .between = "",
    .shell =
        "sqlite_save() { sqlite3 \"$1\" \".backup '$2.sqlite'\"; }\n"
        "sqlite_restore() { [ ! -e \"$2.sqlite\" ] || sqlite3 \"$1\" \".restore '$2.sqlite'\"; }\n"
        "sqlite_has() { [ -n \"$(sqlite3 \"$1\" \"SELECT 1 FROM sqlite_schema WHERE name = "
        "'$2'\")\" ]; }\n"
        "sqlite_apply() {\n    db=$1 && shift\n"
        "    { echo 'BEGIN IMMEDIATE;' && cat \"$@\" && echo 'COMMIT;'; } | sqlite3 -bail "
        "\"$db\"\n}\n",
    .beside = beside,
    .backup_suffix = ".sqlite",
    .inspect = inspect,
    .discard = discard,
    .open = open_path,
    .scratch = scratch,
    .scratch_maker = scratch_maker,
    .save = save,
    .load = load,
    .lend = lend,
    .size = rb_sqlite_size,
    .data_version = data_version,
    .rehearse = rb_sqlite_rehearse,
    .copy = copy,
    .identity = identity,
    .close = close_db,
    .interrupt = rb_sqlite_interrupt,
    .outside = rb_sqlite_outside,
    .limit = rb_sqlite_limit,
    .limited = limited,
    .query = query,
    .check = rb_sqlite_check,
    .begin = begin,
    .commit = commit,
    .rollback = rollback,
    .in_transaction = in_transaction,
    .script = rb_sqlite_script,
    .seed = rb_sqlite_seed,
    .catalog = rb_sqlite_catalog,
    .settings = settings,
    .columns_sql = "SELECT lower(name) FROM pragma_table_info($1) ORDER BY 1",
    .objects_sql = "SELECT name, type = 'table' FROM sqlite_schema"
                   " WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
    .hex_of_checksum = "hex(checksum)",
    .bytes_prefix = "x'",
    .violations = rb_sqlite_violations,
    .mismatches = rb_sqlite_mismatches,
    .compare = rb_sqlite_compare,
    .count = rb_sqlite_count,
    .fill = rb_sqlite_fill,
    .literals = rb_sqlite_literals,
    .keep = rb_sqlite_keep,
    .table = rb_sqlite_table,
    .foreign_keys = rb_sqlite_foreign_keys,
    .counter = rb_sqlite_counter,
    .set_counter = rb_sqlite_set_counter,
    .triggers = rb_sqlite_user_triggers,
    .rebuilds = rb_sqlite_rebuilds,
    .attempt = rb_sqlite_attempt,
    .insert = "INSERT OR ABORT",
    .update = "UPDATE OR ABORT",
    .same = rb_sqlite_same_sql,
    .hash = rb_sqlite_hash_sql,
    .matches = rb_sqlite_matches_sql,
    .length = "coalesce(length(CAST(@ AS BLOB)), 0)",
    .default_value = rb_sqlite_default_value,
    .backup_open = rb_sqlite_backup_open,
    .backup_attach = rb_sqlite_backup_attach,
    .backup_copy = rb_sqlite_backup_copy,
    .backup_note = rb_sqlite_backup_note,
    .backup_close = rb_sqlite_backup_close,
};
