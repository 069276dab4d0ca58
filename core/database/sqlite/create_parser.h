/* Reads a CREATE statement token by token, for create_table.c and create_index.c. */
#ifndef RB_DATABASE_SQLITE_CREATE_PARSER_H
#define RB_DATABASE_SQLITE_CREATE_PARSER_H

#include "base/json.h"
#include "sql/normal.h"

typedef struct rb_sqlreader {
    const rb_token *t; /* tokens of the whole statement */
    size_t n;
    size_t at;
    const char *name;           /* the table's name */
    rb_strs columns;            /* column names, in order */
    json_t *out;                /* entries that were read */
    json_t *key;                /* primary key: normalised terms */
    json_t *checks;             /* normalised expressions */
    json_t *table;              /* the table's own entry */
    bool key_beside_descending; /* the key is written as "a INTEGER PRIMARY KEY DESC", which is not
                                   an alias of the rowid */
    bool autoincrement;
} rb_sqlreader;

/* True if the keyword or symbol is next. take also steps over it; take2 steps over two of them, or
 * none. */
bool rb_reader_peek(const rb_sqlreader *r, const char *word);
bool rb_reader_take(rb_sqlreader *r, const char *word);
bool rb_reader_take2(rb_sqlreader *r, const char *one, const char *two);

/* Take what is next and return it as a new string or array; NULL if it is something else. group:
 * the normalised inside of "( ... )"; terms: its parts; conflict: the word after ON CONFLICT, and
 * NULL for ABORT, too. */
char *rb_reader_take_name(rb_sqlreader *r);
char *rb_reader_take_group(rb_sqlreader *r);
json_t *rb_reader_take_terms(rb_sqlreader *r, bool *autoincrement);
char *rb_reader_take_conflict(rb_sqlreader *r);
/* Takes CREATE [TEMP] WHAT [IF NOT EXISTS] [SCHEMA.]NAME. */
bool rb_reader_take_head(rb_sqlreader *r, const char *what);

/* Returns the index after the ')' that closes the '(' at i; 0 if there is none. */
size_t rb_reader_group_end(const rb_token *t, size_t n, size_t i);
char *rb_reader_normal(const rb_token *t, size_t n, const rb_strs *columns);
json_t *rb_reader_terms(const rb_token *t, size_t n, const rb_strs *columns);
char *rb_reader_joined(const json_t *list);
char *rb_reader_upper(char *s); /* changes s itself */

/* rb_reader_put() sets a member to a text of any bytes, or to null for NULL. rb_reader_put_entry()
 * adds an entry under its key (catalog/name.h), with a number after the name if it is taken. */
void rb_reader_put(json_t *object, const char *key, const char *value);
void rb_reader_put_entry(json_t *out, json_t *entry, const char *kind, const char *table,
                         const char *name);

/* Reads the whole statement into r->out. False if it cannot be parsed. */
bool rb_reader_read_table(rb_sqlreader *r);

#endif
