/*
 * Finds the parts of a script that must not run inside rbtool's transaction; shared by unwrap.c
 * and lint.c.
 */
#ifndef RB_MIGRATION_UNWRAP_H
#define RB_MIGRATION_UNWRAP_H

#include "migration/migration.h"
#include "sql/statement.h"

enum rb_control {
    RB_CONTROL_NONE,
    RB_CONTROL_BEGIN,
    RB_CONTROL_COMMIT,
    RB_CONTROL_OTHER, /* ROLLBACK, SAVEPOINT, RELEASE, COMMIT AND CHAIN, ... */
};

/* True if the token is one of the words; the list ends with NULL. */
bool rb_sql_one_of(const rb_token *token, const char *const *words);

/* Classifies a statement as transaction control or not. */
enum rb_control rb_sql_control(const rb_sql_statement *statement);

/* SQLite: returns the lower-case name of the PRAGMA that this statement sets or reads, a new
 * string, or NULL. */
char *rb_sql_pragma(const rb_sql_statement *statement, const rb_sql_dialect *dialect);

typedef struct rb_wrapping {
    bool wrapped;
    size_t begin[2];  /* the BEGIN statement's bytes */
    size_t commit[2]; /* and the COMMIT's */
    bool refused;
    size_t offset; /* of the statement refused */
    char what[64]; /* "transaction control", "psql's command \\copy" */
} rb_wrapping;

void rb_sql_wrapping(rb_wrapping *out, const char *text, size_t len, const char *engine);

/*
 * Returns the script as it is run inside rbtool's own transaction: of the same length, so that
 * lines and offsets remain valid, with blanks in place of what must not run there: a BEGIN and
 * COMMIT that only wrap the script (comments and PRAGMAs around them are allowed), and PRAGMAs
 * that have no effect inside a transaction (foreign_keys, journal_mode). Other PRAGMAs stay.
 * Transaction control elsewhere and psql meta-commands: RB_FOUND, with file and line in the
 * message. *out is NUL-terminated, script->len bytes, owned by the caller.
 */
enum rb_code rb_script_unwrap(char **out, const rb_script *script, const char *engine, rb_err *err);

/* True if the script has nothing but comments, white space and semicolons, or is absent. */
bool rb_script_is_blank(const rb_script *script, const char *engine);

#endif
