/*
 * The file of a backup: an SQLite database, for rbtool and for a person with sqlite3.
 *
 * Table rbtool_backup(name, value): format, transition, environment, database, kind, from, to; and
 * the document (backup.h).
 *
 * Views "orders (rows)", "orders (values)", "customers (referenced 3)": the backed-up rows of a
 * table: those that scripts could delete or replace, some of their columns, or those that others
 * refer to. The document names the table of the database that each belongs to.
 *
 * For example, the rows of table orders that the scripts deleted:
 *
 *   SELECT * FROM "orders (rows)" WHERE rbtool_state IS NULL;
 *
 * A hash covers up to 100 columns. It is a SHA-256 over, for each column, kind (1 byte: null,
 * integer, real, text, blob as 0 to 4), length (8 bytes, big-endian) and value (integers and reals
 * as 8 bytes, big-endian). Four bytes for each column follow. More columns have several such
 * hashes.
 *
 * A file that is being written has a connection of its own. The database's connection attaches the
 * file without locks: the data that it reads there does not change any more, and it does not read
 * what is added (notes).
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/anchor.h"
#include "base/file.h"
#include "base/hash.h"
#include "database/backup.h"
#include "database/backup_sql.h"
#include "database/sqlite/backup_file.h"

#define HASHED 100 /* columns in one function call: SQLite allows at most 127 arguments */
#define ATTACHED 8 /* SQLite attaches at most 10, and one is the transition's own backup */
#define FOLDED 4   /* bytes of each column at the end of a hash */
#define REPORT_ROWS 8192

typedef struct backup_file {
    rb_backup_file base;
    rb_sqlite *own;
    rb_strs noted; /* tables with notes */
} backup_file;

/* Hashes: */

typedef struct hashing {
    rb_sha256 *sha256;
    rb_buf data;
    rb_buf out;
} hashing;

static void add_big_endian(rb_buf *out, uint64_t value)
{
    unsigned char bytes[8];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(value >> (56 - 8 * i));
    rb_buf_add(out, bytes, sizeof bytes);
}

static void add_value(rb_buf *out, sqlite3_value *value)
{
    const void *data = NULL;
    uint64_t bits = 0;
    double real;
    int type = sqlite3_value_type(value);
    switch (type) {
    case SQLITE_INTEGER:
        bits = (uint64_t)sqlite3_value_int64(value);
        break;
    case SQLITE_FLOAT:
        real = sqlite3_value_double(value);
        memcpy(&bits, &real, sizeof bits);
        break;
    case SQLITE_TEXT:
        data = sqlite3_value_text(value);
        break;
    default:
        data = sqlite3_value_blob(value);
        break;
    }
    bool number = type == SQLITE_INTEGER || type == SQLITE_FLOAT;
    size_t len = number                ? sizeof bits
                 : type == SQLITE_NULL ? 0
                                       : (size_t)sqlite3_value_bytes(value);
    rb_buf_addc(
        out, (char)(type == SQLITE_NULL ? 0 : type)); /* SQLITE_INTEGER to SQLITE_BLOB are 1 to 4 */
    add_big_endian(out, len);
    if (number)
        add_big_endian(out, bits);
    else if (len && data)
        rb_buf_add(out, data, len);
}

/* Appends a short hash (FNV-1a, folded), which shows the column that differs if the SHA-256 does.
 */
static void add_folded(rb_buf *out, const char *data, size_t len)
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)data[i]) * 1099511628211u;
    hash ^= hash >> 32;
    for (int i = 0; i < FOLDED; i++)
        rb_buf_addc(out, (char)(unsigned char)(hash >> (24 - 8 * i)));
}

static void hash_values(sqlite3_context *context, int n, sqlite3_value **values)
{
    hashing *h = sqlite3_user_data(context);
    unsigned char sha256[RB_SHA256_SIZE] = {0};
    rb_buf_truncate(&h->data, 0);
    rb_buf_truncate(&h->out, 0);
    rb_buf_add(&h->out, sha256, sizeof sha256);
    for (int i = 0; i < n; i++) {
        size_t before = h->data.len;
        add_value(&h->data, values[i]);
        add_folded(&h->out, h->data.data + before, h->data.len - before);
    }
    rb_sha256_add(h->sha256, rb_buf_str(&h->data), h->data.len);
    rb_sha256_end(h->sha256, sha256);
    memcpy(h->out.data, sha256, sizeof sha256);
    sqlite3_result_blob(context, h->out.data, (int)h->out.len, SQLITE_TRANSIENT);
}

