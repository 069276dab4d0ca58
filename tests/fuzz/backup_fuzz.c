/*
 * Backups of PostgreSQL: the input is the file. A document that is accepted has all that a restore
 * uses, and what does not fit it is an error. Without a server, what would be sent fails.
 * The document of a SQLite backup has the same check; the input is one, too.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "database/backup.h"
#include "database/backup_sql.h"
#include "database/postgres/backup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a restore does with a document before it sends anything. */
static void use(const json_t *about)
{
    rb_buf sql = {0};
    rb_json_each (table, json_object_get(about, "tables")) {
        RB_AUTO(rb_json_freep) json_t *parts = json_object();
        rb_sql_set_table(parts, NULL, table, NULL);
        if (!rb_json_str(table, "name") || !rb_json_str(table, "data") ||
            rb_backup_is(table, "nothing"))
            abort();
    }
    rb_json_each (reference, json_object_get(about, "references"))
        if ((size_t)rb_json_int(reference, "parent", -1) >=
            json_array_size(json_object_get(about, "tables")))
            abort();
    rb_pg_restore_sql(&sql, json_object_get(about, "tables"));
    rb_buf_clear(&sql);
}

static void open_file(const char *path, enum rb_backup_use how)
{
    rb_err err;
    rb_backup_file *file = NULL;
    rb_pg pg = {.base = {.driver = &rb_postgres_driver}, .shown = (char *)"none"};
    if (rb_postgres_driver.backup_open(&file, &pg.base, path, how, &err) == RB_OK) {
        use(file->about);
        (void)!rb_postgres_driver.backup_attach(file, &err);
        (void)!rb_postgres_driver.backup_close(file, NULL, &err);
    }
    json_decref(pg.restoring);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[] = "/tmp/rbtool-fuzz-XXXXXX";
    RB_AUTO(rb_json_freep) json_t *document = NULL;
    if (rb_pg_libraries_load(RB_IGNORED) != RB_OK)
        return 0; /* without libpq, backups of PostgreSQL cannot be read */
    const int fd = mkstemp(path);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    (void)close(fd);
    open_file(path, RB_BACKUP_RESTORE);
    open_file(path, RB_BACKUP_FINISH);
    (void)unlink(path);
    if (rb_json_read(&document, (const char *)data, size, "input", RB_IGNORED) == RB_OK &&
        rb_backup_document_check(document, "input", RB_IGNORED) == RB_OK)
        use(document);
    return 0;
}
