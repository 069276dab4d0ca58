/* Functions of the driver that are not written yet. Each moves into a file of its own,
 * under the same name. */
#include "database/postgres/pending.h"

static enum rb_code pending(rb_err *err, const char *what)
{
    return rb_fail(err, RB_ERROR, "rbtool cannot do %s with PostgreSQL yet", what);
}

enum rb_code rb_pg_table(json_t **out, rb_db *db, const char *name, rb_err *err)
{
    (void)out;
    (void)db;
    (void)name;
    return pending(err, "backups");
}

enum rb_code rb_pg_backup_open(rb_backup_file **out, rb_db *db, const char *path,
                               enum rb_backup_use use, rb_err *err)
{
    (void)out;
    (void)db;
    (void)path;
    (void)use;
    return pending(err, "backups");
}

char *rb_pg_default_value(const char *text)
{
    return rb_strdup(text);
}
