/*
 * Makes temporary copies to run scripts on. With rows, there are two: one that scripts change, and
 * one with the state before. The second is attached only after all scripts have run: otherwise
 * names that scripts dropped would be found there.
 */
#include "database/sqlite/sqlite.h"
#include "database/sqlite/table_compare.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/anchor.h"
#include "base/file.h"
#include "base/text.h"
#include "database/tracking.h"

#define IN_MEMORY (32 << 20) /* bytes of a database up to which both copies are in memory */

enum rb_code rb_sqlite_size(int64_t *out, rb_db *db, rb_err *err)
{
    return rb_sqlite_int(
        out, rb_sqlite_of(db),
        rb_strdup("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"), err);
}

/*
 * Sets the read and write version in the header of a database in memory back to 1, as leaving WAL
 * mode does (https://www.sqlite.org/fileformat2.html, offsets 18 and 19). The copy of a database in
 * WAL mode is in WAL mode, which memory does not support, and could not be attached.
 */
static enum rb_code leave_wal_mode(rb_sqlite *memory, rb_err *err)
{
    unsigned char versions[2] = {0};
    sqlite3_file *file = NULL;
    int rc = sqlite3_file_control(memory->handle, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    if (rc == SQLITE_OK && file->pMethods->xRead(file, versions, 2, 18) == SQLITE_OK &&
        versions[0] == 2)
        rc = file->pMethods->xWrite(file, "\1\1", 2, 18);
    return rc == SQLITE_OK ? RB_OK
                           : rb_fail(err, RB_ERROR, "cannot copy a database in WAL mode: %s",
                                     sqlite3_errstr(rc));
}

static enum rb_code copy_in_memory(rb_sqlite **out, rb_sqlite *from, rb_err *err)
{
    /* With a name that begins with a slash, every connection of this process can attach it. */
    static const rb_sqlite_options shared = {.vfs = "memdb", .pragmas = "PRAGMA synchronous=OFF"};
    RB_AUTO(rb_sqlite_closep) rb_sqlite *db = NULL;
    RB_TRY(rb_sqlite_connect(&db, ":memory:", RB_SQLITE_CREATE, RB_SQLITE_SCRATCH, err));
    rb_sqlite_state *state = rb_sqlite_state_of(db);
    RB_AUTO(rb_free_str) char *name = rb_format("/rbtool-%p", (void *)db);
    state->before_uri = rb_format("file:%s?vfs=memdb", name);
    RB_TRY(rb_sqlite_open(&state->before, name, RB_SQLITE_CREATE, &shared, NULL, err));
    RB_TRY(rb_sqlite_backup(state->before, from, err));
    RB_TRY(leave_wal_mode(state->before, err));
    RB_TRY(rb_sqlite_backup(db, from, err));
    *out = RB_TAKE(db);
    return RB_OK;
}

char *rb_sqlite_uri(const char *path)
{
    RB_AUTO(rb_free_str) char *resolved = rb_anchor_name(path);
    RB_AUTO(rb_free_str) char *escaped = rb_text_uri(resolved, "/");
    return rb_format("file:%s?mode=ro&immutable=1", escaped);
}

static enum rb_code copy_to(rb_sqlite **out, const char *name, rb_sqlite *from, rb_err *err)
{
    RB_AUTO(rb_sqlite_closep) rb_sqlite *db = NULL;
    RB_TRY(rb_sqlite_connect(&db, name, RB_SQLITE_WRITE, RB_SQLITE_SCRATCH, err));
    RB_TRY(rb_sqlite_each(db, "PRAGMA journal_mode=MEMORY", NULL, NULL, NULL, err));
    RB_TRY(rb_sqlite_backup(db, from, err));
    /* The copy of a database in WAL mode is in WAL mode, too. */
    RB_TRY(rb_sqlite_each(db, "PRAGMA journal_mode=MEMORY", NULL, NULL, NULL, err));
    *out = RB_TAKE(db);
    return RB_OK;
}

/* Makes a temporary file. *fd stays open, so that rb_dir_tidy() does not remove the file. */
static enum rb_code make_file(char **name, int *fd, const char *dir, rb_err *err)
{
    *fd = rb_file_temporary(name, dir);
    if (*fd < 0)
        return rb_fail_errno(err, RB_ERROR, "a copy of the database cannot be written in %s", dir);
    return RB_OK;
}

/* Copies into two files. The one for scripts is unlinked when it is complete: SQLite can still use
 * it, as long as it needs no other file beside it. The file of the state before is unlinked when it
 * is attached. */
static enum rb_code copy_in_files(rb_sqlite **out, rb_sqlite *from, const char *dir, rb_err *err)
{
    RB_AUTO(rb_sqlite_closep) rb_sqlite *before = NULL;
    char *names[2] = {NULL, NULL};
    int fds[2] = {-1, -1};
    RB_TRY(rb_dir_make(dir, err));
    RB_TRY(make_file(&names[0], &fds[0], dir, err));
    enum rb_code code = copy_to(&before, names[0], from, err);
    if (code == RB_OK)
        code = make_file(&names[1], &fds[1], dir, err);
    if (code == RB_OK)
        code = copy_to(out, names[1], from, err);
    rb_sqlite_drop_file(&fds[1], &names[1]);
    if (code != RB_OK) {
        rb_sqlite_drop_file(&fds[0], &names[0]);
        return code;
    }
    rb_sqlite_state *state = rb_sqlite_state_of(*out);
    state->before_uri = rb_sqlite_uri(names[0]);
    state->before_file = names[0];
    state->before_fd = fds[0];
    return RB_OK;
}

static enum rb_code copy_rows(rb_sqlite **out, rb_sqlite *from, const char *dir, rb_err *err)
{
    int64_t size;
    RB_TRY(rb_sqlite_size(&size, rb_sqlite_base(from), err));
    /* A read transaction, so that both copies have the same state. */
    RB_TRY(rb_sqlite_each(from, "BEGIN; SELECT count(*) FROM main.sqlite_schema", NULL, NULL, NULL,
                          err));
    enum rb_code code =
        size <= IN_MEMORY ? copy_in_memory(out, from, err) : copy_in_files(out, from, dir, err);
    (void)!rb_sqlite_each(from, "ROLLBACK", NULL, NULL, NULL, RB_IGNORED);
    return code;
}

enum rb_code rb_sqlite_attach_before(rb_sqlite *db, rb_err *err)
{
    rb_sqlite_state *state = rb_sqlite_state_of(db);
    if (state->has_before || !state->before_uri)
        return RB_OK;
    RB_AUTO(rb_free_str) char *uri = rb_sqlite_text(state->before_uri);
    RB_TRY(rb_sqlite_run(db, rb_format("ATTACH %s AS " RB_SQLITE_BEFORE, uri), NULL, NULL, err));
    RB_TRY(rb_sqlite_each(db, "SELECT count(*) FROM " RB_SQLITE_BEFORE ".sqlite_schema", NULL, NULL,
                          NULL, err));
    state->has_before = true;
    rb_sqlite_drop_before(state);
    return RB_OK;
}

/* Copies of the schema only: */

typedef struct sketching {
    rb_strs statements;
    rb_strs own; /* tables that record applied migrations, whose rows are copied */
    rb_strs shadows;
} sketching;

/* Adds a row: type, name, sql. */
static bool add_statement(void *context, const rb_cell *cells, size_t n)
{
    sketching *s = context;
    const char *name = cells[1].data;
    (void)n;
    if (cells[2].kind != RB_CELL_TEXT || rb_strs_has(&s->shadows, name))
        return true;
    rb_strs_add(&s->statements, cells[2].data);
    if (strcmp(cells[0].data, "table") == 0 && rb_tracking_owns(name) &&
        strcasecmp(name, "rbtool_journal") != 0)
        rb_strs_add(&s->own, name);
    return true;
}

/* Adds INSERT statements for all rows of a table. */
static enum rb_code add_rows(rb_strs *out, rb_sqlite *from, const char *table, rb_err *err)
{
    RB_AUTO(rb_strs_clear) rb_strs columns = {0};
    RB_AUTO(rb_free_str) char *text = rb_sqlite_text(table);
    RB_AUTO(rb_free_str) char *name = rb_sqlite_name(table);
    RB_AUTO(rb_free_str) char *into = rb_format("INSERT INTO %s VALUES(", name);
    RB_AUTO(rb_free_str) char *literal = rb_sqlite_text(into);
    RB_TRY(rb_sqlite_run(from, rb_format("SELECT name FROM pragma_table_info(%s)", text),
                         rb_sqlite_add_quoted, &columns, err));
    rb_buf sql = {0};
    rb_buf_printf(&sql, "SELECT %s", literal);
    for (size_t i = 0; i < columns.n; i++)
        rb_buf_printf(&sql, " || %s quote(%s)", i ? "',' ||" : "", columns.items[i]);
    rb_buf_printf(&sql, " || ')' FROM main.%s", name);
    return rb_sqlite_run(from, rb_buf_detach(&sql), rb_sqlite_add_text, out, err);
}

static enum rb_code copy_schema(rb_sqlite **out, rb_sqlite *from, rb_err *err)
{
    RB_AUTO(rb_sqlite_closep) rb_sqlite *db = NULL;
    sketching s = {0};
    RB_TRY(rb_sqlite_connect(&db, ":memory:", RB_SQLITE_CREATE, RB_SQLITE_SCRATCH, err));
    enum rb_code code = rb_sqlite_shadows(&s.shadows, from, err);
    if (code == RB_OK)
        code = rb_sqlite_each(from,
                              "SELECT type, name, sql FROM main.sqlite_schema WHERE name NOT LIKE"
                              " 'sqlite\\_%' ESCAPE '\\' ORDER BY type <> 'table', type <> 'view',"
                              " rowid",
                              NULL, add_statement, &s, err);
    for (size_t i = 0; i < s.own.n && code == RB_OK; i++)
        code = add_rows(&s.statements, from, s.own.items[i], err);
    for (size_t i = 0; i < s.statements.n && code == RB_OK; i++)
        code = rb_sqlite_each(db, s.statements.items[i], NULL, NULL, NULL, err);
    rb_strs_clear(&s.statements);
    rb_strs_clear(&s.own);
    rb_strs_clear(&s.shadows);
    RB_TRY(code);
    *out = RB_TAKE(db);
    return RB_OK;
}

enum rb_code rb_sqlite_rehearse(rb_db **out, rb_db *of, const char *dir, bool rows, rb_err *err)
{
    rb_sqlite *db = NULL;
    rb_sqlite *from = rb_sqlite_of(of);
    RB_TRY(rows ? copy_rows(&db, from, dir, err) : copy_schema(&db, from, err));
    *out = rb_sqlite_base(db);
    return RB_OK;
}
