/*
 * Updates the tracking tables of other tools, in the same transaction as the scripts:
 *
 *   golang-migrate  schema_migrations(version, dirty): one row, the last version; none at zero
 *   dbmate          schema_migrations(version): one row for each version
 *   diesel          __diesel_schema_migrations(version, run_on): one row for each version
 *   sqlx            _sqlx_migrations(version, description, installed_on, success, checksum,
 *                   execution_time): one row for each version; checksum is the SHA-384 of
 *                   the up script
 *   goose           goose_db_version(id, version_id, is_applied, tstamp): one row for each version,
 *                   after one of version 0
 *   sql-migrate     gorp_migrations(id, applied_at): one row for each file name
 *   node-pg-migrate pgmigrations(id, name, run_on): one row for each name
 *   flyway          flyway_schema_history(installed_rank, version, ...): a row for each script that
 *                   ran; an undo adds one of type UNDO_SQL
 *   sqitch          PostgreSQL: sqitch.{projects,changes,dependencies,tags,events}, the registry;
 * in SQLite it is another file, which rbtool does not write
 *
 * Tables are recognised by their columns. Each is written exactly as its tool does it.
 *
 * sqlx can be set to leave characters out of its checksum. A checksum that sqlx wrote and that is
 * not the script's SHA-384 is therefore kept in rbtool_checksums when its migration is undone, and
 * written again when the same script is applied again.
 */
#ifndef RB_DATABASE_TRACKING_H
#define RB_DATABASE_TRACKING_H

#include "database/database.h"

bool rb_tracking_known(const char *name); /* also for "auto" */

/* True if the table is rbtool's own or a tool's (or that tool's index). Catalogs leave it out. */
bool rb_tracking_owns(const char *table);

/* Resolves "auto" to the tool whose table exists ("" if none does), and checks a given name. For an
 * empty database returns the layout's own tool. */
enum rb_code rb_tracking_find(const char **name, rb_db *db, const char *wanted, const char *layout,
                              rb_err *err);

/*
 * Finds the tracking table of a tool that rbtool does not support, if no supported one and no
 * rbtool_applied exists: it is then unknown what is applied. *table: its name, as a new string, or
 * NULL. *tool: name of its tool, static.
 */
enum rb_code rb_tracking_foreign(char **table, const char **tool, rb_db *db, rb_err *err);

/* Returns SQL that records migration `id` as applied in the table of the layout's tool. A person
 * runs it after a migration was applied without the tool. A new string; NULL if a row needs more
 * than the id. */
char *rb_tracking_record_sql(const char *engine, const char *layout, const char *id);

/* Returns SQL, in one line, that records a migration as applied (up) or as unapplied in the table
 * of the layout's tool. last: id of the last applied migration afterwards, or NULL. *table: name of
 * that table, static. A new string; NULL if the row needs what only the tool knows. */
char *rb_tracking_step_sql(const char **table, const char *engine, const char *layout,
                           const rb_migration *m, bool up, const char *last);

/* Returns SQL that records a migration that stopped half-way as complete, for a person who
 * completed it. Static; NULL if the tool does not record this. */
const char *rb_tracking_settle_sql(const char *name);

/* True if reading needs the records of the migrations (migration.h), since several sets share the
 * layout's tracking table. */
bool rb_tracking_reads_records(const char *layout);

/* True if the layout's tool keeps its record outside of the databases of this engine. rbtool does
 * not write it there. */
bool rb_tracking_is_elsewhere(const char *layout, const char *engine);

/* Reads what the tool's table records as applied, in the order of `set`. Migrations that `set`
 * lacks come last. */
enum rb_code rb_tracking_read(rb_strs *ids, bool *dirty, rb_db *db, const char *name,
                              const rb_migrations *set, rb_err *err);

/* True if the tool records only the last version, so that only the last step of a run must be
 * recorded. */
bool rb_tracking_last_only(const char *name);

/* Takes the tool's own lock until the transaction ends, if it has one on this engine. An
 * application that migrates at its start then waits. RB_BUSY if the tool is running. */
enum rb_code rb_tracking_lock(rb_db *db, const char *name, rb_err *err);

/* Records in the tool's table that a migration was applied (up) or undone. applied: all that is
 * applied afterwards, for tools that record only the last version. nanoseconds: duration of the
 * script, for tools that record it; -1 if unknown. Creates the table as the tool would. */
enum rb_code rb_tracking_note(rb_db *db, const char *name, const rb_migration *migration, bool up,
                              const rb_strs *applied, int64_t nanoseconds, rb_err *err);

#endif
