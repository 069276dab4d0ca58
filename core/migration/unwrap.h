/*
 * Finds the parts of a script that must not run inside rbtool's transaction; shared by unwrap.c
 * and lint.c.
 */
#ifndef RB_MIGRATION_UNWRAP_H
#define RB_MIGRATION_UNWRAP_H

#include "sql/statement.h"

enum rb_control {
    RB_CONTROL_NONE,
    RB_CONTROL_BEGIN,
    RB_CONTROL_COMMIT,
    RB_CONTROL_OTHER, /* ROLLBACK, SAVEPOINT, RELEASE, COMMIT AND CHAIN, ... */
};

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

#endif
