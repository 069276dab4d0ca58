/*
 * The tracking tables of other tools, kept true in the same transaction as the scripts:
 *
 *   golang-migrate  schema_migrations(version, dirty): one row, the last version; none at zero
 *   dbmate          schema_migrations(version): a row a version
 *   diesel          __diesel_schema_migrations(version, run_on): a row a version
 *
 * Tables are told apart by their columns. Each is written exactly as its tool would.
 */
#ifndef RB_DATABASE_TRACKING_H
#define RB_DATABASE_TRACKING_H

#include "database/database.h"

bool rb_tracking_known(const char *name); /* "auto" included */

/* Is this table rbtool's own or a tool's (or that tool's index)? Left out of catalogs. */
bool rb_tracking_owns(const char *table);

/* Resolves "auto" to the tool whose table is there ("" for none) and checks a named one. For an
 * empty database, the layout's own tool is the answer. */
enum rb_code rb_tracking_find(const char **name, rb_db *db, const char *wanted, const char *layout,
                              rb_err *err) RB_MUST_USE;

/* What the tool thinks is applied, in set's order; versions that set lacks come last. */
enum rb_code rb_tracking_read(rb_strs *ids, bool *dirty, rb_db *db, const char *name,
                              const rb_migrations *set, rb_err *err) RB_MUST_USE;

/* Does this tool keep only the last version? Then noting the last step of a run is enough. */
bool rb_tracking_last_only(const char *name);

/* Notes that migration was applied (up) or undone. applied: all that is applied after it, for
 * tools that keep only the last version. Creates the table as its tool would. */
enum rb_code rb_tracking_note(rb_db *db, const char *name, const rb_migration *migration, bool up,
                              const rb_strs *applied, const rb_migrations *order,
                              rb_err *err) RB_MUST_USE;

#endif
