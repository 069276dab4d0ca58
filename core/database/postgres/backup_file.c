/*
 * The file of a backup: an SQL script for psql, with the rows in the format of COPY.
 *
 * psql -X -v ON_ERROR_STOP=1 -f FILE DATABASE loads it into schema rbtool_backup. With -v restore=1
 * it also restores the rows, and drops the schema.
 *
 * Its lines, in this order: settings; for each table CREATE TABLE on one line, COPY and the rows;
 * for each table whose rows the scripts changed, a line "-- note N" and the new states of its rows;
 * the statements that restore; and last "-- rbtool: " and the document (backup.h).
 *
 * rbtool loads the rows into temporary tables: "rbtool bF N" is table N of this session's file
 * number F. For the file that is being written, they exist from rb_pg_backup_copy() to the last
 * rb_pg_backup_note(). Columns of types outside pg_catalog are text, so that scripts can drop the
 * type.
 */
#include "database/postgres/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/anchor.h"
#include "base/file.h"
#include "database/backup.h"
#include "database/backup_sql.h"

#define ABOUT "-- rbtool: "
#define ABOUT_LIMIT (64u << 20)
#define REPORT_ROWS 8192

typedef struct backup_file {
    rb_backup_file base;
    enum rb_backup_use use;
    FILE *file;
    size_t copied;
    json_t *data;  /* names that the document's tables have in the file */
    json_t *noted; /* numbers of the tables with notes: {"N": true} */
} backup_file;

static backup_file *file_of(rb_backup_file *file)
{
    return (backup_file *)file;
}

static enum rb_code fail_write(const backup_file *f, rb_err *err)
{
    return rb_fail_errno(err, RB_ERROR, "the backup %s cannot be written", f->base.path);
}

static enum rb_code fail_damaged(const backup_file *f, const char *what, rb_err *err)
{
    return rb_fail(err, RB_FOUND, "the backup %s is damaged: %s\nread it with a text editor",
                   f->base.path, what);
}

/* Returns the name of this session's temporary table n, counted from 1. */
static char *temporary_name(const backup_file *f, size_t n)
{
    return rb_format("rbtool b%d %zu", f->base.number, n);
}

static size_t number_of(const backup_file *f, const json_t *table)
{
    size_t n = 0;
    (void)sscanf(rb_json_str(table, "data"), "rbtool b%*d %zu", &n);
    return f->use == RB_BACKUP_CREATE ? f->copied : n;
}

/* Opening: */

static const char settings[] =
    "SET client_encoding = 'UTF8';\nSET standard_conforming_strings = on;\n"
    "SET DateStyle = 'ISO, YMD';\nSET IntervalStyle = postgres;\nSET TimeZone = 'UTC';\n"
    "SET extra_float_digits = 1;\nSET bytea_output = hex;\nSET xmlbinary = base64;\n"
    "SET lc_monetary = 'C';\nBEGIN;\nCREATE SCHEMA rbtool_backup;\n";

static enum rb_code create(backup_file *f, rb_err *err)
{
    int fd = rb_at_open(f->base.path, O_CREAT | O_EXCL | O_WRONLY, 0600);
    if (fd < 0)
        return rb_fail_errno(err, RB_ERROR, "the backup %s cannot be created", f->base.path);
    f->file = fdopen(fd, "w");
    if (!f->file ||
        fputs("-- Rows that rbtool copied before a transition that could destroy them.\n"
              "-- psql -X -v ON_ERROR_STOP=1 -f FILE DATABASE loads them into schema"
              " rbtool_backup;\n-- with -v restore=1 it restores them, as far as the"
              " rows are as the transition left them.\n",
              f->file) < 0 ||
        fputs(settings, f->file) < 0)
        return fail_write(f, err);
    return RB_OK;
}

