/* Opens the journal's file, checks its owner, and stores what is not about transitions or backups.
 */
#include "environment/state_internal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/anchor.h"
#include "base/file.h"
#include "environment/host.h"
#include "environment/root.h"

#define VERSION 1       /* of the tables; stored as PRAGMA user_version */
#define HOST "host"     /* name of a pin, whose value is HOST FOLDER PATH */
#define HEALTH "health" /* name of a pin */

static const char schema[] =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE live(part TEXT PRIMARY KEY, tag TEXT, object TEXT);"
    "CREATE TABLE transition_log(sequence INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL, kind TEXT "
    "NOT NULL, from_tag TEXT, from_object TEXT, to_tag TEXT, to_object TEXT, plan TEXT NOT NULL, "
    "outcome TEXT, error TEXT, started INTEGER NOT NULL, finished INTEGER, host TEXT, data TEXT);"
    "CREATE TABLE step(transition_id TEXT NOT NULL, step TEXT NOT NULL, state TEXT NOT NULL, at "
    "INTEGER NOT NULL, outcome TEXT, milliseconds INTEGER, PRIMARY KEY(transition_id, step));"
    "CREATE TABLE said(transition_id TEXT NOT NULL, step TEXT NOT NULL, message TEXT, output TEXT, "
    "PRIMARY KEY(transition_id, step));"
    "CREATE TABLE entry(transition_id TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, PRIMARY "
    "KEY(transition_id, kind));"
    "CREATE TABLE pin(name TEXT PRIMARY KEY, value TEXT NOT NULL);"
    "CREATE TABLE backup(id INTEGER PRIMARY KEY, transition_id TEXT NOT NULL, database_name TEXT "
    "NOT NULL, file TEXT NOT NULL, sha256 TEXT NOT NULL, items TEXT NOT NULL, bytes INTEGER NOT "
    "NULL DEFAULT 0, pruned INTEGER, UNIQUE(transition_id, database_name));"
    "CREATE TABLE restored(backup_id INTEGER NOT NULL, item TEXT NOT NULL, transition_id TEXT NOT "
    "NULL, PRIMARY KEY(backup_id, item, transition_id));"
    "CREATE TABLE restore(id TEXT PRIMARY KEY, backup_id INTEGER NOT NULL, detail TEXT NOT NULL, "
    "committed INTEGER, host TEXT NOT NULL);"
    "CREATE TABLE watch(transition_id TEXT PRIMARY KEY, detail TEXT NOT NULL);"
    "CREATE TABLE notice(sequence INTEGER PRIMARY KEY, id TEXT NOT NULL, command TEXT NOT NULL, "
    "event TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, error TEXT, delivered INTEGER NOT "
    "NULL DEFAULT 0, UNIQUE(id, command));"
    "PRAGMA user_version = 1;"
    "COMMIT";

static const char *const part_names[RB_PARTS] = {"app", "db", "flags", "config"};

const char *rb_part_name(enum rb_part part)
{
    return part_names[part];
}

static enum rb_code query(json_t **rows, const rb_state *state, const char *sql, const char *format,
                          va_list args, rb_err *err)
{
    RB_AUTO(rb_json_freep)
    json_t *params = format ? json_vpack_ex(NULL, 0, format, args) : NULL;
    return rb_sqlite_query(rows, state->db, sql, params, err);
}

enum rb_code rb_state_query(json_t **rows, const rb_state *state, rb_err *err, const char *sql,
                            const char *format, ...)
{
    va_list args;
    va_start(args, format);
    enum rb_code code = query(rows, state, sql, format, args, err);
    va_end(args);
    return code;
}

