/* Compares and counts tables of the state before and the state now: `compare` and `count` of the
 * driver. The state before is attached as RB_SQLITE_BEFORE (rehearsal.c). */
#ifndef RB_DATABASE_SQLITE_TABLE_COMPARE_H
#define RB_DATABASE_SQLITE_TABLE_COMPARE_H

#include "database/sqlite/sqlite.h"

#define RB_SQLITE_BEFORE "rbtool_before"

enum rb_code rb_sqlite_compare(json_t **out, rb_db *db, const json_t *tables, rb_err *err);
enum rb_code rb_sqlite_count(json_t **out, rb_db *db, const json_t *places, rb_err *err);

enum rb_code rb_sqlite_keep(json_t *kept, rb_db *db, rb_err *err);

#endif