/* Reads the document from the last line. The file's position is then at its end. */
static enum rb_code read_about(backup_file *f, rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf line = {0};
    size_t more = 4096;
    long size = fseek(f->file, 0, SEEK_END) == 0 ? ftell(f->file) : -1;
    const char *start = NULL;
    while (size > 0 && !start && more < ABOUT_LIMIT) {
        long from = (long)more < size ? size - (long)more : 0;
        rb_buf_truncate(&line, 0);
        rb_buf_reserve(&line, (size_t)(size - from) + 1);
        if (fseek(f->file, from, SEEK_SET) != 0 ||
            fread(line.data, 1, (size_t)(size - from), f->file) != (size_t)(size - from))
            return rb_fail_errno(err, RB_ERROR, "the backup %s cannot be read", f->base.path);
        line.len = (size_t)(size - from);
        line.data[line.len] = '\0';
        for (size_t i = line.len > 1 ? line.len - 1 : 0; i > 0 && !start; i--)
            if (line.data[i - 1] == '\n')
                start = line.data + i;
        more = from == 0 ? ABOUT_LIMIT : more * 8;
    }
    if (!start || strncmp(start, ABOUT, sizeof ABOUT - 1) != 0)
        return fail_damaged(f, "its last line is not the document", err);
    start += sizeof ABOUT - 1;
    if (rb_json_read(&f->base.about, start, strlen(start), f->base.path, err) != RB_OK)
        return fail_damaged(f, "its document cannot be read", err);
    const char *format = rb_json_str(f->base.about, "format");
    if (format && strcmp(format, RB_BACKUP_FORMAT) == 0) {
        rb_err why;
        if (rb_backup_document_check(f->base.about, "its document", &why) != RB_OK)
            return fail_damaged(f, why.message, err);
        return fseek(f->file, 0, SEEK_END) == 0 ? RB_OK : fail_write(f, err);
    }
    return rb_fail(err, RB_FOUND,
                   "it has format %s, and this rbtool knows " RB_BACKUP_FORMAT
                   " only\nuse another rbtool, or load it with `psql -f %s`",
                   format ? format : "?", f->base.path);
}

/* Truncates the part that an earlier rb_db_backup_finish() wrote: it is written again. */
static enum rb_code take_back(backup_file *f, rb_err *err)
{
    const int64_t end = rb_json_int(f->base.about, "end", 0);
    if (end <= 0)
        return RB_OK;
    if (ftruncate(fileno(f->file), (off_t)end) != 0)
        return fail_write(f, err);
    json_decref(f->base.about);
    f->base.about = NULL;
    return read_about(f, err);
}

/* Gives the document's tables their temporary names, and keeps those of the file in f->data. */
static void rename_tables(backup_file *f)
{
    rb_pg *pg = rb_pg_of(f->base.db);
    rb_json_each (table, json_object_get(f->base.about, "tables")) {
        RB_AUTO(rb_free_str) char *name = temporary_name(f, table_at + 1);
        json_array_append(f->data, json_object_get(table, "data"));
        rb_json_set_str(table, "data", name);
        if (f->use != RB_BACKUP_RESTORE)
            continue;
        if (!pg->restoring)
            pg->restoring = json_array();
        json_array_append(pg->restoring, json_object_get(table, "name"));
    }
}

static enum rb_code open_file(backup_file *f, rb_err *err)
{
    if (f->use == RB_BACKUP_CREATE)
        return create(f, err);
    int fd = rb_at_open(f->base.path, f->use == RB_BACKUP_FINISH ? O_RDWR : O_RDONLY, 0);
    f->file = fd < 0 ? NULL : fdopen(fd, f->use == RB_BACKUP_FINISH ? "r+" : "r");
    if (!f->file)
        return rb_fail_errno(err, RB_ERROR, "the backup %s cannot be read", f->base.path);
    RB_TRY(read_about(f, err));
    if (f->use == RB_BACKUP_FINISH)
        RB_TRY(take_back(f, err));
    rename_tables(f);
    return RB_OK;
}