enum rb_code rb_state_list(json_t **out, const rb_state *state, const rb_shape *shape,
                           const char *what, rb_err *err, const char *sql, const char *format, ...)
{
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    RB_AUTO(rb_json_freep) json_t *list = json_array();
    va_list args;
    va_start(args, format);
    enum rb_code code = query(&rows, state, sql, format, args, err);
    va_end(args);
    if (code != RB_OK && strstr(err->message, "JSON")) /* malformed, or a cell is a BLOB */
        return rb_state_damaged(state, "a row is not as rbtool writes it", err);
    if (code != RB_OK)
        return code;
    rb_json_each (row, rows) {
        json_t *item = NULL;
        RB_TRY(rb_state_read_json(&item, state, json_array_get(row, 0), shape, what, err));
        json_array_append_new(list, item);
    }
    *out = RB_TAKE(list);
    return RB_OK;
}

enum rb_code rb_state_change(rb_state *state, rb_err *err, const char *sql, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    enum rb_code code = query(NULL, state, sql, format, args, err);
    va_end(args);
    if (code == RB_OK)
        return RB_OK;
    rb_sqlite_leave(state->db);
    return rb_err_prefix(err, "cannot write the environment's journal");
}

enum rb_code rb_state_hold(rb_state *state, rb_err *err)
{
    if (!state->open)
        RB_TRY(rb_state_change(state, err, "BEGIN IMMEDIATE", NULL));
    state->open = true;
    return RB_OK;
}

enum rb_code rb_state_held(rb_state *state, enum rb_code code, bool commit, rb_err *err)
{
    rb_err ignored;
    if (code == RB_OK && commit)
        code = rb_state_change(state, err, "COMMIT", NULL);
    if (code != RB_OK)
        (void)!rb_state_change(state, &ignored, "ROLLBACK", NULL);
    state->open = code == RB_OK && !commit;
    return code;
}

enum rb_code rb_state_flush(rb_state *state, rb_err *err)
{
    return state->open ? rb_state_held(state, RB_OK, true, err) : RB_OK;
}

/* Sets *out if the journal has its tables. A run that was killed early leaves none. */
static enum rb_code has_tables(bool *out, const rb_state *state, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    RB_TRY(rb_state_query(&rows, state, err,
                          "SELECT user_version, (SELECT count(*) FROM sqlite_schema) FROM "
                          "pragma_user_version",
                          NULL));
    const json_t *row = json_array_get(rows, 0);
    json_int_t version = json_integer_value(json_array_get(row, 0));
    *out = json_integer_value(json_array_get(row, 1)) > 0;
    if (!*out || version == VERSION)
        return RB_OK;
    return rb_fail(err, RB_ERROR,
                   "%s has version %d, and this rbtool reads version %d\nuse the rbtool that wrote "
                   "it, or move it away with `mv '%s' '%s.old'`",
                   state->path, (int)version, VERSION, state->path, state->path);
}

/* The host and the folder that a journal belongs to. */
struct home {
    char host[RB_SHA256_HEX];
    char *folder;             /* inode and time of birth of ROOT/.rbtool */
    char path[RB_SHA256_HEX]; /* hash of ROOT's path, which may contain any bytes */
};

static void home_clear(struct home *home)
{
    free(home->folder);
}

static enum rb_code find_home(struct home *home, const char *root, rb_err *err)
{
    RB_AUTO(rb_free_str) char *dir = rb_path_join(root, ".rbtool");
    RB_AUTO(rb_free_str) char *path = rb_path_resolve(root, NULL, NULL);
    struct statx st = {0};
    RB_AUTO(rb_close) int fd = rb_at_open(dir, O_PATH | O_DIRECTORY, 0);
    if (fd < 0 || statx(fd, "", AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &st) != 0)
        st = (struct statx){0};
    /* Without the device number: with LVM, btrfs and NFS it can change when the host boots. */
    home->folder = rb_format("%llu:%lld.%u", (unsigned long long)st.stx_ino,
                             (long long)st.stx_btime.tv_sec, st.stx_btime.tv_nsec);
    rb_sha256_hex_of(path, strlen(path), home->path);
    return rb_host_id(home->host, err);
}

