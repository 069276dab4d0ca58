/*
 * Which statements of a script throw data away, as far as text alone can tell (RB003).
 */
#ifndef RB_MIGRATION_DESTROYS_H
#define RB_MIGRATION_DESTROYS_H

#include <stddef.h>

/* what: "DROP TABLE orders"; borrowed for the call. offset: of the statement in text. */
typedef void rb_destroys_visit(void *context, size_t offset, const char *what);

/*
 * DROP TABLE, DROP COLUMN, DELETE, TRUNCATE, DROP SCHEMA. Not reported: tables that the script
 * itself made, tables whose rows it has copied into another one before (INSERT ... SELECT, CREATE
 * TABLE AS: the rebuild that SQLite's documentation recommends), and SQLite's own tables.
 */
void rb_sql_destroys(const char *text, size_t len, const char *engine, rb_destroys_visit *visit,
                     void *context);

#endif