enum rb_code rb_pg_backup_open(rb_backup_file **out, rb_db *db, const char *path,
                               enum rb_backup_use use, rb_err *err)
{
    backup_file *f = rb_calloc(1, sizeof *f);
    f->base = (rb_backup_file){.db = db, .path = rb_strdup(path)};
    f->use = use;
    f->data = json_array();
    f->noted = json_object();
    /* The file that is being written has number 0. */
    f->base.number = use == RB_BACKUP_RESTORE ? ++rb_pg_of(db)->backups : 0;
    enum rb_code code = open_file(f, err);
    if (code == RB_OK)
        *out = &f->base;
    else
        (void)!rb_pg_backup_close(&f->base, NULL, RB_IGNORED);
    return code;
}

/* Loading: */

/* Sends the lines up to the end of a COPY to the server. */
static enum rb_code load_rows(backup_file *f, const char *into, rb_err *err)
{
    rb_pg *pg = rb_pg_of(f->base.db);
    RB_AUTO(rb_free_str) char *sql = rb_format("COPY %s FROM STDIN", into);
    RB_AUTO(rb_pg_clear) PGresult *started = PQexec(pg->conn, sql);
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;
    bool sent = PQresultStatus(started) == PGRES_COPY_IN;
    if (!sent)
        return rb_pg_fail(err, pg, started, "loading the backup %s", f->base.path);
    while ((len = getline(&line, &cap, f->file)) > 0 && strcmp(line, "\\.\n") != 0)
        sent = sent && PQputCopyData(pg->conn, line, (int)len) == 1;
    free(line);
    sent =
        PQputCopyEnd(pg->conn, len > 0 ? NULL : "the file ends in the middle of it") == 1 && sent;
    RB_AUTO(rb_pg_clear) PGresult *done = PQgetResult(pg->conn);
    for (PGresult *more; (more = PQgetResult(pg->conn)) != NULL;)
        PQclear(more);
    if (sent && PQresultStatus(done) == PGRES_COMMAND_OK)
        return RB_OK;
    return rb_pg_fail(err, pg, done, "loading the backup %s", f->base.path);
}

static enum rb_code run_line(backup_file *f, const char *format, const char *name, const char *rest,
                             rb_err *err)
{
    RB_AUTO(rb_free_str) char *sql = rb_format("%s%s%s", format, name, rest);
    return rb_pg_exec(rb_pg_of(f->base.db), sql, err);
}

/* Loads table n from its line "CREATE TABLE NAME(...);" and the rows that follow. */
static enum rb_code load_table(backup_file *f, const char *line, size_t n, rb_err *err)
{
    static const char begin[] = "CREATE TABLE ";
    const char *data = json_string_value(json_array_get(f->data, n - 1));
    RB_AUTO(rb_free_str) char *name = rb_pg_backup_name(data ? data : "", n);
    RB_AUTO(rb_free_str) char *plain = temporary_name(f, n);
    RB_AUTO(rb_free_str) char *into = rb_sql_name(plain);
    const char *rest = line + sizeof begin - 1 + strlen(name);
    if (!data || strncmp(line + sizeof begin - 1, name, strlen(name)) != 0)
        return fail_damaged(f, "its tables are not those of its document", err);
    RB_TRY(run_line(f, "CREATE TEMPORARY TABLE ", into, rest, err));
    char *copy = NULL;
    size_t cap = 0;
    ssize_t len = getline(&copy, &cap, f->file);
    bool good = len > 0 && strncmp(copy, "COPY ", 5) == 0;
    free(copy);
    if (!good)
        return fail_damaged(f, "a table has no rows", err);
    RB_TRY(load_rows(f, into, err));
    return run_line(f, "ANALYZE ", into, "", err);
}

static const char note_table[] =
    "\"rbtool note\"(rbtool_row bigint, rbtool_state text, rbtool_hash text)";