/* Compares two hashes of rows with that many columns, except for the columns whose numbers are
 * listed ("2,5,"). */
static void same_values(sqlite3_context *context, int n, sqlite3_value **values)
{
    const unsigned char *a = sqlite3_value_blob(values[0]);
    const unsigned char *b = sqlite3_value_blob(values[1]);
    int columns = sqlite3_value_int(values[2]);
    const char *ignored = (const char *)sqlite3_value_text(values[3]);
    bool same = a && b && sqlite3_value_bytes(values[0]) == sqlite3_value_bytes(values[1]);
    char *end;
    (void)n;
    for (int at = 0, i = 0; same && i < columns; i++) {
        at += i % HASHED == 0 ? RB_SHA256_SIZE : 0;
        if (at + FOLDED > sqlite3_value_bytes(values[0]))
            same = false;
        else if (*ignored && strtol(ignored, &end, 10) == i)
            ignored = end + 1;
        else
            same = memcmp(a + at, b + at, FOLDED) == 0;
        at += FOLDED;
    }
    sqlite3_result_int(context, same);
}

static void free_hashing(void *context)
{
    hashing *h = context;
    rb_sha256_free(h->sha256);
    rb_buf_clear(&h->data);
    rb_buf_clear(&h->out);
    free(h);
}

static void add_functions(rb_sqlite *db)
{
    const int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY;
    hashing *h = rb_calloc(1, sizeof *h);
    h->sha256 = rb_sha256_new();
    sqlite3_create_function_v2(db->handle, "rbtool_hash", -1, flags, h, hash_values, NULL, NULL,
                               free_hashing);
    sqlite3_create_function_v2(db->handle, "rbtool_same", 4, flags, NULL, same_values, NULL, NULL,
                               NULL);
}

/* Appends the hash of a row. ignored: columns that count as NULL; or NULL for none. */
static void hash_sql(rb_buf *out, const char *row, const json_t *columns, const json_t *ignored)
{
    bool several = json_array_size(columns) > HASHED;
    rb_buf_puts(out, several ? "CAST(rbtool_hash(" : "rbtool_hash(");
    rb_json_each (name, columns) {
        RB_AUTO(rb_free_str) char *quoted = rb_sql_name(json_string_value(name));
        rb_buf_puts(out, !name_at ? "" : name_at % HASHED ? ", " : ") || rbtool_hash(");
        if (ignored && rb_names_have(ignored, json_string_value(name)))
            rb_buf_puts(out, "NULL");
        else
            rb_buf_printf(out, "%s.%s", row, quoted);
    }
    rb_buf_puts(out, several ? ") AS BLOB)" : ")");
}

void rb_sqlite_hash_sql(rb_buf *out, const char *row, const json_t *columns)
{
    hash_sql(out, row, columns, NULL);
}

void rb_sqlite_matches_sql(rb_buf *out, const json_t *columns, const json_t *ignored)
{
    if (json_array_size(ignored) == 0) {
        rb_buf_puts(out, "d.rbtool_hash = ");
        rb_sqlite_hash_sql(out, "n", columns);
        return;
    }
    rb_buf_puts(out, "rbtool_same(d.rbtool_hash, ");
    hash_sql(out, "n", columns, ignored);
    rb_buf_printf(out, ", %zu, '", json_array_size(columns));
    rb_json_each (name, columns)
        if (rb_names_have(ignored, json_string_value(name)))
            rb_buf_printf(out, "%zu,", name_at);
    rb_buf_puts(out, "')");
}

void rb_sqlite_same_sql(rb_buf *out, const char *a, const char *b)
{
    rb_buf_printf(out, "(%s IS %s COLLATE BINARY AND typeof(%s) = typeof(%s))", a, b, a, b);
}

/* Opening: */

/* An incomplete file is deleted, so that it needs no journal. */
static const char begin_writing[] =
    "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA temp_store=FILE; BEGIN";

