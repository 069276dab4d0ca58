/* Functions of the driver that are not written yet. Each moves into a file of its own,
 * under the same name. */
#include "database/postgres/pending.h"

static enum rb_code pending(rb_err *err, const char *what)
{
    return rb_fail(err, RB_ERROR, "rbtool cannot do %s with PostgreSQL yet", what);
}

enum rb_code rb_pg_backup_write(json_t **left_out, rb_db *db, const struct rb_backup_spec *spec,
                                rb_err *err)
{
    (void)left_out;
    (void)db;
    (void)spec;
    return pending(err, "backups");
}

enum rb_code rb_pg_backup_finish(rb_db *db, const struct rb_backup_spec *spec, rb_err *err)
{
    (void)db;
    (void)spec;
    return pending(err, "backups");
}

enum rb_code rb_pg_backup_size(int64_t *bytes, json_t **left_out, rb_db *db,
                               const struct rb_backup_spec *spec, rb_err *err)
{
    (void)bytes;
    (void)left_out;
    (void)db;
    (void)spec;
    return pending(err, "backups");
}

enum rb_code rb_pg_restore_compare(void **part, json_t *applied, rb_db *db, const char *path,
                                   const struct rb_restore_options *options, rb_err *err)
{
    (void)part;
    (void)applied;
    (void)db;
    (void)path;
    (void)options;
    return pending(err, "restoring");
}

enum rb_code rb_pg_restore_rows(json_t **report, void *part, bool undone,
                                enum rb_scripts_known known, rb_err *err)
{
    (void)report;
    (void)part;
    (void)undone;
    (void)known;
    return pending(err, "restoring");
}

void rb_pg_restore_free(void *part)
{
    (void)part;
}
