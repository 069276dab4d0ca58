/* The file that a backup is: its tables, and what reads and writes rows of any type. */
#include "database/sqlite/backup_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/anchor.h"
#include "base/file.h"

static const char *const kinds[] = {"rows", "values", "referenced"};

const char *rb_backup_kind_name(enum rb_backup_kind kind)
{
    return kinds[kind];
}

/* The file */

void rb_backup_table_clear(rb_backup_table *t)
{
    free(t->name);
    free(t->data);
    free(t->moved);
    rb_strs_clear(&t->key);
    rb_strs_clear(&t->columns);
    rb_strs_clear(&t->automatic);
    rb_strs_clear(&t->compared);
    *t = (rb_backup_table){0};
}

void rb_backup_clear(rb_backup_file *file)
{
    for (size_t i = 0; i < file->n; i++)
        rb_backup_table_clear(&file->tables[i]);
    for (size_t i = 0; i < file->reference_count; i++) {
        rb_strs_clear(&file->references[i].columns);
        rb_strs_clear(&file->references[i].parent_columns);
    }
    free(file->tables);
    free(file->references);
    free(file->path);
    rb_sqlite_close(file->db);
    *file = (rb_backup_file){0};
}

/* A file that is not complete is thrown away: it needs no journal. */
static enum rb_code begin_writing(rb_backup_file *file, rb_err *err)
{
    return rb_sqlite_each(file->db,
                          "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA"
                          " temp_store=FILE; BEGIN",
                          NULL, NULL, NULL, err);
}

enum rb_code rb_backup_create(rb_backup_file *file, const char *path, rb_err *err)
{
    int fd = rb_at_open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);
    if (fd < 0)
        return rb_fail_errno(err, RB_ERROR, "the backup %s cannot be created", path);
    close(fd);
    file->path = rb_strdup(path);
    RB_TRY(rb_sqlite_open_own(&file->db, path, RB_SQLITE_WRITE, err));
    RB_TRY(begin_writing(file, err));
    return rb_sqlite_each(
        file->db,
        "CREATE TABLE rbtool_backup(name TEXT PRIMARY KEY, value TEXT);"
        "CREATE TABLE rbtool_table(id INTEGER PRIMARY KEY, name TEXT NOT NULL, data TEXT NOT NULL"
        " UNIQUE, kind TEXT NOT NULL, \"key\" TEXT NOT NULL, columns TEXT NOT NULL, automatic TEXT"
        " NOT NULL, counter INTEGER, definition TEXT NOT NULL, compared TEXT NOT NULL DEFAULT '[]',"
        " gone INTEGER NOT NULL DEFAULT 0, moved TEXT);"
        "CREATE TABLE rbtool_after(\"table\" INTEGER, \"row\" INTEGER, sha256 BLOB, columns BLOB,"
        " PRIMARY KEY(\"table\", \"row\")) WITHOUT ROWID;"
        "CREATE TABLE rbtool_reference(child INTEGER NOT NULL, child_columns TEXT NOT NULL, parent"
        " INTEGER NOT NULL, parent_columns TEXT NOT NULL);"
        "CREATE TABLE rbtool_applied(id TEXT, up_sha256 TEXT);"
        "INSERT INTO rbtool_backup VALUES('format', '" RB_BACKUP_FORMAT "');",
        NULL, NULL, NULL, err);
}

enum rb_code rb_backup_complete(rb_backup_file *file, rb_err *err)
{
    RB_TRY(rb_sqlite_each(file->db, "COMMIT", NULL, NULL, NULL, err));
    rb_sqlite_close(file->db);
    file->db = NULL;
    int fd = rb_at_open(file->path, O_RDONLY, 0);
    int synced = fd < 0 ? -1 : fsync(fd);
    int saved = errno;
    if (fd >= 0)
        close(fd);
    errno = saved;
    if (synced != 0)
        return rb_fail_errno(err, RB_ERROR, "the backup %s cannot be written", file->path);
    RB_AUTO(rb_free_str) char *dir = rb_path_dir(file->path);
    return rb_dir_sync(dir, err);
}

/* Writing it */

