/*
 * What the statements of a script may write, as SQLite's authorizer and their own tokens say,
 * whether or not there are rows: the `effects` of rb_db_driver.script. Used by script.c around
 * each statement, and by authorizer.c.
 */
#ifndef RB_DATABASE_SQLITE_EFFECTS_H
#define RB_DATABASE_SQLITE_EFFECTS_H

#include "database/sqlite/sqlite.h"

enum rb_write_kind {
    RB_WRITE_INSERT,
    RB_WRITE_UPDATE,
    RB_WRITE_DELETE,
    RB_WRITE_DROP,
    RB_WRITE_ALTER
};

/* Notes a write of the statement that is being prepared. column: of an update, or NULL. Does
 * nothing outside the main schema, for SQLite's own tables, and where no effects are collected. */
void rb_effects_note(rb_sqlite *db, enum rb_write_kind kind, const char *schema, const char *table,
                     const char *column, bool in_trigger);
/* Forgets what was noted, before the next statement is prepared. */
void rb_effects_forget(rb_sqlite_state *state);
/* Adds what was noted of a statement to the state's effects: `len` bytes of `sql`. */
enum rb_code rb_effects_add(rb_sqlite *db, const char *sql, size_t len, rb_err *err);

#endif
