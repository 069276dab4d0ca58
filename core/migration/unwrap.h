/*
 * Finds parts of a script that must not run inside rbtool's transaction.
 */
#ifndef RB_MIGRATION_UNWRAP_H
#define RB_MIGRATION_UNWRAP_H

#include "migration/migration.h"
#include "sql/statement.h"

enum rb_control {
    RB_CONTROL_NONE,
    RB_CONTROL_BEGIN,
    RB_CONTROL_COMMIT,
    RB_CONTROL_OTHER, /* ROLLBACK, SAVEPOINT, RELEASE, COMMIT AND CHAIN, and others */
};

/* True if the token is one of the words, which end with NULL. */
bool rb_sql_one_of(const rb_token *token, const char *const *words);

/* Classifies a statement as transaction control or not. */
enum rb_control rb_sql_control(const rb_sql_statement *statement);

/* Returns the name, in lower case, of the PRAGMA that a statement of SQLite sets or reads, a new
 * string; NULL for other statements. */
char *rb_sql_pragma(const rb_sql_statement *statement, const rb_sql_dialect *dialect);

/* What must not run in rbtool's transaction. */
typedef struct rb_refused {
    bool found;
    size_t offset; /* of the statement in the script */
    char what[64]; /* "transaction control", "psql's command \\copy" */
} rb_refused;

/* Finds the first statement of a script that rb_script_unwrap() refuses. */
rb_refused rb_sql_refused(const char *text, size_t len, const char *engine);

/*
 * Returns the script in the form in which it runs inside rbtool's transaction. What must not run
 * there is replaced by blanks, so that lines and offsets stay valid:
 *
 * - each BEGIN and the COMMIT that follows it. The script commits as a whole then, not in parts;
 * the proof runs it in this form too, so a script that needs a commit between its parts fails
 * there;
 * - PRAGMAs that have no effect inside a transaction (foreign_keys, journal_mode).
 *
 * RB_FOUND, with file and line, for other transaction control and for psql commands. *out is
 * NUL-terminated, has script->len bytes, and is owned by the caller.
 */
enum rb_code rb_script_unwrap(char **out, const rb_script *script, const char *engine, rb_err *err);

/* True if the script is missing, or contains only comments, white space and semicolons. */
bool rb_script_is_blank(const rb_script *script, const char *engine);

#endif
