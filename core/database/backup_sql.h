/*
 * SQL for backups and restores. Lists of names are JSON arrays of strings. A statement is a text in
 * which {name} stands for a part: an object has the parts by name. Every char * is a new string.
 */
#ifndef RB_DATABASE_BACKUP_SQL_H
#define RB_DATABASE_BACKUP_SQL_H

#include "database/driver.h"

/* Whether a list has a name, whatever its case; and whether it has all of another list. */
bool rb_names_have(const json_t *names, const char *name);
bool rb_names_have_all(const json_t *names, const json_t *others);
/* Those names of a that b has; or, if in is false, has not. A new list. */
json_t *rb_names_of(const json_t *a, const json_t *b, bool in);

char *rb_sql_name(const char *name);
/* Each name, quoted, in place of the '@'s of pattern, with between between them. Where between is
 * an operator, in groups: engines limit how deep an expression is. */
char *rb_sql_list(const json_t *names, const char *pattern, const char *between);
/* A condition: the rows n and d have the same values in columns. */
char *rb_sql_same(const rb_db *db, const json_t *columns);
char *rb_sql_hash(const rb_db *db, const char *row, const json_t *columns);
/* A condition: the row n is the one that `row` refers to. */
char *rb_sql_refers(const json_t *parent, const json_t *to, const char *row, const json_t *columns);
/* The values of row d for columns of a table: "d.a, d.b"; or, to set them, "a = d.a, b = d.b". */
char *rb_sql_values(const json_t *table, const json_t *columns, bool set);

/* Sets a part: a text with its parts filled in, or one as it is, which is freed. */
void rb_sql_set(json_t *parts, const char *name, const char *text);
void rb_sql_put(json_t *parts, const char *name, char *text);
/*
 * Sets the parts for t, an entry of the backup's document: {keys}: those of d; {null}: one of them
 * is NULL; with a file: {data}, its rows. And with `table`, as the driver describes it: {live};
 * {on}: n has the key of d; {exists}: such a row n was found.
 */
void rb_sql_set_table(json_t *parts, const rb_backup_file *file, const json_t *t,
                      const json_t *table);
char *rb_sql_fill(const json_t *parts, const char *text);
enum rb_code rb_sql_run(rb_db *db, const json_t *parts, const char *text, rb_err *err);
enum rb_code rb_sql_rows(json_t **out, rb_db *db, const json_t *parts, const char *text,
                         rb_err *err);
/* The first number of the first row; 0 if there is none. */
enum rb_code rb_sql_number(int64_t *out, rb_db *db, const json_t *parts, const char *text,
                           rb_err *err);

/* Whether the key of t identifies rows of a table. */
bool rb_backup_same_key(const json_t *t, const json_t *table);
bool rb_backup_is(const json_t *t, const char *kind);
/* The names of all tables of the database but rbtool's own. */
enum rb_code rb_backup_tables(json_t **out, rb_db *db, rb_err *err);

#endif