static enum rb_code create(backup_file *f, rb_err *err)
{
    const char *path = f->base.path;
    int fd = rb_at_open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);
    if (fd < 0)
        return rb_fail_errno(err, RB_ERROR, "the backup %s cannot be created", path);
    close(fd);
    RB_TRY(rb_sqlite_open_own(&f->own, path, RB_SQLITE_WRITE, err));
    /* SQLite attaches only a file that has the encoding of the database. */
    RB_AUTO(rb_free_str) char *encoding = NULL;
    RB_TRY(rb_sqlite_string(&encoding, rb_sqlite_of(f->base.db),
                            rb_strdup("SELECT encoding FROM pragma_encoding"), err));
    RB_TRY(rb_sqlite_run(f->own, rb_format("PRAGMA encoding = '%s'", encoding), NULL, NULL, err));
    RB_TRY(rb_sqlite_each(f->own, begin_writing, NULL, NULL, NULL, err));
    return rb_sqlite_each(f->own, "CREATE TABLE rbtool_backup(name TEXT PRIMARY KEY, value TEXT)",
                          NULL, NULL, NULL, err);
}

static enum rb_code check_format(const backup_file *f, rb_err *err)
{
    RB_AUTO(rb_free_str) char *format = NULL;
    int64_t known;
    RB_TRY(rb_sqlite_int(
        &known, f->own,
        rb_strdup("SELECT count(*) FROM sqlite_schema WHERE name = 'rbtool_backup'"), err));
    if (known)
        RB_TRY(rb_sqlite_string(&format, f->own,
                                rb_strdup("SELECT value FROM rbtool_backup WHERE name = 'format'"),
                                err));
    if (format && strcmp(format, RB_BACKUP_FORMAT) == 0)
        return RB_OK;
    if (!known)
        return rb_fail(err, RB_FOUND,
                       "it is a copy of the whole database, made by an older rbtool\nread it with "
                       "`sqlite3 %s`",
                       f->base.path);
    return rb_fail(err, RB_FOUND,
                   "it has format %s, and this rbtool knows " RB_BACKUP_FORMAT
                   " only\nuse another rbtool, or read it with `sqlite3 %s`",
                   format ? format : "?", f->base.path);
}

static enum rb_code read_about(backup_file *f, rb_err *err)
{
    RB_AUTO(rb_free_str) char *text = NULL;
    RB_TRY(check_format(f, err));
    RB_TRY(rb_sqlite_string(
        &text, f->own, rb_strdup("SELECT value FROM rbtool_backup WHERE name = 'document'"), err));
    if (text && rb_json_read(&f->base.about, text, strlen(text), f->base.path, err) == RB_OK)
        return rb_backup_document_check(f->base.about, f->base.path, err);
    return rb_fail(err, RB_FOUND, "the backup %s is damaged: its document cannot be read",
                   f->base.path);
}

static enum rb_code open_file(backup_file *f, enum rb_backup_use use, rb_err *err)
{
    if (use == RB_BACKUP_CREATE)
        return create(f, err);
    RB_TRY(rb_sqlite_open_own(&f->own, f->base.path,
                              use == RB_BACKUP_FINISH ? RB_SQLITE_WRITE : RB_SQLITE_READ, err));
    RB_TRY(read_about(f, err));
    if (use == RB_BACKUP_FINISH)
        return rb_sqlite_each(f->own, begin_writing, NULL, NULL, NULL, err);
    rb_sqlite_close(f->own);
    f->own = NULL;
    return RB_OK;
}

enum rb_code rb_sqlite_backup_open(rb_backup_file **out, rb_db *db, const char *path,
                                   enum rb_backup_use use, rb_err *err)
{
    backup_file *f = rb_calloc(1, sizeof *f);
    f->base.db = db;
    f->base.path = rb_strdup(path);
    rb_sqlite_clock_stop(rb_sqlite_of(db));
    add_functions(rb_sqlite_of(db));
    enum rb_code code = open_file(f, use, err);
    if (code == RB_OK)
        *out = &f->base;
    else
        (void)!rb_sqlite_backup_close(&f->base, NULL, RB_IGNORED);
    return code;
}

