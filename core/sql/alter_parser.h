/* What a statement that changes a table's definition is about, in SQLite's dialect. */
#ifndef RB_SQL_ALTER_PARSER_H
#define RB_SQL_ALTER_PARSER_H

#include <stddef.h>

enum rb_ddl_kind {
    RB_DDL_OTHER,
    RB_DDL_DROP_TABLE,
    RB_DDL_DROP_COLUMN,
    RB_DDL_RENAME_TABLE,
    RB_DDL_RENAME_COLUMN,
    RB_DDL_ADD_COLUMN,
};

typedef struct rb_ddl {
    enum rb_ddl_kind kind;
    char *table;
    char *column;   /* dropped, or renamed */
    char *new_name; /* of the table or column */
} rb_ddl;

/* Reads the head of one statement, in time that does not grow with its length. */
void rb_ddl_read(rb_ddl *out, const char *sql, size_t len);
void rb_ddl_clear(rb_ddl *ddl);

#endif
