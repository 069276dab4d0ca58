/* The state of a session during a transition: its name, its locks, its transaction. */
#ifndef RB_DATABASE_POSTGRES_SESSION_H
#define RB_DATABASE_POSTGRES_SESSION_H

#include "database/postgres/postgres.h"

/* Checks a new connection: refuses a pooler in transaction mode and, unless the session only reads,
 * a standby. */
enum rb_code rb_pg_look(rb_pg *pg, rb_err *err);

/* Describes the sessions that hold the lock which this one waits for. A new string; NULL if none.
 */
char *rb_pg_blockers(const rb_pg *pg);

/* The driver's functions; see driver.h. */
enum rb_code rb_pg_identity(char **out, rb_db *db, rb_err *err);
enum rb_code rb_pg_label(rb_db *db, const char *label, rb_err *err);
enum rb_code rb_pg_await(rb_db *db, const char *label, int seconds, bool terminate, rb_err *err);
enum rb_code rb_pg_lock(rb_db *db, int64_t key, const char *what, rb_err *err);
enum rb_code rb_pg_begin(rb_db *db, rb_err *err);
enum rb_code rb_pg_commit(rb_db *db, rb_err *err);
void rb_pg_rollback(rb_db *db);
enum rb_code rb_pg_hold(rb_db *db, rb_err *err);
bool rb_pg_in_transaction(const rb_db *db);

#endif