/* Loads the states of the rows of table n at the commit. */
static enum rb_code load_note(backup_file *f, size_t n, rb_err *err)
{
    RB_AUTO(rb_free_str) char *plain = temporary_name(f, n);
    RB_AUTO(rb_free_str) char *into = rb_sql_name(plain);
    char *line = NULL;
    size_t cap = 0;
    while (getline(&line, &cap, f->file) > 0 && strncmp(line, "COPY ", 5) != 0)
        ;
    free(line);
    RB_TRY(run_line(f, "CREATE TEMPORARY TABLE ", note_table, "", err));
    RB_TRY(load_rows(f, "\"rbtool note\"", err));
    return run_line(f, "UPDATE ", into,
                    " AS d SET rbtool_state = a.rbtool_state, rbtool_hash = a.rbtool_hash FROM"
                    " \"rbtool note\" AS a WHERE a.rbtool_row = d.rbtool_row;"
                    " DROP TABLE \"rbtool note\"",
                    err);
}

static enum rb_code load(backup_file *f, rb_err *err)
{
    enum rb_code code = RB_OK;
    char *line = NULL;
    size_t cap = 0;
    size_t tables = 0;
    if (fseek(f->file, 0, SEEK_SET) != 0)
        return rb_fail_errno(err, RB_ERROR, "the backup %s cannot be read", f->base.path);
    while (code == RB_OK && getline(&line, &cap, f->file) > 0) {
        size_t note = 0;
        if (strncmp(line, "CREATE TABLE rbtool_backup.", 27) == 0)
            code = load_table(f, line, ++tables, err);
        else if (sscanf(line, "-- note %zu", &note) == 1)
            code = load_note(f, note, err);
    }
    free(line);
    if (code == RB_OK && tables != json_array_size(f->data))
        return fail_damaged(f, "tables of its document are missing", err);
    return code;
}

enum rb_code rb_pg_backup_attach(rb_backup_file *file, rb_err *err)
{
    backup_file *f = file_of(file);
    int64_t loaded = f->use == RB_BACKUP_CREATE || json_array_size(f->data) == 0;
    RB_AUTO(rb_free_str) char *first = temporary_name(f, 1);
    const char *params[] = {first};
    file->prefix = rb_strdup("pg_temp.");
    if (f->use == RB_BACKUP_FINISH &&
        !loaded) /* loaded by this session, or the session that wrote it was killed */
        RB_TRY(rb_pg_int(&loaded, rb_pg_of(file->db),
                         "SELECT count(*) FROM pg_class WHERE relnamespace = pg_my_temp_schema()"
                         " AND relname = $1",
                         params, 1, err));
    if (loaded > 0)
        return RB_OK;
    RB_TRY(load(f, err));
    return fseek(f->file, 0, SEEK_END) == 0 ? RB_OK : fail_write(f, err);
}

/* Writing: */

/* Writes rows that the server sends for COPY, in the form of a psql script. */
static enum rb_code write_rows(backup_file *f, const char *from, const char *table, rb_err *err)
{
    rb_pg *pg = rb_pg_of(f->base.db);
    RB_AUTO(rb_free_str) char *sql = rb_format("COPY %s TO STDOUT", from);
    RB_AUTO(rb_pg_clear) PGresult *started = PQexec(pg->conn, sql);
    char *row;
    int len;
    int unwritten = 0; /* errno of a failed write */
    bool stopped = false;
    char ignored[256];
    if (PQresultStatus(started) != PGRES_COPY_OUT)
        return rb_pg_fail(err, pg, started, "backing up %s", table);
    for (int64_t rows = 0; (len = PQgetCopyData(pg->conn, &row, 0)) > 0; rows++) {
        if (!unwritten && fwrite(row, 1, (size_t)len, f->file) != (size_t)len)
            unwritten = errno;
        PQfreemem(row);
        bool report = rows % REPORT_ROWS == 0 && f->base.proceed && !stopped;
        stopped |= unwritten || (report && !f->base.proceed(f->base.context, table, rows));
        if (stopped && pg->cancel)
            (void)!PQcancel(pg->cancel, ignored, sizeof ignored);
    }
    RB_AUTO(rb_pg_clear) PGresult *done = PQgetResult(pg->conn);
    for (PGresult *more; (more = PQgetResult(pg->conn)) != NULL;)
        PQclear(more);
    if (unwritten)
        errno = unwritten;
    if (unwritten || (len == -1 && !stopped && fputs("\\.\n", f->file) < 0))
        return fail_write(f, err);
    if (stopped)
        return rb_fail(err, RB_ERROR, "stopped on request while %s was being backed up", table);
    return PQresultStatus(done) == PGRES_COMMAND_OK
               ? RB_OK
               : rb_pg_fail(err, pg, done, "backing up %s", table);
}

