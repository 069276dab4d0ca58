/*
 * Finds what the statements of a script may write, even if tables are empty, from SQLite's
 * authorizer and the statements' words: the `effects` of rb_db_driver.script. script.c calls it for
 * each statement, and authorizer.c for each action.
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
 * nothing outside the main schema, for SQLite's own tables, or if no effects are collected. */
void rb_effects_note(rb_sqlite *db, enum rb_write_kind kind, const char *schema, const char *table,
                     const char *column, bool in_trigger);
/* Forgets the noted writes. Call it before the next statement is prepared. */
void rb_effects_forget(rb_sqlite_state *state);
/* Adds the noted writes of a statement, `len` bytes of `sql`, to the state's effects. */
enum rb_code rb_effects_add(rb_sqlite *db, const char *sql, size_t len, rb_err *err);

#endif
