/* Parses statements of SQLite that drop a table or change its definition (DROP TABLE, ALTER
 * TABLE). */
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
    char *column;   /* the column that is dropped or renamed */
    char *new_name; /* new name of the table or column */
} rb_ddl;

/* Parses one statement. Reads only its first tokens, whatever its length. kind is RB_DDL_OTHER for
 * other statements. */
void rb_ddl_read(rb_ddl *out, const char *sql, size_t len);
void rb_ddl_clear(rb_ddl *ddl);

#endif