/* Lists a table's columns: its key or rbtool_rowid, the others, state and hash. */
static json_t *columns_of(const json_t *table)
{
    json_t *out = json_copy(json_object_get(table, "key"));
    if (json_array_size(out) == 0)
        json_array_append_new(out, json_string("rbtool_rowid"));
    json_array_extend(out, json_object_get(table, "columns"));
    json_array_append_new(out, json_string("rbtool_state"));
    json_array_append_new(out, json_string("rbtool_hash"));
    return out;
}

static enum rb_code make_table(backup_file *f, const json_t *table, const char *into,
                               const char *select, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *shape = NULL;
    RB_AUTO(rb_json_freep) json_t *columns = columns_of(table);
    RB_AUTO(rb_free_str) char *names = rb_sql_list(columns, "@", ", ");
    RB_AUTO(rb_buf_clear) rb_buf sql = {0};
    RB_TRY(rb_pg_table(&shape, f->base.db, rb_json_str(table, "name"), err));
    rb_buf_printf(&sql, "CREATE TEMPORARY TABLE %s AS SELECT row_number() OVER () AS rbtool_row",
                  into);
    rb_json_each (name, columns) {
        const char *plain = json_string_value(name);
        RB_AUTO(rb_free_str) char *quoted = rb_sql_name(plain);
        bool text = strncmp(plain, "rbtool_", 7) == 0 ||
                    json_object_get(json_object_get(shape, "types"), plain);
        rb_buf_printf(&sql, ", s.%s%s AS %s", quoted, text ? "::text" : "", quoted);
    }
    rb_buf_printf(&sql, " FROM (%s) AS s(%s)", select, names);
    return rb_pg_exec(rb_pg_of(f->base.db), rb_buf_str(&sql), err);
}

enum rb_code rb_pg_backup_copy(rb_backup_file *file, const json_t *table, const char *select,
                               rb_err *err)
{
    backup_file *f = file_of(file);
    size_t n = ++f->copied;
    RB_AUTO(rb_free_str) char *plain = temporary_name(f, n);
    RB_AUTO(rb_free_str) char *from = rb_sql_name(plain);
    RB_AUTO(rb_free_str) char *name = rb_pg_backup_name(rb_json_str(table, "data"), n);
    RB_AUTO(rb_free_str) char *columns = NULL;
    const char *params[] = {from};
    RB_TRY(make_table(f, table, from, select, err));
    RB_TRY(rb_pg_text(&columns, rb_pg_of(file->db),
                      "SELECT string_agg(format('%I %s', attname, format_type(atttypid,"
                      " atttypmod)), ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid ="
                      " ('pg_temp.' || $1)::regclass AND attnum > 0",
                      params, 1, err));
    if (fprintf(f->file, "\nCREATE TABLE %s(%s);\nCOPY %s FROM stdin;\n", name, columns, name) < 0)
        return fail_write(f, err);
    return write_rows(f, from, rb_json_str(table, "name"), err);
}