enum rb_code rb_sqlite_backup_attach(rb_backup_file *file, rb_err *err)
{
    const backup_file *f = (const backup_file *)file;
    rb_sqlite *db = rb_sqlite_of(file->db);
    int64_t attached;
    RB_TRY(rb_sqlite_int(&attached, db,
                         rb_strdup("SELECT count(*) FROM pragma_database_list WHERE name GLOB"
                                   " 'rbtool_backup*'"),
                         err));
    if (!f->own && attached >= ATTACHED)
        return rb_fail(err, RB_FOUND,
                       "one transition restores from at most %d backups\nrestore from this one with"
                       " `rbtool restore`",
                       ATTACHED);
    file->number = (int)attached + 1;
    RB_AUTO(rb_free_str) char *uri = rb_sqlite_uri(file->path);
    RB_AUTO(rb_free_str) char *text = rb_sqlite_text(uri);
    RB_TRY(rb_sqlite_run(db, rb_format("ATTACH %s AS rbtool_backup%d", text, file->number), NULL,
                         NULL, err));
    file->prefix = rb_format("rbtool_backup%d.", file->number);
    return RB_OK;
}

/* Rows: */

static enum rb_code prepare(rb_stmt **out, rb_sqlite *db, const char *sql, const char *doing,
                            rb_err *err)
{
    const char *tail;
    long offset;
    return rb_stmt_prepare(out, &tail, &offset, db, sql) ? RB_OK : rb_sqlite_fail(db, doing, err);
}

/* Runs `insert` for each row of `select`. */
static enum rb_code copy(backup_file *f, const json_t *table, const char *select,
                         const char *insert, rb_err *err)
{
    static const char reading[] = "reading the rows of a backup";
    rb_sqlite *db = rb_sqlite_of(f->base.db);
    RB_AUTO(rb_stmt_freep) rb_stmt *from = NULL;
    RB_AUTO(rb_stmt_freep) rb_stmt *to = NULL;
    RB_AUTO(rb_free_str) char *writing = rb_format("writing backup %s", f->base.path);
    const char *name = rb_json_str(table, "name");
    enum rb_stmt_end end;
    RB_TRY(prepare(&from, db, select, reading, err));
    RB_TRY(prepare(&to, f->own, insert, writing, err));
    size_t n = rb_stmt_width(from);
    int64_t rows = 0;
    for (; (end = rb_stmt_step(from)) == RB_STMT_ROW; rows++) {
        if (rows % REPORT_ROWS == 0 && f->base.proceed &&
            !f->base.proceed(f->base.context, name, rows))
            return rb_fail(err, RB_ERROR, "stopped on request while %s was being backed up", name);
        rb_stmt_reset(to);
        for (size_t i = 0; i < n; i++) {
            rb_cell cell;
            rb_stmt_cell(&cell, from, i);
            if (!rb_stmt_bind_cell(to, i + 1, &cell))
                return rb_sqlite_fail(f->own, writing, err);
        }
        if (rb_stmt_step(to) != RB_STMT_DONE)
            return rb_sqlite_fail(f->own, writing, err);
    }
    return end == RB_STMT_DONE ? RB_OK : rb_sqlite_fail(db, reading, err);
}

/* Returns the columns between rbtool_row and rbtool_state, separated by commas. *n: how many. */
static char *columns_of(size_t *n, const json_t *table, const char *prefix)
{
    const json_t *key = json_object_get(table, "key");
    const json_t *columns = json_object_get(table, "columns");
    RB_AUTO(rb_free_str) char *pattern = rb_format("%s@, ", prefix);
    RB_AUTO(rb_free_str) char *keys = rb_sql_list(key, pattern, "");
    RB_AUTO(rb_free_str) char *rest = rb_sql_list(columns, pattern, "");
    RB_AUTO(rb_free_str) char *place = rb_format("%srbtool_rowid, ", prefix);
    *n = json_array_size(columns) + (*keys ? json_array_size(key) : 1);
    return rb_format("%s%s", *keys ? keys : place, rest);
}

