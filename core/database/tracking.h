/*
 * The tracking tables of other tools, kept true in the same transaction as the scripts:
 *
 *   golang-migrate  schema_migrations(version, dirty): one row, the last version; none at zero
 *   dbmate          schema_migrations(version): a row a version
 *   diesel          __diesel_schema_migrations(version, run_on): a row a version
 *   sqlx            _sqlx_migrations(version, description, installed_on, success, checksum,
 *                   execution_time): a row a version; checksum is the SHA-384 of the up script
 *   goose           goose_db_version(id, version_id, is_applied, tstamp): a row a version, after
 *                   one of version 0
 *   sql-migrate     gorp_migrations(id, applied_at): a row a file name
 *   node-pg-migrate pgmigrations(id, name, run_on): a row a name
 *
 * Tables are distinguished by their columns. Each is written exactly as its tool would.
 *
 * sqlx can be set to leave characters out of its checksum. A checksum that sqlx wrote and that is
 * not the script's SHA-384 is therefore kept in rbtool_checksums when its migration is undone, and
 * written again when the same script is applied again.
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
                              rb_err *err);

/*
 * A tracking table in a database that rbtool has not deployed to yet and where no tool of the list
 * above has left one: what is applied is not known then. *table: its name, the caller's; NULL where
 * there is none. *tool: who writes it; static.
 */
enum rb_code rb_tracking_foreign(char **table, const char **tool, rb_db *db, rb_err *err);

/* SQL that records migration id as applied in the table of the layout's tool, for a person to run
 * where another tool or a person applied it. The caller owns it; NULL where a row needs more than
 * the id. */
char *rb_tracking_record_sql(const char *engine, const char *layout, const char *id);

/* SQL, a statement or two in one line, that records in the table of the layout's tool that
 * migration id was applied (up) or undone, where last is applied last from then on (NULL: nothing
 * is). *table: that table's name, static. The caller owns it; NULL where a row needs more than the
 * id. */
char *rb_tracking_step_sql(const char **table, const char *layout, const char *id, bool up,
                           const char *last);

/* SQL that records in that tool's table that the migration that stopped half-way is complete, for a
 * person who has completed it. Static; NULL where the tool does not keep that. */
const char *rb_tracking_settle_sql(const char *name);

/* What the tool thinks is applied, in set's order; versions that set lacks come last. */
enum rb_code rb_tracking_read(rb_strs *ids, bool *dirty, rb_db *db, const char *name,
                              const rb_migrations *set, rb_err *err);

/* Does this tool keep only the last version? Then noting the last step of a run is enough. */
bool rb_tracking_last_only(const char *name);

/* Takes the tool's own lock until the transaction ends, where it has one on this engine: so that an
 * application that migrates as it boots waits. RB_BUSY if the tool runs now. */
enum rb_code rb_tracking_lock(rb_db *db, const char *name, rb_err *err);

/* Records that migration was applied (up) or undone. applied: all that is applied after it, for
 * tools that keep only the last version. nanoseconds: how long the script took, for tools that
 * record it; -1 when it is not known. Creates the table as its tool would. */
enum rb_code rb_tracking_note(rb_db *db, const char *name, const rb_migration *migration, bool up,
                              const rb_strs *applied, int64_t nanoseconds, rb_err *err);

#endif
