/*
 * Finds what the statements of a script may write, even if tables are empty: the `effects` of
 * rb_db_driver.script (loss.h). Call rb_pg_effects_add() before each statement runs, and
 * rb_pg_effects_finish() after the last one of a script, in the same transaction.
 */
#ifndef RB_DATABASE_POSTGRES_EFFECTS_H
#define RB_DATABASE_POSTGRES_EFFECTS_H

#include "database/postgres/postgres.h"

enum rb_code rb_pg_effects_add(json_t *effects, rb_pg *pg, const char *statement, rb_err *err);
/* True if no statement since the last rb_pg_effects_finish() ran code of the user or left anything
 * in the session, such as a setting. */
bool rb_pg_effects_plain(const rb_pg *pg);
enum rb_code rb_pg_effects_finish(json_t *effects, rb_pg *pg, rb_err *err);

#endif