static enum rb_code insert_table(rb_backup_file *file, rb_sqlite *db, const rb_backup_table *t,
                                 rb_err *err)
{
    RB_AUTO(rb_free_str) char *definition = NULL;
    RB_AUTO(rb_free_str) char *name = rb_sqlite_text(t->name);
    RB_AUTO(rb_json_freep) json_t *params = json_array();
    const rb_strs *lists[] = {&t->key, &t->columns, &t->automatic};
    RB_TRY(rb_sqlite_string(&definition, db,
                            rb_format("SELECT sql FROM main.sqlite_schema WHERE type = 'table' AND"
                                      " name = %s COLLATE NOCASE",
                                      name),
                            err));
    json_array_append_new(params, json_integer(t->id));
    json_array_append_new(params, rb_json_text(t->name));
    json_array_append_new(params, rb_json_text(t->data));
    json_array_append_new(params, json_string(rb_backup_kind_name(t->kind)));
    for (size_t i = 0; i < 3; i++) {
        RB_AUTO(rb_buf_clear) rb_buf text = {0};
        RB_AUTO(rb_json_freep) json_t *names = rb_json_strs(lists[i]);
        rb_json_canonical(&text, names);
        json_array_append_new(params, json_string(rb_buf_str(&text)));
    }
    json_array_append_new(params, t->counter < 0 ? json_null() : json_integer(t->counter));
    json_array_append_new(params, rb_json_text(definition ? definition : ""));
    return rb_sqlite_each(file->db,
                          "INSERT INTO rbtool_table(id, name, data, kind, \"key\", columns,"
                          " automatic, counter, definition) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)",
                          params, NULL, NULL, err);
}

static enum rb_code read_counter(rb_backup_table *t, rb_sqlite *db, rb_err *err)
{
    int64_t exists;
    RB_TRY(rb_sqlite_int(&exists, db,
                         rb_strdup("SELECT count(*) FROM main.sqlite_schema WHERE name ="
                                   " 'sqlite_sequence'"),
                         err));
    RB_AUTO(rb_free_str) char *name = rb_sqlite_text(t->name);
    if (!exists)
        return RB_OK;
    return rb_sqlite_int(&t->counter, db,
                         rb_format("SELECT ifnull((SELECT seq FROM main.sqlite_sequence WHERE name"
                                   " = %s COLLATE NOCASE), -1)",
                                   name),
                         err);
}

enum rb_code rb_backup_add_table(rb_backup_file *file, rb_sqlite *db, rb_backup_table *t,
                                 rb_err *err)
{
    bool taken = strncasecmp(t->name, "rbtool_", 7) == 0 || t->kind == RB_BACKUP_REFERENCED;
    t->id = (int64_t)file->n + 1;
    t->data =
        taken ? rb_format("%s (%s %lld)", t->name, rb_backup_kind_name(t->kind), (long long)t->id)
              : rb_strdup(t->name);
    file->tables = rb_realloc(file->tables, file->n + 1, sizeof *file->tables);
    file->tables[file->n++] = *t;
    RB_TRY(read_counter(&file->tables[file->n - 1], db, err));
    t = &file->tables[file->n - 1];
    RB_AUTO(rb_free_str) char *data = rb_sqlite_name(t->data);
    RB_AUTO(rb_free_str) char *key = rb_sqlite_spread(&t->key, "@", ", ");
    RB_AUTO(rb_free_str) char *columns = rb_sqlite_spread(&t->columns, "@", ", ");
    RB_TRY(
        rb_sqlite_run(file->db,
                      rb_format("CREATE TABLE %s(%s%s%s)", data, t->key.n ? key : RB_BACKUP_ROWID,
                                t->columns.n ? ", " : "", columns),
                      NULL, NULL, err));
    return insert_table(file, db, t, err);
}

char *rb_backup_insert(const rb_backup_table *t, const char *how)
{
    rb_buf sql = {0};
    RB_AUTO(rb_free_str) char *data = rb_sqlite_name(t->data);
    size_t n = (t->key.n ? t->key.n : 1) + t->columns.n;
    rb_buf_printf(&sql, "%s INTO main.%s VALUES(?", how, data);
    for (size_t i = 1; i < n; i++)
        rb_buf_puts(&sql, ", ?");
    rb_buf_puts(&sql, ")");
    return rb_buf_detach(&sql);
}

/* Reading it */

static bool names_of(rb_strs *out, const rb_cell *cell)
{
    rb_err ignored;
    RB_AUTO(rb_json_freep) json_t *list = NULL;
    size_t i;
    json_t *item;
    if (cell->kind != RB_CELL_TEXT ||
        rb_json_read(&list, cell->data, cell->len, "names", &ignored) != RB_OK ||
        !json_is_array(list))
        return false;
    json_array_foreach (list, i, item) {
        if (!json_is_string(item))
            return false;
        rb_strs_add(out, json_string_value(item));
    }
    return true;
}

typedef struct loading {
    rb_backup_file *file;
    bool damaged;
} loading;

