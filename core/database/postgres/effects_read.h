/*
 * Shared by effects.c, effects_rows.c (rows and triggers), effects_code.c (functions) and
 * effects_ddl.c: reading the statements of a script. Trees are those of libpg_query, in JSON.
 */
#ifndef RB_DATABASE_POSTGRES_EFFECTS_READ_H
#define RB_DATABASE_POSTGRES_EFFECTS_READ_H

#include "database/postgres/effects.h"

typedef struct rb_pg_reading {
    rb_pg *pg;
    json_t *effects;
    json_t *seen; /* functions and tables that were followed, as keys */
} rb_pg_reading;

/* effects.c */

/* Reads SQL that runs; what cannot be read is opaque. */
enum rb_code rb_pg_reading_sql(rb_pg_reading *r, const char *sql, rb_err *err);
/* Any table may be written that this transaction has locked. */
void rb_pg_reading_opaque(rb_pg_reading *r);
/* Returns true the first time. */
bool rb_pg_reading_first(rb_pg_reading *r, const char *what, const char *of);

/* node[a][b], or node[a] where b is NULL; NULL for none. */
const json_t *rb_pg_tree(const json_t *node, const char *a, const char *b);
/* The text of a String node, or NULL. */
const char *rb_pg_tree_string(const json_t *node);
bool rb_pg_tree_is(const json_t *node, const char *key, const char *value);
/* "schema"."name" of a RangeVar, and of a list of String nodes. New strings. */
char *rb_pg_tree_range(const json_t *range);
char *rb_pg_tree_list(const json_t *list);

/* Sets effect[member][column]. */
void rb_pg_effect_column(json_t *effect, const char *member, const char *column, const char *how);
/* What the server knows of a table or view, by its oid as a number or by its name as SQL has it:
 * {"name","kind","rules","triggers","children","bases"}. NULL if there is none, or it is temporary.
 */
enum rb_code rb_pg_effect_table(json_t **out, rb_pg_reading *r, const char *table, rb_err *err);

/* effects_code.c */

/* A call of a function or procedure: all of that name are read. */
enum rb_code rb_pg_reading_call(rb_pg_reading *r, const json_t *call, rb_err *err);
enum rb_code rb_pg_reading_do(rb_pg_reading *r, const json_t *stmt, rb_err *err);
/*
 * A trigger of a table that is written: {"type","function"}. changes_new: it may change the row
 * that an UPDATE writes, which is then added to the effect.
 */
enum rb_code rb_pg_reading_trigger(rb_pg_reading *r, json_t *effect, const json_t *trigger,
                                   bool changes_new, rb_err *err);

/* effects_rows.c */

/* Any row of a table may be written, with what its triggers and references to it do then. */
enum rb_code rb_pg_reading_written(rb_pg_reading *r, const char *table, rb_err *err) RB_MUST_USE;
/* True for an expression whose value is another one each time. */
bool rb_pg_is_generated(const json_t *node);
enum rb_code rb_pg_reading_insert(rb_pg_reading *r, const json_t *stmt, rb_err *err);
enum rb_code rb_pg_reading_update(rb_pg_reading *r, const json_t *stmt, rb_err *err);
enum rb_code rb_pg_reading_delete(rb_pg_reading *r, const json_t *stmt, rb_err *err);
enum rb_code rb_pg_reading_merge(rb_pg_reading *r, const json_t *stmt, rb_err *err);
enum rb_code rb_pg_reading_truncate(rb_pg_reading *r, const json_t *stmt, rb_err *err);
enum rb_code rb_pg_reading_copy(rb_pg_reading *r, const json_t *stmt, rb_err *err);

/* effects_ddl.c */

enum rb_code rb_pg_reading_alter(rb_pg_reading *r, const json_t *stmt, rb_err *err);
enum rb_code rb_pg_reading_rename(rb_pg_reading *r, const json_t *stmt, rb_err *err);
enum rb_code rb_pg_reading_move(rb_pg_reading *r, const json_t *stmt, rb_err *err);
enum rb_code rb_pg_reading_drop(rb_pg_reading *r, const json_t *stmt, rb_err *err);
enum rb_code rb_pg_reading_enum(rb_pg_reading *r, const json_t *stmt, rb_err *err);

#endif
