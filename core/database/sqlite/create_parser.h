/* A CREATE statement being read, token by token. Used by create_table.c and create_index.c only. */
#ifndef RB_DATABASE_SQLITE_CREATE_PARSER_H
#define RB_DATABASE_SQLITE_CREATE_PARSER_H

#include "base/json.h"
#include "sql/normal.h"

typedef struct rb_sqlreader {
    const rb_token *t; /* of the whole statement */
    size_t n;
    size_t at;
    const char *name;           /* of the table */
    rb_strs columns;            /* names, in order */
    json_t *out;                /* entries */
    json_t *key;                /* primary key: normalised terms */
    json_t *checks;             /* normalised expressions */
    json_t *table;              /* the table's own entry */
    bool key_beside_descending; /* "a INTEGER PRIMARY KEY DESC" is not an alias of the rowid */
    bool autoincrement;
} rb_sqlreader;

/* Is the keyword or symbol next? take also steps over it, take2 over two of them or none. */
bool rb_reader_peek(const rb_sqlreader *r, const char *word);
bool rb_reader_take(rb_sqlreader *r, const char *word);
bool rb_reader_take2(rb_sqlreader *r, const char *one, const char *two);

/* What is next, or NULL when it is something else; new strings and arrays. group: the inside of
 * "( ... )", normalised; terms: its parts; conflict: ON CONFLICT's word, NULL for ABORT too. */
char *rb_reader_take_name(rb_sqlreader *r);
char *rb_reader_take_group(rb_sqlreader *r);
json_t *rb_reader_take_terms(rb_sqlreader *r, bool *autoincrement);
char *rb_reader_take_conflict(rb_sqlreader *r);
/* CREATE [TEMP] WHAT [IF NOT EXISTS] [SCHEMA.]NAME: the cursor goes behind it. */
bool rb_reader_take_head(rb_sqlreader *r, const char *what);

/* Index behind the ')' that closes the '(' at i; 0 when there is none. */
size_t rb_reader_group_end(const rb_token *t, size_t n, size_t i);
char *rb_reader_normal(const rb_token *t, size_t n, const rb_strs *columns);
json_t *rb_reader_terms(const rb_token *t, size_t n, const rb_strs *columns);
char *rb_reader_joined(const json_t *list);
char *rb_reader_upper(char *s); /* in place */

/* Sets a member: text of any bytes, or null for NULL. Adds an entry under its key (catalog/name.h),
 * with a number behind the name if it is taken. */
void rb_reader_put(json_t *object, const char *key, const char *value);
void rb_reader_put_entry(json_t *out, json_t *entry, const char *kind, const char *table,
                         const char *name);

/* Reads the whole statement into r->out; false when it is not understood. */
bool rb_reader_read_table(rb_sqlreader *r);

#endif
