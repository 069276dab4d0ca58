/*
 * How the rows of catalog.sql become a catalog; for catalog*.c only.
 *
 * Tables and what belongs to them arrive as one scan for each of the server's own catalogs, each
 * row with oids: rb_pg_tables joins them. Its rows are added in the order of the statements;
 * rb_pg_tables_finish() then adds what depends on all of them: the names of indexes and sequences,
 * and the order of columns.
 */
#ifndef RB_DATABASE_POSTGRES_CATALOG_READ_H
#define RB_DATABASE_POSTGRES_CATALOG_READ_H

#include "base/json.h"
#include "database/postgres/libpq.h"

typedef struct rb_pg_tables rb_pg_tables;

rb_pg_tables *rb_pg_tables_new(json_t *catalog); /* borrowed */
json_t *rb_pg_tables_catalog(const rb_pg_tables *tables);
void rb_pg_tables_free(rb_pg_tables *tables);
RB_DEFINE_AUTO(rb_pg_tables, rb_pg_tables_free)

/* Adds a row of one of the first statements. */
typedef enum rb_code rb_pg_add_row(rb_pg_tables *tables, const PGresult *row, rb_err *err);
rb_pg_add_row rb_pg_add_relation;
rb_pg_add_row rb_pg_add_column;
rb_pg_add_row rb_pg_add_index;
rb_pg_add_row rb_pg_add_constraint;
rb_pg_add_row rb_pg_add_sequence;
void rb_pg_tables_finish(rb_pg_tables *tables);

/* A field of the row; NULL for null. */
const char *rb_pg_field(const PGresult *row, int column);
/* The string that stands for an object of a schema (catalog/name.h). */
char *rb_pg_qualified(const char *schema, const char *name);
/* Reads an object of the row, without members that are null or false; an empty one for null. */
enum rb_code rb_pg_read_object(json_t **out, const char *text, rb_err *err);

/* x IN ('a', 'b') of a varchar column is (ARRAY['a'::character varying, ...])::text[] where it was
 * entered so, and ARRAY[('a'::character varying)::text, ...] where it was restored from a dump.
 * Returns the text without these casts; a new string. */
char *rb_pg_without_casts(const char *text);

/* "USING btree (a, b)" of what the server says of an index, "CREATE UNIQUE INDEX name ON ONLY
 * schema.table USING btree (a, b)"; a part of it. */
const char *rb_pg_index_text(const char *definition);
/* The definition of a constraint of that kind (pg_constraint.contype) without what other members of
 * its entry say, and with a space where a foreign key's has none: "REFERENCES t (id)". An exclusion
 * constraint stays as it is. A new string. */
char *rb_pg_constraint_text(const char *definition, char kind);

/* The default of a column with another name of a sequence, which it has as `literal`,
 * 'schema.name'. A new string; NULL if the literal does not end with the name. */
char *rb_pg_with_sequence(const char *value, const char *literal, const char *name, const char *to);

/* What the server calls an object without a name of its own: table_columns_label, each part cut so
 * that all have 63 bytes, and a number where that is taken. Returns the name without its number if
 * `name` is such a name, else NULL; a new string. columns: joined with "_"; NULL: none. */
char *rb_pg_generated_name(const char *name, const char *table, const char *columns,
                           const char *label);

#endif
