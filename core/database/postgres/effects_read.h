/*
 * Shared by effects.c, effects_rows.c (rows and triggers), effects_code.c (functions) and
 * effects_ddl.c: reads the statements of a script. Trees are those of libpg_query, in JSON.
 */
#ifndef RB_DATABASE_POSTGRES_EFFECTS_READ_H
#define RB_DATABASE_POSTGRES_EFFECTS_READ_H

#include "database/postgres/effects.h"

typedef struct rb_pg_reading {
    rb_pg *pg;
    json_t *effects;
    json_t *seen; /* names of functions and tables that were read already */
} rb_pg_reading;

/* Functions of effects.c: */

/* Reads SQL that runs. If it cannot be parsed, calls rb_pg_reading_opaque(). */
enum rb_code rb_pg_reading_sql(rb_pg_reading *r, const char *sql, rb_err *err);
/* Marks the script as opaque: any table that this transaction has locked may be written. */
void rb_pg_reading_opaque(rb_pg_reading *r);
/* Returns true the first time that it is called with these two texts. */
bool rb_pg_reading_first(rb_pg_reading *r, const char *what, const char *of);

/* Returns node[a][b], or node[a] if b is NULL. NULL if missing. */
const json_t *rb_pg_tree(const json_t *node, const char *a, const char *b);
/* Returns the text of a String node, or NULL. */
const char *rb_pg_tree_string(const json_t *node);
bool rb_pg_tree_is(const json_t *node, const char *key, const char *value);
/* Returns "schema"."name" of a RangeVar node, or of a list of String nodes. A new string. */
char *rb_pg_tree_range(const json_t *range);
char *rb_pg_tree_list(const json_t *list);

/* Sets effect[member][column]. */
void rb_pg_effect_column(json_t *effect, const char *member, const char *column, const char *how);
/* Reads what the server knows of a table or view: {"name","kind","rules","triggers","children",
 * "bases"}. table: its oid as a number, or its name in SQL. NULL if it does not exist or is
 * temporary. */
enum rb_code rb_pg_effect_table(json_t **out, rb_pg_reading *r, const char *table, rb_err *err);

/* Functions of effects_code.c: */

/* Reads a call of a function or procedure. All functions of that name are read. */
enum rb_code rb_pg_reading_call(rb_pg_reading *r, const json_t *call, rb_err *err);
enum rb_code rb_pg_reading_do(rb_pg_reading *r, const json_t *stmt, rb_err *err);
/*
 * Reads a trigger, {"type","function"}, of a table that is written. changes_new: it may change the
 * row that an UPDATE writes; those columns are added to the effect.
 */
enum rb_code rb_pg_reading_trigger(rb_pg_reading *r, json_t *effect, const json_t *trigger,
                                   bool changes_new, rb_err *err);

/* Functions of effects_rows.c: */

/* Marks any row of a table as possibly written, and reads its triggers and references. */
enum rb_code rb_pg_reading_written(rb_pg_reading *r, const char *table, rb_err *err) RB_MUST_USE;
/* True for an expression whose value differs at each evaluation. */
bool rb_pg_is_generated(const json_t *node);
enum rb_code rb_pg_reading_insert(rb_pg_reading *r, const json_t *stmt, rb_err *err);
enum rb_code rb_pg_reading_update(rb_pg_reading *r, const json_t *stmt, rb_err *err);
enum rb_code rb_pg_reading_delete(rb_pg_reading *r, const json_t *stmt, rb_err *err);
enum rb_code rb_pg_reading_merge(rb_pg_reading *r, const json_t *stmt, rb_err *err);
enum rb_code rb_pg_reading_truncate(rb_pg_reading *r, const json_t *stmt, rb_err *err);
enum rb_code rb_pg_reading_copy(rb_pg_reading *r, const json_t *stmt, rb_err *err);

/* Functions of effects_ddl.c: */

enum rb_code rb_pg_reading_alter(rb_pg_reading *r, const json_t *stmt, rb_err *err);
enum rb_code rb_pg_reading_rename(rb_pg_reading *r, const json_t *stmt, rb_err *err);
enum rb_code rb_pg_reading_move(rb_pg_reading *r, const json_t *stmt, rb_err *err);
enum rb_code rb_pg_reading_drop(rb_pg_reading *r, const json_t *stmt, rb_err *err);
enum rb_code rb_pg_reading_restart(rb_pg_reading *r, const json_t *stmt, rb_err *err);
enum rb_code rb_pg_reading_enum(rb_pg_reading *r, const json_t *stmt, rb_err *err);

#endif