enum rb_code rb_sqlite_backup_copy(rb_backup_file *file, const json_t *table, const char *select,
                                   rb_err *err)
{
    backup_file *f = (backup_file *)file;
    const char *data = rb_json_str(table, "data");
    RB_AUTO(rb_free_str) char *view = rb_sql_name(data);
    RB_AUTO(rb_free_str) char *stored = rb_format("rbtool data of %s", data);
    RB_AUTO(rb_free_str) char *into = rb_sql_name(stored);
    size_t n;
    RB_AUTO(rb_free_str) char *columns = columns_of(&n, table, "");
    RB_AUTO(rb_buf_clear) rb_buf insert = {0};
    RB_TRY(rb_sqlite_run(f->own,
                         rb_format("CREATE TABLE %s(rbtool_row INTEGER PRIMARY KEY, %srbtool_state,"
                                   " rbtool_hash); CREATE VIEW %s AS SELECT * FROM %s",
                                   into, columns, view, into),
                         NULL, NULL, err));
    rb_buf_printf(&insert, "INSERT INTO %s VALUES(NULL", into);
    for (size_t i = 0; i < n + 2; i++)
        rb_buf_puts(&insert, ", ?");
    rb_buf_puts(&insert, ")");
    return copy(f, table, select, rb_buf_str(&insert), err);
}

enum rb_code rb_sqlite_backup_note(rb_backup_file *file, const json_t *table, const char *select,
                                   rb_err *err)
{
    backup_file *f = (backup_file *)file;
    const char *data = rb_json_str(table, "data");
    RB_AUTO(rb_free_str) char *view = rb_sql_name(data);
    RB_AUTO(rb_free_str) char *stored = rb_format("rbtool data of %s", data);
    RB_AUTO(rb_free_str) char *rows = rb_sql_name(stored);
    RB_AUTO(rb_free_str) char *noted = rb_format("rbtool notes on %s", data);
    RB_AUTO(rb_free_str) char *notes = rb_sql_name(noted);
    size_t n;
    RB_AUTO(rb_free_str) char *columns = columns_of(&n, table, "d.");
    RB_AUTO(rb_free_str)
    char *insert = rb_format("INSERT OR REPLACE INTO %s VALUES(?, ?, ?)", notes);
    if (!rb_strs_has(&f->noted, data))
        RB_TRY(rb_sqlite_run(
            f->own,
            rb_format(
                "CREATE TABLE %s(rbtool_row INTEGER PRIMARY KEY, rbtool_state, rbtool_hash);"
                "DROP VIEW %s; CREATE VIEW %s AS SELECT d.rbtool_row, %sa.rbtool_state,"
                " a.rbtool_hash FROM %s AS d LEFT JOIN %s AS a ON a.rbtool_row = d.rbtool_row",
                notes, view, view, columns, rows, notes),
            NULL, NULL, err));
    rb_strs_add(&f->noted, data);
    return copy(f, table, select, insert, err);
}

/* Closing: */

static enum rb_code write_value(rb_sqlite *db, const char *name, const char *value, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *params = json_pack("[s,s]", name, value);
    return rb_sqlite_each(db, "INSERT OR REPLACE INTO rbtool_backup VALUES(?1, ?2)", params, NULL,
                          NULL, err);
}

static enum rb_code complete(backup_file *f, const json_t *about, rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf document = {0};
    rb_json_canonical(&document, about);
    RB_TRY(write_value(f->own, "format", RB_BACKUP_FORMAT, err));
    RB_TRY(write_value(f->own, "document", rb_buf_str(&document), err));
    rb_json_each_member (name, value, json_object_get(about, "about"))
        if (json_is_string(value))
            RB_TRY(write_value(f->own, name, json_string_value(value), err));
    RB_TRY(rb_sqlite_each(f->own, "COMMIT", NULL, NULL, NULL, err));
    rb_sqlite_close(f->own);
    f->own = NULL;
    RB_AUTO(rb_close) int fd = rb_at_open(f->base.path, O_RDONLY, 0);
    if (fd < 0 || fsync(fd) != 0)
        return rb_fail_errno(err, RB_ERROR, "the backup %s cannot be written", f->base.path);
    RB_AUTO(rb_free_str) char *dir = rb_path_dir(f->base.path);
    return rb_dir_sync(dir, err);
}

enum rb_code rb_sqlite_backup_close(rb_backup_file *file, const json_t *about, rb_err *err)
{
    backup_file *f = (backup_file *)file;
    enum rb_code code = about ? complete(f, about, err) : RB_OK;
    rb_sqlite_close(f->own);
    rb_strs_clear(&f->noted);
    free(file->path);
    free(file->prefix);
    json_decref(file->about);
    free(f);
    return code;
}