static enum rb_code set_home(rb_state *state, const struct home *home, rb_err *err)
{
    RB_AUTO(rb_free_str)
    char *value = rb_format("%s %s %s", home->host, home->folder, home->path);
    memcpy(state->host, home->host, sizeof state->host);
    return rb_state_pin_set(state, HOST, value, err);
}

/* Compares the journal's host and folder with the current ones. write: pins them if they are new,
 * or if the host got another id or the folder was restored in place. */
static enum rb_code bind_to_host(rb_state *state, const char *root, bool write, rb_err *err)
{
    RB_AUTO(home_clear) struct home home = {0};
    RB_AUTO(rb_free_str) char *pin = NULL;
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    RB_TRY(find_home(&home, root, err));
    RB_TRY(rb_state_pin(&pin, state, HOST, err));
    memcpy(state->host, home.host, sizeof state->host);
    if (!pin) {
        RB_TRY(rb_state_query(&rows, state, err, "SELECT 1 FROM transition_log LIMIT 1", NULL));
        state->copy = json_array_size(rows) > 0;
        return write && !state->copy ? set_home(state, &home, err) : RB_OK;
    }
    char *folder = pin + strcspn(pin, " ");
    *folder++ = '\0';
    char *path = folder + strcspn(folder, " ");
    *path++ = '\0';
    bool same_host = strcmp(pin, home.host) == 0;
    bool same_folder = strcmp(folder, home.folder) == 0;
    bool same_path = strcmp(path, home.path) == 0;
    state->copy = !same_folder && !(same_host && same_path);
    if (state->copy)
        return RB_OK;
    if (!write || (same_host && same_folder && same_path)) {
        memcpy(state->host, pin, strlen(pin) < sizeof state->host ? strlen(pin) + 1 : 0);
        return RB_OK;
    }
    if (!same_host)
        RB_TRY(rb_state_change(state, err, "UPDATE transition_log SET host = ? WHERE host = ?",
                               "[s,s]", home.host, pin));
    return set_home(state, &home, err);
}

bool rb_state_is_copy(const rb_state *state)
{
    return state->copy;
}

enum rb_code rb_state_take_over(rb_state *state, const char *root, rb_err *err)
{
    RB_AUTO(home_clear) struct home home = {0};
    RB_TRY(find_home(&home, root, err));
    /* A plan from another host must not be carried out here. */
    RB_TRY(rb_state_change(state, err, "UPDATE transition_log SET data = NULL", NULL));
    RB_TRY(set_home(state, &home, err));
    state->copy = false;
    return RB_OK;
}

/* Creates a database that every user may read who may enter ROOT. SQLite would use the umask, and
 * gives its journal files the mode of the database. */
static void create_readable(const char *path)
{
    RB_AUTO(rb_close) int fd = rb_at_open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
    if (fd >= 0)
        (void)!fchmod(fd, 0644);
}

enum rb_code rb_state_copy(const char *root, const char *from, rb_err *err)
{
    RB_AUTO(rb_sqlite_closep) rb_sqlite *live = NULL;
    RB_AUTO(rb_sqlite_closep) rb_sqlite *copy = NULL;
    RB_AUTO(rb_free_str) char *old = rb_format("%s/.rbtool/state.db", from);
    RB_AUTO(rb_free_str) char *path = rb_format("%s/.rbtool/state.db", root);
    RB_TRY(rb_sqlite_open_own(&live, old, RB_SQLITE_READ, err));
    RB_TRY(rb_sqlite_open_own(&copy, path, RB_SQLITE_CREATE, err));
    return rb_sqlite_backup(copy, live, err);
}

