/* Values for made-up rows, used by sample_rows.c. */
#ifndef RB_DATABASE_SQLITE_SAMPLE_H
#define RB_DATABASE_SQLITE_SAMPLE_H

#include "database/sample.h"
#include "database/sqlite/sqlite.h"

/* A row function for rb_sqlite_run(): adds a column of pragma_table_xinfo() (name, type, notnull,
 * dflt_value, pk), with a value, to an rb_sample_row. */
bool rb_sqlite_sample_add(void *context, const rb_cell *cells, size_t n);
/* Changes values until the CHECKs of the table that `sql` creates hold, if such values are found.
 */
void rb_sqlite_sample_satisfy(rb_sqlite *db, rb_sample_row *row, const char *table,
                              const char *sql);

#endif
