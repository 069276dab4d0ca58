/*
 * Builds SQL for backups and restores. A statement is a text with names in braces, such as {keys},
 * that stand for parts. A JSON object maps each name to its part. Lists of names are JSON arrays of
 * strings. Every char * that is returned is a new string.
 */
#ifndef RB_DATABASE_BACKUP_SQL_H
#define RB_DATABASE_BACKUP_SQL_H

#include "database/driver.h"

/* True if the list has the name, in any case; or all names of the other list. */
bool rb_names_have(const json_t *names, const char *name);
bool rb_names_have_all(const json_t *names, const json_t *others);
/* Returns a new list of the names of a that are in b (in: true) or that are not in b (in: false).
 */
json_t *rb_names_of(const json_t *a, const json_t *b, bool in);

char *rb_sql_name(const char *name);
/* Returns `pattern` for each name, with '@' replaced by the quoted name, joined by `between`. If
 * `between` is an operator, terms are grouped, since engines limit the depth of expressions. */
char *rb_sql_list(const json_t *names, const char *pattern, const char *between);
/* Returns a condition: rows n and d have the same values in the columns. */
char *rb_sql_same(const rb_db *db, const json_t *columns);
char *rb_sql_hash(const rb_db *db, const char *row, const json_t *columns);
/* Returns a condition: row n is the parent that `row` refers to. */
char *rb_sql_refers(const json_t *parent, const json_t *to, const char *row, const json_t *columns);
/* Returns the values of row d for a table's columns: "d.a, d.b"; set: "a = d.a, b = d.b". */
char *rb_sql_values(const json_t *table, const json_t *columns, bool set);

/* Sets a part. rb_sql_set() fills in the parts that the text names; rb_sql_put() takes the text as
 * it is, and frees it. */
void rb_sql_set(json_t *parts, const char *name, const char *text);
void rb_sql_put(json_t *parts, const char *name, char *text);
/*
 * Sets the parts for t, an entry of the backup's document. {keys}: the key columns of d; {null}:
 * one of them is NULL. If file is given, {data}: its table. If table is given (as
 * rb_db_driver.table returns it), {live}: its name; {on}: n has the key of d; {exists}: the join
 * found a row n.
 */
void rb_sql_set_table(json_t *parts, const rb_backup_file *file, const json_t *t,
                      const json_t *table);
char *rb_sql_fill(const json_t *parts, const char *text);
enum rb_code rb_sql_run(rb_db *db, const json_t *parts, const char *text, rb_err *err);
enum rb_code rb_sql_rows(json_t **out, rb_db *db, const json_t *parts, const char *text,
                         rb_err *err);
/* Runs a query. *out: the number in its first column and row, or 0 without a row. */
enum rb_code rb_sql_number(int64_t *out, rb_db *db, const json_t *parts, const char *text,
                           rb_err *err);

/* True if the key of t identifies rows of `table`, too. */
bool rb_backup_same_key(const json_t *t, const json_t *table);
bool rb_backup_is(const json_t *t, const char *kind);
/* Lists the names of all tables of the database except rbtool's own. */
enum rb_code rb_backup_tables(json_t **out, rb_db *db, rb_err *err);

#endif