static bool load_table(void *context, const rb_cell *cells, size_t n)
{
    loading *l = context;
    rb_backup_file *file = l->file;
    file->tables = rb_realloc(file->tables, file->n + 1, sizeof *file->tables);
    rb_backup_table *t = &file->tables[file->n++];
    *t = (rb_backup_table){.id = cells[0].integer, .counter = -1, .gone = cells[9].integer != 0};
    (void)n;
    l->damaged |= cells[1].kind != RB_CELL_TEXT || cells[2].kind != RB_CELL_TEXT;
    if (l->damaged)
        return false;
    t->name = rb_strdup(cells[1].data);
    t->data = rb_strdup(cells[2].data);
    t->moved = cells[10].kind == RB_CELL_TEXT ? rb_strdup(cells[10].data) : NULL;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        if (cells[3].kind == RB_CELL_TEXT && strcmp(cells[3].data, kinds[k]) == 0)
            t->kind = (enum rb_backup_kind)k;
    l->damaged |= !names_of(&t->key, &cells[4]) || !names_of(&t->columns, &cells[5]) ||
                  !names_of(&t->automatic, &cells[6]) || !names_of(&t->compared, &cells[8]);
    if (cells[7].kind == RB_CELL_INTEGER)
        t->counter = cells[7].integer;
    return !l->damaged;
}

static size_t index_of(const rb_backup_file *file, int64_t id)
{
    size_t i = 0;
    while (i < file->n && file->tables[i].id != id)
        i++;
    return i;
}

static bool load_reference(void *context, const rb_cell *cells, size_t n)
{
    loading *l = context;
    rb_backup_file *file = l->file;
    (void)n;
    file->references =
        rb_realloc(file->references, file->reference_count + 1, sizeof *file->references);
    rb_backup_reference *r = &file->references[file->reference_count++];
    *r = (rb_backup_reference){.child = index_of(file, cells[0].integer),
                               .parent = index_of(file, cells[2].integer)};
    l->damaged |= r->child == file->n || r->parent == file->n ||
                  !names_of(&r->columns, &cells[1]) || !names_of(&r->parent_columns, &cells[3]) ||
                  r->columns.n != r->parent_columns.n;
    return !l->damaged;
}

static enum rb_code load(rb_backup_file *file, rb_err *err)
{
    loading l = {.file = file};
    RB_TRY(rb_sqlite_each(file->db,
                          "SELECT id, name, data, kind, \"key\", columns, automatic, counter,"
                          " compared, gone, moved FROM rbtool_table ORDER BY id",
                          NULL, load_table, &l, err));
    if (!l.damaged)
        RB_TRY(rb_sqlite_each(file->db,
                              "SELECT child, child_columns, parent, parent_columns FROM"
                              " rbtool_reference ORDER BY rowid",
                              NULL, load_reference, &l, err));
    if (l.damaged)
        return rb_fail(err, RB_FOUND, "the backup %s is damaged: its list of tables cannot be read",
                       file->path);
    for (size_t i = 0; i < file->n; i++) {
        RB_AUTO(rb_free_str) char *data = rb_sqlite_name(file->tables[i].data);
        RB_TRY(rb_sqlite_int(&file->tables[i].rows, file->db,
                             rb_format("SELECT ifnull(max(rowid), 0) FROM main.%s", data), err));
    }
    return RB_OK;
}

static enum rb_code check_format(const rb_backup_file *file, rb_err *err)
{
    RB_AUTO(rb_free_str) char *format = NULL;
    int64_t known;
    RB_TRY(rb_sqlite_int(
        &known, file->db,
        rb_strdup("SELECT count(*) FROM sqlite_schema WHERE name = 'rbtool_backup'"), err));
    if (known)
        RB_TRY(rb_sqlite_string(&format, file->db,
                                rb_strdup("SELECT value FROM rbtool_backup WHERE name = 'format'"),
                                err));
    if (format && strcmp(format, RB_BACKUP_FORMAT) == 0)
        return RB_OK;
    if (!known)
        return rb_fail(err, RB_FOUND,
                       "it is a copy of the whole database, made by an older rbtool\nread it with "
                       "`sqlite3 %s`",
                       file->path);
    return rb_fail(err, RB_FOUND,
                   "it has format %s, and this rbtool knows " RB_BACKUP_FORMAT
                   " only\nuse a newer rbtool, or read it with `sqlite3 %s`",
                   format ? format : "?", file->path);
}

enum rb_code rb_backup_open(rb_backup_file *file, const char *path, bool write, rb_err *err)
{
    file->path = rb_strdup(path);
    RB_TRY(rb_sqlite_open_own(&file->db, path, write ? RB_SQLITE_WRITE : RB_SQLITE_READ, err));
    RB_TRY(check_format(file, err));
    if (write)
        RB_TRY(begin_writing(file, err));
    return load(file, err);
}
