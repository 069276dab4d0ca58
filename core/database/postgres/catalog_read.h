/*
 * Turns the rows of catalog.sql into a catalog; for catalog*.c only.
 *
 * The statements of catalog.sql each scan one system catalog, and their rows have oids.
 * rb_pg_tables joins them into tables with their columns, indexes, constraints and sequences.
 * Order: rb_pg_tables_new(), the rb_pg_add_*() functions for the rows in the order of the
 * statements, then rb_pg_tables_finish(), which adds what depends on all rows: the names of indexes
 * and sequences, and the order of columns.
 *
 * A session remembers the catalog that it read last, with its units (catalog_units.sql). A unit
 * whose rows are unchanged is not read again, unless it depends on one that has changed. So a
 * second read costs what was changed, and a scan of rows without their texts (catalog_units.c).
 */
#ifndef RB_DATABASE_POSTGRES_CATALOG_READ_H
#define RB_DATABASE_POSTGRES_CATALOG_READ_H

#include "base/json.h"
#include "database/postgres/postgres.h"

typedef struct rb_pg_tables rb_pg_tables;

/* Borrows both. keys: the keys that each unit puts into the catalog, {oid: [keys]}. */
rb_pg_tables *rb_pg_tables_new(json_t *catalog, json_t *keys);
void rb_pg_tables_free(rb_pg_tables *tables);
RB_DEFINE_AUTO(rb_pg_tables, rb_pg_tables_free)

/* Adds a row of one of the statements of catalog.sql. */
typedef enum rb_code rb_pg_add_row(rb_pg_tables *tables, const PGresult *row, rb_err *err);
rb_pg_add_row rb_pg_add_relation;
rb_pg_add_row rb_pg_add_column;
rb_pg_add_row rb_pg_add_index;
rb_pg_add_row rb_pg_add_constraint;
rb_pg_add_row rb_pg_add_sequence;
/* Adds a row of that statement (from 0), if it has the fields that belong to it. The rows come in
 * the order of the statements. */
enum rb_code rb_pg_tables_add(rb_pg_tables *tables, size_t statement, const PGresult *row,
                              rb_err *err);
void rb_pg_tables_finish(rb_pg_tables *tables);
/* Puts an object that belongs to no table, or that catalog_tables.c does not know. */
void rb_pg_tables_put(rb_pg_tables *tables, unsigned long unit, const char *key, json_t *entry);

/* What is read of a catalog. */
typedef struct rb_pg_part {
    const json_t *parts; /* of the statements, {"pg_x": true} */
    const char *scope;   /* for {scope}, "'{1,2}'"; NULL: all */
} rb_pg_part;

/* Which parts have objects, {"pg_x": bool}. */
enum rb_code rb_pg_catalog_parts(json_t **out, rb_pg *pg, rb_err *err);
/* The statements of a file in SQL for this server; a new string. */
char *rb_pg_catalog_statements(const char *sql, const rb_pg *pg, const rb_pg_part *part);
/* Adds an EXECUTE of a statement with such values. The session prepares each once. */
enum rb_code rb_pg_catalog_prepare(rb_buf *out, rb_pg *pg, const char *sql, const char *values,
                                   rb_err *err);
/* Adds the entries, and their keys to those of the units, {oid: [keys]}. */
enum rb_code rb_pg_catalog_read(json_t *catalog, json_t *keys, rb_pg *pg, const rb_pg_part *part,
                                rb_err *err);

/* Returns a field of the row, or NULL for null. */
const char *rb_pg_field(const PGresult *row, int column);
/* Returns the key part for an object in a schema (catalog/name.h). */
char *rb_pg_qualified(const char *schema, const char *name);
/* Reads a row's JSON object, without members that are null or false. Null gives an empty object. */
enum rb_code rb_pg_read_object(json_t **out, const char *text, rb_err *err);

/* Removes casts of varchar lists. x IN ('a', 'b') on a varchar column is shown as
 * (ARRAY['a'::character varying, ...])::text[], or, after a dump was restored, as
 * ARRAY[('a'::character varying)::text, ...]. A new string. */
char *rb_pg_without_casts(const char *text);

/* Returns the part from "USING" on of an index definition, "CREATE UNIQUE INDEX name ON ONLY
 * schema.table USING btree (a, b)". Points into `definition`. */
const char *rb_pg_index_text(const char *definition);
/* Returns the definition of a constraint of that kind (pg_constraint.contype), without the parts
 * that other members of its entry have. A foreign key becomes "REFERENCES t (id)"; an exclusion
 * constraint is not changed. A new string. */
char *rb_pg_constraint_text(const char *definition, char kind);

/* Returns a column's default with another name for its sequence, which the default has as
 * `literal`, 'schema.name'. A new string; NULL if the literal does not end with the name. */
char *rb_pg_with_sequence(const char *value, const char *literal, const char *name, const char *to);

/* If the server generated `name`, returns it without its number, else NULL. Generated names are
 * table_columns_label, with parts cut so that they fit into 63 bytes, and a number if the name is
 * taken. columns: joined with "_"; or NULL. A new string. */
char *rb_pg_generated_name(const char *name, const char *table, const char *columns,
                           const char *label);

#endif