enum rb_code rb_pg_backup_note(rb_backup_file *file, const json_t *table, const char *select,
                               rb_err *err)
{
    backup_file *f = file_of(file);
    RB_AUTO(rb_free_str) char *key = rb_format("%zu", number_of(f, table));
    RB_AUTO(rb_free_str) char *name = rb_sql_name(rb_json_str(table, "data"));
    if (!json_object_get(f->noted, key))
        RB_TRY(run_line(f, "UPDATE pg_temp.", name, " SET rbtool_state = NULL, rbtool_hash = NULL",
                        err));
    json_object_set_new(f->noted, key, json_true());
    RB_AUTO(rb_free_str)
    char *sql = rb_format("UPDATE pg_temp.%s AS d SET rbtool_state = s.state, rbtool_hash = s.hash"
                          " FROM (%s) AS s(number, state, hash) WHERE d.rbtool_row = s.number",
                          name, select);
    return rb_pg_exec(rb_pg_of(file->db), sql, err);
}

/* Writes the states that rb_pg_backup_note() set. */
static enum rb_code write_notes(backup_file *f, rb_err *err)
{
    rb_json_each_member (number, ignored, f->noted) {
        size_t n = (size_t)strtoul(number, NULL, 10);
        const char *data = json_string_value(json_array_get(f->data, n - 1));
        RB_AUTO(rb_free_str) char *name = rb_pg_backup_name(data, n);
        RB_AUTO(rb_free_str) char *plain = temporary_name(f, n);
        RB_AUTO(rb_free_str) char *quoted = rb_sql_name(plain);
        RB_AUTO(rb_free_str)
        char *from = rb_format("pg_temp.%s(rbtool_row, rbtool_state, rbtool_hash)", quoted);
        if (fprintf(f->file,
                    "\n-- note %zu\nCREATE TEMPORARY TABLE %s;\nCOPY \"rbtool note\" FROM stdin;\n",
                    n, note_table) < 0)
            return fail_write(f, err);
        RB_TRY(write_rows(f, from, data, err));
        if (fprintf(f->file,
                    "UPDATE %s AS d SET rbtool_state = a.rbtool_state, rbtool_hash = a.rbtool_hash"
                    " FROM \"rbtool note\" AS a WHERE a.rbtool_row = d.rbtool_row;\nDROP TABLE"
                    " \"rbtool note\";\n",
                    name) < 0)
            return fail_write(f, err);
    }
    return RB_OK;
}

/* Closing: */

static enum rb_code write_end(backup_file *f, const json_t *about, rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf sql = {0};
    rb_pg_restore_sql(&sql, json_object_get(about, "tables"));
    if (fprintf(f->file,
                "\n\\if :{?restore}\n%sDROP SCHEMA rbtool_backup CASCADE;\n\\endif\nCOMMIT;\n",
                rb_buf_str(&sql)) < 0)
        return fail_write(f, err);
    return RB_OK;
}

static enum rb_code complete(backup_file *f, const json_t *about, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *document = json_deep_copy(about);
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    rb_json_each (table, json_object_get(document, "tables"))
        if (f->use == RB_BACKUP_FINISH)
            json_object_set(table, "data", json_array_get(f->data, table_at));
    if (f->use == RB_BACKUP_FINISH)
        json_object_set_new(document, "end", json_integer(ftell(f->file)));
    RB_TRY(write_notes(f, err));
    if (f->use == RB_BACKUP_FINISH)
        RB_TRY(write_end(f, document, err));
    rb_json_canonical(&text, document);
    if (fprintf(f->file, ABOUT "%s\n", rb_buf_str(&text)) < 0 || fflush(f->file) != 0 ||
        fsync(fileno(f->file)) != 0)
        return fail_write(f, err);
    RB_AUTO(rb_free_str) char *dir = rb_path_dir(f->base.path);
    return rb_dir_sync(dir, err);
}

enum rb_code rb_pg_backup_close(rb_backup_file *file, const json_t *about, rb_err *err)
{
    backup_file *f = file_of(file);
    enum rb_code code = about ? complete(f, about, err) : RB_OK;
    if (f->file)
        (void)fclose(f->file);
    free(file->path);
    free(file->prefix);
    json_decref(file->about);
    json_decref(f->data);
    json_decref(f->noted);
    free(f);
    return code;
}