enum rb_code rb_state_open(rb_state **out, const char *root, bool write, rb_err *err)
{
    RB_AUTO(rb_free_str) char *path = rb_format("%s/.rbtool/state.db", root);
    RB_AUTO(rb_free_str) char *dir = rb_path_dir(path);
    RB_AUTO(rb_state_closep) rb_state *state = rb_calloc(1, sizeof *state);
    bool there = false;
    *out = NULL;
    if (write) {
        RB_TRY(rb_dir_make_as(dir, 0755, err));
        RB_TRY(rb_root_trust(root, err));
        create_readable(path);
    } else {
        RB_TRY(rb_root_has_state(&there, root, err));
        if (!there)
            return RB_OK;
    }
    state->path = rb_strdup(path);
    RB_TRY(rb_sqlite_open_own(&state->db, path, write ? RB_SQLITE_CREATE : RB_SQLITE_READ, err));
    RB_TRY(has_tables(&there, state, err));
    if (!there && !write)
        return RB_OK;
    if (write) {
        /* PERSIST overwrites SQLite's journal file in place, which needs fewer syncs than a new
         * file each time. */
        RB_TRY(rb_state_query(NULL, state, err,
                              "PRAGMA synchronous=FULL; PRAGMA journal_mode=PERSIST", NULL));
        if (!there)
            RB_TRY(rb_state_query(NULL, state, err, schema, NULL));
        RB_TRY(rb_sqlite_stay(state->db, err));
    }
    RB_TRY(bind_to_host(state, root, write, err));
    *out = RB_TAKE(state);
    return RB_OK;
}

void rb_state_close(rb_state *state)
{
    if (!state)
        return;
    rb_sqlite_close(state->db);
    free(state->path);
    free(state);
}

const char *rb_state_cell(const json_t *row, size_t column)
{
    return json_string_value(json_array_get(row, column));
}

enum rb_code rb_state_live(rb_live *out, rb_state *state, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    *out = (rb_live){0};
    RB_TRY(rb_state_list(&rows, state, &rb_state_live_shape, "a live release", err,
                         "SELECT json_object('part', part, 'tag', tag, 'object', object) FROM live",
                         NULL));
    rb_json_each (row, rows)
        for (int part = 0; part < RB_PARTS; part++)
            if (strcmp(rb_json_str(row, "part"), part_names[part]) == 0) {
                out->tag[part] = rb_strdup(rb_json_str(row, "tag"));
                out->object[part] = rb_strdup(rb_json_str(row, "object"));
            }
    return RB_OK;
}

void rb_live_clear(rb_live *live)
{
    for (int part = 0; part < RB_PARTS; part++) {
        free(live->tag[part]);
        free(live->object[part]);
    }
    *live = (rb_live){0};
}

enum rb_code rb_state_pin(char **out, rb_state *state, const char *name, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    *out = NULL;
    RB_TRY(rb_state_query(&rows, state, err, "SELECT value FROM pin WHERE name = ?", "[s]", name));
    if (json_array_size(rows) == 0)
        return RB_OK;
    *out = rb_strdup(rb_state_cell(json_array_get(rows, 0), 0));
    return *out ? RB_OK : rb_state_damaged(state, "a row's pin is not text", err);
}

enum rb_code rb_state_pin_set(rb_state *state, const char *name, const char *value, rb_err *err)
{
    return rb_state_change(state, err, "REPLACE INTO pin(name, value) VALUES (?, ?)", "[s,s]", name,
                           value);
}

enum rb_code rb_state_health(json_t **out, rb_state *state, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    *out = NULL;
    RB_TRY(
        rb_state_query(&rows, state, err, "SELECT value FROM pin WHERE name = '" HEALTH "'", NULL));
    const json_t *row = json_array_get(rows, 0);
    return row ? rb_state_read_json(out, state, json_array_get(row, 0), &rb_state_health_shape,
                                    "the last result of the checks", err)
               : RB_OK;
}

enum rb_code rb_state_health_set(rb_state *state, const json_t *health, rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf stored = {0};
    RB_TRY(rb_state_hold(state, err));
    if (!health)
        return rb_state_change(state, err, "DELETE FROM pin WHERE name = '" HEALTH "'", NULL);
    rb_json_canonical(&stored, health);
    return rb_state_pin_set(state, HEALTH, rb_buf_str(&stored), err);
}
